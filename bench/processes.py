"""Measure one and two server processes on one PostgreSQL: ``python -m bench.processes [--short]``.

Client, servers and database share the processors of the machine; how much each of them takes of
a request is told beside what comes of it.
"""

import argparse
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy import text

from bench import report
from bench.filling import databases
from bench.load import send_all
from bench.sites import Server
from bench.sites import cpu_s
from bench.sites import served
from bench.sites import write_site
from bench.use_cases import Tokens
from bench.use_cases import requests
from tests.support.postgres import PostgresServer

SUBJECTS = ("bare", "ours")
USE_CASES = ("consume, spread", "consume, one hot token")
#: Server processes at once.
COUNTS = (1, 2)
#: A pool of four connections each keeps all threads at work; more only wait for each other.
CLIENTS = 8
WARM_UP = 200


@dataclasses.dataclass(frozen=True)
class Speed:
    """What came of one round.

    :ivar per_s: requests a second.
    :ivar server_ms: processor time of the server processes for a request, and so on.
    """

    per_s: float
    server_ms: float
    database_ms: float
    client_ms: float


#: By use case, subject, number of processes: one for each round.
Speeds = dict[tuple[str, str, int], list[Speed]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.processes", description=__doc__)
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=1_500)
    parser.add_argument("--tokens", type=int, default=100_000)
    arguments = parser.parse_args()
    rounds, count, size = arguments.rounds, arguments.requests, arguments.tokens
    if arguments.short:
        rounds, count, size = 2, 100, 1_000
    print(report.machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgresServer() as postgres,
        databases(Path(folder) / "postgresql", (size,), postgres) as [tokens],
    ):
        print(told(speeds(Path(folder), tokens, rounds, count)))


def speeds(folder: Path, tokens: Tokens, rounds: int, count: int) -> Speeds:
    """Return the figures of all rounds; one more, to warm up, is left out."""
    found = defaultdict(list)
    with contextlib.ExitStack() as stack:
        servers = {
            subject: [stack.enter_context(_serve(folder, subject, tokens, n)) for n in COUNTS]
            for subject in SUBJECTS
        }
        postmaster = _postmaster(tokens.url)
        for number in range(rounds + 1):
            for use_case in USE_CASES:
                sent = requests(use_case, tokens, count if number else WARM_UP)
                for subject in SUBJECTS:
                    for processes in COUNTS:
                        some = servers[subject][:processes]
                        found[use_case, subject, processes].append(_speed(some, sent, postmaster))
    return {what: rounds_of[1:] for what, rounds_of in found.items()}


def told(found: Speeds) -> str:
    """Return the tables."""
    head = ("use case", "subject", "processes", "requests/s", "server", "database", "client")
    rows = []
    for (use_case, subject, processes), rounds in found.items():
        names = ("server_ms", "database_ms", "client_ms")
        costs = [statistics.median(getattr(speed, name) for speed in rounds) for name in names]
        per_s = statistics.median(speed.per_s for speed in rounds)
        texts = [f"{cost:.2f}" for cost in costs]
        rows.append((use_case, subject, processes, f"{per_s:.0f}", *texts))
    gains = [
        (use_case, subject, _ratio(found, "per_s", (use_case, subject, 2), (use_case, subject, 1)))
        for use_case in USE_CASES
        for subject in SUBJECTS
    ]
    costs = [
        (
            use_case,
            processes,
            _ratio(found, "server_ms", *((use_case, each, processes) for each in ("ours", "bare"))),
        )
        for use_case in USE_CASES
        for processes in COUNTS
    ]
    return "\n".join(
        [
            f"{CLIENTS} clients; milliseconds of processor time for a request\n",
            report.table(head, rows),
            report.table(("use case", "subject", "requests/s, 2 processes / 1"), gains),
            report.table(("use case", "processes", "server's time, ours / bare"), costs),
        ],
    )


def _ratio(
    found: Speeds,
    name: str,
    one: tuple[str, str, int],
    other: tuple[str, str, int],
) -> str:
    """Return the median of the ratios within each round."""
    pairs = zip(found[one], found[other], strict=True)
    return f"{statistics.median(getattr(a, name) / getattr(b, name) for a, b in pairs):.2f}"


def _speed(servers: Sequence[Server], sent: list[bytes], postmaster: int) -> Speed:
    def used() -> tuple[float, float, float]:
        own = time.process_time()
        return sum(server.cpu_s() for server in servers), _family_cpu_s(postmaster), own

    before = used()
    seconds = send_all([server.port for server in servers], sent, CLIENTS)
    costs = [(b - a) * 1_000 / len(sent) for a, b in zip(before, used(), strict=True)]
    return Speed(len(sent) / seconds, *costs)


def _serve(
    folder: Path,
    subject: str,
    tokens: Tokens,
    number: int,
) -> contextlib.AbstractContextManager[Server]:
    return served(write_site(folder / f"{subject}{number}", subject, tokens.url))


def _postmaster(url: str) -> int:
    """Return the process that has the processes of a server's connections as its children."""
    engine = create_engine(url)
    with engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        parent = _parent(pid)
    engine.dispose()
    return parent


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _family_cpu_s(parent: int) -> float:
    """Return the seconds of processor time of the children of a process."""
    return sum(cpu_s(child) for child in _children(parent))


def _children(parent: int) -> Iterator[int]:
    for name in Path("/proc").glob("[0-9]*"):
        pid = int(name.name)
        # Others may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if _parent(pid) == parent:
                yield pid


if __name__ == "__main__":
    main()
