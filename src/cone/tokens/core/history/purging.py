"""Old rows of the logs, which are removed a part at a time; marks take their place."""

from __future__ import annotations

import dataclasses
import datetime
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from typing import Final

from sqlalchemy import ARRAY
from sqlalchemy import ColumnElement
from sqlalchemy import Delete
from sqlalchemy import bindparam
from sqlalchemy import column
from sqlalchemy import delete
from sqlalchemy import exists
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy.types import TypeEngine

from cone.tokens.core.history.entries import GRANT
from cone.tokens.core.history.entries import REFUSAL
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.event_values import BEGINNINGS
from cone.tokens.core.history.event_values import PURGE
from cone.tokens.core.history.marks import OldEvents
from cone.tokens.core.history.marks import PurgeMark
from cone.tokens.core.history.marks import old_events
from cone.tokens.core.history.marks import purge_mark
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.history.rows import of_tokens
from cone.tokens.core.history.rows import select_events
from cone.tokens.core.history.rows import select_use
from cone.tokens.core.history.rows import use_of
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Kind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.store import events as events_of
from cone.tokens.core.transaction import Transaction

#: Events that one statement removes at most.
MOST_REMOVED: Final = 2_000

#: Key of the advisory lock under which PostgreSQL purges logs; any number that is ours.
PURGE_LOCK: Final = 0x636F6E65746F6C


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogRange:
    """Tries of the log in a time, with one error code; None: that were granted."""

    code: int | None
    before: datetime.datetime
    since: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """How many rows are gone, and where to go on; None: there are no more."""

    count: int
    since: datetime.datetime | None


def newest(
    tx: Transaction,
    kind: ConsumedKind[Any],
    now: datetime.datetime,
    enough: datetime.datetime,
) -> datetime.datetime | None:
    """Return the time of the newest row that is not in the future; None: there is no row.

    :param enough: a row that is as new as this will do.

    SQL: along indexes, 2 statements for each error code and 1 more. Where none of these rows
    is new enough, 3 that each read a table.
    """
    newest = _latest(tx, kind.tokens.c.created, now)
    for code in error_codes(tx, kind):
        tried = _latest(tx, kind.usages.c.timestamp, now, _has_code(kind, code))
        newest = _later(newest, tried)
    if newest is not None and newest >= enough:
        return newest
    for time in (kind.tokens.c.modified, kind.events.c.timestamp, REQUESTS.c.timestamp):
        newest = _later(newest, _latest(tx, time, now))
    return newest


def _latest(
    tx: Transaction,
    time: ColumnElement[datetime.datetime],
    now: datetime.datetime,
    *conditions: ColumnElement[bool],
) -> datetime.datetime | None:
    return tx.connection.scalar(select(func.max(time)).where(time <= now, *conditions))


def error_codes(tx: Transaction, kind: ConsumedKind[Any]) -> list[int | None]:
    """Return the error codes in the log; None, that of a granted use, comes last.

    SQL: 1 statement for each; along an index.
    """
    codes: list[int | None] = []
    column = kind.usages.c.error_code
    least = select(func.min(column))
    code = tx.connection.scalar(least)
    while code is not None:
        codes.append(code)
        code = tx.connection.scalar(least.where(column > code))
    return [*codes, None]


def count_usages(
    tx: Transaction,
    kind: ConsumedKind[Any],
    code: int | None,
    before: datetime.datetime,
) -> int:
    """Return the number of tries with a code before a time.

    SQL: 1 statement, along an index.
    """
    counted = select(func.count(kind.usages.c.uid))
    old = counted.where(_has_code(kind, code), kind.usages.c.timestamp < before)
    return tx.connection.scalar(old) or 0


