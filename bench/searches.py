"""Measure searches for parts of codes and labels: ``python -m bench.searches [--tokens N]``.

Prints the milliseconds to the first byte of the list, of the JSON API and of the door, on SQLite,
on PostgreSQL with ``pg_trgm`` and on PostgreSQL without: those of the fastest of some requests, as
the machine may have other things to do. ``--url`` measures a filled database.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import create_engine
from sqlalchemy import text

from bench import report
from bench.filling import fill
from bench.load import Connection
from bench.load import request
from bench.sites import Server
from bench.sites import write_site
from cone.tokens.migrations import search_index
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.kind import TICKET
from tests.support.postgres import PostgresServer

#: What a search may take to the first byte (ms).
LIMIT = 100

#: What is sought; ``{code}`` is a part of a code, ``{number}`` one of a label.
TERMS = {
    "one, by its code": "{code}",
    "one, by its label": "{number}",
    "one, by two words": "carla {number}",
    "none, rare signs": "qqq",
    "none, two common words": "anna wien",
    "none, common words and a rare one": "anna wien {number}",
    "none, a word of common trigrams": "hugo novak bert",
    "500,000": "berlin",
    "500,000, 3 signs": "ber",
    "125,000": "anna",
    "62,500 codes, 3 signs": "a-4",
    "8,000 codes, 3 signs": "abc",
    "15,625, two words": "greta huber",
    "2 signs": "ab",
    "1 sign": "a",
}
#: Where it is sought; the parameters beside the search.
PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "list": ("tokens_overview", {}),
    "VIP": ("tokens_overview", {"category": "VIP"}),
    "by code": ("tokens_overview", {"sort": "value"}),
    "valid": ("tokens_overview", {"status": "consumable"}),
    "expired": ("tokens_overview", {"status": "expired"}),
    "JSON": ("query_tokens", {}),
    "JSON, VIP": ("query_tokens", {"category": "VIP"}),
    "door": ("find_tokens", {}),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.searches", description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    parser.add_argument("--url", nargs="*", default=[])
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    arguments = parser.parse_args()
    count, rounds = (10_000, 1) if arguments.short else (arguments.tokens, arguments.rounds)
    print(report.machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = ((url, url) for url in arguments.url)
        for title, url in (
            urls if arguments.url else made(stack, folder, arguments.databases, count)
        ):
            print(measured(title, url, rounds), flush=True)


def made(
    stack: ExitStack, folder: Path, databases: list[str], count: int
) -> Iterator[tuple[str, str]]:
    """Return filled databases with their names."""
    for kind in databases:
        server = stack.enter_context(PostgresServer()) if kind == "postgresql" else None
        url = server.create_database() if server else f"sqlite:///{folder}/tokens.db?timeout=30"
        make(url, count)
        yield kind, url
        if server:
            drop_trigrams(url)
            yield "postgresql without pg_trgm", url


def make(url: str, count: int) -> None:
    """Fill a database."""
    engine = create_engine(url)
    if engine.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    prepare(engine)
    fill(engine, count, with_people=True)
    engine.dispose()


def drop_trigrams(url: str) -> None:
    """Leave the indexes of a database that does not allow trigrams."""
    engine = create_engine(url)
    table, columns = "token_search", tuple(TICKET.search_columns)
    with engine.begin() as connection:
        search_index.drop(connection, table)
        search_index.make_beginnings(connection, table, columns)
    engine.dispose()


def measured(title: str, url: str, rounds: int) -> str:
    """Return the table of a database."""
    code, number = some_token(url)
    lines, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(write_site(Path(folder) / "site", "ours", url))
        try:
            for name, term in TERMS.items():
                sought = term.format(code=code, number=number)
                found = [first_byte(server.port, sought, place, rounds) for place in PLACES]
                lines.append((name, *("" if ms is None else f"{ms:.0f}" for ms in found)))
                times += [ms for ms in found if ms is not None]
        finally:
            server.stop()
    slow = sum(ms > LIMIT for ms in times)
    told = f"slowest: {max(times):.0f} ms; more than {LIMIT} ms: {slow} of {len(times)}\n"
    return f"{report.table((title, *PLACES), lines)}\n{told}"


def some_token(url: str) -> tuple[str, str]:
    """Return a part of the code of a token, and one of its label: neither is new nor old."""
    engine = create_engine(url)
    middle = text("SELECT label, value FROM tokens WHERE label LIKE 'Carla Rossi %' LIMIT 1")
    with engine.connect() as connection:
        label, code = connection.execute(middle).one()
    engine.dispose()
    return str(code)[10:21], label.split()[-1]


def first_byte(port: int, sought: str, place: str, rounds: int) -> float | None:
    """Return the least milliseconds to the first byte; None: too little is sought there."""
    view, more = PLACES[place]
    sent = request("GET", f"/tokens/{view}?{urlencode({'search': sought, **more})}")
    times = []
    for _round in range(rounds + 1):
        with Connection(port) as connection:
            start = time.perf_counter()
            connection.begin(sent)
            answer = connection.receive()
            times.append((time.perf_counter() - start) * 1_000)
            while answer is None:
                answer = connection.receive()
        if not answer.is_good:
            return None
    # The first one fills caches.
    return min(times[1:])


if __name__ == "__main__":
    main()
