"""Workbooks of Excel (xlsx) as texts that :mod:`cone.tokens.tickets.spreadsheet` reads.

Needs openpyxl and defusedxml, the extra ``xlsx``; :func:`is_available` tells whether they are
there.
A workbook is a ZIP file of XML: how much comes out of it is bounded before it is opened.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import importlib.util
import io
import itertools
import operator
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import columns
from cone.tokens.tickets import number_formats
from cone.tokens.tickets import sheet_parts
from cone.tokens.tickets import workbook_bounds
from cone.tokens.tickets.columns import wrong
from cone.tokens.tickets.guards import guard

#: How a file begins that is a workbook.
BEGINNING: Final = b"PK\x03\x04"

#: Cells of a row, one more than a file may have; rows that are not empty, with the names and one
#: too many.
_MOST_CELLS: Final = columns.MOST + 1
_MOST_ROWS: Final = MAX_BATCH + 2

#: Rows without anything that end a list, and rows of all kinds.
_END: Final = 10_000
_MOST_LINES: Final = 100_000

#: Sheets that are looked at for cells.
_MOST_SHEETS: Final = 100

#: Characters of a cell, of which no program writes more.
_MOST_CHARACTERS: Final = 32_767

#: A sign that XML has none for, or that it changes; an underscore that would begin one.
_ESCAPED: Final = re.compile(r"_x(00[01][0-9A-Fa-f]|005[Ff]|[Ff]{3}[EeFf])_")

#: Columns of texts, and those that may have codes.
_TEXTS: Final = frozenset({"value", *("label", "email", "category", "note"), columns.AS_DATA})
_CODES: Final = frozenset({"value", columns.AS_DATA})
_UNKNOWN: Final = itertools.repeat(columns.AS_DATA)

#: What ends a line within a cell.
_LINE_END: Final = re.compile(r"\r\n?|\n")


def is_available() -> bool:
    """Return whether workbooks can be read."""
    return all(importlib.util.find_spec(name) for name in ("openpyxl", "defusedxml"))


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet of a workbook that is read.

    :ivar name: of its tab.
    :ivar number: its place among all, from 1.
    :ivar count: how many there are.
    :ivar hidden: how many of its rows nobody sees, though they have cells.
    :ivar formatted: by the places of columns that may have codes, the lines of the text whose cells
        may look different: dates, flags, numbers in some formats.
    """

    name: str
    number: int
    count: int
    hidden: int
    formatted: Mapping[int, frozenset[int]] = dataclasses.field(default_factory=dict)


def read(content: bytes) -> tuple[str, Sheet | None]:
    """Return the first sheet of a workbook that is shown and has cells, as text.

    Its cells are as they are shown. Where there is no such sheet the text is empty.

    :raises InvalidParameter: it is no workbook, is too large, or has a formula without its result.
    """
    if not is_available():
        raise wrong("xlsx_not_available", "is a workbook; install cone.tokens[xlsx] to read it")
    has_formulas = _has_formulas(content)
    place = _place(content)
    if place is None:
        return "", None
    shown = _rows(place.sheet)
    # To look for formulas takes as long as to read the values.
    written = _formulas(content, place) if has_formulas else itertools.repeat(())
    parts = sheet_parts.look_through(content, place.path)
    merged = sheet_parts.Merged(parts.merged)
    text = io.StringIO(newline="")
    targets: Sequence[str] = ()
    formatted: dict[int, set[int]] = defaultdict(set)
    width = found = empty = hidden = 0
    line = 1
    # With both, cells with either are quoted.
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for number, (row, formulas) in enumerate(zip(shown, written, strict=False), 1):
        _check_results(number, row, formulas)
        kinds = list(itertools.islice(itertools.chain(targets, _UNKNOWN), len(row)))
        cells = _without_empty_end([_cell(*pair) for pair in zip(row, kinds, strict=True)])
        if width:
            for column in _doubtful(row, kinds):
                formatted[column].add(line)
            cells = merged.filled(number, cells)
            hidden += bool(cells) and number in parts.hidden
        else:
            # The first row with something names the columns.
            width, targets = len(cells), columns.targets_of(cells)
        line += 1 + sum(len(_LINE_END.findall(cell)) for cell in cells)
        writer.writerow(cells + [""] * (width - len(cells)))
        found, empty = (found + 1, 0) if cells else (found, empty + 1)
        if found == _MOST_ROWS or empty == _END:
            break
        if number == _MOST_LINES:
            raise wrong("too_many_rows", f"has more than {MAX_BATCH} rows", maximum=MAX_BATCH)
    told = {place: frozenset(lines) for place, lines in formatted.items()}
    return text.getvalue(), Sheet(place.name, place.number, place.count, hidden, told)


