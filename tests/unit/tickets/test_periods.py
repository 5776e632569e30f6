"""Windows of ranges that come every day, as the clocks of a zone show them."""

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.tickets.periods import daily_window

VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
LORD_HOWE = zoneinfo.ZoneInfo("Australia/Lord_Howe")
#: Left out a whole day, and moved over the date line by it.
APIA = zoneinfo.ZoneInfo("Pacific/Apia")


def window(now, start, end, zone=VIENNA):
    """Return what the clocks show when the window opens and closes, with their offset."""
    instant = datetime.datetime.fromisoformat(now).replace(tzinfo=zone)
    times = (datetime.time.fromisoformat(text) for text in (start, end))
    edges = daily_window(instant, *times, zone)
    assert {edge.tzinfo for edge in edges} == {datetime.UTC}
    return [edge.astimezone(zone).isoformat(timespec="minutes") for edge in edges]


@pytest.mark.parametrize("now", ["2026-07-01T00:00", "2026-07-01T09:00", "2026-07-01T23:59"])
def test_window_when_its_end_is_after_its_start_then_it_is_that_of_today(now):
    assert window(now, "08:00", "12:00") == ["2026-07-01T08:00+02:00", "2026-07-01T12:00+02:00"]


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-07-01T00:00", "2026-06-30T22:00+02:00", "2026-07-01T06:00+02:00"),
        ("2026-07-01T05:59", "2026-06-30T22:00+02:00", "2026-07-01T06:00+02:00"),
        ("2026-07-01T06:00", "2026-07-01T22:00+02:00", "2026-07-02T06:00+02:00"),
        ("2026-07-01T23:00", "2026-07-01T22:00+02:00", "2026-07-02T06:00+02:00"),
        ("2026-12-31T23:00", "2026-12-31T22:00+01:00", "2027-01-01T06:00+01:00"),
    ],
)
def test_window_when_it_is_a_night_then_it_is_the_one_that_lasts_or_comes(now, opens, closes):
    assert window(now, "22:00", "06:00") == [opens, closes]


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-07-01T05:00", "2026-06-30T06:00+02:00", "2026-07-01T06:00+02:00"),
        ("2026-07-01T07:00", "2026-07-01T06:00+02:00", "2026-07-02T06:00+02:00"),
    ],
)
def test_window_when_its_ends_are_the_same_then_it_is_a_day(now, opens, closes):
    assert window(now, "06:00", "06:00") == [opens, closes]


@pytest.mark.parametrize(
    ("start", "end", "opens", "closes"),
    [
        # The clocks go from 02:00 to 03:00.
        ("01:00", "04:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        ("02:00", "04:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
        ("02:30", "04:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
        ("01:00", "02:30", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
        ("22:00", "02:30", "2026-03-29T22:00+02:00", "2026-03-30T02:30+02:00"),
        # All of it is skipped: that of the next day.
        ("02:10", "02:50", "2026-03-30T02:10+02:00", "2026-03-30T02:50+02:00"),
        ("02:10", "03:00", "2026-03-30T02:10+02:00", "2026-03-30T03:00+02:00"),
    ],
)
def test_window_when_the_clocks_go_forward_then_it_has_times_that_they_show(
    start,
    end,
    opens,
    closes,
):
    assert window("2026-03-29T12:00", start, end) == [opens, closes]


@pytest.mark.parametrize(
    ("now", "start", "end", "opens", "closes"),
    [
        # The clocks go from 03:00 back to 02:00.
        (
            "2026-10-25T12:00",
            "01:00",
            "04:00",
            "2026-10-25T01:00+02:00",
            "2026-10-25T04:00+01:00",
        ),
        (
            "2026-10-25T12:00",
            "02:30",
            "04:00",
            "2026-10-25T02:30+02:00",
            "2026-10-25T04:00+01:00",
        ),
        (
            "2026-10-25T12:00",
            "01:00",
            "02:30",
            "2026-10-25T01:00+02:00",
            "2026-10-25T02:30+01:00",
        ),
        # The night has an hour more than others, and lasts until the clocks are past its end.
        (
            "2026-10-24T23:00",
            "22:00",
            "06:00",
            "2026-10-24T22:00+02:00",
            "2026-10-25T06:00+01:00",
        ),
        (
            "2026-10-25T02:40",
            "22:00",
            "02:30",
            "2026-10-24T22:00+02:00",
            "2026-10-25T02:30+01:00",
        ),
    ],
)
def test_window_when_the_clocks_go_back_then_it_opens_at_the_first_and_closes_at_the_last(
    now,
    start,
    end,
    opens,
    closes,
):
    assert window(now, start, end) == [opens, closes]


def test_window_when_half_an_hour_is_skipped_then_it_opens_where_the_clocks_go_on():
    # From 02:00 to 02:30.
    assert window("2026-10-04T12:00", "02:15", "05:00", LORD_HOWE) == [
        "2026-10-04T02:30+11:00",
        "2026-10-04T05:00+11:00",
    ]


def test_window_when_a_whole_day_is_skipped_then_it_opens_where_the_clocks_go_on():
    # There was no 30 December.
    assert window("2011-12-29T12:00", "09:00", "08:00", APIA) == [
        "2011-12-29T09:00-10:00",
        "2011-12-31T00:00+14:00",
    ]


MINUTES = st.times().map(lambda time: time.replace(second=0, microsecond=0))


@given(
    now=st.datetimes(
        datetime.datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
        datetime.datetime(2036, 1, 1),  # noqa: DTZ001
        timezones=st.just(datetime.UTC),
    ),
    start=MINUTES,
    end=MINUTES,
    zone=st.sampled_from([VIENNA, LORD_HOWE, APIA, datetime.UTC]),
)
def test_window_when_it_is_any_then_it_is_no_further_than_a_day_and_has_an_order(
    now,
    start,
    end,
    zone,
):
    opens, closes = daily_window(now, start, end, zone)
    assert opens < closes
    assert closes - opens <= datetime.timedelta(hours=25)
    assert now - datetime.timedelta(hours=25) < closes
    assert opens < now + datetime.timedelta(hours=49)
    if end <= start and opens.astimezone(zone).date() < now.astimezone(zone).date():
        assert opens <= now < closes
