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
from sqlalchemy import CTE
from sqlalchemy import ColumnElement
from sqlalchemy import CompoundSelect
from sqlalchemy import FromClause
from sqlalchemy import Select
from sqlalchemy import Text
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import literal_column
from sqlalchemy import select
from sqlalchemy import true
from sqlalchemy import union_all

from cone.tokens.core.dialects import forbid_jit
from cone.tokens.core.errors import Denial
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import Direction
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.transaction import Transaction
from cone.tokens.tickets.values import CheckpointCounts
from cone.tokens.tickets.values import Statistics
from cone.tokens.tickets.values import UsageBucket


def statistics(
    tx: Transaction,
    kind: ConsumedKind[Any],
    edges: Sequence[datetime.datetime],
    checkpoint: str | None = None,
) -> Statistics:
    """Count the tries of all tokens between each two neighbours of ``edges``.

    A use that was taken back counts nowhere. Exits, and uses that overrode a rule, are counted
    apart.

    :param edges: two or more times, ascending.
    :param checkpoint: the one whose tries are counted; None: all tries are.

    SQL: 3 statements, 4 on PostgreSQL; the cost grows with the tries in that time and with the
    checkpoints, not with the log.
    """
    pairs = list(itertools.pairwise(edges))
    given: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
    forbid_jit(tx.connection)
    if tx.is_postgresql:
        given |= {"starts": [start for start, _ in pairs], "ends": [end for _, end in pairs]}
    else:
        texts = [(_stored_text(start), _stored_text(end)) for start, end in pairs]
        given |= {"buckets": json.dumps(texts)}
    statement = _count_usages(
        kind, is_of_checkpoint=checkpoint is not None, is_postgresql=tx.is_postgresql
    )
    rows = tx.connection.execute(statement, given).all()
    return _statistics(edges, rows, _at_checkpoints(tx, kind, edges[0], edges[-1]))


@functools.cache
def _count_usages(
    kind: ConsumedKind[Any], *, is_of_checkpoint: bool, is_postgresql: bool
) -> Select[Any]:
    """Return the statement that counts along the index, bucket by bucket and code by code.

    No row is looked at but those of exits and overrides, and nothing is sorted into groups: that
    takes several times as long. With the number of grants come those that were taken back, and
    those that stand and overrode a rule or went out.
    """
    usage = kind.usages.columns
    codes = _every(usage.error_code, "codes")
    buckets, (number, start, end) = _buckets(is_postgresql=is_postgresql)
    within = select(func.count()).where(usage.timestamp >= start, usage.timestamp < end)
    if is_of_checkpoint:
        within = within.where(usage.checkpoint == bindparam("checkpoint"))
    is_grant = codes.c.error_code.is_(None)
    granted = within.where(usage.error_code.is_(None)).scalar_subquery()
    refused = within.where(usage.error_code == codes.c.error_code).scalar_subquery()
    undone = within.where(usage.undone_at.is_not(None)).scalar_subquery()
    overridden = within.where(*_overrides(kind)).scalar_subquery()
    exits = within.where(*_exits(kind)).scalar_subquery()
    return select(
        number,
        codes.c.error_code,
        case((is_grant, granted), else_=refused),
        case((is_grant, undone), else_=0),
        case((is_grant, overridden), else_=0),
        case((is_grant, exits), else_=0),
    ).select_from(buckets.join(codes, true()))


