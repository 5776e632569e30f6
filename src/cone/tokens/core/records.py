"""The mapped tables (contract 6).

They have a declarative base of their own, not cone.sql's: the core imports without the web
stack, and every constraint has a name, so that SQLite can alter it.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from sqlalchemy import CheckConstraint
from sqlalchemy import DateTime
from sqlalchemy import Dialect
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy import Uuid
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """A point in time, aware and in UTC on the Python side.

    ``timestamptz`` on PostgreSQL. On SQLite text of fixed width in UTC, microseconds
    included, so that comparing text compares times.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of ``dialect``."""
        has_zone = dialect.name == "postgresql"
        return dialect.type_descriptor(DateTime(timezone=has_zone))

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
        """Return an aware time in UTC."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(datetime.UTC)
        return value.replace(tzinfo=datetime.UTC)


#: Text that is compared byte by byte, whatever the locale of the database is.
ExactText = String().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Declarative base of the tables of this project."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        },
    )


class TokenRecord(Base):
    """A redeemable token."""

    __tablename__ = "tokens"
    __table_args__ = (
        UniqueConstraint("value"),
        CheckConstraint("usage_count >= -1", name="usage_count"),
        CheckConstraint("lock_time >= 0", name="lock_time"),
        Index(None, "created", "uid"),
        # Every consumption rewrites the row: room for it in the page keeps the update off the
        # indexes (PostgreSQL's HOT updates).
        {"postgresql_with": {"fillfactor": 80}},
    )

    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    #: What is looked up and what the QR code carries.
    value: Mapped[str] = mapped_column(ExactText)
    #: NULL: never used.
    last_used: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    #: NULL: open.
    valid_from: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    #: NULL: open.
    valid_to: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    #: Uses left; -1: unlimited.
    usage_count: Mapped[int] = mapped_column(Integer)
    #: Seconds that the token rests after a consumption.
    lock_time: Mapped[int] = mapped_column(Integer)
    #: NULL: not known, e.g. added by a program without a user.
    creator: Mapped[str | None] = mapped_column(String)
    created: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    #: Moves on update, not on consumption.
    modified: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    enabled: Mapped[bool] = mapped_column()
    #: ``last_used`` and ``lock_time`` after it. NULL: the last use does not lock.
    locked_until: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    #: Rises with every change of the row; orders the log.
    version: Mapped[int] = mapped_column(Integer)


class TokenUsageRecord(Base):
    """One try to consume a token, granted or refused. Outlives the token: no foreign key."""

    __tablename__ = "token_usage"
    __table_args__ = (
        Index(None, "token_uid", "version", "timestamp", "uid"),
        # Statistics count the tries with a code in a time along it. Rows come in the order of
        # their times: the index grows at few places, each of which is in memory.
        Index(None, "error_code", "timestamp"),
    )

    #: The receipt of the consumption.
    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid)
    token_value: Mapped[str] = mapped_column(ExactText)
    timestamp: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    #: ``Denial.code``. NULL: granted.
    error_code: Mapped[int | None] = mapped_column(Integer)
    #: NULL: not known.
    user: Mapped[str | None] = mapped_column(String)
    #: Uses left afterwards. NULL: not known (a row from before an upgrade).
    usage_count: Mapped[int | None] = mapped_column(Integer)
    #: Version of the token afterwards. 0: not known (a row from before an upgrade).
    version: Mapped[int] = mapped_column(Integer)


class TokenEventRecord(Base):
    """One change of a token that is no consumption: who, when, and the values before and after."""

    __tablename__ = "token_events"
    __table_args__ = (Index(None, "token_uid", "version"),)

    uid: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    token_uid: Mapped[uuid.UUID] = mapped_column(Uuid)
    #: ``add``, ``update``, ``enable``, ``disable``, ``delete``, or ``upgrade`` from 2.0.
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
