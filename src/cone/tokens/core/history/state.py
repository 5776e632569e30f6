"""The state of a token by its history."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from cone.tokens.core import lifecycle
from cone.tokens.core.column_types import check_of
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.rows import UNREADABLE
from cone.tokens.core.kind import ConsumedKind


class State(SimpleNamespace):
    """A token as its history made it; :class:`~cone.tokens.core.lifecycle.Consumable`.

    Its fields are those that events of its kind tell, and these:

    :ivar last_used: the time of the last use.
    :ivar locked_until: by the last use.
    :ivar is_last_use_known: whether both are known.
    """

    def __init__(self, kind: ConsumedKind[Any], values: Mapping[str, Any]) -> None:
        super().__init__(**{name: values[name] for name in kind.audited})
        self._kind = kind
        self.last_used: datetime.datetime | None = None
        self.locked_until: datetime.datetime | None = None
        self.is_last_use_known = True

    def use(self, use: Use) -> None:
        """Apply a granted use."""
        for name, value in lifecycle.after_use(
            self, use.time, self._kind.effects, use.manner
        ).items():
            setattr(self, name, value)
        if use.is_taken:
            self.is_last_use_known = True

    def believe(self, use: Use) -> None:
        """Take over what a row tells of the token afterwards, as far as it can be read."""
        told = zip(self._kind.advanced_names, use.advanced, strict=True)
        columns = self._kind.tokens.c
        for name, value in (("usage_count", use.usage_count), *told):
            if value != UNREADABLE and check_of(columns[name])(value):
                setattr(self, name, value)

    def be_last_used(self, time: datetime.datetime | None) -> None:
        """Set the time of the last use."""
        self.last_used = time
        self.is_last_use_known = True
        self.locked_until = lifecycle.locked_until(time, self.lock_time)

    def forget_last_use(self) -> None:
        """Mark the last use as not known."""
        self.last_used = self.locked_until = None
        self.is_last_use_known = False

    def change(self, values: Mapping[str, Any]) -> None:
        """Set the fields to those of an event."""
        for name in self._kind.audited:
            setattr(self, name, values[name])
        self.locked_until = lifecycle.locked_until(self.last_used, self.lock_time)


def state_of(kind: ConsumedKind[Any], values: Mapping[str, Any], *, is_new: bool) -> State:
    """Return the state that a history begins with.

    :param is_new: the token cannot have been used before.
    """
    state = State(kind, values)
    if is_new or "last_used" in values:
        state.be_last_used(values.get("last_used"))
    else:
        state.forget_last_use()
    return state
