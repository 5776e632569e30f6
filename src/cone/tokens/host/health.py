"""Whether the database answers, found out at no more than a ping a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from cone.tokens.core.errors import Unavailable

#: Seconds that a ping may take, and that its answer holds.
PATIENCE_S: Final = 2.0
FRESH_S: Final = 1.0


class Health:
    """Pings the database, one ping at a time however many ask.

    Concurrency: safe to share among threads.
    """

    def __init__(
        self,
        ping: Callable[[], None],
        *,
        patience_s: float = PATIENCE_S,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._ping = ping
        self._patience_s = patience_s
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._last: _Ping | None = None

    def ping(self) -> None:
        """Ask the database for a sign of life, once and in this thread.

        :raises Unavailable: there is none.
        """
        self._ping()

    def database_answers(self) -> bool:
        """Return whether the database answers, after :data:`PATIENCE_S` at most.

        No timeout of a driver ends each wait that there is, so a ping has a thread. One that hangs
        keeps one connection, and no other is begun meanwhile.
        """
        with self._lock:
            if self._last is None or self._last.is_older_than(self._fresh_s):
                self._last = _Ping(self._ping)
            last = self._last
        return last.result(self._patience_s)


class _Ping:
    def __init__(self, ping: Callable[[], None]) -> None:
        self._begun = time.monotonic()
        self._ended: float | None = None
        self._has_ended = threading.Event()
        self._is_good = False
        threading.Thread(target=self._run, args=[ping], name="health", daemon=True).start()

    def is_older_than(self, age_s: float) -> bool:
        return self._ended is not None and time.monotonic() - self._ended > age_s

    def result(self, patience_s: float) -> bool:
        left = self._begun + patience_s - time.monotonic()
        return self._has_ended.wait(max(0.0, left)) and self._is_good

    def _run(self, ping: Callable[[], None]) -> None:
        try:
            ping()
            self._is_good = True
        except Unavailable:
            # The core has logged it.
            self._is_good = False
        finally:
            self._ended = time.monotonic()
            self._has_ended.set()
