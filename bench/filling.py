"""Many tokens, straight into the database: what a run needs that is about a large table."""

import contextlib
import sys
import uuid
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import text

from bench.use_cases import Tokens
from cone.tokens.core import codes
from cone.tokens.migrations import search_index
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.postgres import PostgresServer

#: Tokens whose uids the requests go round.
SPREAD = 1_000

#: In the order of the uids: the indexes grow at their ends, which is several times faster.
STATEMENTS = {
    "sqlite": """
        INSERT INTO tokens
            (uid, value, usage_count, lock_time, creator, created, modified, enabled, version,
            code_digest)
        WITH RECURSIVE numbers(number) AS (
            SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < :count
        ), random AS MATERIALIZED (
            SELECT
                lower(hex(randomblob(16))) AS uid,
                strftime('%Y-%m-%d %H:%M:%S.000000', 1760000000 + number, 'unixepoch') AS created
            FROM numbers
        )
        SELECT
            uid,
            substr(uid, 1, 8) || '-' || substr(uid, 9, 4) || '-' || substr(uid, 13, 4) || '-'
                || substr(uid, 17, 4) || '-' || substr(uid, 21),
            -1, 0, 'someone', created, created, 1, 1, digest_of_uid(uid)
        FROM random
        ORDER BY uid
    """,
    "postgresql": """
        INSERT INTO tokens
            (uid, value, usage_count, lock_time, creator, created, modified, enabled, version,
            code_digest)
        SELECT uid, uid, -1, 0, 'someone', created, created, true, 1,
            left(encode(sha256(convert_to(uid::text, 'UTF8')), 'hex'), 32)
        FROM (
            SELECT
                gen_random_uuid() AS uid,
                to_timestamp(1760000000 + number) AS created
            FROM generate_series(1, :count) AS number
        ) AS random
        ORDER BY uid
    """,
}
#: What the tokens are searched by, in the order in which they were added. All texts are ASCII, with
#: single blanks.
SEARCH_TEXTS = """
    INSERT INTO token_search (token_uid, code, label)
    SELECT uid, lower(value), lower(label) FROM tokens
    WHERE NOT EXISTS (SELECT 1 FROM token_search WHERE token_uid = tokens.uid)
    ORDER BY created, uid
"""
#: The place of a token in the order in which they were added.
NUMBERS = {
    "sqlite": "(CAST(strftime('%s', created) AS INTEGER) - 1760000000)",
    "postgresql": "(EXTRACT(epoch FROM created)::integer - 1760000000)",
}
#: Whom a token is for. Half of all are of Berlin, the others of Wien.
PEOPLE = """
    UPDATE tokens SET
        label = CASE {number} % 8
                WHEN 0 THEN 'Anna' WHEN 1 THEN 'Bert' WHEN 2 THEN 'Carla' WHEN 3 THEN 'Dirk'
                WHEN 4 THEN 'Elif' WHEN 5 THEN 'Fritz' WHEN 6 THEN 'Greta' ELSE 'Hugo' END
            || CASE {number} / 8 % 8
                WHEN 0 THEN ' Schmidt' WHEN 1 THEN ' Yilmaz' WHEN 2 THEN ' Novak'
                WHEN 3 THEN ' Rossi' WHEN 4 THEN ' Weber' WHEN 5 THEN ' Kowalski'
                WHEN 6 THEN ' Huber' ELSE ' Dupont' END
            || CASE {number} % 2 WHEN 0 THEN ' Berlin ' ELSE ' Wien ' END
            || {number},
        category = CASE WHEN {number} % 100 = 3 THEN 'VIP' WHEN {number} % 3 = 0 THEN 'Guest' END
"""
TIDY_UP = {"sqlite": "ANALYZE tokens", "postgresql": "VACUUM ANALYZE tokens"}
TIDY_UP_SEARCH = {"sqlite": "ANALYZE token_search", "postgresql": "VACUUM ANALYZE token_search"}
TIDY_UP_LOG = {"sqlite": "ANALYZE token_usage", "postgresql": "VACUUM ANALYZE token_usage"}


#: Tries to consume one token, spread over a year that ends now; each fifth one was refused.
LOGS = {
    "sqlite": """
        INSERT INTO token_usage
            (uid, token_uid, token_value, timestamp, error_code, user, usage_count, version)
        WITH RECURSIVE numbers(number) AS (
            SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < :count
        )
        SELECT
            lower(hex(randomblob(16))),
            (SELECT uid FROM tokens LIMIT 1),
            'anything',
            strftime(
                '%Y-%m-%d %H:%M:%S.000000',
                'now',
                (-31536000.0 * (:count - number) / :count) || ' seconds'
            ),
            CASE WHEN number % 5 = 0 THEN 2 END,
            'someone',
            -1,
            number
        FROM numbers
    """,
    "postgresql": """
        INSERT INTO token_usage
            (uid, token_uid, token_value, timestamp, error_code, "user", usage_count, version)
        SELECT
            gen_random_uuid(),
            (SELECT uid FROM tokens LIMIT 1),
            'anything',
            now() - make_interval(secs => 31536000.0 * (:count - number) / :count),
            CASE WHEN number % 5 = 0 THEN 2 END,
            'someone',
            -1,
            number
        FROM generate_series(1, :count) AS number
    """,
}


