"""The scan page: its answers, failures, and values of all kinds."""

import datetime
import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ADMIN
from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import OPERATOR
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import overflow
from tests.browser.conftest import store_code
from tests.browser.conftest import told

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
    expect(alert.get_by_role("alert")).to_contain_text(f"Valid{value}")
    expect(alert).to_contain_text("Uses left: 2")
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


@PHONE_ONLY
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


@PHONE_ONLY
def test_sound_when_the_site_wants_none_then_it_only_vibrates(site_settings, open_door, add):
    site_settings.write_text('{"sounds": false}')
    door = open_door()
    expect(sound_of(door)).to_have_attribute("aria-pressed", "false")
    enter(door, add(usage_count=0))
    answer(door, "redeemed")
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


@PHONE_ONLY
def test_door_when_the_uses_never_end_then_it_says_so(door, add):
    enter(door, add(usage_count=-1))
    expect(answer(door, "granted")).to_contain_text("Uses left: unlimited")


RED, AMBER = "rgb(179, 21, 27)", "rgb(255, 194, 51)"
REFUSALS = {
    "without uses": (
        {"usage_count": 0},
        "redeemed",
        ["No uses left", "was never redeemed"],
    ),
    "disabled": ({"enabled": "false"}, "refused", ["Switched off", "Uses left: 1"]),
    "early": (
        {"valid_from": "2126-06-01T10:00:00Z"},
        "refused",
        ["Not valid yet", "Valid from 1 Jun 2126, 12:00"],
    ),
    "late": (
        {"valid_to": "2020-06-01T10:00:00Z"},
        "refused",
        ["Expired", "Valid until 1 Jun 2020, 12:00"],
    ),
}


@PHONE_ONLY
@pytest.mark.parametrize(("fields", "kind", "texts"), REFUSALS.values(), ids=REFUSALS)
def test_door_when_a_token_is_refused_then_the_reason_is_the_big_word(
    door,
    add,
    fields,
    kind,
    texts,
):
    value = add(**fields)
    enter(door, value)
    alert = answer(door, kind)
    expect(alert.locator(".word")).to_have_text(texts[0])
    for text in [value, *texts]:
        expect(alert).to_contain_text(text)
    expect(told(door)).to_have_css("background-color", RED if kind == "refused" else AMBER)
    if kind == "redeemed":
        # It would say the same again.
        expect(alert).not_to_contain_text("Uses left")
    assert counted(door) == ["0", "1"]
    assert len(door.evaluate("vibrations")) == 1


def test_door_when_a_code_was_redeemed_then_it_is_amber_with_the_time(door, add, api):
    value = add()
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    alert = answer(door, "redeemed")
    expect(alert.locator(".word")).to_have_text("Already redeemed")
    expect(alert.locator(".reason")).to_have_text(re.compile(r"today [\d:]+:\d\d"))
    expect(told(door)).to_have_css("background-color", AMBER)
    assert door.evaluate("[vibrations, tones]") == [[[250, 80, 250]], [660, 440]]


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("zone", "name"),
    [("America/New_York", r" (CET|CEST|GMT\+[12])"), ("Europe/Rome", "")],
)
def test_door_when_the_clock_of_the_device_shows_another_time_then_the_zone_is_named(
    open_door, zone, name
):
    page = open_door(timezone_id=zone)
    for used, time in ((moment(), r"(today )?[\w ,]+:\d\d"), (moment(days=400), r"[\w ,]+:\d\d")):
        page.unroute_all()
        saying(page, {"error": "usage_count_exceeded", "last_used": used, "last_user": "north"})
        enter(page, f"{used}")
        reason = answer(page, "redeemed").locator(".reason")
        expect(reason).to_have_text(re.compile(f"^{time}{name}, by north$"))
        page.keyboard.press("Escape")


