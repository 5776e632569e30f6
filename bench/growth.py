"""Measure a small database beside a large one: ``python -m bench.growth [--short]``.

The use cases of the service are timed one by one, without HTTP. To fill each database with
10,000,000 tokens and a log of 1,000,000 uses takes minutes, and gigabytes of the folder for
temporary files.
"""

import argparse
import datetime
import itertools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from bench import report
from bench.filling import databases
from bench.filling import fill_log
from bench.use_cases import Tokens
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import Step
from tests.support.postgres import PostgresServer

SMALL = 10_000
#: Calls in a round; sizes take turns.
IN_ROUND = 50

Call = Callable[[], Any]
#: Seconds of each call, by use case and size.
Times = dict[tuple[str, int], list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=1_000)
    arguments = parser.parse_args()
    sizes, log, calls = (SMALL, arguments.tokens), arguments.log, arguments.calls
    if arguments.short:
        sizes, log, calls = (1_000, SMALL), 1_000, 50
    print(report.machine())
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        for kind in arguments.databases:
            place = Path(folder) / kind
            server = postgres if kind == "postgresql" else None
            start = time.perf_counter()
            with databases(place, sizes, server) as filled:
                filled_s = time.perf_counter() - start
                print(f"{kind}: filled in {filled_s:.0f} s\n")
                print(told(kind, sizes, measured(filled, log, calls)), flush=True)


def measured(filled: list[Tokens], log: int, calls: int) -> Times:
    """Return how long each call of each use case took on each database."""
    found: Times = defaultdict(list)
    stories = {tokens.size: use_cases(tokens, log) for tokens in filled}
    names = list(stories[filled[0].size])
    for number in range(-1, calls // IN_ROUND):
        for name in names:
            for size, story in stories.items():
                taken = [_timed(call) for call in itertools.islice(story[name], IN_ROUND)]
                # The first round fills caches.
                found[name, size] += taken if number >= 0 else []
    return found


def use_cases(tokens: Tokens, log: int) -> dict[str, Iterator[Call]]:
    """Return calls without an end of each use case, by its name.

    Tokens are from all over the table, as many as the processes' caches do not hold.
    """
    engine = create_engine(tokens.url)
    hot = fill_log(engine, log)
    service = on_engine(engine)
    found = itertools.cycle(tokens.uids)
    first = Parser(datetime.UTC).token_query({})
    today = datetime.datetime.now(datetime.UTC).date()
    week = today - datetime.timedelta(days=6)
    return {
        "list, first page": _always(lambda: service.counted_page(first)),
        "list, prefix of one token": (_search(service, str(uid)[:13]) for uid in found),
        "list, prefix of a 16th of all": (_search(service, str(uid)[:1]) for uid in found),
        "query": (_query(service, str(uid)) for uid in found),
        "consume": (_consume(service, uid) for uid in found),
        "figures of the door": _always(service.door_figures),
        f"usages of a token with {log:,}": _always(lambda: service.usages(hot, 50)),
        f"statistics of a week of {log:,} uses": _always(
            lambda: service.statistics(week, today, Step.DAY, datetime.UTC),
        ),
    }


def told(kind: str, sizes: tuple[int, int], times: Times) -> str:
    """Return the table."""
    small, large = sizes
    head = [kind, *(f"{size:,}: {what}" for size in sizes for what in ("p50", "p99")), "p50 ratio"]
    rows = []
    for name in dict.fromkeys(name for name, _size in times):
        cells = [f"{each:.2f}" for size in sizes for each in _percentiles(times[name, size])]
        ratio = _percentiles(times[name, large])[0] / _percentiles(times[name, small])[0]
        rows.append([name, *cells, f"{ratio:.2f}"])
    return f"milliseconds of a use case\n\n{report.table(head, rows)}"


def _percentiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return statistics.median(ordered) * 1_000, ordered[int(len(ordered) * 0.99)] * 1_000


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _always(call: Call) -> Iterator[Call]:
    return itertools.repeat(call)


def _search(service: TicketService, prefix: str) -> Call:
    query = Parser(datetime.UTC).token_query({"prefix": prefix, "sort": "value"})
    return lambda: service.counted_page(query)


def _query(service: TicketService, value: str) -> Call:
    return lambda: service.find_by_value(value)


def _consume(service: TicketService, uid: Any) -> Call:
    return lambda: service.consume(uid, by="someone")


if __name__ == "__main__":
    main()
