"""Times in a row that no calendar of Python has: they stop nobody, and verify tells."""

import dataclasses
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.purge import PurgePlan
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import TokenQuery
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.rendering import token_json
from cone.tokens.tickets.rendering import usages_json
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

QUERY = TokenQuery(matching=EVERYTHING, sort=NEWEST_FIRST, limit=10, after=None, before=None)
ZONES = [ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]
TIMES = [
    "infinity",
    "-infinity",
    "12000-01-01 00:00:00+00",
    "9999-12-31 23:59:59.999999",
    "0001-01-01 00:00:00.000000",
    "0044-03-15 00:00:00+00 BC",
    "9000-13-32 no day",
    "2000-13-32 no day",
]
COLUMNS = [
    *(f"tokens.{name}" for name in ("valid_from", "valid_to", "last_used", "used_before")),
    *(f"tokens.{name}" for name in ("locked_until", "created", "modified")),
    "token_usage.timestamp",
    "token_events.timestamp",
]


@pytest.fixture
def used(service):
    """A token that was used twice."""
    uid = service.add(new_token(value="v", usage_count=9), by="me")
    for _ in range(2):
        service.consume(uid, by="me")
    return uid


@pytest.fixture
def put(made_tables):
    def put(place, time):
        if made_tables.dialect.name == "postgresql" and "no day" in time:
            pytest.skip("the type of the column sees to that")
        table, column = place.split(".")
        with made_tables.begin() as connection:
            # The driver of SQLite stores the text as it is.
            statement = f"UPDATE {table} SET {column} = '{time}'"
            assert connection.execute(text(statement.replace(":", r"\:"))).rowcount > 0

    return put


def granted(outcome):
    return isinstance(outcome, Granted)


def uses_of(made_tables):
    with made_tables.begin() as connection:
        (count,) = connection.execute(text("SELECT usage_count FROM tokens")).one()
    return count


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("place", COLUMNS)
def test_row_when_its_time_is_in_no_calendar_then_all_reads_work_and_verify_finds_it(
    service, used, put, place, time
):
    put(place, time)
    token = service.find_by_value("v")
    for zone in ZONES:
        assert token_json(token, zone)["value"] == "v"
        assert usages_json(service.usages(used, 10), zone)["usages"]
    assert [found.uid for found in service.every(EVERYTHING)] == [used]
    assert len(service.counted_page(QUERY)[0].tokens) == 1
    assert list(service.log())
    assert Maintenance(service._work.database, [TICKET]).verify().findings


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("place", COLUMNS[:5])
def test_use_when_a_time_is_in_no_calendar_then_it_is_told_and_taken_once_or_not_at_all(
    service, used, put, made_tables, place, time
):
    put(place, time)
    before = uses_of(made_tables)
    outcome = service.consume(used, by="me")
    assert uses_of(made_tables) == before - granted(outcome)
    key = IdempotencyKey(key="k", caller="me", operation=Operation("consume_token"), parameters={})
    told = service.consume(used, by="me", key=key)
    again = service.consume(used, by="me", key=key)
    assert again == (dataclasses.replace(told, is_repeat=True) if granted(told) else told)
    service.update(used, TicketChanges(label="x"), by="me")
    # A use and a change write some of the times anew: there may be nothing to find any more.
    Maintenance(service._work.database, [TICKET]).verify()
    Maintenance(service._work.database, [TICKET]).purge(
        PurgePlan(expired=1, used_up=1, personal=1, log=1, requests=1, is_clock_right=True)
    )
    try:
        service.delete(used, by="me")
    except TokenNotFound:
        assert place.startswith("tokens")
