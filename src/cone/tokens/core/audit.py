"""The replay of what happened to tokens: from their logs to what must have come of it.

Pure: entries of the logs in, findings out. Every change of a token raises its version by one, and
leaves one row, in the log of usages (a use that was granted) or in that of events. So the rows of a
token are a chain, and each can be held against the token as the rows before it made it. A refused
try changes nothing, and has the version that it found.

The time of a granted use is the very one that the rules were asked for, so no tolerance is needed;
times of different rows are never compared, except through ``locked_until``.

History begins with the event ``add``, or ``upgrade``, where an older version of the database was
taken over. Behind a ``purge`` mark, which has version 0, it goes on with what the mark tells.
Usages with version 0 are from before an upgrade.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import itertools
import json
import uuid
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from operator import itemgetter
from typing import Any
from typing import Final
from typing import NamedTuple

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.params import LAST_LOCKING
from cone.tokens.core.params import MAX_INSTANT
from cone.tokens.core.types import Status

#: The action of an event that stands for purged history.
PURGE: Final = "purge"

#: The actions that a history begins with.
BEGINNINGS: Final = ("add", "upgrade")

#: Places of entries that have the same version; the token itself comes behind all.
EVENT: Final = 0
GRANT: Final = 1
REFUSAL: Final = 2
PRESENT: Final = 3

#: Behind every version.
BEHIND: Final = 2**31


class Problem(enum.Enum):
    """What is wrong. The value is the stable slug."""

    NO_BEGINNING = "no_beginning"
    MISSING = "missing_rows"
    DOUBLE = "double_version"
    ABOVE_LIMIT = "spent_above_limit"
    IN_LOCK_TIME = "spent_in_lock_time"
    OUTSIDE_WINDOW = "spent_outside_window"
    WHILE_DISABLED = "spent_while_disabled"
    COUNT_IN_LOG = "wrong_count_in_log"
    REFUSAL = "wrong_refusal"
    EVENT = "wrong_event"
    COUNTER = "wrong_counter"
    VERSION = "wrong_version"
    LAST_USED = "wrong_last_used"
    LOCKED_UNTIL = "wrong_locked_until"
    FIELD = "wrong_field"
    GONE = "token_gone"
    DELETED = "deleted_and_there"
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a slug


_BROKEN_RULES: Final = {
    Status.DISABLED: Problem.WHILE_DISABLED,
    Status.EXHAUSTED: Problem.ABOVE_LIMIT,
    Status.LOCKED: Problem.IN_LOCK_TIME,
    Status.NOT_YET_VALID: Problem.OUTSIDE_WINDOW,
    Status.EXPIRED: Problem.OUTSIDE_WINDOW,
}

_BROKEN_RULE_TEXTS: Final = {
    Status.DISABLED: "used while it was disabled",
    Status.EXHAUSTED: "used with no use left",
    Status.LOCKED: "used while it was locked, until {state.locked_until}",
    Status.NOT_YET_VALID: "used before it was valid, from {state.valid_from}",
    Status.EXPIRED: "used after it was valid, to {state.valid_to}",
}


class Event(NamedTuple):
    """A row of the log of events; ``old`` and ``new`` are JSON."""

    token_uid: uuid.UUID
    version: int
    place: int
    action: str
    time: datetime.datetime
    old: str | None
    new: str | None
    uid: uuid.UUID


class Use(NamedTuple):
    """A row of the log of usages: granted, or refused with an ``error_code``."""

    token_uid: uuid.UUID
    version: int
    place: int
    time: datetime.datetime
    error_code: int | None
    usage_count: int | None
    receipt: uuid.UUID


class Present(NamedTuple):
    """The token as it is."""

    token_uid: uuid.UUID
    #: :data:`BEHIND`, so that it comes last.
    version: int
    place: int
    current_version: int
    value: str
    usage_count: int
    lock_time: int
    enabled: bool
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    last_used: datetime.datetime | None
    locked_until: datetime.datetime | None


Entry = Event | Use | Present

#: What entries are in the order of.
entry_order = itemgetter(0, 1, 2)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    :ivar version: where in the history of the token.
    :ivar receipt: of the row of the log of usages that it is about.
    """

    problem: Problem
    token_uid: uuid.UUID
    text: str
    version: int | None = None
    time: datetime.datetime | None = None
    receipt: uuid.UUID | None = None


