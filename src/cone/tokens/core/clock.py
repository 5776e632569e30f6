"""The only place that asks the system for the time."""

from __future__ import annotations

import datetime
from collections.abc import Callable

#: Returns the current time, aware, in UTC.
Clock = Callable[[], datetime.datetime]


def utc_now() -> datetime.datetime:
    """Return the current time, aware, in UTC."""
    return datetime.datetime.now(datetime.UTC)
