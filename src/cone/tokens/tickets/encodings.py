"""The text of a file, in whatever way spreadsheets save it."""

from __future__ import annotations

import codecs
import dataclasses
import re
from typing import Final

from cone.tokens.tickets import workbook
from cone.tokens.tickets.columns import wrong

UTF_8: Final = "utf-8"
#: What old spreadsheets save on Windows in Western Europe.
WINDOWS: Final = "windows-1252"

#: How the files of old programs begin, among them workbooks with a password.
_OLD: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WITH_PASSWORD: Final = "EncryptedPackage".encode("utf-16-le")
#: How pages and XML begin, whatever the file is called.
_MARKUP: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!|\?xml|html|head|body|meta|table|style)", re.IGNORECASE
)

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file.

    :ivar sheet: of a workbook.
    :ivar is_guess: nothing in the file says that it is encoded so: somebody has to look at it.
    """

    text: str
    encoding: str
    is_guess: bool = False
    sheet: workbook.Sheet | None = None


def decode(content: bytes) -> Decoded:
    """Return the text of a workbook, or of a file in UTF-8, UTF-16 or else Windows-1252.

    :raises InvalidParameter: it is none of these; what it is instead is told where that is known.
    """
    if content.startswith(workbook.BEGINNING):
        text, sheet = workbook.read(content)
        return Decoded(text, "xlsx", sheet=sheet)
    if content.startswith(_OLD):
        if _WITH_PASSWORD in content:
            raise wrong("workbook_with_password", "has a password; save it without one")
        raise wrong("old_workbook", "is an old workbook (xls); save it as xlsx or CSV")
    if _MARKUP.match(content):
        raise wrong("markup", "is a web page or XML; save it as xlsx or CSV")
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
