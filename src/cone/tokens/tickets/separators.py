"""What stands between the cells of a text, where the text does not name it."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Sequence
from typing import Final

from cone.tokens.tickets.columns import AS_DATA
from cone.tokens.tickets.columns import MOST
from cone.tokens.tickets.columns import targets_of
from cone.tokens.tickets.table_file import SEPARATORS

#: Rows that are looked at, with that of the names.
_ROWS: Final = 6


def separator_of(text: str) -> str:
    """Return what separates the cells of ``text``.

    It is what gives names of columns that are known; then rows that are as long as they are; then
    most cells. Within quotes none separates.
    """
    found = {separator: _first_rows(text, separator) for separator in SEPARATORS}
    # A single column has none; what stands in its cells does not make it two.
    several = {separator: rows for separator, rows in found.items() if rows and len(rows[0]) > 1}
    return max(several, key=lambda separator: _rank(several[separator]), default=SEPARATORS[0])


def _rank(rows: Sequence[Sequence[str]]) -> tuple[int, int, int]:
    head, *others = rows
    known = sum(target != AS_DATA for target in targets_of(head[:MOST]))
    return known, sum(len(row) == len(head) for row in others), len(head)


def _first_rows(text: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = (row for row in reader if any(cell.strip() for cell in row))
    found: list[list[str]] = []
    # A quote that nothing closes: whoever reads the text tells it.
    with contextlib.suppress(csv.Error):
        found.extend(itertools.islice(rows, _ROWS))
    return found
