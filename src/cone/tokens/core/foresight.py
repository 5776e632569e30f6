"""Large changes, made ready before SQLite's lock is taken.

Nothing is decided by what was foreseen: with the lock in hand it counts where the tokens are still
the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cone.tokens.core.errors import CountChanged
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import T
from cone.tokens.core.many import Rows
from cone.tokens.core.params import too_many_tokens
from cone.tokens.core.store import listing
from cone.tokens.core.store import locking
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import Selection
from cone.tokens.core.values import size_of

#: Tokens of a change that are read before SQLite's lock is taken.
WORTH_FORESEEING: Final = 200


def is_worth_foreseeing(work: UnitOfWork, size: int | None) -> bool:
    """Return whether a change keeps others waiting for long.

    :param size: how many tokens it is about; None: not known.
    """
    return work.database.has_one_writer and (size is None or size >= WORTH_FORESEEING)


def foresee(
    work: UnitOfWork,
    kind: Kind[T],
    which: Selection,
    describe: Callable[[list[T]], Rows],
) -> tuple[list[T], Rows] | None:
    """Return the tokens of a large change, and its events; None: nothing is foreseen.

    :param describe: returns the events for the tokens.
    """
    named = size_of(which)
    if not is_worth_foreseeing(work, named):
        return None
    tokens = work.read(lambda tx: listing.find_many(tx, kind, which, MAX_BATCH + 1, NEWEST_FIRST))
    if not WORTH_FORESEEING <= len(tokens) <= MAX_BATCH or named not in (None, len(tokens)):
        return None
    events = describe(tokens)
    events.make_ready()
    return tokens, events


def chosen(
    tx: Transaction,
    kind: Kind[T],
    which: Selection,
    expected_count: int | None,
    foreseen: tuple[list[T], Rows] | None,
) -> tuple[list[T], Rows | None]:
    """Return the tokens of a change, found for update, and its events if they were foreseen."""
    if foreseen and locking.are_all(tx, kind, which, foreseen[0]):
        tokens, events = foreseen
        return counted(tokens, expected_count), events
    return counted(locking.lock_many(tx, kind, which, MAX_BATCH + 1), expected_count), None


def counted(tokens: list[T], expected_count: int | None) -> list[T]:
    """Return ``tokens`` if there are not too many, and as many as expected.

    :raises InvalidParameter: there are more than :data:`MAX_BATCH`.
    :raises CountChanged: there are not as many as expected.
    """
    if len(tokens) > MAX_BATCH:
        raise too_many_tokens()
    if expected_count not in (None, len(tokens)):
        raise CountChanged(len(tokens))
    return tokens
