"""The exceptions of :class:`cone.tokens.api.TokenAPI`, by the names that other code imports."""

from __future__ import annotations

from cone.tokens.core.errors import Denial


class TokenException(Exception):
    """Something is wrong with a token."""

    error_code = 1


class TokenNotExists(TokenException):
    """There is no such token."""

    error_code = 1


class TokenUsageCountExceeded(TokenException):
    """The token has no uses left."""

    error_code = 2


class TokenLockTimeViolation(TokenException):
    """The token rests after its last consumption."""

    error_code = 3


class TokenTimeRangeViolation(TokenException):
    """The token is not valid yet, or not any more."""

    error_code = 4


class TokenValueError(TokenException):
    """A value is wrong, or belongs to another token."""

    error_code = 5


class TokenAPIError(TokenException):
    """The request cannot be worked on, e.g. the database is away."""

    error_code = 6


class TokenDisabled(TokenException):
    """The token is disabled."""

    error_code = 7


#: What a refused consumption raises.
DENIED = {
    Denial.TOKEN_DISABLED: TokenDisabled,
    Denial.USAGE_COUNT_EXCEEDED: TokenUsageCountExceeded,
    Denial.TOKEN_LOCKED: TokenLockTimeViolation,
    Denial.OUT_OF_TIME_RANGE: TokenTimeRangeViolation,
}
