"""The exceptions of :class:`cone.tokens.api.TokenAPI`, by the names that other code imports.

Programs of 2.0 make, catch and read them: by position or by name, ``message``, ``error_code``,
``token_uid`` and ``as_json`` (contract 10, "Python API of 2.0").
"""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenNotFound


class TokenException(Exception):
    """Something is wrong with a token.

    :ivar message: the text for people.
    :ivar token_uid: the token that it is about, as the caller named it; None where it is none.
    """

    error_code: ClassVar[int] = 1
    token_uid: object = None

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """Return the text for people."""
        return self.message

    def as_json(self) -> dict[str, Any]:
        """Return the answer of a view that met this exception."""
        return {"success": False, "message": self.message}


class TokenNotExists(TokenException):
    """There is no such token."""

    error_code = 1

    def __init__(self, token_uid: object) -> None:
        super().__init__(str(TokenNotFound(token_uid)))
        _be_about(self, token_uid)


class _Refused(TokenException):
    """A consumption was refused; the try is in the usage log."""

    denial: ClassVar[Denial]

    def __init_subclass__(cls) -> None:
        cls.error_code = cls.denial.code

    def __init__(self, token_uid: object) -> None:
        super().__init__(self.denial.message(token_uid))
        _be_about(self, token_uid)


class TokenUsageCountExceeded(_Refused):
    """The token has no uses left."""

    denial = Denial.USAGE_COUNT_EXCEEDED


class TokenLockTimeViolation(_Refused):
    """The token rests after its last consumption."""

    denial = Denial.TOKEN_LOCKED


class TokenTimeRangeViolation(_Refused):
    """The token is not valid yet, or not any more."""

    denial = Denial.OUT_OF_TIME_RANGE


class TokenValueError(TokenException):
    """A value is wrong, or belongs to another token."""

    error_code = 5


class TokenAPIError(TokenException):
    """The request cannot be worked on, e.g. the database is away."""

    error_code = 6


class TokenDisabled(_Refused):
    """The token is disabled."""

    denial = Denial.TOKEN_DISABLED


class TokenWrongCheckpoint(_Refused):
    """The token is not for this checkpoint."""

    denial = Denial.WRONG_CHECKPOINT


class TokenAlreadyInside(_Refused):
    """The token is inside already."""

    denial = Denial.ALREADY_INSIDE


class TokenNotInside(_Refused):
    """The token goes out and is not inside."""

    denial = Denial.NOT_INSIDE


class TokenNotEnoughUses(_Refused):
    """The token has fewer uses left than were asked for."""

    denial = Denial.NOT_ENOUGH_USES


#: What a refused consumption raises.
DENIED: dict[Denial, type[_Refused]] = {
    kind.denial: kind
    for kind in (
        TokenUsageCountExceeded,
        TokenLockTimeViolation,
        TokenTimeRangeViolation,
        TokenDisabled,
        TokenWrongCheckpoint,
        TokenAlreadyInside,
        TokenNotInside,
        TokenNotEnoughUses,
    )
}


def _be_about(error: TokenException, token_uid: object) -> None:
    # The arguments are those that the class takes: exceptions travel between processes.
    error.token_uid = token_uid
    error.args = (token_uid,)
