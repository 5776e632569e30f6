"""What people come for, from the first page to the last: issue, print, scan, look, change."""

import json
import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import alert_of
from tests.browser.conftest import answer
from tests.browser.conftest import clipped
from tests.browser.conftest import enter
from tests.browser.conftest import go
from tests.browser.conftest import overflow
from tests.browser.conftest import violations
from tests.browser.fake_camera import CANVAS
from tests.browser.fake_camera import show
from tests.browser.fake_camera import start
from tests.support.documents import codes_on
from tests.support.documents import pages_of


@pytest.fixture
def prefix():
    """What the values of a test begin with."""
    return f"FLOW-{secrets.token_hex(3)}-"


def press(place, name):
    place.get_by_role("button", name=name, exact=True).click()


def fill_many(page, count, prefix):
    go(page, "/tokens/add_many")
    page.get_by_label("How many").fill(str(count))
    page.get_by_label("Values begin with").fill(prefix)
    page.get_by_label("Uses left").fill("1")


@PHONE_ONLY
def test_tokens_when_500_are_made_then_they_are_printed_scanned_and_told(open_page, prefix):
    page = open_page("/tokens", script=CANVAS)
    page.get_by_role("link", name="Add many").click()
    page.wait_for_selector("html[data-ready]")
    fill_many(page, 500, prefix)
    press(page, "Add")
    expect(alert_of(page)).to_have_text("Tokens added: 500.")
    expect(page.locator("caption")).to_contain_text("500 new tokens.")
    expect(page.locator(".tokens-value").first).to_be_in_viewport()
    page.wait_for_selector("html[data-ready]")
    page.get_by_label("All 500 that match").check()
    press(page, "Labels")
    dialog = page.get_by_role("dialog", name="Labels")
    expect(dialog).to_contain_text("Labels to print: 500")
    with page.expect_download() as download:
        press(dialog, "Make the PDF")
    sheets = pages_of(download.value.path().read_bytes())
    values = [value for sheet in sheets for value in codes_on(sheet)]
    assert len(set(values)) == len(values) == 500
    assert all(re.fullmatch(f"{prefix}[A-Z2-7]{{26}}", value) for value in values)

    go(page, "/tokens/scan")
    start(page)
    show(page, values[0])
    answer(page, "granted")
    # Opened anew: the same value in front of it would be ignored for three seconds.
    go(page, "/tokens/scan")
    enter(page, values[0])
    expect(answer(page, "redeemed")).to_contain_text("Already redeemed")

    go(page, f"/tokens?value={values[0]}")
    expect(page.locator(".tokens-status")).to_contain_text("Used up")
    history = page.locator(".tokens-history tbody tr")
    expect(history).to_have_count(2)
    expect(history.nth(0)).to_contain_text("Used up")
    expect(history.nth(1)).to_contain_text("Used")
    page.get_by_role("link", name="Statistics").click()
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("link", name="Today").click()
    for name in ("Granted", "Refused"):
        total = page.locator(".tokens-totals div", has=page.get_by_text(name, exact=True))
        assert int(re.sub(r"\D", "", total.locator("dd").inner_text())) >= 1
    expect(page.get_by_role("img", name="Consumptions and refusals over time")).to_be_visible()


# Many


def test_many_when_there_are_more_than_a_thousand_then_progress_is_shown(open_page, api, prefix):
    page = open_page("/tokens/add_many")
    fill_many(page, 2_500, prefix)
    with page.expect_request(lambda request: "count=500" in (request.post_data or "")) as last:
        press(page, "Add")
    dialog = page.get_by_role("dialog", name="Tokens are being added")
    expect(dialog.get_by_role("progressbar")).to_have_attribute("max", "2500")
    assert last.value.method == "POST"
    expect(alert_of(page)).to_have_text("Tokens added: 2500.")
    expect(page.locator("caption")).to_contain_text("2500 new tokens.")
    assert counted(api, prefix) == 2_500


def counted(api, prefix):
    return api.get("/tokens/query_tokens", {"prefix": prefix}).json["count"]


