"""Hours and days as the clocks of a zone show them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from cone.tokens.tickets.values import Step

_DAY: Final = datetime.timedelta(days=1)
_MINUTE: Final = datetime.timedelta(minutes=1)
_HOURS: Final = {Step.DAY: range(1), Step.HOUR: range(24)}


def edges(
    first: datetime.date,
    last: datetime.date,
    step: Step,
    zone: datetime.tzinfo,
) -> list[datetime.datetime]:
    """Return where the hours or days of a time begin, and where the last one ends, in UTC.

    :param last: the last day; it belongs to the time.

    A day begins at the first instant that the clocks show its date, so it has 23 to 25 hours
    where they change. An hour that they skip is missing, one that they repeat is there twice.
    """
    found = {
        instant
        for days in range((last - first).days + 1)
        for hour in _HOURS[step]
        for instant in _instants(first + days * _DAY, hour, step, zone)
    }
    found.update(_instants(last + _DAY, 0, Step.DAY, zone))
    return sorted(found)


def daily_window(
    now: datetime.datetime,
    start: datetime.time,
    end: datetime.time,
    zone: datetime.tzinfo,
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return from when to when a range of each day holds, in UTC: that of today.

    An end that is not after the start is on the next day; while such a night that began
    yesterday lasts, it is that one. A time that the clocks repeat counts at the start for the
    first time and at the end for the last time; one that they skip is the instant of the change,
    and a range that they skip as a whole is that of the next day.
    """
    today = now.astimezone(zone).date()
    night = _DAY if end <= start else datetime.timedelta()
    is_last_night = now < _shown(today, end, zone)[1]
    day = today - night if is_last_night else today
    while True:
        opens, closes = _shown(day, start, zone)[0], _shown(day + night, end, zone)[1]
        if opens < closes:
            return opens, closes
        day += _DAY


def next_time(
    after: datetime.datetime,
    time: datetime.time,
    zone: datetime.tzinfo,
) -> datetime.datetime:
    """Return when the clocks show ``time`` for the first time of a day, next ``after`` it, in UTC.

    A time that they skip is the instant of the change.
    """
    day = after.astimezone(zone).date()
    while True:
        found = _shown(day, time, zone)[0]
        if found > after:
            return found
        day += _DAY


def _shown(
    day: datetime.date,
    time: datetime.time,
    zone: datetime.tzinfo,
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return when the clocks show a time for the first and for the last time."""
    wanted = datetime.datetime.combine(day, time)
    before, after = (
        wanted.replace(tzinfo=zone, fold=fold).astimezone(datetime.UTC) for fold in (0, 1)
    )
    if before <= after:
        return before, after
    # Skipped: where the clocks are past it.
    while after.astimezone(zone).replace(tzinfo=None) < wanted:
        after += _MINUTE
    return after, after


def _instants(
    day: datetime.date,
    hour: int,
    step: Step,
    zone: datetime.tzinfo,
) -> Iterator[datetime.datetime]:
    shown = datetime.datetime.combine(day, datetime.time(hour), zone)
    # A time that is skipped counts as the instant of the change.
    instant = shown.astimezone(datetime.UTC)
    yield instant
    again = shown.replace(fold=1).astimezone(datetime.UTC)
    if step is Step.HOUR and again > instant:
        yield again
