"""Codes as devices send them, through the API, the list and the command line."""

import json

import pytest

from tests.support.asking import assert_invalid
from tests.support.asking import send

QUERY = "/tokens/query_token"
CONSUME = "/tokens/consume_token"


def consume(client, value, **more):
    return send(client, "POST", CONSUME, {"value": value, **more})


# Codes that are looked up


@pytest.mark.parametrize(
    "text",
    ["F20-T\r\n", "\tF20-T", "]Q1F20-T", "\ufeffF20-T", "F20ßT", "f20-t", "F20\u2011T\u00a0"],
    ids=ascii,
)
def test_code_when_a_scanner_adds_something_then_the_token_is_found_and_redeemed(
    editor, make_token, text
):
    token = make_token(value="F20-T")
    answer = editor.get(QUERY, {"value": text}).json
    assert (answer["token"]["uid"], answer["read_as"]) == (str(token.uid), "F20-T")
    answer = consume(editor, text).json
    assert (answer["consumed"], answer["token_uid"]) == (True, str(token.uid))
    assert answer["read_as"] == "F20-T"
    refused = consume(editor, text).json
    assert (refused["error"], refused["read_as"]) == ("usage_count_exceeded", "F20-T")


def test_code_when_it_is_exact_then_it_is_not_read_as_another(editor, make_token):
    make_token(value="F20-T", usage_count=2)
    assert editor.get(QUERY, {"value": "F20-T"}).json["read_as"] is None
    assert consume(editor, "F20-T").json["read_as"] is None
    assert editor.get(QUERY, {"value": "unknown"}).json == {
        "success": True,
        "token": None,
        "read_as": None,
    }


def test_code_when_it_is_a_uid_in_upper_case_then_it_is_found_by_path_and_by_value(
    editor, make_token
):
    uid = str(make_token(usage_count=3).uid)
    upper = uid.upper()
    assert send(editor, "POST", f"/tokens/{upper}/consume_token").json["consumed"] is True
    assert consume(editor, upper).json["token_uid"] == uid
    assert editor.get(QUERY, {"value": upper}).json["read_as"] == uid


def test_code_when_a_us_scanner_types_on_a_german_keyboard_then_the_uid_is_found(
    editor, make_token
):
    uid = str(make_token().uid)
    assert consume(editor, uid.replace("-", "ß")).json["read_as"] == uid


@pytest.mark.parametrize("text", ["abc", "ABC\r", "aBc"])
def test_code_when_two_tokens_could_be_meant_then_it_is_unknown(editor, make_token, content, text):
    make_token(value="Abc")
    make_token(value="abC")
    before = content()
    assert editor.get(QUERY, {"value": text}).json["token"] is None
    assert consume(editor, text).json["error"] == "token_not_exists"
    assert content() == before


def test_code_when_it_is_the_address_of_a_page_of_this_site_then_its_token_is_meant(
    editor, make_token
):
    token = make_token(value="coded")
    address = f"http://localhost/tokens/{token.uid}"
    assert editor.get(QUERY, {"value": address}).json["read_as"] == "coded"
    elsewhere = address.replace("localhost", "elsewhere.example")
    assert editor.get(QUERY, {"value": elsewhere}).json["token"] is None
    assert consume(editor, f"{address}/?saved=1\r\n").json["token_uid"] == str(token.uid)


