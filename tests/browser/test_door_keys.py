"""Codes that are typed or pasted on the scan page: by hand-held scanners and by people."""

import itertools
import re
import urllib.parse

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import told
from tests.support.scanner import CTRL
from tests.support.scanner import ENTER

pytestmark = DESKTOP_ONLY

UID = "d7123888-fd68-4a1c-9c0e-2b1f6d1f7e55"
CODES = [UID, "7K2M9QXWZ4", "G-1", "Grüße aus Wien ✓"]
GRANTED = '{"success": true, "consumed": true, "usage_count": 0}'
UNFINISHED = '{"success": false, "consumed": false, "error": "unfinished"}'

#: Keys that scanners send behind a code, as [key, place of the key, modifiers].
TERMINATORS = {
    "Enter": [ENTER],
    "Tab": [("Tab", "Tab", 0)],
    "CR": [("m", "KeyM", CTRL)],
    "LF": [("j", "KeyJ", CTRL)],
    "CR LF": [ENTER, ("j", "KeyJ", CTRL)],
    "Enter twice": [ENTER, ENTER],
    "FS": [("\\", "Backslash", CTRL)],
    "GS": [("]", "BracketRight", CTRL)],
    "GS on a German keyboard": [("+", "BracketRight", CTRL)],
    "nothing": [],
}


@pytest.fixture
def door(timed_door):
    return timed_door


@pytest.fixture
def sent(door):
    """What the page asks to be redeemed, each as value and ``ended_by``; all of it is granted."""
    found = []

    def note(route):
        body = dict(urllib.parse.parse_qsl(route.request.post_data))
        found.append((body.pop("value"), body.pop("ended_by", None)))
        assert not body
        route.fulfill(body=GRANTED)

    door.route(CONSUME_URL, note)
    return found


def press_enter(page):
    """Press Enter as people do: the page waits whether it was a scanner's, in front of a code."""
    page.locator("#value").press("Enter")
    page.clock.run_for(150)


def next_please(page):
    """Have the answer that is shown make room."""
    page.keyboard.press("Escape")
    expect(told(page)).not_to_have_class(re.compile("is-big"))


# --- what scanners do ------------------------------------------------------------------------


@pytest.mark.parametrize("end", TERMINATORS)
def test_scanner_when_it_has_its_own_end_pace_and_code_then_each_is_one_scan(
    door,
    scanner,
    sent,
    end,
):
    keys = TERMINATORS[end]
    # A terminator comes as fast as the rest; a hiccup of the radio does not end a code.
    for number, (code, pace) in enumerate(itertools.product(CODES, (2, 45, "hiccup")), 1):
        value = f"{code}{number}" if code != UID else code[:-2] + f"{number:02}"
        gaps = [5 if pace == "hiccup" else pace] * (len(value) + len(keys) - 1)
        if pace == "hiccup":
            gaps[len(value) - 2] = 110
        scanner.type(value, keys, gaps=gaps)
        if "GS" in end or not keys:
            scanner.pause()
        expect(answer(door, "granted").locator(".value")).to_have_text(value)
        assert sent[-1] == (value, None if keys else "pause")
        assert len(sent) == number
        next_please(door)
    expect(door.locator("#value")).to_have_value("")


CHANGES = {
    "as it is": str,
    "with a prefix of AIM": "]Q1{}".format,
    "with Caps Lock": str.swapcase,
    "with a German keyboard": lambda code: code.translate(str.maketrans("-yzYZ", "ßzyZY")),
    "with a blank at its end": "{} ".format,
}


@pytest.mark.parametrize("change", CHANGES)
def test_scanner_when_it_changes_a_code_then_it_is_sent_as_typed_and_told_how_it_was_read(
    door,
    scanner,
    change,
):
    asked = []

    def read(route):
        asked.append(dict(urllib.parse.parse_qsl(route.request.post_data))["value"])
        code = CODES[len(asked) - 1]
        route.fulfill(body=GRANTED.replace("}", f', "read_as": "{code}"}}'))

    door.route(CONSUME_URL, read)
    for code in CODES:
        scanner.type(CHANGES[change](code), [ENTER])
        alert = answer(door, "granted")
        expect(alert.locator(".read-as")).to_have_text(f"read as {code}")
        next_please(door)
    assert asked == [CHANGES[change](code) for code in CODES]


