"""Workbooks of Excel: typed cells, formulas, bombs, what is none."""

import datetime
import io
import tracemalloc
import zipfile

import openpyxl
import pytest
from openpyxl.chart import BarChart

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import workbook_bounds
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.encodings import decode
from tests.support.saved_files import FOLDER
from tests.unit.tickets.test_files import PARSER
from tests.unit.tickets.test_files import local


def saved(*rows, formats=()) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, number_format in dict(formats).items():
        book.active[place].number_format = number_format
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def read(content: bytes, chosen=None) -> spreadsheet.Content:
    decoded = decode(content)
    return spreadsheet.read(decoded.text, PARSER, chosen, guesses=True, sheet=decoded.sheet)


def reason_of(content: bytes) -> str:
    with pytest.raises(InvalidParameter) as refused:
        read(content)
    return refused.value.reason


def test_workbook_when_its_cells_have_types_then_each_is_what_it_shows():
    day = datetime.datetime(2030, 11, 28)  # noqa: DTZ001 - sheets have no zones
    evening = day.replace(hour=18, minute=30)
    content = saved(
        ["Code", "Name", "Gültig ab", "Gültig bis", "Verwendungen", "Aktiv", "Tisch"],
        ["A-1", "Zoë", evening, day, 3, True, 7.5],
        [4711, "Jo", None, None, 2.0, False, None],
        formats={"D2": "dd.mm.yyyy", "C2": "dd.mm.yyyy hh:mm"},
    )
    first, second = [line.row.token for line in read(content).lines]
    assert (first.value, first.label, first.usage_count, first.enabled) == ("A-1", "Zoë", 3, True)
    assert first.valid_from == local(2030, 11, 28, 18, 30)
    assert first.valid_to == local(2030, 11, 28, 23, 59, 59, 999_999)
    assert first.data == '{"Tisch": "7.5"}'
    assert (second.value, second.usage_count, second.enabled) == ("4711", 2, False)


def test_workbook_when_a_formula_was_never_worked_out_then_its_line_is_named():
    content = saved(["Code", "Name"], ["A-1", "x"], ["A-2", '="a"&"b"'])
    with pytest.raises(InvalidParameter) as refused:
        read(content)
    assert (refused.value.reason, refused.value.facts["line"]) == ("formula_without_result", 3)


def test_workbook_when_a_number_has_lost_digits_then_it_is_doubted():
    found = read(saved(["Code"], [12345678901234567890], [123456789012345]))
    assert found.doubts == {CodeDoubt.SHORTENED: [2]}
    assert found.lines[1].row.token.value == "123456789012345"


NOON = datetime.datetime(2030, 11, 28, 12)  # noqa: DTZ001 - sheets have no zones
#: Numbers and their formats, and what they are as codes.
SHOWN = {
    ("00000", 123): "00123",
    ('"T-"0000', 4711): "T-4711",
    (r"\T\-0000", 7.0): "T-0007",
    ("[$-407]00000", 8010): "08010",
    ("000-000", 12345678): "12345-678",
    ("000", 12345): "12345",
    ("0", 5): "5",
    ("General", 5): "5",
    ("General", 0.5): "0.5",
    ("@", 5): "5",
}
DOUBTED = {
    ("0%", 0.5): "0.5",
    ("0.00", 1.1): "1.1",
    ("#,##0", 4711): "4711",
    ("00000", 1.5): "1.5",
    ("00000", -5): "-5",
    ('"x"', 5): "5",
    ("General", True): "true",
    ("mmm yy", NOON): "2030-11-28 12:00:00",
    ("h:mm", NOON.time()): "12:00:00",
    ("[h]:mm", datetime.timedelta(hours=3)): "3:00:00",
}


