"""All pages: on all screens, in both languages, to everybody, with or without scripts."""

import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import clipped
from tests.browser.conftest import go
from tests.browser.conftest import overflow
from tests.browser.conftest import store_code
from tests.browser.conftest import violations

#: Addresses, and what of the console they provoke. ``{uid}`` is a token with a long value.
PAGES = {
    "tokens": "/tokens",
    "list": "/tokens/tokens_overview?status=consumable&size=25",
    "nothing found": "/tokens/tokens_overview?search=no-such",
    "wrong filter": "/tokens/tokens_overview?created_from=soon",
    "add": "/tokens/add",
    "add many": "/tokens/add_many",
    "import": "/tokens/import",
    "token": "/tokens/{uid}",
    "edit": "/tokens/{uid}/edit",
    "replace": "/tokens/{uid}/replace_code",
    "take back": "/tokens/{uid}/take_back?receipt={receipt}",
    "delete": "/tokens/{uid}/delete",
    "label": "/tokens/{uid}/labels",
    "statistics": "/tokens/statistics",
    "reset inside": "/tokens/reset_inside",
    "settings": "/settings/token_settings",
    "all settings": "/settings",
    "not found": "/tokens/nonsense",
    "sign in": "/login",
}
#: What axe finds in the host's own tiles, which are not ours to mend.
OF_HOST = {"all settings": ['heading-order: ["h5"]']}
WIDTHS = (320, 390, 768, 1280)
HTML = "<script>alert(1)</script>&amp;\"'<img src=x onerror=alert(2)>"
STRANGE = [HTML, "\u202eevil\u2066 \u05e9\u05dc\u05d5\u05dd", "\N{TICKET}" * 500, "x" * 2_040]


@pytest.fixture(scope="module")
def some_tokens(served):
    """Tokens with strange values and tries in the log; return uid and a receipt of a long one."""
    api = served.sign_in()
    for number, value in enumerate(STRANGE):
        fields = {"usage_count": number, "valid_to": "2126-01-01T00:00:00Z"}
        uid = api.post("/tokens/add_token", fields).json["token_uid"]
        # Other tests have the same ones.
        store_code(served, uid, value + secrets.token_hex(4))
        api.post(f"/tokens/{uid}/consume_token")
    # A use of each manner, with a reason at its longest.
    for manner in ({"uses": 2}, {"override": "W" * 200}):
        receipt = api.post(f"/tokens/{uid}/consume_token", manner).json["receipt"]
        api.post(f"/tokens/{uid}/undo_use", {"receipt": receipt})
    receipt = api.post(f"/tokens/{uid}/consume_token", {"override": HTML}).json["receipt"]
    # Everything that a row can have, at its longest.
    wide = {
        "value": "W" * 60 + secrets.token_hex(4),
        "usage_count": -1,
        "lock_time": 1,
        "valid_to": "2126-12-28T22:58:00Z",
    }
    full = api.post("/tokens/add_token", wide).json["token_uid"]
    api.post(f"/tokens/{full}/consume_token")
    later = {"valid_from": "2126-11-28T22:58:00Z"}
    api.post(f"/tokens/{full}/update_token", later)
    served.hang_up()
    return {"uid": uid, "receipt": receipt}


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("language", "scheme"),
    [("en", "light"), ("de", "dark")],
    ids=["en", "de"],
)
@pytest.mark.parametrize("name", PAGES)
def test_page_when_it_is_shown_then_all_can_read_it_on_any_screen(
    open_page,
    some_tokens,
    watch,
    name,
    language,
    scheme,
):
    watch.provoked.append("404")
    page = open_page("/tokens/nonsense", color_scheme=scheme)
    path = PAGES[name].format(**some_tokens)
    go(page, f"{path}{'&' if '?' in path else '?'}_LOCALE_={language}")
    assert page.locator("html").get_attribute("lang") == language
    assert page.get_by_role("main").count() == page.get_by_role("heading", level=1).count() == 1
    assert page.title()
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert (overflow(page), clipped(page)) == (0, []), width
        if width in (390, 1280):
            found[width] = violations(page)
    known = OF_HOST.get(name, [])
    assert found == {390: known, 1280: known}


@DESKTOP_ONLY
@pytest.mark.parametrize("name", [name for name in PAGES if name != "sign in"])
def test_page_when_it_is_printed_then_there_is_nothing_to_press(
    open_page, some_tokens, watch, name
):
    watch.provoked.append("404")
    page = open_page(PAGES[name].format(**some_tokens))
    page.emulate_media(media="print")
    seen = page.locator("header, nav, .tokens button, .tokens .btn").filter(visible=True)
    assert [element.inner_text() for element in seen.all()] == []


