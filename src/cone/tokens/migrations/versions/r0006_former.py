"""Codes that were replaced: whoever shows one is refused, and no other token gets one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cone.tokens.migrations import former_values
from cone.tokens.migrations.frozen import ExactText
from cone.tokens.migrations.frozen import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table and its triggers.

    A database from before there were versions may have the table.
    """
    op.create_table(
        "token_former_values",
        sa.Column("value", ExactText, nullable=False),
        sa.Column("token_uid", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.String(32), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("value", name="pk_token_former_values"),
        if_not_exists=True,
    )
    for column in ("token_uid", "code_digest"):
        op.create_index(
            f"ix_token_former_values_{column}",
            "token_former_values",
            [column],
            if_not_exists=True,
        )
    former_values.make(op.get_bind(), "token_former_values", "tokens", "value")
