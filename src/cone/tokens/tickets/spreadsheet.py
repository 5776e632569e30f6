"""What a file of tokens is: the one place that writes and reads it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import unicodedata
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Members
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import parse_json_object
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import table_file
from cone.tokens.tickets.cells import TIMES
from cone.tokens.tickets.cells import first_of_dates
from cone.tokens.tickets.cells import parsed
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.code_doubts import doubts_of
from cone.tokens.tickets.columns import AS_DATA
from cone.tokens.tickets.columns import COLUMNS
from cone.tokens.tickets.columns import LABEL
from cone.tokens.tickets.columns import Column
from cone.tokens.tickets.columns import in_order
from cone.tokens.tickets.columns import read_head
from cone.tokens.tickets.columns import wrong
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.guards import unguard
from cone.tokens.tickets.imports import TOKEN_TWICE
from cone.tokens.tickets.params import DATA
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import TOKEN_PARAMETERS
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.separators import separator_of
from cone.tokens.tickets.table_file import MARK
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Table
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.workbook import Sheet

#: The column that names the token of a row.
UID: Final = "uid"

#: The columns that are fields of a token; the others of ours are passed over.
READ: Final = frozenset(parameter.name for parameter in TOKEN_PARAMETERS)

#: Empty cells that leave a known token as it is, and give a new one the default.
_NOT_CLEARED: Final = frozenset({USAGE_COUNT.name, LOCK_TIME.name, ENABLED.name})

#: What a spreadsheet writes in front, so that another one knows the separator.
_SEPARATOR: Final = re.compile(r'"?sep=([,;\t|])"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)

#: Columns that are written for people, and passed over when they come back.
_ROUNDED: Final = frozenset({"last_used", "created"})


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a line of a file.

    :ivar number: the line of the file that the row begins in.
    :ivar column: None: the row as a whole is wrong.
    :ivar cell: what stands in the column.
    """

    number: int
    column: str | None
    cell: str
    error: InvalidParameter


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A token in a file.

    :ivar number: the line of the file that it begins in.
    :ivar cells: what stands there, by column.
    """

    number: int
    cells: Mapping[str, str]
    row: ImportRow

    def mistake(self, error: InvalidParameter) -> Mistake:
        """Return a mistake in this line."""
        return _mistake(self.number, self.cells, error)


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a file has: the lines that can be read, and what is wrong with the others.

    :ivar formatted: as in :class:`workbook.Sheet`.
    """

    columns: list[Column] = dataclasses.field(default_factory=list)
    lines: list[Line] = dataclasses.field(default_factory=list)
    mistakes: list[Mistake] = dataclasses.field(default_factory=list)
    formatted: Mapping[int, frozenset[int]] = dataclasses.field(default_factory=dict)

    @property
    def lacks_name(self) -> bool:
        """Whether no column is the label, and one may be it that nobody knows."""
        is_label = any(one.target == LABEL for one in self.columns)
        return not is_label and any(not one.is_known for one in self.columns)

    @property
    def doubts(self) -> dict[CodeDoubt, list[int]]:
        """The lines whose codes may not be what somebody meant."""
        codes = ((line.number, line.row.token.value) for line in self.lines)
        targets = [one.target for one in self.columns]
        place = targets.index(VALUE.name) if VALUE.name in targets else -1
        return doubts_of(codes, self.formatted.get(place, frozenset()))

    def all_mistakes(self, report: ImportReport) -> list[Mistake]:
        """Return all mistakes in file order, those of the import report included."""
        told = [
            self.lines[number].mistake(self._with_line(error))
            for number, error in report.mistakes.items()
        ]
        return sorted(self.mistakes + told, key=lambda mistake: mistake.number)

    def codes(self, report: ImportReport) -> list[tuple[int, CodeChange]]:
        """Return the codes that differ from those of the tokens of the uids, with their lines."""
        return [(self.lines[number].number, change) for number, change in report.codes.items()]

    def replaced(self, report: ImportReport) -> list[tuple[int, CodeChange]]:
        """Return the codes that were replaced, with their lines and what the tokens have now."""
        return [(self.lines[number].number, kept) for number, kept in report.replaced.items()]

    def refilled(self, report: ImportReport) -> list[tuple[int, str]]:
        """Return the codes of used tokens that get uses back, with the lines."""
        return [(self.lines[number].number, code) for number, code in report.refilled.items()]

    def alike(self, report: ImportReport) -> list[tuple[int, str]]:
        """Return codes of other tokens that are read like those of lines, with the lines."""
        return [(self.lines[number].number, other) for number, other in report.alike.items()]

    def _with_line(self, error: InvalidParameter) -> InvalidParameter:
        if error.reason != TOKEN_TWICE:
            return error
        line = self.lines[int(str(error.facts["row"]))].number
        message = f"{error.parameter}: line {line} is about the same token"
        return InvalidParameter(error.parameter, TOKEN_TWICE, message, line=line)