def test_code_when_it_is_sent_in_another_form_again_with_its_key_then_one_use_is_taken(
    editor, make_token, service
):
    token = make_token(value="F20-T", usage_count=5)
    headers = {"Idempotency-Key": "k"}
    answers = [
        send(editor, "POST", CONSUME, {"value": "f20-t"}, headers=headers).json for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["read_as"] == "F20-T"
    assert service.get(token.uid).usage_count == 4


@pytest.mark.parametrize(("value", "is_other"), [("LOOK-1", False), ("look-1 ", True)])
def test_field_of_the_list_when_a_code_is_typed_in_another_form_then_its_page_says_so(
    app, make_token, value, is_other
):
    token = make_token(value="LOOK-1")
    page = app("token_operator").get("/tokens", {"value": value}).follow()
    assert page.request.path == f"/tokens/{token.uid}"
    assert ("It was read as LOOK-1" in page.html.get_text()) is is_other


# Scans


def test_consume_when_the_code_ended_by_a_pause_and_another_begins_like_it_then_it_is_unfinished(
    editor, make_token, content
):
    make_token(value="G-1")
    make_token(value="G-12")
    before = content()
    answer = consume(editor, "G-1", ended_by="pause")
    assert answer.status_int == 200
    assert answer.json == {
        "success": False,
        "consumed": False,
        "error": "unfinished",
        "error_code": 13,
        "message": "Another code begins like this one; send the whole code",
    }
    assert content() == before
    assert consume(editor, "G-12", ended_by="pause").json["consumed"] is True
    assert consume(editor, "G-1").json["consumed"] is True


def test_query_when_the_code_ended_by_a_pause_and_another_begins_like_it_then_it_is_unfinished(
    editor, make_token
):
    make_token(value="G-1")
    make_token(value="G-12")
    for value in ("G-1", "g-1 ", "G-"):
        asked = {"value": value, "ended_by": "pause"}
        answer = send(editor, "GET", "/tokens/query_token", asked).json
        assert answer == {"success": True, "token": None, "read_as": None, "unfinished": True}
    asked = {"value": "g-12", "ended_by": "pause"}
    answer = send(editor, "GET", "/tokens/query_token", asked).json
    assert (answer["token"]["value"], "unfinished" in answer) == ("G-12", False)
    asked = {"value": "G-12", "ended_by": "magic"}
    assert_invalid(send(editor, "GET", "/tokens/query_token", asked), "ended_by")


@pytest.mark.parametrize("value", ["xm", "]Q1XM", "XM\r"], ids=ascii)
def test_consume_when_a_token_is_meant_by_its_code_alone_then_other_forms_are_repeated(
    editor, make_token, content, value
):
    token = make_token(value="XM", usage_count=5)
    other = make_token(value="AB", usage_count=5)
    before = content()
    answer = consume(editor, value, not_read_as=json.dumps([str(token.uid), str(other.uid)]))
    assert answer.status_int == 200
    assert answer.json == {
        "success": False,
        "consumed": False,
        "error": "repeated",
        "error_code": 14,
        "message": "This is a token of not_read_as; leave it out to take another use",
        "token_uid": str(token.uid),
    }
    assert content() == before
    only_other = json.dumps([str(other.uid)])
    assert consume(editor, value, not_read_as=only_other).json["read_as"] == "XM"
    exact = consume(editor, "XM", not_read_as=json.dumps([str(token.uid)]))
    assert exact.json["usage_count"] == 3


def test_consume_when_a_repeat_has_the_key_of_a_grant_then_it_gets_that(editor, make_token):
    token = make_token(value="XM", usage_count=5)
    given = {"value": "xm", "not_read_as": json.dumps([str(make_token(value="AB").uid)])}
    headers = {"Idempotency-Key": "k"}
    answers = [send(editor, "POST", CONSUME, given, headers=headers).json for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["token_uid"] == str(token.uid)


@pytest.mark.parametrize("wrong", ["x", "[]", '["x"]', "[1]", '{"a": 1}', json.dumps(["a"] * 101)])
def test_consume_when_not_read_as_is_no_list_of_uids_then_it_is_refused(
    editor, make_token, content, wrong
):
    make_token(value="XM")
    before = content()
    assert_invalid(consume(editor, "XM", not_read_as=wrong), "not_read_as")
    assert content() == before


def test_consume_when_the_code_ended_by_nothing_that_there_is_then_it_is_refused(
    editor, make_token, content
):
    make_token(value="G-1")
    before = content()
    assert_invalid(consume(editor, "G-1", ended_by="magic"), "ended_by")
    assert_invalid(
        send(editor, "POST", CONSUME, {"value": "G-1", "ended_by": 1}, by="json"), "ended_by"
    )
    assert content() == before
    assert consume(editor, "G-1", ended_by="").json["consumed"] is True


@pytest.mark.parametrize("by", ["form", "query", "json", "multipart"])
def test_consume_when_there_is_an_unknown_parameter_then_it_is_refused(
    editor, make_token, content, by
):
    token = make_token(value="G-1", usage_count=5)
    before = content()
    answer = send(editor, "POST", CONSUME, {"value": "G-1", "count": "3"}, by=by)
    assert_invalid(answer, "count", "count: is no parameter of this view")
    path = f"/tokens/{token.uid}/consume_token"
    assert_invalid(send(editor, "POST", path, {"number": "3"}, by=by), "number")
    assert_invalid(send(editor, "GET", path, {"value": "G-1"}), "value")
    assert content() == before
    assert send(editor, "POST", f"{path}?_=1", {"_": "2"}, by=by).json["consumed"] is True
    assert send(editor, "GET", f"{path}?_=1").json["consumed"] is True
    assert send(editor, "POST", CONSUME, {"value": "G-1", "_": "2"}, by=by).json["consumed"] is True


@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b", "\u202eevil", ""], ids=len)
def test_consume_when_an_unknown_parameter_is_strange_then_the_message_is_short(
    editor, make_token, name
):
    make_token(value="G-1")
    answer = send(editor, "POST", CONSUME, {"value": "G-1", name: "1"}, by="json")
    said = answer.json["message"]
    assert answer.status_int == 400
    assert len(said) < 110
    assert said.isprintable()


def test_consume_when_it_is_redeemed_already_then_time_and_user_are_told(editor, make_token):
    token = make_token(value="once")
    granted = consume(editor, "once").json
    assert granted["used_before"] is None
    refused = consume(editor, "once").json
    (_, use) = editor.get(f"/tokens/{token.uid}/usages").json["usages"]
    assert refused["last_used"] == use["time"]
    assert refused["last_user"] == use["user"]
    by_path = send(editor, "POST", f"/tokens/{token.uid}/consume_token").json
    assert (by_path["last_used"], by_path["last_user"]) == (use["time"], use["user"])


def test_consume_when_it_was_never_redeemed_then_no_time_is_told(editor, make_token):
    make_token(value="none", usage_count=0)
    refused = consume(editor, "none").json
    assert (refused["last_used"], refused["last_user"]) == (None, None)


def test_consume_when_there_was_a_use_before_then_its_time_and_user_are_told(editor, make_token):
    token = make_token(value="twice", usage_count=2)
    consume(editor, "twice")
    second = consume(editor, "twice").json
    (_, first) = editor.get(f"/tokens/{token.uid}/usages").json["usages"]
    assert second["used_before"] == {"time": first["time"], "user": first["user"]}
