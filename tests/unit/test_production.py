import pytest

from cone.tokens.host.config import StartupError
from cone.tokens.production import LEAST_LENGTHS
from cone.tokens.production import check
from cone.tokens.production import fill

GOOD = {
    "cone.auth_secret": "9c1f0b6d4e8a7352c6d1e0f94b7a8235",
    "cone.admin_user": "admin",
    "cone.admin_password": "correct horse battery",
    "cone.auth_secure": "true",
    "cone.auth_http_only": "true",
    "pyramid.includes": "pyramid_tm",
}


def test_fill_when_variables_are_there_then_they_are_put_in():
    settings = {"a": "${A_1}", "b": "x ${B}-${A_1}", "c": "$A {A} %(A)s"}
    filled = fill(settings, {"A_1": "one", "B": "${A_1}"})
    assert filled == {"a": "one", "b": "x ${A_1}-one", "c": "$A {A} %(A)s"}


def test_fill_when_it_is_part_of_a_url_then_it_is_quoted():
    settings = {"sql.db.url": "postgresql+psycopg://me:${P}@/db", "other.url": " ${P} "}
    filled = fill(settings, {"P": "a/b@c:d e"})
    assert filled["sql.db.url"] == "postgresql+psycopg://me:a%2Fb%40c%3Ad%20e@/db"
    assert filled["other.url"] == " a/b@c:d e "


@pytest.mark.parametrize("environ", [{}, {"NAME": ""}])
def test_fill_when_a_variable_is_missing_then_setting_and_variable_are_named(environ):
    with pytest.raises(StartupError, match=r"^a.b: the environment has no variable NAME$"):
        fill({"a.b": "${NAME}"}, environ)


@pytest.mark.parametrize("text", ["${TOKENS-AUTH-SECRET-OF-THE-SITE-0123456}", "${A}${B", "${}"])
def test_fill_when_a_name_is_none_then_it_does_not_stay_as_a_secret(text):
    with pytest.raises(StartupError, match=r"^a: has a \$\{ without the name"):
        fill({"a": text}, {"A": "one"})


def test_check_when_all_is_good_then_nothing_is_refused():
    check(GOOD)
    nobody = {"cone.admin_user", "cone.admin_password"}
    check({key: text for key, text in GOOD.items() if key not in nobody})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cone.auth_secret", "hunter2"),
        ("cone.auth_secret", "9c1f0b6d4e8a7352c6d1e0f94b7a823"),
        ("cone.auth_secret", "0123456789abcdef0123456789abcdef"),
        ("cone.auth_secret", "Please-Change-this-2-something-0123456789"),
        ("cone.admin_password", "the-pass_word-of-1"),
        ("cone.auth_secret", "a" * 64),
        ("cone.auth_secret", None),
        ("cone.admin_password", "hunter2"),
        ("cone.admin_password", "passwordpassword"[:14]),
        ("cone.admin_password", "1" * 20),
        ("cone.tokens.metrics_secret", "a" * 16),
        ("cone.tokens.metrics_secret", "hunter2"),
        ("cone.auth_secure", "false"),
        ("cone.auth_secure", None),
        ("cone.auth_http_only", "0"),
        ("pyramid.reload_templates", "true"),
        ("debug", "on"),
        ("pyramid.includes", "pyramid_debugtoolbar pyramid_tm"),
    ],
)
def test_check_when_a_setting_is_weak_then_it_is_named_and_not_told(key, text):
    settings = {name: value for name, value in (GOOD | {key: text}).items() if value is not None}
    with pytest.raises(StartupError, match=f"^{key}: (is|pyramid)") as told:
        check(settings)
    assert not (key in LEAST_LENGTHS and text and text in str(told.value))


@pytest.mark.parametrize("text", ["false", "", None])
def test_check_when_this_machine_alone_can_ask_then_cookies_may_go_over_http(text):
    settings = {name: value for name, value in GOOD.items() if name != "cone.auth_secure"}
    check(settings if text is None else settings | {"cone.auth_secure": text}, is_local=True)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cone.auth_secret", "hunter2"),
        ("cone.auth_http_only", "false"),
        ("pyramid.debug_all", "true"),
    ],
)
def test_check_when_this_machine_alone_can_ask_then_all_else_is_demanded(key, text):
    with pytest.raises(StartupError, match=f"^{key}: is"):
        check(GOOD | {key: text}, is_local=True)
