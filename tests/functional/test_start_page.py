"""The start page of a site that shows the tokens there (``cone.root.default_child = tokens``)."""

import cone.app
import pytest

from tests.support.asking import make_user
from tests.support.site import login_form


@pytest.fixture(autouse=True)
def _tokens_are_the_start_page(wsgi_app):
    properties = cone.app.get_root().properties
    properties.default_child = "tokens"
    yield
    properties.default_child = None


def test_start_page_when_a_user_may_list_tokens_then_it_lists_them(app, make_token):
    make_token(value="TICKET-1")
    assert "TICKET-1" in app("viewer").get("/").text


def test_start_page_when_nobody_is_signed_in_then_it_asks_to_sign_in(anonymous):
    assert "loginform" in anonymous.get("/").text


def test_start_page_when_the_permission_is_missing_then_403(app):
    assert app(None).get("/", status=403)


def test_start_page_when_there_is_a_bug_then_500_without_a_traceback(app, service, monkeypatch):
    def fail(*_arguments, **_named) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(service), "page", fail)
    answer = app("viewer").get("/", status=500)
    assert "Traceback" not in answer.text
    assert "ZeroDivisionError" not in answer.text


@pytest.mark.parametrize("action", ["content", "layout"])
def test_start_page_when_a_part_of_it_is_asked_for_then_the_limit_and_the_guard_hold(
    app, make_token, limited, action
):
    make_token(value="TICKET-1")
    limited(queries="1/minute")
    client = app("viewer")
    path = f"/ajaxaction?ajax.action={action}&ajax.mode=inner&ajax.selector=x"
    client.get(path, headers={"Sec-Fetch-Site": "cross-site"}, status=403)
    assert "TICKET-1" in client.get(path).text
    client.get(path, status=429)


@pytest.mark.parametrize("place", ["", "/tokens", "/settings", "/settings/token_settings"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_part_when_none_is_named_then_404(anonymous, app, place, method):
    for client in (anonymous, app("manager")):
        answer = client.request(f"{place}/ajaxaction", method=method, status="*")
        assert answer.status_int in (401, 404)


@pytest.mark.parametrize(
    "path", ["/", "/ajaxaction?ajax.action=loginform&ajax.mode=inner&ajax.selector=main"]
)
def test_start_page_when_the_form_to_sign_in_is_sent_there_then_it_is_not_read(anonymous, path):
    answer = anonymous.post(path, login_form(make_user("viewer")), status=200)
    assert "loginform" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_other_page_of_the_host_when_missing_then_it_stays_the_hosts(app):
    assert app("viewer").get("/nothing").status_int == 200


@pytest.mark.parametrize("role", ["viewer", "token_operator", None])
def test_start_page_when_it_shows_tokens_then_no_cache_keeps_it_and_no_frame_shows_it(app, role):
    for path in ("/", "/ajaxaction?ajax.action=content"):
        headers = app(role).get(path, status="*").headers
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_start_page_when_nobody_is_signed_in_then_no_cache_keeps_it(anonymous):
    assert anonymous.get("/", status="*").headers["Cache-Control"] == "no-store"
