"""The SQL statements of the use cases, and nothing else.

A :class:`Store` works on one connection and returns values, never records. What a transaction is
says :mod:`cone.tokens.core.database`.

The clock is the database's on PostgreSQL (``clock_timestamp()``: hosts may disagree), ours on
SQLite, read once the write lock is held.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import itertools
import json
import logging
import sys
import uuid
from collections import Counter
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any
from typing import Final
from typing import Literal
from typing import TypeVar
from typing import get_args

from sqlalchemy import ARRAY
from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import Dialect
from sqlalchemy import Executable
from sqlalchemy import FromClause
from sqlalchemy import Insert
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import SQLColumnExpression
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import UnaryExpression
from sqlalchemy import Update
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import collate
from sqlalchemy import delete
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import null
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import true
from sqlalchemy import tuple_
from sqlalchemy import update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.operators import custom_op

from cone.tokens.core import lifecycle
from cone.tokens.core.clock import Clock
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.params import LAST_LOCKING
from cone.tokens.core.params import MAX_BATCH
from cone.tokens.core.params import MAX_INSTANT
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.records import Base
from cone.tokens.core.records import TokenEventRecord
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.types import EVERYTHING
from cone.tokens.core.types import NEWEST_FIRST
from cone.tokens.core.types import UNSET
from cone.tokens.core.types import Actor
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Granted
from cone.tokens.core.types import IdempotencyKey
from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Outcome
from cone.tokens.core.types import Selection
from cone.tokens.core.types import Sort
from cone.tokens.core.types import SortKey
from cone.tokens.core.types import Statistics
from cone.tokens.core.types import Token
from cone.tokens.core.types import TokenChanges
from cone.tokens.core.types import TokenFilter
from cone.tokens.core.types import TokenPage
from cone.tokens.core.types import Unset
from cone.tokens.core.types import Usage
from cone.tokens.core.types import UsageBucket
from cone.tokens.core.types import UsagePage

logger = logging.getLogger(__name__)

#: A consumption that finds no reason for its refusal tries again so many times.
ATTEMPTS: Final = 4

#: Tokens that are counted: more cannot be changed at once.
MOST_COUNTED: Final = MAX_BATCH

#: Tokens in an order that are looked at before all are.
NEAR: Final = 5_000

#: The key of a token in an order: that it is sorted by, and its uid.
Place = Sequence[Any]

T = TypeVar("T")

#: The column that a consumption finds its token by.
Selector = Literal["uid", "value"]


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


class Store:
    """The statements, on one connection.

    :param connection: inside the transaction that the statements belong to.
    :param mark: uid of the first event that is logged; None: any.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        mark: uuid.UUID | None = None,
    ) -> None:
        """Take the connection; on SQLite the time of all statements is read here."""
        self._connection = connection
        self._mark = mark
        #: Whether an event was logged, so that the mark is there.
        self.has_marked = False
        self._dialect = connection.dialect
        self._is_postgresql = self._dialect.name == "postgresql"
        #: Ours; None where the database's clock counts.
        self._time = None if self._is_postgresql else clock()

    @functools.cached_property
    def _now(self) -> ColumnElement[Any]:
        if self._time is None:
            return func.clock_timestamp(type_=UtcDateTime)
        return literal(self._time, UtcDateTime)

    @property
    def _read_at(self) -> ColumnElement[Any]:
        """The time of a statement that reads: the same for all of its rows."""
        if self._time is None:
            return func.statement_timestamp(type_=UtcDateTime)
        return literal(self._time, UtcDateTime)

    def ping(self) -> None:
        """Ask the database for a sign of life."""
        self._connection.execute(select(1))

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

    def find_many(self, which: Selection, limit: int, sort: Sort) -> list[Token]:
        """Return tokens: of uids those that are there, in that order; else in that of ``sort``.

        :param limit: of what a filter means no more than that are returned, whichever these are.

        SQL: 1 statement; with a filter its cost is that of :meth:`count`.
        """
        if not isinstance(which, TokenFilter):
            return self._tokens(self._rows(which))
        conditions = self._conditions(which, self._columns(is_walk=_is_counted_along(which)))
        statement = _select_tokens(self._dialect.name).where(*conditions).limit(limit)
        tokens = self._tokens(self._connection.execute(statement).all())
        return sorted(tokens, key=_place(sort), reverse=sort.is_descending)

    def lock_many(self, which: Selection, limit: int) -> list[Token]:
        """Return tokens in the order of their uids, and keep others from changing them.

        :param limit: of what a filter means no more than that are returned.
        :raises TokenNotFound: one of the uids is no token's.

        SQL: 1 statement; with a filter the cost grows with the table. Concurrency: tokens are
        locked in the order of their uids, so that two callers with the same tokens wait for each
        other instead of blocking each other.
        """
        statement = _select_tokens(self._dialect.name).with_for_update()
        if isinstance(which, TokenFilter):
            columns = self._columns(is_walk=False)
            statement = statement.where(*self._conditions(which, columns)).limit(limit)
            rows = self._connection.execute(statement.order_by(columns["uid"])).all()
            return self._tokens(rows)
        sought = statement.where(TokenRecord.uid.in_(which)).order_by(TokenRecord.uid)
        tokens = self._tokens(self._connection.execute(sought).all())
        there = {token.uid for token in tokens}
        missing = next((uid for uid in which if uid not in there), None)
        if missing:
            raise TokenNotFound(missing)
        return tokens

    def lock_free(
        self,
        uids: Sequence[uuid.UUID],
        condition: ColumnElement[bool],
    ) -> list[Token]:
        """Return those tokens for which a condition holds and that nobody else has locked.

        SQL: 1 statement. Concurrency: others are kept from changing them.
        """
        statement = _select_tokens(self._dialect.name).with_for_update(skip_locked=True)
        sought = statement.where(TokenRecord.uid.in_(uids), condition).order_by(TokenRecord.uid)
        return self._tokens(self._connection.execute(sought).all())

    def find_values(
        self,
        values: Sequence[str],
        *,
        for_update: bool = False,
    ) -> list[Token]:
        """Return those tokens whose value is one of ``values``, in the order of their uids.

        :param values: at most :data:`MAX_BATCH`.
        :param for_update: keep others from changing them until the transaction ends.

        SQL: 1 statement. Concurrency: as :meth:`lock_many`.
        """
        statement = _select_tokens(self._dialect.name).where(TokenRecord.value.in_(values))
        if for_update:
            statement = statement.with_for_update()
        return self._tokens(self._connection.execute(statement.order_by(TokenRecord.uid)).all())

    def window(
        self,
        matching: TokenFilter,
        sort: Sort,
        place: Place | None,
    ) -> tuple[list[Token], Place | None]:
        """Return the next tokens of a walk along an order, and the place where it goes on.

        :param place: where the walk is; None: at its beginning.

        None at the end. Between windows tokens may come and go: those that are there all the time
        are met once each.

        SQL: 1 statement, 2 where no index has order and filter together: then about :data:`NEAR`
        tokens are looked at, however many match.
        """
        order = _Order(sort.by, NEAR, place, is_rising=not sort.is_descending)
        if not _is_walk(matching, sort.by):
            rows, end = self._near(matching, dataclasses.replace(order, limit=None))
            return self._tokens(rows), end
        rows = self._walked(matching, order)
        is_end = len(rows) < NEAR
        return self._tokens(rows), None if is_end else (getattr(rows[-1], sort.by), rows[-1].uid)

    def page(
        self,
        size: int,
        *,
        matching: TokenFilter = EVERYTHING,
        sort: Sort = NEWEST_FIRST,
        after: uuid.UUID | None = None,
        before: uuid.UUID | None = None,
    ) -> TokenPage:
        """Return up to ``size`` tokens, beside a token where one is named, else the first ones.

        A token that does not exist counts as not named.

        SQL: 1 statement, 2 where a token is named. Where no index has order and filter together,
        4 more at most, 5 on PostgreSQL; what they cost grows with the table, and not with the
        place of the page.
        """
        cursor = after or before
        edge = self._edge(cursor, sort.by) if cursor else None
        order = _Order(
            sort.by,
            size + 1,
            edge,
            is_rising=sort.is_descending is (edge is not None and after is None),
        )
        count: int | Unset | None = UNSET
        if _is_walk(matching, sort.by):
            rows = self._walked(matching, order)
        else:
            rows, count = self._sought(matching, order)
        tokens = self._tokens(rows[:size])
        is_backwards = edge is not None and after is None
        if is_backwards:
            tokens.reverse()
        there_is_more = len(rows) > size
        return TokenPage(
            tokens=tuple(tokens),
            has_previous=there_is_more if is_backwards else edge is not None,
            has_next=is_backwards or there_is_more,
            count=count,
        )

    def count(self, matching: TokenFilter = EVERYTHING) -> int | None:
        """Return how many tokens there are for which the filter holds.

        None: more than :data:`MOST_COUNTED`.

        SQL: 1 statement. Its cost does not grow with the table, except where no index has all that
        the filter asks for: a table of a million is read in a fraction of a second, with one
        statement more on PostgreSQL.
        """
        is_walk = _is_counted_along(matching)
        if not is_walk:
            self._forbid_jit()
        conditions = self._conditions(matching, self._columns(is_walk=is_walk))
        some = select(TokenRecord.uid).where(*conditions).limit(MOST_COUNTED + 1).subquery()
        count = self._connection.scalar(select(func.count()).select_from(some)) or 0
        return count if count <= MOST_COUNTED else None

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

    def find_answer(
        self,
        key: IdempotencyKey,
        *,
        for_update: bool = False,
    ) -> RecordedAnswer | None:
        """Return the answer that ``key`` is bound to, None where it is not bound.

        SQL: 1 statement.
        """
        statement = select(TokenRequestRecord.fingerprint, TokenRequestRecord.answer)
        statement = statement.where(TokenRequestRecord.key_hash == _key_hash(key))
        if for_update:
            statement = statement.with_for_update()
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            return None
        return RecordedAnswer(row.fingerprint == _fingerprint(key), json.loads(row.answer))

    def find_outcome(self, receipt: uuid.UUID) -> Outcome | None:
        """Return the outcome of the consumption with this ``receipt``, found for update.

        SQL: 1 statement.
        """
        sought = select(TokenUsageRecord.__table__).where(TokenUsageRecord.uid == receipt)
        row = self._connection.execute(sought.with_for_update()).one_or_none()
        if row is None:
            return None
        denial = Denial.from_code(row.error_code)
        if denial:
            return Denied(token_uid=row.token_uid, denial=denial, receipt=receipt)
        return Granted(token_uid=row.token_uid, usage_count=row.usage_count, receipt=receipt)

    def has_event(self, mark: uuid.UUID) -> bool:
        """Return whether there is an event with this uid, found for update.

        SQL: 1 statement.
        """
        sought = select(TokenEventRecord.uid).where(TokenEventRecord.uid == mark)
        return self._connection.scalar(sought.with_for_update()) is not None

    # Consuming

    def consume(
        self,
        by: Selector,
        sought: object,
        *,
        receipt: uuid.UUID,
        actor: Actor,
        key: IdempotencyKey | None,
    ) -> Outcome:
        """Take one use of the token whose uid or value is ``sought``, and log the try.

        :param receipt: a new one. What has it already is not done again.

        The database is the judge: the update carries the whole lifecycle rule. Where it finds
        nothing, the token tells why; a token that could be consumed by then is tried again.

        :raises TokenNotFound: there is none; nothing is logged.
        :raises KeyTaken: ``key`` is bound; nothing is changed.
        :raises Interrupted: the receipt is there; nothing is changed.
        :raises Unavailable: no reason was found in :data:`ATTEMPTS` tries.

        SQL without a key: granted 1 statement on PostgreSQL, 2 elsewhere; denied 3.
        Concurrency: a token with K uses is granted K times, a locked one once per lock time.
        """
        if _holds_nul(sought):
            raise TokenNotFound
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

    def update(
        self,
        tokens: Sequence[Token],
        changed: dict[str, Any],
        *,
        actor: Actor,
    ) -> None:
        """Change the fields of ``changed`` in tokens, which this transaction found for update.

        :raises ValueTaken: the value belongs to another token. The transaction has to be rolled
            back.

        SQL: 2 statements.
        """
        columns = dict(changed)
        if "lock_time_s" in columns:
            lock_time = columns["lock_time"] = columns.pop("lock_time_s")
            columns["locked_until"] = _locked_anew_until(TokenRecord.last_used, literal(lock_time))
        self._connection.execute(
            update(TokenRecord)
            .where(TokenRecord.uid.in_([token.uid for token in tokens]))
            .values(modified=self._now, version=TokenRecord.version + 1, **columns),
        )
        self._log_changes(((token, changed) for token in tokens), actor)

    def update_each(
        self,
        changes: Sequence[tuple[Token, dict[str, Any]]],
        *,
        actor: Actor,
    ) -> None:
        """Change fields of tokens, which this transaction found for update, each in its own way.

        :param changes: tokens, and the fields of each with their new values; no ``value``.

        SQL: 1 statement for all tokens of which the same fields change, and 1 for the events.
        """
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        now = {} if self._time is None else {_NOW.key: self._time}
        for token, changed in changes:
            given = {f"new_{name}": value for name, value in changed.items()}
            alike[tuple(sorted(changed))].append({"sought": token.uid, **given, **now})
        for names, rows in alike.items():
            statement = _update_fields(names, is_postgresql=self._is_postgresql)
            self._connection.execute(statement, rows)
        self._log_changes(changes, actor)

    def _log_changes(
        self,
        changes: Iterable[tuple[Token, dict[str, Any]]],
        actor: Actor,
    ) -> None:
        self._log_events(
            _event(
                _action(changed),
                token.uid,
                (old, old | _event_values(changed)),
                actor,
                version=token.version + 1,
            )
            for token, changed in changes
            for old in [_event_values_of(token)]
        )

    def delete(self, tokens: Sequence[Token], *, actor: Actor) -> None:
        """Delete tokens, which this transaction found for update. Their usage log stays.

        SQL: 2 statements.
        """
        uids = [token.uid for token in tokens]
        self._connection.execute(delete(TokenRecord).where(TokenRecord.uid.in_(uids)))
        self._log_events(
            _event(
                "delete",
                token.uid,
                (_event_values_of(token), None),
                actor,
                version=token.version + 1,
            )
            for token in tokens
        )

    def _log_events(self, events: Iterable[dict[str, Any]]) -> None:
        rows = list(events)
        if self._mark and not self.has_marked:
            rows[0]["uid"] = self._mark
        self._insert(TokenEventRecord, rows, "timestamp")
        self.has_marked = True

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

    def _execute(self, statement: Executable, **parameters: Any) -> Any:
        return self._connection.execute(statement, parameters)

    def _token(self, values: dict[str, Any]) -> Token:
        read_at = values.pop("read_at", self._time)
        return Token(lock_time_s=values.pop("lock_time"), read_at=read_at, **values)

    def _tokens(self, rows: Iterable[Row[Any]]) -> list[Token]:
        return [self._token(row._asdict()) for row in rows]

    def _edge(self, uid: uuid.UUID, by: SortKey) -> Row[Any] | None:
        key = self._columns(is_walk=True)[by]
        statement = select(key, TokenRecord.uid).where(TokenRecord.uid == uid)
        return self._connection.execute(statement).one_or_none()

    def _walked(self, matching: TokenFilter, order: _Order) -> Sequence[Row[Any]]:
        """Return rows in order, found by walking along the index of the order."""
        columns = self._columns(is_walk=True)
        conditions = self._conditions(matching, columns)
        return self._in_order(_select_tokens(self._dialect.name).where(*conditions), order, columns)

    def _sought(
        self,
        matching: TokenFilter,
        order: _Order,
    ) -> tuple[Sequence[Row[Any]], int | Unset | None]:
        """Return rows in order, and how many match in all, as :meth:`count` has it, or UNSET.

        Many that match are near in the order. Few are found by reading the table once, from end
        to end: to look at its rows in the order of an index until enough match takes many times
        longer. Only many that are all far away are put in order by the database.
        """
        self._forbid_jit()
        rows, end = self._near(matching, order)
        if end is None or len(rows) == order.limit:
            return rows, UNSET
        columns = self._columns(is_walk=False)
        conditions = list(self._conditions(matching, columns))
        places, count = self._places(conditions, order, columns)
        if count <= MOST_COUNTED:
            return self._rows([place.uid for place in places]), count
        # Most rows fail these: they come first. Keys are sorted in less time than rows.
        keys = select(*order.key(columns)).where(*order.limits(columns, places), *conditions)
        found = self._in_order(keys, order, columns, is_sorted=True)
        return self._rows([place.uid for place in found]), None

    def _places(
        self,
        conditions: Sequence[ColumnElement[bool]],
        order: _Order,
        columns: Mapping[str, ColumnElement[Any]],
    ) -> tuple[list[Row[Any]], int]:
        """Return keys in order, and how many match; of too many whichever are found first."""
        named = [column.label(name) for name, column in order.columns(columns).items()]
        some = select(*named).where(*conditions).limit(MOST_COUNTED + 1).cte("some")
        key = order.key(dict(some.columns.items()))
        best = select(*key).where(*order.beyond(key)).order_by(*order.parts(key))
        first = best.limit(order.limit).subquery("first")
        number = select(func.count().label("number")).select_from(some).subquery("number")
        key = order.key(dict(first.columns.items()))
        counted = number.outerjoin(first, true())
        statement: Select[Any] = select(*key, number.c.number).select_from(counted)
        rows = self._connection.execute(statement.order_by(*order.parts(key))).all()
        # Without a place there is a row all the same, for the number.
        return [row for row in rows if row.uid is not None], rows[0].number

    def _rows(self, uids: Sequence[uuid.UUID]) -> list[Row[Any]]:
        """Return the rows of tokens as given, without those that are gone."""
        statement = _select_tokens(self._dialect.name).where(TokenRecord.uid.in_(uids))
        by_uid = {row.uid: row for row in self._connection.execute(statement).all()}
        return [by_uid[uid] for uid in uids if uid in by_uid]

    def _near(
        self,
        matching: TokenFilter,
        order: _Order,
    ) -> tuple[Sequence[Row[Any]], Place | None]:
        """Return rows that are among the next ones in order, and where these end.

        None: there are no others.
        """
        walk = self._columns(is_walk=True)
        key = order.key(walk)
        reach = select(*key).where(*self._conditions(_along(matching, order.by), walk)).offset(NEAR)
        one = dataclasses.replace(order, limit=1)
        last = [tuple(row) for row in self._in_order(reach, one, walk)]
        # The one index that there shall be is that of the order.
        columns = {**self._columns(is_walk=False), order.by: walk[order.by], "uid": walk["uid"]}
        conditions = list(self._conditions(matching, columns))
        for place in last:
            end = _literals(place, key)
            conditions.append(tuple_(*key) <= end if order.is_rising else tuple_(*key) >= end)
        statement = _select_tokens(self._dialect.name).where(*conditions)
        return self._in_order(statement, order, columns), last[0] if last else None

    def _in_order(
        self,
        statement: Select[Any],
        order: _Order,
        columns: Mapping[str, ColumnElement[Any]],
        *,
        is_sorted: bool = False,
    ) -> Sequence[Row[Any]]:
        """Return rows in order.

        :param is_sorted: no index has the order.
        """
        key = order.key(columns)
        statement = statement.where(*order.beyond(key)).limit(order.limit)
        if self._is_postgresql and is_sorted:
            key[0] = _in_no_index(key[0], order.by)
        return self._connection.execute(statement.order_by(*order.parts(key))).all()

    def _columns(self, *, is_walk: bool) -> dict[str, ColumnElement[Any]]:
        """Return the columns that lists are about.

        :param is_walk: an index may be walked along. Else SQLite must not see that there is one:
            it has no idea of how many rows match, and to find each of many takes longer than to
            read all.
        """
        columns: dict[str, ColumnElement[Any]] = {
            "created": TokenRecord.__table__.columns.created,
            "value": TokenRecord.__table__.columns.value,
            "uid": TokenRecord.__table__.columns.uid,
        }
        if is_walk or self._is_postgresql:
            return columns
        return {name: without_index(column) for name, column in columns.items()}

    def _conditions(
        self,
        matching: TokenFilter,
        columns: Mapping[str, ColumnElement[Any]],
    ) -> Iterator[ColumnElement[bool]]:
        value, created = columns["value"], columns["created"]
        if matching.value is not None:
            # One row at most: its index is always the way.
            yield TokenRecord.value == matching.value
        if matching.prefix is not None:
            yield value >= matching.prefix
            end = _text_behind(matching.prefix)
            if end is not None:
                yield value < end
        if matching.created_from is not None:
            yield created >= matching.created_from
        if matching.created_to is not None:
            yield created <= matching.created_to
        if matching.valid_at is not None:
            yield lifecycle.is_in_window(literal(matching.valid_at, UtcDateTime))
        if matching.status is not None:
            yield lifecycle.has_status(matching.status, self._read_at)

    def _forbid_jit(self) -> None:
        """Keep PostgreSQL from compiling: it takes some statements for longer than they are."""
        if self._is_postgresql:
            self._connection.execute(text("SET LOCAL jit = off"))

    def statistics(self, edges: Sequence[datetime.datetime]) -> Statistics:
        """Count the tries of all tokens between each two neighbours of ``edges``.

        :param edges: two or more times, ascending.

        SQL: 1 statement, 2 on PostgreSQL; the cost grows with the tries in that time, not with
        the log.
        """
        pairs = list(itertools.pairwise(edges))
        given: dict[str, Any]
        self._forbid_jit()
        if self._is_postgresql:
            given = {"starts": [start for start, _ in pairs], "ends": [end for _, end in pairs]}
        else:
            texts = [(_stored_text(start), _stored_text(end)) for start, end in pairs]
            given = {"buckets": json.dumps(texts)}
        rows = self._execute(_count_usages(is_postgresql=self._is_postgresql), **given).all()
        return _statistics(edges, rows)