def saying(page, body, status=200):
    """Have the server answer a consumption so."""
    text = json.dumps({"success": False, "consumed": False, **body})
    page.route(CONSUME_URL, lambda route: route.fulfill(status=status, body=text))


@PHONE_ONLY
def test_door_when_the_answer_names_who_redeemed_it_then_it_says_so(door):
    asked = []
    door.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    used = {"last_used": moment(days=400), "last_user": "north <b>door</b>"}
    saying(door, {"error": "usage_count_exceeded", **used})
    enter(door, "A")
    reason = answer(door, "redeemed").locator(".reason")
    expect(reason).to_have_text(re.compile(r"\d+ \w+ \d{4}, \d\d:.*, by north <b>door</b>"))
    # All that is to be told came with the answer.
    assert not [name for name in asked if name.startswith("query_token")]


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (None, "Before: never"),
        ({"time": moment(), "user": None}, r"Before: today [\d:]+$"),
        ({"time": moment(), "user": "north"}, r"Before: today [\d:]+, by north$"),
    ],
    ids=["none", "one", "by somebody"],
)
def test_door_when_a_grant_tells_the_use_before_then_it_is_shown(door, used, text):
    granted = {"success": True, "consumed": True, "usage_count": 1}
    saying(door, {**granted, "used_before": used})
    enter(door, "A")
    fact = answer(door, "granted").locator(".fact", has_text="Before")
    expect(fact).to_have_text(re.compile(text))


@PHONE_ONLY
def test_door_when_a_code_was_read_as_another_then_both_are_shown(door):
    saying(door, {"error": "token_disabled", "read_as": "G-1"})
    enter(door, "g-1")
    expect(answer(door, "refused").get_by_role("alert")).to_contain_text("g-1read as G-1")


@PHONE_ONLY
def test_door_when_a_token_rests_then_it_tells_until_when_and_the_last_use(door, add, api):
    value = add(usage_count=5, lock_time=3600)
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    alert = answer(door, "redeemed")
    expect(alert.locator(".word")).to_have_text("Resting")
    expect(alert.locator(".reason")).to_have_text(re.compile(r"Until .*\d\d:\d\d:\d\d"))
    expect(alert).to_contain_text(re.compile(r"Last redeemed: today \d\d:\d\d, by "))
    expect(alert).to_contain_text("Uses left: 4")


@PHONE_ONLY
def test_door_when_the_value_is_unknown_then_it_is_red(door, watch):
    watch.provoked.append("404")
    enter(door, "no such ticket")
    alert = answer(door, "refused")
    expect(alert.locator(".word")).to_have_text("Unknown code")
    expect(alert).to_contain_text("no such ticket")


@PHONE_ONLY
def test_door_when_more_of_a_refusal_is_not_told_in_time_then_the_answer_comes_without(
    open_door,
    add,
):
    page = open_door()
    held = []
    page.route("**/query_token*", lambda route: held.append(route))  # noqa: PLW0108
    enter(page, add(valid_to="2020-06-01T10:00:00Z"))
    expect(answer(page, "refused").locator(".word")).to_have_text("Not valid now")
    assert len(held) == 1


def test_answer_when_the_token_has_a_label_then_it_is_larger_than_the_code(door, add):
    value = add(label="Zoë <b>Example</b> \u202egpj", category="VIP")
    for kind in ("granted", "redeemed"):
        enter(door, value)
        alert = answer(door, kind)
        expect(alert.locator(".label")).to_have_text("Zoë <b>Example</b> [U+202E]gpj")
        expect(alert.locator(".category")).to_have_text("VIP")
        sizes = [
            alert.locator(part).evaluate("(it) => parseFloat(getComputedStyle(it).fontSize)")
            for part in (".label", ".value")
        ]
        assert sizes[0] > sizes[1]
        door.keyboard.press("Escape")
        door.reload()


@PHONE_ONLY
def test_check_when_the_token_has_a_label_then_it_is_told(door, add):
    value = add(label="Zoë", category="VIP")
    door.locator("[value=check]").check(force=True)
    enter(door, value)
    expect(answer(door, "valid").locator(".label")).to_have_text("Zoë")


