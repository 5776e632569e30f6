"""What tokens are searched by, and the index of categories."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import Final

import sqlalchemy as sa
from alembic import context
from alembic import op

from cone.tokens.migrations import PROGRESS
from cone.tokens.migrations import SLICES
from cone.tokens.migrations import search_index
from cone.tokens.migrations.frozen import ExactText
from cone.tokens.migrations.frozen import UtcDateTime
from cone.tokens.migrations.frozen import folded_for_search

revision = "0005"
down_revision = "0004"

#: Rows that are read and written at once.
BATCH: Final = 5_000

_TOKENS: Final = sa.table(
    "tokens",
    sa.column("uid", sa.Uuid()),
    sa.column("created", UtcDateTime()),
    sa.column("value", ExactText),
    sa.column("label", sa.Text()),
)
_SEARCH: Final = sa.table(
    "token_search",
    sa.column("token_uid", sa.Uuid()),
    sa.column("code", ExactText),
    sa.column("label", ExactText),
)


def upgrade() -> None:
    """Make the table and its index; the order of its rows is that of the tokens.

    A database from before there were versions may have the table.
    """
    op.create_table(
        "token_search",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_uid", sa.Uuid(), nullable=False),
        sa.Column("code", ExactText, nullable=False),
        sa.Column("label", ExactText),
        sa.PrimaryKeyConstraint("id", name="pk_token_search"),
        sa.UniqueConstraint("token_uid", name="uq_token_search_token_uid"),
        if_not_exists=True,
        sqlite_autoincrement=True,
    )
    op.get_bind().execute(sa.delete(_SEARCH))
    _fill(op.get_bind(), context.config.attributes[PROGRESS])
    # Made at once it costs far less.
    search_index.make(op.get_bind(), "token_search", ("code", "label"))
    given = sa.text("category IS NOT NULL")
    op.create_index(
        "ix_tokens_category_created_uid",
        "tokens",
        ["category", "created", "uid"],
        postgresql_where=given,
        sqlite_where=given,
        if_not_exists=True,
    )


def _fill(connection: sa.Connection, progress: Callable[[int], None]) -> None:
    count = connection.scalar(sa.select(sa.func.count()).select_from(_TOKENS)) or 0
    done = steps = 0
    place: Sequence[Any] | None = None
    while rows := _next(connection, place):
        connection.execute(sa.insert(_SEARCH), [_searched(row) for row in rows])
        place = rows[-1].created, rows[-1].uid
        done += len(rows)
        reached = min(SLICES * done // max(count, 1), SLICES)
        progress(reached - steps)
        steps = reached
    progress(SLICES - steps)


def _next(connection: sa.Connection, place: Sequence[Any] | None) -> Sequence[sa.Row[Any]]:
    key = _TOKENS.c.created, _TOKENS.c.uid
    some = sa.select(_TOKENS).order_by(*key).limit(BATCH)
    if place is not None:
        edge = [sa.literal(part, of.type) for part, of in zip(place, key, strict=True)]
        some = some.where(sa.tuple_(*key) > sa.tuple_(*edge))
    return connection.execute(some).all()


def _searched(row: sa.Row[Any]) -> dict[str, Any]:
    label = None if row.label is None else folded_for_search(row.label)
    return {"token_uid": row.uid, "code": folded_for_search(row.value), "label": label}
