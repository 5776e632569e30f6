"""The door page: values that are typed or scanned by hand, answers, failures."""

import datetime
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import OPERATOR
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import overflow

HTML = "<script>alert(1)</script>&amp;\"'<img src=x onerror=alert(2)>"
RIGHT_TO_LEFT = "\u202eevil\u2066 \u05e9\u05dc\u05d5\u05dd"
EMOJI = "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{TICKET}"
LONG = "x" * 2_048


def moment(**ago):
    time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**ago)
    return time.isoformat(timespec="seconds")


def counted(page):
    return [page.locator(f"#{name}").inner_text() for name in ("granted", "refused")]


# --- answers ---------------------------------------------------------------------------------


def test_door_when_a_value_is_consumed_then_it_is_green_with_word_value_and_uses(door, add, token):
    value = add(usage_count=3)
    enter(door, value)
    alert = answer(door, "granted")
    expect(alert).to_contain_text("Valid")
    expect(alert).to_contain_text(value)
    expect(alert).to_contain_text("Uses left: 2")
    expect(alert).to_contain_text("Last use: now")
    expect(alert.locator("svg")).to_be_visible()
    expect(door.locator("#result")).to_have_css("background-color", "rgb(11, 107, 47)")
    box = door.locator("#result").bounding_box()
    assert (box["width"], box["height"]) == tuple(door.viewport_size.values())
    assert counted(door) == ["1", "0"]
    assert token(value)["usage_count"] == 2
    assert door.evaluate("vibrations") == [80]
    assert door.evaluate("tones") == [880, 1320]
    expect(door.locator("#value")).to_have_value("")


def sound_of(page):
    return page.get_by_role("button", name="Sound")


def test_sound_when_somebody_switches_it_then_this_device_keeps_it(door, add):
    expect(sound_of(door)).to_have_attribute("aria-pressed", "true")
    sound_of(door).click()
    expect(sound_of(door)).to_have_attribute("aria-pressed", "false")
    door.reload()
    door.wait_for_selector("html[data-ready]")
    expect(sound_of(door)).to_have_attribute("aria-pressed", "false")
    enter(door, add())
    answer(door, "granted")
    assert door.evaluate("[vibrations, tones]") == [[80], []]
    door.keyboard.press("Escape")
    sound_of(door).click()
    enter(door, add())
    expect(door.locator("#granted")).to_have_text("2")
    assert door.evaluate("tones") == [880, 1320]


def test_sound_when_the_site_wants_none_then_it_only_vibrates(site_settings, open_door, add):
    site_settings.write_text('{"sounds": false}')
    door = open_door()
    expect(sound_of(door)).to_have_attribute("aria-pressed", "false")
    enter(door, add(usage_count=0))
    answer(door, "refused")
    assert door.evaluate("[vibrations.length, tones]") == [1, []]
    door.keyboard.press("Escape")
    # Somebody here does.
    sound_of(door).click()
    door.reload()
    door.wait_for_selector("html[data-ready]")
    expect(sound_of(door)).to_have_attribute("aria-pressed", "true")
    enter(door, add())
    answer(door, "granted")
    assert door.evaluate("tones") == [880, 1320]


def test_door_when_the_uses_never_end_then_it_says_so(door, add):
    enter(door, add(usage_count=-1))
    expect(answer(door, "granted")).to_contain_text("Uses left: unlimited")


REFUSALS = {
    "used up": ({"usage_count": 0}, ["No uses are left.", "Uses left: 0", "Last use: never"]),
    "disabled": ({"enabled": "false"}, ["It is switched off.", "Uses left: 1"]),
    "early": (
        {"valid_from": "2126-06-01T10:00:00Z"},
        ["Valid only from 1 Jun 2126, 12:00:00 on."],
    ),
    "late": ({"valid_to": "2020-06-01T10:00:00Z"}, ["Expired on 1 Jun 2020, 12:00:00."]),
}


@PHONE_ONLY
@pytest.mark.parametrize(("fields", "texts"), REFUSALS.values(), ids=REFUSALS)
def test_door_when_a_token_is_refused_then_it_is_red_with_the_reason(door, add, fields, texts):
    value = add(**fields)
    enter(door, value)
    alert = answer(door, "refused")
    for text in ["Refused", value, *texts]:
        expect(alert).to_contain_text(text)
    expect(door.locator("#result")).to_have_css("background-color", "rgb(179, 21, 27)")
    assert counted(door) == ["0", "1"]
    assert door.evaluate("vibrations") == [[120, 80, 120, 80, 120]]


