"""Tokens under uids that a program chose, deleted ones that come back included."""

import contextlib
import datetime
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import UidTaken
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.values import Granted
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

UID = uuid.UUID("0191f7c2-6c1b-7a53-8f0a-1c2d3e4f5a6b")
A_DAY = datetime.timedelta(days=1)
CALLERS = 8
TIMES = {
    TokenRecord: ("created", "modified", "last_used", "locked_until"),
    TokenEventRecord: ("timestamp",),
    TokenUsageRecord: ("timestamp",),
}


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


@pytest.fixture
def events(made_tables):
    """Return a function that reads what the log of events tells of the token."""

    def read() -> list[tuple[int, str]]:
        event = TokenEventRecord
        told = select(event.version, event.action).where(event.token_uid == UID)
        with made_tables.connect() as connection:
            return [tuple(row) for row in connection.execute(told.order_by(event.version))]

    return read


@pytest.fixture
def age(made_tables):
    """Return a function that lets days go by for the token and the logs."""

    def add(days: int) -> None:
        with made_tables.begin() as connection:
            for record, names in TIMES.items():
                columns = [getattr(record, name) for name in names]
                for uid, *times in connection.execute(select(record.uid, *columns)).all():
                    older = [time and time - days * A_DAY for time in times]
                    change = update(record).where(record.uid == uid)
                    values = dict(zip(names, older, strict=True))
                    connection.execute(change.values(**values))

    return add


def problems(maintenance) -> list[str]:
    return [finding.text for finding in maintenance.verify().findings]


def live(service, uses: int = 2) -> None:
    """Add the token, use and change it."""
    service.add_as(UID, new_token(usage_count=uses), by="me")
    assert isinstance(service.consume(UID, by="me"), Granted)
    service.update(UID, TicketChanges(lock_time=1), by="me")


def test_a_uid_when_it_is_free_then_the_token_has_it(service, events, maintenance):
    assert service.add_as(UID, new_token(), by="me") == UID
    assert service.get(UID).value == str(UID)
    assert events() == [(1, "add")]
    assert problems(maintenance) == []


def test_a_uid_when_it_is_taken_then_nothing_changes(service, events):
    service.add_as(UID, new_token(value="first"), by="me")
    with pytest.raises(UidTaken):
        service.add_as(UID, new_token(value="second"), by="me")
    with pytest.raises(ValueTaken):
        service.add_as(uuid.uuid4(), new_token(value="first"), by="me")
    assert service.get(UID).value == "first"
    assert events() == [(1, "add")]


def test_a_uid_when_it_is_added_then_nothing_is_read_before_the_insert(service, query_recorder):
    query_recorder.clear()
    service.add_as(UID, new_token(), by="me")
    writes = ["INSERT INTO" in statement for statement in query_recorder.statements]
    # The token and what it is searched by, its last version, the event.
    assert writes == [True, True, False, True]


def test_a_uid_when_many_want_it_at_once_then_one_gets_it(service, maintenance, events):
    begin = threading.Barrier(CALLERS)

    def add(number: int) -> bool:
        begin.wait()
        try:
            service.add_as(UID, new_token(value=f"{number}"), by="me")
        except UidTaken:
            return False
        return True

    with ThreadPoolExecutor(CALLERS) as pool:
        assert sum(pool.map(add, range(CALLERS))) == 1
    assert events() == [(1, "add")]
    assert problems(maintenance) == []


def test_a_deleted_token_when_its_uid_is_added_again_then_its_history_goes_on(
    service,
    maintenance,
    events,
):
    live(service)
    service.delete(UID, by="me")
    live(service, uses=1)
    assert events() == [(1, "add"), (3, "update"), (4, "delete"), (5, "add"), (7, "update")]
    assert service.get(UID).version == 7
    assert [usage.usage_count for usage in service.usages(UID, 9).usages] == [0, 1]
    assert problems(maintenance) == []


def test_a_deleted_token_when_it_comes_and_goes_in_a_race_then_no_version_is_there_twice(
    service,
    maintenance,
    events,
):
    begin = threading.Barrier(CALLERS)

    def come_and_go(_number: int) -> None:
        begin.wait()
        for _ in range(10):
            # Its value is the uid: either of them is said to be taken.
            with contextlib.suppress(ValueTaken):
                service.add_as(UID, new_token(usage_count=-1), by="me")
            with contextlib.suppress(TokenNotFound):
                service.consume(UID, by="me")
                service.delete(UID, by="me")

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(come_and_go, range(CALLERS)))
    versions = [version for version, _action in events()]
    assert len(versions) == len(set(versions)) > 2
    assert problems(maintenance) == []


@pytest.mark.parametrize("first_life_ended", [30, 3], ids=["long ago", "lately"])
@pytest.mark.parametrize("second_life_began", [2, 0])
def test_a_purge_when_a_token_came_back_then_its_second_life_can_be_verified(
    service,
    maintenance,
    events,
    age,
    first_life_ended,
    second_life_began,
):
    live(service)
    service.delete(UID, by="me")
    age(first_life_ended)
    live(service)
    age(second_life_began)
    for days in (25, 1):
        maintenance.purge(PurgePlan(log=days, is_clock_right=True))
        assert problems(maintenance) == []
        assert (5, "add") in events()
    assert service.get(UID).usage_count == 1
    service.consume(UID, by="me")
    assert problems(maintenance) == []
    service.delete(UID, by="me")
    age(9)
    maintenance.purge(PurgePlan(log=1, is_clock_right=True))
    assert events() == []
    assert problems(maintenance) == []
    live(service)
    assert problems(maintenance) == []


def test_a_uid_when_2_0_deleted_its_token_then_it_can_be_added(service, made_tables, maintenance):
    usage = {"token_uid": UID, "token_value": "x", "version": 0, "uid": uuid.uuid4()}
    usage["timestamp"] = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    with made_tables.begin() as connection:
        connection.execute(TokenUsageRecord.__table__.insert(), usage)
    service.add_as(UID, new_token(), by="me")
    assert problems(maintenance) == []
