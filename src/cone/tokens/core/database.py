"""The database: when a transaction begins, and who commits it.

:class:`Database` opens short ones of its own, :class:`HostTransaction` takes part in one that
somebody else commits. Both hand out a :class:`~cone.tokens.core.transaction.Transaction`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from cone.tokens.core import driver_errors
from cone.tokens.core import postgresql
from cone.tokens.core import sqlite
from cone.tokens.core.address import open_address
from cone.tokens.core.clock import Clock
from cone.tokens.core.clock import utc_now
from cone.tokens.core.places import Places
from cone.tokens.core.sqlite import WRITES
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.turns import turns_of


class TokensDatabase(Protocol):
    """Opens transactions."""

    @property
    def has_one_writer(self) -> bool:
        """Whether a transaction that writes keeps all others waiting: it has to be short."""

    def reading(self) -> contextlib.AbstractContextManager[Transaction]:
        """Open a transaction that reads."""

    def reading_durably(self) -> contextlib.AbstractContextManager[Transaction]:
        """Open a transaction: a row that it finds for update is kept as if it were written."""

    def autocommitting(self) -> contextlib.AbstractContextManager[Transaction]:
        """Open a transaction for one consumption, which is committed when the block ends."""

    def writing(
        self,
        mark: uuid.UUID | None = None,
    ) -> contextlib.AbstractContextManager[Transaction]:
        """Open a transaction that commits all changes together when the block ends.

        :param mark: uid of the first event that is logged.
        """


class Database:
    """Opens a short transaction of its own for every use case.

    Concurrency: safe to share among threads.
    """

    def __init__(self, engine: Engine, clock: Clock, places: Places | None = None) -> None:
        """Put listeners on the ``engine``.

        Those of :func:`cone.tokens.core.sqlite.prepare` or
        :func:`cone.tokens.core.postgresql.prepare`. They touch nothing else.

        :param places: how many threads may wait for SQLite's lock.
        """
        self.engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._clock = clock
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._turns = turns_of(engine) if self._is_sqlite else None
        if self._turns:
            self._turns.places = places or self._turns.places
            sqlite.prepare(engine)
        else:
            postgresql.prepare(engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction that reads.

        :raises Unavailable: the database does not answer.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            yield Transaction(connection, self._clock)

    @contextlib.contextmanager
    def writing(self, mark: uuid.UUID | None = None) -> Iterator[Transaction]:
        """Open a transaction; its changes are committed when the block ends, or not at all.

        :param mark: uid of the first event that is logged.
        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        :raises Interrupted: it was lost; whether something was changed is not known.
        """
        with self._writer() as connection:
            yield Transaction(connection, self._clock, mark)

    @contextlib.contextmanager
    def autocommitting(self) -> Iterator[Transaction]:
        """Open a transaction for one consumption.

        On PostgreSQL each statement commits itself: a consumption is one statement, and the
        row of a hot token stays locked no longer than that. On SQLite a consumption goes before
        other writers of this process.

        :raises Unavailable: the database is busy or does not answer.
        :raises Interrupted: it was lost; whether something was changed is not known.
        """
        if self._is_sqlite:
            with self._writer(is_urgent=True) as connection:
                yield Transaction(connection, self._clock)
            return
        with (
            self._translated_errors(),
            self._autocommit.connect() as connection,
            postgresql.surely_committed(connection),
        ):
            yield Transaction(connection, self._clock)

    def reading_durably(self) -> contextlib.AbstractContextManager[Transaction]:
        """Open a transaction that looks up the work of an earlier one.

        That may be on one server only: a server that was killed, or an administrator,
        may have ended the wait for the other one. A row that is found for update is written to,
        and that commit waits anew, for all commits before it as well.

        :raises Unavailable: the database is busy or does not answer.
        :raises Interrupted: it was lost.
        """
        return self.reading() if self._is_sqlite else self.autocommitting()

    @contextlib.contextmanager
    def connecting(self) -> Iterator[Connection]:
        """Open a connection for other statements than those of the core.

        :raises Unavailable: the database does not answer.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def changing_tables(self) -> Iterator[Connection]:
        """Open a connection; its changes are committed when the block ends, or not at all.

        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        """
        with self._writer() as connection:
            yield connection

    @property
    def has_one_writer(self) -> bool:
        """Whether a transaction that writes keeps all others waiting: it has to be short."""
        return self._is_sqlite

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """Open a read-only snapshot for statements over whole tables.

        Nobody waits for it, on SQLite in WAL mode; else a commit waits until the block ends.

        :raises Unavailable: the database does not answer.
        """
        options = {} if self._is_sqlite else postgresql.SNAPSHOT
        with self._translated_errors(), self.engine.connect() as connection:
            connection.execution_options(**options)
            if self._is_sqlite:
                # The driver begins nothing for statements that read.
                connection.exec_driver_sql("BEGIN")
            else:
                postgresql.prepare_long_read(connection)
            yield Transaction(connection, self._clock)

    @contextlib.contextmanager
    def _writer(self, *, is_urgent: bool = False) -> Iterator[Connection]:
        """Open a transaction that writes; it ends with the block."""
        with self._translated_errors():
            if self._turns is None:
                with (
                    self._writing.connect() as connection,
                    postgresql.surely_committed(connection),
                    connection.begin(),
                ):
                    yield connection
                return
            # No connection is taken from the pool as long as others are in front.
            with (
                self._turns.turn(is_urgent=is_urgent) as turn,
                self._writing.connect() as connection,
            ):
                with sqlite.no_longer_than(connection, self._turns.seconds_left(turn)):
                    transaction = connection.begin()
                self._turns.begin(turn)
                try:
                    with transaction:
                        yield connection
                    sqlite.require_kept(connection)
                finally:
                    self._turns.give_back(turn)
                    sqlite.catch_up(connection)

    def _translated_errors(self) -> contextlib.AbstractContextManager[None]:
        return driver_errors.translated(self._leave_what_is_gone)

    def _leave_what_is_gone(self, error: BaseException | None) -> None:
        """Close the connections to a file or server that is not the database any more."""
        is_elsewhere = sqlite.may_be_another_file(error)
        is_wrong_server = driver_errors.is_standby(error)
        if (is_elsewhere or is_wrong_server) and isinstance(self.engine.pool, QueuePool):
            self.engine.dispose()


