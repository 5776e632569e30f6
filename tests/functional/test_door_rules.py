"""What a door asks of the JSON API: several uses, checkpoints, in and out, override, undo."""

import datetime
import json
import uuid

import cone.sql
import pytest
from sqlalchemy import update

from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import number_of
from tests.support.asking import send
from tests.support.factories import new_token

CHECKPOINTS = [
    {"name": "Main door", "directions": "in_out", "inside_hours": 6},
    {"name": "VIP door", "directions": "in_out", "categories": ["VIP", "Crew"]},
    {"name": "Gate"},
    {"name": "Cloakroom", "categories": ["Coat"]},
]
GRANTED = {"success", "consumed", "usage_count", "receipt", "used_before"}
REFUSED = {
    *("success", "message", "error", "error_code"),
    *("consumed", "last_used", "last_user"),
}
OF_VALUES = {"token_uid", "read_as"}
IN = {"checkpoint": "Main door", "direction": "in"}
OUT = {"checkpoint": "Main door", "direction": "out"}
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _checkpoints(settings_path):
    settings_path.write_text(json.dumps({"checkpoints": CHECKPOINTS}))


@pytest.fixture
def operator(signed_in):
    return signed_in("token_operator")


@pytest.fixture
def token(make_token):
    return make_token(value="v", usage_count=5)


def by_post(client, token, given, **more):
    return send(client, "POST", f"/tokens/{token.uid}/consume_token", given, **more)


def by_get(client, token, given, **more):
    return send(client, "GET", f"/tokens/{token.uid}/consume_token", given, **more)


def by_value(client, token, given, **more):
    return send(client, "POST", "/tokens/consume_token", {"value": token.value, **given}, **more)


def by_number(client, token, given, **more):
    given = {"found": number_of(token), **given}
    return send(client, "POST", "/tokens/consume_found", given, **more)


WAYS = pytest.mark.parametrize("use", [by_post, by_get, by_value, by_number])
BODIES = pytest.mark.parametrize("by", ["query", "form", "multipart", "json"])


def undo(client, token, receipt, **more):
    path = f"/tokens/{token.uid}/undo_use"
    return send(client, "POST", path, {"receipt": str(receipt)}, **more)


def receipt_of(client, token, **given):
    return by_post(client, token, given).json["receipt"]


def change_row(receipt, **columns):
    """Change a row of the log as no program does."""
    row = TokenUsageRecord.uid == uuid.UUID(receipt)
    with cone.sql.session_factory.engine.begin() as connection:
        connection.execute(update(TokenUsageRecord).where(row).values(columns))


def put_back(content, receipt, duration):
    """Let a use have been some time ago."""
    rows = content()["token_usage"]
    (time,) = (row.timestamp for row in rows if row.uid == uuid.UUID(receipt))
    change_row(receipt, timestamp=time - duration)


# What a client of 2.0 sees


@WAYS
def test_answers_when_nothing_of_a_door_is_asked_then_they_have_no_new_member(
    operator, make_token, use
):
    token = make_token(usage_count=1)
    named = OF_VALUES if use is by_value else set()
    if use is by_number:
        named = set(use(operator, make_token(), {}).json) - GRANTED
    assert set(use(operator, token, {}).json) == GRANTED | named
    assert set(use(operator, token, {}).json) == REFUSED | named


@WAYS
def test_answers_when_all_parameters_are_empty_then_they_are_those_of_a_plain_use(
    operator, token, content, use
):
    empty = dict.fromkeys(("uses", "checkpoint", "direction", "override"), "")
    answer = use(operator, token, empty).json
    assert "uses" not in answer
    (row,) = content()["token_usage"]
    assert (row.uses, row.checkpoint, row.direction, row.override) == (None,) * 4
    assert row.usage_count == answer["usage_count"] == 4


def test_tokens_when_they_are_read_then_they_have_no_new_member(editor, token):
    by_post(editor, token, IN)
    told = editor.get(f"/tokens/query_token?value={token.value}").json["token"]
    assert not {"inside_until", "outside_until"} & set(told)


# Several at once


@WAYS
def test_uses_when_there_are_as_many_then_all_are_taken_as_one(operator, token, content, use):
    answer = use(operator, token, {"uses": "3"}).json
    assert (answer["consumed"], answer["uses"], answer["usage_count"]) == (True, 3, 2)
    (row,) = content()["token_usage"]
    assert (row.uses, row.usage_count, row.version) == (3, 2, 2)


