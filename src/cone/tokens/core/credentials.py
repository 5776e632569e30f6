"""Secrets that programs and people show: their text, and what is kept of them (decision 0031).

A secret is ``<prefix>_<id>_<random><checksum>``. The prefix tells its kind to programs that look
for leaked secrets, the id is the uid of its row, and the checksum tells a typing mistake from a
secret that nobody knows, without the database. A chain of secrets has its generation behind the id.

Stored is a digest: HMAC-SHA-256 with a key that has an id of its own, so that keys can be replaced.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import secrets
import string
import uuid
import zlib
from typing import Final
from typing import Protocol

#: Bytes of the random part.
RANDOM_BYTES: Final = 32

_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE: Final = len(_DIGITS)
#: Digits in base 62 of 128, 256 and 32 bits.
_ID_LENGTH, _RANDOM_LENGTH, _CHECKSUM_LENGTH = 22, 43, 6
_ID: Final = f"[0-9A-Za-z]{{{_ID_LENGTH}}}"
_REST: Final = f"[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}"
_SECRET: Final = re.compile(
    rf"(?P<prefix>[a-z]{{3}})_(?P<id>{_ID})(?:_(?P<generation>0|[1-9][0-9]{{0,9}}))?_(?P<rest>{_REST})"
)
#: Compared where no row has the id: an unknown secret costs what a wrong one does.
_NOBODY: Final = bytes(hashlib.sha256().digest_size)


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A secret in its parts. Its text is in no ``repr``.

    :ivar prefix: three lower-case letters, of its kind.
    :ivar uid: of its row.
    :ivar random: the random part, in base 62.
    :ivar generation: how often a chain was renewed; None: it is no chain.
    """

    prefix: str
    uid: uuid.UUID
    random: str = dataclasses.field(repr=False)
    generation: int | None = None

    def reveal(self) -> str:
        """Return its text. It is shown once, and neither stored nor logged."""
        before = self._before_random() + self.random
        return before + _checksum(before)

    def _before_random(self) -> str:
        generation = "" if self.generation is None else f"{self.generation}_"
        return f"{self.prefix}_{_encoded(self.uid.int, _ID_LENGTH)}_{generation}"


@dataclasses.dataclass(frozen=True, slots=True)
class DigestKey:
    """A key of digests.

    :ivar id: names it beside the digests that it made.
    """

    id: str
    key: bytes = dataclasses.field(repr=False)


class DigestKeys(Protocol):
    """The keys of a site, from the newest on."""

    @property
    def newest(self) -> DigestKey:
        """The key that new digests are made with."""

    def find(self, key_id: str) -> DigestKey | None:
        """Return the key with an id; None: it was retired."""


@dataclasses.dataclass(frozen=True, slots=True)
class Digest:
    """What is stored of a secret.

    :ivar key_id: of the key that made it.
    """

    key_id: str
    value: bytes = dataclasses.field(repr=False)


def new_secret(prefix: str, uid: uuid.UUID, generation: int | None = None) -> Secret:
    """Return a secret for a row, with 256 random bits."""
    return secret_of(prefix, uid, secrets.token_bytes(RANDOM_BYTES), generation)


def secret_of(prefix: str, uid: uuid.UUID, random: bytes, generation: int | None = None) -> Secret:
    """Return the secret whose random part are these 32 bytes."""
    digits = _encoded(int.from_bytes(random, "big"), _RANDOM_LENGTH)
    return Secret(prefix, uid, digits, generation)


def read_secret(text: str) -> Secret | None:
    """Return the secret with this text; None: it is mistyped, cut off, or none at all."""
    found = _SECRET.fullmatch(text)
    if found is None:
        return None
    rest = found["rest"]
    random, checksum = rest[:_RANDOM_LENGTH], rest[_RANDOM_LENGTH:]
    number, generation = _decoded(found["id"]), found["generation"]
    if checksum != _checksum(text[:-_CHECKSUM_LENGTH]) or number >= 1 << 128:
        return None
    generation_number = None if generation is None else int(generation)
    return Secret(found["prefix"], uuid.UUID(int=number), random, generation_number)


def digest(secret: Secret, key: DigestKey) -> Digest:
    """Return what is stored of a secret."""
    return Digest(key.id, _hmac(secret, key))


def matches(secret: Secret, stored: Digest | None, keys: DigestKeys) -> bool:
    """Return whether a secret is the one of a digest, in a time that does not depend on it.

    :param stored: None: no row has the id.
    """
    key = keys.find(stored.key_id) if stored else None
    given = _hmac(secret, key or keys.newest)
    is_equal = hmac.compare_digest(given, stored.value if stored else _NOBODY)
    return is_equal and key is not None


def _hmac(secret: Secret, key: DigestKey) -> bytes:
    return hmac.digest(key.key, secret.reveal().encode(), "sha256")


def _checksum(text: str) -> str:
    return _encoded(zlib.crc32(text.encode()), _CHECKSUM_LENGTH)


def _encoded(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, _BASE)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _decoded(text: str) -> int:
    number = 0
    for digit in text:
        number = number * _BASE + _DIGITS.index(digit)
    return number


def pattern(*prefixes: str) -> str:
    """Return the regular expression of secrets with ``prefixes``, for programs that find leaks."""
    names = "|".join(prefixes)
    return rf"\b(?:{names})_{_ID}(?:_[0-9]{{1,10}})?_{_REST}\b"
