"""What those ask who run the site: health and figures."""

import logging
import os
import signal
import time
from pathlib import Path

import pytest
from webtest import TestApp

from cone.tokens.host import wiring
from cone.tokens.host.health import Health
from tests.support.asking import assert_failure
from tests.support.postgres import PostgresServer
from tests.support.served import Served
from tests.support.site import write_site

HEALTH = "/tokens/health"
WELL = {"success": True, "process": "ok", "database": "ok"}


def test_health_when_all_is_well_then_anybody_is_told_so(anonymous, query_recorder):
    answer = anonymous.get(HEALTH)
    assert answer.json == WELL
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(query_recorder) <= 1


def test_health_when_it_is_asked_often_then_the_database_is_not(anonymous, query_recorder):
    anonymous.get(HEALTH)
    query_recorder.clear()
    start = time.monotonic()
    for _ in range(50):
        anonymous.get(HEALTH)
    assert len(query_recorder) <= 1 + (time.monotonic() - start)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_health_when_the_method_is_another_then_405(anonymous, method):
    answer = anonymous.request(HEALTH, method=method, status=405)
    assert answer.headers["Allow"] == "GET"
    if method != "HEAD":
        assert_failure(answer, 405, "method_not_allowed")


def test_health_when_the_asker_is_signed_in_then_the_user_directory_is_not_asked(
    editor, monkeypatch
):
    monkeypatch.setattr("cone.app.ugm.ugm_backend.ugm", None)
    assert editor.get(HEALTH).json == WELL


@pytest.mark.parametrize("cookie", ["x=\xff", 'auth_tkt="\\377\\376"'])
def test_health_when_the_cookie_is_no_text_then_it_is_told_and_logged(wsgi_app, caplog, cookie):
    client = TestApp(wsgi_app, extra_environ={"HTTP_COOKIE": cookie})
    with caplog.at_level(logging.INFO, "cone.tokens.access"):
        assert client.get(HEALTH).json == WELL
    assert "GET health" in caplog.text


def test_health_when_our_code_has_a_bug_then_500_with_a_reference(anonymous, monkeypatch):
    def fail(_health: Health) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Health, "database_answers", fail)
    assert_failure(anonymous.get(HEALTH, status=500), 500, "internal_error")


def assert_away(answer):
    assert answer.status == 503
    told = answer.json
    assert (told["success"], told["error"]) == (False, "unavailable")
    assert (told["process"], told["database"]) == ("ok", "away")
    assert int(answer.headers["Retry-After"]) > 0


def wait_until_well(client):
    deadline = time.monotonic() + 20
    while (answer := client.get(HEALTH)).status != 200:
        assert time.monotonic() < deadline, answer.body
    assert answer.json == WELL


@pytest.fixture(scope="module")
def own_server():
    with PostgresServer() as server:
        yield server


@pytest.fixture
def on_postgresql(own_server, tmp_path):
    """A server, and a process of the test's own: one that reads its log to the end ends it."""
    url = own_server.create_database()
    with Served(write_site(tmp_path, database_url=url)) as served:
        yield own_server, served


def test_health_when_the_server_was_away_then_it_is_told_until_it_is_back(on_postgresql):
    server, served = on_postgresql
    client = served.connect()
    wait_until_well(client)
    server.stop()
    try:
        # What is known may be a second old.
        deadline = time.monotonic() + 20
        while (answer := client.get(HEALTH)).status == 200:
            assert time.monotonic() < deadline
        assert_away(answer)
    finally:
        server.start()
    wait_until_well(client)
    assert "Traceback" not in served.whole_log()


def test_health_when_the_server_hangs_then_it_is_told_in_time(on_postgresql):
    server, served = on_postgresql
    client = served.connect()
    wait_until_well(client)
    processes = postgres_processes(server)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 20
        start = time.monotonic()
        while (answer := client.get(HEALTH)).status == 200:
            start = time.monotonic()
            assert start < deadline
        assert_away(answer)
        assert time.monotonic() - start < 3
        # One ping waits already: the next asker is told at once.
        start = time.monotonic()
        assert_away(client.get(HEALTH))
        assert time.monotonic() - start < 1
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    wait_until_well(client)


def postgres_processes(server):
    """Return the processes of a server: the first one, and its children."""
    first = int((server._folder / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


def test_plugin_when_it_runs_then_it_has_a_health(wsgi_app):
    assert isinstance(wiring.get(Health), Health)