@pytest.mark.parametrize("cell", [*SHOWN, *DOUBTED], ids=str)
@pytest.mark.parametrize("header", ["Code", "Nr"])
def test_workbook_when_a_code_is_a_number_then_it_is_as_shown_or_doubted(cell, header):
    number_format, value = cell
    content = saved(
        ["Note", header, "Uses"],
        ["a\nb", "A-1", 3],
        ["c", value, 3],
        formats={"B3": number_format, "C3": '"x"00'},
    )
    found = read(content, {"Nr": "value"})
    assert [line.row.token.usage_count for line in found.lines] == [3, 3]
    line = found.lines[1]
    assert line.row.token.value == {**SHOWN, **DOUBTED}[cell]
    assert found.doubts == ({CodeDoubt.FORMATTED: [line.number]} if cell in DOUBTED else {})


def test_workbook_when_other_columns_have_formats_then_texts_are_as_shown_and_nothing_is_doubted():
    content = saved(
        ["Code", "Note", "PLZ"], ["A-1", 12, 8010], formats={"B2": "0000", "C2": "00000"}
    )
    found = read(content)
    token = found.lines[0].row.token
    assert (token.note, token.data, found.doubts) == ("0012", '{"PLZ": "08010"}', {})


def test_workbook_when_a_text_begins_like_a_guarded_one_then_it_is_kept():
    (line,) = read(saved(["Code", "Name"], ["A-1", "'=1+1"])).lines
    assert line.row.token.label == "'=1+1"


def test_workbook_when_rows_are_empty_or_cells_merged_then_they_are_passed_over():
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Code", "Name"], [None, None], ["A-1", "Zoë"], [None, None], ["A-2", "Jo"]):
        sheet.append(row)
    sheet.merge_cells("B3:B5")
    content = io.BytesIO()
    book.save(content)
    tokens = [line.row.token for line in read(content.getvalue()).lines]
    # Of the rows that are merged the empty one is no token.
    assert [(token.value, token.label) for token in tokens] == [("A-1", "Zoë"), ("A-2", "Zoë")]


