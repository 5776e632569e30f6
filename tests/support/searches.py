"""A database without trigrams, as one that does not allow them is."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from cone.tokens.migrations import search_index

TRIGGERS = ("added", "removed", "changed")


def drop_trigrams(engine) -> None:
    statements = ["DROP INDEX token_search_trigrams"]
    if engine.name == "sqlite":
        statements = [f"DROP TRIGGER token_search_{name}" for name in TRIGGERS]
        statements.append("DROP TABLE token_search_trigrams")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def without_trigrams(engine) -> Iterator[None]:
    """Drop them for a while: others use the same database."""
    drop_trigrams(engine)
    try:
        yield
    finally:
        with engine.begin() as connection:
            search_index.make(connection, "token_search", ("code", "label"))
