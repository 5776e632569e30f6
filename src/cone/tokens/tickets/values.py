"""The values that go in and out of the use cases of tickets. All of them are frozen.

Times are aware and in UTC, durations are whole seconds.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.core import codes
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Actor
from cone.tokens.core.values import Operation
from cone.tokens.core.values import Unset
from cone.tokens.core.values import Value

CONSUME_TOKEN: Final = Operation("consume_token")
#: A view of its own; its keys are those of :data:`CONSUME_TOKEN`.
CONSUME_FOUND: Final = "consume_found"
#: Takes back what was consumed with it.
UNDO_FOUND: Final = "undo_found"
#: Figures of all devices for the scan page.
DOOR_FIGURES: Final = "door_figures"
ADD_TOKEN: Final = Operation("add_token")
ADD_TOKENS: Final = Operation("add_tokens")
#: Another code in place of the one that a token has.
REPLACE: Final = Operation("replace")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A token as it was at ``read_at``.

    ``read_at`` is the time of the clock that decides about consumptions (the database's on
    PostgreSQL), so that a status worked out from both agrees with it.

    :ivar lock_time: seconds for which a use locks the token.
    :ivar label: who or what it is for.
    :ivar data: JSON object of texts.
    :ivar uses_given: the uses that it was issued with, or that were set last; None: not known.
    :ivar inside_until: it is inside until then; None: it is not.
    :ivar outside_until: it left, and may come in again until then; None: it has not left.
    """

    uid: uuid.UUID
    value: Value
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    usage_count: int
    lock_time: int
    enabled: bool
    last_used: datetime.datetime | None
    locked_until: datetime.datetime | None
    creator: Actor
    created: datetime.datetime
    modified: datetime.datetime
    version: int
    read_at: datetime.datetime
    last_user: Actor = None
    label: str | None = None
    email: str | None = None
    category: str | None = None
    note: str | None = None
    data: str | None = None
    uses_given: int | None = None
    inside_until: datetime.datetime | None = None
    outside_until: datetime.datetime | None = None

    @property
    def is_unlimited(self) -> bool:
        """Return whether the uses of the token never end."""
        return self.usage_count == UNLIMITED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a token is issued with. ``value`` None: the uid becomes the value."""

    value: Value | None = None
    valid_from: datetime.datetime | None = None
    valid_to: datetime.datetime | None = None
    usage_count: int = 0
    lock_time: int = 0
    enabled: bool = True
    label: str | None = None
    email: str | None = None
    category: str | None = None
    note: str | None = None
    data: str | None = None

    @property
    def locked_until(self) -> None:
        """A token that was never used is not locked."""

    @property
    def inside_until(self) -> None:
        """A token that was never used is not inside."""

    @property
    def outside_until(self) -> None:
        """Nor has it left."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TicketChanges:
    """What an update changes; UNSET leaves a field as it is, ``value`` None sets the uid."""

    value: Value | Unset | None = UNSET
    valid_from: datetime.datetime | Unset | None = UNSET
    valid_to: datetime.datetime | Unset | None = UNSET
    usage_count: int | Unset = UNSET
    lock_time: int | Unset = UNSET
    enabled: bool | Unset = UNSET
    label: str | Unset | None = UNSET
    email: str | Unset | None = UNSET
    category: str | Unset | None = UNSET
    note: str | Unset | None = UNSET
    data: str | Unset | None = UNSET

    def given(self) -> dict[str, Any]:
        """Return the fields that are to change, by name."""
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in fields if value is not UNSET}


#: What people note about a token; no rule asks for it.
DETAILS: Final = ("label", "email", "category", "note", "data")

#: Those of them that are about a person; a category is not.
PERSONAL: Final = ("label", "email", "note", "data")

#: The fields of a token that an event tells (contract 6).
AUDITED: Final = (
    *("value", "usage_count", "lock_time", "enabled", "valid_from", "valid_to"),
    *DETAILS,
    *PRESENCE,
)