@WAYS
def test_uses_when_there_are_fewer_then_none_is_taken_and_the_answer_tells_how_many_are_left(
    operator, token, content, use
):
    answer = use(operator, token, {"uses": "6"}).json
    assert (answer["error"], answer["error_code"]) == ("not_enough_uses", 12)
    assert (answer["consumed"], answer["usage_count"]) == (False, 5)
    (row,) = content()["token_usage"]
    assert (row.uses, row.error_code, row.usage_count) == (6, 12, 5)


@pytest.mark.parametrize(
    ("left", "uses", "error"),
    [
        (0, "2", "usage_count_exceeded"),
        (1, "2", "not_enough_uses"),
        (2, "2", None),
        (-1, "100", None),
        (-1, "101", "not_enough_uses"),
        (2_147_483_647, "2147483647", None),
        (1, "2147483647", "not_enough_uses"),
    ],
)
def test_uses_when_they_are_at_an_edge_then_all_or_none_are_taken(
    operator, make_token, left, uses, error
):
    token = make_token(usage_count=left)
    assert by_post(operator, token, {"uses": uses}).json.get("error") == error


@BODIES
def test_uses_when_they_are_sent_in_any_body_then_they_are_read_alike(operator, token, by):
    answer = by_post(operator, token, {"uses": 2 if by == "json" else "+2"}, by=by)
    assert answer.json["uses"] == 2


def test_uses_when_only_one_is_asked_for_then_the_answer_tells_it(operator, token):
    assert by_post(operator, token, {"uses": "1"}).json["uses"] == 1


# What is wrong

WRONG = [
    ({"uses": "0"}, "uses"),
    ({"uses": "-1"}, "uses"),
    ({"uses": "1.5"}, "uses"),
    ({"uses": "all"}, "uses"),
    ({"uses": "2147483648"}, "uses"),
    ({"uses": "9" * 5_000}, "uses"),
    ({"uses": "٣"}, "uses"),
    ({"checkpoint": "Roof"}, "checkpoint"),
    ({"checkpoint": "main door"}, "checkpoint"),
    ({"checkpoint": "x" * 5_000}, "checkpoint"),
    ({"checkpoint": "\0"}, "checkpoint"),
    ({"checkpoint": "Gate", "direction": "up"}, "direction"),
    ({"checkpoint": "Main door", "direction": "OUT"}, "direction"),
    ({"direction": "in"}, "direction"),
    ({"direction": "out"}, "direction"),
    ({"checkpoint": "Gate", "direction": "out"}, "direction"),
    ({"override": "x" * 201}, "override"),
    ({"override": "a\x07b"}, "override"),
    ({"override": "two\nlines"}, "override"),
    ({**OUT, "uses": "2"}, "uses"),
    ({**OUT, "override": "lost list"}, "override"),
    ({"uses": "2", "override": "lost list"}, "uses"),
]


@WAYS
@pytest.mark.parametrize(("given", "named"), WRONG, ids=lambda each: str(each)[:60])
def test_a_parameter_when_it_is_wrong_then_it_is_named_and_nothing_is_changed(
    editor, token, content, use, given, named
):
    before = content()
    assert_invalid(use(editor, token, given), named)
    assert content() == before


@pytest.mark.parametrize("name", ["uses", "checkpoint", "direction", "override"])
@pytest.mark.parametrize("value", [True, 1.5, [], {}], ids=str)
def test_a_parameter_when_json_has_another_type_then_it_is_named(editor, token, name, value):
    given = {"checkpoint": "Main door", name: value}
    assert_invalid(by_post(editor, token, given, by="json"), name)


@pytest.mark.parametrize("name", ["uses", "checkpoint", "direction", "override"])
def test_a_parameter_when_it_comes_twice_then_it_is_named(editor, token, name):
    path = f"/tokens/{token.uid}/consume_token?{name}=1&{name}=1"
    assert_invalid(send(editor, "POST", path), name)


def test_a_parameter_when_it_is_misspelt_then_nothing_is_taken(editor, token, content):
    before = content()
    for name in ("use", "checkpoints", "way", "reason"):
        assert_invalid(by_post(editor, token, {name: "1"}), name)
    assert content() == before


