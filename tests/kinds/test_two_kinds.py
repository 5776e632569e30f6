"""Transactions over two kinds: done once, and never in a circle of waiting ones."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.retry import Patience
from cone.tokens.core.store import changing
from cone.tokens.core.store import consuming
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import locking
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.tickets.kind import TICKET
from tests.kinds.conftest import Desk
from tests.kinds.kinds import SAMPLES
from tests.kinds.lockers import LOCKER
from tests.kinds.test_lifecycle import LostOnce

CALLERS = 12


def desk_for(kind, work):
    [sample] = [sample for sample in SAMPLES if sample.kind is kind]
    return Desk(sample, work)


def new_pair(work, **given):
    """Return a locker and a ticket, each with its desk, in the order in which they are locked."""
    desks = desk_for(LOCKER, work), desk_for(TICKET, work)
    return [(desk, desk.add(**given)) for desk in desks]


def use_each(pair, attempts):
    """Return work that takes a use of each token."""

    def use(tx):
        return [
            consuming.consume(tx, desk.kind, "uid", uid, attempt)
            for (desk, uid), attempt in zip(pair, attempts, strict=True)
        ]

    return use


def new_attempts():
    return [Attempt(uuid.uuid4(), "user", None) for _kind in range(2)]


@pytest.mark.parametrize("uses", [3, 0])
def test_write_when_it_is_lost_behind_the_uses_it_took_then_they_are_taken_once(work, uses):
    pair = new_pair(work, usage_count=uses)
    lossy = UnitOfWork(LostOnce(work.database.engine, utc_now), Patience(10.0))
    attempts = new_attempts()
    outcomes = lossy.write(use_each(pair, attempts))
    assert lossy.database.is_lost
    assert [outcome.receipt for outcome in outcomes] == [one.receipt for one in attempts]
    assert [isinstance(outcome, Granted) for outcome in outcomes] == [uses > 0] * 2
    for desk, uid in pair:
        assert len(desk.usages(uid)) == 1
        assert desk.find(uid).usage_count == max(uses - 1, 0)


def test_write_when_it_is_lost_and_receipts_are_made_in_it_then_they_are_taken_once(work):
    pair = new_pair(work)
    lossy = UnitOfWork(LostOnce(work.database.engine, utc_now), Patience(10.0))

    def use(tx):
        return use_each(pair, new_attempts())(tx)

    lossy.write(use)
    assert [desk.find(uid).usage_count for desk, uid in pair] == [2, 2]


def test_write_when_a_use_and_a_change_are_lost_then_both_are_made_once(work):
    pair = new_pair(work)
    (lockers, locker), (tickets, ticket) = pair
    lossy = UnitOfWork(LostOnce(work.database.engine, utc_now), Patience(10.0))
    attempt = Attempt(uuid.uuid4(), "user", None)

    def use_and_change(tx):
        used = consuming.consume(tx, LOCKER, "uid", locker, attempt)
        tickets.change_within(tx, ticket, enabled=False)
        return used

    assert isinstance(lossy.write(use_and_change), Granted)
    assert (len(lockers.usages(locker)), len(tickets.events(ticket))) == (1, 2)
    assert not tickets.problems()


# The order of kinds


def test_write_when_many_use_both_kinds_at_once_then_each_is_granted_or_refused(work):
    pair = new_pair(work, usage_count=7)
    begin = threading.Barrier(CALLERS)

    def use(_caller):
        begin.wait()
        return work.write(use_each(pair, new_attempts()))

    with ThreadPoolExecutor(CALLERS) as callers:
        outcomes = [outcome for both in callers.map(use, range(CALLERS)) for outcome in both]
    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 14
    assert [desk.find(uid).usage_count for desk, uid in pair] == [0, 0]
    assert not pair[0][0].problems()


LOCKING = {
    "a use": lambda tx, kind, uid: consuming.consume(
        tx, kind, "uid", uid, Attempt(uuid.uuid4(), "user", None)
    ),
    "one": lambda tx, kind, uid: finding.find(tx, kind, "uid", uid, for_update=True),
    "some": lambda tx, kind, uid: finding.find_known(tx, kind, [uid], [], for_update=True),
    "many": lambda tx, kind, uid: locking.lock_many(tx, kind, [uid], 1),
    "a filter": lambda tx, kind, _uid: locking.lock_many(tx, kind, EVERYTHING, 1),
}


@pytest.mark.parametrize("lock", LOCKING.values(), ids=LOCKING)
def test_write_when_kinds_are_locked_in_the_wrong_order_then_it_is_a_mistake_at_once(work, lock):
    (lockers, locker), (_tickets, ticket) = new_pair(work)

    def wrong(tx):
        LOCKING["a use"](tx, TICKET, ticket)
        lock(tx, LOCKER, locker)

    with pytest.raises(RuntimeError, match="lockers has to be locked before tokens"):
        work.write(wrong)
    assert not lockers.usages(locker)
    work.write(lambda tx: (lock(tx, LOCKER, locker), lock(tx, TICKET, ticket)))


def test_write_when_a_token_of_an_earlier_kind_is_added_behind_a_use_then_it_may(work):
    (lockers, _locker), (_tickets, ticket) = new_pair(work)
    new = (uuid.uuid4(), lockers.sample.new_fields())

    def use_and_add(tx):
        LOCKING["a use"](tx, TICKET, ticket)
        changing.add_as(tx, LOCKER, new, actor="user")
        return True

    assert work.write(use_and_add)
    assert lockers.find(new[0])


# Keys


def shared_key():
    return IdempotencyKey(key="k", caller="caller", operation=Operation("use"), parameters={"a": 1})


def test_consume_when_the_key_was_used_for_another_kind_then_that_is_a_conflict(work):
    (lockers, locker), (tickets, ticket) = new_pair(work)
    first = lockers.consume(locker, key=shared_key())
    for _again in range(2):
        with pytest.raises(IdempotencyConflict):
            tickets.consume(ticket, key=shared_key())
    assert lockers.consume(locker, key=shared_key()) == first
    assert not tickets.usages(ticket)
    assert not tickets.problems()


def test_write_when_the_key_was_used_for_another_kind_then_that_is_a_conflict(work):
    [(lockers, locker), _ticket] = new_pair(work)
    lockers.consume(locker, key=shared_key())
    key = shared_key()

    def add(tx):
        keys.bind_key(tx, key, {"token_uids": []})

    with pytest.raises(IdempotencyConflict):
        work.write(add, key, lambda _tx, _answer: pytest.fail("it is no answer of this kind"))