def write(tokens: Iterable[Ticket], form: FileForm) -> Iterator[bytes]:
    """Return the file of ``tokens``, piece by piece.

    :raises InvalidParameter: they are too many for a workbook.
    """
    rows = (_cells(token) for token in tokens)
    return table_file.write(Table("tokens", COLUMNS, rows, _ROUNDED), form)


def read(
    text: str,
    parser: Parser,
    chosen: Mapping[str | int, str] | None = None,
    *,
    guesses: bool = False,
    sheet: Sheet | None = None,
) -> Content:
    """Return the tokens that stand in ``text``.

    What is wrong with a line is told with it, and does not keep the others from being read.

    :param chosen: what columns are that are not known, by their headers or places.
    :param guesses: whether the others are kept as data for now.
    :param sheet: of the workbook that the text is from.
    :raises InvalidParameter: the text as a whole is wrong: its first line does not name the
        columns, no other follows, or too many do.
    """
    rows = _Rows(text.lstrip(MARK))
    content = Content(formatted=sheet.formatted if sheet else {})
    seen: dict[object, int] = {}
    found: list[tuple[int, list[str]]] = []
    broken: list[Mistake] = []
    try:
        content.columns.extend(read_head(next(rows, []), chosen or {}, guesses=guesses))
        for row in rows:
            if len(found) == MAX_BATCH:
                raise wrong("too_many_rows", f"has more than {MAX_BATCH} rows", maximum=MAX_BATCH)
            found.append((rows.number, row))
    except csv.Error:
        no_csv = wrong("not_csv", "is no CSV file from this line on")
        broken.append(_mistake(rows.number, {}, no_csv))
    reader = _RowReader(content.columns, parser, found)
    for number, row in found:
        cells = reader.cells(row)
        try:
            line = Line(number, cells, reader.read(row, cells))
            _check_once(line, seen)
        except InvalidParameter as error:
            content.mistakes.append(_mistake(number, cells, error))
        else:
            content.lines.append(line)
    content.mistakes.extend(broken)
    if not found and not broken:
        raise wrong("no_rows", "has no row below the names of the columns")
    return content


class _Rows:
    """The rows of a text that have more than blanks.

    :ivar number: the line that the last one begins in.
    """

    def __init__(self, text: str) -> None:
        named = _SEPARATOR.match(text)
        self._before = 1 if named else 0
        text = text[named.end() :] if named else text
        separator = named[1] if named else separator_of(text)
        lines = io.StringIO(text, newline="")
        # Without being strict it takes what follows a quote that nothing closes for one cell.
        self._reader = csv.reader(lines, delimiter=separator, strict=True)
        self.number = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        while True:
            self.number = self._reader.line_num + 1 + self._before
            row = next(self._reader)
            if any(cell.strip() for cell in row):
                return row