def test_a_checkpoint_when_it_is_taken_out_of_the_settings_then_it_is_none(
    operator, token, settings_path
):
    assert by_post(operator, token, IN).json["consumed"]
    settings_path.write_text(json.dumps({"checkpoints": CHECKPOINTS[1:]}))
    assert_invalid(by_post(operator, token, OUT), "checkpoint")


# Checkpoints


@WAYS
@pytest.mark.parametrize(
    ("category", "checkpoint", "error"),
    [
        ("Coat", "Cloakroom", None),
        ("VIP", "Cloakroom", "wrong_checkpoint"),
        ("coat", "Cloakroom", "wrong_checkpoint"),
        (None, "Cloakroom", "wrong_checkpoint"),
        (None, "Gate", None),
        ("Crew", "VIP door", None),
    ],
)
def test_a_checkpoint_when_it_has_categories_then_no_other_is_taken(
    operator, make_token, content, use, category, checkpoint, error
):
    token = make_token(usage_count=5, category=category)
    answer = use(operator, token, {"checkpoint": checkpoint}).json
    assert answer.get("error") == error
    assert answer["error_code"] == 8 if error else answer["uses"] == 1
    (row,) = content()["token_usage"]
    assert (row.checkpoint, row.usage_count) == (checkpoint, 5 if error else 4)


def test_a_checkpoint_when_it_has_no_directions_then_a_row_has_none(operator, token, content):
    by_post(operator, token, {"checkpoint": "Gate", "direction": "in"})
    (row,) = content()["token_usage"]
    assert (row.checkpoint, row.direction, row.inside_until) == ("Gate", None, None)


@WAYS
def test_a_ticket_when_it_goes_out_and_in_again_then_one_use_is_taken(
    operator, make_token, service, content, use
):
    token = make_token(usage_count=1, lock_time=3_600)
    inside, uses = [], []
    for given in (IN, OUT, {"checkpoint": "Main door"}, OUT):
        uses.append(use(operator, token, given).json["uses"])
        inside.append(service.count_inside())
    assert (uses, inside) == ([1, 0, 0, 0], [1, 0, 1, 0])
    ways = [row.direction for row in sorted(content()["token_usage"], key=lambda r: r.version)]
    assert ways == ["in", "out", "in", "out"]


def test_a_ticket_when_it_is_outside_without_uses_then_its_status_is_consumable(editor, make_token):
    token = make_token(usage_count=1)

    def status():
        return editor.get(f"/tokens/query_token?value={token.value}").json["token"]["status"]

    by_post(editor, token, IN)
    assert status() == "exhausted"
    by_post(editor, token, OUT)
    assert status() == "consumable"
    assert by_post(editor, token, {}).json["error"] == "usage_count_exceeded"
    assert by_post(editor, token, {"checkpoint": "Gate"}).json["error"] == "usage_count_exceeded"
    assert by_post(editor, token, IN).json["uses"] == 0


def test_a_ticket_when_it_is_inside_then_another_entry_is_refused_and_takes_nothing(
    operator, token
):
    by_post(operator, token, IN)
    again = by_post(operator, token, {**IN, "uses": "2"}).json
    assert (again["error"], again["error_code"]) == ("already_inside", 9)
    assert by_post(operator, token, {}).json["usage_count"] == 3


def test_a_ticket_when_it_is_not_inside_then_its_exit_is_refused(operator, token):
    said = by_post(operator, token, OUT).json
    assert (said["error"], said["error_code"]) == ("not_inside", 10)


def test_a_look_up_when_the_ticket_is_inside_then_it_says_so_and_else_nothing_of_it(
    operator, token
):
    asked = {"value": token.value}, {"found": number_of(token)}

    def looked_up():
        by_code = send(operator, "GET", "/tokens/query_token", asked[0]).json
        [hit] = send(operator, "GET", "/tokens/find_tokens", asked[1]).json["hits"]
        return [told.get("inside") for told in (by_code, hit)]

    seen = [looked_up()]
    for given in (IN, OUT):
        assert by_post(operator, token, given).json["success"]
        seen.append(looked_up())
    assert seen == [[None, None], [True, True], [None, None]]


