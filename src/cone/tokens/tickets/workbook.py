"""Workbooks of Excel (xlsx) as texts that :mod:`cone.tokens.tickets.spreadsheet` reads.

Needs openpyxl and defusedxml, the extra ``xlsx``; :func:`is_available` tells whether they are
there.
A workbook is a ZIP file of XML: how much comes out of it is bounded before it is opened.
"""

from __future__ import annotations

import csv
import datetime
import importlib.util
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import columns
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

#: Characters of a cell, of which no program writes more.
_MOST_CHARACTERS: Final = 32_767

#: A sign that XML has none for, or that it changes; an underscore that would begin one.
_ESCAPED: Final = re.compile(r"_x(00[01][0-9A-Fa-f]|005[Ff]|[Ff]{3}[EeFf])_")

#: From here on a number has lost digits: Excel keeps 15.
_EXACT: Final = 1e15


def is_available() -> bool:
    """Return whether workbooks can be read."""
    return all(importlib.util.find_spec(name) for name in ("openpyxl", "defusedxml"))


def text_of(content: bytes) -> str:
    """Return the first sheet of a workbook as text, its cells as they are shown.

    :raises InvalidParameter: it is no workbook, is too large, or has a formula without its result.
    """
    if not is_available():
        raise wrong("xlsx_not_available", "is a workbook; install cone.tokens[xlsx] to read it")
    has_formulas = _has_formulas(content)
    shown = _rows(content, data_only=True)
    # To look for formulas takes as long as to read the values.
    written = _rows(content, data_only=False) if has_formulas else itertools.repeat(())
    text = io.StringIO(newline="")
    width = found = empty = 0
    # With both, cells with either are quoted.
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for number, (row, formulas) in enumerate(zip(shown, written, strict=False), 1):
        _check_results(number, row, formulas)
        cells = _without_empty_end([_cell(cell) for cell in row])
        # The first row with something names the columns.
        width = width or len(cells)
        writer.writerow(cells + [""] * (width - len(cells)))
        found, empty = (found + 1, 0) if cells else (found, empty + 1)
        if found == _MOST_ROWS or empty == _END:
            break
        if number == _MOST_LINES:
            raise wrong("too_many_rows", f"has more than {MAX_BATCH} rows", maximum=MAX_BATCH)
    return text.getvalue()


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


def _rows(content: bytes, *, data_only: bool) -> Iterator[tuple[Any, ...]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False
        )
        sheet: Any = book.worksheets[0]
        # What the file says of its own size may be wrong.
        sheet.reset_dimensions()
        yield from sheet.iter_rows(max_col=_MOST_CELLS)
    # openpyxl raises whatever a broken file makes of it.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None


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


def _cell(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time() and "h" not in cell.number_format.lower()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, int) and abs(value) >= _EXACT:
        return repr(float(value))
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    """Return a text with the signs that XML has none for (ECMA-376, ST_Xstring)."""
    if len(value) > _MOST_CHARACTERS:
        raise workbook_bounds.no_workbook()
    # It is read as one that a spreadsheet may have guarded.
    return guard(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), value))


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells
