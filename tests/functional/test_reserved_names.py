"""Users whose names are those of roles, groups or the like: nobody becomes one by such a name."""

import itertools

import cone.app.security
import pytest
from cone.app.interfaces import IAuthenticator
from cone.app.ugm import ugm_backend
from pyramid.authentication import AuthTktCookieHelper
from pyramid.request import Request
from webtest import TestApp

from tests.functional.test_around_requests import secret_of
from tests.support.site import PASSWORD
from tests.support.site import login_form

NAMES = (
    "role:manager",
    "role:",
    "group:doors",
    "scope:tokens",
    "system.Authenticated",
    "system.Everyone",
)
WAYS = ("administrator", "authenticator", "directory")


class Lenient:
    """An authenticator of a site that lets one name in, whatever is typed."""

    def __init__(self, name):
        self.name = name

    def authenticate(self, _login, _password):
        return self.name


@pytest.fixture
def let_in(wsgi_app, monkeypatch):
    """Return a function that makes a name one that the site would let in."""

    def prepare(way, name):
        security = cone.app.security
        if way == "administrator":
            monkeypatch.setattr(security, "ADMIN_USER", name)
            return
        if way == "authenticator":
            registry = wsgi_app.next_app.registry
            monkeypatch.setattr(security, "AUTHENTICATOR", "lenient")
            registry.registerUtility(Lenient(name), IAuthenticator, name="lenient")
            return
        users = ugm_backend.ugm.users
        monkeypatch.setattr(type(users), "authenticate", lambda *_arguments: True)
        monkeypatch.setattr(type(users), "id_for_login", lambda _users, login: login)

    return prepare


@pytest.mark.parametrize(("way", "name"), [*itertools.product(WAYS, NAMES)])
def test_sign_in_when_the_name_is_that_of_a_role_or_group_then_nobody_is_signed_in(
    let_in, anonymous, way, name
):
    let_in(way, name)
    answer = anonymous.post("/login", login_form(name))
    assert answer.status_int == 200
    assert "User name or password is wrong." in answer.text
    assert "Set-Cookie" not in answer.headers
    anonymous.get("/tokens", status=401)


@pytest.mark.parametrize(
    ("way", "name"), [*itertools.product(WAYS, ("roles", "system", "a role:x"))]
)
def test_sign_in_when_the_name_is_only_like_one_then_it_is_good(let_in, anonymous, way, name):
    let_in(way, name)
    assert anonymous.post("/login", login_form(name)).status_int == 302


@pytest.mark.parametrize("name", NAMES)
def test_cookie_when_it_has_the_name_of_a_role_or_group_then_nobody_asks(wsgi_app, site, name):
    cookie = AuthTktCookieHelper(secret_of(site / "site.ini"), hashalg="sha512")
    asking = Request.blank("/", environ={"REMOTE_ADDR": "127.0.0.1"})
    client = TestApp(wsgi_app)
    header = cookie.remember(asking, name)[0][1].partition(";")[0]
    for path in ("/tokens", "/tokens/add", "/tokens/query_token?value=x"):
        client.get(path, headers={"Cookie": header}, status=401)
    assert PASSWORD not in client.get("/settings", headers={"Cookie": header}, status="*").text
