"""Pages of other sites may lead a browser to pages, and to nothing that does something."""

import contextlib

import pytest
from cone.tile import Tile
from cone.tile import register_tile
from pyramid.threadlocal import manager

from tests.functional.test_permissions import FOREIGN
from tests.functional.test_permissions import OURS
from tests.support.asking import make_user
from tests.support.asking import sign_in
from tests.support.site import PASSWORD
from tests.support.site import login_form

ELSEWHERE = FOREIGN["cross-site"]
EVERY_FOREIGN = pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
SIGN_IN_PATHS = ("/login", "/tokens/login", "/settings/login", "/", "/tokens", "/settings")


def query_of(form):
    return "&".join(f"{name}={text}" for name, text in form.items())


# Signing in


@EVERY_FOREIGN
@pytest.mark.parametrize("path", ["/login", "/tokens/login", "/settings/login"])
def test_sign_in_when_another_site_sends_the_form_then_403_and_nobody_is_signed_in(
    anonymous, limited, path, headers
):
    limited(sign_in_name="1/5 minutes", sign_in_address="1/5 minutes")
    login = make_user("viewer")
    form = login_form(login)
    for password in (PASSWORD, "wrong"):
        sent = {**form, "loginform.password": password}
        answer = anonymous.post(path, sent, headers=headers, status=403)
        assert "Set-Cookie" not in answer.headers
        assert "Pages of other sites" in answer.text
    # No try counts: the name is not locked out.
    assert anonymous.post(path, form).status_int == 302


@pytest.mark.parametrize("path", ["/", "/settings", "/nothing"])
def test_sign_in_when_another_site_sends_the_form_to_any_page_then_it_is_no_sign_in(
    anonymous, limited, path
):
    limited(sign_in_name="1/5 minutes", sign_in_address="1/5 minutes")
    login = make_user("viewer")
    form = login_form(login)
    for _ in range(3):
        answer = anonymous.post(path, form, headers=ELSEWHERE, status="*")
        assert "Set-Cookie" not in answer.headers
        assert answer.status_int != 429
    sign_in(anonymous, login)


@pytest.mark.parametrize("headers", [ELSEWHERE, {"Sec-Fetch-Site": "same-origin"}, {}])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", SIGN_IN_PATHS)
def test_sign_in_when_the_password_is_in_the_address_then_it_is_refused(
    anonymous, limited, caplog, path, method, headers
):
    limited(sign_in_name="1/5 minutes", sign_in_address="1/5 minutes")
    login = make_user("viewer")
    form, status = login_form(login), 403 if headers is ELSEWHERE else 400
    for query in (query_of(form), f"%6coginform.user={login}&loginform.password=x"):
        answer = anonymous.request(f"{path}?{query}", method=method, headers=headers, status=status)
        assert "Set-Cookie" not in answer.headers
    # Half of it in the body is no better.
    sent = {"loginform.user": login, "action.loginform.login": "1"}
    answer = anonymous.post(f"{path}?loginform.password={PASSWORD}", sent, status=400)
    assert "Set-Cookie" not in answer.headers
    assert "must not stand in the address" in answer.text
    assert "sign-in" not in caplog.text
    sign_in(anonymous, login)


@pytest.mark.parametrize("headers", [*FOREIGN.values(), *OURS.values()])
def test_sign_in_when_any_site_leads_to_the_bare_form_then_it_is_shown(anonymous, headers):
    for path in ("/login", "/login?came_from=/tokens", "/tokens/login?_LOCALE_=de"):
        assert anonymous.get(path, headers=headers).forms


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
def test_sign_in_when_our_form_sends_it_then_it_is_one(anonymous, headers):
    form = login_form(make_user("viewer"))
    answer = anonymous.post("/login", form, headers=headers)
    assert (answer.status_int, "Set-Cookie" in answer.headers) == (302, True)


def test_sign_in_when_the_form_is_a_part_of_a_page_then_it_is_no_sign_in(anonymous):
    path = "/ajaxaction?ajax.action=loginform&ajax.mode=inner&ajax.selector=main"
    form = login_form(make_user("viewer"))
    answer = anonymous.post(path, form, headers=ELSEWHERE, status="*")
    assert "Set-Cookie" not in answer.headers


# Signing out


def is_signed_in(client):
    return client.get("/tokens", status="*").status_int == 200


@EVERY_FOREIGN
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/logout", "/tokens/logout", "/settings/logout"])
def test_sign_out_when_another_site_asks_for_it_then_403(app, path, method, headers):
    client = app("viewer")
    answer = client.request(path, method=method, headers=headers, status=403)
    assert "Set-Cookie" not in answer.headers
    assert is_signed_in(client)


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
def test_sign_out_when_our_page_asks_for_it_then_it_is_done(app, headers):
    client = app("viewer")
    client.get("/logout", headers=headers, status=302)
    assert not is_signed_in(client)


def test_sign_out_when_the_link_is_only_fetched_ahead_then_403(app):
    client = app("viewer")
    client.get("/logout", headers={"Sec-Purpose": "prefetch"}, status=403)
    assert is_signed_in(client)


