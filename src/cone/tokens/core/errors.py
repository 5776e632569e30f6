"""What can go wrong with a token, without a word of HTTP.

A *refusal* of a consumption is a value (:class:`~cone.tokens.core.values.Denied`), a
*mistake* of the caller is one of the exceptions below, a *bug* is any other exception.

========================  ====  ==================================================
slug                      code  raised as, or the reason of a refusal
========================  ====  ==================================================
``token_not_exists``      1     :class:`TokenNotFound`
``usage_count_exceeded``  2     ``Denial.USAGE_COUNT_EXCEEDED``
``token_locked``          3     ``Denial.TOKEN_LOCKED``
``out_of_time_range``     4     ``Denial.OUT_OF_TIME_RANGE``
``invalid_parameter``     5     :class:`InvalidParameter`
``value_taken``           5     :class:`ValueTaken`, :class:`UidTaken`
``token_disabled``        7     ``Denial.TOKEN_DISABLED``
``wrong_checkpoint``      8     ``Denial.WRONG_CHECKPOINT``; tickets alone
``already_inside``        9     ``Denial.ALREADY_INSIDE``; tickets alone
``not_inside``            10    ``Denial.NOT_INSIDE``; tickets alone
``replaced``              11    ``Denial.REPLACED``, :class:`Replaced`
``not_enough_uses``       12    ``Denial.NOT_ENOUGH_USES``; tickets alone
``unfinished``            13    :class:`Unfinished`
``repeated``              14    :class:`Repeated`
``token_reused``          15    ``Denial.TOKEN_REUSED``; tickets are not refused for it
``token_changed``         -     :class:`TokenChanged`
``not_undone``            -     :class:`NotUndone`
``count_changed``         -     :class:`CountChanged`
``idempotency_conflict``  -     :class:`IdempotencyConflict`
``value_too_long_for_qr`` -     :class:`ValueTooLongForQr`
``clock_ahead``           -     :class:`ClockAhead`
``unavailable``           -     :class:`Unavailable`, :class:`Interrupted`, :class:`Busy`
========================  ====  ==================================================

Slugs and codes are stable, the outside relies on them (contract 3).
"""

from __future__ import annotations

import datetime
import enum
import uuid
from typing import ClassVar


class Denial(enum.Enum):
    """Why a consumption was refused. The value is the stable slug."""

    TOKEN_DISABLED = "token_disabled"
    USAGE_COUNT_EXCEEDED = "usage_count_exceeded"
    TOKEN_LOCKED = "token_locked"
    OUT_OF_TIME_RANGE = "out_of_time_range"
    TOKEN_REUSED = "token_reused"
    WRONG_CHECKPOINT = "wrong_checkpoint"
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    NOT_ENOUGH_USES = "not_enough_uses"
    REPLACED = "replaced"

    @property
    def code(self) -> int:
        """The number that stands in the usage log and in answers."""
        return _DENIAL_CODES[self]

    @classmethod
    def from_code(cls, code: int | None) -> Denial | None:
        """Return the denial that a usage row tells; None where the use was granted."""
        return _DENIALS.get(code) if code is not None else None

    def message(self, uid: object | None) -> str:
        """Return the text for people (contract 3, "Texts that stay").

        :param uid: of the token; None: it is not told.
        """
        text = _DENIAL_TEXTS[self]
        return text.replace("{uid} ", "") if uid is None else text.format(uid=uid)


_DENIAL_CODES = {
    Denial.USAGE_COUNT_EXCEEDED: 2,
    Denial.TOKEN_LOCKED: 3,
    Denial.OUT_OF_TIME_RANGE: 4,
    Denial.TOKEN_DISABLED: 7,
    Denial.WRONG_CHECKPOINT: 8,
    Denial.ALREADY_INSIDE: 9,
    Denial.NOT_INSIDE: 10,
    Denial.REPLACED: 11,
    Denial.NOT_ENOUGH_USES: 12,
    Denial.TOKEN_REUSED: 15,
}
_DENIALS = {code: denial for denial, code in _DENIAL_CODES.items()}
_DENIAL_TEXTS = {
    Denial.TOKEN_DISABLED: "Token {uid} is disabled",
    Denial.USAGE_COUNT_EXCEEDED: "Token {uid} usage count exceeded",
    Denial.TOKEN_LOCKED: "Token {uid} is locked",
    Denial.OUT_OF_TIME_RANGE: "Token {uid} out of time range",
    Denial.TOKEN_REUSED: "Token {uid} was used elsewhere already",
    Denial.WRONG_CHECKPOINT: "Token {uid} is not for this checkpoint",
    Denial.ALREADY_INSIDE: "Token {uid} is inside already",
    Denial.NOT_INSIDE: "Token {uid} is not inside",
    Denial.NOT_ENOUGH_USES: "Token {uid} has fewer uses left",
    Denial.REPLACED: "Token {uid} has another code now",
}