def _overrides(kind: ConsumedKind[Any]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select uses that stand and overrode a rule."""
    return kind.usages.columns.override.is_not(None), *_stand(kind)


def _exits(kind: ConsumedKind[Any]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select exits that stand; none of them overrides a rule."""
    usage = kind.usages.columns
    # In the words of the condition of their index.
    is_exit = usage.direction == literal_column(f"'{Direction.OUT.value}'")
    return is_exit, *_stand(kind)


def _stand(kind: ConsumedKind[Any]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select granted uses that were not taken back.

    A refused try is sought in a way that no index serves but that of the condition beside it.
    """
    usage = kind.usages.columns
    return func.coalesce(usage.error_code, 0) == 0, usage.undone_at.is_(None)


def _every(
    column: ColumnElement[Any], name: str, is_there: ColumnElement[bool] | None = None
) -> CTE:
    """Return a table of the values that an indexed column has, and NULL behind the last one.

    They are found by looking for the next one.

    :param is_there: the condition that selects values; None: they are not NULL.
    """
    condition = column.is_not(None) if is_there is None else is_there
    first = select(func.min(column).label(column.name)).where(condition)
    found = first.cte(name, recursive=True)
    last = found.c[column.name]
    following = select(func.min(column)).where(column > last).scalar_subquery()
    return found.union_all(select(following).where(last.is_not(None)))


def _at_checkpoints(
    tx: Transaction, kind: ConsumedKind[Any], start: datetime.datetime, end: datetime.datetime
) -> tuple[CheckpointCounts, ...]:
    """Return the counts of each checkpoint between two times, in the order of names."""
    given = {"start": start, "end": end}
    apart: dict[str, Counter[str]] = {"overridden": Counter(), "exits": Counter()}
    for what, checkpoint, count in tx.connection.execute(_apart_at_checkpoints(kind), given):
        apart[what][checkpoint] = count
    granted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for checkpoint, code, count in tx.connection.execute(_count_at_checkpoints(kind), given):
        (granted if code is None else refused)[checkpoint] += count
    return tuple(
        CheckpointCounts(
            checkpoint=name,
            granted=granted[name] - apart["overridden"][name] - apart["exits"][name],
            exits=apart["exits"][name],
            overridden=apart["overridden"][name],
            refusals=refused[name],
        )
        for name in sorted(granted | refused)
    )


def _in_time(kind: ConsumedKind[Any]) -> tuple[ColumnElement[bool], ...]:
    time = kind.usages.columns.timestamp
    start, end = (bindparam(name, type_=time.type) for name in ("start", "end"))
    return time >= start, time < end


@functools.cache
def _count_at_checkpoints(kind: ConsumedKind[Any]) -> Select[Any]:
    """Return the statement that counts along the index, checkpoint by checkpoint."""
    usage = kind.usages.columns
    codes = _every(usage.error_code, "codes")
    # No name is less; PostgreSQL would leave "is not NULL" out, which the index says of all.
    checkpoints = _every(usage.checkpoint, "checkpoints", usage.checkpoint >= "")
    checkpoint, code = checkpoints.c.checkpoint, codes.c.error_code
    within = select(func.count()).where(usage.checkpoint == checkpoint, *_in_time(kind))
    stand = usage.error_code.is_(None), usage.undone_at.is_(None)
    granted = within.where(*stand).scalar_subquery()
    refused = within.where(usage.error_code == code).scalar_subquery()
    count = case((code.is_(None), granted), else_=refused)
    joined = checkpoints.join(codes, true())
    return select(checkpoint, code, count).select_from(joined).where(checkpoint.is_not(None))


@functools.cache
def _apart_at_checkpoints(kind: ConsumedKind[Any]) -> CompoundSelect[Any]:
    """Return the statement of what is counted apart, by checkpoint: overrides and exits."""
    usage = kind.usages.columns
    counted = {"overridden": _overrides(kind), "exits": _exits(kind)}
    return union_all(
        *(
            select(literal(what), usage.checkpoint, func.count())
            .where(usage.checkpoint.is_not(None), *conditions, *_in_time(kind))
            .group_by(usage.checkpoint)
            for what, conditions in counted.items()
        )
    )


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
    rows: Iterable[tuple[int, int | None, int, int, int, int]],
    checkpoints: tuple[CheckpointCounts, ...],
) -> Statistics:
    granted: Counter[int] = Counter()
    overridden: Counter[int] = Counter()
    exits: Counter[int] = Counter()
    refused: dict[int, Counter[Denial | None]] = defaultdict(Counter)
    for bucket, code, count, undone, over, out in rows:
        if not count:
            continue
        if code is None:
            granted[bucket] = count - undone - over - out
            overridden[bucket], exits[bucket] = over, out
        else:
            refused[bucket][Denial.from_code(code)] += count
    return Statistics(
        buckets=tuple(
            UsageBucket(
                start=edge,
                granted=granted[number],
                overridden=overridden[number],
                exits=exits[number],
                refused=dict(refused[number]),
            )
            for number, edge in enumerate(edges[:-1])
        ),
        until=edges[-1],
        checkpoints=checkpoints,
    )