def test_answer_when_some_time_is_over_then_it_becomes_a_line(timed_door, add):
    enter(timed_door, add())
    answer(timed_door, "granted")
    expect(told(timed_door)).to_have_class(re.compile("is-big"))
    timed_door.clock.run_for(1_600)
    expect(told(timed_door)).not_to_have_class(re.compile("is-big"))
    expect(told(timed_door)).to_contain_text("Valid")


def open_or_close_code(page):
    """Click what shows the whole code; a browser tells its page of it some time later."""
    told(page).locator("details").evaluate("""(details) => {
        window.toggled = new Promise((resolve) => {
            details.addEventListener("toggle", () => resolve(), { once: true });
        });
    }""")
    told(page).locator("summary").click()
    page.evaluate("toggled")


@PHONE_ONLY
def test_answer_when_its_code_is_read_whole_then_it_stays(timed_door, add):
    enter(timed_door, add(f"{timed_door.viewport_size['width']}" * 20))
    answer(timed_door, "granted")
    open_or_close_code(timed_door)
    timed_door.clock.run_for(9_000)
    expect(told(timed_door)).to_have_class(re.compile("is-big"))
    open_or_close_code(timed_door)
    timed_door.clock.run_for(1_600)
    expect(told(timed_door)).not_to_have_class(re.compile("is-big"))


def test_answer_when_it_fills_the_screen_then_what_it_hides_cannot_be_reached(timed_door, add):
    timed_door.locator("#value").fill(add())
    # Behind Enter a Tab may be the rest of a scanner's end.
    timed_door.locator("#submit").click()
    answer(timed_door, "granted")
    reached = set()
    for _ in range(8):
        timed_door.keyboard.press("Tab")
        reached.add(
            timed_door.evaluate(
                "document.activeElement.dataset.action ?? document.activeElement.id"
            )
        )
    assert reached <= {"continue", "value", ""}
    assert "continue" in reached


@PHONE_ONLY
def test_door_when_it_is_reloaded_then_it_goes_on_counting(door, add):
    enter(door, add())
    answer(door, "granted")
    door.reload()
    assert counted(door) == ["1", "0"]


# --- only checking ---------------------------------------------------------------------------


@PHONE_ONLY
def test_check_when_the_token_could_be_consumed_then_it_is_not_green_nor_consumed(door, add, token):
    value = add()
    door.get_by_label("Only check").check()
    expect(door.locator("#submit")).to_have_text("Check")
    enter(door, value)
    alert = answer(door, "valid")
    expect(alert.locator(".word")).to_have_text("Would be valid")
    expect(alert).to_contain_text("Only checked, nothing was redeemed.")
    expect(door.locator("#result")).to_have_css("background-color", "rgb(11, 79, 158)")
    assert token(value)["usage_count"] == 1
    assert counted(door) == ["0", "0"]
    door.keyboard.press("Escape")
    door.get_by_label("Redeem", exact=True).check()
    enter(door, value)
    answer(door, "granted")


@PHONE_ONLY
def test_check_when_the_token_could_not_be_redeemed_then_it_says_why_and_logs_nothing(
    door,
    add,
    usages,
):
    value = add(usage_count=0)
    door.get_by_label("Only check").check()
    enter(door, value)
    alert = answer(door, "redeemed")
    expect(alert.locator(".word")).to_have_text("No uses left")
    expect(alert).to_contain_text("Only checked, nothing was redeemed.")
    assert usages(value) == []
    assert counted(door) == ["0", "0"]


# --- failures --------------------------------------------------------------------------------


