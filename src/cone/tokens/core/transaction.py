"""A transaction as statements see it: a connection, a clock, a mark, and what it has locked.

:mod:`cone.tokens.core.database` opens and ends transactions. The statements are functions that take
one: those of the use cases in :mod:`cone.tokens.core.store`, those over whole tables in
:mod:`cone.tokens.core.history`.

The clock is the database's on PostgreSQL (``clock_timestamp()``: hosts may disagree), ours on
SQLite, read once the write lock is held.
"""

from __future__ import annotations

import datetime
import functools
import uuid
from collections.abc import Iterable
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import Dialect
from sqlalchemy import Insert
from sqlalchemy import Table
from sqlalchemy import bindparam
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import select

from cone.tokens.core.clock import Clock
from cone.tokens.core.many import LEAST
from cone.tokens.core.many import Rows
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import UtcDateTime

#: A row of a log, by its table and uid: where it is, the transaction that wrote it was committed.
Trace = tuple[Table, uuid.UUID]

#: The time of a statement where the clock is ours.
NOW: Final = bindparam("now", type_=UtcDateTime)


class Transaction:
    """A connection inside a transaction, with the clock and the mark of its statements.

    :ivar connection: executes the statements.
    :ivar own_time: the time of all statements on SQLite; None where the database's clock counts.
    :ivar trace: the event with the mark, or the first try to consume a token; None: none was
        logged.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        mark: uuid.UUID | None = None,
    ) -> None:
        """Read the clock on SQLite.

        :param mark: uid of the first event that is logged; None: any.
        """
        self.connection = connection
        self.dialect = connection.dialect
        self.is_postgresql = self.dialect.name == "postgresql"
        self.own_time = None if self.is_postgresql else clock()
        self.trace: Trace | None = None
        self._clock = clock
        self._mark = mark
        self._locked = ""

    @functools.cached_property
    def now(self) -> ColumnElement[Any]:
        """The current time, for a statement that writes."""
        if self.own_time is None:
            return func.clock_timestamp(type_=UtcDateTime)
        return literal(self.own_time, UtcDateTime)

    @property
    def read_at(self) -> ColumnElement[Any]:
        """The time of a statement that reads: the same for all of its rows."""
        if self.own_time is None:
            return func.statement_timestamp(type_=UtcDateTime)
        return literal(self.own_time, UtcDateTime)

    @property
    def bound_now(self) -> dict[str, datetime.datetime]:
        """The parameter :data:`NOW`, for statements that have it: those on SQLite."""
        return {} if self.own_time is None else {NOW.key: self.own_time}

    def time(self) -> datetime.datetime:
        """Return the time of our own clock, where nothing depends on which clock it is."""
        return self.own_time or self._clock()

    def read_clock(self) -> datetime.datetime:
        """Return the time of the clock that decides about consumptions.

        SQL: 1 statement on PostgreSQL.
        """
        if self.own_time is not None:
            return self.own_time
        now: datetime.datetime = self.connection.scalars(select(self.now)).one()
        return now

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        self.connection.execute(select(1))

    def insert(
        self,
        table: Table,
        rows: Iterable[dict[str, Any]],
        *timed: str,
    ) -> None:
        """Insert rows; the columns of ``timed`` get the time of the statement."""
        self.insert_rows(Rows(table, rows, timed))

    def insert_rows(self, rows: Rows, *, is_at_once: bool = False) -> None:
        """Insert rows.

        :param is_at_once: all get the same time, as they do on SQLite anyway.

        SQL: 1 statement; on PostgreSQL one more for several rows at once.
        """
        if not self.is_postgresql and len(rows) >= LEAST:
            rows.insert(self.connection, self.own_time)
            return
        if len(rows) == 1:
            (row,) = rows.rows
            statement = _insert_one(self.dialect, rows.table, tuple(row), rows.timed)
            statement.run(self.connection, **row, **(self.bound_now if rows.timed else {}))
            return
        # PostgreSQL executes the statement for row after row.
        is_asked = self.is_postgresql and is_at_once and len(rows) > 1
        now = {NOW.key: self.read_clock()} if is_asked else self.bound_now
        self.connection.execute(
            _insert_timed(rows.table, rows.timed, is_bound=bool(now)),
            [{**row, **now} for row in rows.rows],
        )

    def insert_events(self, events: Rows) -> None:
        """Insert events; the first one of the transaction gets the mark for its uid.

        SQL: 1 statement.
        """
        mark, self._mark = self._mark, None
        if mark:
            events.change_first(uid=mark)
        self.insert_rows(events)
        if mark:
            self.trace = (events.table, mark)

    def leave_trace(self, usages: Table, receipt: uuid.UUID) -> None:
        """Note that a try to consume a token was logged."""
        if self.trace is None:
            self.trace = (usages, receipt)

    def finds(self, trace: Trace) -> bool:
        """Return whether a row of a log is there, found for update.

        SQL: 1 statement.
        """
        log, uid = trace
        sought = select(log.c.uid).where(log.c.uid == uid)
        return self.connection.scalar(sought.with_for_update()) is not None

    def lock(self, tokens: Table) -> None:
        """Note that rows of a table of tokens get locked.

        Two transactions that lock the tokens of two kinds in opposite orders would wait for each
        other, until PostgreSQL ends one. So the tables are locked in the order of their names.

        :raises RuntimeError: rows of a later one are locked already.
        """
        if tokens.name < self._locked:
            message = f"{tokens.name} has to be locked before {self._locked}, in the order of names"
            raise RuntimeError(message)
        self._locked = tokens.name


@prepared_once
def _insert_one(
    dialect: Dialect,
    table: Table,
    names: tuple[str, ...],
    timed: tuple[str, ...],
) -> Prepared:
    """Return the statement that inserts a row; nothing of it is asked back."""
    statement = _insert_timed(table, timed, is_bound=dialect.name != "postgresql")
    return Prepared(statement.inline(), dialect, [*names, *timed])


@functools.cache
def _insert_timed(table: Table, timed: tuple[str, ...], *, is_bound: bool) -> Insert:
    now: ColumnElement[Any] = NOW
    if not is_bound:
        # Read once: the columns of a row have the same time.
        moment = select(func.clock_timestamp(type_=UtcDateTime).label("at")).cte("moment")
        now = select(moment.c.at).scalar_subquery()
    return insert(table).values(dict.fromkeys(timed, now))
