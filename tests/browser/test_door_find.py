"""Tickets that are found by a name on the scan page."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import answer
from tests.browser.conftest import told

ACTION = re.compile(r"/consume_found$")


@pytest.fixture
def name():
    """A surname that nobody has in another test."""
    return f"Quill{secrets.token_hex(4)}"


@pytest.fixture
def guests(add, name):
    """Return the codes of three guests."""
    return [
        add(label=f"Zoë {name}", category="VIP", usage_count=2),
        add(label=f"Jo {name}"),
        add(label=f"Ann {name}", enabled="false"),
    ]


def type_slowly(page, text):
    page.locator("#value").press_sequentially(text, delay=110)


def lose(route):
    route.fetch()
    route.abort()


def give_up(page):
    page.get_by_role("button", name="Give up").click()
    expect(told(page)).to_have_attribute("data-kind", "noted")
    page.keyboard.press("Escape")
    page.locator("#value").fill("")


def hits(page):
    return page.locator("#finder li button")


def test_field_when_a_part_of_a_name_is_typed_then_hits_tell_who_and_no_code(door, guests, name):
    type_slowly(door, name[:-1])
    expect(hits(door)).to_have_count(3)
    expect(door.locator("#finder [role=status]")).to_have_text("Found: 3. Choose one.")
    first = hits(door).nth(0)
    expect(first).to_contain_text(f"Ann {name}")
    expect(first).to_contain_text("Switched off")
    expect(hits(door).nth(2)).to_contain_text("VIP")
    assert not any(code in door.locator("#finder").inner_text() for code in guests)


def test_hit_when_it_is_chosen_then_one_use_is_redeemed_under_its_name(door, guests, name, token):
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    alert = answer(door, "granted")
    expect(alert.locator(".label")).to_have_text(f"Zoë {name}")
    expect(alert.locator(".value")).to_have_count(0)
    expect(door.locator("#value")).to_have_value("")
    expect(hits(door)).to_have_count(0)
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_it_is_chosen_with_the_keyboard_then_it_is_redeemed(door, guests, name, token):
    type_slowly(door, f"jo {name}")
    expect(hits(door)).to_have_count(1)
    door.keyboard.press("ArrowDown")
    expect(hits(door).first).to_be_focused()
    door.keyboard.press("ArrowUp")
    expect(door.locator("#value")).to_be_focused()
    door.keyboard.press("ArrowDown")
    door.keyboard.press("Enter")
    answer(door, "granted")
    assert token(guests[1])["usage_count"] == 0


def test_hit_when_it_is_chosen_again_then_another_use_is_asked_for(door, guests, name, token):
    for kind in ("granted", "question"):
        type_slowly(door, f"zoe {name}")
        hits(door).first.click()
        answer(door, kind)
        door.keyboard.press("Escape")
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_its_code_was_scanned_just_before_then_that_is_the_same(door, guests, name, token):
    door.locator("#value").fill(guests[1])
    door.locator("#value").press("Enter")
    answer(door, "granted")
    door.keyboard.press("Escape")
    type_slowly(door, f"jo {name}")
    hits(door).first.click()
    expect(answer(door, "noted")).to_contain_text("Same code")
    assert token(guests[1])["usage_count"] == 0


def test_hit_when_it_cannot_be_redeemed_then_the_reason_is_told(door, guests, name):
    type_slowly(door, f"ann {name}")
    hits(door).first.click()
    alert = answer(door, "refused")
    expect(alert.locator(".word")).to_have_text("Switched off")
    expect(alert.locator(".label")).to_have_text(f"Ann {name}")


def test_hit_when_the_page_only_checks_then_nothing_is_redeemed(door, guests, name, token):
    door.get_by_label("Only check").check()
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    expect(answer(door, "valid").locator(".label")).to_have_text(f"Zoë {name}")
    assert token(guests[0])["usage_count"] == 2


def test_enter_when_hits_are_shown_then_it_is_about_the_text_as_a_code(
    door, guests, name, token, watch
):
    watch.provoked.append("status of 404")
    type_slowly(door, f"zoe {name}")
    expect(hits(door)).to_have_count(1)
    door.keyboard.press("Enter")
    expect(answer(door, "refused").locator(".word")).to_have_text("Unknown code")
    assert token(guests[0])["usage_count"] == 2


def test_hit_when_the_answer_was_lost_and_it_is_tried_again_then_one_use_is_taken(
    door, guests, name, token, watch
):
    watch.provoked.append("ERR_FAILED")
    lost = []

    def lose_first(route):
        if lost:
            route.continue_()
            return
        lost.append(route.fetch())
        route.abort()

    door.route(ACTION, lose_first)
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    assert lost[0].json()["consumed"] is True
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_its_code_was_given_up_then_no_second_use_is_taken(
    door, guests, name, token, watch
):
    watch.provoked.append("ERR_FAILED")

    door.route(CONSUME_URL, lose)
    door.locator("#value").fill(guests[0])
    door.locator("#value").press("Enter")
    give_up(door)
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    expect(answer(door, "noted").locator(".word")).to_have_text("Same ticket")
    assert token(guests[0])["usage_count"] == 1


def test_code_when_its_hit_was_given_up_then_no_second_use_is_taken(
    door, guests, name, token, watch
):
    watch.provoked.append("ERR_FAILED")
    door.route(ACTION, lose)
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    give_up(door)
    # Neither after a reload.
    for _ in range(2):
        door.locator("#value").fill(guests[0])
        door.locator("#value").press("Enter")
        expect(answer(door, "noted").locator(".word")).to_have_text("Same ticket")
        assert token(guests[0])["usage_count"] == 1
        door.keyboard.press("Escape")
        door.once("dialog", lambda dialog: dialog.accept())
        door.reload()
        door.wait_for_selector("html[data-ready]")
    # In the same way the first answer is told.
    door.unroute(ACTION)
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    assert token(guests[0])["usage_count"] == 1


def test_code_when_its_hit_was_redeemed_just_now_then_another_use_is_asked_for(
    door, guests, name, token
):
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    door.keyboard.press("Escape")
    door.locator("#value").fill(guests[0])
    door.locator("#value").press("Enter")
    question = answer(door, "question")
    expect(question.locator(".label")).to_have_text(f"Zoë {name}")
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_it_is_tapped_twice_then_the_question_is_not_answered_by_that(
    door, guests, name, token
):
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    door.keyboard.press("Escape")
    type_slowly(door, f"zoe {name}")
    hits(door).first.click()
    # A tap that was meant for what stood there before.
    door.get_by_role("button", name="Redeem another").dispatch_event("click")
    answer(door, "question")
    assert token(guests[0])["usage_count"] == 1


#: 0: there is no connection.
FAILURES = (401, 403, 429, 503, 0)


@pytest.mark.parametrize("status", FAILURES)
def test_field_when_the_search_fails_then_it_says_why(door, name, status, watch):
    watch.provoked.extend([f"status of {status}", f"status: {status}", "ERR_FAILED"])

    def fail(route):
        if status:
            route.fulfill(status=status, json={"success": False, "message": "x"})
        else:
            route.abort()

    door.route(re.compile("find_tokens"), fail)
    type_slowly(door, name)
    expect(door.locator("#finder [role=status]")).not_to_be_empty()
    expect(door.locator("#finder [role=status]")).not_to_contain_text("Nothing is called so")


def test_scanner_when_it_types_then_nothing_is_searched(door, guests):
    searched = []
    door.route(re.compile("find_tokens"), lambda route: searched.append(route) or route.abort())
    door.locator("#value").press_sequentially(guests[0], delay=5)
    door.locator("#value").press("Enter")
    answer(door, "granted")
    assert searched == []


def test_field_when_nothing_has_the_name_then_it_says_so(door):
    type_slowly(door, "nobodyatall")
    expect(door.locator("#finder [role=status]")).to_have_text("Nothing is called so.")
