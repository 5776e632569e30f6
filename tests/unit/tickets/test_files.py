"""Files as spreadsheets of several countries save them: letters, separators, columns, cells."""

import datetime
import json
import time
import zoneinfo
from pathlib import Path

import pytest

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.encodings import decode
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.separators import separator_of

ZONE = zoneinfo.ZoneInfo("Europe/Vienna")
PARSER = Parser(zone=ZONE, usage_count=1)
FILES = Path(__file__).parents[2] / "support" / "files"


def read(content: bytes | str, chosen=None, *, guesses=True) -> spreadsheet.Content:
    text = decode(content).text if isinstance(content, bytes) else content
    return spreadsheet.read(text, PARSER, chosen, guesses=guesses)


def tokens(content: bytes | str, chosen=None):
    found = read(content, chosen)
    assert found.mistakes == []
    return [line.row.token for line in found.lines]


def of_file(name: str):
    return tokens((FILES / name).read_bytes())


def local(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=ZONE)


def test_file_when_it_has_a_day_without_a_time_then_it_is_all_of_the_day():
    (token,) = of_file("day-without-time.csv")
    assert token.valid_from == local(2030, 6, 1)
    assert token.valid_to == local(2030, 6, 1, 23, 59, 59, 999_999)


def test_file_when_it_has_german_dates_then_they_are_read_in_the_zone():
    (token,) = of_file("german-dates.csv")
    assert token.valid_from == local(2030, 6, 1, 8)
    assert token.valid_to == local(2030, 6, 1, 18)


def test_file_when_its_flags_are_german_or_words_then_they_are_read():
    assert [token.enabled for token in of_file("german-booleans.csv")] == [True, False]
    assert [token.enabled for token in of_file("yes-no.csv")] == [True, True]


def test_file_when_its_first_line_names_the_separator_then_that_counts():
    (token,) = of_file("sep-line.csv")
    assert (token.value, token.usage_count) == ("F04-A", 1)


def test_file_when_numbers_have_a_fraction_of_zero_then_they_are_whole():
    counts = [(token.usage_count, token.lock_time) for token in of_file("float-counts.csv")]
    assert counts == [(1, 0), (3, 0)]


def test_file_when_it_is_a_list_of_guests_then_unknown_columns_are_kept_or_chosen():
    content = (FILES / "guest-list.csv").read_bytes()
    (token,) = tokens(content)
    assert (token.value, token.label, token.email) == ("F06-A", "Guest 1", "guest1@example.com")
    assert json.loads(token.data) == {"Ticket Reference": "R-1"}
    (token,) = tokens(content, {"Ticket Reference": "note"})
    assert (token.note, token.data) == ("R-1", None)
    (token,) = tokens(content, {0: "-"})
    assert token.data is None
    with pytest.raises(InvalidParameter) as refused:
        read(content, guesses=False)
    assert refused.value.facts["columns"] == ("Ticket Reference",)


def test_file_when_it_has_no_codes_then_each_line_is_a_new_token():
    (one, other) = tokens("Name;E-Mail\nZoë;zoe@example.org\nJo;jo@example.org\n")
    assert (one.value, one.label, other.email) == (None, "Zoë", "jo@example.org")


@pytest.mark.parametrize(
    ("head", "cells", "label"),
    [
        ("Vorname;Nachname", "Zoë;Müller", "Zoë Müller"),
        ("Nachname;Vorname", "Müller;Zoë", "Zoë Müller"),
        ("First name;Last name", "Zoë;Müller", "Zoë Müller"),
        ("Prénom;Nom", "Zoë;Müller", "Zoë Müller"),
        ("Nom;Prénom", "Müller;Zoë", "Zoë Müller"),
        ("Name;Vorname", "Müller;Zoë", "Zoë Müller"),
        ("Surname;Given name", "Müller;Zoë", "Zoë Müller"),
        ("Nachname;E-Mail", "Müller;", "Müller"),
        ("Vorname;Nachname", ";Müller", "Müller"),
        ("Vorname;Nachname;Name", "Z.;M.;Zoë Müller", "Zoë Müller"),
        ("Vorname;Nachname;label", "Z.;M.;Zoë Müller", "Zoë Müller"),
    ],
)
def test_name_when_it_stands_in_two_columns_then_both_are_the_label(head, cells, label):
    (token,) = tokens(f"Code;{head}\nA-1;{cells}\n")
    assert (token.value, token.label) == ("A-1", label)


