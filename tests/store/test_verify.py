"""What ``verify`` finds in a database, and what it does not."""

import datetime
import json
import uuid

import pytest
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import MOST_FINDINGS
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

A_DAY = datetime.timedelta(days=1)


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


@pytest.fixture
def counted(service) -> uuid.UUID:
    """A token of which two uses of three are taken, and a refusal for its lock time."""
    uid = service.add(new_token(usage_count=3), by="me")
    for _ in range(2):
        service.consume(uid, by="me")
    service.update(uid, TicketChanges(lock_time=3_600), by="me")
    service.consume(uid, by="me")
    return uid


@pytest.fixture
def windowed(service) -> uuid.UUID:
    """An unlimited token, used once, that expires tomorrow."""
    tomorrow = datetime.datetime.now(datetime.UTC) + A_DAY
    uid = service.add(new_token(usage_count=-1, valid_to=tomorrow), by="me")
    service.consume(uid, by="me")
    return uid


@pytest.fixture
def damage(made_tables):
    """Execute a statement on the database behind everybody's back."""

    def execute(statement, **parameters) -> None:
        with made_tables.begin() as connection:
            result = connection.execute(statement, parameters)
            assert result.rowcount != 0

    return execute


def without_details(told: str | None) -> str | None:
    if told is None:
        return None
    values = json.loads(told)
    return json.dumps({name: values[name] for name in values.keys() - set(DETAILS)})


@pytest.fixture
def forget_details(made_tables):
    """Make the events those of a time when there were no details."""

    def forget() -> None:
        columns = TokenEventRecord.__table__.c
        with made_tables.begin() as connection:
            for event in connection.execute(select(TokenEventRecord.__table__)).all():
                old, new = map(without_details, (event.old_values, event.new_values))
                connection.execute(
                    update(TokenEventRecord.__table__)
                    .where(columns.uid == event.uid)
                    .values(old_values=old, new_values=new)
                )

    return forget


def test_verify_when_events_are_from_before_there_were_details_then_the_history_holds(
    service, maintenance, counted, forget_details
):
    forget_details()
    service.update(counted, TicketChanges(label="Ann"), by="me")
    assert problems(maintenance) == []


def test_verify_when_a_label_was_changed_behind_the_back_then_it_is_found(
    service, maintenance, damage
):
    uid = service.add(new_token(label="Ann"), by="me")
    damage(update(TokenRecord.__table__).where(TokenRecord.uid == uid).values(label="Eve"))
    assert problems(maintenance) == [Problem.FIELD, Problem.SEARCH]


def problems(maintenance, only=None) -> list[Problem]:
    return [finding.problem for finding in maintenance.verify(only).findings]


def test_verify_when_the_service_made_it_all_then_nothing_is_wrong(
    maintenance,
    service,
    counted,
    windowed,
):
    service.update(windowed, TicketChanges(enabled=False, valid_to=None), by="me")
    service.consume(windowed, by="me")
    service.update(windowed, TicketChanges(enabled=True, usage_count=1, value="x"), by="me")
    service.consume(windowed, by="me")
    service.consume(windowed, by="me")
    deleted = service.add(new_token(lock_time=9), by="me")
    service.consume(deleted, by="me")
    service.delete(deleted, by="me")
    audit = maintenance.verify()
    assert audit.findings == ()
    counts = audit.counts
    assert (counts.tokens, counts.deleted) == (2, 1)
    assert (counts.uses, counts.refusals, counts.events) == (5, 3, 7)
    assert counts.upgraded == counts.rows_before == counts.purged == 0


def test_verify_when_nothing_is_there_then_nothing_is_wrong(maintenance):
    assert problems(maintenance) == []


# The six kinds of damage


def test_verify_when_a_counter_was_raised_then_it_is_found(maintenance, counted, damage):
    damage(text("UPDATE tokens SET usage_count = usage_count + 1"))
    (finding,) = maintenance.verify().findings
    assert finding.problem is Problem.COUNTER
    assert finding.token_uid == counted
    assert finding.text == "has 2 uses left, by its history 1"


def test_verify_when_a_counter_was_lowered_then_it_is_found(maintenance, counted, damage):
    damage(text("UPDATE tokens SET usage_count = usage_count - 1"))
    assert problems(maintenance) == [Problem.COUNTER]


@pytest.mark.parametrize("version", [2, 3])
def test_verify_when_a_row_of_the_log_was_removed_then_it_is_found(
    maintenance,
    counted,
    damage,
    version,
):
    damage(text(f"DELETE FROM token_usage WHERE version = {version}"))
    (finding,) = maintenance.verify().findings
    assert (finding.problem, finding.version) == (Problem.MISSING, version)


def test_verify_when_the_last_row_of_the_log_was_removed_then_it_is_found(
    maintenance,
    windowed,
    damage,
):
    damage(text("DELETE FROM token_usage"))
    assert problems(maintenance) == [Problem.MISSING]


