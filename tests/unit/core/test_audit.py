"""The replay, entry by entry: what only odd histories have."""

import datetime
import json
import uuid
from typing import Any

import pytest

from cone.tokens.core import codes
from cone.tokens.core.errors import Denial
from cone.tokens.core.history.entries import BEHIND
from cone.tokens.core.history.entries import EVENT
from cone.tokens.core.history.entries import FORMER
from cone.tokens.core.history.entries import GRANT
from cone.tokens.core.history.entries import PRESENT
from cone.tokens.core.history.entries import REFUSAL
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Former
from cone.tokens.core.history.entries import Present
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.entries import entry_order
from cone.tokens.core.history.findings import Counts
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.findings import Times
from cone.tokens.core.history.keys import Key
from cone.tokens.core.history.keys import Tried
from cone.tokens.core.history.keys import answer_of
from cone.tokens.core.history.keys import check_keys
from cone.tokens.core.history.marks import old_events
from cone.tokens.core.history.marks import purge_mark
from cone.tokens.core.history.replay import replay
from cone.tokens.core.manner import PRESENCE
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.values import DETAILS
from tests.support.factories import NOON

UID = uuid.uuid4()
FIELDS: dict[str, Any] = {
    "value": "x",
    "valid_from": None,
    "valid_to": None,
    "usage_count": 2,
    "lock_time": 0,
    "enabled": True,
    **dict.fromkeys(DETAILS),
    **dict.fromkeys(PRESENCE),
}
#: Neither inside nor outside.
NOWHERE = (None, None)


def at(seconds: int) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


def event(version: int, action: str = "update", old=None, new=None) -> Event:
    """An event; ``old`` and ``new`` are what differs from the usual fields, or a whole text."""
    texts = [
        given if isinstance(given, str) else json.dumps(FIELDS | (given or {}))
        for given in (old, new)
    ]
    told = [
        None if action in ("add", "upgrade", "purge") else texts[0],
        None if action == "delete" else texts[1],
    ]
    return Event(UID, version, EVENT, action, at(version), *told, uuid.uuid4(), None)


def mark(version: int, **values: Any) -> Event:
    return event(0, "purge", new={"version": version, "last_used": None, **values})


def use(version: int, left: int | None, seconds: int | None = None) -> Use:
    time = at(version if seconds is None else seconds)
    return Use(UID, version, GRANT, time, None, left, uuid.uuid4(), "x", "door", NOWHERE)


def refusal(version: int, left: int | None, denial: Denial = Denial.USAGE_COUNT_EXCEEDED) -> Use:
    told = (denial.code, left, uuid.uuid4(), "x", "door", NOWHERE)
    return Use(UID, version, REFUSAL, at(version), *told)


def present(version: int, **values: Any) -> Present:
    facts = {"creator": None, "created": at(1), "modified": at(1)}
    uses = dict.fromkeys(("last_used", "locked_until", "last_user", "used_before", "user_before"))
    fields = FIELDS | facts | uses | {"code_digest": codes.digest("x"), "uses_given": None} | values
    return Present(UID, BEHIND, PRESENT, version, fields)


def replaced(version: int) -> Event:
    return event(version, "replace", {}, {"value": "y"})


def former(value: Any, digest: str | None = None, holder: uuid.UUID | None = None) -> Former:
    digest = codes.digest(str(value)) if digest is None else digest
    return Former(UID, BEHIND, FORMER, value, digest, holder)


def new(tried: Use) -> Use:
    """Return a try of the token when it has its new code."""
    return tried._replace(value="y")


NEW_CODE = {"value": "y", "code_digest": codes.digest("y")}
ADD = event(1, "add")
LOCKING = event(1, "add", new={"lock_time": 10})
UPGRADE = event(1, "upgrade", new={"lock_time": 10})
USED_MARK = mark(4, last_used=at(4).isoformat())
LOCKED = Denial.TOKEN_LOCKED
EXCEEDED = Denial.USAGE_COUNT_EXCEEDED
LATE = (at(1) + datetime.timedelta(hours=2)).isoformat()
CROOKED = {"valid_from": LATE, "valid_to": NOON.isoformat()}

