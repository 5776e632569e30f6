"""Workbooks that are written: what other programs read there, and the way back."""

import dataclasses
import datetime
import io
import zoneinfo

import openpyxl
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MIN_INSTANT
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import table_file
from cone.tokens.tickets import workbook
from cone.tokens.tickets import written_workbook
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Format
from cone.tokens.tickets.table_file import Table
from tests.support.factories import NOON
from tests.support.factories import make_token
from tests.unit.tickets.test_spreadsheet import TEXTS
from tests.unit.tickets.test_spreadsheet import ZONE
from tests.unit.tickets.test_spreadsheet import lines_of

FORM = FileForm(ZONE, Format.WORKBOOK)


def file_of(head, *rows, rounded=frozenset()):
    return b"".join(table_file.write(Table("t", head, rows, rounded), FORM))


def cells_of(content):
    """Return the cells as another program reads them."""
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    return [list(row) for row in sheet.iter_rows()]


def returned(token):
    """Return the token that comes back from a workbook."""
    content = b"".join(spreadsheet.write([token], FORM))
    [line] = lines_of(workbook.read(content)[0])
    return line.row.token


@given(TEXTS)
@example("=1+1")
@example("'=1+1")
@example("0012")
@example("12345678901234567890")
@example("#N/A")
@example("TRUE")
@example("a\x1db")
@example("_x0041_ _x005F_x0041_")
@example("_x_x0041_")
@example("\r\n\ta\r")
@example("\ufffe\uffff")
@example(" a ")
def test_text_when_it_is_written_and_read_then_it_is_the_same(text):
    assert returned(make_token(value=text)).value == text


@pytest.mark.parametrize("text", ["=1+1", "0012", "#N/A", "12345678901234567890", "2026-11-28"])
def test_text_when_another_program_reads_it_then_it_is_no_formula_and_no_number(text):
    [_head, [cell]] = cells_of(file_of(["value"], [text]))
    assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


def test_cells_when_they_have_types_then_the_file_has_them_too():
    content = file_of(["a", "b", "c", "d", "e"], [3, True, NOON, None, {"ä": "=1"}])
    [_head, cells] = cells_of(content)
    local = NOON.astimezone(ZONE).replace(tzinfo=None)
    assert [cell.value for cell in cells] == [3, True, local, None, '{"ä": "=1"}']
    assert cells[2].is_date


@given(
    st.datetimes(
        MIN_INSTANT.replace(tzinfo=None),
        MAX_INSTANT.replace(tzinfo=None),
        timezones=st.just(datetime.UTC),
    ).map(lambda time: time.replace(microsecond=time.microsecond % 2 * time.microsecond))
)
@example(datetime.datetime(2030, 6, 1, 21, 59, 59, 999_999, tzinfo=datetime.UTC))
# Twice 02:30 in Vienna.
@example(datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC))
@example(datetime.datetime(2026, 10, 25, 1, 30, tzinfo=datetime.UTC))
# Midnight in Vienna, which is no day alone.
@example(datetime.datetime(2026, 11, 27, 23, 0, tzinfo=datetime.UTC))
@example(datetime.datetime(1900, 2, 28, 23, 0, tzinfo=datetime.UTC))
def test_time_when_it_is_written_and_read_then_it_is_the_same(time):
    token = returned(make_token(valid_from=None, valid_to=time))
    assert token.valid_to == time


def test_time_when_it_is_rounded_then_parts_of_a_second_are_gone():
    time = datetime.datetime(2026, 11, 28, 17, 0, 59, 999_999, tzinfo=datetime.UTC)
    [_head, [exact, rounded]] = cells_of(file_of("ab", [time, time], rounded={"b"}))
    assert exact.value == "2026-11-28T18:00:59.999999+01:00"
    assert rounded.value == datetime.datetime(2026, 11, 28, 18, 0, 59)  # noqa: DTZ001 - a cell


def test_file_when_it_is_written_then_it_comes_in_pieces():
    taken = []

    def rows():
        for number in range(5_000):
            taken.append(number)
            yield [f"code {number}"]

    pieces = table_file.write(Table("t", ["value"], rows()), FORM)
    assert next(pieces).startswith(workbook.BEGINNING)
    assert len(taken) < 1_000
    assert len(cells_of(b"".join([file_of(["value"])]))) == 1
    assert len(list(pieces)) > 5


def test_file_when_it_has_more_rows_than_a_sheet_then_it_is_refused(monkeypatch):
    monkeypatch.setattr(written_workbook, "MOST_ROWS", 3)
    assert file_of("a", ["1"], ["2"])
    with pytest.raises(InvalidParameter, match="is too much for a workbook") as caught:
        file_of("a", ["1"], ["2"], ["3"])
    assert caught.value.reason == "workbook_too_large"


def test_file_when_a_sheet_would_need_zip64_then_it_is_refused(monkeypatch):
    monkeypatch.setattr(written_workbook, "_MOST_BYTES", 10_000)
    with pytest.raises(InvalidParameter, match="is too much for a workbook"):
        file_of("a", *(["x" * 30_000] for _ in range(3)))


def test_file_when_a_text_is_longer_than_a_cell_then_it_is_refused():
    assert file_of("a", ["x" * written_workbook.MOST_CHARACTERS])
    with pytest.raises(InvalidParameter, match="no room for a text of 32768") as caught:
        file_of("a", ["x" * (written_workbook.MOST_CHARACTERS + 1)])
    assert caught.value.reason == "cell_too_long"


def test_token_when_it_is_exported_for_excel_then_all_that_is_read_comes_back():
    token = make_token(
        value="=A",
        label="Jürgen\u202e 🎫",
        email="a@example.com",
        category="0012",
        note="one\ntwo",
        data='{"Tisch": "=1", "Ä": "x"}',
        usage_count=-1,
        lock_time=5,
        enabled=False,
    )
    back = returned(token)
    fields = {field.name for field in dataclasses.fields(back)}
    given_ = {name: getattr(back, name) for name in fields}
    assert given_ == {name: getattr(token, name) for name in fields}


def test_zone_when_it_is_far_then_cells_have_its_clocks():
    form = FileForm(zoneinfo.ZoneInfo("Pacific/Auckland"), Format.WORKBOOK)
    time = datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.UTC)
    content = b"".join(table_file.write(Table("t", "a", [[time]]), form))
    [_head, [cell]] = cells_of(content)
    assert cell.value == datetime.datetime(2026, 1, 1, 13, 0)  # noqa: DTZ001 - a cell
