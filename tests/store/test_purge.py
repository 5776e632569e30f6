"""What ``purge`` removes, what stays, and that ``verify`` finds nothing wrong with it."""

import dataclasses
import datetime
import threading
import uuid

import pytest
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core.database import Database
from cone.tokens.core.errors import ClockAhead
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import Purged
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

A_DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)
RECORDS = (TokenRecord, TokenUsageRecord, TokenEventRecord, TokenRequestRecord)
TIMES = {
    TokenRecord: ("created", "modified", "last_used", "locked_until"),
    TokenUsageRecord: ("timestamp",),
    TokenEventRecord: ("timestamp",),
    TokenRequestRecord: ("timestamp",),
}


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


@pytest.fixture
def count(made_tables):
    """Count the rows of tables."""

    def rows(*records) -> list[int]:
        with made_tables.connect() as connection:
            return [
                connection.scalar(select(func.count()).select_from(record)) for record in records
            ]

    return rows


@pytest.fixture
def age(made_tables):
    """Let days go by for all that is in the database."""

    def add(days) -> None:
        with made_tables.begin() as connection:
            for record, names in TIMES.items():
                columns = [record.__table__.columns[name] for name in names]
                key = next(iter(record.__table__.primary_key))
                for old in connection.execute(select(key, *columns)).all():
                    earlier = [time and time - days * A_DAY for time in old[1:]]
                    values = dict(zip(names, earlier, strict=True))
                    change = record.__table__.update().where(key == old[0]).values(values)
                    connection.execute(change)

    return add


@pytest.fixture
def purge(maintenance, count):
    """Purge, in batches that are small, and expect what a dry run tells before."""

    def run(batch=2, **days) -> Purged:
        before = count(*RECORDS)
        plan = PurgePlan(**days, batch=batch, is_clock_right=True)
        told = maintenance.purge(dataclasses.replace(plan, is_dry=True))
        assert count(*RECORDS) == before
        purged = maintenance.purge(plan)
        assert purged == told
        return purged

    return run


def findings(maintenance) -> list[str]:
    return [finding.text for finding in maintenance.verify().findings]


# Tokens


@pytest.fixture
def expired(service) -> list[uuid.UUID]:
    """Tokens that expired two days ago."""
    token = new_token(valid_from=NOW - 9 * A_DAY, valid_to=NOW - 2 * A_DAY)
    return service.add_many(token, 5, "expired-", by="me")


def test_purge_when_tokens_expired_long_ago_then_they_are_deleted(
    purge,
    service,
    maintenance,
    expired,
):
    staying = service.add(new_token(valid_to=NOW + A_DAY), by="me")
    assert purge(expired=3) == Purged()
    assert purge(expired=1) == Purged(expired=5)
    assert service.find(expired[0]) is None
    assert service.find(staying) is not None
    assert findings(maintenance) == []
    assert maintenance.verify().counts.deleted == 5


def test_purge_when_tokens_were_used_up_long_ago_then_they_are_deleted(
    purge,
    service,
    maintenance,
    age,
):
    used, half_used = service.add_many(new_token(usage_count=1), 2, "used-", by="me")
    service.update(half_used, TicketChanges(usage_count=2), by="me")
    unused = service.add(new_token(usage_count=0), by="me")
    service.consume(used, by="me")
    service.consume(half_used, by="me")
    age(5)
    recent = service.add(new_token(usage_count=1), by="me")
    service.consume(recent, by="me")
    assert purge(used_up=6) == Purged()
    assert purge(used_up=3, expired=3) == Purged(used_up=1)
    there = [uid for uid in (used, half_used, unused, recent) if service.find(uid)]
    assert there == [half_used, unused, recent]
    assert findings(maintenance) == []


def test_purge_when_it_deletes_tokens_then_events_tell_who_did(
    service,
    maintenance,
    expired,
    made_tables,
):
    maintenance.purge(PurgePlan(expired=1, by="cron"))
    with made_tables.connect() as connection:
        users = connection.scalars(
            select(TokenEventRecord.user).where(TokenEventRecord.action == "delete"),
        ).all()
    assert users == ["cron"] * 5