@PHONE_ONLY
def test_pages_when_there_are_no_scripts_then_they_work_all_the_same(
    browser,
    address,
    signed_in,
    add,
    token,
    size,
):
    value = add(usage_count=2)
    context = browser.new_context(
        base_url=address,
        storage_state=signed_in("admin"),
        java_script_enabled=False,
        **size,
    )
    page = context.new_page()
    page.goto(f"/tokens/tokens_overview?match=value&search={value}")
    page.get_by_role("checkbox", name=value).check()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("alert")).to_have_text("Tokens disabled: 1.")
    page.get_by_role("link", name=value).click()
    page.get_by_role("button", name="On", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The changes were saved.")
    page.get_by_role("button", name="Consume now").click()
    expect(page.get_by_role("alert")).to_have_text("One use was taken.")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_have_text("The token was deleted.")
    assert token(value) is None
    context.close()


def test_language_when_it_is_chosen_then_it_stays(open_page):
    page = open_page("/tokens#content")
    page.get_by_role("link", name="DE", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    go(page, "/tokens/add")
    expect(page.get_by_role("heading", level=1)).to_have_text("Token anlegen")


@DESKTOP_ONLY
def test_account_when_it_is_opened_then_one_may_sign_out_and_darken(open_page):
    page = open_page("/tokens")
    page.get_by_text("admin", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Dark colours")).to_be_hidden()
    page.get_by_text("admin", exact=True).click()
    page.get_by_label("Dark colours").check()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    go(page, "/tokens/add")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_text("admin", exact=True).click()
    page.get_by_role("link", name="Settings").first.click()
    page.wait_for_url("**/settings")
    page.get_by_role("link", name="Token settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Token settings")


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("zone", "locale", "language", "shown"),
    [
        ("America/New_York", "en-US", "en", "Jun 1, 2126, 12:00 PM"),
        ("Asia/Tokyo", "en-GB", "en", "1 Jun 2126, 12:00"),
        ("America/New_York", "de-AT", "de", "01.06.2126, 12:00"),
    ],
)
def test_times_when_the_reader_is_elsewhere_then_they_are_those_of_the_site_in_the_readers_way(
    open_page,
    add,
    token,
    zone,
    locale,
    language,
    shown,
):
    value = add(valid_from="2126-06-01T10:00:00Z")
    path = f"/tokens/tokens_overview?match=value&search={value}&_LOCALE_={language}"
    page = open_page(path, timezone_id=zone, locale=locale)
    expect(page.locator("tbody time").first).to_have_text(shown)
    expect(page.locator("caption")).to_contain_text("Europe/Vienna")
    go(page, f"/tokens/{token(value)['uid']}/edit?_LOCALE_=en")
    page.get_by_label("Valid from").fill("2126-07-01T08:00:00")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**?saved=1")
    assert token(value)["valid_from"] == "2126-07-01T08:00:00+02:00"


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("zone", "is_named"),
    [
        ("Europe/Vienna", False),
        ("Europe/Berlin", False),
        ("Asia/Tokyo", True),
        # Its clocks differ in a part of the year alone.
        ("Africa/Lagos", True),
    ],
)
def test_zone_when_the_clock_of_the_reader_shows_the_same_then_it_is_not_named(
    open_page,
    add,
    token,
    zone,
    is_named,
):
    value = add()
    page = open_page("/tokens", timezone_id=zone)
    path = f"/tokens/{token(value)['uid']}"
    for address in ("/tokens/tokens_overview", path, f"{path}/edit", "/tokens/statistics"):
        go(page, address)
        named = page.get_by_text("Europe/Vienna").first
        expect(named).to_be_visible(visible=is_named)


@DESKTOP_ONLY
def test_pages_when_there_is_only_a_keyboard_then_a_token_is_made_and_deleted(
    open_page,
    add,
    token,
):
    add()
    page = open_page("/tokens")
    value = "by keyboard"
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Add a token"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/add")
    page.wait_for_selector("html[data-ready]")
    tab_to(page, page.get_by_label("Value"))
    page.keyboard.type(value)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The token was added.")
    page.wait_for_selector("html[data-ready]")
    tab_to(page, page.get_by_role("link", name="Delete"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete a token")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**?deleted=1")
    expect(page.get_by_role("alert")).to_have_text("The token was deleted.")
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    assert token(value) is None


def tab_to(page, target, most=60):
    """Press Tab until an element has the focus, and it can be seen that it has."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            assert target.evaluate("(element) => getComputedStyle(element).outlineStyle") == "solid"
            return
    raise AssertionError(target)