@pytest.mark.parametrize("focus", ["[data-part=start]", "[value=consume]", "#sound", "body"])
def test_scanner_when_the_focus_is_elsewhere_then_no_key_of_it_is_lost(door, scanner, sent, focus):
    if focus == "body":
        door.evaluate("document.activeElement.blur()")
    else:
        door.locator(focus).focus()
    scanner.type("G-12", [ENTER])
    answer(door, "granted")
    assert sent == [("G-12", None)]
    expect(door.locator("#viewfinder")).to_have_attribute("data-running", "false")


def test_scanner_when_it_pauses_within_a_code_of_its_own_then_the_longer_one_is_redeemed(
    door,
    scanner,
    add,
    token,
):
    """Row "tokens G-1 and G-12; the scanner types G-1, pauses 110 ms, types 2, Enter"."""
    short, long = add("G-1"), add("G-12")
    scanner.type("G-12", [ENTER], gaps=[3, 3, 110, 3])
    expect(answer(door, "granted").locator(".value")).to_have_text(long)
    assert (token(long)["usage_count"], token(short)["usage_count"]) == (0, 1)


def test_scanner_when_the_processor_is_busy_then_no_pause_is_heard_that_was_none(
    door,
    scanner,
    sent,
):
    door.clock.resume()
    door.evaluate(
        """() => addEventListener("keydown", ({ key }) => key === "1" && setTimeout(() => {
            const until = Date.now() + 1500;
            while (Date.now() < until);
        }))""",
    )
    # The page hears of the last two when it is free again: long after its timer was due.
    scanner.type("G-12", [ENTER], gaps=[3, 3, 110, 3])
    answer(door, "granted")
    assert sent == [("G-12", None)]


def test_people_when_the_processor_is_busy_then_what_they_type_is_no_scan(door, scanner, sent):
    scanner.type("G-1234", gap=180)
    scanner.pause(5_000)
    assert sent == []
    expect(door.locator("#value")).to_have_value("G-1234")


def test_scanner_when_a_pause_ended_its_code_and_another_begins_so_then_the_button_decides(
    door,
    scanner,
):
    asked = []

    def refuse_first(route):
        asked.append(route.request.post_data)
        route.fulfill(body=GRANTED if len(asked) > 1 else UNFINISHED)

    door.route(CONSUME_URL, refuse_first)
    scanner.type("G-1")
    scanner.pause()
    alert = answer(door, "noted")
    expect(alert.locator(".word")).to_have_text("Not complete?")
    expect(door.locator("#value")).to_have_value("G-1")
    next_please(door)
    # Nobody knows whose an Enter is that comes late.
    press_enter(door)
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
    expect(door.locator("#value")).to_have_value("G-1")
    next_please(door)
    scanner.pause(700)
    door.locator("#submit").click()
    answer(door, "granted")
    assert asked == ["value=G-1&ended_by=pause", "value=G-1"]


def test_scanner_when_it_has_a_terminator_then_a_pause_ends_nothing_and_the_rest_is_told(
    door,
    scanner,
    sent,
):
    known(door, scanner)
    scanner.type("G-1")
    # The radio lost the end of it.
    scanner.pause(1_400)
    # What is told of another one is gone.
    answer(door, "none")
    scanner.pause(100)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
    assert len(sent) == 1
    scanner.pause(1_000)
    scanner.type("K-33", [ENTER])
    expect(answer(door, "granted").locator(".value")).to_have_text("K-33")
    assert sent[1:] == [("K-33", None)]


def test_scanner_when_its_terminator_was_lost_twice_then_a_pause_ends_its_codes_again(
    door,
    scanner,
    sent,
):
    known(door, scanner)
    for code in ("TEN-1010", "TEN-2020"):
        scanner.type(code)
        scanner.pause(1_500)
        expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
        next_please(door)
        door.locator("#value").fill("")
    scanner.type("TEN-3030")
    scanner.pause()
    answer(door, "granted")
    assert sent[1:] == [("TEN-3030", "pause")]


def test_people_when_they_type_a_quick_word_and_enter_then_no_terminator_is_learned(
    door,
    scanner,
    sent,
):
    scanner.type("abc", [ENTER], gaps=[40, 45, 120])
    answer(door, "granted")
    next_please(door)
    scanner.type("TEN-3030")
    scanner.pause()
    answer(door, "granted")
    assert sent == [("abc", None), ("TEN-3030", "pause")]


def test_scanner_when_tab_ends_a_code_of_two_characters_then_it_is_one_scan(door, scanner, sent):
    scanner.type("A7", TERMINATORS["Tab"])
    answer(door, "granted")
    assert sent == [("A7", None)]