def remove_usages(
    tx: Transaction,
    kind: ConsumedKind[Any],
    tries: LogRange,
    limit: int,
) -> Removed:
    """Remove the first ``limit`` tries of a range of the log.

    Of a token of which a granted use goes, all uses before that one go too, and a mark tells
    what came of them.

    SQL: 2 statements; for granted uses 5, one of which is executed for each token.
    Concurrency: one caller after the other.
    """
    lock_log(tx)
    time = kind.usages.c.timestamp
    conditions = [_has_code(kind, tries.code), time < tries.before]
    if tries.since is not None:
        conditions.append(time >= tries.since)
    place = GRANT if tries.code is None else REFUSAL
    found = select_use(kind, place).where(*conditions).order_by(time).limit(limit)
    uses = [use_of(kind, row) for row in tx.connection.execute(found)]
    if not uses:
        return Removed(0, None)
    receipts = [use.receipt for use in uses]
    gone = delete(kind.usages).where(kind.usages.c.uid.in_(receipts))
    count = tx.connection.execute(gone).rowcount
    if tries.code is None:
        count += _mark_last(tx, kind, uses)
    return Removed(count, uses[-1].time if len(uses) == limit else None)


def _mark_last(tx: Transaction, kind: ConsumedKind[Any], uses: Sequence[Use]) -> int:
    """Write purge marks for removed uses; return how many earlier uses were removed with them."""
    grants: dict[uuid.UUID, list[Use]] = defaultdict(list)
    for use in sorted(uses, key=attrgetter("version")):
        if use.version:
            grants[use.token_uid].append(use)
    events = events_of_tokens(tx, kind, grants)
    marks = {
        uid: purge_mark(kind, events[uid], of_token[-1].version, of_token)
        for uid, of_token in grants.items()
    }
    _put_marks(tx, kind, marks)
    if not grants:
        return 0
    ranges = [
        {"of": uid, "after": marks[uid].replaced, "to": of_token[-1].version}
        for uid, of_token in grants.items()
    ]
    if not tx.is_postgresql:
        return tx.connection.execute(_remove_granted(kind), ranges).rowcount
    columns = {name: [each[name] for each in ranges] for name in _range_types(kind)}
    return tx.connection.execute(_remove_granted_at_once(kind), columns).rowcount


def changed_before(
    tx: Transaction,
    kind: Kind[Any],
    rows: KeyRange,
    before: datetime.datetime,
) -> list[uuid.UUID]:
    """Return the tokens that were changed or deleted before a time.

    SQL: 1 statement.
    """
    event = kind.events.c
    changes = event.action.not_in((*BEGINNINGS, PURGE))
    statement = select(event.token_uid).distinct()
    old = statement.where(*rows.conditions, changes, event.timestamp < before)
    return list(tx.connection.scalars(old))


def find_old_events(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token_uids: Sequence[uuid.UUID],
    before: datetime.datetime,
    uses_before: datetime.datetime,
) -> dict[uuid.UUID, tuple[OldEvents, list[Event]]]:
    """Return for each token the events that may go, and all that there are.

    :param before: those that are older.
    :param uses_before: older uses are gone, or are about to go.

    SQL: 2 statements.
    """
    staying = _first_grants(tx, kind, token_uids, uses_before)
    return {
        uid: (old_events(events, before, staying.get(uid)), events)
        for uid, events in events_of_tokens(tx, kind, token_uids).items()
    }


def remove_events(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token_uids: Sequence[uuid.UUID],
    before: datetime.datetime,
    uses_before: datetime.datetime,
) -> int:
    """Remove the events of :func:`find_old_events`; return how many, without marks.

    SQL: 6 statements, one more for every :data:`MOST_REMOVED` events that go. Concurrency: one
    caller after the other.
    """
    lock_log(tx)
    old = find_old_events(tx, kind, token_uids, before, uses_before)
    marks = {uid: purge_mark(kind, events, going.reach) for uid, (going, events) in old.items()}
    _put_marks(tx, kind, marks)
    whole = [uid for uid, (going, _events) in old.items() if going.is_whole]
    # A token that is added under such a uid meanwhile keeps what it leaves.
    token_uid = kind.usages.c.token_uid
    is_gone = ~exists().where(kind.tokens.c.uid == token_uid)
    tx.connection.execute(delete(kind.usages).where(token_uid.in_(whole), is_gone))
    uids = [event.uid for going, _events in old.values() for event in going.events]
    # One token may have had more changes than a statement has parameters.
    for start in range(0, len(uids), MOST_REMOVED):
        some = uids[start : start + MOST_REMOVED]
        tx.connection.execute(delete(kind.events).where(kind.events.c.uid.in_(some)))
    return sum(going.count for going, _events in old.values())


