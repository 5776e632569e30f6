import datetime
import zoneinfo

import pytest

from cone.tokens.migrations.local_times import Reading
from cone.tokens.migrations.local_times import fold_sizes
from cone.tokens.migrations.local_times import read_stored
from cone.tokens.migrations.local_times import reading_of
from cone.tokens.migrations.local_times import to_utc

VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
LORD_HOWE = zoneinfo.ZoneInfo("Australia/Lord_Howe")
UTC = zoneinfo.ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("zone", "local", "reading", "utc"),
    [
        (VIENNA, "2024-01-15 12:00", Reading.PLAIN, "2024-01-15 11:00"),
        (VIENNA, "2024-07-15 12:00", Reading.PLAIN, "2024-07-15 10:00"),
        (VIENNA, "2024-03-31 01:59:59.999999", Reading.PLAIN, "2024-03-31 00:59:59.999999"),
        (VIENNA, "2024-03-31 02:00", Reading.GAP, "2024-03-31 01:00"),
        (VIENNA, "2024-03-31 02:30", Reading.GAP, "2024-03-31 01:30"),
        (VIENNA, "2024-03-31 03:00", Reading.PLAIN, "2024-03-31 01:00"),
        (VIENNA, "2024-10-27 01:59:59.999999", Reading.PLAIN, "2024-10-26 23:59:59.999999"),
        (VIENNA, "2024-10-27 02:00", Reading.FOLD, "2024-10-27 01:00"),
        (VIENNA, "2024-10-27 02:59:59.999999", Reading.FOLD, "2024-10-27 01:59:59.999999"),
        (VIENNA, "2024-10-27 03:00", Reading.PLAIN, "2024-10-27 02:00"),
        (LORD_HOWE, "2024-04-07 01:45", Reading.FOLD, "2024-04-06 15:15"),
        (LORD_HOWE, "2024-10-06 02:15", Reading.GAP, "2024-10-05 15:45"),
        (UTC, "2024-03-31 02:30", Reading.PLAIN, "2024-03-31 02:30"),
        (VIENNA, "0001-12-31 23:00", Reading.OUT_OF_RANGE, "0002-01-01 00:00"),
        (VIENNA, "9999-12-31 23:59:59", Reading.OUT_OF_RANGE, "9998-12-31 23:59:59.999999"),
    ],
)
def test_local_time_when_read_then_it_is_the_later_instant(zone, local, reading, utc):
    time = datetime.datetime.fromisoformat(local)
    expected = datetime.datetime.fromisoformat(utc)
    assert (reading_of(time, zone), to_utc(time, zone)) == (reading, expected)


def test_local_time_when_the_zone_has_no_offset_then_it_is_a_bug():
    class Odd(datetime.tzinfo):
        def utcoffset(self, _time) -> None:
            return None

    with pytest.raises(ValueError, match="no offset"):
        to_utc(datetime.datetime.fromisoformat("2024-01-01"), Odd())


@pytest.mark.parametrize("stored", [None, 5, b"2024", "yesterday", "", "2024-01-01 12:00+05:00"])
def test_stored_time_when_it_is_none_of_2_0_then_it_is_not_read(stored):
    assert read_stored(stored) is None


def test_stored_time_when_it_has_no_fraction_then_it_is_read():
    expected = datetime.datetime.fromisoformat("2024-01-15T12:00:00")
    assert read_stored("2024-01-15 12:00:00") == expected


@pytest.mark.parametrize(("zone", "minutes"), [(VIENNA, {60}), (LORD_HOWE, {30, 60}), (UTC, set())])
def test_fold_sizes_when_asked_then_they_say_how_far_the_clocks_go_back(zone, minutes):
    sizes = {size.total_seconds() / 60 for size in fold_sizes(zone)}
    assert minutes <= sizes <= minutes | sizes
    assert bool(sizes) == bool(minutes)