def test_name_when_two_columns_are_chosen_as_it_then_they_are_joined():
    (token,) = tokens("Code;Titel;Gast 1\na;Dr.;Zoë\n", {1: "label", 2: "label"})
    assert (token.label, token.data) == ("Dr. Zoë", None)
    (token,) = tokens("Code;Vorname;Nachname\na;Zoë;Müller\n", {"Vorname": "label"})
    assert token.label == "Zoë Müller"
    with pytest.raises(InvalidParameter) as refused:
        read("Code;Vorname;First name\na;Zoë;Jo\n")
    assert refused.value.reason == "same_column_twice"


NAMES = "Zoë,Grün €5"
ENCODINGS = {
    "utf-8": NAMES.encode(),
    "utf-8 with its mark": NAMES.encode("utf-8-sig"),
    "utf-8 with its mark twice": b"\xef\xbb\xbf" + NAMES.encode("utf-8-sig"),
    "utf-16": NAMES.encode("utf-16"),
    "utf-16, the other way round": b"\xfe\xff" + NAMES.encode("utf-16-be"),
    "windows": NAMES.encode("cp1252"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_file_when_it_is_encoded_as_spreadsheets_do_then_its_letters_are_right(name):
    decoded = decode(ENCODINGS[name])
    assert decoded.text.lstrip("\ufeff") == NAMES
    assert decoded.is_guess is (name == "windows")


@pytest.mark.parametrize("content", [b"\xff\xfev", b"\x00\x01\xff", b"\x89PNG\r\n\x1a\n\x00"])
def test_file_when_it_is_no_text_then_it_is_refused(content):
    with pytest.raises(InvalidParameter) as refused:
        decode(content)
    assert refused.value.reason == "file_not_text"


TIMES = {
    "28.11.2026 18:00": (2026, 11, 28, 18),
    "28.11.2026, 18:00 Uhr": (2026, 11, 28, 18),
    "1.6.2030 8:05:09": (2030, 6, 1, 8, 5, 9),
    "2030-06-01 14:00": (2030, 6, 1, 14),
    "28/11/2026 18:00": (2026, 11, 28, 18),
    "11/28/2026 6:00 PM": (2026, 11, 28, 18),
    "11/28/2026 12:15 AM": (2026, 11, 28, 0, 15),
    "6/6/2030": (2030, 6, 6),
}


@pytest.mark.parametrize("cell", TIMES)
def test_time_when_it_is_written_as_in_a_country_then_it_is_read(cell):
    (token,) = tokens(f'value;valid_from\na;"{cell}"\n')
    assert token.valid_from == local(*TIMES[cell])


@pytest.mark.parametrize("cell", ["31.02.2030", "32/13/2030", "28.11.26", "28.11.2026 25:00"])
def test_time_when_there_is_none_like_it_then_it_is_a_mistake(cell):
    (mistake,) = read(f"value;valid_from\na;{cell}\n").mistakes
    assert (mistake.column, mistake.error.reason) == ("valid_from", "invalid_datetime")


def test_dates_when_they_can_be_two_then_the_others_of_the_file_tell_or_it_is_a_mistake():
    (mistake,) = read("value;valid_from\na;6/1/2030\n").mistakes
    assert (mistake.number, mistake.error.reason) == (2, "two_dates")
    months = {"28/11/2030": 1, "11/28/2030": 6}
    for other, month in months.items():
        token, _other = tokens(f"value;valid_from\na;6/1/2030\nb;{other}\n")
        assert token.valid_from.astimezone(ZONE).month == month
    both = read("value;valid_from\na;6/1/2030\nb;28/11/2030\nc;11/28/2030\n")
    assert "two_dates" in {mistake.error.reason for mistake in both.mistakes}


@pytest.mark.parametrize("cell", ["1.5", "1.000", "1e3", "1,00,0", "one"])
def test_number_when_it_may_be_another_one_then_it_is_a_mistake(cell):
    (mistake,) = read(f'value;usage_count\na;"{cell}"\n').mistakes
    assert mistake.error.reason == "invalid_integer"


@pytest.mark.parametrize(
    ("head", "targets"),
    [
        ("Code;Name;E-Mail;Kategorie", ["value", "label", "email", "category"]),
        (
            "Gültig ab;Gültig bis;Verwendungen;Wert",
            [*["valid_from", "valid_to", "usage_count", "value"]],
        ),
        ("VALUE;Code", ["value", "data:"]),
        ("uid;value;status;creator", ["uid", "value", "status", "creator"]),
        ("Full  Name;Comment;Nom", None),
    ],
)
def test_head_when_lists_call_columns_so_then_they_are_ours(head, targets):
    line = ";" * head.count(";")
    if targets is None:
        with pytest.raises(InvalidParameter) as refused:
            read(f"{head}\nx{line}\n")
        assert refused.value.reason == "same_column_twice"
        return
    assert [one.target for one in read(f"{head}\nx{line}\n").columns] == targets


def test_head_when_it_has_too_many_columns_then_the_file_is_refused():
    with pytest.raises(InvalidParameter) as refused:
        read(";".join(["value", *(f"c{number}" for number in range(300))]) + "\n")
    assert refused.value.reason == "too_many_columns"


def test_cells_when_a_data_column_is_there_as_well_then_both_are_kept():
    (token,) = tokens('value;data;Seat\na;"{""Size"": ""M""}";12\n')
    assert json.loads(token.data) == {"Size": "M", "Seat": "12"}


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("Code;Name, first and last, as on the ticket, with title;Note", "a;b;c"),
        ('"Code";"Name, first, last, title";"Note"', "a;b;c"),
        ('Code,"Name; first; last; title",Note', "a,b,c"),
        ('"Code";"Name, first,\nlast, title, more"', "a;b"),
        ("Code\tName, first, last; title; more", "a\tb"),
        ("Code;Nr, of, the, table", "a;1\nb;2, by the door\nc;3"),
    ],
)
def test_head_when_its_names_have_other_separators_then_cells_are_split_at_the_right_ones(
    head, row
):
    found = read(f"{head}\n{row}\n")
    assert found.mistakes == []
    assert (found.columns[0].header, found.lines[0].row.token.value) == ("Code", "a")


