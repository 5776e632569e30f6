"""Who asks too often gets 429, before the database is asked."""

import logging
import uuid

import pytest
from cone.app.browser import login as host
from webtest import TestApp

from cone.tokens.host import wiring
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.signin import guard_sign_in
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import make_user
from tests.support.asking import send
from tests.support.asking import sign_in
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import write_site

WRONG = "wrong"
SIGN_IN = "Too many tries to sign in"


def try_to_sign_in(client, login, password=WRONG, path="/login", **environ):
    form = {**login_form(login), "loginform.password": password}
    return client.post(path, form, status="*", extra_environ=environ)


def assert_limited(answer):
    assert_failure(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("name", "parameters"), [("query_token", {"value": "x"}), ("query_tokens", {})]
)
def test_query_when_a_user_asks_too_often_then_429_and_no_statement(
    signed_in, limited, query_recorder, name, parameters
):
    limited(queries="3/minute")
    client = signed_in("editor")
    for _ in range(3):
        assert send(client, "GET", f"/tokens/{name}", parameters).status_int == 200
    query_recorder.clear()
    assert_limited(send(client, "GET", f"/tokens/{name}", parameters))
    assert len(query_recorder) == 0
    assert send(signed_in("admin"), "GET", f"/tokens/{name}", parameters).status_int == 200


def test_usages_when_a_user_asks_too_often_then_429(editor, limited, make_token):
    limited(queries="1/minute")
    path = f"/tokens/{make_token().uid}/usages"
    assert send(editor, "GET", path).status_int == 200
    assert_limited(send(editor, "GET", path))


@pytest.mark.parametrize("path", ["", "/tokens_overview", "/statistics", "/{uid}", "/{uid}/edit"])
def test_page_when_a_user_asks_too_often_then_429_as_a_page(
    admin, limited, make_token, query_recorder, path
):
    limited(queries="1/minute")
    path = f"/tokens{path}".format(uid=make_token().uid)
    assert admin.get(path).status_int == 200
    query_recorder.clear()
    answer = admin.get(path, status=429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Too many requests" in answer.text
    assert len(query_recorder) == 0


def test_settings_when_a_user_asked_too_often_then_they_are_shown(signed_in, limited):
    limited(queries="1/minute")
    manager = signed_in("manager")
    manager.get("/tokens")
    manager.get("/tokens", status=429)
    manager.get("/settings/token_settings", status=200)


def test_query_when_nobody_is_signed_in_then_an_address_counts(wsgi_app, limited):
    limited(queries="2/minute")
    first, second = (
        TestApp(wsgi_app, extra_environ={"REMOTE_ADDR": f"192.0.2.{number}"}) for number in (1, 2)
    )
    for _ in range(2):
        assert_failure(first.get("/tokens/query_token?value=x", status="*"), 401, "unauthenticated")
    assert_limited(first.get("/tokens/query_token?value=x", status="*"))
    second.get("/tokens/query_token?value=x", status=401)


def test_query_when_users_share_an_address_then_each_counts_alone(signed_in, limited):
    limited(queries="2/minute")
    for role in ("editor", "admin", "viewer"):
        for _ in range(2):
            send(signed_in(role), "GET", "/tokens/query_token", {"value": "x"}).json["token"]


def consume_ways(token):
    return [
        ("POST", f"/tokens/{token.uid}/consume_token", {}),
        ("GET", f"/tokens/{token.uid}/consume_token", {}),
        ("POST", "/tokens/consume_token", {"value": token.value}),
    ]


def test_consumption_when_it_is_refused_too_often_then_429_and_no_statement(
    editor, limited, make_token, query_recorder
):
    limited(refused="3/minute")
    used, good = make_token(usage_count=0), make_token(usage_count=5)
    for method, path, parameters in consume_ways(used):
        answer = send(editor, method, path, parameters).json
        assert answer["error"] == "usage_count_exceeded"
    query_recorder.clear()
    for method, path, parameters in [*consume_ways(used), *consume_ways(good)]:
        assert_limited(send(editor, method, path, parameters))
    assert len(query_recorder) == 0


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/tokens/consume_token", {"value": "guessed"}),
        (f"/tokens/{UNKNOWN_UID}/consume_token", {}),
        ("/tokens/guessed/consume_token", {}),
    ],
)
def test_consumption_when_it_is_guessed_at_then_that_counts(editor, limited, path, parameters):
    limited(refused="2/minute")
    for _ in range(2):
        assert_failure(send(editor, "POST", path, parameters), 404, "token_not_exists")
    assert_limited(send(editor, "POST", path, parameters))


