"""A second kind of tokens, as small as one can be that has columns of its own.

A pass is shown again and again: whoever uses it has to have seen its generation, and each use
makes the next one. So of two copies of a pass one is refused.
"""

import dataclasses
import datetime
import uuid
from typing import Final

from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.records import NAMES
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import ExactText
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import SearchColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.records import event_indexes
from cone.tokens.core.records import lifecycle_arguments
from cone.tokens.core.records import table_of
from cone.tokens.core.records import usage_indexes


class PassBase(DeclarativeBase):
    """Their tables are none that a revision makes."""

    metadata = MetaData(naming_convention=NAMES)


class PassRecord(LifecycleColumns, LastUseColumns, PassBase):
    __tablename__ = "passes"
    __table_args__ = lifecycle_arguments(UniqueConstraint("digest"))

    #: Of the secret that the holder shows; no event and no log tells it.
    digest: Mapped[str] = mapped_column(String)
    owner: Mapped[str] = mapped_column(String)
    generation: Mapped[int] = mapped_column(Integer)
    #: The generation at which the holder has to sign in again. NULL: none.
    sign_in_at: Mapped[int | None] = mapped_column(Integer)


class PassUsageRecord(UsageColumns, PassBase):
    __tablename__ = "pass_usage"
    __table_args__ = usage_indexes()

    generation: Mapped[int] = mapped_column(Integer)


class PassEventRecord(EventColumns, PassBase):
    __tablename__ = "pass_events"
    __table_args__ = event_indexes()


class PassSearchRecord(SearchColumns, PassBase):
    __tablename__ = "pass_search"
    __table_args__ = ({"sqlite_autoincrement": True},)

    holder: Mapped[str] = mapped_column(ExactText)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    uid: uuid.UUID
    owner: str
    generation: int
    sign_in_at: int | None
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


PASS: Final = ConsumedKind(
    name="pass",
    tokens=table_of(PassRecord),
    events=table_of(PassEventRecord),
    usages=table_of(PassUsageRecord),
    read=Pass,
    unread=frozenset({"digest", "used_before", "user_before"}),
    audited=(
        "owner",
        "generation",
        "sign_in_at",
        "usage_count",
        "lock_time",
        "enabled",
        "valid_from",
        "valid_to",
    ),
    search_table=table_of(PassSearchRecord),
    search_columns={"holder": "owner"},
    shown=("owner",),
    seen=("generation",),
    advanced=(
        Effect(
            "generation",
            lambda token, _now, _manner: token.generation + 1,
            lambda columns, _now, _manner: columns.generation + 1,
        ),
    ),
)
