"""A process that is told to end: who has asked is answered, nobody is let in unanswered."""

import http.client
import re
import signal
import socket
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.served import Served
from tests.support.site import write_site

CLIENTS = 8
#: Seconds after which what has to happen is given up.
PATIENCE_S = 60.0
#: Seconds within which a process ends that nothing holds.
PROMPT_S = 10.0


class ServedByGunicorn(Served):
    """The same site, served as docs/deploy says it for gunicorn."""

    def command(self) -> list[str]:
        site = ["--paste", str(self.ini), "--paste-global", "http_port=0"]
        workers = ["--workers", "2", "--worker-class", "gthread", "--threads", "8"]
        return [sys.executable, "-m", "gunicorn", *site, "--bind", "127.0.0.1:0", *workers]


SERVERS = {"waitress": Served, "gunicorn": ServedByGunicorn}


def write_graceful_site(folder: Path, seconds: str = "", **more: str) -> Path:
    """Write a site whose end is graceful."""
    ini = write_site(folder, **more)
    server = f"use = egg:cone.tokens#server\ngraceful_timeout = {seconds}"
    text = ini.read_text()
    assert "use = egg:waitress#main" in text
    ini.write_text(text.replace("use = egg:waitress#main", server))
    return ini


@contextmanager
def locked(folder: Path):
    """Let nobody else write to the database of a site until the block ends."""
    with closing(sqlite3.connect(folder / "tokens.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def wait_until_refused(served: Served) -> None:
    """Wait until the process takes no new connections."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", served.port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    pytest.fail("the process still takes connections")


def ask(client, uid: str) -> None:
    """Send a consumption, and do not wait for its answer."""
    client.connection.request("POST", f"/tokens/{uid}/consume_token", headers=client.headers)


def count_uses(url: str) -> int:
    engine = create_engine(url)
    granted = TokenUsageRecord.error_code.is_(None)
    with engine.connect() as connection:
        uses = connection.scalar(select(func.count()).select_from(TokenUsageRecord).where(granted))
    engine.dispose()
    return uses


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/tokens.db"


def sign_in_often(served: Served, count: int) -> list:
    """Return clients with a connection each, that are signed in."""
    clients = [served.sign_in()]
    for _ in range(count - 1):
        clients.append(served.connect())
        clients[-1].headers.update(clients[0].headers)
        assert clients[-1].get("/tokens/query_token", {"value": "x"}).status == 200
    return clients


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_when_the_process_is_told_to_end_then_all_under_way_are_answered(
    serve,
    tmp_path,
    number,
):
    served = serve(write_graceful_site(tmp_path))
    clients = sign_in_often(served, CLIENTS)
    uid = clients[0].post("/tokens/add_token", {"usage_count": "-1"}).json["token_uid"]
    late = served.connect()
    late.headers.update(clients[0].headers)
    with locked(tmp_path):
        for client in clients:
            ask(client, uid)
        # This one has sent all, and the process may not even have its connection.
        ask(late, uid)
        served.process.send_signal(number)
        wait_until_refused(served)
    for client in [*clients, late]:
        answer = client.connection.getresponse()
        assert answer.headers["Connection"] == "close"
        assert (answer.status, b'"consumed": true' in answer.read()) == (200, True)
    assert served.process.wait(PROMPT_S) == 0
    assert count_uses(url_of(tmp_path)) == CLIENTS + 1


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_load_when_the_process_is_told_to_end_then_uses_and_answers_are_the_same(
    request,
    tmp_path,
    server,
    database,
):
    url = f"{url_of(tmp_path)}?timeout=30"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    ini = write_graceful_site(tmp_path, database_url=url)
    told: list[str] = []
    enough = threading.Event()

    def use_until_refused(client, uid: str) -> None:
        path = f"/tokens/{uid}/consume_token"
        while True:
            try:
                answer = client.post(path)
            except (OSError, http.client.HTTPException):
                return
            if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
                # A busy machine: the lock did not come in time, nothing was taken.
                continue
            assert (answer.status, answer.json["consumed"]) == (200, True)
            told.append(answer.json["receipt"])
            if len(told) > 100:
                enough.set()

    with server(ini) as served, ThreadPoolExecutor(CLIENTS) as pool:
        clients = sign_in_often(served, CLIENTS)
        uid = clients[0].post("/tokens/add_token", {"usage_count": "-1"}).json["token_uid"]
        done = [pool.submit(use_until_refused, client, uid) for client in clients]
        assert enough.wait(PATIENCE_S)
        served.process.terminate()
        for one in done:
            one.result(PATIENCE_S)
        assert served.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in served.log
    assert len(set(told)) == len(told) == count_uses(url)


def test_connections_when_they_are_idle_then_the_process_ends_without_them(serve, tmp_path):
    served = serve(write_graceful_site(tmp_path))
    idle = sign_in_often(served, 3)
    served.process.terminate()
    assert served.process.wait(PROMPT_S) == 0
    for client in idle:
        assert client.connection.sock.recv(1) == b""
    assert "still running" not in served.log


def test_connection_when_it_asks_after_the_end_has_begun_then_it_is_answered_once(serve, tmp_path):
    served = serve(write_graceful_site(tmp_path))
    busy, idle = sign_in_often(served, 2)
    uid = busy.post("/tokens/add_token", {"usage_count": "1"}).json["token_uid"]
    with locked(tmp_path):
        ask(busy, uid)
        served.process.terminate()
        wait_until_refused(served)
        answer = idle.get("/tokens/query_token", {"value": "x"})
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert busy.connection.getresponse().status == 200
    assert served.process.wait(PROMPT_S) == 0


def test_requests_when_they_are_sent_at_once_over_one_connection_then_each_is_answered(
    serve,
    tmp_path,
):
    served = serve(write_graceful_site(tmp_path))
    client = served.sign_in()
    uid = client.post("/tokens/add_token", {"usage_count": "-1"}).json["token_uid"]
    line = f"POST /tokens/{uid}/consume_token HTTP/1.1"
    lines = [line, "Host: a", "Content-Length: 0", f"Cookie: {client.headers['Cookie']}", "", ""]
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_S) as connection:
        with locked(tmp_path):
            connection.sendall("\r\n".join(lines).encode() * 3)
            served.process.terminate()
            wait_until_refused(served)
        answers = connection.makefile("rb").read()
    assert answers.count(b'"consumed": true') == 3 == count_uses(url_of(tmp_path))
    assert answers.count(b"Connection: close") == 1
    assert served.process.wait(PROMPT_S) == 0


LARGE = 10_000


@pytest.fixture
def large_export(serve, tmp_path):
    """A served site, and a connection that waits for a file which no buffers hold."""

    def begin(seconds: str):
        served = serve(write_graceful_site(tmp_path, seconds))
        client = served.sign_in()
        added = client.post("/tokens/add_tokens", {"count": str(LARGE), "prefix": "x" * 2_000})
        assert added.status == 200, added.body
        client.connection.request("GET", "/tokens/export", headers=client.headers)
        response = client.connection.getresponse()
        assert response.status == 200
        return served, response

    return begin


def test_export_when_it_is_read_after_the_end_has_begun_then_it_is_whole(large_export):
    served, response = large_export("60")
    served.process.terminate()
    wait_until_refused(served)
    assert response.read().count(b"\n") == LARGE + 1
    assert served.process.wait(PROMPT_S) == 0


def test_export_when_nobody_reads_it_then_the_process_ends_all_the_same(large_export):
    served, _response = large_export("1")
    served.process.terminate()
    assert served.process.wait(PROMPT_S) == 0
    assert "requests without a whole answer at the end: 1" in served.whole_log()


def test_process_when_it_is_told_twice_then_it_ends_at_once(serve, tmp_path):
    served = serve(write_graceful_site(tmp_path, "900"))
    client = served.sign_in()
    uid = client.post("/tokens/add_token", {"usage_count": "1"}).json["token_uid"]
    with locked(tmp_path):
        ask(client, uid)
        served.process.terminate()
        wait_until_refused(served)
        served.process.terminate()
        assert served.process.wait(PROMPT_S) == -signal.SIGTERM


@pytest.mark.parametrize("seconds", ["soon", "-1", "1e9", "1000"])
def test_start_when_the_time_is_no_number_then_one_line_tells_it(tmp_path, seconds):
    served = Served(write_graceful_site(tmp_path, seconds))
    served.launch()
    assert served.process.wait(PATIENCE_S) == 1
    said = f"graceful_timeout: {seconds!r} is no number of seconds from 0 to 999"
    assert said in re.split("\n", served.whole_log())
