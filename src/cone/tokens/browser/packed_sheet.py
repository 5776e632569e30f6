"""What a workbook told, as the form of the report brings it along: its text tells it no more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets.columns import MOST
from cone.tokens.tickets.workbook import Sheet

_NAME: Final = "sheet"


def packed_sheet(sheet: Sheet | None) -> str:
    """Return ``sheet`` as text; none is an empty one."""
    if sheet is None:
        return ""
    formatted = {place: _ranges(lines) for place, lines in sheet.formatted.items()}
    return json.dumps([sheet.name, sheet.number, sheet.count, sheet.hidden, formatted])


def unpacked_sheet(text: str) -> Sheet | None:
    """Return the sheet of which :func:`packed_sheet` made ``text``.

    :raises InvalidParameter: it made no such text.
    """
    if not text:
        return None
    try:
        name, *numbers, formatted = json.loads(text)
        number, count, hidden = map(_number, numbers)
        # JSON can spell halves of characters, which are no text.
        name.encode()
        told = {int(place): _lines(ranges) for place, ranges in formatted.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidParameter(_NAME, "invalid_form", f"{_NAME}: is no text of ours") from None
    return Sheet(name, number, count, hidden, told if len(told) <= MOST else {})


def _ranges(lines: Iterable[int]) -> list[list[int]]:
    """Return lines as ranges, each with its first and its last one."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ranges


def _lines(ranges: list[list[Any]]) -> frozenset[int]:
    pairs = [(_number(first), _number(last)) for first, last in ranges]
    if sum(max(last - first + 1, 0) for first, last in pairs) > MAX_BATCH + 1:
        raise ValueError
    return frozenset(line for first, last in pairs for line in range(first, last + 1))


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value
