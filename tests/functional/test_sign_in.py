"""Signing in leads to where one wanted to go."""

from urllib.parse import unquote
from urllib.parse import urlencode

import cone.app
import pytest
from webtest import TestApp

from cone.tokens.host import identity
from tests.functional.test_other_sites import NOT_OURS
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import make_user
from tests.support.site import PASSWORD
from tests.support.site import login_form

MOUNTED = {"SCRIPT_NAME": "/shop"}
PLACES = pytest.mark.parametrize("environ", [{}, MOUNTED], ids=["at the root", "below a path"])


@pytest.fixture
def main_template():
    """Return a function that names the site's main template."""
    before = cone.app.cfg.main_template

    def use(template):
        cone.app.cfg.main_template = template

    yield use
    cone.app.cfg.main_template = before


def form_of(page):
    return page.forms["sign-in-form"]


def filled(page, login, password=PASSWORD):
    form = form_of(page)
    form["loginform.user"], form["loginform.password"] = login, password
    return form


def sign_in_at(page, login, environ=None):
    answer = filled(page, login).submit("action.loginform.login", extra_environ=environ or {})
    assert answer.status_int == 302
    return answer.location


@PLACES
@pytest.mark.parametrize(
    "path",
    [
        "/tokens",
        "/tokens/tokens_overview?search=A%20%26%20B&status=expired&sort=-value",
        "/tokens/scan",
        f"/tokens/{UNKNOWN_UID}?receipt=x",
        "/tokens/statistics?range=7-days&x=%C3%A4%2F",
        "/settings/token_settings",
        "/settings?contenttile=listing",
        "/?a=b",
    ],
)
def test_sign_in_when_a_page_asked_for_it_then_that_page_comes_next(anonymous, path, environ):
    page = anonymous.get(path, status="*", extra_environ=environ)
    root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
    assert sign_in_at(page, make_user("manager"), environ) == f"{root}{path}"


@PLACES
def test_sign_in_when_the_password_is_wrong_at_first_then_the_page_comes_all_the_same(
    anonymous, environ
):
    page = anonymous.get("/tokens?search=x", status=401, extra_environ=environ)
    login = make_user("viewer")
    for _ in range(2):
        wrong = filled(page, login, "wrong")
        page = wrong.submit("action.loginform.login", extra_environ=environ)
        assert "User name or password is wrong." in page.text
    root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
    assert sign_in_at(page, login, environ) == f"{root}/tokens?search=x"


@PLACES
@pytest.mark.parametrize("role", ["viewer", "editor", "admin", "manager", None])
def test_sign_in_when_nothing_was_asked_for_then_the_start_page_comes(anonymous, role, environ):
    login = make_user(role)
    root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
    for path in ("/login", "/", "/login?came_from=/", "/login?came_from="):
        page = anonymous.get(path, extra_environ=environ)
        assert sign_in_at(page, login, environ).rstrip("/") == root
        anonymous.reset()


@PLACES
def test_sign_in_when_an_operator_asked_for_nothing_then_the_door_comes(anonymous, environ):
    login = make_user("token_operator")
    root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
    for path in ("/login", "/", f"/login?came_from={environ.get('SCRIPT_NAME', '')}/"):
        page = anonymous.get(path, extra_environ=environ)
        location = sign_in_at(page, login, environ)
        assert location == f"{root}/tokens/scan"
        anonymous.get("/tokens/scan", status=200)
        anonymous.reset()
    page = anonymous.get("/tokens?value=x", status=401, extra_environ=environ)
    assert sign_in_at(page, login, environ) == f"{root}/tokens?value=x"


def test_sign_in_when_the_site_remembers_users_otherwise_then_the_start_page_comes(
    anonymous, monkeypatch
):
    monkeypatch.delattr(identity.CookieReadOnce, "remember")
    page = anonymous.get("/login")
    assert sign_in_at(page, make_user("token_operator")).rstrip("/") == "http://localhost"


@pytest.mark.parametrize("came_from", NOT_OURS)
def test_sign_in_when_it_is_to_lead_to_another_site_then_the_start_page_comes(anonymous, came_from):
    login = make_user("viewer")
    page = anonymous.get("/login", {"came_from": came_from})
    assert form_of(page).action == "http://localhost/login"
    assert sign_in_at(page, login).rstrip("/") == "http://localhost"
    # Nor where somebody else wrote the address of the form.
    path = f"/login?{urlencode({'came_from': came_from})}"
    assert anonymous.post(path, login_form(login)).location.rstrip("/") == "http://localhost"


ACTING = [
    f"/tokens/{UNKNOWN_UID}/consume_token",
    f"/tokens/{UNKNOWN_UID}/@@consume_token",
    f"/tokens/{UNKNOWN_UID}/consume%5Ftoken",
    f"/tokens/{UNKNOWN_UID}/consume_token?x=1#y",
    "/logout",
    "/tokens/logout",
    "/login",
    "/ajaxaction?ajax.action=delete",
    "/settings/delete",
    "/settings?ajax.action=delete",
    "/settings?action.form.save=1",
    "/settings?do_transition=publish",
    "/tokens/%ff",
    "/settings/../../elsewhere",
    "/%2e%2e/elsewhere",
]


