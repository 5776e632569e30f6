"""The page that makes labels."""

import json
import uuid

import pytest

from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets import label_sheets
from cone.tokens.tickets import labels
from cone.tokens.tickets.label_text import Texts
from tests.support.asking import UNKNOWN_UID
from tests.support.documents import codes_on
from tests.support.documents import pages_of
from tests.support.factories import new_token

PATH = "/tokens/labels"
OWN = {
    "sheet": "own",
    "page": "Letter",
    "columns": "2",
    "rows": "2",
    "width": "50,5",
    "height": "60",
    "left": "1",
    "top": "2.5",
    "gap_x": "0",
    "gap_y": "3",
}


QR_WHOLE = "Their QR codes are whole. The first of them:"


@pytest.fixture
def tokens(make_token):
    return [make_token(value=f"value {number}") for number in range(3)]


def form(*tokens, **fields):
    """The fields of the form."""
    chosen = json.dumps([str(token.uid) for token in tokens])
    return {"token_uids": chosen, "make": "pdf", "caption": "true", **fields}


def labels_form(answer):
    return next(iter(labels_forms(answer)))


def labels_forms(answer):
    return [one for one in answer.forms.values() if one.action.endswith("/labels")]


def content(answer):
    return answer.html.find(id="content")


def text_of(answer):
    return " ".join(content(answer).get_text(" ").split())


def read_codes(answer):
    """The texts of the codes of a document, those of the first page first."""
    assert answer.content_type == "application/pdf"
    found = []
    for picture in pages_of(answer.body, 288):
        found += sorted(codes_on(picture))
    return found


def mistake_at(answer, name):
    assert content(answer).find(id=f"tokens-{name}")["aria-invalid"] == "true"
    return content(answer).find(id=f"tokens-{name}-mistake").get_text(strip=True)


@pytest.mark.parametrize(
    ("role", "of_many", "of_one"),
    [("viewer", 200, 200), ("token_operator", 403, 200), ("editor", 200, 200), (None, 403, 403)],
)
def test_page_when_the_role_may_see_the_tokens_then_it_may_print_them(
    app,
    make_token,
    role,
    of_many,
    of_one,
):
    client, token = app(role), make_token()
    for method in (client.get, client.post):
        assert method(PATH, form(token), status="*").status_int == of_many
        path = f"/tokens/{token.uid}/labels"
        assert method(path, {"make": "pdf"}, status="*").status_int == of_one


@pytest.mark.parametrize("path", [PATH, f"/tokens/{UNKNOWN_UID}/labels"])
def test_page_when_nobody_is_signed_in_then_401(anonymous, path):
    anonymous.get(path, status=401)


def test_page_when_no_tokens_are_chosen_then_it_says_so(editor):
    assert "No tokens are chosen." in text_of(editor.get(PATH))
    assert "No tokens are chosen." in text_of(editor.post(PATH, {"make": "pdf"}, status=400))


def test_page_when_there_is_no_such_token_then_404(editor):
    editor.get(f"/tokens/{UNKNOWN_UID}/labels", status=404)


