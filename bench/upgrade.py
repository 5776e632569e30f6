"""How fast a database of cone.tokens 2.0 is upgraded, and in how much memory.

``python -m bench.upgrade`` fills databases of both kinds with a million tokens and usage rows, one
in twenty-five of them odd, runs the command, and tells rows a second, seconds and peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy import create_engine
from sqlalchemy import text

from tests.support.old_database import make_tables
from tests.support.postgres import PostgresServer
from tests.support.site import write_site

SIZE = 1_000_000
#: Of the short form.
SHORT = 10_000
COMMAND = (sys.executable, "-c", "from cone.tokens_command import main; main()", "upgrade")
OPTIONS = ("--timezone", "Europe/Vienna", "--duplicates=keep-oldest", "--long-values=uid", "--json")

UIDS = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "gen_random_uuid()",
}
#: Times over a year, the hours of both changes of the clocks among them.
TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', 1735686000 + n * 31, 'unixepoch')",
    "postgresql": "timestamp '2025-01-01' + n * interval '31 seconds'",
}
NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers"
    " WHERE n + 1 < {size})",
    "postgresql": "WITH numbers(n) AS (SELECT generate_series(0, {size} - 1))",
}
TOKENS = """
INSERT INTO tokens {numbers} SELECT {uid},
    CASE WHEN n % 100 = 1 THEN NULL WHEN n % 100 = 2 THEN 'double-' || n % 7
         ELSE 'token-' || n END,
    CASE WHEN n % 3 = 0 THEN {time} END, {time}, NULL,
    CASE WHEN n % 100 = 3 THEN -7 ELSE n % 5 END, CASE WHEN n % 100 = 4 THEN NULL ELSE n % 60 END,
    'somebody', {time}, {time}
FROM numbers
"""
USAGES = """
INSERT INTO token_usage
SELECT {uid}, uid, value, created, CASE WHEN usage_count = 0 THEN 2 END, 'somebody' FROM tokens
"""


@dataclass(frozen=True)
class Run:
    """What one upgrade took."""

    seconds: float
    cpu_s: float
    peak_mib: float
    rows: int


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.upgrade", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="tokens, and usage rows")
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    arguments = parser.parse_args()
    measure(SHORT if arguments.short else arguments.size)


def measure(size: int) -> None:
    """Print what upgrades take on both databases."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        for kind in ("sqlite", "postgresql"):
            place = Path(folder) / kind
            place.mkdir()
            url = server.create_database() if kind == "postgresql" else f"sqlite:///{place}/old.db"
            fill(url, size)
            run = upgrade(write_site(place, database_url=url), 2 * size)
            print(told(kind, run), flush=True)


def told(kind: str, run: Run) -> str:
    """Return a line about a run."""
    rate = run.rows / run.seconds
    return (
        f"upgrade {kind}: {run.rows:,} rows in {run.seconds:.1f} s, {rate:,.0f} rows/s,"
        f" {run.cpu_s:.1f} s of the client's processor,"
        f" {run.peak_mib:.0f} MiB"
    )


def fill(url: str, size: int) -> None:
    """Make a database of 2.0 with ``size`` tokens and usage rows."""
    engine = create_engine(url)
    with engine.begin() as connection:
        make_tables(connection)
        _fill(connection, size)
    engine.dispose()


def _fill(connection: Connection, size: int) -> None:
    kind = connection.dialect.name
    parts = {"uid": UIDS[kind], "time": TIMES[kind], "numbers": NUMBERS[kind].format(size=size)}
    connection.execute(text(TOKENS.format(**parts)))
    connection.execute(text(USAGES.format(**parts)))


def upgrade(ini: Path, rows: int) -> Run:
    """Run the command on a site."""
    begin = time.monotonic()
    # Only of a child that was waited for alone is the peak known.
    child = subprocess.Popen([*COMMAND, str(ini), *OPTIONS], stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    if child.returncode:
        message = f"the upgrade ended with {child.returncode}"
        raise RuntimeError(message)
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, rows)


if __name__ == "__main__":
    main()
