"""Databases as cone.tokens 2.0 made them: no constraint but the primary keys, naive times."""

import uuid
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import text

UID = {"sqlite": "CHAR(32)", "postgresql": "uuid"}
TIME = {"sqlite": "DATETIME", "postgresql": "timestamp without time zone"}
TABLES = (
    """
    CREATE TABLE tokens (uid {uid} PRIMARY KEY NOT NULL, value VARCHAR, last_used {time},
        valid_from {time}, valid_to {time}, usage_count INTEGER, lock_time INTEGER,
        creator VARCHAR, created {time}, modified {time})
    """,
    """
    CREATE TABLE token_usage (uid {uid} PRIMARY KEY NOT NULL, token_uid {uid},
        token_value VARCHAR, timestamp {time}, error_code INTEGER, "user" VARCHAR)
    """,
)
#: A token and a usage in which nothing is odd.
TOKEN = {"value": "fine", "usage_count": 1, "lock_time": 0, "creator": "somebody"}
TOKEN |= {"created": "2024-01-15 12:00:00.000000", "modified": "2024-01-15 12:00:00.000000"}
USAGE = {"token_value": "fine", "timestamp": "2024-01-15 13:00:00.000000", "user": "somebody"}


def make_tables(connection: Connection, *names: str) -> None:
    """Make the tables of 2.0, or those that are named."""
    kind = connection.dialect.name
    for statement in TABLES:
        if not names or statement.split()[2] in names:
            connection.execute(text(statement.format(uid=UID[kind], time=TIME[kind])))


def uid_of(number: int) -> uuid.UUID:
    """Return a uid that is easy to tell; they are in the order of the numbers."""
    return uuid.UUID(int=(number << 120) + number)


def add_token(connection: Connection, number: int, **fields: Any) -> None:
    """Add a token of 2.0, with other fields than :data:`TOKEN` has."""
    _insert(connection, "tokens", {"uid": uid_of(number), **TOKEN, **fields})


def add_usage(connection: Connection, number: int, token: int, **fields: Any) -> None:
    """Add a usage row of 2.0, with other fields than :data:`USAGE` has."""
    row = {"uid": uid_of(number), "token_uid": uid_of(token), **USAGE, **fields}
    _insert(connection, "token_usage", row)


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    if connection.dialect.name == "sqlite":
        row = {
            name: part.hex if isinstance(part, uuid.UUID) else part for name, part in row.items()
        }
    columns = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), row)