@pytest.mark.parametrize("way", ["json", "fields"])
def test_form_when_it_is_sent_then_the_document_has_the_chosen_tokens(editor, tokens, way):
    uids = [str(token.uid) for token in tokens]
    query = (
        [("token_uids", json.dumps(uids))] if way == "json" else [("token_uids", u) for u in uids]
    )
    page = editor.post(PATH, query)
    assert "Labels to print: 3" in text_of(page)
    asked = labels_form(page)
    answer = asked.submit("make")
    assert read_codes(answer) == ["value 0", "value 1", "value 2"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="labels.pdf"'


def test_form_when_it_is_about_one_token_then_the_document_has_it(editor, tokens):
    page = editor.get(f"/tokens/{tokens[1].uid}/labels")
    assert "A label for the token value 1" in text_of(page)
    asked = labels_form(page)
    assert read_codes(asked.submit("make")) == ["value 1"]


def test_document_when_tokens_have_labels_then_it_shows_them(editor, make_token, monkeypatch):
    seen = []
    monkeypatch.setattr(labels, "pdf", lambda texts, *_rest: seen.extend(texts) or b"x")
    token = make_token(value="GUEST-1", label="Zoë", category="VIP", email="zoe@example.org")
    editor.post(f"/tokens/{token.uid}/labels", {"make": "pdf"})
    editor.post(PATH, form(token))
    assert seen == [Texts("GUEST-1", "Zoë", "VIP")] * 2


LACKED = ["Ελένη Παπαδοπούλου", "Елена Иванова", "שרה כהן", "山田 太郎", "Ann 🎟", "محمد"]


@pytest.mark.parametrize("name", LACKED)
def test_page_when_the_font_lacks_signs_of_a_label_then_it_is_told_before_it_is_printed(
    editor, tokens, make_token, name
):
    token = make_token(value="A-1", label=name)
    told = f"Labels on which \u25ca stands for other signs: 1. {QR_WHOLE} {name}"
    many = editor.post(PATH, {"token_uids": json.dumps([str(token.uid), str(tokens[0].uid)])})
    every = editor.post(PATH, {"all": "1", "list": "?"})
    one = editor.get(f"/tokens/{token.uid}/labels")
    for answer in (many, every, one):
        assert told in text_of(answer)
        assert labels_form(answer).submit("make").content_type == "application/pdf"


def test_page_when_many_labels_lack_signs_then_the_first_are_named(editor, make_token):
    for number in range(5):
        make_token(value=f"Ω-{number}", category="Καλεσμένος")
    told = text_of(editor.post(PATH, {"all": "1", "list": "?sort=value"}))
    assert f"other signs: 5. {QR_WHOLE} Ω-0, Ω-1, Ω-2 " in told


def test_page_when_names_have_latin_letters_and_marks_that_are_left_out_then_nothing_is_told(
    editor, make_token
):
    for name in ("Zoë Müller", "Łukasz Żądło", "Nguyễn Văn A", "Ann\u200d \u25ca"):
        make_token(label=name)
    assert "stands for" not in text_of(editor.post(PATH, {"all": "1", "list": "?"}))


def test_page_when_a_value_is_html_then_it_is_escaped_and_shortened(editor, make_token):
    token = make_token(value="<script>alert(1)</script>" + "x" * 2000)
    answer = editor.get(f"/tokens/{token.uid}/labels")
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert len(content(answer).find("bdi").get_text()) < 100
    editor.post(f"/tokens/{token.uid}/labels", {"make": "pdf"}, status=200)


def test_document_when_a_uid_is_chosen_twice_then_there_is_one_label(editor, tokens):
    fields = [("make", "pdf")] + [("token_uids", str(tokens[0].uid))] * 2
    assert read_codes(editor.post(PATH, fields)) == ["value 0"]


def test_document_when_a_link_asks_for_it_then_the_form_comes(editor, tokens):
    answer = editor.get(PATH, form(*tokens))
    assert answer.content_type == "text/html"
    assert labels_forms(answer)


def test_document_when_options_are_given_then_they_are_obeyed(editor, tokens, monkeypatch):
    seen = []
    monkeypatch.setattr(labels, "pdf", lambda values, options, title: seen.append(options) or b"x")
    editor.post(PATH, form(*tokens, sheet="L7651", start="65", cut_marks="true"))
    editor.post(PATH, {**form(*tokens), "caption": ""})
    fields = form(*tokens, **OWN)
    del fields["caption"]
    editor.post(PATH, fields)
    first, second, third = seen
    assert first == labels.Options(sheet=label_sheets.SHEETS["L7651"], start=65, cut_marks=True)
    assert second == labels.Options(sheet=label_sheets.SHEETS["L7160"])
    assert not third.caption
    assert (third.sheet.page, third.sheet.width, third.sheet.pitch_y) == ((215.9, 279.4), 50.5, 63)


def test_sheet_when_none_is_chosen_then_it_is_that_of_the_settings(
    editor,
    tokens,
    settings_path,
    monkeypatch,
):
    settings_path.write_text('{"label_sheet": "62x29"}')
    seen = []
    monkeypatch.setattr(labels, "pdf", lambda values, options, title: seen.append(options) or b"x")
    page = editor.post(PATH, {"token_uids": str(tokens[0].uid)})
    chosen = content(page).find(id="tokens-sheet").find_all("option", selected=True)
    assert [option["value"] for option in chosen] == ["62x29"]
    editor.post(PATH, form(*tokens))
    editor.post(PATH, form(*tokens, sheet="L7651"))
    assert [options.sheet.name for options in seen] == ["62x29", "L7651"]


def test_document_when_tokens_are_gone_then_the_form_keeps_the_others(editor, service, tokens):
    service.delete(tokens[0].uid, by=None)
    answer = editor.post(PATH, form(*tokens), status=409)
    assert "Chosen tokens that are no longer there: 1." in text_of(answer)
    asked = labels_form(answer)
    assert read_codes(asked.submit("make")) == ["value 1", "value 2"]
    for token in tokens[1:]:
        service.delete(token.uid, by=None)
    editor.post(PATH, form(*tokens), status=400)


# What is chosen in the list


@pytest.fixture
def printed(monkeypatch):
    """The values that documents were made with, instead of the documents."""
    seen = []

    def keep(texts, _options, _title):
        seen.append([text.code for text in texts])
        return b"x"

    monkeypatch.setattr(labels, "pdf", keep)
    return seen


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_form_when_rows_are_chosen_then_the_labels_are_in_their_order(
    editor,
    tokens,
    printed,
    order,
):
    rows = [("uid", str(tokens[number].uid)) for number in order]
    page = editor.post(PATH, [*rows, ("list", "?sort=value&search=val"), ("action", "delete")])
    assert "Labels to print: 3" in text_of(page)
    back = content(page).find("a", string="Back")["href"]
    assert back.endswith("/tokens/tokens_overview?search=val&sort=value")
    labels_form(page).submit("make")
    assert printed == [[f"value {number}" for number in order]]


@pytest.mark.parametrize(
    ("state", "numbers"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("?sort=created&size=25", [0, 1, 2, 3, 4]),
        ("sort=-value&search=value&match=prefix", [2, 1, 0]),
        ("?search=VALUE&match=prefix&sort=value&after=x", [4, 3]),
        ("?search=VALUE b&match=value", [3]),
    ],
)
def test_form_when_all_that_match_are_chosen_then_the_labels_are_in_the_order_of_the_list(
    editor,
    tokens,
    make_token,
    printed,
    state,
    numbers,
):
    values = [token.value for token in tokens]
    values += [make_token(value=value).value for value in ("VALUE b", "VALUE a")]
    page = editor.post(PATH, {"all": "1", "list": state, "uid": UNKNOWN_UID})
    assert f"Labels to print: {len(numbers)}" in text_of(page)
    answer = labels_form(page).submit("make")
    assert answer.content_type == "application/pdf"
    assert printed == [[values[number] for number in numbers]]


def test_form_when_a_file_was_imported_then_the_labels_are_in_its_order(editor, printed):
    names = [f"guest {number * 7 % 60:02}" for number in range(60)]
    lines = [f"{name},Name of {name},1" for name in names]
    rows = "\n".join(["value,label,usage_count", *lines])
    files = [("file", "guests.csv", rows.encode())]
    checked = editor.post("/tokens/import", {"known": "skip"}, upload_files=files)
    [asked] = [one for one in checked.forms.values() if "checked" in one.fields]
    asked.submit().follow()
    page = editor.post(PATH, {"all": "1", "list": ""})
    labels_form(page).submit("make")
    labels_form(page).submit("make")
    assert printed == [names] * 2


def test_form_when_another_number_matches_by_then_it_tells_that(
    editor,
    service,
    tokens,
    make_token,
    printed,
):
    page = editor.post(PATH, {"all": "1", "list": "?search=value"})
    make_token(value="value 3")
    answer = labels_form(page).submit("make", status=409)
    assert "Another number of tokens matches by now: 4." in text_of(answer)
    assert "Labels to print: 4" in text_of(answer)
    service.delete(tokens[0].uid, by=None)
    again = labels_form(answer).submit("make", status=409)
    assert "matches by now: 3." in text_of(again)
    assert not printed
    labels_form(again).submit("make")
    assert printed == [["value 3", "value 2", "value 1"]]


def test_form_when_none_matches_then_it_says_so(editor, tokens):
    chosen = {"all": "1", "list": "?search=no"}
    assert "No tokens are chosen." in text_of(editor.post(PATH, chosen))
    assert "No tokens are chosen." in text_of(
        editor.post(PATH, {**chosen, "make": "1"}, status=400)
    )


@pytest.mark.parametrize(
    "chosen",
    [
        {"all": "1", "list": "?status=nonsense"},
        {"all": "1", "list": "?status=expired&status=locked"},
        {"all": "1", "list": "?created_from=x"},
        {"all": "1", "list": "?search=%00"},
        {"uid": "x"},
        {"uid": "\0"},
        {"all": "1", "expected": "x", "make": "1"},
        {"all": "1", "expected": "9" * 5_000, "make": "1"},
        {"all": "1", "expected": "-1", "make": "1"},
    ],
)
def test_form_when_no_list_of_ours_sends_that_then_nothing_is_chosen(editor, tokens, chosen):
    answer = editor.post(PATH, chosen, status=400)
    assert "The chosen tokens cannot be read." in text_of(answer)
    assert not labels_forms(answer)


@pytest.mark.parametrize("name", ["uid", "list", "token_uids", "start", "sheet", "expected"])
def test_form_when_a_field_is_a_file_then_it_is_a_mistake(editor, tokens, name):
    fields = {"all": "1", **form(), "list": ""} if name == "expected" else form(*tokens)
    fields.pop(name, None)
    files = [(name, "name.txt", b"x")]
    editor.post(PATH, fields, upload_files=files, status=400)


def test_labels_when_ten_thousand_are_chosen_then_few_statements_read_them(
    editor,
    service,
    printed,
    query_recorder,
):
    uids = service.add_many(new_token(), MAX_BATCH, "x", by=None)
    query_recorder.clear()
    editor.post(PATH, {"make": "1", "token_uids": json.dumps([str(uid) for uid in uids])})
    assert len(query_recorder) == 1
    query_recorder.clear()
    editor.post(
        PATH,
        {
            "make": "1",
            "all": "1",
            "list": "?sort=value",
            "expected": str(MAX_BATCH),
        },
    )
    assert len(query_recorder) == 1
    by_uid, by_filter = printed
    assert sorted(by_uid) == by_filter != by_uid
    assert len(set(by_filter)) == MAX_BATCH
    service.add(new_token(), by=None)
    for sent in ({}, {"make": "1", "expected": str(MAX_BATCH)}):
        answer = editor.post(PATH, {"all": "1", "list": "", **sent}, status=400)
        assert "More than 10000 tokens are chosen" in text_of(answer)
        assert not labels_forms(answer)
    more = json.dumps([str(uid) for uid in [*uids, uuid.uuid4()]])
    assert "10000 at most" in text_of(editor.post(PATH, {"token_uids": more}, status=400))


@pytest.mark.parametrize(
    "chosen",
    ["x", "[1]", "[", '["x"]', "[]", "<b>", "\0", json.dumps([str(uuid.UUID(int=0))] * 2)],
)
def test_selection_when_it_cannot_be_read_then_the_page_says_so(editor, chosen):
    for fields in ({"token_uids": chosen}, {"token_uids": chosen, "make": "pdf"}):
        answer = editor.post(PATH, fields, status=400)
        assert "The chosen tokens cannot be read." in text_of(answer)


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("sheet", "L9999", "There is no such sheet."),
        ("sheet", "<b>", "There is no such sheet."),
        ("start", "0", "This must be a whole number from 1 to 21, the labels of a page."),
        ("start", "22", "This must be a whole number from 1 to 21, the labels of a page."),
        ("start", "", "This must be a whole number from 1 to 21, the labels of a page."),
        ("start", "\u0661", "This must be a whole number from 1 to 21, the labels of a page."),
        ("start", "9" * 2048, "This must be a whole number from 1 to 21, the labels of a page."),
    ],
)
def test_option_when_it_is_wrong_then_the_form_says_why(editor, tokens, name, text, mistake):
    answer = editor.post(PATH, form(*tokens, **{name: text}), status=400)
    assert mistake_at(answer, name) == mistake
    assert "Labels to print: 3" in text_of(answer)