# Statements. Those of hot paths are prepared, once for a dialect: an engine has one of its own.


def _select_tokens(dialect: str) -> Select[Any]:
    columns: list[Any] = list(TokenRecord.__table__.columns)
    if dialect == "postgresql":
        columns.append(func.clock_timestamp(type_=UtcDateTime).label("read_at"))
    return select(*columns)


def _table(record: type[Base]) -> Table:
    # Statements on tables: those on mapped classes are looked at by the ORM each time.
    return Base.metadata.tables[record.__tablename__]


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """A direction in a list.

    :ivar limit: so many rows are enough; None: all are wanted.
    :ivar edge: the key that the rows are beyond.
    """

    by: SortKey
    limit: int | None
    edge: Place | None
    is_rising: bool = dataclasses.field(kw_only=True)

    def columns(self, columns: Mapping[str, T]) -> dict[str, T]:
        """Return those of ``columns`` that tell the place of a row."""
        return {name: columns[name] for name in (self.by, "uid")}

    def key(self, columns: Mapping[str, T]) -> list[T]:
        """Return what tells the place of a row."""
        return list(self.columns(columns).values())

    def beyond(self, key: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[bool]]:
        """Return what holds for the rows beyond the edge."""
        if self.edge is not None:
            edge, row = _literals(self.edge, key), tuple_(*key)
            yield row > edge if self.is_rising else row < edge

    def parts(self, key: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[Any]]:
        """Return what a statement is ordered by."""
        return (part.asc() if self.is_rising else part.desc() for part in key)

    def limits(
        self,
        columns: Mapping[str, ColumnElement[Any]],
        places: Sequence[Row[Any]],
    ) -> Iterator[ColumnElement[bool]]:
        """Return what holds for the rows that are to be returned, ``places`` being some in order.

        Those beyond enough others are not needed.
        """
        column = columns[self.by]
        if self.edge is not None:
            start = self.edge[0]
            yield column >= start if self.is_rising else column <= start
        if len(places) == self.limit:
            end = places[-1][0]
            yield column <= end if self.is_rising else column >= end


