"""Counting the usage log by hours and days of a zone."""

import datetime
import itertools
import uuid
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy import update

from cone.tokens.core.errors import Denial
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.tickets.periods import edges
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.values import CheckpointCounts
from cone.tokens.tickets.values import Step
from tests.support.factories import new_token

DATE = datetime.date(2026, 6, 1)
VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
KATHMANDU = zoneinfo.ZoneInfo("Asia/Kathmandu")
ZONES = ["UTC", "Europe/Vienna", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo"]


@pytest.fixture
def log(service, made_tables):
    """Return a function that writes a row to the log."""

    def write(time, code=None):
        row = {
            "uid": uuid.uuid4(),
            "token_uid": uuid.uuid4(),
            "token_value": "x",
            "timestamp": time,
            "error_code": code,
            "version": 2,
        }
        with made_tables.begin() as connection:
            connection.execute(insert(TokenUsageRecord).values(row))

    return write


def utc(*fields):
    return datetime.datetime(*fields, tzinfo=datetime.UTC)


def counts(statistics):
    """What the buckets hold that are not empty, by the time that a clock in UTC shows."""
    return {
        f"{bucket.start:%m-%d %H:%M}": (bucket.granted, dict(bucket.refused))
        for bucket in statistics.buckets
        if bucket.granted or bucket.refused
    }


def test_statistics_when_the_log_is_empty_then_all_buckets_are_there_and_empty(service):
    found = service.statistics(DATE, DATE, Step.HOUR, datetime.UTC)
    assert len(found.buckets) == 24
    assert (found.granted, found.refusals, found.refused) == (0, 0, {})
    assert (found.buckets[0].start, found.until) == (utc(2026, 6, 1), utc(2026, 6, 2))


def test_statistics_when_tokens_are_consumed_then_grants_and_reasons_are_counted(service):
    today = datetime.datetime.now(datetime.UTC).date()
    uid = service.add(new_token(usage_count=2), by=None)
    off = service.add(new_token(enabled=False), by=None)
    for sought in (uid, uid, uid, uid, off):
        service.consume(sought, by="me")
    found = service.statistics(today, today + datetime.timedelta(1), Step.DAY, datetime.UTC)
    assert found.granted == 2
    assert found.refused == {Denial.USAGE_COUNT_EXCEEDED: 2, Denial.TOKEN_DISABLED: 1}
    assert list(found.refused) == [Denial.USAGE_COUNT_EXCEEDED, Denial.TOKEN_DISABLED]
    assert found.refusals == 3


def test_statistics_when_a_row_lies_on_an_edge_then_it_belongs_to_what_begins_there(service, log):
    microsecond = datetime.timedelta(microseconds=1)
    for edge in (utc(2026, 6, 1), utc(2026, 6, 1, 5), utc(2026, 6, 2)):
        log(edge - microsecond)
        log(edge, 3)
    locked = {Denial.TOKEN_LOCKED: 1}
    assert counts(service.statistics(DATE, DATE, Step.HOUR, datetime.UTC)) == {
        "06-01 00:00": (0, locked),
        "06-01 04:00": (1, {}),
        "06-01 05:00": (0, locked),
        "06-01 23:00": (1, {}),
    }


def test_statistics_when_codes_are_not_ours_then_they_count_as_refused_for_another_reason(
    service,
    log,
):
    for code in (1, 99, 99, 2):
        log(utc(2026, 6, 1, 5), code)
    found = service.statistics(DATE, DATE, Step.DAY, datetime.UTC)
    assert counts(found) == {"06-01 00:00": (0, {None: 3, Denial.USAGE_COUNT_EXCEEDED: 1})}


def test_statistics_when_the_zone_is_not_on_the_hour_then_its_clocks_count(service, log):
    log(utc(2026, 6, 1, 18, 14, 59))
    log(utc(2026, 6, 1, 18, 15))
    found = service.statistics(DATE, DATE + datetime.timedelta(1), Step.DAY, KATHMANDU)
    assert counts(found) == {"05-31 18:15": (1, {}), "06-01 18:15": (1, {})}


def test_statistics_when_they_are_asked_for_then_three_statements_count(service, query_recorder):
    query_recorder.clear()
    service.statistics(DATE, DATE, Step.HOUR, VIENNA)
    assert len([text for text in query_recorder.statements if "token_usage" in text]) == 3


# How tokens were used


def today(service, checkpoint=None):
    date = datetime.datetime.now(datetime.UTC).date()
    return service.statistics(
        date, date + datetime.timedelta(1), Step.DAY, datetime.UTC, checkpoint
    )


@pytest.fixture
def use(service):
    """Return a function that uses a token in a manner, and returns uid and receipt."""

    def use(uid=None, count=9, **manner):
        uid = uid or service.add(new_token(usage_count=count, category="VIP"), by=None)
        return uid, service.consume(uid, by="me", manner=Manner(**manner)).receipt

    return use


def test_statistics_when_uses_are_taken_back_then_they_count_nowhere(service, use):
    use()
    for manner in ({"uses": 3}, {"override": "lost list"}, {"checkpoint": "door"}):
        uid, receipt = use(**manner)
        service.undo(uid, receipt, by="me")
    found = today(service)
    assert (found.granted, found.overridden, found.refusals) == (1, 0, 0)
    assert found.checkpoints == ()


def test_statistics_when_rules_are_overridden_then_that_is_counted_apart(service, use):
    use(override="lost list")
    use(count=0, override="", checkpoint="door")
    use(count=0)
    use()
    found = today(service)
    assert (found.granted, found.overridden, found.refusals) == (1, 2, 1)
    assert found.refused == {Denial.USAGE_COUNT_EXCEEDED: 1}
    assert found.checkpoints == (
        CheckpointCounts(checkpoint="door", granted=0, exits=0, overridden=1, refusals=0),
    )


def test_statistics_when_there_are_checkpoints_then_each_has_its_counts(service, use):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    entry = {"checkpoint": "main door", "direction": Direction.IN, "inside_until": until}
    uid, _receipt = use(**entry)
    use(uid, checkpoint="main door", direction=Direction.OUT)
    use(uid, **entry)
    use(uid, **entry)
    use(uid, checkpoint="cloakroom", categories=("coat",))
    use(uid, checkpoint="Éingang", uses=2)
    use(uid)
    found = today(service)
    assert (found.granted, found.exits, found.refusals) == (4, 1, 2)
    counts = {
        each.checkpoint: (each.granted, each.exits, each.refusals) for each in found.checkpoints
    }
    assert counts == {"main door": (2, 1, 1), "cloakroom": (0, 0, 1), "Éingang": (1, 0, 0)}


def test_statistics_when_a_checkpoint_is_asked_for_then_its_tries_alone_count(service, use):
    entry = {
        "checkpoint": "north",
        "direction": Direction.IN,
        "inside_until": datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1),
    }
    uid, _receipt = use(**entry)
    use(uid, checkpoint="north", direction=Direction.OUT)
    use(checkpoint="south", override="alarm")
    use(checkpoint="north", override="lost list")
    use(count=0, checkpoint="north")
    service.undo(*use(checkpoint="north"), by="me")
    use(checkpoint="south")
    use()
    found = today(service, "north")
    assert (found.granted, found.exits, found.overridden, found.refusals) == (1, 1, 1, 1)
    assert {each.checkpoint for each in found.checkpoints} == {"north", "south"}
    south = today(service, "south")
    assert (south.granted, south.exits, south.overridden, south.refusals) == (1, 0, 1, 0)
    none = today(service, "nowhere")
    assert (none.granted, none.exits, none.overridden, none.refusals) == (0, 0, 0, 0)


