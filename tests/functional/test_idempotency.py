"""The header ``Idempotency-Key``: a repeat gets the first answer again (contract 3)."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from webtest import TestApp

from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import send

KEY = {"Idempotency-Key": "a-key"}
#: Ways to consume the token that the fixture ``token`` makes.
BY_POST = ("POST", "/tokens/{uid}/consume_token", {})
BY_GET = ("GET", "/tokens/{uid}/consume_token", {})
BY_VALUE = ("POST", "/tokens/consume_token", {"value": "v"})
WAYS = pytest.mark.parametrize("way", [BY_POST, BY_GET, BY_VALUE], ids=["POST", "GET", "value"])
ADDITIONS = pytest.mark.parametrize(
    ("view", "parameters"),
    [("add_token", {"value": "new", "usage_count": "3"}), ("add_tokens", {"count": "3"})],
    ids=["add_token", "add_tokens"],
)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def token(make_token):
    return make_token(value="v", usage_count=3)


def consume(client, token, way, headers=KEY):
    method, path, parameters = way
    return send(client, method, path.format(uid=token.uid), parameters, headers=headers)


# Consumptions


@WAYS
def test_a_grant_when_it_is_repeated_then_it_is_told_again_and_nothing_changes(
    editor,
    token,
    content,
    way,
):
    first = consume(editor, token, way)
    assert first.json["consumed"] is True
    before = content()
    for _ in range(3):
        again = consume(editor, token, way)
        assert (again.status_int, again.json) == (200, first.json)
    assert content() == before


@WAYS
def test_a_refusal_when_it_is_repeated_then_it_is_told_again_though_it_would_be_granted_now(
    admin,
    make_token,
    content,
    way,
):
    token = make_token(value="v", usage_count=0)
    first = consume(admin, token, way)
    assert first.json["error"] == "usage_count_exceeded"
    admin.post(f"/tokens/{token.uid}/update_token", {"usage_count": "5"})
    before = content()
    assert consume(admin, token, way).json == first.json
    assert content() == before
    assert consume(admin, token, way, {"Idempotency-Key": "b"}).json["consumed"] is True


@WAYS
@pytest.mark.parametrize("uses", [1, 0], ids=["granted", "refused"])
def test_a_repeat_when_the_token_is_gone_then_the_first_answer_is_told(
    admin,
    make_token,
    content,
    way,
    uses,
):
    token = make_token(value="v", usage_count=uses)
    first = consume(admin, token, way).json
    admin.post(f"/tokens/{token.uid}/delete_token")
    before = content()
    assert consume(admin, token, way).json == first
    assert content() == before
    other_key = consume(admin, token, way, {"Idempotency-Key": "b"})
    assert_failure(other_key, 404, "token_not_exists")


def test_a_repeat_when_the_value_belongs_to_another_token_now_then_the_first_answer_is_told(
    admin,
    token,
    make_token,
    content,
):
    first = consume(admin, token, BY_VALUE).json
    admin.post(f"/tokens/{token.uid}/update_token", {"value": "other"})
    make_token(value="v", usage_count=9)
    before = content()
    assert consume(admin, token, BY_VALUE).json == first
    assert content() == before


@pytest.mark.parametrize(("first", "second"), [(BY_POST, BY_GET), (BY_GET, BY_POST)])
def test_get_and_post_when_they_have_the_same_key_then_they_are_one_operation(
    editor,
    token,
    content,
    first,
    second,
):
    answer = consume(editor, token, first).json
    before = content()
    assert consume(editor, token, second).json == answer
    assert content() == before


def test_a_repeat_when_the_uid_is_in_upper_case_then_it_is_the_same_token(editor, token):
    first = consume(editor, token, BY_POST).json
    path = f"/tokens/{str(token.uid).upper()}/consume_token"
    assert editor.post(path, headers=KEY).json == first


@WAYS
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_key_when_it_is_used_for_another_token_then_it_is_422(
    editor,
    token,
    make_token,
    content,
    way,
    known,
):
    consume(editor, token, way)
    method, path, parameters = way
    other = make_token(value="other") if known else None
    parameters = {"value": "other" if known else "unknown"} if parameters else {}
    before = content()
    path = path.format(uid=other.uid if other else UNKNOWN_UID)
    answer = send(editor, method, path, parameters, headers=KEY)
    assert_failure(answer, 422, "idempotency_conflict")
    assert content() == before


@pytest.mark.parametrize("way", [BY_POST, BY_GET], ids=["POST", "GET"])
def test_a_key_when_it_is_used_for_a_malformed_uid_then_it_is_422(editor, token, way):
    consume(editor, token, way)
    answer = send(editor, way[0], "/tokens/no-uid/consume_token", headers=KEY)
    assert_failure(answer, 422, "idempotency_conflict")


def test_a_key_when_it_is_bound_to_a_refusal_and_used_for_another_token_then_it_is_422(
    editor,
    make_token,
    content,
):
    consume(editor, make_token(usage_count=0), BY_POST)
    good, bad = make_token(), make_token(usage_count=0)
    before = content()
    for other in (good, bad):
        assert_failure(consume(editor, other, BY_POST), 422, "idempotency_conflict")
    assert content() == before


@WAYS
def test_a_key_when_another_caller_uses_it_then_it_is_another_key(editor, app, token, way):
    first, second = consume(editor, token, way).json, consume(app("editor"), token, way).json
    assert first["receipt"] != second["receipt"]
    assert (first["usage_count"], second["usage_count"]) == (2, 1)


def test_a_key_when_the_same_caller_signs_in_again_then_it_is_the_same_key(
    wsgi_app,
    editor,
    token,
):
    again = TestApp(wsgi_app, cookiejar=None)
    again.cookiejar = editor.cookiejar
    assert consume(editor, token, BY_POST).json == consume(again, token, BY_POST).json


def test_a_key_when_other_operations_use_it_then_it_is_another_key(editor, token):
    assert editor.post("/tokens/add_token", headers=KEY).json["success"] is True
    assert editor.post("/tokens/add_tokens", {"count": "2"}, headers=KEY).json["success"] is True
    assert consume(editor, token, BY_POST).json["consumed"] is True


def test_a_key_when_case_differs_then_it_is_another_key(editor, token):
    for left, key in ((2, "key"), (1, "KEY"), (0, "Key")):
        answer = consume(editor, token, BY_POST, {"Idempotency-Key": key}).json
        assert answer["usage_count"] == left


@WAYS
def test_consume_when_there_is_no_key_then_every_request_counts(editor, token, way):
    receipts = {consume(editor, token, way, {}).json["receipt"] for _ in range(3)}
    assert len(receipts) == 3


@WAYS
def test_a_404_when_it_carried_a_key_then_the_key_is_free(editor, token, content, way):
    method, path, parameters = way
    parameters = {"value": "unknown"} if parameters else {}
    for uid in (UNKNOWN_UID, "no-uid"):
        answer = send(editor, method, path.format(uid=uid), parameters, headers=KEY)
        assert_failure(answer, 404, "token_not_exists")
    assert content()["token_requests"] == content()["token_usage"] == []
    assert consume(editor, token, way).json["consumed"] is True


@pytest.mark.parametrize(
    ("role", "headers", "status"),
    [
        (None, {}, 403),
        ("viewer", {}, 403),
        ("editor", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("editor", {"Content-Type": "text/plain"}, 400),
    ],
)
def test_a_refused_request_when_it_carried_a_key_then_the_key_is_free(
    app,
    editor,
    token,
    content,
    role,
    headers,
    status,
):
    client = app(role)
    path = f"/tokens/{token.uid}/consume_token"
    answer = client.post(path, "x", headers={**KEY, **headers}, status="*")
    assert answer.status_int == status
    assert content()["token_requests"] == []
    if role == "editor":
        assert client.post(path, headers=KEY).json["consumed"] is True


# Additions


@ADDITIONS
def test_an_addition_when_it_is_repeated_then_the_first_uids_are_told_and_nothing_is_added(
    editor,
    content,
    view,
    parameters,
):
    first = editor.post(f"/tokens/{view}", parameters, headers=KEY).json
    before = content()
    assert editor.post(f"/tokens/{view}", parameters, headers=KEY).json == first
    assert content() == before


@ADDITIONS
def test_an_addition_when_it_is_repeated_after_a_deletion_then_the_first_uids_are_told(
    admin,
    content,
    view,
    parameters,
):
    first = admin.post(f"/tokens/{view}", parameters, headers=KEY).json
    for row in content()["tokens"]:
        admin.post(f"/tokens/{row.uid}/delete_token")
    assert admin.post(f"/tokens/{view}", parameters, headers=KEY).json == first
    assert content()["tokens"] == []


@ADDITIONS
@pytest.mark.parametrize("change", [{"usage_count": "4"}, {"lock_time": "1"}, {"enabled": "0"}])
def test_an_addition_when_other_parameters_come_under_the_key_then_it_is_422(
    editor,
    content,
    view,
    parameters,
    change,
):
    editor.post(f"/tokens/{view}", parameters, headers=KEY)
    before = content()
    answer = send(editor, "POST", f"/tokens/{view}", {**parameters, **change}, headers=KEY)
    assert_failure(answer, 422, "idempotency_conflict")
    assert content() == before


def test_an_addition_when_unknown_parameters_differ_then_it_is_the_same(editor):
    first = editor.post("/tokens/add_token?x=1", {"value": "v"}, headers=KEY).json
    assert editor.post("/tokens/add_token?x=2", {"value": "v"}, headers=KEY).json == first


@pytest.mark.parametrize("by", ["query", "form", "multipart", "json"])
def test_an_addition_when_it_is_repeated_in_another_form_then_it_is_the_same(editor, by):
    parameters = {"value": "v", "usage_count": 3}
    first = send(editor, "POST", "/tokens/add_token", parameters, headers=KEY).json
    again = send(editor, "POST", "/tokens/add_token", parameters, headers=KEY, by=by)
    assert again.json == first


def test_a_409_when_it_carried_a_key_then_the_key_is_free(admin, make_token):
    token = make_token(value="taken")
    answer = send(admin, "POST", "/tokens/add_token", {"value": "taken"}, headers=KEY)
    assert_failure(answer, 409, "value_taken")
    admin.post(f"/tokens/{token.uid}/delete_token")
    again = send(admin, "POST", "/tokens/add_token", {"value": "taken"}, headers=KEY)
    assert again.json["success"] is True


def test_a_400_when_it_carried_a_key_then_the_key_is_free(editor):
    wrong = send(editor, "POST", "/tokens/add_token", {"usage_count": "x"}, headers=KEY)
    assert_invalid(wrong, "usage_count")
    right = send(editor, "POST", "/tokens/add_token", {"usage_count": "1"}, headers=KEY)
    assert right.json["success"] is True


# The key itself

GOOD_KEYS = ["!", "~", "x" * 128, 'a,b;c="d"\'{}', str(uuid.UUID(int=7))]
BAD_KEYS = {
    "empty": "",
    "129 characters": "x" * 129,
    "10 kB": "x" * 10_000,
    "space": " ",
    "space within": "a b",
    "tab": "a\tb",
    "not ASCII": "\xe4",
    "DEL": "a\x7f",
    "control character": "a\x01",
}
WITH_KEY = pytest.mark.parametrize("view", ["add_token", "add_tokens", "consume", "consume_token"])


def keyed_request(client, view, token, key):
    parameters = {"add_tokens": {"count": "1"}, "consume_token": {"value": "v"}}.get(view, {})
    path = f"/tokens/{token.uid}/consume_token" if view == "consume" else f"/tokens/{view}"
    return send(client, "POST", path, parameters, headers={"Idempotency-Key": key})


@WITH_KEY
@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: key[:20])
def test_a_key_when_it_is_well_formed_then_it_binds(editor, token, view, key):
    first = keyed_request(editor, view, token, key)
    assert first.status_int == 200
    assert keyed_request(editor, view, token, key).json == first.json


@WITH_KEY
@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_when_it_is_malformed_then_it_is_400(editor, token, content, view, key):
    before = content()
    assert_invalid(keyed_request(editor, view, token, key), "Idempotency-Key")
    assert content() == before


def test_a_key_when_get_carries_a_malformed_one_then_it_is_400(editor, token):
    assert_invalid(consume(editor, token, BY_GET, {"Idempotency-Key": "a b"}), "Idempotency-Key")


def test_a_key_when_the_view_knows_none_then_it_is_ignored(admin, token):
    path = f"/tokens/{token.uid}/update_token"
    for uses in ("5", "6"):
        answer = admin.post(path, {"usage_count": uses}, headers={"Idempotency-Key": "a b"})
        assert answer.json == {"success": True}


def test_a_key_when_it_is_stored_then_nobody_can_read_it_there(editor, token, content):
    consume(editor, token, BY_POST, {"Idempotency-Key": "very-secret-key"})
    (row,) = content()["token_requests"]
    assert "very-secret-key" not in str(row)
    assert datetime.datetime.now(datetime.UTC) - row.timestamp < 60 * SECOND


def test_a_key_when_it_is_a_day_old_then_it_still_holds(editor, token, monkeypatch, service):
    first = consume(editor, token, BY_POST).json
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=23, minutes=59)
    monkeypatch.setattr(service._work.database, "_clock", lambda: later)
    assert consume(editor, token, BY_POST).json == first


# Many at once


@WAYS
def test_one_key_when_many_send_it_at_once_then_one_consumption_counts(
    wsgi_app,
    editor,
    token,
    content,
    way,
):
    def consume_once(_number):
        client = TestApp(wsgi_app)
        client.cookiejar = editor.cookiejar
        return consume(client, token, way).json

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(consume_once, range(16)))
    assert answers == [answers[0]] * 16
    assert answers[0]["usage_count"] == 2
    assert len(content()["token_usage"]) == 1


@ADDITIONS
def test_one_key_when_many_add_with_it_at_once_then_the_tokens_are_added_once(
    wsgi_app,
    editor,
    content,
    view,
    parameters,
):
    def add(_number):
        client = TestApp(wsgi_app)
        client.cookiejar = editor.cookiejar
        return send(client, "POST", f"/tokens/{view}", parameters, headers=KEY).json

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(add, range(16)))
    assert answers == [answers[0]] * 16
    assert len(content()["tokens"]) == int(parameters.get("count", 1))
