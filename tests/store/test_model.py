"""Any sequence of use cases, against a model of the contract in the plainest Python (2 to 4, 6).

The clock of both databases is moved, to the microsecond. On SQLite ours is injected. On
PostgreSQL the statements ask ``clock_timestamp()``: a schema that is searched before
``pg_catalog`` has one that reads a table. Shifting the rows instead would leave it to chance
whether an edge is hit.
"""

import contextlib
import copy
import dataclasses
import datetime
import functools
import hashlib
import json
import unicodedata
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import Bundle
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import consumes
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import multiple
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import delete
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.database import Database
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import NotUndone
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import UidTaken
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import Base
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenFormerRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges
from tests.conftest import EXAMPLES
from tests.conftest import MovableClock

MICROSECOND = datetime.timedelta(microseconds=1)
MISTAKES = (
    IdempotencyConflict,
    InvalidParameter,
    NotUndone,
    Replaced,
    TokenChanged,
    TokenNotFound,
    UidTaken,
    Unfinished,
    ValueTaken,
)
CODES = {
    "usage_count_exceeded": 2,
    "token_locked": 3,
    "out_of_time_range": 4,
    "token_disabled": 7,
    "wrong_checkpoint": 8,
    "already_inside": 9,
    "not_inside": 10,
    "replaced": 11,
    "not_enough_uses": 12,
}
RECORDS = (
    TokenRecord,
    TokenUsageRecord,
    TokenEventRecord,
    TokenRequestRecord,
    TokenFormerRecord,
)
DETAILS = ("label", "email", "category", "note", "data")
FIELDS = ("value", "valid_from", "valid_to", "usage_count", "lock_time", "enabled", *DETAILS)
PRESENCE = ("inside_until", "outside_until")
MOST = 2_147_483_647
#: Whoever took a use may take it back for so long.
OWN_TIME = datetime.timedelta(minutes=15)


# The model


@dataclasses.dataclass
class ModelToken:
    uid: uuid.UUID
    value: str
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    usage_count: int
    lock_time: int
    enabled: bool
    creator: str
    created: datetime.datetime
    modified: datetime.datetime
    last_used: datetime.datetime | None = None
    last_user: str | None = None
    used_before: datetime.datetime | None = None
    user_before: str | None = None
    version: int = 1
    label: str | None = None
    email: str | None = None
    category: str | None = None
    note: str | None = None
    data: str | None = None
    uses_given: int = 0
    inside_until: datetime.datetime | None = None
    outside_until: datetime.datetime | None = None

    def is_inside(self, now: datetime.datetime) -> bool:
        return self.inside_until is not None and now < self.inside_until

    def is_outside(self, now: datetime.datetime) -> bool:
        return self.outside_until is not None and now < self.outside_until

    @property
    def code_digest(self) -> str:
        form = unicodedata.normalize("NFD", self.value).casefold()
        return hashlib.sha256(form.encode()).hexdigest()[:32]

    @property
    def locked_until(self) -> datetime.datetime | None:
        if self.last_used is None or self.lock_time == 0:
            return None
        return self.last_used + datetime.timedelta(seconds=self.lock_time)

    @property
    def changeable(self) -> dict[str, Any]:
        """The fields that an event tells, as it does."""
        fields = {name: getattr(self, name) for name in (*FIELDS, *PRESENCE)}
        return {name: as_text(value) for name, value in fields.items()}


@dataclasses.dataclass
class Try:
    """A row of the usage log."""

    receipt: uuid.UUID
    token_uid: uuid.UUID
    value: str
    time: datetime.datetime
    reason: str | None
    user: str
    usage_count: int
    version: int
    manner: Manner = PLAIN
    #: Taken, or asked for where it was refused; None in a row of the plain manner.
    uses: int | None = None
    inside_until: datetime.datetime | None = None
    outside_until: datetime.datetime | None = None
    undone_at: datetime.datetime | None = None
    undone_by: str | None = None

    @property
    def is_last_use(self) -> bool:
        """Whether it is a use, and not an exit or the free entry after one."""
        return self.uses != 0 or self.manner.override is not None


@dataclasses.dataclass
class Event:
    token_uid: uuid.UUID
    action: str
    user: str
    time: datetime.datetime
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    version: int


@dataclasses.dataclass
class Bound:
    """What an idempotency key is bound to."""

    parameters: dict[str, Any]
    answer: Any


@dataclasses.dataclass
class Meant:
    """What a text means: a token by its code, or by one that it had."""

    token: ModelToken
    code: str
    is_former: bool = False