def test_scanner_when_its_tab_is_known_then_it_ends_a_code_of_one_character(door, scanner, sent):
    scanner.type("H-22", TERMINATORS["Tab"])
    answer(door, "granted")
    next_please(door)
    scanner.type("7", TERMINATORS["Tab"])
    expect(answer(door, "granted").locator(".value")).to_have_text("7")
    assert [value for value, _ in sent] == ["H-22", "7"]


def test_text_when_tab_left_it_in_the_field_then_what_a_scanner_types_elsewhere_is_another(
    door,
    scanner,
    sent,
):
    scanner.type("7", TERMINATORS["Tab"])
    scanner.type("8", [ENTER])
    alert = answer(door, "noted")
    expect(alert.locator(".word")).to_have_text("Not complete")
    expect(alert.locator(".value")).to_have_text("7")
    scanner.pause(1_000)
    expect(answer(door, "granted").locator(".value")).to_have_text("8")
    assert sent == [("8", None)]


def test_scanner_when_something_was_left_in_the_field_then_its_code_is_what_it_typed(
    door,
    scanner,
    sent,
):
    scanner.type("xy", gap=200)
    scanner.type("7K2M9QXWZ4", [ENTER])
    answer(door, "granted")
    assert sent == [("7K2M9QXWZ4", None)]
    # What was left is told of as well, and comes back.
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".value")).to_have_text("xy")
    expect(door.locator("#value")).to_have_value("xy")


LEFT = {
    "short codes are unclear": ("mul", "G-12", 5, 2_000, None),
    "one sign at once is unclear": ("x-1", "2", 5, 600, None),
    "an even scanner": ("mul", "7K2M9QXWZ4", 70, 600, "7K2M9QXWZ4"),
    "half a second later": ("mul", "7K2M9QXWZ4", 5, 500, "7K2M9QXWZ4"),
    "a while later": ("mul", "7K2M9QXWZ4", 45, 3_000, "7K2M9QXWZ4"),
}


@pytest.mark.parametrize("name", LEFT)
def test_scanner_when_people_left_a_text_in_the_field_then_that_is_no_part_of_its_code(
    door, scanner, sent, name
):
    left, code, gap, after, expected = LEFT[name]
    scanner.type(left, gap=170)
    scanner.type(code, [ENTER], gap=gap, after=after)
    if expected:
        expect(answer(door, "granted").locator(".value")).to_have_text(expected)
        assert sent == [(expected, None)]
        return
    assert two_parts(door) == [left, code]
    assert sent == []


def test_scanner_when_the_caret_stands_before_a_text_then_that_is_no_part_of_its_code(
    door, scanner, sent
):
    door.locator("#value").fill("2")
    door.locator("#value").press("Home")
    scanner.type("7K2M9QXWZ4", [ENTER])
    expect(answer(door, "granted").locator(".value")).to_have_text("7K2M9QXWZ4")
    assert sent == [("7K2M9QXWZ4", None)]


def test_scanner_when_the_caret_stands_before_a_text_and_its_code_is_short_then_both_are_told(
    door, scanner, sent
):
    door.locator("#value").fill("2")
    door.locator("#value").press("Home")
    scanner.type("x-1", [ENTER])
    assert two_parts(door) == ["2", "x-1"]
    assert sent == []


def test_people_when_they_type_a_code_with_pauses_and_press_enter_then_all_of_it_is_sent(
    door, scanner, sent
):
    scanner.type("G-12x", [ENTER], gaps=[400, 700, 180, 950, 260])
    scanner.pause(150)
    answer(door, "granted")
    assert sent == [("G-12x", None)]


def test_scanner_when_its_tab_led_on_once_then_it_ends_the_next_code(door, scanner, sent):
    scanner.type("AB1", TERMINATORS["Tab"], gap=70)
    scanner.type("CD2", TERMINATORS["Tab"], gap=70)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
    scanner.pause(1_000)
    expect(answer(door, "granted").locator(".value")).to_have_text("CD2")
    assert sent == [("CD2", None)]


def test_people_when_they_type_a_name_quickly_and_go_on_by_tab_then_nothing_is_sent(
    door, scanner, sent
):
    scanner.type("Anders", TERMINATORS["Tab"], gaps=[95, 80, 110, 60, 120, 140])
    scanner.pause(5_000)
    assert sent == []
    expect(door.locator("#value")).to_have_value("Anders")


def known(page, scanner):
    """Have the page know that the scanner ends its codes by a key."""
    scanner.type("H-22", [ENTER])
    answer(page, "granted")
    next_please(page)


