"""Measure the plugin beside two floors: ``python -m bench [--short]``, or ``make bench``.

Prints tables in reStructuredText; ``docs/benchmarks.rst`` tells what they mean. Fails where a use
case executes more statements than its budget allows, and never because of a time.
"""

import argparse
import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine

from bench import budget
from bench import measure
from bench import report
from bench.filling import fill
from bench.filling import some_uids
from bench.sites import SUBJECTS
from bench.use_cases import Tokens
from cone.tokens.schema import prepare
from tests.postgres import PostgresServer

#: Tokens whose uids the requests go round.
SPREAD = 1_000


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is done; of the short form only the budget of statements counts."""

    sizes: tuple[int, ...] = (1_000, 1_000_000)
    rounds: int = 15
    requests: int = 100
    memory_requests: int = 100_000
    starts: int = 5
    subjects: tuple[str, ...] = tuple(SUBJECTS)


SHORT = Effort(
    sizes=(1_000, 10_000),
    rounds=2,
    requests=30,
    memory_requests=1_000,
    starts=1,
    subjects=("bare", "ours"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute's worth, for CI")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    effort = SHORT if arguments.short else Effort()
    print(report.machine())
    overruns = []
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        for database in arguments.databases:
            place = Path(folder) / database
            server = postgres if database == "postgresql" else None
            with databases(place, effort.sizes, server) as filled:
                overruns += run(place, filled, effort)
    # None, not an empty text: that would be a failure.
    sys.exit("\n".join(overruns) or None)


@contextlib.contextmanager
def databases(
    folder: Path,
    sizes: tuple[int, ...],
    postgres: PostgresServer | None = None,
) -> Iterator[list[Tokens]]:
    """Return a database of each size, filled: of ``postgres``, else of SQLite in ``folder``."""
    folder.mkdir(exist_ok=True)
    filled = []
    for size in sizes:
        print(f"filling {folder.name} with {size:,} tokens", file=sys.stderr)
        sqlite_url = f"sqlite:///{folder}/{size}.db?timeout=30"
        url = postgres.create_database() if postgres else sqlite_url
        engine = create_engine(url)
        if not postgres:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        prepare(engine)
        fill(engine, size)
        filled.append(Tokens(url, size, some_uids(engine, SPREAD)))
        engine.dispose()
    yield filled


def run(folder: Path, filled: list[Tokens], effort: Effort) -> list[str]:
    """Measure everything on one kind of database; return what was over its budget."""
    kind, subjects = folder.name, effort.subjects
    counts = budget.count(folder / "budget", filled[0])
    print(report.statements(kind, counts))
    speed = measure.speed(folder, filled, subjects, effort.rounds, effort.requests)
    print(report.cpu(kind, speed, filled, subjects))
    print(report.rates(kind, speed, filled, subjects))
    print(report.flatness(kind, speed, filled))
    print(report.pages(kind, measure.pages(folder, filled, effort.rounds)))
    print(report.memory(kind, measure.memory(folder, filled[0], effort.memory_requests)))
    starts = measure.starts(folder, filled[0], subjects, effort.starts)
    print(report.starts(kind, starts), flush=True)
    return budget.overruns(kind, counts)


if __name__ == "__main__":
    main()
