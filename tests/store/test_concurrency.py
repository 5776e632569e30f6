"""Many callers at once, and proof that the harness would notice a wrong implementation."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Granted
from cone.tokens.core.types import IdempotencyKey
from cone.tokens.core.types import Operation
from cone.tokens.core.types import TokenChanges
from tests.factories import new_token

THREADS = 16


def race(work: Callable[[], Any], *, times: int = 1) -> Counter:
    """Return how often each kind of outcome came of ``work``, started by all threads at once."""
    barrier = threading.Barrier(THREADS)

    def run(_number: int) -> list[type]:
        barrier.wait()
        return [_outcome(work) for _ in range(times)]

    with ThreadPoolExecutor(THREADS) as pool:
        return Counter(kind for kinds in pool.map(run, range(THREADS)) for kind in kinds)


def _outcome(work: Callable[[], Any]) -> type:
    try:
        return type(work())
    except TokenError as error:
        return type(error)


def usages(engine, uid: uuid.UUID) -> list:
    with engine.connect() as connection:
        statement = select(TokenUsageRecord.__table__).where(TokenUsageRecord.token_uid == uid)
        return connection.execute(statement).all()


@pytest.mark.parametrize("uses", [1, 40, 1_000])
def test_race_when_a_token_has_some_uses_then_just_so_many_are_granted(service, engine, uses):
    uid = service.add(new_token(usage_count=uses), by=None)
    outcomes = race(lambda: service.consume(uid, by="me"), times=10)
    granted = min(uses, THREADS * 10)
    assert (outcomes[Granted], outcomes.total()) == (granted, THREADS * 10)
    rows = usages(engine, uid)
    assert len(rows) == THREADS * 10
    assert sum(row.error_code is None for row in rows) == granted
    assert service.get(uid).usage_count == uses - granted


def test_race_when_a_token_locks_then_one_is_granted(service):
    uid = service.add(new_token(usage_count=-1, lock_time_s=3_600), by=None)
    outcomes = race(lambda: service.consume(uid, by="me"), times=3)
    assert outcomes == {Granted: 1, Denied: THREADS * 3 - 1}


def test_race_when_granted_then_versions_and_counts_of_the_log_have_no_gap(service, engine):
    uid = service.add(new_token(usage_count=30), by=None)
    race(lambda: service.consume(uid, by="me"), times=3)
    granted = [row for row in usages(engine, uid) if row.error_code is None]
    assert sorted(row.version for row in granted) == list(range(2, 32))
    assert [row.usage_count for row in sorted(granted, key=lambda row: row.version)] == list(
        range(29, -1, -1),
    )


def test_race_when_equal_values_are_added_then_one_is(service):
    outcomes = race(lambda: service.add(new_token(value="x"), by=None))
    assert outcomes == {uuid.UUID: 1, ValueTaken: THREADS - 1}


def test_race_when_a_token_is_deleted_then_one_does_it(service):
    uid = service.add(new_token(), by=None)
    outcomes = race(lambda: service.delete(uid, by=None))
    assert outcomes == {type(None): 1, TokenNotFound: THREADS - 1}


def test_race_when_many_are_deleted_in_another_order_then_nobody_waits_for_ever(service):
    uids = service.add_many(new_token(), 20, None, by=None)
    orders = iter([uids, uids[::-1]] * (THREADS // 2))
    outcomes = race(lambda: service.delete_many(next(orders), by=None))
    assert outcomes == {type(None): 1, TokenNotFound: THREADS - 1}


def test_race_when_updated_beside_consumptions_then_neither_is_lost(service, engine):
    uid = service.add(new_token(usage_count=1_000), by=None)
    turns = iter(range(THREADS * 4))

    def consume_or_update() -> object:
        if next(turns) % 2:
            return service.update(uid, TokenChanges(lock_time_s=0), by="you")
        return service.consume(uid, by="me")

    outcomes = race(consume_or_update, times=4)
    assert outcomes == {Granted: THREADS * 2, type(None): THREADS * 2}
    token = service.get(uid)
    assert (token.usage_count, token.version) == (1_000 - THREADS * 2, 1 + THREADS * 4)


def test_race_when_the_key_is_the_same_then_it_counts_once(service, engine):
    uid = service.add(new_token(usage_count=100), by=None)
    key = IdempotencyKey(key="k", caller="me", operation=Operation("consume"), parameters={})
    outcomes = race(lambda: service.consume(uid, by="me", key=key))
    assert outcomes == {Granted: THREADS}
    assert (service.get(uid).usage_count, len(usages(engine, uid))) == (99, 1)


def test_race_when_the_key_of_the_last_use_is_the_same_then_all_are_told_the_grant(service):
    uid = service.add(new_token(usage_count=1), by=None)
    key = IdempotencyKey(key="k", caller="me", operation=Operation("consume"), parameters={})
    outcomes = race(lambda: service.consume(uid, by="me", key=key))
    assert outcomes == {Granted: THREADS}


def test_race_when_tokens_are_added_with_the_same_key_then_they_are_added_once(service):
    key = IdempotencyKey(key="k", caller="me", operation=Operation("add"), parameters={})
    outcomes = race(lambda: service.add_many(new_token(), 5, None, by="me", key=key))
    assert outcomes == {list: THREADS}
    assert len(service.page(50).tokens) == 5


def test_race_when_consumption_reads_and_then_writes_then_the_harness_notices(service, engine):
    uid = service.add(new_token(usage_count=1), by=None)
    all_have_read = threading.Barrier(THREADS)

    def read_then_write() -> Granted | None:
        left = service.get(uid).usage_count
        all_have_read.wait()
        if not left:
            return None
        with engine.begin() as connection:
            connection.execute(
                update(TokenRecord).where(TokenRecord.uid == uid).values(usage_count=left - 1),
            )
        return Granted(token_uid=uid, usage_count=left - 1, receipt=uuid.uuid4())

    assert race(read_then_write)[Granted] > 1