def test_purge_when_a_token_is_being_changed_then_it_stays_until_the_next_run(
    maintenance,
    expired,
    made_tables,
):
    if made_tables.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    with made_tables.begin() as connection:
        connection.execute(
            select(TokenRecord.uid).where(TokenRecord.uid == expired[2]).with_for_update(),
        )
        assert maintenance.purge(PurgePlan(expired=1, batch=1)) == Purged(expired=4)
    assert maintenance.purge(PurgePlan(expired=1, batch=2)) == Purged(expired=1)


# Keys


def use_with_key(service, uid, key="k"):
    operation = Operation("consume")
    bound = IdempotencyKey(key=key, caller="me", operation=operation, parameters={})
    return service.consume(uid, by="me", key=bound)


def test_purge_when_keys_are_old_then_they_go(purge, service, maintenance, age, count):
    uid = service.add(new_token(usage_count=9), by="me")
    for key in "abcde":
        use_with_key(service, uid, key)
    age(5)
    use_with_key(service, uid, "new")
    assert purge(requests=6) == Purged()
    assert purge(requests=4) == Purged(requests=5)
    assert count(TokenRequestRecord) == [1]
    assert findings(maintenance) == []


def test_purge_when_the_log_goes_then_no_key_stays_without_its_row(purge, service, age):
    uid = service.add(new_token(usage_count=9), by="me")
    use_with_key(service, uid)
    age(5)
    assert purge(log=4) == Purged(requests=1, usages=1)
    assert use_with_key(service, uid).usage_count == 7


# The clock


@pytest.fixture
def worn(service, age, count):
    """Return a function: a token used long ago, and again so many days ago."""

    def make(days) -> list[int]:
        uid = service.add(new_token(usage_count=9), by="me")
        use_with_key(service, uid, "old")
        service.consume(uid, by="me")
        age(400)
        use_with_key(service, uid, "new")
        age(days)
        return count(*RECORDS)

    return make


@pytest.mark.parametrize(
    ("ages", "days"),
    [
        ({"log": 300}, 30.1),
        ({"log": 300, "expired": 20}, 2.1),
        ({"expired": 1}, 1.1),
        ({"used_up": 9, "requests": 300}, 1.1),
        ({"requests": 300}, 1.1),
        ({"log": 300, "requests": 7}, 3_650),
    ],
)
@pytest.mark.parametrize("is_dry", [True, False])
def test_purge_when_the_clock_is_far_ahead_of_the_newest_row_then_nothing_goes(
    maintenance, worn, count, ages, days, is_dry
):
    before = worn(days)
    with pytest.raises(ClockAhead) as refused:
        maintenance.purge(PurgePlan(**ages, is_dry=is_dry))
    gap = refused.value.now - refused.value.newest
    assert datetime.timedelta() < gap - days * A_DAY < A_DAY / 24
    assert count(*RECORDS) == before
    maintenance.purge(PurgePlan(**ages, is_clock_right=True))
    assert count(*RECORDS) != before or "log" not in ages


@pytest.mark.parametrize(
    ("ages", "days"),
    [
        ({"log": 300}, 29.9),
        ({"log": 730, "requests": 7}, 8),
        ({"expired": 1}, 0.9),
        ({"requests": 1}, 0.9),
    ],
)
def test_purge_when_the_site_has_rested_for_a_while_then_it_purges(maintenance, worn, ages, days):
    worn(days)
    purged = maintenance.purge(PurgePlan(**ages))
    assert purged.usages == (2 if ages.get("log") == 300 else 0)


def test_purge_when_the_site_has_rested_then_keys_are_as_old_as_the_newest_row_says(
    maintenance, worn, count
):
    worn(8)
    assert maintenance.purge(PurgePlan(log=730, requests=7)).requests == 1
    assert count(TokenRequestRecord) == [1]
    assert maintenance.purge(PurgePlan(requests=7, is_clock_right=True)).requests == 1


@pytest.mark.parametrize(
    ("record", "column"),
    [
        (TokenRecord, "created"),
        (TokenRecord, "modified"),
        (TokenUsageRecord, "timestamp"),
        (TokenEventRecord, "timestamp"),
        (TokenRequestRecord, "timestamp"),
    ],
)
def test_purge_when_one_row_of_any_table_is_young_then_the_clock_is_right(
    maintenance, worn, made_tables, record, column
):
    worn(3_650)
    with made_tables.begin() as connection:
        connection.execute(update(record.__table__).values({column: NOW}))
    assert maintenance.purge(PurgePlan(expired=1)) == Purged()