def test_consumption_when_it_is_granted_then_it_does_not_count(editor, limited, make_token):
    limited(refused="1/minute")
    token = make_token(usage_count=-1)
    for method, path, parameters in consume_ways(token) * 3:
        assert send(editor, method, path, parameters).json["consumed"] is True


def test_consumption_when_it_is_granted_too_often_then_429_and_no_statement(
    signed_in, limited, make_token, query_recorder
):
    limited(granted="3/minute")
    token = make_token(usage_count=-1)
    editor = signed_in("editor")
    for method, path, parameters in consume_ways(token):
        assert send(editor, method, path, parameters).json["consumed"] is True
    query_recorder.clear()
    for method, path, parameters in consume_ways(token):
        assert_limited(send(editor, method, path, parameters))
    assert len(query_recorder) == 0
    other = send(signed_in("admin"), "POST", f"/tokens/{token.uid}/consume_token")
    assert other.json["consumed"] is True


def test_consumption_when_it_is_refused_then_it_is_no_granted_one(editor, limited, make_token):
    limited(granted="1/minute")
    used = f"/tokens/{make_token(usage_count=0).uid}/consume_token"
    for _ in range(3):
        assert send(editor, "POST", used).json["error"] == "usage_count_exceeded"
    good = f"/tokens/{make_token(usage_count=5).uid}/consume_token"
    assert send(editor, "POST", good).json["consumed"] is True
    for path in (good, used):
        assert_limited(send(editor, "POST", path))


def test_grant_when_it_is_told_again_then_it_counts_once(editor, limited, make_token, figures):
    limited(granted="2/minute")
    token = make_token(usage_count=5)
    key = {"Idempotency-Key": "door-1"}
    ways = [*consume_ways(token)[:1] * 3, *consume_ways(token)[1:2]]
    answers = [send(editor, *way, headers=key).json for way in ways]
    assert answers == answers[:1] * 4
    assert answers[0]["usage_count"] == 4
    # The page of the token counts with the API.
    statuses = [
        editor.post(f"/tokens/{token.uid}/use", {"key": UNKNOWN_UID}, status="*").status_int
        for _ in range(2)
    ]
    assert statuses == [303, 429]
    assert figures("rate_limited_total", limit="granted") == 1
    assert figures("consumptions_total", outcome="granted") == 2
    assert_limited(send(editor, *ways[0], headers=key))


def test_use_when_it_is_granted_too_often_then_429_as_a_page(editor, limited, make_token):
    limited(granted="1/minute")
    path = f"/tokens/{make_token(usage_count=5).uid}/use"
    assert editor.post(path, {"key": UNKNOWN_UID}).status_int == 303
    answer = editor.post(path, {"key": str(uuid.uuid4())}, status="*")
    assert (answer.status_int, "Too many requests" in answer.text) == (429, True)


def test_use_when_it_is_refused_too_often_then_429_as_a_page(admin, limited, make_token):
    limited(refused="1/minute")
    path = f"/tokens/{make_token(usage_count=0).uid}/use"
    assert admin.post(path, {"key": UNKNOWN_UID}).status_int == 303
    answer = admin.post(path, {"key": UNKNOWN_UID}, status=429)
    assert "Too many requests" in answer.text
    assert answer.headers["Retry-After"]


def test_consumption_when_queries_are_used_up_then_it_is_granted(editor, limited, make_token):
    limited(queries="1/minute")
    for _ in range(2):
        send(editor, "GET", "/tokens/query_token", {"value": "x"})
    path = f"/tokens/{make_token(usage_count=5).uid}/consume_token"
    assert send(editor, "POST", path).json["consumed"] is True