HISTORIES: dict[str, tuple[list[Any], list[Problem]]] = {
    "unused": ([ADD, present(1)], []),
    "used in turn": (
        [LOCKING, use(2, 1, 2), use(3, 0, 12)],
        [Problem.GONE],
    ),
    "refused for its lock": (
        [LOCKING, use(2, 1), refusal(2, 1, LOCKED), present(2, lock_time=10)],
        [Problem.COUNTER, Problem.LAST_USED],
    ),
    "used while locked": (
        [LOCKING, use(2, 1), use(3, 0), event(4, "delete", {"usage_count": 0, "lock_time": 10})],
        [Problem.IN_LOCK_TIME],
    ),
    "used above its limit": (
        [event(1, "add", new={"usage_count": 0}), use(2, -1), event(3, "delete", {})],
        [Problem.ABOVE_LIMIT, Problem.COUNT_IN_LOG, Problem.EVENT],
    ),
    "used while disabled": (
        [event(1, "add", new={"enabled": False}), use(2, 1), present(2)],
        [Problem.WHILE_DISABLED, Problem.COUNTER, Problem.FIELD, Problem.LAST_USED],
    ),
    "used too early": (
        [event(1, "add", new={"valid_from": LATE}), use(2, 1)],
        [Problem.OUTSIDE_WINDOW, Problem.GONE],
    ),
    "a count is not known": (
        [ADD, use(2, None), event(3, "delete", {"usage_count": 1})],
        [Problem.COUNT_IN_LOG],
    ),
    "refused for no reason": ([ADD, refusal(1, 2), present(1)], [Problem.REFUSAL]),
    "refused for another code without one": (
        [ADD, refusal(1, 2, Denial.REPLACED), present(1)],
        [Problem.REFUSAL],
    ),
    "refused for a code before it was replaced": (
        [ADD, refusal(1, 2, Denial.REPLACED), replaced(2), former("x"), present(2, **NEW_CODE)],
        [Problem.REFUSAL],
    ),
    "refused for a code that was replaced": (
        [
            ADD,
            replaced(2),
            new(refusal(2, 2, Denial.REPLACED)),
            former("x"),
            present(2, **NEW_CODE),
        ],
        [],
    ),
    "refused for a code that purged history may tell of": (
        [mark(4), refusal(4, 2, Denial.REPLACED), ADD, present(4)],
        [],
    ),
    "refused for a code that a missing row may tell of": (
        [
            ADD,
            event(3, "update", {"lock_time": 5}, {"lock_time": 5, "value": "y"}),
            new(refusal(3, 2, Denial.REPLACED)),
            present(3, lock_time=5, **NEW_CODE),
        ],
        [Problem.MISSING],
    ),
    "refused for a code of an earlier life": (
        [
            ADD,
            replaced(2),
            event(3, "delete", {"value": "y"}),
            event(4, "add"),
            refusal(4, 2, Denial.REPLACED),
            present(4),
        ],
        [Problem.REFUSAL],
    ),
    "the code is not kept": ([ADD, replaced(2), present(2, **NEW_CODE)], [Problem.FORMER]),
    "the code is the same again": (
        [ADD, replaced(2), event(3, "update", {"value": "y"}), present(3)],
        [],
    ),
    "a code is kept that no event tells of": ([ADD, former("z"), present(1)], [Problem.FORMER]),
    "a code is kept that purged history may tell of": (
        [mark(4), ADD, former("z"), present(4)],
        [],
    ),
    "a code is kept in a new life": (
        [ADD, event(2, "delete", {}), event(3, "add"), former("z"), present(3)],
        [Problem.FORMER],
    ),
    "a code is kept with another digest": (
        [mark(1), ADD, former("z", digest="0"), present(1)],
        [Problem.FORMER],
    ),
    "a code is kept that is no text": ([mark(1), ADD, former(7), present(1)], [Problem.FORMER]),
    "a code is kept that another token has": (
        [mark(1), ADD, former("z", holder=uuid.uuid4()), present(1)],
        [Problem.FORMER],
    ),
    "a code is kept of no token": ([former("z")], [Problem.FORMER]),
    "a code is kept of a deleted token": (
        [ADD, event(2, "delete", {}), former("x")],
        [Problem.FORMER],
    ),
    "a replacement changes nothing": (
        [ADD, event(2, "replace", {}, {}), former("x"), present(2)],
        [Problem.EVENT],
    ),
    "a replacement changes more": (
        [
            ADD,
            event(2, "replace", {}, {"value": "y", "lock_time": 5}),
            former("x"),
            present(2, lock_time=5, **NEW_CODE),
        ],
        [Problem.EVENT],
    ),
    "a replacement tells no old values": (
        [ADD, event(2, "replace", "?", {"value": "y"}), present(2, **NEW_CODE)],
        [Problem.EVENT],
    ),
    "refused with another count": ([ADD, refusal(1, 0), present(1)], [Problem.REFUSAL]),
    "a use before a refusal is missing": (
        [ADD, refusal(2, 0), use(3, 0), present(3, usage_count=0, last_used=at(3))],
        [Problem.MISSING],
    ),
    "an update is missing": (
        [ADD, use(3, 7), use(4, 6), present(4, usage_count=6, last_used=at(4))],
        [Problem.MISSING],
    ),
    "uses are missing": (
        [ADD, event(5, old={"usage_count": 0}), refusal(5, 2, LOCKED), present(5)],
        [Problem.MISSING],
    ),
    "a refusal behind a gap": (
        [ADD, use(4, None), refusal(4, 1), refusal(5, 1), refusal(5, 1), present(5)],
        [Problem.MISSING, Problem.REFUSAL, Problem.MISSING, Problem.COUNTER],
    ),
    "no version of its own": ([ADD, event(1), present(1)], [Problem.DOUBLE]),
    "the row is behind": ([ADD, event(2), present(1)], [Problem.VERSION]),
    "the row is ahead": ([ADD, present(3)], [Problem.MISSING]),
    "a lock that is none": ([ADD, present(1, locked_until=NOON)], [Problem.LOCKED_UNTIL]),
    "unreadable": (
        [ADD, event(2, new="nonsense"), use(3, 1), refusal(3, 9), refusal(4, 9), present(4)],
        [Problem.EVENT, Problem.MISSING],
    ),
    "unreadable times": (
        [ADD, event(2, new={"valid_to": "nonsense"}), present(2)],
        [Problem.EVENT],
    ),
    "no list of fields": ([ADD, event(2, new="[]"), present(2)], [Problem.EVENT]),
    "upgraded": (
        [use(0, None), UPGRADE, refusal(1, 2, LOCKED), use(2, 1), use(3, 0)],
        [Problem.IN_LOCK_TIME, Problem.GONE],
    ),
    "upgraded, then deleted": ([UPGRADE, event(2, "delete", {"lock_time": 10})], []),
    "deleted, and changed": (
        [ADD, event(2, "delete", {}), event(3), refusal(4, 2)],
        [Problem.DELETED, Problem.DELETED],
    ),
    "deleted, and there": ([ADD, event(2, "delete", {}), present(2)], [Problem.DELETED]),
    "came back": (
        [ADD, event(2, "delete", {}), event(3, "add"), use(4, 1)],
        [Problem.GONE],
    ),
    "came back, and is there": (
        [ADD, event(2, "delete", {}), event(3, "add"), present(3)],
        [],
    ),
    "came back behind a gap": (
        [ADD, event(2, "delete", {}), event(4, "add"), present(4)],
        [Problem.MISSING],
    ),
    "came back behind a purged deletion": ([mark(3), ADD, event(4, "add"), present(4)], []),
    "came back, and was purged since": ([mark(5), ADD, event(4, "add"), present(5)], []),
    "came back with nothing before": ([event(4, "add"), present(4)], []),
    "came back twice": (
        [ADD, event(2, "delete", {}), event(3, "add"), event(3, "add"), present(3)],
        [Problem.DOUBLE],
    ),
    "added while it was there": ([ADD, event(2, "add"), present(2)], [Problem.EVENT]),
    "has rows of 2.0 that are newer": ([use(0, None, 5), ADD, present(1)], [Problem.DOUBLE]),
    "has the uid of a token of 2.0": ([use(0, None), ADD, present(1)], []),
    "never there": ([use(4, 1), refusal(4, 1)], [Problem.UNKNOWN_TOKEN]),
    "gone before an upgrade": ([use(0, None)], []),
    "no beginning": ([event(3), use(4, 1)], [Problem.NO_BEGINNING]),
    "no beginning behind a mark": (
        [mark(3), use(4, 1), present(4)],
        [Problem.NO_BEGINNING],
    ),
    "behind a mark": (
        [mark(3), ADD, event(2), use(4, 1), present(4, usage_count=1, last_used=at(4))],
        [],
    ),
    "two marks": ([mark(3), mark(4), ADD, present(3)], [Problem.EVENT]),
    "a mark of nothing": ([event(0, "purge"), ADD, present(1)], [Problem.EVENT]),
    "an unreadable mark": ([event(0, "purge", new="-"), ADD, present(1)], [Problem.EVENT]),
    "a mark of the future": (
        [mark(3)._replace(time=at(9_999)), ADD, present(3)],
        [Problem.TIME],
    ),
    "added with a window that ends first": (
        [event(1, "add", new=CROOKED)],
        [Problem.EVENT, Problem.GONE],
    ),
    "given a window that ends first": (
        [ADD, event(2, new=CROOKED)],
        [Problem.EVENT, Problem.GONE],
    ),
    "upgraded by somebody": ([UPGRADE._replace(user="me")], [Problem.EVENT, Problem.GONE]),
    "deleted, with new values": (
        [ADD, event(2, "delete", {})._replace(new=json.dumps(FIELDS))],
        [Problem.EVENT],
    ),
    "came back with the version of its deletion": (
        [ADD, event(2, "delete", {}), event(2, "add")],
        [Problem.DOUBLE, Problem.GONE],
    ),
    "refused with a count that is not known, behind a gap": (
        [ADD, refusal(3, None), present(3)],
        [Problem.MISSING],
    ),
    "a use that a mark stands for": ([mark(3), use(2, 1), ADD, present(3)], [Problem.DOUBLE]),
    "refused before the last use that a mark stands for": (
        [USED_MARK, refusal(2, 2), ADD, present(4, last_used=at(4))],
        [Problem.REFUSAL],
    ),
    "refused with a version that a mark stands for, and later": (
        [USED_MARK, refusal(2, 2)._replace(time=at(5)), ADD, present(4, last_used=at(4))],
        [],
    ),
    "refused with a version that a mark stands for, which tells no use": (
        [mark(4), refusal(2, 2), ADD, present(4)],
        [],
    ),
}


