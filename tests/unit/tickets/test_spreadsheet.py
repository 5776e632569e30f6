"""What a CSV file of tokens is: formulas, separators, lines, and the way there and back."""

import codecs
import csv
import datetime
import io
import json
import uuid
import zoneinfo

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MIN_INSTANT
from cone.tokens.core.values import UNSET
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import table_file
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import NOON
from tests.support.factories import make_token

ZONE = zoneinfo.ZoneInfo("Europe/Vienna")
UID = "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001"
PARSER = Parser(zone=ZONE, usage_count=3, lock_time=7)
FORMULAS = "=+-@＝＋－＠"  # noqa: RUF001 - meant
#: What matters, more often than by chance.
TEXTS = st.text(
    st.sampled_from("=+-@＝＠'\"',;\t\r\n aü\u00a0\u202e🎫")  # noqa: RUF001 - meant
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=60,
)


def lines_of(text: str) -> list[spreadsheet.Line]:
    content = spreadsheet.read(text, PARSER)
    assert content.mistakes == []
    return content.lines


def mistakes_of(text: str) -> list[tuple[int, str | None, str]]:
    mistakes = spreadsheet.read(text, PARSER).mistakes
    return [(mistake.number, mistake.column, mistake.error.reason) for mistake in mistakes]


def written(*tokens) -> str:
    return b"".join(spreadsheet.write(tokens, FileForm(ZONE))).decode()


@given(TEXTS)
@example("=1+1")
@example("'=1+1")
@example("''")
@example("a;'=1")
@example("\t\t'\r\n'=1")
@example("'" * 2_048)
@example("\t" * 2_048)
def test_value_when_written_and_read_then_it_is_the_same(value):
    [line] = lines_of(written(make_token(value=value)))
    assert line.row.token.value == value


@given(TEXTS, st.sampled_from(",;\t"))
@example('a;"=1;b', ";")
@example("a;'=1;b", ";")
@example("a\n=1", ";")
@example("a\t=1\tb", "\t")
def test_cells_when_a_spreadsheet_splits_at_any_separator_then_none_is_a_formula(value, separator):
    text = written(make_token(value=value, creator=value)).removeprefix("\ufeff")
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        for cell in row:
            # Quotes inside of a cell are told in several ways, spaces are dropped by some.
            first = cell.strip().lstrip("\"'")[:1]
            if first and first in FORMULAS and cell != "1":
                assert cell.startswith("'"), (row, cell)


@given(
    st.none() | st.datetimes(MIN_INSTANT.replace(tzinfo=None), MAX_INSTANT.replace(tzinfo=None)),
    st.integers(-1, 2**31 - 1),
    st.booleans(),
)
def test_token_when_written_and_read_then_its_fields_are_the_same(time, count, enabled):
    valid_to = time and time.replace(tzinfo=datetime.UTC)
    token = make_token(valid_to=valid_to, usage_count=count, lock_time=9, enabled=enabled)
    [line] = lines_of(written(token))
    fields = {"valid_to": valid_to, "usage_count": count, "lock_time": 9, "enabled": enabled}
    assert line.row.token == NewTicket(value=token.value, **fields)
    nothing = dict.fromkeys(("valid_from", *DETAILS))
    assert line.row.changes == TicketChanges(**nothing, **fields)


def test_file_when_written_then_it_has_all_columns_with_times_in_the_zone():
    token = make_token(value="a,b", last_used=NOON, usage_count=-1, creator="=x", valid_from=NOON)
    text = b"".join(spreadsheet.write([token], FileForm(ZONE)))
    assert text.startswith(codecs.BOM_UTF8)
    head, row, end = text.decode("utf-8-sig").split("\r\n")
    assert head == (
        "uid,value,status,valid_from,valid_to,usage_count,lock_time,enabled,last_used,created,"
        "creator,label,email,category,note,data,uses_given"
    )
    time = "2026-06-01T14:00:00+02:00"
    assert row == f'{token.uid},"a,b",consumable,{time},,-1,0,true,{time},{time},\'=x,,,,,,'
    assert end == ""


