"""What a transaction is: when it begins, who commits it, and what a database means by an error.

:class:`Database` opens short ones of its own, :class:`HostTransaction` takes part in one that
somebody else commits. Both hand out a :class:`~cone.tokens.core.store.Store` to work with.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sqlite3
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import engine_from_config
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import NotSupportedError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from cone.tokens.core.clock import Clock
from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.retry import seconds_left
from cone.tokens.core.store import Store
from cone.tokens.core.upkeep import Upkeep

logger = logging.getLogger(__name__)

#: Execution option of a connection: its transaction takes SQLite's write lock at once.
WRITES: Final = "cone_tokens_writes"

#: Mark of a connection whose commit may be on one server only.
UNSURE: Final = "cone_tokens_unsure"

#: A statement may take so long even where the time of its use case is over.
LEAST_WAIT_S: Final = 1.0

#: The bits of SQLite's error codes that are not detail.
PRIMARY_CODE: Final = 0xFF


#: Execution options of a connection that sees no change of others.
_SNAPSHOT: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class KeyTaken(Unavailable):
    """The idempotency key is bound already: look up its answer."""


class TokensDatabase(Protocol):
    """Says what a transaction is."""

    def reading(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store to read with."""

    def confirming(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store: what it finds for update is kept like what it would have written."""

    def deciding(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store whose consumption is committed when the block ends."""

    def writing(
        self,
        mark: uuid.UUID | None = None,
    ) -> contextlib.AbstractContextManager[Store]:
        """Return a store whose changes are committed together when the block ends.

        :param mark: uid of the first event that is logged.
        """


class Database:
    """Opens a short transaction of its own for every use case.

    Concurrency: safe to share among threads.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Take the ``engine``.

        On SQLite listeners on it obey :data:`WRITES`, and let a savepoint of the host be part of
        a transaction. On PostgreSQL one watches new connections, see :func:`_watch`; open ones
        are closed. They touch nothing else.
        """
        self.engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._clock = clock
        self._is_sqlite = engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(engine, "begin", _begin_sqlite)
            event.listen(engine, "savepoint", _begin_before_savepoint)
        elif not event.contains(engine, "connect", _watch):
            event.listen(engine, "connect", _watch)
            engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """Return a store to read with.

        :raises Unavailable: the database does not answer.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            yield Store(connection, self._clock)

    @contextlib.contextmanager
    def writing(self, mark: uuid.UUID | None = None) -> Iterator[Store]:
        """Return a store; what it changes is committed when the block ends, or not at all.

        :param mark: uid of the first event that is logged.
        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        :raises Interrupted: it was lost; whether something was changed is not known.
        """
        with (
            self._translated_errors(),
            self._writing.connect() as connection,
            _surely_committed(connection),
            connection.begin(),
        ):
            yield Store(connection, self._clock, mark)

    @contextlib.contextmanager
    def deciding(self) -> Iterator[Store]:
        """Return a store for one consumption.

        On PostgreSQL each statement commits itself: a consumption is one statement, and the
        row of a hot token stays locked no longer than that.

        :raises Unavailable: the database is busy or does not answer.
        :raises Interrupted: it was lost; whether something was changed is not known.
        """
        if self._is_sqlite:
            with self.writing() as store:
                yield store
            return
        with (
            self._translated_errors(),
            self._autocommit.connect() as connection,
            _surely_committed(connection),
        ):
            yield Store(connection, self._clock)

    def confirming(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store to look up with what an earlier transaction has done.

        What is there may be on one server only: a server that was killed, or an administrator,
        may have ended the wait for the other one. A row that is found for update is written to,
        and that commit waits anew, for all before it as well.

        :raises Unavailable: the database is busy or does not answer.
        :raises Interrupted: it was lost.
        """
        return self.reading() if self._is_sqlite else self.deciding()

    @contextlib.contextmanager
    def connecting(self) -> Iterator[Connection]:
        """Return a connection for statements of others.

        :raises Unavailable: the database does not answer.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def changing_tables(self) -> Iterator[Connection]:
        """Return a connection; what it changes is committed when the block ends, or not at all.

        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        """
        with self._translated_errors(), self._writing.begin() as connection:
            yield connection

    @property
    def has_one_writer(self) -> bool:
        """Whether a transaction that writes keeps all others from writing."""
        return self._is_sqlite

    @contextlib.contextmanager
    def surveying(self) -> Iterator[Upkeep]:
        """Return what reads whole tables, all as they were when the first statement began.

        Nobody waits for it, on SQLite in WAL mode; else a commit waits until the block ends.

        :raises Unavailable: the database does not answer.
        """
        options = {} if self._is_sqlite else _SNAPSHOT
        with self._translated_errors(), self.engine.connect() as connection:
            connection.execution_options(**options)
            if self._is_sqlite:
                # The driver begins nothing for statements that read.
                connection.exec_driver_sql("BEGIN")
            upkeep = Upkeep(connection, self._clock)
            upkeep.prepare_long_read()
            yield upkeep

    @contextlib.contextmanager
    def purging(self) -> Iterator[Upkeep]:
        """Return what removes rows; that is committed when the block ends, or not at all.

        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        """
        with self.changing_tables() as connection:
            yield Upkeep(connection, self._clock)

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            with _translated_errors():
                yield
        except Unavailable as error:
            original = getattr(error.__cause__, "orig", None)
            is_wrong_end = _may_be_another_file(original) or _is_standby(original)
            if is_wrong_end and isinstance(self.engine.pool, QueuePool):
                self.engine.dispose()
            raise


class HostTransaction:
    """Takes part in a transaction that its host commits or rolls back.

    Each use case is a savepoint: what fails leaves nothing behind in the host's transaction.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Take the ``connection`` of the host."""
        self._connection = connection
        self._clock = clock

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """Return a store to read with, what the host has not committed yet included.

        :raises Unavailable: the database does not answer.
        """
        with _translated_errors():
            yield Store(self._connection, self._clock)

    @contextlib.contextmanager
    def writing(self, mark: uuid.UUID | None = None) -> Iterator[Store]:
        """Return a store in a savepoint.

        :param mark: uid of the first event that is logged.
        :raises Unavailable: the database is busy or does not answer.
        """
        with _translated_errors():
            self._hold_sqlite_lock()
            with self._connection.begin_nested():
                yield Store(self._connection, self._clock, mark)

    deciding = writing
    confirming = reading

    def _hold_sqlite_lock(self) -> None:
        # Releasing an outermost savepoint commits on SQLite: a transaction has to be around it.
        if self._connection.dialect.name != "sqlite":
            return
        if not _is_in_transaction(self._connection):
            _sync_fully(self._connection)
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")


# What databases raise, and what they mean by it.


def make_database(settings: Mapping[str, str], prefix: str, clock: Clock = utc_now) -> Database:
    """Return the database that settings describe, as cone.sql reads them.

    :param settings: among others ``<prefix>url`` and arguments of SQLAlchemy's ``create_engine``.
    :raises ValueError: the URL is no URL of a database, or its driver is missing.
    """
    try:
        # Values of tokens have no place in the text of an error.
        engine = engine_from_config(dict(settings), prefix, hide_parameters=True)
    except (ArgumentError, ImportError) as error:
        raise ValueError(str(error)) from None
    return Database(engine, clock)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise _meaning(error) from error
    except PoolTimeoutError as error:
        logger.warning("no free database connection in time")
        raise Unavailable from error
    except DBAPIError as error:
        if not _is_trouble(error):
            raise
        logger.warning("the database does not do its work: %s", _kind(error.orig))
        raise (Interrupted if _is_interruption(error) else Unavailable) from error


def _kind(error: BaseException | None) -> str:
    """Return what a driver calls its error: the name alone, its text may have values in it."""
    name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return name or type(error).__name__


def _is_trouble(error: DBAPIError) -> bool:
    """Return whether the database is to blame, and not the statement, which would be a bug."""
    blames_statement = (DataError, NotSupportedError, ProgrammingError)
    return isinstance(error, DatabaseError | InterfaceError) and not isinstance(
        error,
        blames_statement,
    )


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


def _is_standby(original: BaseException | None) -> bool:
    """Return whether a server does not write: its connections were made when it still did."""
    return getattr(original, "sqlstate", None) == _STANDBY


_NOT_ABOUT_THE_FILE: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_LOCKED,
)