@pytest.mark.parametrize(
    ("changed", "name", "mistake"),
    [
        ({"page": "A3"}, "sheet", "There is no such sheet."),
        ({"width": "wide"}, "width", "This must be a number."),
        ({"gap_x": "-5"}, "gap_x", "This must be a number."),
        ({"columns": "2.5"}, "columns", "This must be a number."),
        ({"rows": "0"}, "rows", "A page needs a column and a row at least."),
        ({"height": "0"}, "height", "A label is at least 5 mm wide and high."),
        ({"width": "4.9"}, "width", "A label is at least 5 mm wide and high."),
        ({"columns": "1000", "rows": "1000"}, "rows", "A page has at most 500 labels."),
        ({"columns": "9"}, "sheet", "The labels would reach beyond the page."),
    ],
)
def test_own_sheet_when_it_is_wrong_then_the_form_says_why(editor, tokens, changed, name, mistake):
    answer = editor.post(PATH, form(*tokens, **{**OWN, **changed}), status=400)
    assert mistake_at(answer, name) == mistake
    assert content(answer).find("details").has_attr("open")


def test_page_when_the_library_is_missing_then_it_says_what_to_install(
    editor,
    tokens,
    monkeypatch,
):
    monkeypatch.setattr(labels, "is_available", lambda: False)
    for path in (PATH, f"/tokens/{tokens[0].uid}/labels"):
        for answer in (editor.get(path, status=501), editor.post(path, form(*tokens), status=501)):
            assert "pip install cone.tokens[labels]" in text_of(answer)
            assert not content(answer).find("form")


def test_pages_when_the_library_is_missing_then_none_leads_to_labels(editor, tokens, monkeypatch):
    paths = ("/tokens", f"/tokens/{tokens[0].uid}")
    assert all("/labels" in editor.get(path).text for path in paths)
    monkeypatch.setattr(labels, "is_available", lambda: False)
    assert not any("/labels" in editor.get(path).text for path in paths)


def test_document_when_another_site_asks_for_it_then_it_is_refused(editor, tokens):
    editor.post(PATH, form(*tokens), headers={"Sec-Fetch-Site": "cross-site"}, status=403)
