"""The life of a token, the same for each kind: what is added, used, refused, changed and told."""

import datetime
import itertools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import select

from cone.tokens.core import lifecycle
from cone.tokens.core.database import Database
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import UidTaken
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.retry import Patience
from cone.tokens.core.store import changing
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import listing
from cone.tokens.core.store import usages
from cone.tokens.core.store.events import as_json
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from tests.kinds.conftest import Desk
from tests.kinds.kinds import SAMPLES
from tests.support.factories import NOON

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
FAR_AHEAD = datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
CALLERS = 4
TICK = datetime.timedelta(microseconds=1)
EDGES = (None, NOON - TICK, NOON, NOON + TICK)


# What a kind is


def test_kind_when_it_is_declared_then_its_columns_are_where_they_are_looked_for(sample):
    kind = sample.kind
    assert set(kind.audited) >= {"usage_count", "lock_time", "enabled", "valid_from", "valid_to"}
    assert set(kind.audited) <= set(kind.tokens.c.keys())
    assert set(kind.advanced_names) <= set(kind.audited)
    assert kind.logged.keys() <= set(kind.usages.c.keys())
    assert not {*kind.seen, *kind.audited, "last_user"} & kind.unread
    assert not {derived.column for derived in kind.derived} & set(kind.audited)


# What is added


def test_add_when_the_token_is_read_then_its_fields_are_those_given(desk):
    fields = desk.sample.new_fields("x", valid_to=FAR_AHEAD, lock_time=5)
    uid = desk.add("x", valid_to=FAR_AHEAD, lock_time=5)
    token = desk.find(uid)
    told = {name: getattr(token, name) for name in fields if name not in desk.kind.unread}
    assert told == {name: value for name, value in fields.items() if name in told}
    assert (token.creator, token.version, token.last_used) == ("adder", 1, None)


def test_add_when_the_unique_column_is_taken_then_nothing_is_added(desk):
    desk.add("x")
    with pytest.raises(ValueTaken):
        desk.add_many([desk.sample.new_fields("y"), desk.sample.new_fields("x")])
    assert desk.work.read(lambda tx: listing.count(tx, desk.kind)) == 1


def test_add_when_there_are_many_then_all_are_there(desk):
    uids = desk.add_many([desk.sample.new_fields() for _ in range(60)])
    assert desk.work.read(lambda tx: listing.count(tx, desk.kind)) == len(uids)
    assert not desk.problems()


def test_add_as_when_the_uid_is_taken_then_it_is_told(desk):
    uid = desk.add()
    with pytest.raises(UidTaken):
        desk.add_as(uid)


def test_add_as_when_a_deleted_token_had_the_uid_then_its_history_goes_on(desk):
    uid = desk.add()
    desk.consume(uid)
    desk.delete(uid)
    desk.add_as(uid)
    assert desk.find(uid).version == 4
    assert not desk.problems()


def test_find_when_the_unique_column_is_given_then_it_finds_the_token(desk):
    uid = desk.add("x")
    by = desk.sample.by
    found = desk.work.read(lambda tx: finding.find(tx, desk.kind, by, "x"))
    assert found.uid == uid
    assert desk.work.read(lambda tx: finding.find(tx, desk.kind, by, "y")) is None


# What is used


def test_consume_when_uses_are_left_then_it_takes_one_and_logs_it(desk):
    uid = desk.add(usage_count=2)
    outcome = desk.consume(uid)
    left = {"usage_count": 1, "receipt": outcome.receipt}
    assert outcome == Granted(token_uid=uid, **left, details=desk.details(uid))
    [row] = desk.usages(uid)
    token = desk.find(uid)
    assert (row.uid, row.error_code, row.user) == (outcome.receipt, None, "user")
    assert (row.usage_count, row.version) == (token.usage_count, token.version) == (1, 2)
    assert (token.last_used, token.last_user) == (row.timestamp, "user")


def test_consume_when_it_is_unlimited_then_it_stays_so(desk):
    uid = desk.add(usage_count=-1)
    assert [desk.consume(uid).usage_count for _ in range(3)] == [-1] * 3


def test_consume_when_the_token_is_found_by_its_column_then_it_is_the_same_use(desk):
    uid = desk.add("x")
    outcome = desk.consume(uid, named="x")
    told = "x" if desk.kind.code else None
    assert (outcome.token_uid, outcome.value) == (uid, told)


def test_consume_when_nobody_knows_the_token_then_nothing_is_logged(desk):
    uid = uuid.uuid4()
    with pytest.raises(TokenNotFound):
        desk.consume(uid, dict.fromkeys(desk.kind.seen, 0))
    assert not desk.usages(uid)


REFUSED = {
    "disabled": ({"enabled": False}, Denial.TOKEN_DISABLED),
    "used up": ({"usage_count": 0}, Denial.USAGE_COUNT_EXCEEDED),
    "too early": ({"valid_from": FAR_AHEAD}, Denial.OUT_OF_TIME_RANGE),
    "too late": ({"valid_to": LONG_AGO}, Denial.OUT_OF_TIME_RANGE),
}


