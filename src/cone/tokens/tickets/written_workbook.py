"""Workbooks (xlsx) that are written, piece by piece.

openpyxl keeps a sheet in a file of its own until it is saved, which stays where a request fails,
and takes five times as long: 40 s for 100,000 tokens. What is written is a small part of ECMA-376,
one sheet of texts, numbers, flags and times, and needs no extra.
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from cone.tokens.core.errors import InvalidParameter

#: Rows of a sheet, the names of the columns among them, and characters of a cell.
MOST_ROWS: Final = 1_048_576
MOST_CHARACTERS: Final = 32_767

#: Bytes of a sheet: spreadsheets warn of files with larger ones (ZIP64).
_MOST_BYTES: Final = zipfile.ZIP64_LIMIT

#: Rows that are compressed at once.
_PIECE: Final = 500

#: What XML has no signs for, a return, which it changes, and what would be read as one of these.
_ESCAPED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

#: Day 0 of times, and the first year whose days all spreadsheets count alike.
_DAY_0: Final = datetime.datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no zone
_FIRST_YEAR: Final = 1901
_DAY: Final = datetime.timedelta(days=1)

#: Places in ``cellXfs`` below.
_AS_TEXT, _AS_TIME, _AS_NAME = 1, 2, 3

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

#: A time as all languages read it; cells of texts stay texts when somebody types into them.
_STYLES: Final = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" '
    'applyFont="1"/></cellXfs><cellStyles count="1">'
    '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_PARTS: Final = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="{title}" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": _STYLES,
}
#: The names of the columns stay in view.
_BEGINNING: Final = (
    f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
    '</sheetViews><sheetFormatPr defaultRowHeight="15"/>'
    '<cols><col min="1" max="{width}" width="22" customWidth="1"/></cols><sheetData>'
)
_END: Final = "</sheetData></worksheet>"


def write(
    title: str,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    zone: datetime.tzinfo,
    rounded: frozenset[str],
) -> Iterator[bytes]:
    """Return the workbook of a table, piece by piece.

    :param title: of its sheet.
    :param zone: times are written on its clocks. What these do not tell, parts of a second or an
        hour that comes twice, is written as a text with the offset.
    :param rounded: columns whose parts of a second are left out.
    :raises InvalidParameter: it is too large for a workbook.
    """
    sink = _Sink()
    sheet = _Sheet(head, zone, rounded)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in _PARTS.items():
            text = part.replace("{title}", escape(title))
            archive.writestr(name, _HEAD + text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as target:
            for piece in sheet.pieces(rows):
                target.write(piece)
                yield sink.take()
    yield sink.take()


class _Sink:
    """What a ZIP file is written to: nobody can go back in it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        self._written.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        written, self._written = self._written, []
        return b"".join(written)


class _Sheet:
    """The XML of a sheet."""

    def __init__(self, head: Sequence[str], zone: datetime.tzinfo, rounded: frozenset[str]) -> None:
        self._head = head
        self._zone = zone
        self._letters = [_letter(place) for place in range(len(head))]
        self._is_rounded = [name in rounded for name in head]
        self._size = 0

    def pieces(self, rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
        """Return it piece by piece."""
        names = "".join(
            self._text(f"{letter}1", name, _AS_NAME)
            for letter, name in zip(self._letters, self._head, strict=True)
        )
        beginning = _BEGINNING.replace("{width}", str(len(self._head)))
        piece = [f'{_HEAD}{beginning}<row r="1">{names}</row>']
        for number, row in enumerate(rows, 2):
            if number > MOST_ROWS:
                raise _too_large()
            piece.append(f'<row r="{number}">{"".join(self._cells(number, row))}</row>')
            if len(piece) >= _PIECE:
                yield self._counted(piece)
                piece = []
        yield self._counted([*piece, _END])

    def _counted(self, piece: list[str]) -> bytes:
        content = "".join(piece).encode()
        self._size += len(content)
        if self._size > _MOST_BYTES:
            raise _too_large()
        return content

    def _cells(self, number: int, row: Sequence[object]) -> Iterator[str]:
        for letter, value, is_rounded in zip(self._letters, row, self._is_rounded, strict=True):
            place = f"{letter}{number}"
            if value is None or value == "":
                continue
            if isinstance(value, bool):
                yield f'<c r="{place}" t="b"><v>{value:d}</v></c>'
            elif isinstance(value, int):
                yield f'<c r="{place}"><v>{value}</v></c>'
            elif isinstance(value, datetime.datetime):
                yield self._time(place, value, is_rounded=is_rounded)
            else:
                yield self._text(place, str(value))

    def _time(self, place: str, value: datetime.datetime, *, is_rounded: bool) -> str:
        time = value.astimezone(self._zone)
        if is_rounded:
            time = time.replace(microsecond=0)
        comes_twice = time.replace(fold=0).utcoffset() != time.replace(fold=1).utcoffset()
        if time.microsecond or comes_twice or time.year < _FIRST_YEAR:
            return self._text(place, time.isoformat())
        days = (time.replace(tzinfo=None) - _DAY_0) / _DAY
        return f'<c r="{place}" s="{_AS_TIME}"><v>{days!r}</v></c>'

    def _text(self, place: str, text: str, style: int = _AS_TEXT) -> str:
        if len(text) > MOST_CHARACTERS:
            raise InvalidParameter(
                "format",
                "cell_too_long",
                f"format: a workbook has no room for a text of {len(text)} characters; write CSV",
                maximum=MOST_CHARACTERS,
            )
        told = escape(_ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
        inline = f'<is><t xml:space="preserve">{told}</t></is>'
        return f'<c r="{place}" s="{style}" t="inlineStr">{inline}</c>'


def _letter(place: int) -> str:
    """Return the name of a column of a sheet; no table of ours has more than 26."""
    return chr(ord("A") + place)


def _too_large() -> InvalidParameter:
    message = f"format: is too much for a workbook, which has up to {MOST_ROWS} rows; write CSV"
    return InvalidParameter("format", "workbook_too_large", message, maximum=MOST_ROWS)
