"""The file of a SQLite database: opened where it is, watched while it is open.

A connection stays with the file that it opened. Where that was removed, or another one took its
place, SQLite goes on in WAL mode as if nothing had happened, and what it commits is in no file.
So each transaction compares the file at the path with the one that its connection opened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any
from typing import Final
from typing import NoReturn
from urllib.parse import parse_qs
from urllib.parse import unquote
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event

from cone.tokens.core.errors import Unavailable

#: Sites know the name from their ini files.
logger = logging.getLogger("cone.tokens.core.database")

#: Where a connection has the file that it opened.
_OPENED: Final = "cone_tokens_opened"


#: Device and inode of a file.
Identity = tuple[int, int]


def _identity(path: str) -> Identity | None:
    """Return which file is at ``path``; None: there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - each consumption asks, and a Path takes longer
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclasses.dataclass(slots=True)
class OpenedFile:
    """The file that a connection opened, and its write-ahead log.

    :ivar path: as the settings name it.
    :ivar era: counts how often the file was found to be exchanged before.
    :ivar log_identity: None: there was no log yet.
    """

    watch: FileWatch
    driver: sqlite3.Connection
    path: str
    log_path: str
    era: int
    identity: Identity
    log_identity: Identity | None = None

    def check(self) -> None:
        """See that the file is still at its path.

        :raises Unavailable: it is not.
        """
        found = _identity(self.path)
        if found == self.identity:
            return
        if found is None:
            self.watch.refuse(self, f"the SQLite file {self.path} is gone")
        self.watch.refuse(self, f"another file took the place of the SQLite file {self.path}")

    def check_log(self) -> None:
        """See that the write-ahead log is still beside the file, where there was one.

        :raises Unavailable: it is not.
        """
        found = _identity(self.log_path)
        if found == self.log_identity:
            return
        if self.log_identity is None:
            # Another process has brought the file into WAL mode.
            self.log_identity = found
            return
        self._save_log()
        self.watch.refuse(self, f"{self.log_path}, a part of the SQLite file, is gone")

    def _save_log(self) -> None:
        """Bring what is in the log alone into the file, which is still that of the database."""
        with contextlib.suppress(sqlite3.Error):
            self.driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


class FileWatch:
    """Opens the connections of ``engine`` without making a file, and knows what they opened.

    Concurrency: safe to share among threads.
    """

    def __init__(self, engine: Engine) -> None:
        """Watch the connections that ``engine`` opens from now on."""
        self._engine = engine
        self._lock = threading.Lock()
        self._era = 0
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", self._find_log)
        event.listen(engine, "checkout", self._check_out)

    def refuse(self, opened: OpenedFile, problem: str) -> NoReturn:
        """Close the connections to a file that is not the database any more; tell it once.

        :raises Unavailable: always.
        """
        with self._lock:
            is_news = opened.era == self._era
            self._era += is_news
        if is_news:
            logger.warning("%s: its connections are closed, nothing more is written to it", problem)
            self._engine.dispose()
        raise Unavailable

    def _connect(self, dialect: Any, record: Any, args: list[Any], more: dict[str, Any]) -> Any:
        path = _path(args[0], is_uri=bool(more.get("uri")))
        if path is None:
            return None
        era, before = self._era, _identity(path)
        uri = _existing(args[0], is_uri=bool(more.get("uri")))
        driver = dialect.connect(uri, *args[1:], **{**more, "uri": True})
        if before is None or before != _identity(path):
            driver.close()
            raise Unavailable
        log_path = f"{os.path.realpath(path)}-wal"
        record.info[_OPENED] = OpenedFile(self, driver, path, log_path, era, before)
        return driver

    def _find_log(self, driver: Any, record: Any) -> None:
        opened = record.info.get(_OPENED)
        if opened is None:
            return
        # The first statement that reads opens the log, and makes it. Nobody is waited for here.
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout = 0")
        with contextlib.suppress(sqlite3.Error):
            driver.execute("PRAGMA journal_mode").fetchone()
            opened.log_identity = _identity(opened.log_path)
        driver.execute(f"PRAGMA busy_timeout = {patience}")

    def _check_out(self, _driver: Any, record: Any, _proxy: Any) -> None:
        opened = record.info.get(_OPENED)
        if opened:
            opened.check()


def check(connection: Connection) -> None:
    """See that what a connection writes goes into the file at the path of the database.

    :raises Unavailable: it does not. The connections of its engine are closed.
    """
    opened: OpenedFile | None = connection.info.get(_OPENED)
    if opened:
        opened.check()


def check_commit(connection: Connection) -> None:
    """See that what a connection has committed is in the file at the path, or in its log.

    :raises Unavailable: it is not. The connections of its engine are closed.
    """
    opened: OpenedFile | None = connection.info.get(_OPENED)
    if opened:
        opened.check()
        opened.check_log()


def make(engine: Engine) -> None:
    """Make the file of a SQLite database, empty, where there is none.

    What goes wrong is told by the connection that follows.
    """
    args, more = engine.dialect.create_connect_args(engine.url)
    path = _path(args[0], is_uri=bool(more.get("uri")))
    if path is not None and _identity(path) is None:
        with contextlib.suppress(sqlite3.Error):
            sqlite3.connect(args[0], uri=bool(more.get("uri"))).close()


def _path(name: str, *, is_uri: bool) -> str | None:
    """Return the path of a database's file; None: it is in memory, or somebody else's business."""
    if not is_uri:
        return None if name in ("", ":memory:") else name
    parts = urlsplit(name)
    options = parse_qs(parts.query)
    path = unquote(parts.path)
    if "vfs" in options or options.get("mode") == ["memory"] or path in ("", ":memory:"):
        return None
    return path


def _existing(name: str, *, is_uri: bool) -> str:
    """Return the URI that opens a file and makes none, unless the site's own says how."""
    if not is_uri:
        return f"{Path(name).as_uri()}?mode=rw"
    query = urlsplit(name).query
    if "mode" in parse_qs(query):
        return name
    return f"{name}{'&' if query else '?'}mode=rw"
