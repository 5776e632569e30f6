"""A lost ticket: its code is replaced through API, pages and Python, and refused from then on."""

import re
import uuid

import pytest

from cone.tokens.api import TokenAPI
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.exceptions import TokenNotExists
from cone.tokens.tickets.kind import TICKET
from tests.functional.test_exchange import check
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import send

CONSUME = "/tokens/consume_token"
QUERY = "/tokens/query_token"
RANDOM = re.compile(r"[A-Z2-7]{26}")


@pytest.fixture
def lost(make_token, service):
    """A token whose code LOST-1 was replaced."""
    token = make_token(value="LOST-1", usage_count=3, label="Ann", email="ann@example.org")
    service.replace(token.uid, by="desk")
    return service.get(token.uid)


def consume(client, value, **more):
    return send(client, "POST", CONSUME, {"value": value}, **more).json


def problems(service):
    return Maintenance(service._work.database, [TICKET]).verify().findings


# JSON API


def test_replace_when_it_is_done_then_the_new_code_is_good_and_the_old_one_refused(
    editor, make_token, service
):
    token = make_token(value="LOST-1", usage_count=3)
    answer = editor.post(f"/tokens/{token.uid}/replace").json
    code = answer.pop("value")
    assert answer == {"success": True}
    assert RANDOM.fullmatch(code)
    assert consume(editor, code)["consumed"] is True
    assert editor.get(QUERY, {"value": code}).json["token"]["uid"] == str(token.uid)
    assert not problems(service)


@pytest.mark.parametrize("sent", ["LOST-1", "lost-1 ", "]Q1LOST-1\r"])
def test_consume_when_the_code_was_replaced_then_it_is_refused_and_logged(
    editor, lost, service, sent
):
    answer = send(editor, "POST", CONSUME, {"value": sent})
    assert answer.status_int == 200
    assert answer.json == {
        "success": False,
        "consumed": False,
        "error": "replaced",
        "error_code": 11,
        "message": f"Token {lost.uid} has another code now",
        "token_uid": str(lost.uid),
        "read_as": None,
        "last_used": None,
        "last_user": None,
        "label": "Ann",
    }
    assert lost.value not in answer.text
    [usage] = editor.get(f"/tokens/{lost.uid}/usages").json["usages"]
    assert (usage["error"], usage["usage_count"]) == ("replaced", 3)
    token = service.get(lost.uid)
    assert (token.usage_count, token.version, token.last_used) == (3, lost.version, None)
    assert not problems(service)


def test_consume_when_it_is_sent_again_with_its_key_then_the_answer_is_the_same(editor, lost):
    headers = {"Idempotency-Key": "k"}
    first = consume(editor, "lost-1", headers=headers)
    assert first["error"] == "replaced"
    assert consume(editor, "lost-1", headers=headers) == first
    assert len(editor.get(f"/tokens/{lost.uid}/usages").json["usages"]) == 1


@pytest.mark.parametrize("sent", ["LOST-1", "lost-1 "])
def test_query_when_the_code_was_replaced_then_it_says_so_and_nothing_else(editor, lost, sent):
    answer = editor.get(QUERY, {"value": sent}).json
    assert answer == {"success": True, "token": None, "read_as": None, "replaced": True}


def test_address_of_a_page_when_the_uid_was_replaced_then_it_lets_nobody_in(
    editor, make_token, service
):
    token = make_token(usage_count=3)
    service.replace(token.uid, by="desk")
    for sent in (f"http://localhost/tokens/{token.uid}", str(token.uid).upper()):
        assert consume(editor, sent)["error"] == "replaced"
    path = f"/tokens/{token.uid}/consume_token"
    assert send(editor, "POST", path).json["consumed"] is True


def test_replace_when_its_key_is_sent_again_then_the_code_is_the_same(editor, lost, service):
    path, headers = f"/tokens/{lost.uid}/replace", {"Idempotency-Key": "k"}
    first = editor.post(path, headers=headers).json
    assert editor.post(path, headers=headers).json == first
    assert service.get(lost.uid).value == first["value"]
    other = editor.post(f"/tokens/{UNKNOWN_UID}/replace", headers=headers, status=422).json
    assert other["error"] == "idempotency_conflict"
    other = editor.post("/tokens/nothing/replace", headers=headers, status=422).json
    assert other["error"] == "idempotency_conflict"


@pytest.mark.parametrize("uid", [UNKNOWN_UID, "nothing"])
def test_replace_when_there_is_no_such_token_then_404_and_nothing_changes(editor, content, uid):
    before = content()
    assert editor.post(f"/tokens/{uid}/replace", status=404).json["error"] == "token_not_exists"
    assert content() == before


def test_code_when_it_was_replaced_then_no_other_token_gets_it(editor, lost, make_token):
    other = make_token(value="OTHER")
    for path, fields in {
        "/tokens/add_token": {"value": "LOST-1"},
        f"/tokens/{other.uid}/update_token": {"value": "LOST-1"},
    }.items():
        answer = editor.post(path, fields, status=409).json
        assert (answer["error"], answer["error_code"]) == ("value_taken", 5)


def test_statistics_when_codes_were_refused_as_replaced_then_they_are_counted(editor, lost):
    consume(editor, "LOST-1")
    page = editor.get("/tokens/statistics?range=today").html
    assert "Code replaced" in page.get_text()


def test_metrics_when_a_code_was_refused_as_replaced_then_it_is_counted(editor, lost, figures):
    consume(editor, "LOST-1")
    assert figures("consumptions_total", outcome="replaced") == 1


