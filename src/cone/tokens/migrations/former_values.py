"""What keeps a code that was replaced from another token, as revisions make it.

The databases ask after they have written a code: an insert that waits for the unique index waits
for a replacement that somebody else is at, and sees then what that has kept. Who asks before, in
a trigger or a statement of its own, does not.
"""

from __future__ import annotations

from sqlalchemy import Connection


def make(connection: Connection, former: str, tokens: str, column: str) -> None:
    """Make the triggers of a table of tokens; those that are there are made anew.

    A code that another token had is refused as one that another token has.

    :param former: table of the codes.
    :param column: the unique one that has the codes.
    """
    of_dialect = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    for statement in of_dialect(former, tokens, column):
        connection.exec_driver_sql(statement)


def _on_sqlite(former: str, tokens: str, column: str) -> list[str]:
    # Names are those of our tables.
    had = f"SELECT 1 FROM {former} WHERE value = new.{column} AND token_uid <> new.uid"  # noqa: S608
    refuse = f"SELECT RAISE(ABORT, 'UNIQUE constraint failed: {tokens}.{column}');"
    body = f"WHEN EXISTS ({had}) BEGIN {refuse} END"
    return [
        f"DROP TRIGGER IF EXISTS {former}_added",
        f"DROP TRIGGER IF EXISTS {former}_changed",
        f"CREATE TRIGGER {former}_added AFTER INSERT ON {tokens} {body}",
        f"CREATE TRIGGER {former}_changed AFTER UPDATE OF {column} ON {tokens} {body}",
    ]


def _on_postgresql(former: str, tokens: str, column: str) -> list[str]:
    had = f"SELECT 1 FROM {former} WHERE value = NEW.{column} AND token_uid <> NEW.uid"  # noqa: S608
    refuse = f"""RAISE unique_violation USING MESSAGE = 'another token had this code',
        TABLE = TG_TABLE_NAME, CONSTRAINT = 'uq_{tokens}_{column}'"""
    function = f"""CREATE OR REPLACE FUNCTION {former}_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF EXISTS ({had}) THEN {refuse}; END IF; RETURN NULL; END $$"""
    trigger = f"""CREATE TRIGGER {former}_kept AFTER INSERT OR UPDATE OF {column} ON {tokens}
        FOR EACH ROW EXECUTE FUNCTION {former}_kept()"""
    return [function, f"DROP TRIGGER IF EXISTS {former}_kept ON {tokens}", trigger]