class Model:
    """What the contract says, without a database. A mistake is the class of its error."""

    def __init__(self) -> None:
        self.tokens: dict[uuid.UUID, ModelToken] = {}
        self.tries: list[Try] = []
        self.events: list[Event] = []
        self.keys: dict[tuple[str, str, str], Bound] = {}
        self.former: dict[str, uuid.UUID] = {}

    def is_free(self, token: ModelToken, now: datetime.datetime, manner: Manner) -> bool:
        """Whether a use of this manner takes none: an exit, or the entry after one."""
        is_entry = manner.direction is Direction.IN
        return manner.direction is Direction.OUT or (is_entry and token.is_outside(now))

    def reason(
        self, token: ModelToken, now: datetime.datetime, manner: Manner = PLAIN
    ) -> str | None:
        if manner.override is not None:
            return None
        refusals = self.refusals(token, now, manner)
        return next((reason for reason, is_refused in refusals.items() if is_refused), None)

    def refusals(
        self, token: ModelToken, now: datetime.datetime, manner: Manner
    ) -> dict[str, bool]:
        """Return which rules a token breaks, in the order in which they are asked."""
        is_exit = manner.direction is Direction.OUT
        takes = not self.is_free(token, now, manner)
        is_other = manner.categories is not None and token.category not in manner.categories
        is_entry_inside = manner.direction is Direction.IN and token.is_inside(now)
        most = token.usage_count if token.usage_count > 0 else 100
        is_locked = token.locked_until is not None and now < token.locked_until
        is_early = token.valid_from is not None and now < token.valid_from
        is_late = token.valid_to is not None and now > token.valid_to
        return {
            "token_disabled": not token.enabled,
            "wrong_checkpoint": is_other,
            "already_inside": is_entry_inside,
            "not_inside": is_exit and not token.is_inside(now),
            "usage_count_exceeded": takes and token.usage_count == 0,
            "not_enough_uses": takes and manner.uses > most,
            "token_locked": takes and is_locked,
            "out_of_time_range": not is_exit and (is_early or is_late),
        }

    def find_by_value(self, value: str) -> ModelToken | None:
        return next((token for token in self.tokens.values() if token.value == value), None)

    def is_unknown(self, value: str, uid: uuid.UUID | None = None) -> bool:
        """Whether no other token than that of a uid has the value, or had it."""
        holder = self.find_by_value(value)
        return (holder is None or holder.uid == uid) and self.former.get(value, uid) == uid

    @property
    def codes(self) -> dict[str, Meant]:
        former = {code: Meant(self.tokens[uid], code, True) for code, uid in self.former.items()}
        return former | {token.value: Meant(token, token.value) for token in self.tokens.values()}

    def find_meant(self, text: str) -> Meant | None:
        """The exact code, the one without blanks, the only one in any case."""
        codes, plain = self.codes, unicodedata.normalize("NFC", text.strip())
        for exact in (text, plain):
            if exact in codes:
                return codes[exact]
        alike = [meant for code, meant in codes.items() if code.upper() == plain.upper()]
        return alike[0] if len(alike) == 1 and plain else None

    def may_go_on(self, text: str, meant: Meant | None) -> bool:
        """Whether another code begins with a text, or with what it was read as."""
        texts = [text, text.strip()]
        texts += [*map(str.upper, texts), *map(str.lower, texts)]
        return any(map(self.is_beginning, [*texts, meant.code] if meant else texts))

    def is_beginning(self, text: str) -> bool:
        return any(code.startswith(text) and code != text for code in self.codes if text)

    def bound(self, key: IdempotencyKey | None) -> Bound | None:
        return self.keys.get((key.operation, key.caller, key.key)) if key else None

    def bind(self, key: IdempotencyKey | None, answer: Any) -> None:
        if key:
            place = (key.operation, key.caller, key.key)
            self.keys[place] = Bound(dict(key.parameters), copy.copy(answer))

    def consume(
        self,
        token: ModelToken,
        now: datetime.datetime,
        user: str,
        manner: Manner,
        reason: str | None = None,
    ) -> Try:
        reason = reason or self.reason(token, now, manner)
        uses = self.uses(token, now, manner, reason)
        if reason is None:
            token.usage_count -= uses if token.usage_count > 0 else 0
            if uses or manner.override is not None:
                token.used_before, token.user_before = token.last_used, token.last_user
                token.last_used, token.last_user = now, user
            if manner.direction is Direction.IN:
                token.inside_until, token.outside_until = manner.inside_until, None
            if manner.direction is Direction.OUT:
                token.inside_until, token.outside_until = None, token.inside_until
            token.version += 1
        one = Try(
            receipt=uuid.UUID(int=0),
            token_uid=token.uid,
            value=token.value,
            time=now,
            reason=reason,
            user=user,
            usage_count=token.usage_count,
            version=token.version,
            manner=manner,
            uses=None if manner is PLAIN else uses,
            inside_until=token.inside_until,
            outside_until=token.outside_until,
        )
        self.log(one)
        return one

    def uses(
        self, token: ModelToken, now: datetime.datetime, manner: Manner, reason: str | None
    ) -> int:
        """Return how many uses are taken, or asked for."""
        if manner.direction is Direction.OUT:
            return 0
        if manner.override is not None and token.usage_count == 0:
            return 0
        is_free = reason is None and manner.override is None and self.is_free(token, now, manner)
        return 0 if is_free else manner.uses

    def tries_of_life(self, token: ModelToken) -> list[Try]:
        """Return the granted tries of a token since it was added, without those undone."""
        adding = [
            event.version
            for event in self.events
            if event.token_uid == token.uid and event.action == "add"
        ]
        ours = (one for one in self.tries if one.token_uid == token.uid and one.reason is None)
        found = [one for one in ours if one.version > max(adding)]
        return sorted(found, key=lambda one: one.version)

    def undo(self, token: ModelToken, one: Try, now: datetime.datetime, user: str) -> int:
        """Take a use back; return how many come back."""
        uses = 1 if one.uses is None else one.uses
        if one.undone_at is not None:
            return uses
        old = token.changeable
        self.give_back(token, one, uses)
        one.undone_at, one.undone_by = now, user
        token.version += 1
        told = {"receipt": str(one.receipt), "last_used": as_text(token.last_used)}
        new = token.changeable | told
        self.events.append(Event(token.uid, "undo", user, now, old, new, token.version))
        return uses

    def give_back(self, token: ModelToken, one: Try, uses: int) -> None:
        if token.usage_count >= 0:
            token.usage_count = min(token.usage_count + uses, MOST)
        tries = self.tries_of_life(token)
        standing = [other for other in tries if other.undone_at is None and other is not one]
        taken = [(other.time, other.user) for other in standing if other.is_last_use]
        last, before = [*reversed(taken), (None, None), (None, None)][:2]
        (token.last_used, token.last_user), (token.used_before, token.user_before) = last, before
        resets = [
            event.version
            for event in self.events
            if event.token_uid == token.uid and event.action == "reset"
        ]
        passages = [other for other in standing if other.manner.direction]
        later = [other.version for other in passages] + resets
        if one.manner.direction and max(later, default=0) < one.version:
            passages = [other for other in passages if other.version > max(resets, default=0)]
            for name in PRESENCE:
                setattr(token, name, getattr(passages[-1], name) if passages else None)

    def reset(self, now: datetime.datetime, user: str) -> int:
        """Let no token be inside or outside; return how many were."""
        found = [
            each for each in self.tokens.values() if each.is_inside(now) or each.is_outside(now)
        ]
        for token in found:
            self.update(token, dict.fromkeys(PRESENCE), now, user)
            self.events[-1].action = "reset"
        return len(found)

    def log(self, one: Try) -> None:
        self.tries.append(one)

    def add(self, uid: uuid.UUID, new: NewTicket, now: datetime.datetime, user: str) -> None:
        token = ModelToken(
            uid=uid,
            value=str(uid) if new.value is None else code_of(new.value),
            valid_from=new.valid_from,
            valid_to=new.valid_to,
            usage_count=new.usage_count,
            lock_time=new.lock_time,
            enabled=new.enabled,
            creator=user,
            created=now,
            modified=now,
            uses_given=new.usage_count,
            version=1
            + max((each.version for each in self.events if each.token_uid == uid), default=0),
            **{name: getattr(new, name) for name in DETAILS},
        )
        self.tokens[uid] = token
        self.events.append(Event(uid, "add", user, now, None, token.changeable, token.version))

    def versions(self, uid: uuid.UUID) -> list[int]:
        return [event.version for event in self.events if event.token_uid == uid]

    def update(
        self,
        token: ModelToken,
        changed: dict[str, Any],
        now: datetime.datetime,
        user: str,
    ) -> None:
        if not changed:
            return
        old = token.changeable
        self.change(token, changed)
        token.modified = now
        token.version += 1
        action = "update"
        if list(changed) == ["enabled"]:
            action = "enable" if changed["enabled"] else "disable"
        event = Event(token.uid, action, user, now, old, token.changeable, token.version)
        self.events.append(event)

    def replace(self, token: ModelToken, code: str, now: datetime.datetime, user: str) -> None:
        self.former[token.value] = token.uid
        self.update(token, {"value": code}, now, user)
        self.events[-1].action = "replace"

    def change(self, token: ModelToken, changed: dict[str, Any]) -> None:
        for name, value in changed.items():
            setattr(token, name, value)
        token.uses_given = changed.get("usage_count", token.uses_given)

    def delete(self, token: ModelToken, now: datetime.datetime, user: str) -> None:
        del self.tokens[token.uid]
        self.former = {code: uid for code, uid in self.former.items() if uid != token.uid}
        version = token.version + 1
        event = Event(token.uid, "delete", user, now, token.changeable, None, version)
        self.events.append(event)


