"""Lists as LibreOffice saves them in three languages, as CSV and as workbooks."""

import json

import pytest

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.encodings import WINDOWS
from cone.tokens.tickets.encodings import decode
from tests.support.saved_files import EXPORTED
from tests.support.saved_files import FOLDER
from tests.unit.tickets.test_files import PARSER
from tests.unit.tickets.test_files import local

LISTS = [
    f"{language}{form}"
    for language in ("en", "de", "fr")
    for form in (
        "-utf-8.csv",
        "-semicolon-utf-8.csv",
        "-semicolon-windows-1252.csv",
        "-tab-utf-16.csv",
        ".xlsx",
    )
]


def read(name):
    decoded = decode((FOLDER / name).read_bytes())
    content = spreadsheet.read(decoded.text, PARSER, guesses=True)
    assert content.mistakes == []
    return decoded, [line.row.token for line in content.lines]


def test_lists_when_there_are_files_then_each_is_tested():
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".csv", ".xlsx")}
    assert files == {*LISTS, "export-saved-again.xlsx", "export-saved-as.csv"}


@pytest.mark.parametrize("name", LISTS)
def test_list_when_libreoffice_saved_it_then_its_tokens_are_these(name):
    decoded, tokens = read(name)
    first, second, _third = tokens
    assert decoded.is_guess is (decoded.encoding == WINDOWS) is ("1252" in name)
    assert [token.value for token in tokens] == ["G-0012", "G-0013", "0014"]
    assert [token.label for token in tokens] == ["Zoë Müller", "Jürgen Groß", "Élodie «E»"]
    assert (first.email, second.email) == ("zoe@example.org", None)
    # The cells are merged; CSV has nothing in the lower one.
    merged = "VIP" if decoded.encoding == "xlsx" else None
    assert [token.category for token in tokens] == ["VIP", merged, None]
    assert (first.valid_from, second.valid_from) == (local(2026, 11, 28, 18, 30), None)
    day_end = local(2026, 11, 29, 23, 59, 59, 999_999)
    assert [token.valid_to for token in tokens] == [day_end, day_end, None]
    assert [token.usage_count for token in tokens] == [2, 1, 3]
    assert [token.enabled for token in tokens] == [True, False, True]
    assert [token.note for token in tokens] == [None, "a; b, c", 'says "hi"']
    # Formulas, by their results.
    kept = [list(json.loads(token.data).values()) for token in tokens]
    assert kept == [["5"], ["3"], ["7"]]


FIELDS = ("value", "label", "email", "category", "note", "data")
MORE = ("usage_count", "lock_time", "enabled", "valid_from", "valid_to")


def test_export_when_libreoffice_saves_the_workbook_again_then_it_comes_back():
    _decoded, tokens = read("export-saved-again.xlsx")
    for token, exported in zip(tokens, EXPORTED, strict=True):
        for name in (*FIELDS, *MORE):
            assert getattr(token, name) == getattr(exported, name), name


def test_export_when_libreoffice_saves_it_as_csv_then_it_comes_back():
    _decoded, tokens = read("export-saved-as.csv")
    assert [token.value for token in tokens] == [token.value for token in EXPORTED]
    assert [token.label for token in tokens] == [token.label for token in EXPORTED]


REFUSED = {
    "old.xls": "old_workbook",
    "open-document.ods": "open_document",
    "web-page.xls": "markup",
}


@pytest.mark.parametrize("name", REFUSED)
def test_file_when_it_is_of_another_kind_then_that_is_told(name):
    with pytest.raises(InvalidParameter) as refused:
        decode((FOLDER / name).read_bytes())
    assert refused.value.reason == REFUSED[name]
