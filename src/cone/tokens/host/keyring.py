"""The key ring of a site: keys that make digests of secrets, and keys that sign (decision 0031).

It is a file with a JWK Set (RFC 7517) that has private keys. ``HS256`` keys make digests, ``EdDSA``
and ``ES256`` keys sign. The last one of its use works, the others verify until they are retired.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final

from cone.tokens.core.clock import utc_now
from cone.tokens.core.credentials import DigestKey
from cone.tokens.host.config import StartupError
from cone.tokens.host.files import Signature
from cone.tokens.host.files import locked
from cone.tokens.host.files import replacing

logger = logging.getLogger("cone.tokens.keyring")

#: The setting with its path.
KEY: Final = "cone.tokens.keyring"
#: What keys are for.
DIGESTS, SIGNS = "digests", "signs"
#: Algorithms (RFC 7518, RFC 8037) and what their keys are for.
USES: Final[Mapping[str, str]] = {"HS256": DIGESTS, "EdDSA": SIGNS, "ES256": SIGNS}
#: Bytes that a key of digests has at least.
LEAST_BYTES: Final = 32
#: Seconds that a reading is used before the file is looked at.
FRESH_S: Final = 1.0
#: The file is its owner's alone.
MODE: Final = 0o600

_CURVES: Final[Mapping[str, str]] = {"EdDSA": "Ed25519", "ES256": "P-256"}
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
#: Bits of access of others, and of the group.
_OTHERS, _GROUP = 0o007, 0o070


class KeyRingError(ValueError):
    """A key ring cannot be used; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class RingKey:
    """A key of a ring.

    :ivar key: of joserfc, with its private part.
    """

    id: str
    algorithm: str
    key: Any = dataclasses.field(repr=False)

    @property
    def use(self) -> str:
        """What it is for."""
        return USES[self.algorithm]


class KeyRing:
    """The keys of a site, read again when their file changes.

    Where a changed file cannot be used the keys stay as they were, and one line in the log tells
    why. Concurrency: safe to share among threads.
    """

    def __init__(self, path: Path) -> None:
        """Read the file at ``path``.

        :raises KeyRingError: it cannot be used.
        """
        self._path = path
        self._lock = threading.Lock()
        self._seen = Signature.of(path)
        self._keys = _Keys(read(path))
        self._looked_at = time.monotonic()

    @property
    def newest(self) -> DigestKey:
        """The key that new digests are made with."""
        return self._current().newest_digest

    def find(self, key_id: str) -> DigestKey | None:
        """Return the key of digests with an id; None: it was retired."""
        return self._current().digests.get(key_id)

    @property
    def signer(self) -> RingKey | None:
        """The key that signs; None: the ring has none."""
        return self._current().signer

    def _current(self) -> _Keys:
        if time.monotonic() - self._looked_at > FRESH_S:
            self._look()
        return self._keys

    def _look(self) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            seen = Signature.of(self._path)
            if seen == self._seen:
                return
            self._seen = seen
            try:
                self._keys = _Keys(read(self._path))
            except KeyRingError as error:
                logger.warning("the keys stay as they were: %s", error)


class _Keys:
    """The keys of a reading by their use."""

    def __init__(self, keys: Iterable[RingKey]) -> None:
        by_use: dict[str, list[RingKey]] = {DIGESTS: [], SIGNS: []}
        for key in keys:
            by_use[key.use].append(key)
        self.digests = {key.id: DigestKey(key.id, _bytes_of(key)) for key in by_use[DIGESTS]}
        self.newest_digest = self.digests[by_use[DIGESTS][-1].id]
        self.signer = by_use[SIGNS][-1] if by_use[SIGNS] else None


def path_of(settings: Mapping[str, str]) -> Path:
    """Return the path of the key ring that ini settings name.

    :raises StartupError: they name none.
    """
    path = settings.get(KEY, "").strip()
    if not path:
        problem = "is missing; name a file, then make it: cone-tokens keys init CONFIG.ini"
        raise StartupError(KEY, problem)
    return Path(path)


def require(settings: Mapping[str, str]) -> KeyRing:
    """Return the key ring that ini settings name.

    :raises StartupError: there is none, others can read it, or it cannot be used.
    """
    with told_as_setting():
        return KeyRing(path_of(settings))


@contextlib.contextmanager
def told_as_setting() -> Iterator[None]:
    """Tell what is wrong with a ring as a mistake of the setting that names it.

    :raises StartupError: the block raises a :class:`KeyRingError`.
    """
    try:
        yield
    except KeyRingError as error:
        raise StartupError(KEY, str(error)) from None


def read(path: Path) -> list[RingKey]:
    """Return the keys of the file at ``path``, the newest last.

    :raises KeyRingError: it is not there, others can read it, or it is no key ring.
    """
    text = _read_text(path)
    try:
        rows = json.loads(text)["keys"]
        keys = [_key_of(row) for row in rows]
    except (ValueError, KeyError, TypeError, _library().errors.JoseError) as error:
        # Never what the file says.
        reason = str(error) if isinstance(error, KeyRingError) else "it is no JWK Set"
        raise _no_ring(path, reason) from None
    ids = [key.id for key in keys]
    if len(set(ids)) < len(ids):
        raise _no_ring(path, "two keys have the same kid")
    if not any(key.use == DIGESTS for key in keys):
        raise _no_ring(path, "it has no HS256 key")
    return keys


