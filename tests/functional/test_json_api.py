"""Every view of the JSON API and what its answers mean (contract 2, 3 and 4)."""

import datetime
import io
import json
import re
import uuid
from xml.etree import ElementTree

import cone.sql
import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import insert

from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.values import TicketChanges
from tests.support.asking import EVERY_VIEW
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import send

FIELDS = {
    "uid",
    "value",
    "valid_from",
    "valid_to",
    "usage_count",
    "lock_time",
    "enabled",
    "last_used",
    "last_user",
    "locked_until",
    "creator",
    "created",
    "modified",
    "label",
    "email",
    "category",
    "note",
    "data",
    "uses_given",
    "status",
}
WAYS = pytest.mark.parametrize("by", ["query", "form", "multipart", "json"])
HOUR = datetime.timedelta(hours=1)


def from_now(duration: datetime.timedelta) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + duration


def is_uid(text: str) -> bool:
    return str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4


@pytest.fixture
def query(editor):
    """Return a function that looks a token up by its value."""

    def look_up(value):
        return editor.get("/tokens/query_token", {"value": value}).json["token"]

    return look_up


@pytest.fixture
def add(editor):
    """Return a function that adds a token through the API and returns its uid."""

    def add_token(**parameters):
        return editor.post("/tokens/add_token", parameters).json["token_uid"]

    return add_token


@pytest.fixture
def old_token(wsgi_app):
    """Return a function that writes a token with a value beyond our limits into the database."""

    def write(value):
        uid = uuid.uuid4()
        row = {
            "uid": uid,
            "value": value,
            "usage_count": 1,
            "lock_time": 0,
            "enabled": True,
            "created": from_now(-HOUR),
            "modified": from_now(-HOUR),
            "version": 1,
        }
        with cone.sql.session_factory.engine.begin() as connection:
            connection.execute(insert(TokenRecord), [row])
        return uid

    return write


# query_token


def test_query_token_when_the_value_is_known_then_every_field_of_the_token_is_told(
    editor,
    make_token,
):
    token = make_token(value="voucher", usage_count=3, lock_time=60)
    answer = editor.get("/tokens/query_token", {"value": "voucher"}).json
    assert set(answer) == {"success", "token", "read_as"}
    assert answer["success"] is True
    assert set(answer["token"]) == FIELDS
    told = {name: answer["token"][name] for name in FIELDS - {"created", "modified"}}
    assert told == {
        "uid": str(token.uid),
        "value": "voucher",
        "valid_from": None,
        "valid_to": None,
        "usage_count": 3,
        "lock_time": 60,
        "enabled": True,
        "last_used": None,
        "last_user": None,
        "locked_until": None,
        "creator": "someone",
        "label": None,
        "email": None,
        "category": None,
        "note": None,
        "data": None,
        "uses_given": 3,
        "status": "consumable",
    }


def test_query_token_when_a_use_was_taken_then_it_tells_when_and_by_whom(editor, make_token):
    token = make_token(value="voucher", usage_count=2)
    editor.post(f"/tokens/{token.uid}/consume_token")
    told = editor.get("/tokens/query_token", {"value": "voucher"}).json["token"]
    assert told["last_user"].startswith("editor-")
    assert told["last_used"] is not None


def test_query_token_when_the_value_is_unknown_then_the_token_is_null(editor):
    answer = editor.get("/tokens/query_token", {"value": "unknown"})
    assert answer.json == {"success": True, "token": None, "read_as": None}


@pytest.mark.parametrize("near", ["vou cher", "vouche", "vouchers", "vou\0cher", "%", "v0ucher"])
def test_query_token_when_the_value_is_nearly_the_same_then_the_token_is_null(
    query,
    make_token,
    near,
):
    make_token(value="voucher")
    assert query(near) is None


@pytest.mark.parametrize(
    "value", ["two  spaces", "äöü €", "🎟", "a&b=c+d%20;", "\u05d0rtl", "(01)1\x1d21x"]
)
def test_query_token_when_the_value_has_strange_characters_then_it_is_found(query, add, value):
    uid = add(value=value)
    assert (query(value)["uid"], query(value)["value"]) == (uid, value)


@pytest.mark.parametrize("value", ["  two  spaces  ", "🎟️", "\u202ertl", "x\n", "   "], ids=ascii)
def test_query_token_when_an_old_code_would_be_refused_today_then_it_is_found_exactly(
    editor, query, give_old_code, value
):
    uid = str(give_old_code(value).uid)
    assert (query(value)["uid"], query(value)["value"]) == (uid, value)
    assert send(editor, "POST", "/tokens/consume_token", {"value": value}).json["token_uid"] == uid


