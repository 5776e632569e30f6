"""What people note about tickets: JSON API, pages, events."""

import json

import cone.sql
import pytest
from sqlalchemy import select

from cone.tokens.tickets.records import TokenEventRecord
from tests.support.asking import assert_invalid
from tests.support.searches import without_trigrams

DETAILS = {
    "label": "Zoë <b>Example</b>",
    "email": "zoe@example.org",
    "category": "VIP",
    "note": "one\ntwo",
    "data": {"seat": "12 A", "Größe": "M"},
}
TEXTS = {**DETAILS, "data": json.dumps(DETAILS["data"])}


@pytest.fixture
def look_up(editor):
    """Return a function that looks a token up by its value."""

    def query(value):
        return editor.get("/tokens/query_token", {"value": value}).json["token"]

    return query


def noted(token):
    return {name: token[name] for name in DETAILS}


def test_details_when_they_are_sent_as_form_or_json_then_the_token_tells_them(editor, look_up):
    editor.post("/tokens/add_token", {"value": "form", **TEXTS})
    editor.post_json("/tokens/add_token", {"value": "json", **DETAILS})
    assert noted(look_up("form")) == noted(look_up("json")) == DETAILS


def test_details_when_they_are_updated_then_only_what_is_given_changes(editor, look_up):
    uid = editor.post("/tokens/add_token", {"value": "a", **TEXTS}).json["token_uid"]
    editor.post(f"/tokens/{uid}/update_token", {"label": "Ann", "note": "", "data": ""})
    assert noted(look_up("a")) == {**DETAILS, "label": "Ann", "note": None, "data": None}


def test_details_when_many_tokens_are_added_and_changed_then_all_have_them(editor, look_up):
    many = {"count": 3, "prefix": "M-", "category": "VIP"}
    uids = editor.post("/tokens/add_tokens", many).json["token_uids"]
    changed = {"token_uids": json.dumps(uids), "category": "crew"}
    editor.post("/tokens/update_tokens", changed)
    page = editor.get("/tokens/query_tokens", {"prefix": "M-"}).json["tokens"]
    assert [token["category"] for token in page] == ["crew"] * 3


def test_uses_given_when_uses_are_set_and_taken_then_it_is_what_was_set_last(editor, look_up):
    uid = editor.post("/tokens/add_token", {"value": "a", "usage_count": 3}).json["token_uid"]
    editor.post(f"/tokens/{uid}/consume_token")
    told = [look_up("a")]
    editor.post(f"/tokens/{uid}/update_token", {"usage_count": 9})
    editor.post(f"/tokens/{uid}/consume_token")
    told.append(look_up("a"))
    assert [(one["usage_count"], one["uses_given"]) for one in told] == [(2, 3), (8, 9)]


@pytest.mark.parametrize(
    ("name", "raw"), [("label", "x" * 201), ("email", "ann"), ("data", '{"a": 1}')]
)
def test_details_when_they_are_not_possible_then_400_names_them_and_nothing_is_added(
    editor, look_up, name, raw
):
    answer = editor.post("/tokens/add_token", {"value": "a", name: raw}, status="*")
    assert_invalid(answer, name)
    assert look_up("a") is None


def test_details_when_they_change_then_events_tell_them(editor):
    uid = editor.post("/tokens/add_token", {"value": "a", **TEXTS}).json["token_uid"]
    editor.post(f"/tokens/{uid}/update_token", {"label": "Ann"})
    with cone.sql.session_factory.engine.connect() as connection:
        events = connection.execute(
            select(TokenEventRecord.new_values).order_by(TokenEventRecord.version)
        ).scalars()
        labels = [json.loads(values)["label"] for values in events]
    assert labels == [DETAILS["label"], "Ann"]


def consumed(client, **headers):
    return client.post("/tokens/consume_token", {"value": "a"}, headers=headers).json


