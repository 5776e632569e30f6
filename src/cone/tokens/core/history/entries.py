"""Entries of a history: rows of the logs, and the token itself."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from typing import Final
from typing import NamedTuple

from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner

#: Places of entries that have the same version; the token itself comes behind all.
EVENT: Final = 0
GRANT: Final = 1
REFUSAL: Final = 2
FORMER: Final = 3
PRESENT: Final = 4

#: Behind every version.
BEHIND: Final = 2**31


class Event(NamedTuple):
    """A row of the log of events; ``old`` and ``new`` are JSON."""

    token_uid: uuid.UUID
    version: int
    place: int
    action: str
    time: datetime.datetime
    old: str | None
    new: str | None
    uid: uuid.UUID
    user: str | None


class Use(NamedTuple):
    """A row of the log of usages: granted, or refused with an ``error_code``."""

    token_uid: uuid.UUID
    version: int
    place: int
    time: datetime.datetime
    error_code: int | None
    usage_count: int | None
    receipt: uuid.UUID
    #: The code that the token had; None: its kind has none.
    value: str | None
    user: str | None
    #: What the token had afterwards in the columns that a use of its kind advances.
    advanced: tuple[Any, ...] = ()
    #: As far as the log tells it.
    manner: Manner = PLAIN
    #: When and by whom it was taken back.
    undone_at: datetime.datetime | None = None
    undone_by: str | None = None

    @property
    def is_taken(self) -> bool:
        """Return whether it is the last use of the token; an exit is none, nor a free entry."""
        return self.manner.uses != 0 or self.manner.override is not None


class Former(NamedTuple):
    """A code that the token had until it was replaced."""

    token_uid: uuid.UUID
    #: :data:`BEHIND`.
    version: int
    place: int
    value: str
    digest: str
    #: Another token that has the code; None: none, as it must be.
    holder: uuid.UUID | None


class Present(NamedTuple):
    """The token as it is."""

    token_uid: uuid.UUID
    #: :data:`BEHIND`, so that it comes last.
    version: int
    place: int
    current_version: int
    #: Its columns, by name.
    fields: Mapping[str, Any]


Entry = Event | Use | Former | Present

#: What entries are in the order of.
entry_order = itemgetter(0, 1, 2)
