"""Whose turn it is to write, where one transaction writes at a time.

SQLite polls for its lock, with pauses of up to a tenth of a second, and whoever polls at the
right moment gets it: beside a thread that writes in a loop another one may wait for seconds. Here
the threads of a process stand in line, and only the first of them asks SQLite.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.core.errors import Unavailable
from cone.tokens.core.places import Places

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: Seconds for which a thread waits for the lock, in line and at SQLite together.
LONGEST_WAIT_S: Final = 5.0

#: Seconds after which a lock that nobody got or gave back counts as stuck.
STUCK_S: Final = 0.5

#: Seconds for which those wait longer that are not urgent, where urgent ones keep coming.
HANDICAP_S: Final = 2.0

#: Seconds that a transaction which is not urgent may take before others get a rest from its like,
#: and the longest rest. SQLite polls ten times a second: other processes get their turn in it.
LONG_S: Final = 0.05
LONGEST_REST_S: Final = 0.2


@dataclasses.dataclass(slots=True, eq=False)
class Turn:
    """A thread in line, or the one whose turn it is.

    :ivar rank: who has the least one comes first.
    :ivar end: when it gives up.
    """

    is_urgent: bool
    rank: float
    end: float
    began: float | None = None


class Turns:
    """Hands the turn to write from thread to thread.

    Urgent ones come first; others overtake urgent ones that came :data:`HANDICAP_S` later. While
    the lock is stuck no more threads wait for it than :attr:`places` lets them.

    Concurrency: safe to share among threads.

    :ivar places: of the process.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.places = Places()
        self._now = now
        self._lock = threading.Lock()
        #: With the signal to look whether the turn has come.
        self._line: dict[Turn, threading.Event] = {}
        self._current: Turn | None = None
        #: When the lock was got or given back last, or the first thread began to wait.
        self._moved = 0.0
        self._rest_ends = 0.0

    @contextlib.contextmanager
    def turn(self, *, is_urgent: bool) -> Iterator[Turn]:
        """Wait for the turn, and have it as long as the block runs.

        Call :meth:`begin` once the lock of the database is there. :meth:`give_back` may end the
        turn before the block does.

        :raises Unavailable: it did not come in time, or too many wait already.
        """
        turn = self._take(is_urgent=is_urgent)
        try:
            yield turn
        finally:
            self.give_back(turn)

    def seconds_left(self, turn: Turn) -> float:
        """Return how long ``turn`` may wait for the lock of the database."""
        return max(0.0, turn.end - self._now())

    def begin(self, turn: Turn) -> None:
        """Note that the lock of the database is there."""
        turn.began = self._moved = self._now()

    def give_back(self, turn: Turn) -> None:
        """End ``turn``, unless it has ended, and let the next one have it."""
        with self._lock:
            if self._current is not turn:
                return
            now = self._now()
            self._current = None
            if turn.began is not None:
                self._moved = now
                took = now - turn.began
                if not turn.is_urgent and took > LONG_S:
                    self._rest_ends = now + min(took, LONGEST_REST_S)
            self._call_next()

    def _take(self, *, is_urgent: bool) -> Turn:
        with self._lock:
            now = self._now()
            rank = now if is_urgent else now + HANDICAP_S
            turn = Turn(is_urgent, rank, now + LONGEST_WAIT_S)
            if not self._count_waiting():
                self._moved = now
                if self._current is None and self._may_begin(turn, now):
                    self._current = turn
                    return turn
            signal = self._line[turn] = threading.Event()
            if self._advance(turn, now):
                return turn
            for other in self._line:
                if other.rank > rank:
                    # There may be one too many now, and it is not this one.
                    self._line[other].set()
        try:
            while not self._has_come(turn, signal):
                pass
        except BaseException:
            self._leave(turn)
            raise
        return turn

    def _may_begin(self, turn: Turn, now: float) -> bool:
        return turn.is_urgent or now >= self._rest_ends

    def _has_come(self, turn: Turn, signal: threading.Event) -> bool:
        """Wait until the turn has come, or something else may have changed.

        :raises Unavailable: it is in vain to wait.
        """
        with self._lock:
            now = self._now()
            if self._advance(turn, now):
                return True
            place = self._place(turn)
            is_surplus = place >= self.places.for_waiting
            stuck = self._moved + STUCK_S
            if now >= turn.end or (is_surplus and now >= stuck):
                raise Unavailable
            until = [turn.end]
            if is_surplus:
                until.append(stuck)
            if now < self._rest_ends:
                until.append(self._rest_ends)
            signal.clear()
        signal.wait(min(until) - now)
        return False

    def _leave(self, turn: Turn) -> None:
        with self._lock:
            self._line.pop(turn, None)
            if self._current is turn:
                self._current = None
            self._call_next()

    def _advance(self, turn: Turn, now: float) -> bool:
        """Give ``turn`` the turn where it is next and nobody has it."""
        if self._current is not None or self._next(now) is not turn:
            return False
        del self._line[turn]
        self._current = turn
        return True

    def _next(self, now: float) -> Turn | None:
        ready = [turn for turn in self._line if self._may_begin(turn, now)]
        return min(ready, key=_rank, default=None)

    def _call_next(self) -> None:
        """Wake the one whose turn it is; who has to rest first has to know how long."""
        if not self._line:
            return
        following = self._next(self._now()) or min(self._line, key=_rank)
        self._line[following].set()

    def _count_waiting(self) -> int:
        return len(self._line) + self._is_asking

    def _place(self, turn: Turn) -> int:
        """Return the number of turns in front of ``turn``."""
        return sum(other.rank < turn.rank for other in self._line) + self._is_asking

    @property
    def _is_asking(self) -> bool:
        """Whether the one whose turn it is waits for the lock of the database."""
        return self._current is not None and self._current.began is None


def _rank(turn: Turn) -> float:
    return turn.rank


_by_engine: weakref.WeakKeyDictionary[Engine, Turns] = weakref.WeakKeyDictionary()
_finding = threading.Lock()


def turns_of(engine: Engine) -> Turns:
    """Return the turns of the database behind ``engine``: the same for all who share it."""
    with _finding:
        return _by_engine.setdefault(engine, Turns())
