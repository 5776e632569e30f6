"""The text of a file, in whatever way spreadsheets save it."""

from __future__ import annotations

import codecs
import dataclasses
from typing import Final

from cone.tokens.tickets import workbook
from cone.tokens.tickets.columns import wrong

UTF_8: Final = "utf-8"
#: What old spreadsheets save on Windows in Western Europe.
WINDOWS: Final = "windows-1252"

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file.

    :ivar is_guess: nothing in the file says that it is encoded so: somebody has to look at it.
    """

    text: str
    encoding: str
    is_guess: bool = False


def decode(content: bytes) -> Decoded:
    """Return the text of a workbook, or of a file in UTF-8, UTF-16 or else Windows-1252.

    :raises InvalidParameter: it is none of these.
    """
    if content.startswith(workbook.BEGINNING):
        return Decoded(workbook.text_of(content), "xlsx")
    if content.startswith(_UTF_16):
        return Decoded(_strictly(content, "utf-16"), "utf-16")
    try:
        return Decoded(content.decode(UTF_8), UTF_8)
    except UnicodeDecodeError:
        return Decoded(_strictly(content, WINDOWS), WINDOWS, is_guess=True)


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise wrong("file_not_text", "is no text that a spreadsheet saves") from None
    # Where a picture or a program is read as text.
    if any(sign < " " and sign not in "\t\r\n" for sign in text):
        raise wrong("file_not_text", "is no text that a spreadsheet saves")
    return text