def test_purge_when_a_row_is_of_the_future_then_it_says_nothing_of_the_clock(
    maintenance, worn, made_tables
):
    worn(30)
    with made_tables.begin() as connection:
        late = update(TokenUsageRecord.__table__).where(TokenUsageRecord.version == 2)
        connection.execute(late.values(timestamp=NOW + 99 * A_DAY))
    with pytest.raises(ClockAhead):
        maintenance.purge(PurgePlan(expired=1))


def test_purge_when_the_database_is_empty_then_there_is_nothing_to_remove(maintenance):
    assert maintenance.purge(PurgePlan(log=1, expired=1, requests=1)) == Purged()


# The log


@pytest.fixture
def used(service) -> uuid.UUID:
    """A token with a history."""
    uid = service.add(new_token(usage_count=9), by="me")
    for _ in range(3):
        service.consume(uid, by="me")
    service.update(uid, TicketChanges(lock_time=3_600), by="me")
    for _ in range(3):
        service.consume(uid, by="me")
    service.update(uid, TicketChanges(lock_time=0, valid_to=NOW + 99 * A_DAY), by="me")
    service.consume(uid, by="me")
    return uid


def test_purge_when_the_log_is_young_then_nothing_goes(purge, used, age):
    age(3)
    assert purge(log=3) == Purged()


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_purge_when_the_log_is_old_then_a_mark_stands_for_it(
    purge,
    service,
    maintenance,
    used,
    age,
    count,
    batch,
):
    age(5)
    assert purge(log=4, batch=batch) == Purged(usages=7, events=2)
    assert count(TokenUsageRecord, TokenEventRecord) == [0, 2]
    assert findings(maintenance) == []
    assert maintenance.verify().counts.purged == 1
    service.consume(used, by="me")
    service.update(used, TicketChanges(enabled=False), by="me")
    service.consume(used, by="me")
    assert findings(maintenance) == []
    age(5)
    assert purge(log=4, batch=batch) == Purged(usages=2, events=1)
    assert count(TokenUsageRecord, TokenEventRecord) == [0, 2]
    assert findings(maintenance) == []


def test_purge_when_only_the_beginning_is_old_then_the_rest_stays(
    purge,
    service,
    maintenance,
    used,
    age,
):
    age(5)
    service.update(used, TicketChanges(lock_time=3_600), by="me")
    service.consume(used, by="me")
    assert purge(log=4) == Purged(usages=7, events=2)
    counts = maintenance.verify().counts
    assert (counts.uses, counts.refusals, counts.events) == (1, 0, 3)
    assert findings(maintenance) == []


def test_purge_when_tokens_were_changed_and_never_used_then_it_is_verified(
    purge,
    service,
    maintenance,
    age,
):
    uids = service.add_many(new_token(), 5, "changed-", by="me")
    for enabled in (False, True):
        service.update_many(uids, TicketChanges(enabled=enabled), by="me")
    age(5)
    assert purge(log=4) == Purged(events=10)
    for uid in uids:
        service.consume(uid, by="me")
    assert findings(maintenance) == []


def test_purge_when_a_deleted_token_is_old_then_nothing_of_it_stays(
    purge,
    service,
    maintenance,
    used,
    age,
    count,
):
    service.delete(used, by="me")
    age(5)
    other = service.add(new_token(), by="me")
    service.delete(other, by="me")
    assert purge(log=4) == Purged(usages=7, events=4)
    assert count(TokenUsageRecord, TokenEventRecord) == [0, 2]
    assert findings(maintenance) == []


def test_purge_when_a_token_was_deleted_lately_then_its_mark_stays(
    purge,
    service,
    maintenance,
    used,
    age,
):
    age(5)
    service.delete(used, by="me")
    assert purge(log=4) == Purged(usages=7, events=2)
    assert findings(maintenance) == []
    age(5)
    assert purge(log=4) == Purged(events=2)
    assert maintenance.verify().counts.deleted == 0


