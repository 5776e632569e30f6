"""What a site has added to the tables of 2.0: made again after the upgrade, or told.

Indexes go with the tables that they are on. They are made again by their own SQL, where that means
the same on the new tables and never keeps us from writing; statistics objects and comments too. All
else that would be lost stops the upgrade.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cone.tokens.migrations.tables import TABLES

#: Columns of which each value stands in one row alone, after the upgrade and ever.
_UNIQUE: Final = {"tokens": {"uid", "value"}, "token_usage": {"uid"}}


@dataclasses.dataclass(frozen=True)
class OwnObject:
    """Something of a site that is made again.

    :ivar drop: the statement that frees its name; None: it needs none.
    :ivar make: the statement that makes it.
    """

    name: str
    drop: str | None
    make: str


@dataclasses.dataclass(frozen=True)
class OwnObjects:
    """What was found.

    :ivar kept: what is made again, in this order.
    :ivar problems: what is not, one sentence each.
    """

    kept: tuple[OwnObject, ...] = ()
    problems: tuple[str, ...] = ()


class CannotMakeAgain(Exception):
    """The database refuses to make something again on the new tables."""


def find(connection: Connection, tables: Sequence[str]) -> OwnObjects:
    """Return the objects of the site that depend on tables of 2.0; change nothing."""
    look = _Sqlite if connection.dialect.name == "sqlite" else _Postgresql
    found = [look(connection, table) for table in tables]
    return OwnObjects(
        tuple(kept for one in found for kept in one.kept()),
        tuple(problem for one in found for problem in one.problems()),
    )


def drop(connection: Connection, kept: Sequence[OwnObject]) -> None:
    """Free the names of what is made again."""
    for one in kept:
        if one.drop:
            connection.exec_driver_sql(_escaped(connection, one.drop))


def make(connection: Connection, kept: Sequence[OwnObject]) -> None:
    """Make it again.

    :raises CannotMakeAgain: the database refuses; the transaction has to be rolled back.
    """
    for one in kept:
        try:
            connection.exec_driver_sql(_escaped(connection, one.make))
        except DBAPIError as error:
            raise CannotMakeAgain(_refused(one.name, "cannot be made again")) from error


def _escaped(connection: Connection, statement: str) -> str:
    # psycopg takes a percent sign for a parameter, sqlite3 does not.
    return statement if connection.dialect.name == "sqlite" else statement.replace("%", "%%")


def _refused(name: str, reason: str) -> str:
    return f"{name} {reason}: take it away, and make it anew after"


def _our_names() -> set[str]:
    tables = TABLES.values()
    indexes = {str(index.name) for table in tables for index in table.indexes}
    return indexes | {str(key.name) for table in tables for key in table.constraints}


def _can_be_null(table: str) -> set[str]:
    return {column.name for column in TABLES[table].columns if column.nullable}


def _problem_of_index(name: str, *, is_unique: bool, unique_columns: set[str]) -> str | None:
    """Return why an index is not made again; None where it is.

    :param unique_columns: of its columns those that are compared as they are, byte by byte.
    """
    if name in _our_names():
        return "has a name that one of ours has"
    if is_unique and not unique_columns:
        return "is unique, which changes of tokens may break"
    return None


class _Sqlite:
    """What SQLite knows of a table."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._table = table
        self._pragma = lambda name, of: connection.exec_driver_sql(
            f"PRAGMA {name}({_quoted(of)})",
        ).all()
        statement = text(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name ORDER BY name"
        )
        rows = connection.execute(statement, {"name": table}).all()
        self._sql = {name: sql for kind, name, sql in rows if kind == "index" and sql}
        self._own_sql = next(sql for kind, _name, sql in rows if kind == "table")

    def kept(self) -> Iterator[OwnObject]:
        """Return the indexes."""
        for name, sql in self._sql.items():
            yield OwnObject(f"the index {name}", f"DROP INDEX {_quoted(name)}", sql)

    def problems(self) -> Iterator[str]:
        """Return the objects that the upgrade would lose."""
        for _number, name, is_unique, origin, _is_partial in self._pragma(
            "index_list", self._table
        ):
            if origin == "u":
                yield _refused(f"a unique constraint of {self._table}", "would be lost")
            elif origin == "c":
                plain = {
                    column
                    for _seq, _cid, column, _desc, collation, is_key in self._pragma(
                        "index_xinfo", name
                    )
                    if is_key and collation == "BINARY"
                }
                unique = plain & _UNIQUE[self._table]
                reason = _problem_of_index(name, is_unique=bool(is_unique), unique_columns=unique)
                if reason:
                    yield _refused(f"the index {name}", reason)
        yield from self._of_columns()

    def _of_columns(self) -> Iterator[str]:
        for _cid, name, _kind, is_required, default, is_key, hidden in self._pragma(
            "table_xinfo", self._table
        ):
            where = f"of the column {self._table}.{name}"
            if default is not None:
                yield _refused(f"the default {where}", "would be lost")
            if hidden:
                yield _refused(f"the expression {where}", "would be lost")
            if is_required and not is_key and name in _can_be_null(self._table):
                yield _refused(f"NOT NULL {where}", "would be lost")
        if self._pragma("foreign_key_list", self._table):
            yield _refused(f"a foreign key of {self._table}", "would be lost")
        # What stands in quotes is a name or a text.
        bare = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*", "", self._own_sql)
        for word in ("CHECK", "COLLATE"):
            if re.search(rf"\b{word}\b", bare, re.IGNORECASE):
                yield _refused(f"{word} in the table {self._table}", "would be lost")