class HostTransaction:
    """Takes part in a transaction that its host commits or rolls back.

    Each use case is a savepoint: what fails leaves nothing behind in the host's transaction.

    :ivar has_one_writer: others wait for the host, whatever is done before.
    """

    has_one_writer = False

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Join the transaction of ``connection``."""
        self._connection = connection
        self._clock = clock

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Read in the transaction of the host, its uncommitted changes included.

        :raises Unavailable: the database does not answer.
        """
        with driver_errors.translated():
            yield Transaction(self._connection, self._clock)

    @contextlib.contextmanager
    def writing(self, mark: uuid.UUID | None = None) -> Iterator[Transaction]:
        """Open a savepoint.

        :param mark: uid of the first event that is logged.
        :raises Unavailable: the database is busy or does not answer.
        """
        with driver_errors.translated():
            self._hold_sqlite_lock()
            with self._connection.begin_nested():
                yield Transaction(self._connection, self._clock, mark)

    autocommitting = writing
    reading_durably = reading

    def _hold_sqlite_lock(self) -> None:
        # Releasing an outermost savepoint commits on SQLite: a transaction has to be around it.
        connection = self._connection
        if connection.dialect.name != "sqlite" or sqlite.is_in_transaction(connection):
            return
        # The host ends the transaction: until then SQLite keeps the next one waiting.
        turns = turns_of(connection.engine)
        with turns.turn(is_urgent=False) as turn:
            with sqlite.no_longer_than(connection, turns.seconds_left(turn)):
                sqlite.begin_writing(connection)
            turns.begin(turn)


def make_database(settings: Mapping[str, str], prefix: str, clock: Clock = utc_now) -> Database:
    """Return the database that settings describe, as cone.sql reads them.

    :param settings: among others ``<prefix>url`` and arguments of SQLAlchemy's ``create_engine``.
    :raises BadAddress: one of them is wrong, or the driver is missing.
    """
    return Database(open_address(settings, prefix), clock)