@pytest.mark.parametrize(
    ("version", "found"),
    [
        (2, [Problem.DOUBLE]),
        (4, [Problem.DOUBLE]),
        (5, [Problem.IN_LOCK_TIME, Problem.VERSION, Problem.COUNTER, Problem.LAST_USED]),
        (7, [Problem.MISSING, Problem.VERSION, Problem.COUNTER, Problem.LAST_USED]),
        (0, [Problem.COUNT_IN_LOG, Problem.DOUBLE]),
    ],
)
def test_verify_when_a_row_was_added_to_the_log_then_it_is_found(
    maintenance,
    counted,
    damage,
    version,
    found,
):
    row = {
        "uid": uuid.uuid4(),
        "token_uid": counted,
        "token_value": str(counted),
        "timestamp": datetime.datetime.now(datetime.UTC),
        "usage_count": 0,
        "version": version,
    }
    damage(TokenUsageRecord.__table__.insert(), **row)
    assert problems(maintenance) == found


def test_verify_when_two_uses_lie_in_a_lock_time_then_they_are_found(
    maintenance,
    service,
    windowed,
    damage,
):
    uid = service.add(new_token(usage_count=-1, lock_time=1), by="me")
    first = service.consume(uid, by="me")
    service.update(uid, TicketChanges(lock_time=0), by="me")
    second = service.consume(uid, by="me")
    assert problems(maintenance) == []
    # As if the lock time had not been taken away between them.
    damage(text("DELETE FROM token_events WHERE action = 'update'"))
    damage(text("UPDATE token_usage SET version = 3 WHERE version = 4"))
    damage(text("UPDATE tokens SET version = 3, lock_time = 1 WHERE version = 4"))
    finding, *others = maintenance.verify().findings
    assert finding.problem is Problem.IN_LOCK_TIME
    assert finding.receipt == second.receipt != first.receipt
    assert others[-1].problem is Problem.LOCKED_UNTIL


def test_verify_when_a_use_lies_outside_the_window_then_it_is_found(
    maintenance,
    windowed,
    damage,
):
    late = datetime.datetime.now(datetime.UTC) + 2 * A_DAY
    damage(TokenUsageRecord.__table__.update().values(timestamp=late))
    damage(TokenRecord.__table__.update().values(last_used=late))
    future, finding = maintenance.verify().findings
    assert future.problem is Problem.TIME
    assert finding.problem is Problem.OUTSIDE_WINDOW
    assert finding.time == late


# More damage


def test_verify_when_a_token_was_removed_then_it_is_found(maintenance, counted, damage):
    damage(text("DELETE FROM tokens"))
    assert problems(maintenance) == [Problem.GONE, Problem.SEARCH]


def test_verify_when_a_token_came_from_nowhere_then_it_is_found(maintenance, windowed, damage):
    damage(text("DELETE FROM token_events"))
    assert problems(maintenance) == [Problem.NO_BEGINNING]


def test_verify_when_all_but_its_uses_is_gone_then_it_is_found(maintenance, windowed, damage):
    damage(text("DELETE FROM token_events"))
    damage(text("DELETE FROM tokens"))
    assert problems(maintenance) == [Problem.UNKNOWN_TOKEN, Problem.SEARCH]


def test_verify_when_more_is_wrong_than_is_kept_then_all_is_counted(
    maintenance,
    service,
    damage,
):
    count = MOST_FINDINGS + 1
    service.add_many(new_token(), count, "many-", by="me")
    damage(text("UPDATE tokens SET usage_count = 7"))
    audit = maintenance.verify()
    assert len(audit.findings) == MOST_FINDINGS
    assert audit.problems == {Problem.COUNTER: count}


# Starting points


def test_verify_when_history_begins_with_an_upgrade_then_that_is_counted(
    maintenance,
    service,
    windowed,
    damage,
):
    damage(TokenEventRecord.__table__.update().values(action="upgrade", user=None))
    row = {
        "uid": uuid.uuid4(),
        "token_value": "x",
        "timestamp": datetime.datetime.now(datetime.UTC),
    }
    damage(TokenUsageRecord.__table__.insert(), **row, token_uid=windowed, version=0)
    row["uid"] = uuid.uuid4()
    damage(TokenUsageRecord.__table__.insert(), **row, token_uid=uuid.uuid4(), version=0)
    audit = maintenance.verify()
    assert audit.findings == ()
    counts = audit.counts
    assert (counts.upgraded, counts.rows_before, counts.uses) == (1, 2, 1)


# Some tokens


def test_verify_when_tokens_are_named_then_the_others_do_not_count(
    maintenance,
    counted,
    windowed,
    damage,
):
    damage(text("UPDATE tokens SET usage_count = 7"))
    audit = maintenance.verify([windowed])
    assert audit.problems == {Problem.COUNTER: 1}
    assert audit.counts.tokens == 1
    assert maintenance.count_entries([windowed]) == 3
    assert maintenance.count_entries() == 9


def test_verify_when_others_write_meanwhile_then_it_does_not_see_it(
    maintenance,
    service,
    counted,
    windowed,
):
    """Each stream is read for a while; between them the token is used again and again."""
    service.add_many(new_token(), 5_000, "many-", by="me")
    told = []

    def use_it(steps) -> None:
        service.consume(windowed, by="me")
        told.append(steps)

    audit = maintenance.verify(progress=use_it)
    assert audit.findings == ()
    assert audit.counts.uses == 3
    assert sum(told) == 10_009
    assert problems(maintenance) == []
