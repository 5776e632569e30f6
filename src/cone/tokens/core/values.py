"""The values that go in and out of the core. All of them are frozen.

Times are aware and in UTC, durations are whole seconds and carry ``_s``.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import Generic
from typing import Literal
from typing import NewType
from typing import TypeVar

from cone.tokens.core.errors import Denial
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner

T = TypeVar("T")

#: Text of at most 2,048 bytes of UTF-8 that a token is looked up by.
Value = str

#: The user id that the usage log and the events tell; None where nobody is known.
Actor = str | None

#: Name of an operation that an idempotency key belongs to.
Operation = NewType("Operation", str)

#: Uses left that never end.
UNLIMITED: Final = -1

#: Greatest value of ``usage_count`` and ``lock_time`` (contract 2).
MAX_INTEGER: Final = 2_147_483_647

#: Tokens that one request may add, change or delete.
MAX_BATCH: Final = 10_000

#: First and last instant that a window may have; a day more or less fits any zone's calendar.
MIN_INSTANT: Final = datetime.datetime(2, 1, 1, tzinfo=datetime.UTC)
MAX_INSTANT: Final = datetime.datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)

#: A token that was used after this time is locked until :data:`MAX_INSTANT`: the sum of a later
#: time and the longest lock time is no time that both databases store.
LAST_LOCKING: Final = datetime.datetime(9900, 1, 1, tzinfo=datetime.UTC)


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


@dataclasses.dataclass(frozen=True, slots=True)
class SentCode:
    """A code as a device sent it.

    :ivar site: address below which the pages of tokens are; that of a page means its token.
    :ivar is_complete: False: more of the code may be under way.
    :ivar not_read_as: tokens that are meant by their exact codes alone.
    :ivar not_found: numbers of tokens that were found, and are not meant by any code.
    """

    text: str
    site: str | None = None
    is_complete: bool = True
    not_read_as: frozenset[uuid.UUID] = frozenset()
    not_found: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class LastUse:
    """When a token was used last, and by whom; None: never, or not known by whom."""

    time: datetime.datetime | None
    user: Actor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A consumption that is on disk.

    Programs ask ``if api.consume(uid):``, so it is true whatever it tells: no ``__len__`` here.

    :ivar receipt: the uid of its row in the usage log.
    :ivar value: the code of the token; None: it was not asked for by one.
    :ivar before: the use before this one; None: that is not known any more.
    :ivar details: the columns that its kind shows; None: that is not known any more.
    :ivar uses: how many were taken; 0 by an exit and by the entry after one.
    :ivar is_repeat: an earlier request with the same key took the use.
    """

    token_uid: uuid.UUID
    usage_count: int
    receipt: uuid.UUID
    value: Value | None = dataclasses.field(default=None, compare=False)
    before: LastUse | None = dataclasses.field(default=None, compare=False)
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    uses: int = dataclasses.field(default=1, compare=False)
    is_repeat: bool = dataclasses.field(default=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A refused consumption; it is in the usage log too.

    :ivar value: the code of the token; None: its kind has none, or it was asked for by one that was
        replaced.
    :ivar last: the last use of the token; None: that is not known any more.
    :ivar details: as in :class:`Granted`.
    :ivar usage_count: uses left; None: that is not known any more.
    """

    token_uid: uuid.UUID
    denial: Denial
    receipt: uuid.UUID
    value: Value | None = dataclasses.field(default=None, compare=False)
    last: LastUse | None = dataclasses.field(default=None, compare=False)
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    usage_count: int | None = dataclasses.field(default=None, compare=False)


Outcome = Granted | Denied


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One try to consume a token. ``usage_count`` is what was left after it.

    :ivar manner: how it was used, without what only its statement needs.
    :ivar undone_at: when it was taken back; None: it stands.
    :ivar undone_by: by whom.
    """

    receipt: uuid.UUID
    time: datetime.datetime
    denial: Denial | None
    user: Actor
    usage_count: int | None
    manner: Manner = PLAIN
    undone_at: datetime.datetime | None = None
    undone_by: Actor = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoggedUsage:
    """A usage in the log of all tokens.

    :ivar value: the code that the token had then; None: its kind has none.
    :ivar details: the columns that its kind shows, as they are now; None: the token is deleted.
    """

    usage: Usage
    token_uid: uuid.UUID
    value: Value | None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)


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
    :ivar search: what codes and labels have parts of, see :mod:`cone.tokens.core.search`.
    :ivar columns: the whole values of columns that are ``filtered``.
    :ivar status: the status right now.
    :ivar created_from: they were added then or later.
    :ivar created_to: they were added then or before.
    :ivar valid_at: their window has this time in it, its edges included.
    """

    value: Value | None = None
    prefix: str | None = None
    search: str | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
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


def size_of(which: Selection) -> int | None:
    """Return the number of named tokens; None: a filter selects them."""
    return None if isinstance(which, TokenFilter) else len(which)


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
class TokenPage(Generic[T]):
    """Tokens in an order, and whether there are others before and behind the page.

    :ivar count: how many there are in all, None for too many; UNSET where the page did not tell.
    """

    tokens: tuple[T, ...]
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
    :ivar kind: the kind of tokens that it asks for; None: the one with ``has_old_keys``.
    """

    key: str
    caller: str
    operation: Operation
    parameters: Mapping[str, Any]
    kind: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One try to consume a token.

    :ivar receipt: the uid of its row in the usage log; an attempt with a receipt that is there is
        not done again.
    :ivar key: bound to the outcome.
    :ivar seen: what the caller saw of the columns that its kind asks for.
    :ivar manner: how the token is to be used.
    """

    receipt: uuid.UUID
    actor: Actor
    key: IdempotencyKey | None
    seen: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    manner: Manner = PLAIN
