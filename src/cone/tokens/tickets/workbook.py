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
from typing import Any
from typing import Final

from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import columns
from cone.tokens.tickets.columns import wrong
from cone.tokens.tickets.guards import guard

#: How a file begins that is a workbook.
BEGINNING: Final = b"PK\x03\x04"

#: Bytes of all that is in a workbook, unpacked.
MOST_BYTES: Final = 64 * 1_024 * 1_024

#: Cells of a row, one more than a file may have; rows, with the names and one too many.
_MOST_CELLS: Final = columns.MOST + 1
_MOST_ROWS: Final = MAX_BATCH + 2

#: The element of a formula, with any prefix.
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[ >/]")

#: A sign that XML has none for, or that it changes; halves of signs are none.
_ESCAPED: Final = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")

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
    _check_size(content)
    shown = _rows(content, data_only=True)
    # To look for formulas takes as long as to read the values.
    written = (
        _rows(content, data_only=False) if _may_have_formulas(content) else itertools.repeat(())
    )
    text = io.StringIO(newline="")
    width = 0
    # With both, cells with either are quoted.
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    # A formula has no value where no program has worked it out.
    for number, (row, formulas) in enumerate(zip(shown, written, strict=False), 1):
        pairs = zip(row, formulas, strict=False)
        if any(cell.value is None and _is_formula(other) for cell, other in pairs):
            raise wrong(
                "formula_without_result",
                f"line {number} has a formula without its result; save the values alone",
                line=number,
            )
        cells = _without_empty_end([_cell(cell) for cell in row])
        # The first row with something names the columns.
        width = width or len(cells)
        writer.writerow(cells + [""] * (width - len(cells)))
    return text.getvalue()


def _check_size(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise _no_workbook() from None
    if size > MOST_BYTES:
        raise wrong("file_too_large", "is too large", maximum=MOST_BYTES // 1_024 // 1_024)


def _may_have_formulas(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = (name for name in archive.namelist() if name.startswith("xl/worksheets/"))
        return any(_FORMULA.search(archive.read(name)) for name in sheets)


def _rows(content: bytes, *, data_only: bool) -> Iterator[tuple[Any, ...]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=data_only, keep_links=False
        )
        sheet: Any = book.worksheets[0]
        # What the file says of its own size may be wrong.
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=_MOST_CELLS)
        yield from itertools.islice(rows, _MOST_ROWS)
    # openpyxl raises whatever a broken file makes of it.
    except Exception:  # noqa: BLE001
        raise _no_workbook() from None


def _no_workbook() -> Exception:
    return wrong("no_workbook", "is no workbook that can be read")


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
    # The text is read as one that a spreadsheet may have guarded.
    return guard(_unescaped(value)) if isinstance(value, str) else str(value)


def _unescaped(text: str) -> str:
    """Return ``text`` with the signs that XML has none for (ECMA-376, ST_Xstring)."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells
