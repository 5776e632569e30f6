"""Connections to PostgreSQL: commits that a standby has, and waits that end.

A commit counts when the standby has it. The driver is watched for waits that somebody cancelled,
and waits no longer than the use case may take. It reads any time that PostgreSQL stores.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy import text

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.records import nearest_read
from cone.tokens.core.retry import seconds_left

#: Sites know the name from their ini files.
logger = logging.getLogger("cone.tokens.core.database")

#: The driver's number of the format in which values come.
_TEXT: Final = 0

#: Mark of a connection whose commit may be on one server only.
UNSURE: Final = "cone_tokens_unsure"

#: A statement may take so long even where the time of its use case is over.
LEAST_WAIT_S: Final = 1.0

#: Execution options of a connection that sees no change of others.
SNAPSHOT: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def prepare(engine: Engine) -> None:
    """Watch new connections of ``engine``, see :func:`_watch`; open ones are closed."""
    if not event.contains(engine, "connect", _watch):
        event.listen(engine, "connect", _watch)
        engine.dispose()


def prepare_long_read(connection: Connection) -> None:
    """Set PostgreSQL up for statements that read all rows: no timeouts, plans for the whole."""
    for setting in (
        "cursor_tuple_fraction = 1",
        "idle_in_transaction_session_timeout = 0",
        "jit = off",
        "statement_timeout = 0",
    ):
        connection.execute(text(f"SET LOCAL {setting}"))


@contextlib.contextmanager
def surely_committed(connection: Connection) -> Iterator[None]:
    """Raise Interrupted if the wait for the standby was cancelled during this commit.

    :raises Interrupted: it was. The connection is not used again.
    """
    yield
    if connection.info.get(UNSURE):
        logger.warning("somebody cancelled the wait for a standby: the commit does not count")
        connection.invalidate()
        raise Interrupted


def _watch(driver: Any, record: Any) -> None:
    """Watch a new connection: for cancelled waits, and for the end of the use case's time."""
    record.info.pop(UNSURE, None)
    driver.add_notice_handler(functools.partial(_note_cancelled_wait, record.info))
    # Less than a warning may be left out, a warning not: the role or the database may say so.
    driver.execute("SET client_min_messages = notice")
    # The driver reads aware times in this style alone; the role or the database may have another.
    driver.execute("SET DateStyle = ISO")
    driver.commit()
    # The driver fails where a time is beyond Python's calendar: in one row, for all rows.
    times = driver.adapters.types["timestamptz"].oid
    usual = driver.adapters.get_loader(times, _TEXT)
    driver.adapters.register_loader(times, _tolerant(usual, driver.DataError))
    driver.wait = functools.partial(_wait, driver, driver.wait)


@functools.cache
def _tolerant(usual: type[Any], failure: type[Exception]) -> type[Any]:
    """Return a class that loads times as ``usual`` does, and those that no calendar has as well.

    They are read as the first or the last instant. A consumption that was committed does not fail
    after that for what is in its row.

    :param failure: what ``usual`` raises for them.
    """

    class AnyInstant:
        format = usual.format

        def __init__(self, oid: int, context: Any = None) -> None:
            self._load = usual(oid, context).load

        def load(self, data: Any) -> datetime.datetime:
            try:
                instant: datetime.datetime = self._load(data)
            except failure:
                return nearest_read(bytes(data).decode())
            return instant

    return AnyInstant


def _note_cancelled_wait(info: dict[str, Any], notice: Any) -> None:
    # The text comes in the language of the server; the place in its source is the same in all.
    if notice.source_function == "SyncRepWaitForLSN":
        info[UNSURE] = True


def _wait(driver: Any, wait: Callable[..., Any], steps: Any, *args: Any, **kwargs: Any) -> Any:
    """Wait for a server, but no longer than the use case may take.

    A commit may wait for a standby for ever. To cancel that would pass for success: the
    connection is closed instead.
    """
    left = seconds_left()
    if left is None:
        return wait(steps, *args, **kwargs)
    kwargs["timeout"] = max(left, LEAST_WAIT_S)
    try:
        return wait(steps, *args, **kwargs)
    except Exception:
        if (seconds_left() or 0) <= 0:
            driver.close()
        raise
