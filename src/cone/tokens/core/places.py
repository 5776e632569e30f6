"""How much of a process long work may take: the rest stays free for everybody else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from cone.tokens.core.errors import Busy

#: The most tokens that a change or an export may be about without taking a place.
FEW: Final = 1_000

#: Places of a process by default: half of waitress's four threads.
DEFAULT_PLACES: Final = 2


class Places:
    """Counts the requests that are at long work, and says how many may wait for a lock.

    Concurrency: safe to share among threads.
    """

    def __init__(self, count: int = DEFAULT_PLACES) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._taken = 0

    @contextlib.contextmanager
    def work(self, size: int | None = None) -> Iterator[None]:
        """Take a place as long as the block runs.

        :param size: how many tokens it is about; of :data:`FEW` no place is taken. None: not known.
        :raises Busy: there is none; nobody waits for one.
        """
        if size is not None and size <= FEW:
            yield
            return
        with self._lock:
            if self._taken >= self.count:
                raise Busy
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    @property
    def for_waiting(self) -> int:
        """How many threads may wait for a lock that does not come.

        One less while all places are taken: of twice as many threads one is always free.
        """
        return min(self.count, max(1, 2 * self.count - 1 - self._taken))
