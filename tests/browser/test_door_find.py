"""Tickets that are found by a name on the scan page."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import make_room
from tests.browser.conftest import press_offer
from tests.browser.conftest import told
from tests.browser.conftest import type_by_hand
from tests.support.scanner import Scanner

pytestmark = PHONE_ONLY

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


def lose(route):
    route.fetch()
    route.abort()


def give_up(page):
    page.get_by_role("button", name="Give up").click()
    expect(told(page)).to_have_attribute("data-kind", "noted")
    page.keyboard.press("Escape")
    page.locator("#value").fill("")


def press(hands, key):
    """Press a key a while after the one before."""
    hands.type("", [(key, key, 0)])


def seen(page):
    """Wait until the hits take a press."""
    expect(page.locator("#finder ul")).not_to_have_class("is-new")


def hits(page):
    return page.locator("#finder li button")


def test_field_when_a_part_of_a_name_is_typed_then_hits_tell_who_and_no_code(door, guests, name):
    type_by_hand(door, name[:-1])
    expect(hits(door)).to_have_count(3)
    expect(door.locator("#finder [role=status]")).to_have_text("Found: 3. Choose one.")
    first = hits(door).nth(0)
    expect(first).to_contain_text(f"Ann {name}")
    expect(first).to_contain_text("Switched off")
    expect(hits(door).nth(2)).to_contain_text("VIP")
    assert not any(code in door.locator("#finder").inner_text() for code in guests)


def test_hit_when_it_is_chosen_then_one_use_is_redeemed_under_its_name(door, guests, name, token):
    type_by_hand(door, f"zoe {name}")
    hits(door).first.click()
    alert = answer(door, "granted")
    expect(alert.locator(".label")).to_have_text(f"Zoë {name}")
    expect(alert.locator(".value")).to_have_count(0)
    expect(door.locator("#value")).to_have_value("")
    expect(hits(door)).to_have_count(0)
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_its_use_is_taken_back_then_it_is_there_again(door, guests, name, token):
    for uses_left in (1, 1):
        type_by_hand(door, f"zoe {name}")
        hits(door).first.click()
        answer(door, "granted")
        assert token(guests[0])["usage_count"] == uses_left
        press_offer(door, "Take back")
        alert = answer(door, "undone")
        expect(alert.locator(".label")).to_have_text(f"Zoë {name}")
        assert token(guests[0])["usage_count"] == 2
        make_room(door)


def test_hit_when_it_is_chosen_with_the_keyboard_then_it_is_redeemed(door, guests, name, token):
    type_by_hand(door, f"jo {name}")
    expect(hits(door)).to_have_count(1)
    hands = Scanner(door)
    press(hands, "ArrowDown")
    expect(hits(door).first).to_be_focused()
    press(hands, "ArrowUp")
    expect(door.locator("#value")).to_be_focused()
    press(hands, "ArrowDown")
    seen(door)
    door.keyboard.press("Enter")
    answer(door, "granted")
    assert token(guests[1])["usage_count"] == 0


def test_hit_when_it_is_chosen_again_then_another_use_is_asked_for(door, guests, name, token):
    for kind in ("granted", "question"):
        type_by_hand(door, f"zoe {name}")
        hits(door).first.click()
        answer(door, kind)
        door.keyboard.press("Escape")
    assert token(guests[0])["usage_count"] == 1


def test_hit_when_its_code_was_scanned_just_before_then_that_is_the_same(door, guests, name, token):
    door.locator("#value").fill(guests[1])
    door.locator("#value").press("Enter")
    answer(door, "granted")
    door.keyboard.press("Escape")
    type_by_hand(door, f"jo {name}")
    hits(door).first.click()
    expect(answer(door, "noted")).to_contain_text("Same code")
    assert token(guests[1])["usage_count"] == 0


def test_hit_when_it_cannot_be_redeemed_then_the_reason_is_told(door, guests, name):
    type_by_hand(door, f"ann {name}")
    hits(door).first.click()
    alert = answer(door, "refused")
    expect(alert.locator(".word")).to_have_text("Switched off")
    expect(alert.locator(".label")).to_have_text(f"Ann {name}")


def test_hit_when_the_page_only_checks_then_nothing_is_redeemed(door, guests, name, token):
    door.get_by_label("Only check").check()
    type_by_hand(door, f"zoe {name}")
    hits(door).first.click()
    expect(answer(door, "valid").locator(".label")).to_have_text(f"Zoë {name}")
    assert token(guests[0])["usage_count"] == 2


def test_enter_when_hits_are_shown_and_the_text_is_no_code_then_that_is_told_and_one_can_choose(
    door, guests, name, token, watch
):
    watch.provoked.append("status of 404")
    type_by_hand(door, f"zoe {name}")
    expect(hits(door)).to_have_count(1)
    door.keyboard.press("Enter")
    expect(answer(door, "noted").locator(".word")).to_have_text("Not a code")
    expect(hits(door).first).to_be_focused()
    expect(door.locator("#refused")).to_have_text("0")
    expect(door.locator("#value")).to_have_value(f"zoe {name}")
    # The second Enter of somebody in a hurry is none.
    door.keyboard.press("Enter")
    seen(door)
    assert token(guests[0])["usage_count"] == 2
    door.keyboard.press("Enter")
    expect(answer(door, "granted").locator(".label")).to_have_text(f"Zoë {name}")


def test_enter_when_hits_are_shown_and_the_text_is_a_code_then_that_is_redeemed(door, add, token):
    short = add()
    longer = add(f"{short}0", label="Somebody Else")
    type_by_hand(door, short)
    expect(hits(door)).to_have_count(2)
    door.keyboard.press("Enter")
    expect(answer(door, "granted").locator(".value")).to_have_text(short)
    expect(hits(door)).to_have_count(0)
    assert token(longer)["usage_count"] == 1


# --- what nobody chose -----------------------------------------------------------------------

#: Where things are that people aim at.
PLACES = """() => [...document.querySelectorAll("#submit, #value, .modes label")]
    .map((element) => JSON.stringify(element.getBoundingClientRect()))"""


@pytest.mark.parametrize("height", [640, 375, 844])
def test_hits_when_they_appear_then_nothing_moves_that_people_aim_at(
    door, guests, name, height, token
):
    width = {375: 667}.get(height, 360)
    if door.viewport_size["width"] < 1_000:
        door.set_viewport_size({"width": width, "height": height})
    type_by_hand(door, name[:-1])
    before = door.evaluate(PLACES)
    expect(hits(door)).to_have_count(3)
    assert door.evaluate(PLACES) == before
    seen(door)
    box = hits(door).first.bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] <= door.viewport_size["height"]


def test_hit_when_it_just_appeared_then_it_takes_no_press(door, guests, name, token):
    door.evaluate(
        """() => new MutationObserver(() => document.querySelector("#finder li button")?.click())
            .observe(document.querySelector("#finder ul"), { childList: true })""",
    )
    type_by_hand(door, f"zoe {name}")
    seen(door)
    expect(hits(door)).to_have_count(1)
    answer(door, "none")
    assert token(guests[0])["usage_count"] == 2


def test_hits_when_they_move_then_they_take_no_press_for_a_while(door, guests, name):
    type_by_hand(door, f"zoe {name}")
    seen(door)
    box = hits(door).first.bounding_box()
    door.evaluate("() => { document.querySelector('header').style.height = '9rem'; }")
    door.evaluate("() => { document.querySelector('main').style.marginBottom = '3rem'; }")
    door.evaluate("dispatchEvent(new Event('resize'))")
    if hits(door).first.bounding_box()["y"] != box["y"]:
        expect(door.locator("#finder ul")).to_have_class("is-new")
    else:
        pytest.fail("nothing moved")


def test_hits_when_something_is_scanned_then_they_are_gone(door, guests, name, add):
    type_by_hand(door, name[:-1])
    expect(hits(door)).to_have_count(3)
    door.locator("#value").evaluate("(field) => field.setSelectionRange(0, 99)")
    door.keyboard.type(add())
    door.keyboard.press("Enter")
    answer(door, "granted")
    door.keyboard.press("Escape")
    expect(hits(door)).to_have_count(0)


def test_search_when_an_older_answer_comes_later_then_the_newer_list_stays(door, guests, name):
    held = []

    def hold_first(route):
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    door.route(re.compile("find_tokens"), hold_first)
    with door.expect_request(re.compile("find_tokens")):
        type_by_hand(door, f"zoe {name}")
    door.keyboard.press("Backspace")
    # The same text again is another search.
    door.keyboard.type(name[-1])
    expect(hits(door)).to_have_count(1)
    answers = held[0][1].json()
    answers["hits"] = []
    held[0][0].fulfill(json=answers)
    door.keyboard.press("End")
    expect(door.locator("#finder [role=status]")).to_have_text("Found: 1. Choose one.")
    expect(hits(door)).to_have_count(1)


@pytest.mark.parametrize("button", ["Continue", "No", "Redeem another"])
def test_answer_when_it_makes_room_then_what_it_covered_takes_no_press_for_a_while(
    door, add, button
):
    value = add(usage_count=5)
    door.locator("#value").fill(value)
    door.locator("#submit").click()
    answer(door, "granted")
    if button != "Continue":
        door.keyboard.press("Escape")
        door.locator("#value").fill(value)
        door.locator("#value").press("Enter")
        answer(door, "question")
    door.route(CONSUME_URL, lambda _route: None)
    script = """(name) => new Promise((resolve) => {
        const button = [...document.querySelectorAll("#result button")]
            .find((one) => one.textContent === name);
        const press = () => {
            if (button.disabled) return setTimeout(press, 50);
            button.click();
            const parts = ["header", "#viewfinder", ".modes", "#submit", "#finder"];
            resolve(parts.every((part) => document.querySelector(part).inert));
        };
        press();
    })"""
    assert door.evaluate(script, button) is True
    expect(door.locator("#result")).not_to_have_class(re.compile("is-big"))
    expect(door.locator(".modes")).not_to_have_attribute("inert", "")


def test_mode_when_it_changes_then_that_is_told(door):
    door.evaluate("window.tones.length = 0")
    door.get_by_label("Only check").check()
    expect(door.locator("#notice")).to_have_text("Only checking: nothing is redeemed.")
    door.wait_for_function("tones.length === 3")
    door.get_by_label("Redeem", exact=True).check()
    expect(door.locator("#notice")).to_have_text("Scans are redeemed.")


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
    type_by_hand(door, f"zoe {name}")
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
    type_by_hand(door, f"zoe {name}")
    hits(door).first.click()
    expect(answer(door, "noted").locator(".word")).to_have_text("Same ticket")
    assert token(guests[0])["usage_count"] == 1


def test_code_when_its_hit_was_given_up_then_no_second_use_is_taken(
    door, guests, name, token, watch
):
    watch.provoked.append("ERR_FAILED")
    door.route(ACTION, lose)
    type_by_hand(door, f"zoe {name}")
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
    type_by_hand(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    assert token(guests[0])["usage_count"] == 1


def test_code_when_its_hit_was_redeemed_just_now_then_another_use_is_asked_for(
    door, guests, name, token
):
    type_by_hand(door, f"zoe {name}")
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
    type_by_hand(door, f"zoe {name}")
    hits(door).first.click()
    answer(door, "granted")
    door.keyboard.press("Escape")
    type_by_hand(door, f"zoe {name}")
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
    type_by_hand(door, name)
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
    type_by_hand(door, "nobodyatall")
    expect(door.locator("#finder [role=status]")).to_have_text("Nothing is called so.")
