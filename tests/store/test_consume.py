"""One consumption: what it decides, what it leaves behind, what it costs."""

import datetime
import uuid

import pytest
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
FAR_AHEAD = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


def key_of(parameters: object, *, key: str = "k", caller: str = "me") -> IdempotencyKey:
    """Return a key for a consumption."""
    return IdempotencyKey(
        key=key,
        caller=caller,
        operation=Operation("consume_token"),
        parameters={"of": str(parameters)},
    )


def log_of(engine, uid: uuid.UUID) -> list:
    """Return the rows of the usage log of a token, oldest first."""
    statement = (
        select(TokenUsageRecord.__table__)
        .where(TokenUsageRecord.token_uid == uid)
        .order_by(TokenUsageRecord.version, TokenUsageRecord.timestamp)
    )
    with engine.connect() as connection:
        return connection.execute(statement).all()


def test_consume_when_uses_are_left_then_it_takes_one(service):
    uid = service.add(new_token(usage_count=2), by=None)
    outcome = service.consume(uid, by="me")
    assert isinstance(outcome, Granted)
    assert (outcome.token_uid, outcome.usage_count) == (uid, 1)
    assert service.get(uid).usage_count == 1


def test_consume_when_granted_then_last_used_and_version_move_and_modified_stays(service):
    uid = service.add(new_token(usage_count=2), by=None)
    before = service.get(uid)
    service.consume(uid, by="me")
    after = service.get(uid)
    assert after.last_used >= before.created
    assert (after.version, after.modified) == (before.version + 1, before.modified)


def test_consume_when_unlimited_then_the_count_stays(service):
    uid = service.add(new_token(usage_count=-1), by=None)
    assert service.consume(uid, by=None).usage_count == -1
    assert service.get(uid).usage_count == -1


@pytest.mark.parametrize(
    ("fields", "denial"),
    [
        ({"enabled": False, "usage_count": 0}, Denial.TOKEN_DISABLED),
        ({"usage_count": 0, "valid_to": LONG_AGO}, Denial.USAGE_COUNT_EXCEEDED),
        ({"valid_from": FAR_AHEAD}, Denial.OUT_OF_TIME_RANGE),
        ({"valid_to": LONG_AGO}, Denial.OUT_OF_TIME_RANGE),
    ],
)
def test_consume_when_a_rule_fails_then_it_is_denied_and_the_token_stays(service, fields, denial):
    uid = service.add(new_token(**fields), by=None)
    outcome = service.consume(uid, by="me")
    assert isinstance(outcome, Denied)
    assert (outcome.denial, outcome.token_uid) == (denial, uid)
    assert service.get(uid).version == 1


def test_consume_when_consumed_within_the_lock_time_then_it_is_denied(service):
    uid = service.add(new_token(usage_count=2, lock_time=60), by=None)
    service.consume(uid, by="me")
    assert service.consume(uid, by="me").denial is Denial.TOKEN_LOCKED
    token = service.get(uid)
    assert token.locked_until - token.last_used == datetime.timedelta(seconds=60)


def test_consume_when_the_lock_time_is_the_largest_then_the_lock_is_that_long(service):
    uid = service.add(new_token(usage_count=2, lock_time=2_147_483_647), by=None)
    service.consume(uid, by="me")
    token = service.get(uid)
    assert token.locked_until - token.last_used == datetime.timedelta(seconds=2_147_483_647)


def test_consume_when_the_lock_is_over_then_it_is_granted_at_that_very_moment(engine, clock):
    if engine.dialect.name != "sqlite":
        pytest.skip("the clock of a PostgreSQL server cannot be moved")
    service = on_engine(engine, clock)
    uid = service.add(new_token(usage_count=3, lock_time=60), by=None)
    service.consume(uid, by=None)
    clock.move(seconds=60, microseconds=-1)
    assert isinstance(service.consume(uid, by=None), Denied)
    clock.move(microseconds=1)
    assert isinstance(service.consume(uid, by=None), Granted)


def test_consume_when_there_is_no_token_then_it_is_not_found_and_not_logged(service, engine):
    uid = uuid.uuid4()
    with pytest.raises(TokenNotFound):
        service.consume(uid, by=None)
    assert log_of(engine, uid) == []


def test_consume_value_when_a_token_has_it_then_that_one_is_consumed(service):
    uid = service.add(new_token(value="X  X"), by=None)
    assert service.consume_value("X  X", by=None).token_uid == uid