@PHONE_ONLY
def test_check_when_the_token_was_redeemed_then_it_says_when_and_by_whom(door, add, api):
    value = add(usage_count=2)
    door.get_by_label("Only check").check()
    enter(door, value)
    expect(answer(door, "valid")).to_contain_text("Last redeemed: never")
    door.keyboard.press("Escape")
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    used = re.compile(r"Last redeemed: today \d\d:\d\d, by admin")
    expect(answer(door, "valid")).to_contain_text(used)
    door.keyboard.press("Escape")
    api.post("/tokens/consume_token", {"value": value})
    enter(door, value)
    reason = answer(door, "redeemed").locator(".reason")
    expect(reason).to_have_text(re.compile(r"today \d\d:\d\d, by admin"))


@PHONE_ONLY
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
    alert = answer(door, "unsure")
    expect(alert).to_contain_text("Not connected")
    expect(alert).to_contain_text("Nothing counts as valid")
    expect(alert).to_contain_text(value)
    assert counted(door) == ["0", "0"]
    assert usages(value) == []
    door.context.set_offline(False)
    expect(answer(door, "granted")).to_contain_text(value)
    expect(door.locator("#offline")).to_be_hidden()
    assert counted(door) == ["1", "0"]
    assert len(usages(value)) == 1


@PHONE_ONLY
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
    expect(answer(page, "unsure")).to_contain_text("Not connected")
    assert len(held) == 1
    page.unroute(CONSUME_URL)
    page.clock.run_for(1_100)
    answer(page, "granted")


@PHONE_ONLY
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
    answer(door, "unsure")
    door.get_by_role("button", name="Give up").click()
    expect(answer(door, "noted").locator(".word")).to_have_text("Not known")
    expect(door.locator("#value")).to_have_value(value)
    door.unroute(CONSUME_URL)
    door.keyboard.press("Escape")
    with door.expect_request(CONSUME_URL) as asked:
        door.locator("#submit").click()
    answer(door, "granted")
    assert {*keys, asked.value.headers["idempotency-key"]} == {keys[0]}
    assert len(usages(value)) == 1


def given_up_while_asked_again(page, value):
    """Have a use taken, its answer lost, and the scan given up while it is asked again."""
    routes = []

    def lose_the_first(route):
        routes.append(route)
        if len(routes) == 1:
            route.fetch()
            route.abort()

    page.route(CONSUME_URL, lose_the_first)
    enter(page, value)
    answer(page, "unsure")
    with page.expect_request(CONSUME_URL):
        page.get_by_role("button", name="Try again now").click()
    page.get_by_role("button", name="Give up").click()
    expect(answer(page, "noted").locator(".word")).to_have_text("Not known")
    return routes


@DESKTOP_ONLY
def test_door_when_one_gives_up_while_it_asks_again_then_the_late_answer_is_told(
    door, add, usages, watch
):
    watch.provoked.append("ERR_FAILED")
    value = add(usage_count=2)
    _, again = given_up_while_asked_again(door, value)
    again.continue_()
    expect(answer(door, "granted").locator(".value")).to_have_text(value)
    assert counted(door) == ["1", "0"]
    # It is done with: what comes next is another scan.
    expect(door.locator("#value")).to_have_value("")
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_door_when_a_late_answer_comes_under_another_scan_then_its_own_can_still_be_asked_for(
    door, add, usages, watch
):
    watch.provoked.append("ERR_FAILED")
    value, other = add(), add()
    routes = given_up_while_asked_again(door, value)
    door.keyboard.press("Escape")
    # It is looked up first: it may be the same token.
    with door.expect_request(CONSUME_URL):
        enter(door, other)
    answer(door, "waiting")
    with door.expect_response(CONSUME_URL):
        routes[1].continue_()
    with door.expect_response(CONSUME_URL):
        routes[2].continue_()
    expect(answer(door, "granted").locator(".value")).to_have_text(other)
    door.keyboard.press("Escape")
    door.unroute(CONSUME_URL)
    enter(door, value)
    expect(answer(door, "granted").locator(".value")).to_have_text(value)
    assert len(usages(value)) == 1


