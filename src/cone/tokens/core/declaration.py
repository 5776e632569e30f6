"""What is wrong with the declaration of a kind, told when it is made and not at each use.

The names of columns are parameters and labels of the statements of the core, and fields of what the
replay of a history makes: own columns must not have those that are taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import Protocol

from sqlalchemy import String
from sqlalchemy import Table

from cone.tokens.core.column_types import check_of
from cone.tokens.core.lifecycle import USE
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import FormerColumns
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import MannerColumns
from cone.tokens.core.records import UsageColumns

#: Shared columns that events of every kind tell.
TOLD: Final = frozenset({"usage_count", "lock_time", "enabled", "valid_from", "valid_to"})

#: Other shared columns that statements need of a token that they read, and those of a token that
#: is consumed.
NEEDED: Final = frozenset({"uid", "version", "locked_until"})
NEEDED_OF_USE: Final = frozenset({"last_used", "last_user"})

#: Shared columns that a use of some kind may change besides.
_ADVANCEABLE: Final = frozenset({"enabled", "valid_from", "valid_to"})

#: Parameters and labels of statements that no own column may be called.
IN_STATEMENTS: Final = frozenset(
    {
        "actor",
        "behind",
        "code",
        "is_former",
        "is_granted",
        "is_meant",
        "is_taken",
        "meant_code",
        "now",
        "place",
        "read_at",
        "sought",
        "token_version",
        "told",
    }
)

#: Members of a token as the replay of its history makes it.
IN_REPLAY: Final = frozenset(
    {
        "be_last_used",
        "believe",
        "change",
        "forget_last_use",
        "is_last_use_known",
        "use",
    }
)


class _Derived(Protocol):
    @property
    def column(self) -> str: ...
    @property
    def source(self) -> str: ...


class Declared(Protocol):
    """A kind, as far as it is checked."""

    @property
    def tokens(self) -> Table: ...  # noqa: D102 - as in Kind
    @property
    def events(self) -> Table: ...  # noqa: D102
    @property
    def read(self) -> Callable[..., Any]: ...  # noqa: D102
    @property
    def unread(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def audited(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def later(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def personal(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def derived(self) -> Iterable[_Derived]: ...  # noqa: D102
    @property
    def code(self) -> str | None: ...  # noqa: D102
    @property
    def filtered(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def search_table(self) -> Table | None: ...  # noqa: D102
    @property
    def search_columns(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def former_table(self) -> Table | None: ...  # noqa: D102


class DeclaredUse(Protocol):
    """What a use of a kind does and tells, as far as it is checked."""

    @property
    def tokens(self) -> Table: ...  # noqa: D102 - as in ConsumedKind
    @property
    def unread(self) -> frozenset[str]: ...  # noqa: D102
    @property
    def audited(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def code(self) -> str | None: ...  # noqa: D102
    @property
    def usages(self) -> Table: ...  # noqa: D102
    @property
    def seen(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def advanced(self) -> tuple[Effect, ...]: ...  # noqa: D102
    @property
    def shown(self) -> tuple[str, ...]: ...  # noqa: D102


def check(name: str, mistakes: Iterator[str]) -> None:
    """Raise the first of ``mistakes``.

    :raises TypeError: there is one.
    """
    mistake = next(mistakes, None)
    if mistake:
        message = f"kind {name!r}: {mistake}"
        raise TypeError(message)


def mistakes(kind: Declared) -> Iterator[str]:
    """Yield the mistakes in the declaration of a kind."""
    yield from _of_table(kind.tokens, LifecycleColumns)
    yield from _of_table(kind.events, EventColumns)
    yield from _of_names(kind)
    yield from _of_audited(kind)
    yield from _of_code(kind)
    yield from _of_filtered(kind)
    yield from _of_read(kind)


def mistakes_of_use(kind: DeclaredUse) -> Iterator[str]:
    """Yield the mistakes in the declaration of how a kind is used."""
    yield from _of_table(kind.tokens, LastUseColumns)
    yield from _of_table(kind.usages, UsageColumns)
    for name in sorted(NEEDED_OF_USE & kind.unread):
        yield f"unread: {kind.tokens.c[name]} has to be read"
    yield from _of_seen(kind)
    yield from _of_advanced(kind)
    yield from _of_shown(kind)
    yield from _of_usages(kind)


def own_names(table: Table, *shared: type) -> set[str]:
    """Return the names of the columns of a table that are not among ``shared`` ones."""
    return {column.name for column in table.c} - _names_of(*shared)


def _names_of(*shared: type) -> set[str]:
    return {name for columns in shared for name in columns.__annotations__}


def _of_table(table: Table, shared: type) -> Iterator[str]:
    missing = sorted(_names_of(shared) - set(table.c.keys()))
    if missing:
        yield f"{table.name} has no {missing[0]}: its record has no {shared.__name__}"
    if not table.primary_key.name:
        yield f"the key of {table.name} has no name: its base has no naming_convention=NAMES"


def _of_names(kind: Declared) -> Iterator[str]:
    columns = kind.tokens.c
    own = own_names(kind.tokens, LifecycleColumns, LastUseColumns)
    taken = IN_STATEMENTS | IN_REPLAY | {f"new_{column.name}" for column in columns}
    for name in sorted(own & taken):
        yield f"{columns[name]} needs another name, which no statement has"
    named = {
        "unread": kind.unread,
        "audited": kind.audited,
        "derived": [one for derived in kind.derived for one in (derived.column, derived.source)],
        "code": [kind.code] if kind.code else [],
        "filtered": kind.filtered,
        "search_columns": kind.search_columns.values(),
    }
    for where, names in named.items():
        for name in sorted(set(names) - set(columns.keys())):
            yield f"{where}: {kind.tokens.name} has no column {name}"
    searched = set() if kind.search_table is None else set(kind.search_table.c.keys())
    for name in sorted(set(kind.search_columns) - searched):
        yield f"search_columns: search_table has no column {name}"


def _of_audited(kind: Declared) -> Iterator[str]:
    columns, audited = kind.tokens.c, set(kind.audited)
    for name in sorted(TOLD - audited):
        yield f"audited: {name} is missing"
    shared = _names_of(LifecycleColumns, LastUseColumns) - TOLD
    for name in sorted(audited & (shared | {derived.column for derived in kind.derived})):
        yield f"audited: no event tells {columns[name]}"
    for name in kind.audited:
        yield from _of_type("audited", kind.tokens, name)
    for where, names in (("later", kind.later), ("personal", kind.personal)):
        for name in sorted(set(names) - audited):
            yield f"{where}: {name} is not audited"
        yield from (
            f"{where}: {columns[name]} has to be nullable"
            for name in names
            if not columns[name].nullable
        )


def _of_type(where: str, table: Table, name: str) -> Iterator[str]:
    try:
        check_of(table.c[name])
    except TypeError as error:
        yield f"{where}: {error}"


def _of_code(kind: Declared) -> Iterator[str]:
    if kind.former_table is not None:
        yield from _of_table(kind.former_table, FormerColumns)
        if kind.code is None:
            yield f"former_table: there is no code that {kind.former_table.name} keeps"
    if kind.code is None:
        return
    column = kind.tokens.c[kind.code]
    if not isinstance(column.type, String):
        yield f"code: {column} is no text"
    if column.nullable:
        yield f"code: {column} must not be nullable"


def _of_filtered(kind: Declared) -> Iterator[str]:
    indexed = {index.columns[0].name for index in kind.tokens.indexes if index.columns}
    for name in kind.filtered:
        if name not in indexed:
            yield f"filtered: {kind.tokens.c[name]} has no index"


def _of_read(kind: Declared) -> Iterator[str]:
    needed = {*NEEDED, *kind.audited, kind.code or "uid"}
    for name in sorted(needed & kind.unread):
        yield f"unread: {kind.tokens.c[name]} has to be read"
    names = {column.name for column in kind.tokens.c} - kind.unread
    try:
        inspect.signature(kind.read).bind(**dict.fromkeys(names | {"read_at"}))
    except TypeError as error:
        yield f"read and unread do not fit the columns of {kind.tokens.name}: {error}"


def _of_seen(kind: DeclaredUse) -> Iterator[str]:
    columns = kind.tokens.c
    for name in kind.seen:
        if name not in columns or name in kind.unread:
            yield f"seen: read takes no {name}"
        elif columns[name].nullable:
            yield f"seen: {columns[name]} must not be nullable, for NULL is equal to nothing"
        elif f"seen_{name}" in columns:
            yield f"{columns[f'seen_{name}']} needs another name, which no statement has"
        else:
            yield from _of_type("seen", kind.tokens, name)


def _of_advanced(kind: DeclaredUse) -> Iterator[str]:
    names = [effect.column for effect in kind.advanced]
    of_every_use = {effect.column for effect in USE}
    shared = _names_of(LifecycleColumns, LastUseColumns, UsageColumns) - _ADVANCEABLE
    for name in names:
        if name in of_every_use or names.count(name) > 1:
            yield f"advanced: {name} is changed twice"
        elif name in shared or name == "token_value":
            yield f"advanced: {name} needs another name, which no shared column has"
        elif name not in kind.audited:
            yield f"advanced: {name} is not audited"
        elif name not in kind.usages.c:
            yield f"advanced: {kind.usages.name} has no column {name}"
        elif not _are_alike(kind.usages, kind.tokens, name):
            yield f"advanced: {kind.usages.c[name]} cannot hold all that {kind.tokens.c[name]} can"


def _are_alike(usages: Table, tokens: Table, name: str) -> bool:
    logged, advanced = usages.c[name], tokens.c[name]
    # Rows of the log may be from before the column was there.
    holds_null = logged.nullable or not advanced.nullable
    return holds_null and type(logged.type) is type(advanced.type)


def _of_shown(kind: DeclaredUse) -> Iterator[str]:
    own = own_names(kind.tokens, LifecycleColumns, LastUseColumns)
    for name in kind.shown:
        if name not in own or name in kind.unread:
            yield f"shown: {name} is no own column that read takes"
        elif not isinstance(kind.tokens.c[name].type, String):
            yield f"shown: {kind.tokens.c[name]} is no text"
        elif name in kind.usages.c:
            yield f"shown: {kind.tokens.c[name]} is a column of {kind.usages.name} too"


def _of_usages(kind: DeclaredUse) -> Iterator[str]:
    logged = {effect.column for effect in kind.advanced}
    if "uses" in kind.usages.c:
        yield from _of_table(kind.usages, MannerColumns)
        logged |= _names_of(MannerColumns)
    if kind.code:
        logged.add("token_value")
        if "token_value" not in kind.usages.c:
            yield f"code: {kind.usages.name} has no column token_value"
    for name in sorted(own_names(kind.usages, UsageColumns) - logged):
        yield f"{kind.usages.c[name]} is filled by no use: it is not advanced"
