"""What people note about tokens, and the uses that tokens were given."""

from __future__ import annotations

from typing import Any
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

#: Uses that were given before are not known: nobody has noted them.
COLUMNS: Final[dict[str, Any]] = {
    **dict.fromkeys(("label", "email", "category", "note", "data"), sa.Text),
    "uses_given": sa.Integer,
}


def upgrade() -> None:
    """Make the columns; a database from before there were versions has them."""
    there = {found["name"] for found in sa.inspect(op.get_bind()).get_columns("tokens")}
    for name, kind in COLUMNS.items():
        if name not in there:
            op.add_column("tokens", sa.Column(name, kind()))