@pytest.mark.parametrize("value", ["Y", "XX", "", "a\0b", "x" * 100_000], ids=len)
def test_consume_value_when_no_token_has_it_then_it_is_not_found(service, value):
    service.add(new_token(value="X"), by=None)
    with pytest.raises(TokenNotFound) as caught:
        service.consume_value(value, by=None)
    assert caught.value.uid is None


# the log


def test_log_when_granted_and_denied_then_each_try_is_one_row(service, engine):
    uid = service.add(new_token(value="x", usage_count=1), by=None)
    granted = service.consume(uid, by="me")
    denied = service.consume(uid, by="you")
    first, second = log_of(engine, uid)
    assert (first.uid, first.error_code, first.user) == (granted.receipt, None, "me")
    assert (second.uid, second.error_code, second.user) == (denied.receipt, 2, "you")
    assert (first.token_value, first.usage_count, first.version) == ("x", 0, 2)
    assert (second.token_value, second.usage_count, second.version) == ("x", 0, 2)
    assert first.timestamp == service.get(uid).last_used


def test_usages_when_listed_then_newest_first_with_the_rest_behind_a_receipt(service):
    uid = service.add(new_token(usage_count=3), by=None)
    receipts = [service.consume(uid, by="me").receipt for _ in range(5)]
    first = service.usages(uid, 3)
    second = service.usages(uid, 3, first.next)
    listed = [usage.receipt for usage in first.usages + second.usages]
    assert listed == receipts[::-1]
    assert (first.next, second.next) == (receipts[2], None)
    assert [usage.denial for usage in first.usages[:2]] == [Denial.USAGE_COUNT_EXCEEDED] * 2


def test_usages_when_the_page_ends_with_the_log_then_there_is_no_next(service):
    uid = service.add(new_token(usage_count=3), by=None)
    for _ in range(3):
        service.consume(uid, by="me")
    assert service.usages(uid, 3).next is None


def test_usages_when_the_receipt_is_of_another_token_then_it_is_refused(service):
    uids = service.add_many(new_token(), 2, None, by=None)
    receipt = service.consume(uids[0], by=None).receipt
    for before in (receipt, uuid.uuid4()):
        with pytest.raises(InvalidParameter) as caught:
            service.usages(uids[1], 3, before)
        assert caught.value.parameter == "before"


def test_usages_when_there_is_no_token_then_it_is_not_found(service):
    with pytest.raises(TokenNotFound):
        service.usages(uuid.uuid4(), 3)


def test_log_when_the_token_is_deleted_then_it_stays(service, engine):
    uid = service.add(new_token(), by=None)
    service.consume(uid, by=None)
    service.delete(uid, by=None)
    assert len(log_of(engine, uid)) == 1


# idempotency


def test_consume_when_repeated_with_its_key_then_the_first_outcome_again(service, engine):
    uid = service.add(new_token(usage_count=5), by=None)
    first = service.consume(uid, by="me", key=key_of(uid))
    again = service.consume(uid, by="me", key=key_of(uid))
    assert first == again
    assert (service.get(uid).usage_count, len(log_of(engine, uid))) == (4, 1)


def test_consume_when_denied_and_repeated_with_its_key_then_denied_again(service, engine):
    uid = service.add(new_token(usage_count=0), by=None)
    first = service.consume(uid, by="me", key=key_of(uid))
    service.update(uid, TicketChanges(usage_count=5), by=None)
    again = service.consume(uid, by="me", key=key_of(uid))
    assert isinstance(again, Denied)
    assert first == again
    assert (service.get(uid).usage_count, len(log_of(engine, uid))) == (5, 1)


def test_consume_when_the_token_is_gone_since_then_the_first_outcome_again(service):
    uid = service.add(new_token(), by=None)
    first = service.consume(uid, by="me", key=key_of(uid))
    service.delete(uid, by=None)
    assert service.consume(uid, by="me", key=key_of(uid)) == first


def test_consume_when_the_key_was_for_something_else_then_it_conflicts(service):
    one, other = service.add_many(new_token(), 2, None, by=None)
    service.consume(one, by="me", key=key_of(one))
    for uid in (other, uuid.uuid4()):
        with pytest.raises(IdempotencyConflict):
            service.consume(uid, by="me", key=key_of(uid))
    assert service.get(other).usage_count == 1


