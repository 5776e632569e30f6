"""A fourth kind: a badge at a gate, with own columns of all types.

Who uses it has to have seen whether its holder is inside; each use lets the holder through, to the
other side, and notes when and how often. The columns come by a class of their own.
"""

import dataclasses
import datetime
import uuid
from typing import Final

from sqlalchemy import BigInteger
from sqlalchemy import Boolean
from sqlalchemy import Enum
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import case
from sqlalchemy import not_
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.records import NAMES
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.records import event_indexes
from cone.tokens.core.records import lifecycle_arguments
from cone.tokens.core.records import table_of
from cone.tokens.core.records import usage_indexes


class BadgeBase(DeclarativeBase):
    """Their tables are none that a revision makes."""

    metadata = MetaData(naming_convention=NAMES)


class WornColumns(LifecycleColumns, LastUseColumns):
    """Columns of all that is worn."""

    colour: Mapped[str] = mapped_column(Enum("red", "blue", native_enum=False))


class BadgeRecord(WornColumns, BadgeBase):
    __tablename__ = "badges"
    __table_args__ = lifecycle_arguments()

    #: A number of the tag in the badge; the name is that of the key of another table.
    key_hash: Mapped[str] = mapped_column(String, unique=True, index=True)
    #: Floors below the ground are below 0. NULL: any.
    floor: Mapped[int | None] = mapped_column(Integer)
    inside: Mapped[bool] = mapped_column(Boolean)
    #: NULL: never.
    seen_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    #: How often its holder went in.
    entries: Mapped[int] = mapped_column(BigInteger)


class BadgeUsageRecord(UsageColumns, BadgeBase):
    __tablename__ = "badge_usage"
    __table_args__ = usage_indexes()

    inside: Mapped[bool] = mapped_column(Boolean)
    seen_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    entries: Mapped[int] = mapped_column(BigInteger)


class BadgeEventRecord(EventColumns, BadgeBase):
    __tablename__ = "badge_events"
    __table_args__ = event_indexes()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    uid: uuid.UUID
    colour: str
    key_hash: str
    floor: int | None
    inside: bool
    seen_at: datetime.datetime | None
    entries: int
    valid_from: datetime.datetime | None
    valid_to: datetime.datetime | None
    usage_count: int
    lock_time: int
    enabled: bool
    last_used: datetime.datetime | None
    last_user: str | None
    locked_until: datetime.datetime | None
    creator: str | None
    created: datetime.datetime
    modified: datetime.datetime
    version: int
    read_at: datetime.datetime


BADGE: Final = ConsumedKind(
    name="badge",
    tokens=table_of(BadgeRecord),
    events=table_of(BadgeEventRecord),
    usages=table_of(BadgeUsageRecord),
    read=Badge,
    unread=frozenset({"used_before", "user_before"}),
    audited=(
        "colour",
        "key_hash",
        "floor",
        "inside",
        "seen_at",
        "entries",
        "usage_count",
        "lock_time",
        "enabled",
        "valid_from",
        "valid_to",
    ),
    seen=("inside",),
    advanced=(
        Effect(
            "inside",
            lambda token, _now, _manner: not token.inside,
            lambda columns, _now, _manner: not_(columns.inside),
        ),
        Effect(
            "seen_at",
            lambda _token, now, _manner: now,
            lambda _columns, now, _manner: now,
        ),
        Effect(
            "entries",
            lambda token, _now, _manner: token.entries + (not token.inside),
            lambda columns, _now, _manner: columns.entries + case((columns.inside, 0), else_=1),
        ),
    ),
)