OPEN = {
    401: ("Signed out", "Nothing was redeemed. Sign in"),
    429: ("Too many requests", "The page asks again by itself, after a minute at most."),
    500: ("Server fault", "It is not known whether this code was redeemed."),
    503: ("Server busy", "There is no answer yet."),
}
#: What is decided: the next scan is none of its business.
OVER = {
    403: ("Not permitted", "You may not redeem codes. An administrator can change that."),
    409: ("Changed meanwhile", "Somebody changed this code."),
    422: ("Not possible", "The server cannot do anything with this code."),
}


def failing(page, status, message="inner matters"):
    saying(page, {"error": "x", "message": message, "consumed": None}, status)


@PHONE_ONLY
@pytest.mark.parametrize("status", OPEN)
def test_door_when_the_server_fails_then_its_own_text_comes_and_nothing_is_lost(
    door,
    add,
    watch,
    status,
):
    watch.provoked.append(f"{status}")
    value = add()
    failing(door, status)
    enter(door, value)
    alert = answer(door, "unsure")
    for text in (*OPEN[status], value):
        expect(alert).to_contain_text(text)
    expect(alert).not_to_contain_text("inner matters")
    assert counted(door) == ["0", "0"]
    door.unroute(CONSUME_URL)
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "granted")).to_contain_text(value)
    assert counted(door) == ["1", "0"]


@PHONE_ONLY
@pytest.mark.parametrize("status", OVER)
def test_door_when_the_server_says_no_then_its_own_text_comes_and_the_next_scan_is_taken(
    door,
    add,
    watch,
    status,
):
    watch.provoked.append(f"{status}")
    failing(door, status)
    enter(door, "A")
    alert = answer(door, "noted")
    for text in (*OVER[status], "Nothing was redeemed."):
        expect(alert).to_contain_text(text)
    expect(door.get_by_role("button", name="Try again now")).to_be_hidden()
    door.unroute(CONSUME_URL)
    door.get_by_role("button", name="Continue").click()
    enter(door, add())
    answer(door, "granted")
    assert counted(door) == ["1", "0"]


@PHONE_ONLY
def test_door_when_the_role_is_taken_away_then_it_is_not_permitted(door, watch):
    watch.provoked.append("403")
    failing(door, 403, "Permission consume is missing, said the other site")
    enter(door, "A")
    expect(answer(door, "noted").locator(".word")).to_have_text("Not permitted")


@PHONE_ONLY
def test_door_when_the_server_takes_it_for_another_site_then_the_address_is_wrong(door, watch):
    def from_elsewhere(route):
        headers = {**route.request.headers, "sec-fetch-site": "cross-site"}
        route.fulfill(response=route.fetch(headers=headers))

    watch.provoked.append("403")
    door.route(CONSUME_URL, from_elsewhere)
    enter(door, "A")
    expect(answer(door, "noted").locator(".word")).to_have_text("Wrong address")


@DESKTOP_ONLY
@pytest.mark.parametrize("body", ["<html>Welcome to our network</html>", "", "{}", "null", "[]"])
def test_door_when_something_else_answers_then_nothing_is_valid(door, add, body):
    door.route(CONSUME_URL, lambda route: route.fulfill(status=200, body=body))
    enter(door, add())
    expect(answer(door, "unsure")).to_contain_text("Something else answered.")


@PHONE_ONLY
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
    expect(answer(door, "unsure")).to_contain_text("Signed out")
    with door.context.expect_page() as opened:
        door.get_by_role("link", name="Sign in").click()
    expect(opened.value.locator("[name='loginform.password']")).to_be_visible()
    opened.value.close()
    door.context.add_cookies(signed_in(OPERATOR)["cookies"])
    # Who comes back from there need not press anything.
    door.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(answer(door, "granted")).to_contain_text(value)


