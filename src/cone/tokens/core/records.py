"""The columns of the mapped tables (contract 6), and the table of the keys of all kinds.

They have a declarative base of their own, not cone.sql's: the core imports without the web
stack, and every constraint has a name, so that SQLite can alter it.

A kind of tokens has three tables, made of the same columns and of its own: tokens, the log of
usages and the log of events. One that is searched has another, of the texts; one whose codes are
replaced has another, of the codes that its tokens had before.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any
from typing import Final

from sqlalchemy import CheckConstraint
from sqlalchemy import DateTime
from sqlalchemy import Dialect
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import Uuid
from sqlalchemy import text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

from cone.tokens.core.clock import utc_now

#: The first and the last instant that are read. Times beyond them, or ``infinity``, are read as
#: these: a day is left to both ends of Python's calendar, for the zones of readers.
FIRST_READ: Final = datetime.datetime(1, 1, 2, tzinfo=datetime.UTC)
LAST_READ: Final = datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC)


def nearest_read(stored: object) -> datetime.datetime:
    """Return the instant that stands for what a database stores as a time, and that is none."""
    is_early = not isinstance(stored, str) or stored.startswith("-") or stored.endswith("BC")
    return FIRST_READ if is_early else LAST_READ


def read_instant(stored: object) -> datetime.datetime:
    """Return the time that a statement tells as text; SQLite's have no zone, and are in UTC."""
    try:
        time = datetime.datetime.fromisoformat(stored)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return nearest_read(stored)
    return _readable(_in_utc(time) if time.tzinfo else time.replace(tzinfo=datetime.UTC))


def _in_utc(time: datetime.datetime) -> datetime.datetime:
    try:
        return time.astimezone(datetime.UTC)
    except OverflowError:
        return LAST_READ if time.year > 1 else FIRST_READ


def _readable(utc: datetime.datetime) -> datetime.datetime:
    if 1 < utc.year < LAST_READ.year:
        return utc
    return min(max(utc, FIRST_READ), LAST_READ)