class _RowReader:
    """Reads the rows below the columns of a file."""

    def __init__(
        self,
        columns: Sequence[Column],
        parser: Parser,
        rows: Iterable[tuple[int, Sequence[str]]],
    ) -> None:
        self._columns = columns
        self._parser = parser
        self._label = in_order(columns)
        times = [place for place, one in enumerate(columns) if one.target in TIMES]
        cells = (row[place] for _number, row in rows for place in times if place < len(row))
        self._first = first_of_dates(cells)
        has_data = any(one.target == DATA.name for one in columns)
        names = (one.header for one in columns if one.target == AS_DATA)
        # As the parser stores them.
        stored = frozenset(unicodedata.normalize("NFC", name) for name in names)
        self._members = None if has_data else stored

    def cells(self, row: Sequence[str]) -> dict[str, str]:
        """Return the cells of a row by the field of their column; other columns are left out."""
        pairs = zip(self._columns, row, strict=False)
        cells = {one.target: cell for one, cell in pairs if one.target in COLUMNS}
        if len(self._label) > 1:
            parts = [row[place].strip() for place in self._label if place < len(row)]
            first, *others = [part for part in parts if part] or [""]
            cells[LABEL] = " ".join([first, *map(unguard, others)])
        return cells

    def read(self, row: Sequence[str], cells: Mapping[str, str]) -> ImportRow:
        """Parse a row.

        :raises InvalidParameter: it is wrong.
        """
        _check_length(self._columns, row)
        given = {name: cells[name].strip() for name in READ.intersection(cells)}
        given |= {name: unguard(given[name]) for name in DETAILS if name in given}
        given |= self._data(row, given)
        given = parsed(given, first=self._first)
        given[VALUE.name] = unguard(cells.get(VALUE.name, ""))
        uid = cells.get(UID, "").strip()
        changed = {
            name: cell
            for name, cell in given.items()
            if name != VALUE.name and (cell or name not in _NOT_CLEARED)
        }
        # Whether a window is in order depends on the token that is meant.
        return ImportRow(
            token=self._parser.read_token(given),
            changes=self._parser.read_changes(changed),
            uid=_uid(uid) if uid else None,
            members=self._members,
        )

    def _data(self, row: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        """Return ``data`` with the columns that are kept there."""
        kept = {
            one.header: unguard(cell.strip())
            for one, cell in zip(self._columns, row, strict=False)
            if one.target == AS_DATA
        }
        if not kept:
            return {}
        own = parse_json_object(given.get(DATA.name) or "{}")
        if not isinstance(own, Members):
            # The parser says what is wrong with it.
            return {}
        members = {name: text for name, text in {**dict(own), **kept}.items() if text}
        return {DATA.name: json.dumps(members, ensure_ascii=False) if members else ""}


def _check_length(columns: Sequence[Column], row: Sequence[str]) -> None:
    if len(row) < len(columns) or any(row[len(columns) :]):
        raise wrong("row_length", "the row has not as many cells as there are columns")


def _uid(cell: str) -> uuid.UUID:
    uid = find_uid(cell)
    if uid is None:
        raise InvalidParameter(UID, "invalid_uid", f"{UID}: is no uid")
    return uid


def _check_once(line: Line, seen: dict[object, int]) -> None:
    for name, cell in ((UID, line.row.uid), (VALUE.name, line.row.token.value)):
        first = line.number if cell is None else seen.setdefault(cell, line.number)
        if first != line.number:
            message = f"{name}: stands in line {first} already"
            raise InvalidParameter(name, f"{name}_twice", message, line=first)


def _mistake(number: int, cells: Mapping[str, str], error: InvalidParameter) -> Mistake:
    # A window ends before it begins: either edge may be the one that the file has.
    names = (error.parameter, {VALID_FROM.name: VALID_TO.name}.get(error.parameter))
    column = next((name for name in names if name in cells), None)
    return Mistake(number, column, cells[column] if column else "", error)


def _cells(token: Ticket) -> list[object]:
    values = fields_of(token)
    return [values[name] for name in COLUMNS]
