"""SQL that no two databases share."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import Boolean
from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import UnaryExpression
from sqlalchemy import collate
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.operators import custom_op

from cone.tokens.core.records import UtcDateTime


class seconds_after(GenericFunction[datetime.datetime]):  # noqa: N801 - reads as SQL
    """``seconds_after(time, seconds)``: a time moved by whole seconds."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(seconds_after, "postgresql")
def _seconds_after_postgresql(element: seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({time} + make_interval(secs => {seconds}))"


@compiles(seconds_after, "sqlite")
def _seconds_after_sqlite(element: seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    # Whole seconds are exact in SQLite, fractions are not: the fraction is carried over as text.
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    moved = f"strftime('%Y-%m-%d %H:%M:%S', substr({time}, 1, 19), {seconds} || ' seconds')"
    return f"({moved} || substr({time}, 20))"


def without_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return ``column`` as an expression that SQLite looks no index up for."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def in_no_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an expression with the order of ``column`` that no index of PostgreSQL has.

    PostgreSQL expects matches to be evenly spread, and would walk along an index for too long.
    """
    if isinstance(column.type, UtcDateTime):
        return func.timezone("UTC", column)
    return collate(column, "POSIX")


def forbid_jit(connection: Connection) -> None:
    """Keep PostgreSQL from compiling, which takes longer than some statements.

    SQL: 1 statement on PostgreSQL.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL jit = off"))


class is_in_list(GenericFunction[bool]):  # noqa: N801 - reads as SQL
    """``is_in_list(text, list)``: whether a list of texts, in JSON, has a text."""

    type = Boolean()
    inherit_cache = True


@compiles(is_in_list, "postgresql")
def _is_in_list_postgresql(element: is_in_list, compiler: SQLCompiler, **kw: Any) -> str:
    sought, texts = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"jsonb_exists(CAST({texts} AS JSONB), {sought})"


@compiles(is_in_list, "sqlite")
def _is_in_list_sqlite(element: is_in_list, compiler: SQLCompiler, **kw: Any) -> str:
    sought, texts = element.clauses
    listed = func.json_each(texts).table_valued("value")
    return compiler.process(sought.in_(select(listed.c.value)), **kw)
