"""The list, changes of many tokens in it, and the same in the JSON API."""

import json
import re
import uuid

import pytest

from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import send
from tests.support.factories import new_token

LIST = "/tokens/tokens_overview"
HTML = "<script>alert(1)</script>&amp;\"'"
NOTE = "Something that the list was asked for is not possible"


def text_of(answer) -> str:
    return " ".join(answer.html.find(id="content").get_text().split())


def values_of(answer) -> list[str]:
    body = answer.html.find("tbody")
    return [link.get_text() for link in body.find_all("a")] if body else []


def filter_form(answer):
    return next(form for form in answer.forms.values() if form.action.endswith("_overview"))


def bulk_form(answer):
    return next(form for form in answer.forms.values() if form.action.endswith("/bulk"))


def ask(client, action: str, *values: str, path: str = LIST, take_all: bool = False):
    """Choose tokens in the list and an action, and return the question."""
    answer = client.get(path)
    form = bulk_form(answer)
    if take_all:
        form["all"] = True
    for box in form.fields.get("uid", []):
        box.checked = box_value(answer, box) in values
    return form.submit("action", value=action)


def box_value(answer, box) -> str:
    row = answer.html.find("input", value=box._value).find_parent("tr")
    return row.a.get_text()


@pytest.fixture
def stock(make_token):
    make_token(value="apple", usage_count=0)
    make_token(value="apricot")
    make_token(value="banana", enabled=False)
    make_token(value="Apple", usage_count=0)


@pytest.fixture
def viewer(signed_in):
    return signed_in("viewer")


# The list


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", ["Apple", "banana", "apricot", "apple"]),
        ("search=ap", ["apricot", "apple"]),
        ("search=apple&match=value", ["apple"]),
        ("search=appl&match=value", []),
        ("search=%25", []),
        ("status=exhausted", ["Apple", "apple"]),
        ("status=exhausted&search=a", ["apple"]),
        ("status=exhausted&search=a&sort=value&size=25", ["apple"]),
        ("sort=value", ["Apple", "apple", "apricot", "banana"]),
        ("sort=-value", ["banana", "apricot", "apple", "Apple"]),
        ("sort=created", ["apple", "apricot", "banana", "Apple"]),
        ("created_from=2999-01-01T00:00", []),
        ("created_to=2999-01-01T00:00&valid_at=2030-01-01T00:00", 4),
        ("search=&match=&status=&created_from=&sort=&size=", 4),
        ("unknown=1", 4),
    ],
)
def test_list_when_it_has_filter_and_order_then_rows_and_number_are_those(
    viewer,
    stock,
    query,
    values,
):
    answer = viewer.get(f"{LIST}?{query}")
    found = values_of(answer)
    assert found == values or len(found) == values
    assert NOTE not in text_of(answer)
    if found:
        assert re.search(rf"(Tokens|Tokens that match): {len(found)}\.", text_of(answer))
    else:
        assert "No token matches." in text_of(answer)
        assert len(values_of(answer.click("Show all"))) == 4


def test_list_when_the_form_is_sent_then_the_address_has_its_state(viewer, stock):
    form = filter_form(viewer.get(LIST))
    form["search"], form["status"], form["sort"] = "a", "exhausted", "value"
    form["created_to"], form["size"] = "2999-12-31T23:59", "25"
    answer = form.submit()
    assert values_of(answer) == ["apple"]
    again = filter_form(answer)
    assert {name: again[name].value for name in ("search", "status", "sort", "size")} == {
        "search": "a",
        "status": "exhausted",
        "sort": "value",
        "size": "25",
    }
    assert again["created_to"].value == "2999-12-31T23:59"
    assert values_of(viewer.get(answer.request.url)) == ["apple"]


def test_list_when_a_head_is_followed_then_the_order_turns_and_the_filter_stays(viewer, stock):
    answer = viewer.get(f"{LIST}?search=ap")
    assert {head["aria-sort"] for head in answer.html.find_all("th", {"aria-sort": True})} == {
        "descending",
    }
    rising = answer.click("Value", href="sort")
    assert values_of(rising) == ["apple", "apricot"]
    [head] = rising.html.find_all("th", {"aria-sort": True})
    assert (head.get_text(), head["aria-sort"]) == ("Value", "ascending")
    assert values_of(rising.click("Value", href="sort")) == ["apricot", "apple"]
    assert "Valid" in [head.get_text() for head in rising.html.find_all("th", scope="col")]


