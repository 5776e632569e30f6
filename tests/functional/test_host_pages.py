"""Pages of the host beside ours: what they answer where something is wrong, and with which headers.

The site has a plugin whose views fail in all the ways that views can (``host_site``).
"""

import contextlib
import json
import re
import sqlite3

import pytest

from tests.support import host_site
from tests.support.asking import INTERNALS
from tests.support.served import Client
from tests.support.served import Served
from tests.support.site import write_site

PLUGINS = "    cone.sql\n    cone.tokens\n"
ATTACK = "%3Cscript%3Ewindow.ran=true%3C/script%3E"
FORM = {"title": "bug", "action.thingform.save": "1", "thingform.title": "bug"}
HEADERS = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy")


def write_host_site(folder, more=""):
    """Write the ini file of a site with the plugin, and return its path."""
    ini = write_site(folder, more=more)
    plugins = f"{PLUGINS}    {host_site.__name__}\n"
    ini.write_text(ini.read_text().replace(PLUGINS, plugins))
    return ini


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with Served(write_host_site(tmp_path_factory.mktemp("host"))) as served:
        yield served


@pytest.fixture
def manager(host):
    yield host.sign_in()
    host.hang_up()


def rows(host) -> int:
    """Return how many rows the views of the host have left behind."""
    with contextlib.closing(sqlite3.connect(host.ini.parent / "tokens.db")) as connection:
        query = "SELECT count(*) FROM token_usage WHERE token_value = 'of the host'"
        return connection.execute(query).fetchone()[0]


def ask(client: Client, method: str, path: str, body=None, **headers: str):
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    return client._send(method, path, body, more)


def assert_nothing_inside(answer):
    text = answer.body.decode("latin-1")
    assert not [word for word in (*INTERNALS, "ZeroDivision") if word in text]
    assert "<script>window.ran" not in text


def assert_bug(host, answer):
    """Assert that an answer is our page of a bug, and that its reference is in the log."""
    assert answer.status == 500, answer.body
    assert_nothing_inside(answer)
    [reference] = re.findall(rb"<code data-reference=[^>]*>([^<]+)</code>", answer.body)
    assert host.says(reference.decode())
    assert_headers(answer)
    assert answer.headers["Cache-Control"] == "no-store"


def assert_headers(answer):
    assert all(name in answer.headers for name in HEADERS), dict(answer.headers)
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.findall(r"script-src ([^;]*)", policy)
    assert "unsafe-inline" not in " ".join(scripts)
    assert "frame-ancestors" in policy


# Bugs


@pytest.mark.parametrize(
    "path",
    [
        f"/listing?b_page={ATTACK}",
        f"/listing?size={ATTACK}",
        f"/listing?sort={ATTACK}&order={ATTACK}",
        f"/folder/listing?b_page={ATTACK}",
        f"/folder/sharing?b_page={ATTACK}",
        f"/folder/sharing?size={ATTACK}",
        f"/sharing?b_page={ATTACK}",
        f"/resources/listing?b_page={ATTACK}",
        f"/settings?b_page={ATTACK}",
    ],
)
def test_page_of_the_host_when_a_parameter_is_a_script_then_no_answer_has_it(manager, path):
    answer = manager.get(path)
    assert_nothing_inside(answer)
    assert_headers(answer)
    assert answer.status in (200, 500)


