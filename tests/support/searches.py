"""A database without trigrams, as one that does not allow them is."""

from sqlalchemy import text

TRIGGERS = ("added", "removed", "changed")


def drop_trigrams(engine) -> None:
    statements = ["DROP INDEX token_search_trigrams"]
    if engine.name == "sqlite":
        statements = [f"DROP TRIGGER token_search_{name}" for name in TRIGGERS]
        statements.append("DROP TABLE token_search_trigrams")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