@pytest.mark.parametrize("separator", table_file.SEPARATORS)
def test_file_when_it_is_written_with_another_separator_then_it_is_read_unchanged(separator):
    token = make_token(value="=a;b,c\td", label="x,=1;'=2\"")
    text = b"".join(spreadsheet.write([token], FileForm(ZONE, separator=separator))).decode()
    assert text.splitlines()[0].count(separator) == len(spreadsheet.COLUMNS) - 1
    (line,) = lines_of(text)
    assert (line.row.token.value, line.row.token.label) == (token.value, token.label)


def test_file_when_there_are_no_tokens_then_it_has_its_head():
    assert written().endswith(",data,uses_given\r\n")


def test_file_when_there_are_many_tokens_then_it_is_written_piece_by_piece():
    taken = []

    def tokens():
        for number in range(3_000):
            taken.append(number)
            yield make_token()

    pieces = spreadsheet.write(tokens(), FileForm(ZONE))
    next(pieces)
    next(pieces)
    assert len(taken) < 1_001
    assert sum(piece.count(b"\r\n") for piece in pieces) + 500 == 3_000


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_when_it_is_separated_in_its_own_way_then_it_is_read(separator, mark, end):
    rows = [["", ""], [" Usage_Count ", "VALUE"], ["5", 'a;,\t"b'], ["", ""], [" 6 ", " c "]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    tokens = [(line.number, line.row.token) for line in lines_of(mark + text.getvalue())]
    assert tokens == [
        (3, NewTicket(value='a;,\t"b', usage_count=5, lock_time=7)),
        (5, NewTicket(value=" c ", usage_count=6, lock_time=7)),
    ]


def test_cells_when_they_are_empty_then_new_tokens_get_defaults_and_known_ones_stay():
    text = "value,valid_from,valid_to,usage_count,lock_time,enabled\na,,,,,\n"
    [line] = lines_of(text)
    assert line.row.token == NewTicket(value="a", usage_count=3, lock_time=7)
    assert line.row.changes == TicketChanges(valid_from=None, valid_to=None)


def test_columns_when_they_are_missing_then_new_tokens_get_defaults_and_known_ones_stay():
    [line] = lines_of("value\na\n")
    assert line.row.token == NewTicket(value="a", usage_count=3, lock_time=7)
    assert set(line.row.changes.given()) == set()
    assert line.row.changes.value is UNSET


def test_value_when_it_is_empty_then_the_token_is_a_new_one():
    tokens = [line.row.token for line in lines_of("value,usage_count\n,1\n,2\n")]
    assert [(token.value, token.usage_count) for token in tokens] == [(None, 1), (None, 2)]


def test_columns_when_only_an_export_has_them_then_they_are_passed_over():
    text = "status,last_used,created,creator,value,uid\nx,x,x,x,a,\n"
    assert [line.row.token.value for line in lines_of(text)] == ["a"]
    text = "".join(
        line.split(",", 1)[1] for line in written(make_token(value="a")).splitlines(True)
    )
    assert [line.row.token.value for line in lines_of(text)] == ["a"]


def test_columns_when_a_list_of_others_has_names_of_ours_then_they_are_not_known():
    text = "Code,Status,Creator,Created,last_used\na,VIP,Jo,today,never\n"
    with pytest.raises(InvalidParameter) as refused:
        spreadsheet.read(text, PARSER)
    assert refused.value.facts["columns"] == ("Status", "Creator", "Created", "last_used")
    (line,) = spreadsheet.read(text, PARSER, guesses=True).lines
    told = {"Status": "VIP", "Creator": "Jo", "Created": "today", "last_used": "never"}
    assert json.loads(line.row.token.data) == told
    chosen = {"Status": "category", "Creator": "note", "Created": "-", "last_used": "-"}
    token = spreadsheet.read(text, PARSER, chosen).lines[0].row.token
    assert (token.category, token.note, token.data) == ("VIP", "Jo", None)


def test_uid_when_it_stands_in_a_row_then_the_row_has_it():
    rows = [line.row for line in lines_of(f"value,uid\na, {UID.upper()} \nb,\n")]
    assert [row.uid for row in rows] == [uuid.UUID(UID), None]


def test_cells_when_there_are_empty_ones_behind_the_columns_then_they_are_passed_over():
    assert [line.row.token.value for line in lines_of("value,,\na,,\nb\nc,,,,\n")] == list("abc")


def test_times_when_they_have_no_offset_then_they_are_read_in_the_zone():
    [line] = lines_of("value,valid_from\na,2026-06-01 14:00\n")
    assert line.row.token.valid_from == NOON


@pytest.mark.parametrize(
    ("text", "reason", "columns"),
    [
        ("", "no_value_column", None),
        ("\n\n", "no_value_column", None),
        ("usage_count\n1\n", "no_value_column", None),
        ("abc\n", "unknown_columns", ("abc",)),
        ("value,uses,,Größe\n", "unknown_columns", ("", "Größe")),
        ("value,VALUE \n", "same_column_twice", None),
        ("value\n", "no_rows", None),
        ("value,enabled\n,\n\n", "no_rows", None),
        ("value\n" + "a\n" * (MAX_BATCH + 1), "too_many_rows", None),
        ("value\n".encode("utf-16-le").decode(), "file_not_utf8", None),
    ],
)
def test_text_when_it_is_wrong_as_a_whole_then_it_is_refused(text, reason, columns):
    with pytest.raises(InvalidParameter) as refused:
        spreadsheet.read(text, PARSER)
    assert (refused.value.parameter, refused.value.reason) == ("file", reason)
    assert refused.value.facts.get("columns") == columns


HEAD = "value,valid_from,valid_to,usage_count,enabled\n"


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (HEAD + "a,,,x,\n", [(2, "usage_count", "invalid_integer")]),
        (HEAD + "a,,,-2,\nb,,,,maybe\n", [(2, "usage_count", "out_of_range"), (3, "enabled", "")]),
        (HEAD + "a,01.06.26,,,\n", [(2, "valid_from", "invalid_datetime")]),
        (HEAD + "a,2026-03-29 02:30,,,\n", [(2, "valid_from", "skipped_time")]),
        (f"uid,value\n{UID},a\n{UID.upper()},b\n", [(3, "uid", "uid_twice")]),
        (f"uid,value\n{UID[1:]},a\n{{{UID}}},b\n", [(2, "uid", "invalid_uid"), (3, "uid", "")]),
        (HEAD + "a\0b,,,,\n", [(2, "value", "null_character")]),
        (HEAD + "ä" * 1_025 + ",,,,\n", [(2, "value", "too_long")]),
        (HEAD + "a,,,\n", [(2, None, "row_length")]),
        (HEAD + "a,,,,,x\n", [(2, None, "row_length")]),
        (HEAD + '"a\n\nb",,,,\nc,,,x,\n', [(5, "usage_count", "invalid_integer")]),
        (HEAD + "a,,,,\nb,,,,\na,,,,\n", [(4, "value", "value_twice")]),
        (HEAD + "'=a,,,,\n=a,,,,\n", [(3, "value", "value_twice")]),
        (HEAD + 'a,,,,\n"b,,,,\nc,,,,\n', [(3, None, "not_csv")]),
        (HEAD + '"a"b,,,,\n', [(2, None, "not_csv")]),
        (HEAD + "a,,,x,\n" + "b" * 131_073 + ",,,,\n", [(2, "usage_count", ""), (3, None, "")]),
        ('"value', [(1, None, "not_csv")]),
    ],
)
def test_lines_when_they_are_wrong_then_each_is_told_with_its_column(text, mistakes):
    found = mistakes_of(text)
    assert [place[:2] for place in found] == [place[:2] for place in mistakes]
    assert all(
        reason in ("", told) for (*_, reason), (*_, told) in zip(mistakes, found, strict=True)
    )


def test_line_when_a_value_stands_twice_then_the_first_one_is_named():
    [mistake] = spreadsheet.read("value\na\nb\na\n", PARSER).mistakes
    assert (mistake.cell, mistake.error.facts) == ("a", {"line": 2})


def test_lines_when_there_are_as_many_as_are_possible_then_they_are_read():
    text = "value\n" + "".join(f"{number}\n" for number in range(MAX_BATCH))
    assert len(lines_of(text)) == MAX_BATCH
