"""Measure the plugin beside two floors: ``python -m bench [--short]``, or ``make bench``.

Afterwards the benches of :data:`PARTS` run. Prints tables in reStructuredText;
``docs/benchmarks.rst`` tells what they mean. Fails where a use case executes more statements than
its budget allows, and never because of a time.
"""

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import budget
from bench import measure
from bench import report
from bench.filling import databases
from bench.sites import SUBJECTS
from bench.use_cases import Tokens
from tests.support.postgres import PostgresServer

#: Benches besides this one; each takes ``--short``, but those that are for long runs alone.
PARTS = ("processes", "growth", "audit", "upgrade", "files")
LONG_PARTS = ("failover",)


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
    for name in PARTS if arguments.short else PARTS + LONG_PARTS:
        run_part(name, short=arguments.short)
    # None, not an empty text: that would be a failure.
    sys.exit("\n".join(overruns) or None)


def run_part(name: str, *, short: bool) -> None:
    """Run another bench in a process of its own: what it holds in memory is its own as well."""
    print(f"{name}\n", flush=True)
    command = [sys.executable, "-m", f"bench.{name}", *(["--short"] if short else [])]
    subprocess.run(command, check=True)


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
