"""Idempotency keys and the answers that they are bound to.

Keys are stored as digests: a key may say more than its caller thinks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from sqlalchemy import select

from cone.tokens.core.kind import Kind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import IdempotencyKey


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The answer that a key is bound to, and whether it was given to the same request."""

    is_same_request: bool
    answer: Any


def find_answer(
    tx: Transaction,
    key: IdempotencyKey,
    *,
    for_update: bool = False,
) -> RecordedAnswer | None:
    """Return the answer that ``key`` is bound to; None: it is not bound.

    SQL: 1 statement.
    """
    digests = digests_of(key)
    statement = select(REQUESTS.c.fingerprint, REQUESTS.c.answer)
    statement = statement.where(REQUESTS.c.key_hash == digests["key_hash"])
    if for_update:
        statement = statement.with_for_update()
    row = tx.connection.execute(statement).one_or_none()
    if row is None:
        return None
    return RecordedAnswer(row.fingerprint == digests["fingerprint"], json.loads(row.answer))


def bind_key(tx: Transaction, key: IdempotencyKey | None, answer: object) -> None:
    """Bind ``answer`` to ``key``; nothing without a key.

    :raises KeyTaken: it is bound already. The transaction has to be rolled back.

    SQL: 1 statement, 0 without a key. Concurrency: a second caller waits for the first one.
    """
    if key:
        tx.insert(REQUESTS, [row_of(key, answer)], "timestamp")


def row_of(key: IdempotencyKey, answer: object) -> dict[str, str]:
    """Return the row of a key, without its time."""
    return {**digests_of(key), "answer": json.dumps(answer)}


def of_kind(kind: Kind[Any], key: IdempotencyKey | None) -> IdempotencyKey | None:
    """Return ``key`` as one of a request for a kind of tokens."""
    if key is None or key.kind is not None or kind.has_old_keys:
        return key
    return dataclasses.replace(key, kind=kind.name)


def digests_of(key: IdempotencyKey) -> dict[str, str]:
    """Return the digests of a key and of the parameters and the kind of its request."""
    asked: object = dict(key.parameters)
    return {
        "key_hash": _digest([key.operation, key.caller, key.key]),
        "fingerprint": _digest([key.kind, asked] if key.kind else asked),
    }


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