class _Postgresql:
    """What PostgreSQL knows of a table."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._table = table
        self._run = lambda statement: connection.execute(
            text(statement), {"name": table, "nullable": list(_can_be_null(table))}
        ).all()
        self._quote = connection.dialect.identifier_preparer.quote

    def kept(self) -> Iterator[OwnObject]:
        """Return indexes, statistics objects and comments."""
        for row in self._run(_PG_INDEXES):
            drop = f"DROP INDEX {self._quote(row.name)}"
            yield OwnObject(f"the index {row.name}", drop, row.definition)
        for row in self._run(_PG_STATISTICS):
            drop = f"DROP STATISTICS {self._quote(row.name)}"
            yield OwnObject(f"the statistics object {row.name}", drop, row.definition)
        for row in self._run(_PG_COMMENTS):
            yield OwnObject(f"the comment on {row.name}", None, row.definition)

    def problems(self) -> Iterator[str]:
        """Return the objects that the upgrade would lose."""
        for row in self._run(_PG_INDEXES):
            unique = set(row.plain_columns) & _UNIQUE[self._table]
            reason = _problem_of_index(row.name, is_unique=row.is_unique, unique_columns=unique)
            if not reason and row.computes_times:
                reason = "computes with times, which get a zone"
            if not reason and row.is_special:
                reason = "is invalid, clustered, of a tablespace or identifies replicas"
            if reason:
                yield _refused(f"the index {row.name}", reason)
        for row in self._run(_PG_LOST):
            yield _refused(f"the {row.name}", f"of the table {self._table} would be lost")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


#: Indexes that no constraint has made.
_PG_INDEXES: Final = """
SELECT kind.relname AS name, pg_get_indexdef(ind.indexrelid) AS definition,
    ind.indisunique AS is_unique,
    NOT ind.indisvalid OR ind.indisclustered OR ind.indisreplident OR kind.reltablespace <> 0
        AS is_special,
    ARRAY(
        SELECT CAST(attname AS text) FROM unnest(ind.indkey, ind.indcollation)
            AS part(number, coll)
        JOIN pg_attribute ON attrelid = ind.indrelid AND attnum = part.number
        LEFT JOIN pg_collation AS known ON known.oid = part.coll
        WHERE coalesce(known.collisdeterministic, true)
    ) AS plain_columns,
    (ind.indexprs IS NOT NULL OR ind.indpred IS NOT NULL) AND EXISTS (
        SELECT 1 FROM pg_depend AS need JOIN pg_attribute AS used
        ON used.attrelid = need.refobjid AND used.attnum = need.refobjsubid
        WHERE need.classid = CAST('pg_class' AS regclass) AND need.objid = ind.indexrelid
        AND need.refobjid = ind.indrelid
        AND used.atttypid = CAST('timestamp' AS regtype)
    ) AS computes_times
