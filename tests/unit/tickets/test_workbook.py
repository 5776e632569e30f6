"""Workbooks of Excel: typed cells, formulas, bombs, what is none."""

import datetime
import io
import zipfile

import openpyxl
import pytest

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import workbook
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.encodings import decode
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


def read(content: bytes) -> spreadsheet.Content:
    return spreadsheet.read(decode(content).text, PARSER, guesses=True)


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
    assert [(token.value, token.label) for token in tokens] == [("A-1", "Zoë"), ("A-2", None)]


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
        archive.writestr("xl/media/image.png", b"\0" * (workbook.MOST_BYTES + 1))
    return content.getvalue()


def with_entities() -> bytes:
    """Replace the sheet by one whose entities grow."""
    source = zipfile.ZipFile(io.BytesIO(saved(["Code"], ["A-1"])))
    content = io.BytesIO()
    lol = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with zipfile.ZipFile(content, "w") as archive:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("sheet1.xml"):
                data = data.replace(b"<worksheet", lol.encode() + b"<worksheet", 1)
            archive.writestr(name, data)
    return content.getvalue()


BAD = {
    "no zip": (b"PK\x03\x04" + b"\0" * 500, "no_workbook"),
    "another zip": (None, "no_workbook"),
    "a bomb": (bomb, "file_too_large"),
    "entities": (with_entities, "no_workbook"),
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
