"""A client that costs little: prepared requests over connections that are kept alive."""

import dataclasses
import http
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def send(self, sent: bytes) -> Answer:
        """Send a request and return its answer."""
        self._socket.sendall(sent)
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        answer = Answer(int(head[9:12]), head.decode("latin-1"), b"")
        length = int(answer.header("Content-Length"))
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return dataclasses.replace(answer, body=body)

    def _receive(self) -> None:
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError
        self._received += received


def request(method: str, path: str, more: str = "") -> bytes:
    """Return the bytes of a request of a user who may do it.

    :param more: header lines.
    """
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie()}\r\n"
    return f"{head}{length}{more}\r\n".encode()


def send_all(port: int, requests: Sequence[bytes], connections: int = 1) -> float:
    """Send requests over some connections at once and return the seconds that it took.

    :raises RuntimeError: one of them is not answered with 200.
    """
    parts = [requests[number::connections] for number in range(connections)]
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda part: _send_part(port, part), parts))
    return time.perf_counter() - start


def _send_part(port: int, requests: Sequence[bytes]) -> None:
    with Connection(port) as connection:
        for sent in requests:
            answer = connection.send(sent)
            if not answer.is_good:
                raise RuntimeError(sent, answer)
