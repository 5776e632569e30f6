"""Kinds of tokens: tables, values, and what a use of such a token needs and does besides.

A kind is a constant of a module: the statements of a kind are prepared once, under its identity.
What is wrong with its declaration is an error when it is made, see
:mod:`cone.tokens.core.declaration`.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Generic
from typing import Protocol
from typing import TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy import Table

from cone.tokens.core import declaration
from cone.tokens.core import lifecycle
from cone.tokens.core.lifecycle import Columns
from cone.tokens.core.lifecycle import Consumable
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.lifecycle import Rules
from cone.tokens.core.lifecycle import SqlTime
from cone.tokens.core.lifecycle import Usable
from cone.tokens.core.manner import Manner


class Stored(Consumable, Usable, Protocol):
    """A token as a statement has read it, of any kind."""

    @property
    def uid(self) -> uuid.UUID: ...  # noqa: D102 - as in its table
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def read_at(self) -> datetime.datetime: ...  # noqa: D102


T = TypeVar("T", bound=Stored)
T_co = TypeVar("T_co", bound=Stored, covariant=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Derived:
    """A column that is worked out from another one whenever that is written.

    :ivar of: returns its value for that of ``source``.
    """

    column: str
    source: str
    of: Callable[[Any], Any]


def is_no_answer(_answer: Any) -> bool:
    """Return False: no keys of the kind are bound to answers of their own."""
    return False


@dataclasses.dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Kind(Generic[T_co]):
    """A kind of tokens.

    :ivar name: for people and programs.
    :ivar tokens: has :class:`~cone.tokens.core.records.LifecycleColumns` and own ones.
    :ivar events: has :class:`~cone.tokens.core.records.EventColumns`.
    :ivar read: makes the value of a token from its columns and ``read_at``.
    :ivar unread: columns that ``read`` does not take.
    :ivar audited: columns that an event tells and ``verify`` compares; never a secret or a digest.
    :ivar later: those of them that events from before do not tell; they were NULL.
    :ivar personal: those of them that tell of people; they may be NULL.
    :ivar derived: columns that no caller gives.
    :ivar code: the column with the text that people know a token by, never NULL. It may be in order
        lists, and outcomes and the log of usages tell it. Other forms of it are found where its
        :func:`~cone.tokens.core.codes.digest` is ``derived``. None: there is none.
    :ivar filtered: columns that a filter may ask for by their whole value. Each has an index.
    :ivar search_table: has :class:`~cone.tokens.core.records.SearchColumns` and those of
        ``search_columns``. None: tokens are not searched.
    :ivar search_columns: columns of ``search_table``, each with the column of the token whose text
        it has.
    :ivar former_table: has :class:`~cone.tokens.core.records.FormerColumns`, and the triggers of
        ``migrations/former_values``. None: codes are not replaced.
    :ivar rules: when a token may be consumed.
    :ivar is_answer: whether a key may be bound to an answer, besides receipts and added tokens.
    :ivar has_old_keys: its idempotency keys are older than kinds are: they do not name it.
    """

    name: str
    tokens: Table
    events: Table
    read: Callable[..., T_co]
    unread: frozenset[str] = frozenset()
    audited: tuple[str, ...]
    later: frozenset[str] = frozenset()
    personal: tuple[str, ...] = ()
    derived: tuple[Derived, ...] = ()
    code: str | None = None
    filtered: tuple[str, ...] = ()
    search_table: Table | None = None
    search_columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    former_table: Table | None = None
    rules: Rules = lifecycle.RULES
    is_answer: Callable[[Any], bool] = is_no_answer
    has_old_keys: bool = False

    def __post_init__(self) -> None:
        """Check the declaration.

        :raises TypeError: it is wrong; the text names the column.
        """
        declaration.check(self.name, declaration.mistakes(self))

    def completed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``fields`` with the columns that are derived from them."""
        columns: dict[str, Any] = {}
        for name, value in fields.items():
            columns[name] = value
            for derived in self.derived:
                if derived.source == name:
                    columns[derived.column] = derived.of(value)
        return columns


@dataclasses.dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ConsumedKind(Kind[T_co]):
    """A kind of tokens that are consumed; they have ``LastUseColumns`` too.

    ``read`` takes ``last_user`` and the columns of ``seen``: a refusal is told by what was read.

    :ivar usages: has :class:`~cone.tokens.core.records.UsageColumns`, ``token_value`` where the
        kind has a code, a column for each one of ``advanced``, with its value afterwards, and
        :class:`~cone.tokens.core.records.MannerColumns` where tokens are used in other manners than
        the plain one.
    :ivar seen: columns of which the caller shows what it saw, never NULL; another value refuses the
        use.
    :ivar use: what a use does to shared columns.
    :ivar takes_none: the condition in SQL under which a use takes none, and is not the last one.
    :ivar advanced: what a use does to own columns; each is ``audited``.
    :ivar shown: own columns with texts that outcomes show; no use changes them.
    """

    usages: Table
    seen: tuple[str, ...] = ()
    use: tuple[Effect, ...] = lifecycle.USE
    takes_none: Callable[[Columns, SqlTime, Manner], ColumnElement[bool]] = lifecycle.always_takes
    advanced: tuple[Effect, ...] = ()
    shown: tuple[str, ...] = ()
    #: All that a use does.
    effects: tuple[Effect, ...] = dataclasses.field(init=False)
    #: Whether tokens are used in other manners than the plain one.
    has_manners: bool = dataclasses.field(init=False)
    #: The own columns that a use changes.
    advanced_names: tuple[str, ...] = dataclasses.field(init=False)
    #: The columns of a usage, each with that of the token whose value afterwards it tells.
    logged: Mapping[str, str] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Check the declaration, and work out once what each use needs.

        :raises TypeError: it is wrong; the text names the column.
        """
        Kind.__post_init__(self)
        declaration.check(self.name, declaration.mistakes_of_use(self))
        names = tuple(effect.column for effect in self.advanced)
        code = {"token_value": self.code} if self.code else {}
        logged = {**code, "usage_count": "usage_count", "version": "version"}
        object.__setattr__(self, "effects", (*self.use, *self.advanced))
        object.__setattr__(self, "has_manners", "uses" in self.usages.c)
        object.__setattr__(self, "advanced_names", names)
        object.__setattr__(self, "logged", logged | dict(zip(names, names, strict=True)))