# Pages


def test_page_when_the_code_is_replaced_then_it_asks_and_shows_the_new_one(
    app, make_token, service
):
    token = make_token(value="LOST-1")
    client = app("editor")
    asked = client.get(f"/tokens/{token.uid}").click("Replace code")
    assert "Replace the code?" in asked.html.h1.get_text()
    assert "The old one is refused from now on." in " ".join(asked.html.get_text().split())
    assert service.get(token.uid).value == "LOST-1"
    form = next(form for form in asked.forms.values() if "replace_code" in form.action)
    page = form.submit().follow()
    code = service.get(token.uid).value
    assert "The code was replaced: the old one is refused from now on." in page.html.get_text()
    assert page.html.select_one("[data-copy]")["data-copy"] == code != "LOST-1"
    form.submit().follow()
    assert service.get(token.uid).value == code


def test_page_when_its_key_is_no_key_then_nothing_changes(app, lost, service):
    app("editor").post(f"/tokens/{lost.uid}/replace_code", {"key": "x"}, status=400)
    assert service.get(lost.uid).value == lost.value


def test_page_when_who_reads_may_not_edit_then_there_is_no_way_to_replace(app, lost, service):
    client = app("viewer")
    assert "Replace code" not in client.get(f"/tokens/{lost.uid}").text
    for send_to in (client.get, client.post):
        send_to(f"/tokens/{lost.uid}/replace_code", status=403)
    assert service.get(lost.uid).value == lost.value


def test_page_when_the_token_is_gone_then_404(app):
    client = app("editor")
    client.get(f"/tokens/{UNKNOWN_UID}/replace_code", status=404)
    client.post(f"/tokens/{UNKNOWN_UID}/replace_code", {"key": str(uuid.uuid4())}, status=404)


def test_page_when_a_use_was_refused_as_replaced_then_its_history_says_so(app, editor, lost):
    consume(editor, "LOST-1")
    page = app("viewer").get(f"/tokens/{lost.uid}").html
    assert "Code replaced" in page.select_one(".tokens-history").get_text()


def test_field_when_a_code_was_replaced_then_who_may_list_is_led_to_its_token(app, lost):
    page = app("viewer").get("/tokens", {"value": "lost-1"}).follow()
    assert page.request.path == f"/tokens/{lost.uid}"
    assert "The code that you looked for was replaced" in page.html.get_text()


def test_field_when_a_code_was_replaced_then_who_may_not_list_is_told_no_more(app, lost):
    page = app("token_operator").get("/tokens", {"value": "lost-1"})
    assert "This code was replaced by another one." in page.html.get_text()
    assert lost.value not in page.text
    assert str(lost.uid) not in page.text


def test_form_when_the_code_is_one_that_was_replaced_then_it_is_told_at_its_field(app, lost):
    form = app("editor").get("/tokens/add").forms["form-tokenform"]
    form["tokenform.value"] = "LOST-1"
    answer = form.submit("action.tokenform.save", status=409)
    assert "Another token has this value." in answer.html.get_text()


def test_form_when_the_code_is_read_like_one_that_was_replaced_then_the_page_says_so(
    app, lost, make_token
):
    form = app("editor").get("/tokens/add").forms["form-tokenform"]
    form["tokenform.value"] = "Lost-1"
    page = form.submit("action.tokenform.save").follow()
    assert "differs from this one by capital letters or hyphens alone" in page.html.get_text()
    assert "LOST-1" in page.html.get_text()
    other = make_token(value="other")
    for field, text, is_told in (("label", "Ann", False), ("value", "lost-1", True)):
        form = app("editor").get(f"/tokens/{other.uid}/edit").forms["form-tokenform"]
        form[f"tokenform.{field}"] = text
        page = form.submit("action.tokenform.save").follow()
        assert ("differs from this one" in page.html.get_text()) is is_told


def test_page_when_who_reads_may_not_list_then_a_code_that_is_read_alike_is_not_shown(
    app, lost, make_token
):
    other = make_token(value="lost-1")
    page = app("token_operator").get(f"/tokens/{other.uid}?added=1&code=1")
    assert "differs from this one" in page.html.get_text()
    assert "LOST-1" not in page.text


# Import


def test_import_when_a_code_in_the_file_was_replaced_then_the_check_tells_its_line(app, lost):
    answer = check(app("editor"), "value,usage_count\nNEW-1,1\nLOST-1,1\n", status=400)
    told = " ".join(answer.html.get_text().split())
    assert "This code was replaced, and stays with the token that had it." in told


def test_import_when_the_file_is_from_before_a_replacement_then_the_check_warns(app, lost, service):
    file = f"uid,value,label\n{lost.uid},LOST-1,Bob\n"
    answer = check(app("editor"), file, known="update")
    told = " ".join(answer.html.get_text().split())
    assert "Codes that were replaced: 1. Lines: 2." in told
    assert "Codes that change" not in told
    answer.forms[0].submit()
    assert (service.get(lost.uid).value, service.get(lost.uid).label) == (lost.value, "Bob")


# Python


def test_python_when_a_code_is_replaced_then_the_new_one_is_told(wsgi_app, make_token, service):
    token = make_token(value="LOST-1")
    with TokenAPI() as api:
        code = api.replace(token.uid)
        assert api.query_token(code).uid == token.uid
        assert api.query_token("LOST-1") is None
        with pytest.raises(TokenNotExists):
            api.replace(uuid.uuid4())
    assert RANDOM.fullmatch(code)
