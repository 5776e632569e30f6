"""The rows of an audit, read so that no row of a database stops it.

SQLite keeps any text in any column. A text that is no time is read as :data:`UNREADABLE`, which
no rule lets pass. A row without a readable uid or version has no place in a history: it is left
out, and counted.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Dialect
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import and_
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import select
from sqlalchemy import type_coerce
from sqlalchemy.types import BigInteger
from sqlalchemy.types import TypeEngine

from cone.tokens.core.history.entries import BEHIND
from cone.tokens.core.history.entries import EVENT
from cone.tokens.core.history.entries import FORMER
from cone.tokens.core.history.entries import PRESENT
from cone.tokens.core.history.entries import Present
from cone.tokens.core.history.entries import Use
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Kind
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import usages
from cone.tokens.core.store.filters import code_of
from cone.tokens.core.values import MIN_INSTANT

#: Where columns of a kind begin: in a row of a usage those that its uses advance, in one of a token
#: its fields.
_FIRST_ADVANCED: Final = Use._fields.index("advanced")
_MANNER_NAMES: Final = ("uses", "checkpoint", "direction", "override", "undone_at", "undone_by")
_FIRST_FIELD: Final = Present._fields.index("fields")

#: Read in place of a text that is no time; every stored time is later.
UNREADABLE: Final = MIN_INSTANT

#: The uid columns that a row needs to be replayed: logs have both, a table of tokens has ``uid``.
_PLACES: Final = ("uid", "token_uid")


class AnyTime(UtcDateTime):
    """The type of a time column that may hold unreadable values."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of ``dialect``: on SQLite the text as it stands."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return super().load_dialect_impl(dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        """Return an aware time in UTC, :data:`UNREADABLE` for what is none."""
        if dialect.name != "sqlite" or value is None:
            return super().process_result_value(value, dialect)
        try:
            # What has an offset already is none of ours, and no time any more.
            return datetime.datetime.fromisoformat(f"{value}+00:00")
        except ValueError:
            return UNREADABLE


def any_time(time: ColumnElement[datetime.datetime]) -> ColumnElement[Any]:
    """Return a time column that tolerates unreadable values."""
    return type_coerce(time, AnyTime())


def of_tokens(
    statement: Select[Any],
    token_uid: ColumnElement[uuid.UUID],
    only: Sequence[uuid.UUID] | None,
) -> Select[Any]:
    """Return ``statement``, restricted to the rows of some tokens; None: of all."""
    return statement if only is None else statement.where(token_uid.in_(only))


def has_place(table: Table) -> ColumnElement[bool]:
    """Return whether SQLite holds a row of a table that belongs into a history."""
    columns = table.columns
    uids = (_is_uid(columns[name]) for name in _PLACES if name in columns)
    if "version" not in columns:
        return and_(*uids)
    return and_(func.typeof(columns.version) == "integer", *uids)


def _is_uid(column: ColumnElement[Any]) -> ColumnElement[bool]:
    text = type_coerce(column, Text())
    return and_(func.length(text) == 32, not_(text.bool_op("GLOB")("*[^0-9a-f]*")))  # noqa: PLR2004


def count_without_place(table: Table) -> Select[int]:
    """Return the statement that counts the rows that have no place in a history."""
    # A column may hold NULL where its table was made without constraints.
    is_out = func.coalesce(not_(has_place(table)), literal(1))
    return select(func.count()).select_from(table).where(is_out)


def select_events(kind: Kind[Any]) -> Select[Any]:
    """Return the statement of :class:`~cone.tokens.core.history.entries.Event` rows."""
    event = kind.events.c
    told = (
        event.action,
        any_time(event.timestamp),
        event.old_values,
        event.new_values,
        event.uid,
        event.user,
    )
    entry = select(event.token_uid, event.version, literal(EVENT).label("place"), *told)
    return entry.order_by(event.token_uid, event.version)


def select_use(kind: ConsumedKind[Any], place: int) -> Select[Any]:
    """Return the statement that reads usages; :func:`use_of` makes entries of its rows."""
    usage = kind.usages.c
    told = (
        any_time(usage.timestamp),
        usage.error_code,
        usage.usage_count,
        usage.uid,
        usage.token_value if kind.code else null().label("token_value"),
        usage.user,
        *(_any(usage[name]) for name in kind.advanced_names),
        *(_any(usage[name]) for name in _manner_names(kind)),
    )
    return select(usage.token_uid, usage.version, literal(place).label("place"), *told)


def select_uses(
    kind: ConsumedKind[Any],
    place: int,
    condition: ColumnElement[bool],
) -> Select[Any]:
    """Return the statement of :func:`select_use` in the order of a history."""
    usage = kind.usages.c
    order = (usage.token_uid, usage.version, usage.timestamp, usage.uid)
    return select_use(kind, place).where(condition).order_by(*order)


def _manner_names(kind: ConsumedKind[Any]) -> tuple[str, ...]:
    return _MANNER_NAMES if kind.has_manners else ()


def use_of(kind: ConsumedKind[Any], row: Row[Any]) -> Use:
    """Return the entry of a row of :func:`select_use`."""
    shared = row[:_FIRST_ADVANCED]
    if not kind.has_manners:
        return Use._make((*shared, tuple(row[_FIRST_ADVANCED:]), PLAIN, None, None))
    advanced = tuple(row[_FIRST_ADVANCED : -len(_MANNER_NAMES)])
    return Use._make((*shared, advanced, _manner_of(row), row.undone_at, row.undone_by))


def _manner_of(row: Row[Any]) -> Manner:
    """Return the manner of a use; a direction that is none stays as it is, to be found."""
    manner = usages.manner_of(row)
    if row.direction is None or manner.direction:
        return manner
    return dataclasses.replace(manner, direction=row.direction)


def select_present(kind: ConsumedKind[Any]) -> Select[Any]:
    """Return the statement that reads tokens; :func:`present_of` makes entries of its rows."""
    columns = kind.tokens.c
    last = (literal(BEHIND, BigInteger).label("behind"), literal(PRESENT).label("place"))
    names = (
        *kind.audited,
        "last_used",
        "locked_until",
        "creator",
        "created",
        "modified",
        *(derived.column for derived in kind.derived),
        "last_user",
        "used_before",
        "user_before",
    )
    told = (_any(columns[name]) for name in names)
    return select(columns.uid, *last, columns.version, *told).order_by(columns.uid)


def select_former(kind: Kind[Any]) -> Select[Any]:
    """Return the statement of :class:`~cone.tokens.core.history.entries.Former` rows.

    :raises TypeError: codes of this kind are not replaced.
    """
    if kind.former_table is None:
        message = f"a {kind.name} keeps no codes that were replaced"
        raise TypeError(message)
    kept, code = kind.former_table.c, code_of(kind)
    # SQLite keeps anything in any column.
    holder = kind.tokens.alias()
    is_held = and_(holder.c[code.name] == kept.value, holder.c.uid != kept.token_uid)
    entry = (
        kept.token_uid,
        literal(BEHIND, BigInteger).label("behind"),
        literal(FORMER).label("place"),
        kept.value,
        kept.code_digest,
        holder.c.uid,
    )
    joined = kind.former_table.outerjoin(holder, is_held)
    return select(*entry).select_from(joined).order_by(kept.token_uid)


def present_of(row: Row[Any]) -> Present:
    """Return the entry of a row of :func:`select_present`."""
    return Present._make((*row[:_FIRST_FIELD], row._asdict()))


def _any(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return any_time(column) if isinstance(column.type, UtcDateTime) else column
