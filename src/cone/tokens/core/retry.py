"""How long a use case is repeated when the database is lost on the way: pure policy."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final
from typing import TypeVar

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import Unavailable

T = TypeVar("T")

#: Seconds between two tries, at first and at most.
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0

#: Tells how many seconds are left of the use case that is under way.
_left: ContextVar[Callable[[], float] | None] = ContextVar("left", default=None)


def seconds_left() -> float | None:
    """Return how long the use case under way may still take; None: there is no limit."""
    left = _left.get()
    return left() if left else None


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """Repeats what was interrupted, until its time is over.

    :ivar seconds: 0: nothing is repeated, and nothing has a limit.
    :ivar now: seconds of a clock that nobody sets.
    :ivar spread: returns a number between two, so that clients do not come back all at once.
    """

    seconds: float = 0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    spread: Callable[[float, float], float] = random.uniform

    def persist(self, work: Callable[[], T], found: Callable[[], T | None] | None = None) -> T:
        """Return the result of ``work``, which is done again each time it is interrupted.

        :param found: returns what an earlier try has done after all, None where nothing was done.
            None: the work changes nothing.
        :raises Unavailable: the time is over; what was done is not known.
        """
        if not self.seconds:
            return work()
        end = self.now() + self.seconds
        token = _left.set(lambda: end - self.now())
        try:
            return self._repeated(work, found or _nothing, end)
        finally:
            _left.reset(token)

    def _repeated(
        self,
        work: Callable[[], T],
        found: Callable[[], T | None],
        end: float,
    ) -> T:
        attempt, pause = work, FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except Interrupted:
                left = end - self.now()
                if left <= 0:
                    raise
            self.sleep(min(left, self.spread(pause / 2, pause)))
            attempt, pause = _again(work, found), min(2 * pause, LONGEST_PAUSE_S)


def _nothing() -> None:
    return None


def _again(work: Callable[[], T], found: Callable[[], T | None]) -> Callable[[], T]:
    """Return a callable that runs ``work`` only if it finds no result of an earlier try."""

    def attempt() -> T:
        outcome = found()
        if outcome is not None:
            return outcome
        try:
            return work()
        except Unavailable:
            raise
        except TokenError:
            # An earlier try may have come to its end in between, and be in the way of this one.
            outcome = found()
            if outcome is None:
                raise
            return outcome

    return attempt


#: Nothing is repeated.
NEVER: Final = Patience()