def as_text(value: Any) -> Any:
    """Return a value as events tell it."""
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def code_of(value: str | None) -> str | None:
    """Return the code that is made of a value."""
    return value and unicodedata.normalize("NFC", value)


def is_code(value: str | None) -> bool:
    return value is None or value == value.strip()


def is_in_order(start: datetime.datetime | None, end: datetime.datetime | None) -> bool:
    return start is None or end is None or start < end


# What is tried


@dataclasses.dataclass
class Timed:
    """A database with a clock that stands still until it is moved."""

    engine: Engine
    time: datetime.datetime = MovableClock().time

    def move(self, time: datetime.datetime) -> None:
        self.time = time
        if self.engine.dialect.name == "postgresql":
            with self.engine.begin() as connection:
                connection.exec_driver_sql("UPDATE moved.clock SET now = %s", (time,))

    def empty(self) -> None:
        self.move(MovableClock().time)
        with self.engine.begin() as connection:
            for table in Base.metadata.sorted_tables:
                connection.execute(delete(table))


VALUES = ("a", "A", "a ", " a", "á", "a\u0301", "🎫", "%", "_", "x" * 2048, "'; --", "\n")
A_DAY = datetime.timedelta(days=1)
#: Times at which a history is purged in the end.
BOUNDARIES = 4
#: What devices make of a code.
FORMS = (str.upper, "\t{}\r\n".format, "]Q1{}".format)
seconds = st.sampled_from((-60, -1, 0, 1, 60)) | st.integers(-10_000, 10_000)
microseconds = st.sampled_from((-1, 0, 1)) | st.integers(-999_999, 999_999)
offsets = st.builds(
    lambda seconds, microseconds: datetime.timedelta(seconds=seconds, microseconds=microseconds),
    seconds,
    microseconds,
)
#: Edges of a window lie beside the time that it is when they are set.
starts = st.none() | offsets.map(lambda offset: -abs(offset)) | offsets
ends = st.none() | offsets.map(abs) | offsets
counts = st.sampled_from((2, -1, 3, 1, 0, 2_147_483_647))
lock_times = st.sampled_from((1, 0, 0, 60, 2_147_483_647)) | st.integers(0, 100)
details = st.none() | st.sampled_from(("Ann", "b"))
flags = st.sampled_from((True, True, True, False))
values = st.none() | st.sampled_from(VALUES)
users = st.sampled_from(("ann", "bob"))
keys = st.none() | st.sampled_from(("k", "l"))
stays = st.sampled_from((60, 3_600, 1)) | st.integers(1, 100_000)
categories = st.none() | st.sampled_from((("b",), ("Ann", "b"), ("VIP",)))
ways = st.sampled_from((Direction.IN, Direction.OUT))
manners = st.one_of(
    st.builds(Manner, uses=st.integers(1, 3) | st.sampled_from((100, 101))),
    st.builds(Manner, checkpoint=st.just("Bar"), categories=categories),
    st.builds(
        Manner,
        checkpoint=st.just("Door"),
        direction=ways,
        categories=categories,
        uses=st.sampled_from((1, 1, 2)),
    ),
    st.builds(
        Manner,
        checkpoint=st.just("Door"),
        direction=st.sampled_from((None, Direction.IN)),
        override=st.sampled_from(("lost list", "x")),
    ),
)


