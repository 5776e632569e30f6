"""Figures for Prometheus, where the site asks for them; else they are counted nowhere.

No label has what a caller sent. Each process has its own figures.
"""

from __future__ import annotations

import hmac
import importlib.metadata
import platform
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.host.config import StartupError

SECRET: Final = "cone.tokens.metrics_secret"  # noqa: S105 - the name of a setting
SHORTEST_SECRET: Final = 16

#: Upper ends of the ranges of durations, in seconds. A consumption takes milliseconds; five
#: seconds are what it waits for SQLite's lock, ten for a lost PostgreSQL server.
BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

#: Views whose durations are told.
TIMED: Final = frozenset(
    {
        "tokens/consume_token",
        "token/consume_token",
        "token/use",
        "tokens/query_token",
        "tokens/query_tokens",
        "token/usages",
    },
)


class Metrics:
    """Counts nothing: the site did not ask for figures."""

    #: Whether anything is counted.
    is_on = False

    def watch_pool(self, engine: Any) -> None:
        """Show the number of connections that ``engine`` holds, if its pool counts them."""

    def count_request(self, view: str, status: int, seconds: float) -> None:
        """Count an answer to a request for ``view``."""

    def count_consumption(self, outcome: str) -> None:
        """Count a consumption: ``granted``, or why not."""

    def count_limited(self, limit: str) -> None:
        """Count a request that a rate limit refused."""

    def count_sign_in(self, result: str) -> None:
        """Count a try to sign in."""

    def admits(self, _authorization: str) -> bool:
        """Return whether the header of a request has the secret."""
        return False

    def page(self) -> tuple[bytes, str]:
        """Return the figures as text, and its media type."""
        raise NotImplementedError


class PrometheusMetrics(Metrics):
    """Counts with the library of Prometheus, in a registry of its own.

    Concurrency: safe to share among threads.
    """

    is_on = True

    def __init__(self, secret: str, library: Any) -> None:
        self._secret = secret.encode()
        self._library = library
        self._registry = registry = library.CollectorRegistry()
        self._requests = library.Counter(
            "cone_tokens_requests",
            "Requests to the paths of cone.tokens.",
            ["view", "status"],
            registry=registry,
        )
        self._seconds = library.Histogram(
            "cone_tokens_request_seconds",
            "Durations of requests that consume or look up.",
            ["view"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._consumptions = _counter(
            library, registry, "consumptions", "Consumptions, by outcome.", "outcome"
        )
        self._limited = _counter(
            library, registry, "rate_limited", "Requests that a rate limit refused.", "limit"
        )
        self._sign_ins = _counter(library, registry, "sign_ins", "Tries to sign in.", "result")
        library.Info("cone_tokens_build", "What runs.", registry=registry).info(
            {
                "version": importlib.metadata.version("cone.tokens"),
                "python": platform.python_version(),
            },
        )
        library.ProcessCollector(registry=registry)

    def watch_pool(self, engine: Any) -> None:
        """Show the number of connections that ``engine`` holds, if its pool counts them."""
        if not hasattr(engine.pool, "checkedout"):
            return
        # It is another pool after the engine was disposed of.
        self._gauge("in_use", "Connections in use.", lambda: int(engine.pool.checkedout()))
        self._gauge("size", "Connections that are kept.", lambda: int(engine.pool.size()))
        self._gauge("overflow", "Others, open now.", lambda: max(0, engine.pool.overflow()))

    def count_request(self, view: str, status: int, seconds: float) -> None:
        """Count an answer to a request for ``view``."""
        self._requests.labels(view, f"{status // 100}xx").inc()
        if view in TIMED:
            self._seconds.labels(view).observe(seconds)

    def count_consumption(self, outcome: str) -> None:
        """Count a consumption: ``granted``, or why not."""
        self._consumptions.labels(outcome).inc()

    def count_limited(self, limit: str) -> None:
        """Count a request that a rate limit refused."""
        self._limited.labels(limit).inc()

    def count_sign_in(self, result: str) -> None:
        """Count a try to sign in."""
        self._sign_ins.labels(result).inc()

    def admits(self, authorization: str) -> bool:
        """Return whether the header of a request has the secret."""
        scheme, _space, secret = authorization.partition(" ")
        # WSGI hands bytes over as Latin-1.
        given = secret.strip().encode("latin-1")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._secret)

    def page(self) -> tuple[bytes, str]:
        """Return the figures as text, and its media type."""
        return self._library.generate_latest(self._registry), self._library.CONTENT_TYPE_LATEST

    def _gauge(self, name: str, text: str, read: Callable[[], int]) -> None:
        name = f"cone_tokens_pool_{name}"
        self._library.Gauge(name, text, registry=self._registry).set_function(read)


def read_metrics(settings: Mapping[str, str]) -> Metrics:
    """Return the metrics that ``settings``, the ini settings of the application, ask for.

    :raises StartupError: the secret is short, or the library is missing.
    """
    secret = settings.get(SECRET, "").strip()
    if not secret:
        return Metrics()
    if len(secret) < SHORTEST_SECRET:
        raise StartupError(SECRET, f"must have at least {SHORTEST_SECRET} characters")
    try:
        import prometheus_client
    except ImportError:
        raise StartupError(SECRET, "needs the extra metrics: cone.tokens[metrics]") from None
    return PrometheusMetrics(secret, prometheus_client)


def _counter(library: Any, registry: Any, name: str, text: str, label: str) -> Any:
    return library.Counter(f"cone_tokens_{name}", text, [label], registry=registry)
