"""Codes that tokens had until they got another one in their place.

They are kept as long as the token is there: whoever shows one is refused, and no other token gets
one. Triggers of the database see to that: see ``migrations/former_values``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy import delete
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite

from cone.tokens.core import codes
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import Stored
from cone.tokens.core.store.filters import code_of
from cone.tokens.core.store.locking import is_one_of
from cone.tokens.core.transaction import Transaction


def keep(tx: Transaction, kind: Kind[Any], token: Stored) -> None:
    """Keep the code of a token, which this transaction found for update.

    It may be kept already: a token may get a code again that it had.

    SQL: 1 statement.
    """
    insert = postgresql.insert if tx.is_postgresql else sqlite.insert
    value: str = getattr(token, code_of(kind).name)
    statement = insert(_table(kind)).values(
        value=value,
        token_uid=token.uid,
        code_digest=codes.digest(value),
        timestamp=tx.now,
    )
    tx.connection.execute(statement.on_conflict_do_nothing())


def remove(tx: Transaction, kind: Kind[Any], tokens: Sequence[Stored]) -> None:
    """Remove what is kept of tokens.

    SQL: 1 statement, none where codes are not replaced.
    """
    table = kind.former_table
    if table is not None:
        tx.connection.execute(delete(table).where(is_one_of(tx, kind, tokens, table.c.token_uid)))


def holders(tx: Transaction, kind: Kind[Any], values: Iterable[str]) -> dict[str, uuid.UUID]:
    """Return those of ``values`` that are kept, each with the token that had it.

    SQL: 1 statement, none without values.
    """
    sought = list(values)
    if not sought:
        return {}
    kept = _table(kind).c
    rows = tx.connection.execute(select(kept.value, kept.token_uid).where(kept.value.in_(sought)))
    return {row.value: row.token_uid for row in rows}


def _table(kind: Kind[Any]) -> Table:
    """Return the table of the codes.

    :raises TypeError: those of this kind are not replaced.
    """
    if kind.former_table is None:
        message = f"a {kind.name} keeps no codes that were replaced"
        raise TypeError(message)
    return kind.former_table
