"""Lists of tokens: pages, walks and counts, filtered and in order."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from typing import Final
from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import select
from sqlalchemy import true
from sqlalchemy import tuple_

from cone.tokens.core.dialects import forbid_jit
from cone.tokens.core.dialects import in_no_index
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import T
from cone.tokens.core.store import filters
from cone.tokens.core.store import finding
from cone.tokens.core.store import searching
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Selection
from cone.tokens.core.values import Sort
from cone.tokens.core.values import SortKey
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenPage
from cone.tokens.core.values import TokenQuery
from cone.tokens.core.values import Unset

#: Tokens that are counted: more cannot be changed at once.
MOST_COUNTED: Final = MAX_BATCH

#: Tokens in an order that are looked at before all are.
NEAR: Final = 5_000

#: The key of a token in an order: the column that it is sorted by, and its uid.
Place = Sequence[Any]

V = TypeVar("V")


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """A direction in a list.

    :ivar limit: so many rows are enough; None: all are wanted.
    :ivar edge: the key that the rows are beyond.
    """

    by: SortKey
    limit: int | None
    edge: Place | None
    is_rising: bool = dataclasses.field(kw_only=True)

    def columns(self, columns: Mapping[str, V]) -> dict[str, V]:
        """Return those of ``columns`` that make the place of a row."""
        return {name: columns[name] for name in (self.by, "uid")}

    def key(self, columns: Mapping[str, V]) -> list[V]:
        """Return the place of a row."""
        return list(self.columns(columns).values())

    def beyond(self, key: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[bool]]:
        """Return the condition of the rows beyond the edge."""
        if self.edge is not None:
            edge, row = _literals(self.edge, key), tuple_(*key)
            yield row > edge if self.is_rising else row < edge

    def parts(self, key: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[Any]]:
        """Return the parts of the clause that orders a statement."""
        return (part.asc() if self.is_rising else part.desc() for part in key)

    def limits(
        self,
        columns: Mapping[str, ColumnElement[Any]],
        places: Sequence[Row[Any]],
    ) -> Iterator[ColumnElement[bool]]:
        """Return conditions that all rows to be returned meet, and few others.

        :param places: some in order. Rows beyond enough of them are not needed.
        """
        column = columns[self.by]
        if self.edge is not None:
            start = self.edge[0]
            yield column >= start if self.is_rising else column <= start
        if len(places) == self.limit:
            end = places[-1][0]
            yield column <= end if self.is_rising else column >= end


def find_many(
    tx: Transaction,
    kind: Kind[T],
    which: Selection,
    limit: int,
    sort: Sort,
) -> list[T]:
    """Return tokens: of uids those that are there, in that order; else in that of ``sort``.

    :param limit: of a filter no more than that are returned, whichever these are.

    SQL: 1 statement; with a filter its cost is that of :func:`count`.
    """
    if not isinstance(which, TokenFilter):
        return finding.tokens(tx, kind, finding.find_rows(tx, kind, which))
    # Python compares as the databases do.
    name = filters.name_of(kind, sort.by)
    columns = filters.columns(tx, kind, is_walk=filters.is_covered_by_any(which))
    conditions = filters.conditions(tx, kind, which, columns)
    statement = finding.select_tokens(tx.dialect.name, kind).where(*conditions).limit(limit)
    tokens = finding.tokens(tx, kind, tx.connection.execute(statement).all())
    return sorted(tokens, key=attrgetter(name, "uid"), reverse=sort.is_descending)


def hits(
    tx: Transaction,
    kind: Kind[T],
    sought: str | int,
    limit: int,
) -> list[tuple[int, T]]:
    """Return up to ``limit`` tokens that were found, each with its number; the newest first.

    :param sought: a text, or the number of a token that was found.

    SQL: 2 statements, 3 for a text.
    """
    numbers = {row.token_uid: row.id for row in searching.newest(tx, kind, sought, limit)}
    rows = finding.find_rows(tx, kind, list(numbers))
    return [(numbers[token.uid], token) for token in finding.tokens(tx, kind, rows)]


def next_part(
    tx: Transaction,
    kind: Kind[T],
    matching: TokenFilter,
    sort: Sort,
    place: Place | None,
) -> tuple[list[T], Place | None]:
    """Return the next tokens of a walk along an order, and the place where it goes on.

    :param place: where the walk is; None: at its beginning.

    None at the end. Between two parts tokens may come and go: those that are there all the time
    are met once each.

    SQL: 1 statement, 2 where no index has order and filter together: then about :data:`NEAR`
    tokens are looked at, however many match.
    """
    name = filters.name_of(kind, sort.by)
    order = _Order(sort.by, NEAR, place, is_rising=not sort.is_descending)
    if not filters.is_covered(matching, sort.by):
        rows, end = _near(tx, kind, matching, dataclasses.replace(order, limit=None))
        return finding.tokens(tx, kind, rows), end
    rows = _walked(tx, kind, matching, order)
    is_end = len(rows) < NEAR
    return finding.tokens(tx, kind, rows), None if is_end else (
        getattr(rows[-1], name),
        rows[-1].uid,
    )


def page(
    tx: Transaction,
    kind: Kind[Any],
    query: TokenQuery,
) -> TokenPage[T]:
    """Return a page of tokens: beside a token where one is named, else the first ones.

    A token that does not exist counts as not named.

    SQL: 1 statement, 2 where a token is named. Where no index has order and filter together,
    5 more at most; what they cost grows with the table, and not with the
    place of the page.
    """
    matching, sort, cursor = query.matching, query.sort, query.after or query.before
    column = kind.tokens.c[filters.name_of(kind, sort.by)]
    edge = _edge(tx, kind, cursor, column) if cursor else None
    is_backwards = edge is not None and query.after is None
    order = _Order(sort.by, query.limit + 1, edge, is_rising=sort.is_descending is is_backwards)
    count: int | Unset | None = UNSET
    if filters.is_covered(matching, sort.by):
        rows = _walked(tx, kind, matching, order)
    else:
        rows, count = _sought(tx, kind, matching, order)
    tokens = finding.tokens(tx, kind, rows[: query.limit])
    if is_backwards:
        tokens.reverse()
    there_is_more = len(rows) > query.limit
    return TokenPage(
        tokens=tuple(tokens),
        has_previous=there_is_more if is_backwards else edge is not None,
        has_next=is_backwards or there_is_more,
        count=count,
    )


def count(
    tx: Transaction,
    kind: Kind[Any],
    matching: TokenFilter = EVERYTHING,
) -> int | None:
    """Return the number of tokens that a filter matches; None: more than :data:`MOST_COUNTED`.

    SQL: 1 statement. Its cost does not grow with the table, except where no index has all that
    the filter asks for: a table of a million is read in a fraction of a second, with one
    statement more on PostgreSQL.
    """
    is_walk = filters.is_covered_by_any(matching)
    if not is_walk:
        forbid_jit(tx.connection)
    conditions = filters.conditions(tx, kind, matching, filters.columns(tx, kind, is_walk=is_walk))
    some = select(kind.tokens.c.uid).where(*conditions).limit(MOST_COUNTED + 1).subquery()
    count = tx.connection.scalar(select(func.count()).select_from(some)) or 0
    return count if count <= MOST_COUNTED else None


def _edge(
    tx: Transaction,
    kind: Kind[Any],
    uid: uuid.UUID,
    column: ColumnElement[Any],
) -> Any:
    statement = select(column, kind.tokens.c.uid).where(kind.tokens.c.uid == uid)
    return tx.connection.execute(statement).one_or_none()


def _walked(
    tx: Transaction,
    kind: Kind[Any],
    matching: TokenFilter,
    order: _Order,
) -> Sequence[Row[Any]]:
    """Return rows in order, found by walking along the index of the order."""
    columns = filters.columns(tx, kind, is_walk=True)
    conditions = filters.conditions(tx, kind, matching, columns)
    statement = finding.select_tokens(tx.dialect.name, kind).where(*conditions)
    return _in_order(tx, statement, order, columns)


def _sought(
    tx: Transaction,
    kind: Kind[Any],
    matching: TokenFilter,
    order: _Order,
) -> tuple[Sequence[Row[Any]], int | Unset | None]:
    """Return rows in order, and how many match in all, as :func:`count` has it, or UNSET.

    Many that match are near in the order. Few are found by reading the table once, from end
    to end: to look at its rows in the order of an index until enough match takes many times
    longer. Only many that are all far away are put in order by the database.
    """
    forbid_jit(tx.connection)
    if matching.search is None:
        rows, end = _near(tx, kind, matching, order)
        if end is None or len(rows) == order.limit:
            return rows, UNSET
    columns = filters.columns(tx, kind, is_walk=False)
    if matching.prefix and _has_few(tx, kind, matching.prefix):
        columns["value"] = kind.tokens.c[filters.name_of(kind, "value")]
    conditions = list(filters.conditions(tx, kind, matching, columns))
    # All that a search finds is put in order.
    most = MOST_COUNTED + 1 if matching.search is None else searching.MOST_FOUND
    places, count = _places(tx, conditions, order, columns, most)
    if count <= MOST_COUNTED or matching.search is not None:
        rows = finding.find_rows(tx, kind, [place.uid for place in places])
        return rows, count if count <= MOST_COUNTED else None
    # Most rows fail these: they come first. Keys are sorted in less time than rows.
    keys = select(*order.key(columns)).where(*order.limits(columns, places), *conditions)
    found = _in_order(tx, keys, order, columns, is_sorted=True)
    return finding.find_rows(tx, kind, [place.uid for place in found]), None


def _has_few(tx: Transaction, kind: Kind[Any], prefix: str) -> bool:
    """Return whether so few codes begin with a text that each is looked up sooner than all."""
    if tx.is_postgresql:
        # It knows how many there are, about.
        return False
    walk = filters.columns(tx, kind, is_walk=True)
    beginning = filters.conditions(tx, kind, TokenFilter(prefix=prefix), walk)
    some = select(walk["value"]).where(*beginning).limit(NEAR + 1).subquery()
    return (tx.connection.scalar(select(func.count()).select_from(some)) or 0) <= NEAR


def _places(
    tx: Transaction,
    conditions: Sequence[ColumnElement[bool]],
    order: _Order,
    columns: Mapping[str, ColumnElement[Any]],
    most: int,
) -> tuple[list[Row[Any]], int]:
    """Return keys in order, and how many match; of more than ``most`` whichever are found first."""
    named = [column.label(name) for name, column in order.columns(columns).items()]
    some = select(*named).where(*conditions).limit(most).cte("some")
    key = order.key(dict(some.columns.items()))
    best = select(*key).where(*order.beyond(key)).order_by(*order.parts(key))
    first = best.limit(order.limit).subquery("first")
    number = select(func.count().label("number")).select_from(some).subquery("number")
    key = order.key(dict(first.columns.items()))
    counted = number.outerjoin(first, true())
    statement: Select[Any] = select(*key, number.c.number).select_from(counted)
    rows = tx.connection.execute(statement.order_by(*order.parts(key))).all()
    # Without a place there is a row all the same, for the number.
    return [row for row in rows if row.uid is not None], rows[0].number


def _near(
    tx: Transaction,
    kind: Kind[Any],
    matching: TokenFilter,
    order: _Order,
) -> tuple[Sequence[Row[Any]], Place | None]:
    """Return matches among the next rows in order, and the place where these rows end.

    None: there are no others.
    """
    walk = filters.columns(tx, kind, is_walk=True)
    key = order.key(walk)
    ahead = filters.conditions(tx, kind, filters.along(matching, order.by), walk)
    reach = select(*key).where(*ahead).offset(NEAR)
    one = dataclasses.replace(order, limit=1)
    last = [tuple(row) for row in _in_order(tx, reach, one, walk)]
    # The one index that there shall be is that of the order.
    columns = {**filters.hidden_columns(tx, kind), order.by: walk[order.by], "uid": walk["uid"]}
    conditions = list(filters.conditions(tx, kind, matching, columns, is_each_searched=True))
    for place in last:
        end = _literals(place, key)
        conditions.append(tuple_(*key) <= end if order.is_rising else tuple_(*key) >= end)
    statement = finding.select_tokens(tx.dialect.name, kind).where(*conditions)
    return _in_order(tx, statement, order, columns), last[0] if last else None


def _in_order(
    tx: Transaction,
    statement: Select[Any],
    order: _Order,
    columns: Mapping[str, ColumnElement[Any]],
    *,
    is_sorted: bool = False,
) -> Sequence[Row[Any]]:
    """Return rows in order.

    :param is_sorted: no index has the order.
    """
    key = order.key(columns)
    statement = statement.where(*order.beyond(key)).limit(order.limit)
    if tx.is_postgresql and is_sorted:
        key[0] = in_no_index(key[0])
    return tx.connection.execute(statement.order_by(*order.parts(key))).all()


def _literals(place: Place, key: Sequence[ColumnElement[Any]]) -> Any:
    return tuple_(*(literal(part, of.type) for part, of in zip(place, key, strict=True)))
