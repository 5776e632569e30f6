"""Statements that are compiled once, for use cases that count microseconds.

At every execution SQLAlchemy looks the compiled form of a statement up and converts each value as
often as it occurs. Here a statement is compiled when it is first needed, and a value is converted
once for each name. What the driver gets is the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import Select
from sqlalchemy.types import TypeEngine

#: A parameter in the text of a statement, by the names that both drivers take.
_PARAMETER: Final = re.compile(
    r"%\((?P<percent>\w+)\)s(::INTEGER)?|(?<![:\w]):(?P<colon>[A-Za-z_]\w*)"
)

Convert = Callable[[Any], Any]

#: Keeps what a function prepares, once for a dialect and a kind of tokens: an engine has a dialect
#: of its own, a kind is a constant.
prepared_once: Final = functools.lru_cache(maxsize=300)


class Prepared:
    """A statement with named parameters, compiled for a database.

    Concurrency: safe to share among threads.
    """

    def __init__(
        self,
        statement: Select[Any] | UpdateBase,
        dialect: Dialect,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Compile ``statement``.

        :param dialect: of the connections that it will be executed on.
        :param columns: those that an insert gives; None: those of its values, or all.
        """
        # The driver of SQLite takes parameters by name as well, and by name each is bound once.
        is_sqlite = dialect.name == "sqlite"
        named = sqlite.dialect(paramstyle="named") if is_sqlite else dialect
        compiled = statement.compile(dialect=named, column_keys=columns)
        whole, inlined = _with_integers(compiled)
        self._text = whole
        self._converters = {
            name: _to_database(parameter.type, named)
            for name, parameter in compiled.binds.items()
            if name not in inlined
        }
        self._constants = self._converted(
            {
                name: value
                for name, value in compiled.params.items()
                if value is not None and not compiled.binds[name].required and name not in inlined
            },
        )
        self._results = [
            (str(name), _from_database(column.type, named))
            for name, column in statement.exported_columns.items()
        ]

    def run(self, connection: Connection, **parameters: Any) -> None:
        """Execute it."""
        self._execute(connection, parameters)

    def find(self, connection: Connection, **parameters: Any) -> SimpleNamespace | None:
        """Execute it and return its only row with the columns by name, None where there is none."""
        row = self._execute(connection, parameters).one_or_none()
        if row is None:
            return None
        return SimpleNamespace(
            **{
                name: convert(value) if convert else value
                for (name, convert), value in zip(self._results, row, strict=True)
            },
        )

    def _execute(self, connection: Connection, parameters: dict[str, Any]) -> Any:
        given = self._constants | self._converted(parameters)
        return connection.exec_driver_sql(self._text, given)

    def _converted(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {
            name: convert(value) if (convert := self._converters[name]) else value
            for name, value in parameters.items()
        }


def _with_integers(compiled: SQLCompiler) -> tuple[str, set[str]]:
    """Return the text of a statement with the integers that it always has, and their names.

    As parameters they would be converted at each execution. psycopg parses a text above 4,096
    bytes each time, too.
    """
    constants = {
        name: value
        for name, value in compiled.params.items()
        if type(value) is int and value >= 0 and not compiled.binds[name].required
    }
    text = _PARAMETER.sub(
        lambda found: (
            f"({constants[name]})"
            if (name := found["percent"] or found["colon"]) in constants
            else found[0]
        ),
        str(compiled),
    )
    return text, set(constants)


def _to_database(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_database(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
