"""What a good secret is: long, of many characters, and none that others know."""

from __future__ import annotations

from typing import Final

#: So many characters of a secret have to differ.
LEAST_CHARACTERS: Final = 8

#: Characters of the secret that signs cookies.
LEAST_COOKIE_SECRET: Final = 32

#: Words of defaults and examples: a secret that was made at random has none of them.
WORDS: Final = ("change", "cookie", "example", "password", "secret")

#: Prints a secret.
COMMAND: Final = 'python3 -c "import secrets; print(secrets.token_hex(32))"'


def is_strong(secret: str, least_length: int) -> bool:
    """Return whether ``secret`` is hard to guess.

    :param least_length: characters that it has to have.
    """
    is_long = len(secret) >= least_length and len(set(secret)) >= LEAST_CHARACTERS
    return is_long and not _is_repeated(secret) and not _is_known(secret)


def _is_repeated(secret: str) -> bool:
    """Return whether ``secret`` is a shorter text, repeated."""
    return secret in (secret + secret)[1:-1]


def _is_known(secret: str) -> bool:
    letters = "".join(filter(str.isalpha, secret.lower()))
    return any(word in letters for word in WORDS)