def test_head_when_no_name_is_known_then_rows_as_long_as_it_tell_the_separator():
    text = "Who, what, where;Nr\nZoë;1\nJo, the other;2\n"
    found = read(text, {0: "label", 1: "value"})
    assert [line.row.token.value for line in found.lines] == ["1", "2"]


def test_head_when_it_is_one_column_then_a_separator_in_its_cells_makes_a_mistake():
    (mistake,) = read("Code\nA,1\n").mistakes
    assert mistake.error.reason == "row_length"


def test_head_when_it_has_very_many_cells_then_only_the_first_are_looked_at():
    begin = time.process_time()
    assert separator_of("a," * 1_000_000 + "\n") == ","
    assert time.process_time() - begin < 1


def test_rows_when_they_have_blanks_alone_then_they_are_none():
    assert [token.label for token in tokens("Name,Note\n ,\u00a0\nZoë,\n\t, \n")] == ["Zoë"]
    # A code of blanks beside something else is a mistake of its line, told with the tokens.
    assert [token.value for token in tokens("Code,Note\n  ,x\n")] == ["  "]


@pytest.mark.parametrize(
    ("head", "facts"),
    [
        ("Code,Name,Ticket", {"first": "Code", "second": "Ticket", "column": "value"}),
        ("Code,Seat,Seat", {"first": "Seat", "second": "Seat", "column": "Seat"}),
        (f"Code,{'x' * 50},Code", {"first": "Code", "second": "Code", "column": "value"}),
    ],
)
def test_head_when_two_names_mean_the_same_column_then_both_are_told(head, facts):
    with pytest.raises(InvalidParameter) as refused:
        read(f"{head}\na,b,c\n")
    assert refused.value.facts == facts
    assert "{first} and {second} both mean {column}".format(**facts) in str(refused.value)


def test_lines_when_a_separator_line_is_in_front_then_they_are_counted_from_it():
    (mistake,) = read("sep=;\r\nvalue;usage_count\r\na;x\r\n").mistakes
    assert mistake.number == 3
