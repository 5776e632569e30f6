"""The index that statistics count along."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index; a database from before there were versions may have it."""
    op.create_index(
        "ix_token_usage_error_code_timestamp",
        "token_usage",
        ["error_code", "timestamp"],
        if_not_exists=True,
    )
