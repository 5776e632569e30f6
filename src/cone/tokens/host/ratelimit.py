"""Rate limits: counters of the library ``limits``, in fixed windows.

A window begins with the first count in it. Twice the limit may pass around its end; to be exact
would take a list of times for each key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import TypeVar
from urllib.parse import urlsplit

from limits import RateLimitItem
from limits import parse_many
from limits.errors import ConfigurationError
from limits.errors import StorageError
from limits.storage import Storage
from limits.storage import storage_from_string
from pyramid.httpexceptions import HTTPTooManyRequests

from cone.tokens.host.config import StartupError
from cone.tokens.logs import printable

logger = logging.getLogger("cone.tokens.ratelimit")

T = TypeVar("T")

PREFIX: Final = "cone.tokens.limits."
STORAGE: Final = f"{PREFIX}storage"

#: What the ini settings are where they are missing.
DEFAULTS: Final[Mapping[str, str]] = {
    "sign_in_name": "10/5 minutes",
    "sign_in_address": "100/5 minutes",
    "refused": "300/minute",
    "granted": "3000/minute",
    "queries": "1200/minute",
}
_OFF: Final = ("", "off")

#: Counters that the memory of a process holds for each limit. One takes about 300 bytes.
MOST_COUNTERS: Final = 100_000

#: Seconds to wait for a shared storage, and to leave it alone after it did not answer.
SHARED_TIMEOUT_S: Final = 0.5
PAUSE_S: Final = 10

#: Seconds for which it is remembered who signed in from where: 30 days.
KNOWN_S: Final = 2_592_000


class RateLimited(HTTPTooManyRequests):
    """Somebody did something more often than a limit allows."""

    def __init__(self, limit: str, wait_s: int) -> None:
        """Take the name of the limit and the seconds until its window ends."""
        super().__init__()
        self.limit = limit
        self.wait_s = wait_s


class Memory(Storage):
    """Counters in the memory of this process, at most a number of them.

    The memory storage of ``limits`` looks at all its keys every hundredth of a second, has no
    bound, and takes a thread for it.

    Concurrency: safe to share among threads.
    """

    STORAGE_SCHEME = None

    def __init__(self, most: int = MOST_COUNTERS) -> None:
        """Keep up to ``most`` counters; the oldest make room."""
        super().__init__()
        self._most = most
        self._lock = threading.Lock()
        #: Count and end of the window by key; the windows that began first come first.
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """The errors of this storage: it has none of its own."""
        return MemoryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add ``amount`` to a counter, and return what it is then."""
        now = time.monotonic()
        with self._lock:
            count, end = self._windows.get(key, (0, 0.0))
            if end <= now:
                self._windows.pop(key, None)
                self._make_room(now)
                count, end = 0, now + expiry
            count += amount
            self._windows[key] = (count, end)
            return count

    def get(self, key: str) -> int:
        """Return the value of a counter."""
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window of a counter ends, in seconds since the epoch."""
        _count, end = self._windows.get(key, (0, 0.0))
        return time.time() + max(0.0, end - time.monotonic())

    def check(self) -> bool:
        """Return whether the storage works."""
        return True

    def reset(self) -> int:
        """Forget all counters, and return how many there were."""
        with self._lock:
            count = len(self._windows)
            self._windows.clear()
            return count

    def clear(self, key: str) -> None:
        """Forget a counter."""
        with self._lock:
            self._windows.pop(key, None)

    def __len__(self) -> int:
        """Return how many counters there are."""
        return len(self._windows)

    def _make_room(self, now: float) -> None:
        """Forget two windows that have ended for the one that begins, so that none stays long."""
        for _ in range(2):
            if not self._windows:
                return
            key, (_count, end) = next(iter(self._windows.items()))
            if end > now and len(self._windows) < self._most:
                return
            del self._windows[key]


class Shared:
    """A storage that several processes share, and that may be away.

    Concurrency: safe to share among threads.
    """

    def __init__(self, storage: Any) -> None:
        """Take the storage of ``limits``; its errors are :class:`StorageError`."""
        self._storage = storage
        self._is_away = False
        self._pause_ends = 0.0

    def ask(self, work: Callable[[Storage], T], instead: Storage) -> T:
        """Return the result of ``work`` in the storage, or of ``instead`` while that is away.

        To refuse everybody would close the door, to refuse nobody would open it to guessing.
        """
        if self._is_away and time.monotonic() < self._pause_ends:
            return work(instead)
        try:
            answer = work(self._storage)
        except StorageError as error:
            self._note_away(error)
            return work(instead)
        if self._is_away:
            self._is_away = False
            logger.warning("the storage of the rate limits is back")
        return answer

    def _note_away(self, error: StorageError) -> None:
        self._pause_ends = time.monotonic() + PAUSE_S
        if not self._is_away:
            self._is_away = True
            kind = type(error.__cause__).__name__
            logger.warning(
                "the storage of the rate limits is away (%s): each process counts for itself",
                kind,
            )


class _Counters:
    """Counters of one kind, in a shared storage where there is one."""

    def __init__(self, name: str, shared: Shared | None) -> None:
        self.name = name
        self._shared = shared
        self._memory = Memory()

    def _digest(self, who: str) -> str:
        # Of one length, whatever somebody sends.
        return hashlib.blake2b(who.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def _ask(self, work: Callable[[Storage], T]) -> T:
        if self._shared is None:
            return work(self._memory)
        return self._shared.ask(work, self._memory)


class Known(_Counters):
    """Callers that were noted within the last :data:`KNOWN_S` seconds."""

    def note(self, who: str) -> None:
        """Remember ``who``, from now on."""
        key = self._key(who)
        self._ask(lambda storage: storage.clear(key))
        self._ask(lambda storage: storage.incr(key, KNOWN_S))

    def has(self, who: str) -> bool:
        """Return whether ``who`` is remembered."""
        key = self._key(who)
        return self._ask(lambda storage: storage.get(key)) > 0

    def _key(self, who: str) -> str:
        return f"cone.tokens/{self.name}/{self._digest(who)}"


class RateLimit(_Counters):
    """How often each caller may do one thing."""

    def __init__(self, name: str, item: RateLimitItem | None, shared: Shared | None = None) -> None:
        super().__init__(name, shared)
        self._item = item

    def count(self, who: str) -> None:
        """Count once more for ``who``.

        :raises RateLimited: that is too often. One line a window is logged.
        """
        item = self._item
        if item is None:
            return
        key = self._key(item, who)
        count = self._ask(lambda storage: storage.incr(key, item.get_expiry()))
        if count > item.amount:
            if count == item.amount + 1:
                self._log(who)
            raise self._limited(key)

    def check(self, who: str) -> None:
        """Refuse ``who`` where :meth:`note` was called as often as the limit allows.

        :raises RateLimited: it was.
        """
        item = self._item
        if item is None:
            return
        key = self._key(item, who)
        if self._ask(lambda storage: storage.get(key)) >= item.amount:
            raise self._limited(key)

    def note(self, who: str) -> None:
        """Add one to the counter of ``who``, and refuse nothing: what is counted has happened."""
        item = self._item
        if item is None:
            return
        key = self._key(item, who)
        if self._ask(lambda storage: storage.incr(key, item.get_expiry())) == item.amount:
            self._log(who)

    def take_back(self, who: str) -> None:
        """Subtract one from the counter of ``who``: what was counted did no harm."""
        item = self._item
        if item is not None:
            key = self._key(item, who)
            self._ask(lambda storage: storage.incr(key, item.get_expiry(), -1))

    def forget(self, who: str) -> None:
        """Reset the counter of ``who``."""
        item = self._item
        if item is not None:
            key = self._key(item, who)
            self._ask(lambda storage: storage.clear(key))

    def _key(self, item: RateLimitItem, who: str) -> str:
        return item.key_for("cone.tokens", self.name, self._digest(who))

    def _limited(self, key: str) -> RateLimited:
        ends = self._ask(lambda storage: storage.get_expiry(key))
        return RateLimited(self.name, max(1, math.ceil(ends - time.time())))

    def _log(self, who: str) -> None:
        logger.warning(
            "limit %s (%s) is reached: %s",
            self.name,
            self._item,
            printable(who),
            extra={"limit": self.name},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits of the site.

    :ivar sign_in_name: tries to sign in with one name; a good one begins anew.
    :ivar sign_in_address: tries to sign in from one address; a good one does not count.
    :ivar signed_in: names, each with an address that it signed in from.
    :ivar refused: consumptions of one caller that were refused.
    :ivar granted: consumptions of one caller that were granted.
    :ivar queries: requests of one caller that look tokens up.
    """

    sign_in_name: RateLimit
    sign_in_address: RateLimit
    refused: RateLimit
    granted: RateLimit
    queries: RateLimit
    signed_in: Known


