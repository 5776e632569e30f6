"""The uses of a token that stand, as its replay needs them to take some back.

A use that is never taken back ends the interest in those before it, so that no more are kept than
were taken back in a row.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.core.history.entries import Use
from cone.tokens.core.manner import PRESENCE

#: The values of :data:`PRESENCE`.
Presence = tuple[Any, ...]
NOWHERE: Final[Presence] = (None, None)


class Standing:
    """The uses of one token that stand.

    :ivar last_used: that of history that is not there.
    :ivar presence: likewise.
    """

    def __init__(self, *, is_new: bool = True) -> None:
        """Begin a history.

        :param is_new: the token cannot have been used before.
        """
        self.last_used: datetime.datetime | None = None
        self._is_last_known = is_new
        self.presence = NOWHERE
        self._taken: list[Use] = []
        self._passages: list[tuple[Use, Presence]] = []
        self._undone: dict[uuid.UUID, Use] = {}

    def begin(self, values: Mapping[str, Any]) -> None:
        """Begin with what a mark of purged history tells, or an undo of a use that is purged."""
        self.last_used = values.get("last_used")
        self._is_last_known = "last_used" in values
        self.presence = tuple(values.get(name) for name in PRESENCE)
        self._taken, self._passages = [], []

    def take(self, use: Use, presence: Presence) -> None:
        """Take in a granted use.

        :param presence: of the token afterwards.
        """
        if use.undone_at:
            self._undone[use.receipt] = use
        if use.is_taken:
            self._taken = [*(self._taken if use.undone_at else ()), use]
        if use.manner.direction:
            before = self._passages if use.undone_at else ()
            self._passages = [*before, (use, presence)]

    def undo(self, receipt: uuid.UUID) -> Use | None:
        """Take a use back; None: there is none that the log says is."""
        undone = self._undone.pop(receipt, None)
        if undone:
            self._taken = [use for use in self._taken if use is not undone]
            self._passages = [each for each in self._passages if each[0] is not undone]
        return undone

    def reset(self) -> None:
        """Forget where the token is."""
        self._passages, self.presence = [], NOWHERE

    def may_be_last(self, time: datetime.datetime | None) -> bool:
        """Return whether the last use that stands may have been then; None: there is none."""
        if self._taken:
            return time == self._taken[-1].time
        return time == self.last_used or not self._is_last_known

    def last_time(self) -> datetime.datetime | None:
        """Return the time of the last use that stands, as far as it is known."""
        return self._taken[-1].time if self._taken else self.last_used

    def last_presence(self) -> Presence:
        """Return where the last passage that stands left the token."""
        return self._passages[-1][1] if self._passages else self.presence

    def is_last_passage(self, receipt: uuid.UUID) -> bool:
        """Return whether a use is the last passage."""
        return bool(self._passages) and self._passages[-1][0].receipt == receipt

    def left(self) -> list[Use]:
        """Return the uses that the log says were taken back, and no event does."""
        return list(self._undone.values())
