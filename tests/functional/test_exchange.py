"""Export and import of tokens as CSV files: pages, permissions, bad input, there and back."""

import contextlib
import csv
import io
import json
import re
from pathlib import Path

import cone.sql
import openpyxl
import pytest
from sqlalchemy import text
from webtest import Upload

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.wiring import current_parser
from tests.functional.test_permissions import GRANTED
from tests.functional.test_permissions import ROLES
from tests.support.asking import UNKNOWN_UID
from tests.support.factories import new_token
from tests.support.saved_files import FOLDER

EXPORT = "/tokens/export"
IMPORT = "/tokens/import"
LIST = "/tokens/tokens_overview"
HTML = "<script>alert(1)</script>&amp;\"'"
MIB = 1_048_576
STRANGE = [
    "=HYPERLINK(1)",
    "'=1",
    "'",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "a;=1",
    'a",b',
    HTML,
    "\u202eevil\u2066",
    "👪🎫",
    "ü" * 1_024,
    " lead and trail ",
    "＝1",  # noqa: RUF001 - meant
]
#: Those that a database of 2.0 may have, and that nobody can give to a token any more.
OLD = [code for code in STRANGE if code != code.strip() or not code.isprintable()]
NEW = [code for code in STRANGE if code not in OLD]


def rows_of(answer) -> list[dict[str, str]]:
    """Return the rows of an exported file."""
    assert (answer.status_int, answer.content_type) == (200, "text/csv")
    content = answer.body.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content, newline=""), strict=True))


def values_of(answer) -> list[str]:
    return [row["value"] for row in rows_of(answer)]


#: Files that failed once.
FILES = Path(__file__).parents[1] / "support" / "files"


def check(client, content: bytes | str, known: str = "skip", status: int = 200):
    """Send a file, or a text, to be looked at."""
    form = client.get(IMPORT).forms[0]
    form["known"] = known
    if isinstance(content, bytes):
        form["file"] = Upload("tokens.csv", content, "text/csv")
    else:
        form["text"] = content
    return form.submit(status=status)


def confirm(answer, status: int = 303):
    """Press the button of a report."""
    return answer.forms[0].submit(status=status)


def said(answer) -> str:
    return " ".join(answer.html.find(id="content").get_text().split())


def counts_of(answer) -> dict[str, str]:
    terms = answer.html.find("dl").find_all("dt")
    return {term.get_text(): term.find_next("dd").get_text() for term in terms}


@contextlib.contextmanager
def as_if_taken(value: str):
    """Have the database refuse a value as it does where another one adds it at the same time."""
    engine = cone.sql.session_factory.engine
    refuse = "RAISE(ABORT, 'UNIQUE constraint failed: tokens.value')"
    with engine.begin() as connection:
        when = f"BEFORE INSERT ON tokens WHEN NEW.value = '{value}'"
        connection.exec_driver_sql(f"CREATE TRIGGER taken {when} BEGIN SELECT {refuse}; END")
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER taken")


def mistakes_of(answer) -> list[list[str]]:
    lines = answer.html.find("table", class_="tokens-mistakes").tbody.find_all("tr")
    return [[cell.get_text() for cell in line.find_all(["th", "td"])] for line in lines]


@pytest.fixture
def stock(make_token):
    make_token(value="apple", usage_count=0)
    make_token(value="apricot", usage_count=5)
    make_token(value="banana", enabled=False)


# Export


def test_export_when_asked_for_then_it_is_a_file_of_all_tokens(signed_in, stock):
    answer = signed_in("viewer").get(EXPORT)
    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tokens.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    rows = rows_of(answer)
    assert [row["value"] for row in rows] == ["banana", "apricot", "apple"]
    assert [row["status"] for row in rows] == ["disabled", "consumable", "exhausted"]
    assert re.fullmatch(r"20\S{17}(\.\d+)?\+0[12]:00", rows[0]["created"])


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("search=ap&sort=value", ["apple", "apricot"]),
        ("search=apple&match=value", ["apple"]),
        ("status=exhausted", ["apple"]),
        ("search=nothing", []),
        ("size=25&sort=-value", ["banana", "apricot", "apple"]),
        (f"sort=value&after={UNKNOWN_UID}", ["apple", "apricot", "banana"]),
        ("valid_at=2026-01-01T00:00&sort=value", ["apple", "apricot", "banana"]),
    ],
)
def test_export_when_it_has_the_address_of_a_list_then_it_has_what_matches(
    signed_in, stock, query, values
):
    assert values_of(signed_in("viewer").get(f"{EXPORT}?{query}")) == values