def test_a_ticket_when_inside_ends_then_it_comes_in_by_another_use(operator, token, service):
    by_post(operator, token, IN)
    by_post(operator, token, OUT)
    assert service.reset_presence(by="desk") == 1
    assert by_post(operator, token, IN).json["uses"] == 1


# The order of refusals

#: What makes each rule fail, of a ticket that is inside.
ALL_WRONG = {
    "category": "Coat",
    "enabled": "false",
    "usage_count": "0",
    "lock_time": "3600",
    "valid_to": "2020-01-01T00:00:00Z",
}


def test_an_entry_when_all_is_wrong_then_refusals_come_in_their_order(admin, make_token, service):
    token = make_token(usage_count=2, category="VIP")
    given = {"checkpoint": "VIP door", "uses": "2"}
    assert by_post(admin, token, {**given, "uses": "1"}).json["consumed"]
    admin.post(f"/tokens/{token.uid}/update_token", ALL_WRONG)
    errors = []
    for mended in (
        {},
        {"enabled": "true"},
        {"category": "VIP"},
        None,
        {"usage_count": "1"},
        {"usage_count": "2"},
        {"lock_time": "0"},
        {"valid_to": ""},
    ):
        if mended is None:
            service.reset_presence(by="desk")
        else:
            admin.post(f"/tokens/{token.uid}/update_token", mended)
        errors.append(by_post(admin, token, given).json.get("error"))
    assert errors == [
        "token_disabled",
        "wrong_checkpoint",
        "already_inside",
        "usage_count_exceeded",
        "not_enough_uses",
        "token_locked",
        "out_of_time_range",
        None,
    ]


def test_an_exit_when_all_is_wrong_then_only_what_concerns_it_refuses_it(admin, make_token):
    token = make_token(usage_count=2, category="VIP")
    way_out = {"checkpoint": "VIP door", "direction": "out"}
    errors = [by_post(admin, token, way_out).json["error"]]
    by_post(admin, token, {"checkpoint": "VIP door"})
    for mended in (ALL_WRONG, {"enabled": "true"}, {"category": "VIP"}):
        admin.post(f"/tokens/{token.uid}/update_token", mended)
        errors.append(by_post(admin, token, way_out).json.get("error"))
    assert errors == ["not_inside", "token_disabled", "wrong_checkpoint", None]


def test_a_code_when_it_was_replaced_then_no_parameter_of_a_door_is_of_use(editor, token):
    editor.post(f"/tokens/{token.uid}/replace")
    for given in (IN, OUT, {"uses": "9"}, {"override": "lost list"}):
        assert by_value(editor, token, given).json["error"] == "replaced"
    assert_failure(
        by_value(editor, token, {"override": "x", "value": "none"}), 404, "token_not_exists"
    )


# Override


@WAYS
def test_an_override_when_it_is_not_permitted_then_it_is_403_and_nothing_is_changed(
    operator, make_token, content, use
):
    token = make_token(usage_count=0)
    before = content()
    answer = use(operator, token, {"override": "lost list"})
    assert_failure(answer, 403, "forbidden")
    assert content() == before


@WAYS
@pytest.mark.parametrize(
    ("given", "uses"),
    [
        ({"enabled": False}, 1),
        ({"usage_count": 0}, 0),
        ({"usage_count": -1}, 1),
        ({"valid_to": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)}, 1),
        ({}, 1),
    ],
    ids=str,
)
def test_an_override_when_it_is_permitted_then_no_rule_counts_and_a_use_is_taken_if_one_is_left(
    editor, make_token, content, use, given, uses
):
    token = make_token(**given)
    answer = use(editor, token, {"override": " lost list "}).json
    assert (answer["consumed"], answer["uses"]) == (True, uses)
    (row,) = content()["token_usage"]
    assert (row.override, row.uses, row.error_code) == ("lost list", uses, None)


def test_an_override_when_the_ticket_is_inside_or_for_another_door_then_it_comes_in(
    editor, make_token, service
):
    token = make_token(usage_count=9)
    assert by_post(editor, token, IN).json["consumed"]
    assert by_post(editor, token, {**IN, "override": "tapped twice"}).json["uses"] == 1
    given = {"checkpoint": "VIP door", "override": "plus one"}
    assert by_post(editor, token, given).json["usage_count"] == 6
    assert service.count_inside() == 1