class Machine(RuleBasedStateMachine):
    """Does each step with the service and with the model, and compares all there is."""

    timed: Timed
    service_class = TicketService
    model_class = Model
    is_verified = True
    what = "sequences of use cases until a wrong implementation was noticed"
    uids = Bundle("uids")

    def __init__(self) -> None:
        super().__init__()
        EXAMPLES[self.what] += 1
        self.timed.empty()
        database = Database(self.timed.engine, lambda: self.timed.time)
        self.service = self.service_class(UnitOfWork(database))
        self.model = self.model_class()

    @property
    def now(self) -> datetime.datetime:
        return self.timed.time

    @initialize(target=uids)
    def know_an_unknown_uid(self):
        return uuid.UUID("6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001")

    # Time

    @rule(by=offsets.map(abs))
    def move(self, by):
        self.timed.move(self.now + by)

    @rule(
        uid=uids,
        beside=st.sampled_from((0 * MICROSECOND, MICROSECOND, -MICROSECOND)),
        user=users,
        way=st.sampled_from((None, None, Direction.IN, Direction.OUT)),
        is_used=st.booleans(),
    )
    def consume_at_the_next_edge(self, uid, beside, user, way, is_used):
        if is_used:
            self._consume_uid(uid, user, None)
        token = self.model.tokens.get(uid)
        edges = token and (
            *(token.locked_until, token.valid_from, token.valid_to),
            *(token.inside_until, token.outside_until),
        )
        ahead = [edge + beside for edge in edges or () if edge and edge + beside > self.now]
        if ahead:
            # An entry or exit comes one microsecond later than it is asked for.
            self.timed.move(min(ahead) - MICROSECOND if way else min(ahead))
        manner = self._through(way, 60) if way else PLAIN
        self._consume_uid(uid, user, None, manner)

    # Adding

    @rule(
        target=uids,
        value=values,
        start=starts,
        end=ends,
        usage_count=counts,
        lock_time=lock_times,
        enabled=flags,
        user=users,
        key=keys,
    )
    def add(self, value, start, end, usage_count, lock_time, enabled, user, key):
        return self._add(value, start, end, usage_count, lock_time, enabled, user, key)

    @rule(target=uids, usage_count=counts, lock_time=lock_times, user=users)
    def add_by_default(self, usage_count, lock_time, user):
        return self._add(None, None, None, usage_count, lock_time, True, user, None)

    @rule(target=uids, duration=offsets.map(abs), lock_time=lock_times, user=users)
    def add_for_some_time(self, duration, lock_time, user):
        return self._add(None, -duration, duration, -1, lock_time, True, user, None)

    @rule(target=uids, uid=uids, user=users)
    def add_with_a_uid_as_value(self, uid, user):
        return self._add(str(uid), None, None, 1, 0, True, user, None)

    @rule(
        target=uids,
        count=st.integers(1, 4),
        prefix=st.sampled_from((None, "p", "é")),
        start=starts,
        end=ends,
        usage_count=counts,
        user=users,
        key=keys,
    )
    def add_many(self, count, prefix, start, end, usage_count, user, key):
        new = NewTicket(
            valid_from=self._edge(start),
            valid_to=self._edge(end),
            usage_count=usage_count,
        )
        parameters = {"count": count, "prefix": prefix, **_as_text(new)}
        bound = self._key("add_tokens", user, key, parameters)
        expected = self._expected_of_adding(new, bound, parameters)
        if isinstance(expected, type):
            self._fails(expected, self.service.add_many, new, count, prefix, by=user, key=bound)
            return multiple()
        uids = self.service.add_many(new, count, prefix, by=user, key=bound)
        if expected is not None:
            assert uids == expected
            return multiple()
        assert len(set(uids)) == count
        for uid in uids:
            token = self.service.get(uid)
            assert token.value.startswith(str(uid) if prefix is None else prefix)
            self.model.add(uid, dataclasses.replace(new, value=token.value), self.now, user)
        self.model.bind(bound, uids)
        return multiple(*uids)

    def _add(self, value, start, end, usage_count, lock_time, enabled, user, key):
        new = NewTicket(
            value=value,
            valid_from=self._edge(start),
            valid_to=self._edge(end),
            usage_count=usage_count,
            lock_time=lock_time,
            enabled=enabled,
        )
        parameters = _as_text(new)
        bound = self._key("add_token", user, key, parameters)
        expected = self._expected_of_adding(new, bound, parameters)
        if isinstance(expected, type):
            self._fails(expected, self.service.add, new, by=user, key=bound)
            return multiple()
        uid = self.service.add(new, by=user, key=bound)
        if expected is not None:
            assert [uid] == expected
            return multiple()
        self.model.add(uid, new, self.now, user)
        self.model.bind(bound, [uid])
        return uid

    def _expected_of_adding(self, new, key, parameters):
        """Return an error, or the uids of the first time, or None."""
        if not is_in_order(new.valid_from, new.valid_to) or not is_code(new.value):
            return InvalidParameter
        bound = self.model.bound(key)
        if bound is not None:
            return bound.answer if bound.parameters == parameters else IdempotencyConflict
        if new.value is not None and not self.model.is_unknown(code_of(new.value)):
            return ValueTaken
        return None

    @rule(uid=uids, usage_count=counts, user=users)
    def add_under_a_uid(self, uid, usage_count, user):
        new = NewTicket(usage_count=usage_count)
        if uid in self.model.tokens:
            with pytest.raises((UidTaken, ValueTaken)):
                self.service.add_as(uid, new, by=user)
        elif not self.model.is_unknown(str(uid)):
            self._fails(ValueTaken, self.service.add_as, uid, new, by=user)
        else:
            assert self.service.add_as(uid, new, by=user) == uid
            self.model.add(uid, new, self.now, user)

    # Changing

    @rule(
        uid=uids,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "value": values,
                "valid_from": starts,
                "valid_to": ends,
                "usage_count": counts,
                "lock_time": lock_times,
                "enabled": st.booleans(),
                "label": details,
                "data": details,
            },
        ),
        user=users,
    )
    def update(self, uid, changes, user):
        self._update(uid, changes, user)

    @rule(uid=uids, enabled=st.booleans(), user=users)
    def enable_or_disable(self, uid, enabled, user):
        self._update(uid, {"enabled": enabled}, user)

    @rule(uid=uids, lock_time=lock_times, user=users)
    def set_lock_time(self, uid, lock_time, user):
        self._update(uid, {"lock_time": lock_time}, user)

    @rule(uid=uids, name=st.sampled_from(DETAILS), detail=details, user=users)
    def note_a_detail(self, uid, name, detail, user):
        self._update(uid, {name: detail}, user)

    @rule(uid=uids, start=starts, end=ends, user=users)
    def set_window(self, uid, start, end, user):
        self._update(uid, {"valid_from": start, "valid_to": end}, user)

    @rule(uid=uids, other=uids, user=users)
    def set_the_value_to_a_uid(self, uid, other, user):
        self._update(uid, {"value": str(other)}, user)

    @rule(uid=uids, usage_count=counts, expected=counts, user=users)
    def set_usage_count_if_it_is_as_seen(self, uid, usage_count, expected, user):
        self._update(uid, {"usage_count": usage_count}, user, expected)

    def _update(self, uid, changes, user, expected_usage_count=None):
        given = dict(changes)
        for name in {"valid_from", "valid_to"} & set(given):
            given[name] = self._edge(given[name])
        changed = {name.removesuffix("_s"): value for name, value in given.items()}
        if "value" in changed:
            changed["value"] = code_of(changed["value"]) or str(uid)
        call = (self.service.update, uid, TicketChanges(**given))
        more = {"by": user, "expected_usage_count": expected_usage_count}
        error = self._error_of_update(uid, changed, expected_usage_count)
        if error:
            self._fails(error, *call, **more)
            return
        self.service.update(uid, TicketChanges(**given), **more)
        self.model.update(self.model.tokens[uid], changed, self.now, user)

    def _error_of_update(self, uid, changed, expected_usage_count):
        token = self.model.tokens.get(uid)
        if token is None:
            return TokenNotFound
        if expected_usage_count not in (None, token.usage_count):
            return TokenChanged
        after = {**{name: getattr(token, name) for name in FIELDS}, **changed}
        if not is_in_order(after["valid_from"], after["valid_to"]) or not is_code(after["value"]):
            return InvalidParameter
        if not self.model.is_unknown(after["value"], uid):
            return ValueTaken
        return None

    @rule(uid=uids, user=users, key=keys)
    def replace(self, uid, user, key):
        key = self._key("replace", user, key, {"uid": str(uid)})
        bound, token = self.model.bound(key), self.model.tokens.get(uid)
        if bound and bound.parameters != key.parameters:
            self._fails(IdempotencyConflict, self.service.replace, uid, by=user, key=key)
        elif bound:
            assert self.service.replace(uid, by=user, key=key) == bound.answer
        elif token is None:
            self._fails(TokenNotFound, self.service.replace, uid, by=user, key=key)
        else:
            code = self.service.replace(uid, by=user, key=key)
            assert code not in self.model.codes
            self.model.replace(token, code, self.now, user)
            self.model.bind(key, code)

    @rule(uid=uids, data=st.data(), user=users)
    def give_a_former_code_to_a_token(self, uid, data, user):
        former = sorted(self.model.former)
        if former:
            self._update(uid, {"value": data.draw(st.sampled_from(former))}, user)

    # Deleting

    @rule(uid=uids, user=users)
    def delete(self, uid, user):
        self._delete([uid], user, self.service.delete, uid)

    @rule(uids=st.lists(uids, min_size=1, max_size=3, unique=True), user=users)
    def delete_many(self, uids, user):
        self._delete(uids, user, self.service.delete_many, uids)

    @rule(uid=consumes(uids), user=users)
    def delete_and_forget(self, uid, user):
        self._delete([uid], user, self.service.delete, uid)

    def _delete(self, uids, user, call, argument):
        if not all(uid in self.model.tokens for uid in uids):
            self._fails(TokenNotFound, call, argument, by=user)
            return
        call(argument, by=user)
        for uid in uids:
            self.model.delete(self.model.tokens[uid], self.now, user)

    # Consuming

    @rule(uid=uids, user=users, key=keys)
    def consume(self, uid, user, key):
        self._consume_uid(uid, user, key)

    @rule(uid=uids, user=users, times=st.integers(2, 3))
    def consume_again_and_again(self, uid, user, times):
        for _ in range(times):
            self._consume_uid(uid, user, None)

    @rule(uid=uids, user=users, key=keys)
    def consume_by_its_value(self, uid, user, key):
        token = self.model.tokens.get(uid)
        self._consume_value(token.value if token else str(uid), user, key)

    @rule(value=st.sampled_from((*VALUES, "", "\0", "x" * 5000)), user=users, key=keys)
    def consume_by_a_value(self, value, user, key):
        self._consume_value(value, user, key)

    @rule(
        uid=uids, form=st.sampled_from((str.upper, "\t{}\r\n".format, "]Q1{}".format)), user=users
    )
    def consume_by_another_form_of_its_value(self, uid, form, user):
        token = self.model.tokens.get(uid)
        if token and token.value.isascii():
            sent = form(token.value)
            meant = self.model.find_meant(sent.removeprefix("]Q1"))
            self._consume_meant(meant, self.service.consume_value, sent, user, None)

    @rule(data=st.data(), form=st.sampled_from(("{}".format, *FORMS)), user=users, key=keys)
    def consume_by_a_former_code(self, data, form, user, key):
        former = sorted(code for code in self.model.former if code.isascii())
        if former:
            sent = form(data.draw(st.sampled_from(former)))
            bound = self._key("consume_token", user, key, {"value": sent})
            meant = self.model.find_meant(sent.removeprefix("]Q1"))
            self._consume_meant(meant, self.service.consume_value, sent, user, bound)

    @rule(value=st.sampled_from(("x", "p", *VALUES)), user=users, key=keys)
    def consume_by_what_may_go_on(self, value, user, key):
        consume = functools.partial(self.service.consume_value, is_complete=False)
        meant = self.model.find_meant(value)
        bound = self._key("consume_token", user, key, {"value": value, "ended_by": "pause"})
        if not self.model.bound(bound) and self.model.may_go_on(value, meant):
            self._fails(Unfinished, consume, value, by=user, key=bound)
            return
        self._consume_meant(meant, consume, value, user, bound)

    # Doors

    @rule(uid=uids, manner=manners, stay=stays, user=users, key=keys)
    def consume_in_another_manner(self, uid, manner, stay, user, key):
        if manner.direction:
            of_passage = self._through(manner.direction, stay)
            manner = dataclasses.replace(manner, inside_until=of_passage.inside_until)
        self._consume_uid(uid, user, key, manner)

    @rule(uid=uids, ways=st.lists(ways, min_size=2, max_size=4), stay=stays, user=users)
    def go_in_and_out(self, uid, ways, stay, user):
        for way in ways:
            self._consume_uid(uid, user, None, self._through(way, stay))

    @rule(uid=uids, data=st.data(), count=st.integers(0, 3), user=users, may_edit=st.booleans())
    def undo(self, uid, data, count, user, may_edit):
        tries = [one for one in self.model.tries if one.token_uid == uid][::-1]
        for one in tries[:count]:
            self._undo(uid, one, user, True)
        if self.model.tries:
            self._undo(uid, data.draw(st.sampled_from(tries or self.model.tries)), user, may_edit)

    def _undo(self, uid, one, user, may_edit):
        token = self.model.tokens.get(uid)
        call = functools.partial(self.service.undo, uid, one.receipt, by=user, may_edit=may_edit)
        is_own = one.user == user and self.now - one.time <= OWN_TIME
        if token is None:
            self._fails(TokenNotFound, call)
        elif not any(one is other for other in self.model.tries_of_life(token)):
            self._fails(InvalidParameter, call)
        elif not (may_edit or is_own):
            self._fails(NotUndone, call)
        else:
            is_repeat = one.undone_at is not None
            uses = self.model.undo(token, one, self.now, user)
            undone = call()
            assert (undone.uses, undone.is_repeat) == (uses, is_repeat)
            assert undone.usage_count == token.usage_count

    @rule(user=users)
    def reset(self, user):
        assert self.service.reset_presence(by=user) == self.model.reset(self.now, user)

    @invariant()
    def as_many_are_inside_as_in_the_model(self):
        inside = [token for token in self.model.tokens.values() if token.is_inside(self.now)]
        assert self.service.count_inside() == len(inside)

    def _through(self, way, stay):
        # A use that has the very time of the one before is none that a free entry can be told from.
        self.timed.move(self.now + MICROSECOND)
        if way is Direction.OUT:
            return Manner(checkpoint="Door", direction=way)
        until = self.now + datetime.timedelta(seconds=stay)
        return Manner(checkpoint="Door", direction=way, inside_until=until)

    def _consume_uid(self, uid, user, key, manner=PLAIN):
        token = self.model.tokens.get(uid)
        parameters = {"uid": str(uid)}
        if manner is not PLAIN:
            parameters |= {"uses": str(manner.uses), "direction": str(manner.direction)}
        bound = self._key("consume_token", user, key, parameters)
        self._consume(token, self.service.consume, uid, user, bound, manner=manner)

    def _consume_value(self, value, user, key):
        meant = self.model.find_meant(value)
        bound = self._key("consume_token", user, key, {"value": value})
        self._consume_meant(meant, self.service.consume_value, value, user, bound)

    def _consume_meant(self, meant, call, sought, user, key):
        reason = "replaced" if meant and meant.is_former else None
        self._consume(meant and meant.token, call, sought, user, key, reason)

    def _consume(self, token, call, sought, user, key, reason=None, manner=PLAIN):
        if manner is not PLAIN:
            call = functools.partial(call, manner=manner)
        bound = self.model.bound(key)
        if bound and bound.parameters != key.parameters:
            self._fails(IdempotencyConflict, call, sought, by=user, key=key)
        elif bound:
            self._is_outcome(call(sought, by=user, key=key), bound.answer)
        elif token is None:
            self._fails(TokenNotFound, call, sought, by=user, key=key)
        else:
            outcome = call(sought, by=user, key=key)
            one = self.model.consume(token, self.now, user, manner, reason)
            assert outcome.receipt not in {other.receipt for other in self.model.tries}
            one.receipt = outcome.receipt
            self._is_outcome(outcome, one)
            self.model.bind(key, one)

    def _is_outcome(self, outcome, one):
        assert outcome.receipt == one.receipt
        assert outcome.token_uid == one.token_uid
        if isinstance(outcome, Granted):
            assert (outcome.usage_count, None) == (one.usage_count, one.reason)
            assert outcome.uses == (1 if one.uses is None else one.uses)
        else:
            assert outcome.denial.value == one.reason

    # Reading

    @rule(uid=uids, size=st.integers(1, 3), from_the_second_on=st.booleans())
    def read_the_log(self, uid, size, from_the_second_on):
        if uid not in self.model.tokens:
            self._fails(TokenNotFound, self.service.usages, uid, size)
            return
        ours = [one for one in self.model.tries if one.token_uid == uid]
        # What happened in the same microsecond without a change between is in any one order.
        ours.sort(key=lambda one: (one.version, one.time, one.receipt), reverse=True)
        before = ours[0].receipt if from_the_second_on and ours else None
        page = self.service.usages(uid, size, before)
        read = list(page.usages)
        while page.next is not None:
            assert len(page.usages) == size
            page = self.service.usages(uid, size, page.next)
            read += page.usages
        expected = [
            (one.receipt, one.time, one.reason, one.user, one.usage_count)
            for one in ours[1 if from_the_second_on else 0 :]
        ]
        assert [
            (
                usage.receipt,
                usage.time,
                usage.denial and usage.denial.value,
                usage.user,
                usage.usage_count,
            )
            for usage in read
        ] == expected

    @rule(uid=uids, value=st.sampled_from(VALUES))
    def look_up(self, uid, value):
        token = self.service.find(uid)
        assert (token is not None) == (uid in self.model.tokens)
        assert token is None or token.read_at == self.now
        expected = self.model.find_meant(value)
        if expected and expected.is_former:
            self._fails(Replaced, self.service.find_by_value, value)
            return
        found = self.service.find_by_value(value)
        assert (found and found.uid) == (expected and expected.token.uid)

    @rule(uid=uids, other=uids, limit=st.integers(1, 3))
    def ask_for_the_log_before_what_is_no_receipt_of_it(self, uid, other, limit):
        receipts = [one.receipt for one in self.model.tries if one.token_uid != uid]
        error = InvalidParameter if uid in self.model.tokens else TokenNotFound
        self._fails(error, self.service.usages, uid, limit, receipts[0] if receipts else other)

    # What always holds

    @invariant()
    def all_tables_are_as_in_the_model(self):
        with self.timed.engine.connect() as connection:
            tokens, tries, events, requests, former = (
                connection.execute(select(record.__table__)).all() for record in RECORDS
            )
        self._are_tokens(tokens)
        self._are_tries(tries)
        self._are_events(events)
        assert len(requests) == len(self.model.keys)
        assert {row.value: row.token_uid for row in former} == self.model.former

    def _are_tokens(self, rows):
        names = [column.name for column in TokenRecord.__table__.columns]
        assert {row.uid: row._asdict() for row in rows} == {
            uid: {name: getattr(token, name) for name in names}
            for uid, token in self.model.tokens.items()
        }

    def _are_tries(self, rows):
        assert {row.uid: row._asdict() for row in rows} == {
            one.receipt: {
                "uid": one.receipt,
                "token_uid": one.token_uid,
                "token_value": one.value,
                "timestamp": one.time,
                "error_code": CODES.get(one.reason),
                "user": one.user,
                "usage_count": one.usage_count,
                "version": one.version,
                "uses": one.uses,
                "checkpoint": one.manner.checkpoint,
                "direction": one.manner.direction and one.manner.direction.value,
                "override": one.manner.override,
                "inside_until": one.inside_until,
                "outside_until": one.outside_until,
                "undone_at": one.undone_at,
                "undone_by": one.undone_by,
            }
            for one in self.model.tries
        }

    def _are_events(self, rows):
        told = {(row.token_uid, row.version): _event(row) for row in rows}
        assert len(rows) == len(told)
        assert told == {(event.token_uid, event.version): event for event in self.model.events}

    # What holds in the end

    def teardown(self):
        """Verify, and purge the log bit by bit: it holds all the same, and so do more undos."""
        if not self.is_verified:
            return
        maintenance = Maintenance(self.service._work.database, [TICKET])
        self._verify(maintenance)
        times = sorted({one.time for one in self.model.tries} | {e.time for e in self.model.events})
        for time in times[:: max(len(times) // BOUNDARIES, 1)]:
            age = (self.now - time) // A_DAY + 1
            self.timed.move(time + age * A_DAY)
            maintenance.purge(PurgePlan(log=age, is_clock_right=True))
            self._verify(maintenance)
            self._undo_what_is_left(maintenance)

    def _verify(self, maintenance):
        assert [f"{each.problem}: {each.text}" for each in maintenance.verify().findings] == []

    def _undo_what_is_left(self, maintenance):
        with self.timed.engine.connect() as connection:
            log = TokenUsageRecord.__table__
            is_left = (log.c.error_code.is_(None), log.c.undone_at.is_(None))
            rows = connection.execute(select(log).where(*is_left).order_by(log.c.version)).all()
        for row in rows[len(rows) // 2 :][:1]:
            with contextlib.suppress(TokenNotFound, InvalidParameter):
                self.service.undo(row.token_uid, row.uid, by="ann")
            self._verify(maintenance)

    # Helpers

    def _edge(self, offset):
        return None if offset is None else self.now + offset

    def _key(self, operation, user, key, parameters):
        return key and IdempotencyKey(
            key=key,
            caller=user,
            operation=Operation(operation),
            parameters=parameters,
        )

    def _fails(self, error, call, *arguments, **more):
        with pytest.raises(MISTAKES) as caught:
            call(*arguments, **more)
        assert caught.type is error


def _event(row: Any) -> Event:
    values = (text and json.loads(text) for text in (row.old_values, row.new_values))
    return Event(row.token_uid, row.action, row.user, row.timestamp, *values, row.version)


def _as_text(new: NewTicket) -> dict[str, str]:
    return {name: str(value) for name, value in dataclasses.asdict(new).items()}


# Databases


@contextlib.contextmanager
def clock_of_our_own(url: Any) -> Iterator[Engine]:
    """Yield an engine for PostgreSQL whose clock stands still; its tables are its own too."""
    engine = create_engine(url, connect_args={"options": "-c search_path=moved,pg_catalog"})
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA moved")
            connection.exec_driver_sql("CREATE TABLE moved.clock AS SELECT pg_catalog.now() AS now")
            for function in ("clock_timestamp", "statement_timestamp"):
                connection.exec_driver_sql(
                    f"CREATE FUNCTION moved.{function}() RETURNS timestamptz"
                    " LANGUAGE sql VOLATILE AS 'SELECT now FROM moved.clock'",
                )
        yield engine
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA IF EXISTS moved CASCADE")
        engine.dispose()


@pytest.fixture
def timed(made_tables) -> Iterator[Timed]:
    with contextlib.ExitStack() as stack:
        engine = made_tables
        if engine.dialect.name == "postgresql":
            engine = stack.enter_context(clock_of_our_own(engine.url))
            prepare(engine)
        timed = Timed(engine)
        yield timed
        timed.empty()


def run_machine(timed: Timed, budget: settings, **members: Any) -> None:
    machine = type("Machine", (Machine,), {"timed": timed, **members})
    run_state_machine_as_test(machine, settings=budget)


def test_any_sequence_of_use_cases_when_it_is_tried_then_all_is_as_the_model_says(timed):
    budget = settings(max_examples=settings().max_examples // 4, stateful_step_count=30)
    run_machine(timed, budget, what=f"sequences of use cases on {timed.engine.dialect.name}")


# Wrong implementations, which the machine has to notice


class ForgetfulService(TicketService):
    """Counts a consumption again that is repeated under its key."""

    def consume(self, uid, *, by, key=None, **more):
        return super().consume(uid, by=by, **more)


class SilentService(TicketService):
    """Logs no refusals."""

    def consume(self, uid, *, by, **more):
        outcome = super().consume(uid, by=by, **more)
        if not isinstance(outcome, Granted):
            with self._work.database.writing() as tx:
                is_it = TokenUsageRecord.uid == outcome.receipt
                tx.connection.execute(delete(TokenUsageRecord).where(is_it))
        return outcome


class LooseService(TicketService):
    """Leaves the lock as it is when the lock time is changed."""

    def update(self, uid, changes, **more):
        before = self.find(uid)
        super().update(uid, changes, **more)
        with self._work.database.writing() as tx:
            is_it = TokenRecord.uid == uid
            kept = {"locked_until": before.locked_until}
            tx.connection.execute(update(TokenRecord).where(is_it).values(kept))


class ModelWithoutEdges(Model):
    """The end of a window does not belong to it."""

    def reason(self, token, now, manner=PLAIN):
        is_at_end = now == token.valid_to
        return "out_of_time_range" if is_at_end else super().reason(token, now, manner)


class ModelOfLongLocks(Model):
    """A token still rests at the time at which its lock ends."""

    def reason(self, token, now, manner=PLAIN):
        reason = super().reason(token, now, manner)
        return "token_locked" if reason is None and now == token.locked_until else reason


class ModelOfAnotherOrder(Model):
    """Tells of the lock before it tells of the uses left."""

    def reason(self, token, now, manner=PLAIN):
        unused = dataclasses.replace(token, usage_count=1)
        reason = super().reason(unused, now, manner)
        return reason if reason == "token_locked" else super().reason(token, now, manner)


class ModelOfPaidEntries(Model):
    """Who comes back takes a use."""

    def is_free(self, token, now, manner):
        return manner.direction is Direction.OUT


class ModelOfSome(Model):
    """Takes the uses that are left where more are asked for."""

    def reason(self, token, now, manner=PLAIN):
        reason = super().reason(token, now, manner)
        return None if reason == "not_enough_uses" else reason


class ModelOfTheLastUse(Model):
    """A use that is taken back stays the last one."""

    def give_back(self, token, one, uses):
        last = token.last_used
        super().give_back(token, one, uses)
        token.last_used = last


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "wrong",
    [
        {"service_class": ForgetfulService},
        {"service_class": SilentService},
        {"service_class": LooseService},
        {"model_class": ModelWithoutEdges},
        {"model_class": ModelOfLongLocks},
        {"model_class": ModelOfAnotherOrder},
        {"model_class": ModelOfPaidEntries},
        {"model_class": ModelOfSome},
        {"model_class": ModelOfTheLastUse},
    ],
    ids=lambda wrong: next(iter(wrong.values())).__name__,
)
def test_the_machine_when_service_and_model_differ_then_it_notices(timed, wrong):
    # The first sequence that tells them apart will do, and always the same one.
    search = settings(
        max_examples=1_000,
        stateful_step_count=50,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
    )
    # Uids are random: run again, a sequence may tell them apart no more.
    with pytest.raises((AssertionError, Flaky, *MISTAKES)):
        run_machine(timed, search, is_verified=False, **wrong)
