"""Measure changes beside another checkout: ``python -m bench.beside SRC``.

``SRC`` is its folder ``src``. Each checkout has a process and a database of its own, which take
turns. Prints medians of the milliseconds of a change, and the ratio of this checkout to the other
one: by the clock, and in processor time of the process (on SQLite with the database).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench import report
from tests.support.postgres import PostgresServer

#: Works in either tree: names were others at commit db1869e.
WORKER = """
import json, sys, time
from sqlalchemy import create_engine
try:
    from cone.tokens.migrations.schema import prepare
    from cone.tokens.tickets.service import on_engine
    from cone.tokens.tickets.values import NewTicket, TicketChanges
except ImportError:
    from cone.tokens.core.service import on_engine
    from cone.tokens.core.types import NewToken as NewTicket, TokenChanges as TicketChanges
    from cone.tokens.schema import prepare
engine = create_engine(sys.argv[1])
if engine.name == "sqlite":
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
prepare(engine)
service = on_engine(engine)
def new():
    return NewTicket(usage_count=1)
uid = service.add(new(), by="me")
names = iter(range(10**9))
WORKS = {
    "add": lambda: service.add(new(), by="me"),
    "update of the uses": lambda: service.update(
        uid, TicketChanges(usage_count=2 + next(names) % 100), by="me"
    ),
    "update of the code": lambda: service.update(
        uid, TicketChanges(value=f"code-{next(names)}"), by="me"
    ),
    "add_many of 1,000": lambda: service.add_many(new(), 1_000, f"M{next(names)}-", by="me"),
}
print("ready", flush=True)
for line in sys.stdin:
    name, count = json.loads(line)
    times = []
    for _ in range(count):
        wall, cpu = time.perf_counter(), time.process_time()
        WORKS[name]()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    print(json.dumps(times), flush=True)
"""
#: What is measured, and how often in a round.
WORKS = {"add": 50, "update of the uses": 50, "update of the code": 50, "add_many of 1,000": 2}


class Worker:
    """A process with one of the trees."""

    def __init__(self, source: Path, url: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(source.absolute())}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._process.stdout.readline()

    def times(self, work: str, count: int) -> list[tuple[float, float]]:
        """Do it so often; return the seconds of each, by the clock and of the processor."""
        self._process.stdin.write(json.dumps([work, count]) + "\n")
        self._process.stdin.flush()
        return [tuple(pair) for pair in json.loads(self._process.stdout.readline())]

    def stop(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(30)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__)
    parser.add_argument("source", type=Path, help="the folder src of another checkout")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    trees = {"other": arguments.source, "here": Path(__file__).parents[1] / "src"}
    print(report.machine())
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        for database in arguments.databases:
            workers = {}
            for name, source in trees.items():
                is_server = database == "postgresql"
                file = f"sqlite:///{folder}/{name}.db?timeout=30"
                workers[name] = Worker(source, postgres.create_database() if is_server else file)
            print(measured(database, workers, arguments.rounds), flush=True)
            for worker in workers.values():
                worker.stop()


def measured(database: str, workers: dict[str, Worker], rounds: int) -> str:
    """Return the table of a database."""
    found = defaultdict(list)
    for number in range(-1, rounds):
        for work, count in WORKS.items():
            for name, worker in workers.items():
                times = worker.times(work, count)
                # The first round fills caches.
                found[work, name] += times if number >= 0 else []
    lines = []
    for work in WORKS:
        wall, cpu = (
            [statistics.median(pair[which] for pair in found[work, name]) for name in workers]
            for which in (0, 1)
        )
        cells = [f"{seconds * 1_000:.2f}" for seconds in (*wall, *cpu)]
        ratios = [f"{here / other:.2f}" for other, here in (wall, cpu)]
        lines.append((work, *cells[:2], ratios[0], *cells[2:], ratios[1]))
    head = ("clock: other", "here", "ratio", "processor: other", "here", "ratio")
    return f"{report.table((database, *head), lines)}\n"


if __name__ == "__main__":
    main()
