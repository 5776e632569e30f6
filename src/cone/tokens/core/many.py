"""Many rows in one call to SQLite.

A statement that is executed for row after row needs Python between the rows, and whoever waits for
SQLite's lock waits for that too. Here the rows are one text in JSON, which may be made before the
lock is taken; SQLite reads it by itself.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import KeyedColumnElement

from cone.tokens.core.sqlite import checkpoint_later

#: Rows from which on this takes less time than one call for each.
LEAST: Final = 50

_DIALECT: Final = sqlite.dialect()


class Rows:
    """Rows of a table, to be inserted.

    :ivar table: that they are for.
    :ivar rows: all with the same columns.
    :ivar timed: columns that get the time of the statement.
    """

    def __init__(
        self,
        table: Table,
        rows: Iterable[dict[str, Any]],
        timed: Sequence[str],
    ) -> None:
        self.table = table
        self.rows = list(rows)
        self.timed = tuple(timed)

    def __len__(self) -> int:
        """Return their number."""
        return len(self.rows)

    @functools.cached_property
    def _pieces(self) -> list[str]:
        return [self._piece(row) for row in self.rows]

    def make_ready(self) -> None:
        """Do now what :meth:`insert` would have to do with the lock in hand."""
        if len(self.rows) >= LEAST:
            _made = self._pieces

    def change_first(self, **values: object) -> None:
        """Change columns of the first row."""
        self.rows[0].update(values)
        if "_pieces" in vars(self):
            self._pieces[0] = self._piece(self.rows[0])

    def _piece(self, row: dict[str, Any]) -> str:
        cells = [
            convert(value) if convert and value is not None else value
            for convert, value in zip(self._converters, row.values(), strict=True)
        ]
        return json.dumps(cells, ensure_ascii=False, separators=(",", ":"))

    @functools.cached_property
    def _converters(self) -> list[Callable[[Any], Any] | None]:
        return [converter(self.table.columns[name]) for name in self.rows[0]]

    def insert(self, connection: Connection, now: object) -> None:
        """Insert them into a table of SQLite.

        :param now: the time of the statement.

        SQL: 1 statement.
        """
        checkpoint_later(connection)
        convert = converter(self.table.columns[self.timed[0]]) if self.timed else None
        # In the order of their keys: neighbours in an index are written together.
        text = f"[{','.join(sorted(self._pieces))}]"
        given = {"rows": text, "now": convert(now) if convert else now}
        connection.exec_driver_sql(_insert(self.table, tuple(self.rows[0]), self.timed), given)


@functools.cache
def converter(column: KeyedColumnElement[Any]) -> Callable[[Any], Any] | None:
    """Return the function that converts values of a column for SQLite; None: there is no need."""
    return column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)


@functools.cache
def _insert(table: Table, names: tuple[str, ...], timed: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}"' for name in (*names, *timed))
    cells = [f"json_extract(value, '$[{place}]')" for place in range(len(names))]
    values = ", ".join((*cells, *(":now" for _name in timed)))
    # Names are those of our tables, values are bound.
    return f"INSERT INTO {table.name} ({columns}) SELECT {values} FROM json_each(:rows)"  # noqa: S608