@DESKTOP_ONLY
def test_many_when_it_is_cancelled_then_what_was_added_stays_and_is_shown(
    open_page,
    api,
    prefix,
):
    page = open_page("/tokens/add_many")
    fill_many(page, 9_000, prefix)
    dialog = page.get_by_role("dialog", name="Tokens are being added")

    def cancel_meanwhile(route):
        press(dialog, "Cancel")
        route.continue_()

    sent = []
    page.route(
        "**/add_many",
        lambda route: (
            sent.append(route) or (cancel_meanwhile(route) if len(sent) == 2 else route.continue_())
        ),
    )
    press(page, "Add")
    expect(alert_of(page)).to_have_text("Tokens added: 2000.")
    assert counted(api, prefix) == 2_000


@DESKTOP_ONLY
def test_many_when_the_connection_is_lost_then_it_goes_on_where_it_stopped(
    open_page,
    api,
    watch,
    prefix,
):
    watch.provoked.append("ERR_FAILED")
    page = open_page("/tokens/add_many")
    fill_many(page, 3_000, prefix)
    sent = []

    def lose_the_second(route):
        sent.append(route)
        if len(sent) != 2:
            route.continue_()
            return
        # It arrives, and the answer to it does not.
        route.fetch()
        route.abort()

    page.route("**/add_many", lose_the_second)
    press(page, "Add")
    expect(alert_of(page)).to_contain_text("1,000 of 3,000 were added.")
    assert counted(api, prefix) == 2_000
    # The rest is to be like what is there.
    expect(page.get_by_label("Values begin with")).to_be_disabled()
    press(page, "Add")
    expect(alert_of(page)).to_have_text("Tokens added: 3000.")
    assert counted(api, prefix) == 3_000


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("status", "body"),
    [(502, '{"message": "bad gateway"}'), (200, '{"message": "welcome"}'), (500, "")],
)
def test_many_when_a_part_fails_then_it_does_not_count(
    open_page,
    api,
    watch,
    prefix,
    status,
    body,
):
    watch.provoked.append("status of 50|status: 50")
    page = open_page("/tokens/add_many", script="delete Crypto.prototype.randomUUID;")
    fill_many(page, 2_500, prefix)
    sent = []

    def fail_the_second(route):
        sent.append(route)
        if len(sent) == 2:
            route.fulfill(status=status, body=body, content_type="application/json")
        else:
            route.continue_()

    page.route("**/add_many", fail_the_second)
    press(page, "Add")
    expect(alert_of(page)).to_contain_text("1,000 of 2,500 were added.")
    press(page, "Add")
    expect(alert_of(page)).to_have_text("Tokens added: 2500.")
    assert counted(api, prefix) == 2_500


@DESKTOP_ONLY
@pytest.mark.parametrize("count", ["10001", "0", "-3"])
def test_many_when_the_number_is_not_possible_then_none_is_added(
    open_page,
    api,
    watch,
    prefix,
    count,
):
    watch.provoked.append("status of 400")
    page = open_page("/tokens/add_many")
    fill_many(page, count, prefix)
    press(page, "Add")
    expect(page.get_by_text("This must be between 1 and 10000.")).to_be_visible()
    assert counted(api, prefix) == 0


@DESKTOP_ONLY
def test_many_when_a_field_is_wrong_then_it_tells_and_keeps_the_number(open_page, watch, prefix):
    watch.provoked.append("status of 400")
    page = open_page("/tokens/add_many")
    fill_many(page, 5_000, prefix)
    page.get_by_label("Valid from").fill("2027-01-01T00:00:00")
    page.get_by_label("Valid to").fill("2026-01-01T00:00:00")
    press(page, "Add")
    expect(page.get_by_text("The start must be before the end.")).to_be_visible()
    expect(page.get_by_label("How many")).to_have_value("5000")
    expect(page.get_by_role("dialog")).to_have_count(0)


# Import


def test_import_when_a_file_is_chosen_then_it_is_checked_first(
    open_page,
    api,
    add,
    token,
    watch,
    prefix,
):
    watch.provoked.append("status of 400")
    known = add(f"{prefix}known")
    page = open_page("/tokens/import")
    lines = ["value,usage_count", f"{known},9", f"{prefix}new,many", f'"{prefix}=2",2']
    choose(page, lines)
    page.get_by_label("Change it to what the file says").check()
    press(page, "Check")
    row = page.get_by_role("row").filter(has_text="usage_count")
    expect(row.get_by_role("rowheader")).to_have_text("3")
    expect(row).to_contain_text("This must be a whole number.")
    assert (overflow(page), clipped(page), violations(page)) == (0, [], [])
    assert counted(api, prefix) == 1
    lines[2] = f"{prefix}new,3"
    choose(page, lines)
    press(page, "Check")
    expect(page.get_by_text("New tokens")).to_be_visible()
    assert (overflow(page), clipped(page), violations(page)) == (0, [], [])
    assert counted(api, prefix) == 1
    press(page, "Import")
    expect(alert_of(page)).to_contain_text("New: 2, changed: 1")
    assert counted(api, prefix) == 3
    assert token(known)["usage_count"] == 9


