"""Checkpoints: where tickets are scanned, and what of them is taken there (decision 0030)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets.details import parse_line
from cone.tokens.tickets.params import CATEGORY
from cone.tokens.tickets.periods import next_time

#: Key of their list in the settings.
CHECKPOINTS: Final = "checkpoints"

#: Whether tickets come in alone, or go out and come in again.
IN: Final = "in"
IN_AND_OUT: Final = "in_out"
DIRECTIONS: Final = (IN, IN_AND_OUT)

#: What a granted ticket sounds like: doors beside each other are told apart.
CHECKPOINT_SOUNDS: Final = ("standard", "high", "low", "double")

#: Hours that a ticket may stay inside.
LONGEST_INSIDE: Final = 168

#: What an entry of the list has besides its name, and what it means where it is missing.
MEMBERS: Final[Mapping[str, Any]] = {
    "categories": (),
    "directions": IN,
    "sound": CHECKPOINT_SOUNDS[0],
    "inside_hours": None,
}

#: When inside ends by default: the night is over.
_MORNING: Final = datetime.time(6)


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """A door, a cloakroom: a place that a device scans for.

    :ivar categories: of the tickets that are taken; empty: all are.
    :ivar has_directions: whether tickets go out here and come in again.
    :ivar sound: one of ``CHECKPOINT_SOUNDS``.
    :ivar inside_hours: how long a ticket is inside after its entry; None: until 06:00.
    """

    name: str
    categories: tuple[str, ...]
    has_directions: bool
    sound: str
    inside_hours: float | None

    def inside_until(self, entered: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
        """Return when a ticket is no longer inside that came in at ``entered``, in UTC.

        :param zone: whose clocks show 06:00.
        """
        if self.inside_hours is None:
            return next_time(entered, _MORNING, zone)
        return entered.astimezone(datetime.UTC) + datetime.timedelta(hours=self.inside_hours)


def read(settings: Mapping[str, Any]) -> dict[str, Checkpoint]:
    """Return the checkpoints of the settings by name, in their order."""
    return {entry["name"]: _checkpoint(entry) for entry in settings[CHECKPOINTS]}


def get(settings: Mapping[str, Any], name: str) -> Checkpoint:
    """Return the checkpoint called ``name``.

    :raises InvalidParameter: there is none.
    """
    for entry in settings[CHECKPOINTS]:
        if entry["name"] == name:
            return _checkpoint(entry)
    raise no_checkpoint()


def no_checkpoint() -> InvalidParameter:
    """Return the error of a name that no checkpoint has."""
    parameter = "checkpoint"
    message = f"{parameter}: there is no checkpoint of this name"
    return InvalidParameter(parameter, "unknown_checkpoint", message)


def read_category(text: object) -> str | None:
    """Return a category as tickets have it; None: it is empty.

    :raises InvalidParameter: no ticket can have it.
    """
    return parse_line(CATEGORY, text)


def _checkpoint(entry: Mapping[str, Any]) -> Checkpoint:
    members = {**MEMBERS, **entry}
    categories = (read_category(text) for text in members["categories"])
    return Checkpoint(
        name=members["name"],
        categories=tuple(category for category in categories if category),
        has_directions=members["directions"] == IN_AND_OUT,
        sound=members["sound"],
        inside_hours=members["inside_hours"],
    )
