"""The scan page with its server: what a code is read as, and what is told of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import told
from tests.support.scanner import ENTER

pytestmark = DESKTOP_ONLY


@pytest.fixture
def pair(add):
    """Two codes of which the one begins with the other."""
    short = f"G-{add()[-8:]}"
    return add(short, usage_count=1), add(f"{short}2", usage_count=1)


def test_door_when_a_code_pauses_within_and_another_begins_like_it_then_the_whole_one_is_redeemed(
    timed_door, scanner, pair, token
):
    short, whole = pair
    gaps = [5] * (len(whole) - 2) + [110, 5]
    scanner.type(whole, [ENTER], gaps=gaps)
    expect(answer(timed_door, "granted").locator(".value")).to_have_text(whole)
    assert (token(short)["usage_count"], token(whole)["usage_count"]) == (1, 0)


def test_door_when_a_scanner_without_an_end_stops_within_a_code_then_nothing_is_redeemed(
    timed_door, scanner, pair, token
):
    short, whole = pair
    scanner.type(short)
    scanner.pause()
    expect(answer(timed_door, "noted")).to_contain_text("Not complete?")
    # What arrived comes back, and what is scanned next takes its place.
    expect(timed_door.get_by_role("textbox")).to_have_value(short)
    assert (token(short)["usage_count"], token(whole)["usage_count"]) == (1, 1)
    scanner.type(whole, [ENTER])
    timed_door.clock.run_for(1_000)
    expect(answer(timed_door, "granted").locator(".value")).to_have_text(whole)
    assert (token(short)["usage_count"], token(whole)["usage_count"]) == (1, 0)


def test_door_when_a_code_is_sent_in_another_form_then_the_page_tells_what_it_was_read_as(
    door, add, token
):
    value = add(f"Read-{add()[-8:]}", usage_count=1)
    enter(door, value.upper().replace("-", "ß"))
    alert = answer(door, "granted").get_by_role("alert")
    expect(alert).to_contain_text(f"read as {value}")
    assert token(value)["usage_count"] == 0


def test_door_when_a_check_stops_within_a_code_then_it_is_not_complete(
    timed_door, scanner, pair, token
):
    short, whole = pair
    timed_door.get_by_label("Only check").check()
    scanner.type(short)
    scanner.pause(450)
    expect(answer(timed_door, "noted")).to_contain_text("Not complete?")
    scanner.type(whole[len(short) :], [ENTER], after=600)
    timed_door.clock.run_for(1_000)
    expect(answer(timed_door, "valid").locator(".value")).to_have_text(whole)


@pytest.mark.parametrize("form", ["]Q1{}", "{}\t", "lower"])
def test_door_when_the_same_token_is_sent_in_another_form_then_another_use_is_asked_for(
    door, add, token, form
):
    value = add(f"XM-{add()[-8:]}".upper(), usage_count=5)
    other = value.lower() if form == "lower" else form.format(value)
    enter(door, value)
    answer(door, "granted")
    for _ in range(2):
        door.keyboard.press("Escape")
        enter(door, other)
        expect(answer(door, "question")).to_contain_text("Uses left: 4")
    assert token(value)["usage_count"] == 4
    door.get_by_role("button", name="Redeem another").click()
    expect(answer(door, "granted")).to_contain_text("Uses left: 3")
    assert token(value)["usage_count"] == 3


def test_door_when_the_same_token_without_uses_is_sent_in_another_form_then_it_is_a_repeat(
    door, add, usages
):
    value = add(f"XM-{add()[-8:]}".upper(), usage_count=1)
    enter(door, value)
    answer(door, "granted")
    door.keyboard.press("Escape")
    enter(door, value.lower())
    expect(answer(door, "noted").locator(".word")).to_have_text("Same code")
    assert len(usages(value)) == 1


def test_door_when_a_code_was_redeemed_then_time_and_user_come_with_the_answer(door, add, api):
    value = add(usage_count=2)
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    fact = answer(door, "granted").locator(".fact", has_text="Before")
    expect(fact).to_have_text(re.compile(r"Before: today [\d:]+, by admin$"))
    door.keyboard.press("Escape")
    expect(told(door)).not_to_have_class(re.compile("is-big"))
    api.post("/tokens/consume_token", {"value": value})
    asked = []
    door.on("request", lambda request: asked.append(request.url))
    other = add(usage_count=1)
    api.post("/tokens/consume_token", {"value": other})
    enter(door, other)
    reason = answer(door, "redeemed").locator(".reason")
    expect(reason).to_have_text(re.compile(r"today [\d:]+, by admin"))
    assert not [url for url in asked if "query_token" in url]


def test_door_when_the_address_of_a_page_is_scanned_then_its_token_is_redeemed(
    door, add, token, address
):
    value = add(f"Page-{add()[-8:]}", usage_count=1)
    enter(door, f"{address}/tokens/{token(value)['uid']}")
    expect(answer(door, "granted").get_by_role("alert")).to_contain_text(f"read as {value}")


@pytest.fixture
def cases(add):
    """Two codes that differ by case alone."""
    code = f"Caps-{add()[-8:].lower()}"
    return add(code, usage_count=1), add(code.swapcase(), usage_count=1)


@pytest.mark.parametrize("mode", ["Redeem", "Only check"])
def test_door_when_caps_lock_is_on_and_codes_differ_by_case_alone_then_none_is_read(
    timed_door, scanner, cases, token, mode
):
    timed_door.get_by_label(mode, exact=True).check()
    for code in cases:
        scanner.type(code.swapcase(), [ENTER], caps=True)
        alert = answer(timed_door, "noted")
        expect(alert.locator(".word")).to_have_text("Caps Lock is on")
        expect(alert).to_contain_text("Switch Caps Lock off and scan it again.")
        timed_door.keyboard.press("Escape")
        timed_door.clock.run_for(1_000)
    assert [token(code)["usage_count"] for code in cases] == [1, 1]
    scanner.type(cases[0], [ENTER])
    kind = "granted" if mode == "Redeem" else "valid"
    expect(answer(timed_door, kind).locator(".value")).to_have_text(cases[0])


def test_door_when_caps_lock_is_on_and_one_code_is_meant_then_it_is_redeemed(
    timed_door, scanner, add, token
):
    value = add(f"Caps-{add()[-8:].lower()}", usage_count=2)
    for sent in (value.swapcase(), value):
        scanner.type(sent, [ENTER], caps=True)
        if sent == value:
            # The same token, in another form.
            answer(timed_door, "question")
            timed_door.clock.run_for(1_000)
            timed_door.get_by_role("button", name="Redeem another").click()
        answer(timed_door, "granted")
        timed_door.keyboard.press("Escape")
        timed_door.clock.run_for(1_000)
    assert token(value)["usage_count"] == 0


def test_door_when_caps_lock_is_on_and_no_answer_comes_then_it_is_asked_again(
    timed_door, scanner, cases, token, watch
):
    watch.provoked.append("Failed to load resource")
    timed_door.route("**/query_token*", lambda route: route.abort())
    scanner.type(cases[0].swapcase(), [ENTER], caps=True)
    expect(answer(timed_door, "unsure").locator(".word")).to_have_text("Not connected")
    timed_door.unroute("**/query_token*")
    timed_door.clock.run_for(1_000)
    expect(answer(timed_door, "noted").locator(".word")).to_have_text("Caps Lock is on")
    assert [token(code)["usage_count"] for code in cases] == [1, 1]


@pytest.fixture
def lost(add, token, api):
    """A code that was replaced, and the one in its place."""
    value = add(f"Lost-{add()[-8:]}", usage_count=2, label="Ann Miller")
    return value, api.post(f"/tokens/{token(value)['uid']}/replace").json["value"]


def test_door_when_a_code_was_replaced_then_it_says_so_in_red_and_the_new_one_is_good(
    door, lost, token, usages
):
    old, new = lost
    enter(door, old)
    told_of = answer(door, "refused")
    expect(told_of.locator(".word")).to_have_text("Replaced")
    expect(told_of).to_contain_text("Ask for the new ticket.")
    expect(told_of).to_contain_text("Ann Miller")
    expect(told_of).not_to_contain_text(new)
    door.keyboard.press("Escape")
    enter(door, new)
    answer(door, "granted")
    assert [usage["error"] for usage in usages(new)] == [None, "replaced"]


def test_door_when_a_code_that_was_replaced_is_checked_then_it_says_so(door, lost, usages):
    old, new = lost
    door.get_by_label("Only check").check()
    enter(door, old.lower())
    told_of = answer(door, "refused")
    expect(told_of.locator(".word")).to_have_text("Replaced")
    expect(told_of).not_to_contain_text(new)
    assert usages(new) == []
