"""What a filter asks, as SQL, and the indexes that it may be answered from."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import get_args

from sqlalchemy import ColumnElement
from sqlalchemy import literal

from cone.tokens.core.dialects import without_index
from cone.tokens.core.kind import Kind
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.search import text_behind
from cone.tokens.core.store import searching
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import SortKey
from cone.tokens.core.values import TokenFilter

#: Columns of lists; each has an index.
_INDEXED: Final[tuple[SortKey, ...]] = get_args(SortKey)


def columns(tx: Transaction, kind: Kind[Any], *, is_walk: bool) -> dict[str, ColumnElement[Any]]:
    """Return the columns of filters and orders; ``value`` is the code, where the kind has one.

    :param is_walk: an index may be walked along. Else the indexes are hidden from SQLite: it does
        not know how many rows match, and to find each of many takes longer than to read all.
    """
    names = ("created", "uid", *(("value",) if kind.code else ()), *kind.filtered)
    columns: dict[str, ColumnElement[Any]] = {
        name: kind.tokens.c[name_of(kind, name)] for name in names
    }
    # Few tokens have the same value there.
    return columns if is_walk else {**columns, **_hidden(tx, columns, but=kind.filtered)}


def hidden_columns(tx: Transaction, kind: Kind[Any]) -> dict[str, ColumnElement[Any]]:
    """Return :func:`columns`, each of them as one that SQLite uses no index for."""
    walked = columns(tx, kind, is_walk=True)
    return {**walked, **_hidden(tx, walked)}


def _hidden(
    tx: Transaction,
    columns: Mapping[str, ColumnElement[Any]],
    but: tuple[str, ...] = (),
) -> dict[str, ColumnElement[Any]]:
    if tx.is_postgresql:
        return {}
    return {name: without_index(column) for name, column in columns.items() if name not in but}


def conditions(
    tx: Transaction,
    kind: Kind[Any],
    matching: TokenFilter,
    columns: Mapping[str, ColumnElement[Any]],
    *,
    is_each_searched: bool = False,
) -> Iterator[ColumnElement[bool]]:
    """Return the conditions of a filter on the given :func:`columns`.

    :param is_each_searched: what is searched is looked for in each token that meets the others;
        else it is found by its index, and up to :data:`searching.MOST_FOUND` tokens are.
    :raises TypeError: tokens of this kind lack what the filter asks for.
    """
    created = columns["created"]
    if matching.search is not None:
        search = searching.has if is_each_searched else searching.is_found
        yield search(tx, kind, matching.search)
    for name, sought in matching.columns.items():
        yield _column(kind, columns, name) == sought
    if matching.value is not None:
        # One row at most: its index is always the way.
        yield code_of(kind) == matching.value
    if matching.prefix is not None:
        value = _column(kind, columns, "value")
        yield value >= matching.prefix
        end = text_behind(matching.prefix)
        if end is not None:
            yield value < end
    if matching.created_from is not None:
        yield created >= matching.created_from
    if matching.created_to is not None:
        yield created <= matching.created_to
    if matching.valid_at is not None:
        yield kind.rules.is_in_window(kind.tokens.c, literal(matching.valid_at, UtcDateTime))
    if matching.status is not None:
        yield kind.rules.has_status(kind.tokens.c, matching.status, tx.read_at)


def code_of(kind: Kind[Any]) -> ColumnElement[str]:
    """Return the column of the codes.

    :raises TypeError: tokens of this kind have none.
    """
    if kind.code is None:
        message = f"a {kind.name} has no code"
        raise TypeError(message)
    return kind.tokens.c[kind.code]


def name_of(kind: Kind[Any], asked: str) -> str:
    """Return the name of the column that filters and orders ask for as ``asked``.

    :raises TypeError: tokens of this kind have none.
    """
    if asked == "value":
        return str(code_of(kind).name)
    if asked not in ("created", "uid", *kind.filtered):
        message = f"a {kind.name} has no filter of {asked}"
        raise TypeError(message)
    return asked


def _column(
    kind: Kind[Any],
    columns: Mapping[str, ColumnElement[Any]],
    asked: str,
) -> ColumnElement[Any]:
    """Return one of :func:`columns`.

    :raises TypeError: tokens of this kind have none of this name.
    """
    name_of(kind, asked)
    return columns[asked]


def is_covered(matching: TokenFilter, by: SortKey) -> bool:
    """Return whether the index of an order answers the whole filter."""
    if matching.value is not None:
        return True
    asked = {
        "value": matching.prefix,
        "created": matching.created_from or matching.created_to,
        "rest": matching.status or matching.valid_at or matching.search or matching.columns,
    }
    return {name for name, sought in asked.items() if sought} <= {by}


def is_covered_by_any(matching: TokenFilter) -> bool:
    """Return whether one of the indexes answers the whole filter."""
    return any(is_covered(matching, by) for by in _INDEXED)


def along(matching: TokenFilter, by: SortKey) -> TokenFilter:
    """Return the part of a filter that concerns the column of an order."""
    if by == "value":
        return TokenFilter(prefix=matching.prefix)
    return TokenFilter(created_from=matching.created_from, created_to=matching.created_to)