def _has_formulas(content: bytes) -> bool:
    """Return whether there may be formulas.

    :raises InvalidParameter: it is too large, or no workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return workbook_bounds.look_through(archive)
    except InvalidParameter:
        raise
    # A file may be damaged in many ways.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a sheet is.

    :ivar sheet: of openpyxl.
    :ivar path: of its part of the file.
    :ivar name: this and the others are as in :class:`Sheet`.
    """

    sheet: Any
    path: str
    name: str
    number: int
    count: int


def _place(content: bytes) -> _Place | None:
    """Return the place of the first sheet that is shown and has cells; None: there is none.

    :raises InvalidParameter: it is no workbook that can be read.
    """
    try:
        sheets = _sheets(content, data_only=True)
        shown = [place for place, sheet in enumerate(sheets) if sheet.sheet_state == "visible"]
        found = next((place for place in shown[:_MOST_SHEETS] if _has_cells(sheets[place])), None)
        if found is None:
            return None
        sheet = sheets[found]
        # openpyxl tells the path nowhere else.
        path = sheet._worksheet_path  # noqa: SLF001
        return _Place(sheet, path, str(sheet.title), found + 1, len(sheets))
    # As below.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None


def _has_cells(sheet: Any) -> bool:
    # What the file says of its own size may be wrong.
    sheet.reset_dimensions()
    rows = itertools.islice(sheet.iter_rows(max_col=_MOST_CELLS), _END)
    return any(cell.value is not None for row in rows for cell in row)


def _sheets(content: bytes, *, data_only: bool) -> Sequence[Any]:
    from openpyxl.reader.excel import ExcelReader

    class Reader(ExcelReader):
        """Reads no charts: they have no cells, and openpyxl cannot read some."""

        def read_chartsheet(self, sheet: object, rel: object) -> None:
            """Pass over a chart that is a sheet."""

    reader = Reader(io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False)
    reader.read()
    sheets: Sequence[Any] = reader.wb.worksheets
    return sheets


def _formulas(content: bytes, place: _Place) -> Iterator[tuple[Any, ...]]:
    try:
        sheet = _sheets(content, data_only=False)[place.number - 1]
    # As below.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None
    yield from _rows(sheet)


def _rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    try:
        sheet.reset_dimensions()
        yield from map(_Unpadded(), sheet.iter_rows(max_col=_MOST_CELLS))
    # openpyxl raises whatever a broken file makes of it.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None


class _Unpadded:
    """Takes the padding from rows: openpyxl makes all of them equally wide.

    They keep the width of the widest row so far.
    """

    def __init__(self) -> None:
        from openpyxl.cell.read_only import EMPTY_CELL

        self._empty = EMPTY_CELL
        self._width = 0

    def __call__(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return ``row`` without its padding."""
        rest = row[self._width :]
        if any(map(operator.is_not, rest, itertools.repeat(self._empty))):
            filled = (place for place, cell in enumerate(row, 1) if cell is not self._empty)
            self._width = max(filled)
        return row[: self._width]


def _check_results(number: int, row: Sequence[Any], formulas: Sequence[Any]) -> None:
    """Refuse a formula without its result: no program has worked it out, or it has failed."""
    pairs = zip(row, formulas, strict=False)
    is_missing = any(cell.value is None and _is_formula(other) for cell, other in pairs)
    if is_missing or any(getattr(cell, "data_type", None) == "e" for cell in row):
        raise wrong(
            "formula_without_result",
            f"line {number} has a formula without its result; save the values alone",
            line=number,
        )


def _is_formula(cell: Any) -> bool:
    return getattr(cell, "data_type", None) == "f"


def _doubtful(row: Sequence[Any], targets: Sequence[str]) -> Iterator[int]:
    """Return the places of cells that may be codes, and may look different in a spreadsheet."""
    for place, (cell, target) in enumerate(zip(row, targets, strict=True)):
        value = cell.value
        if value is None or isinstance(value, str) or target not in _CODES:
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not number_formats.is_plain(value, cell.number_format):
            yield place


def _cell(cell: Any, target: str) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time() and "h" not in cell.number_format.lower()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, int | float):
        padded = number_formats.padded(value, cell.number_format) if target in _TEXTS else None
        return padded or _number(value)
    return _text(value) if isinstance(value, str) else str(value)


def _number(value: float) -> str:
    is_exact = abs(value) < number_formats.EXACT
    if isinstance(value, int):
        return str(value) if is_exact else repr(float(value))
    return f"{value:.0f}" if value.is_integer() and is_exact else repr(value)


def _text(value: str) -> str:
    """Return a text with the signs that XML has none for (ECMA-376, ST_Xstring)."""
    if len(value) > _MOST_CHARACTERS:
        raise workbook_bounds.no_workbook()
    # It is read as one that a spreadsheet may have guarded.
    return guard(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), value))


def _without_empty_end(cells: list[str]) -> list[str]:
    # Blanks alone are a mistake in a code, and no row.
    if not any(cell.strip() for cell in cells):
        return []
    while cells and not cells[-1]:
        cells.pop()
    return cells
