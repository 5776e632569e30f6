"""The log of usages of all tokens, along its times."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import and_
from sqlalchemy import literal
from sqlalchemy import outerjoin
from sqlalchemy import select
from sqlalchemy import true
from sqlalchemy import tuple_

from cone.tokens.core.errors import Denial
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import filters
from cone.tokens.core.store.usages import details_of
from cone.tokens.core.store.usages import usage_of
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import LoggedUsage
from cone.tokens.core.values import Selection
from cone.tokens.core.values import TokenFilter

#: The results of usages; None: granted.
RESULTS: Final[tuple[Denial | None, ...]] = (None, *Denial)

#: Usages that are looked at in one statement.
PART: Final = 2_000

#: Where a walk along the times is: the time and the receipt of a usage.
Place = tuple[datetime.datetime, uuid.UUID]


def next_part(
    tx: Transaction,
    kind: ConsumedKind[Any],
    which: Selection,
    result: Denial | None,
    place: Place | None,
) -> tuple[list[LoggedUsage], Place | None]:
    """Return the next usages with a result, newest first, and the place where they go on.

    :param which: their tokens. That of uids or of a filter exists; of an empty filter it may be
        deleted.
    :param place: None: begin.

    None at the end: there are no others. :data:`PART` usages are looked at, however few match.

    SQL: 1 statement, along the index of results and times; of uids along that of tokens.
    """
    usage = kind.usages.c
    seen = select(kind.usages).where(_has(usage.error_code, result))
    if not isinstance(which, TokenFilter):
        seen = seen.where(usage.token_uid.in_(which))
    if place is not None:
        time, receipt = place
        edge = tuple_(literal(time, UtcDateTime), literal(receipt, usage.uid.type))
        # The first says the same: along an index SQLite looks for that alone.
        seen = seen.where(usage.timestamp <= literal(time, UtcDateTime))
        seen = seen.where(tuple_(usage.timestamp, usage.uid) < edge)
    seen = seen.order_by(usage.timestamp.desc(), usage.uid.desc()).limit(PART)
    part = seen.subquery("part")
    joined = outerjoin(part, kind.tokens, kind.tokens.c.uid == part.c.token_uid)
    shown = [kind.tokens.c[name] for name in kind.shown]
    meant = and_(true(), *_conditions(tx, kind, which)).label("is_meant")
    statement = select(*part.c, *shown, meant).select_from(joined)
    rows = tx.connection.execute(
        statement.order_by(part.c.timestamp.desc(), part.c.uid.desc())
    ).all()
    found = [_logged(kind, row) for row in rows if row.is_meant]
    return found, (rows[-1].timestamp, rows[-1].uid) if len(rows) == PART else None


def _has(column: ColumnElement[Any], result: Denial | None) -> ColumnElement[bool]:
    return column.is_(None) if result is None else column == result.code


def _conditions(
    tx: Transaction,
    kind: ConsumedKind[Any],
    which: Selection,
) -> Iterator[ColumnElement[bool]]:
    if not isinstance(which, TokenFilter) or which == EVERYTHING:
        return
    yield kind.tokens.c.uid.is_not(None)
    columns = filters.hidden_columns(tx, kind)
    yield from filters.conditions(tx, kind, which, columns, is_each_searched=True)


def _logged(kind: ConsumedKind[Any], row: Any) -> LoggedUsage:
    return LoggedUsage(
        usage=usage_of(kind, row),
        token_uid=row.token_uid,
        value=row.token_value if kind.code else None,
        details=details_of(kind, row),
    )
