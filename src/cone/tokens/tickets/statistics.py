"""Counts of tries by time and outcome."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY
from sqlalchemy import ColumnElement
from sqlalchemy import FromClause
from sqlalchemy import Select
from sqlalchemy import Text
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import true

from cone.tokens.core.dialects import forbid_jit
from cone.tokens.core.errors import Denial
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.transaction import Transaction
from cone.tokens.tickets.values import Statistics
from cone.tokens.tickets.values import UsageBucket


def statistics(
    tx: Transaction,
    kind: ConsumedKind[Any],
    edges: Sequence[datetime.datetime],
) -> Statistics:
    """Count the tries of all tokens between each two neighbours of ``edges``.

    :param edges: two or more times, ascending.

    SQL: 1 statement, 2 on PostgreSQL; the cost grows with the tries in that time, not with
    the log.
    """
    pairs = list(itertools.pairwise(edges))
    given: dict[str, Any]
    forbid_jit(tx.connection)
    if tx.is_postgresql:
        given = {"starts": [start for start, _ in pairs], "ends": [end for _, end in pairs]}
    else:
        texts = [(_stored_text(start), _stored_text(end)) for start, end in pairs]
        given = {"buckets": json.dumps(texts)}
    statement = _count_usages(kind, is_postgresql=tx.is_postgresql)
    return _statistics(edges, tx.connection.execute(statement, given).all())


@functools.cache
def _count_usages(kind: ConsumedKind[Any], *, is_postgresql: bool) -> Select[Any]:
    """Return the statement that counts along the index, bucket by bucket and code by code.

    No row is looked at, and nothing is sorted into groups: that takes several times as long. The
    codes that there are are found by looking for the next one; behind the last one comes NULL,
    that of a grant.
    """
    usage = kind.usages.columns
    code = usage.error_code
    codes = select(func.min(code).label("error_code")).cte("codes", recursive=True)
    next_code = select(func.min(code)).where(code > codes.c.error_code).scalar_subquery()
    codes = codes.union_all(select(next_code).where(codes.c.error_code.is_not(None)))
    buckets, (number, start, end) = _buckets(is_postgresql=is_postgresql)
    within = select(func.count()).where(usage.timestamp >= start, usage.timestamp < end)
    granted = within.where(code.is_(None)).scalar_subquery()
    refused = within.where(code == codes.c.error_code).scalar_subquery()
    count = case((codes.c.error_code.is_(None), granted), else_=refused)
    return select(number, codes.c.error_code, count).select_from(buckets.join(codes, true()))


def _buckets(*, is_postgresql: bool) -> tuple[FromClause, tuple[ColumnElement[Any], ...]]:
    """Return a table of buckets, and its columns: number from 0, start and end."""
    if is_postgresql:
        times = [bindparam(name, type_=ARRAY(UtcDateTime())) for name in ("starts", "ends")]
        unnested = func.unnest(*times).table_valued("start", "end", with_ordinality="number")
        table = unnested.render_derived()
        return table, (table.c.number - 1, table.c.start, table.c.end)
    json_text = bindparam("buckets", type_=Text)
    table = func.json_each(json_text).table_valued("key", "value")
    start, end = (func.json_extract(table.c.value, f"$[{place}]", type_=Text) for place in (0, 1))
    return table, (table.c.key, start, end)


def _stored_text(time: datetime.datetime) -> str:
    """Return ``time`` as it stands in SQLite."""
    naive = time.astimezone(datetime.UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def _statistics(
    edges: Sequence[datetime.datetime],
    rows: Iterable[tuple[int, int | None, int]],
) -> Statistics:
    granted: Counter[int] = Counter()
    refused: dict[int, Counter[Denial | None]] = defaultdict(Counter)
    for bucket, code, count in rows:
        if not count:
            continue
        if code is None:
            granted[bucket] = count
        else:
            refused[bucket][Denial.from_code(code)] += count
    return Statistics(
        buckets=tuple(
            UsageBucket(start=edge, granted=granted[number], refused=dict(refused[number]))
            for number, edge in enumerate(edges[:-1])
        ),
        until=edges[-1],
    )