@pytest.mark.parametrize(("fields", "denial"), REFUSED.values(), ids=REFUSED)
def test_consume_when_a_rule_fails_then_it_is_refused_and_logged(desk, fields, denial):
    uid = desk.add("x", **fields)
    outcome = desk.consume(uid)
    told = {"denial": denial, "receipt": outcome.receipt}
    assert outcome == Denied(token_uid=uid, **told, details=desk.details(uid))
    assert outcome.value == ("x" if desk.kind.code else None)
    [row] = desk.usages(uid)
    assert (row.uid, row.error_code, row.version) == (outcome.receipt, denial.code, 1)
    assert row.usage_count == desk.find(uid).usage_count
    assert not desk.problems()


def test_consume_when_it_is_locked_then_it_is_refused_and_tells_the_last_use(desk):
    uid = desk.add(lock_time=3_600)
    desk.consume(uid)
    outcome = desk.consume(uid)
    assert outcome.denial is Denial.TOKEN_LOCKED
    assert outcome.last.user == "user"
    assert outcome.last.time == desk.find(uid).last_used
    assert not desk.problems()


def test_consume_when_many_do_it_at_once_then_a_token_with_some_uses_is_granted_so_often(desk):
    uid = desk.add(usage_count=5)

    def use_up(_caller):
        granted = 0
        while True:
            outcome = desk.consume(uid)
            if isinstance(outcome, Granted):
                granted += 1
            elif outcome.denial is Denial.USAGE_COUNT_EXCEEDED:
                return granted

    with ThreadPoolExecutor(CALLERS) as callers:
        assert sum(callers.map(use_up, range(CALLERS))) == 5
    granted = [row for row in desk.usages(uid) if row.error_code is None]
    assert (desk.find(uid).usage_count, len(granted)) == (0, 5)
    assert not desk.problems()


def test_consume_when_it_is_granted_then_it_is_one_statement(desk, query_recorder):
    uid = desk.add(usage_count=9)
    count = 1 if desk.database.engine.dialect.name == "postgresql" else 2
    for key, binding in ((None, 0), (desk.key("k"), count - 1)):
        seen = desk.see(uid)
        query_recorder.clear()
        assert isinstance(desk.consume(uid, seen, key), Granted)
        assert len(query_recorder) == count + binding


def test_consume_when_it_is_refused_then_it_is_one_statement_or_three_on_sqlite(
    desk, query_recorder
):
    uid = desk.add(usage_count=0)
    seen = desk.see(uid)
    query_recorder.clear()
    desk.consume(uid, seen)
    is_postgresql = desk.database.engine.dialect.name == "postgresql"
    assert len(query_recorder) == (1 if is_postgresql else 3)


# Keys


def test_consume_when_the_key_comes_again_then_it_is_the_first_outcome(desk):
    uid, key = desk.add(**dict.fromkeys(desk.kind.shown, "Zoë")), desk.key("k")
    seen = desk.see(uid)
    first = desk.consume(uid, seen, key)
    again = desk.consume(uid, seen, key)
    assert again == first
    assert first.details == dict.fromkeys(desk.kind.shown, "Zoë")
    assert (again.is_repeat, again.before) == (True, first.before)
    assert len(desk.usages(uid)) == 1


def test_consume_when_the_key_comes_again_after_a_refusal_then_it_is_that_one(desk):
    shown = dict.fromkeys(desk.kind.shown, "Zoë")
    uid, key = desk.add(usage_count=0, **shown), desk.key("k")
    first = desk.consume(uid, key=key)
    assert first.details == shown
    desk.change(uid, usage_count=5)
    assert desk.consume(uid, key=key) == first
    assert not desk.problems()


def test_consume_when_the_key_is_of_another_request_then_it_is_refused(desk):
    uid = desk.add()
    desk.consume(uid, key=desk.key("k"))
    with pytest.raises(IdempotencyConflict):
        desk.consume(uid, key=desk.key("k", place="elsewhere"))
    assert len(desk.usages(uid)) == 1


# What is told


def test_events_when_a_token_is_changed_then_each_tells_the_fields_before_and_after(desk):
    uid = desk.add("x")
    desk.change(uid, **desk.sample.others)
    desk.change(uid, enabled=False)
    desk.change(uid, enabled=True)
    desk.change(uid, valid_to=FAR_AHEAD)
    desk.delete(uid)
    told = desk.events(uid)
    actions = [event.action for event in told]
    assert actions == ["add", "update", "disable", "enable", "update", "delete"]
    assert [event.version for event in told] == [1, 2, 3, 4, 5, 6]
    values = [
        (json.loads(e.old_values or "null"), json.loads(e.new_values or "null")) for e in told
    ]
    assert {frozenset(one) for pair in values for one in pair if one} == {
        frozenset(desk.kind.audited)
    }
    assert [old for old, _new in values[1:]] == [new for _old, new in values[:-1]]
    others = {name: as_json(value) for name, value in desk.sample.others.items()}
    assert values[1][1] == values[1][0] | others
    assert not desk.problems()


