"""What a sheet of a workbook says beside its cells: hidden rows, merged cells.

openpyxl tells neither of a sheet that it reads row by row.
"""

from __future__ import annotations

import dataclasses
import io
import re
import zipfile
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from cone.tokens.tickets import columns
from cone.tokens.tickets import workbook_bounds

#: Cells of several rows that are shown as one.
_RANGE: Final = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?[A-Z]{1,3}\$?([0-9]{1,7})")
_BLOCK: Final = 65_536

#: What a sheet says something with, and the head of a part in which it can be searched for.
_NAMES: Final = (b"mergeCell", b"hidden")
_LONGEST_NAME: Final = max(map(len, _NAMES))
_UTF_8: Final = re.compile(
    rb"""(\xef\xbb\xbf)?<(\?xml[^>]*encoding=["']UTF-8["']|worksheet)""", re.IGNORECASE
)


@dataclasses.dataclass(slots=True)
class Parts:
    """What a sheet says.

    :ivar hidden: the numbers of the rows that nobody sees.
    :ivar merged: by the row in which cells begin that are merged over several, their columns from
        0, and their last rows.
    """

    hidden: set[int] = dataclasses.field(default_factory=set)
    merged: dict[int, list[tuple[int, int]]] = dataclasses.field(default_factory=dict)


def look_through(content: bytes, path: str) -> Parts:
    """Return what the sheet in a part of a workbook says.

    :raises InvalidParameter: it is no workbook.
    """
    from defusedxml.ElementTree import XMLParser  # type: ignore[import-untyped]

    seen = _Elements()
    try:
        if not _may_say_something(content, path):
            return seen.parts
        parser = XMLParser(target=seen)
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(path) as part:
            while block := part.read(_BLOCK):
                parser.feed(block)
        parser.close()
    # As where openpyxl reads it.
    except Exception:  # noqa: BLE001
        raise workbook_bounds.no_workbook() from None
    return seen.parts


def _may_say_something(content: bytes, path: str) -> bool:
    """Return whether a part names what is looked for: to search it takes less than to parse it.

    Names are searched for in UTF-8; what is in another encoding is parsed.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(path) as part:
        block = part.read(_BLOCK)
        if not _UTF_8.match(block):
            return True
        end = b""
        while block:
            seen = end + block
            if any(name in seen for name in _NAMES):
                return True
            end, block = seen[-_LONGEST_NAME:], part.read(_BLOCK)
    return False


class _Elements:
    """Takes the elements of a sheet one by one, and keeps no tree."""

    def __init__(self) -> None:
        self.parts = Parts()
        self._row = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Look at an element."""
        name = tag.rpartition("}")[2]
        if name == "row":
            self._row = int(float(attributes.get("r", self._row + 1)))
            if attributes.get("hidden") in ("1", "true"):
                self.parts.hidden.add(self._row)
        elif name == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _merge(self, cells: str) -> None:
        found = _RANGE.fullmatch(cells)
        if found is None:
            return
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - ord("A") + 1
        first, last = int(found[2]), int(found[3])
        if last > first and column <= columns.MOST:
            self.parts.merged.setdefault(first, []).append((column - 1, last))

    def close(self) -> None:
        """Nothing is kept."""


class Merged:
    """Gives merged cells their value in every row that they stand in.

    A row without any cell of its own stays empty, and the names of the columns count once.
    """

    def __init__(self, merged: Mapping[int, Sequence[tuple[int, int]]]) -> None:
        """Begin above the first row."""
        self._merged = merged
        self._values: dict[int, tuple[int, str]] = {}

    def filled(self, number: int, cells: list[str]) -> list[str]:
        """Return the cells of the next row; the last one is not empty.

        :param number: of the row.
        """
        row = dict(enumerate(cells)) if cells else {}
        for column, (last, value) in list(self._values.items()):
            if last < number:
                del self._values[column]
            elif cells and not row.get(column):
                row[column] = value
        for column, last in self._merged.get(number, ()):
            if row.get(column):
                self._values[column] = (last, row[column])
        return [row.get(column, "") for column in range(max(row, default=-1) + 1)]