#: The beginning of each token, as the service writes it.
BEGINNINGS = {
    "sqlite": """
        INSERT INTO token_events (uid, token_uid, action, timestamp, "user", new_values, version)
        SELECT
            uid, uid, 'add', created, creator,
            json_object(
                'value', value, 'valid_from', NULL, 'valid_to', NULL,
                'usage_count', usage_count, 'lock_time', lock_time, 'enabled', json('true')
            ),
            1
        FROM tokens
    """,
    "postgresql": """
        INSERT INTO token_events (uid, token_uid, action, timestamp, "user", new_values, version)
        SELECT
            uid, uid, 'add', created, creator,
            json_build_object(
                'value', value, 'valid_from', NULL, 'valid_to', NULL,
                'usage_count', usage_count, 'lock_time', lock_time, 'enabled', true
            )::text,
            1
        FROM tokens
    """,
}

#: Uses of all tokens in turn, a month apart.
ROUND = {
    "sqlite": """
        INSERT INTO token_usage
            (uid, token_uid, token_value, timestamp, "user", usage_count, version)
        SELECT
            lower(hex(randomblob(16))), uid, value,
            strftime('%Y-%m-%d %H:%M:%S.000000', created, (:number * 30) || ' days'),
            'someone', usage_count, :number + 1
        FROM tokens
        ORDER BY created
    """,
    "postgresql": """
        INSERT INTO token_usage
            (uid, token_uid, token_value, timestamp, "user", usage_count, version)
        SELECT
            gen_random_uuid(), uid, value, created + :number * interval '30 days',
            'someone', usage_count, :number + 1
        FROM tokens
        ORDER BY created
    """,
}
LAST_ROUND = """
    UPDATE tokens SET version = :number + 1, last_used = (
        SELECT timestamp FROM token_usage WHERE token_uid = tokens.uid AND version = :number + 1
    )
"""


def fill_histories(engine: Engine, uses: int) -> None:
    """Give all tokens of a database that :func:`fill` has filled a history."""
    kind = engine.dialect.name
    with engine.begin() as connection:
        if kind == "postgresql":
            connection.exec_driver_sql("SET LOCAL TimeZone = 'UTC'")
        connection.execute(text(BEGINNINGS[kind]))
        for number in range(1, uses + 1):
            connection.execute(text(ROUND[kind]), {"number": number})
        connection.execute(text(LAST_ROUND), {"number": uses})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql({"sqlite": "ANALYZE", "postgresql": "VACUUM ANALYZE"}[kind])


def fill_log(engine: Engine, count: int) -> uuid.UUID:
    """Add ``count`` tries to the log of a database that has tokens; return whose they are."""
    kind = engine.dialect.name
    with engine.begin() as connection:
        connection.execute(text(LOGS[kind]), {"count": count})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(TIDY_UP_LOG[kind])
        return connection.scalars(select(TokenUsageRecord.token_uid).limit(1)).one()


def fill(engine: Engine, count: int, *, with_people: bool = False) -> None:
    """Add ``count`` tokens that may be used without limit.

    :param with_people: labels tell whom they are for, and some have a category.

    Their values are their uids, each is a second younger than the one before. Nothing is written
    to a log.
    """
    kind = engine.dialect.name
    with engine.begin() as connection:
        if kind == "sqlite":
            connection.exec_driver_sql("PRAGMA cache_size = -400000")  # KiB
            driver = connection.connection.driver_connection
            driver.create_function(
                "digest_of_uid", 1, lambda uid: codes.digest(str(uuid.UUID(uid)))
            )
        connection.execute(text(STATEMENTS[kind]), {"count": count})
        if with_people:
            connection.execute(text(PEOPLE.format(number=NUMBERS[kind])))
        fill_search(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(TIDY_UP[kind])
        connection.exec_driver_sql(TIDY_UP_SEARCH[kind])


def fill_search(connection: Connection) -> None:
    """Add what tokens are searched by, where they have nothing; the index is made anew at once."""
    texts = TICKET.search_table
    assert texts is not None  # noqa: S101 - they are searched
    search_index.drop(connection, texts.name)
    connection.execute(text(SEARCH_TEXTS))
    search_index.make(connection, texts.name, tuple(TICKET.search_columns))


def some_uids(engine: Engine, count: int) -> list[uuid.UUID]:
    """Return the uids of ``count`` tokens from all over the table."""
    by_chance = select(TokenRecord.uid).order_by(func.random()).limit(count)
    with engine.connect() as connection:
        return list(connection.scalars(by_chance))


@contextlib.contextmanager
def databases(
    folder: Path,
    sizes: Sequence[int],
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