def test_door_when_a_token_is_locked_then_it_tells_until_when_and_the_last_use(door, add, api):
    value = add(usage_count=5, lock_time=3600)
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    alert = answer(door, "refused")
    expect(alert).to_contain_text(re.compile(r"Locked until \d+ \w+ \d{4}, \d\d:\d\d:\d\d\."))
    expect(alert).to_contain_text(re.compile(r"Last use: \d+ \w+ \d{4}, \d\d:"))
    expect(alert).to_contain_text("Uses left: 4")


def test_door_when_the_value_is_unknown_then_it_is_red(door, watch):
    watch.provoked.append("404")
    enter(door, "no such ticket")
    alert = answer(door, "refused")
    expect(alert).to_contain_text("Unknown code.")
    expect(alert).to_contain_text("no such ticket")


def test_answer_when_some_time_is_over_then_it_becomes_a_line(open_door, add):
    page = open_door()
    page.clock.install()
    enter(page, add())
    answer(page, "granted")
    expect(page.locator("#result")).to_have_class(re.compile("is-big"))
    page.clock.run_for(1_600)
    expect(page.locator("#result")).not_to_have_class(re.compile("is-big"))
    expect(page.get_by_role("alert")).to_contain_text("Valid")


def test_door_when_it_is_reloaded_then_it_goes_on_counting(door, add):
    enter(door, add())
    answer(door, "granted")
    door.reload()
    assert counted(door) == ["1", "0"]


# --- only checking ---------------------------------------------------------------------------


def test_check_when_the_token_could_be_consumed_then_it_is_not_green_nor_consumed(door, add, token):
    value = add()
    door.get_by_label("Only check").check()
    expect(door.locator("#submit")).to_have_text("Check")
    enter(door, value)
    alert = answer(door, "valid")
    expect(alert).to_contain_text("Not consumed")
    expect(alert).to_contain_text("It could be consumed now.")
    expect(door.locator("#result")).to_have_css("background-color", "rgb(11, 79, 158)")
    assert token(value)["usage_count"] == 1
    assert counted(door) == ["0", "0"]
    door.keyboard.press("Escape")
    door.get_by_label("Consume").check()
    enter(door, value)
    answer(door, "granted")


@PHONE_ONLY
def test_check_when_the_token_could_not_be_consumed_then_it_is_red_and_not_logged(
    door,
    add,
    usages,
):
    value = add(usage_count=0)
    door.get_by_label("Only check").check()
    enter(door, value)
    expect(answer(door, "refused")).to_contain_text("No uses are left.")
    assert usages(value) == []
    assert counted(door) == ["0", "0"]


# --- hand-held scanners and keys -------------------------------------------------------------


@pytest.fixture
def frozen_door(open_door):
    """The door page, where no time passes unless it is told to: a scanner is as fast as that."""
    page = open_door()
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    return page


@pytest.mark.parametrize("end", ["Enter", "Tab", None], ids=["Enter", "Tab", "pause"])
@pytest.mark.parametrize("focus", ["#value", "[data-part=start]", "[value=consume]", "body"])
@DESKTOP_ONLY
def test_scanner_when_it_types_a_value_then_it_is_consumed_wherever_the_focus_is(
    frozen_door,
    add,
    usages,
    end,
    focus,
):
    door, value = frozen_door, add()
    if focus == "body":
        door.evaluate("document.activeElement.blur()")
    else:
        door.locator(focus).focus()
    door.keyboard.type(value)
    door.keyboard.press(end) if end else door.clock.run_for(100)
    expect(answer(door, "granted")).to_contain_text(value)
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_scanner_when_it_goes_on_while_an_answer_is_shown_then_the_next_one_is_taken(
    frozen_door,
    add,
):
    door = frozen_door
    for value in (add(), add(), add()):
        door.keyboard.type(value)
        door.clock.run_for(100)
        expect(answer(door, "granted")).to_contain_text(value)
        expect(door.locator("#value")).to_have_value("")
    assert counted(door) == ["3", "0"]


@DESKTOP_ONLY
def test_field_when_people_type_into_it_then_only_enter_sends_it(open_door, add, usages):
    door = open_door()
    door.clock.install()
    value = add()
    door.keyboard.type(value, delay=110)
    expect(door.locator("#value")).to_have_value(value)
    door.clock.run_for(1_000)
    assert usages(value) == []
    door.keyboard.press("Enter")
    answer(door, "granted")