@pytest.mark.parametrize(
    "query",
    [
        "status=none",
        "created_from=x",
        "status=exhausted&status=expired",
        "match=near",
        "search=%00",
    ],
)
def test_export_when_its_address_is_wrong_then_the_list_tells_and_nothing_is_exported(
    signed_in, stock, query
):
    answer = signed_in("viewer").get(f"{EXPORT}?{query}", status=303)
    assert answer.location.startswith(f"http://localhost{LIST}?")
    assert "is not possible and was left out" in said(answer.follow())


def test_export_when_tokens_are_chosen_then_it_has_those_in_the_order_of_the_list(
    signed_in, service, stock
):
    tokens = {token.value: str(token.uid) for token in service.page(9).tokens}
    chosen = [("uid", tokens["banana"]), ("uid", tokens["apple"]), ("uid", UNKNOWN_UID)]
    answer = signed_in("viewer").post(EXPORT, [*chosen, ("list", "?search=b"), chosen[0]])
    assert values_of(answer) == ["banana", "apple"]


def test_export_when_all_that_match_are_chosen_then_it_has_those(signed_in, service, stock):
    uid = str(service.find_by_value("banana").uid)
    form = [("uid", uid), ("all", "1"), ("list", "?search=ap&sort=value")]
    assert values_of(signed_in("viewer").post(EXPORT, form)) == ["apple", "apricot"]


def test_export_when_nothing_is_chosen_then_the_list_tells(signed_in, stock):
    answer = signed_in("viewer").post(EXPORT, {"list": "?search=ap"}, status=303)
    assert "search=ap" in answer.location
    assert "No token is selected" in said(answer.follow())


@pytest.mark.parametrize("form", [{"uid": "x"}, {"all": "1", "list": "?status=none"}])
def test_export_when_no_form_of_ours_sends_that_then_400(signed_in, stock, form):
    answer = signed_in("viewer").post(EXPORT, form, status=400)
    assert "apple" not in answer.text


def test_export_when_there_are_many_tokens_then_it_has_them_all(signed_in, service):
    for name in "abc":
        service.add_many(new_token(), MAX_BATCH, f"{name}-", by=None)
    client = signed_in("viewer")
    values = values_of(client.get(f"{EXPORT}?sort=value"))
    assert len(values) == 3 * MAX_BATCH
    assert values == sorted(set(values))
    exhausted = TokenFilter(status=Status.EXHAUSTED)
    service.update(service.page(1).tokens[0].uid, parse(usage_count="0"), by=None)
    assert service.count(exhausted) == 1
    assert len(values_of(client.get(f"{EXPORT}?status=exhausted"))) == 1


def parse(**texts):
    return current_parser().changes(texts)


def test_export_when_a_table_is_gone_in_the_middle_then_500_and_no_half_file(
    signed_in, service, monkeypatch
):
    for name in "ab":
        service.add_many(new_token(), MAX_BATCH, name, by=None)
    engine, write = cone.sql.session_factory.engine, spreadsheet.write

    def rename(before, after):
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    def write_and_fail(*args):
        pieces = write(*args)
        yield next(pieces)
        yield next(pieces)
        rename("tokens", "gone")
        yield from pieces

    monkeypatch.setattr(spreadsheet, "write", write_and_fail)
    try:
        answer = signed_in("viewer").get(EXPORT, status=500)
    finally:
        rename("gone", "tokens")
    assert "Content-Disposition" not in answer.headers


@ROLES
def test_export_when_a_role_asks_then_it_needs_to_list(signed_in, stock, role):
    expected = 200 if "list" in GRANTED[role] else 403
    for answer in (
        signed_in(role).get(EXPORT, status="*"),
        signed_in(role).post(EXPORT, {"all": "1", "list": ""}, status="*"),
    ):
        assert answer.status_int == expected
        assert ("apple" in answer.text) is (expected == 200)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"list": "?serach=ap"},
        {"list": "?search"},
        {"list": "?search=%FF"},
        {"list": "?created_from=soon"},
        [("all", "1"), ("list", "?search=ap"), ("list", "")],
    ],
    ids=["nothing", "unknown name", "no value", "not UTF-8", "wrong time", "twice"],
)
@pytest.mark.parametrize("path", [EXPORT, "/tokens/labels", "/tokens/bulk"])
def test_all_when_the_list_is_not_told_clearly_then_it_never_means_more(
    signed_in,
    stock,
    service,
    path,
    fields,
):
    before = service.count()
    more = {"make": "1", "expected": "4", "action": "delete", "confirmed": "1"}
    sent = fields if isinstance(fields, list) else [("all", "1"), *fields.items()]
    answer = signed_in("admin").post(path, [*sent, *more.items()], status=400)
    assert answer.content_type == "text/html"
    assert service.count() == before