@pytest.mark.parametrize(
    "path",
    [
        f"/listing?b_page={ATTACK}",
        f"/folder/listing?b_page={ATTACK}",
        f"/sharing?size={ATTACK}",
        "/folder/fails",
        "/folder/fails?ajax=",
        "/folder/fails_at_commit",
        "/folder/fails_first",
        "/folder/fails_after",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_page_of_the_host_when_there_is_a_bug_then_it_is_our_page_and_nothing_is_written(
    host, manager, method, path
):
    assert_bug(host, ask(manager, method, path))
    assert rows(host) == 0


@pytest.mark.parametrize(("language", "heading"), [("en", "went wrong"), ("de", "schiefgegangen")])
def test_page_of_a_bug_when_somebody_reads_german_then_it_is_german(manager, language, heading):
    answer = manager.get("/folder/fails", {"_LOCALE_": language})
    assert heading in answer.body.decode()


def test_answer_when_it_fails_while_it_is_sent_then_the_log_has_its_reference(host, manager):
    with pytest.raises(Exception, match="IncompleteRead"):
        ask(manager, "GET", "/folder/fails_later", X_Request_ID="broken-off-1")
    host.hang_up()
    assert host.says("an answer broke off, reference broken-off-1")


@pytest.mark.parametrize("name", ["missing", "forbidden"])
def test_refusal_of_the_host_when_it_has_a_text_then_the_answer_echoes_nothing(manager, name):
    answer = manager.get(f"/folder/{name}")
    assert_nothing_inside(answer)
    assert_headers(answer)


def test_cookie_when_it_is_no_text_then_the_host_answers_all_the_same(host):
    client = host.connect()
    client.headers["Cookie"] = "auth_tkt=\xff"
    assert client.get("/login").status == 200
    host.hang_up()


# Scripts and forms of cone.app

SCRIPT = {"Accept": "application/json, text/javascript, */*; q=0.01"}
SCRIPT |= {"X_Requested_With": "XMLHttpRequest"}


@pytest.mark.parametrize("path", ["/folder/fails", "/folder/ajaxaction?ajax.action=wrong"])
def test_bug_when_a_script_of_the_host_asks_then_it_gets_a_message_with_the_reference(
    host, manager, path
):
    answer = ask(manager, "GET", path, X_Request_ID="script-1", **SCRIPT)
    assert answer.status == 500
    assert_nothing_inside(answer)
    assert answer.json["error"] == "internal_error"
    assert "script-1" in answer.json["message"]
    assert host.says("script-1")
    assert_headers(answer)
    assert rows(host) == 0


@pytest.mark.parametrize("path", ["/folder/add?factory=thing&ajax=1", "/folder/fails?ajax=1"])
def test_bug_when_a_form_is_sent_into_a_frame_then_the_page_around_it_shows_the_reference(
    host, manager, path
):
    answer = manager.post(path, FORM, X_Request_ID="frame-1")
    assert answer.status == 500, answer.body
    assert_nothing_inside(answer)
    assert_headers(answer)
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    text = answer.body.decode()
    [following] = re.findall(r'<script type="application/json"[^>]*>([^<]*)</script>', text)
    [message] = json.loads(following)
    assert (message["type"], message["flavor"]) == ("message", "error")
    assert "frame-1" in message["payload"]
    assert rows(host) == 0


def test_form_in_a_frame_when_its_place_is_a_script_then_it_stays_a_text(manager):
    evil = "'});alert(1);//</script><script>window.ran = true</script>"
    fields = {"ajax": "1", "ajax.overlay-uid": evil, "factory": "thing", "thingform.title": ""}
    for view in ("add", "overlayadd"):
        answer = manager.post(f"/folder/{view}", {**fields, "action.thingform.save": "1"})
        assert_nothing_inside(answer)


# Names of tiles


@pytest.mark.parametrize(
    "path",
    [
        f"/?ajax.action={ATTACK}",
        f"/folder?ajax.action=layout&contenttile={ATTACK}",
        f"/folder?bdajax.action={ATTACK}",
        f"/login?ajax.action={ATTACK}",
        f"/nonsense?ajax.action={ATTACK}",
        f"/folder/forbidden?ajax.action={ATTACK}",
        f"/folder/ajaxaction?ajax.action={ATTACK}",
        "/folder/ajaxaction",
        "/folder/ajaxaction?ajax.action=tokens_frame",
        "/folder/ajaxaction?ajax.action=change_language&lang=xx",
    ],
)
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_tile_of_the_host_when_there_is_none_of_that_name_then_404_echoes_nothing(
    host, path, is_signed_in
):
    client = host.sign_in() if is_signed_in else host.connect()
    answer = client.get(path) if "?" not in path else ask(client, "GET", path)
    assert answer.status == 404, answer.body
    assert_nothing_inside(answer)
    assert b"There is nothing at this address." in answer.body
    host.hang_up()


@pytest.mark.parametrize(
    ("method", "referer", "link"),
    [
        ("GET", "{}/folder", '<a href="" class="btn">Try again</a>'),
        (
            "POST",
            "{}/folder?x=1",
            '<a href="{}/folder?x=1" class="btn">Back to the page before</a>',
        ),
        ("POST", "http://elsewhere/", None),
        ("POST", None, None),
    ],
)
def test_page_of_a_bug_when_it_is_shown_then_it_says_whom_to_tell_and_sends_nothing_again(
    host, manager, method, referer, link
):
    site = f"http://127.0.0.1:{host.port}"
    # A page of another site may not post: the address says where it comes from, the header not.
    headers = {"Referer": referer.format(site)} if referer else {}
    answer = ask(manager, method, "/folder/fails", Sec_Fetch_Site="same-origin", **headers)
    assert_bug(host, answer)
    text = answer.body.decode()
    assert "Tell an administrator of this site" in text
    buttons = re.findall(r'<a href="[^"]*" class="btn">[^<]*</a>', text)
    assert buttons == ([link.format(site)] if link else [])


def test_tile_when_it_fails_like_one_that_is_missing_then_it_fails(host, manager):
    assert_bug(host, ask(manager, "GET", "/folder?ajax.action=wrong"))
    assert rows(host) == 0


@pytest.mark.parametrize("path", ["/login?a=%ff", "/folder?%ff=1", "/nonsense?a=%ff"])
def test_query_when_it_is_not_utf8_then_400_on_pages_of_the_host_too(manager, path):
    answer = ask(manager, "GET", path)
    assert answer.status == 400, answer.body
    assert_headers(answer)


@pytest.mark.parametrize("language", ["xx", "..%2F..", "%00", "%ff"])
def test_language_when_there_is_none_of_that_name_then_the_host_answers(manager, language):
    assert ask(manager, "GET", f"/login?_LOCALE_={language}").status in (200, 400)


# Headers


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/folder", "/nonsense", "/settings", "/favicon.ico", "/folder/missing"],
)
def test_headers_when_the_host_answers_then_it_can_be_framed_by_the_site_alone(manager, path):
    answer = manager.get(path)
    assert_headers(answer)
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("name", ["jquery/jquery-4.0.0.js", "bootstrap/css/bootstrap.css", "none"])
def test_headers_when_a_file_is_asked_for_then_it_is_taken_for_what_it_is(manager, name):
    answer = manager.get(f"/resources/{name}")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    ["/tokens", "/tokens/tokens_overview", "/tokens/scan", "/tokens/query_token", "/tokens/none"],
)
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_headers_when_we_answer_then_no_frame_shows_it_and_no_cache_keeps_it(
    host, path, is_signed_in
):
    client = host.sign_in() if is_signed_in else host.connect()
    answer = client.get(path)
    assert_headers(answer)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "camera=(" in answer.headers["Permissions-Policy"]
    host.hang_up()


def test_headers_when_a_view_has_a_policy_then_it_stays(manager):
    answer = manager.get("/folder/own_policy")
    assert answer.headers.get_all("Content-Security-Policy") == ["default-src 'unsafe-inline'"]
    assert "X-Frame-Options" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_headers_when_a_view_allows_more_then_its_answer_alone_says_so(manager):
    wider = manager.get("/folder/wider_form").headers["Content-Security-Policy"]
    assert "form-action 'self' https://pay.example;" in wider
    assert "pay.example" not in manager.get("/folder").headers["Content-Security-Policy"]