def test_sign_in_when_a_name_was_tried_too_often_then_429_even_with_the_right_password(
    anonymous, limited
):
    limited(sign_in_name="3/5 minutes")
    login = make_user("viewer")
    for _ in range(3):
        answer = try_to_sign_in(anonymous, login)
        assert (answer.status_int, "User name or password is wrong." in answer.text) == (200, True)
    answer = try_to_sign_in(anonymous, login, PASSWORD)
    assert answer.status_int == 429
    assert 240 < int(answer.headers["Retry-After"]) <= 300
    assert SIGN_IN in answer.text
    assert "Wait 5 min" in answer.text
    # The form is there still, with the name.
    assert f'value="{login}"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_sign_in_when_the_page_is_german_then_the_refusal_is_too(anonymous, limited):
    limited(sign_in_name="1/5 minutes")
    form = login_form("nobody")
    anonymous.set_cookie("_LOCALE_", "de")
    anonymous.post("/login", form)
    assert "Zu viele Versuche" in anonymous.post("/login", form, status=429).text


def test_sign_in_when_the_name_is_written_otherwise_then_it_is_the_same(anonymous, limited):
    limited(sign_in_name="3/5 minutes")
    for name in ("Jürgen", " jürgen", "JU\u0308RGEN "):
        assert try_to_sign_in(anonymous, name).status_int == 200
    assert try_to_sign_in(anonymous, "jürgen").status_int == 429
    assert try_to_sign_in(anonymous, "another").status_int == 200


def test_sign_in_when_the_name_is_unknown_then_the_answers_are_those_for_a_known_one(
    anonymous, limited
):
    limited(sign_in_name="2/5 minutes")
    known = make_user("viewer")
    unknown = known[::-1]
    answers = {
        name: [try_to_sign_in(anonymous, name) for _ in range(3)] for name in (known, unknown)
    }
    for first, second in zip(*answers.values(), strict=True):
        assert first.status == second.status
        assert first.text.replace(known, "") == second.text.replace(unknown, "")


def test_sign_in_when_it_succeeds_then_the_name_begins_anew(wsgi_app, limited):
    limited(sign_in_name="2/5 minutes")
    login = make_user("token_operator")
    for _ in range(10):
        sign_in(TestApp(wsgi_app), login)


@pytest.mark.parametrize("path", ["/login", "/tokens/login", "/"])
def test_sign_in_when_the_form_is_only_shown_then_that_is_no_try(
    anonymous, limited, caplog, query_recorder, path
):
    limited(sign_in_name="2/5 minutes", sign_in_address="2/5 minutes")
    for _ in range(5):
        query_recorder.clear()
        assert "loginform" in anonymous.get(path, status=200).text
        assert len(query_recorder) == 0
    for form in ({"loginform.user": "", "loginform.password": WRONG}, {"loginform.user": ""}):
        for _ in range(5):
            anonymous.post("/login", {**login_form(""), **form}, status=200)
    assert "sign-in" not in caplog.text


def test_sign_in_when_name_and_password_are_in_the_address_then_no_try_counts(anonymous, limited):
    limited(sign_in_name="1/5 minutes", sign_in_address="1/5 minutes")
    login = make_user("viewer")
    path = f"/login?loginform.user={login}&loginform.password=y"
    assert [anonymous.get(path, status="*").status_int for _ in range(3)] == [400] * 3
    sign_in(anonymous, login)


def test_sign_in_when_a_hall_of_phones_signs_in_then_good_ones_do_not_count(wsgi_app, limited):
    limited(sign_in_address="3/5 minutes")
    here = {"REMOTE_ADDR": "192.0.2.1"}
    login = make_user("token_operator")
    client = TestApp(wsgi_app)
    for number in range(3):
        for _ in range(4):
            assert try_to_sign_in(TestApp(wsgi_app), login, PASSWORD, **here).status_int == 302
        assert try_to_sign_in(client, f"x{number}", **here).status_int == 200
    assert try_to_sign_in(client, login, PASSWORD, **here).status_int == 429


