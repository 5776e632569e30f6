"""How a token is used: the manner of a use.

A plain use takes one. Other manners take several at once, go through a checkpoint in or out, or
override what the rules say (decision 0030).
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any
from typing import Final
from typing import NamedTuple


class Direction(enum.Enum):
    """Which way somebody goes through a checkpoint. The value is the stable name."""

    IN = "in"
    OUT = "out"


#: Columns of a token that goes in and out: where its uses left it (decision 0030).
PRESENCE: Final = ("inside_until", "outside_until")


class Shape(NamedTuple):
    """What of a manner makes another statement of it."""

    is_plain: bool = True
    direction: Direction | None = None
    has_categories: bool = False
    is_override: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a token is used.

    In a statement ``uses``, ``categories`` and ``inside_until`` are parameters.

    :ivar uses: how many are taken, all or none. With ``override`` 1 or 0, as there is one left.
    :ivar checkpoint: the name of the checkpoint.
    :ivar categories: those that the checkpoint lets through; None: all.
    :ivar direction: None: the checkpoint has none.
    :ivar inside_until: when somebody who goes in is not inside any more.
    :ivar override: why the rules do not count; None: they do.
    """

    uses: Any = 1
    checkpoint: str | None = None
    categories: Any = None
    direction: Direction | None = None
    inside_until: Any = None
    override: str | None = None

    @property
    def asked(self) -> Any:
        """How many uses it asks for: an exit asks for none."""
        return 0 if self.direction is Direction.OUT else self.uses

    @property
    def shape(self) -> Shape:
        """What of it makes another statement."""
        if self is PLAIN:
            return PLAIN_SHAPE
        return Shape(
            is_plain=False,
            direction=self.direction,
            has_categories=self.categories is not None,
            is_override=self.override is not None,
        )


PLAIN: Final = Manner()
PLAIN_SHAPE: Final = Shape()

#: The next use that is asked for at a checkpoint with directions; states tell of it.
ENTRY: Final = Manner(direction=Direction.IN)
