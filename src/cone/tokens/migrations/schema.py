"""The version of the database's tables: made where there are none, else checked or upgraded.

A start, the command line and the tests all come through :func:`prepare`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import column
from sqlalchemy import func
from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy import table
from sqlalchemy.exc import DBAPIError

from cone.tokens import migrations
from cone.tokens.core import sqlite_file
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.host.config import StartupError
from cone.tokens.migrations import PROGRESS
from cone.tokens.migrations import REVISIONS
from cone.tokens.migrations import VERSION_TABLE
from cone.tokens.migrations.tables import TABLES

logger = logging.getLogger("cone.tokens.core.database")

#: Key of the advisory lock under which PostgreSQL changes the tables; any number that is ours.
SCHEMA_LOCK: Final = 0x636F6E65746F6B

#: PostgreSQL's names for: the user may not do that; something hangs on a table.
_REFUSALS: Final = ("42501", "2BP01")

MADE_BY_SITE: Final = "the tables are made when the site starts for the first time"


class Schema(enum.Enum):
    """What a database holds. The value says what to do about it."""

    CURRENT = ""
    EMPTY = f"the database has no tables of cone.tokens; {MADE_BY_SITE}"
    OLDER = "the database is of an older version; run: cone-tokens upgrade CONFIG.ini"
    NEWER = "the database is of a newer version of cone.tokens; install that one"
    OF_2_0 = (
        "the database is of cone.tokens 2.0; run: cone-tokens upgrade CONFIG.ini --timezone ZONE"
    )


class OutdatedDatabase(StartupError):
    """The tables are of another version; they were not touched."""

    def __init__(self, schema: Schema) -> None:
        super().__init__("sql.db.url", schema.value)
        self.schema = schema


def prepare(engine: Engine, *, auto_upgrade: bool = False) -> None:
    """Make the tables of an empty database, and see that those of another one are of today.

    SQLite's file is made before them, where there is none.

    :param auto_upgrade: upgrade an older version of ours. A database of 2.0 never is: what its
        times mean, and which of double values stays, is for people to say.
    :raises OutdatedDatabase: the tables are of another version.
    :raises StartupError: its user may not make tables.
    :raises Unavailable: the database does not answer.

    Concurrency: several processes may do so at once; the first one does the work.
    """
    if engine.dialect.name == "sqlite":
        sqlite_file.make(engine)
    try:
        _prepare(Database(engine, utc_now), auto_upgrade=auto_upgrade)
    except DBAPIError as error:
        reason = refusal(error)
        if reason is None:
            raise
        raise StartupError("sql.db.url", f"the database does not allow it: {reason}") from None


def _prepare(database: Database, *, auto_upgrade: bool) -> None:
    with database.connecting() as connection:
        if find(connection) is Schema.CURRENT:
            return
    with database.changing_tables() as connection:
        lock(connection)
        schema = find(connection)
        if schema is Schema.EMPTY or (schema is Schema.OLDER and auto_upgrade):
            migrate(connection)
            if schema is Schema.EMPTY:
                # A site that had tokens has lost its database.
                logger.info("made the tables of cone.tokens in an empty database")
        elif schema is not Schema.CURRENT:
            raise OutdatedDatabase(schema)


def refusal(error: BaseException | None) -> str | None:
    """Return PostgreSQL's reason for refusing a change of tables: rights or dependent objects.

    :param error: of SQLAlchemy; None is returned for all others.
    """
    original: Any = getattr(error, "orig", None)
    is_refusal = getattr(original, "sqlstate", None) in _REFUSALS
    return original.diag.message_primary if is_refusal else None


def check(engine: Engine) -> None:
    """See that the tables are those of this version, and change nothing.

    :raises OutdatedDatabase: they are not, or there are none.
    :raises Unavailable: the database does not answer.
    """
    with Database(engine, utc_now).connecting() as connection:
        schema = find(connection)
    if schema is not Schema.CURRENT:
        raise OutdatedDatabase(schema)


def lock(connection: Connection) -> None:
    """Keep others from changing the tables until the transaction ends; SQLite does already."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(SCHEMA_LOCK)))


def find(connection: Connection) -> Schema:
    """Return the state of a database's schema."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    revision = _revision(connection) if VERSION_TABLE in there else None
    if revision is not None:
        return _compared(revision)
    ours = [table for name, table in TABLES.items() if name in there]
    for known in ours:
        # Those of 2.0 have no versions of rows.
        columns = {found["name"] for found in inspector.get_columns(known.name)}
        if "version" in known.columns and "version" not in columns:
            return Schema.OF_2_0
    # From before there were versions.
    return Schema.OLDER if ours else Schema.EMPTY


def migrate(
    connection: Connection,
    revision: str = "head",
    progress: Callable[[int], None] = lambda _steps: None,
) -> None:
    """Bring the tables to a ``revision``, within the transaction of ``connection``.

    :param progress: is told of steps that are done, of ``migrations.STEPS``.
    """
    # A start that has nothing to do needs none of it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes[PROGRESS] = progress
    command.upgrade(config, revision)


def _revision(connection: Connection) -> str | None:
    versions = table(VERSION_TABLE, column("version_num"))
    return connection.scalar(select(versions.c.version_num))


def _compared(revision: str) -> Schema:
    if revision not in REVISIONS:
        return Schema.NEWER
    return Schema.CURRENT if revision == REVISIONS[-1] else Schema.OLDER