def test_sign_in_when_others_try_the_name_then_who_was_here_before_gets_in(wsgi_app, limited):
    limited(sign_in_name="3/5 minutes")
    home, elsewhere = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}
    login = make_user("admin")
    client = TestApp(wsgi_app)
    assert try_to_sign_in(TestApp(wsgi_app), login, PASSWORD, **home).status_int == 302
    statuses = [try_to_sign_in(client, login, **elsewhere).status_int for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert try_to_sign_in(TestApp(wsgi_app), login, PASSWORD, **home).status_int == 302
    # That begins nothing anew elsewhere.
    assert try_to_sign_in(client, login, PASSWORD, **elsewhere).status_int == 429


def test_sign_in_when_the_known_address_tries_too_often_then_it_is_refused_too(wsgi_app, limited):
    limited(sign_in_name="3/5 minutes")
    login = make_user("admin")
    assert try_to_sign_in(TestApp(wsgi_app), login, PASSWORD).status_int == 302
    client = TestApp(wsgi_app)
    statuses = [try_to_sign_in(client, login).status_int for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


def test_sign_in_when_an_address_tries_too_often_then_429_whatever_the_name(anonymous, limited):
    limited(sign_in_address="3/5 minutes")
    login = make_user("viewer")
    here, there = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "192.0.2.2"}
    for number in range(3):
        assert try_to_sign_in(anonymous, f"x{number}", **here).status_int == 200
    assert try_to_sign_in(anonymous, login, PASSWORD, **here).status_int == 429
    assert try_to_sign_in(anonymous, login, PASSWORD, **there).status_int == 302


@pytest.mark.parametrize("path", ["/login", "/tokens/login", "/settings/login"])
def test_sign_in_when_the_form_is_sent_elsewhere_then_the_limit_holds_there(
    anonymous, limited, path
):
    limited(sign_in_name="2/5 minutes")
    login = make_user("viewer")
    for _ in range(2):
        try_to_sign_in(anonymous, login)
    answer = try_to_sign_in(anonymous, login, PASSWORD, path)
    assert "Set-Cookie" not in answer.headers
    assert answer.status_int == 429


def test_sign_in_when_it_is_limited_then_the_log_tells_it_and_who_tried(anonymous, limited, caplog):
    limited(sign_in_name="1/5 minutes")
    login = make_user("viewer")
    with caplog.at_level(logging.INFO, "cone.tokens"):
        sign_in(TestApp(anonymous.app), login)
        try_to_sign_in(anonymous, f"{login}\nforged", REMOTE_ADDR="192.0.2.9")
        try_to_sign_in(anonymous, login)
        try_to_sign_in(anonymous, login)
    good, bad, _wrong, _limit, refused = caplog.messages
    assert good == f"sign-in good: {login} from None"
    assert bad == f"sign-in refused: wrong name or password: {login}\\nforged from 192.0.2.9"
    assert "too many tries" in refused
    assert PASSWORD not in caplog.text


def test_sign_in_when_the_plugin_is_started_twice_then_it_is_guarded_once():
    before = host.authenticate
    guard_sign_in()
    assert host.authenticate is before


def test_limits_when_the_ini_says_nothing_then_they_are_on(serve, tmp_path):
    served = serve(write_site(tmp_path, limits=""))
    client = served.connect()
    form = {**login_form("admin"), "loginform.password": "wrong"}
    statuses = [client.post("/login", form).status for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert served.whole_log().count("limit sign_in_name") == 1


def test_limits_when_they_are_wrong_then_the_start_says_so(serve, tmp_path):
    ini = write_site(tmp_path, limits="cone.tokens.limits.refused = many")
    with pytest.raises(AssertionError, match=r"cone\.tokens\.limits\.refused: 'many'"):
        serve(ini)


def test_plugin_when_it_runs_then_it_has_limits(wsgi_app):
    assert wiring.get(RateLimits).queries.name == "queries"
