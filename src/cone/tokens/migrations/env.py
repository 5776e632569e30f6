"""What Alembic runs; :mod:`cone.tokens.schema` hands over the connection and its transaction."""

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
