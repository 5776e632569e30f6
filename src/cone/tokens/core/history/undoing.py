"""Uses that are taken back (decision 0030)."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Callable
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import case
from sqlalchemy import func
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import NotUndone
from cone.tokens.core.history import event_values
from cone.tokens.core.history.event_values import BEGINNINGS
from cone.tokens.core.history.event_values import PURGE
from cone.tokens.core.history.event_values import UPGRADE
from cone.tokens.core.history.standing import NOWHERE
from cone.tokens.core.history.standing import Presence
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import T
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.store import events as events_of
from cone.tokens.core.store.events import RESET
from cone.tokens.core.store.locking import lock_many
from cone.tokens.core.store.usages import manner_of
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor
from cone.tokens.core.values import LastUse

#: Who took a use may take it back for so long; who may edit tokens always.
OWN_TIME: Final = datetime.timedelta(minutes=15)

#: Last uses that a token tells: the last one, and the one before.
_TOLD: Final = 2

#: Whether somebody may take back a use: who took it and when, and the time now.
MayUndo = Callable[[LastUse, datetime.datetime], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Undone:
    """A use that is taken back.

    :ivar uses: how many came back.
    :ivar is_repeat: an earlier request took it back.
    """

    token_uid: uuid.UUID
    receipt: uuid.UUID
    uses: int
    usage_count: int
    is_repeat: bool = False


def may_undo_any(_use: LastUse, _now: datetime.datetime) -> bool:
    """Allow all, to who may edit tokens."""
    return True


def may_undo_own(actor: Actor) -> MayUndo:
    """Return the rule for who may not edit tokens: own uses, for :data:`OWN_TIME`."""

    def may_undo(use: LastUse, now: datetime.datetime) -> bool:
        is_own = actor is not None and use.user == actor
        return is_own and use.time is not None and now - use.time <= OWN_TIME

    return may_undo


@dataclasses.dataclass(frozen=True, slots=True)
class Undoing:
    """A use that is to be taken back.

    :ivar uid: of its token.
    :ivar actor: who takes it back.
    """

    uid: uuid.UUID
    receipt: uuid.UUID
    actor: Actor
    may_undo: MayUndo


def undo(tx: Transaction, kind: ConsumedKind[T], asked: Undoing) -> Undone | None:
    """Take back a use of a token; None: there is no such use that was granted.

    A use that was taken back already is not taken back again.

    :raises TokenNotFound: there is no such token.
    :raises NotUndone: it may not be taken back by who asks.

    SQL: 9 statements at most. Concurrency: under the lock of the token, so that uses and others
    who take back wait.
    """
    uid, receipt = asked.uid, asked.receipt
    (token,) = lock_many(tx, kind, [uid], 1)
    use = tx.connection.execute(_select_use(kind, uid, receipt)).one_or_none()
    past = _past(tx, kind, uid)
    if use is None or use.version <= past.beginning:
        return None
    if not asked.may_undo(LastUse(use.timestamp, use.user), tx.read_clock()):
        raise NotUndone
    uses = manner_of(use).uses
    if use.undone_at is not None:
        return Undone(uid, receipt, uses, token.usage_count, is_repeat=True)
    count = lifecycle.after_undo(token.usage_count, uses)
    presence = zip(PRESENCE, _presence(tx, kind, token, use, past), strict=True)
    changed: dict[str, Any] = {"usage_count": count, **dict(presence)}
    last, before = _last_uses(tx, kind, use, past)
    columns = {
        **changed,
        "last_used": last.time,
        "locked_until": lifecycle.locked_until(last.time, token.lock_time),
        "last_user": last.user,
        "used_before": before.time,
        "user_before": before.user,
        "version": kind.tokens.c.version + 1,
    }
    taken_back = update(kind.usages).where(kind.usages.c.uid == receipt)
    tx.connection.execute(update(kind.tokens).where(kind.tokens.c.uid == uid).values(columns))
    tx.connection.execute(taken_back.values(undone_at=tx.now, undone_by=asked.actor))
    told = {"receipt": str(receipt), "last_used": last.time}
    tx.insert_events(events_of.of_undoing(kind, token, changed, told, asked.actor))
    return Undone(uid, receipt, uses, count)


def _select_use(kind: ConsumedKind[Any], uid: uuid.UUID, receipt: uuid.UUID) -> Select[Any]:
    usage = kind.usages.c
    return select(kind.usages).where(
        usage.uid == receipt,
        usage.token_uid == uid,
        usage.error_code.is_(None),
        # Nobody knows what rows from before an upgrade took.
        usage.version > 0,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Past:
    """What the events of a token tell of its uses.

    :ivar beginning: the version that it was added with. Uses before it are of a token that was
        deleted, and had its uid.
    :ivar is_upgraded: it has uses from before its history begins.
    :ivar reset: the version of the last reset; 0: there was none.
    :ivar mark: of its purged history; empty: none was.
    """

    beginning: int
    is_upgraded: bool
    reset: int
    mark: dict[str, Any]


def _past(tx: Transaction, kind: ConsumedKind[Any], uid: uuid.UUID) -> _Past:
    event = kind.events.c

    def newest(told: ColumnElement[Any], *actions: str) -> ColumnElement[Any]:
        return func.max(case((event.action.in_(actions), told)))

    sought = select(
        newest(event.version, *BEGINNINGS),
        newest(event.version, UPGRADE),
        newest(event.version, RESET),
        newest(event.new_values, PURGE),
    )
    told = tx.connection.execute(sought.where(event.token_uid == uid)).one()
    beginning, upgrade, reset, text = told
    mark = event_values.read_mark(kind, text) or {}
    begun = beginning or 0
    is_of_life = mark.get("version", 0) >= begun
    return _Past(begun, upgrade == begun, reset or 0, mark if is_of_life else {})


def _standing(
    kind: ConsumedKind[Any], use: Row[Any], past: _Past, *conditions: ColumnElement[bool]
) -> Select[Any]:
    """Return the statement of the uses of a token that stand without one, the last one first."""
    usage = kind.usages.c
    of_life = usage.version > past.beginning
    found = select(kind.usages).where(
        usage.token_uid == use.token_uid,
        usage.uid != use.uid,
        usage.error_code.is_(None),
        usage.undone_at.is_(None),
        or_(of_life, usage.version == 0) if past.is_upgraded else of_life,
    )
    return found.where(*conditions).order_by(usage.version.desc(), usage.timestamp.desc())


def _last_uses(
    tx: Transaction, kind: ConsumedKind[Any], use: Row[Any], past: _Past
) -> list[LastUse]:
    """Return the last use of a token that stands without one, and the one before.

    A mark of purged history tells when the last one was, and not by whom.
    """
    usage = kind.usages.c
    is_taken = or_(usage.uses.is_(None), usage.uses != 0, usage.override.is_not(None))
    statement = _standing(kind, use, past, is_taken).limit(_TOLD)
    uses = [LastUse(row.timestamp, row.user) for row in tx.connection.execute(statement)]
    marked = LastUse(past.mark.get("last_used"), None)
    return [*uses, marked, LastUse(None, None)][:_TOLD]


def _presence(
    tx: Transaction, kind: ConsumedKind[Any], token: Any, use: Row[Any], past: _Past
) -> Presence:
    """Return where a token is when ``use`` is taken back."""
    stays = tuple(getattr(token, name) for name in PRESENCE)
    if use.direction is None or past.reset > use.version:
        return stays
    passages = _standing(kind, use, past, kind.usages.c.direction.is_not(None))
    last = tx.connection.execute(passages.limit(1)).one_or_none()
    if last and last.version > use.version:
        return stays
    if last and last.version > past.reset:
        return tuple(getattr(last, name) for name in PRESENCE)
    if past.reset > past.mark.get("version", 0):
        return NOWHERE
    return tuple(past.mark.get(name) for name in PRESENCE)
