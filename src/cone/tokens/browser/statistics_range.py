"""The range of days that the page of the statistics shows."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from typing import Final

from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MIN_INSTANT
from cone.tokens.i18n import _
from cone.tokens.tickets.values import Step

#: Days that a range may have.
MOST_DAYS: Final = 366

#: Days of a range that is shown by hours.
_DAYS_BY_HOURS: Final = 2

#: Names in the address.
NAME, FROM, TO = "range", "from", "to"
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

#: Ranges by name: how many days ago they begin and end, and their words.
RANGES: Final = {
    "today": (0, 0, _("statistics_today", default="Today")),
    "yesterday": (1, 1, _("statistics_yesterday", default="Yesterday")),
    "7-days": (6, 0, _("statistics_7_days", default="7 days")),
    "30-days": (29, 0, _("statistics_30_days", default="30 days")),
}
DEFAULT: Final = "7-days"


class WrongRangeError(ValueError):
    """The address asks for a range that there is not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """Days to count; both belong to it.

    :ivar name: of a range that has one.
    """

    first: datetime.date
    last: datetime.date
    name: str | None = None

    @property
    def asked(self) -> dict[str, str]:
        """The range as fields of an address."""
        if self.name:
            return {NAME: self.name}
        return {FROM: self.first.isoformat(), TO: self.last.isoformat()}

    @property
    def step(self) -> Step:
        """How long a bar is."""
        days = (self.last - self.first).days + 1
        return Step.HOUR if days <= _DAYS_BY_HOURS else Step.DAY


def named_range(name: str, today: datetime.date) -> Range:
    """Return the range with this ``name``.

    :raises WrongRangeError: there is none.
    """
    if name not in RANGES:
        raise WrongRangeError
    begins, ends, _word = RANGES[name]
    return Range(_ago(today, begins), _ago(today, ends), name)


def read_range(given: Mapping[str, str], today: datetime.date) -> Range:
    """Return the range that the fields of the address ask for.

    :raises WrongRangeError: there is no such range.
    """
    if not (given.get(FROM) or given.get(TO)):
        return named_range(given.get(NAME) or DEFAULT, today)
    first = _read_date(given.get(FROM, ""))
    last = _read_date(given[TO]) if given.get(TO) else today
    if not 0 <= (last - first).days < MOST_DAYS:
        raise WrongRangeError
    return Range(first, last)


def _read_date(text: str) -> datetime.date:
    if not _DATE.fullmatch(text):
        raise WrongRangeError
    try:
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise WrongRangeError from None
    if not MIN_INSTANT.year <= date.year <= MAX_INSTANT.year:
        raise WrongRangeError
    return date


def _ago(today: datetime.date, days: int) -> datetime.date:
    return today - datetime.timedelta(days)