def _literals(place: Place, key: Sequence[ColumnElement[Any]]) -> Any:
    return tuple_(*(literal(part, of.type) for part, of in zip(place, key, strict=True)))


#: Columns of lists; each has an index.
_INDEXED: Final[tuple[SortKey, ...]] = get_args(SortKey)


def _is_walk(matching: TokenFilter, by: SortKey) -> bool:
    """Return whether all that a filter asks for stands in the index of an order."""
    if matching.value is not None:
        return True
    asked = {
        "value": matching.prefix,
        "created": matching.created_from or matching.created_to,
        "rest": matching.status or matching.valid_at,
    }
    return {name for name, sought in asked.items() if sought} <= {by}


def _along(matching: TokenFilter, by: SortKey) -> TokenFilter:
    """Return what a filter asks of the column of an order alone."""
    if by == "value":
        return TokenFilter(prefix=matching.prefix)
    return TokenFilter(created_from=matching.created_from, created_to=matching.created_to)


def _in_no_index(column: ColumnElement[Any], by: SortKey) -> ColumnElement[Any]:
    """Return an expression with the order of ``column`` that PostgreSQL knows no index of.

    It takes what matches for evenly spread, and would walk along an index for too long.
    """
    return collate(column, "POSIX") if by == "value" else func.timezone("UTC", column)