#: How much wider the words of a select are than the room for them.
TOO_WIDE = """(select) => {
    const style = getComputedStyle(select);
    const paint = document.createElement("canvas").getContext("2d");
    paint.font = style.font;
    const words = [...select.options].map((one) => paint.measureText(one.textContent).width);
    const around = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    return Math.max(...words) - (select.clientWidth - around);
}"""


@pytest.mark.parametrize("language", ["en", "de"])
def test_import_when_a_column_is_not_known_then_the_choices_have_room(open_page, language):
    page = open_page("/tokens", locale=language)
    go(page, f"/tokens/import?_LOCALE_={language}")
    page.locator("#import-file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"Name;Tisch;Saal\nAnn;7;1\n"},
    )
    page.locator("form.tokens-narrow button[type=submit]").click()
    select = page.get_by_label("Tisch")
    word = "Mit Namen behalten" if language == "de" else "Keep under its name"
    expect(select.locator("option:checked")).to_have_text(word)
    assert select.evaluate(TOO_WIDE) <= 0


def choose(page, lines):
    content = "\n".join(lines).encode()
    page.get_by_label("CSV file").set_input_files(
        {"name": "tokens.csv", "mimeType": "text/csv", "buffer": content},
    )


# One token


def test_token_when_a_button_is_pressed_then_it_stays_in_reach(open_page, add, token):
    value = add(usage_count=3)
    page = open_page(f"/tokens/{token(value)['uid']}")
    page.evaluate("window.isSame = true")
    for name in ("Today", "10", "Off"):
        button = page.get_by_role("button", name=name, exact=True)
        button.click()
        # In the evening "Today" is over, and that is told as well.
        expect(alert_of(page)).to_contain_text("The changes were saved.")
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(button).to_be_focused()
    assert page.evaluate("window.isSame")
    changed = token(value)
    assert (changed["usage_count"], changed["enabled"]) == (10, False)
    assert changed["valid_from"][10:19] == "T08:00:00"


def test_token_when_it_is_consumed_then_uses_and_refusals_are_listed(open_page, add, token):
    value = add(usage_count=1)
    page = open_page(f"/tokens/{token(value)['uid']}")
    press(page, "Consume now")
    expect(alert_of(page)).to_have_text("One use was taken.")
    press(page, "Consume now")
    expect(alert_of(page)).to_contain_text("The token was refused:")
    expect(page.locator(".tokens-history tbody tr")).to_have_count(2)
    expect(page.locator(".tokens-status")).to_contain_text("No uses are left.")


def test_token_when_its_ticket_was_lost_then_the_code_is_replaced_on_its_page(
    open_page, add, token, api
):
    value = add(f"LOST-{secrets.token_hex(4)}", usage_count=2)
    uid = token(value)["uid"]
    page = open_page(f"/tokens/{uid}")
    picture = page.locator(".tokens-picture img")
    seen = picture.get_attribute("src")
    page.get_by_role("link", name="Replace code").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The old one is refused from now on.")
    dialog.get_by_role("link", name="Cancel").click()
    assert token(value)["uid"] == uid
    page.get_by_role("link", name="Replace code").click()
    press(dialog, "Replace code")
    expect(alert_of(page)).to_contain_text("The code was replaced")
    expect(dialog).to_have_count(0)
    code = page.get_by_role("button", name="Copy the value").get_attribute("data-copy")
    assert token(code)["uid"] == uid
    # By the same address the browser would show the old one.
    assert picture.get_attribute("src") != seen
    expect(picture).to_have_js_property("complete", True)
    answer = api.post("/tokens/consume_token", {"value": value}).json
    assert (answer["error"], answer["token_uid"]) == ("replaced", uid)
    page.reload()
    expect(page.locator(".tokens-history tbody tr")).to_contain_text("Code replaced")


