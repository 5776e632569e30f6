"""The reasons of overrides, which may tell of people, in the log of usages.

Emptied they are empty texts: that the rules did not count stays.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import false
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.transaction import Transaction

#: Receipts of uses whose reasons are told, with the versions of the token after them, by token.
Reasons = Mapping[uuid.UUID, Sequence[tuple[uuid.UUID, int]]]


def find(tx: Transaction, kind: ConsumedKind[Any], reach: Mapping[uuid.UUID, int]) -> Reasons:
    """Return the reasons of tokens.

    :param reach: tokens, each with the last version that is looked at.

    SQL: 1 statement along the index of overrides, none where the kind knows no overrides.
    """
    found = defaultdict[uuid.UUID, list[tuple[uuid.UUID, int]]](list)
    if kind.has_manners:
        usage = kind.usages.c
        sought = select(usage.token_uid, usage.uid, usage.version)
        rows = tx.connection.execute(sought.where(_is_told(kind), usage.token_uid.in_(reach)))
        for token_uid, receipt, version in rows:
            if version <= reach[token_uid]:
                found[token_uid].append((receipt, version))
    return found


def is_told(kind: ConsumedKind[Any], token_uid: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that selects the uids of tokens with a reason.

    Overrides are few: they are looked for once a statement, along their index.
    """
    if not kind.has_manners:
        return false()
    return token_uid.in_(select(kind.usages.c.token_uid).where(_is_told(kind)))


def empty(tx: Transaction, kind: ConsumedKind[Any], reasons: Reasons) -> None:
    """Empty reasons.

    SQL: 1 statement, none where there are no reasons; it is executed for each of them.
    """
    sought = [{"receipt": receipt} for told in reasons.values() for receipt, _version in told]
    if sought:
        usage = kind.usages.c
        is_one = usage.uid == bindparam("receipt", type_=usage.uid.type)
        tx.connection.execute(update(kind.usages).where(is_one).values(override=""), sought)


def _is_told(kind: ConsumedKind[Any]) -> ColumnElement[bool]:
    override = kind.usages.c.override
    return and_(override.is_not(None), override != "")
