"""Measure pages of the list: ``python -m bench.lists [--tokens N] [--mixes N] [--url URL]``.

Prints the median milliseconds of the use case that reads and counts a page: each status in each
order, the first page and one from the middle, alone and with each other filter. Without an address
a database of each kind is made and filled for each mix; one that is named is only read.

Every figure is to be compared with that of reading the table once, from end to end, which stands
below the table: the machine may have other things to do.
"""

import argparse
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import text

from bench import report
from bench.filling import databases
from bench.filling import some_uids
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenQuery
from cone.tokens.tickets.params import SORTS
from cone.tokens.tickets.service import on_engine
from tests.support.postgres import PostgresServer

#: Tokens on a page.
SIZE = 50
#: What a page may take (ms); nothing fails because of it.
LIMIT = 500

#: Which tokens have a status; ``number`` is their place among all, the oldest first.
SHARES = {
    "none": "1 = 0",
    "few": "number % 29989 = 7",
    "1 %": "number % 100 = 3",
    "third": "number % 3 = 1",
    "older half": "number <= :half",
}
#: What gives it to them. A sixth of the others has a window too.
STATES = {
    Status.DISABLED: "enabled = NOT ({share})",
    Status.EXHAUSTED: "usage_count = CASE WHEN {share} THEN 0 ELSE 7 END",
    Status.LOCKED: "locked_until = CASE WHEN {share} THEN {later} END",
    Status.NOT_YET_VALID: (
        "valid_from = CASE WHEN {share} THEN {later} WHEN {other} THEN {past} END"
    ),
    Status.EXPIRED: "valid_to = CASE WHEN {share} THEN {past} WHEN {other} THEN {later} END",
}
#: Each status has each share in one of as many mixes.
MIXES = range(len(SHARES))
WORDS = {
    "sqlite": {
        "number": "(CAST(strftime('%s', created) AS INTEGER) - 1760000000)",
        "past": "'2025-06-01 00:00:00.000000'",
        "later": "'2100-01-01 00:00:00.000000'",
    },
    "postgresql": {
        "number": "(EXTRACT(epoch FROM created)::integer - 1760000000)",
        "past": "'2025-06-01 00:00Z'::timestamptz",
        "later": "'2100-01-01 00:00Z'::timestamptz",
    },
}
#: PostgreSQL keeps the old rows until the table is written anew.
TIDY_UP = {
    "sqlite": ["ANALYZE tokens"],
    "postgresql": ["VACUUM FULL tokens", "VACUUM ANALYZE tokens"],
}

READ_ONCE = text("SELECT count(*) FROM tokens WHERE creator = 'nobody'")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--mixes", type=int, nargs="*", choices=MIXES, default=[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", nargs="*", default=[])
    arguments = parser.parse_args()
    print(report.machine())
    if arguments.url:
        named = (create_engine(url) for url in arguments.url)
        engines = ((str(engine.url), engine) for engine in named)
    else:
        engines = made(arguments.mixes, arguments.tokens)
    show(engines, arguments.rounds)


def made(mixes: Iterable[int], count: int) -> Iterator[tuple[str, Engine]]:
    """Return a database of each kind for each mix, and what is in it."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        for kind, number in itertools.product(("sqlite", "postgresql"), mixes):
            place = Path(folder) / f"{kind}-{number}"
            server = postgres if kind == "postgresql" else None
            with databases(place, (count,), server) as [tokens]:
                engine = create_engine(tokens.url)
                shares = mix(engine, number, count)
                told = ", ".join(f"{status.value} {share}" for status, share in shares.items())
                yield f"{kind}, {count:,} tokens: {told}", engine


def mix(engine: Engine, number: int, count: int) -> dict[Status, str]:
    """Give each status to a share of a filled database, and return which one."""
    kind = engine.dialect.name
    names = itertools.islice(itertools.cycle(SHARES), number, None)
    shares = dict(zip(STATES, names, strict=False))
    changes = ", ".join(
        state.format(share=SHARES[shares[status]], other="number % 6 = 2", **WORDS[kind])
        for status, state in STATES.items()
    ).replace("number", WORDS[kind]["number"])
    half = {"half": count // 2} if ":half" in changes else {}
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE tokens SET {changes}"), half)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in TIDY_UP[kind]:
            connection.exec_driver_sql(statement)
    return shares


def show(engines: Iterable[tuple[str, Engine]], rounds: int) -> None:
    """Print the table of each database."""
    places = ("", ", middle")
    head = (*("status", "filter", "tokens"), *map("".join, itertools.product(SORTS, places)))
    for title, engine in engines:
        lines, times = [], []
        for names, found in pages(engine, rounds):
            lines.append((*names, *(f"{ms:.0f}" for ms in found)))
            times += found
        print(f"{title}\n\n{report.table(head, lines)}")
        once = milliseconds(functools.partial(read_once, engine), rounds)
        slow = sum(ms > LIMIT for ms in times)
        print(
            f"slowest page: {max(times):.0f} ms; more than {LIMIT} ms: {slow} of {len(times)}; "
            f"reading the table once: {once:.0f} ms\n",
            flush=True,
        )
        engine.dispose()


def pages(engine: Engine, rounds: int) -> Iterator[tuple[tuple[str, str, str], list[float]]]:
    """Return the names of each filter, and the milliseconds of its pages."""
    service = on_engine(engine)
    middle = service.get(some_uids(engine, 1)[0])
    others = {
        "": {},
        "prefix": {"prefix": middle.value[:1]},
        "created": {"created_from": middle.created},
        "valid": {"valid_at": middle.created},
    }
    for status, (name, other) in itertools.product((None, *Status), others.items()):
        matching = TokenFilter(status=status, **other)
        count = service.count(matching)
        queries = [
            TokenQuery(matching=matching, sort=sort, limit=SIZE, after=after, before=None)
            for sort, after in itertools.product(SORTS.values(), (None, middle.uid))
        ]
        told = f"> {MAX_BATCH:,}" if count is None else f"{count:,}"
        yield (
            (status.value if status else "", name, told),
            [
                milliseconds(functools.partial(service.counted_page, query), rounds)
                for query in queries
            ],
        )


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median of how long ``work`` takes."""
    times = []
    for _round in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1_000)
    return statistics.median(times)


def read_once(engine: Engine) -> None:
    """Have the database look at all tokens."""
    with engine.connect() as connection:
        connection.execute(READ_ONCE)


if __name__ == "__main__":
    main()
