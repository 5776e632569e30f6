"""The values that go in and out of the core. All of them are frozen.

Times are aware and in UTC, durations are whole seconds and carry ``_s``.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import Literal
from typing import NewType

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import InvalidParameter

#: Text of at most 2,048 bytes of UTF-8 that a token is looked up by.
Value = str

#: The user id that the usage log and the events tell; None where nobody is known.
Actor = str | None

#: Name of an operation that an idempotency key belongs to.
Operation = NewType("Operation", str)

CONSUME_TOKEN: Final = Operation("consume_token")
ADD_TOKEN: Final = Operation("add_token")
ADD_TOKENS: Final = Operation("add_tokens")

#: Uses left that never end.
UNLIMITED: Final = -1

#: Greatest value of ``usage_count`` and ``lock_time`` (contract 2).
MAX_INTEGER: Final = 2_147_483_647


class Unset(enum.Enum):
    """Tells "not given" from "given as empty"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Status(enum.Enum):
    """What a token can do right now. Worked out by the lifecycle rule, never stored."""

    CONSUMABLE = "consumable"
    DISABLED = "disabled"
    EXHAUSTED = "exhausted"
    LOCKED = "locked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it was at ``read_at``.

    ``read_at`` is the time of the clock that decides about consumptions (the database's on
    PostgreSQL), so that a status worked out from both agrees with it.
    """

    uid: uuid.UUID
    value: Value
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    usage_count: int
    lock_time_s: int
    enabled: bool
    last_used: datetime.datetime | None
    locked_until: datetime.datetime | None
    creator: Actor
    created: datetime.datetime
    modified: datetime.datetime
    version: int
    read_at: datetime.datetime

    @property
    def is_unlimited(self) -> bool:
        """Return whether the uses of the token never end."""
        return self.usage_count == UNLIMITED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token is issued with. ``value`` None: the uid becomes the value."""

    value: Value | None = None
    valid_from: datetime.datetime | None = None
    valid_to: datetime.datetime | None = None
    usage_count: int = 0
    lock_time_s: int = 0
    enabled: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenChanges:
    """What an update changes; UNSET leaves a field as it is, ``value`` None sets the uid."""

    value: Value | Unset | None = UNSET
    valid_from: datetime.datetime | Unset | None = UNSET
    valid_to: datetime.datetime | Unset | None = UNSET
    usage_count: int | Unset = UNSET
    lock_time_s: int | Unset = UNSET
    enabled: bool | Unset = UNSET

    def given(self) -> dict[str, Any]:
        """Return the fields that are to change, by name."""
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in fields if value is not UNSET}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A consumption that is on disk. ``receipt`` is the uid of its row in the usage log."""

    token_uid: uuid.UUID
    usage_count: int
    receipt: uuid.UUID


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A refused consumption; it is in the usage log too."""

    token_uid: uuid.UUID
    denial: Denial
    receipt: uuid.UUID


Outcome = Granted | Denied


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One try to consume a token. ``usage_count`` is what was left after it."""

    receipt: uuid.UUID
    time: datetime.datetime
    denial: Denial | None
    user: Actor
    usage_count: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsagePage:
    """Usages of a token, newest first; ``next`` is the receipt to go on before, None at the end."""

    usages: tuple[Usage, ...]
    next: uuid.UUID | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenFilter:
    """Which tokens are meant: those for which all holds that is given.

    :ivar value: the whole value.
    :ivar prefix: the beginning of the value.
    :ivar status: the status right now.
    :ivar created_from: they were added then or later.
    :ivar created_to: they were added then or before.
    :ivar valid_at: their window has this time in it, its edges included.
    """

    value: Value | None = None
    prefix: str | None = None
    status: Status | None = None
    created_from: datetime.datetime | None = None
    created_to: datetime.datetime | None = None
    valid_at: datetime.datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether it means all tokens."""
        return self == EVERYTHING


EVERYTHING: Final = TokenFilter()

#: Tokens by their uids, or all that a filter means.
Selection = Sequence[uuid.UUID] | TokenFilter

#: What tokens are put in order by: what has an index. Nothing that a consumption changes has one,
#: and a page would lose its place.
SortKey = Literal["created", "value"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """The order of a list; tokens that are equal in it are in the order of their uids."""

    by: SortKey = "created"
    is_descending: bool = True


NEWEST_FIRST: Final = Sort()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenPage:
    """Tokens in an order, and whether there are others before and behind the page.

    :ivar count: how many there are in all, None for too many; UNSET where the page did not tell.
    """

    tokens: tuple[Token, ...]
    has_previous: bool
    has_next: bool
    count: int | Unset | None = UNSET


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuery:
    """A page of a list: which tokens, in which order, how many, and beside which one."""

    matching: TokenFilter
    sort: Sort
    limit: int
    after: uuid.UUID | None
    before: uuid.UUID | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """Binds the answer of a request to a key, so that a repeat of it changes nothing.

    :ivar operation: the key is the caller's and the operation's; the same key elsewhere is another.
    :ivar parameters: what the request asks for; a repeat has to ask for the same.
    """

    key: str
    caller: str
    operation: Operation
    parameters: Mapping[str, Any]


class Known(enum.Enum):
    """What an import does with tokens whose values are known already."""

    SKIP = "skip"
    UPDATE = "update"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A token to import.

    :ivar token: what it is added as where its value is not known.
    :ivar changes: what changes where it is; without a value.
    """

    token: NewToken
    changes: TokenChanges


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import does or did with its rows; nothing where there are mistakes.

    :ivar unchanged: known ones that are as the import wants them already.
    :ivar mistakes: what is wrong with rows, by their numbers from 0.
    """

    added: int
    updated: int
    unchanged: int
    skipped: int
    mistakes: Mapping[int, InvalidParameter] = dataclasses.field(default_factory=dict)


class Step(enum.Enum):
    """How long a bucket of the statistics is, on the clocks of a zone."""

    HOUR = "hour"
    DAY = "day"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket:
    """How many tries to consume a token there were from ``start`` to the next bucket.

    :ivar refused: how many of them, by the reason; None where the log does not tell a known one.
        Reasons that did not occur are missing.
    """

    start: datetime.datetime
    granted: int
    refused: Mapping[Denial | None, int]

    @property
    def refusals(self) -> int:
        """All that were refused."""
        return sum(self.refused.values())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The tries of all tokens in a time, oldest bucket first; empty buckets are there too."""

    buckets: tuple[UsageBucket, ...]
    until: datetime.datetime

    @property
    def granted(self) -> int:
        """All that were granted."""
        return sum(bucket.granted for bucket in self.buckets)

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
