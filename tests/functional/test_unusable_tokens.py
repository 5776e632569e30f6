"""Tokens that could not be used: forms, the import and the command line say so, and go on."""

from urllib.parse import urlencode

import pytest

NO_USES = "Cannot be redeemed: 0 uses."
ENDED = "Cannot be redeemed: its validity has ended."
OFF = "Cannot be redeemed: switched off."
ALL = [NO_USES, ENDED, OFF]
PAST = "2020-01-01T10:00"


def hints(page):
    """Return the hints of a form that are to be seen."""
    return [
        hint.text.strip()
        for hint in page.html.select(".tokens-hints p")
        if "hidden" not in hint.attrs
    ]


def warnings(page):
    """Return the warnings at the head of a page, or in the report of an import."""
    return [note.get_text(strip=True) for note in page.html.select("div.alert-warning")]


def fill(form, **fields):
    for name, text in fields.items():
        form[f"tokenform.{name}"] = text
    return form


@pytest.mark.parametrize("path", ["add", "add_many"])
def test_form_when_the_default_is_no_use_then_it_says_so_before_saving(
    editor,
    settings_path,
    path,
):
    settings_path.write_text('{"default_usage_count": 1}')
    page = editor.get(f"/tokens/{path}")
    assert hints(page) == []
    assert page.forms["form-tokenform"]["tokenform.usage_count"].value == "1"
    # A file of an older version, or of somebody who left the key out.
    settings_path.write_text("{}")
    assert hints(editor.get(f"/tokens/{path}")) == [NO_USES]


def test_form_when_it_is_shown_again_then_hints_are_about_what_was_sent(editor):
    form = editor.get("/tokens/add").forms["form-tokenform"]
    fill(form, usage_count="0", valid_to=PAST, lock_time="-1", enabled=False)
    page = form.submit("action.tokenform.save", status=400)
    assert hints(page) == ALL
    fill(page.forms["form-tokenform"], usage_count="x", valid_to="", enabled=True)
    again = page.forms["form-tokenform"].submit("action.tokenform.save", status=400)
    assert hints(again) == []


def test_add_when_the_token_cannot_be_used_then_its_page_says_why(editor):
    form = fill(
        editor.get("/tokens/add").forms["form-tokenform"],
        usage_count="0",
        valid_to=PAST,
        enabled=False,
    )
    page = form.submit("action.tokenform.save").follow()
    assert sorted(warnings(page)) == sorted(ALL)
    assert "The token was added." in page.text
    # Looked at later it is what its status says.
    assert warnings(editor.get(page.request.path)) == []


def test_edit_when_a_token_can_be_used_no_more_then_form_and_page_say_so(editor, make_token):
    token = make_token(usage_count=3)
    page = editor.get(f"/tokens/{token.uid}/edit")
    assert hints(page) == []
    form = fill(page.forms["form-tokenform"], usage_count="0")
    done = form.submit("action.tokenform.save").follow()
    assert warnings(done) == [NO_USES]
    assert hints(editor.get(f"/tokens/{token.uid}/edit")) == [NO_USES]


def test_add_many_when_the_tokens_cannot_be_used_then_the_list_says_how_many(editor):
    form = fill(
        editor.get("/tokens/add_many").forms["form-tokenform"],
        count="3",
        usage_count="0",
        enabled=False,
    )
    page = form.submit("action.tokenform.save").follow().follow()
    assert warnings(page) == [
        "Tokens with 0 uses, which cannot be redeemed: 3.",
        "Tokens that are switched off and cannot be redeemed: 3.",
    ]
    fine = fill(editor.get("/tokens/add_many").forms["form-tokenform"], count="3", usage_count="1")
    assert warnings(fine.submit("action.tokenform.save").follow().follow()) == []


FILE = f"""value,usage_count,enabled,valid_to
A,0,true,
B,0,false,{PAST}
C,1,true,
known,0,true,
"""
REPORT = [
    "Tokens with 0 uses, which cannot be redeemed: {}.",
    "Tokens whose validity has ended, which cannot be redeemed: 1.",
    "Tokens that are switched off and cannot be redeemed: 1.",
]


@pytest.mark.parametrize(("known", "count"), [("skip", 2), ("update", 3)])
def test_import_when_tokens_could_not_be_used_then_it_warns_before_and_after(
    editor,
    make_token,
    known,
    count,
):
    make_token(value="known", usage_count=5)
    told = [text.format(count) for text in REPORT]
    page = editor.post("/tokens/import", {"text": FILE, "known": known})
    assert page.status_int == 200
    assert warnings(page) == told
    (form,) = (form for form in page.forms.values() if "checked" in form.fields)
    done = form.submit().follow()
    assert warnings(done) == told
    assert "The import is done." in done.text


def test_import_when_it_has_mistakes_then_it_warns_too(editor):
    page = editor.post("/tokens/import", {"text": f"{FILE}D,x,,\n", "known": "skip"}, status=400)
    assert warnings(page) == [text.format(3) for text in REPORT]


def test_warnings_when_the_address_has_wrong_ones_then_they_are_not_shown(editor):
    wrong = {"done": "add", "count": "3", "unusable": "<script>"}
    assert warnings(editor.get(f"/tokens/tokens_overview?{urlencode(wrong)}")) == []
    counts = {"added": "1", "updated": "0", "unchanged": "0", "skipped": "0", "exhausted": "x"}
    assert warnings(editor.get(f"/tokens/import?{urlencode(counts)}")) == []


def test_warnings_when_the_reader_is_german_then_they_are_too(editor, make_token):
    token = make_token(usage_count=0)
    page = editor.get(f"/tokens/{token.uid}/edit?_LOCALE_=de")
    assert hints(page) == ["Nicht einlösbar: 0 Verwendungen."]


def test_a_repeat_when_the_import_warned_then_it_warns_again(service, editor):
    page = editor.post("/tokens/import", {"text": FILE, "known": "skip"})
    (form,) = (form for form in page.forms.values() if "checked" in form.fields)
    first, second = form.submit(), form.submit()
    assert first.location == second.location
    assert "exhausted=3" in first.location
    assert len(service.page(10).tokens) == 4
