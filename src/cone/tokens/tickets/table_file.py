"""A table as a file to download: CSV, or a workbook (xlsx)."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import enum
import io
import itertools
import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final

from cone.tokens.tickets import written_workbook
from cone.tokens.tickets.guards import guard

#: What stands between cells; files with any of them are read.
SEPARATORS: Final = (",", ";", "\t")

#: Makes UTF-8 known to spreadsheets.
MARK: Final = "\ufeff"

#: Rows that are written in one piece.
_PIECE: Final = 500


class Format(enum.Enum):
    """What a file is; the value ends its name."""

    CSV = "csv"
    WORKBOOK = "xlsx"


CONTENT_TYPES: Final = {
    Format.CSV: "text/csv; charset=UTF-8",
    Format.WORKBOOK: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclasses.dataclass(frozen=True, slots=True)
class FileForm:
    """How a table is written.

    :ivar zone: CSV has times with its offset, a workbook has them on its clocks.
    :ivar separator: of CSV, one of :data:`SEPARATORS`: spreadsheets of a language expect one of
        them.
    """

    zone: datetime.tzinfo
    format: Format = Format.CSV
    separator: str = SEPARATORS[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """What is written.

    :ivar title: of the sheet of a workbook.
    :ivar head: the names of the columns.
    :ivar rows: texts, numbers, flags, times, uids and JSON objects; None makes an empty cell.
    :ivar rounded: columns of times that are for people alone: a workbook has whole seconds there.
    """

    title: str
    head: Sequence[str]
    rows: Iterable[Sequence[object]]
    rounded: frozenset[str] = frozenset()


def write(table: Table, form: FileForm) -> Iterator[bytes]:
    """Return the file of ``table``, piece by piece.

    :raises InvalidParameter: it is too large for a workbook.
    """
    if form.format is Format.CSV:
        return _csv(table, form)
    rows = ([_without_json(value) for value in row] for row in table.rows)
    return written_workbook.write(table.title, table.head, rows, form.zone, table.rounded)


def _csv(table: Table, form: FileForm) -> Iterator[bytes]:
    yield (MARK + _text([table.head], form.separator)).encode()
    rows = iter(table.rows)
    while piece := list(itertools.islice(rows, _PIECE)):
        cells = ([_cell(value, form.zone) for value in row] for row in piece)
        yield _text(cells, form.separator).encode()


def _text(rows: Iterable[Sequence[object]], separator: str) -> str:
    lines = io.StringIO(newline="")
    csv.writer(lines, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return lines.getvalue()


def _without_json(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _cell(value: object, zone: datetime.tzinfo) -> object:
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    value = _without_json(value)
    # Numbers and uids are made by us; of nothing an empty cell is made.
    return guard(value) if isinstance(value, str) else value