def test_export_when_the_address_has_a_name_that_the_list_does_not_know_then_400(admin, stock):
    assert "apple" not in admin.get(f"{EXPORT}?stauts=expired", status=400).text


def test_export_when_another_site_links_to_it_then_it_is_refused(admin, stock):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert "apple" not in admin.get(EXPORT, headers=headers, status=403).text
    assert "apple" in admin.get(EXPORT, headers={"Sec-Fetch-Site": "none"}).text


def test_export_when_nobody_is_signed_in_then_401(anonymous, stock):
    for answer in (anonymous.get(EXPORT, status=401), anonymous.post(EXPORT, status=401)):
        assert "apple" not in answer.text


# Import


@ROLES
def test_import_when_a_role_asks_then_it_needs_to_add(signed_in, role):
    expected = 200 if "add" in GRANTED[role] else 403
    client = signed_in(role)
    assert client.get(IMPORT, status="*").status_int == expected
    form = {"known": "update", "text": "value\nx\n"}
    assert client.post(IMPORT, form, status="*").status_int == expected


def test_import_when_nobody_is_signed_in_then_401_and_no_larger_body(anonymous):
    anonymous.get(IMPORT, status=401)
    anonymous.post(IMPORT, {"known": "skip", "text": "value\nx\n"}, status=401)
    anonymous.post(IMPORT, {"text": "x" * MIB}, status=413)


def test_import_when_it_comes_from_another_site_then_403(editor, content):
    before = content()
    form = {"known": "skip", "checked": '"value\\nx"', "key": UNKNOWN_UID}
    headers = {"Sec-Fetch-Site": "cross-site"}
    editor.post(IMPORT, form, headers=headers, status=403)
    assert content() == before


@pytest.mark.parametrize("kind", [str, str.encode])
def test_import_when_it_is_checked_and_confirmed_then_tokens_are_there(
    editor, service, content, kind
):
    before = content()
    answer = check(editor, kind("value;usage_count\nfirst;3\nsecond;\n"))
    assert counts_of(answer) == {"New tokens": "2", "Tokens that change": "0"}
    assert content() == before
    done = confirm(answer)
    assert "New: 2, changed: 0" in said(done.follow())
    assert service.find_by_value("first").usage_count == 3
    assert service.find_by_value("second").usage_count == 1


@pytest.mark.parametrize("known", ["skip", "update"])
def test_import_when_values_are_known_then_the_choice_decides(editor, service, make_token, known):
    make_token(value="a", usage_count=1)
    make_token(value="b", usage_count=7)
    answer = check(editor, "value,usage_count\na,7\nb,7\nc,7\n", known)
    told = counts_of(answer)
    assert told["New tokens"] == "1"
    assert told["Tokens that change"] == ("1" if known == "update" else "0")
    confirm(answer)
    assert service.find_by_value("a").usage_count == (7 if known == "update" else 1)
    assert service.find_by_value("b").version == 1


@pytest.mark.parametrize("known", ["skip", "update"])
def test_import_when_the_button_is_pressed_twice_then_it_counts_once(
    editor, service, make_token, content, known
):
    uid = make_token(value="a", usage_count=1).uid
    answer = check(editor, "value,usage_count\na,9\n,1\n,1\n", known)
    first = confirm(answer)
    service.consume(uid, by=None)
    before = content()
    assert confirm(answer).location == first.location
    assert content() == before
    assert service.count() == 3


@pytest.mark.parametrize("known", ["skip", "update"])
def test_verify_when_a_file_was_imported_then_nothing_is_wrong(editor, service, make_token, known):
    make_token(value="a", usage_count=1)
    confirm(check(editor, "value,usage_count,enabled\na,9,\nb,0,\nc,1,false\n", known))
    audit = Maintenance(Database(cone.sql.session_factory.engine, utc_now), [TICKET]).verify()
    assert (audit.findings, audit.counts.keys) == ((), 1)


def test_import_when_nothing_would_change_then_it_says_so(editor, make_token):
    make_token(value="a")
    answer = check(editor, "value\na\n", "update")
    assert "There is nothing to import" in said(answer)
    assert len(answer.forms) == 1


