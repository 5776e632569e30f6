"""Checkpoints of the settings, and until when a ticket is inside."""

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets import checkpoints
from cone.tokens.tickets.checkpoints import Checkpoint
from cone.tokens.tickets.settings_file import DEFAULTS

VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
#: Left out a whole day, and moved over the date line by it.
APIA = zoneinfo.ZoneInfo("Pacific/Apia")
#: Has gone forward at midnight, and back from 01:00 to midnight.
AZORES = zoneinfo.ZoneInfo("Atlantic/Azores")


def checkpoint(inside_hours=None):
    return Checkpoint("Door", (), True, "standard", inside_hours)


def inside_until(entered, zone=VIENNA, hours=None, fold=0):
    """Return what the clocks show at the end, with their offset."""
    instant = datetime.datetime.fromisoformat(entered).replace(tzinfo=zone, fold=fold)
    until = checkpoint(hours).inside_until(instant.astimezone(datetime.UTC), zone)
    assert until.tzinfo is datetime.UTC
    return until.astimezone(zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("entered", "until"),
    [
        ("2026-07-01T00:00", "2026-07-01T06:00+02:00"),
        ("2026-07-01T05:59", "2026-07-01T06:00+02:00"),
        ("2026-07-01T05:59:59.999999", "2026-07-01T06:00+02:00"),
        ("2026-07-01T06:00", "2026-07-02T06:00+02:00"),
        ("2026-07-01T22:00", "2026-07-02T06:00+02:00"),
        ("2026-12-31T23:59", "2027-01-01T06:00+01:00"),
        # The clocks go from 02:00 to 03:00.
        ("2026-03-28T22:00", "2026-03-29T06:00+02:00"),
        ("2026-03-29T01:59", "2026-03-29T06:00+02:00"),
        ("2026-03-29T03:00", "2026-03-29T06:00+02:00"),
        # The clocks go from 03:00 back to 02:00.
        ("2026-10-24T22:00", "2026-10-25T06:00+01:00"),
        ("2026-10-25T02:30", "2026-10-25T06:00+01:00"),
        ("2026-10-25T06:00", "2026-10-26T06:00+01:00"),
    ],
)
def test_inside_when_no_hours_are_set_then_it_ends_at_the_next_six_in_the_morning(entered, until):
    assert inside_until(entered) == until


def test_inside_when_the_hour_is_there_twice_then_both_end_with_the_same_morning():
    untils = {inside_until("2026-10-25T02:30", fold=fold) for fold in (0, 1)}
    assert untils == {"2026-10-25T06:00+01:00"}


def test_inside_when_the_morning_is_left_out_then_it_ends_where_the_clocks_go_on():
    assert inside_until("2011-12-29T22:00", APIA) == "2011-12-31T00:00+14:00"
    assert inside_until("2011-12-31T00:00", APIA) == "2011-12-31T06:00+14:00"


@pytest.mark.parametrize(
    ("entered", "hours", "until"),
    [
        ("2026-07-01T22:00", 4, "2026-07-02T02:00+02:00"),
        ("2026-07-01T22:00", 0.5, "2026-07-01T22:30+02:00"),
        ("2026-07-01T22:00", 168, "2026-07-08T22:00+02:00"),
        # Hours that pass, not those that clocks show.
        ("2026-03-28T22:00", 8, "2026-03-29T07:00+02:00"),
        ("2026-10-24T22:00", 8, "2026-10-25T05:00+01:00"),
    ],
)
def test_inside_when_hours_are_set_then_it_ends_after_them(entered, hours, until):
    assert inside_until(entered, hours=hours) == until


def test_inside_when_the_entry_has_another_offset_then_the_clocks_of_the_zone_count():
    offset = datetime.timezone(datetime.timedelta(hours=9))
    entered = datetime.datetime(2026, 7, 2, 12, 59, tzinfo=offset)
    expected = datetime.datetime(2026, 7, 2, 4, tzinfo=datetime.UTC)
    assert checkpoint().inside_until(entered, VIENNA) == expected
    hour = checkpoint(1).inside_until(entered, VIENNA)
    assert (hour.tzinfo, hour - entered) == (datetime.UTC, datetime.timedelta(hours=1))


@given(
    seconds=st.integers(0, 2_000_000_000),
    zone=st.sampled_from([VIENNA, APIA, AZORES, datetime.UTC]),
)
def test_inside_when_the_entry_is_at_any_time_then_it_ends_later_and_within_a_long_day(
    seconds, zone
):
    instant = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    until = checkpoint().inside_until(instant, zone)
    assert datetime.timedelta() < until - instant <= datetime.timedelta(hours=25)
    shown = until.astimezone(zone)
    assert shown.time() == datetime.time(6) or shown.date() == datetime.date(2011, 12, 31)


FULL = {
    "name": "North door",
    "categories": ["VIP", " a, b ", "Zoe\u0308"],
    "directions": "in_out",
    "sound": "high",
    "inside_hours": 1.5,
}


def test_read_when_there_are_checkpoints_then_they_are_there_by_name_in_their_order():
    bar = {"name": "Bar", "directions": "in", "inside_hours": None}
    found = checkpoints.read({**DEFAULTS, "checkpoints": [FULL, bar]})
    assert list(found.items()) == [
        # Categories are read as those of tickets.
        ("North door", Checkpoint("North door", ("VIP", "a, b", "Zoë"), True, "high", 1.5)),
        ("Bar", Checkpoint("Bar", (), False, "standard", None)),
    ]


def test_read_when_the_settings_have_none_then_there_is_none():
    assert checkpoints.read(DEFAULTS) == {}


def test_get_when_there_is_one_of_the_name_then_it_is_that():
    settings = {"checkpoints": [{"name": "Bar"}, FULL]}
    assert checkpoints.get(settings, "North door") == checkpoints.read(settings)["North door"]
    assert checkpoints.get(settings, "Bar") == Checkpoint("Bar", (), False, "standard", None)


@pytest.mark.parametrize("name", ["", "bar", "Bar ", "North"])
def test_get_when_there_is_none_of_the_name_then_the_parameter_is_refused(name):
    with pytest.raises(InvalidParameter, match="checkpoint: there is no") as caught:
        checkpoints.get({"checkpoints": [{"name": "Bar"}, FULL]}, name)
    assert (caught.value.parameter, caught.value.reason) == ("checkpoint", "unknown_checkpoint")
