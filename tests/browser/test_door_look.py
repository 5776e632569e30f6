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
from tests.browser.conftest import violations


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
    answer(door, "unknown")
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
    found["line"] = violations(page)
    enter(page, "no such ticket")
    answer(page, "refused")
    found["refused"] = violations(page)
    page.keyboard.press("Escape")
    page.locator("[value=check]").check()
    enter(page, add())
    answer(page, "valid")
    found["checked"] = violations(page)
    page.context.set_offline(True)
    enter(page, "another")
    answer(page, "unknown")
    found["offline"] = violations(page)
    page.keyboard.press("Escape")
    found["offline line"] = violations(page)
    page.context.set_offline(False)
    assert {state: nodes for state, nodes in found.items() if nodes} == {}


@pytest.mark.parametrize(
    ("language", "title", "word", "button"),
    [("en", "Door", "Valid", "Start the camera"), ("de", "Einlass", "Gültig", "Kamera starten")],
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
