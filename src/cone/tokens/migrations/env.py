"""What Alembic runs, with the connection and the transaction that ``schema`` hands over."""

from __future__ import annotations

from alembic import context

from cone.tokens.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    # Also on SQLite, where the transaction was begun for it.
    transactional_ddl=True,
)
context.run_migrations()
