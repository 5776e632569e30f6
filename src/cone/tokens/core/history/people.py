"""Personal data in the values of events, and what is left of it once it was to be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.event_values import PURGE
from cone.tokens.core.history.event_values import Told
from cone.tokens.core.kind import Kind
from cone.tokens.core.store.events import FORGET


class Values(NamedTuple):
    """Values that an event tells.

    :ivar column: where they stand in the row of the event.
    :ivar version: that of the token when it had them; None: not readable.
    """

    column: str
    text: str
    version: int | None


def mark_of(name: str) -> str:
    """Return the beginning of a personal column's text in the JSON of an event's values."""
    return f'"{name}": "'


def tells_of_people(kind: Kind[Any], text: str) -> bool:
    """Return whether values have personal data."""
    return any(mark_of(name) in text for name in kind.personal)


def told(event: Told) -> Iterator[Values]:
    """Return the values of an event, those before the change first."""
    # SQLite keeps anything in any column.
    if isinstance(event.old, str):
        yield Values("old_values", event.old, event.version - 1)
    if isinstance(event.new, str):
        is_mark = event.action == PURGE
        version = _read(event.new).get("version") if is_mark else event.version
        yield Values("new_values", event.new, version if isinstance(version, int) else None)


def without(text: str, names: Iterable[str]) -> str:
    """Return the text of values with some emptied; what is no JSON object as it is."""
    values = _read(text)
    emptied = dict.fromkeys(name for name in names if values.get(name) is not None)
    return json.dumps({**values, **emptied}) if emptied else text


def reaches(kind: Kind[Any], history: Sequence[Told], last: int) -> dict[str, int]:
    """Return the versions up to which the values of personal columns are those of a person.

    What stayed the same behind ``last``, the last version that is surely theirs, is theirs until it
    changed. What the token still has is that of its person now.

    :param history: all events of a token, in the order of versions.
    """
    ends = dict.fromkeys(kind.personal, last)
    before: dict[str, Any] = {}
    for event in history:
        if event.action == "delete" and event.version > last:
            after: Mapping[str, Any] = {}
        elif isinstance(event.new, str):
            after = _read(event.new)
        else:
            continue
        if event.version <= last:
            before = {name: after[name] for name in kind.personal if after.get(name) is not None}
            continue
        for name in [name for name in before if after.get(name) != before[name]]:
            ends[name] = event.version - 1
            del before[name]
    return ends


def value_of(text: str, name: str) -> object:
    """Return the value of a column; None: there is none."""
    return _read(text).get(name)


def _read(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


class Forgotten:
    """Looks through the history of a token, in the order of versions, for what was forgotten."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind
        self._to = self._to_of_uses = 0
        #: The first version that an event or a use tells personal data of.
        self._first_told: int | None = None

    def is_told(self, entry: Event | Use) -> bool:
        """Return whether an entry, or an event before it, tells what it should not any more."""
        return self._is_told_by_use(entry) if isinstance(entry, Use) else self._is_told(entry)

    def _is_told(self, event: Event) -> bool:
        if event.action == FORGET:
            self._to = max(self._to, event.version)
            # A refused try behind a change of the token has the version that it left.
            is_change = event.old is not None
            self._to_of_uses = max(self._to_of_uses, event.version - is_change)
            return self._first_told is not None and self._first_told <= event.version
        versions = [
            values.version or 0
            for values in told(event)
            if tells_of_people(self._kind, values.text)
        ]
        if not versions:
            return False
        self._note(min(versions))
        return min(versions) <= self._to

    def _is_told_by_use(self, use: Use) -> bool:
        if not (self._kind.personal and use.manner.override):
            return False
        self._note(use.version)
        return use.version <= self._to_of_uses

    def _note(self, version: int) -> None:
        """Note that personal data of a version is told."""
        first = self._first_told
        self._first_told = version if first is None else min(version, first)