def _is_counted_along(matching: TokenFilter) -> bool:
    """Return whether all that a filter asks for stands in one of the indexes."""
    return any(_is_walk(matching, by) for by in _INDEXED)


def _place(sort: Sort) -> Callable[[Token], Any]:
    """Return what tells the place of a token in an order; Python has that of the database."""
    return attrgetter(sort.by, "uid")


def without_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return ``column`` as an expression that SQLite looks no index up for."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _text_behind(prefix: str) -> str | None:
    """Return the least text that is greater than all that begin with ``prefix``.

    None where there is none. Texts are in the order of their code points, which is that of their
    bytes in UTF-8.
    """
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    # No text has a surrogate.
    return kept[:-1] + chr(_BEHIND_SURROGATES if following == _SURROGATES else following)


_SURROGATES: Final = 0xD800
_BEHIND_SURROGATES: Final = 0xE000


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


def _locked_anew_until(
    last_used: SQLColumnExpression[Any],
    lock_time: SQLColumnExpression[int],
) -> ColumnElement[Any]:
    """Return how long a token is locked whose last use may be any that an old database had."""
    is_late = and_(lock_time > 0, last_used > literal(LAST_LOCKING, UtcDateTime))
    last = literal(MAX_INSTANT, UtcDateTime)
    return case((is_late, last), else_=_locked_until(last_used, lock_time))


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