class TokenError(Exception):
    """A mistake of the caller, or a database that does not answer."""

    slug: ClassVar[str]
    code: ClassVar[int | None] = None


class TokenNotFound(TokenError):
    """There is no such token."""

    slug = "token_not_exists"
    code = 1

    def __init__(self, uid: object | None = None) -> None:
        self.uid = uid
        super().__init__(
            "No token with this value" if uid is None else f"Token {_shortened(uid)} not exists",
        )


class Replaced(TokenError):
    """A code was replaced: its token has another one now, which is not told.

    :param uid: of the token.
    """

    slug = "replaced"
    code = 11

    def __init__(self, uid: uuid.UUID) -> None:
        self.uid = uid
        super().__init__("This code was replaced by another one")


class Unfinished(TokenError):
    """A code may not be complete: another one begins with it. Nothing was taken, nor logged."""

    slug = "unfinished"
    code = 13

    def __init__(self) -> None:
        super().__init__("Another code begins like this one; send the whole code")


class Repeated(TokenError):
    """A token must not be meant by this code, or by this number. Nothing was taken, nor logged.

    :param number: it was found under that.
    """

    slug = "repeated"
    code = 14

    def __init__(self, uid: uuid.UUID, number: int | None = None) -> None:
        self.uid = uid
        self.number = number
        name = "not_read_as" if number is None else "not_found"
        super().__init__(f"This is a token of {name}; leave it out to take another use")


class InvalidParameter(TokenError):
    """A parameter is malformed, out of its limits, given twice or missing.

    :param parameter: name as the caller gave it.
    :param reason: stable key of the text, for translations.
    :param text: the text for people; names the parameter.
    :param facts: what the text tells besides, e.g. ``minimum``.
    """

    slug = "invalid_parameter"
    code = 5

    def __init__(self, parameter: str, reason: str, text: str, **facts: object) -> None:
        self.parameter = parameter
        self.reason = reason
        self.facts = facts
        super().__init__(text)


class ClockAhead(TokenError):
    """The clock is so far ahead of the newest row that it may be wrong; nothing was removed.

    :param now: what the clock shows.
    :param newest: the time of the newest row.
    """

    slug = "clock_ahead"

    def __init__(self, now: datetime.datetime, newest: datetime.datetime) -> None:
        self.now = now
        self.newest = newest
        super().__init__(f"The clock shows {now}, the newest row is of {newest}")


class ValueTaken(TokenError):
    """Another token has this value."""

    slug = "value_taken"
    code = 5

    def __init__(self) -> None:
        super().__init__("Given value already used by another token")


class UidTaken(ValueTaken):
    """A token has the uid that the caller chose."""

    def __init__(self) -> None:
        TokenError.__init__(self, "Given uid already used by another token")


class TokenChanged(TokenError):
    """The token was changed or consumed since the caller looked at it."""

    slug = "token_changed"

    def __init__(self, uid: object) -> None:
        super().__init__(f"Token {uid} was used or changed meanwhile")


class CountChanged(TokenChanged):
    """Another number of tokens is meant than the caller expected."""

    slug = "count_changed"

    def __init__(self, count: int) -> None:
        self.count = count
        TokenError.__init__(self, f"expected_count: there are {count} tokens now, nothing changed")


class NotUndone(TokenError):
    """A use is not the caller's, or too long ago for who may not edit tokens."""

    slug = "not_undone"

    def __init__(self) -> None:
        super().__init__("Only who may edit tokens can take this use back")


class IdempotencyConflict(TokenError):
    """The idempotency key belongs to a request with other parameters."""

    slug = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__(
            "Idempotency-Key was used for another token or other parameters; take a new key",
        )


class ValueTooLongForQr(TokenError):
    """The value does not fit into any QR code."""

    slug = "value_too_long_for_qr"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"value: too long for a QR code, which holds at most {limit} bytes")


class Unavailable(TokenError):
    """The database is busy or away. Nothing was changed, except as :class:`Interrupted` says.

    :cvar retry_after_s: seconds after which another try may do.
    """

    slug = "unavailable"
    retry_after_s: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__("The token database is busy or not available, try again")


class Busy(Unavailable):
    """All places for long work are taken. Nothing was done."""

    retry_after_s = 5

    def __init__(self) -> None:
        TokenError.__init__(
            self,
            "The server is at work on other documents, exports or large changes, try again",
        )


class Interrupted(Unavailable):
    """The database was lost on the way: whether the change was made is not known."""


def _shortened(text: object, limit: int = 64) -> str:
    """Return ``text`` fit for a message: what a caller sent may be of any length."""
    full = str(text)
    return full if len(full) <= limit else f"{full[:limit]}…"
