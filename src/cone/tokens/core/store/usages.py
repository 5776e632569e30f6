"""The log of usages: rows of tries, and the outcomes that they tell."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Dialect
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import outerjoin
from sqlalchemy import select
from sqlalchemy import tuple_

from cone.tokens.core.errors import Denial
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import read_instant
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import Usage
from cone.tokens.core.values import UsagePage

_DIRECTIONS: Final = {direction.value: direction for direction in Direction}


def usages(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token_uid: uuid.UUID,
    limit: int,
    before: uuid.UUID | None,
) -> UsagePage:
    """Return up to ``limit`` usages of a token, newest first.

    :param before: receipt of a usage of this token: return those before it.
    :raises LookupError: ``before`` is none.

    SQL: 1 statement, 2 with ``before``.
    """
    usage = kind.usages.c
    statement = select(kind.usages).where(usage.token_uid == token_uid)
    order: list[ColumnElement[Any]] = [usage.version, usage.timestamp, usage.uid]
    if before is not None:
        edge = tx.connection.execute(
            select(*order).where(usage.uid == before, usage.token_uid == token_uid),
        ).one_or_none()
        if edge is None:
            raise LookupError(before)
        literals = [literal(value, column.type) for value, column in zip(edge, order, strict=True)]
        statement = statement.where(tuple_(*order) < tuple_(*literals))
    statement = statement.order_by(*(column.desc() for column in order)).limit(limit + 1)
    rows = tx.connection.execute(statement).all()
    usages = tuple(usage_of(kind, row) for row in rows[:limit])
    return UsagePage(usages=usages, next=usages[-1].receipt if len(rows) > limit else None)


def find_usage(
    tx: Transaction, kind: ConsumedKind[Any], token_uid: uuid.UUID, receipt: uuid.UUID
) -> Usage | None:
    """Return the usage of a token with this ``receipt``; None: there is none.

    SQL: 1 statement.
    """
    usage = kind.usages.c
    sought = select(kind.usages).where(usage.uid == receipt, usage.token_uid == token_uid)
    row = tx.connection.execute(sought).one_or_none()
    return None if row is None else usage_of(kind, row)


def find_outcome(
    tx: Transaction,
    kind: ConsumedKind[Any],
    receipt: uuid.UUID,
) -> Outcome | None:
    """Return the outcome of the consumption with this ``receipt``, found for update.

    The last use is known as long as nothing has changed the token since.

    SQL: 1 statement.
    """
    sought = _find_outcome(kind, receipt).with_for_update(of=kind.usages)
    row = tx.connection.execute(sought).one_or_none()
    return None if row is None else _outcome(kind, row)


def find_answered(
    tx: Transaction,
    kind: ConsumedKind[Any],
    answer: Mapping[str, str | None],
) -> Outcome | None:
    """Return the outcome that the :func:`answer` of a key tells, found for update.

    SQL: 1 statement.
    """
    outcome = find_outcome(tx, kind, uuid.UUID(answer["receipt"]))
    if outcome is None or "user" not in answer:
        # Keys of before have the receipt alone.
        return outcome
    time = answer["time"] and read_instant(answer["time"])
    last = LastUse(time or None, answer["user"])
    if isinstance(outcome, Granted):
        return dataclasses.replace(outcome, before=last)
    return dataclasses.replace(outcome, last=last)


def answer(receipt: uuid.UUID, last: LastUse) -> dict[str, str | None]:
    """Return the answer of a consumption for its key: the receipt, and the use before."""
    time = last.time.isoformat() if last.time else None
    return {"receipt": str(receipt), "time": time, "user": last.user}


def details_of(kind: ConsumedKind[Any], token: Any) -> dict[str, Any]:
    """Return the columns of ``token`` that an outcome shows.

    :param token: has the columns :attr:`ConsumedKind.shown`.
    """
    return {name: getattr(token, name) for name in kind.shown}


def usage_of(kind: ConsumedKind[Any], row: Row[Any]) -> Usage:
    """Return the usage of a row of its table."""
    return Usage(
        receipt=row.uid,
        time=row.timestamp,
        denial=Denial.from_code(row.error_code),
        user=row.user,
        usage_count=row.usage_count,
        **_manner_and_undoing(kind, row),
    )


def _manner_and_undoing(kind: ConsumedKind[Any], row: Any) -> dict[str, Any]:
    if not kind.has_manners:
        return {}
    undoing = {"undone_at": row.undone_at, "undone_by": row.undone_by}
    return {"manner": manner_of(row), **undoing}


def shown_code(code: str | None, denial: Denial | None) -> str | None:
    """Return the code of a token as an outcome tells it.

    Who comes with a code that was replaced is not told the one in its place.
    """
    return None if denial is Denial.REPLACED else code


def log(
    tx: Transaction,
    kind: ConsumedKind[Any],
    row: dict[str, Any],
) -> None:
    """Log a try.

    :param row: of :func:`row_of`.

    SQL: 1 statement.
    """
    _log(tx.dialect, kind, frozenset(row)).run(tx.connection, **row)
    tx.leave_trace(kind.usages, row["uid"])


def row_of(
    kind: ConsumedKind[Any],
    token: Any,
    time: datetime.datetime,
    denial: Denial | None,
    attempt: Attempt,
) -> dict[str, Any]:
    """Return the row of a try.

    :param token: as the try left it: a row of its table, or the value made of one.
    :param denial: None: it was granted.
    """
    return {
        "uid": attempt.receipt,
        "token_uid": token.uid,
        "timestamp": time,
        "error_code": denial.code if denial else None,
        "user": attempt.actor,
        **{name: getattr(token, source) for name, source in kind.logged.items()},
        **logged_manner(attempt.manner),
    }


def logged_manner(manner: Manner) -> dict[str, Any]:
    """Return the columns of a try that tell its manner; those of a plain one stay NULL."""
    return {} if manner is PLAIN else {"uses": manner.asked, **told_manner(manner)}


def told_manner(manner: Manner, prefix: str = "") -> dict[str, str | None]:
    """Return the texts that the log has of a manner, by column."""
    return {
        f"{prefix}checkpoint": manner.checkpoint,
        f"{prefix}direction": manner.direction.value if manner.direction else None,
        f"{prefix}override": manner.override,
    }


def manner_of(row: Any) -> Manner:
    """Return the manner of a row of the log, as far as that tells it."""
    names = ("checkpoint", "direction", "override")
    checkpoint, direction, override = (getattr(row, name) for name in names)
    if row.uses is checkpoint is direction is override is None:
        return PLAIN
    return Manner(
        uses=1 if row.uses is None else row.uses,
        checkpoint=checkpoint,
        direction=_DIRECTIONS.get(direction),
        inside_until=row.inside_until,
        override=override,
    )


@prepared_once
def _log(dialect: Dialect, kind: ConsumedKind[Any], columns: frozenset[str]) -> Prepared:
    return Prepared(insert(kind.usages), dialect, sorted(columns))


def _find_outcome(kind: ConsumedKind[Any], receipt: uuid.UUID) -> Select[Any]:
    """Return the statement that reads a try and its token, where that is still there."""
    token, usage = kind.tokens.c, kind.usages.c
    read: list[Any] = [
        *usage,
        token.version.label("token_version"),
        token.last_used,
        token.last_user,
        token.used_before,
        token.user_before,
        *(token[name] for name in kind.shown),
    ]
    joined = outerjoin(kind.usages, kind.tokens, token.uid == usage.token_uid)
    return select(*read).select_from(joined).where(usage.uid == receipt)


def _outcome(kind: ConsumedKind[Any], row: Row[Any]) -> Outcome:
    """Return the outcome of a row of :func:`_find_outcome`."""
    # Nothing has changed the token since.
    is_known = row.token_version == row.version
    denial = Denial.from_code(row.error_code)
    common = {
        "token_uid": row.token_uid,
        "receipt": row.uid,
        "value": shown_code(row.token_value, denial) if kind.code else None,
        "details": details_of(kind, row),
    }
    if denial:
        last = LastUse(row.last_used, row.last_user) if is_known else None
        return Denied(denial=denial, last=last, usage_count=row.usage_count, **common)
    before = LastUse(row.used_before, row.user_before) if is_known else None
    uses = 1 if not kind.has_manners or row.uses is None else row.uses
    return Granted(usage_count=row.usage_count, before=before, uses=uses, **common)