def test_import_when_there_are_mistakes_then_each_is_told_and_nothing_is_imported(
    editor, content, make_token
):
    make_token(value="known", valid_to=current_parser().instant("x", "2026-01-01T00:00"))
    before = content()
    lines = ["value,usage_count,valid_from", f'"{HTML.replace(chr(34), chr(34) * 2)}",x,']
    lines += ["good,1,", "known,1,2026-02-01 00:00", "good,1,", f"{'👪' * 600},1,", "short"]
    answer = check(editor, "\n".join(lines), "update", status=400)
    assert mistakes_of(answer) == [
        ["2", "usage_count", "x", "This must be a whole number."],
        ["4", "valid_from", "2026-02-01 00:00", "The start must be before the end."],
        ["5", "value", "good", "The value stands in line 3 already."],
        ["6", "value", "👪" * 40 + "…", mistakes_of(answer)[3][3]],
        ["7", "", "", "The row does not have as many cells as there are columns."],
    ]
    assert counts_of(answer)["Lines with mistakes"] == "5"
    assert answer.forms[0].enctype == "multipart/form-data"
    assert "checked" not in answer.forms[0].fields
    assert answer.forms[0]["text"].value == "\r\n".join(lines).replace("\r\n", "\n")
    assert "<script>alert" not in answer.text
    assert content() == before


@pytest.mark.parametrize("value", [HTML, "\u202eevil\u2066", "👪🎫" * 250, "x" * 2_048, "a\nb"])
def test_import_when_a_wrong_cell_is_strange_then_it_is_short_and_escaped(editor, value):
    cell = value.replace('"', '""')
    content = f'value,lock_time\na,"{cell}"\n"{cell}",1\n"{cell}",1\n'.encode()
    answer = check(editor, content, status=400)
    short = value if len(value) <= 40 else f"{value[:40]}…"
    # Where it cannot be a code, the line of the first one is wrong as well.
    count = 3 if "\n" in value else 2
    assert [row[2].strip() for row in mistakes_of(answer)] == [short] * count
    assert "<script>alert" not in answer.text


def test_import_when_there_are_more_mistakes_than_fit_then_the_first_are_listed(editor):
    text = "value,usage_count\n" + "".join(f"{number},x\n" for number in range(250))
    answer = check(editor, text, status=400)
    assert len(mistakes_of(answer)) == 100
    assert counts_of(answer)["Lines with mistakes"] == "250"
    assert "The first 100 lines with mistakes" in said(answer)


def formatted_book() -> bytes:
    """Return a workbook whose first sheet is hidden, with codes that are numbers."""
    book = openpyxl.Workbook()
    book.active.append(["Code"])
    book.active.sheet_state = "hidden"
    sheet = book.create_sheet("Guests")
    book.active = 1
    for row in (["Nr", "Name"], [123, "Anna"], [0.5, "Bob"]):
        sheet.append(row)
    sheet["A2"].number_format, sheet["A3"].number_format = "00000", "0%"
    sheet.row_dimensions[3].hidden = True
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def saved_file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", ["de.xlsx", "de-semicolon-windows-1252.csv", "fr-tab-utf-16.csv"])
def test_import_when_libreoffice_saved_the_file_then_its_tokens_are_there(editor, service, name):
    confirm(check(editor, saved_file(name)))
    token = service.find_by_value("G-0012")
    assert (token.label, token.email, token.category) == ("Zoë Müller", "zoe@example.org", "VIP")
    assert (token.usage_count, token.enabled) == (2, True)
    assert service.count() == 3


def test_import_when_a_workbook_has_more_than_is_seen_then_the_check_tells_and_keeps_it(
    editor, service
):
    answer = check(editor, formatted_book())
    told = [
        "Sheet 2 of 2 is read: “Guests”.",
        "Hidden rows that are imported like the others: 1.",
        "Codes of cells that Excel may show in another way",
    ]
    # The column is no code until somebody says so.
    assert [text in said(answer) for text in told] == [True, True, False]
    form = next(form for form in answer.forms.values() if "column-0" in form.fields)
    form["column-0"] = "value"
    again = form.submit("look")
    assert [text in said(again) for text in told] == [True, True, True]
    assert "another way (numbers in a format, dates, times, percentages, flags): 1. Lines: 3." in (
        said(again)
    )
    confirm(again)
    assert {service.find_by_value(code).label for code in ("00123", "0.5")} == {"Anna", "Bob"}


@pytest.mark.parametrize(
    "sheet",
    [
        "1",
        "{",
        '["a", 1, 1]',
        '["a", -1, 1, 1, {}]',
        '["a", true, 1, 1, {}]',
        '["\\ud800", 1, 1, 1, {}]',
        "[null, 1, 1, 1, {}]",
        '["a", 1, 1, 1, {"x": []}]',
        '["a", 1, 1, 1, {"0": [[1, 999999999]]}]',
        '["a", 1, 1, 1, {"0": [1]}]',
        "[" * 100_000,
    ],
)
def test_import_when_no_form_of_ours_tells_of_such_a_sheet_then_it_is_400(editor, sheet):
    form = {"known": "skip", "checked": '"value\\na"', "look": "1", "sheet": sheet}
    answer = editor.post(IMPORT, form, status=400)
    assert "Traceback" not in answer.text