def two_parts(page):
    """Wait until both parts of what cannot be told apart have their answer."""
    texts = []
    for _ in range(2):
        alert = answer(page, "noted")
        expect(alert.locator(".word")).to_have_text("One code or two?")
        texts.append(alert.locator(".value").inner_text())
        page.clock.run_for(1_000)
    assert page.evaluate("tones.filter((tone) => tone === 330).length") == 6
    return texts


@pytest.mark.parametrize("pause", [1_050, 1_250, 1_450])
def test_scanner_when_an_end_was_lost_and_the_next_code_comes_then_both_are_told(
    door, scanner, sent, pause
):
    known(door, scanner)
    scanner.type("ONE-11111")
    scanner.type("TWO-22222", [ENTER], after=pause)
    assert two_parts(door) == ["ONE-11111", "TWO-22222"]
    assert sent == [("H-22", None)]
    scanner.type("TWO-22222", [ENTER])
    answer(door, "granted")
    assert sent[1:] == [("TWO-22222", None)]


@pytest.mark.parametrize("rest", ["77777X", "777", "7"])
def test_scanner_when_it_pauses_for_a_second_within_a_code_then_no_part_of_it_is_redeemed(
    door, scanner, sent, rest
):
    known(door, scanner)
    scanner.type("AAAA")
    scanner.type(rest, [ENTER], after=1_150)
    assert two_parts(door) == ["AAAA", rest]
    assert len(sent) == 1


@pytest.mark.parametrize("rest", ["777", "77", "7"])
def test_scanner_when_the_rest_of_an_unfinished_code_comes_then_the_whole_one_is_sent(
    door, scanner, rest
):
    asked = []

    def refuse_first(route):
        asked.append(route.request.post_data)
        route.fulfill(body=GRANTED if len(asked) > 1 else UNFINISHED)

    door.route(CONSUME_URL, refuse_first)
    scanner.type("GX-1")
    scanner.pause()
    answer(door, "noted")
    scanner.type(rest, [ENTER], after=600)
    scanner.pause(1_000)
    expect(answer(door, "granted").locator(".value")).to_have_text(f"GX-1{rest}")
    assert asked == ["value=GX-1&ended_by=pause", f"value=GX-1{rest}"]


def test_scanner_when_the_rest_comes_before_the_answer_then_no_key_of_it_is_lost(door, scanner):
    asked = []

    def hold(route):
        asked.append(route)
        if len(asked) > 1:
            route.fulfill(body=GRANTED)

    door.route(CONSUME_URL, hold)
    with door.expect_request(CONSUME_URL):
        scanner.type("GX-1")
        scanner.pause()
    scanner.type("7", after=600)
    asked[0].fulfill(body=UNFINISHED)
    answer(door, "noted")
    scanner.type("77", [ENTER], after=5)
    scanner.pause(1_000)
    expect(answer(door, "granted").locator(".value")).to_have_text("GX-1777")
    assert asked[1].request.post_data == "value=GX-1777"


def test_scanner_when_the_end_was_lost_and_more_comes_then_that_is_no_code_of_its_own(
    door, scanner, sent
):
    known(door, scanner)
    scanner.type("GX-1")
    scanner.pause(1_500)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
    scanner.type("777", [ENTER], after=1_700)
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".word")).to_have_text("One code or two?")
    assert len(sent) == 1


def test_group_separator_when_it_is_within_a_code_then_it_is_part_of_it(door, scanner, sent):
    scanner.type("0101", TERMINATORS["GS"])
    scanner.type("21A", [ENTER], after=5)
    answer(door, "granted")
    assert sent == [("0101\x1d21A", None)]


def test_scanner_when_it_reads_only_blanks_then_that_is_told(door, scanner, sent):
    door.locator("#value").fill(" ")
    press_enter(door)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not read")
    assert door.evaluate("tones") == [330, 330, 330]
    assert sent == []


def test_scanner_when_it_ends_by_cr_lf_then_the_browser_hears_none_of_it(door, scanner, sent):
    door.evaluate(
        """() => addEventListener("keydown", (event) => {
            if (event.key !== "j") return;
            document.body.dataset.opens = !event.defaultPrevented;
        })""",
    )
    scanner.type("G-12", TERMINATORS["CR LF"])
    answer(door, "granted")
    expect(door.locator("body")).to_have_attribute("data-opens", "false")
    scanner.type("", [("j", "KeyJ", CTRL)])
    expect(door.locator("body")).to_have_attribute("data-opens", "true")
    assert sent == [("G-12", None)]


