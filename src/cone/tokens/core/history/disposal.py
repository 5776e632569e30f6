"""Old tokens and keys, which are removed with nothing in their place but events of deletions."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import delete
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import or_
from sqlalchemy import select

from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.kind import Kind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import changing
from cone.tokens.core.store import events
from cone.tokens.core.store import locking
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor

_REQUESTS: Final = REQUESTS.columns


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Which tokens may be removed; None: none for this reason.

    :ivar expired: those that had expired by then.
    :ivar used_up: those whose last use was taken by then.
    """

    expired: datetime.datetime | None = None
    used_up: datetime.datetime | None = None


def disposable(
    tx: Transaction,
    kind: Kind[Any],
    rows: KeyRange,
    ages: Ages,
) -> dict[uuid.UUID, bool]:
    """Return the tokens that may be removed, and of each whether it has expired.

    SQL: 1 statement.
    """
    statement = select(kind.tokens.c.uid, _has_expired(kind, ages)).where(
        *rows.conditions,
        may_go(kind, ages),
    )
    return {uid: bool(has_expired) for uid, has_expired in tx.connection.execute(statement)}


def remove_tokens(
    tx: Transaction,
    kind: Kind[Any],
    uids: Sequence[uuid.UUID],
    ages: Ages,
    actor: Actor,
) -> list[uuid.UUID]:
    """Remove the tokens that may be removed still, and return their uids.

    Those that somebody else is changing stay.

    SQL: 3 statements.
    """
    tokens = locking.lock_free(tx, kind, uids, may_go(kind, ages))
    if tokens:
        changing.delete(tx, kind, tokens, events.of_deletions(kind, tokens, actor))
    return [token.uid for token in tokens]


def count_requests(tx: Transaction, rows: KeyRange, before: datetime.datetime) -> int:
    """Return the number of keys that were bound before a time.

    SQL: 1 statement.
    """
    counted = select(func.count(_REQUESTS.key_hash))
    old = counted.where(*rows.conditions, _REQUESTS.timestamp < before)
    return tx.connection.scalar(old) or 0


def remove_requests(tx: Transaction, rows: KeyRange, before: datetime.datetime) -> int:
    """Remove the keys that were bound before a time; return how many.

    SQL: 1 statement.
    """
    old = delete(REQUESTS).where(*rows.conditions, _REQUESTS.timestamp < before)
    return tx.connection.execute(old).rowcount


def may_go(kind: Kind[Any], ages: Ages) -> ColumnElement[bool]:
    """Return the condition that selects the tokens that ended long enough ago."""
    return or_(_has_expired(kind, ages), _was_used_up(kind, ages))


def _has_expired(kind: Kind[Any], ages: Ages) -> ColumnElement[bool]:
    if ages.expired is None:
        return false()
    return kind.rules.has_expired(kind.tokens.c, literal(ages.expired, UtcDateTime))


def _was_used_up(kind: Kind[Any], ages: Ages) -> ColumnElement[bool]:
    if ages.used_up is None:
        return false()
    return kind.rules.was_used_up(kind.tokens.c, literal(ages.used_up, UtcDateTime))