def _may_be_another_file(original: BaseException | None) -> bool:
    """Return whether SQLite failed in a way that tells of its file.

    Its connections stay with the file that they opened, even when another one has taken its
    place since: new ones have to be opened then.
    """
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return code & PRIMARY_CODE not in _NOT_ABOUT_THE_FILE


def _meaning(error: IntegrityError) -> Exception:
    diagnosis = getattr(error.orig, "diag", None)
    broken = diagnosis.constraint_name if diagnosis else str(error.orig)
    if broken in ("uq_tokens_value", "UNIQUE constraint failed: tokens.value"):
        return ValueTaken()
    if broken in ("pk_token_requests", "UNIQUE constraint failed: token_requests.key_hash"):
        return KeyTaken()
    if broken in ("pk_tokens", "pk_token_usage", "pk_token_events"):
        # What was thought to be lost has come to its end meanwhile: it is there to be found.
        return Interrupted()
    return error


# PostgreSQL with a standby: a commit counts when the standby has it.


@contextlib.contextmanager
def _surely_committed(connection: Connection) -> Iterator[None]:
    """Take no commit for one whose wait for a standby was cancelled.

    :raises Interrupted: it was. The connection is not used again.
    """
    yield
    if connection.info.get(UNSURE):
        logger.warning("somebody cancelled the wait for a standby: the commit does not count")
        connection.invalidate()
        raise Interrupted