class _AnyText(sqlite.DATETIME):
    """A time as SQLite stores it: any text, or any number."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return the function that converts a stored value to a naive time."""
        process: Any = super().result_processor(dialect, coltype)

        def read(stored: Any) -> datetime.datetime | None:
            try:
                found: datetime.datetime | None = process(stored)
            except (TypeError, ValueError):
                # SQLite compares it so with the time that it is.
                is_text = isinstance(stored, str)
                is_late = isinstance(stored, bytes) or (is_text and stored > f"{utc_now()}")
                return (LAST_READ if is_late else FIRST_READ).replace(tzinfo=None)
            return found

        return read


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """A point in time, aware and in UTC on the Python side.

    ``timestamptz`` on PostgreSQL. On SQLite text of fixed width in UTC, microseconds
    included, so that comparing text compares times.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of ``dialect``."""
        if dialect.name == "sqlite":
            return _AnyText()  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,
    ) -> datetime.datetime | None:
        """Take an aware time.

        :raises ValueError: ``value`` is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a naive time has no place in the database"
            raise ValueError(msg)
        utc = value.astimezone(datetime.UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,
    ) -> datetime.datetime | None:
        """Return an aware time in UTC, from :data:`FIRST_READ` to :data:`LAST_READ`."""
        if value is None:
            return None
        is_aware = dialect.name == "postgresql"
        utc = _in_utc(value) if is_aware else value.replace(tzinfo=datetime.UTC)
        return _readable(utc)


#: Text that is compared byte by byte, whatever the locale of the database is.
ExactText = String().with_variant(Text(collation="C"), "postgresql")


#: How constraints and indexes are named.
NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(DeclarativeBase):
    """Declarative base of the tables of this project."""

    metadata = MetaData(naming_convention=NAMES)


#: Places of columns: a key comes first, and own columns before those that all kinds have.
_FIRST: Final = -1
BEHIND: Final = 1
_LAST: Final = 3


class LifecycleColumns:
    """Columns of a table of tokens: what the lifecycle rules ask for, and what a use changes.

    The constraints of :func:`lifecycle_arguments` belong to them. Columns of a kind stand between
    the key and these.
    """

    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, sort_order=_FIRST)
    #: NULL: never used.
    last_used: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: NULL: open.
    valid_from: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: NULL: open.
    valid_to: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: Uses left; -1: unlimited.
    usage_count: Mapped[int] = mapped_column(Integer, sort_order=BEHIND)
    #: Seconds that the token rests after a consumption.
    lock_time: Mapped[int] = mapped_column(Integer, sort_order=BEHIND)
    #: NULL: not known, e.g. added by a program without a user.
    creator: Mapped[str | None] = mapped_column(String, sort_order=BEHIND)
    created: Mapped[datetime.datetime] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: Moves on update, not on consumption, nor when personal data is emptied.
    modified: Mapped[datetime.datetime] = mapped_column(UtcDateTime, sort_order=BEHIND)
    enabled: Mapped[bool] = mapped_column(sort_order=BEHIND)
    #: ``last_used`` and ``lock_time`` after it. NULL: the last use does not lock.
    locked_until: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: Rises with every change of the row; orders the log.
    version: Mapped[int] = mapped_column(Integer, sort_order=BEHIND)


class LastUseColumns:
    """Columns of a table of tokens that are consumed: who took the last use, and the one before."""

    #: Who took the last use. NULL: not known, as below.
    last_user: Mapped[str | None] = mapped_column(String, sort_order=_LAST)
    #: ``last_used`` and ``last_user`` as the last use found them.
    used_before: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=_LAST)
    user_before: Mapped[str | None] = mapped_column(String, sort_order=_LAST)


class UsageColumns:
    """Columns of a log of usages: one row for each try, granted or refused.

    It outlives the token: no foreign key. The indexes of :func:`usage_indexes` belong to them.
    """

    #: The receipt of the consumption.
    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, sort_order=_FIRST)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid, sort_order=_FIRST)
    timestamp: Mapped[datetime.datetime] = mapped_column(UtcDateTime, sort_order=BEHIND)
    #: ``Denial.code``. NULL: granted.
    error_code: Mapped[int | None] = mapped_column(Integer, sort_order=BEHIND)
    #: NULL: not known.
    user: Mapped[str | None] = mapped_column(String, sort_order=BEHIND)
    #: Uses left afterwards. NULL: not known (a row from before an upgrade).
    usage_count: Mapped[int | None] = mapped_column(Integer, sort_order=BEHIND)
    #: Version of the token afterwards. 0: not known (a row from before an upgrade).
    version: Mapped[int] = mapped_column(Integer, sort_order=BEHIND)


class MannerColumns:
    """Columns of a log of usages that tell how tokens were used (decision 0030).

    See :mod:`cone.tokens.core.manner`. NULL in the row of a plain use. The indexes of
    :func:`manner_indexes` belong to them.
    """

    #: Uses that were taken, or asked for where it was refused. NULL: one.
    uses: Mapped[int | None] = mapped_column(Integer, sort_order=_LAST)
    checkpoint: Mapped[str | None] = mapped_column(Text, sort_order=_LAST)
    #: ``Direction``. NULL: the checkpoint has none.
    direction: Mapped[str | None] = mapped_column(String(3), sort_order=_LAST)
    #: Why the rules did not count; empty where that is forgotten. NULL: they did.
    override: Mapped[str | None] = mapped_column(Text, sort_order=_LAST)
    #: When it was taken back. NULL: it stands.
    undone_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, sort_order=_LAST)
    #: By whom. NULL: it stands, or that is not known.
    undone_by: Mapped[str | None] = mapped_column(String, sort_order=_LAST)


class EventColumns:
    """Columns of a log of events: who changed a token, when, and the values before and after.

    The indexes of :func:`event_indexes` belong to them.
    """

    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid)
    #: ``add``, ``update``, ``enable``, ``disable``, ``replace``, ``undo``, ``reset``, ``delete``,
    #: ``forget``, ``purge``, or ``upgrade`` from 2.0.
    action: Mapped[str] = mapped_column(String)
    timestamp: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    #: NULL: not known.
    user: Mapped[str | None] = mapped_column(String)
    #: JSON object of the fields before the change. NULL: there was no token, or it is not known.
    old_values: Mapped[str | None] = mapped_column(Text)
    #: JSON object of the fields after the change. NULL: there is no token any more.
    new_values: Mapped[str | None] = mapped_column(Text)
    #: Version of the token afterwards.
    version: Mapped[int] = mapped_column(Integer)


class SearchColumns:
    """Columns of a table of texts that tokens are searched by, as :mod:`cone.tokens.core.search`.

    It follows the table of the tokens; a token without a row is not found. How it is indexed
    depends on the database: see ``migrations/search_index``.
    """

    #: Rises in the order in which tokens are added.
    id: Mapped[int] = mapped_column(Integer, primary_key=True, sort_order=_FIRST)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid, unique=True, sort_order=_FIRST)


class FormerColumns:
    """Columns of a table of codes that tokens had until they got another one in their place.

    As long as a token is there nobody else gets a code that it had: see
    ``migrations/former_values``.
    """

    value: Mapped[str] = mapped_column(ExactText, primary_key=True, sort_order=_FIRST)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid, index=True)
    #: Of the value, see :func:`cone.tokens.core.codes.digest`.
    code_digest: Mapped[str] = mapped_column(String(32), index=True)
    #: When it was replaced.
    timestamp: Mapped[datetime.datetime] = mapped_column(UtcDateTime)


def lifecycle_arguments(*own: Any) -> tuple[Any, ...]:
    """Return the constraints, indexes and options of a table with :class:`LifecycleColumns`.

    :param own: constraints and indexes of the kind's own columns.
    """
    return (
        *own,
        CheckConstraint("usage_count >= -1", name="usage_count"),
        CheckConstraint("lock_time >= 0", name="lock_time"),
        Index(None, "created", "uid"),
        # Every consumption rewrites the row: room for it in the page keeps the update off the
        # indexes (PostgreSQL's HOT updates).
        {"postgresql_with": {"fillfactor": 80}},
    )


def usage_indexes() -> tuple[Index, ...]:
    """Return the indexes of a table with :class:`UsageColumns`."""
    return (
        Index(None, "token_uid", "version", "timestamp", "uid"),
        # Statistics count the tries with a code in a time along it. Rows come in the order of
        # their times: the index grows at few places, each of which is in memory.
        Index(None, "error_code", "timestamp"),
    )


def manner_indexes() -> tuple[Index, ...]:
    """Return the indexes of a table with :class:`MannerColumns`; plain uses are in none of them."""
    conditions = (
        (("checkpoint", "error_code", "timestamp", "undone_at"), "checkpoint IS NOT NULL"),
        (("timestamp", "undone_at"), "undone_at IS NOT NULL"),
        (("timestamp", "override"), "override IS NOT NULL"),
        (("timestamp", "checkpoint"), "direction = 'out'"),
    )
    return tuple(
        Index(None, *columns, postgresql_where=text(where), sqlite_where=text(where))
        for columns, where in conditions
    )


def event_indexes() -> tuple[Index, ...]:
    """Return the indexes of a table with :class:`EventColumns`."""
    return (Index(None, "token_uid", "version"),)


class TokenRequestRecord(Base):
    """The answer that an idempotency key is bound to."""

    __tablename__ = "token_requests"

    #: SHA-256 of operation, caller and key, in hexadecimal.
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: SHA-256 of what the request asked for, in hexadecimal.
    fingerprint: Mapped[str] = mapped_column(String(64))
    #: JSON; its shape is the store's business.
    answer: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[datetime.datetime] = mapped_column(UtcDateTime)


def table_of(record: type[DeclarativeBase]) -> Table:
    """Return the table of ``record``.

    The ORM looks at statements on mapped classes each time, not at those on tables.
    """
    return record.metadata.tables[record.__tablename__]


#: The idempotency keys of all kinds.
REQUESTS: Final = table_of(TokenRequestRecord)