BAD_FILES = {
    "empty": (b"", "Choose a file"),
    "blank": (b"\n \n", "must name the columns"),
    "no header": (b"abc,5\n", "must name the columns"),
    "a column without a name": (b"value,,x\na,b,c\n", "columns that are not known: \u201c\u201d"),
    "no value": (b"usage_count\n1\n", "must name the columns"),
    "an old workbook": (saved_file("old.xls"), "an old Excel file (xls)"),
    "a file of LibreOffice": (saved_file("open-document.ods"), "a file of LibreOffice (ods)"),
    "a web page": (saved_file("web-page.xls"), "a web page or XML, whatever it is called"),
    "many columns": (b"value" + b",x" * 300 + b"\n", "more than 100 columns"),
    "twice": (b"value,value\n1,1\n", "“value” and “value” both mean “value”"),
    "no rows": (b"value\n", "There is no token in it"),
    "binary": (bytes(range(256)) * 40, "no text that a spreadsheet saves"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "no text that a spreadsheet saves"),
    "UTF-16 without mark": ("value\na\n".encode("utf-16-le"), "no text in UTF-8"),
    "too many rows": (b"value\n" + b"\n".join(b"%d" % n for n in range(10_001)), "more than 10000"),
    "too large": (b"value\n" + b'"' * (5 * MIB), "at most 8 MiB"),
}


def test_export_when_the_page_is_german_then_cells_are_separated_as_spreadsheets_expect(
    admin, make_token
):
    make_token(value="A-1", label="Zoë; Müller, Jo")
    exported = admin.get("/tokens/export?_LOCALE_=de").body
    assert exported.decode("utf-8-sig").startswith("uid;value;status;")
    answer = check(admin, exported, known="update")
    assert counts_of(answer)["Tokens that are as in the file already"] == "1"


GUESTS = "Ticket;Name;E-Mail;Tisch\nA-1;Zoë Müller;zoe@example.org;7\n;Jörg;;8\n"


def test_import_when_no_column_is_the_name_then_the_check_says_so(editor):
    told = "No column is the name: choose one below."
    answer = check(editor, "Code;Wer\nA-1;Zoë\n")
    assert told in said(answer)
    form = answer.forms[0]
    form["column-1"] = "label"
    assert told not in said(form.submit("look"))
    assert told not in said(check(editor, "Code;Vorname;Nachname\nA-1;Zoë;Müller\n"))
    assert told not in said(check(editor, "Code\nA-1\n"))


def press(form, name):
    return form.submit(name) if name else form.submit()


