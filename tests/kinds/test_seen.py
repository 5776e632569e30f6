"""A kind that asks what its caller has seen: of all who show the same, one is granted."""

import datetime
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import BigInteger
from sqlalchemy import Boolean
from sqlalchemy import Enum
from sqlalchemy import Integer
from sqlalchemy import SmallInteger
from sqlalchemy import String
from sqlalchemy import delete
from sqlalchemy import update

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import finding
from cone.tokens.core.store import usages
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from tests.kinds.badges import BADGE
from tests.kinds.conftest import Desk
from tests.kinds.kinds import SAMPLES
from tests.kinds.made import desk_of
from tests.kinds.made import make_kind
from tests.kinds.passes import PASS
from tests.support.factories import NOON

[SAMPLE] = [sample for sample in SAMPLES if sample.kind is PASS]
CALLERS = 12


@pytest.fixture
def passes(work) -> Desk:
    return Desk(SAMPLE, work)


def show_at_once(desk, uid, generation):
    """Return the outcomes of callers who all show the same generation."""
    begin = threading.Barrier(CALLERS)

    def show(_caller):
        begin.wait()
        return desk.consume(uid, {"generation": generation})

    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(show, range(CALLERS)))


def expect_one(desk, uid, outcomes):
    """Check that one caller alone was granted, and that log and counter agree."""
    reasons = [outcome.denial for outcome in outcomes if isinstance(outcome, Denied)]
    assert reasons == [Denial.TOKEN_REUSED] * (CALLERS - 1), "grants"
    rows = desk.usages(uid)
    assert len(rows) == CALLERS
    assert [row.generation for row in rows if row.error_code is None] == [1]
    token = desk.find(uid)
    assert (token.generation, token.usage_count) == (1, 8)
    assert not desk.problems()


def test_consume_when_all_show_the_same_generation_then_one_is_granted(passes):
    uid = passes.add(usage_count=9)
    expect_one(passes, uid, show_at_once(passes, uid, 0))


class NaiveDesk(Desk):
    """Reads, compares and writes, as one would who thinks of one caller only."""

    def consume(self, uid, seen=None, key=None, named=None):
        token = self.find(uid)
        GATE.wait()
        attempt = Attempt(uuid.uuid4(), "user", key, seen)
        if token.generation != seen["generation"]:
            return Denied(token_uid=uid, denial=Denial.TOKEN_REUSED, receipt=attempt.receipt)
        changed = lifecycle.after_use(token, token.read_at, PASS.effects)
        changed |= {"version": token.version + 1}

        def write(tx):
            tx.connection.execute(
                update(PASS.tokens).where(PASS.tokens.c.uid == uid).values(changed)
            )
            after = finding.find(tx, PASS, "uid", uid)
            usages.log(tx, PASS, usages.row_of(PASS, after, after.last_used, None, attempt))

        self.work.write(write)
        return Granted(token_uid=uid, usage_count=0, receipt=attempt.receipt)


#: All have read before one writes.
GATE = threading.Barrier(CALLERS)


def test_consume_when_it_is_naive_then_the_same_check_is_lost(passes):
    naive = NaiveDesk(SAMPLE, passes.work)
    uid = naive.add(usage_count=9)
    with pytest.raises(AssertionError, match="grants"):
        expect_one(naive, uid, show_at_once(naive, uid, 0))


def test_consume_when_an_old_generation_is_shown_then_reuse_is_the_reason_given(passes):
    uid = passes.add(enabled=False, generation=3)
    outcome = passes.consume(uid, {"generation": 2})
    assert outcome.denial is Denial.TOKEN_REUSED
    assert passes.consume(uid, {"generation": 3}).denial is Denial.TOKEN_DISABLED
    assert [row.error_code for row in passes.usages(uid)] == [15, 7]
    assert not passes.problems()


def test_consume_when_somebody_else_uses_the_token_then_the_one_before_is_refused(passes):
    uid = passes.add()
    first = passes.see(uid)
    passes.consume(uid, first)
    second = passes.see(uid)
    assert passes.consume(uid, first).denial is Denial.TOKEN_REUSED
    assert isinstance(passes.consume(uid, second), Granted)
    assert passes.find(uid).generation == 2


@pytest.mark.parametrize("seen", [{}, {"owner": "ann"}, {"generation": 0, "owner": "ann"}])
def test_consume_when_something_else_is_shown_than_is_asked_for_then_it_is_a_mistake(passes, seen):
    uid = passes.add()
    with pytest.raises(TypeError, match="generation"):
        passes.consume(uid, seen)
    assert not passes.usages(uid)


def test_log_when_a_pass_is_used_then_no_secret_is_in_it(passes):
    uid = passes.add("the digest of a secret")
    passes.consume(uid)
    passes.change(uid, digest="the digest of another secret")
    passes.delete(uid)
    told = json.dumps([[str(cell) for cell in row] for row in passes.events(uid)])
    told += json.dumps([[str(cell) for cell in row] for row in passes.usages(uid)])
    assert "secret" not in told