@pytest.mark.parametrize("sort", ["value", "-value", "created", "-created"])
def test_list_when_its_pages_are_walked_then_filter_order_and_size_stay(viewer, service, sort):
    service.add_many(new_token(), 60, "in-", by=None)
    service.add_many(new_token(), 5, "out-", by=None)
    pages = [viewer.get(f"{LIST}?search=in-&size=25&sort={sort}")]
    behind, before = ("Older", "Newer") if sort == "-created" else ("Next page", "Previous page")
    pages += [pages[0].click(behind)]
    pages += [pages[1].click(behind)]
    values = [value for page in pages for value in values_of(page)]
    assert [len(values_of(page)) for page in pages] == [25, 25, 10]
    assert len(set(values)) == 60
    assert all("Tokens that match: 60." in text_of(page) for page in pages)
    assert values_of(pages[2].click(before)) == values_of(pages[1])
    assert behind not in text_of(pages[2])


@pytest.mark.parametrize(
    "query",
    [
        "status=new",
        "sort=valid_to",
        "sort=",
        "size=51",
        "size=0",
        "size=9999999999",
        "match=like",
        "search=%00",
        "search=" + "x" * 2_049,
        "created_from=yesterday",
        "created_to=0001-01-01T00:00",
        "valid_at=2026-03-29T02:30",
        "valid_at=9999-12-31T23:59",
        "status=expired&status=locked",
        "after=x",
        f"after={UNKNOWN_UID}",
        f"before={UNKNOWN_UID}",
        f"after={UNKNOWN_UID}&before={UNKNOWN_UID}",
        "before=%F0%9F%8E%AB",
        f"after={UNKNOWN_UID}&sort=nonsense&size=x&status=x&search=%00",
    ],
)
def test_list_when_its_address_is_wrong_then_it_is_the_first_page_and_a_note(
    viewer,
    stock,
    query,
):
    answer = viewer.get(f"{LIST}?{query}", status=200)
    notes = answer.html.find(class_="alert-warning")
    assert (notes is None) is (query == "sort=")
    assert len(values_of(answer)) == 4
    assert "Traceback" not in answer.text


def test_list_when_one_filter_is_wrong_then_the_others_hold_and_it_tells_at_the_field(
    viewer,
    stock,
):
    answer = viewer.get(f"{LIST}?search=a&created_from=soon&status=exhausted")
    assert values_of(answer) == ["apple"]
    assert "This is no date with a time." in text_of(answer)
    field = answer.html.find(id="tokens-created_from")
    assert field["value"] == "soon"
    assert answer.html.find(id=field["aria-describedby"])
    assert answer.html.find(class_="tokens-filter").details.has_attr("open")
    assert "created_from" not in answer.html.find("thead").a["href"]


def test_list_when_the_page_beside_a_wrong_filter_is_asked_for_then_it_is_the_first(
    viewer,
    service,
):
    service.add_many(new_token(), 60, None, by=None)
    first = viewer.get(LIST)
    older = first.html.find("a", rel="next")["href"]
    assert values_of(viewer.get(f"{older}&size=x")) == values_of(first)


@pytest.mark.parametrize("value", [HTML, "\u202eevil\u2066", "👪🎫" * 250, "x" * 2_048, "a\nb"])
def test_list_when_values_are_strange_then_they_are_short_and_escaped(viewer, give_old_code, value):
    token = give_old_code(value)
    answer = viewer.get(LIST, {"search": value, "match": "prefix"})
    assert "<script>alert" not in answer.text
    body = answer.html.find("tbody")
    assert body.a.get_text() == (value if len(value) <= 40 else f"{value[:40]}…")
    assert len(str(body)) < 2_000
    assert body.a["href"].endswith(str(token.uid))
    assert answer.html.find(id="tokens-search")["value"] == value


def test_list_when_every_value_has_2_kilobytes_then_a_page_is_small(signed_in, service):
    client = signed_in("admin")
    for number in range(51):
        value = f"{number:03}" + "\U0001f3ab" * 511
        token = new_token(value=value, valid_from=None, usage_count=1, lock_time=1)
        service.consume(service.add(token, by=None), by=None)
    answer = client.get(LIST)
    assert len(answer.body) < 120_000
    assert len(answer.html.find_all(True)) <= 1_000