def test_import_when_a_list_of_guests_is_checked_then_it_shows_what_the_first_lines_will_be(editor):
    answer = check(editor, GUESTS)
    rows = answer.html.find("table", class_="tokens-preview").tbody.find_all("tr")
    told = [[cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in rows]
    assert told[0][:4] == ["2", "A-1", "Zoë Müller", "zoe@example.org"]
    assert told[1][:4] == ["3", "made here", "Jörg", ""]


def test_import_when_a_column_is_not_known_then_it_is_asked_and_the_choice_counts(editor, service):
    form = check(editor, GUESTS).forms[0]
    assert form["column-3"].value == "data:"
    form["column-3"] = "category"
    looked = form.submit("look")
    rows = looked.html.find("table", class_="tokens-preview").tbody.find_all("tr")
    assert rows[0].find_all("td")[3].get_text() == "7"
    assert looked.forms[0]["column-3"].value == "category"
    looked.forms[0].submit().follow()
    token = service.find_by_value("A-1")
    assert (token.label, token.category, token.data) == ("Zoë Müller", "7", None)


def test_import_when_nothing_is_chosen_then_unknown_columns_are_kept(editor, service):
    check(editor, GUESTS).forms[0].submit().follow()
    assert json.loads(service.find_by_value("A-1").data) == {"Tisch": "7"}


@pytest.mark.parametrize("field", ["column-x", "column-99999999999999999999", "column-"])
def test_import_when_no_form_of_ours_names_such_a_column_then_it_is_400(editor, field):
    form = {"known": "skip", "text": GUESTS, field: "note"}
    editor.post("/tokens/import", form, status=400)
    editor.post("/tokens/import", {**form, "column-3": "uid"}, status=400)


def test_import_when_letters_are_a_guess_then_it_says_so_and_shows_them(editor, service):
    answer = check(editor, GUESTS.encode("cp1252"))
    assert "read as Windows-1252" in said(answer)
    assert "Zoë Müller" in said(answer)
    answer.forms[0].submit().follow()
    assert service.find_by_value("A-1").label == "Zoë Müller"
    assert "Windows-1252" not in said(check(editor, GUESTS.encode("utf-16")))


@pytest.mark.parametrize(("file", "told"), BAD_FILES.values(), ids=BAD_FILES)
def test_import_when_the_file_is_wrong_as_a_whole_then_it_is_told_beside_the_field(
    editor, content, file, told
):
    before = content()
    answer = check(editor, file, status=400)
    mistake = answer.html.find(id="import-mistake")
    assert told in " ".join(mistake.get_text().split())
    assert "import-mistake" in answer.html.find(id="import-file")["aria-describedby"]
    assert answer.html.find("dl") is None
    assert content() == before


BAD_LINES = {
    "NUL": (b"value\na\0b\n", 2),
    "huge cell": (b"value\n" + b"x" * 200_000 + b"\n", 2),
    "open quote": (b'value\na\n"b\nc\n', 3),
    "behind a quote": (b'value\n"a"b\n', 2),
    "quoted lines": (b'value,creator,enabled\na,"b\nc",1\nd,,perhaps\n', 4),
    "blank code": (b"value,usage_count\r\nF07-D,1\r\n   ,1\r\n", 3),
    "mended twice": ("value\nF07-B\nF07-B\u200b\n".encode(), 3),
    "normal forms": ("value\n\u00e9\ne\u0301\n".encode(), 3),
}


def case(name: str) -> bytes:
    return (FILES / name).read_bytes()


def test_import_when_codes_have_what_nobody_sees_at_their_ends_then_it_is_told_and_left_out(
    editor, service
):
    answer = check(editor, case("invisible-ends.csv"))
    assert "signs that nobody sees at their ends: 3. Lines: 2, 3, 4." in said(answer)
    answer.forms[0].submit().follow()
    assert sorted(token.value for token in service.every(EVERYTHING)) == ["F07-A", "F07-B", "F07-C"]
    # The same file again means the same tokens.
    answer = check(editor, case("invisible-ends.csv"), known="update")
    assert counts_of(answer)["Tokens that are as in the file already"] == "3"


def test_import_when_a_spreadsheet_shortened_a_number_then_the_check_doubts_it(editor):
    assert "has shortened: 1. Lines: 2." in said(check(editor, case("shortened-number.csv")))


def test_import_when_codes_differ_by_case_alone_then_the_check_doubts_them(editor):
    answer = check(editor, "value\nabc\nABC\nx\n")
    assert "by capital letters alone: 2. Lines: 2, 3." in said(answer)


def test_import_when_it_gives_used_tokens_their_uses_back_then_the_check_tells_them(
    admin, service, make_token
):
    used, _fresh = (make_token(value=value, usage_count=2) for value in ("GALA-160", "GALA-161"))
    exported = admin.get("/tokens/export").body
    service.consume(used.uid, by=None)
    line = (
        exported.decode()
        .splitlines()
        .index(next(row for row in exported.decode().splitlines() if "GALA-160" in row))
    )
    told = f"redeemed since and get uses back: 1. Lines: {line + 1} (“GALA-160”)."
    assert told in said(check(admin, exported, known="update"))
    assert "uses back" not in said(check(admin, exported, known="skip"))


def test_import_when_a_code_is_read_like_that_of_another_token_then_the_check_doubts_it(
    app, make_token
):
    make_token(value="ABC")
    told = said(check(app("editor"), "value\nx\nabc\n"))
    assert "from one that a token has or had: 1. Lines: 3 (“ABC”)." in told


def test_import_when_an_old_code_ends_with_a_blank_then_its_export_comes_back_unchanged(
    admin, give_old_code
):
    token = give_old_code("old ")
    exported = admin.get("/tokens/export").body
    answer = check(admin, exported, known="update")
    assert counts_of(answer)["Tokens that are as in the file already"] == "1"
    assert str(token.uid) in exported.decode()


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.glob("*.csv")))
def test_import_when_a_file_is_one_that_failed_once_then_it_is_read_or_its_mistake_is_told(
    editor, name
):
    status = 400 if name == "blank-code.csv" else 200
    answer = check(editor, case(name), status=status)
    if status == 200:
        answer.forms[0].submit().follow()
    else:
        assert [row[0] for row in mistakes_of(answer)] == ["3"]


@pytest.mark.parametrize(("file", "line"), BAD_LINES.values(), ids=BAD_LINES)
def test_import_when_a_line_cannot_be_read_then_it_is_told(editor, content, file, line):
    before = content()
    answer = check(editor, file, status=400)
    assert [row[0] for row in mistakes_of(answer)] == [str(line)]
    assert content() == before


