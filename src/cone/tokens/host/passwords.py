"""Passwords of users: how one is made, and which ones are taken."""

from __future__ import annotations

import secrets
from base64 import b32encode
from typing import Final

from cone.tokens.core.errors import InvalidParameter

#: Characters of a password that somebody chose (OWASP ASVS 5.0, 6.2.1).
SHORTEST: Final = 8

_PARAMETER: Final = "password"


def readable_password() -> str:
    """Make a password of 80 random bits: four groups of four letters and digits."""
    text = b32encode(secrets.token_bytes(10)).decode()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def require_password(text: str) -> str:
    """Return a password that somebody chose.

    :raises InvalidParameter: it is too short, or cannot be typed into a form.
    """
    if len(text) < SHORTEST:
        message = f"{_PARAMETER}: must have {SHORTEST} characters or more"
        raise InvalidParameter(_PARAMETER, "too_short", message)
    if not text.isprintable():
        message = f"{_PARAMETER}: must not have line breaks or other control characters"
        raise InvalidParameter(_PARAMETER, "not_printable", message)
    return text
