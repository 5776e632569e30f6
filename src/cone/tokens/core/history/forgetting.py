"""Personal data of tokens, found and emptied: in the tokens, in what finds them, and in events.

Codes, counts and times stay, so that histories can be replayed as before.
"""

from __future__ import annotations

import dataclasses
import unicodedata
import uuid
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Select
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.history import people
from cone.tokens.core.history import reasons
from cone.tokens.core.history.disposal import Ages
from cone.tokens.core.history.disposal import may_go
from cone.tokens.core.history.entries import BEHIND
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.purging import events_of_tokens
from cone.tokens.core.history.purging import lock_log
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import Stored
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import changing
from cone.tokens.core.store import events as events_of
from cone.tokens.core.store import finding
from cone.tokens.core.store.locking import lock_free
from cone.tokens.core.store.locking import lock_there
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor

#: Tokens, and the version up to which their personal data is to be forgotten.
Reach = Mapping[uuid.UUID, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom tokens have personal data of.

    :ivar column: a personal column.
    :ivar text: what stands there, in any case.
    """

    column: str
    text: str

    def is_meant(self, text: object) -> bool:
        """Return whether a text of the column is that of the person."""
        return isinstance(text, str) and _folded(text) == _folded(self.text)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def find_tokens(tx: Transaction, kind: Kind[Any], rows: KeyRange, person: Person) -> Reach:
    """Return the tokens of a person among those of a range.

    SQL: 1 statement.
    """
    column = kind.tokens.c[person.column]
    told = select(kind.tokens.c.uid, column).where(*rows.conditions, column.is_not(None))
    return {uid: BEHIND for uid, text in tx.connection.execute(told) if person.is_meant(text)}


def find_told(tx: Transaction, kind: Kind[Any], rows: KeyRange, person: Person) -> Reach:
    """Return the tokens of which events in a range tell a person, each with the last version.

    The token may have the text of another person by now, or be gone. Where no other text followed,
    all of it is meant.

    SQL: 1 statement.
    """
    told = defaultdict[uuid.UUID, list[tuple[int, bool]]](list)
    statement = _select_events(kind).where(*rows.conditions, _tells(kind, person.column))
    for row in tx.connection.execute(statement):
        for values in people.told(row):
            text = people.value_of(values.text, person.column)
            if text is not None:
                version = BEHIND if values.version is None else values.version
                told[row.token_uid].append((version, person.is_meant(text)))
    return {
        uid: _last(texts) for uid, texts in told.items() if any(mine for _version, mine in texts)
    }


def _last(texts: Sequence[tuple[int, bool]]) -> int:
    """Return the last version that a person can be meant by.

    :param texts: versions, and whether the person's text was told with it, or another one.
    """
    last = max(version for version, is_mine in texts if is_mine)
    is_others = any(version > last for version, _is_mine in texts)
    return last if is_others else BEHIND


def find_ended(
    tx: Transaction,
    kind: ConsumedKind[Any],
    rows: KeyRange,
    ages: Ages,
) -> tuple[list[uuid.UUID], Reach]:
    """Return the tokens with personal data that ended long ago, among those with events in a range.

    First those that are there, then those that were deleted: that ends a token too.

    :param ages: ``expired`` counts for deletions as well.

    SQL: 1 statement.
    """
    event, token = kind.events.c, kind.tokens.c
    is_there = func.count(token.uid) > 0
    is_gone_long = func.max(event.timestamp) < literal(ages.expired, UtcDateTime)
    tells = func.sum(case((or_(*(_tells(kind, name) for name in kind.personal)), 1), else_=0))
    has_reason = reasons.is_told(kind, event.token_uid)
    ended = (
        select(event.token_uid, is_there.label("is_there"), func.max(event.version))
        .select_from(kind.events.outerjoin(kind.tokens, token.uid == event.token_uid))
        .where(*rows.conditions, or_(may_go(kind, ages), token.uid.is_(None)))
        .group_by(event.token_uid)
        .having(and_(or_(tells > 0, has_reason), or_(is_there, is_gone_long)))
    )
    there, gone = list[uuid.UUID](), dict[uuid.UUID, int]()
    for uid, is_there_still, version in tx.connection.execute(ended):
        if is_there_still:
            there.append(uid)
        else:
            gone[uid] = version
    return there, gone


def told_of(tx: Transaction, kind: ConsumedKind[Any], reach: Reach) -> list[uuid.UUID]:
    """Return the tokens that :func:`forget_tokens` would empty.

    SQL: 3 statements.
    """
    current = finding.find_rows(tx, kind, [*reach])
    told = {token.uid for token in current if _is_told(kind, token)}
    histories = events_of_tokens(tx, kind, reach)
    told.update(reasons.find(tx, kind, reach))
    return [uid for uid in reach if uid in told or any(_emptied(kind, histories[uid], reach[uid]))]


def forget_tokens(
    tx: Transaction,
    kind: ConsumedKind[Any],
    reach: Reach,
    actor: Actor,
) -> list[uuid.UUID]:
    """Empty the personal data of tokens that have some, and return their uids.

    SQL: 5 statements, 4 more where tokens change, or events or uses do; one is executed for each
    event, one for each use.
    Concurrency: one caller after the other, purges included.
    """
    return _empty(tx, kind, reach, lock_there(tx, kind, reach), actor)


def forget_ended(
    tx: Transaction,
    kind: ConsumedKind[Any],
    found: tuple[Sequence[uuid.UUID], Reach],
    ages: Ages,
    actor: Actor,
) -> list[uuid.UUID]:
    """Empty the personal data of tokens that :func:`find_ended` has found; return their uids.

    Those that somebody else is changing stay as they are.

    SQL, concurrency: as :func:`forget_tokens`.
    """
    there, gone = found
    tokens = lock_free(tx, kind, there, may_go(kind, ages))
    there_still = dict.fromkeys((token.uid for token in tokens), BEHIND)
    return _empty(tx, kind, {**gone, **there_still}, tokens, actor)


def _empty(
    tx: Transaction,
    kind: ConsumedKind[Any],
    reach: Reach,
    tokens: Sequence[Stored],
    actor: Actor,
) -> list[uuid.UUID]:
    """Empty the personal data of tokens, of their events and of their uses up to a version.

    Tokens whose data is emptied get a new version: nobody writes an event with what they told
    before.

    :param tokens: those that are there, found for update.
    """
    lock_log(tx)
    histories = events_of_tokens(tx, kind, reach)
    there = {token.uid for token in tokens}
    reach = {
        uid: last if uid in there else min(last, _end(histories[uid]))
        for uid, last in reach.items()
    }
    events = {uid: list(_emptied(kind, histories[uid], reach[uid])) for uid in reach}
    told = reasons.find(tx, kind, reach)
    emptied = {uid for uid in reach if events[uid] or uid in told}
    theirs = [
        token
        for token in tokens
        if reach[token.uid] >= token.version and (token.uid in emptied or _is_told(kind, token))
    ]
    changed = {token.uid for token in theirs}
    others = [
        (uid, _last_told(histories[uid], told.get(uid, ()), reach[uid]))
        for uid in reach
        if uid in emptied - changed
    ]
    _write_events(tx, kind, [row for rows in events.values() for row in rows])
    reasons.empty(tx, kind, told)
    if theirs:
        changing.empty(tx, kind, theirs, events_of.of_forgetting(kind, theirs, [], actor))
    if others:
        tx.insert_events(events_of.of_forgetting(kind, [], others, actor))
    return [*changed, *(uid for uid, _version in others)]


def _last_told(history: Sequence[Event], uses: Sequence[tuple[uuid.UUID, int]], last: int) -> int:
    """Return the version up to which a history told of somebody, and its end does not.

    :param uses: those with a reason; there may be some behind the last event.
    :param last: the last version that was looked at.
    """
    return max(min(last, history[-1].version), *(version for _receipt, version in uses), 0)


def _end(history: Sequence[Event]) -> int:
    """Return the version that a token was deleted with: somebody may add it anew meanwhile."""
    deletions = [event.version for event in history if event.action == "delete"]
    return max(deletions or (event.version for event in history), default=0)


def _is_told(kind: Kind[Any], token: object) -> bool:
    return any(getattr(token, name) is not None for name in kind.personal)


def _emptied(kind: Kind[Any], history: Sequence[Event], last: int) -> Iterator[dict[str, Any]]:
    """Return the events that tell personal data up to a version, with what they are to tell."""
    ends = people.reaches(kind, history, last)
    for event in history:
        texts = {"old_values": event.old, "new_values": event.new}
        emptied = {
            values.column: people.without(values.text, _names(ends, values.version))
            for values in people.told(event)
        }
        if any(texts[column] != text for column, text in emptied.items()):
            yield {"sought": event.uid, **texts, **emptied}


def _names(ends: Mapping[str, int], version: int | None) -> list[str]:
    return [name for name, end in ends.items() if version is None or version <= end]


def _write_events(tx: Transaction, kind: Kind[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    event = kind.events.c
    statement = (
        update(kind.events)
        .where(event.uid == bindparam("sought", type_=event.uid.type))
        .values(old_values=bindparam("old_values"), new_values=bindparam("new_values"))
    )
    tx.connection.execute(statement, rows)


def _select_events(kind: Kind[Any]) -> Select[Any]:
    event = kind.events.c
    return select(
        event.token_uid,
        event.version,
        event.action,
        event.user,
        event.old_values.label("old"),
        event.new_values.label("new"),
    )


def _tells(kind: Kind[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that selects events with a text for a personal column."""
    event, mark = kind.events.c, people.mark_of(name)
    return or_(
        *(column.contains(mark, autoescape=True) for column in (event.old_values, event.new_values))
    )