@pytest.mark.parametrize("came_from", ACTING)
def test_sign_in_when_the_address_would_do_something_then_the_start_page_comes(
    anonymous, came_from
):
    page = anonymous.get("/login", {"came_from": came_from})
    assert sign_in_at(page, make_user("admin")).rstrip("/") == "http://localhost"


def test_sign_in_when_another_application_has_the_address_then_the_start_page_comes(anonymous):
    login = make_user("viewer")
    for came_from in ("/other", "/shopping", "/shop/../other", "http://localhost/other"):
        page = anonymous.get("/login", {"came_from": came_from}, extra_environ=MOUNTED)
        location = sign_in_at(page, login, MOUNTED)
        assert location.rstrip("/") == "http://localhost/shop"
        anonymous.reset()


def test_sign_in_when_a_form_was_sent_after_the_session_then_its_page_comes(anonymous):
    page = f"http://localhost/tokens/{UNKNOWN_UID}/edit?a=b"
    home = "http://localhost"
    for referer, following in ((page, page), ("http://x.example/", home), (None, home)):
        headers = {"Referer": referer, "Origin": "http://localhost"} if referer else {}
        path = f"/tokens/{UNKNOWN_UID}/use"
        answer = anonymous.post(path, {"key": UNKNOWN_UID}, headers=headers, status=401)
        location = sign_in_at(answer, make_user("editor"))
        assert location.rstrip("/") == following
        anonymous.reset()


def test_sign_in_page_when_the_address_has_markup_then_it_stays_an_address(anonymous):
    for sign in ('"><script>alert(1)</script>', "a=1&copy=2&lt;b&gt", "'x'", "%2526"):
        page = anonymous.get(f"/tokens?search={sign}", status=401)
        assert not [code for code in page.html.find_all("script") if "alert(1)" in code.text]
        page = filled(page, "nobody", "wrong").submit("action.loginform.login")
        location = sign_in_at(page, make_user("viewer"))
        assert unquote(location) == unquote(f"http://localhost/tokens?search={sign}")
        anonymous.reset()


@pytest.mark.parametrize("path", ["/login", "/tokens"])
def test_sign_in_page_when_shown_then_it_names_the_site_and_the_first_field_has_the_focus(
    anonymous, path
):
    page = anonymous.get(path, status="*").html
    assert page.h1.get_text() == "Sign in to CONE"
    [focused] = page.find_all(autofocus=True)
    assert (focused["name"], focused["autocomplete"]) == ("loginform.user", "username")
    labels = [
        label.get_text(strip=True) for label in page.find(id="sign-in-form").find_all("label")
    ]
    assert labels == ["User name", "Password"]


@pytest.mark.parametrize("template", ["cone.app.browser", "cone.tokens.browser"])
def test_sign_in_page_when_the_password_is_wrong_then_it_is_told_above_and_does_not_come_back(
    anonymous, main_template, template
):
    main_template(f"{template}:templates/main.pt")
    answer = filled(anonymous.get("/login"), "ann", "wrong-one").submit("action.loginform.login")
    card = answer.html.find(class_="tokens-sign-in")
    assert card.find(role="alert").get_text(strip=True) == "User name or password is wrong."
    assert card.find(attrs={"name": "loginform.user"})["value"] == "ann"
    assert card.find(autofocus=True)["name"] == "loginform.password"
    assert not card.find(class_="is-valid")
    assert "wrong-one" not in answer.text


@pytest.mark.parametrize("template", ["cone.app.browser", "cone.tokens.browser"])
@pytest.mark.parametrize(
    ("language", "name", "password", "mistakes"),
    [
        ("en", "", "", ["Enter a user name.", "Enter a password."]),
        ("en", "", "secret", ["Enter a user name."]),
        ("en", "ann", "", ["Enter a password."]),
        ("en", "ann", "wrong", ["User name or password is wrong."]),
        ("de", "", "", ["Geben Sie einen Benutzernamen ein.", "Geben Sie ein Passwort ein."]),
        ("de", "ann", "wrong", ["Benutzername oder Passwort ist falsch."]),
    ],
)
def test_sign_in_page_when_something_is_wrong_then_it_is_told_in_our_words(
    anonymous, main_template, template, language, name, password, mistakes
):
    main_template(f"{template}:templates/main.pt")
    page = anonymous.get(f"/login?_LOCALE_={language}")
    anonymous.set_cookie("_LOCALE_", language)
    answer = filled(page, name, password).submit("action.loginform.login")
    told = answer.html.find(id="loginform-mistakes").find_all("p")
    assert [mistake.string for mistake in told] == mistakes


def test_sign_in_when_two_users_sign_in_with_one_client_then_each_starts_at_home(wsgi_app):
    client = TestApp(wsgi_app)
    places = [
        sign_in_at(client.get("/login"), make_user(role)).rstrip("/")
        for role in ("token_operator", "viewer", "token_operator")
    ]
    door, home = "http://localhost/tokens/scan", "http://localhost"
    assert places == [door, home, door]