def test_door_when_there_are_only_keys_then_all_of_it_can_be_used(door, add):
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
    door.keyboard.press("ArrowRight")
    expect(door.get_by_label("Only check")).to_be_checked()
    door.keyboard.press("ArrowLeft")
    door.keyboard.press("Tab")
    expect(door.locator("#value")).to_be_focused()
    door.keyboard.insert_text(value)
    door.keyboard.press("Enter")
    answer(door, "granted")
    door.keyboard.press("Escape")
    expect(door.locator("#result")).not_to_have_class(re.compile("is-big"))


def focused(page, selector):
    return page.locator(selector).evaluate("(element) => element === document.activeElement")


# --- the same code ---------------------------------------------------------------------------


def test_same_value_when_it_comes_within_three_seconds_then_it_is_ignored(open_door, add, token):
    page = open_door()
    page.clock.install()
    value = add(usage_count=5)
    enter(page, value)
    answer(page, "granted")
    enter(page, value)
    expect(page.locator("#note")).to_contain_text("ignored")
    assert token(value)["usage_count"] == 4
    page.clock.run_for(3_100)
    enter(page, value)
    expect(page.get_by_role("alert")).to_contain_text("Uses left: 3")
    assert counted(page) == ["2", "0"]


# --- failures --------------------------------------------------------------------------------


def test_door_when_the_network_is_lost_then_nothing_is_valid_until_it_is_back(
    door,
    add,
    usages,
    watch,
):
    watch.provoked.append("ERR_INTERNET_DISCONNECTED")
    value = add()
    door.context.set_offline(True)
    expect(door.locator("#offline")).to_be_visible()
    enter(door, value)
    alert = answer(door, "unknown")
    expect(alert).to_contain_text("Not connected")
    expect(alert).to_contain_text("Nothing counts as valid")
    expect(door.locator("#value")).to_have_value(value)
    assert counted(door) == ["0", "0"]
    assert usages(value) == []
    door.context.set_offline(False)
    expect(answer(door, "granted")).to_contain_text(value)
    expect(door.locator("#offline")).to_be_hidden()
    assert counted(door) == ["1", "0"]
    assert len(usages(value)) == 1


def test_door_when_the_answer_is_lost_then_the_same_key_brings_it(door, add, usages, watch):
    watch.provoked.append("ERR_FAILED")
    value = add()
    keys = []

    def lose_the_first(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.continue_()
        assert route.fetch().json()["consumed"] is True
        return route.abort()

    door.route(CONSUME_URL, lose_the_first)
    enter(door, value)
    expect(answer(door, "granted")).to_contain_text("Uses left: 0")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert [usage["error"] for usage in usages(value)] == [None]


@PHONE_ONLY
def test_door_when_no_answer_comes_for_three_seconds_then_it_is_not_connected(
    open_door,
    add,
    watch,
):
    watch.provoked.append("ERR_")
    page = open_door()
    page.clock.install()
    held = []
    # Playwright puts a mark on what it is given: a method of a list takes none.
    page.route(CONSUME_URL, lambda route: held.append(route))  # noqa: PLW0108
    enter(page, add())
    expect(answer(page, "waiting")).to_contain_text("Asking")
    page.clock.run_for(3_100)
    expect(answer(page, "unknown")).to_contain_text("Not connected")
    assert len(held) == 1
    page.unroute(CONSUME_URL)
    page.clock.run_for(1_100)
    answer(page, "granted")


def test_door_when_one_gives_up_then_the_value_stays_with_its_key(door, add, usages, watch):
    watch.provoked.append("ERR_FAILED")
    value = add()
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    door.route(CONSUME_URL, lose)
    enter(door, value)
    answer(door, "unknown")
    door.get_by_role("button", name="Give up").click()
    answer(door, "none")
    expect(door.locator("#value")).to_have_value(value)
    expect(door.locator("#note")).to_contain_text("It stays in the field.")
    door.unroute(CONSUME_URL)
    with door.expect_request(CONSUME_URL) as asked:
        door.locator("#submit").click()
    answer(door, "granted")
    assert {*keys, asked.value.headers["idempotency-key"]} == {keys[0]}
    assert len(usages(value)) == 1


FAILURES = {
    401: ("Signed out", "Nothing was consumed. Sign in"),
    403: ("Not permitted", "Who is signed in may not do that."),
    409: ("Changed meanwhile", "Somebody changed the token."),
    429: ("Too many requests", "It is asked again by itself, after a minute at most."),
    500: ("Server fault", "It is not known whether the token was consumed."),
    503: ("Server busy", "There is no answer yet."),
    422: ("Not possible", "The server cannot do anything with this code."),
}


@PHONE_ONLY
@pytest.mark.parametrize("status", FAILURES)
def test_door_when_the_server_fails_then_its_own_text_comes_and_nothing_is_lost(
    door,
    add,
    watch,
    status,
):
    watch.provoked.append(f"{status}")
    value = add()
    body = '{"success": false, "error": "x", "message": "inner matters"}'
    door.route(
        CONSUME_URL,
        lambda route: route.fulfill(status=status, body=body, headers={"Retry-After": "1"}),
    )
    enter(door, value)
    alert = answer(door, "unknown")
    for text in (*FAILURES[status], value):
        expect(alert).to_contain_text(text)
    expect(alert).not_to_contain_text("inner matters")
    expect(door.locator("#value")).to_have_value(value)
    assert counted(door) == ["0", "0"]
    door.unroute(CONSUME_URL)
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "granted")).to_contain_text(value)
    assert counted(door) == ["1", "0"]