def make(path: Path) -> list[RingKey]:
    """Make a ring with a key of each use, and return the keys.

    :raises KeyRingError: the file is there, or cannot be written.
    """
    with _changing(path):
        if path.exists():
            message = f"{path} is there already; nothing was changed"
            raise KeyRingError(message)
        keys = [new_key("HS256"), new_key("EdDSA")]
        _write(path, keys)
        return keys


def rotate(path: Path, uses: Iterable[str] = (DIGESTS, SIGNS)) -> list[RingKey]:
    """Add a key of each of ``uses``, which is the newest from now on, and return the new ones.

    A key that signs has the algorithm of the one before.

    :raises KeyRingError: the ring cannot be read or written.
    """
    with _changing(path):
        keys = read(path)
        last = {key.use: key.algorithm for key in keys}
        fallback = {DIGESTS: "HS256", SIGNS: "EdDSA"}
        added = [new_key(last.get(use, fallback[use])) for use in uses]
        _write(path, [*keys, *added])
        return added


def new_key(algorithm: str) -> RingKey:
    """Return a new key. Its id tells the day and nothing of the key."""
    key_id = f"{utc_now().astimezone(datetime.UTC):%Y%m%d}-{secrets.token_hex(4)}"
    told = {"kid": key_id, "alg": algorithm}
    jwk = _library().jwk
    if algorithm == "HS256":
        return RingKey(key_id, algorithm, jwk.OctKey.generate_key(LEAST_BYTES * 8, told))
    if algorithm == "EdDSA":
        return RingKey(key_id, algorithm, jwk.OKPKey.generate_key("Ed25519", told))
    return RingKey(key_id, algorithm, jwk.ECKey.generate_key("P-256", told))


def _library() -> Any:
    """Return joserfc, which an extra installs.

    :raises KeyRingError: it is not there.
    """
    try:
        import joserfc.errors
        import joserfc.jwk
    except ModuleNotFoundError:
        message = "needs the extra keys: pip install 'cone.tokens[keys]'"
        raise KeyRingError(message) from None
    return joserfc


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Keep others from writing the ring.

    :raises KeyRingError: the system refuses something.
    """
    try:
        with locked(path.parent):
            yield
    except OSError as error:
        raise _failed(path, error) from None


def _write(path: Path, keys: Iterable[RingKey]) -> None:
    content = {"keys": [key.key.as_dict(private=True) for key in keys]}
    with replacing(path, new_mode=MODE) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def _failed(path: Path, error: OSError) -> KeyRingError:
    return KeyRingError(f"{path}: {error.strerror}")


def _no_ring(path: Path, reason: str) -> KeyRingError:
    return KeyRingError(f"{path} is no key ring: {reason}")


def _read_text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            _refuse_readers(path, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        command = "make it: cone-tokens keys init CONFIG.ini"
        message = f"there is no file {path}; {command}"
        raise KeyRingError(message) from None
    except UnicodeDecodeError:
        raise _no_ring(path, "it is no text") from None
    except OSError as error:
        raise _failed(path, error) from None


def _refuse_readers(path: Path, status: os.stat_result) -> None:
    """Refuse a file that others than the site can read or change.

    :raises KeyRingError: they can.
    """
    of_ours = {os.getegid(), *os.getgroups()}
    is_of_strangers = status.st_mode & _GROUP and status.st_gid not in of_ours
    if status.st_mode & _OTHERS or is_of_strangers:
        message = f"{path} can be read by others; make it yours: chmod 600 {path}"
        raise KeyRingError(message)


def _key_of(row: Any) -> RingKey:
    """Return a key of the file.

    :raises KeyRingError: it has no id, no known algorithm, no private part, or is too short.
    :raises JoseError: it is no key; :raises TypeError, ValueError: likewise.
    """
    if not isinstance(row, dict):
        raise TypeError
    key_id, algorithm = row.get("kid"), row.get("alg")
    if not isinstance(key_id, str) or not _ID.fullmatch(key_id):
        message = "a key has no kid of up to 64 letters, digits, - and _"
        raise KeyRingError(message)
    if not isinstance(algorithm, str) or algorithm not in USES:
        message = f"{key_id}: alg must be one of {', '.join(USES)}"
        raise KeyRingError(message)
    if not _fits(row, algorithm):
        message = f"{key_id} is no private key for {algorithm}"
        raise KeyRingError(message)
    return RingKey(key_id, algorithm, _library().jwk.import_key(row))


def _fits(row: Mapping[str, Any], algorithm: str) -> bool:
    """Return whether a key is one of its algorithm, private, and long enough."""
    if algorithm == "HS256":
        is_long = len(row.get("k", "")) * 6 >= LEAST_BYTES * 8
        return row.get("kty") == "oct" and is_long
    return row.get("crv") == _CURVES[algorithm] and bool(row.get("d"))


def _bytes_of(key: RingKey) -> bytes:
    raw = key.key.raw_value
    return raw if isinstance(raw, bytes) else b""
