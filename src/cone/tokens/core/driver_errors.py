"""Errors of database drivers, and what they mean for a use case."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Final

from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import NotSupportedError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import UidTaken
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import UsageColumns

#: Sites know the name from their ini files.
logger = logging.getLogger("cone.tokens.core.database")


class KeyTaken(Unavailable):
    """The idempotency key is bound already: look up its answer."""


@contextlib.contextmanager
def translated(look: Callable[[BaseException | None], None] | None = None) -> Iterator[None]:
    """Raise the errors of a driver as those of the core; errors of wrong statements stay.

    :param look: is given the error of the driver where it is not about a constraint.
    :raises Unavailable: the database is busy or does not answer.
    :raises Interrupted: it was lost on the way.
    :raises KeyTaken: an idempotency key is bound already.
    """
    try:
        yield
    except IntegrityError as error:
        raise _meaning(error) from error
    except PoolTimeoutError as error:
        logger.warning("no free database connection in time")
        raise Unavailable from error
    except DBAPIError as error:
        if look:
            look(error.orig)
        if not _is_trouble(error):
            raise
        logger.warning("the database does not do its work: %s", _name_of(error.orig))
        raise (Interrupted if _is_interruption(error) else Unavailable) from error


def _name_of(error: BaseException | None) -> str:
    """Return the name of a driver's error, without its text, which may have values in it."""
    name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return name or type(error).__name__


def _is_trouble(error: DBAPIError) -> bool:
    """Return whether the database is to blame; a wrong statement or a missing table is a fault."""
    blames_statement = (DataError, NotSupportedError, ProgrammingError)
    return isinstance(error, DatabaseError | InterfaceError) and not (
        isinstance(error, blames_statement) or _is_wrong_in_sqlite(error)
    )


def _is_wrong_in_sqlite(error: DBAPIError) -> bool:
    """Return whether SQLite blames the statement; its driver has no class of errors for that."""
    if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
        return False
    # Where a file is full SQLite rolls the transaction back: its savepoints are gone then.
    return not (error.statement or "").startswith(("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"))


#: PostgreSQL's names for: no connection; the server goes down, broke down or comes up; it is a
#: standby; the transaction met another one and was rolled back.
_INTERRUPTIONS: Final = ("08", "57P", "25006", "40001", "40P01")
_STANDBY: Final = "25006"


def _is_interruption(error: DBAPIError) -> bool:
    """Return whether PostgreSQL was lost, or may be found elsewhere: another try may do."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", "")
    # The driver has no name where no server has answered.
    no_answer = state is None and isinstance(error, OperationalError)
    return no_answer or (state or "").startswith(_INTERRUPTIONS)


def is_standby(original: BaseException | None) -> bool:
    """Return whether a server does not write: its connections were made when it still did."""
    return getattr(original, "sqlstate", None) == _STANDBY


#: How an error of SQLite begins that names unique columns, or an index on more than columns.
_BROKEN_IN_SQLITE: Final = "UNIQUE constraint failed: "
_INDEX_IN_SQLITE: Final = "index '"

#: PostgreSQL's name for values that shall be unique and are not, by a constraint or an index.
_BROKEN_IN_POSTGRESQL: Final = "23505"


def _meaning(error: IntegrityError) -> Exception:
    table, is_key = _broken(error)
    if table == REQUESTS.name:
        return KeyTaken() if is_key else error
    if table in _names_of(LifecycleColumns):
        # The caller chose the uid, or it is there from a try that was thought to be lost.
        return UidTaken() if is_key else ValueTaken()
    if is_key and table in _names_of(UsageColumns) | _names_of(EventColumns):
        # What was thought to be lost has come to its end meanwhile: it is there to be found.
        return Interrupted()
    return error


def _broken(error: IntegrityError) -> tuple[str | None, bool]:
    """Return the table of which values shall be unique and are not, and whether they are keys."""
    if getattr(error.orig, "sqlstate", None) == _BROKEN_IN_POSTGRESQL:
        diagnosis: Any = getattr(error.orig, "diag", None)
        name = diagnosis.constraint_name
        return diagnosis.table_name, any(name == _key_of(table) for table in _tables())
    text = str(error.orig)
    if not text.startswith(_BROKEN_IN_SQLITE):
        return None, False
    broken = text.removeprefix(_BROKEN_IN_SQLITE)
    if broken.startswith(_INDEX_IN_SQLITE):
        return _indexed(broken.removeprefix(_INDEX_IN_SQLITE).removesuffix("'")), False
    table, _dot, _column = broken.partition(".")
    keys = {_columns_of(table.primary_key) for table in _tables()}
    return table, tuple(broken.split(", ")) in keys


def _columns_of(key: PrimaryKeyConstraint) -> tuple[str, ...]:
    """Return the columns of a key as SQLite names them."""
    return tuple(str(column) for column in key.columns)


def _key_of(table: Table) -> str:
    """Return the name of the key of a table, which PostgreSQL has shortened if it is long."""
    return str(_NAMES.truncate_and_render_constraint_name(table.primary_key.name)).strip('"')


_NAMES: Final[Any] = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


def _indexed(name: str) -> str | None:
    """Return the table that has an index of this name."""
    return next((table.name for table in _tables() if name in _index_names(table)), None)


def _index_names(table: Table) -> set[str | None]:
    return {index.name for index in table.indexes}


def _tables() -> Iterator[Table]:
    """Return the tables of all kinds, and that of the keys."""
    yield REQUESTS
    for columns in (LifecycleColumns, UsageColumns, EventColumns):
        yield from _tables_with(columns)


def _tables_with(columns: type) -> Iterator[Table]:
    """Return the tables that have these columns, whatever classes are between."""
    records: list[type] = columns.__subclasses__()
    for record in records:
        table = vars(record).get("__table__")
        if table is not None:
            yield table
        yield from _tables_with(record)


def _names_of(columns: type) -> set[str]:
    return {table.name for table in _tables_with(columns)}
