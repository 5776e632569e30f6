"""Marks that stand for purged history, and which events may go."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from operator import attrgetter
from typing import Any
from typing import Final

from cone.tokens.core.history.entries import BEHIND
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.event_values import BEGINNINGS
from cone.tokens.core.history.event_values import PURGE
from cone.tokens.core.history.event_values import raw_values
from cone.tokens.core.history.event_values import read_mark
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.store.events import FORGET
from cone.tokens.core.store.events import as_json

#: In place of a time.
_UNKNOWN: Final = object()


@dataclasses.dataclass(frozen=True, slots=True)
class PurgeMark:
    """A mark that is to stand for the history of a token.

    :ivar values: what it tells; None: the one that there is goes as far, or nothing is known.
    :ivar replaced: the version up to which the one that there is stands for it; 0: none does.
    """

    values: dict[str, Any] | None
    replaced: int


def purge_mark(
    kind: ConsumedKind[Any],
    events: Sequence[Event],
    version: int,
    grants: Sequence[Use] = (),
) -> PurgeMark:
    """Return the mark that stands for the history of a token up to ``version``.

    :param events: all that there are of the token.
    :param grants: the uses in that history that no mark stands for yet, in their order.
    """
    marked, values_of = 0, dict[int, dict[str, Any]]()
    first = _beginning(events, version)
    for event in events:
        values = raw_values(kind, event.new)
        if values is None:
            continue
        reach = event.version
        if event.action == PURGE:
            mark = read_mark(kind, event.new)
            reach = marked = mark["version"] if mark else 0
        values_of[reach] = values
    known = [reach for reach in values_of if (first.version if first else 0) <= reach <= version]
    if marked >= version or not known:
        return PurgeMark(None, marked)
    made = {name: values_of[max(known)][name] for name in kind.audited} | {"version": version}
    if grants:
        last = grants[-1]
        made["usage_count"] = last.usage_count
        made |= zip(kind.advanced_names, map(as_json, last.advanced), strict=True)
    told = {
        reach: values_of[reach]["last_used"] for reach in known if "last_used" in values_of[reach]
    }
    # Which use stood before one that was taken back later is not known any more.
    told |= {
        use.version: _UNKNOWN if use.undone_at else use.time.isoformat()
        for use in grants
        if use.is_taken
    }
    if told:
        last_used = told[max(told)]
        made |= {} if last_used is _UNKNOWN else {"last_used": last_used}
    elif first and first.action == "add" and marked not in known:
        made["last_used"] = None
    return PurgeMark(made, marked)


def _beginning(events: Sequence[Event], version: int) -> Event | None:
    """Return the event that the life which ``version`` belongs to begins with."""
    lives = (event for event in events if event.action in BEGINNINGS and event.version <= version)
    return max(lives, key=attrgetter("version"), default=None)


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
    """Return the events of a token that may go.

    How a token began stays as long as it or its deletion does. What happened after a use that
    stays, stays too.

    :param events: all that there are of the token.
    :param before: events that are older may go.
    :param first_grant: version of the first use that stays.
    """
    old = [event for event in events if event.time < before and event.action != PURGE]
    changes = (event for event in events if event.action != FORGET)
    last = max(changes, key=attrgetter("version"), default=None)
    if last and last in old and last.action == "delete":
        return OldEvents(tuple(events), 0, is_whole=True)
    limit = BEHIND if first_grant is None else first_grant
    going = tuple(
        event for event in old if event.action not in BEGINNINGS and event.version < limit
    )
    return OldEvents(going, max((event.version for event in going), default=0), is_whole=False)
