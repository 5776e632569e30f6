"""What SQLite and PostgreSQL say in their own ways about the tables of 2.0."""

from __future__ import annotations

import datetime
import functools
import uuid
import zoneinfo
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import DateTime
from sqlalchemy import LargeBinary
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy import TextClause
from sqlalchemy import Uuid
from sqlalchemy import case
from sqlalchemy import cast
from sqlalchemy import column
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import literal_column
from sqlalchemy import not_
from sqlalchemy import or_
from sqlalchemy import text

from cone.tokens.migrations.frozen import MAX_INSTANT
from cone.tokens.migrations.frozen import MIN_INSTANT
from cone.tokens.migrations.frozen import UtcDateTime
from cone.tokens.migrations.local_times import MAX_LOCAL
from cone.tokens.migrations.local_times import MIN_LOCAL
from cone.tokens.migrations.local_times import Reading
from cone.tokens.migrations.local_times import fold_sizes
from cone.tokens.migrations.local_times import read_stored
from cone.tokens.migrations.local_times import reading_of
from cone.tokens.migrations.local_times import to_utc

UID: Final[ColumnElement[uuid.UUID]] = column("uid", Uuid())
VALUE: Final[ColumnElement[str]] = column("value", Text())


class Sqlite:
    """What SQLite says in its own way. Its times are read by functions of Python."""

    def __init__(self, connection: Connection, zone: zoneinfo.ZoneInfo) -> None:
        """Make the functions known to the ``connection``."""
        driver: Any = connection.connection.driver_connection
        for name, work in (("reading", _stored_reading), ("utc", _stored_utc)):
            # The times of a row are asked for several times each.
            function = functools.lru_cache(maxsize=64)(functools.partial(work, zone))
            driver.create_function(f"cone_tokens_{name}", 1, function, deterministic=True)

    uid_text: ColumnElement[str] = literal_column(
        "substr(uid, 1, 8) || '-' || substr(uid, 9, 4) || '-' || substr(uid, 13, 4) || '-' ||"
        " substr(uid, 17, 4) || '-' || substr(uid, 21)",
        Text(),
    )
    byte_length: ColumnElement[int] = func.length(cast(VALUE, LargeBinary))
    is_unusable: ColumnElement[bool] = literal_column(
        "(typeof(value) = 'blob' OR instr(CAST(value AS BLOB), x'00') > 0)",
    )

    def is_no_uid(self, name: str) -> ColumnElement[bool]:
        """Return whether a column holds what is no uid."""
        return literal_column(f"(length({name}) <> 32 OR {name} GLOB '*[^0-9a-f]*')")

    def is_no_integer(self, name: str) -> ColumnElement[bool]:
        """Return whether a column holds no whole number."""
        return literal_column(f"(typeof({name}) <> 'integer')")

    def reading(self, name: str) -> ColumnElement[str]:
        """Return the :class:`Reading` of a time."""
        return func.cone_tokens_reading(column(name), type_=String())

    def utc(self, name: str) -> ColumnElement[datetime.datetime]:
        """Return the instant that a time means."""
        return func.cone_tokens_utc(column(name), type_=UtcDateTime())

    def iso(self, name: str) -> ColumnElement[str]:
        """Return an instant as Python writes it."""
        return func.replace(func.replace(column(name), " ", "T") + "+00:00", ".000000", "")

    json_object = "json_object"
    #: What would be lost with a table.
    hangers_on: TextClause = text(
        "SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name",
    )
    true: ColumnElement[Any] = literal_column("json('true')")


def _stored_reading(zone: zoneinfo.ZoneInfo, stored: object) -> str:
    if stored is None:
        return Reading.MISSING
    time = read_stored(stored)
    return Reading.UNREADABLE if time is None else reading_of(time, zone)


def _stored_utc(zone: zoneinfo.ZoneInfo, stored: object) -> str | None:
    time = read_stored(stored)
    if time is None:
        return None
    return to_utc(time, zone).isoformat(sep=" ", timespec="microseconds")


