"""The server of a new site: what it refuses, and slow clients that hold nobody up."""

import contextlib
import socket
import time

import pytest

from cone.tokens.cli.site_files import Choices
from cone.tokens.cli.site_files import ini_of
from tests.support.served import Served
from tests.support.site import write_site

MADE = ini_of(Choices(None, "", "UTC", 0, is_in_production=False))
THREADS = 4
#: Tokens in an export that no buffers hold: 16 MiB of the server by default, and those of sockets.
LARGE = 20_000
#: Seconds in which an answer has to come, whatever others do.
PROMPT_S = 5.0


def server_section(text):
    """Return the section of the server, as text."""
    begin = text.index("[server:main]")
    return text[begin : text.index("\n[", begin)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A site with that server."""
    ini = write_site(tmp_path_factory.mktemp("server"))
    site = ini.read_text()
    ini.write_text(
        site.replace(
            server_section(site), server_section(MADE).replace("port = 0", "port = %(http_port)s")
        )
    )
    with Served(ini) as served:
        yield served


@contextlib.contextmanager
def connections(served, count):
    """Open connections, and close them when the block ends."""
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", served.port)
        yield [
            stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(count)
        ]


def first_line(served, request):
    """Return the first line of the answer to what is sent."""
    with connections(served, 1) as (connection,):
        connection.sendall(request)
        return connection.makefile("rb").readline().decode()


def assert_prompt(served, client, number=20):
    """Assert that somebody else is answered, by a thread and at once."""
    start = time.monotonic()
    for _ in range(number):
        assert client.get("/tokens/query_token", {"value": "x"}).status == 200
    assert served.connect().get("/tokens/health").status == 200
    assert time.monotonic() - start < PROMPT_S


@pytest.mark.parametrize(("size", "status"), [(12_000, "401"), (20_000, "431")])
def test_header_when_it_is_large_then_431_above_16_kib(served, size, status):
    request = b"GET /tokens/query_token?value=x HTTP/1.0\r\nX-Filler: " + b"x" * size + b"\r\n\r\n"
    assert f" {status} " in first_line(served, request)


@pytest.mark.parametrize(
    ("length", "server"), [(2 * 1024 * 1024, "application/json"), (10 * 1024 * 1024, "text/plain")]
)
def test_body_when_it_is_large_then_413_before_it_is_sent(served, length, server):
    """The application answers in JSON; what is larger than any body the server refuses itself."""
    body = b"x" * length if server == "application/json" else b""
    head = f"POST /tokens/add_token HTTP/1.0\r\nContent-Length: {length}\r\n\r\n".encode()
    with connections(served, 1) as (connection,):
        connection.sendall(head + body)
        answer = connection.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.0 413 ")
    assert f"Content-Type: {server}" in answer


def test_senders_when_many_are_slow_then_others_are_answered(served):
    client = served.sign_in()
    heads = [
        b"GET /tokens/query_token?value=x HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx",
        b"G",
    ]
    with connections(served, 300) as slow:
        for number, connection in enumerate(slow):
            connection.sendall(heads[number % len(heads)])
        for _ in range(3):
            for connection in slow:
                connection.sendall(b"y")
            assert_prompt(served, client)


@pytest.fixture(scope="module")
def large_export(served):
    """The request for a file that is larger than what a server would keep in memory."""
    client = served.sign_in()
    for _ in range(LARGE // 10_000):
        added = client.post("/tokens/add_tokens", {"count": "10000", "prefix": "x" * 2_000})
        assert added.status == 200, added.body
    cookie = client.headers["Cookie"]
    return f"GET /tokens/export HTTP/1.0\r\nCookie: {cookie}\r\n\r\n".encode()


def test_readers_when_they_read_nothing_then_others_are_answered(served, large_export):
    client = served.sign_in()
    with connections(served, THREADS) as idle:
        for connection in idle:
            connection.sendall(large_export)
            # The answer has begun, and a thread is at work on it.
            assert connection.recv(12) == b"HTTP/1.0 200"
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(TimeoutError):
                start = time.monotonic()
                assert client.get("/tokens/query_token", {"value": "y"}).status == 200
                if time.monotonic() - start < PROMPT_S:
                    break
            assert time.monotonic() < deadline
        assert_prompt(served, client)
        # Who reads late gets all the same.
        size = sum(map(len, iter(lambda: idle[0].recv(1_000_000), b"")))
        assert size > LARGE * 2_000
