"""The bar of what is done to chosen tokens: in reach as soon as one is chosen."""

import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import clipped
from tests.browser.conftest import go
from tests.browser.conftest import overflow
from tests.browser.conftest import violations

LIST = "/tokens/tokens_overview"
SCREENS = pytest.mark.parametrize(
    "size",
    [
        {"viewport": {"width": width, "height": height}}
        for width, height in ((320, 640), (390, 844), (768, 1024), (1280, 800), (844, 390))
    ],
    ids=["320", "390", "768", "1280", "landscape"],
)
#: Whether the middle of an element is what one sees there.
IS_SEEN = """(element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    const there = document.elementFromPoint(x + width / 2, y + height / 2);
    return element === there || element.contains(there);
}"""


@pytest.fixture
def size(request):
    return request.param


@pytest.fixture(scope="module")
def stock(served):
    """210 tokens; return what their values begin with."""
    prefix = f"bar-{secrets.token_hex(3)}-"
    client = served.sign_in()
    client.post("/tokens/add_tokens", {"count": 210, "prefix": prefix, "usage_count": 1})
    served.hang_up()
    return prefix


@pytest.fixture
def open_list(open_page, stock):
    """Return a function that opens a page of the list in a language."""

    def opened(rows=50, language="en", **options):
        page = open_page("/tokens/add", **options)
        cookie = {"name": "_LOCALE_", "value": language, "url": page.url}
        page.context.add_cookies([cookie])
        go(page, f"{LIST}?search={stock}&size={rows}")
        return page

    return opened


def bar_of(page):
    return page.locator("#tokens-bulk")


@SCREENS
@pytest.mark.parametrize("rows", [50, 200])
@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("de", "dark")])
def test_bar_when_the_first_row_is_ticked_then_it_is_on_the_screen(
    open_list,
    rows,
    language,
    scheme,
):
    page = open_list(rows, language, color_scheme=scheme)
    assert page.locator("[name=uid]").count() == rows
    expect(bar_of(page)).not_to_be_in_viewport()
    page.locator("[name=uid]").first.check()
    # The whole of it, each button included.
    expect(bar_of(page)).to_be_in_viewport(ratio=1)
    buttons = bar_of(page).get_by_role("button").all()
    assert len(buttons) == 8
    assert all(button.evaluate(IS_SEEN) for button in buttons)
    assert page.locator("[name=uid]").first.evaluate(IS_SEEN)
    assert (overflow(page), clipped(page)) == (0, [])
    page.locator("[name=uid]").first.uncheck()
    expect(bar_of(page)).not_to_be_in_viewport()


@SCREENS
def test_bar_when_one_walks_through_the_rows_then_it_lies_over_none_that_has_the_focus(open_list):
    page = open_list()
    boxes = page.locator("[name=uid]")
    boxes.first.check()
    for number in range(1, 50):
        boxes.nth(number).focus()
        assert boxes.nth(number).evaluate(IS_SEEN), number
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert boxes.last.evaluate(IS_SEEN)
    bottom = page.locator("tbody tr").last.bounding_box()
    assert bottom["y"] + bottom["height"] <= bar_of(page).bounding_box()["y"]


@SCREENS
def test_bar_when_a_row_is_ticked_then_it_is_one_tab_stop_away(open_list):
    page = open_list()
    boxes = page.locator("[name=uid]")
    boxes.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="To the actions for selected tokens")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport(ratio=1)
    assert clipped(page) == []
    page.keyboard.press("Enter")
    expect(bar_of(page)).to_be_focused()
    expect(bar_of(page)).to_be_in_viewport(ratio=1)
    page.keyboard.press("Tab")
    expect(page.get_by_label("All 210 that match")).to_be_focused()
    # Rows that are not ticked have no stop more.
    boxes.nth(3).focus()
    page.keyboard.press("Tab")
    expect(page.locator("tbody th a").nth(3)).to_be_focused()


@SCREENS
def test_bar_when_scripts_are_off_then_it_is_on_the_screen_too(open_list):
    page = open_list()
    bare = page.context.browser.new_context(
        base_url=page.url,
        storage_state=page.context.storage_state(),
        viewport=page.viewport_size,
        java_script_enabled=False,
    )
    try:
        plain = bare.new_page()
        plain.goto(page.url)
        expect(bar_of(plain)).not_to_be_in_viewport()
        plain.locator("[name=uid]").first.check()
        expect(bar_of(plain)).to_be_in_viewport(ratio=1)
    finally:
        bare.close()


@SCREENS
def test_bar_when_a_question_is_asked_then_it_lies_under_it_and_axe_finds_nothing(open_list):
    page = open_list()
    page.locator("[name=uid]").first.check()
    assert violations(page) == []
    page.get_by_role("button", name="Set validity").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert not bar_of(page).evaluate(IS_SEEN)
    for control in dialog.get_by_role("button").all():
        control.scroll_into_view_if_needed()
        assert control.evaluate(IS_SEEN)
    assert violations(page) == []


@pytest.mark.parametrize("size", [{"viewport": {"width": 1280, "height": 800}}], ids=["1280"])
def test_bar_when_the_list_is_printed_then_it_is_not_there(open_list):
    page = open_list()
    page.locator("[name=uid]").first.check()
    page.emulate_media(media="print")
    expect(bar_of(page)).to_be_hidden()
