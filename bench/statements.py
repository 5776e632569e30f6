"""The statements of each use case, written by hand: what a floor does and nothing else."""

import contextlib
import datetime
import uuid
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import Row
from sqlalchemy import event
from sqlalchemy import text

FIND = text("SELECT * FROM tokens WHERE value = :value")
ADD = text("""
    INSERT INTO tokens
        (uid, value, usage_count, lock_time, creator, created, modified, enabled, version)
    VALUES (:uid, :value, 1, 0, :actor, :now, :now, true, 1)
""")
LOG_EVENT = text("""
    INSERT INTO token_events (uid, token_uid, action, timestamp, "user", new_values, version)
    VALUES (:event, :uid, 'add', :now, :actor, :values, 1)
""")
SPEND = """
    UPDATE tokens SET
        usage_count = CASE WHEN usage_count > 0 THEN usage_count - 1 ELSE usage_count END,
        last_used = {now},
        locked_until = CASE WHEN lock_time > 0 THEN {later} END,
        version = version + 1
    WHERE uid = :uid AND enabled AND usage_count <> 0
        AND (locked_until IS NULL OR locked_until <= {now})
        AND (valid_from IS NULL OR valid_from <= {now})
        AND (valid_to IS NULL OR valid_to >= {now})
    RETURNING uid, value, usage_count, version, last_used
"""
SPEND_SQLITE = text(SPEND.format(now=":now", later="strftime(:now, lock_time || ' seconds')"))
LOG_SQLITE = text("""
    INSERT INTO token_usage
        (uid, token_uid, token_value, timestamp, error_code, user, usage_count, version)
    VALUES (:receipt, :uid, :value, :now, NULL, :actor, :usage_count, :version)
""")
SPEND_POSTGRESQL = SPEND.format(
    now="(SELECT at FROM moment)",
    later="(SELECT at FROM moment) + make_interval(secs => lock_time)",
)
CONSUME_POSTGRESQL = text(
    "WITH moment AS (SELECT clock_timestamp() AS at), spent AS (" + SPEND_POSTGRESQL + "), "
    """
    logged AS (
        INSERT INTO token_usage
            (uid, token_uid, token_value, timestamp, "user", usage_count, version)
        SELECT CAST(:receipt AS uuid), uid, value, last_used, :actor, usage_count, version
        FROM spent
    )
    SELECT usage_count FROM spent
    """,
)


class Statements:
    """Query, add and consume over an engine; nothing is checked, everything is committed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing = engine.execution_options(bench_writes=True)
        if not self._is_postgresql:
            event.listen(engine, "connect", _sync_fully)
            event.listen(engine, "begin", _begin_immediate)

    def query(self, value: str) -> dict[str, Any]:
        """Return the fields of the token with a value."""
        with self._engine.connect() as connection:
            row = connection.execute(FIND, {"value": value}).one()
        return {name: _encoded(field) for name, field in row._asdict().items()}

    def add(self, actor: str) -> str:
        """Add a token and return its uid."""
        uid = uuid.uuid4()
        parameters = {
            "uid": self._uid(uid),
            "value": str(uid),
            "event": self._uid(uuid.uuid4()),
            "actor": actor,
            "now": self._now(),
            "values": "{}",
        }
        with self._writing.begin() as connection:
            connection.execute(ADD, parameters)
            connection.execute(LOG_EVENT, parameters)
        return str(uid)

    def consume(self, uid: str, actor: str) -> dict[str, Any]:
        """Take one use of a token."""
        receipt = uuid.uuid4()
        parameters = {"uid": self._uid(uuid.UUID(uid)), "receipt": receipt, "actor": actor}
        with self._consuming() as connection:
            row = self._spend(connection, {**parameters, "receipt": self._uid(receipt)})
        return {
            "success": True,
            "consumed": True,
            "usage_count": row.usage_count,
            "receipt": str(receipt),
        }

    def _spend(self, connection: Connection, parameters: dict[str, Any]) -> Row[Any]:
        if self._is_postgresql:
            return connection.execute(CONSUME_POSTGRESQL, parameters).one()
        parameters["now"] = self._now()
        row = connection.execute(SPEND_SQLITE, parameters).one()
        found = {"value": row.value, "usage_count": row.usage_count, "version": row.version}
        connection.execute(LOG_SQLITE, {**parameters, **found})
        return row

    @contextlib.contextmanager
    def _consuming(self) -> Iterator[Connection]:
        if self._is_postgresql:
            with self._autocommit.connect() as connection:
                yield connection
        else:
            with self._writing.begin() as connection:
                yield connection

    def _uid(self, uid: uuid.UUID) -> uuid.UUID | str:
        return uid if self._is_postgresql else uid.hex

    def _now(self) -> datetime.datetime | str:
        now = datetime.datetime.now(datetime.UTC)
        return now if self._is_postgresql else f"{now:%Y-%m-%d %H:%M:%S.%f}"


def _encoded(field: object) -> object:
    return field if field is None or isinstance(field, int | str) else str(field)


def _sync_fully(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = FULL")


def _begin_immediate(connection: Connection) -> None:
    if connection.get_execution_options().get("bench_writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
