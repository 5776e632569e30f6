"""Who is inside."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.core.kind import Kind
from cone.tokens.core.transaction import Transaction
from cone.tokens.tickets import door


def count_inside(tx: Transaction, kind: Kind[Any]) -> int:
    """Return the number of tokens that are inside.

    SQL: 1 statement along an index, whose cost grows with those who are inside.
    """
    is_inside = door.is_inside_clause(kind.tokens.c, tx.read_at)
    counted = select(func.count()).select_from(kind.tokens).where(is_inside)
    return tx.connection.scalar(counted) or 0
