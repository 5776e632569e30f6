"""The server of a site: waitress with a graceful end (decision 0018).

``use = egg:cone.tokens#server`` in ``[server:main]`` of an ini file. It takes the settings of
waitress, and ``graceful_timeout``: the seconds that requests under way get when the process is
told to end.
"""

from __future__ import annotations

import functools
import logging
import re
import signal
import socket
import time
from collections.abc import Callable
from collections.abc import Mapping
from types import FrameType
from typing import Any
from typing import Final

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher
from waitress.task import WSGITask

from cone.tokens.host.config import StartupError

logger = logging.getLogger(__name__)

#: Seconds for requests under way, longer than :data:`cone.tokens.host.config.DEFAULT_DEADLINE`.
DEFAULT_GRACEFUL_S: Final = 20.0

#: Seconds in which an idle connection is still read: its client may be sending already.
LINGER_S: Final = 1.0

#: Seconds after which the loop looks at its connections again, whatever happens.
LOOK_EVERY_S: Final = 1.0

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def make_server(_global_config: object, **settings: str) -> Callable[[Any], None]:
    """Return a runner that serves an application until SIGTERM or SIGINT, and ends gracefully.

    A second signal ends the process at once.

    :param settings: of ``[server:main]``: ``graceful_timeout``, and those of waitress.
    :raises StartupError: one of them is wrong, or an address is taken.
    """
    graceful_s = _graceful_seconds(settings.pop("graceful_timeout", ""))
    _require_addresses(settings)
    return functools.partial(_serve, graceful_s, settings)


def _serve(graceful_s: float, settings: Mapping[str, str], application: Any) -> None:
    server = create_server(application, **settings)
    ending = _Ending(server, graceful_s)
    for number in SIGNALS:
        signal.signal(number, ending.begin)
    server.print_listen("Serving on http://{}:{}")
    ending.run()


def _require_addresses(settings: Mapping[str, str]) -> None:
    """See that the server can listen where it is to: what it raises itself is a traceback.

    :raises StartupError: it cannot.
    """
    try:
        wanted = Adjustments(**settings).listen
    except ValueError as error:
        raise StartupError("[server:main]", str(error)) from None
    if "unix_socket" in settings:
        return
    for family, kind, protocol, address in wanted:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                key = "listen" if "listen" in settings else "port"
                problem = f"cannot listen on {address[0]}:{address[1]}: {error.strerror}"
                raise StartupError(key, problem) from None


def _graceful_seconds(text: str) -> float:
    key = "graceful_timeout"
    text = text.strip() or f"{DEFAULT_GRACEFUL_S}"
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text):
        raise StartupError(key, f"{text!r} is no number of seconds from 0 to 999")
    return float(text)


class _Task(WSGITask):
    """A request; once the end has begun its answer says that the connection closes."""

    def build_response_header(self) -> bytes:
        """Return the head of the answer."""
        channel = self.channel
        is_last = len(channel.requests) == 1
        if channel.is_ending() and is_last:
            # waitress takes it from here, for both versions of HTTP.
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header


class _Channel(HTTPChannel):
    """A connection that knows whether the process ends."""

    task_class = _Task

    def __init__(self, is_ending: Callable[[], bool], *args: Any, **more: Any) -> None:
        self.is_ending = is_ending
        super().__init__(*args, **more)

    @property
    def is_idle(self) -> bool:
        """Whether no request is read, waits or is answered."""
        # In this order: a thread writes its answer before it takes the request away.
        return not (self.requests or self.request or self.total_outbufs_len)


class _Ending:
    """Runs a server, and brings it to its end.

    Concurrency: all of it runs in the main thread, as waitress's own loop does.
    """

    def __init__(self, server: Any, graceful_s: float) -> None:
        self._map: dict[int, Any] = getattr(server, "map", None) or server._map  # noqa: SLF001
        self._adjustments = server.adj
        self._dispatcher: ThreadedTaskDispatcher = server.task_dispatcher
        self._graceful_s = graceful_s
        self._has_begun = False
        self._servers = [part for part in self._map.values() if isinstance(part, BaseWSGIServer)]
        for part in self._servers:
            part.channel_class = functools.partial(_Channel, lambda: self._has_begun)

    def begin(self, _number: int, _frame: FrameType | None) -> None:
        """Begin the end: a handler of signals, so it does next to nothing."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._has_begun = True
        self._servers[0].pull_trigger()

    def run(self) -> None:
        """Serve until the end has begun, then end."""
        while not self._has_begun:
            self._turn(self._adjustments.asyncore_loop_timeout)
        end = time.monotonic() + self._graceful_s
        logger.info("the end has begun: no new connections, %g s for requests", self._graceful_s)
        for server in self._servers:
            self._close(server)
        self._answer_until(end)
        left = self._under_way()
        if left:
            logger.warning("requests without a whole answer at the end: %d", left)
        # Idle threads end as soon as they are told; for one that works the time is up.
        self._dispatcher.shutdown(cancel_pending=True, timeout=0 if self._tasks() else LINGER_S)

    def _close(self, server: Any) -> None:
        """Take the connections that are waiting, then take none any more."""
        before, limit = -1, self._adjustments.connection_limit
        while before < len(server.active_channels) and len(self._map) < limit:
            before = len(server.active_channels)
            server.handle_accept()
        # Not its own close: threads still need the trigger to wake the loop.
        wasyncore.dispatcher.close(server)

    def _answer_until(self, end: float) -> None:
        linger = time.monotonic() + LINGER_S
        while (self._channels() or self._tasks()) and time.monotonic() < end:
            is_lingering = time.monotonic() < linger
            quiet = [] if is_lingering else [one for one in self._channels() if one.is_idle]
            next_look = linger if is_lingering else end
            self._turn(0 if quiet else min(LOOK_EVERY_S, max(0.0, next_look - time.monotonic())))
            for channel in quiet:
                # What had arrived was read in this turn: the client has not asked for anything.
                if channel.is_idle and channel.connected:
                    channel.handle_close()

    def _turn(self, timeout_s: float) -> None:
        wasyncore.loop(timeout_s, self._adjustments.asyncore_use_poll, self._map, count=1)

    def _channels(self) -> list[Any]:
        return [part for part in list(self._map.values()) if isinstance(part, HTTPChannel)]

    def _tasks(self) -> int:
        """Return how many requests are worked on; their clients may have gone."""
        dispatcher = self._dispatcher
        with dispatcher.lock:
            return int(dispatcher.active_count) + len(dispatcher.queue)

    def _under_way(self) -> int:
        return sum(not channel.is_idle for channel in self._channels())
