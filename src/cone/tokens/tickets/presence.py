"""Who is inside, and who came."""

from __future__ import annotations

from typing import Any
from typing import Final

from sqlalchemy import Select
from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.core.kind import Kind
from cone.tokens.core.transaction import Transaction
from cone.tokens.tickets import door
from cone.tokens.tickets.values import DoorFigures

#: Tokens that are counted: more would take long.
MOST_COUNTED: Final = 100_000


def count_inside(tx: Transaction, kind: Kind[Any]) -> int:
    """Return the number of tokens that are inside.

    SQL: 1 statement along an index, whose cost grows with those who are inside.
    """
    return tx.connection.scalar(_select_inside(tx, kind)) or 0


def figures(tx: Transaction, kind: Kind[Any]) -> DoorFigures:
    """Return how many tokens are inside, and how many came.

    SQL: 1 statement, which looks at :data:`MOST_COUNTED` tokens at most besides those inside.
    """
    some = select(kind.tokens.c.last_used).limit(MOST_COUNTED + 1).subquery()
    inside = _select_inside(tx, kind).scalar_subquery()
    counted = select(inside, func.count(some.c.last_used), func.count()).select_from(some)
    inside_count, came, total = tx.connection.execute(counted).one()
    is_known = total <= MOST_COUNTED
    return DoorFigures(
        inside=inside_count,
        came=came if is_known else None,
        total=total if is_known else None,
    )


def _select_inside(tx: Transaction, kind: Kind[Any]) -> Select[int]:
    is_inside = door.is_inside_clause(kind.tokens.c, tx.read_at)
    return select(func.count()).select_from(kind.tokens).where(is_inside)
