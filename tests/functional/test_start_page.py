"""The start page of a site that shows the tokens there (``cone.root.default_child = tokens``)."""

import cone.app
import pytest

from tests.functional.conftest import login_form
from tests.functional.conftest import make_user


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


def test_start_page_when_the_form_to_sign_in_is_sent_there_then_it_is_answered(anonymous):
    path = "/ajaxaction?ajax.action=loginform&ajax.mode=inner&ajax.selector=main"
    form = {**login_form(make_user("viewer")), "loginform.password": "wrong"}
    assert "Invalid Credentials" in anonymous.post(path, form, status=200).text


def test_other_page_of_the_host_when_missing_then_it_stays_the_hosts(app):
    assert app("viewer").get("/nothing").status_int == 200
