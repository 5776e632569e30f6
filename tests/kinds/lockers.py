"""A third kind: a locker is opened by its serial number, a code in a column of another name."""

import dataclasses
import datetime
import uuid
from typing import Final

from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from cone.tokens.core import codes
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Derived
from cone.tokens.core.records import NAMES
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import ExactText
from cone.tokens.core.records import FormerColumns
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.records import event_indexes
from cone.tokens.core.records import lifecycle_arguments
from cone.tokens.core.records import table_of
from cone.tokens.core.records import usage_indexes


class LockerBase(DeclarativeBase):
    """Their tables are none that a revision makes."""

    metadata = MetaData(naming_convention=NAMES)


class LockerRecord(LifecycleColumns, LastUseColumns, LockerBase):
    __tablename__ = "lockers"
    __table_args__ = lifecycle_arguments(UniqueConstraint("serial"))

    serial: Mapped[str] = mapped_column(ExactText)
    serial_digest: Mapped[str] = mapped_column(String(32), index=True)
    aisle: Mapped[str] = mapped_column(String, index=True)


class LockerFormerRecord(FormerColumns, LockerBase):
    __tablename__ = "locker_former_serials"


class LockerUsageRecord(UsageColumns, LockerBase):
    __tablename__ = "locker_usage"
    __table_args__ = usage_indexes()

    token_value: Mapped[str] = mapped_column(ExactText)


class LockerEventRecord(EventColumns, LockerBase):
    __tablename__ = "locker_events"
    __table_args__ = event_indexes()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Locker:
    uid: uuid.UUID
    serial: str
    aisle: str
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


LOCKER: Final = ConsumedKind(
    name="locker",
    tokens=table_of(LockerRecord),
    events=table_of(LockerEventRecord),
    usages=table_of(LockerUsageRecord),
    read=Locker,
    unread=frozenset({"serial_digest", "used_before", "user_before"}),
    audited=(
        "serial",
        "aisle",
        "usage_count",
        "lock_time",
        "enabled",
        "valid_from",
        "valid_to",
    ),
    derived=(Derived("serial_digest", "serial", codes.digest),),
    code="serial",
    filtered=("aisle",),
    former_table=table_of(LockerFormerRecord),
)
