"""The mapped tables of tickets (contract 6)."""

from __future__ import annotations

import datetime

from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy import text
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from cone.tokens.core.records import BEHIND
from cone.tokens.core.records import Base
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import ExactText
from cone.tokens.core.records import FormerColumns
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import MannerColumns
from cone.tokens.core.records import SearchColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.records import event_indexes
from cone.tokens.core.records import lifecycle_arguments
from cone.tokens.core.records import manner_indexes
from cone.tokens.core.records import usage_indexes


class TokenRecord(LifecycleColumns, LastUseColumns, Base):
    """A ticket."""

    __tablename__ = "tokens"
    __table_args__ = lifecycle_arguments(
        UniqueConstraint("value"),
        Index(
            None,
            "category",
            "created",
            "uid",
            postgresql_where=text("category IS NOT NULL"),
            sqlite_where=text("category IS NOT NULL"),
        ),
        # Those who are inside are counted. No plain use writes them.
        *(
            Index(
                None,
                name,
                postgresql_where=text(f"{name} IS NOT NULL"),
                sqlite_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("inside_until", "outside_until")
        ),
    )

    #: What is looked up and what the QR code carries.
    value: Mapped[str] = mapped_column(ExactText)
    #: Of the value, see :func:`cone.tokens.core.codes.digest`. NULL: written by somebody else; the
    #: value is found exactly alone.
    code_digest: Mapped[str | None] = mapped_column(String(32), index=True, sort_order=BEHIND + 1)
    #: Who or what it is for.
    label: Mapped[str | None] = mapped_column(Text, sort_order=BEHIND + 3)
    email: Mapped[str | None] = mapped_column(Text, sort_order=BEHIND + 3)
    category: Mapped[str | None] = mapped_column(Text, sort_order=BEHIND + 3)
    note: Mapped[str | None] = mapped_column(Text, sort_order=BEHIND + 3)
    #: JSON object of texts.
    data: Mapped[str | None] = mapped_column(Text, sort_order=BEHIND + 3)
    #: The uses that it was issued with, or that were set last. NULL: not known.
    uses_given: Mapped[int | None] = mapped_column(Integer, sort_order=BEHIND + 3)

    #: See :mod:`cone.tokens.tickets.door`. NULL: not inside.
    inside_until: Mapped[datetime.datetime | None] = mapped_column(
        UtcDateTime, sort_order=BEHIND + 3
    )
    #: NULL: not outside by an exit.
    outside_until: Mapped[datetime.datetime | None] = mapped_column(
        UtcDateTime, sort_order=BEHIND + 3
    )


class TokenSearchRecord(SearchColumns, Base):
    """What a ticket is searched by."""

    __tablename__ = "token_search"
    # A number that somebody was told is not given to another token.
    __table_args__ = ({"sqlite_autoincrement": True},)

    code: Mapped[str] = mapped_column(ExactText)
    label: Mapped[str | None] = mapped_column(ExactText)


class TokenFormerRecord(FormerColumns, Base):
    """A code that a ticket had until it was replaced."""

    __tablename__ = "token_former_values"


class TokenUsageRecord(UsageColumns, MannerColumns, Base):
    """One try to consume a ticket."""

    __tablename__ = "token_usage"
    __table_args__ = (*usage_indexes(), *manner_indexes())

    token_value: Mapped[str] = mapped_column(ExactText)
    #: Those of the token afterwards.
    inside_until: Mapped[datetime.datetime | None] = mapped_column(
        UtcDateTime, sort_order=BEHIND + 1
    )
    outside_until: Mapped[datetime.datetime | None] = mapped_column(
        UtcDateTime, sort_order=BEHIND + 1
    )


class TokenEventRecord(EventColumns, Base):
    """One change of a ticket that is no consumption."""

    __tablename__ = "token_events"
    __table_args__ = event_indexes()