def test_consume_when_the_token_has_a_label_and_a_category_then_each_outcome_tells_them(editor):
    editor.post("/tokens/add_token", {"value": "a", "usage_count": 1, **TEXTS})
    granted, refused = consumed(editor), consumed(editor)
    assert (granted["consumed"], refused["consumed"]) == (True, False)
    told = [(one["label"], one["category"]) for one in (granted, refused)]
    assert told == [(DETAILS["label"], "VIP")] * 2
    assert not {"email", "note", "data"} & (granted.keys() | refused.keys())


def test_consume_when_the_token_has_no_label_then_none_is_told(editor):
    editor.post("/tokens/add_token", {"value": "a"})
    assert not {"label", "category"} & consumed(editor).keys()


def test_consume_when_it_is_repeated_then_it_tells_the_label_that_the_token_has_now(editor, admin):
    uid = editor.post("/tokens/add_token", {"value": "a", **TEXTS}).json["token_uid"]
    key = {"Idempotency-Key": "once-upon-a-time"}
    first = consumed(editor, **key)
    editor.post(f"/tokens/{uid}/update_token", {"label": "Ann", "category": ""})
    again = consumed(editor, **key)
    assert (again["receipt"], again["label"]) == (first["receipt"], "Ann")
    assert "category" not in again
    admin.post(f"/tokens/{uid}/delete_token")
    gone = consumed(editor, **key)
    assert gone["receipt"] == first["receipt"]
    assert "label" not in gone


def test_form_when_details_are_filled_in_then_the_page_tells_them(editor, look_up):
    form = editor.get("/tokens/add").forms["form-tokenform"]
    for name in ("label", "email", "category", "note"):
        form[f"tokenform.{name}"] = DETAILS[name].replace("\n", "\r\n")
    form["tokenform.value"] = "a"
    page = form.submit("action.tokenform.save").follow()
    assert noted(look_up("a")) == {**DETAILS, "data": None}
    facts = {
        fact.find("dt").text: fact.find("dd").text.strip()
        for fact in page.html.select(".tokens-facts > div")
    }
    assert facts["Label"].startswith("Zoë <b>Example</b>")
    assert facts["Category"] == "VIP"
    edit = editor.get(f"/tokens/{look_up('a')['uid']}/edit").forms["form-tokenform"]
    edit["tokenform.label"] = "Ann"
    edit.submit("action.tokenform.save").follow()
    assert noted(look_up("a")) == {**DETAILS, "label": "Ann", "data": None}


def test_list_when_a_token_has_a_label_then_it_stands_below_the_code(editor):
    editor.post("/tokens/add_token", {"value": "with", "label": DETAILS["label"]})
    editor.post("/tokens/add_token", {"value": "without"})
    rows = editor.get("/tokens/tokens_overview").html.select("tbody tr")
    labels = [row.select_one(".tokens-label") for row in rows]
    assert [label and label.text for label in labels] == [None, DETAILS["label"]]


@pytest.mark.parametrize(
    ("lang", "uses", "taken", "shown"),
    [
        ("en", 3, 1, "2 of 3"),
        ("de", 3, 1, "2 von 3"),
        ("en", 3, 0, "3"),
        ("en", -1, 1, "unlimited"),
    ],
)
def test_pages_when_uses_were_taken_then_they_tell_of_how_many(editor, lang, uses, taken, shown):
    uid = editor.post("/tokens/add_token", {"usage_count": str(uses)}).json["token_uid"]
    for _ in range(taken):
        editor.post(f"/tokens/{uid}/consume_token")
    headers = {"Accept-Language": lang}
    page = editor.get(f"/tokens/{uid}", headers=headers).html
    label = {"en": "Uses left", "de": "Verwendungen übrig"}[lang]
    facts = {dt.get_text(strip=True): dt.find_next("dd") for dt in page.find_all("dt")}
    assert " ".join(facts[label].get_text().split()) == shown
    row = editor.get("/tokens", headers=headers).html.find("td", class_="tokens-number")
    assert row.get_text(strip=True) == shown


def test_page_when_uses_come_back_on_top_of_what_was_given_then_it_tells_them_alone(editor):
    uid = editor.post("/tokens/add_token", {"usage_count": "1"}).json["token_uid"]
    receipt = editor.post(f"/tokens/{uid}/consume_token").json["receipt"]
    editor.post(f"/tokens/{uid}/update_token", {"usage_count": "1"})
    editor.post(f"/tokens/{uid}/undo_use", {"receipt": receipt})
    row = editor.get("/tokens").html.find("td", class_="tokens-number")
    assert row.get_text(strip=True) == "2"


