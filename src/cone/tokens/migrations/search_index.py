"""The index of what tokens are searched by, as revisions make it.

It finds parts of texts where the database has trigrams, else their beginnings. Columns are texts
that are compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def name_of(table: str) -> str:
    """Return the name of the index of trigrams; on SQLite it is a table of FTS5."""
    return f"{table}_trigrams"


def triggers_of(table: str) -> list[str]:
    """Return the names of the triggers that keep the index on SQLite."""
    return [f"{table}_{done}" for done in ("added", "removed", "changed")]


def make(connection: Connection, table: str, columns: Sequence[str]) -> bool:
    """Make the index of a table of search texts; return whether it finds parts.

    Within the transaction.

    :param table: has the rows of before, ``id`` is their number.
    """
    if is_there(connection, table):
        return True
    of_dialect = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    try:
        # What the database does not allow leaves nothing behind.
        with connection.begin_nested():
            _run(connection, of_dialect(table, columns))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        make_beginnings(connection, table, columns)
        return False
    return True


def make_beginnings(connection: Connection, table: str, columns: Sequence[str]) -> None:
    """Make the indexes of a table of search texts in a database that has no trigrams."""
    for name in columns:
        index = f"CREATE INDEX IF NOT EXISTS ix_{table}_{name} ON {table} ({name})"
        connection.exec_driver_sql(index)


def drop(connection: Connection, table: str) -> None:
    """Drop the index that finds parts, and what keeps it, where it is there."""
    if connection.dialect.name == "sqlite":
        statements = [f"DROP TRIGGER IF EXISTS {name}" for name in triggers_of(table)]
        statements.append(f"DROP TABLE IF EXISTS {name_of(table)}")
    else:
        statements = [f"DROP INDEX IF EXISTS {name_of(table)}"]
    _run(connection, statements)


def is_there(connection: Connection, table: str) -> bool:
    """Return whether there is an index that finds parts."""
    if connection.dialect.name == "sqlite":
        sought = f"SELECT 1 FROM sqlite_master WHERE name = '{name_of(table)}'"
    else:
        sought = f"SELECT 1 WHERE to_regclass('{name_of(table)}') IS NOT NULL"
    return connection.exec_driver_sql(sought).first() is not None


def _run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def _on_sqlite(table: str, columns: Sequence[str]) -> list[str]:
    """Return the statements that make a table of FTS5, and triggers that keep it."""
    index, names = name_of(table), ", ".join(columns)
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("new", "old"))
    add = f"INSERT INTO {index}(rowid, {names}) VALUES (new.id, {new});"
    remove = f"INSERT INTO {index}({index}, rowid, {names}) VALUES ('delete', old.id, {old});"
    options = (
        f"content='{table}', content_rowid='id', tokenize='trigram case_sensitive 1',"
        " detail='none', columnsize=0"
    )
    added, removed, changed = triggers_of(table)
    return [
        f"CREATE VIRTUAL TABLE {index} USING fts5({names}, {options})",
        f"INSERT INTO {index}({index}) VALUES ('rebuild')",
        f"CREATE TRIGGER {added} AFTER INSERT ON {table} BEGIN {add} END",
        f"CREATE TRIGGER {removed} AFTER DELETE ON {table} BEGIN {remove} END",
        f"CREATE TRIGGER {changed} AFTER UPDATE ON {table} BEGIN {remove} {add} END",
    ]


def _on_postgresql(table: str, columns: Sequence[str]) -> list[str]:
    keys = ", ".join(f"{name} gin_trgm_ops" for name in columns)
    return [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        f"CREATE INDEX {name_of(table)} ON {table} USING gin ({keys})",
    ]
