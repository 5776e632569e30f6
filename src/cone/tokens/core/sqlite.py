"""What is particular about connections to SQLite: when transactions begin, and how long they wait.

The driver begins transactions where it likes to; the listeners here begin them as
:mod:`cone.tokens.core.database` means them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from cone.tokens.core import sqlite_file
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.turns import LONGEST_WAIT_S

#: Execution option of a connection: its transaction takes SQLite's write lock at once.
WRITES: Final = "cone_tokens_writes"

#: The bits of SQLite's error codes that are not detail.
PRIMARY_CODE: Final = 0xFF

#: Where a connection has the milliseconds for which it waits for locks.
_PATIENCE: Final = "cone_tokens_patience"

#: Where a connection has the pages after which a commit checkpoints, while it does not.
_CHECKPOINT_PAGES: Final = "cone_tokens_checkpoint_pages"

#: A wait that is shorter by less than this is not worth a statement.
_SLACK_MS: Final = 100

_NOT_ABOUT_THE_FILE: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_LOCKED,
)


def prepare(engine: Engine) -> None:
    """Have connections of ``engine`` obey :data:`WRITES`, and wait no longer than they may.

    A savepoint of the host becomes part of a transaction. A ``timeout`` in the URL that is shorter
    than :data:`LONGEST_WAIT_S` is kept. No connection makes a file, and none is used whose file was
    exchanged, see :mod:`cone.tokens.core.sqlite_file`. Connections in the pool are closed.
    """
    event.listen(engine, "begin", _begin)
    event.listen(engine, "savepoint", _begin_before_savepoint)
    if not event.contains(engine, "connect", _limit_patience):
        event.listen(engine, "connect", _limit_patience)
        sqlite_file.FileWatch(engine)
        if isinstance(engine.pool, QueuePool):
            engine.dispose()


def makes_readers_wait(engine: Engine) -> bool:
    """Return whether a SQLite file is not in WAL mode: who reads waits for who writes."""
    if engine.dialect.name != "sqlite":
        return False
    with engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    return mode not in ("wal", "memory")


@contextlib.contextmanager
def no_longer_than(connection: Connection, seconds: float) -> Iterator[None]:
    """Have ``connection`` wait for a lock for so long at most, within the block."""
    usual = connection.info.get(_PATIENCE)
    wanted = int(seconds * 1_000)
    if usual is None or wanted > usual - _SLACK_MS:
        yield
        return
    driver: Any = connection.connection.driver_connection
    _set_patience(driver, wanted)
    try:
        yield
    finally:
        _set_patience(driver, usual)


def begin_writing(connection: Connection) -> None:
    """Take the write lock for what is to come in the transaction of ``connection``.

    :raises Unavailable: its file was exchanged.
    """
    _sync_fully(connection)
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    sqlite_file.check(connection)


def require_kept(connection: Connection) -> None:
    """See that what was committed is in the file at the path of the database.

    :raises Interrupted: that was exchanged: what is in it now is not known.
    """
    if connection.invalidated:
        return
    try:
        sqlite_file.check_commit(connection)
    except Unavailable:
        raise Interrupted from None


def checkpoint_later(connection: Connection) -> None:
    """Have the commit of a long transaction of ours leave the checkpoint to :func:`catch_up`.

    Others may write during a checkpoint, but not during the commit that begins it.
    """
    if connection.get_execution_options().get(WRITES) and not connection.info.get(
        _CHECKPOINT_PAGES
    ):
        pages = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar()
        connection.info[_CHECKPOINT_PAGES] = pages
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")


def catch_up(connection: Connection) -> None:
    """Do the checkpoint that a transaction left to be done. What it committed is on disk already.

    The next commit tries again where it fails: a failure here must not tell that nothing was done.
    """
    if connection.invalidated:
        return
    pages = connection.info.pop(_CHECKPOINT_PAGES, None)
    if pages:
        driver: Any = connection.connection.driver_connection
        with contextlib.suppress(sqlite3.Error):
            driver.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def is_in_transaction(connection: Connection) -> bool:
    """Return whether SQLite has begun a transaction."""
    driver = connection.connection.driver_connection
    return driver is not None and bool(driver.in_transaction)


def may_be_another_file(original: BaseException | None) -> bool:
    """Return whether SQLite failed in a way that tells of its file.

    Its connections stay with the file that they opened, even when another one has taken its
    place since: new ones have to be opened then.
    """
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_BUSY)
    return code & PRIMARY_CODE not in _NOT_ABOUT_THE_FILE


def _limit_patience(driver: Any, record: Any) -> None:
    (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
    record.info[_PATIENCE] = shortened = min(patience, int(LONGEST_WAIT_S * 1_000))
    _set_patience(driver, shortened)


def _set_patience(driver: Any, milliseconds: int) -> None:
    driver.execute(f"PRAGMA busy_timeout = {milliseconds}")


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES):
        begin_writing(connection)


def _begin_before_savepoint(connection: Connection, _name: str) -> None:
    # The driver begins nothing for a savepoint, and SQLite commits an outermost one when it is
    # released: the roll-back of a host would come too late.
    if not is_in_transaction(connection):
        connection.exec_driver_sql("BEGIN")


def _sync_fully(connection: Connection) -> None:
    # In WAL mode less than FULL loses acknowledged consumptions when the power fails. Setting it
    # is not possible within a transaction; it lasts as long as the connection.
    if not connection.info.get(WRITES):
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        connection.info[WRITES] = True