def events_of_tokens(
    tx: Transaction,
    kind: Kind[Any],
    token_uids: Iterable[uuid.UUID],
) -> dict[uuid.UUID, list[Event]]:
    """Return all events of tokens, in the order of their versions.

    SQL: 1 statement.
    """
    uids = list(token_uids)
    events: dict[uuid.UUID, list[Event]] = {uid: [] for uid in uids}
    for row in tx.connection.execute(of_tokens(select_events(kind), kind.events.c.token_uid, uids)):
        events[row.token_uid].append(Event._make(row))
    return events


def _first_grants(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token_uids: Sequence[uuid.UUID],
    since: datetime.datetime,
) -> dict[uuid.UUID, int]:
    """Return the version of the first use of each token since a time."""
    usage, event = kind.usages.alias().columns, kind.events.c
    first = (
        select(usage.version)
        .where(
            usage.token_uid == event.token_uid,
            usage.version > 0,
            usage.error_code.is_(None),
            usage.timestamp >= since,
        )
        .order_by(usage.version)
        .limit(1)
        .scalar_subquery()
    )
    beginning = select(event.token_uid, first).where(event.version == 1)
    rows = tx.connection.execute(of_tokens(beginning, event.token_uid, token_uids))
    return {uid: version for uid, version in rows if version is not None}


def _put_marks(
    tx: Transaction,
    kind: Kind[Any],
    marks: Mapping[uuid.UUID, PurgeMark],
) -> None:
    """Replace the purge marks of these tokens."""
    made = {uid: mark.values for uid, mark in marks.items() if mark.values}
    if not made:
        return
    event = kind.events.c
    old = delete(kind.events).where(
        event.token_uid.in_(list(made)),
        event.version == 0,
        event.action == PURGE,
    )
    tx.connection.execute(old)
    marks_of = (
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
    tx.insert_events(events_of.as_rows(kind, marks_of))


def lock_log(tx: Transaction) -> None:
    """Wait for other purges to end; on SQLite a transaction that writes is alone anyway."""
    if tx.is_postgresql:
        tx.connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PURGE_LOCK})


def _has_code(kind: ConsumedKind[Any], code: int | None) -> ColumnElement[bool]:
    column = kind.usages.c.error_code
    return column.is_(None) if code is None else column == code


def _later(
    one: datetime.datetime | None,
    other: datetime.datetime | None,
) -> datetime.datetime | None:
    return max(filter(None, (one, other)), default=None)


def _range_types(kind: ConsumedKind[Any]) -> dict[str, TypeEngine[Any]]:
    usage = kind.usages.c
    return {"of": usage.token_uid.type, "after": usage.version.type, "to": usage.version.type}


def _remove_range(kind: ConsumedKind[Any], edges: Mapping[str, ColumnElement[Any]]) -> Delete:
    """Return the statement that removes uses before one that is gone.

    Those that waited for a lock have a time that is a bit later.
    """
    usage = kind.usages.c
    return delete(kind.usages).where(
        usage.token_uid == edges["of"],
        usage.version > edges["after"],
        usage.version <= edges["to"],
        usage.error_code.is_(None),
    )


def _remove_granted(kind: ConsumedKind[Any]) -> Delete:
    types = _range_types(kind)
    return _remove_range(kind, {name: bindparam(name, type_=of) for name, of in types.items()})


def _remove_granted_at_once(kind: ConsumedKind[Any]) -> Delete:
    types = _range_types(kind)
    arrays = [bindparam(name, type_=ARRAY(of)) for name, of in types.items()]
    columns = [column(name, of) for name, of in types.items()]
    ranges = func.unnest(*arrays).table_valued(*columns).render_derived("ranges")
    return _remove_range(kind, {name: ranges.columns[name] for name in types})
