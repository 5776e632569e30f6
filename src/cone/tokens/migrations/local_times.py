"""What naive times mean: those of a database that kept the times of local clocks."""

from __future__ import annotations

import datetime
import enum
import functools
import itertools
from typing import Final

from cone.tokens.migrations.frozen import MAX_INSTANT
from cone.tokens.migrations.frozen import MIN_INSTANT

#: First and last naive time that is read as it is.
MIN_LOCAL: Final = MIN_INSTANT.replace(tzinfo=None)
MAX_LOCAL: Final = MAX_INSTANT.replace(tzinfo=None)

#: A time that stands for one that nobody knows.
UNKNOWN: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

#: Years in which clocks are looked for that were set back.
_YEARS: Final = (1900, 2100)


class Reading(enum.StrEnum):
    """What there is to say about a naive time."""

    MISSING = "missing"
    PLAIN = "plain"
    #: The clocks skip it (spring): it moves forward, by as much as they do.
    GAP = "gap"
    #: The clocks show it twice (autumn): it is the later one.
    FOLD = "fold"
    #: Not in the years 2 to 9998.
    OUT_OF_RANGE = "out_of_range"
    #: No time at all.
    UNREADABLE = "unreadable"


def reading_of(time: datetime.datetime, zone: datetime.tzinfo) -> Reading:
    """Return the reading of a naive ``time`` of the clocks of ``zone``."""
    if not MIN_LOCAL <= time <= MAX_LOCAL:
        return Reading.OUT_OF_RANGE
    first, second = _offsets(time, zone)
    if first == second:
        return Reading.PLAIN
    return Reading.FOLD if first > second else Reading.GAP


def to_utc(time: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the instant that a naive ``time`` of the clocks of ``zone`` means, in UTC and naive.

    Of two that it may mean it is the later one: no lock ends too early by it. In front of the first
    year and behind the last one it is the first or the last instant of what is stored.
    """
    if time < MIN_LOCAL:
        return MIN_LOCAL
    if time > MAX_LOCAL:
        return MAX_LOCAL
    return time - min(_offsets(time, zone))


def _offsets(
    time: datetime.datetime,
    zone: datetime.tzinfo,
) -> tuple[datetime.timedelta, datetime.timedelta]:
    """Return how far the clocks are ahead at ``time``, before and after a change of them."""
    steady = _steady_offset(zone, time.year, time.month, time.day, time.hour)
    return (steady, steady) if steady is not None else _exact_offsets(time, zone)


@functools.lru_cache(maxsize=50_000)
def _steady_offset(
    zone: datetime.tzinfo,
    *hour: int,
) -> datetime.timedelta | None:
    """Return how far the clocks are ahead all through an hour; None: that changes."""
    start = datetime.datetime(*hour)  # type: ignore[arg-type] # noqa: DTZ001 - naive on purpose
    edges = (start, start + datetime.timedelta(hours=1) - datetime.timedelta.resolution)
    offsets = {offset for edge in edges for offset in _exact_offsets(edge, zone)}
    return offsets.pop() if len(offsets) == 1 else None


def _exact_offsets(
    time: datetime.datetime,
    zone: datetime.tzinfo,
) -> tuple[datetime.timedelta, datetime.timedelta]:
    first = zone.utcoffset(time)
    second = zone.utcoffset(time.replace(fold=1))
    if first is None or second is None:
        message = "the zone has no offset"
        raise ValueError(message)
    return first, second


def read_stored(stored: object) -> datetime.datetime | None:
    """Return the naive time that SQLite has as text, None where that is none."""
    if not isinstance(stored, str):
        return None
    try:
        time = datetime.datetime.fromisoformat(stored)
    except ValueError:
        return None
    return time if time.tzinfo is None else None


@functools.cache
def fold_sizes(zone: datetime.tzinfo) -> frozenset[datetime.timedelta]:
    """Return by how much the clocks of ``zone`` were ever set back."""
    first, last = _YEARS
    days = (datetime.date(last, 1, 1) - datetime.date(first, 1, 1)).days
    start = datetime.datetime(first, 1, 1)  # noqa: DTZ001 - a naive time is what is asked about
    moments = (start + datetime.timedelta(days=day) for day in range(days))
    offsets = (min(_offsets(moment, zone)) for moment in moments)
    changes = {before - after for before, after in itertools.pairwise(offsets)}
    return frozenset(change for change in changes if change > datetime.timedelta(0))
