"""The example for nginx: what a process may have got is sent to no other one."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy import select

from cone.tokens.tickets.records import TokenUsageRecord
from tests.functional.test_deploy import Browser
from tests.functional.test_deploy import free_port
from tests.functional.test_deploy import serve_by_nginx
from tests.support.served import Served
from tests.support.site import write_site

UID = "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001"
#: Ways to spell a path that takes a use, or that something between may take for it.
SPELLINGS = [
    f"/tokens/{UID}/consume_token",
    f"/tokens/{UID}/consume_token/",
    f"/tokens/{UID}/consume_token//",
    f"/tokens/{UID}/consume_token/.",
    f"/tokens/{UID}/consume_token/x/..",
    f"/tokens/{UID}/@@consume_token",
    f"/tokens/{UID}/@@consume_token/",
    f"/tokens/{UID}/%40%40consume_token",
    f"/tokens/{UID}/%63onsume_token",
    f"/tokens/{UID}/consume_token%2F",
    f"/tokens/{UID}/consume_token?x=/",
    f"/tokens/{UID}/./consume_token",
    f"//tokens//{UID}//consume_token",
    f"/tokens/../tokens/{UID}/consume_token",
    f"/tokens/{UID.upper()}/consume_token",
    "/tokens/consume_token?value=v",
    f"/tokens/{UID}/use",
    f"/tokens/{UID}/ajaxaction?ajax.action=use",
    "/",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


class Backend:
    """A process that is asked, notes it, and answers or dies before it does."""

    def __init__(self, *, answers: bool) -> None:
        self.requests: list[str] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                line = stream.readline().decode("latin-1").strip()
                head = dict(iter(lambda: tuple(self._header(stream)), ("",)))
                body = stream.read(int(head.get("content-length", 0)))
                self.requests.append(line)
                if self._answers:
                    answer = f"{line}\n{body.decode()}".encode()
                    start = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(answer)}"
                    connection.sendall(start.encode() + b"\r\n\r\n" + answer)

    @staticmethod
    def _header(stream) -> list[str]:
        name, *text = stream.readline().decode("latin-1").strip().lower().split(": ", 1)
        return [name, *text]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def backend(*, answers: bool) -> Iterator[Backend]:
    with contextlib.closing(Backend(answers=answers)) as one:
        yield one


def ask(port: int, method: str, path: str) -> tuple[int, str]:
    """Send a path as it is written; return status and body."""
    context = ssl._create_unverified_context()  # noqa: S323 - the certificate is our own
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    body = "value=v" if method in {"POST", "PUT", "PATCH"} else None
    connection.request(method, path, body, {"Host": "tokens.example.org"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_request_when_the_process_dies_after_it_got_it_then_no_other_one_gets_it(tmp_path):
    with (
        backend(answers=False) as one,
        backend(answers=False) as other,
        serve_by_nginx(tmp_path, [one.port, other.port], forgets_failures=True) as port,
    ):
        Browser(port).get("/warm-up")
        for method in METHODS:
            for path in SPELLINGS:
                before = len(one.requests + other.requests)
                assert ask(port, method, path)[0] == 502
                got = len(one.requests + other.requests) - before
                assert got == 1, (method, path)


def test_request_when_a_process_does_not_run_then_the_other_one_gets_it_as_it_is(tmp_path):
    with (
        backend(answers=True) as there,
        serve_by_nginx(tmp_path, [there.port, free_port()], forgets_failures=True) as port,
    ):
        Browser(port).get("/warm-up")
        for method in METHODS:
            # Twice: they take turns.
            for path in [*SPELLINGS, *SPELLINGS]:
                status, text = ask(port, method, path)
                body = "value=v" if method in {"POST", "PUT", "PATCH"} else ""
                said = "" if method == "HEAD" else f"{method} {path} HTTP/1.1\n{body}"
                assert (status, text) == (200, said)


def test_request_when_no_process_runs_then_502(tmp_path):
    with serve_by_nginx(tmp_path, [free_port(), free_port()]) as port:
        for _ in range(3):
            assert Browser(port).get(f"/tokens/{UID}/consume_token").status == 502


def test_figures_when_they_are_asked_for_through_nginx_then_404(tmp_path):
    with (
        backend(answers=True) as there,
        serve_by_nginx(tmp_path, [there.port, there.port]) as port,
    ):
        for path in ["metrics", "metric%73", "metrics/", "metrics//", "metrics/.", "x/../metrics"]:
            assert Browser(port).get(f"/tokens/{path}").status == 404
        assert Browser(port).get("/tokens/metrics_of_mine").status == 200


def test_log_when_an_address_has_a_code_then_it_is_not_in_it(tmp_path):
    with (
        backend(answers=True) as there,
        serve_by_nginx(tmp_path, [there.port, there.port]) as port,
    ):
        Browser(port).get("/warm-up")
        assert ask(port, "GET", "/tokens/query_token?value=SECRET-1")[0] == 200
    # nginx has ended: it has written all.
    log = (tmp_path / "tokens.log").read_text()
    assert '"GET /tokens/query_token" 200' in log
    assert "SECRET-1" not in log


#: A filter of the pipeline: the process dies when the work is done and before its answer goes out.
DYING = """
import os

def make_filter(application, global_config):
    def answer(environ, start_response):
        parts = application(environ, start_response)
        if "HTTP_X_DIE" in environ:
            os._exit(9)
        return parts
    return answer
"""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_use_when_the_process_dies_before_its_answer_then_it_counts_once(
    postgres_server,
    tmp_path,
    monkeypatch,
    method,
):
    (tmp_path / "dying.py").write_text(DYING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    url = postgres_server.create_database()
    ini = write_site(tmp_path, database_url=url)
    filtered = "pipeline = dying session tokens\n\n[filter:dying]"
    filtered += "\npaste.filter_app_factory = dying:make_filter"
    ini.write_text(ini.read_text().replace("pipeline = session tokens", filtered))
    with Served(ini) as one, Served(ini) as other:
        cookie = one.sign_in().headers
        client = other.connect()
        client.headers.update(cookie)
        uid = client.post("/tokens/add_token", {"usage_count": "9"}).json["token_uid"]
        with serve_by_nginx(tmp_path, [one.port, other.port]) as port:
            Browser(port).get("/tokens/health")
            context = ssl._create_unverified_context()  # noqa: S323 - the certificate is our own
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
            headers = {**cookie, "X-Die": "1"}
            connection.request(method, f"/tokens/{uid}/consume_token", headers=headers)
            assert connection.getresponse().status == 502
            connection.close()
            del headers["X-Die"]
            # What is left goes on, also for the requests that the dead one would get.
            for _ in range(4):
                connection.request("GET", f"/tokens/{uid}/usages", headers=headers)
                response = connection.getresponse()
                assert response.status == 200
                assert len(json.loads(response.read())["usages"]) == 1
            connection.close()
        assert sorted([one.process.poll() is None, other.process.poll() is None]) == [False, True]
    engine = create_engine(url)
    with engine.connect() as connection:
        assert len(connection.execute(select(TokenUsageRecord.uid)).all()) == 1
    engine.dispose()
