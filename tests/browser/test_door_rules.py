"""The scan page at a checkpoint: in and out, several at once, taken back, let in anyway, made."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ADMIN
from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import go
from tests.browser.conftest import make_room
from tests.browser.conftest import overflow
from tests.browser.conftest import press_offer
from tests.browser.conftest import told
from tests.browser.conftest import type_by_hand
from tests.browser.conftest import violations
from tests.browser.conftest import wait
from tests.browser.fake_camera import CANVAS
from tests.browser.fake_camera import start

NORTH = {"name": "North entrance", "directions": "in_out", "sound": "high"}
CLOAKROOM = {"name": "Cloakroom", "categories": ["cloakroom"], "sound": "low"}
UNDO_URL = "**/undo_use"
#: An answer takes no press for a second.
FRESH_MS = 1_100


@pytest.fixture
def checkpoints(site_settings):
    """Two checkpoints in the settings."""
    site_settings.write_text(json.dumps({"checkpoints": [NORTH, CLOAKROOM]}))
    return site_settings


def choose(page, name):
    page.locator("#place select").select_option(label=name)


def turn(page, direction):
    page.locator(f"[name=direction][value={direction}]").check()


def scan(page, value, kind, word):
    """Scan a code, read the big word of its answer, and let that make room."""
    enter(page, value)
    expect(answer(page, kind).locator(".word")).to_have_text(word)
    make_room(page)


def asked(page):
    """Return a list to which what consumptions ask for is added."""
    bodies = []
    page.on("request", lambda one: "consume" in one.url and bodies.append(one.post_data))
    return bodies


# --- checkpoints -----------------------------------------------------------------------------


@pytest.mark.usefixtures("checkpoints")
def test_checkpoint_when_none_is_chosen_then_nothing_is_redeemed_and_the_page_says_why(
    open_door, add, token
):
    page = open_door()
    value = add()
    scan(page, value, "noted", "Where is this?")
    assert token(value)["usage_count"] == 1
    choose(page, "No checkpoint")
    scan(page, value, "granted", "Valid")


@pytest.mark.usefixtures("checkpoints")
def test_checkpoint_when_it_is_chosen_then_the_device_keeps_it_and_sends_it(open_door, add, usages):
    page = open_door()
    choose(page, "Cloakroom")
    # It has no directions.
    expect(page.locator("#place fieldset")).to_be_hidden()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#place select")).to_have_value("1")
    value = add(category="cloakroom", label="Coat")
    scan(page, value, "granted", "Valid")
    assert page.evaluate("tones") == [587, 880]
    assert usages(value)[0]["checkpoint"] == "Cloakroom"
    other = add(category="VIP")
    scan(page, other, "elsewhere", "Not for this door")
    expect(told(page)).to_have_css("background-color", "rgb(163, 67, 0)")
    page.locator("[value=check]").check()
    scan(page, other, "elsewhere", "Not for this door")


@pytest.mark.usefixtures("checkpoints")
def test_tickets_when_they_go_in_and_out_then_each_answer_is_its_own(open_door, add, token):
    page = open_door()
    choose(page, "North entrance")
    expect(page.locator("[name=direction][value=in]")).to_be_checked()
    value = add(label="Ann")
    scan(page, value, "granted", "Valid")
    scan(page, value, "redeemed", "Already inside")
    expect(told(page)).to_contain_text("Last redeemed: today")
    expect(told(page)).to_contain_text("by door")
    turn(page, "out")
    scan(page, value, "left", "Goodbye")
    expect(told(page)).to_have_css("background-color", "rgb(91, 44, 143)")
    enter(page, value)
    expect(answer(page, "redeemed").locator(".word")).to_have_text("Not inside")
    # Somebody was, before.
    expect(told(page)).to_contain_text("Nobody is inside with it.")
    make_room(page)
    # This tab keeps the direction.
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("[name=direction][value=out]")).to_be_checked()
    turn(page, "in")
    scan(page, value, "returned", "Welcome back")
    assert token(value)["usage_count"] == 0
    assert page.locator("#granted").inner_text() == "1"


@PHONE_ONLY
@pytest.mark.parametrize("by", ["code", "name"])
@pytest.mark.usefixtures("checkpoints")
def test_check_when_there_are_directions_then_it_says_what_would_happen(
    open_door, add, token, usages, by
):
    page = open_door()
    choose(page, "North entrance")
    value = add(label=f"Checked By {by}")

    def look(kind, word):
        if by == "code":
            enter(page, value)
        else:
            type_by_hand(page, f"checked by {by}")
            hit = page.locator("#finder li button").first
            expect(hit).to_be_visible()
            wait(page, FRESH_MS)
            hit.click()
        expect(answer(page, kind).locator(".word")).to_have_text(word)
        make_room(page)

    page.locator("[value=check]").check()
    look("valid", "Would be valid")
    turn(page, "out")
    look("redeemed", "Not inside")
    turn(page, "in")
    page.locator("[value=consume]").check()
    scan(page, value, "granted", "Valid")
    page.locator("[value=check]").check()
    look("redeemed", "Already inside")
    # It has no uses left, and may go.
    turn(page, "out")
    look("valid", "Would be valid")
    assert token(value)["usage_count"] == 0
    assert len(usages(value)) == 1


@pytest.mark.usefixtures("checkpoints")
def test_direction_when_another_tab_is_opened_then_it_is_in_there(open_door):
    page = open_door()
    choose(page, "North entrance")
    turn(page, "out")
    other = page.context.new_page()
    go(other, "/tokens/scan")
    expect(other.locator("#place select")).to_have_value("0")
    expect(other.locator("[name=direction][value=in]")).to_be_checked()


@PHONE_ONLY
@pytest.mark.parametrize("is_open", [True, False])
def test_checkpoint_when_it_is_gone_then_the_page_asks_to_choose_again(
    open_door, add, token, checkpoints, watch, is_open
):
    watch.provoked.append("400")
    page = open_door()
    choose(page, "Cloakroom")
    checkpoints.write_text(json.dumps({"checkpoints": [NORTH]}))
    value = add(category="cloakroom")
    if is_open:
        scan(page, value, "noted", "Choose again")
    else:
        page.reload()
        page.wait_for_selector("html[data-ready]")
    note = page.locator("#place [role=status]")
    expect(note).to_contain_text("no longer have “Cloakroom”")
    expect(page.locator("#place select")).to_have_value("")
    assert page.locator("#place option", has_text="Cloakroom").count() == 0
    scan(page, value, "noted", "Where is this?")
    assert token(value)["usage_count"] == 1
    choose(page, "North entrance")
    expect(note).to_be_empty()


@pytest.mark.usefixtures("checkpoints")
def test_found_ticket_when_it_is_chosen_then_checkpoint_and_direction_are_sent(open_door, add):
    page = open_door()
    choose(page, "North entrance")
    add(label="Gregory Found")
    sent = asked(page)
    page.locator("#value").press_sequentially("gregory", delay=100)
    hit = page.locator("#finder li button").first
    expect(hit).to_be_visible()
    wait(page, FRESH_MS)
    hit.click()
    answer(page, "granted")
    assert "checkpoint=North+entrance&direction=in" in sent[-1]


def test_checkpoint_when_the_settings_have_none_then_nothing_is_shown_nor_sent(door, add):
    sent = asked(door)
    scan(door, add(), "granted", "Valid")
    assert door.locator("#place").count() == 0
    assert "checkpoint" not in sent[0]


# --- taken back ------------------------------------------------------------------------------


def test_use_when_it_is_taken_back_then_that_is_an_answer_of_its_own(door, add, token):
    value = add(label="Wrong One")
    enter(door, value)
    answer(door, "granted")
    assert door.locator("#granted").inner_text() == "1"
    press_offer(door, "Take back")
    alert = answer(door, "undone")
    expect(alert.locator(".word")).to_have_text("Taken back")
    expect(told(door)).to_have_css("background-color", "rgb(70, 88, 106)")
    assert token(value)["usage_count"] == 1
    assert door.locator("#granted").inner_text() == "0"
    make_room(door)
    # It is no repeat.
    scan(door, value, "granted", "Valid")


def test_undo_when_30_seconds_are_over_then_it_is_gone(timed_door, add):
    door = timed_door
    enter(door, add())
    answer(door, "granted")
    wait(door, FRESH_MS)
    undo = told(door).get_by_role("button", name="Take back")
    expect(undo).to_contain_text("29")
    wait(door, 20_000)
    expect(undo).to_contain_text("9")
    wait(door, 9_000)
    expect(undo).to_have_count(0)


@PHONE_ONLY
def test_undo_when_it_is_refused_then_that_is_told(door, add, watch):
    watch.provoked.append("403")
    body = json.dumps({"success": False, "error": "not_undone", "message": ""})
    door.route(UNDO_URL, lambda route: route.fulfill(status=403, body=body))
    enter(door, add())
    answer(door, "granted")
    press_offer(door, "Take back")
    expect(answer(door, "noted").locator(".word")).to_have_text("Not taken back")


@PHONE_ONLY
def test_undo_when_its_answer_is_lost_then_it_is_asked_again(door, add, token, watch):
    watch.provoked.append("503")
    lost = []

    def lose(route):
        lost.append(route.fetch())
        route.fulfill(status=503, body="{}")

    value = add()
    enter(door, value)
    answer(door, "granted")
    door.route(UNDO_URL, lose, times=1)
    press_offer(door, "Take back")
    answer(door, "undone")
    assert len(lost) == 1
    assert token(value)["usage_count"] == 1


# --- several at once -------------------------------------------------------------------------


def test_group_when_more_come_then_they_are_redeemed_in_one_request(door, add, token, usages):
    value = add(usage_count=5, label="Family")
    enter(door, value)
    answer(door, "granted")
    counts = told(door).locator(".counts-more button")
    assert counts.all_inner_texts() == ["+1", "+2", "+3", "All 4"]
    make_room(door)
    press_offer(door, "+2")
    expect(answer(door, "granted").locator(".word")).to_have_text("2 more")
    assert token(value)["usage_count"] == 2
    assert [row["uses"] for row in usages(value)] == [2, 1]
    assert door.locator("#granted").inner_text() == "3"
    press_offer(door, "Take back")
    answer(door, "undone")
    assert token(value)["usage_count"] == 4


@PHONE_ONLY
def test_group_when_others_took_them_then_it_says_how_many_are_left(door, add, api, watch):
    watch.provoked.append("40[0-9]")
    value = add(usage_count=4)
    enter(door, value)
    answer(door, "granted")
    api.post("/tokens/consume_token", {"value": value, "uses": 2})
    press_offer(door, "All 3")
    alert = answer(door, "redeemed")
    expect(alert.locator(".word")).to_have_text("Fewer uses left: 1")
    press_offer(door, "+1")
    expect(answer(door, "granted").locator(".word")).to_have_text("1 more")


@PHONE_ONLY
def test_group_when_uses_never_end_then_a_handful_is_offered(door, add):
    enter(door, add(usage_count=-1))
    counts = answer(door, "granted").locator(".counts-more button")
    assert counts.all_inner_texts() == ["+1", "+2", "+3", "+5", "+10"]


@PHONE_ONLY
def test_group_when_the_answer_is_lost_then_the_same_request_is_sent_again(door, add, token, watch):
    watch.provoked.append("503")
    value = add(usage_count=5)
    enter(door, value)
    answer(door, "granted")

    def lose(route):
        route.fetch()
        route.fulfill(status=503, body="{}")

    door.route(CONSUME_URL, lose, times=1)
    press_offer(door, "+3")
    expect(told(door).locator(".word")).to_have_text("3 more")
    assert token(value)["usage_count"] == 1


# --- let in anyway ---------------------------------------------------------------------------


def test_override_when_a_reason_is_given_then_it_is_let_in_and_logged(
    open_door, add, token, usages
):
    page = open_door(user=ADMIN)
    value = add(enabled="false", label="Guest")
    enter(page, value)
    answer(page, "refused")
    press_offer(page, "Let in anyway")
    alert = answer(page, "question")
    expect(alert.locator(".word")).to_have_text("Let in anyway?")
    reason = page.get_by_label("Why? A few words")
    expect(reason).to_be_focused()
    page.keyboard.press("Enter")
    # Without a reason nobody is let in.
    answer(page, "question")
    page.keyboard.type("Plays in the band", delay=80)
    page.keyboard.press("Enter")
    expect(answer(page, "overridden").locator(".word")).to_have_text("Let in anyway")
    assert token(value)["usage_count"] == 0
    assert usages(value)[0]["override"] == "Plays in the band"
    expect(told(page)).to_have_css("background-color", "rgb(35, 25, 0)")
    expect(page.locator("#value")).to_be_focused()


def test_override_when_escape_is_pressed_then_the_refusal_stays(open_door, add, usages):
    page = open_door(user=ADMIN)
    value = add(enabled="false")
    enter(page, value)
    answer(page, "refused")
    press_offer(page, "Let in anyway")
    answer(page, "question")
    page.keyboard.press("Escape")
    expect(answer(page, "refused").locator(".word")).to_have_text("Switched off")
    assert [row["override"] for row in usages(value)] == [None]


def test_override_when_a_scanner_types_a_code_then_that_waits_and_is_no_reason(
    open_door, add, usages
):
    page = open_door(user=ADMIN)
    value, other = add(enabled="false"), add()
    enter(page, value)
    answer(page, "refused")
    press_offer(page, "Let in anyway")
    reason = page.get_by_label("Why? A few words")
    expect(reason).to_be_focused()
    page.keyboard.type(other)
    page.keyboard.press("Enter")
    expect(told(page)).to_contain_text("In line: 1")
    expect(reason).to_have_value("")
    assert len(usages(value)) == 1
    press_offer(page, "No")
    expect(answer(page, "granted")).to_contain_text(other)


NOT_OFFERED = {
    "an operator": ({}, {"enabled": "false"}),
    "an unknown code": ({"user": ADMIN}, None),
}


@PHONE_ONLY
@pytest.mark.parametrize(("options", "fields"), NOT_OFFERED.values(), ids=NOT_OFFERED)
def test_override_when_it_is_not_for_this_then_it_is_not_offered(
    open_door, add, watch, options, fields
):
    watch.provoked.append("404")
    page = open_door(**options)
    enter(page, add(**fields) if fields else "nobody knows this")
    answer(page, "refused")
    assert page.get_by_role("button", name="Let in anyway").count() == 0


# --- make one and redeem ---------------------------------------------------------------------


def test_unknown_code_when_one_may_add_then_it_is_made_and_redeemed_in_one_press(
    open_door, token, watch, size
):
    watch.provoked.append("404")
    page = open_door(user=ADMIN)
    code = f"WALK-IN-{size['viewport']['width']}"
    enter(page, code)
    answer(page, "refused")
    press_offer(page, "Make one and redeem")
    alert = answer(page, "question")
    expect(alert).to_contain_text(code)
    confirm = told(page).get_by_role("button", name="Make and redeem")
    # A scanner's Enter makes nothing.
    confirm.focus()
    page.keyboard.press("Enter")
    answer(page, "question")
    assert token(code) is None
    page.keyboard.press("Space")
    expect(answer(page, "granted").locator(".word")).to_have_text("Made and redeemed")
    assert token(code)["usage_count"] == 0
    assert token(code)["last_used"] is not None


@PHONE_ONLY
def test_unknown_code_when_the_answers_are_lost_then_one_is_made(open_door, token, watch):
    watch.provoked.append("40[49]|503")
    page = open_door(user=ADMIN)
    enter(page, "WALK-IN-LOST")
    answer(page, "refused")

    def lose(route):
        route.fetch()
        route.fulfill(status=503, body="{}")

    page.route("**/add_token", lose, times=1)
    press_offer(page, "Make one and redeem")
    press_offer(page, "Make and redeem")
    expect(told(page).locator(".word")).to_have_text("Made and redeemed")
    assert token("WALK-IN-LOST")["usage_count"] == 0


@PHONE_ONLY
@pytest.mark.parametrize(
    ("categories", "buttons"),
    [
        (["VIP", "Guest"], ["Make and redeem: VIP", "Make and redeem: Guest"]),
        (["Guest"], ["Make and redeem: Guest"]),
        ([], ["Make and redeem"]),
    ],
)
def test_unknown_code_when_the_checkpoint_has_categories_then_the_new_one_is_good_there(
    open_door, token, watch, site_settings, categories, buttons
):
    watch.provoked.append("404")
    site_settings.write_text(
        json.dumps({"checkpoints": [{"name": "Main", "categories": categories}]})
    )
    page = open_door(user=ADMIN)
    choose(page, "Main")
    code = f"WALK-IN-OF-{len(categories)}"
    enter(page, code)
    answer(page, "refused")
    press_offer(page, "Make one and redeem")
    answer(page, "question")
    assert told(page).locator(".deeds button").all_inner_texts() == buttons
    press_offer(page, buttons[-1])
    expect(answer(page, "granted").locator(".word")).to_have_text("Made and redeemed")
    made = token(code)
    assert (made["usage_count"], made["category"]) == (0, (categories or [None])[-1])


@PHONE_ONLY
@pytest.mark.usefixtures("checkpoints")
def test_unknown_code_when_it_goes_out_then_none_is_made(open_door, watch):
    watch.provoked.append("404")
    page = open_door(user=ADMIN)
    choose(page, "North entrance")
    turn(page, "out")
    enter(page, "nobody came in with this")
    answer(page, "refused")
    assert page.locator(".deeds button").count() == 0


@PHONE_ONLY
def test_unknown_code_when_one_may_not_add_then_nothing_is_offered(door, watch):
    watch.provoked.append("404")
    enter(door, "nobody knows this either")
    answer(door, "refused")
    assert door.locator(".deeds button").count() == 0


# --- figures, looks --------------------------------------------------------------------------


@PHONE_ONLY
@pytest.mark.usefixtures("checkpoints")
def test_figures_when_the_page_is_open_then_they_tell_of_all_devices(open_door, add, api):
    page = open_door()
    figures = page.locator("#figures")
    expect(figures).to_contain_text("Inside: ")
    expect(figures).to_contain_text("Came: ")
    before = api.get("/tokens/door_figures").json
    api.post("/tokens/consume_token", {"value": add(), "checkpoint": "North entrance"})
    expect(figures).to_contain_text(f"Inside: {before['inside'] + 1}")
    expect(figures).to_contain_text(f"Came: {before['came'] + 1} of ")


#: But those that have places where they may be broken.
BROKEN_WORDS = """() => [...document.querySelectorAll(".tokens-counts thead th")].filter((cell) => {
    const text = cell.firstChild;
    return [...text.data.matchAll(/[^\\s]+/g)].some(({ index, 0: word }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        return !word.includes("\\u00ad") && range.getClientRects().length > 1;
    });
}).map((cell) => cell.textContent)"""


@DESKTOP_ONLY
@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.usefixtures("checkpoints")
def test_statistics_when_the_screen_is_narrow_then_no_word_of_a_table_is_broken(
    open_page, add, api, language, width
):
    value = add()
    for direction in ("in", "out"):
        use = {"value": value, "checkpoint": "North entrance", "direction": direction}
        assert api.post("/tokens/consume_token", use).json["success"]
    assert api.post("/tokens/consume_token", {"value": value, "override": "guest"}).json["success"]
    page = open_page("/tokens/statistics", viewport={"width": width, "height": 800})
    go(page, f"/tokens/statistics?_LOCALE_={language}")
    assert page.locator(".tokens-counts").count() >= 2
    assert (overflow(page), page.evaluate(BROKEN_WORDS)) == (0, [])


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("de", "dark")])
@pytest.mark.usefixtures("checkpoints")
def test_answers_when_axe_looks_at_them_then_it_finds_nothing(open_door, add, language, scheme):
    page = open_door(user=ADMIN, color_scheme=scheme)
    go(page, f"/tokens/scan?_LOCALE_={language}")
    found = {"unset": violations(page)}
    page.locator("#place select").select_option("0")
    found["set"] = violations(page)
    value = add(label="Ann", usage_count=3)

    def look(name, kind):
        wait(page, FRESH_MS)
        answer(page, kind)
        found[name] = violations(page)
        make_room(page)
        found[f"{name} line"] = violations(page)
        assert overflow(page) == 0

    enter(page, value)
    look("in", "granted")
    turn(page, "out")
    found["out way"] = violations(page)
    enter(page, value)
    look("out", "left")
    turn(page, "in")
    enter(page, value)
    look("back", "returned")
    enter(page, value)
    look("inside", "redeemed")
    page.locator(".deeds button").click()
    answer(page, "question")
    found["override"] = violations(page)
    page.locator(".deeds input").fill("guest")
    page.keyboard.press("Enter")
    look("overridden", "overridden")
    page.locator("#place select").select_option("1")
    enter(page, value)
    look("elsewhere", "elsewhere")
    page.locator("#place select").select_option("none")
    enter(page, add(usage_count=5))
    look("several", "granted")
    page.locator(".deeds > button").click()
    look("undone", "undone")
    assert {state: nodes for state, nodes in found.items() if nodes} == {}


@PHONE_ONLY
@pytest.mark.parametrize(("language", "is_running"), [("en", True), ("en", False), ("de", False)])
@pytest.mark.usefixtures("checkpoints")
def test_field_when_an_answer_made_room_then_it_is_still_on_the_screen(
    open_door, add, language, is_running
):
    page = open_door(user=ADMIN, script=CANVAS)
    go(page, f"/tokens/scan?_LOCALE_={language}")
    if is_running:
        start(page)
    field = page.locator("#value")

    def look(value, kind):
        enter(page, value)
        answer(page, kind)
        make_room(page)
        expect(page.locator(".deeds button").first).to_be_in_viewport(ratio=1)
        expect(field).to_be_in_viewport(ratio=1)

    page.locator("#place select").select_option("none")
    look(add(label="The Example family", category="Guest", usage_count=5), "granted")
    page.locator("#place select").select_option("0")
    value = add(label="Ann Example", category="Guest")
    look(value, "granted")
    look(value, "redeemed")


@DESKTOP_ONLY
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.usefixtures("checkpoints")
def test_checkpoint_when_the_screen_is_narrow_then_nothing_sticks_out(open_door, width):
    page = open_door(viewport={"width": width, "height": 700})
    go(page, "/tokens/scan?_LOCALE_=de")
    page.locator("#place select").select_option("0")
    turn(page, "out")
    assert overflow(page) == 0
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("#place select, #place .modes label")]
            .map((element) => element.getBoundingClientRect().height)""",
    )
    assert min(sizes) >= 44