# --- what nobody typed -----------------------------------------------------------------------


def words(page, count, kind="noted"):
    """Return the words of answers that wait in line, and what they are about."""
    found = []
    for _ in range(count):
        alert = answer(page, kind)
        found.append((alert.locator(".word").inner_text(), alert.locator(".value").inner_text()))
        page.clock.run_for(1_000)
    return found


@pytest.mark.parametrize("end", [[ENTER, ENTER], [ENTER, ("Enter", "NumpadEnter", 0)]])
def test_enter_when_it_comes_twice_then_the_second_does_not_redeem_what_people_left(
    door, scanner, sent, end
):
    scanner.type("G-1", gap=180)
    scanner.type("7K2M9QXWZ4", end)
    answer(door, "granted")
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".value")).to_have_text("G-1")
    scanner.pause(5_000)
    assert sent == [("7K2M9QXWZ4", None)]
    expect(door.locator("#value")).to_have_value("G-1")


@pytest.mark.parametrize("gap", [5, 45, 75])
def test_enter_when_it_comes_before_a_code_then_it_does_not_redeem_what_people_left(
    door, scanner, sent, gap
):
    scanner.type("G-1", gap=180)
    scanner.type("", [ENTER])
    scanner.type("7K2M9QXWZ4", [ENTER], gap=gap, after=gap)
    answer(door, "granted")
    assert sent == [("7K2M9QXWZ4", None)]
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".value")).to_have_text("G-1")


def test_enter_when_it_comes_before_a_code_then_the_button_that_has_the_focus_is_not_pressed(
    door, scanner, sent
):
    scanner.type("G-1", gap=180)
    door.locator("#submit").focus()
    scanner.type("", [ENTER])
    scanner.type("7K2M9QXWZ4", [ENTER], after=5)
    answer(door, "granted")
    assert sent == [("7K2M9QXWZ4", None)]


def test_enter_when_it_comes_long_after_a_code_then_it_does_not_redeem_the_part(
    door, scanner, sent
):
    known(door, scanner)
    scanner.type("G-1")
    scanner.pause(1_500)
    answer(door, "noted")
    scanner.type("", [ENTER], after=1_900)
    scanner.pause(150)
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".value")).to_have_text("G-1")
    assert len(sent) == 1
    # Who edits it has read it.
    next_please(door)
    scanner.type("", [("End", "End", 0)])
    scanner.type("2")
    scanner.type("", [ENTER])
    scanner.pause(150)
    expect(answer(door, "granted").locator(".value")).to_have_text("G-12")


def typed(text):
    return [(sign, "", 0) for sign in text]


LINES = {
    "fast": ("LINE-1", "LINE-2", 5, "Enter"),
    "fast, CR": ("LINE-1", "LINE-2", 5, "CR"),
    "fast, CR LF": ("LINE-1", "LINE-2", 5, "CR LF"),
    "slow, LF": ("LINE-1", "LINE-2", 45, "LF"),
    "as slow as people": ("LINE-1", "LINE-2", 75, "CR LF"),
    "slower": ("LINE-1", "LINE-2", 120, "Enter"),
    "short ones": ("A7", "B8", 5, "CR"),
    "one sign": ("7", "8", 5, "Enter"),
}


@pytest.mark.parametrize("name", LINES)
def test_code_of_several_lines_when_a_scanner_types_it_then_none_of_them_is_redeemed(
    door, scanner, sent, name
):
    first, second, gap, end_name = LINES[name]
    end = TERMINATORS[end_name]
    scanner.type(first, [*end, *typed(second), *end, *typed("LINE-3"), *end], gap=gap)
    alert = answer(door, "noted")
    expect(alert.locator(".word")).to_have_text("One code only")
    expect(alert.locator(".value")).to_have_text(f"{first} {second} LINE-3")
    expect(door.locator("#value")).to_have_value("")
    assert sent == []
    scanner.pause(1_000)
    scanner.type("G-12", [ENTER])
    expect(answer(door, "granted").locator(".value")).to_have_text("G-12")
    assert sent == [("G-12", None)]


@pytest.mark.parametrize("is_known", [False, True])
def test_code_of_several_lines_when_its_last_one_has_no_end_then_none_of_them_is_redeemed(
    door, scanner, sent, is_known
):
    if is_known:
        known(door, scanner)
    scanner.type("LINE-1", [ENTER, *typed("LINE-2")])
    scanner.pause(1_500)
    expect(answer(door, "noted").locator(".word")).to_have_text("One code only")
    assert sent == [("H-22", None)] * is_known


