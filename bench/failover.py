"""Measure how long a site is without its database: ``python -m bench.failover [--runs N]``.

Two served processes and eight clients that repeat with the same ``Idempotency-Key``. The outage
is the longest time without any answer.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.failover import Account
from tests.support.failover import lose_leader
from tests.support.failover import lose_primary
from tests.support.postgres import PostgresUnavailable

FAULTS: dict[str, Callable[[Path], Account]] = {
    "two nodes, one promoted": lose_primary,
    "Patroni, nobody promotes": lose_leader,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    for name, lose in FAULTS.items():
        outages = list(measure(name, lose, runs))
        if outages:
            worst, median = max(outages), statistics.median(outages)
            print(f"{name}: outage {median:.2f} s (median of {len(outages)}), worst {worst:.2f} s")


def measure(name: str, lose: Callable[[Path], Account], runs: int) -> list[float]:
    """Let the fault happen, print what came of it each time, and return the outages in seconds.

    :raises SystemExit: something was lost or counted twice.
    """
    outages: list[float] = []
    for _run in range(runs):
        try:
            with tempfile.TemporaryDirectory() as folder:
                account = lose(Path(folder))
        except PostgresUnavailable as reason:
            print(f"{name}: not measured: {reason}")
            break
        print(account.line(name), flush=True)
        if account.complaints:
            raise SystemExit("\n".join(account.complaints))
        outages.append(account.outage_s)
    return outages


if __name__ == "__main__":
    main()
