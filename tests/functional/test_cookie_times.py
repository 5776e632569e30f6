"""How long a cookie is good: twelve hours after the last request, as "cone-tokens init" has it."""

import configparser
import time
from pathlib import Path

import pyramid.authentication
import pytest
from pyramid.interfaces import IAuthenticationPolicy
from webtest import TestApp

from cone.tokens.cli.site_files import Choices
from cone.tokens.cli.site_files import ini_of
from tests.support.asking import make_user
from tests.support.asking import sign_in

KEYS = ("timeout", "reissue_time", "max_age")
MINUTE = 60
HOUR = 60 * MINUTE


MADE = ini_of(Choices(None, "", "UTC", 8081, is_in_production=False))
EXAMPLE = (Path(__file__).parents[2] / "config/production.ini").read_text()


def times_of(ini: str) -> dict[str, int]:
    """Return the times that an ini file gives the cookie, in seconds."""
    parser = configparser.RawConfigParser()
    parser.read_string(ini)
    (section,) = (name for name in parser.sections() if name.startswith("app:"))
    return {key: parser.getint(section, f"cone.auth_{key}") for key in KEYS}


class Clock:
    """The time that tickets are made and read at."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(wsgi_app, monkeypatch):
    """A clock to set, and tickets with the times of a site that was made."""
    policy = wsgi_app.next_app.registry.getUtility(IAuthenticationPolicy)
    for key, seconds in times_of(MADE).items():
        monkeypatch.setattr(policy.cookie._cookie, key, seconds)
    clock = Clock()
    monkeypatch.setattr(pyramid.authentication, "time_mod", clock)
    return clock


@pytest.fixture
def client(wsgi_app, clock):
    return sign_in(TestApp(wsgi_app), make_user("token_operator"))


def ticket_of(client: TestApp) -> str:
    return client.cookies["auth_tkt"]


REQUESTS = {
    "API": ("POST", "/tokens/consume_token", {"value": "of no token"}, 404),
    "API, read": ("GET", "/tokens/query_token?value=x", {}, 200),
    "page": ("GET", "/tokens/scan", {}, 200),
    "refused page": ("GET", "/tokens/settings_of_nobody", {}, 404),
    "page of the host": ("GET", "/", {}, 200),
}


@pytest.mark.parametrize(("method", "path", "form", "status"), REQUESTS.values(), ids=REQUESTS)
def test_door_when_it_scans_all_evening_then_it_stays_signed_in(
    client,
    clock,
    method,
    path,
    form,
    status,
):
    tickets = {ticket_of(client)}
    for _ in range(24):
        clock.now += 40 * MINUTE
        answer = client.request(path, method=method, POST=form or None, status="*")
        assert answer.status_int == status
        tickets.add(ticket_of(client))
    assert len(tickets) == 13
    assert client.get("/tokens/query_token?value=x").status_int == 200


def test_ticket_when_nobody_uses_it_for_twelve_hours_then_it_is_worth_nothing(client, clock):
    copied = ticket_of(client)
    clock.now += 12 * HOUR - 1
    assert client.get("/tokens/query_token?value=x").status_int == 200
    clock.now += 2
    thief = TestApp(client.app)
    thief.set_cookie("auth_tkt", copied)
    assert thief.get("/tokens/query_token?value=x", status=401)
    # Who used it has a fresh one.
    assert client.get("/tokens/query_token?value=x").status_int == 200


def test_sign_out_when_a_request_is_due_for_a_fresh_ticket_then_it_gets_none(client, clock):
    clock.now += 2 * HOUR
    client.get("/logout", status=302)
    assert "auth_tkt" not in client.cookies or not ticket_of(client)
    assert client.get("/tokens/query_token?value=x", status=401)


@pytest.mark.parametrize("ini", [MADE, EXAMPLE], ids=["made", "example"])
def test_times_when_they_are_configured_then_a_ticket_is_renewed_well_before_its_end(ini):
    times = times_of(ini)
    assert times["timeout"] == times["max_age"] == 12 * HOUR
    assert times["reissue_time"] * 10 <= times["timeout"]