def test_lines_when_they_are_two_codes_with_a_moment_between_then_the_second_is_not_redeemed(
    door, scanner, sent
):
    scanner.type("LINE-1", [ENTER])
    answer(door, "granted")
    scanner.type("LINE-2", [ENTER], after=120)
    scanner.pause(1_000)
    expect(answer(door, "noted").locator(".word")).to_have_text("One code or two?")
    assert sent == [("LINE-1", None)]


def pad(*digits):
    """Digits of the pad of numbers, without Num Lock."""
    keys = {"1": "End", "2": "ArrowDown", "4": "ArrowLeft", "7": "Home"}
    return [(keys[digit], f"Numpad{digit}", 0) for digit in digits]


@pytest.mark.parametrize("end", [[ENTER], []], ids=["Enter", "nothing"])
@pytest.mark.parametrize("code", ["1242", "A-12"])
@pytest.mark.parametrize("focus", ["#value", "[value=consume]"])
def test_digits_when_num_lock_is_off_then_they_choose_nothing_and_that_is_told(
    door, scanner, sent, focus, code, end
):
    door.locator(focus).focus()
    keys = [key for sign in code for key in (pad(sign) if sign.isdigit() else [(sign, "", 0)])]
    scanner.type("", [*keys, *end])
    scanner.pause(1_500)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not read")
    expect(door.locator("[value=consume]")).to_be_checked()
    assert sent == []


def test_arrows_when_they_are_faster_than_hands_then_they_choose_nothing(door, scanner):
    door.locator("[value=consume]").focus()
    scanner.type("", [("ArrowRight", "ArrowRight", 0)] * 2)
    expect(door.locator("[value=check]")).to_be_checked()
    scanner.type("", [("ArrowLeft", "ArrowLeft", 0)])
    scanner.type("", [("ArrowRight", "ArrowRight", 0)], after=5)
    expect(door.locator("[value=consume]")).to_be_checked()


UNTYPED = {
    "a device that puts text": (lambda door, _scanner: door.keyboard.insert_text("dw-4711")),
    "two characters": (lambda _door, scanner: scanner.type("A7")),
    "a slow scanner without an end": (lambda _door, scanner: scanner.type("TICKET-1234", gap=100)),
    "a slow scanner with Tab": (
        lambda _door, scanner: scanner.type("TICKET-1234", TERMINATORS["Tab"], gap=100)
    ),
}


@pytest.mark.parametrize("name", UNTYPED)
def test_text_when_nobody_typed_it_and_it_rests_then_that_is_told_and_the_old_answer_goes(
    door, scanner, sent, name
):
    door.locator("#value").fill("H-22")
    door.locator("#submit").click()
    answer(door, "granted")
    scanner.pause(2_000)
    expect(told(door)).to_have_attribute("data-colour", "green")
    UNTYPED[name](door, scanner)
    expect(told(door)).to_have_attribute("data-colour", "none")
    scanner.pause(1_500)
    expect(answer(door, "noted").locator(".word")).to_have_text("Not complete")
    assert len(sent) == 1


@pytest.mark.parametrize("gap", [95, 140, 250, 400])
@pytest.mark.parametrize("code", ["G-12", "7K2M9QXWZ4", UID])
def test_scanner_when_it_is_as_slow_as_people_and_has_no_end_then_something_says_so(
    door, scanner, sent, code, gap
):
    # As uneven as a radio makes it.
    gaps = [gap + (-30 if number % 3 else 30) for number in range(len(code) - 1)]
    scanner.type(code, gaps=gaps)
    scanner.pause(3_000)
    told_of = door.locator("#note")
    expect(told_of).to_have_text("Not sent yet: press Enter or the button.")
    expect(door.locator("#value")).to_have_value(code)
    assert sent == []
    door.locator("#submit").click()
    answer(door, "granted")
    expect(told_of).to_be_empty()
    assert sent == [(code, None)]


def test_text_when_it_rests_and_people_type_on_then_the_hint_goes(door, scanner, sent):
    scanner.type("G-1", gap=180)
    scanner.pause(3_000)
    told_of = door.locator("#note")
    expect(told_of).to_contain_text("Not sent yet")
    scanner.type("2")
    expect(told_of).to_be_empty()
    scanner.type("", [("Backspace", "Backspace", 0)])
    door.locator("#value").fill("")
    scanner.pause(5_000)
    expect(told_of).to_be_empty()
    assert sent == []


