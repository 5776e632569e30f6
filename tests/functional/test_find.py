"""Tokens that are found by a part of their code or label, by who may not list them."""

import logging
import uuid

import pytest
from cone.app.ugm import ugm_backend

from cone.tokens.tickets.found import HIT_FIELDS
from cone.tokens.tickets.found import MOST_HITS
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import make_user
from tests.support.asking import sign_in
from tests.support.factories import new_token

LOGGER = "cone.tokens.find"


@pytest.fixture
def door(signed_in):
    return signed_in("token_operator")


@pytest.fixture
def guests(service):
    for value, label in (("SECRET-1", "Zoë Müller"), ("SECRET-2", "Jo Muller"), ("SECRET-3", None)):
        token = new_token(value=value, label=label, category="VIP", usage_count=2, lock_time=0)
        service.add(token, by=None)


def found(client, sought):
    return client.get("/tokens/find_tokens", {"search": sought}).json


def test_find_when_a_label_has_the_parts_then_hits_tell_who_and_no_code(door, guests):
    answer = found(door, "MULLER")
    assert [hit["label"] for hit in answer["hits"]] == ["Jo Muller", "Zoë Müller"]
    assert {*answer["hits"][0]} == {"found", *HIT_FIELDS}
    assert "SECRET" not in str(answer)
    assert answer["has_more"] is False


def test_find_when_a_uid_is_the_code_then_hits_do_not_tell_it(door, service):
    uid = service.add(new_token(label="Zoë"), by=None)
    assert str(uid) not in str(found(door, "zoe"))


def test_find_when_a_part_of_a_code_is_sought_then_tokens_without_a_label_are_found(door, guests):
    assert [hit["label"] for hit in found(door, "cret-3")["hits"]] == [None]


def test_find_when_many_match_then_the_newest_are_told_and_that_there_are_more(door, service):
    service.add_many(new_token(label="Crew"), MOST_HITS + 5, "C-", by=None)
    service.add(new_token(label="Crew, last"), by=None)
    answer = found(door, "crew")
    assert (len(answer["hits"]), answer["has_more"]) == (MOST_HITS, True)
    assert answer["hits"][0]["label"] == "Crew, last"


def test_find_when_a_number_is_given_then_it_tells_how_the_token_is_now(door, guests, service):
    (hit,) = found(door, "zoe")["hits"]
    uid = service.find_by_value("SECRET-1").uid
    service.consume(uid, by="north")
    (now,) = door.get("/tokens/find_tokens", {"found": hit["found"]}).json["hits"]
    assert (now["usage_count"], now["last_user"]) == (1, "north")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "search"),
        ({"search": "ab"}, "search"),
        ({"search": "x" * 201}, "search"),
        ({"found": "0"}, "found"),
        ({"found": "x"}, "found"),
        ({"search": "muller", "found": "1"}, "found"),
    ],
)
def test_find_when_it_is_asked_wrongly_then_400_names_the_parameter(door, given, name):
    assert_invalid(door.get("/tokens/find_tokens", given, status="*"), name)


@pytest.mark.parametrize(
    "sought", ["'\"; --", "%%%", "___", "***", "NEAR(a", "a" * 200, "\u0308" * 9]
)
def test_find_when_it_has_signs_with_a_meaning_elsewhere_then_they_mean_themselves(
    door, guests, sought
):
    assert found(door, sought)["hits"] == []


def test_consume_when_a_token_was_found_then_a_use_is_taken_once_for_a_key(door, guests, service):
    (hit,) = found(door, "zoe")["hits"]
    given, headers = {"found": hit["found"]}, {"Idempotency-Key": "found-once"}
    first, again = [
        door.post("/tokens/consume_found", given, headers=headers).json for _ in range(2)
    ]
    assert first == again
    assert (first["consumed"], first["label"], first["usage_count"]) == (True, "Zoë Müller", 1)
    assert service.find_by_value("SECRET-1").usage_count == 1


def test_consume_when_what_was_found_is_one_of_those_not_meant_then_it_is_repeated(
    door, guests, service
):
    (hit,) = found(door, "zoe")["hits"]
    uid = service.find_by_value("SECRET-1").uid
    given = {"found": hit["found"], "not_read_as": f'["{uid}"]'}
    answer = door.post("/tokens/consume_found", given).json
    assert (answer["consumed"], answer["error"]) == (False, "repeated")
    assert service.find_by_value("SECRET-1").usage_count == 2
    given["not_read_as"] = f'["{uuid.uuid4()}"]'
    assert door.post("/tokens/consume_found", given).json["consumed"]