def test_statistics_when_uses_of_a_checkpoint_are_of_another_time_then_it_is_not_there(
    service, made_tables, use
):
    _uid, receipt = use(checkpoint="door", override="x")
    for time in (utc(2026, 5, 31, 23, 59), utc(2026, 6, 2)):
        with made_tables.begin() as connection:
            moved = update(TokenUsageRecord).where(TokenUsageRecord.uid == receipt)
            connection.execute(moved.values(timestamp=time))
        found = service.statistics(DATE, DATE, Step.HOUR, datetime.UTC)
        assert (found.overridden, found.checkpoints) == (0, ())


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)],
)
def test_edges_when_the_clocks_change_then_the_day_has_the_hours_that_they_show(day, hours):
    date = datetime.date(*day)
    found = edges(date, date, Step.HOUR, VIENNA)
    assert len(found) == hours + 1
    lengths = {later - earlier for earlier, later in itertools.pairwise(found)}
    assert lengths == {datetime.timedelta(hours=1)}
    assert edges(date, date, Step.DAY, VIENNA) == [found[0], found[-1]]


def test_edges_when_midnight_is_skipped_then_the_day_begins_at_the_change():
    zone = zoneinfo.ZoneInfo("America/Sao_Paulo")
    date = datetime.date(2018, 11, 4)
    assert edges(date, date, Step.DAY, zone) == [utc(2018, 11, 4, 3), utc(2018, 11, 5, 2)]
    assert len(edges(date, date, Step.HOUR, zone)) == 24


def test_edges_when_a_day_is_skipped_then_it_is_missing():
    date = datetime.date(2011, 12, 29)
    zone = zoneinfo.ZoneInfo("Pacific/Apia")
    assert len(edges(date, datetime.date(2011, 12, 31), Step.DAY, zone)) == 3


@settings(max_examples=50)
@given(
    date=st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
    days=st.integers(0, 3),
    zone=st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
)
def test_edges_when_days_are_any_then_hours_cover_the_same_time_without_a_gap(date, days, zone):
    last = date + datetime.timedelta(days)
    hours, whole = edges(date, last, Step.HOUR, zone), edges(date, last, Step.DAY, zone)
    assert set(whole) <= set(hours)
    assert (hours[0], hours[-1]) == (whole[0], whole[-1])
    assert hours == sorted(set(hours))