def test_page_when_data_has_a_name_of_a_field_then_both_are_told_and_lines_stay(editor):
    details = {"note": "one\ntwo", "data": {"note": "of the list", "label": "42"}, "label": "Ann"}
    uid = editor.post_json("/tokens/add_token", details).json["token_uid"]
    facts = editor.get(f"/tokens/{uid}").html.select(".tokens-facts > div")
    told = [(fact.find("dt").text, fact.find("dd").text.strip()) for fact in facts]
    assert {("Label", "Ann"), ("label", "42"), ("Note", "one\ntwo"), ("note", "of the list")} <= {
        *told
    }
    [note] = [fact for fact in facts if fact.find("dt").text == "Note"]
    assert note.select_one(".tokens-whole")


@pytest.fixture
def guests(editor):
    """Three tokens with labels, two of them of one category."""
    for value, label, category in (
        ("G-1", "Zoë Müller", "VIP"),
        ("G-2", "Ann Example", "VIP"),
        ("H-3", "Jo Muller", ""),
    ):
        given = {"value": value, "label": label, "category": category, "usage_count": 1}
        editor.post("/tokens/add_token", given)


def values(answer):
    return [token["value"] for token in answer.json["tokens"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"search": "MULLER"}, ["H-3", "G-1"]),
        ({"search": "muller zoe"}, ["G-1"]),
        ({"search": "h-3"}, ["H-3"]),
        ({"search": "muller", "category": "VIP"}, ["G-1"]),
        ({"category": " VIP "}, ["G-2", "G-1"]),
        ({"category": "vip"}, []),
        ({"search": ""}, ["H-3", "G-2", "G-1"]),
        ({"search": "'; DROP"}, []),
    ],
)
def test_query_when_something_is_searched_then_what_has_it_is_listed(
    editor, guests, asked, expected
):
    assert values(editor.get("/tokens/query_tokens", asked)) == expected


def test_change_when_its_filter_searches_then_what_is_found_is_changed(editor, guests):
    found = {"filter": json.dumps({"search": "muller"}), "expected_count": 2}
    editor.post("/tokens/update_tokens", {**found, "category": "family"})
    assert values(editor.get("/tokens/query_tokens", {"category": "family"})) == ["H-3", "G-1"]


@pytest.mark.parametrize("sought", ["x", "ab", "x" * 201])
def test_query_when_a_search_is_too_short_or_too_long_then_400_says_so(editor, sought):
    answer = editor.get("/tokens/query_tokens", {"search": sought}, status="*")
    assert_invalid(answer, "search")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=MULLER", ["H-3", "G-1"]),
        ("search=G-", ["G-2", "G-1"]),
        ("search=G-&category=VIP", ["G-2", "G-1"]),
        ("search=Muller&match=prefix", []),
        ("category=VIP&sort=value", ["G-1", "G-2"]),
    ],
)
def test_list_when_something_is_searched_then_it_has_what_is_found(editor, guests, query, expected):
    page = editor.get(f"/tokens/tokens_overview?{query}").html
    assert [link.get_text() for link in page.select("tbody .tokens-value a")] == expected


def test_look_up_when_no_code_is_like_it_then_the_list_is_searched(editor, guests):
    page = editor.get("/tokens?value=zoe").follow().html
    assert [link.get_text() for link in page.select("tbody .tokens-value a")] == ["G-1"]


def test_list_when_the_database_has_no_trigrams_then_it_says_so(editor, guests):
    with without_trigrams(cone.sql.session_factory.engine):
        page = editor.get("/tokens/tokens_overview?search=Muller").html
        assert "beginnings of codes and labels" in page.get_text()
        assert page.select("tbody .tokens-value a") == []
        page = editor.get("/tokens/tokens_overview?search=zoe").html
    assert [link.get_text() for link in page.select("tbody .tokens-value a")] == ["G-1"]
