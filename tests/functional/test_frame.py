"""The frame of the pages: title, language, navigation; and sites with a template of their own."""

import shutil
from pathlib import Path

import cone.app
import pytest

from tests.functional.test_pages import HTML

HOST = "cone.app.browser:templates/main.pt"
OURS = "cone.tokens.browser:templates/main.pt"


def parts(answer):
    return [
        link.get_text()
        for link in answer.html.find("nav", class_="tokens-parts") or []
        if link.name == "a"
    ]


@pytest.fixture
def main_template():
    """Return a function that names the main template of the site."""

    def take(name):
        cone.app.cfg.main_template = name

    yield take
    take(HOST)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/tokens", "Tokens · CONE"),
        ("/tokens/add", "Add a token · CONE"),
        ("/tokens/statistics", "Statistics · CONE"),
        ("/tokens/nonsense", "Not found · CONE"),
        ("/settings/token_settings", "Token settings · CONE"),
    ],
)
def test_page_when_it_is_opened_then_its_title_is_its_heading(signed_in, path, title):
    answer = signed_in("manager").get(path, status="*")
    assert answer.html.title.get_text() == title
    assert len(answer.html.find_all("h1")) == len(answer.html.find_all("main")) == 1


def test_title_when_a_value_has_markup_then_it_is_escaped_once(signed_in, make_token):
    token = make_token(value=HTML[:30])
    answer = signed_in("viewer").get(f"/tokens/{token.uid}")
    assert answer.html.title.get_text() == f"Token {HTML[:30]} · CONE"
    assert "<title>Token &lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("token_operator", ["Tokens", "Scan"]),
        ("viewer", ["Tokens", "Statistics"]),
        ("editor", ["Tokens", "Scan", "Statistics"]),
        ("manager", ["Tokens", "Scan", "Statistics", "Settings"]),
    ],
)
def test_navigation_when_a_role_looks_then_it_leads_where_that_may_go(signed_in, role, names):
    client = signed_in(role)
    answer = client.get("/tokens")
    assert parts(answer) == names
    for link in answer.html.find("nav", class_="tokens-parts").find_all("a"):
        assert client.get(link["href"]).status_int == 200


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/tokens", "Tokens"),
        ("/tokens/add", "Tokens"),
        ("/tokens/statistics", "Statistics"),
        ("/settings/token_settings", "Settings"),
    ],
)
def test_navigation_when_one_is_somewhere_then_that_part_is_marked(signed_in, path, current):
    nav = signed_in("manager").get(path).html.find("nav", class_="tokens-parts")
    assert [link.get_text() for link in nav.find_all("a", {"aria-current": True})] == [current]


def test_frame_when_nobody_is_signed_in_then_it_has_no_account(anonymous):
    answer = anonymous.get("/tokens", status=401)
    assert not answer.html.find(class_="tokens-menu")
    assert parts(answer) == []
    assert [link.get_text() for link in answer.html.find_all(attrs={"data-language": True})] == [
        "EN",
        "DE",
    ]


@pytest.mark.parametrize(("language", "word"), [("en", "Sign out"), ("de", "Abmelden")])
def test_frame_when_one_is_signed_in_then_it_offers_to_sign_out(signed_in, language, word):
    answer = signed_in("viewer").get(f"/tokens?_LOCALE_={language}")
    menu = answer.html.find(class_="tokens-menu")
    assert menu.summary.get_text().startswith("viewer")
    assert menu.find("a", href="http://localhost/logout").get_text(strip=True) == word


def test_site_when_it_names_a_template_then_our_pages_stand_in_it(
    signed_in,
    main_template,
    tmp_path,
):
    client = signed_in("viewer")
    of_host = Path(cone.app.__file__).parent / "browser" / "templates" / "main.pt"
    main_template(str(shutil.copy(of_host, tmp_path)))
    answer = client.get("/tokens")
    assert answer.html.find(id="header-main")
    assert not answer.html.find(class_="tokens-frame")
    # What the scripts need is there all the same.
    assert answer.html.find("script", class_="tokens-settings")


def test_site_when_it_names_ours_then_pages_of_the_host_stand_in_it(
    signed_in,
    anonymous,
    main_template,
):
    main_template(OURS)
    page = anonymous.get("/login").html
    assert page.html["lang"] == "en"
    assert page.find(class_="tokens-frame").find("input", type="password")
    assert page.h1.get_text() == "Sign in to CONE"
    assert page.title.get_text() == "Sign in to CONE · CONE"
    assert signed_in("manager").get("/settings").html.find(class_="tokens-frame")
    # From there the menu of the site leads to the tokens.
    [link] = (
        signed_in("viewer").get("/").html.find("nav", attrs={"aria-label": "Site"}).find_all("a")
    )
    assert link["href"] == "http://localhost/tokens"
    main_template(HOST)
    assert not anonymous.get("/login").html.find(class_="tokens-frame")