@functools.cache
def _update_fields(names: tuple[str, ...], *, is_postgresql: bool) -> Update:
    """Return the statement that changes the fields ``names`` of one token."""
    columns = _table(TokenRecord).columns
    now = func.clock_timestamp(type_=UtcDateTime) if is_postgresql else _NOW
    values: dict[str, Any] = {}
    for name in names:
        column = columns["lock_time" if name == "lock_time_s" else name]
        new = values[column.name] = bindparam(f"new_{name}", type_=column.type)
        if column.name == "lock_time":
            values["locked_until"] = _locked_anew_until(columns.last_used, new)
    return (
        update(_table(TokenRecord))
        .where(columns.uid == bindparam("sought", type_=columns.uid.type))
        .values(modified=now, version=columns.version + 1, **values)
    )


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


@functools.cache
def _count_usages(*, is_postgresql: bool) -> Select[Any]:
    """Return the statement that counts along the index, bucket by bucket and code by code.

    No row is looked at, and nothing is sorted into groups: that takes several times as long. The
    codes that there are are found by looking for the next one; behind the last one comes NULL,
    that of a grant.
    """
    usage = _table(TokenUsageRecord).columns
    code = usage.error_code
    codes = select(func.min(code).label("error_code")).cte("codes", recursive=True)
    next_code = select(func.min(code)).where(code > codes.c.error_code).scalar_subquery()
    codes = codes.union_all(select(next_code).where(codes.c.error_code.is_not(None)))
    buckets, (number, start, end) = _buckets(is_postgresql=is_postgresql)
    within = select(func.count()).where(usage.timestamp >= start, usage.timestamp < end)
    granted = within.where(code.is_(None)).scalar_subquery()
    refused = within.where(code == codes.c.error_code).scalar_subquery()
    count = case((codes.c.error_code.is_(None), granted), else_=refused)
    return select(number, codes.c.error_code, count).select_from(buckets.join(codes, true()))


