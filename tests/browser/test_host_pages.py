"""Pages of the host with our security headers: what they do still works, and what others smuggle in
does not.
"""

import http.server
import threading
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import OPERATOR
from tests.browser.conftest import go
from tests.browser.conftest import violations
from tests.browser.contrast import OF_TEXT
from tests.browser.contrast import colour_of
from tests.browser.contrast import contrast
from tests.browser.contrast import ground_of
from tests.functional.test_host_pages import write_host_site
from tests.support.served import Served
from tests.support.site import add_user

#: What a manager who clicked would run: it deletes all tokens.
SCRIPT = (
    "<script>window.ran = true;"
    "fetch('/tokens/delete_tokens', {method: 'POST', body: new URLSearchParams("
    "{filter: '{}', expected_count: 1})})</script>"
)
OUR_TEMPLATE = "cone.main_template = cone.tokens.browser:templates/main.pt"


@pytest.fixture(scope="module", params=["", OUR_TEMPLATE], ids=["its template", "our template"])
def served(request, chromium, tmp_path_factory):
    """A site with pages of another plugin, in cone.app's template and in ours."""
    folder = tmp_path_factory.mktemp("host")
    ini = write_host_site(folder, more=request.param)
    add_user(folder / "ugm", OPERATOR, "token_operator")
    with Served(ini) as site:
        site.is_in_our_template = bool(request.param)
        yield site


@pytest.fixture(scope="module")
def address(served):
    return f"http://localhost:{served.port}"


@pytest.fixture(scope="module")
def signed_in(browser, address):
    def cookies(user):
        context = browser.new_context(base_url=address)
        form = {"loginform.user": user, "loginform.password": "secret"}
        context.request.post("/login", form={**form, "action.loginform.login": "1"})
        state = context.storage_state()
        context.close()
        assert state["cookies"]
        return state

    return cookies


@pytest.fixture
def other_site():
    """A page of another site, with a link: return a function that sets it, and its address."""
    body = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write("".join(body).encode())

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def prepare(markup):
        body[:] = ["<!DOCTYPE html><title>Other</title>", markup]
        # Another site than localhost.
        return f"http://127.0.0.1:{server.server_port}/"

    yield prepare
    server.shutdown()
    server.server_close()


@DESKTOP_ONLY
@pytest.mark.parametrize(
    "path",
    [
        "/listing?b_page={}",
        "/listing?size={}",
        "/folder/listing?b_page={}",
        "/folder/sharing?size={}",
        "/resources/listing?b_page={}",
        "/folder/fails?x={}",
        "/?ajax.action={}",
        "/folder?ajax.action=layout&contenttile={}",
    ],
)
def test_link_of_another_site_when_a_manager_follows_it_then_no_script_runs(
    open_page, watch, address, other_site, add, token, path
):
    watch.provoked.extend(["status: 500", "403", "404", "500", "request: http://127.0.0.1"])
    value = add()
    page = open_page("/tokens")
    page.goto(other_site(f'<a href="{address}{path.format(quote(SCRIPT))}">Look</a>'))
    with page.expect_navigation(url=f"{address}/**"):
        page.get_by_role("link", name="Look").click()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.ran") is None
    assert not page.locator("script", has_text="window.ran").count()
    assert token(value)["value"] == value


@DESKTOP_ONLY
@pytest.mark.parametrize(
    ("path", "is_shown"),
    [("/tokens", False), ("/tokens/scan", False), ("/login", False), ("/folder", False)],
)
def test_page_when_another_site_frames_it_then_it_is_not_shown(
    open_page, watch, address, other_site, path, is_shown
):
    watch.provoked.extend(["frame-ancestors", "X-Frame-Options", "ERR_BLOCKED", "127.0.0.1", "401"])
    page = open_page("/tokens")
    page.goto(other_site(f'<iframe src="{address}{path}"></iframe>'))
    page.wait_for_load_state("networkidle")
    frame = page.frames[1]
    assert frame.url.startswith("chrome-error:") is not is_shown


@DESKTOP_ONLY
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login",
        "/folder",
        "/folder/listing",
        "/folder/sharing",
        "/folder/edit",
        "/settings",
        "/nothing",
    ],
)
def test_page_of_the_host_when_it_is_shown_then_its_policy_forbids_nothing_it_needs(
    open_page, watch, path
):
    # What the policy forbids is an error in the console.
    page = open_page(path)
    page.wait_for_load_state("networkidle")
    expect(page.locator("body")).not_to_be_empty()