def test_change_when_there_are_many_kinds_of_changes_then_each_is_told(desk):
    uids = desk.add_many([desk.sample.new_fields() for _ in range(4)])

    def work(tx):
        tokens = [finding.find(tx, desk.kind, "uid", uid, for_update=True) for uid in uids]
        changes = [(token, {"usage_count": n}) for n, token in enumerate(tokens[:2])]
        changes += [(token, {"lock_time": n}) for n, token in enumerate(tokens[2:])]
        told = events.of_changes(desk.kind, changes, "changer")
        changing.update_each(tx, desk.kind, changes, told)

    desk.work.write(work)
    assert [desk.find(uid).usage_count for uid in uids] == [0, 1, 3, 3]
    assert not desk.problems()


def test_usages_when_they_are_read_then_the_newest_is_first(desk):
    uid = desk.add(usage_count=2)
    receipts = [desk.consume(uid).receipt for _ in range(3)]
    page = desk.work.read(lambda tx: usages.usages(tx, desk.kind, uid, 2, None))
    rest = desk.work.read(lambda tx: usages.usages(tx, desk.kind, uid, 2, page.next))
    assert [usage.receipt for usage in (*page.usages, *rest.usages)] == receipts[::-1]


# Python and SQL


def test_rules_when_each_field_is_at_its_edges_then_both_forms_agree(desk):
    combinations = itertools.product((True, False), (-1, 0, 1), EDGES, EDGES, EDGES)
    names = ("enabled", "usage_count", "locked_until", "valid_from", "valid_to")
    common = {"created": NOON, "modified": NOON, "version": 1, "lock_time": 0}
    rows = [
        desk.kind.completed(desk.sample.new_fields())
        | {**common, **dict(zip(names, edges, strict=True))}
        | {"uid": uuid.uuid4()}
        for edges in combinations
    ]
    columns = desk.kind.tokens.c
    now = literal(NOON, UtcDateTime)
    with desk.database.engine.begin() as connection:
        connection.execute(insert(desk.kind.tokens), rows)
        found = {
            rule: set(
                connection.scalars(select(columns.uid).where(rule.clause(columns, now, PLAIN)))
            )
            for rule in desk.kind.rules
        }
    tokens = [SimpleNamespace(**row) for row in rows]
    for rule, uids in found.items():
        assert uids == {token.uid for token in tokens if rule.holds(token, NOON, PLAIN)}


@pytest.mark.parametrize("lock_time", [0, 60])
@pytest.mark.parametrize("usage_count", [-1, 1, 2])
def test_use_when_the_database_takes_it_then_python_says_the_same(desk, usage_count, lock_time):
    before = desk.find(desk.add(usage_count=usage_count, lock_time=lock_time))
    desk.consume(before.uid)
    after = desk.find(before.uid)
    expected = lifecycle.after_use(before, after.last_used, desk.kind.effects)
    assert {name: getattr(after, name) for name in expected} == expected
    fields = {name for name in type(before).__slots__ if name not in ("read_at", "last_user")}
    changed = {name for name in fields if getattr(before, name) != getattr(after, name)}
    assert changed - {"version"} <= expected.keys()


# Transactions


class LostOnce(Database):
    """A database that is lost when the first transaction has been committed."""

    is_lost = False

    @contextmanager
    def writing(self, mark=None):
        with super().writing(mark) as tx:
            yield tx
        if not self.is_lost:
            self.is_lost = True
            raise Interrupted


def test_write_when_the_database_is_lost_after_it_then_it_is_not_done_twice(desk):
    work = UnitOfWork(LostOnce(desk.database.engine, lambda: NOON), Patience(10.0))
    lossy = Desk(desk.sample, work)
    uid = lossy.add()
    assert work.database.is_lost
    assert [event.token_uid for event in lossy.events(uid)] == [uid]
    assert lossy.work.read(lambda tx: listing.count(tx, desk.kind)) == 1


def test_write_when_two_kinds_are_changed_then_both_are_or_none(desk):
    uid = desk.add()
    following = SAMPLES.index(desk.sample) + 1
    other = Desk(SAMPLES[following % len(SAMPLES)], desk.work)
    owned = other.add()
    pair = sorted([(desk, uid), (other, owned)], key=lambda one: one[0].kind.tokens.name)

    def work(tx, *, fails):
        for one, its_uid in pair:
            one.change_within(tx, its_uid, enabled=False)
        if fails:
            raise TokenNotFound

    with pytest.raises(TokenNotFound):
        desk.work.write(lambda tx: work(tx, fails=True))
    assert desk.find(uid).enabled
    assert other.find(owned).enabled
    desk.work.write(lambda tx: work(tx, fails=False))
    assert not desk.find(uid).enabled
    assert not other.find(owned).enabled
    assert not desk.problems()