@pytest.mark.parametrize("reason", ["  ", "\u200b\u00a0"])
def test_an_override_when_its_reason_is_blank_then_the_rules_count(operator, make_token, reason):
    token = make_token(usage_count=0)
    said = by_post(operator, token, {"override": reason}).json
    assert said["error"] == "usage_count_exceeded"


# Undo


def test_undo_when_the_use_is_an_own_one_then_all_of_its_uses_come_back(
    operator, token, service, content
):
    before = service.get(token.uid)
    receipt = receipt_of(operator, token, uses="3")
    answer = undo(operator, token, receipt)
    assert answer.json == {"success": True, "uses": 3, "usage_count": 5}
    after = service.get(token.uid)
    assert (after.usage_count, after.last_used, after.locked_until) == (5, None, None)
    assert after.modified == before.modified
    (row,) = content()["token_usage"]
    assert (row.undone_at is None, row.undone_by) == (False, row.user)
    last = max(content()["token_events"], key=lambda event: event.version)
    assert (last.action, last.version) == ("undo", 3)


@BODIES
def test_undo_when_the_receipt_comes_in_any_body_then_it_is_read(operator, token, by):
    assert undo(operator, token, receipt_of(operator, token), by=by).json["uses"] == 1


@pytest.mark.parametrize(
    ("role", "minutes", "is_own", "status"),
    [
        ("token_operator", 14.9, True, 200),
        ("token_operator", 15.1, True, 403),
        ("token_operator", 0, False, 403),
        ("editor", 100_000, True, 200),
        ("editor", 100_000, False, 200),
        ("admin", 0, False, 200),
        ("viewer", 0, False, 403),
    ],
)
def test_undo_when_somebody_asks_then_own_uses_come_back_for_a_while_and_editors_may_always(
    app, token, content, role, minutes, is_own, status
):
    client = app(role)
    receipt = receipt_of(client if is_own else app("token_operator"), token)
    put_back(content, receipt, minutes * MINUTE)
    before = content()
    answer = undo(client, token, receipt)
    assert answer.status_int == status
    if status == 403:
        slug = "forbidden" if role == "viewer" else "not_undone"
        assert_failure(answer, 403, slug)
        assert content() == before


def test_undo_when_it_is_repeated_then_the_answer_is_the_same_and_nothing_changes(
    operator, editor, app, token, content
):
    receipt = receipt_of(operator, token, uses="2")
    first = undo(operator, token, receipt).json
    before = content()
    assert undo(operator, token, receipt).json == first
    assert undo(editor, token, receipt).json == first
    assert_failure(undo(app("token_operator"), token, receipt), 403, "not_undone")
    assert content() == before


def undo_found(client, number, receipt, **more):
    given = {"found": number, "receipt": str(receipt)}
    return send(client, "POST", "/tokens/undo_found", given, **more)


@BODIES
def test_undo_found_when_the_use_is_of_that_token_then_it_is_undone_as_by_its_uid(
    operator, token, content, by
):
    number = number_of(token)
    receipt = by_number(operator, token, {"uses": "2"}).json["receipt"]
    first = undo_found(operator, number, receipt, by=by)
    assert first.json == {"success": True, "uses": 2, "usage_count": 5}
    before = content()
    assert undo_found(operator, number, receipt, by=by).json == first.json
    assert undo(operator, token, receipt).json == first.json
    assert content() == before
    (row,) = before["token_usage"]
    assert row.undone_by == row.user


def test_undo_found_when_it_cannot_be_then_it_is_refused_and_nothing_changes(
    app, operator, token, make_token, content
):
    number, other = number_of(token), number_of(make_token())
    receipt = receipt_of(operator, token)
    before = content()
    assert_invalid(undo_found(operator, other, receipt), "receipt")
    assert_invalid(undo_found(operator, number, token.uid), "receipt")
    assert_invalid(send(operator, "POST", "/tokens/undo_found", {"found": number}), "receipt")
    assert_invalid(send(operator, "POST", "/tokens/undo_found", {"receipt": receipt}), "found")
    assert_invalid(undo_found(operator, "-1", receipt), "found")
    assert_failure(undo_found(operator, 2**31 - 1, receipt), 404, "token_not_exists")
    assert_failure(undo_found(app("token_operator"), number, receipt), 403, "not_undone")
    assert_failure(undo_found(app("viewer"), number, receipt), 403, "forbidden")
    assert content() == before