@DESKTOP_ONLY
@pytest.mark.parametrize("status", [401, 403, 404, 409, 413, 422])
def test_door_when_a_lost_answer_is_followed_by_a_failure_then_it_is_not_known_and_goes_on(
    door, add, usages, watch, status
):
    watch.provoked.extend(["ERR_FAILED", str(status)])
    value = add(usage_count=2)
    tries = []

    def lose_then_fail(route):
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            route.fetch()
            route.abort()
        elif len(tries) == 2:
            route.fulfill(status=status, json={"success": False, "error": "x"})
        else:
            route.continue_()

    door.route(CONSUME_URL, lose_then_fail)
    enter(door, value)
    alert = answer(door, "unsure")
    expect(alert.locator(".word")).to_have_text("Not known")
    expect(alert).to_contain_text("It may have been redeemed")
    expect(door.get_by_role("link", name="Sign in")).to_be_visible(visible=status == 401)
    door.get_by_role("button", name="Try again now").click()
    answer(door, "granted")
    assert len(set(tries)) == 1
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_door_when_somebody_else_signs_in_then_nothing_is_redeemed_as_them(
    door, add, usages, signed_in, watch
):
    watch.provoked.extend(["ERR_FAILED", "403"])
    value = add(usage_count=2)

    def lose(route):
        route.fetch()
        route.abort()

    def sign_in(user):
        door.context.clear_cookies()
        door.context.add_cookies(signed_in(user)["cookies"])

    door.route(CONSUME_URL, lose, times=1)
    enter(door, value)
    answer(door, "unsure")
    sign_in(ADMIN)
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "unsure")).to_contain_text("Now: Sign in as door.")
    with door.context.expect_page() as opened:
        door.get_by_role("link", name="Sign in").click()
    expect(opened.value.locator("[name='loginform.password']")).to_be_visible()
    opened.value.close()
    assert len(usages(value)) == 1
    sign_in(OPERATOR)
    door.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(answer(door, "granted")).to_contain_text("Uses left: 1")
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_door_when_it_is_loaded_again_after_giving_up_then_the_scan_is_the_same_request(
    door, add, usages, watch
):
    watch.provoked.append("ERR_FAILED")
    value = add(usage_count=2)

    def lose(route):
        route.fetch()
        route.abort()

    door.route(CONSUME_URL, lose, times=1)
    enter(door, value)
    answer(door, "unsure")
    door.get_by_role("button", name="Give up").click()
    answer(door, "noted")
    asked = []
    door.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    door.reload()
    door.wait_for_selector("html[data-ready]")
    assert asked == ["beforeunload"]
    enter(door, value)
    expect(answer(door, "granted")).to_contain_text("Uses left: 1")
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_door_when_a_code_that_was_given_up_is_typed_in_another_way_then_it_counts_once(
    door, add, usages, watch
):
    watch.provoked.append("ERR_FAILED")
    value = add("Lost-Answer-1", usage_count=2)

    def lose(route):
        route.fetch()
        route.abort()

    door.route(CONSUME_URL, lose)
    enter(door, value)
    answer(door, "unsure")
    door.get_by_role("button", name="Give up").click()
    answer(door, "noted")
    door.unroute(CONSUME_URL)
    door.keyboard.press("Escape")
    enter(door, value.upper())
    answer(door, "granted")
    assert len(usages(value)) == 1


@DESKTOP_ONLY
def test_page_when_a_scan_has_no_answer_yet_then_it_is_not_left_without_asking(door):
    held(door)
    enter(door, "T-1")
    asked = []
    door.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    door.close(run_before_unload=True)
    door.wait_for_event("dialog") if not asked else None
    assert asked == ["beforeunload"]


# --- one scan after another ------------------------------------------------------------------


def held(page):
    """Hold the answers back: each is in the list until it is let go."""
    routes = []
    # Playwright puts a mark on what it is given: a method of a list takes none.
    page.route(CONSUME_URL, lambda route: routes.append(route))  # noqa: PLW0108
    return routes