def test_import_when_file_and_text_are_given_then_it_says_so(editor):
    form = editor.get(IMPORT).forms[0]
    form["file"] = Upload("a.csv", b"value\na\n")
    form["text"] = "value\nb\n"
    assert "not both" in said(form.submit(status=400))


def test_import_when_the_body_is_larger_than_8_mib_then_413(editor):
    answer = check(editor, b"x" * (8 * MIB), status=413)
    assert "larger than 8 MiB" in said(answer)
    answer = editor.post("/tokens/bulk", {"x": "x" * MIB}, status=413)
    assert "larger than 1 MiB" in said(answer)


def test_import_when_the_file_is_as_large_as_it_may_be_then_it_is_imported(editor, service):
    values = [f"{number:04}{'ü' * 1_000}" for number in range(4_000)]
    file = ("value\n" + "\n".join(values)).encode()
    assert 7 * MIB < len(file) < 8 * MIB
    confirm(check(editor, file))
    assert service.count() == 4_000


NO_FORM = {
    "no choice": {"text": "value\na\n"},
    "wrong choice": {"known": "delete", "text": "value\na\n"},
    "no key": {"known": "skip", "checked": '"value\\na"'},
    "wrong key": {"known": "skip", "checked": '"value\\na"', "key": "1"},
    "no text": {"known": "skip", "checked": "{", "key": UNKNOWN_UID},
    "a number": {"known": "skip", "checked": "1", "key": UNKNOWN_UID},
    "half a character": {"known": "skip", "checked": r'"value\n\ud800"', "key": UNKNOWN_UID},
    "nested": {"known": "skip", "checked": "[" * 100_000, "key": UNKNOWN_UID},
}


@pytest.mark.parametrize("form", NO_FORM.values(), ids=NO_FORM)
def test_import_when_no_form_of_ours_sends_that_then_400(editor, content, form):
    before = content()
    editor.post(IMPORT, form, status=400)
    assert content() == before


@pytest.mark.parametrize("field", ["known", "text", "other", "ajax.action", "_LOCALE_"])
def test_import_when_another_field_is_a_file_then_it_is_refused(editor, field):
    files = [(field, "a.csv", b"value\na\n")]
    editor.post(IMPORT, {"known": "skip"}, upload_files=files, status=400)


def test_a_page_when_a_file_is_sent_to_it_then_it_is_refused(editor):
    for path in ("/tokens/add", "/tokens/bulk", EXPORT):
        editor.post(path, {}, upload_files=[("file", "a.csv", b"value\n")], status=400)


