"""The values of events: read strictly, and held against the shape of an action.

Nothing in the log is believed: a row may have been changed by hand. That makes a finding, never
an exception.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import Protocol

from sqlalchemy import Column

from cone.tokens.core.column_types import check_of
from cone.tokens.core.kind import Kind
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store.events import FORGET
from cone.tokens.core.store.events import REPLACE
from cone.tokens.core.store.events import RESET
from cone.tokens.core.store.events import UNDO

#: The action of an event that stands for purged history.
PURGE: Final = "purge"

#: The action of a token that was taken over from an older version.
UPGRADE: Final = "upgrade"

#: The actions that a history begins with.
BEGINNINGS: Final = ("add", UPGRADE)

#: The actions of changes.
_CHANGES: Final = ("update", "enable", "disable", "delete", FORGET, REPLACE, UNDO, RESET)

_EDGES: Final = ("valid_from", "valid_to")

#: What an undo tells besides the fields, and what it changes in them.
_OF_UNDO: Final = {"receipt", "last_used"}
_UNDOES: Final = {"usage_count", *PRESENCE}

#: Besides the fields; the last use may be unknown.
_OF_MARKS: Final = ({"version"}, {"version", "last_used"})


#: Reads a value of JSON.
Reader = Callable[[Any], Any]


class Told(Protocol):
    """An event, as it stands in the log."""

    @property
    def action(self) -> str: ...  # noqa: D102 - as those of Event
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def user(self) -> str | None: ...  # noqa: D102
    @property
    def old(self) -> str | None: ...  # noqa: D102
    @property
    def new(self) -> str | None: ...  # noqa: D102


def raw_values(kind: Kind[Any], text: str | None) -> dict[str, Any] | None:
    """Return the values of an event, times as texts; None: not readable."""
    try:
        values = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not values.keys() >= set(kind.audited) - kind.later:
        return None
    return dict.fromkeys(kind.later) | values


def read_values(kind: Kind[Any], text: str | None) -> dict[str, Any] | None:
    """Return the fields that an event tells; None where they are none that a token can have."""
    values = raw_values(kind, text)
    return _read(kind, values) if values and values.keys() == set(kind.audited) else None


def read_new(kind: Kind[Any], event: Told) -> dict[str, Any] | None:
    """Return the fields that an event tells of the token afterwards, as :func:`read_values`."""
    if event.action != UNDO:
        return read_values(kind, event.new)
    undo = read_undo(kind, event.new)
    return undo.values if undo else None


@dataclasses.dataclass(frozen=True, slots=True)
class Undo:
    """What an undo tells: the use, the last one that stands, and the fields of the token."""

    receipt: uuid.UUID
    last_used: datetime.datetime | None
    values: dict[str, Any]


def read_undo(kind: Kind[Any], text: str | None) -> Undo | None:
    """Return what an undo tells; None: it cannot be read."""
    values = raw_values(kind, text)
    if values is None or values.keys() - set(kind.audited) != _OF_UNDO:
        return None
    receipt = values.pop("receipt")
    read = _read(kind, values)
    try:
        return Undo(uuid.UUID(receipt), read.pop("last_used"), read) if read else None
    except (ValueError, AttributeError):
        return None


def read_mark(kind: Kind[Any], text: str | None) -> dict[str, Any] | None:
    """Return the values of a mark of purged history; None: no purge has written it."""
    values = raw_values(kind, text)
    if values is None or values.keys() - set(kind.audited) not in _OF_MARKS:
        return None
    mark = _read(kind, values)
    return mark if mark and mark["version"] >= 1 else None


def _read(kind: Kind[Any], values: dict[str, Any]) -> dict[str, Any] | None:
    readers = _readers(kind)
    try:
        return {name: readers[name](value) for name, value in values.items()}
    except (ValueError, TypeError):
        return None


@functools.cache
def _readers(kind: Kind[Any]) -> dict[str, Reader]:
    """Return the readers of the values of an event or mark, by column."""
    columns = kind.tokens.columns
    return {name: reader_of(columns[name]) for name in (*kind.audited, "version", "last_used")}


def reader_of(column: Column[Any]) -> Reader:
    """Return the function that reads a value of a column as JSON has it, strictly.

    It raises ValueError or TypeError for what no such column holds.

    :raises TypeError: events cannot tell values of this type.
    """
    holds = check_of(column)
    is_time = isinstance(column.type, UtcDateTime)

    def read(value: Any) -> Any:
        if is_time and value is not None:
            value = datetime.datetime.fromisoformat(value)
        if not holds(value):
            raise ValueError(value)
        return value

    return read


def wrong_shape(kind: Kind[Any], event: Told) -> str | None:
    """Return the first mistake in the shape of an event; None: none.

    Marks of purged history are read by :func:`read_mark`.
    """
    problems = _of_beginning if event.action in BEGINNINGS else _of_change
    return next(problems(kind, event), None)


def _of_beginning(kind: Kind[Any], event: Told) -> Iterator[str]:
    new = read_values(kind, event.new)
    if event.old is not None:
        yield f"{event.action} has no old values"
    if new is None:
        yield "its new values cannot be read"
    elif event.action == "add":
        if _is_crooked(new):
            yield "its window ends before it begins"
    elif event.version != 1:
        yield "an upgrade has version 1"
    elif event.user is not None:
        yield "an upgrade has no user"


def _of_change(kind: Kind[Any], event: Told) -> Iterator[str]:
    old, new = read_values(kind, event.old), read_new(kind, event)
    if event.action not in _CHANGES:
        yield f"there is no action {event.action!r:.40}"
    elif old is None:
        yield "its old values cannot be read"
    elif event.action == "delete":
        if event.new is not None:
            yield "a deletion has no new values"
    elif new is None:
        yield "its new values cannot be read"
    elif not _changes_what_it_says(kind, event.action, old, new):
        yield f"{event.action} changes nothing else"
    elif _edges(old) != _edges(new) and _is_crooked(new):
        yield "its window ends before it begins"


def _changes_what_it_says(
    kind: Kind[Any],
    action: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> bool:
    if action == "update":
        return True
    if action == REPLACE:
        return [name for name in kind.audited if new[name] != old[name]] == [kind.code]
    if action == UNDO:
        return {name for name in kind.audited if new[name] != old[name]} <= _UNDOES
    if action == RESET:
        return set(PRESENCE) <= set(kind.audited) and new == {**old, **dict.fromkeys(PRESENCE)}
    if action == FORGET:
        return new == {**old, **dict.fromkeys(kind.personal)}
    return new == {**old, "enabled": action == "enable"}


def _edges(values: Mapping[str, Any]) -> list[Any]:
    return [values[name] for name in _EDGES]


def _is_crooked(values: Mapping[str, Any]) -> bool:
    start, end = _edges(values)
    return start is not None and end is not None and bool(start >= end)