@DESKTOP_ONLY
def test_sign_in_when_it_is_done_then_the_menu_of_the_user_is_there(open_page, served):
    page = open_page("/login", storage_state=None)
    page.locator("[name='loginform.user']").fill("admin")
    page.locator("[name='loginform.password']").fill("secret")
    with page.expect_navigation():
        page.locator("[name='loginform.password']").press("Enter")
    go(page, "/folder")
    if served.is_in_our_template:
        page.locator("summary").click()
    else:
        page.get_by_role("link", name="admin").click()
    expect(page.get_by_text("Sign out").first).to_be_visible()


@DESKTOP_ONLY
def test_form_of_the_host_when_it_is_sent_into_its_frame_then_it_is_answered(open_page, served):
    page = open_page("/folder/add?factory=thing")
    field = page.locator("input[name='thingform.title']")
    field.fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No title")).to_be_visible()
    # It came by the frame: the page stayed.
    assert page.evaluate("location.pathname") == "/folder/add"
    page.locator("input[name='thingform.title']").fill("a </script><b>title")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("input[name='thingform.title']")).to_have_count(0)


@DESKTOP_ONLY
def test_form_of_the_host_when_there_is_a_bug_then_the_page_shows_the_reference(
    open_page, watch, served
):
    watch.provoked.extend(["status: 500", "status of 500"])
    page = open_page("/folder/add?factory=thing")
    page.locator("input[name='thingform.title']").fill("bug")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("with this reference:")).to_be_visible()
    assert "ZeroDivision" not in page.content()


@DESKTOP_ONLY
def test_script_of_the_host_when_there_is_a_bug_then_it_shows_the_reference(open_page, watch):
    watch.provoked.extend(["status: 500", "status of 500"])
    page = open_page("/folder")
    action = {"name": "wrong", "selector": "#content", "mode": "inner", "url": "/folder"}
    page.evaluate("(action) => ts.ajax.action({...action, params: {}})", action)
    expect(page.get_by_text("with this reference:")).to_be_visible()
    assert "IAuthenticator" not in page.content()


@DESKTOP_ONLY
def test_sharing_when_somebody_is_searched_for_and_given_a_role_then_it_is_given(open_page, served):
    page = open_page("/folder/sharing")
    page.locator("#localacltable input[name=term]").fill("door")
    page.keyboard.press("Enter")
    expect(page.locator("#content").get_by_text("door").first).to_be_visible()
    box = page.locator("#content input[type=checkbox]").first
    box.check()
    page.reload()
    expect(page.locator("#content input[type=checkbox]:checked").first).to_be_visible()


@DESKTOP_ONLY
def test_language_when_it_is_chosen_then_the_page_has_it(open_page, served):
    page = open_page("/folder")
    if served.is_in_our_template:
        page.locator("a[data-language=de]").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")


@DESKTOP_ONLY
def test_settings_of_the_host_when_they_are_shown_then_ours_can_be_changed(open_page, served):
    page = open_page("/settings")
    page.wait_for_load_state("networkidle")
    go(page, "/settings/token_settings")
    page.get_by_role("button", name="Save").first.click()
    expect(
        page.get_by_role("main").get_by_role("alert")
        if served.is_in_our_template
        else page.locator(".alert").first
    ).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_of_a_bug_when_it_is_shown_then_it_has_the_scheme_and_its_links_stand_out(
    open_page, watch, scheme
):
    watch.provoked.extend(["status: 500", "500"])
    page = open_page("/tokens", color_scheme=scheme)
    page.goto("/folder/fails")
    ground = ground_of(page)
    assert (sum(ground) < 3 * 128) == (scheme == "dark")
    links = page.get_by_role("link").all()
    assert [link.inner_text() for link in links] == ["Try again", "To the start page"]
    assert min(contrast(colour_of(link), ground) for link in links) >= OF_TEXT
    assert violations(page) == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_page_of_a_bug_when_it_is_shown_then_nothing_is_smaller_than_its_reference(
    open_page, watch, language
):
    watch.provoked.extend(["status: 500", "500"])
    page = open_page("/tokens")
    page.goto(f"/folder/fails?_LOCALE_={language}")
    size = "(element) => parseFloat(getComputedStyle(element).fontSize)"
    sizes = [part.evaluate(size) for part in page.locator("p, a").all()]
    assert page.locator("[data-reference]").evaluate(size) > max(sizes)


def test_page_of_a_bug_when_one_tries_again_then_the_same_page_is_asked_for(open_page, watch):
    watch.provoked.extend(["status: 500", "500"])
    page = open_page("/tokens")
    page.goto("/folder/fails?x=1")
    before = page.locator("[data-reference]").inner_text()
    with page.expect_navigation(url="**/folder/fails?x=1"):
        page.get_by_role("link", name="Try again").click()
    assert page.locator("[data-reference]").inner_text() != before
