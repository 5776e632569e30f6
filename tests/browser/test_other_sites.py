"""What a browser sends along, over plain http too, and what pages of other sites can do with it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ADMIN
from tests.browser.conftest import OPERATOR
from tests.browser.conftest import violations
from tests.support.site import PASSWORD

pytestmark = pytest.mark.parametrize("size", ["desktop"], indirect=True)

#: A name that is no safe place for the browser: it sends no Sec-Fetch-Site there.
HOST = "tokens.example"
ELSEWHERE = "http://elsewhere.example/page"


@pytest.fixture(scope="module")
def plain_browser(launch):
    return launch(f"--host-resolver-rules=MAP {HOST} 127.0.0.1")


@pytest.fixture
def plain(plain_browser, served):
    """A browser at the site over plain http."""
    context = plain_browser.new_context(base_url=f"http://{HOST}:{served.port}", locale="en-GB")
    yield context
    context.close()


def sign_in(page, user=ADMIN):
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def follow_from_elsewhere(context, address, more=""):
    """Follow a link to ``address`` on a page of another site; return the page it leads to."""
    markup = f'<!DOCTYPE html><a href="{address}" {more}>here</a>'
    context.route(ELSEWHERE, lambda route: route.fulfill(body=markup, content_type="text/html"))
    page = context.new_page()
    page.goto(ELSEWHERE)
    page.get_by_role("link").click()
    page.wait_for_url(f"**{HOST}**")
    return page


@pytest.fixture
def uid(add, token):
    return token(add(usage_count=3))["uid"]


def test_consumption_when_a_link_elsewhere_leads_there_over_http_then_the_referer_gives_it_away(
    plain, served, uid, api, size
):
    page = plain.new_page()
    page.goto("/login")
    with page.expect_request("**/login") as sent:
        sign_in(page)
    # The browser tells less there; else this test would show nothing.
    assert "sec-fetch-site" not in sent.value.all_headers()
    page.wait_for_url(f"http://{HOST}:{served.port}/")
    address = f"http://{HOST}:{served.port}/tokens/{uid}/consume_token"
    page = follow_from_elsewhere(plain, address)
    assert "Requests from another site are refused" in page.content()
    assert api.get(f"/tokens/{uid}/usages").json["usages"] == []
    # What remains over plain http (SECURITY.rst).
    page = follow_from_elsewhere(plain, address, 'rel="noreferrer"')
    assert '"consumed": true' in page.content()


def test_session_when_our_pages_are_used_over_http_then_nothing_is_refused(plain, served, size):
    page = plain.new_page()
    page.goto("/tokens/statistics?range=7-days")
    sign_in(page)
    page.wait_for_url("**/tokens/statistics?range=7-days")
    page.locator(".tokens-menu > summary").click()
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(f"http://{HOST}:{served.port}/")
    page.goto("/tokens")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_session_when_another_site_links_to_the_sign_out_then_it_goes_on(plain, served, size):
    page = plain.new_page()
    page.goto("/tokens")
    sign_in(page)
    expect(page.locator(".tokens-menu > summary", has_text=ADMIN)).to_be_visible()
    there = follow_from_elsewhere(plain, f"http://{HOST}:{served.port}/logout")
    expect(there.get_by_role("heading", name="Not permitted")).to_be_visible()
    page.reload()
    expect(page.locator(".tokens-menu > summary", has_text=ADMIN)).to_be_visible()


def test_sign_in_when_an_operator_opens_the_form_then_the_door_comes(browser, address, size):
    with browser.new_context(base_url=address, locale="de-AT") as context:
        page = context.new_page()
        page.goto("/login")
        # The browser's language, and the focus where one begins.
        expect(page.get_by_role("heading", name="Bei CONE anmelden")).to_be_visible()
        page.keyboard.type(OPERATOR)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/tokens/scan")


def test_sign_in_page_when_a_password_was_wrong_then_it_is_accessible(browser, address, size):
    with browser.new_context(base_url=address, locale="en-GB") as context:
        page = context.new_page()
        page.goto("/tokens/scan?x=1")
        page.get_by_label("User name").fill(OPERATOR)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
        assert violations(page) == []
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/tokens/scan?x=1")
