"""A file that somebody wants to import: how a form brings it, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.browser.packed_sheet import packed_sheet
from cone.tokens.browser.selection import unknown
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.places import Places
from cone.tokens.core.values import Actor
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.host import wiring
from cone.tokens.host.form_data import MIB
from cone.tokens.host.form_data import Limits
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import workbook
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.columns import CHOICES
from cone.tokens.tickets.columns import FILE
from cone.tokens.tickets.columns import Column
from cone.tokens.tickets.columns import wrong
from cone.tokens.tickets.encodings import UTF_8
from cone.tokens.tickets.encodings import Decoded
from cone.tokens.tickets.encodings import decode
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.tickets.workbook import Sheet
from cone.tokens.web.declared import Allowance
from cone.tokens.web.form_page import BAD_REQUEST
from cone.tokens.web.form_page import CONFLICT
from cone.tokens.web.page import find_number

#: What a request with a file needs, and how large it may be.
ALLOWANCE: Final = Allowance(ADD, Limits(size=8 * MIB, file=FILE))

#: Names of the fields beside that of the file.
TEXT: Final = "text"
KNOWN: Final = "known"
CHECKED: Final = "checked"
SHEET: Final = "sheet"
#: Pressed to look at the file again, with other columns.
LOOK: Final = "look"
#: Names the field of a column that is not known, with its place behind it.
COLUMN: Final = "column-"

#: Bytes that the file may have in the form of the report, which has other fields too.
_MOST: Final = ALLOWANCE.limits.size - 10_000

OK: Final = 200


class ImportAttempt:
    """A file that somebody wants to import, and what comes of it.

    :ivar pasted: what stood in the field for text.
    :ivar problem: what is wrong with the file as a whole.
    :ivar report: None where there is a problem.
    :ivar mistakes: what is wrong in its lines, from above.
    :ivar codes: the codes that differ from those of the tokens that are meant, by line.
    :ivar replaced: the codes that were replaced, and that their tokens do not get back.
    :ivar refilled: the codes of used tokens that get uses back, by line.
    :ivar alike: codes of other tokens that are read like those of lines.
    :ivar is_taken: whether a value was given away meanwhile.
    :ivar is_guess: nothing in the file says how its letters are encoded.
    :ivar sheet: of the workbook that the file is.
    :ivar chosen: what columns are that are not known, by their places.
    :ivar columns: those of the file.
    :ivar lines: those that can be read.
    :ivar lacks_name: no column is the label, and one may be it.
    :ivar doubts: the lines whose codes may not be meant.
    """

    def __init__(self, known: Known, pasted: str) -> None:
        """Begin with nothing."""
        self.known = known
        self.pasted = pasted
        self.content = ""
        self.problem: InvalidParameter | None = None
        self.report: ImportReport | None = None
        self.mistakes: list[spreadsheet.Mistake] = []
        self.codes: list[tuple[int, CodeChange]] = []
        self.replaced: list[tuple[int, CodeChange]] = []
        self.refilled: list[tuple[int, str]] = []
        self.alike: list[tuple[int, str]] = []
        self.is_taken = False
        self.is_guess = False
        self.sheet: Sheet | None = None
        self.chosen: dict[str | int, str] = {}
        self.columns: list[Column] = []
        self.lines: list[spreadsheet.Line] = []
        self.doubts: Mapping[CodeDoubt, list[int]] = {}
        self.lacks_name = False

    @property
    def status(self) -> int:
        """The status of the page."""
        if self.is_taken:
            return CONFLICT
        return BAD_REQUEST if self.problem or self.mistakes else OK

    def take(self, file: Decoded) -> None:
        """Have a file that was sent."""
        self.content, self.is_guess, self.sheet = file.text, file.is_guess, file.sheet

    def look(self) -> None:
        """Find out what an import would do."""
        read = self._read()
        rows = [line.row for line in read.lines]
        self._take(read, wiring.get(TicketService).check_import(rows, self.known))

    def carry_out(self, by: Actor, key: IdempotencyKey) -> ImportReport | None:
        """Import what has no mistake, and return the report of it.

        :param key: of the page that showed what would be done.
        :raises ValueTaken: one of the values was given away meanwhile.
        """
        read = self._read()
        if read.mistakes:
            self.look()
            return None
        rows = [line.row for line in read.lines]
        with wiring.get(Places).work(len(rows)):
            report = wiring.get(TicketService).import_tokens(rows, self.known, by=by, key=key)
        if not report.mistakes:
            return report
        self._take(read, report)
        return None

    def _read(self) -> spreadsheet.Content:
        return spreadsheet.read(
            self.content, current_parser(), self.chosen, guesses=True, sheet=self.sheet
        )

    def _take(self, read: spreadsheet.Content, report: ImportReport) -> None:
        self.report = report
        self.mistakes = read.all_mistakes(report)
        self.codes, self.replaced = read.codes(report), read.replaced(report)
        self.refilled, self.alike = read.refilled(report), read.alike(report)
        self.lacks_name = read.lacks_name
        self.columns, self.lines, self.doubts = read.columns, read.lines, read.doubts


def known_of(fields: Mapping[str, Any]) -> Known:
    """Return how the form wants known values to be treated.

    :raises InvalidParameter: no form of ours sends that.
    """
    try:
        return Known(fields.get(KNOWN))
    except ValueError:
        raise unknown(KNOWN) from None


def chosen_of(fields: Mapping[str, Any]) -> dict[str | int, str]:
    """Return the fields that the form assigns to columns, by the place of the column.

    :raises InvalidParameter: no form of ours sends that.
    """
    chosen: dict[str | int, str] = {}
    for name, text in fields.items():
        if name.startswith(COLUMN):
            place = find_number(name.removeprefix(COLUMN))
            if place is None or text not in CHOICES:
                raise unknown(COLUMN)
            chosen[place] = text
    return chosen


def content_of(fields: Mapping[str, Any]) -> Decoded:
    """Return the text of the file, or what was pasted.

    :raises InvalidParameter: it is none, both or too large.
    """
    file, pasted = fields.get(FILE, b""), fields.get(TEXT, "")
    # Where no file is chosen the field is an empty text.
    if bool(file) is bool(pasted.strip()):
        raise wrong("two_sources" if file else "no_source", "either it or the text is needed")
    if isinstance(file, bytes) and file:
        # What a small workbook unpacks to may be long work.
        with wiring.get(Places).work(None if file.startswith(workbook.BEGINNING) else 0):
            decoded = decode(file)
    else:
        decoded = Decoded(file or pasted, UTF_8)
    size = len(packed(decoded.text).encode()) + len(packed_sheet(decoded.sheet))
    if size > _MOST:
        raise wrong("file_too_large", "is too large", maximum=ALLOWANCE.limits.size // MIB)
    return decoded


def packed(content: str) -> str:
    """Return ``content`` as a text that browsers send as it is: they change the ends of lines."""
    return json.dumps(content, ensure_ascii=False)


def unpacked(text: str) -> str:
    """Return the content of which :func:`packed` made ``text``.

    :raises InvalidParameter: it made no such text.
    """
    try:
        content = json.loads(text)
        # JSON can spell halves of characters, which are no text.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise InvalidParameter(CHECKED, "invalid_form", f"{CHECKED}: is no text of ours")
    return content
