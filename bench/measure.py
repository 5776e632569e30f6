"""The measurements. Subjects take turns, so that what disturbs a run disturbs all of them."""

import contextlib
import dataclasses
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.load import Connection
from bench.load import request
from bench.load import send_all
from bench.sites import Server
from bench.sites import served
from bench.sites import write_site
from bench.use_cases import USE_CASES
from bench.use_cases import Tokens
from bench.use_cases import requests

CLIENTS = 8
WARM_UP = 60
PAGES = {"list": "/tokens/tokens_overview", "token": "/tokens/{uid}"}


@dataclasses.dataclass(frozen=True)
class Speed:
    """What one request costs, of one round.

    :ivar cpu_ms: processor time of the serving process, requests one by one.
    :ivar per_s: requests a second with :data:`CLIENTS` clients on the same machine.
    """

    cpu_ms: float
    per_s: float


#: By use case, size of the database, subject: one for each round.
Speeds = dict[tuple[str, int, str], list[Speed]]


def speed(
    folder: Path,
    filled: list[Tokens],
    subjects: Sequence[str],
    rounds: int,
    count: int,
) -> Speeds:
    """Return the figures of all rounds; one more, to warm up, is left out."""
    found = defaultdict(list)
    with contextlib.ExitStack() as stack:
        servers = {
            (tokens.size, subject): stack.enter_context(_serve(folder / "speed", subject, tokens))
            for tokens in filled
            for subject in subjects
        }
        for number in range(rounds + 1):
            for use_case in USE_CASES:
                for tokens in filled:
                    sent = requests(use_case, tokens, count if number else WARM_UP)
                    for subject in subjects:
                        server = servers[tokens.size, subject]
                        found[use_case, tokens.size, subject].append(_speed(server, sent))
    return {what: rounds_of[1:] for what, rounds_of in found.items()}


def pages(folder: Path, filled: list[Tokens], rounds: int) -> dict[tuple[str, int], float]:
    """Return the median of the milliseconds from request to answer, by page and size."""
    found = defaultdict(list)
    for tokens in filled:
        with (
            _serve(folder / "pages", "ours", tokens) as server,
            Connection(server.port) as connection,
        ):
            for number in range(rounds + 1):
                for name, path in PAGES.items():
                    sent = request("GET", path.format(uid=tokens.uids[number]))
                    start = time.perf_counter()
                    if not connection.send(sent).is_good:
                        raise RuntimeError(path)
                    found[name, tokens.size].append((time.perf_counter() - start) * 1_000)
    # The first one compiles templates.
    return {what: statistics.median(times[1:]) for what, times in found.items()}


def memory(folder: Path, tokens: Tokens, count: int) -> dict[int, float]:
    """Return the MiB that the process holds after so many requests of all use cases."""
    found = {}
    with _serve(folder / "memory", "ours", tokens) as server:
        sent = [each for name in USE_CASES for each in requests(name, tokens, 250)]
        for done in range(0, count, len(sent)):
            send_all([server.port], sent, CLIENTS)
            if done + len(sent) in (1_000, count // 10, count // 2, count):
                found[done + len(sent)] = server.memory_mib()
    return found


def starts(
    folder: Path,
    tokens: Tokens,
    subjects: Sequence[str],
    count: int,
) -> dict[str, tuple[float, float]]:
    """Return seconds until the server listens, and MiB that it holds then, by subject."""
    found = defaultdict(list)
    for number in range(count):
        for subject in subjects:
            with _serve(folder / f"starts{number}", subject, tokens) as server:
                found[subject].append((server.start_s, server.memory_mib()))
    return {
        subject: (
            statistics.median(seconds for seconds, _mib in times),
            statistics.median(mib for _seconds, mib in times),
        )
        for subject, times in found.items()
    }


def _serve(folder: Path, subject: str, tokens: Tokens) -> contextlib.AbstractContextManager[Server]:
    return served(write_site(folder / f"{subject}{tokens.size}", subject, tokens.url))


def _speed(server: Server, sent: list[bytes]) -> Speed:
    before = server.cpu_s()
    send_all([server.port], sent)
    used = server.cpu_s() - before
    seconds = send_all([server.port], sent, CLIENTS)
    return Speed(cpu_ms=used / len(sent) * 1_000, per_s=len(sent) / seconds)
