"""How the door page looks and speaks: on all screens, in both languages, to everybody."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import clipped
from tests.browser.conftest import enter
from tests.browser.conftest import overflow
from tests.browser.conftest import told
from tests.browser.conftest import type_by_hand
from tests.browser.conftest import violations


def uncovered(page):
    """Wait until what an answer covered can be pressed."""
    expect(page.locator("header")).not_to_have_attribute("inert", "")


@DESKTOP_ONLY
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("language", ["en", "de"])
def test_door_when_the_screen_is_narrow_then_nothing_sticks_out(
    door,
    add,
    watch,
    width,
    language,
):
    watch.provoked.append("500")
    door.set_viewport_size({"width": width, "height": 700})
    door.goto(f"/tokens/scan?_LOCALE_={language}")
    door.wait_for_selector("html[data-ready]")
    assert (overflow(door), clipped(door)) == (0, [])
    enter(door, add("W" * 60 + f"{language}{width}"))
    answer(door, "granted")
    assert (overflow(door), clipped(door)) == (0, [])
    door.keyboard.press("Escape")
    assert (overflow(door), clipped(door)) == (0, [])
    door.route(CONSUME_URL, lambda route: route.fulfill(status=500, body="{}"))
    enter(door, "V" * 60)
    answer(door, "unsure")
    assert (overflow(door), clipped(door)) == (0, [])
    door.keyboard.press("Escape")
    for number in range(11):
        enter(door, f"{number}")
    expect(door.locator("#notice")).to_be_visible()
    assert (overflow(door), clipped(door)) == (0, [])


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("de", "dark")])
def test_door_when_axe_looks_at_its_states_then_it_finds_nothing(
    open_door,
    add,
    watch,
    language,
    scheme,
):
    watch.provoked.append("404|500|ERR_INTERNET_DISCONNECTED")
    page = open_door(color_scheme=scheme)
    page.goto(f"/tokens/scan?_LOCALE_={language}")
    page.wait_for_selector("html[data-ready]")
    found = {"idle": violations(page)}
    enter(page, add("G" * 60 + language + scheme + str(page.viewport_size["width"])))
    answer(page, "granted")
    found["granted"] = violations(page)
    page.locator("#result summary").click()
    found["whole"] = violations(page)
    page.keyboard.press("Escape")
    uncovered(page)
    found["line"] = violations(page)
    enter(page, "no such ticket")
    answer(page, "refused")
    found["refused"] = violations(page)
    page.keyboard.press("Escape")
    page.locator("[value=check]").check()
    several = add(usage_count=5)
    enter(page, several)
    answer(page, "valid")
    found["checked"] = violations(page)
    page.keyboard.press("Escape")
    page.locator("[value=consume]").check()
    for kind in ("granted", "question"):
        enter(page, several)
        answer(page, kind)
        page.keyboard.press("Escape")
    enter(page, several)
    answer(page, "question")
    found["question"] = violations(page)
    page.keyboard.press("Escape")
    enter(page, add(usage_count=0))
    answer(page, "redeemed")
    found["redeemed"] = violations(page)
    page.keyboard.press("Escape")
    uncovered(page)
    found["redeemed line"] = violations(page)
    page.context.set_offline(True)
    enter(page, "another")
    answer(page, "unsure")
    found["offline"] = violations(page)
    page.keyboard.press("Escape")
    uncovered(page)
    found["offline line"] = violations(page)
    for number in range(11):
        enter(page, f"{number}")
    expect(page.locator("#notice")).to_be_visible()
    uncovered(page)
    found["full"] = violations(page)
    page.context.set_offline(False)
    assert {state: nodes for state, nodes in found.items() if nodes} == {}


@pytest.mark.parametrize(
    ("language", "title", "word", "button"),
    [("en", "Scan", "Valid", "Start the camera"), ("de", "Scannen", "Gültig", "Kamera starten")],
)
def test_door_when_a_language_is_chosen_then_all_of_it_speaks_it(
    door,
    add,
    language,
    title,
    word,
    button,
):
    door.goto(f"/tokens/scan?_LOCALE_={language}")
    assert door.locator("html").get_attribute("lang") == language
    expect(door).to_have_title(title)
    expect(door.get_by_role("heading", level=1)).to_have_text(title)
    expect(door.get_by_role("button", name=button)).to_be_visible()
    enter(door, add())
    expect(answer(door, "granted")).to_contain_text(word)


def test_door_when_a_browser_would_install_it_then_nothing_is_missing(door):
    session = door.context.new_cdp_session(door)
    assert session.send("Page.getInstallabilityErrors")["installabilityErrors"] == [
        # Browsers of tests are, all of them.
        {"errorId": "in-incognito", "errorArguments": []},
    ]
    about = session.send("Page.getAppManifest")
    assert about["errors"] == []
    assert about["url"].endswith("/tokens/scan.webmanifest")


@PHONE_ONLY
def test_buttons_when_they_are_touched_then_they_are_large_enough(door):
    sizes = door.evaluate(
        """() => [...document.querySelectorAll("button, .modes label, #value, header a")]
            .filter((element) => element.checkVisibility())
            .map((element) => element.getBoundingClientRect().height)""",
    )
    # Sound, link to the tokens, camera, two modes, field, and what sends it.
    assert len(sizes) == 7
    assert min(sizes) >= 44


def test_answer_when_it_comes_then_it_is_told_once(door, add):
    door.evaluate(
        """() => {
            window.said = [];
            const alert = document.querySelector("#result [role=alert]");
            new MutationObserver(() => alert.textContent.trim() && said.push(alert.innerText))
                .observe(alert, { childList: true, subtree: true, characterData: true });
        }""",
    )
    value = add(valid_to="2020-06-01T10:00:00Z")
    enter(door, value)
    answer(door, "refused")
    door.keyboard.press("Escape")
    enter(door, add())
    answer(door, "granted")
    assert [text.split("\n")[0] for text in door.evaluate("said")] == ["Expired", "Valid"]


@PHONE_ONLY
@pytest.mark.parametrize("width", [320, 390])
def test_word_when_it_is_long_then_it_is_not_cut_apart(door, watch, width):
    watch.provoked.append("404")
    door.set_viewport_size({"width": width, "height": 700})
    door.goto("/tokens/scan?_LOCALE_=de")
    door.wait_for_selector("html[data-ready]")
    enter(door, "x")
    word = answer(door, "refused").locator(".word")
    expect(word).to_have_text("Unbekannter Code")
    lines = (
        "(word) => word.getClientRects()[0].height / parseFloat(getComputedStyle(word).lineHeight)"
    )
    assert round(word.evaluate(lines)) <= 2
    assert word.evaluate("(word) => word.scrollWidth - word.clientWidth") <= 0


@PHONE_ONLY
@pytest.mark.parametrize("size_in_px", [(844, 390), (320, 568), (568, 320)])
@pytest.mark.parametrize("kind", ["unsure", "question"])
def test_answer_when_the_screen_is_low_then_what_it_asks_can_be_pressed(
    door,
    add,
    watch,
    size_in_px,
    kind,
):
    watch.provoked.append("500")
    width, height = size_in_px
    door.set_viewport_size({"width": width, "height": height})
    door.goto("/tokens/scan?_LOCALE_=de")
    door.wait_for_selector("html[data-ready]")
    value = add(usage_count=5)
    if kind == "question":
        enter(door, value)
        answer(door, "granted")
        door.keyboard.press("Escape")
    else:
        door.route(CONSUME_URL, lambda route: route.fulfill(status=500, body="{}"))
    enter(door, value)
    alert = answer(door, kind)
    buttons = told(door).locator(".actions").locator("button:visible")
    assert buttons.count() >= 2
    for button in buttons.all():
        expect(button).to_be_in_viewport(ratio=1)
    # Sign and word are read first.
    expect(alert.locator(".word")).to_be_in_viewport(ratio=1)
    expect(alert.locator(".icon")).to_be_in_viewport(ratio=1)


@PHONE_ONLY
def test_notice_when_an_answer_fills_the_screen_then_it_covers_nothing_of_it(door, watch):
    watch.provoked.append("404")
    held = []
    door.route(CONSUME_URL, lambda route: held.append(route))  # noqa: PLW0108
    for number in range(11):
        enter(door, f"{number}")
    notice = door.locator("#notice")
    expect(notice).to_be_visible()
    held[0].continue_()
    icon = told(door).locator(".icon")
    expect(icon).to_be_visible()
    expect(notice).to_be_visible()
    below = notice.bounding_box()
    assert icon.bounding_box()["y"] >= below["y"] + below["height"]


def test_forced_colours_when_the_reader_has_own_ones_then_answers_have_borders(open_door, add):
    page = open_door(forced_colors="active")
    enter(page, add())
    answer(page, "granted")
    expect(told(page)).to_have_css("border-top-width", "12px")
    expect(told(page).locator("svg")).to_be_visible()
    assert clipped(page) == []


def test_forced_colours_when_an_answer_is_waited_for_then_its_border_is_another(open_door):
    page = open_door(forced_colors="active")
    page.route(CONSUME_URL, lambda _route: None)
    enter(page, "A")
    answer(page, "waiting")
    expect(told(page)).to_have_css("border-top-style", "dashed")


def test_motion_when_the_reader_wants_none_then_nothing_moves(open_door, add):
    for motion, name in (("reduce", "none"), ("no-preference", "appear")):
        page = open_door(reduced_motion=motion)
        enter(page, add())
        answer(page, "granted")
        expect(told(page)).to_have_css("animation-name", name)


SCREENS = [(390, 844), (360, 640), (667, 375), (320, 568), (1280, 800)]
IS_WITHIN = """([inner, outer]) => {
    const [one, other] = [inner, outer].map(
        (name) => document.querySelector(name).getBoundingClientRect());
    return one.left >= other.left && one.top >= other.top
        && one.right <= other.right && one.bottom <= other.bottom;
}"""
COVERS = """([one, other]) => {
    const [a, b] = [one, other].map((name) => document.querySelector(name).getBoundingClientRect());
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}"""


@DESKTOP_ONLY
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_frame_when_an_answer_and_hits_are_shown_then_it_stays_within_the_picture(
    open_door, add, width, height
):
    door = open_door(viewport={"width": width, "height": height})
    name = f"Frame {width} {height}"
    enter(door, add(label=name, category="VIP", usage_count=3))
    answer(door, "granted")
    door.keyboard.press("Escape")
    assert door.evaluate(IS_WITHIN, [".frame", "#viewfinder"])
    type_by_hand(door, name)
    expect(door.locator("#finder li")).to_have_count(1)
    assert door.evaluate(IS_WITHIN, [".frame", "#viewfinder"])
    assert door.evaluate(IS_WITHIN, ["#finder li", "html"])
    assert not door.evaluate(COVERS, ["#finder", "#entry"])
    assert overflow(door) == 0


@DESKTOP_ONLY
def test_label_when_it_has_200_characters_then_all_of_it_is_shown(door, add):
    label = ("Gesellschaft der Freunde des Hauses " * 6)[:199] + "x"
    enter(door, add(label=label))
    expect(answer(door, "granted").locator(".label")).to_have_text(label)


@DESKTOP_ONLY
def test_answer_when_text_is_twice_as_large_on_a_small_screen_then_its_word_is_seen_whole(
    open_door,
    watch,
):
    watch.provoked.append("503")
    script = "document.addEventListener('DOMContentLoaded', () => {"
    script += " document.documentElement.style.fontSize = '200%'; });"
    screen = {"viewport": {"width": 320, "height": 568}, "locale": "de-DE"}
    door = open_door(script=script, **screen)
    door.route(CONSUME_URL, lambda route: route.fulfill(status=503, body="{}"))
    door.evaluate("document.documentElement.style.fontSize = '200%'")
    door.locator("#value").fill("A")
    door.locator("#value").press("Enter")
    word = answer(door, "unsure").locator(".word")
    # No word is broken: each is on a line of its own.
    lines = "(word) => word.offsetHeight / parseFloat(getComputedStyle(word).lineHeight)"
    assert round(word.evaluate(lines)) <= len(word.inner_text().split())
    box = word.bounding_box()
    actions = door.locator("#result .actions").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= actions["y"]