@dataclasses.dataclass(slots=True)
class Counts:
    """How much was replayed.

    :ivar deleted: tokens that are gone, and have rows in the logs.
    :ivar upgraded: tokens whose history begins with an upgrade.
    :ivar rows_before: usages from before an upgrade; they were not replayed.
    :ivar purged: tokens whose history begins where the purged one ends.
    """

    tokens: int = 0
    deleted: int = 0
    events: int = 0
    uses: int = 0
    refusals: int = 0
    upgraded: int = 0
    rows_before: int = 0
    purged: int = 0


def replay(entries: Iterable[Entry], counts: Counts) -> Iterator[Finding]:
    """Return what is wrong with tokens.

    :param entries: whole histories, in :data:`entry_order`. They are read once, none is kept.
    :param counts: counts what is read.
    """
    for token_uid, history in itertools.groupby(entries, key=itemgetter(0)):
        yield from _History(token_uid, counts).replay(history)


@dataclasses.dataclass(slots=True)
class _State:
    """A token as its history made it; :class:`~cone.tokens.core.lifecycle.Consumable`."""

    value: str
    usage_count: int
    lock_time: int
    enabled: bool
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    last_used: datetime.datetime | None = None
    locked_until: datetime.datetime | None = None
    is_last_use_known: bool = True

    def use(self, time: datetime.datetime) -> None:
        """Do what a granted use does."""
        if self.usage_count > 0:
            self.usage_count -= 1
        self.be_last_used(time)

    def be_last_used(self, time: datetime.datetime | None) -> None:
        """Take the time of the last use."""
        self.last_used = time
        self.is_last_use_known = True
        self.locked_until = _locked_until(time, self.lock_time)

    def forget_last_use(self) -> None:
        """Stop knowing when the token was used last."""
        self.last_used = self.locked_until = None
        self.is_last_use_known = False

    def change(self, values: Mapping[str, Any]) -> None:
        """Take the fields that an event tells."""
        for name in _FIELDS:
            setattr(self, name, values[name])
        self.locked_until = _locked_until(self.last_used, self.lock_time)


_FIELDS: Final = ("value", "usage_count", "lock_time", "enabled", "valid_from", "valid_to")
_TIMES: Final = ("valid_from", "valid_to", "last_used")


def _locked_until(time: datetime.datetime | None, lock_time: int) -> datetime.datetime | None:
    if time is None or lock_time <= 0:
        return None
    if time > LAST_LOCKING:
        return MAX_INSTANT
    return time + datetime.timedelta(seconds=lock_time)


def _state(values: Mapping[str, Any], *, is_new: bool) -> _State:
    """Return the state that a history begins with.

    :param is_new: the token cannot have been used before.
    """
    state = _State(**{name: values[name] for name in _FIELDS})
    if is_new or "last_used" in values:
        state.be_last_used(values.get("last_used"))
    else:
        state.forget_last_use()
    return state


def _raw_values(text: str | None) -> dict[str, Any] | None:
    """Return what an event tells of a token; None where it is not readable."""
    try:
        values = json.loads(text or "")
    except ValueError:
        return None
    is_whole = isinstance(values, dict) and values.keys() >= set(_FIELDS)
    return values if is_whole else None


def _values(text: str | None) -> dict[str, Any] | None:
    """Return what an event tells of a token, times as times; None where it is not readable."""
    values = _raw_values(text)
    if values is None:
        return None
    try:
        for name in _TIMES:
            if values.get(name) is not None:
                values[name] = datetime.datetime.fromisoformat(values[name])
    except (ValueError, TypeError):
        return None
    return values