def test_list_when_nothing_may_be_changed_then_there_are_labels_and_files_only(viewer, stock):
    buttons = viewer.get(LIST).html.find("fieldset").find_all("button")
    assert [button.get_text() for button in buttons] == ["Labels", "Export", "Scan log"]


@pytest.mark.parametrize(
    ("query", "address"),
    [("value=gone", f"{LIST}?search=gone&match=search"), ("value=apple", "/tokens/")],
)
def test_look_up_when_one_may_list_then_it_goes_to_the_token_or_searches_for_it(
    viewer,
    stock,
    query,
    address,
):
    assert address in viewer.get(f"/tokens?{query}", status=302).location


# Many tokens in the list


def test_bulk_when_rows_are_chosen_then_it_asks_and_changes_those(signed_in, service, stock):
    client = signed_in("editor")
    question = ask(client, "disable", "apple", "apricot", path=f"{LIST}?search=ap")
    assert "Shall these tokens be disabled?" in text_of(question)
    assert "Tokens: 2" in text_of(question)
    assert service.find_by_value("apple").enabled
    answer = bulk_form(question).submit()
    assert answer.location.endswith(f"{LIST}?search=ap&done=disable&count=2")
    shown = answer.follow()
    assert "Tokens disabled: 2." in text_of(shown)
    assert values_of(shown) == ["apricot", "apple"]
    assert [service.find_by_value(value).enabled for value in ("apple", "apricot", "Apple")] == [
        False,
        False,
        True,
    ]


def test_bulk_when_all_that_match_are_chosen_then_those_beyond_the_page_change_too(
    signed_in,
    service,
):
    service.add_many(new_token(), 60, "in-", by=None)
    service.add_many(new_token(), 5, "out-", by=None)
    question = ask(signed_in("admin"), "delete", path=f"{LIST}?search=in-&size=25", take_all=True)
    assert "Tokens: 60" in text_of(question)
    shown = bulk_form(question).submit().follow()
    assert "Tokens deleted: 60." in text_of(shown)
    assert "No token matches." in text_of(shown)
    assert service.count() == 5


def test_bulk_when_there_are_more_than_100_then_their_number_has_to_be_typed(signed_in, service):
    service.add_many(new_token(), 101, "x", by=None)
    question = ask(signed_in("admin"), "delete", take_all=True)
    for typed in ("", "100", "1O1", "101.0", "-101"):
        form = bulk_form(question)
        form["typed"] = typed
        question = form.submit(status=400)
        assert "This is not the number of the tokens." in text_of(question)
        assert service.count() == 101
    form = bulk_form(question)
    form["typed"] = " 101 "
    assert "Tokens deleted: 101." in text_of(form.submit().follow())
    assert service.count() == 0


def test_bulk_when_there_are_100_then_nothing_has_to_be_typed(signed_in, service):
    service.add_many(new_token(), 100, "x", by=None)
    question = ask(signed_in("admin"), "delete", take_all=True)
    assert "typed" not in bulk_form(question).fields
    assert bulk_form(question).submit().status_int == 303


def test_bulk_when_uses_are_set_then_they_are(signed_in, service, stock):
    question = ask(signed_in("editor"), "uses", "apple", "Apple")
    for wrong in ("", "-2", "x", "2147483648"):
        form = bulk_form(question)
        form["usage_count"] = wrong
        question = form.submit(status=400)
        assert question.html.find(id="bulk-usage_count-mistake")
        assert question.html.find(id="bulk-usage_count")["value"] == wrong
    form = bulk_form(question)
    form["usage_count"] = "-1"
    assert "Tokens with new uses left: 2." in text_of(form.submit().follow())
    assert service.find_by_value("apple").usage_count == -1
    assert service.find_by_value("banana").usage_count == 1


def test_bulk_when_validity_is_set_then_both_edges_are(signed_in, service, stock):
    client = signed_in("editor")
    form = bulk_form(ask(client, "validity", "apple", "banana"))
    form["valid_from"], form["valid_to"] = "2026-06-01T14:00", "2026-06-01T13:00"
    question = form.submit(status=400)
    assert "The start must be before the end." in text_of(question)
    form = bulk_form(question)
    form["valid_to"] = "2026-07-01T14:00"
    form.submit(status=303)
    token = service.find_by_value("banana")
    assert token.valid_from.isoformat() == "2026-06-01T12:00:00+00:00"
    assert token.valid_to.isoformat() == "2026-07-01T12:00:00+00:00"
    bulk_form(ask(client, "validity", "banana")).submit(status=303)
    token = service.find_by_value("banana")
    assert (token.valid_from, token.valid_to) == (None, None)