def test_scanners_when_one_of_two_has_no_end_then_its_codes_are_redeemed_after_two_that_were_not(
    door, scanner, sent
):
    for number in range(4):
        scanner.type(f"ONE-111{number}", [ENTER])
        answer(door, "granted")
        scanner.pause(3_000)
        scanner.type(f"TWO-222{number}")
        scanner.pause(1_500)
        answer(door, "granted" if number > 1 else "noted")
        scanner.pause(5_000)
    ended = [value for value, ended_by in sent if ended_by == "pause"]
    assert ended == ["TWO-2222", "TWO-2223"]


# --- repeats ---------------------------------------------------------------------------------


def test_ticket_when_five_uses_are_scanned_five_times_then_each_is_asked_for(
    door,
    scanner,
    add,
    token,
):
    """Row "a ticket with 5 uses is scanned 5 times, 1.5 s apart, by a hand-held scanner"."""
    value = add(usage_count=5)
    scanner.type(value, [ENTER])
    answer(door, "granted")
    next_please(door)
    for _ in range(4):
        scanner.pause(1_500)
        scanner.type(value, TERMINATORS["CR LF"])
        alert = answer(door, "question")
        expect(alert).to_contain_text("Redeem another?")
        expect(alert).to_contain_text("Uses left: 4")
        expect(told(door)).to_have_css("background-color", "rgb(255, 194, 51)")
    assert token(value)["usage_count"] == 4
    expect(door.locator("#granted")).to_have_text("1")
    assert door.evaluate("tones.filter((tone) => tone === 1320).length") == 1
    scanner.pause(1_000)
    door.get_by_role("button", name="Redeem another").click()
    expect(answer(door, "granted")).to_contain_text("Uses left: 3")
    assert token(value)["usage_count"] == 3


def ask_for_another(door, scanner, value):
    scanner.type(value, [ENTER])
    answer(door, "granted")
    next_please(door)
    scanner.type(value, [ENTER])
    answer(door, "question")


def test_question_when_its_button_has_the_focus_then_the_end_of_a_scan_does_not_press_it(
    door,
    scanner,
    add,
    token,
):
    value, other = add(usage_count=5), add()
    ask_for_another(door, scanner, value)
    door.get_by_role("button", name="Redeem another").focus()
    scanner.type("", [ENTER])
    answer(door, "question")
    # Another ticket means no.
    scanner.pause(1_000)
    scanner.type(other, [ENTER])
    expect(answer(door, "granted").locator(".value")).to_have_text(other)
    assert token(value)["usage_count"] == 4


@pytest.mark.parametrize("way", ["No", "Escape"])
def test_question_when_somebody_says_no_then_nothing_is_redeemed(door, scanner, add, token, way):
    value = add(usage_count=5)
    ask_for_another(door, scanner, value)
    if way == "No":
        door.get_by_role("button", name="No", exact=True).click()
    else:
        door.keyboard.press("Escape")
    answer(door, "none")
    assert token(value)["usage_count"] == 4
    scanner.type(value, [ENTER])
    answer(door, "question")


def test_question_when_there_is_only_a_keyboard_then_the_space_bar_says_yes(
    door,
    scanner,
    add,
    token,
):
    value = add(usage_count=5)
    ask_for_another(door, scanner, value)
    scanner.pause(1_000)
    door.get_by_role("button", name="Redeem another").focus()
    door.keyboard.press("Space")
    answer(door, "granted")
    assert token(value)["usage_count"] == 3


def test_same_code_when_no_uses_are_left_then_it_is_amber_and_not_asked(door, scanner, add, usages):
    value = add()
    scanner.type(value, [ENTER])
    answer(door, "granted")
    next_please(door)
    scanner.type(value, [ENTER])
    expect(answer(door, "noted")).to_contain_text("The scan before redeemed it.")
    assert len(usages(value)) == 1


def test_same_code_when_it_comes_ten_seconds_later_then_it_is_a_scan_of_its_own(
    door,
    add,
    token,
):
    value = add(usage_count=5)
    for left in (4, 3):
        door.locator("#value").fill(value)
        press_enter(door)
        expect(answer(door, "granted")).to_contain_text(f"Uses left: {left}")
        door.clock.run_for(10_100)
    assert token(value)["usage_count"] == 3


# --- people ----------------------------------------------------------------------------------


