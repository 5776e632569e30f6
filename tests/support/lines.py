"""A line to a PostgreSQL server that can be cut at the worst moments."""

import contextlib
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sqlalchemy import make_url


class Line:
    """A unix socket that passes all on to that of a server; a context manager.

    :param server: the SQLAlchemy address of a database behind a unix socket.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self._url = make_url(server)
        self._folder = folder
        self._name = f".s.PGSQL.{self._url.query['port']}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        #: Text of the messages to cut at, whether the server still gets the one, and how many are
        #: let through before.
        self._cut: tuple[bytes, bool, int] | None = None
        self.cuts = 0
        #: What happens besides, when the line is cut.
        self.at_cut: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        self._listener.bind(str(self._folder / self._name))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(10)

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database at this end."""
        url = self._url.update_query_dict({"host": str(self._folder)})
        return url.render_as_string(hide_password=False)

    def cut_before(self, text: str = "", but: int = 0) -> None:
        """Cut the line when a message with this text is sent: the server misses it.

        :param but: how many such messages are let through before.
        """
        self._cut = (text.encode(), False, but)

    def cut_after(self, text: str = "", but: int = 0) -> None:
        """Cut it when the server has answered that message: the client misses the answer."""
        self._cut = (text.encode(), True, but)

    def cut_now(self) -> None:
        """Cut the line; the server goes on with what it was asked for."""
        _end(*self._open)

    def _start(self, work, *args) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        for client in _accepted(self._listener):
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(f"{self._url.query['host']}/{self._name}")
            except OSError:
                server.close()
                client.close()
                continue
            self._open += [client, server]
            is_muted = threading.Event()
            self._start(self._ask, client, server, is_muted)
            self._start(self._answer, server, client, is_muted)

    def _ask(self, client: socket.socket, server: socket.socket, is_muted: threading.Event) -> None:
        for message in _messages(client):
            is_asked = self._meets_cut(message)
            if is_asked is False:
                self.at_cut()
                break
            if is_asked:
                is_muted.set()
            server.sendall(message)
        _end(server, client)

    def _meets_cut(self, message: bytes) -> bool | None:
        """Return whether the server still gets the message; None: the line is not cut at it."""
        if self._cut is None or self._cut[0] not in message:
            return None
        text, is_asked, but = self._cut
        self._cut = (text, is_asked, but - 1) if but else None
        if but:
            return None
        self.cuts += 1
        return is_asked

    def _answer(self, server: socket.socket, client: socket.socket, muted: threading.Event) -> None:
        for message in _messages(server):
            if muted.is_set():
                self.at_cut()
                break
            client.sendall(message)
        _end(server, client)


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(OSError):
        while True:
            yield listener.accept()[0]


def _messages(end: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while message := end.recv(65_536):
            yield message


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
