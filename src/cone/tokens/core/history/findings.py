"""Findings of a replay, and the comparison of times that it makes."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from typing import Final

from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use

#: More than a use can have waited for a lock, or clocks disagree.
TOLERANCE: Final = datetime.timedelta(hours=1)


class Problem(enum.Enum):
    """What is wrong. The value is the stable slug."""

    NO_BEGINNING = "no_beginning"
    MISSING = "missing_rows"
    DOUBLE = "double_version"
    ABOVE_LIMIT = "spent_above_limit"
    IN_LOCK_TIME = "spent_in_lock_time"
    OUTSIDE_WINDOW = "spent_outside_window"
    WHILE_DISABLED = "spent_while_disabled"
    COUNT_IN_LOG = "wrong_count_in_log"
    REFUSAL = "wrong_refusal"
    EVENT = "wrong_event"
    COUNTER = "wrong_counter"
    VERSION = "wrong_version"
    LAST_USED = "wrong_last_used"
    LOCKED_UNTIL = "wrong_locked_until"
    FIELD = "wrong_field"
    GONE = "token_gone"
    DELETED = "deleted_and_there"
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a slug
    VALUE_IN_LOG = "wrong_value_in_log"
    TIME = "wrong_time"
    REQUEST = "wrong_request"
    UNREADABLE = "unreadable_row"
    DIGEST = "wrong_code_digest"
    USERS = "wrong_last_users"
    FORGOTTEN = "forgotten_and_there"
    SEARCH = "wrong_search"
    FORMER = "wrong_former_code"
    PRESENCE = "wrong_presence"
    MANNER = "wrong_manner"
    UNDONE = "wrong_undo"


@dataclasses.dataclass(frozen=True, slots=True)
class Times:
    """How times are compared.

    :ivar now: the clock that the rows have their times of.
    :ivar apart: so much times may differ that one transaction has written.
    """

    now: datetime.datetime
    apart: datetime.timedelta = TOLERANCE

    def is_future(self, time: datetime.datetime) -> bool:
        """Return whether ``time`` is still to come."""
        return time > self.now and time > self.now + TOLERANCE

    def is_before(self, time: datetime.datetime, earlier: datetime.datetime) -> bool:
        """Return whether ``time`` is before another that should be earlier."""
        return time < earlier and time < earlier - TOLERANCE

    def differ(self, one: datetime.datetime, other: datetime.datetime) -> bool:
        """Return whether no transaction has written both times."""
        return abs(one - other) > self.apart


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    :ivar token_uid: None where no token is known that it is about.
    :ivar version: where in the history of the token.
    :ivar receipt: of the row of the log of usages that it is about.
    """

    problem: Problem
    token_uid: uuid.UUID | None
    text: str
    version: int | None = None
    time: datetime.datetime | None = None
    receipt: uuid.UUID | None = None


def finding_of(
    problem: Problem, token_uid: uuid.UUID, text: str, row: Event | Use | None = None
) -> Finding:
    """Return a finding about a row of the history of a token; None: about the token itself."""
    return Finding(
        problem=problem,
        token_uid=token_uid,
        text=text,
        version=row.version if row else None,
        time=row.time if row else None,
        receipt=row.receipt if isinstance(row, Use) else None,
    )


@dataclasses.dataclass(slots=True)
class Counts:
    """How much was replayed.

    :ivar deleted: tokens that are gone, and have rows in the logs.
    :ivar upgraded: tokens whose history begins with an upgrade.
    :ivar rows_before: usages from before an upgrade; they were not replayed.
    :ivar purged: tokens whose history begins where the purged one ends.
    :ivar keys: idempotency keys whose answers were looked up.
    """

    tokens: int = 0
    deleted: int = 0
    events: int = 0
    uses: int = 0
    refusals: int = 0
    upgraded: int = 0
    rows_before: int = 0
    purged: int = 0
    keys: int = 0
