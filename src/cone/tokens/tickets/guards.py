"""Cells that a spreadsheet would take for formulas, and the apostrophe that keeps it from that.

Spreadsheets take a cell for a formula by its first character, and a text that somebody gave a
token may begin with it. Such a text gets an apostrophe in front, which makes it a text, and
reading takes that one away again: what was written is read as it was, whatever it is.

A spreadsheet that expects other separators than ours splits a text at them, quoted or not: what
follows one counts as a beginning too.
"""

from __future__ import annotations

import re
from typing import Final

# Apostrophes, quotes and spaces hide a first character from us, and not from every program.
# None of them ends a cell: each character is looked at once or twice.
_HIDING: Final = r"(?:['\"]|[^\S\t\r\n])*+"
_FORMULA: Final = r"=+\-@＝＋－＠"  # noqa: RUF001 - programs take the wide ones for the others
_BEGINNING: Final = re.compile(
    rf"\A(?={_HIDING}[{_FORMULA}\t\r\n])|(?<=[,;\t\r\n])(?={_HIDING}[{_FORMULA}])",
)
_GUARDED: Final = re.compile(
    rf"\A'(?={_HIDING}[{_FORMULA}\t\r\n])|(?<=[,;\t\r\n])'(?={_HIDING}[{_FORMULA}])",
)


def guard(text: str) -> str:
    """Return ``text`` as a cell that is no formula."""
    return _BEGINNING.sub("'", text)


def unguard(cell: str) -> str:
    """Return the text that :func:`guard` made ``cell`` of; another cell as it is."""
    return _GUARDED.sub("", cell)
