"""Uses that were taken back, held against the events that tell it."""

from __future__ import annotations

from collections.abc import Iterator

from cone.tokens.core import lifecycle
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.event_values import Undo
from cone.tokens.core.history.findings import TOLERANCE
from cone.tokens.core.history.standing import Standing
from cone.tokens.core.history.state import State
from cone.tokens.core.manner import PRESENCE


def take_back(
    told: Undo,
    event: Event,
    state: State,
    standing: Standing,
    *,
    is_whole: bool,
) -> Iterator[str]:
    """Take a use back, and return what is wrong with that.

    :param told: what the event tells.
    :param state: before it.
    :param is_whole: no use is missing before it.
    """
    is_last = standing.is_last_passage(told.receipt)
    use = standing.undo(told.receipt)
    if use is None:
        if is_whole:
            yield "takes back a use that is not there, or stands"
        standing.begin({**told.values, "last_used": told.last_used})
    elif is_whole:
        yield from _differences(told, use, state, standing, is_last=is_last)
        if use.undone_at and abs(use.undone_at - event.time) > TOLERANCE:
            yield f"was taken back at another time, {use.undone_at}"
        if use.undone_by != event.user:
            yield "was taken back by somebody else"
    state.be_last_used(told.last_used)


def _differences(
    told: Undo, use: Use, state: State, standing: Standing, *, is_last: bool
) -> Iterator[str]:
    """Return the differences between an undo and the replayed token.

    :param standing: afterwards.
    :param is_last: the use was the last passage.
    """
    count = lifecycle.after_undo(state.usage_count, use.manner.uses)
    if told.values["usage_count"] != count:
        yield f"leaves {told.values['usage_count']} uses, by its history {count}"
    if not standing.may_be_last(told.last_used):
        yield f"last used {told.last_used} afterwards, by its history {standing.last_time()}"
    before = tuple(getattr(state, name) for name in PRESENCE)
    presence = standing.last_presence() if is_last else before
    if tuple(told.values[name] for name in PRESENCE) != presence:
        yield "leaves it inside or outside, and its history does not"