PARTS = {
    "nested file": b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n--y--\r\n",
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\nIQ=\r\n",
    "length": b"Content-Length: -5\r\n\r\nvalue\r\n",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_import_when_nobody_could_mean_the_form_then_it_is_refused(editor, part):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
    known = b'--x\r\nContent-Disposition: form-data; name="known"\r\n\r\nskip\r\n'
    body = known + head + part + b"--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    editor.post(IMPORT, body, headers=headers, status=400)


def test_import_when_a_text_beside_the_file_is_no_utf8_then_it_is_refused(editor):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="known"\r\n\r\nskip\xff\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n\xfe\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = editor.post(IMPORT, body, headers=headers, status=400)
    assert "not encoded in UTF-8" in said(answer)


def test_import_when_values_change_between_report_and_button_then_it_tells_and_changes_nothing(
    editor, make_token, content
):
    answer = check(editor, "value,valid_to\na,2026-01-01 00:00\n", "update")
    make_token(value="a", valid_from=current_parser().instant("x", "2026-02-01T00:00"))
    before = content()
    again = confirm(answer, status=400)
    assert mistakes_of(again) == [
        ["2", "valid_to", "2026-01-01 00:00", "The start must be before the end."],
    ]
    assert content() == before


def test_import_when_a_value_is_taken_meanwhile_then_it_tells_and_shows_how_it_is_now(
    editor, make_token, content
):
    answer = check(editor, "value\na\nb\n")
    make_token(value="a")
    before = content()
    with as_if_taken("b"):
        again = confirm(answer, status=409)
    assert "given to another token meanwhile" in said(again)
    assert counts_of(again)["New tokens"] == "1"
    assert content() == before
    assert "New: 1" in said(confirm(again).follow())


@pytest.mark.parametrize(
    "query",
    [
        "added=1",
        "added=x&updated=1&unchanged=1&skipped=1",
        "added=<b>&updated=&unchanged=&skipped=",
    ],
)
def test_import_when_its_note_is_made_up_then_there_is_none(editor, query):
    assert "The import is done" not in said(editor.get(f"{IMPORT}?{query}"))


# Rows that name a token by its uid


@pytest.mark.parametrize("known", ["skip", "update"])
def test_import_when_a_row_has_another_code_then_the_check_shows_it_and_no_second_token_is_made(
    editor, service, make_token, known
):
    token = make_token(value=HTML)
    answer = check(editor, f"uid,value\n{token.uid},new-code\n,other\n", known)
    table = answer.html.find("table")
    is_update = known == "update"
    title = "Codes that change" if is_update else "Codes that stay, though the file has others"
    assert table.caption.get_text().strip() == title
    [row] = mistakes_of(answer)
    assert row == ["2", HTML, "new-code"]
    assert table.a["href"].endswith(f"/tokens/{token.uid}")
    assert "<script>alert" not in answer.text
    told = counts_of(answer)
    assert told["New tokens"] == "1"
    assert told["Tokens that change"] == ("1" if is_update else "0")
    confirm(answer)
    assert service.get(token.uid).value == ("new-code" if is_update else HTML)
    assert service.count() == 2


def test_import_when_uid_and_code_are_of_two_tokens_then_the_line_is_named(
    editor, make_token, content
):
    uids = {value: make_token(value=value).uid for value in "abc"}
    before = content()
    rows = [
        (uids["a"], "b"),
        ("x", "c"),
        ("", "new"),
        (uids["c"], "d"),
        (uids["c"], "e"),
        ("", "c"),
    ]
    text = "uid,value\n" + "".join(f"{uid},{value}\n" for uid, value in rows)
    answer = check(editor, text, "update", status=400)
    assert mistakes_of(answer) == [
        ["2", "value", "b", "Another token than that of the uid has this value."],
        ["3", "uid", "x", "This is no uid of a token."],
        ["6", "uid", str(uids["c"]), "The uid stands in line 5 already."],
        ["7", "value", "c", "Line 5 is about the same token."],
    ]
    assert content() == before


def test_import_when_there_are_more_codes_than_fit_then_the_first_are_listed(editor, service):
    uids = service.add_many(new_token(), 101, "many-", by=None)
    lines = "".join(f"{uid},new-{number}\n" for number, uid in enumerate(uids))
    answer = check(editor, f"uid,value\n{lines}", "update")
    assert len(mistakes_of(answer)) == 100
    assert "(the first 100 of 101)" in said(answer)


# There and back


def test_import_when_it_is_an_export_of_here_then_nothing_would_change(
    editor, service, stock, give_old_code
):
    for value in NEW:
        service.add(new_token(value=value), by="=me")
    for value in OLD:
        give_old_code(value)
    file = editor.get(EXPORT).body
    answer = check(editor, file, "update")
    assert counts_of(answer)["Tokens that are as in the file already"] == str(len(STRANGE) + 3)


def test_import_when_it_is_an_export_of_elsewhere_then_the_tokens_are_the_same(
    editor, service, stock
):
    for number, value in enumerate(NEW):
        time = current_parser().instant("x", f"2026-06-01T12:00:00.{number:06}")
        service.add(new_token(value=value, valid_from=time, lock_time=number), by=None)

    def facts():
        return {
            token.value: (
                token.valid_from,
                token.valid_to,
                token.usage_count,
                token.lock_time,
                token.enabled,
            )
            for token in service.every(TokenFilter())
        }

    before = facts()
    file = editor.get(EXPORT).body
    service.delete_many(TokenFilter(), by=None)
    confirm(check(editor, file))
    assert facts() == before


#: A list with columns of its own: names of ours, signs that begin formulas, JSON, empty cells.
OTHER_COLUMNS = (
    "Ticket;Name;Tisch;status;=Menü;Notiz 2;Größe\n"
    'A-1;Zoë Müller;7;paid;=1+1;"two\nlines";{"a": 1}\n'
    "A-2;Jörg;;open;'x; ;L\n"
    "A-3;Ann;;;;;\n"
)


@pytest.mark.parametrize("query", ["format=csv", "format=csv&_LOCALE_=de", "format=xlsx"])
def test_import_when_a_list_has_columns_of_its_own_then_its_export_comes_back_unchanged(
    editor, service, query
):
    def facts():
        return {one.value: (one.label, one.data) for one in service.every(TokenFilter())}

    check(editor, OTHER_COLUMNS).forms[0].submit().follow()
    before = facts()
    assert json.loads(before["A-1"][1])["status"] == "paid"
    assert json.loads(before["A-2"][1]) == {"status": "open", "=Menü": "'x", "Größe": "L"}
    file = editor.get(f"{EXPORT}?{query}").body
    answer = check(editor, file, "update")
    assert counts_of(answer)["Tokens that are as in the file already"] == "3"
    service.delete_many(TokenFilter(), by=None)
    confirm(check(editor, file))
    assert facts() == before
