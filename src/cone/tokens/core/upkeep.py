"""The SQL statements that go through whole tables, on purpose and in bounded memory."""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import json
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from typing import Final
from typing import Literal

from sqlalchemy import ARRAY
from sqlalchemy import BigInteger
from sqlalchemy import ColumnElement
from sqlalchemy import Delete
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import bindparam
from sqlalchemy import column
from sqlalchemy import delete
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import text

from cone.tokens.core import lifecycle
from cone.tokens.core.audit import BEGINNINGS
from cone.tokens.core.audit import BEHIND
from cone.tokens.core.audit import EVENT
from cone.tokens.core.audit import GRANT
from cone.tokens.core.audit import PRESENT
from cone.tokens.core.audit import PURGE
from cone.tokens.core.audit import REFUSAL
from cone.tokens.core.audit import Entry
from cone.tokens.core.audit import Event
from cone.tokens.core.audit import Mark
from cone.tokens.core.audit import OldEvents
from cone.tokens.core.audit import Present
from cone.tokens.core.audit import Use
from cone.tokens.core.audit import entry_order
from cone.tokens.core.audit import old_events
from cone.tokens.core.audit import purge_mark
from cone.tokens.core.records import TokenEventRecord
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import Store
from cone.tokens.core.store import without_index
from cone.tokens.core.types import Actor

#: Rows that are fetched at once.
FETCHED: Final = 2_000

_TOKENS: Final = TokenRecord.__table__.columns
_USAGES: Final = TokenUsageRecord.__table__.columns
_EVENTS: Final = TokenEventRecord.__table__.columns
_REQUESTS: Final = TokenRequestRecord.__table__.columns

#: Key of the advisory lock under which PostgreSQL purges logs; any number that is ours.
PURGE_LOCK: Final = 0x636F6E65746F6C

#: A table that is walked through.
Walked = Literal["tokens", "requests", "events"]