@pytest.mark.parametrize("value", ["  two  spaces  ", "🎟️", "\u202ertl", "x\n", "   "], ids=ascii)
def test_add_token_when_the_value_is_no_code_then_it_is_refused(editor, content, value):
    before = content()
    assert_invalid(send(editor, "POST", "/tokens/add_token", {"value": value}), "value")
    parameters = {"prefix": f" {value}", "count": "2"}
    assert_invalid(send(editor, "POST", "/tokens/add_tokens", parameters), "prefix")
    assert content() == before


def test_update_token_when_an_old_code_stays_then_the_rest_is_changed(editor, query, give_old_code):
    path = f"/tokens/{give_old_code(' x ').uid}/update_token"
    assert send(editor, "POST", path, {"value": " x ", "lock_time": "5"}).json == {"success": True}
    assert query(" x ")["lock_time"] == 5
    assert_invalid(send(editor, "POST", path, {"value": " y "}), "value")
    assert send(editor, "POST", path, {"value": "x"}).json == {"success": True}


@pytest.mark.parametrize("parameters", [{}, {"value": ""}], ids=["omitted", "empty"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tokens/query_token"), ("POST", "/tokens/consume_token")],
)
def test_a_view_by_value_when_the_value_is_missing_then_it_is_refused(
    editor,
    method,
    path,
    parameters,
):
    answer = send(editor, method, path, parameters)
    assert_invalid(answer, "value", "Missing ``value`` parameter")


@pytest.mark.parametrize("length", [10_000, 900_000])
def test_query_token_when_the_value_is_huge_then_the_token_is_null(query, length):
    assert query("x" * length) is None


# add_token


def test_add_token_when_nothing_is_given_then_the_defaults_hold(editor, query):
    answer = editor.post("/tokens/add_token").json
    assert set(answer) == {"success", "token_uid"}
    assert answer["success"] is True
    uid = answer["token_uid"]
    assert is_uid(uid)
    token = query(uid)
    assert (token["uid"], token["value"]) == (uid, uid)
    assert (token["usage_count"], token["lock_time"], token["enabled"]) == (1, 0, True)
    assert (token["valid_from"], token["valid_to"]) == (None, None)
    assert token["status"] == "consumable"


@WAYS
def test_add_token_when_everything_is_given_then_it_is_kept(editor, query, by):
    parameters = {
        "value": "Grüße ✓",
        "valid_from": "2026-01-15T10:00:00+00:00",
        "valid_to": "2026-07-15 10:00",
        "usage_count": 5,
        "lock_time": 7,
        "enabled": "false",
    }
    assert send(editor, "POST", "/tokens/add_token", parameters, by=by).json["success"] is True
    token = query("Grüße ✓")
    assert {name: token[name] for name in parameters} == {
        "value": "Grüße ✓",
        "valid_from": "2026-01-15T11:00:00+01:00",
        "valid_to": "2026-07-15T10:00:00+02:00",
        "usage_count": 5,
        "lock_time": 7,
        "enabled": False,
    }


@pytest.mark.parametrize(
    ("given", "by"),
    [
        ("omitted", "form"),
        ("empty", "form"),
        ("empty", "multipart"),
        ("omitted", "json"),
        ("empty", "json"),
        ("null", "json"),
    ],
)
def test_add_token_when_parameters_are_empty_then_settings_and_defaults_fill_in(
    editor,
    query,
    settings_path,
    by,
    given,
):
    settings_path.write_text('{"default_usage_count": 4, "default_locktime": 30}')
    names = ["value", "valid_from", "valid_to", "usage_count", "lock_time", "enabled"]
    empty = {"omitted": {}, "empty": dict.fromkeys(names, ""), "null": dict.fromkeys(names)}
    uid = send(editor, "POST", "/tokens/add_token", empty[given], by=by).json["token_uid"]
    token = query(uid)
    assert {name: token[name] for name in names} == {
        "value": uid,
        "valid_from": None,
        "valid_to": None,
        "usage_count": 4,
        "lock_time": 30,
        "enabled": True,
    }


@pytest.mark.parametrize(
    ("written", "enabled"),
    [
        ("true", True),
        ("TRUE", True),
        ("True", True),
        ("1", True),
        (1, True),
        (True, True),
        ("false", False),
        ("FaLsE", False),
        ("0", False),
        (0, False),
        (False, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("view", ["add_token", "update_token"])
def test_enabled_when_it_is_spelled_in_any_way_then_it_is_understood(
    editor,
    query,
    make_token,
    view,
    written,
    enabled,
):
    path = "/tokens/add_token"
    if view == "update_token":
        path = f"/tokens/{make_token(value='v', enabled=not enabled).uid}/update_token"
    answer = send(editor, "POST", path, {"value": "v", "enabled": written}, by="json")
    assert answer.json["success"] is True
    assert query("v")["enabled"] is enabled


@WAYS
def test_add_token_when_the_value_is_taken_then_it_is_refused(editor, make_token, content, by):
    make_token(value="taken")
    before = content()
    answer = send(editor, "POST", "/tokens/add_token", {"value": "taken"}, by=by)
    assert_failure(answer, 409, "value_taken", "Given value already used by another token")
    assert content() == before


def test_add_token_when_the_value_is_the_uid_of_another_token_then_it_is_refused(editor, add):
    answer = send(editor, "POST", "/tokens/add_token", {"value": add()})
    assert_failure(answer, 409, "value_taken")


def test_add_token_when_somebody_adds_it_then_creator_and_times_are_set(app, content, query):
    operator = app("editor")
    before = from_now(-datetime.timedelta(seconds=1))
    operator.post("/tokens/add_token", {"value": "mine"})
    token = query("mine")
    created = datetime.datetime.fromisoformat(token["created"])
    assert before < created < from_now(datetime.timedelta(seconds=1))
    assert token["modified"] == token["created"]
    assert token["creator"].startswith("editor-")
    assert content()["token_events"][0].user == token["creator"]


@pytest.mark.parametrize("count", ["-1", "0", "1", "+12", "007", "2147483647", "-0"])
def test_usage_count_when_it_is_within_limits_then_it_is_kept(add, query, count):
    add(value="v", usage_count=count)
    assert query("v")["usage_count"] == int(count)


@pytest.mark.parametrize("seconds", ["0", "1", "2147483647", "-0", "+3"])
def test_lock_time_when_it_is_within_limits_then_it_is_kept(add, query, seconds):
    add(value="v", lock_time=seconds)
    assert query("v")["lock_time"] == int(seconds)


# add_tokens


def test_add_tokens_when_there_is_no_prefix_then_values_are_the_uids(editor, query):
    answer = editor.post("/tokens/add_tokens", {"count": "3", "usage_count": "2"}).json
    assert set(answer) == {"success", "token_uids"}
    uids = answer["token_uids"]
    assert len(set(uids)) == 3
    for uid in uids:
        assert is_uid(uid)
        assert (query(uid)["uid"], query(uid)["usage_count"]) == (uid, 2)


def test_add_tokens_when_a_prefix_is_given_then_random_base32_follows_it(editor, content):
    uids = editor.post("/tokens/add_tokens", {"count": "20", "prefix": "Gäste-"}).json["token_uids"]
    values = {str(row.uid): row.value for row in content()["tokens"]}
    assert set(values) == set(uids)
    assert len(set(values.values())) == 20
    for value in values.values():
        assert re.fullmatch("Gäste-[A-Z2-7]{26}", value)


def test_add_tokens_when_everything_is_given_as_json_then_all_tokens_have_it(editor, query):
    parameters = {
        "count": 2,
        "usage_count": -1,
        "lock_time": 5,
        "enabled": False,
        "valid_from": "2026-01-15T10:00Z",
        "valid_to": None,
    }
    uids = editor.post_json("/tokens/add_tokens", parameters).json["token_uids"]
    for token in map(query, uids):
        assert (token["usage_count"], token["lock_time"], token["enabled"]) == (-1, 5, False)
        assert token["valid_from"] == "2026-01-15T11:00:00+01:00"


def test_many_tokens_when_as_many_as_possible_are_added_and_deleted_then_all_are(admin, content):
    uids = admin.post("/tokens/add_tokens", {"count": "10000"}).json["token_uids"]
    assert {str(row.uid) for row in content()["tokens"]} == set(uids)
    assert len(uids) == 10_000
    answer = send(admin, "POST", "/tokens/delete_tokens", {"token_uids": uids}, by="json").json
    assert answer["deleted"] == 10_000
    assert content()["tokens"] == []


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "count"),
        ({"count": ""}, "count"),
        ({"count": "0"}, "count"),
        ({"count": "-1"}, "count"),
        ({"count": "10001"}, "count"),
        ({"count": "2", "value": "x"}, "value"),
        ({"count": "2", "value": ""}, "value"),
        ({"count": "2", "prefix": "x" * 2023}, "prefix"),
        ({"count": "2", "prefix": "x\0"}, "prefix"),
        ({"count": "2", "usage_count": "-2"}, "usage_count"),
        ({"count": "2", "valid_from": "2026-01-02 00:00", "valid_to": "2026-01-01 00:00"}, "valid"),
    ],
    ids=str,
)
def test_add_tokens_when_a_parameter_is_wrong_then_none_is_added(
    editor,
    content,
    parameters,
    name,
):
    assert_invalid(send(editor, "POST", "/tokens/add_tokens", parameters), name)
    assert content()["tokens"] == []


def test_add_tokens_when_the_prefix_is_as_long_as_possible_then_it_is_taken(editor, content):
    editor.post("/tokens/add_tokens", {"count": "1", "prefix": "x" * 2022})
    assert len(content()["tokens"][0].value) == 2048


# consume_token


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_consume_when_the_token_has_uses_then_each_takes_one(editor, make_token, method):
    token = make_token(usage_count=2)
    path = f"/tokens/{token.uid}/consume_token"
    answers = [send(editor, method, path).json for _ in range(3)]
    for answer, left in zip(answers, (1, 0), strict=False):
        assert set(answer) == {"success", "consumed", "usage_count", "receipt", "used_before"}
        assert (answer["success"], answer["consumed"], answer["usage_count"]) == (True, True, left)
        assert is_uid(answer["receipt"])
    told = [answers[2].pop(name) for name in ("last_used", "last_user")]
    use = editor.get(f"/tokens/{token.uid}/usages").json["usages"][1]
    assert told == [use["time"], use["user"]]
    assert answers[2] == {
        "success": False,
        "consumed": False,
        "message": f"Token {token.uid} usage count exceeded",
        "error": "usage_count_exceeded",
        "error_code": 2,
    }


def test_consume_when_the_uses_never_end_then_minus_one_stays(editor, make_token, query):
    token = make_token(value="v", usage_count=-1)
    for _ in range(3):
        assert editor.post(f"/tokens/{token.uid}/consume_token").json["usage_count"] == -1
    assert query("v")["usage_count"] == -1


def test_consume_when_it_is_granted_then_the_token_tells_its_last_use(editor, make_token, query):
    token = make_token(value="v", usage_count=2, lock_time=60)
    editor.post(f"/tokens/{token.uid}/consume_token")
    after = query("v")
    used, locked = (
        datetime.datetime.fromisoformat(after[n]) for n in ("last_used", "locked_until")
    )
    assert locked - used == datetime.timedelta(seconds=60)
    assert (after["status"], after["usage_count"]) == ("locked", 1)
    assert datetime.datetime.fromisoformat(after["modified"]) == token.modified


DISABLED, EXHAUSTED = {"enabled": False}, {"usage_count": 0}
LOCKED = {"lock_time": 3_600}
EXPIRED, EARLY = {"valid_to": from_now(-HOUR)}, {"valid_from": from_now(HOUR)}
REFUSALS = [
    pytest.param({}, DISABLED, "disabled", "token_disabled", "is disabled", id="disabled"),
    pytest.param(
        {},
        EXHAUSTED,
        "exhausted",
        "usage_count_exceeded",
        "usage count exceeded",
        id="exhausted",
    ),
    pytest.param(LOCKED, {}, "locked", "token_locked", "is locked", id="locked"),
    pytest.param({}, EXPIRED, "expired", "out_of_time_range", "out of time range", id="expired"),
    pytest.param({}, EARLY, "not_yet_valid", "out_of_time_range", "out of time range", id="early"),
    pytest.param(
        LOCKED,
        DISABLED | EXHAUSTED | EXPIRED,
        "disabled",
        "token_disabled",
        "is disabled",
        id="disabled-comes-first",
    ),
    pytest.param(
        LOCKED,
        EXHAUSTED | EXPIRED,
        "exhausted",
        "usage_count_exceeded",
        "usage count exceeded",
        id="exhausted-comes-second",
    ),
    pytest.param(LOCKED, EXPIRED, "locked", "token_locked", "is locked", id="locked-comes-third"),
]


@pytest.fixture
def refused_token(service, make_token):
    """Return a function that makes a token, uses it up to its lock time and changes it."""

    def make(locked, changes):
        token = make_token(value="v", usage_count=9, **locked)
        if locked:
            service.consume(token.uid, by="someone")
        service.update(token.uid, TicketChanges(**changes), by="someone")
        return token

    return make


@pytest.mark.parametrize(("locked", "changes", "status", "slug", "text"), REFUSALS)
def test_consume_when_a_rule_forbids_it_then_the_first_that_does_is_told_and_logged(
    editor,
    refused_token,
    query,
    locked,
    changes,
    status,
    slug,
    text,
):
    token = refused_token(locked, changes)
    before = query("v")
    assert before["status"] == status
    by_uid = editor.post(f"/tokens/{token.uid}/consume_token")
    said = assert_failure(by_uid, 200, slug, f"Token {token.uid} {text}")
    assert said["consumed"] is False
    by_value = editor.post("/tokens/consume_token", {"value": "v"}).json
    assert by_value == {**said, "token_uid": str(token.uid), "read_as": None}
    log = editor.get(f"/tokens/{token.uid}/usages").json["usages"]
    assert [row["error"] for row in log[:2]] == [slug, slug]
    assert query("v") == before


def test_consume_when_the_value_is_given_to_the_container_then_one_request_is_enough(
    editor,
    make_token,
):
    token = make_token(value="at the door", usage_count=2)
    answer = editor.post("/tokens/consume_token", {"value": "at the door"}).json
    members = {"success", "consumed", "usage_count", "receipt", "used_before"}
    assert set(answer) == {*members, "token_uid", "read_as"}
    assert (answer["consumed"], answer["usage_count"]) == (True, 1)
    assert answer["token_uid"] == str(token.uid)


@WAYS
@pytest.mark.parametrize("length", [7, 10_000, 900_000])
def test_consume_when_the_value_is_unknown_then_it_is_404_and_not_logged(
    editor,
    content,
    by,
    length,
):
    answer = send(editor, "POST", "/tokens/consume_token", {"value": "x" * length}, by=by)
    said = assert_failure(answer, 404, "token_not_exists", "No token with this value")
    assert said["consumed"] is False
    assert content()["token_usage"] == []


def test_consume_when_the_token_is_set_back_to_enabled_then_it_is_granted(editor, make_token):
    token = make_token(enabled=False)
    path = f"/tokens/{token.uid}"
    assert editor.post(f"{path}/consume_token").json["error"] == "token_disabled"
    editor.post(f"{path}/update_token", {"enabled": "true"})
    assert editor.post(f"{path}/consume_token").json["consumed"] is True


# update_token


def test_update_when_one_parameter_is_given_then_the_others_stay(editor, make_token, query):
    token = make_token(
        value="v",
        usage_count=3,
        lock_time=4,
        valid_from=from_now(-HOUR),
        valid_to=from_now(HOUR),
    )
    before = query("v")
    answer = editor.post(f"/tokens/{token.uid}/update_token", {"usage_count": "8"})
    assert answer.json == {"success": True}
    after = query("v")
    changed = {name for name in FIELDS if after[name] != before[name]}
    assert changed == {"usage_count", "uses_given", "modified"}


@WAYS
def test_update_when_everything_is_given_then_everything_changes(editor, make_token, query, by):
    token = make_token(value="old")
    parameters = {
        "value": "néw",
        "valid_from": "2026-01-15T10:00:00+01:00",
        "valid_to": "2026-07-15T10:00:00+02:00",
        "usage_count": -1,
        "lock_time": 9,
        "enabled": "false",
    }
    send(editor, "POST", f"/tokens/{token.uid}/update_token", parameters, by=by)
    after = query("néw")
    assert {name: after[name] for name in parameters} == {**parameters, "enabled": False}
    assert after["uid"] == str(token.uid)
    assert query("old") is None


@pytest.mark.parametrize("empty", ["", None], ids=["empty", "null"])
def test_update_when_value_and_window_are_empty_then_uid_and_null_are_set(
    editor,
    make_token,
    query,
    empty,
):
    token = make_token(value="old", valid_from=from_now(-HOUR), valid_to=from_now(HOUR))
    parameters = dict.fromkeys(["value", "valid_from", "valid_to"], empty)
    send(editor, "POST", f"/tokens/{token.uid}/update_token", parameters, by="json")
    after = query(str(token.uid))
    assert (after["valid_from"], after["valid_to"]) == (None, None)


@pytest.mark.parametrize("empty", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("name", ["usage_count", "lock_time", "enabled"])
def test_update_when_an_integer_or_enabled_is_empty_then_it_is_refused(
    editor,
    make_token,
    content,
    name,
    empty,
):
    path = f"/tokens/{make_token().uid}/update_token"
    before = content()
    assert_invalid(send(editor, "POST", path, {name: empty}, by="json"), name)
    assert content() == before


@pytest.mark.parametrize(
    ("valid_from", "valid_to"),
    [("2026-06-01T12:00Z", "2026-06-01T12:00Z"), ("2026-06-01T12:00Z", "2026-06-01T11:59Z")],
    ids=["equal", "reversed"],
)
@pytest.mark.parametrize("given", ["both", "valid_from", "valid_to", "add"])
def test_a_window_when_its_edges_are_in_the_wrong_order_then_it_is_refused(
    editor,
    make_token,
    content,
    valid_from,
    valid_to,
    given,
):
    edges = {"valid_from": valid_from, "valid_to": valid_to}
    token = make_token(value="v")
    path = "/tokens/add_token" if given == "add" else f"/tokens/{token.uid}/update_token"
    if given in edges:
        kept = edges.keys() - {given}
        editor.post(path, {name: edges[name] for name in kept})
        edges = {given: edges[given]}
    before = content()
    assert_invalid(
        send(editor, "POST", path, edges),
        "valid_from",
        "valid_from must be before valid_to",
    )
    assert content() == before


def test_update_when_the_value_is_taken_then_nothing_changes(editor, make_token, content):
    make_token(value="taken")
    token = make_token(value="mine")
    before = content()
    parameters = {"value": "taken", "usage_count": "3"}
    answer = send(editor, "POST", f"/tokens/{token.uid}/update_token", parameters)
    assert_failure(answer, 409, "value_taken", "Given value already used by another token")
    assert content() == before


def test_update_when_its_own_value_is_given_then_it_is_taken(editor, make_token):
    token = make_token(value="mine")
    answer = editor.post(f"/tokens/{token.uid}/update_token", {"value": "mine"})
    assert answer.json == {"success": True}


def test_update_when_the_lock_time_is_shortened_then_a_resting_token_is_free(editor, make_token):
    token = make_token(usage_count=5, lock_time=3_600)
    path = f"/tokens/{token.uid}"
    editor.post(f"{path}/consume_token")
    assert editor.post(f"{path}/consume_token").json["error"] == "token_locked"
    editor.post(f"{path}/update_token", {"lock_time": "0"})
    assert editor.post(f"{path}/consume_token").json["consumed"] is True


# delete_token, delete_tokens


def test_delete_when_the_token_is_there_then_it_goes_and_its_log_stays(
    admin,
    make_token,
    content,
):
    token = make_token()
    admin.post(f"/tokens/{token.uid}/consume_token")
    assert admin.post(f"/tokens/{token.uid}/delete_token").json == {"success": True}
    assert content()["tokens"] == []
    assert len(content()["token_usage"]) == 1


@pytest.mark.parametrize(
    ("by", "as_list"),
    [("query", False), ("form", False), ("multipart", False), ("json", False), ("json", True)],
    ids=["query", "form", "multipart", "json-text", "json-list"],
)
def test_delete_tokens_when_all_are_there_then_all_go(admin, make_token, content, by, as_list):
    uids = [str(make_token().uid) for _ in range(3)]
    kept = make_token()
    given = uids if as_list else json.dumps(uids)
    answer = send(admin, "POST", "/tokens/delete_tokens", {"token_uids": given}, by=by).json
    assert set(answer) == {"success", "deleted", "message"}
    assert (answer["success"], answer["deleted"]) == (True, 3)
    assert isinstance(answer["message"], str)
    assert [row.uid for row in content()["tokens"]] == [kept.uid]


@pytest.mark.parametrize("wrong", [UNKNOWN_UID, "no uid", f"{{{UNKNOWN_UID}}}"], ids=str)
def test_delete_tokens_when_one_is_unknown_then_all_stay(admin, make_token, content, wrong):
    uids = [str(make_token().uid), wrong, str(make_token().uid)]
    before = content()
    answer = send(admin, "POST", "/tokens/delete_tokens", {"token_uids": json.dumps(uids)})
    assert_failure(answer, 404, "token_not_exists", f"Token {wrong} not exists")
    assert content() == before


UID_LISTS = {
    "empty": "",
    "empty list": [],
    "no JSON": "x",
    "null": "null",
    "object": {},
    "number": 1,
    "text": json.dumps(UNKNOWN_UID),
    "list of numbers": [1],
    "list of nulls": [None],
    "list of lists": [[UNKNOWN_UID]],
    "list of objects": [{UNKNOWN_UID: 1}],
    "deep": "[" * 100_000,
    "same twice": [UNKNOWN_UID, UNKNOWN_UID],
    "same in both cases": [UNKNOWN_UID, UNKNOWN_UID.upper()],
    "same malformed one": ["no uid", "no uid"],
    "malformed beside same twice": ["no uid", UNKNOWN_UID, UNKNOWN_UID],
    "too many": [str(uuid.UUID(int=number)) for number in range(10_001)],
}


@pytest.mark.parametrize("given", UID_LISTS.values(), ids=UID_LISTS)
@pytest.mark.parametrize("by", ["form", "json"])
def test_delete_tokens_when_the_list_is_wrong_then_it_is_refused(admin, given, by):
    if by == "form" and not isinstance(given, str):
        given = json.dumps(given)
    answer = send(admin, "POST", "/tokens/delete_tokens", {"token_uids": given}, by=by)
    assert_invalid(answer, "token_uids")


def test_delete_tokens_when_the_list_is_missing_then_it_is_refused(admin):
    answer = send(admin, "POST", "/tokens/delete_tokens")
    assert_invalid(answer, "token_uids", "Missing ``token_uids`` parameter")


# usages


def test_usages_when_there_were_grants_and_refusals_then_all_are_told_newest_first(
    app,
    make_token,
):
    first, second = app("editor"), app("token_operator")
    path = f"/tokens/{make_token(usage_count=1).uid}"
    receipt = first.post(f"{path}/consume_token").json["receipt"]
    second.post(f"{path}/consume_token")
    answer = first.get(f"{path}/usages").json
    assert set(answer) == {"success", "usages", "next"}
    assert (answer["success"], answer["next"]) == (True, None)
    refused, granted = answer["usages"]
    for row in (refused, granted):
        manner = {"uses", "checkpoint", "direction", "override", "undone_at", "undone_by"}
        assert set(row) == {"receipt", "time", "error", "user", "usage_count"} | manner
    assert (granted["receipt"], granted["error"]) == (receipt, None)
    assert refused["error"] == "usage_count_exceeded"
    assert granted["user"].startswith("editor-")
    assert refused["user"].startswith("token_operator-")
    assert (granted["usage_count"], refused["usage_count"]) == (0, 0)
    times = [datetime.datetime.fromisoformat(row["time"]) for row in (granted, refused)]
    assert times == sorted(times)
    assert all(time.utcoffset() for time in times)


@pytest.mark.parametrize("limit", ["1", "2", "3", "5", "6", "500"])
def test_usages_when_they_are_read_by_pages_then_each_comes_once(editor, make_token, limit):
    path = f"/tokens/{make_token(usage_count=5).uid}"
    receipts = [editor.post(f"{path}/consume_token").json["receipt"] for _ in range(5)]
    pages, parameters = [], {"limit": limit}
    while parameters:
        answer = editor.get(f"{path}/usages", parameters).json
        pages.append([row["receipt"] for row in answer["usages"]])
        before = answer["next"]
        parameters = before and {"limit": limit, "before": before}
    assert [receipt for page in pages for receipt in page] == receipts[::-1]
    assert all(len(page) == int(limit) for page in pages[:-1])
    assert 1 <= len(pages[-1]) <= int(limit)


@pytest.mark.parametrize("given", [{}, {"limit": ""}, {"before": ""}], ids=str)
def test_usages_when_no_limit_is_given_then_fifty_are_told(editor, service, make_token, given):
    token = make_token(usage_count=-1)
    for _ in range(51):
        service.consume(token.uid, by="someone")
    answer = editor.get(f"/tokens/{token.uid}/usages", given).json
    assert len(answer["usages"]) == 50
    assert answer["next"] == answer["usages"][-1]["receipt"]


@pytest.mark.parametrize("limit", ["0", "-1", "501", "x", "1.0", "9" * 50])
def test_usages_when_the_limit_is_wrong_then_it_is_refused(editor, make_token, limit):
    path = f"/tokens/{make_token().uid}/usages"
    assert_invalid(send(editor, "GET", path, {"limit": limit}), "limit")


def test_usages_when_before_is_another_tokens_receipt_then_it_is_refused(editor, make_token):
    mine, other = make_token(), make_token()
    receipt = editor.post(f"/tokens/{other.uid}/consume_token").json["receipt"]
    for before in (receipt, UNKNOWN_UID, "no receipt", receipt + "0", f"{{{receipt}}}"):
        answer = send(editor, "GET", f"/tokens/{mine.uid}/usages", {"before": before})
        assert_invalid(answer, "before")


def test_usages_when_the_receipt_is_in_upper_case_then_it_counts(editor, make_token):
    path = f"/tokens/{make_token(usage_count=2).uid}"
    receipts = [editor.post(f"{path}/consume_token").json["receipt"] for _ in range(2)]
    answer = editor.get(f"{path}/usages", {"before": receipts[1].upper()}).json
    assert [row["receipt"] for row in answer["usages"]] == receipts[:1]


# qr_code


def decoded(png: bytes) -> zxingcpp.Barcode:
    with Image.open(io.BytesIO(png)) as image:
        (code,) = zxingcpp.read_barcodes(image.convert("L"))
    return code


@pytest.mark.parametrize("value", ["plain", "Grüße €", "🎟", "x" * 2_048, "ä" * 1_024, "0123456789"])
def test_qr_code_when_it_is_asked_for_then_a_reader_reads_the_value(editor, make_token, value):
    token = make_token(value=value)
    answer = editor.get(f"/tokens/{token.uid}/qr_code", {"format": "png"})
    assert answer.content_type == "image/png"
    assert "Content-Disposition" not in answer.headers
    code = decoded(answer.body)
    assert (code.bytes.decode(), code.ec_level) == (value, "M")


def test_qr_code_when_the_call_is_bare_then_it_is_a_png_attachment(editor, make_token):
    answer = editor.get(f"/tokens/{make_token(value='bare').uid}/qr_code")
    assert answer.content_type == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert decoded(answer.body).text == "bare"


def test_qr_code_when_svg_is_asked_for_then_it_is_svg(editor, make_token):
    answer = editor.get(f"/tokens/{make_token().uid}/qr_code", {"format": "svg"})
    assert answer.content_type == "image/svg+xml"
    picture = ElementTree.fromstring(answer.body)  # noqa: S314 - our own
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("form", ["PNG", "gif", "png ", "svg\0"])
def test_qr_code_when_the_format_is_unknown_then_it_is_refused(editor, make_token, form):
    path = f"/tokens/{make_token().uid}/qr_code"
    assert_invalid(send(editor, "GET", path, {"format": form}), "format")


@pytest.mark.parametrize("form", ["png", "svg", None])
def test_qr_code_when_it_did_not_change_then_it_is_not_sent_again(editor, make_token, form):
    token = make_token(value="v")
    path, parameters = f"/tokens/{token.uid}/qr_code", {"format": form} if form else {}
    first = editor.get(path, parameters)
    known = {"If-None-Match": first.headers["ETag"]}
    assert "private" in first.headers["Cache-Control"]
    assert "no-store" not in first.headers["Cache-Control"]
    again = editor.get(path, parameters, headers=known)
    assert (again.status_int, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    editor.post(f"/tokens/{token.uid}/update_token", {"value": "other"})
    changed = editor.get(path, parameters, headers=known)
    assert changed.status_int == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_qr_code_when_two_formats_are_asked_for_then_their_etags_differ(editor, make_token):
    path = f"/tokens/{make_token().uid}/qr_code"
    tags = {editor.get(path, {"format": form}).headers["ETag"] for form in ("png", "svg")}
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("value", "level"),
    [("x" * 2_331, "M"), ("x" * 2_332, "L"), ("x" * 2_953, "L"), ("7" * 5_596, "M")],
    ids=["M-full", "L", "L-full", "digits"],
)
def test_qr_code_when_an_old_value_just_fits_then_it_is_shown(editor, old_token, value, level):
    answer = editor.get(f"/tokens/{old_token(value)}/qr_code")
    assert (decoded(answer.body).text, decoded(answer.body).ec_level) == (value, level)


@pytest.mark.parametrize("length", [2_954, 7_089, 7_090, 100_000])
@pytest.mark.parametrize("form", ["", "png", "svg"])
def test_qr_code_when_an_old_value_is_too_long_then_it_is_422(editor, old_token, length, form):
    path = f"/tokens/{old_token('x' * length)}"
    answer = send(editor, "GET", f"{path}/qr_code", {"format": form})
    assert_failure(answer, 422, "value_too_long_for_qr")
    assert editor.post(f"{path}/consume_token").json["consumed"] is True


# What is true of all views


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_a_path_when_the_uid_is_in_either_case_then_it_names_the_token(editor, make_token, upper):
    token = make_token(value="v")
    uid = str(token.uid).upper() if upper else str(token.uid)
    answer = editor.post("/tokens/consume_token", {"value": "v"}).json
    assert answer["token_uid"] == str(token.uid)
    assert editor.get(f"/tokens/{uid}/usages").json["usages"][0]["receipt"] == answer["receipt"]


@EVERY_VIEW
@pytest.mark.parametrize("accept", [None, "text/html", "image/png", "application/json", "*/*;q=0"])
def test_a_view_when_any_accept_header_is_sent_then_the_answer_is_the_same(
    admin,
    make_token,
    view,
    accept,
):
    headers = {"Accept": accept} if accept else {}
    answer = view.call(admin, make_token(), headers=headers)
    assert answer.status_int == 200
    kind = "image/png" if view.name == "qr_code" else "application/json"
    assert answer.content_type == kind
    if view.name not in ("qr_code", "openapi.json"):
        assert answer.json["success"] is True


@EVERY_VIEW
def test_a_view_when_it_answers_then_nobody_may_keep_the_answer(admin, make_token, view):
    answer = view.call(admin, make_token())
    expected = "private, no-cache" if view.name == "qr_code" else "no-store"
    assert answer.headers["Cache-Control"] == expected


@EVERY_VIEW
def test_a_view_when_unknown_parameters_are_given_then_only_a_consumption_refuses_them(
    admin, make_token, view
):
    token = make_token()
    answer = view.call(admin, token, query="unknown=1&unknown=2&=3&uid=4")
    assert answer.status_int == (400 if view.name.startswith("consume") else 200)
    assert view.call(admin, make_token(), query="_=1&_=2").status_int == 200


# What it costs (architecture 2.4)


@pytest.mark.parametrize(("uses", "statements"), [(1, 2), (0, 3)], ids=["granted", "refused"])
@pytest.mark.parametrize("by_value", [False, True], ids=["by-uid", "by-value"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_consume_when_it_is_decided_then_it_costs_few_statements(
    editor,
    make_token,
    query_recorder,
    uses,
    statements,
    by_value,
    method,
):
    token = make_token(value="v", usage_count=uses)
    query_recorder.clear()
    if by_value:
        send(editor, "POST", "/tokens/consume_token", {"value": "v"})
    else:
        send(editor, method, f"/tokens/{token.uid}/consume_token")
    assert len(query_recorder) == statements, query_recorder.statements
    assert [text.split()[0] for text in query_recorder.statements[:1]] == ["UPDATE"]