@DESKTOP_ONLY
@pytest.mark.parametrize("body", ["<html>Welcome to our network</html>", "", "{}", "null", "[]"])
def test_door_when_something_else_answers_then_nothing_is_valid(door, add, body):
    door.route(CONSUME_URL, lambda route: route.fulfill(status=200, body=body))
    enter(door, add())
    expect(answer(door, "unknown")).to_contain_text("Something else answered.")


def test_door_when_the_session_ends_then_it_offers_to_sign_in_and_goes_on(
    door,
    add,
    signed_in,
    watch,
):
    watch.provoked.append("401")
    value = add()
    door.context.clear_cookies()
    enter(door, value)
    expect(answer(door, "unknown")).to_contain_text("Signed out")
    with door.context.expect_page() as opened:
        door.get_by_role("link", name="Sign in").click()
    expect(opened.value.locator("[name='loginform.password']")).to_be_visible()
    opened.value.close()
    door.context.add_cookies(signed_in(OPERATOR)["cookies"])
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "granted")).to_contain_text(value)


def test_next_value_when_an_answer_is_missing_then_it_waits_in_the_field(door, add, watch):
    watch.provoked.append("500")
    first, second = add(), add()
    door.route(CONSUME_URL, lambda route: route.fulfill(status=500, body="{}"))
    enter(door, first)
    answer(door, "unknown")
    door.keyboard.press("Escape")
    enter(door, second)
    expect(door.locator("#note")).to_contain_text("The answer before is not there yet.")
    door.unroute(CONSUME_URL)
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "granted")).to_contain_text(first)
    expect(door.locator("#value")).to_have_value(second)
    door.locator("#value").press("Enter")
    expect(door.get_by_role("alert")).to_contain_text(second)
    answer(door, "granted")
    assert counted(door) == ["2", "0"]


# --- values of all kinds ---------------------------------------------------------------------

VALUES = {
    "HTML": (HTML, HTML[:40] + "…"),
    "right to left": (RIGHT_TO_LEFT, "[U+202E]evil[U+2066] \u05e9\u05dc\u05d5\u05dd"),
    "emoji": (EMOJI * 60, EMOJI * 40 + "…"),
    "long": (LONG, "x" * 40 + "…"),
    "line ends and a gap": ("a  b\u2028\u0007c", "a  b[U+2028][U+0007]c"),
}


@pytest.mark.parametrize(("value", "shown"), VALUES.values(), ids=VALUES)
def test_value_when_it_is_strange_then_it_is_escaped_shortened_and_whole_on_demand(
    door,
    api,
    value,
    shown,
):
    api.post("/tokens/add_token", {"value": value, "usage_count": 1_000})
    door.evaluate("() => { window.alert = () => { throw new Error('a script ran'); }; }")
    enter(door, value)
    alert = answer(door, "granted")
    text = alert.locator("bdi").text_content()
    assert text.startswith(shown)
    assert len(text) <= 41 * len(EMOJI)
    assert not alert.locator("img, script").count()
    whole = door.locator("#result details")
    if len(value) > 40:
        whole.locator("summary").click()
        assert whole.locator("bdi").text_content() == value
        expect(whole.locator("bdi")).to_be_visible()
    else:
        expect(whole).to_be_hidden()
    assert overflow(door) <= 0