def test_undo_when_uses_were_taken_since_then_a_repeat_tells_those_that_are_left(operator, token):
    receipt = receipt_of(operator, token, uses="2")
    undo(operator, token, receipt)
    by_post(operator, token, {})
    assert undo(operator, token, receipt).json == {"success": True, "uses": 2, "usage_count": 4}


def test_undo_when_the_receipt_is_of_no_use_of_the_token_then_it_is_400_and_nothing_changes(
    editor, token, make_token, content
):
    other = make_token(usage_count=1)
    of_other = receipt_of(editor, other)
    by_post(editor, other, {})
    (refused,) = (str(row.uid) for row in content()["token_usage"] if row.error_code)
    of_before = receipt_of(editor, token)
    change_row(of_before, version=0, usage_count=None)
    before = content()
    for asked, receipt in (
        (token, of_other),
        (other, refused),
        (token, of_before),
        (token, uuid.uuid4()),
        (token, token.uid),
        (token, "no-uid"),
        (token, ""),
        (token, f"{of_other} "),
    ):
        assert_invalid(undo(editor, asked, receipt), "receipt")
    assert content() == before


@pytest.mark.parametrize("receipt", [5, True, None, [], {}], ids=str)
def test_undo_when_json_has_another_type_then_the_receipt_is_named(editor, token, receipt):
    path = f"/tokens/{token.uid}/undo_use"
    assert_invalid(send(editor, "POST", path, {"receipt": receipt}, by="json"), "receipt")


def test_undo_when_the_receipt_is_missing_or_comes_with_others_then_it_is_400(editor, token):
    path = f"/tokens/{token.uid}/undo_use"
    assert_invalid(send(editor, "POST", path), "receipt")
    receipt = receipt_of(editor, token)
    given = {"receipt": receipt, "uses": "1"}
    assert editor.post(path, given, status="*").status_int in {200, 400}
    assert send(editor, "GET", path, {"receipt": receipt}).status_int == 405


def test_undo_when_the_token_is_unknown_or_gone_then_it_is_404(admin, token):
    receipt = receipt_of(admin, token)
    admin.post(f"/tokens/{token.uid}/delete_token")
    assert_failure(undo(admin, token, receipt), 404, "token_not_exists")
    path = f"/tokens/{UNKNOWN_UID}/undo_use"
    answer = send(admin, "POST", path, {"receipt": receipt})
    assert_failure(answer, 404, "token_not_exists")


def test_undo_when_the_token_was_deleted_and_added_again_then_its_old_uses_are_no_more(
    admin, token, service
):
    receipt = receipt_of(admin, token)
    admin.post(f"/tokens/{token.uid}/delete_token")
    service.add_as(token.uid, new_token(usage_count=5), by="me")
    assert_invalid(undo(admin, token, receipt), "receipt")
    last = receipt_of(admin, token)
    assert undo(admin, token, last).json["usage_count"] == 5
    assert service.get(token.uid).last_used is None


def test_undo_when_an_exit_is_taken_back_then_the_ticket_is_inside(operator, token, service):
    by_post(operator, token, IN)
    receipt = receipt_of(operator, token, **OUT)
    assert undo(operator, token, receipt).json == {"success": True, "uses": 0, "usage_count": 4}
    assert service.count_inside() == 1
    assert by_post(operator, token, IN).json["error"] == "already_inside"


def test_undo_when_an_entry_is_taken_back_then_the_ticket_is_not_inside(operator, token, service):
    receipt = receipt_of(operator, token, **IN)
    assert undo(operator, token, receipt).json["usage_count"] == 5
    assert service.count_inside() == 0
    assert by_post(operator, token, OUT).json["error"] == "not_inside"


def test_undo_when_it_was_no_longer_locked_then_the_token_is_free_at_once(operator, make_token):
    token = make_token(usage_count=2, lock_time=3_600)
    receipt = receipt_of(operator, token)
    assert by_post(operator, token, {}).json["error"] == "token_locked"
    undo(operator, token, receipt)
    assert by_post(operator, token, {}).json["consumed"]


