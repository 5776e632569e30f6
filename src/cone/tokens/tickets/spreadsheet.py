"""What a CSV file of tokens is: the one place that writes and reads it.

Spreadsheets take a cell for a formula by its first character, and a text that somebody gave a
token may begin with it. Such a text gets an apostrophe in front, which makes it a text, and
reading takes that one away again: what was written is read as it was, whatever it is.

A spreadsheet that expects other separators than ours splits a text at them, quoted or not: what
follows one counts as a beginning too.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import itertools
import json
import re
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.imports import TOKEN_TWICE
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import TOKEN_PARAMETERS
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Ticket

#: The columns that are written.
COLUMNS: Final = (
    "uid",
    "value",
    "status",
    "valid_from",
    "valid_to",
    "usage_count",
    "lock_time",
    "enabled",
    "last_used",
    "created",
    "creator",
    "label",
    "email",
    "category",
    "note",
    "data",
)
#: The column that names the token of a row.
UID: Final = "uid"

#: The columns that are fields of a token; the others of ours are passed over.
READ: Final = frozenset(parameter.name for parameter in TOKEN_PARAMETERS)

#: Name of what is read, in mistakes that are about all of it.
FILE: Final = "file"

SEPARATORS: Final = (",", ";", "\t")

#: Empty cells that leave a known token as it is, and give a new one the default.
_NOT_CLEARED: Final = frozenset({USAGE_COUNT.name, LOCK_TIME.name, ENABLED.name})

#: Rows that are written in one piece.
_PIECE: Final = 500

#: Makes UTF-8 known to spreadsheets.
_MARK: Final = "\ufeff"

# Apostrophes, quotes and spaces hide a first character from us, and not from every program.
# None of them ends a cell: each character is looked at once or twice.
_HIDING: Final = r"(?:['\"]|[^\S\t\r\n])*+"
_FORMULA: Final = r"=+\-@＝＋－＠"  # noqa: RUF001 - programs take the wide ones for the others
_BEGINNING: Final = re.compile(
    rf"\A(?={_HIDING}[{_FORMULA}\t\r\n])|(?<=[;\t\r\n])(?={_HIDING}[{_FORMULA}])",
)
_GUARDED: Final = re.compile(
    rf"\A'(?={_HIDING}[{_FORMULA}\t\r\n])|(?<=[;\t\r\n])'(?={_HIDING}[{_FORMULA}])",
)


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
    """What a file has: the lines that can be read, and what is wrong with the others."""

    lines: list[Line] = dataclasses.field(default_factory=list)
    mistakes: list[Mistake] = dataclasses.field(default_factory=list)

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

    def _with_line(self, error: InvalidParameter) -> InvalidParameter:
        if error.reason != TOKEN_TWICE:
            return error
        line = self.lines[int(str(error.facts["row"]))].number
        message = f"{error.parameter}: line {line} is about the same token"
        return InvalidParameter(error.parameter, TOKEN_TWICE, message, line=line)


def guard(text: str) -> str:
    """Return ``text`` as a cell that is no formula."""
    return _BEGINNING.sub("'", text)


def unguard(cell: str) -> str:
    """Return the text that :func:`guard` made ``cell`` of; another cell as it is."""
    return _GUARDED.sub("", cell)


def write(tokens: Iterable[Ticket], zone: datetime.tzinfo) -> Iterator[bytes]:
    """Return the file of ``tokens``, piece by piece.

    :param zone: times are written with its offset.
    """
    yield (_MARK + _text([COLUMNS])).encode()
    tokens = iter(tokens)
    while piece := list(itertools.islice(tokens, _PIECE)):
        yield _text(_cells(token, zone) for token in piece).encode()


def decode(content: bytes) -> str:
    """Return the text of a file.

    :raises InvalidParameter: it is not encoded in UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


def read(text: str, parser: Parser) -> Content:
    """Return the tokens that stand in ``text``.

    What is wrong with a line is told with it, and does not keep the others from being read.

    :raises InvalidParameter: the text as a whole is wrong: its first line does not name the
        columns, no other follows, or too many do.
    """
    rows = _Rows(text.removeprefix(_MARK))
    content = Content()
    seen: dict[object, int] = {}
    cells: dict[str, str] = {}
    try:
        names = _columns(next(rows, []))
        for row in rows:
            if len(content.lines) + len(content.mistakes) == MAX_BATCH:
                raise _wrong("too_many_rows", f"has more than {MAX_BATCH} rows", maximum=MAX_BATCH)
            cells = dict(zip(names, row, strict=False))
            try:
                _check_length(names, row)
                line = Line(rows.number, cells, _row(cells, parser))
                _check_once(line, seen)
            except InvalidParameter as error:
                content.mistakes.append(_mistake(rows.number, cells, error))
            else:
                content.lines.append(line)
    except csv.Error:
        no_csv = _wrong("not_csv", "is no CSV file from this line on")
        content.mistakes.append(_mistake(rows.number, {}, no_csv))
    if not content.lines and not content.mistakes:
        raise _wrong("no_rows", "has no row below the names of the columns")
    return content


class _Rows:
    """The rows of a text that are not empty.

    :ivar number: the line that the last one begins in.
    """

    def __init__(self, text: str) -> None:
        first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
        separator = max(SEPARATORS, key=first.count)
        lines = io.StringIO(text, newline="")
        # Without being strict it takes what follows a quote that nothing closes for one cell.
        self._reader = csv.reader(lines, delimiter=separator, strict=True)
        self.number = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        while True:
            self.number = self._reader.line_num + 1
            row = next(self._reader)
            if any(row):
                return row


def _columns(row: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    while names and not names[-1]:
        names.pop()
    if any("\0" in name for name in names):
        raise _not_utf8()
    unknown = tuple(name for name in names if name not in COLUMNS)
    if unknown:
        raise _wrong("unknown_columns", "has columns that are not known", columns=unknown)
    if len(set(names)) < len(names):
        raise _wrong("same_column_twice", "has a column twice")
    if VALUE.name not in names:
        raise _wrong("no_value_column", f"has no column {VALUE.name}")
    return names


def _check_length(names: Sequence[str], row: Sequence[str]) -> None:
    if len(row) < len(names) or any(row[len(names) :]):
        raise _wrong("row_length", "the row has not as many cells as there are columns")


def _row(cells: Mapping[str, str], parser: Parser) -> ImportRow:
    given = {name: cells[name].strip() for name in READ.intersection(cells)}
    given |= {name: unguard(given[name]) for name in DETAILS if name in given}
    given[VALUE.name] = unguard(cells[VALUE.name])
    uid = cells.get(UID, "").strip()
    changed = {
        name: cell
        for name, cell in given.items()
        if name != VALUE.name and (cell or name not in _NOT_CLEARED)
    }
    # Whether a window is in order depends on the token that is meant.
    return ImportRow(
        token=parser.read_token(given),
        changes=parser.read_changes(changed),
        uid=_uid(uid) if uid else None,
    )


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


def _wrong(reason: str, text: str, **facts: object) -> InvalidParameter:
    return InvalidParameter(FILE, reason, f"{FILE}: {text}", **facts)


def _not_utf8() -> InvalidParameter:
    return _wrong("file_not_utf8", "is not encoded in UTF-8")


def _text(rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return lines.getvalue()


def _cells(token: Ticket, zone: datetime.tzinfo) -> list[object]:
    values = fields_of(token)
    return [_cell(values[name], zone) for name in COLUMNS]


def _cell(value: object, zone: datetime.tzinfo) -> object:
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    # Numbers and uids are made by us; of nothing an empty cell is made.
    return guard(value) if isinstance(value, str) else value