def read_limits(settings: Mapping[str, str]) -> RateLimits:
    """Return the limits in ``settings``, the ini settings of the application.

    :raises StartupError: a setting is wrong.
    """
    shared = _shared(settings.get(STORAGE, "").strip())
    limits = {
        name: RateLimit(name, _item(f"{PREFIX}{name}", settings, default), shared)
        for name, default in DEFAULTS.items()
    }
    return RateLimits(**limits, signed_in=Known("signed_in", shared))


def _item(key: str, settings: Mapping[str, str], default: str) -> RateLimitItem | None:
    text = settings.get(key, default).strip()
    if text.lower() in _OFF:
        return None
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise StartupError(key, f'{text!r} is no limit, write "10/5 minutes" or "off"')
    return items[0]


def _shared(url: str) -> Shared | None:
    if not url or url == "memory":
        return None
    if urlsplit(url).scheme not in ("redis", "rediss", "redis+unix"):
        raise StartupError(STORAGE, 'must be the URL of a Redis server, redis://..., or "memory"')
    try:
        return Shared(_redis(url))
    except ConfigurationError:
        raise StartupError(STORAGE, "needs the extra redis: cone.tokens[redis]") from None
    except ValueError:
        # Its text has parts of the URL, which may be those of a password.
        raise StartupError(STORAGE, "is no URL of a Redis server, redis://host:6379/0") from None


def _redis(url: str) -> Any:
    times: dict[str, Any] = {
        "socket_timeout": SHARED_TIMEOUT_S,
        "socket_connect_timeout": SHARED_TIMEOUT_S,
    }
    return storage_from_string(url, wrap_exceptions=True, retry=_one_retry(), **times)


def _one_retry() -> Any:
    """Return how redis tries again: once, for a connection that the server has closed."""
    try:
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigurationError from None
    return Retry(NoBackoff(), 1)