def test_undo_when_the_token_is_unlimited_then_it_stays_so(operator, make_token):
    token = make_token(usage_count=-1)
    receipt = receipt_of(operator, token, uses="100")
    answer = undo(operator, token, receipt).json
    assert (answer["uses"], answer["usage_count"]) == (100, -1)


def test_undo_when_it_would_give_more_uses_than_there_can_be_then_it_gives_those(
    editor, make_token
):
    token = make_token(usage_count=5)
    receipt = receipt_of(editor, token, uses="5")
    editor.post(f"/tokens/{token.uid}/update_token", {"usage_count": "2147483646"})
    assert undo(editor, token, receipt).json["usage_count"] == 2_147_483_647


# Idempotency


@WAYS
@pytest.mark.parametrize(
    "given", [{"uses": "2"}, IN, {"checkpoint": "Gate"}, {"override": "x"}, {"uses": "9"}], ids=str
)
def test_a_key_when_it_is_repeated_then_the_answer_is_the_same_and_nothing_is_taken(
    editor, token, content, use, given
):
    headers = {"Idempotency-Key": "k"}
    first = use(editor, token, given, headers=headers)
    before = content()
    again = use(editor, token, given, headers=headers)
    assert (again.status_int, again.json) == (200, first.json)
    assert content() == before


@WAYS
def test_a_key_when_it_is_repeated_for_something_else_then_it_is_422(editor, token, content, use):
    headers = {"Idempotency-Key": "k"}
    given = {"uses": "2", "checkpoint": "Main door", "direction": "in"}
    assert use(editor, token, given, headers=headers).json["consumed"]
    before = content()
    for other in (
        {**given, "uses": "3"},
        {**given, "uses": ""},
        {**given, "checkpoint": "Gate"},
        OUT,
        {"checkpoint": "Main door", "override": "x"},
        {},
    ):
        answer = use(editor, token, other, headers=headers)
        assert_failure(answer, 422, "idempotency_conflict")
    assert content() == before


@WAYS
def test_a_key_when_empty_parameters_come_again_as_none_then_it_is_the_same_request(
    editor, token, content, use
):
    headers = {"Idempotency-Key": "k"}
    empty = dict.fromkeys(("uses", "checkpoint", "direction", "override"), "")
    first = use(editor, token, empty, headers=headers).json
    assert use(editor, token, {}, headers=headers).json == first
    assert len(content()["token_usage"]) == 1


def test_a_key_when_its_use_was_taken_back_then_a_repeat_takes_no_other(operator, token, service):
    headers = {"Idempotency-Key": "k"}
    first = by_post(operator, token, {"uses": "2"}, headers=headers).json
    undo(operator, token, first["receipt"])
    again = by_post(operator, token, {"uses": "2"}, headers=headers).json
    told = ("receipt", "uses", "usage_count")
    assert [again[name] for name in told] == [first[name] for name in told]
    assert service.get(token.uid).usage_count == 5


def test_a_key_when_an_entry_after_an_exit_is_repeated_then_it_has_taken_none_again(
    operator, token
):
    headers = {"Idempotency-Key": "k"}
    for given in (IN, OUT):
        by_post(operator, token, given)
    first = by_post(operator, token, IN, headers=headers).json
    assert first["uses"] == 0
    assert by_post(operator, token, IN, headers=headers).json == first


# The log


def test_usages_when_they_were_taken_at_a_door_then_they_tell_how(editor, token):
    by_post(editor, token, {})
    by_post(editor, token, {**IN, "uses": "2"})
    by_post(editor, token, OUT)
    by_post(editor, token, OUT)
    overriding = receipt_of(editor, token, checkpoint="Gate", override="lost list")
    undo(editor, token, overriding)
    usages = editor.get(f"/tokens/{token.uid}/usages").json["usages"]
    told = ("error", "uses", "checkpoint", "direction", "override")
    # Those of one version are in the order of their times.
    assert [tuple(usage[name] for name in told) for usage in reversed(usages)] == [
        (None, 1, None, None, None),
        (None, 2, "Main door", "in", None),
        (None, 0, "Main door", "out", None),
        ("not_inside", 0, "Main door", "out", None),
        (None, 1, "Gate", None, "lost list"),
    ]
    assert [usage["undone_at"] is None for usage in usages] == [False, True, True, True, True]