class Known(enum.Enum):
    """What an import does with tokens whose values are known already."""

    SKIP = "skip"
    UPDATE = "update"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A token to import.

    :ivar token: what it is added as where no token is meant.
    :ivar changes: what changes where one is; without a value.
    :ivar uid: of the token that is meant. None, or one that no token has: the value tells.
    :ivar members: the names in ``data`` that the row is about, the others of a known token stay;
        None: it is about all of ``data``.
    """

    token: NewTicket
    changes: TicketChanges
    uid: uuid.UUID | None = None
    members: frozenset[str] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """A token, named by its uid, that gets another value; or keeps it where rows are skipped."""

    token_uid: uuid.UUID
    old: Value
    new: Value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import does or did with its rows; nothing where there are mistakes.

    :ivar unchanged: known ones that are as the import wants them already.
    :ivar codes: the values that differ from those of the tokens of the uids, by row; a repeat of
        an import does not tell them.
    :ivar replaced: values that the tokens of the uids had until they were replaced, by row: the
        tokens keep those that they have now; a repeat does not tell them either.
    :ivar refilled: values of tokens that were used and get more uses than they have left, by row;
        a repeat does not tell them either.
    :ivar alike: values of other tokens, now or until they were replaced, that differ in case or
        hyphens alone from what the tokens of rows get, by row; a repeat does not tell them either.
    :ivar unusable: how many of the added and updated tokens cannot be used until somebody changes
        them, by their status; a token may be counted for several.
    :ivar mistakes: what is wrong with rows, by their numbers from 0.
    """

    added: int
    updated: int
    unchanged: int
    skipped: int
    unusable: Mapping[str, int] = dataclasses.field(default_factory=dict)
    codes: Mapping[int, CodeChange] = dataclasses.field(default_factory=dict)
    replaced: Mapping[int, CodeChange] = dataclasses.field(default_factory=dict)
    refilled: Mapping[int, Value] = dataclasses.field(default_factory=dict)
    alike: Mapping[int, Value] = dataclasses.field(default_factory=dict)
    mistakes: Mapping[int, InvalidParameter] = dataclasses.field(default_factory=dict)


class Step(enum.Enum):
    """How long a bucket of the statistics is, on the clocks of a zone."""

    HOUR = "hour"
    DAY = "day"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket:
    """How many tries to consume a token there were from ``start`` to the next bucket.

    :ivar granted: by the rules. Uses that were taken back do not count, nor exits.
    :ivar exits: those of a checkpoint with directions; likewise.
    :ivar overridden: granted although a rule refused it; likewise.
    :ivar refused: how many of them, by the reason; None where the log does not tell a known one.
        Reasons that did not occur are missing.
    """

    start: datetime.datetime
    granted: int
    refused: Mapping[Denial | None, int]
    overridden: int = 0
    exits: int = 0

    @property
    def refusals(self) -> int:
        """All that were refused."""
        return sum(self.refused.values())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointCounts:
    """How many tries there were at a checkpoint, as in :class:`UsageBucket`."""

    checkpoint: str
    granted: int
    exits: int
    overridden: int
    refusals: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The tries of all tokens in a time, oldest bucket first; empty buckets are there too.

    :ivar checkpoints: those with tries in that time, also where one of them was asked for.
    """

    buckets: tuple[UsageBucket, ...]
    until: datetime.datetime
    checkpoints: tuple[CheckpointCounts, ...] = ()

    @property
    def granted(self) -> int:
        """All that were granted."""
        return sum(bucket.granted for bucket in self.buckets)

    @property
    def exits(self) -> int:
        """All that went out."""
        return sum(bucket.exits for bucket in self.buckets)

    @property
    def overridden(self) -> int:
        """All that were granted although a rule refused it."""
        return sum(bucket.overridden for bucket in self.buckets)

    @property
    def refused(self) -> dict[Denial | None, int]:
        """How many were refused for each reason that occurred, the most frequent first."""
        total: Counter[Denial | None] = Counter()
        for bucket in self.buckets:
            total.update(bucket.refused)
        return dict(total.most_common())

    @property
    def refusals(self) -> int:
        """All that were refused."""
        return sum(bucket.refusals for bucket in self.buckets)


def with_code(token: NewTicket) -> NewTicket:
    """Return ``token`` with its value as a code is stored.

    :raises InvalidParameter: a code cannot be like that.
    """
    if token.value is None:
        return token
    return dataclasses.replace(token, value=codes.new_code(token.value))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DoorFigures:
    """What is going on at all doors.

    :ivar inside: tokens that are inside.
    :ivar came: tokens of which a use was taken; None: there are too many to count.
    :ivar total: all tokens; None: there are too many to count.
    """

    inside: int
    came: int | None
    total: int | None
