"""Kinds that a test declares, with own columns as it needs them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeEngine

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.records import NAMES
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.records import event_indexes
from cone.tokens.core.records import lifecycle_arguments
from cone.tokens.core.records import table_of
from cone.tokens.core.records import usage_indexes
from tests.kinds.conftest import Desk
from tests.kinds.kinds import Sample

SHARED = ("usage_count", "lock_time", "enabled", "valid_from", "valid_to")
Columns = Mapping[str, TypeEngine[Any]]


def make_kind(
    own: Columns,
    logged: Columns | None = None,
    nullable: tuple[str, ...] = (),
    table: str = "made",
    conventions: Mapping[str, str] = NAMES,
    **given: Any,
) -> ConsumedKind[Any]:
    """Return a kind with own columns, and ``tag``, whose texts are unique.

    :param logged: own columns of the log of usages.
    """
    base = type("Base", (DeclarativeBase,), {"metadata": MetaData(naming_convention=conventions)})

    def record(name: str, shared: tuple[type, ...], arguments: Any, columns: Columns) -> Any:
        made = {
            column: mapped_column(of, nullable=column in nullable) for column, of in columns.items()
        }
        names = {"__tablename__": name, "__table_args__": arguments, "__module__": __name__}
        made_record = type(name, (*shared, base), {**names, **made})
        made_table = table_of(made_record)
        # It lives as long as its table: nobody else has it.
        made_table.info["record"] = made_record
        return made_table

    tokens = record(
        table,
        (LifecycleColumns, LastUseColumns),
        lifecycle_arguments(UniqueConstraint("tag")),
        {"tag": String(), **own},
    )
    unread = given.pop("unread", frozenset({"used_before", "user_before"}))
    read = {column.name for column in tokens.c} - unread
    declared = {
        "name": table,
        "tokens": tokens,
        "usages": record(f"{table}_usage", (UsageColumns,), usage_indexes(), logged or {}),
        "events": record(f"{table}_events", (EventColumns,), event_indexes(), {}),
        "read": dataclasses.make_dataclass("Made", read | {"read_at"}, frozen=True),
        "unread": unread,
        "audited": ("tag", *own, *SHARED),
    }
    return ConsumedKind(**declared | given)


def desk_of(work: Any, kind: ConsumedKind[Any], **fields: Any) -> Desk:
    """Return a desk for a kind, with empty tables of it.

    :param fields: own ones of a new token.
    """
    engine = work.database.engine
    for table in (kind.tokens, kind.usages, kind.events):
        table.drop(engine, checkfirst=True)
        table.create(engine)
    sample = Sample(kind, by="tag", own=lambda name: {"tag": name, **fields}, others={})
    return MadeDesk(sample, work)


class MadeDesk(Desk):
    """A desk whose maintenance knows its kind alone."""

    @property
    def maintenance(self) -> Maintenance:
        return Maintenance(self.database, (self.kind,))
