"""What the core adds to a consumption, against the same statements on the bare driver.

``python bench/consume.py [ROUNDS]``, or ``make bench``. SQLite in WAL mode with synchronous=FULL in
a temporary folder, one token of 1,000, rounds of both in turn, medians. Figures of one run compare
with each other, not with those of another machine.
"""

import datetime
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine

from cone.tokens.core.service import on_engine
from cone.tokens.core.types import NewToken

TOKENS = 1_000
CONSUMPTIONS = 300
DEFAULT_ROUNDS = 7

SPEND = """
UPDATE tokens SET usage_count = usage_count - 1, last_used = ?, version = version + 1
WHERE uid = ? AND enabled AND usage_count <> 0 AND (locked_until IS NULL OR locked_until <= ?)
AND (valid_from IS NULL OR valid_from <= ?) AND (valid_to IS NULL OR valid_to >= ?)
RETURNING value, usage_count, version
"""
LOG = """
INSERT INTO token_usage (uid, token_uid, token_value, timestamp, user, usage_count, version)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.db"
        sqlite3.connect(path).execute("PRAGMA journal_mode = WAL").close()
        service = on_engine(create_engine(f"sqlite:///{path}"))
        service.make_tables()
        uids = service.add_many(NewToken(usage_count=1_000_000), TOKENS, None, by="bench")
        bare = bare_driver(path)
        ours, floor = [], []
        for _ in range(rounds):
            floor.append(cpu_per_call(bare, uids))
            ours.append(cpu_per_call(lambda uid: service.consume(uid, by="bench"), uids))
    print_table(statistics.median(ours), statistics.median(floor))


def bare_driver(path: Path) -> Callable[[uuid.UUID], object]:
    """Return a consumption that executes the statements and nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")

    def consume(uid: uuid.UUID) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(" ")
        connection.execute("BEGIN IMMEDIATE")
        (spent,) = connection.execute(SPEND, (now, uid.hex, now, now, now)).fetchall()
        value, left, version = spent
        row = (uuid.uuid4().hex, uid.hex, value, now, "bench", left, version)
        connection.execute(LOG, row)
        connection.execute("COMMIT")

    return consume


def cpu_per_call(consume: Callable[[uuid.UUID], object], uids: list[uuid.UUID]) -> float:
    """Return milliseconds of processor time for one consumption."""
    start = time.process_time()
    for number in range(CONSUMPTIONS):
        consume(uids[number % len(uids)])
    return (time.process_time() - start) / CONSUMPTIONS * 1_000


def print_table(ours: float, floor: float) -> None:
    """Print both figures and their ratio."""
    print("one consumption, processor time      ms   times the driver")
    print(f"bare driver, same statements   {floor:8.3f}              1.00")
    print(f"core, one service call         {ours:8.3f}          {ours / floor:8.2f}")


if __name__ == "__main__":
    main()