def test_consume_when_a_key_was_used_for_what_was_found_then_it_takes_no_use_by_the_code(
    door, guests, service
):
    (hit,) = found(door, "zoe")["hits"]
    headers = {"Idempotency-Key": "found-or-scanned"}
    ways = [("consume_found", {"found": hit["found"]}), ("consume_token", {"value": "SECRET-1"})]
    for first, other in (ways, ways[::-1]):
        headers = {"Idempotency-Key": f"first-{first[0]}"}
        left = service.find_by_value("SECRET-1").usage_count
        assert door.post(f"/tokens/{first[0]}", first[1], headers=headers).json["consumed"]
        refused = door.post(f"/tokens/{other[0]}", other[1], headers=headers, status="*")
        assert refused.status_int == 422
        assert service.find_by_value("SECRET-1").usage_count == left - 1


def test_consume_when_the_code_is_that_of_what_was_found_just_now_then_it_is_repeated(
    door, guests, service
):
    (hit,) = found(door, "zoe")["hits"]
    for value in ("SECRET-1", "secret-1"):
        given = {"value": value, "not_found": f"[{hit['found']}]"}
        answer = door.post("/tokens/consume_token", given).json
        assert (answer["consumed"], answer["error"]) == (False, "repeated")
        assert answer["found"] == hit["found"]
    assert service.find_by_value("SECRET-1").usage_count == 2
    given = {"value": "SECRET-2", "not_found": f"[{hit['found']}]"}
    assert door.post("/tokens/consume_token", given).json["consumed"]


@pytest.mark.parametrize("raw", ["x", "[]", '["x"]', "[0]", "[1, 1]", "{}", "[1.5]", "[true]"])
def test_consume_when_not_found_is_no_list_of_numbers_then_400_names_it(door, guests, raw):
    given = {"value": "SECRET-1", "not_found": raw}
    assert_invalid(door.post("/tokens/consume_token", given, status="*"), "not_found")


def test_consume_when_what_was_found_is_refused_then_no_uid_is_told(door, service):
    uid = service.add(new_token(label="Zoë", usage_count=1, enabled=False), by=None)
    (hit,) = found(door, "zoe")["hits"]
    answer = door.post("/tokens/consume_found", {"found": hit["found"]})
    assert (answer.json["error"], answer.json["message"]) == ("token_disabled", "Token is disabled")
    assert str(uid) not in answer.text


def test_consume_when_what_was_found_is_gone_then_404_and_no_other_gets_its_number(
    door, guests, service
):
    (hit,) = found(door, "cret-3")["hits"]
    service.delete(service.find_by_value("SECRET-3").uid, by=None)
    service.add(new_token(value="another", usage_count=1), by=None)
    answer = door.post("/tokens/consume_found", {"found": hit["found"]}, status="*")
    assert_failure(answer, 404, "token_not_exists")
    assert door.get("/tokens/find_tokens", {"found": hit["found"]}).json["hits"] == []
    assert service.find_by_value("another").usage_count == 1


def test_consume_when_it_has_an_unknown_parameter_then_it_is_refused(door, guests):
    (hit,) = found(door, "zoe")["hits"]
    given = {"found": hit["found"], "usages": "2"}
    assert_invalid(door.post("/tokens/consume_found", given, status="*"), "usages")


def test_find_when_the_site_takes_it_away_from_operators_then_they_may_not(
    patched_config, signed_in
):
    patched_config(operators_find=False)
    for view, method in (("find_tokens?search=abc", "get"), ("consume_found?found=1", "post")):
        answer = getattr(signed_in("token_operator"), method)(f"/tokens/{view}", status="*")
        assert_failure(answer, 403, "forbidden", "Permission find is missing")
    assert signed_in("editor").get("/tokens/find_tokens?search=abc").json["hits"] == []


def test_find_when_the_site_takes_it_away_from_operators_then_who_is_an_editor_too_may(
    patched_config, anonymous
):
    login = make_user("token_operator")
    ugm_backend.ugm.users[login].add_role("editor")
    ugm_backend.ugm()
    patched_config(operators_find=False)
    assert sign_in(anonymous, login).get("/tokens/find_tokens?search=abc").json["hits"] == []


def test_find_when_somebody_does_then_the_log_says_who_and_not_what(door, guests, caplog):
    caplog.set_level(logging.INFO, "cone.tokens")
    found(door, "zoe")
    (line,) = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert line.startswith("search: 1 hit, user token_operator-")


def test_scan_page_when_one_may_not_find_then_its_field_is_for_codes(patched_config, door):
    page = door.get("/tokens/scan").html
    assert page.find("label", attrs={"for": "value"}).get_text() == "Scan or type a code, or a name"
    assert "find_tokens" in page.find(id="door").string
    patched_config(operators_find=False)
    page = door.get("/tokens/scan").html
    assert page.find("label", attrs={"for": "value"}).get_text() == "Scan or type a code"
    assert "find_tokens" not in page.find(id="door").string