# The replay of what a use advances


@pytest.mark.parametrize("error_code", [None, 2])
def test_verify_when_the_log_tells_another_generation_then_it_finds_that(passes, error_code):
    uid = passes.add(usage_count=1)
    passes.consume(uid)
    passes.consume(uid)
    usage = PASS.usages
    change = update(usage).where(usage.c.error_code == error_code)
    passes.execute(change.values(generation=9))
    problem = Problem.COUNT_IN_LOG if error_code is None else Problem.REFUSAL
    assert problem in passes.problems()


def test_verify_when_a_use_is_missing_then_the_generation_behind_it_is_believed(passes):
    uid = passes.add()
    for _use in range(3):
        passes.consume(uid)
    passes.execute(delete(PASS.usages).where(PASS.usages.c.version == 2))
    assert passes.problems() == [Problem.MISSING]


def test_verify_when_a_use_before_a_refusal_is_missing_then_the_refusal_is_believed(passes):
    uid = passes.add(usage_count=1)
    passes.consume(uid)
    passes.consume(uid)
    passes.execute(delete(PASS.usages).where(PASS.usages.c.error_code.is_(None)))
    assert Problem.FIELD not in passes.problems()


def test_verify_when_the_generation_cannot_be_read_then_it_is_not_believed(passes):
    if passes.database.engine.dialect.name != "sqlite":
        pytest.skip("the database keeps such values out")
    uid = passes.add()
    passes.consume(uid)
    with passes.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pass_usage SET generation = 'many'")
    assert passes.problems() == [Problem.COUNT_IN_LOG]


# What no token can be like

TEXTS = [0, True, "g\0", "g\ud800", b"g", None]
NUMBERS = [2**31, -(2**31) - 1, 2**63, 2**70, "0", " 0 ", "abc", "", 0.0, 0.5, False, None, "\0"]
MOMENTS = [
    NOON.replace(tzinfo=None),
    NOON.isoformat(),
    NOON.timestamp(),
    NOON.date(),
    datetime.datetime.max.replace(tzinfo=datetime.timezone(-datetime.timedelta(hours=1))),
    None,
]
HOSTILE = [
    (String(), "g", TEXTS),
    (Enum("g", "h", native_enum=False), "g", [*TEXTS, "i"]),
    (SmallInteger(), 0, [*NUMBERS, 2**15]),
    (Integer(), 0, NUMBERS),
    (BigInteger(), 0, NUMBERS[2:]),
    (Boolean(), False, [0, 0.0, "", "false", 2, None]),
    (UtcDateTime(), NOON, MOMENTS),
]


@pytest.mark.parametrize(
    ("of", "value", "shown"), HOSTILE, ids=[type(of).__name__ for of, *_rest in HOSTILE]
)
def test_consume_when_no_token_can_be_as_was_seen_then_it_is_refused_and_logged(
    work, of, value, shown
):
    desk = desk_of(work, make_kind({"state": of}, seen=("state",)), state=value)
    uid = desk.add()
    for seen in shown:
        assert desk.consume(uid, {"state": seen}).denial is Denial.TOKEN_REUSED, repr(seen)
    assert [row.error_code for row in desk.usages(uid)] == [15] * len(shown)
    assert isinstance(desk.consume(uid, {"state": value}), Granted)
    assert not desk.problems()


def test_consume_when_a_time_was_seen_in_another_zone_then_it_is_the_same_time(work):
    desk = desk_of(work, make_kind({"state": UtcDateTime()}, seen=("state",)), state=NOON)
    uid = desk.add()
    elsewhere = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    assert isinstance(desk.consume(uid, {"state": elsewhere}), Granted)


# What begins as NULL


@pytest.fixture
def badges(work) -> Desk:
    [sample] = [sample for sample in SAMPLES if sample.kind is BADGE]
    return Desk(sample, work)


def test_verify_when_a_use_is_missing_and_what_it_advanced_was_null_then_the_time_is_believed(
    badges,
):
    uid = badges.add(usage_count=1)
    badges.consume(uid)
    badges.consume(uid)
    badges.execute(delete(BADGE.usages).where(BADGE.usages.c.error_code.is_(None)))
    assert badges.problems() == [Problem.MISSING]
    assert badges.find(uid).seen_at


def test_verify_when_the_time_that_a_use_advanced_cannot_be_read_then_it_is_not_believed(badges):
    if badges.database.engine.dialect.name != "sqlite":
        pytest.skip("the database keeps such values out")
    uid = badges.add()
    badges.consume(uid)
    with badges.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE badge_usage SET seen_at = 'noon'")
    assert badges.problems() == [Problem.COUNT_IN_LOG]
