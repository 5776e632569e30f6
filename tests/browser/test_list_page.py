"""The list: searching, choosing, and what is done to many tokens in a dialog."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import alert_of
from tests.browser.conftest import clipped
from tests.browser.conftest import go
from tests.browser.conftest import overflow
from tests.browser.conftest import violations

LIST = "/tokens/tokens_overview"


@pytest.fixture
def stock(api):
    """120 tokens; return what their values begin with."""
    prefix = f"stock-{secrets.token_hex(3)}-"
    api.post("/tokens/add_tokens", {"count": 120, "prefix": prefix, "usage_count": 1})
    return prefix


@pytest.fixture
def listed(open_page, stock):
    return open_page(f"{LIST}?search={stock}")


def open_dialog(page, name):
    page.get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    return dialog


def values(page):
    return page.locator("tbody th a").all_inner_texts()


def test_list_when_it_is_searched_then_the_address_keeps_it(open_page, stock):
    page = open_page("/tokens")
    page.get_by_role("searchbox").fill(stock)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**search=*")
    expect(page.locator("caption")).to_contain_text("Tokens that match: 120.")
    page.get_by_text("More filters").click()
    page.get_by_label("Order").select_option(label="Value, A to Z")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**sort=value*")
    rising = values(page)
    assert rising == sorted(rising)
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url("**after=*")
    assert min(values(page)) > max(rising)
    page.reload()
    assert min(values(page)) > max(rising)
    page.go_back()
    page.wait_for_url(lambda url: "after=" not in url)
    assert values(page) == rising


def test_filters_when_they_are_chosen_then_the_list_is_theirs(open_page, stock, api):
    page = open_page(f"{LIST}?search={stock}")
    page.get_by_text("More filters").click()
    page.get_by_label("Status").select_option(label="Used up")
    page.get_by_label("Tokens on a page").select_option("25")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No token matches.")).to_be_visible()
    expect(page.get_by_label("Status")).to_have_value("exhausted")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("caption")).to_contain_text("Tokens:")


def test_boxes_when_all_of_a_page_are_chosen_then_the_number_is_told(listed):
    every = listed.get_by_label("All tokens of this page")
    note = listed.get_by_text(re.compile("^Selected: "))
    # One line, wherever it stands.
    assert every.locator("xpath=..").bounding_box()["height"] < 40
    expect(note).to_have_text("Selected: 0")
    listed.locator("[name=uid]").nth(3).check()
    expect(note).to_have_text("Selected: 1")
    assert every.evaluate("(box) => box.indeterminate")
    every.check()
    expect(note).to_have_text("Selected: 50")
    listed.locator("[name=uid]").nth(3).uncheck()
    expect(every).not_to_be_checked()
    listed.get_by_label("All 120 that match").check()
    expect(note).to_have_text("Selected: 120")


def test_dialog_when_it_is_open_then_it_keeps_the_focus_and_gives_it_back(listed):
    listed.locator("[name=uid]").first.check()
    dialog = open_dialog(listed, "Set validity")
    expect(dialog.get_by_label("Valid from")).to_be_focused()
    for _ in range(20):
        listed.keyboard.press("Tab")
        # The browser's own controls may have it; the page behind must not.
        assert listed.evaluate(
            "document.activeElement.closest('dialog') || document.activeElement === document.body",
        )
    listed.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(listed.get_by_role("button", name="Set validity")).to_be_focused()
    expect(listed.locator("[name=uid]").first).to_be_checked()
    open_dialog(listed, "Delete").get_by_role("link", name="Cancel").click()
    expect(listed.get_by_role("dialog")).to_have_count(0)
    expect(listed.get_by_role("button", name="Delete")).to_be_focused()


def test_dialog_when_a_field_is_wrong_then_it_stays_and_tells(listed, watch):
    watch.provoked.append("status of 400")
    listed.locator("[name=uid]").first.check()
    dialog = open_dialog(listed, "Set validity")
    dialog.get_by_label("Valid from").fill("2027-01-01T10:00")
    dialog.get_by_label("Valid to").fill("2026-01-01T10:00")
    dialog.get_by_role("button", name="Set validity").click()
    expect(dialog.get_by_text("The start must be before the end.")).to_be_visible()
    expect(dialog.get_by_label("Valid from")).to_be_focused()
    expect(dialog.get_by_label("Valid to")).to_have_value("2026-01-01T10:00")


def test_bulk_when_more_than_100_match_then_their_number_is_typed(listed, stock, api, watch):
    watch.provoked.append("status of 400")
    listed.get_by_label("All 120 that match").check()
    dialog = open_dialog(listed, "Set uses left")
    expect(dialog).to_contain_text("Tokens: 120")
    dialog.get_by_label("Uses left").fill("7")
    dialog.get_by_label("Type the number of the tokens").fill("12")
    dialog.get_by_role("button", name="Set uses left").click()
    expect(dialog.get_by_text("This is not the number of the tokens.")).to_be_visible()
    expect(dialog.get_by_label("Uses left")).to_have_value("7")
    dialog.get_by_label("Type the number of the tokens").fill("120")
    dialog.get_by_role("button", name="Set uses left").click()
    expect(alert_of(listed)).to_have_text("Tokens with new uses left: 120.")
    assert f"search={stock}" in listed.url
    found = api.get("/tokens/query_tokens", {"prefix": stock, "limit": 200}).json["tokens"]
    assert {found_token["usage_count"] for found_token in found} == {7}


def test_bulk_when_it_is_done_then_one_stays_in_the_list(listed, stock):
    listed.evaluate("window.isSame = true")
    for _ in range(2):
        listed.locator("[name=uid]").nth(1).check()
        dialog = open_dialog(listed, "Disable")
        dialog.get_by_role("button", name="Disable").click()
        expect(alert_of(listed)).to_have_text("Tokens disabled: 1.")
        assert listed.evaluate("window.isSame")
    expect(listed.locator(".tokens-disabled")).to_have_count(1)


def test_bulk_when_nothing_is_chosen_then_it_says_so(listed):
    listed.get_by_role("button", name="Disable").click()
    alert = listed.get_by_role("alert")
    expect(alert).to_have_text("No token is selected. Nothing was changed.")
    # The button was at the foot of the list.
    expect(alert).to_be_in_viewport()


@DESKTOP_ONLY
def test_dialog_when_its_button_is_pressed_twice_then_there_is_one(listed):
    listed.locator("[name=uid]").first.check()
    listed.get_by_role("button", name="Disable").dblclick()
    expect(listed.get_by_role("dialog")).to_have_count(1)
    listed.get_by_role("dialog").get_by_role("button", name="Disable").dblclick()
    expect(alert_of(listed)).to_have_text("Tokens disabled: 1.")
    expect(listed.get_by_role("dialog")).to_have_count(0)


@DESKTOP_ONLY
@pytest.mark.parametrize("is_lost", [False, True], ids=["done", "lost"])
def test_dialog_when_it_is_closed_before_the_answer_then_the_page_tells(listed, watch, is_lost):
    watch.provoked.append("ERR_FAILED")
    listed.locator("[name=uid]").first.check()
    dialog = open_dialog(listed, "Delete")

    def close_meanwhile(route):
        listed.keyboard.press("Escape")
        if is_lost:
            route.abort()
        else:
            route.continue_()

    listed.route("**/bulk", close_meanwhile)
    dialog.get_by_role("button", name="Delete").click()
    text = "There is no connection" if is_lost else "Tokens deleted: 1."
    expect(alert_of(listed)).to_contain_text(text)
    expect(listed.get_by_role("dialog")).to_have_count(0)


def test_labels_when_tokens_are_chosen_then_a_pdf_comes(listed):
    for number in range(3):
        listed.locator("[name=uid]").nth(number).check()
    dialog = open_dialog(listed, "Labels")
    expect(dialog).to_contain_text("Labels to print: 3")
    with listed.expect_download() as download:
        dialog.get_by_role("button", name="Make the PDF").click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    expect(dialog).to_be_visible()


@PHONE_ONLY
def test_export_when_all_that_match_are_meant_then_a_file_comes(listed, stock):
    listed.get_by_label("All 120 that match").check()
    with listed.expect_download() as download:
        listed.get_by_role("button", name="Export").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 121
    assert all(stock in line for line in lines[1:])


FAILURES = {
    "offline": (None, "There is no connection, or no answer in time."),
    "401": (401, "You are signed out."),
    "403": (403, "You may not do that."),
    "404": (404, "It is not there any more."),
    "409": (409, "Somebody changed it meanwhile."),
    "413": (413, "That is too much at once."),
    "429": (429, "Those were too many requests."),
    "500": (500, "Something went wrong on the server."),
    "503": (503, "The database is busy or not available."),
    "a page of the network": (200, "Something else answered."),
}


@DESKTOP_ONLY
@pytest.mark.parametrize(("status", "text"), FAILURES.values(), ids=FAILURES)
def test_form_when_it_fails_then_the_reason_is_told_and_nothing_is_lost(
    open_page,
    watch,
    status,
    text,
):
    watch.provoked.append("status of|status: 50|ERR_FAILED")
    page = open_page("/tokens/add")
    answer = "<html><body><code data-reference>ab12</code></body></html>"
    page.route(
        "**/tokens/add",
        lambda route: (
            route.fulfill(status=status, body=answer, content_type="text/html")
            if status
            else route.abort()
        ),
    )
    page.get_by_label("Value").fill("precious")
    page.get_by_label("Lock time").fill("77")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text(text)
    if status == 500:
        expect(page.get_by_role("alert")).to_contain_text("Reference for the log: ab12")
    expect(page.get_by_label("Value")).to_have_value("precious")
    expect(page.get_by_label("Lock time")).to_have_value("77")
    page.unroute("**/tokens/add")
    value = f"precious-{secrets.token_hex(3)}"
    page.get_by_label("Value").fill(value)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(value)


@DESKTOP_ONLY
def test_answer_when_it_is_lost_then_sending_again_adds_nothing(open_page, api, watch):
    watch.provoked.append("ERR_FAILED")
    page = open_page("/tokens/add")
    value = f"lost-{secrets.token_hex(3)}"

    def lose(route):
        assert route.fetch(max_redirects=0).status == 302
        route.abort()

    page.route("**/tokens/add", lose, times=1)
    page.get_by_label("Value").fill(value)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "There is no connection, or no answer in time."
    )
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_have_text("The token was added.")
    assert api.get("/tokens/query_tokens", {"value": value}).json["count"] == 1


@PHONE_ONLY
def test_dialog_when_one_is_signed_out_then_it_says_so_and_goes_on_afterwards(
    listed,
    signed_in,
    watch,
):
    watch.provoked.append("status of 401")
    listed.locator("[name=uid]").first.check()
    dialog = open_dialog(listed, "Set uses left")
    dialog.get_by_label("Uses left").fill("5")
    listed.context.clear_cookies()
    dialog.get_by_role("button", name="Set uses left").click()
    alert = dialog.get_by_role("alert")
    expect(alert).to_contain_text("You are signed out.")
    expect(alert.get_by_role("link", name="Sign in")).to_have_attribute("target", "_blank")
    listed.context.add_cookies(signed_in("admin")["cookies"])
    dialog.get_by_role("button", name="Set uses left").click()
    expect(alert_of(listed)).to_contain_text("new uses left: 1.")


@DESKTOP_ONLY
def test_form_when_it_is_sent_twice_at_once_then_one_request_goes_out(open_page, add, token):
    value = add(usage_count=5)
    page = open_page(f"/tokens/{token(value)['uid']}")
    page.get_by_role("button", name="Consume now").dblclick()
    expect(page.get_by_role("alert")).to_have_text("One use was taken.")
    assert token(value)["usage_count"] == 4


@DESKTOP_ONLY
def test_list_when_it_is_reached_by_another_language_then_dialogs_speak_it(open_page, stock):
    page = open_page(f"{LIST}?search={stock}")
    page.get_by_role("link", name="DE", exact=True).click()
    page.wait_for_selector("html[lang=de][data-ready]")
    page.locator("[name=uid]").first.check()
    expect(page.get_by_text("Ausgewählt: 1")).to_be_visible()
    dialog = open_dialog(page, "Löschen")
    expect(dialog).to_contain_text("Sollen diese Tokens gelöscht werden?")
    go(page, f"{LIST}?search={stock}")


@pytest.mark.parametrize(
    ("language", "scheme", "action"),
    [("en", "light", "Set validity"), ("de", "dark", "Löschen")],
    ids=["en", "de"],
)
def test_states_of_the_list_when_axe_looks_at_them_then_it_finds_nothing(
    open_page,
    stock,
    watch,
    language,
    scheme,
    action,
):
    watch.provoked.append("status of 400")
    page = open_page(f"{LIST}?search={stock}", color_scheme=scheme)
    page.get_by_role("link", name=language.upper(), exact=True).click()
    page.wait_for_selector(f"html[lang={language}][data-ready]")
    page.locator("[name=uid]").first.check()
    found = {"chosen": look(page)}
    page.get_by_role("checkbox", name="120").check()
    dialog = open_dialog(page, action)
    found["question"] = look(page)
    dialog.locator("[name=typed]").fill("1")
    dialog.get_by_role("button", name=action).click()
    expect(dialog.locator("[aria-invalid=true]")).to_be_focused()
    found["mistake"] = look(page)
    page.context.set_offline(True)
    watch.provoked.append("ERR_INTERNET_DISCONNECTED")
    dialog.get_by_role("button", name=action).click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    found["failure"] = look(page)
    page.context.set_offline(False)
    assert {state: seen for state, seen in found.items() if seen != (0, [], [])} == {}


def look(page):
    """What is wrong with what is to be seen now, on the narrowest screen too."""
    size = page.viewport_size
    page.set_viewport_size({**size, "width": 320})
    narrow = overflow(page), clipped(page)
    page.set_viewport_size(size)
    return *narrow, violations(page)