def test_bulk_when_another_number_matches_by_then_it_asks_again(signed_in, service, stock):
    question = ask(signed_in("admin"), "delete", path=f"{LIST}?search=ap", take_all=True)
    service.add(new_token(value="apex"), by=None)
    again = bulk_form(question).submit(status=409)
    assert "Another number of tokens is meant by now." in text_of(again)
    assert "Tokens: 3" in text_of(again)
    assert service.count() == 5
    bulk_form(again).submit(status=303)
    assert service.count() == 2


def test_bulk_when_a_chosen_token_is_gone_then_nothing_changes(signed_in, service, stock):
    question = ask(signed_in("admin"), "delete", "apple", "banana")
    service.delete(service.find_by_value("apple").uid, by=None)
    again = bulk_form(question).submit(status=409)
    assert "One of the selected tokens was deleted meanwhile." in text_of(again)
    assert service.find_by_value("banana")


@pytest.mark.parametrize("take_all", [True, False])
def test_bulk_when_nothing_is_chosen_then_it_says_so(signed_in, stock, service, take_all):
    client = signed_in("admin")
    form = bulk_form(client.get(f"{LIST}?search=ap"))
    form["all"] = take_all
    service.delete_many(TokenFilter(prefix="ap"), by=None)
    shown = form.submit("action", value="delete").follow()
    assert "No token is selected. Nothing was changed." in text_of(shown)


def test_bulk_when_more_than_ten_thousand_match_then_it_says_so(signed_in, service):
    client = signed_in("admin")
    service.add_many(new_token(), MAX_BATCH, "x", by=None)
    form = bulk_form(client.get(LIST))
    form["all"] = True
    service.add(new_token(), by=None)
    shown = form.submit("action", value="delete").follow()
    assert "At most 10000 tokens can be changed at once." in text_of(shown)
    assert "all" not in bulk_form(shown).fields
    assert service.count() is None


@pytest.mark.parametrize(
    ("role", "action", "reason"),
    [
        ("viewer", "enable", "You may not change tokens."),
        ("viewer", "delete", "You may not delete tokens."),
        ("editor", "delete", "You may not delete tokens."),
        ("token_operator", "enable", "You may only scan here."),
    ],
)
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "1", "expected": "1"}])
def test_bulk_when_the_action_is_not_permitted_then_it_is_refused(
    signed_in,
    make_token,
    content,
    role,
    action,
    reason,
    confirmed,
):
    fields = {"action": action, "uid": str(make_token().uid), **confirmed}
    before = content()
    answer = signed_in(role).post("/tokens/bulk", fields, status=403)
    assert reason in text_of(answer)
    assert content() == before


def test_bulk_when_another_site_sends_it_then_it_is_refused(signed_in, make_token, content):
    fields = {"action": "enable", "uid": str(make_token().uid), "confirmed": "1", "expected": "1"}
    before = content()
    headers = {"Sec-Fetch-Site": "cross-site"}
    signed_in("admin").post("/tokens/bulk", fields, headers=headers, status=403)
    assert content() == before


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"action": "burn"},
        {"uid": "x"},
        {"uid": "\0"},
        {"all": "1", "list": "?status=nonsense"},
        {"all": "1", "list": "?status=expired&status=locked"},
        {"confirmed": "1"},
        {"confirmed": "1", "expected": "-1"},
        {"confirmed": "1", "expected": "9" * 5_000},
        {"confirmed": "1", "expected": "٣"},
    ],
)
def test_bulk_when_no_form_of_ours_sends_that_then_it_is_400(
    signed_in,
    make_token,
    content,
    fields,
):
    uid = str(make_token().uid)
    before = content()
    sent = {"action": "delete", "uid": uid, **fields} if fields else {}
    signed_in("admin").post("/tokens/bulk", sent, status=400)
    assert content() == before


def test_bulk_when_it_is_got_then_it_leads_to_the_list(signed_in):
    answer = signed_in("editor").get("/tokens/bulk?action=delete", status=303)
    assert answer.location.endswith(LIST)


