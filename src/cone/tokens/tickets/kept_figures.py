"""Figures that many devices ask for, read by one of them for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final
from typing import NamedTuple

from cone.tokens.tickets.values import DoorFigures

#: Seconds that figures are told again before they are read anew.
FRESH_S: Final = 4.0


class _Reading(NamedTuple):
    figures: DoorFigures
    at: float


class KeptFigures:
    """Reads the figures of the doors, one reading at a time however many ask.

    Concurrency: safe to share among threads. While one reads, the others get what was read before.
    """

    def __init__(
        self,
        read: Callable[[], DoorFigures],
        *,
        fresh_s: float = FRESH_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._fresh_s = fresh_s
        self._now = now
        self._lock = threading.Lock()
        self._last: _Reading | None = None

    def get(self) -> DoorFigures:
        """Return the figures as they were :data:`FRESH_S` ago at most, or are being read.

        :raises Unavailable: the database is busy or away.
        """
        last = self._last
        if last and self._is_fresh(last):
            return last.figures
        if not self._lock.acquire(blocking=last is None) and last:
            return last.figures
        try:
            # Somebody else may have read them meanwhile.
            last = self._last
            if last is None or not self._is_fresh(last):
                last = self._last = _Reading(self._read(), self._now())
            return last.figures
        finally:
            self._lock.release()

    def _is_fresh(self, last: _Reading) -> bool:
        return self._now() - last.at < self._fresh_s