def test_door_when_there_are_only_keys_then_all_of_it_can_be_used(door, scanner, add):
    value = add()
    door.keyboard.press("Tab")
    expect(door.locator("#submit")).to_be_focused()
    for expected in ("[value=consume]", "[data-part=start]", "header a"):
        door.keyboard.press("Shift+Tab")
        while expected == "[value=consume]" and not focused(door, expected):
            door.keyboard.press("Shift+Tab")
        expect(door.locator(expected)).to_be_focused()
    for _ in range(2):
        door.keyboard.press("Tab")
    scanner.type("", [("ArrowRight", "ArrowRight", 0)])
    expect(door.get_by_label("Only check")).to_be_checked()
    scanner.type("", [("ArrowLeft", "ArrowLeft", 0)])
    door.keyboard.press("Tab")
    expect(door.locator("#value")).to_be_focused()
    door.keyboard.insert_text(value)
    press_enter(door)
    answer(door, "granted")
    door.keyboard.press("Escape")
    expect(door.locator("#result")).not_to_have_class(re.compile("is-big"))


def focused(page, selector):
    return page.locator(selector).evaluate("(element) => element === document.activeElement")


def test_field_when_people_type_into_it_then_only_enter_sends_it(door, sent):
    door.keyboard.type("G-1234", delay=110)
    door.clock.run_for(5_000)
    assert sent == []
    press_enter(door)
    answer(door, "granted")
    assert sent == [("G-1234", None)]


def test_field_when_a_key_is_held_then_it_is_no_scanner_and_enter_counts_once(door, sent):
    door.keyboard.down("7")
    for _ in range(8):
        door.keyboard.down("7")
    door.keyboard.up("7")
    door.clock.run_for(3_000)
    assert sent == []
    door.keyboard.down("Enter")
    for _ in range(5):
        door.keyboard.down("Enter")
    door.clock.run_for(150)
    answer(door, "granted")
    assert sent == [("777777777", None)]


def test_field_when_people_tab_out_of_it_then_nothing_is_sent(door, sent):
    door.keyboard.type("G-1", delay=120)
    door.keyboard.press("Tab")
    expect(door.locator("#submit")).to_be_focused()
    assert sent == []


def test_field_when_text_is_composed_then_the_enter_that_ends_it_sends_nothing(door, sent):
    session = door.context.new_cdp_session(door)
    session.send(
        "Input.imeSetComposition", {"text": "とう", "selectionStart": 2, "selectionEnd": 2}
    )
    door.evaluate(
        """() => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
            { key: "Enter", bubbles: true, cancelable: true, isComposing: true }))""",
    )
    session.send("Input.insertText", {"text": "東"})
    assert sent == []
    press_enter(door)
    answer(door, "granted")
    assert sent == [("東", None)]


def paste(page, text):
    page.evaluate(
        """(text) => {
            const other = document.createElement("textarea");
            other.value = text;
            document.body.append(other);
            other.select();
            document.execCommand("copy");
            other.remove();
            document.getElementById("value").focus();
        }""",
        text,
    )
    page.keyboard.press("Control+V")


def drop(page, text):
    page.evaluate(
        """(text) => {
            const other = document.createElement("p");
            other.id = "other";
            other.draggable = true;
            other.textContent = "text";
            const give = ({ dataTransfer }) => dataTransfer.setData("text/plain", text);
            other.addEventListener("dragstart", give);
            document.querySelector("main").append(other);
        }""",
        text,
    )
    page.drag_and_drop("#other", "#value")


WAYS = {
    "pasted": paste,
    "dropped": drop,
    "put by a device": lambda page, text: page.keyboard.insert_text(text),
}


@pytest.mark.parametrize("way", WAYS)
def test_field_when_something_is_put_into_it_then_it_is_one_code(door, sent, way):
    WAYS[way](door, "G-1\n")
    press_enter(door)
    answer(door, "granted")
    assert [value.strip() for value, _ in sent] == ["G-1"]


@pytest.mark.parametrize("way", WAYS)
def test_field_when_several_lines_are_put_into_it_then_none_of_them_is_taken(door, sent, way):
    WAYS[way](door, "G-1\nG-12\n")
    expect(answer(door, "noted").locator(".word")).to_have_text("One code only")
    expect(door.locator("#value")).to_have_value("")
    assert sent == []


def test_page_when_another_window_has_the_keyboard_then_it_says_so(door):
    door.evaluate("() => { document.hasFocus = () => false; dispatchEvent(new Event('blur')); }")
    expect(door.locator("#note")).to_contain_text("does not hear a hand-held scanner")
    door.evaluate("() => { document.hasFocus = () => true; dispatchEvent(new Event('focus')); }")
    expect(door.locator("#note")).to_be_empty()
