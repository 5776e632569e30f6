"""Every SQL statement of the project, and nothing else.

A :class:`Store` works on one connection and returns values, never records. A *database* says
what a transaction is: :class:`Database` opens short ones of its own, :class:`HostTransaction`
takes part in one that somebody else commits.

The clock is the database's on PostgreSQL (``clock_timestamp()``: hosts may disagree), ours on
SQLite, read once the write lock is held.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import json
import logging
import sqlite3
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from typing import Final
from typing import Literal
from typing import Protocol

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import Dialect
from sqlalchemy import Engine
from sqlalchemy import Insert
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import SQLColumnExpression
from sqlalchemy import Table
from sqlalchemy import Update
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import delete
from sqlalchemy import event
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import inspect
from sqlalchemy import literal
from sqlalchemy import null
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import tuple_
from sqlalchemy import update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import NotSupportedError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from cone.tokens.core import lifecycle
from cone.tokens.core.clock import Clock
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.records import Base
from cone.tokens.core.records import TokenEventRecord
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.types import Actor
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Granted
from cone.tokens.core.types import IdempotencyKey
from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Outcome
from cone.tokens.core.types import Token
from cone.tokens.core.types import TokenPage
from cone.tokens.core.types import Usage
from cone.tokens.core.types import UsagePage

logger = logging.getLogger(__name__)

#: Execution option of a connection: its transaction takes SQLite's write lock at once.
WRITES: Final = "cone_tokens_writes"

#: Key of the advisory lock under which PostgreSQL makes the tables; any number that is ours.
SCHEMA_LOCK: Final = 0x636F6E65746F6B

#: A consumption that finds no reason for its refusal tries again so many times.
ATTEMPTS: Final = 4

#: The bits of SQLite's error codes that are not detail.
PRIMARY_CODE: Final = 0xFF

#: The column that a consumption finds its token by.
Selector = Literal["uid", "value"]


class KeyTaken(Unavailable):
    """The idempotency key is bound already: look up its answer."""


class OutdatedDatabase(Exception):
    """The database has the tables of an older version; it was not touched."""


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The answer that a key is bound to, and whether it was given to the same request."""

    is_same_request: bool
    answer: Any