def _buckets(*, is_postgresql: bool) -> tuple[FromClause, tuple[ColumnElement[Any], ...]]:
    """Return a table of buckets, and its columns: number from 0, start and end."""
    if is_postgresql:
        times = [bindparam(name, type_=ARRAY(UtcDateTime())) for name in ("starts", "ends")]
        unnested = func.unnest(*times).table_valued("start", "end", with_ordinality="number")
        table = unnested.render_derived()
        return table, (table.c.number - 1, table.c.start, table.c.end)
    json_text = bindparam("buckets", type_=Text)
    table = func.json_each(json_text).table_valued("key", "value")
    start, end = (func.json_extract(table.c.value, f"$[{place}]", type_=Text) for place in (0, 1))
    return table, (table.c.key, start, end)


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


def _stored_text(time: datetime.datetime) -> str:
    """Return ``time`` as it stands in SQLite."""
    naive = time.astimezone(datetime.UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def _statistics(
    edges: Sequence[datetime.datetime],
    rows: Iterable[tuple[int, int | None, int]],
) -> Statistics:
    granted: Counter[int] = Counter()
    refused: dict[int, Counter[Denial | None]] = defaultdict(Counter)
    for bucket, code, count in rows:
        if not count:
            continue
        if code is None:
            granted[bucket] = count
        else:
            refused[bucket][Denial.from_code(code)] += count
    return Statistics(
        buckets=tuple(
            UsageBucket(start=edge, granted=granted[number], refused=dict(refused[number]))
            for number, edge in enumerate(edges[:-1])
        ),
        until=edges[-1],
    )


_EVENT_FIELDS = ("value", "valid_from", "valid_to", "usage_count", "lock_time", "enabled")


def _event_values_of(token: Token) -> dict[str, Any]:
    return _event_values(
        {field.name: getattr(token, field.name) for field in dataclasses.fields(TokenChanges)},
    )


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