def test_purge_when_a_use_waited_for_a_lock_then_it_goes_with_those_behind_it(
    service,
    maintenance,
    used,
    age,
    made_tables,
):
    """The row of a use may carry a time that is a bit later than that of the next one."""
    age(5)
    with made_tables.begin() as connection:
        (late,) = connection.scalars(
            select(TokenUsageRecord.uid).where(TokenUsageRecord.version == 2),
        )
        connection.execute(
            TokenUsageRecord.__table__.update()
            .where(TokenUsageRecord.uid == late)
            .values(timestamp=NOW),
        )
    plan = PurgePlan(log=4, batch=1, is_clock_right=True)
    assert maintenance.purge(plan).usages == 7
    assert findings(maintenance) == []


def test_purge_when_rows_are_from_before_an_upgrade_then_they_go(
    purge,
    maintenance,
    used,
    age,
    count,
    made_tables,
):
    row = {"token_value": "x", "timestamp": NOW, "version": 0}
    with made_tables.begin() as connection:
        connection.execute(
            TokenUsageRecord.__table__.insert(),
            [{**row, "uid": uuid.uuid4(), "token_uid": of} for of in (used, uuid.uuid4())],
        )
        beginning = TokenEventRecord.__table__.update().where(TokenEventRecord.action == "add")
        connection.execute(beginning.values(action="upgrade", user=None))
    age(5)
    assert purge(log=4) == Purged(usages=9, events=2)
    assert findings(maintenance) == []
    assert maintenance.verify().counts.upgraded == 1


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE tokens SET usage_count = usage_count + 1", Problem.COUNTER),
        ("UPDATE tokens SET last_used = NULL", Problem.LAST_USED),
        ("DELETE FROM token_usage", Problem.MISSING),
        ("DELETE FROM token_events WHERE action = 'purge'", Problem.MISSING),
        ("DELETE FROM token_events WHERE action = 'add'", Problem.NO_BEGINNING),
        ("UPDATE token_usage SET version = 3", Problem.DOUBLE),
    ],
)
def test_verify_when_a_purged_history_is_damaged_then_it_is_found(
    purge,
    service,
    maintenance,
    used,
    age,
    made_tables,
    damage,
    problem,
):
    age(5)
    purge(log=4)
    service.consume(used, by="me")
    with made_tables.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    assert problem in maintenance.verify().problems


def test_purge_when_the_site_is_in_use_then_neither_loses_anything(
    service,
    maintenance,
    made_tables,
    age,
):
    uids = service.add_many(new_token(usage_count=-1), 3, "busy-", by="me")
    for uid in uids * 20:
        service.consume(uid, by="me")
    age(5)
    rest, done = threading.Event(), []

    def use() -> None:
        own = TicketService(
            UnitOfWork(Database(made_tables, lambda: datetime.datetime.now(datetime.UTC)))
        )
        while not rest.is_set():
            done.append(own.consume(uids[len(done) % 3], by="you"))

    user = threading.Thread(target=use)
    user.start()
    try:
        purged = maintenance.purge(
            PurgePlan(log=4, expired=1, used_up=1, batch=5, is_clock_right=True)
        )
    finally:
        rest.set()
        user.join()
    assert purged == Purged(usages=60)
    assert findings(maintenance) == []
    assert maintenance.verify().counts.uses == len(done)


def test_purge_when_a_token_was_changed_very_often_then_all_that_is_old_goes(
    service,
    made_tables,
    maintenance,
):
    # A statement of PostgreSQL has 65,535 parameters at most.
    count = 66_000
    uid = service.add(new_token(), by=None)
    service.update(uid, TicketChanges(enabled=True), by=None)
    with made_tables.begin() as connection:
        event = connection.execute(
            select(TokenEventRecord).where(TokenEventRecord.version == 2)
        ).one()
        rows = [
            {**event._asdict(), "uid": uuid.UUID(int=version), "version": version}
            for version in range(3, count)
        ]
        connection.execute(insert(TokenEventRecord.__table__), rows)
        earlier = event.timestamp - 9 * A_DAY
        connection.execute(
            update(TokenRecord.__table__).values(
                version=count - 1, created=earlier, modified=earlier
            ),
        )
        connection.execute(update(TokenEventRecord.__table__).values(timestamp=earlier))
    purged = maintenance.purge(PurgePlan(log=2, is_clock_right=True))
    assert purged == Purged(events=count - 2)
    assert maintenance.verify().findings == ()