@pytest.mark.parametrize(
    "query", ["done=delete&count=x", "done=x&count=1", "done=delete&count=%C2%B2"]
)
def test_list_when_its_note_is_made_up_then_there_is_none(viewer, stock, query):
    assert not viewer.get(f"{LIST}?{query}").html.find(class_="alert")


# JSON API


def api_values(client, **parameters) -> list[str]:
    answer = client.get("/tokens/query_tokens", parameters).json
    assert answer["success"] is True
    assert answer["count"] >= len(answer["tokens"])
    return [token["value"] for token in answer["tokens"]]


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({}, ["Apple", "banana", "apricot", "apple"]),
        ({"value": "apple"}, ["apple"]),
        ({"prefix": "ap", "sort": "value"}, ["apple", "apricot"]),
        ({"status": "exhausted", "sort": "created"}, ["apple", "Apple"]),
        ({"status": "disabled"}, ["banana"]),
        ({"created_to": "2026-01-01 00:00", "valid_at": "2026-01-01T00:00Z"}, []),
        ({"value": "", "prefix": "", "status": "", "created_from": "", "sort": ""}, 4),
    ],
)
def test_query_tokens_when_there_is_a_filter_then_it_has_what_matches(
    viewer,
    stock,
    parameters,
    values,
):
    found = api_values(viewer, **parameters)
    assert found == values or len(found) == values


def test_query_tokens_when_it_tells_a_token_then_as_query_token_does(viewer, make_token):
    make_token(value="x", valid_to=None, usage_count=-1)
    [token] = viewer.get("/tokens/query_tokens").json["tokens"]
    assert token == viewer.get("/tokens/query_token?value=x").json["token"]


def test_query_tokens_when_next_and_previous_are_followed_then_they_lead_there_and_back(
    viewer,
    service,
):
    service.add_many(new_token(), 7, "x", by=None)
    parameters = {"limit": "3", "sort": "-value"}
    pages = [viewer.get("/tokens/query_tokens", parameters).json]
    while pages[-1]["next"]:
        after = {**parameters, "after": pages[-1]["next"]}
        pages.append(viewer.get("/tokens/query_tokens", after).json)
    assert [len(page["tokens"]) for page in pages] == [3, 3, 1]
    assert [page["count"] for page in pages] == [7, 7, 7]
    assert pages[0]["previous"] is None
    values = [token["value"] for page in pages for token in page["tokens"]]
    assert values == sorted(values, reverse=True)
    before = {**parameters, "before": pages[2]["previous"]}
    assert viewer.get("/tokens/query_tokens", before).json["tokens"] == pages[1]["tokens"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=new", "status"),
        ("sort=usage_count", "sort"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        (f"after={UNKNOWN_UID}", "after"),
        (f"before={UNKNOWN_UID}", "before"),
        (f"after={UNKNOWN_UID}&before={UNKNOWN_UID}", "before"),
        ("prefix=%00", "prefix"),
        ("value=%00", "value"),
        ("prefix=" + "x" * 2_049, "prefix"),
        ("created_from=1", "created_from"),
        ("created_to=1", "created_to"),
        ("valid_at=1", "valid_at"),
        ("sort=value&sort=value", "sort"),
    ],
)
def test_query_tokens_when_a_parameter_is_wrong_then_it_is_named(viewer, stock, query, parameter):
    answer = viewer.get(f"/tokens/query_tokens?{query}", status="*")
    assert_invalid(answer, parameter)


@pytest.mark.parametrize("by", ["query", "form", "multipart", "json"])
def test_update_tokens_when_a_filter_means_some_then_those_change(editor, service, stock, by):
    given = {"filter": '{"prefix": "ap"}', "usage_count": "9", "expected_count": "2"}
    answer = send(editor, "POST", "/tokens/update_tokens", given, by=by).json
    assert answer == {"success": True, "updated": 2, "message": "Updated 2 tokens"}
    counts = {token.value: token.usage_count for token in service.page(9).tokens}
    assert counts == {"apple": 9, "apricot": 9, "banana": 1, "Apple": 0}


