"""What codes are found by, and who took the last uses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from typing import Final

import sqlalchemy as sa
from alembic import context
from alembic import op

from cone.tokens.migrations import PROGRESS
from cone.tokens.migrations import SLICES
from cone.tokens.migrations.frozen import UtcDateTime
from cone.tokens.migrations.frozen import digest_of_code

revision = "0003"
down_revision = "0002"

#: Rows that are read and changed at once on PostgreSQL.
BATCH: Final = 5_000

#: Who took the last use, as far as the log tells.
_LAST_USER: Final = (
    'coalesce(tokens.last_user, (SELECT used."user" FROM token_usage AS used'
    " WHERE used.token_uid = tokens.uid AND used.error_code IS NULL"
    " AND used.timestamp = tokens.last_used ORDER BY used.version DESC, used.uid DESC LIMIT 1))"
)


def upgrade() -> None:
    """Make the columns and fill them; a database from before there were versions has them."""
    there = {found["name"] for found in sa.inspect(op.get_bind()).get_columns("tokens")}
    for column in (
        sa.Column("code_digest", sa.String(length=32)),
        sa.Column("last_user", sa.String()),
        sa.Column("used_before", UtcDateTime()),
        sa.Column("user_before", sa.String()),
    ):
        if column.name not in there:
            op.add_column("tokens", column)
    _fill(op.get_bind(), context.config.attributes[PROGRESS])
    # Made at once it costs far less.
    op.create_index("ix_tokens_code_digest", "tokens", ["code_digest"], if_not_exists=True)


def _fill(connection: sa.Connection, progress: Callable[[int], None]) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        driver: Any = connection.connection.driver_connection
        driver.create_function("cone_tokens_digest", 1, _stored_digest, deterministic=True)
    fill = _fill_slice_of_sqlite if is_sqlite else _fill_slice
    for number in range(SLICES):
        fill(connection, number)
        progress(1)


def _stored_digest(value: object) -> str | None:
    return digest_of_code(value) if isinstance(value, str) else None


def _fill_slice_of_sqlite(connection: sa.Connection, number: int) -> None:
    # Whatever stands there in the place of a uid belongs to one of the slices.
    low = f"{number:x}" if number else ""
    high = f"{number + 1:x}" if number + 1 < SLICES else "~"
    change = "UPDATE tokens SET code_digest = cone_tokens_digest(value), last_user = "
    within = " WHERE uid >= :low AND uid < :high"
    connection.execute(sa.text(change + _LAST_USER + within), {"low": low, "high": high})


def _fill_slice(connection: sa.Connection, number: int) -> None:
    low, high = number << 124, ((number + 1) << 124) - 1
    some = sa.text(
        "SELECT uid, value FROM tokens WHERE uid BETWEEN :low AND :high ORDER BY uid LIMIT :most",
    )
    change = "UPDATE tokens SET code_digest = made.digest, last_user = "
    made = (
        " FROM unnest(CAST(:uids AS uuid[]), CAST(:digests AS text[])) AS made(uid, digest)"
        " WHERE tokens.uid = made.uid"
    )
    while low <= high:
        within = {"low": uuid.UUID(int=low), "high": uuid.UUID(int=high), "most": BATCH}
        rows = connection.execute(some, within).all()
        if not rows:
            return
        digests = [digest_of_code(row.value) for row in rows]
        connection.execute(
            sa.text(change + _LAST_USER + made),
            {"uids": [row.uid for row in rows], "digests": digests},
        )
        low = rows[-1].uid.int + 1
