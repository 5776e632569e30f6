"""The tokens of a change: found for update, or on SQLite found to be the same still."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Select
from sqlalchemy import Text
from sqlalchemy import and_
from sqlalchemy import func
from sqlalchemy import or_
from sqlalchemy import select

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import Stored
from cone.tokens.core.kind import T
from cone.tokens.core.many import LEAST
from cone.tokens.core.many import converter
from cone.tokens.core.store import filters
from cone.tokens.core.store import finding
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Selection
from cone.tokens.core.values import TokenFilter


def lock_many(tx: Transaction, kind: Kind[T], which: Selection, limit: int) -> list[T]:
    """Return tokens in the order of their uids, and keep others from changing them.

    :param limit: of a filter no more than that are returned.
    :raises TokenNotFound: one of the uids is no token's.
    :raises RuntimeError: as :meth:`Transaction.lock`.

    SQL: 1 statement; with a filter the cost grows with the table. Concurrency: tokens are
    locked in the order of their uids, so that two callers with the same tokens wait for each
    other instead of blocking each other.
    """
    if isinstance(which, TokenFilter):
        tx.lock(kind.tokens)
        statement = finding.select_tokens(tx.dialect.name, kind).with_for_update()
        columns = filters.columns(tx, kind, is_walk=False)
        statement = statement.where(*filters.conditions(tx, kind, which, columns)).limit(limit)
        rows = tx.connection.execute(statement.order_by(columns["uid"])).all()
        return finding.tokens(tx, kind, rows)
    tokens = lock_there(tx, kind, which)
    there = {token.uid for token in tokens}
    missing = next((uid for uid in which if uid not in there), None)
    if missing:
        raise TokenNotFound(missing)
    return tokens


def lock_there(tx: Transaction, kind: Kind[T], uids: Collection[uuid.UUID]) -> list[T]:
    """Return the tokens of ``uids`` that are there; else as :func:`lock_many`."""
    tx.lock(kind.tokens)
    statement = finding.select_tokens(tx.dialect.name, kind).with_for_update()
    uid = kind.tokens.c.uid
    sought = statement.where(uid.in_(uids)).order_by(uid)
    return finding.tokens(tx, kind, tx.connection.execute(sought).all())


def lock_free(
    tx: Transaction,
    kind: Kind[T],
    uids: Sequence[uuid.UUID],
    condition: ColumnElement[bool],
) -> list[T]:
    """Return the tokens that meet a condition and that nobody else has locked.

    SQL: 1 statement. Concurrency: others are kept from changing them.
    """
    statement = finding.select_tokens(tx.dialect.name, kind).with_for_update(skip_locked=True)
    uid = kind.tokens.c.uid
    sought = statement.where(uid.in_(uids), condition).order_by(uid)
    return finding.tokens(tx, kind, tx.connection.execute(sought).all())


def is_one_of(
    tx: Transaction,
    kind: Kind[Any],
    tokens: Sequence[Stored],
    column: ColumnElement[Any] | None = None,
) -> ColumnElement[bool]:
    """Return the condition that selects ``tokens``.

    :param column: that has their uids, in another table.
    """
    column = kind.tokens.c.uid if column is None else column
    uids = [token.uid for token in tokens]
    if tx.is_postgresql or len(uids) < LEAST:
        return column.in_(uids)
    return column.in_(_given(_as_stored(kind, uids)))


def are_all(
    tx: Transaction,
    kind: Kind[Any],
    which: Selection,
    tokens: Sequence[Stored],
) -> bool:
    """Return whether ``tokens`` are all of a selection, and nobody has changed one.

    For SQLite, which reads the tokens by itself.

    SQL: 1 statement, 2 with a filter; the cost of that is that of :func:`lock_many`.
    """
    there = _versions(kind)
    if not isinstance(which, TokenFilter):
        return _are_there(tx, kind, there, tokens)
    conditions = filters.conditions(tx, kind, which, filters.columns(tx, kind, is_walk=False))
    there = there.where(*conditions)
    return _are_as_many(tx, there, tokens) and _are_there(tx, kind, there, tokens)


def are_known(
    tx: Transaction,
    kind: Kind[Any],
    uids: Sequence[uuid.UUID],
    values: Sequence[str],
    tokens: Sequence[Stored],
) -> bool:
    """Return whether ``tokens`` are still those with ``uids`` or ``values``, and unchanged.

    For SQLite, as :func:`are_all`.

    SQL: 2 statements.
    """
    is_known = or_(
        filters.code_of(kind).in_(_given(values)),
        kind.tokens.c.uid.in_(_given(_as_stored(kind, uids))),
    )
    there = _versions(kind).where(is_known)
    return _are_as_many(tx, there, tokens) and _are_there(tx, kind, there, tokens)


def _are_as_many(tx: Transaction, there: Select[Any], tokens: Sequence[Stored]) -> bool:
    some = there.limit(len(tokens) + 1).subquery()
    return tx.connection.scalar(select(func.count()).select_from(some)) == len(tokens)


def _are_there(
    tx: Transaction,
    kind: Kind[Any],
    there: Select[Any],
    tokens: Sequence[Stored],
) -> bool:
    found = there.subquery()
    versions = [token.version for token in tokens]
    pairs = list(zip(_as_stored(kind, (token.uid for token in tokens)), versions, strict=True))
    given = func.json_each(json.dumps(pairs), type_=Text).table_valued("value")
    uid = func.json_extract(given.c.value, "$[0]", type_=found.c.uid.type)
    version = func.json_extract(given.c.value, "$[1]", type_=found.c.version.type)
    same = given.join(found, and_(found.c.uid == uid, found.c.version == version))
    return tx.connection.scalar(select(func.count()).select_from(same)) == len(tokens)


def _versions(kind: Kind[Any]) -> Select[Any]:
    return select(kind.tokens.c.uid, kind.tokens.c.version)


def _given(members: Sequence[object]) -> Select[Any]:
    """Return a list as SQLite reads it by itself: one value, however many members it has."""
    return select(func.json_each(json.dumps(members), type_=Text).table_valued("value").c.value)


def _as_stored(kind: Kind[Any], uids: Iterable[uuid.UUID]) -> list[object]:
    """Return uids as they stand in SQLite."""
    convert = converter(kind.tokens.c.uid) or str
    return [convert(uid) for uid in uids]