FROM pg_index AS ind JOIN pg_class AS kind ON kind.oid = ind.indexrelid
WHERE ind.indrelid = CAST(:name AS regclass) AND NOT ind.indisprimary
AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = ind.indexrelid)
ORDER BY name
"""

_PG_STATISTICS: Final = """
SELECT stxname AS name, pg_get_statisticsobjdef(oid) AS definition FROM pg_statistic_ext
WHERE stxrelid = CAST(:name AS regclass) ORDER BY name
"""

_PG_COMMENTS: Final = """
SELECT told.name,
    'COMMENT ON ' || told.name || ' IS ' || quote_literal(told.description) AS definition
FROM (
    SELECT CASE WHEN objsubid = 0 THEN 'TABLE ' || quote_ident(:name)
        ELSE 'COLUMN ' || quote_ident(:name) || '.' || quote_ident(attname) END AS name,
        description
    FROM pg_description LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid
    WHERE classoid = CAST('pg_class' AS regclass) AND objoid = CAST(:name AS regclass)
    UNION ALL
    SELECT 'INDEX ' || quote_ident(relname), description
    FROM pg_description JOIN pg_index ON indexrelid = objoid JOIN pg_class ON pg_class.oid = objoid
    WHERE classoid = CAST('pg_class' AS regclass) AND indrelid = CAST(:name AS regclass)
    AND NOT indisprimary
    UNION ALL
    SELECT 'STATISTICS ' || quote_ident(stxname), description
    FROM pg_description JOIN pg_statistic_ext ON pg_statistic_ext.oid = objoid
    WHERE classoid = CAST('pg_statistic_ext' AS regclass)
    AND stxrelid = CAST(:name AS regclass)
) AS told ORDER BY 1
"""

#: All else that goes with a table; constraints of NOT NULL are told by their columns.
_PG_LOST: Final = """
WITH columns AS (
    SELECT attname, attnotnull, attidentity, attgenerated, atthasdef, attacl, attcollation,
        typcollation
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped
), of_table AS (SELECT * FROM pg_class WHERE oid = CAST(:name AS regclass))
SELECT 'constraint ' || conname AS name FROM pg_constraint
WHERE conrelid = CAST(:name AS regclass) AND contype NOT IN ('p', 'n', 't')
UNION SELECT 'default of ' || attname FROM columns
WHERE atthasdef OR attidentity <> '' OR attgenerated <> ''
UNION SELECT 'collation of ' || attname FROM columns WHERE attcollation <> typcollation
UNION SELECT 'NOT NULL of ' || attname FROM columns
WHERE attnotnull AND attname = ANY(:nullable)
UNION SELECT 'rights on the column ' || attname FROM columns WHERE attacl IS NOT NULL
UNION SELECT 'rule ' || rulename FROM pg_rewrite
WHERE ev_class = CAST(:name AS regclass) AND rulename <> '_RETURN'
UNION SELECT 'row security' FROM of_table WHERE relrowsecurity
UNION SELECT 'replica identity' FROM of_table WHERE relreplident <> 'd'
UNION SELECT 'tablespace' FROM of_table WHERE reltablespace <> 0
UNION SELECT 'parent ' || CAST(CAST(inhparent AS regclass) AS text) FROM pg_inherits
WHERE inhrelid = CAST(:name AS regclass)
UNION SELECT 'sequence ' || relname FROM pg_depend JOIN pg_class ON pg_class.oid = objid
WHERE classid = CAST('pg_class' AS regclass) AND refobjid = CAST(:name AS regclass)
AND relkind = 'S' AND deptype IN ('a', 'i')
ORDER BY 1
"""