@PHONE_ONLY
def test_next_ticket_when_the_answer_before_is_slow_then_it_waits_and_gets_its_own(
    door,
    add,
    token,
):
    """Row "the answer takes 1.2 s; the next ticket is scanned 0.3 s after the first"."""
    first, second = add(), add()
    routes = held(door)
    enter(door, first)
    expect(answer(door, "waiting")).to_contain_text(first)
    enter(door, second)
    expect(told(door)).to_contain_text("In line: 1")
    expect(told(door)).not_to_contain_text(second)
    assert len(routes) == 1
    with door.expect_request(CONSUME_URL) as asked:
        routes[0].continue_()
        expect(answer(door, "granted")).to_contain_text(first)
    assert second in asked.value.post_data
    expect(answer(door, "waiting")).to_contain_text(second)
    routes[1].continue_()
    expect(answer(door, "granted")).to_contain_text(second)
    assert counted(door) == ["2", "0"]
    assert [token(value)["usage_count"] for value in (first, second)] == [0, 0]
    assert door.evaluate("tones.filter((tone) => tone === 1320).length") == 2


@PHONE_ONLY
def test_answer_when_others_wait_then_it_can_be_seen_for_a_second(open_door, add):
    page = open_door()
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    first, second = add(), add()
    routes = held(page)
    enter(page, first)
    enter(page, second)
    answer(page, "waiting")
    routes.pop(0).continue_()
    expect(answer(page, "granted")).to_contain_text(first)
    page.clock.run_for(950)
    assert not routes
    expect(answer(page, "granted")).to_contain_text(first)
    page.clock.run_for(100)
    expect(answer(page, "waiting")).to_contain_text(second)


@PHONE_ONLY
def test_line_when_it_is_full_then_the_scan_is_told_so_in_its_own_colour(door):
    routes = held(door)
    for number in range(11):
        enter(door, f"T-{number}")
    bar = door.locator("#notice")
    expect(bar).to_have_text("Too many at once. Scan again: T-9, T-10")
    expect(bar).to_have_css("color", AMBER)
    expect(told(door)).to_contain_text("In line: 8")
    assert door.evaluate("tones") == [1_760] * 8 + [330] * 6
    assert len(routes) == 1


@PHONE_ONLY
def test_ticket_when_two_devices_scan_it_at_once_then_one_of_them_is_told_who_was_first(
    open_door,
    add,
):
    value = add()
    pages = [open_door(), open_door()]
    for page in pages:
        page.locator("#value").fill(value)
    for page in pages:
        page.evaluate("() => { document.getElementById('entry').requestSubmit(); }")
    for page in pages:
        expect(told(page)).to_have_class(re.compile("is-big"))
    kinds = sorted(told(page).get_attribute("data-kind") for page in pages)
    assert kinds == ["granted", "redeemed"]


@PHONE_ONLY
def test_next_scan_when_an_answer_is_missing_then_it_waits_in_line(door, add, watch):
    watch.provoked.append("500")
    first, second = add(), add()
    failing(door, 500)
    enter(door, first)
    answer(door, "unsure")
    enter(door, second)
    expect(answer(door, "unsure")).to_contain_text("In line: 1")
    door.unroute(CONSUME_URL)
    door.get_by_role("button", name="Try again now").click()
    expect(answer(door, "granted")).to_contain_text(first)
    expect(told(door)).to_contain_text(second)
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
    served,
    value,
    shown,
):
    # The other size of screen has made it already.
    if api.get("/tokens/query_token", {"value": value}).json["token"] is None:
        uid = api.post("/tokens/add_token", {"usage_count": 1_000}).json["token_uid"]
        store_code(served, uid, value)
    door.evaluate("() => { window.alert = () => { throw new Error('a script ran'); }; }")
    enter(door, value)
    alert = answer(door, "granted")
    text = alert.locator(".value bdi").text_content()
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