@pytest.mark.parametrize(
    ("view", "word"), [("update_tokens", "Updated"), ("delete_tokens", "Deleted")]
)
def test_a_change_of_many_when_it_is_one_then_the_message_says_so(admin, stock, view, word):
    more = {"usage_count": "9"} if view == "update_tokens" else {}
    answer = send(admin, "POST", f"/tokens/{view}", {"filter": '{"prefix": "banana"}', **more})
    assert answer.json["message"] == f"{word} 1 token"


def test_update_tokens_when_the_filter_is_an_object_then_it_counts(editor, service, stock):
    body = {"filter": {"status": "exhausted", "prefix": None}, "valid_to": None, "enabled": False}
    assert editor.post_json("/tokens/update_tokens", body).json["updated"] == 2
    assert service.count(TokenFilter(status=Status.DISABLED)) == 3


@pytest.mark.parametrize("view", ["update_tokens", "delete_tokens"])
@pytest.mark.parametrize("chosen", ["filter", "token_uids"])
def test_a_change_of_many_when_the_number_is_not_the_expected_one_then_it_is_409(
    admin,
    service,
    content,
    stock,
    view,
    chosen,
):
    which = (
        {"prefix": "ap"}
        if chosen == "filter"
        else [str(service.find_by_value(value).uid) for value in ("apple", "apricot")]
    )
    before = content()
    body = {chosen: which, "expected_count": 3}
    answer = admin.post_json(f"/tokens/{view}", body, status="*")
    text = "expected_count: there are 2 tokens now, nothing changed"
    assert_failure(answer, 409, "count_changed", text)
    assert content() == before


@pytest.mark.parametrize("view", ["update_tokens", "delete_tokens"])
@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "token_uids"),
        ({"token_uids": None}, "token_uids"),
        ({"filter": {}, "token_uids": [UNKNOWN_UID]}, "filter"),
        ({"filter": None}, "filter"),
        ({"filter": ""}, "filter"),
        ({"filter": "{"}, "filter"),
        ({"filter": "[]"}, "filter"),
        ({"filter": []}, "filter"),
        ({"filter": 1}, "filter"),
        ({"filter": {"statu": "expired"}}, "filter"),
        ({"filter": {"status": "old"}}, "status"),
        ({"filter": {"prefix": 1}}, "prefix"),
        ({"filter": {"valid_at": "soon"}}, "valid_at"),
        ({"filter": '{"prefix": "a", "prefix": "b"}'}, "prefix"),
        ({"filter": {}, "expected_count": ""}, "expected_count"),
        ({"filter": {}, "expected_count": -1}, "expected_count"),
        ({"filter": {}, "expected_count": True}, "expected_count"),
    ],
)
def test_a_change_of_many_when_a_parameter_is_wrong_then_it_is_named(
    admin,
    content,
    stock,
    view,
    body,
    parameter,
):
    before = content()
    assert_invalid(admin.post_json(f"/tokens/{view}", body, status="*"), parameter)
    assert content() == before


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"value": "x"}, "value"),
        ({"usage_count": ""}, "usage_count"),
        ({"valid_from": "2027-01-01 00:00", "valid_to": "2026-01-01 00:00"}, "valid_from"),
        ({"enabled": "maybe"}, "enabled"),
    ],
)
def test_update_tokens_when_a_field_is_wrong_then_it_is_named(
    editor,
    content,
    stock,
    fields,
    parameter,
):
    before = content()
    given = {"filter": "{}", **fields}
    assert_invalid(send(editor, "POST", "/tokens/update_tokens", given), parameter)
    assert content() == before


def test_a_change_of_many_when_one_token_is_unknown_then_none_changes(admin, content, make_token):
    uids = [str(make_token().uid), str(uuid.uuid4())]
    before = content()
    for view in ("update_tokens", "delete_tokens"):
        given = {"token_uids": json.dumps(uids), "enabled": "0"}
        answer = send(admin, "POST", f"/tokens/{view}", given)
        assert_failure(answer, 404, "token_not_exists", f"Token {uids[1]} not exists")
        assert content() == before


def test_a_change_of_many_when_the_filter_means_too_many_then_it_says_to_narrow_it(
    admin,
    service,
):
    service.add_many(new_token(), MAX_BATCH + 1, None, by=None)
    for view in ("update_tokens", "delete_tokens"):
        answer = send(admin, "POST", f"/tokens/{view}", {"filter": "{}"})
        assert_invalid(answer, "filter", "filter: means more than 10000 tokens, narrow it")
    assert service.count() is None
