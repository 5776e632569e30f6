"""In which language pages come: the choice, the browser's languages, the default."""

import cone.app
import pytest


@pytest.fixture
def languages():
    """Return a function that sets the languages of the site."""
    before = cone.app.cfg.available_languages

    def use(*names):
        cone.app.cfg.available_languages = list(names)

    yield use
    cone.app.cfg.available_languages = before


def language_of(client, path="/tokens", accept=None):
    headers = {"Accept-Language": accept} if accept is not None else {}
    return client.get(path, headers=headers, status="*").html.html["lang"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("en;q=0.2, de;q=0.7", "de"),
        ("fr,it;q=0.9,de;q=0.1", "de"),
        ("de;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("de; q=nonsense", "en"),
        (";;;\x80", "en"),
        ("../../etc", "en"),
    ],
)
def test_page_when_the_browser_names_its_languages_then_the_best_one_comes(
    anonymous, accept, expected
):
    assert language_of(anonymous, accept=accept) == expected


@pytest.mark.parametrize("path", ["/login", "/", "/settings", "/tokens/nonsense", "/tokens"])
def test_page_of_the_host_when_the_browser_is_german_then_it_is_too(anonymous, path):
    answer = anonymous.get(path, headers={"Accept-Language": "de-AT"}, status="*")
    words = ("Passwort", "Nicht gefunden")
    assert any(word in answer.text for word in words), answer.text
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)


def test_page_when_a_language_was_chosen_then_that_counts_more(anonymous):
    german = {"accept": "de"}
    assert language_of(anonymous, "/tokens?_LOCALE_=en", **german) == "en"
    anonymous.set_cookie("_LOCALE_", "en")
    assert language_of(anonymous, **german) == "en"
    assert language_of(anonymous, "/tokens?_LOCALE_=de", "en") == "de"


@pytest.mark.parametrize("chosen", ["xx", "fr", "../..", "%00", ""])
def test_page_when_the_choice_is_no_language_of_the_site_then_the_next_counts(anonymous, chosen):
    assert language_of(anonymous, f"/tokens?_LOCALE_={chosen}", "de") == "de"
    anonymous.set_cookie("_LOCALE_", "fr")
    assert language_of(anonymous, accept="de") == "de"
    assert language_of(anonymous) == "en"


def test_page_when_the_site_has_one_language_then_the_browser_does_not_count(anonymous, languages):
    languages()
    assert language_of(anonymous, accept="de") == "en"
    languages("en")
    assert language_of(anonymous, accept="de") == "en"
    assert language_of(anonymous, "/tokens?_LOCALE_=de") == "en"


def test_page_when_the_site_has_a_regional_language_then_it_is_found(anonymous, languages):
    languages("en", "de_AT")
    assert language_of(anonymous, accept="de-AT") == "de"


def test_page_when_a_form_names_a_language_then_the_body_is_not_read_for_it(anonymous):
    answer = anonymous.post("/tokens/add", {"_LOCALE_": "de"}, status=401)
    assert answer.html.html["lang"] == "en"


def test_vary_when_a_page_depends_on_no_language_then_it_is_absent(editor, make_token):
    answer = editor.get(f"/tokens/{make_token().uid}/qr_code?format=png")
    assert not answer.vary
