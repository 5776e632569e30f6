"""A site as it is served: waitress, real sockets, connections that are kept alive."""

import http.client
import io
import socket

import pytest
import zxingcpp
from PIL import Image

from tests.support.served import Served
from tests.support.site import write_site


@pytest.fixture(scope="module")
def site_served(tmp_path_factory):
    """One served site for the tests that leave it running."""
    with Served(write_site(tmp_path_factory.mktemp("served"))) as served:
        yield served


@pytest.fixture
def client(site_served):
    yield site_served.sign_in()
    site_served.hang_up()


def add(client, **parameters):
    return client.post("/tokens/add_token", parameters).json["token_uid"]


def test_a_token_when_it_is_used_over_one_connection_then_its_story_is_as_promised(client):
    uid = add(client, value="at the door ✓", usage_count="3")
    connection = client.connection.sock
    answers = [client.post(f"/tokens/{uid}/consume_token").json for _ in range(4)]
    assert [answer["consumed"] for answer in answers] == [True, True, True, False]
    assert [answer["usage_count"] for answer in answers[:3]] == [2, 1, 0]
    assert answers[3]["error"] == "usage_count_exceeded"
    usages = client.get(f"/tokens/{uid}/usages").json["usages"]
    assert [usage["error"] for usage in usages] == ["usage_count_exceeded", None, None, None]
    picture = client.get(f"/tokens/{uid}/qr_code", {"format": "png"})
    assert picture.headers["Content-Type"] == "image/png"
    with Image.open(io.BytesIO(picture.body)) as image:
        (code,) = zxingcpp.read_barcodes(image.convert("L"))
    assert code.text == "at the door ✓"
    assert client.connection.sock is connection


# What only a socket can send


def test_a_body_when_it_comes_in_chunks_then_it_is_read(client, site_served):
    connection = http.client.HTTPConnection("127.0.0.1", site_served.port, timeout=30)
    headers = {**client.headers, "Content-Type": "application/json"}
    chunks = iter([b'{"value": ', b'"in chunks"}'])
    connection.request("POST", "/tokens/add_token", chunks, headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    token = client.get("/tokens/query_token", {"value": "in chunks"}).json["token"]
    assert token["value"] == "in chunks"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_when_it_is_too_large_then_it_is_413(client, site_served, chunked):
    connection = http.client.HTTPConnection("127.0.0.1", site_served.port, timeout=30)
    body = b"x" * 1_048_577
    connection.request(
        "POST",
        "/tokens/add_token",
        iter([body]) if chunked else body,
        {**client.headers, "Content-Type": "application/x-www-form-urlencoded"},
        encode_chunked=chunked,
    )
    response = connection.getresponse()
    assert response.status == 413
    assert b"too_large" in response.read()
    connection.close()


RAW_PATHS = {
    "quoted bytes": (b"/tokens/%ff/consume_token", b" 400 "),
    "NUL": (b"/tokens/%00/consume_token", b" 404 "),
    "slashes": (b"//tokens///no-uid/consume_token", b" 404 "),
    "dots": (b"/tokens/../tokens/./no-uid/consume_token", b" 404 "),
    "quoted bytes in the query": (b"/tokens/consume_token?value=%ff", b" 400 "),
}


@pytest.mark.parametrize(("path", "status"), RAW_PATHS.values(), ids=RAW_PATHS)
def test_a_path_when_it_is_of_strange_bytes_then_it_is_answered_in_json(
    client,
    site_served,
    path,
    status,
):
    answer = post_raw(site_served.port, path, client.headers["Cookie"])
    assert status in answer.split(b"\r\n")[0]
    assert b'"success"' in answer


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, (path, _) in RAW_PATHS.items()])
def test_a_path_when_nobody_is_signed_in_then_401_unless_it_has_another_spelling(
    site_served, name, path
):
    answer = post_raw(site_served.port, path, "other=1")
    is_spelled_otherwise = name in ("slashes", "dots")
    status, slug = (b"404", b"not_found") if is_spelled_otherwise else (b"401", b"unauthenticated")
    assert answer.split(b" ")[1] == status
    assert slug in answer


def post_raw(port: int, path: bytes, cookie: str) -> bytes:
    """Send a request whose path is not touched on the way, and return the whole answer."""
    lines = [
        b"POST " + path + b" HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        b"Content-Length: 0",
        b"Cookie: " + cookie.encode(),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        with connection.makefile("rb") as stream:
            return stream.read()


def test_a_head_request_when_it_is_sent_then_the_connection_stays_usable(client):
    client.connection.request("HEAD", "/tokens/query_token", headers=client.headers)
    response = client.connection.getresponse()
    assert (response.status, response.read()) == (405, b"")
    assert client.get("/tokens/query_token", {"value": "x"}).json["token"] is None


def test_a_host_when_its_header_names_a_port_then_its_own_origin_is_accepted(client, site_served):
    uid = add(client, usage_count="5")
    path = f"/tokens/{uid}/consume_token"
    own = f"http://127.0.0.1:{site_served.port}"
    assert client.post(path, origin=own).json["consumed"] is True
    assert client.post(path, origin="http://127.0.0.1").status == 403


def test_the_log_when_all_this_happened_then_it_tells_no_bug(client, site_served):
    assert client.get("/tokens/query_token", {"value": "x"}).status == 200
    assert "Traceback" not in site_served.log
    assert "unexpected error" not in site_served.log
