"""Hours and days as the clocks of a zone show them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from cone.tokens.core.types import Step

_DAY: Final = datetime.timedelta(days=1)
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