_KEYS: Final[dict[Walked, ColumnElement[Any]]] = {
    "tokens": _TOKENS.uid,
    "requests": _REQUESTS.key_hash,
    "events": _EVENTS.token_uid,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Rows of a table.

    :ivar after: their keys are greater; None: the first ones.
    :ivar end: the greatest of their keys; None: up to the end of the table.
    """

    of: Walked
    after: object
    end: object


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which tokens may be removed; None: none for this reason.

    :ivar expired: those that had expired by then.
    :ivar used_up: those whose last use was taken by then.
    """

    expired: datetime.datetime | None = None
    used_up: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Tries of the log with an error code, None: that were granted, in a time."""

    code: int | None
    before: datetime.datetime
    since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """How many rows are gone, and where to go on; None: there are no more."""

    count: int
    since: datetime.datetime | None


class Upkeep(Store):
    """The statements, on one connection."""

    # Histories

    def prepare_long_read(self) -> None:
        """Let PostgreSQL take its time for statements of which all rows are read."""
        if not self._is_postgresql:
            return
        for setting in (
            "cursor_tuple_fraction = 1",
            "idle_in_transaction_session_timeout = 0",
            "jit = off",
            "statement_timeout = 0",
        ):
            self._connection.execute(text(f"SET LOCAL {setting}"))

    def count_history(self, only: Sequence[uuid.UUID] | None = None) -> int:
        """Return how many entries :meth:`history` has.

        SQL: 3 statements; each goes through an index.
        """
        return sum(
            self._connection.scalar(_of_tokens(select(func.count(key)), key, only)) or 0
            for key in (_TOKENS.uid, _USAGES.token_uid, _EVENTS.token_uid)
        )

    def history(self, only: Sequence[uuid.UUID] | None = None) -> Iterator[Entry]:
        """Return tokens and what the logs tell of them, in :data:`entry_order`.

        :param only: those of these tokens.

        SQL: 4 statements. To be called in a transaction that does not see what others change;
        memory does not grow with the tables.
        """
        # All are read in the order of the tokens, and not code by code.
        code = _USAGES.error_code if self._is_postgresql else without_index(_USAGES.error_code)
        granted = code.is_(None)
        streams: tuple[Iterator[Entry], ...] = (
            map(Event._make, self._stream(_select_events(), _EVENTS.token_uid, only)),
            map(Use._make, self._stream(_select_uses(GRANT, granted), _USAGES.token_uid, only)),
            map(Use._make, self._stream(_select_uses(REFUSAL, ~granted), _USAGES.token_uid, only)),
            map(Present._make, self._stream(_select_present(), _TOKENS.uid, only)),
        )
        return heapq.merge(*streams, key=entry_order)

    def _stream(
        self,
        statement: Select[Any],
        token_uid: ColumnElement[uuid.UUID],
        only: Sequence[uuid.UUID] | None,
    ) -> Iterator[Row[Any]]:
        restricted = _of_tokens(statement, token_uid, only)
        return iter(
            self._connection.execute(restricted, execution_options={"yield_per": FETCHED}),
        )

    # Walking through a table, window by window

    def now(self) -> datetime.datetime:
        """Return the time of the clock that decides about consumptions.

        SQL: 1 statement on PostgreSQL.
        """
        if self._time is not None:
            return self._time
        now: datetime.datetime = self._connection.scalars(select(self._now)).one()
        return now

    def next_window(self, of: Walked, after: object, size: int) -> Window:
        """Return the next ``size`` rows of a table in the order of its key.

        :param after: the key that they are beyond; None: the first ones.

        SQL: 1 statement, along an index.
        """
        beyond = Window(of, after, None)
        key = _KEYS[of]
        end = select(key).where(*_within(beyond)).order_by(key).offset(size - 1).limit(1)
        return dataclasses.replace(beyond, end=self._connection.scalar(end))

    # Tokens

    def disposable(self, window: Window, limits: Limits) -> dict[uuid.UUID, bool]:
        """Return the tokens that may be removed, and of each whether it has expired.

        SQL: 1 statement.
        """
        statement = select(_TOKENS.uid, _has_expired(limits)).where(
            *_within(window),
            or_(_has_expired(limits), _was_used_up(limits)),
        )
        return {uid: bool(has_expired) for uid, has_expired in self._connection.execute(statement)}

    def remove_tokens(
        self,
        uids: Sequence[uuid.UUID],
        limits: Limits,
        actor: Actor,
    ) -> list[uuid.UUID]:
        """Remove those of tokens that may be removed still, and return their uids.

        Those that somebody else is changing stay.

        SQL: 3 statements.
        """
        may_go = or_(_has_expired(limits), _was_used_up(limits))
        tokens = self.lock_free(uids, may_go)
        if tokens:
            self.delete(tokens, actor=actor)
        return [token.uid for token in tokens]

    # Keys of requests

    def count_requests(self, window: Window, before: datetime.datetime) -> int:
        """Return how many keys were bound before a time.

        SQL: 1 statement.
        """
        counted = select(func.count(_REQUESTS.key_hash))
        old = counted.where(*_within(window), _REQUESTS.timestamp < before)
        return self._connection.scalar(old) or 0

    def remove_requests(self, window: Window, before: datetime.datetime) -> int:
        """Remove the keys that were bound before a time; return how many.

        SQL: 1 statement.
        """
        old = delete(TokenRequestRecord).where(*_within(window), _REQUESTS.timestamp < before)
        return self._connection.execute(old).rowcount

    # The log of usages

    def error_codes(self) -> list[int | None]:
        """Return the codes that there are in the log; None, that of a granted use, comes last.

        SQL: 1 statement for each; along an index.
        """
        codes: list[int | None] = []
        least = select(func.min(_USAGES.error_code))
        code = self._connection.scalar(least)
        while code is not None:
            codes.append(code)
            code = self._connection.scalar(least.where(_USAGES.error_code > code))
        return [*codes, None]

    def count_usages(self, code: int | None, before: datetime.datetime) -> int:
        """Return how many tries with a code were made before a time.

        SQL: 1 statement, along an index.
        """
        counted = select(func.count(_USAGES.uid))
        old = counted.where(_USAGES.error_code.is_(code), _USAGES.timestamp < before)
        if code is not None:
            old = counted.where(_USAGES.error_code == code, _USAGES.timestamp < before)
        return self._connection.scalar(old) or 0

    def remove_usages(self, stretch: Stretch, limit: int) -> Removed:
        """Remove the first ``limit`` tries of a stretch of the log.

        Of a token of which a granted use goes, all uses before that one go too, and a mark tells
        what came of them.

        SQL: 2 statements; for granted uses 5, one of which is executed for each token.
        Concurrency: one caller after the other.
        """
        self._lock_log()
        code, time = _USAGES.error_code, _USAGES.timestamp
        conditions = [code.is_(None) if stretch.code is None else code == stretch.code]
        conditions.append(time < stretch.before)
        if stretch.since is not None:
            conditions.append(time >= stretch.since)
        place = GRANT if stretch.code is None else REFUSAL
        found = _select_use(place).where(*conditions).order_by(time).limit(limit)
        uses = [Use._make(row) for row in self._connection.execute(found)]
        if not uses:
            return Removed(0, None)
        receipts = [use.receipt for use in uses]
        gone = delete(TokenUsageRecord).where(_USAGES.uid.in_(receipts))
        count = self._connection.execute(gone).rowcount
        if stretch.code is None:
            count += self._mark_last(uses)
        return Removed(count, uses[-1].time if len(uses) == limit else None)

    def _mark_last(self, uses: Sequence[Use]) -> int:
        """Put marks for uses that are gone; return how many more went, that came before them."""
        last: dict[uuid.UUID, Use] = {}
        for use in sorted(uses, key=attrgetter("version")):
            if use.version:
                last[use.token_uid] = use
        events = self._events_of(last)
        marks = {uid: purge_mark(events[uid], use.version, use) for uid, use in last.items()}
        self._put_marks(marks)
        if not last:
            return 0
        ranges = [
            {"of": uid, "after": marks[uid].replaced, "to": use.version}
            for uid, use in last.items()
        ]
        if not self._is_postgresql:
            return self._connection.execute(_REMOVE_GRANTED, ranges).rowcount
        columns = {name: [each[name] for each in ranges] for name in _RANGE_TYPES}
        return self._connection.execute(_remove_granted_at_once(), columns).rowcount

    # The log of events

    def changed_before(self, window: Window, before: datetime.datetime) -> list[uuid.UUID]:
        """Return the tokens that were changed or deleted before a time.

        SQL: 1 statement.
        """
        changes = _EVENTS.action.not_in((*BEGINNINGS, PURGE))
        statement = select(_EVENTS.token_uid).distinct()
        old = statement.where(*_within(window), changes, _EVENTS.timestamp < before)
        return list(self._connection.scalars(old))

    def old_events(
        self,
        token_uids: Sequence[uuid.UUID],
        before: datetime.datetime,
        uses_before: datetime.datetime,
    ) -> dict[uuid.UUID, tuple[OldEvents, list[Event]]]:
        """Return of each token which events may go, and which there are.

        :param before: those that are older.
        :param uses_before: the uses that are older are gone, or are about to.

        SQL: 2 statements.
        """
        staying = self._first_grants(token_uids, uses_before)
        return {
            uid: (old_events(events, before, staying.get(uid)), events)
            for uid, events in self._events_of(token_uids).items()
        }

    def remove_events(
        self,
        token_uids: Sequence[uuid.UUID],
        before: datetime.datetime,
        uses_before: datetime.datetime,
    ) -> int:
        """Remove the events of :meth:`old_events`; return how many, without marks.

        SQL: 6 statements, one more for every :data:`FETCHED` events that go. Concurrency: one
        caller after the other.
        """
        self._lock_log()
        old = self.old_events(token_uids, before, uses_before)
        self._put_marks(
            {uid: purge_mark(events, going.reach) for uid, (going, events) in old.items()}
        )
        whole = [uid for uid, (going, _events) in old.items() if going.is_whole]
        self._execute(delete(TokenUsageRecord).where(_USAGES.token_uid.in_(whole)))
        uids = [event.uid for going, _events in old.values() for event in going.events]
        # One token may have had more changes than a statement has parameters.
        for start in range(0, len(uids), FETCHED):
            some = uids[start : start + FETCHED]
            self._execute(delete(TokenEventRecord).where(_EVENTS.uid.in_(some)))
        return sum(going.count for going, _events in old.values())

    def _events_of(self, token_uids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Event]]:
        uids = list(token_uids)
        events: dict[uuid.UUID, list[Event]] = {uid: [] for uid in uids}
        for row in self._execute(_of_tokens(_select_events(), _EVENTS.token_uid, uids)):
            events[row.token_uid].append(Event._make(row))
        return events

    def _first_grants(
        self,
        token_uids: Sequence[uuid.UUID],
        since: datetime.datetime,
    ) -> dict[uuid.UUID, int]:
        """Return of tokens the version of the first use since a time."""
        usage = TokenUsageRecord.__table__.alias().columns
        first = (
            select(usage.version)
            .where(
                usage.token_uid == _EVENTS.token_uid,
                usage.version > 0,
                usage.error_code.is_(None),
                usage.timestamp >= since,
            )
            .order_by(usage.version)
            .limit(1)
            .scalar_subquery()
        )
        beginning = select(_EVENTS.token_uid, first).where(_EVENTS.version == 1)
        rows = self._execute(_of_tokens(beginning, _EVENTS.token_uid, token_uids))
        return {uid: version for uid, version in rows if version is not None}

    def _put_marks(self, marks: Mapping[uuid.UUID, Mark]) -> None:
        """Put marks in the place of those that there are."""
        made = {uid: mark.values for uid, mark in marks.items() if mark.values}
        if not made:
            return
        old = delete(TokenEventRecord).where(
            _EVENTS.token_uid.in_(list(made)),
            _EVENTS.version == 0,
            _EVENTS.action == PURGE,
        )
        self._execute(old)
        self._log_events(
            {
                "uid": uuid.uuid4(),
                "token_uid": uid,
                "action": PURGE,
                "user": None,
                "old_values": None,
                "new_values": json.dumps(values),
                "version": 0,
            }
            for uid, values in made.items()
        )

    def _lock_log(self) -> None:
        """Wait for others who purge. On SQLite a transaction that writes is alone anyway."""
        if self._is_postgresql:
            self._execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock=PURGE_LOCK)


def _within(window: Window) -> Iterator[ColumnElement[bool]]:
    key = _KEYS[window.of]
    if window.after is not None:
        yield key > window.after
    if window.end is not None:
        yield key <= window.end


def _has_expired(limits: Limits) -> ColumnElement[bool]:
    if limits.expired is None:
        return false()
    return lifecycle.has_expired(literal(limits.expired, UtcDateTime))


def _was_used_up(limits: Limits) -> ColumnElement[bool]:
    if limits.used_up is None:
        return false()
    return lifecycle.was_used_up(literal(limits.used_up, UtcDateTime))


_RANGE_TYPES: Final[dict[str, Any]] = {
    "of": _USAGES.token_uid.type,
    "after": _USAGES.version.type,
    "to": _USAGES.version.type,
}


def _remove_range(edges: Mapping[str, ColumnElement[Any]]) -> Delete:
    """Return the statement that removes uses before one that is gone.

    Those that waited for a lock have a time that is a bit later.
    """
    return delete(TokenUsageRecord).where(
        _USAGES.token_uid == edges["of"],
        _USAGES.version > edges["after"],
        _USAGES.version <= edges["to"],
        _USAGES.error_code.is_(None),
    )


_REMOVE_GRANTED: Final = _remove_range(
    {name: bindparam(name, type_=of) for name, of in _RANGE_TYPES.items()},
)


def _remove_granted_at_once() -> Delete:
    arrays = [bindparam(name, type_=ARRAY(of)) for name, of in _RANGE_TYPES.items()]
    columns = [column(name, of) for name, of in _RANGE_TYPES.items()]
    ranges = func.unnest(*arrays).table_valued(*columns).render_derived("ranges")
    return _remove_range({name: ranges.columns[name] for name in _RANGE_TYPES})


def _of_tokens(
    statement: Select[Any],
    token_uid: ColumnElement[uuid.UUID],
    only: Sequence[uuid.UUID] | None,
) -> Select[Any]:
    return statement if only is None else statement.where(token_uid.in_(only))


def _select_events() -> Select[Any]:
    event = _EVENTS
    told = (event.action, event.timestamp, event.old_values, event.new_values, event.uid)
    entry = select(event.token_uid, event.version, literal(EVENT).label("place"), *told)
    return entry.order_by(event.token_uid, event.version)


def _select_use(place: int) -> Select[Any]:
    usage = _USAGES
    told = (usage.timestamp, usage.error_code, usage.usage_count, usage.uid)
    return select(usage.token_uid, usage.version, literal(place).label("place"), *told)


def _select_uses(place: int, condition: ColumnElement[bool]) -> Select[Any]:
    order = (_USAGES.token_uid, _USAGES.version, _USAGES.timestamp, _USAGES.uid)
    return _select_use(place).where(condition).order_by(*order)


def _select_present() -> Select[Any]:
    last = (literal(BEHIND, BigInteger).label("behind"), literal(PRESENT).label("place"))
    names = Present._fields[Present._fields.index("value") :]
    told = (_TOKENS.version, *(_TOKENS[name] for name in names))
    return select(_TOKENS.uid, *last, *told).order_by(_TOKENS.uid)
