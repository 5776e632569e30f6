"""A client that costs little: prepared requests over connections that are kept alive."""

import contextlib
import dataclasses
import http
import itertools
import selectors
import socket
import time
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Self

from bench.floor import cookie


@dataclasses.dataclass(frozen=True)
class Answer:
    """Status, head and body of a response."""

    status: int
    head: str
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it says 200."""
        return self.status == http.HTTPStatus.OK

    def header(self, name: str) -> str:
        """Return the value of a header, empty where it is missing."""
        _before, _name, rest = self.head.lower().partition(f"\r\n{name.lower()}: ")
        return rest.partition("\r\n")[0]


class Connection:
    """One connection to a server on this machine."""

    def __init__(self, port: int, timeout_s: float = 60) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._socket.fileno()

    def send(self, sent: bytes) -> Answer:
        """Send a request and return its answer."""
        self.begin(sent)
        while (answer := self.receive()) is None:
            pass
        return answer

    def begin(self, sent: bytes) -> None:
        """Send a request."""
        self._socket.sendall(sent)

    def receive(self) -> Answer | None:
        """Wait for something of the answer; return it when it is there as a whole."""
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError
        self._received += received
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        answer = Answer(int(head[9:12]), head.decode("latin-1"), body)
        if len(body) < int(answer.header("Content-Length")):
            return None
        self._received = b""
        return answer


def request(method: str, path: str, more: str = "") -> bytes:
    """Return the bytes of a request of a user who may do it.

    :param more: header lines.
    """
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie()}\r\n"
    return f"{head}{length}{more}\r\n".encode()


def send_all(ports: Sequence[int], requests: Sequence[bytes], connections: int = 1) -> float:
    """Send requests over some connections at once and return the seconds that it took.

    One thread waits for all connections: threads of Python would hinder each other, and take more
    of the processors from the servers. Who answers faster gets more of the requests.

    :param ports: connections are shared out among them.
    :raises RuntimeError: one of them is not answered with 200.
    """
    waiting = iter(requests)
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for port in itertools.islice(itertools.cycle(ports), connections):
            connection = stack.enter_context(Connection(port))
            selector.register(connection, selectors.EVENT_READ)
            _begin_next(selector, connection, waiting)
        while selector.get_map():
            for key, _events in selector.select():
                connection = key.fileobj
                answer = connection.receive()
                if answer is None:
                    continue
                if not answer.is_good:
                    raise RuntimeError(answer)
                _begin_next(selector, connection, waiting)
    return time.perf_counter() - start


def _begin_next(
    selector: selectors.BaseSelector,
    connection: Connection,
    waiting: Iterator[bytes],
) -> None:
    sent = next(waiting, None)
    if sent is None:
        selector.unregister(connection)
    else:
        connection.begin(sent)