def test_consume_when_the_key_is_another_callers_then_it_counts_for_itself(service):
    uid = service.add(new_token(usage_count=5), by=None)
    service.consume(uid, by="me", key=key_of(uid))
    service.consume(uid, by="you", key=key_of(uid, caller="you"))
    assert service.get(uid).usage_count == 3


def test_consume_when_not_found_then_the_key_is_not_bound(service, engine):
    uid = uuid.uuid4()
    with pytest.raises(TokenNotFound):
        service.consume(uid, by="me", key=key_of(uid))
    with engine.connect() as connection:
        assert connection.execute(select(TokenRequestRecord)).all() == []


def test_consume_value_when_repeated_with_its_key_then_the_first_outcome_again(service):
    service.add(new_token(value="x", usage_count=5), by=None)
    outcomes = [service.consume_value("x", by="me", key=key_of("x")) for _ in range(3)]
    assert outcomes == outcomes[:1] * 3


def test_consume_when_the_log_row_of_its_key_is_purged_then_it_is_not_counted_again(
    service,
    engine,
):
    uid = service.add(new_token(usage_count=5), by=None)
    service.consume(uid, by="me", key=key_of(uid))
    with engine.begin() as connection:
        connection.execute(TokenUsageRecord.__table__.delete())
    with pytest.raises(Unavailable):
        service.consume(uid, by="me", key=key_of(uid))
    assert service.get(uid).usage_count == 4


def test_add_when_repeated_with_its_key_then_the_first_uid_again(service):
    key = IdempotencyKey(key="k", caller="me", operation=Operation("add"), parameters={})
    first = service.add(new_token(value="x"), by="me", key=key)
    assert service.add(new_token(value="x"), by="me", key=key) == first
    assert len(service.page(5).tokens) == 1


def test_add_many_when_repeated_with_its_key_then_the_first_uids_again(service):
    key = IdempotencyKey(key="k", caller="me", operation=Operation("add"), parameters={})
    first = service.add_many(new_token(), 4, "P", by="me", key=key)
    assert service.add_many(new_token(), 4, "P", by="me", key=key) == first


def test_keys_when_stored_then_only_as_digests(service, engine):
    uid = service.add(new_token(), by=None)
    service.consume(uid, by="me", key=key_of(uid, key="telling-name"))
    with engine.connect() as connection:
        row = connection.execute(select(TokenRequestRecord.__table__)).one()
    assert "telling-name" not in str(row)


# what it costs


def statements(engine, *, granted: int, on_sqlite: int) -> int:
    return on_sqlite if engine.dialect.name == "sqlite" else granted


def test_consume_when_granted_then_one_statement_on_postgresql_and_two_on_sqlite(
    service,
    engine,
    query_recorder,
):
    uid = service.add(new_token(), by=None)
    query_recorder.clear()
    service.consume(uid, by="me")
    assert len(query_recorder) == statements(engine, granted=1, on_sqlite=2)


def test_consume_when_granted_with_a_key_then_one_statement_more_on_sqlite(
    service,
    engine,
    query_recorder,
):
    uid = service.add(new_token(), by=None)
    query_recorder.clear()
    service.consume(uid, by="me", key=key_of(uid))
    assert len(query_recorder) == statements(engine, granted=1, on_sqlite=3)


def test_consume_when_denied_then_it_is_one_statement_on_postgresql(
    service, engine, query_recorder
):
    uid = service.add(new_token(usage_count=0), by=None)
    query_recorder.clear()
    service.consume(uid, by="me")
    assert len(query_recorder) == statements(engine, granted=1, on_sqlite=3)


def test_find_by_value_when_asked_then_one_statement(service, query_recorder):
    service.add(new_token(value="x"), by=None)
    query_recorder.clear()
    service.find_by_value("x")
    assert len(query_recorder) == 1


def test_consume_when_no_reason_is_found_then_it_gives_up_after_some_tries(
    service,
    engine,
    monkeypatch,
):
    uid = service.add(new_token(), by=None)
    monkeypatch.setattr("cone.tokens.core.store.consuming._try", lambda *_args, **_more: None)
    with pytest.raises(Unavailable):
        service.consume(uid, by="me")
    assert log_of(engine, uid) == []


def test_usage_count_when_less_than_unlimited_then_the_database_refuses(service, engine):
    uid = service.add(new_token(), by=None)
    statement = update(TokenRecord).where(TokenRecord.uid == uid).values(usage_count=-2)
    with pytest.raises(Exception, match="usage_count"), engine.begin() as connection:
        connection.execute(statement)