def _watch(driver: Any, record: Any) -> None:
    """Watch a new connection: for cancelled waits, and for the end of the use case's time."""
    record.info.pop(UNSURE, None)
    driver.add_notice_handler(functools.partial(_note_cancelled_wait, record.info))
    # Less than a warning may be left out, a warning not: the role or the database may say so.
    driver.execute("SET client_min_messages = notice")
    # The driver reads aware times in this style alone; the role or the database may have another.
    driver.execute("SET DateStyle = ISO")
    driver.commit()
    driver.wait = functools.partial(_wait, driver, driver.wait)


def _note_cancelled_wait(info: dict[str, Any], notice: Any) -> None:
    # The text comes in the language of the server; the place in its source is the same in all.
    if notice.source_function == "SyncRepWaitForLSN":
        info[UNSURE] = True


def _wait(driver: Any, wait: Callable[..., Any], steps: Any, *args: Any, **kwargs: Any) -> Any:
    """Wait for a server, but no longer than the use case may take.

    A commit may wait for a standby for ever. To cancel that would pass for success: the
    connection is closed instead.
    """
    left = seconds_left()
    if left is None:
        return wait(steps, *args, **kwargs)
    kwargs["timeout"] = max(left, LEAST_WAIT_S)
    try:
        return wait(steps, *args, **kwargs)
    except Exception:
        if (seconds_left() or 0) <= 0:
            driver.close()
        raise


def _begin_sqlite(connection: Connection) -> None:
    if not connection.get_execution_options().get(WRITES):
        return
    _sync_fully(connection)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_before_savepoint(connection: Connection, _name: str) -> None:
    # The driver begins nothing for a savepoint, and SQLite commits an outermost one when it is
    # released: the roll-back of a host would come too late.
    if not _is_in_transaction(connection):
        connection.exec_driver_sql("BEGIN")


def _sync_fully(connection: Connection) -> None:
    # In WAL mode less than FULL loses acknowledged consumptions when the power fails. Setting it
    # is not possible within a transaction; it lasts as long as the connection.
    if not connection.info.get(WRITES):
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        connection.info[WRITES] = True


def _is_in_transaction(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return driver is not None and bool(driver.in_transaction)
