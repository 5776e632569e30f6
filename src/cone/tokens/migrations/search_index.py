"""The index of what tokens are searched by, as revision 0005 makes it.

It finds parts of texts where the database has trigrams, else their beginnings.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

#: The index of trigrams; on SQLite a table of FTS5.
NAME: Final = "token_search_trigrams"

_ADD: Final = (
    "INSERT INTO token_search_trigrams(rowid, code, label) VALUES (new.id, new.code, new.label);"
)
_REMOVE: Final = (
    "INSERT INTO token_search_trigrams(token_search_trigrams, rowid, code, label)"
    " VALUES ('delete', old.id, old.code, old.label);"
)
_TABLE: Final = (
    "CREATE VIRTUAL TABLE token_search_trigrams USING fts5(code, label, content='token_search',"
    " content_rowid='id', tokenize='trigram case_sensitive 1', detail='none', columnsize=0)"
)
_INDEX: Final = (
    "CREATE INDEX token_search_trigrams ON token_search"
    " USING gin (code gin_trgm_ops, label gin_trgm_ops)"
)
_SQLITE: Final = (
    _TABLE,
    "INSERT INTO token_search_trigrams(token_search_trigrams) VALUES ('rebuild')",
    f"CREATE TRIGGER token_search_added AFTER INSERT ON token_search BEGIN {_ADD} END",
    f"CREATE TRIGGER token_search_removed AFTER DELETE ON token_search BEGIN {_REMOVE} END",
    f"CREATE TRIGGER token_search_changed AFTER UPDATE ON token_search BEGIN {_REMOVE} {_ADD} END",
)
_POSTGRESQL: Final = ("CREATE EXTENSION IF NOT EXISTS pg_trgm", _INDEX)
_BEGINNINGS: Final = (
    "CREATE INDEX IF NOT EXISTS ix_token_search_code ON token_search (code)",
    "CREATE INDEX IF NOT EXISTS ix_token_search_label ON token_search (label)",
)


def make(connection: Connection) -> bool:
    """Make the index, within the transaction; return whether it finds parts."""
    if is_there(connection):
        return True
    wanted = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    try:
        # What the database does not allow leaves nothing behind.
        with connection.begin_nested():
            _run(connection, wanted)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        _run(connection, _BEGINNINGS)
        return False
    return True


def _run(connection: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def is_there(connection: Connection) -> bool:
    """Return whether there is an index that finds parts."""
    if connection.dialect.name == "sqlite":
        sought = "SELECT 1 FROM sqlite_master WHERE name = 'token_search_trigrams'"
    else:
        sought = "SELECT 1 WHERE to_regclass('token_search_trigrams') IS NOT NULL"
    return connection.exec_driver_sql(sought).first() is not None