@pytest.mark.parametrize(("entries", "problems"), HISTORIES.values(), ids=HISTORIES)
def test_replay_when_a_history_is_given_then_it_finds_what_is_wrong(entries, problems):
    found = list(replay(TICKET, sorted(entries, key=entry_order), Counts(), Times(at(99))))
    assert [finding.problem for finding in found] == problems


#: Events that their action does not make, and what is told of them.
MISSHAPEN = {
    "added, with old values": (
        [ADD._replace(old=json.dumps(FIELDS)), present(1)],
        "add has no old values",
    ),
    "upgraded later": ([ADD, event(2, "upgrade"), present(2)], "an upgrade has version 1"),
    "changed from what cannot be read": (
        [ADD, event(2, old="nonsense"), present(2)],
        "its old values cannot be read",
    ),
}


@pytest.mark.parametrize(("entries", "text"), MISSHAPEN.values(), ids=MISSHAPEN)
def test_replay_when_an_event_is_none_that_its_action_makes_then_it_tells_why(entries, text):
    [finding] = replay(TICKET, sorted(entries, key=entry_order), Counts(), Times(at(99)))
    *_before, misshapen, _present = entries
    assert (finding.problem, finding.text) == (Problem.EVENT, text)
    assert (finding.version, finding.time) == (misshapen.version, misshapen.time)


