"""How tokens are used at checkpoints, and where that leaves them."""

from __future__ import annotations

from typing import Any
from typing import Final

import sqlalchemy as sa
from alembic import op

from cone.tokens.migrations.frozen import UtcDateTime

revision = "0007"
down_revision = "0006"

COLUMNS: Final[dict[str, dict[str, Any]]] = {
    "tokens": {"inside_until": UtcDateTime(), "outside_until": UtcDateTime()},
    "token_usage": {
        "inside_until": UtcDateTime(),
        "outside_until": UtcDateTime(),
        "uses": sa.Integer(),
        "checkpoint": sa.Text(),
        "direction": sa.String(3),
        "override": sa.Text(),
        "undone_at": UtcDateTime(),
        "undone_by": sa.String(),
    },
}

#: Each has the rows of which its condition holds: none that was there before.
INDEXES: Final = (
    ("tokens", ("inside_until",), "inside_until IS NOT NULL"),
    ("tokens", ("outside_until",), "outside_until IS NOT NULL"),
    (
        "token_usage",
        ("checkpoint", "error_code", "timestamp", "undone_at"),
        "checkpoint IS NOT NULL",
    ),
    ("token_usage", ("timestamp", "undone_at"), "undone_at IS NOT NULL"),
    ("token_usage", ("timestamp", "override"), "override IS NOT NULL"),
    ("token_usage", ("timestamp", "checkpoint"), "direction = 'out'"),
)


def upgrade() -> None:
    """Make columns and indexes; a database from before there were versions has them."""
    inspector = sa.inspect(op.get_bind())
    for table, columns in COLUMNS.items():
        there = {found["name"] for found in inspector.get_columns(table)}
        for name, kind in columns.items():
            if name not in there:
                op.add_column(table, sa.Column(name, kind))
    for table, names, condition in INDEXES:
        op.create_index(
            f"ix_{table}_{'_'.join(names)}",
            table,
            list(names),
            if_not_exists=True,
            postgresql_where=sa.text(condition),
            sqlite_where=sa.text(condition),
        )
