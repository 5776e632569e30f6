"""The tables of 3.0.

A database from before there were versions has them; only what is missing is made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cone.tokens.migrations.frozen import ExactText
from cone.tokens.migrations.frozen import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_tokens()
    _make_usage()
    _make_events()
    _make_requests()


def _make_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("value", ExactText, nullable=False),
        sa.Column("last_used", UtcDateTime()),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_to", UtcDateTime()),
        sa.Column("usage_count", sa.Integer(), nullable=False),
        sa.Column("lock_time", sa.Integer(), nullable=False),
        sa.Column("creator", sa.String()),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("modified", UtcDateTime(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("locked_until", UtcDateTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_tokens"),
        sa.UniqueConstraint("value", name="uq_tokens_value"),
        sa.CheckConstraint("usage_count >= -1", name="ck_tokens_usage_count"),
        sa.CheckConstraint("lock_time >= 0", name="ck_tokens_lock_time"),
        postgresql_with={"fillfactor": 80},
        if_not_exists=True,
    )
    op.create_index("ix_tokens_created_uid", "tokens", ["created", "uid"], if_not_exists=True)


def _make_usage() -> None:
    op.create_table(
        "token_usage",
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("token_uid", sa.Uuid(), nullable=False),
        sa.Column("token_value", ExactText, nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("error_code", sa.Integer()),
        sa.Column("user", sa.String()),
        sa.Column("usage_count", sa.Integer()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_token_usage"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_token_usage_token_uid_version_timestamp_uid",
        "token_usage",
        ["token_uid", "version", "timestamp", "uid"],
        if_not_exists=True,
    )


def _make_events() -> None:
    op.create_table(
        "token_events",
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("token_uid", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("user", sa.String()),
        sa.Column("old_values", sa.Text()),
        sa.Column("new_values", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_token_events"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_token_events_token_uid_version",
        "token_events",
        ["token_uid", "version"],
        if_not_exists=True,
    )


def _make_requests() -> None:
    op.create_table(
        "token_requests",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_token_requests"),
        if_not_exists=True,
    )