def book_of(*sheets, merged=()) -> openpyxl.Workbook:
    """Return a workbook of sheets, each of the rows under its name."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    for cells in merged:
        book.worksheets[0].merge_cells(cells)
    return book


def bytes_of(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


HEAD = ["Code", "Name", "Category"]


def test_workbook_when_cells_are_merged_then_their_value_counts_in_every_row():
    rows = [HEAD, *([f"M{number}", "x", "VIP"] for number in range(5)), ["M5", None, "staff"]]
    book = book_of(("a", rows), merged=["C2:C4", "B6:C7"])
    tokens = [line.row.token for line in read(bytes_of(book)).lines]
    assert [token.value for token in tokens] == [f"M{number}" for number in range(6)]
    assert [token.category for token in tokens] == ["VIP"] * 4 + [None, None]
    assert [token.label for token in tokens] == ["x"] * 6


def test_workbook_when_a_code_is_merged_over_rows_then_each_further_row_is_a_mistake():
    rows = [HEAD, ["M0", "a", "VIP"], ["", "b", "VIP"], ["", "c", "VIP"], ["M1", "d", ""]]
    found = read(bytes_of(book_of(("a", rows), merged=["A2:A4"])))
    told = [(one.number, one.error.reason, one.error.facts) for one in found.mistakes]
    assert told == [(3, "value_twice", {"line": 2}), (4, "value_twice", {"line": 2})]


def test_workbook_when_ranges_are_strange_then_it_takes_little():
    ranges = b'<mergeCell ref="A2:XFD1048576"/>' * 20_000
    merged = b"</sheetData><mergeCells>" + ranges + b"</mergeCells>"
    rows = [["Code", "Name"], ["A-1", "x"], ["A-2", "y"]]
    first, second = read(changed(SHEET, b"</sheetData>", merged, saved(*rows))).lines
    assert (first.row.token.value, second.row.token.value) == ("A-1", "A-2")


def test_workbook_when_the_first_sheets_are_hidden_or_empty_then_the_next_one_is_read():
    guests = [["Code", "Name"], ["NEW", "new"]]
    old = [["Code", "Name"], ["OLD", "old"]]
    book = book_of(("old", old), ("older", old), ("empty", []), ("Guests", guests), ("b", old))
    book.worksheets[0].sheet_state = "hidden"
    book.worksheets[1].sheet_state = "veryHidden"
    book.active = 3
    decoded = decode(bytes_of(book))
    assert "NEW" in decoded.text
    assert "OLD" not in decoded.text
    sheet = decoded.sheet
    assert (sheet.name, sheet.number, sheet.count, sheet.hidden) == ("Guests", 4, 5, 0)


def test_workbook_when_all_sheets_with_cells_are_hidden_then_there_is_nothing_in_it():
    book = book_of(("old", [["Code"], ["OLD"]]), ("empty", []))
    book.worksheets[0].sheet_state = "hidden"
    book.active = 1
    assert reason_of(bytes_of(book)) == "no_value_column"


def test_workbook_when_its_first_sheet_is_a_chart_then_the_next_one_is_read():
    book = book_of(("a", [["Code"], ["A-1"]]))
    book.create_chartsheet("chart", 0)
    assert [line.row.token.value for line in read(bytes_of(book)).lines] == ["A-1"]
    drawn = book.create_chartsheet("drawn", 0)
    drawn.add_chart(BarChart())
    assert [line.row.token.value for line in read(bytes_of(book)).lines] == ["A-1"]


def test_workbook_when_rows_are_hidden_then_those_with_cells_are_counted():
    book = book_of(("a", [["Code"], ["A-1"], ["A-2"], [None], ["A-3"]]))
    for number in (1, 3, 4, 5):
        book.active.row_dimensions[number].hidden = True
    decoded = decode(bytes_of(book))
    assert decoded.sheet.hidden == 2
    assert decoded.text.split() == ["Code", "A-1", "A-2", '""', "A-3"]


def test_workbook_when_rows_have_blanks_alone_then_they_are_none():
    found = read(saved(["Name", "Note"], [" ", None], ["Zoë", ""], ["\u00a0", " "]))
    assert [line.row.token.label for line in found.lines] == ["Zoë"]


def test_workbook_when_it_has_too_many_rows_then_it_is_refused():
    rows = ([f"A-{number}"] for number in range(MAX_BATCH + 5))
    assert reason_of(saved(["Code"], *rows)) == "too_many_rows"


def test_workbook_when_it_has_too_many_columns_then_it_is_refused():
    assert reason_of(saved(["Code", *(f"c{number}" for number in range(300))], ["a"])) == (
        "too_many_columns"
    )


def bomb() -> bytes:
    content = io.BytesIO(saved(["Code"], ["A-1"]))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image.png", b"\0" * (workbook_bounds.MOST_BYTES + 1))
    return content.getvalue()


def changed(part: str, before: bytes, after: bytes, content: bytes | None = None) -> bytes:
    """Return a workbook with something else in the part of this name."""
    source = zipfile.ZipFile(io.BytesIO(content or saved(["Code"], ["A-1"])))
    assert before in source.read(part)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            data = source.read(name)
            archive.writestr(name, data.replace(before, after, 1) if name == part else data)
    return written.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"


def with_entities(entity: str) -> bytes:
    """Declare an entity in the sheet."""
    declared = f"<!DOCTYPE x [{entity}]><worksheet".encode()
    return changed(SHEET, b"<worksheet", declared)


def with_rows(rows: bytes) -> bytes:
    return changed(SHEET, b"</sheetData>", rows + b"</sheetData>")


def with_strings(strings: bytes) -> bytes:
    """Add to the table of texts of a workbook that LibreOffice saved."""
    content = (FOLDER / "de.xlsx").read_bytes()
    return changed(STRINGS, b"</sst>", strings + b"</sst>", content)


def disguised() -> bytes:
    """Return a workbook that calls its list of sheets a sheet as well, to have it read whole."""
    lie = (
        b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
        b'officedocument.spreadsheetml.worksheet+xml"/></Types>'
    )
    content = changed("[Content_Types].xml", b"</Types>", lie)
    sheets = b'<sheet name="a" sheetId="1" r:id="rId1"/>' * 20_000
    return changed("xl/workbook.xml", b"<sheets>", b"<sheets>" + sheets, content)


#: Small files that become large: each is refused before it takes much.
TRAPS = {
    "a row of many cells": lambda: with_rows(b"<row>" + b"<c/>" * 5_000_000 + b"</row>"),
    "a million rows": lambda: with_rows(b"<row><c><v>1</v></c></row>" * 1_000_000),
    "many empty rows": lambda: with_rows(b"<row/>" * 4_000_000),
    "a text of many parts": lambda: with_strings(b"<si>" + b"<r/>" * 3_000_000 + b"</si>"),
    "many texts": lambda: with_strings(b"<si><t>a</t></si>" * 1_000_000),
    "many fonts": lambda: changed(
        "xl/styles.xml", b"<cellXfs", b"<fonts>" + b"<font/>" * 2_000_000 + b"</fonts><cellXfs"
    ),
    "many sheets": lambda: changed(
        "xl/workbook.xml",
        b"<sheets>",
        b"<sheets>" + b'<sheet name="a" sheetId="1" r:id="rId1"/>' * 20_000,
    ),
    "many sheets in disguise": disguised,
    "many types": lambda: changed(
        "[Content_Types].xml", b"</Types>", b"<Default/>" * 500_000 + b"</Types>"
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_workbook_when_it_has_too_many_cells_or_parts_then_it_takes_little(name):
    content = TRAPS[name]()
    assert len(content) < 1_000_000
    tracemalloc.start()
    try:
        assert reason_of(content) == "too_many_cells"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_workbook_when_a_row_is_far_below_then_it_takes_little():
    far = with_rows(b'<row r="999999999999"><c r="A999999999999"><v>1</v></c></row>')
    assert [line.row.token.value for line in read(far).lines] == ["A-1"]


def test_workbook_when_rows_between_are_empty_then_none_is_lost():
    rows = [[f"A-{number}"] if number % 2 else [None] for number in range(14_000)]
    assert len(read(saved(["Code"], *rows)).lines) == 7_000


def test_workbook_when_its_lines_have_no_end_then_it_is_refused():
    line = b"<row><c><v>1</v></c></row>" + b"<row/>" * 9_000
    assert reason_of(with_rows(line * 12)) == "too_many_rows"


def test_workbook_when_a_formula_has_failed_then_its_line_is_named():
    content = with_rows(b'<row><c t="e"><f>1/0</f><v>#DIV/0!</v></c></row>')
    with pytest.raises(InvalidParameter) as refused:
        read(content)
    assert (refused.value.reason, refused.value.facts["line"]) == ("formula_without_result", 3)


def test_workbook_when_it_has_macros_then_they_do_not_matter():
    main = b"openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    content = changed("[Content_Types].xml", main, b"ms-excel.sheet.macroEnabled.main+xml")
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 macros")
    assert [line.row.token.value for line in read(file.getvalue()).lines] == ["A-1"]


BAD = {
    "no zip": (b"PK\x03\x04" + b"\0" * 500, "no_workbook"),
    "another zip": (None, "no_workbook"),
    "a bomb": (bomb, "file_too_large"),
    "entities": (
        lambda: with_entities('<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'),
        "no_workbook",
    ),
    "entities of elsewhere": (
        lambda: with_entities('<!ENTITY x SYSTEM "file:///etc/passwd">'),
        "no_workbook",
    ),
    "a long text": (
        lambda: with_rows(
            b'<row><c t="inlineStr"><is><t>' + b"x" * 40_000 + b"</t></is></c></row>"
        ),
        "no_workbook",
    ),
    "of before 2007": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old_workbook"),
    "with a password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
        "workbook_with_password",
    ),
    "a web page": (b"\xef\xbb\xbf\r\n<TABLE><tr><td>Code</td></tr></TABLE>", "markup"),
    "XML of Excel 2003": (b'<?xml version="1.0"?><Workbook></Workbook>', "markup"),
    "empty": (saved, "no_value_column"),
}


@pytest.mark.parametrize("name", BAD)
def test_workbook_when_it_is_none_or_a_trap_then_it_is_refused(name):
    made, reason = BAD[name]
    if made is None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("hello.txt", "hello")
        made = content.getvalue()
    assert reason_of(made() if callable(made) else made) == reason