class seconds_after(GenericFunction[datetime.datetime]):  # noqa: N801 - reads as SQL
    """``seconds_after(time, seconds)``: date arithmetic, which no two databases share."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(seconds_after, "postgresql")
def _seconds_after_postgresql(element: seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({time} + make_interval(secs => {seconds}))"


@compiles(seconds_after, "sqlite")
def _seconds_after_sqlite(element: seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    # Whole seconds are exact in SQLite, fractions are not: the fraction is carried over as text.
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    moved = f"strftime('%Y-%m-%d %H:%M:%S', substr({time}, 1, 19), {seconds} || ' seconds')"
    return f"({moved} || substr({time}, 20))"


class TokensDatabase(Protocol):
    """Says what a transaction is."""

    def reading(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store to read with."""

    def deciding(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store whose consumption is committed when the block ends."""

    def writing(self) -> contextlib.AbstractContextManager[Store]:
        """Return a store whose changes are committed together when the block ends."""


class Database:
    """Opens a short transaction of its own for every use case.

    Concurrency: safe to share among threads.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Take the ``engine``.

        On SQLite listeners on it obey :data:`WRITES`, and let a savepoint of the host be part of
        a transaction; they touch nothing else.
        """
        self.engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._clock = clock
        self._is_sqlite = engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(engine, "begin", _begin_sqlite)
            event.listen(engine, "savepoint", _begin_before_savepoint)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """Return a store to read with.

        :raises Unavailable: the database does not answer.
        """
        with self._translated_errors(), self.engine.connect() as connection:
            yield Store(connection, self._clock)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Store]:
        """Return a store; what it changes is committed when the block ends, or not at all.

        :raises Unavailable: the database is busy or does not answer; nothing was changed.
        """
        with self._translated_errors(), self._writing.begin() as connection:
            yield Store(connection, self._clock)

    @contextlib.contextmanager
    def deciding(self) -> Iterator[Store]:
        """Return a store for one consumption.

        On PostgreSQL each statement commits itself: a consumption is one statement, and the
        row of a hot token stays locked no longer than that.

        :raises Unavailable: the database is busy or does not answer.
        """
        if self._is_sqlite:
            with self.writing() as store:
                yield store
            return
        with self._translated_errors(), self._autocommit.connect() as connection:
            yield Store(connection, self._clock)

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            with _translated_errors():
                yield
        except Unavailable as error:
            if _may_be_another_file(error) and isinstance(self.engine.pool, QueuePool):
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
    def writing(self) -> Iterator[Store]:
        """Return a store in a savepoint.

        :raises Unavailable: the database is busy or does not answer.
        """
        with _translated_errors():
            self._hold_sqlite_lock()
            with self._connection.begin_nested():
                yield Store(self._connection, self._clock)

    deciding = writing

    def _hold_sqlite_lock(self) -> None:
        # Releasing an outermost savepoint commits on SQLite: a transaction has to be around it.
        if self._connection.dialect.name != "sqlite":
            return
        if not _is_in_transaction(self._connection):
            _sync_fully(self._connection)
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")


class Store:
    """The statements, on one connection.

    :param connection: inside the transaction that the statements belong to.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Take the connection; on SQLite the time of all statements is read here."""
        self._connection = connection
        self._dialect = connection.dialect
        self._is_postgresql = self._dialect.name == "postgresql"
        #: Ours; None where the database's clock counts.
        self._time = None if self._is_postgresql else clock()

    @functools.cached_property
    def _now(self) -> ColumnElement[Any]:
        if self._time is None:
            return func.clock_timestamp(type_=UtcDateTime)
        return literal(self._time, UtcDateTime)

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        self._connection.execute(select(1))

    def make_tables(self) -> None:
        """Make the tables that are missing.

        :raises OutdatedDatabase: the tables are of an older version.
        """
        if self._is_postgresql:
            self._connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"),
                {"lock": SCHEMA_LOCK},
            )
        inspector = inspect(self._connection)
        for table in Base.metadata.sorted_tables:
            if not inspector.has_table(table.name):
                continue
            there = {column["name"] for column in inspector.get_columns(table.name)}
            if not there.issuperset(table.columns.keys()):
                raise OutdatedDatabase(table.name)
        Base.metadata.create_all(self._connection)

    # Reading

    def find(self, by: Selector, sought: object, *, for_update: bool = False) -> Token | None:
        """Return the token whose uid or value is ``sought``.

        :param for_update: keep others from changing it until the transaction ends.

        SQL: 1 statement.
        """
        if _holds_nul(sought):
            return None
        statement = _find(self._dialect, by, for_update=for_update)
        row = statement.find(self._connection, sought=sought)
        return self._token(vars(row)) if row else None

    def page(
        self,
        size: int,
        *,
        older_than: uuid.UUID | None = None,
        newer_than: uuid.UUID | None = None,
    ) -> TokenPage:
        """Return up to ``size`` tokens, newest first; the first page where no token is named.

        A token that does not exist counts as not named.

        SQL: 1 statement, 2 where a token is named; the cost does not grow with the table.
        """
        cursor = older_than or newer_than
        created = self._created(cursor) if cursor else None
        if created is None:
            return self._page(size, None, upwards=False)
        key = tuple_(literal(created, UtcDateTime), literal(cursor, TokenRecord.uid.type))
        return self._page(size, key, upwards=older_than is None)

    def usages(self, token_uid: uuid.UUID, limit: int, before: uuid.UUID | None) -> UsagePage:
        """Return up to ``limit`` usages of a token, newest first.

        :param before: receipt of a usage of this token: return those before it.
        :raises LookupError: ``before`` is none.

        SQL: 1 statement, 2 with ``before``.
        """
        statement = select(TokenUsageRecord.__table__).where(
            TokenUsageRecord.token_uid == token_uid,
        )
        order = [TokenUsageRecord.version, TokenUsageRecord.timestamp, TokenUsageRecord.uid]
        if before is not None:
            edge = self._connection.execute(
                select(*order).where(
                    TokenUsageRecord.uid == before,
                    TokenUsageRecord.token_uid == token_uid,
                ),
            ).one_or_none()
            if edge is None:
                raise LookupError(before)
            literals = [
                literal(value, column.type) for value, column in zip(edge, order, strict=True)
            ]
            statement = statement.where(tuple_(*order) < tuple_(*literals))
        statement = statement.order_by(*(column.desc() for column in order)).limit(limit + 1)
        rows = self._connection.execute(statement).all()
        usages = tuple(_usage(row) for row in rows[:limit])
        return UsagePage(usages=usages, next=usages[-1].receipt if len(rows) > limit else None)

    def find_answer(self, key: IdempotencyKey) -> RecordedAnswer | None:
        """Return the answer that ``key`` is bound to, None where it is not bound.

        SQL: 1 statement.
        """
        row = self._connection.execute(
            select(TokenRequestRecord.fingerprint, TokenRequestRecord.answer).where(
                TokenRequestRecord.key_hash == _key_hash(key),
            ),
        ).one_or_none()
        if row is None:
            return None
        return RecordedAnswer(row.fingerprint == _fingerprint(key), json.loads(row.answer))

    def find_outcome(self, receipt: uuid.UUID) -> Outcome | None:
        """Return the outcome of the consumption with this ``receipt``.

        SQL: 1 statement.
        """
        row = self._connection.execute(
            select(TokenUsageRecord.__table__).where(TokenUsageRecord.uid == receipt),
        ).one_or_none()
        if row is None:
            return None
        denial = Denial.from_code(row.error_code)
        if denial:
            return Denied(token_uid=row.token_uid, denial=denial, receipt=receipt)
        return Granted(token_uid=row.token_uid, usage_count=row.usage_count, receipt=receipt)

    # Consuming

    def consume(
        self,
        by: Selector,
        sought: object,
        *,
        actor: Actor,
        key: IdempotencyKey | None,
    ) -> Outcome:
        """Take one use of the token whose uid or value is ``sought``, and log the try.

        The database is the judge: the update carries the whole lifecycle rule. Where it finds
        nothing, the token tells why; a token that could be consumed by then is tried again.

        :raises TokenNotFound: there is none; nothing is logged.
        :raises KeyTaken: ``key`` is bound; nothing is changed.
        :raises Unavailable: no reason was found in :data:`ATTEMPTS` tries.

        SQL without a key: granted 1 statement on PostgreSQL, 2 elsewhere; denied 3.
        Concurrency: a token with K uses is granted K times, a locked one once per lock time.
        """
        if _holds_nul(sought):
            raise TokenNotFound
        receipt = uuid.uuid4()
        for _attempt in range(ATTEMPTS):
            granted = self._grant(by, sought, receipt=receipt, actor=actor, key=key)
            if granted:
                return granted
            token = self.find(by, sought)
            if token is None:
                raise TokenNotFound(sought if by == "uid" else None)
            denial = lifecycle.denial(token, token.read_at)
            if denial:
                self._log_denial(token, denial, receipt=receipt, actor=actor, key=key)
                return Denied(token_uid=token.uid, denial=denial, receipt=receipt)
        raise Unavailable

    def _grant(
        self,
        by: Selector,
        sought: object,
        *,
        receipt: uuid.UUID,
        actor: Actor,
        key: IdempotencyKey | None,
    ) -> Granted | None:
        if self._is_postgresql:
            row = _grant_and_log(self._dialect, by, with_key=key is not None).find(
                self._connection,
                sought=sought,
                receipt=receipt,
                actor=actor,
                **(_bound_key(key, {"receipt": str(receipt)}) if key else {}),
            )
        else:
            statement = _grant(self._dialect, by)
            row = statement.find(self._connection, sought=sought, now=self._time)
            if row:
                self._log(row, row.last_used, None, receipt=receipt, actor=actor)
                self.bind_key(key, {"receipt": str(receipt)})
        if row is None:
            return None
        return Granted(token_uid=row.uid, usage_count=row.usage_count, receipt=receipt)

    def _log_denial(
        self,
        token: Token,
        denial: Denial,
        *,
        receipt: uuid.UUID,
        actor: Actor,
        key: IdempotencyKey | None,
    ) -> None:
        if key and self._is_postgresql:
            # One statement, since each commits itself here.
            row = _usage_row(token, token.read_at, denial, receipt=receipt, actor=actor)
            bound = _bound_key(key, {"receipt": str(receipt)})
            _log_with_key(self._dialect).run(
                self._connection,
                **{f"logged_{name}": value for name, value in row.items()},
                bound_hash=bound["key_hash"],
                bound_fingerprint=bound["fingerprint"],
                bound_answer=bound["answer"],
            )
            return
        self._log(token, token.read_at, denial, receipt=receipt, actor=actor)
        self.bind_key(key, {"receipt": str(receipt)})

    def _log(
        self,
        token: Token | SimpleNamespace,
        time: datetime.datetime,
        denial: Denial | None,
        *,
        receipt: uuid.UUID,
        actor: Actor,
    ) -> None:
        row = _usage_row(token, time, denial, receipt=receipt, actor=actor)
        _log_usage(self._dialect).run(self._connection, **row)

    # Writing

    def bind_key(self, key: IdempotencyKey | None, answer: object) -> None:
        """Bind ``answer`` to ``key``; nothing without a key.

        :raises KeyTaken: it is bound already. The transaction has to be rolled back.

        SQL: 1 statement, 0 without a key. Concurrency: a second caller waits for the first one.
        """
        if key:
            self._insert(TokenRequestRecord, [_bound_key(key, answer)], "timestamp")

    def add(self, tokens: Sequence[tuple[uuid.UUID, NewToken]], *, actor: Actor) -> None:
        """Add tokens under the given uids; all of them or none.

        :raises ValueTaken: a value belongs to another token. The transaction has to be rolled
            back.

        SQL: 2 statements, each with as many rows as there are tokens.
        """
        rows = [_token_row(uid, token, actor) for uid, token in tokens]
        self._insert(TokenRecord, rows, "created", "modified")
        self._log_events(
            _event("add", row["uid"], (None, _event_values(row)), actor, version=1) for row in rows
        )

    def update(self, token: Token, changed: dict[str, Any], *, actor: Actor) -> None:
        """Change the fields of ``changed`` in ``token``, which this transaction found for update.

        :raises ValueTaken: the value belongs to another token. The transaction has to be rolled
            back.

        SQL: 2 statements.
        """
        columns = dict(changed)
        if "lock_time_s" in columns:
            lock_time = columns["lock_time"] = columns.pop("lock_time_s")
            columns["locked_until"] = _locked_until(TokenRecord.last_used, literal(lock_time))
        version = token.version + 1
        self._connection.execute(
            update(TokenRecord)
            .where(TokenRecord.uid == token.uid)
            .values(modified=self._now, version=version, **columns),
        )
        old = _event_values(dataclasses.asdict(token))
        new = old | _event_values(changed)
        action = _action(changed)
        self._log_events([_event(action, token.uid, (old, new), actor, version=version)])

    def delete(self, uids: Iterable[uuid.UUID], *, actor: Actor) -> None:
        """Delete the tokens with these uids; all of them or none. Their usage log stays.

        :raises TokenNotFound: one of them does not exist.

        SQL: 3 statements. Concurrency: tokens are locked in the order of their uids, so that
        two callers with the same tokens wait for each other instead of blocking each other.
        """
        sought = list(uids)
        rows = self._connection.execute(
            select(TokenRecord.__table__)
            .where(TokenRecord.uid.in_(sought))
            .order_by(TokenRecord.uid)
            .with_for_update(),
        ).all()
        there = {row.uid for row in rows}
        missing = next((uid for uid in sought if uid not in there), None)
        if missing:
            raise TokenNotFound(missing)
        self._connection.execute(delete(TokenRecord).where(TokenRecord.uid.in_(sought)))
        self._log_events(
            _event(
                "delete",
                row.uid,
                (_event_values(row._asdict()), None),
                actor,
                version=row.version + 1,
            )
            for row in rows
        )

    def _log_events(self, events: Iterable[dict[str, Any]]) -> None:
        self._insert(TokenEventRecord, events, "timestamp")

    def _insert(
        self,
        record: type[Base],
        rows: Iterable[dict[str, Any]],
        *timed: str,
    ) -> None:
        """Insert rows; the columns of ``timed`` get the time of the statement."""
        now = {} if self._time is None else {_NOW.key: self._time}
        self._connection.execute(
            _insert_timed(record, timed, is_postgresql=self._is_postgresql),
            [{**row, **now} for row in rows],
        )

    def _token(self, values: dict[str, Any]) -> Token:
        read_at = values.pop("read_at", self._time)
        return Token(lock_time_s=values.pop("lock_time"), read_at=read_at, **values)

    def _created(self, uid: uuid.UUID) -> datetime.datetime | None:
        statement = select(TokenRecord.created).where(TokenRecord.uid == uid)
        return self._connection.scalar(statement)

    def _page(self, size: int, key: ColumnElement[Any] | None, *, upwards: bool) -> TokenPage:
        columns = (TokenRecord.created, TokenRecord.uid)
        statement = _select_tokens(self._dialect.name)
        if key is not None:
            beyond = tuple_(*columns) > key if upwards else tuple_(*columns) < key
            statement = statement.where(beyond)
        order = (column.asc() if upwards else column.desc() for column in columns)
        rows = self._connection.execute(statement.order_by(*order).limit(size + 1)).all()
        tokens = [self._token(row._asdict()) for row in rows[:size]]
        if upwards:
            tokens.reverse()
        there_is_more = len(rows) > size
        return TokenPage(
            tokens=tuple(tokens),
            has_newer=there_is_more if upwards else key is not None,
            has_older=upwards or there_is_more,
        )


# Statements. Those of hot paths are prepared, once for a dialect: an engine has one of its own.


def _select_tokens(dialect: str) -> Select[Any]:
    columns: list[Any] = list(TokenRecord.__table__.columns)
    if dialect == "postgresql":
        columns.append(func.clock_timestamp(type_=UtcDateTime).label("read_at"))
    return select(*columns)


def _table(record: type[Base]) -> Table:
    # Statements on tables: those on mapped classes are looked at by the ORM each time.
    return Base.metadata.tables[record.__tablename__]


def _holds_nul(sought: object) -> bool:
    """Return whether no token can have this value; PostgreSQL would not even look."""
    return isinstance(sought, str) and "\0" in sought


def _is_sought(by: Selector) -> ColumnElement[bool]:
    column = TokenRecord.__table__.columns[by]
    return column == bindparam("sought", type_=column.type)


_prepared_once = functools.lru_cache(maxsize=100)


@_prepared_once
def _find(dialect: Dialect, by: Selector, *, for_update: bool) -> Prepared:
    statement = _select_tokens(dialect.name).where(_is_sought(by))
    return Prepared(statement.with_for_update() if for_update else statement, dialect)


def _locked_until(
    last_used: SQLColumnExpression[Any],
    lock_time: SQLColumnExpression[int],
) -> ColumnElement[Any]:
    return case((lock_time > 0, seconds_after(last_used, lock_time)), else_=null())


def _spend(by: Selector, now: ColumnElement[Any]) -> Update:
    count = TokenRecord.usage_count
    return (
        update(TokenRecord)
        .where(_is_sought(by), lifecycle.consumable(now))
        .values(
            usage_count=case((count > 0, count - 1), else_=count),
            last_used=now,
            locked_until=_locked_until(now, TokenRecord.lock_time),
            version=TokenRecord.version + 1,
        )
    )


#: The time where the clock is ours.
_NOW: Final = bindparam("now", type_=UtcDateTime)


@functools.cache
def _insert_timed(record: type[Base], timed: tuple[str, ...], *, is_postgresql: bool) -> Insert:
    now = func.clock_timestamp(type_=UtcDateTime) if is_postgresql else _NOW
    return insert(_table(record)).values(dict.fromkeys(timed, now))


@_prepared_once
def _grant(dialect: Dialect, by: Selector) -> Prepared:
    return Prepared(_spend(by, _NOW).returning(*_SPENT), dialect)


_SPENT = (
    TokenRecord.uid,
    TokenRecord.value,
    TokenRecord.usage_count,
    TokenRecord.version,
    TokenRecord.last_used,
)


@_prepared_once
def _grant_and_log(dialect: Dialect, by: Selector, *, with_key: bool) -> Prepared:
    """Return the one statement that spends, logs and binds the key.

    The time is read once: what waited for another consumption carries an earlier time than
    that one, so it is refused by its lock time.
    """
    moment = select(func.clock_timestamp(type_=UtcDateTime).label("at")).cte("moment")
    spent = _spend(by, moment.c.at).returning(*_SPENT).cte("spent")
    logged = {
        "uid": bindparam("receipt", type_=TokenUsageRecord.uid.type),
        "token_uid": spent.c.uid,
        "token_value": spent.c.value,
        "timestamp": spent.c.last_used,
        "user": bindparam("actor", type_=TokenUsageRecord.user.type),
        "usage_count": spent.c.usage_count,
        "version": spent.c.version,
    }
    statement = select(spent.c.uid, spent.c.usage_count).add_cte(
        _insert_selected(TokenUsageRecord, logged).cte("logged"),
    )
    if not with_key:
        return Prepared(statement, dialect)
    bound = {
        "key_hash": bindparam("key_hash", type_=TokenRequestRecord.key_hash.type),
        "fingerprint": bindparam("fingerprint", type_=TokenRequestRecord.fingerprint.type),
        "answer": bindparam("answer", type_=TokenRequestRecord.answer.type),
        "timestamp": spent.c.last_used,
    }
    statement = statement.add_cte(_insert_selected(TokenRequestRecord, bound).cte("bound"))
    return Prepared(statement, dialect)


def _insert_selected(record: type[Base], columns: Mapping[str, ColumnElement[Any]]) -> Insert:
    return insert(record).from_select(list(columns), select(*columns.values()))


@_prepared_once
def _log_usage(dialect: Dialect) -> Prepared:
    return Prepared(insert(_table(TokenUsageRecord)), dialect)


@_prepared_once
def _log_with_key(dialect: Dialect) -> Prepared:
    columns = TokenUsageRecord.__table__.columns
    bound = insert(TokenRequestRecord).values(
        key_hash=bindparam("bound_hash"),
        fingerprint=bindparam("bound_fingerprint"),
        answer=bindparam("bound_answer"),
        timestamp=func.clock_timestamp(),
    )
    values: dict[str, Any] = {column.name: bindparam(f"logged_{column.name}") for column in columns}
    statement = insert(TokenUsageRecord).values(values).add_cte(bound.cte("bound"))
    return Prepared(statement, dialect)


# Rows.


def _token_row(uid: uuid.UUID, token: NewToken, actor: Actor) -> dict[str, Any]:
    return {
        "uid": uid,
        "value": str(uid) if token.value is None else token.value,
        "valid_from": token.valid_from,
        "valid_to": token.valid_to,
        "usage_count": token.usage_count,
        "lock_time": token.lock_time_s,
        "enabled": token.enabled,
        "creator": actor,
        "version": 1,
    }


def _usage_row(
    token: Token | SimpleNamespace,
    time: datetime.datetime,
    denial: Denial | None,
    *,
    receipt: uuid.UUID,
    actor: Actor,
) -> dict[str, Any]:
    return {
        "uid": receipt,
        "token_uid": token.uid,
        "token_value": token.value,
        "timestamp": time,
        "error_code": denial.code if denial else None,
        "user": actor,
        "usage_count": token.usage_count,
        "version": token.version,
    }


def _usage(row: Row[Any]) -> Usage:
    return Usage(
        receipt=row.uid,
        time=row.timestamp,
        denial=Denial.from_code(row.error_code),
        user=row.user,
        usage_count=row.usage_count,
    )


_EVENT_FIELDS = ("value", "valid_from", "valid_to", "usage_count", "lock_time", "enabled")


def _event_values(fields: dict[str, Any]) -> dict[str, Any]:
    named = {"lock_time" if name == "lock_time_s" else name: fields[name] for name in fields}
    return {
        name: value.isoformat() if isinstance(value, datetime.datetime) else value
        for name, value in named.items()
        if name in _EVENT_FIELDS
    }


def _event(
    action: str,
    token_uid: uuid.UUID,
    values: tuple[dict[str, Any] | None, dict[str, Any] | None],
    actor: Actor,
    *,
    version: int,
) -> dict[str, Any]:
    old, new = values
    return {
        "uid": uuid.uuid4(),
        "token_uid": token_uid,
        "action": action,
        "user": actor,
        "old_values": old and json.dumps(old),
        "new_values": new and json.dumps(new),
        "version": version,
    }


def _action(changed: dict[str, Any]) -> str:
    if set(changed) != {"enabled"}:
        return "update"
    return "enable" if changed["enabled"] else "disable"


# Idempotency keys are stored as digests: a key may say more than its caller thinks.


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _key_hash(key: IdempotencyKey) -> str:
    return _digest([key.operation, key.caller, key.key])


def _fingerprint(key: IdempotencyKey) -> str:
    return _digest(dict(key.parameters))


def _bound_key(key: IdempotencyKey, answer: object) -> dict[str, str]:
    return {
        "key_hash": _key_hash(key),
        "fingerprint": _fingerprint(key),
        "answer": json.dumps(answer),
    }


# What databases raise, and what they mean by it.


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
        raise Unavailable from error


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


_NOT_ABOUT_THE_FILE: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_LOCKED,
)


def _may_be_another_file(error: Unavailable) -> bool:
    """Return whether SQLite failed in a way that tells of its file.

    Its connections stay with the file that they opened, even when another one has taken its
    place since: new ones have to be opened then.
    """
    original = getattr(error.__cause__, "orig", None)
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return code & PRIMARY_CODE not in _NOT_ABOUT_THE_FILE


def _meaning(error: IntegrityError) -> Exception:
    diagnosis = getattr(error.orig, "diag", None)
    broken = diagnosis.constraint_name if diagnosis else str(error.orig)
    if broken in ("uq_tokens_value", "UNIQUE constraint failed: tokens.value"):
        return ValueTaken()
    if broken in ("pk_token_requests", "UNIQUE constraint failed: token_requests.key_hash"):
        return KeyTaken()
    return error


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