class Postgresql:
    """What PostgreSQL says in its own way. It reads times as we do, and knows the zones."""

    uid_text: ColumnElement[str] = cast(UID, Text())
    byte_length: ColumnElement[int] = func.octet_length(VALUE)
    is_unusable: ColumnElement[bool] = false()
    json_object = "json_build_object"
    #: What would be lost with a table, or keep it from being dropped.
    hangers_on: TextClause = text("""
        SELECT 'view ' || CAST(CAST(rule.ev_class AS regclass) AS text)
        FROM pg_rewrite AS rule JOIN pg_depend AS need ON need.objid = rule.oid
        WHERE need.refobjid = CAST(:name AS regclass) AND rule.ev_class <> need.refobjid
        UNION
        SELECT 'foreign key ' || conname FROM pg_constraint
        WHERE contype = 'f' AND confrelid = CAST(:name AS regclass)
        UNION
        SELECT 'trigger ' || tgname FROM pg_trigger
        WHERE tgrelid = CAST(:name AS regclass) AND NOT tgisinternal
        UNION
        SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = CAST(:name AS regclass)
        UNION
        SELECT 'publication ' || pubname
        FROM pg_publication AS pub JOIN pg_publication_rel AS part ON part.prpubid = pub.oid
        WHERE part.prrelid = CAST(:name AS regclass)
        UNION
        SELECT 'table ' || CAST(CAST(inhrelid AS regclass) AS text) FROM pg_inherits
        WHERE inhparent = CAST(:name AS regclass)
        UNION
        SELECT 'function ' || proname
        FROM pg_proc AS made JOIN pg_depend AS need
        ON need.classid = CAST('pg_proc' AS regclass) AND need.objid = made.oid
        JOIN pg_type AS kind
        ON need.refclassid = CAST('pg_type' AS regclass) AND need.refobjid = kind.oid
        WHERE kind.typrelid = CAST(:name AS regclass)
    """)
    true: ColumnElement[Any] = literal_column("true")

    def __init__(self, _connection: Connection, zone: zoneinfo.ZoneInfo) -> None:
        self._zone = literal(zone.key, Text())
        self._folds = fold_sizes(zone)

    def is_no_uid(self, _name: str) -> ColumnElement[bool]:
        """Return whether a column holds what is no uid: its type sees to that."""
        return false()

    def is_no_integer(self, _name: str) -> ColumnElement[bool]:
        """Return whether a column holds no whole number: its type sees to that."""
        return false()

    def reading(self, name: str) -> ColumnElement[str]:
        """Return the :class:`Reading` of a time."""
        time = column(name, DateTime())
        instant = func.timezone(self._zone, time)
        shown_twice = [func.timezone(self._zone, instant - size) == time for size in self._folds]
        return case(
            (time.is_(None), Reading.MISSING.value),
            (not_(time.between(MIN_LOCAL, MAX_LOCAL)), Reading.OUT_OF_RANGE.value),
            (func.timezone(self._zone, instant) != time, Reading.GAP.value),
            (or_(false(), *shown_twice), Reading.FOLD.value),
            else_=Reading.PLAIN.value,
        )

    def utc(self, name: str) -> ColumnElement[datetime.datetime]:
        """Return the instant that a time means."""
        time = column(name, DateTime())
        return case(
            (time < MIN_LOCAL, literal(MIN_INSTANT, UtcDateTime())),
            (time > MAX_LOCAL, literal(MAX_INSTANT, UtcDateTime())),
            else_=func.timezone(self._zone, time, type_=UtcDateTime()),
        )

    def iso(self, name: str) -> ColumnElement[str]:
        """Return an instant as Python writes it."""
        utc = func.timezone("UTC", column(name, UtcDateTime()))
        written = func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS.US') + "+00:00"
        return func.replace(written, ".000000", "")