def test_check_keys_when_a_key_is_of_the_future_then_it_is_found():
    receipt = uuid.uuid4()
    key = Key("a" * 64, "b" * 64, json.dumps({"receipt": str(receipt)}), at(9_999))
    rows = {receipt: Tried(UID, 2, at(9_999))}
    [finding] = check_keys([(key, answer_of(key, [TICKET]))], rows, set(), Times(at(99)))
    assert (finding.problem, finding.receipt) == (Problem.REQUEST, receipt)


def test_purge_mark_when_nothing_is_known_then_there_is_none():
    assert purge_mark(TICKET, [event(1, new="nonsense")], 3).values is None
    assert purge_mark(TICKET, [mark(3), ADD], 3).values is None
    assert purge_mark(TICKET, [], 3, use(3, 1)).values is None


def test_purge_mark_when_the_last_use_is_not_known_then_it_tells_none():
    values = purge_mark(TICKET, [UPGRADE, event(2)], 2).values
    assert values == FIELDS | {"version": 2}


def test_purge_mark_when_there_is_a_mark_then_the_last_use_is_taken_over():
    used = NOON.isoformat()
    made = purge_mark(TICKET, [mark(3, last_used=used), ADD, event(4)], 4)
    assert made.values == FIELDS | {"version": 4, "last_used": used}
    assert made.replaced == 3


def test_old_events_when_a_use_stays_then_what_came_after_it_stays():
    events = [ADD, event(2), event(4)]
    assert old_events(events, at(9), 3).reach == 2
    assert old_events(events, at(9), None).reach == 4
    assert old_events(events, at(1), None).reach == 0