# Marks of purged history


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A mark that is to stand for the history of a token.

    :ivar values: what it tells; None: the one that there is goes as far, or nothing is known.
    :ivar replaced: the version up to which the one that there is stands for it; 0: none does.
    """

    values: dict[str, Any] | None
    replaced: int


def purge_mark(events: Sequence[Event], version: int, last_grant: Use | None = None) -> Mark:
    """Return the mark that stands for the history of a token up to ``version``.

    :param events: all that there are of the token.
    :param last_grant: the last use in that history that no mark stands for yet.
    """
    marked, told = 0, dict[int, dict[str, Any]]()
    for event in events:
        values = _raw_values(event.new)
        if values is None:
            continue
        reach = event.version
        if event.action == PURGE:
            reach = marked = int(values.get("version", 0))
        told[reach] = values
    known = [reach for reach in told if reach <= version]
    if marked >= version or not known:
        return Mark(None, marked)
    made = {name: told[max(known)][name] for name in _FIELDS} | {"version": version}
    if last_grant:
        made["usage_count"] = last_grant.usage_count
        made["last_used"] = last_grant.time.isoformat()
    elif events[0].action == "add" or "last_used" in told[marked or min(known)]:
        made["last_used"] = told[marked or min(known)].get("last_used")
    return Mark(made, marked)


@dataclasses.dataclass(frozen=True, slots=True)
class OldEvents:
    """Events of a token that may go.

    :ivar reach: the version up to which a mark has to stand for its history.
    :ivar is_whole: nothing of the token has to stay.
    """

    events: tuple[Event, ...]
    reach: int
    is_whole: bool

    @property
    def count(self) -> int:
        """How many they are, without marks."""
        return sum(event.action != PURGE for event in self.events)


def old_events(
    events: Sequence[Event],
    before: datetime.datetime,
    first_grant: int | None,
) -> OldEvents:
    """Return which of the events of a token may go.

    How a token began stays as long as it or its deletion does. What happened after a use that
    stays, stays too.

    :param events: all that there are of the token.
    :param before: events that are older may go.
    :param first_grant: version of the first use that stays.
    """
    old = [event for event in events if event.time < before and event.action != PURGE]
    if any(event.action == "delete" for event in old):
        return OldEvents(tuple(events), 0, is_whole=True)
    limit = BEHIND if first_grant is None else first_grant
    going = tuple(
        event for event in old if event.action not in BEGINNINGS and event.version < limit
    )
    return OldEvents(going, max((event.version for event in going), default=0), is_whole=False)


class _History:
    """The history of one token."""

    def __init__(self, token_uid: uuid.UUID, counts: Counts) -> None:
        self._token_uid = token_uid
        self._counts = counts
        #: None: not known, or there is no token.
        self._state: _State | None = None
        #: Of the last change.
        self._version = 0
        #: Where a mark says that purged history ends.
        self._purged_to = 0
        self._has_beginning = False
        self._has_events = False
        self._is_deleted = False
        self._is_behind_gap = False
        #: The first row of the log that has a version.
        self._first: Use | None = None
        self._rows_before = 0

    def replay(self, entries: Iterable[Entry]) -> Iterator[Finding]:
        """Return what is wrong."""
        entry: Entry | None = None
        for entry in entries:
            if isinstance(entry, Use):
                yield from self._use(entry)
            elif isinstance(entry, Event):
                yield from self._event(entry)
            else:
                yield from self._present(entry)
        if not isinstance(entry, Present):
            yield from self._absent()

    def _finding(self, problem: Problem, text: str, row: Event | Use | None = None) -> Finding:
        return Finding(
            problem=problem,
            token_uid=self._token_uid,
            text=text,
            version=row.version if row else None,
            time=row.time if row else None,
            receipt=row.receipt if isinstance(row, Use) else None,
        )

    # The chain

    def _link(self, row: Event | Use) -> Generator[Finding, None, bool]:
        """Put a change behind the last one; return whether it belongs there."""
        if row.version <= self._version:
            yield self._finding(Problem.DOUBLE, "changed a second time with this version", row)
            return False
        if self._is_deleted:
            yield self._finding(Problem.DELETED, "changed after it was deleted", row)
        yield from self._missing(row.version - 1)
        self._version = row.version
        return True

    def _missing(self, last: int) -> Iterator[Finding]:
        """Say which rows are missing where the next one should be that behind ``last``."""
        first = self._version + 1
        if first > last or self._is_deleted or not (self._has_beginning or self._purged_to):
            return
        text = f"rows of versions {first} to {last} are missing"
        yield Finding(
            problem=Problem.MISSING,
            token_uid=self._token_uid,
            text=text if last > first else f"the row of version {first} is missing",
            version=first,
        )
        self._is_behind_gap = True
        if self._state:
            self._state.forget_last_use()

    # Events

    def _event(self, event: Event) -> Iterator[Finding]:
        self._counts.events += 1
        self._has_events = True
        if event.action == PURGE:
            yield from self._begin_behind(event)
        elif event.action in BEGINNINGS and event.version == 1 and not self._has_beginning:
            yield from self._begin(event)
        # Of purged history the uses are gone for certain, events may stay for a while.
        elif event.version > self._purged_to:
            yield from self._change(event)

    def _begin_behind(self, mark: Event) -> Iterator[Finding]:
        """Begin where purged history ends."""
        values = _values(mark.new)
        version = values.get("version") if values else None
        if mark.version or self._purged_to or not values or not isinstance(version, int):
            yield self._finding(Problem.EVENT, "no mark that a purge makes", mark)
            return
        self._counts.purged += 1
        self._version = self._purged_to = version
        self._state = _state(values, is_new=False)

    def _begin(self, event: Event) -> Iterator[Finding]:
        self._has_beginning = True
        is_new = event.action == "add"
        if not is_new:
            self._counts.upgraded += 1
        elif self._rows_before:
            yield self._finding(Problem.DOUBLE, "has rows from before it was added", event)
        if self._purged_to:
            return
        yield from self._link(event)
        yield from self._take_values(event, is_new=is_new)

    def _change(self, event: Event) -> Iterator[Finding]:
        if not (yield from self._link(event)):
            return
        if self._state and not self._is_behind_gap:
            yield from self._compare_old(event, self._state)
        self._is_behind_gap = False
        if event.action == "delete":
            self._is_deleted, self._state = True, None
        else:
            yield from self._take_values(event, is_new=False)

    def _compare_old(self, event: Event, state: _State) -> Iterator[Finding]:
        old = _values(event.old)
        if old is None or any(old[name] != getattr(state, name) for name in _FIELDS):
            yield self._finding(Problem.EVENT, "its old values are not those of the token", event)

    def _take_values(self, event: Event, *, is_new: bool) -> Iterator[Finding]:
        values = _values(event.new)
        if values is None:
            yield self._finding(Problem.EVENT, "its new values cannot be read", event)
            self._state = None
        elif self._state:
            self._state.change(values)
        else:
            self._state = _state(values, is_new=is_new)

    # Usages

    def _use(self, use: Use) -> Iterator[Finding]:
        if use.version == 0:
            yield from self._before(use)
            return
        self._first = self._first or use
        if use.place == GRANT:
            self._counts.uses += 1
            yield from self._grant(use)
        else:
            self._counts.refusals += 1
            yield from self._refusal(use)

    def _before(self, use: Use) -> Iterator[Finding]:
        """Take a row from before an upgrade, of which nothing can be said."""
        self._counts.rows_before += 1
        self._rows_before += 1
        if use.usage_count is not None:
            text = "from before an upgrade, and tells of uses left"
            yield self._finding(Problem.COUNT_IN_LOG, text, use)

    def _grant(self, use: Use) -> Iterator[Finding]:
        if not (yield from self._link(use)):
            return
        state = self._state
        if state is None:
            return
        if not self._is_behind_gap:
            yield from self._broken_rules(use, state)
        state.use(use.time)
        if use.usage_count != state.usage_count:
            if not self._is_behind_gap:
                text = f"{use.usage_count} uses left, by its history {state.usage_count}"
                yield self._finding(Problem.COUNT_IN_LOG, text, use)
            if use.usage_count is not None:
                state.usage_count = use.usage_count
        self._is_behind_gap = False

    def _broken_rules(self, use: Use, state: _State) -> Iterator[Finding]:
        for rule in lifecycle.failing_rules(state, use.time):
            text = _BROKEN_RULE_TEXTS[rule.status].format(state=state)
            yield self._finding(_BROKEN_RULES[rule.status], text, use)

    def _refusal(self, use: Use) -> Iterator[Finding]:
        if use.version > self._version:
            if self._is_deleted:
                yield self._finding(Problem.DELETED, "asked for after it was deleted", use)
            yield from self._missing(use.version)
            self._version = use.version
            if self._state and use.usage_count is not None:
                self._state.usage_count = use.usage_count
        elif use.version == self._version and self._state and not self._is_behind_gap:
            yield from self._judge(use, self._state)

    def _judge(self, use: Use, state: _State) -> Iterator[Finding]:
        if use.usage_count != state.usage_count:
            text = f"refused with {use.usage_count} uses left, by its history {state.usage_count}"
            yield self._finding(Problem.REFUSAL, text, use)
            return
        told = Denial.from_code(use.error_code)
        may_be_locked = not state.is_last_use_known and told is Denial.TOKEN_LOCKED
        if not may_be_locked and told is not lifecycle.denial(state, use.time):
            yield self._finding(Problem.REFUSAL, "refused for a reason that there was not", use)

    # The end

    def _absent(self) -> Iterator[Finding]:
        """Say what is wrong with a token that is not there."""
        self._counts.deleted += 1
        if not self._has_events:
            if self._first:
                text = "was used, and there is no such token and never was"
                yield self._finding(Problem.UNKNOWN_TOKEN, text, self._first)
        elif not self._has_beginning:
            yield self._finding(Problem.NO_BEGINNING, _NO_BEGINNING)
        elif not self._is_deleted:
            yield self._finding(Problem.GONE, "is gone, and no event tells why")

    def _present(self, token: Present) -> Iterator[Finding]:
        """Hold the token against its history."""
        self._counts.tokens += 1
        if not self._has_beginning:
            yield self._finding(Problem.NO_BEGINNING, _NO_BEGINNING)
            return
        if self._is_deleted:
            yield self._finding(Problem.DELETED, "is there, though it was deleted")
            return
        yield from self._missing(token.current_version)
        if token.current_version < self._version:
            text = f"has version {token.current_version}, by its history {self._version}"
            yield self._finding(Problem.VERSION, text)
        if self._state:
            yield from self._compare(token, self._state)

    def _compare(self, token: Present, state: _State) -> Iterator[Finding]:
        if token.usage_count != state.usage_count:
            text = f"has {token.usage_count} uses left, by its history {state.usage_count}"
            yield self._finding(Problem.COUNTER, text)
        for name in _FIELDS:
            if name != "usage_count" and getattr(token, name) != getattr(state, name):
                yield self._finding(Problem.FIELD, f"its {name} is not that of its history")
        if state.is_last_use_known and token.last_used != state.last_used:
            text = f"last used {token.last_used}, by its history {state.last_used}"
            yield self._finding(Problem.LAST_USED, text)
        locked_until = _locked_until(token.last_used, token.lock_time)
        if token.locked_until != locked_until:
            text = f"locked until {token.locked_until}, by its last use {locked_until}"
            yield self._finding(Problem.LOCKED_UNTIL, text)


_NO_BEGINNING: Final = "no event tells how it began"