NOT_OURS = [
    "https://elsewhere.example",
    "http://elsewhere.example/",
    "https://localhost/tokens",
    "http://localhost:8080/",
    "http://localhost.evil.example/",
    "http://localhost@evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "http:/evil.example",
    "javascript:alert(1)",
    "tokens",
    " //evil.example",
    "/\t/evil.example",
    "http://localhost\\@evil.example",
    "/tokens\r\nSet-Cookie: a=b",
    "/\x00",
    "/ä",
    "",
]


@pytest.mark.parametrize("came_from", NOT_OURS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sign_out_when_it_is_to_lead_to_another_site_then_it_leads_home(app, came_from, method):
    client = app("viewer")
    if method == "GET":
        answer = client.get("/logout", {"came_from": came_from}, status=302)
    else:
        answer = client.post("/logout", {"came_from": came_from}, status=302)
    assert answer.location in ("http://localhost", "http://localhost/")
    assert not is_signed_in(client)


def test_sign_out_when_one_of_two_addresses_is_elsewhere_then_it_leads_home(app):
    for first, second in (("/tokens", "//evil.example"), ("//evil.example", "/tokens")):
        query = f"came_from={first}&came_from={second}"
        assert app("viewer").get(f"/logout?{query}").location.rstrip("/") == "http://localhost"


@pytest.mark.parametrize("came_from", ["/tokens?a=b", "http://localhost/tokens?a=b"])
def test_sign_out_when_it_is_to_lead_to_this_site_then_it_does(app, came_from):
    answer = app("viewer").get("/logout", {"came_from": came_from})
    assert answer.location == "http://localhost/tokens?a=b"


# The host's part of the site


class Deed(Tile):
    """A tile that does something, as those of cone.app do."""

    done: list[str] = []  # noqa: RUF012 - shared on purpose

    def render(self) -> str:
        self.done.append(self.request.method)
        return ""


@pytest.fixture
def deeds(wsgi_app, monkeypatch):
    """Register a tile that does something; return the list of what it did."""
    registry = wsgi_app.next_app.registry
    with _current(registry):
        register_tile(name="deed", class_=Deed, permission="login")
    Deed.done.clear()
    return Deed.done


@contextlib.contextmanager
def _current(registry):
    manager.push({"registry": registry, "request": None})
    try:
        yield
    finally:
        manager.pop()


DEEDS = {
    "a tile by its name": "/settings/deed",
    "ajaxaction": "/settings/ajaxaction?ajax.action=deed",
    "ajaxaction at the root": "/ajaxaction?ajax.action=deed",
    "ajaxaction of old": "/settings/ajaxaction?bdajax.action=deed",
    "a tile as content": "/settings?ajax.action=deed",
    "a tile as content of old": "/settings?bdajax.action=deed",
    "a tile in the layout": "/settings/ajaxaction?ajax.action=layout&contenttile=deed",
    "with a mark": "/settings/@@deed",
    "encoded": "/settings/%64eed",
}


@EVERY_FOREIGN
@pytest.mark.parametrize("path", DEEDS.values(), ids=DEEDS)
def test_host_when_another_site_asks_for_a_deed_then_403(signed_in, deeds, path, headers):
    signed_in("manager").get(path, headers=headers, status=403)
    assert deeds == []


@pytest.mark.parametrize("path", ["/settings/ajaxaction?ajax.action=deed", "/?ajax.action=deed"])
def test_host_when_its_own_page_asks_for_a_deed_then_it_is_done(signed_in, deeds, path):
    signed_in("manager").get(path, headers=OURS["same-origin"])
    assert deeds == ["GET"]


@pytest.mark.parametrize(
    "path",
    [
        "/settings?action.form.save=1",
        "/settings/edit?a=1&action.form.save=1",
        "/settings?do_transition=publish",
        "/livesearch?term=x",
        "/settings?contenttile=local_acl",
        "/?ajax.action=sharing&contenttile=local_acl",
    ],
)
def test_host_when_another_site_sends_a_form_by_get_then_403(signed_in, path):
    signed_in("manager").get(path, headers=ELSEWHERE, status=403)


@EVERY_FOREIGN
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_host_when_another_site_sends_something_then_403(signed_in, method, headers):
    for path in ("/", "/settings", "/settings/edit", "/sharing", "/nothing"):
        signed_in("manager").request(path, method=method, headers=headers, status=403)


@EVERY_FOREIGN
def test_host_when_another_site_leads_to_a_page_then_it_is_shown(signed_in, headers):
    client = signed_in("manager")
    for path in ("/", "/settings", "/listing", "/settings?contenttile=listing", "/tokens"):
        assert client.get(path, headers=headers).status_int == 200


def test_host_when_nobody_is_signed_in_then_forms_of_other_sites_are_the_hosts_matter(anonymous):
    # A way back from another service brings no cookie along.
    assert anonymous.post("/nothing", {"a": "1"}, headers=ELSEWHERE).status_int == 200