@DESKTOP_ONLY
def test_value_when_it_is_copied_then_the_clipboard_has_all_of_it(open_page, add, token):
    value = add(f"copy me {secrets.token_hex(3)} " + "x" * 200)
    path = f"/tokens/{token(value)['uid']}"
    page = open_page(path, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the value").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == value


def test_edit_when_it_was_used_meanwhile_then_nothing_is_lost(
    open_page,
    add,
    token,
    api,
    watch,
):
    watch.provoked.append("status of 409")
    value = add(usage_count=5)
    uid = token(value)["uid"]
    page = open_page(f"/tokens/{uid}/edit")
    page.get_by_label("Uses left").fill("50")
    page.get_by_label("Lock time").fill("30")
    api.post(f"/tokens/{uid}/consume_token")
    press(page, "Save")
    expect(alert_of(page)).to_contain_text("The token was used meanwhile")
    expect(page.get_by_label("Uses left")).to_have_value("4")
    expect(page.get_by_label("Lock time")).to_have_value("30")
    press(page, "Save")
    expect(alert_of(page)).to_have_text("The changes were saved.")
    assert (token(value)["usage_count"], token(value)["lock_time"]) == (4, 30)


# Settings


@DESKTOP_ONLY
def test_settings_when_a_range_is_added_then_the_page_of_a_token_has_it(open_page, add, token):
    name = f"Night <{secrets.token_hex(2)}>"
    page = open_page("/settings/token_settings")
    set_range(page, name, "22:00", "06:00")
    value = add()
    go(page, f"/tokens/{token(value)['uid']}")
    press(page, name)
    expect(alert_of(page)).to_have_text("The changes were saved.")
    expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
    assert token(value)["valid_from"][11:19] == "22:00:00"
    assert token(value)["valid_to"][11:19] == "06:00:00"
    go(page, "/settings/token_settings")
    set_range(page, "", "", "")


def set_range(page, *texts):
    """Fill the first row of own time ranges, and save it."""
    for end, text in zip(("name", "start", "end"), texts, strict=True):
        page.locator(f"#input-settingsform-time_range_1_{end}").fill(text)
    press(page, "Save")
    expect(alert_of(page)).to_have_text("The settings were saved.")


def test_settings_when_a_checkpoint_is_added_then_it_is_in_the_file_until_it_is_emptied(
    open_page, site_settings
):
    site_settings.write_text("{}")
    page = open_page("/settings/token_settings")
    row = page.get_by_role("group", name="Checkpoint 1")
    row.get_by_label("Name").fill("North door")
    row.get_by_label("Categories").fill("VIP, Press")
    row.get_by_label("Direction").select_option("In and out")
    row.get_by_label("Sound").select_option("High")
    row.get_by_label("Hours inside").fill("1.5")
    press(page, "Save")
    expect(alert_of(page)).to_have_text("The settings were saved.")
    [written] = json.loads(site_settings.read_text())["checkpoints"]
    assert written == {
        "name": "North door",
        "categories": ["VIP", "Press"],
        "directions": "in_out",
        "sound": "high",
        "inside_hours": 1.5,
    }
    expect(page.get_by_role("group", name="Checkpoint 3")).to_be_attached()
    for label in ("Name", "Categories", "Hours inside"):
        row.get_by_label(label).fill("")
    press(page, "Save")
    expect(page.get_by_role("group", name="Checkpoint 3")).to_have_count(0)
    assert json.loads(site_settings.read_text())["checkpoints"] == []


def test_statistics_when_a_range_is_chosen_then_picture_and_table_are_its(open_page, add, api):
    value = add(usage_count=1)
    for _ in range(3):
        api.post("/tokens/consume_token", {"value": value})
    page = open_page("/tokens/statistics")
    page.get_by_role("link", name="Today").click()
    page.wait_for_selector("html[data-ready]")
    expect(page.get_by_role("link", name="Today")).to_have_attribute("aria-current", "page")
    expect(page.locator(".tokens-chart rect").first).to_be_attached()
    expect(page.get_by_role("rowheader", name="Used up")).to_be_visible()
    assert page.locator("details tbody tr").count() == 24
