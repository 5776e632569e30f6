"""Measure ``verify`` and ``purge``: ``python -m bench.audit [--rows N] [--databases ...]``.

Each runs in a process of its own, whose greatest memory is told. Prints tables in
reStructuredText.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import text

from bench import report
from bench.filling import fill
from bench.filling import fill_histories
from bench.sites import memory_mib
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.migrations import schema
from cone.tokens.tickets.kind import TICKET
from tests.support.postgres import PostgresServer

#: Rows of the short form.
SHORT = 10_000
#: Uses of each token.
USES = 10


def verify(maintenance: Maintenance) -> int:
    """Replay all; return how many rows of the log there were."""
    audit = maintenance.verify()
    assert not audit.problems, audit.findings[:3]  # noqa: S101 - a bench of wrong data is none
    return audit.counts.uses


def purge_log(maintenance: Maintenance) -> int:
    """Remove all uses; return how many there were."""
    return maintenance.purge(PurgePlan(log=1, is_clock_right=True)).usages


def purge_tokens(maintenance: Maintenance) -> int:
    """Delete all tokens, which have expired; return how many there were."""
    return maintenance.purge(PurgePlan(expired=1, is_clock_right=True)).expired


WORKS: dict[str, Callable[[Maintenance], int]] = {
    "verify": verify,
    "purge log": purge_log,
    "purge tokens": purge_tokens,
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """What one work took."""

    work: str
    rows: int
    seconds: float
    memory_mib: float


@contextmanager
def filled(folder: Path, rows: int, postgres: PostgresServer | None) -> Iterator[str]:
    """Give the address of a database with a log."""
    url = postgres.create_database() if postgres else f"sqlite:///{folder}/log.db?timeout=30"
    engine = create_engine(url)
    if not postgres:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    schema.prepare(engine)
    fill_log_of(engine, rows)
    engine.dispose()
    yield url


def fill_log_of(engine: Engine, rows: int) -> None:
    """Add tokens, each with a history of uses."""
    fill(engine, rows // USES)
    fill_histories(engine, USES)


def measure(work: str, url: str) -> Figure:
    """Do one work in a process of its own."""
    command = [sys.executable, "-m", "bench.audit", "--work", work, url]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Figure(**json.loads(told.splitlines()[-1]))


def do(work: str, url: str) -> dict[str, Any]:
    """Do one work here."""
    maintenance = Maintenance(Database(create_engine(url), utc_now), [TICKET])
    start = time.perf_counter()
    rows = WORKS[work](maintenance)
    seconds = time.perf_counter() - start
    memory = memory_mib("self", "VmHWM")
    return {"work": work, "rows": rows, "seconds": seconds, "memory_mib": memory}


def let_expire(url: str) -> None:
    """Give all tokens a window that has ended."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE tokens SET valid_to = last_used"))
    engine.dispose()


def works(url: str) -> Iterator[Figure]:
    """Do one work after the other."""
    for work in WORKS:
        if work == "purge tokens":
            let_expire(url)
        yield measure(work, url)


def table(database: str, figures: list[Figure]) -> str:
    """Return figures as a table."""
    rows = [
        (
            one.work,
            f"{one.rows:,}",
            f"{one.seconds:.1f}",
            f"{one.rows / one.seconds:,.0f}",
            f"{one.memory_mib:.0f}",
        )
        for one in figures
    ]
    return report.table((database, "rows", "seconds", "rows/s", "peak MiB"), rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    parser.add_argument("--work", nargs=2, metavar=("WORK", "URL"))
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(do(*arguments.work)))
        return
    rows = SHORT if arguments.short else arguments.rows
    for database in arguments.databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            is_server = database == "postgresql"
            server = stack.enter_context(PostgresServer()) if is_server else None
            url = stack.enter_context(filled(folder, rows, server))
            print(table(database, list(works(url))), flush=True)


if __name__ == "__main__":
    main()
