"""Bodies that a stranger sends, to our pages and to those of the host; hosts that are none."""

import http.client
import io
import time

import pytest

from cone.tokens.host import site_request
from tests.support.asking import INTERNALS
from tests.support.asking import assert_failure
from tests.support.asking import make_user
from tests.support.asking import send_bytes
from tests.support.served import Served
from tests.support.site import login_form
from tests.support.site import write_site

KIB = 1_024
MIB = 1_024 * KIB
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
#: Seconds for any of these bodies: they took minutes.
PROMPT_S = 20.0
PART = b'--b\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n1\r\n'
END = b"--b--\r\n"
LARGE_HEAD = PART % (b'; x="' + b"a;" * 250_000 + b'"') + END

#: Where nobody has anything to send without being signed in.
FOR_USERS = ("/tokens", "/tokens/add", "/tokens/ajaxaction", "/", "/settings", "/settings/x")
FOR_USERS += ("/settings/token_settings", "/settings/token_settings/edit")
#: Pages of the host, and paths that lead nowhere.
OF_HOST = ("/settings", "/contents", "/resources/x", "/nowhere", "/favicon.ico")


def post(client, path, body, content_type=MULTIPART, *, method="POST"):
    return client.request(path, method=method, body=body, content_type=content_type, status="*")


def in_chunks(client, path, body, content_type=FORM):
    """Send a body as a server hands it over that does not collect its chunks."""
    request = client.RequestClass.blank(path, method="POST")
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["wsgi.input_terminated"] = True
    request.environ["CONTENT_TYPE"] = content_type
    request.headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in client.cookies.items())
    return request.get_response(client.app)


def assert_page(answer, status, text):
    """Assert that a page tells what is wrong, and nothing from inside."""
    assert (answer.status_int, answer.content_type) == (status, "text/html")
    assert text in " ".join(answer.text.split())
    assert not [internal for internal in INTERNALS if internal in answer.text]


@pytest.fixture
def read_bodies(monkeypatch):
    """Return the list of what the parsers of forms are given from now on."""
    bodies = []

    def note(name):
        read = getattr(site_request, name)

        def noted(first, *more):
            if first != "query":
                bodies.append(name)
            return read(first, *more)

        monkeypatch.setattr(site_request, name, noted)

    note("multipart_fields")
    note("urlencoded_fields")
    return bodies


# --- nobody is signed in -----------------------------------------------------------------------


@pytest.mark.parametrize("path", FOR_USERS)
@pytest.mark.parametrize("content_type", [FORM, MULTIPART])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_when_nobody_is_signed_in_then_it_is_not_read(
    anonymous, read_bodies, path, content_type, method
):
    query = "?ajax.action=content" if path.endswith("ajaxaction") else ""
    answer = post(anonymous, path + query, b"damaged", content_type, method=method)
    assert read_bodies == []
    assert answer.status_int != 400


def test_a_body_when_it_is_sent_to_the_api_by_nobody_then_it_is_not_read(anonymous, read_bodies):
    assert_failure(post(anonymous, "/tokens/add_token", LARGE_HEAD), 401, "unauthenticated")
    assert read_bodies == []


@pytest.mark.parametrize("path", ["/tokens", "/", "/settings/token_settings", "/login", "/nowhere"])
def test_a_large_head_when_nobody_is_signed_in_then_the_answer_comes_at_once(anonymous, path):
    start = time.monotonic()
    answer = post(anonymous, path, LARGE_HEAD)
    assert time.monotonic() - start < PROMPT_S
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/tokens/add", "/tokens/add_token", "/settings", "/contents"])
def test_a_large_head_when_somebody_is_signed_in_then_400_at_once(admin, path):
    start = time.monotonic()
    assert post(admin, path, LARGE_HEAD).status_int == 400
    assert time.monotonic() - start < PROMPT_S


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_large_head_when_the_site_is_served_then_the_answer_comes_at_once(served, chunked):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PROMPT_S)
    body = iter([LARGE_HEAD]) if chunked else LARGE_HEAD
    headers = {"Content-Type": MULTIPART}
    connection.request("POST", "/nowhere", body, headers, encode_chunked=chunked)
    assert connection.getresponse().status == 400
    connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Served(write_site(tmp_path_factory.mktemp("served"))) as served:
        yield served


# --- the form to sign in -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/tokens/login", "/settings/login"])
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"a" * (64 * KIB + 1), FORM, 413),
        (b"a=1&" * 16_000, FORM, 400),
        (PART % b"" * 1_000 + END, MULTIPART, 400),
        (b"a=%ff", FORM, 400),
        (b"a=1", f"{FORM}; charset=utf-7", 400),
        (b"damaged", MULTIPART, 400),
    ],
    ids=["large", "fields", "parts", "no utf-8", "charset", "damaged"],
)
def test_sign_in_when_the_body_is_none_of_its_form_then_it_is_refused(
    anonymous, path, body, content_type, status
):
    text = "larger than 64 KiB" if status == 413 else ""
    assert_page(post(anonymous, path, body, content_type), status, text)


def test_sign_in_when_its_query_has_many_fields_then_400(anonymous):
    assert_page(anonymous.get(f"/login?{'a=1&' * 30}", status=400), 400, "more than 20 fields")


@pytest.mark.parametrize("path", ["/login", "/tokens/login", "/settings/login"])
def test_sign_in_when_the_form_is_multipart_then_it_is_a_try(anonymous, limited, path):
    limited(sign_in_name="1/5 minutes")
    login = make_user("viewer")
    content_type, body = anonymous.encode_multipart(list(login_form(login).items()), [])
    assert post(anonymous, path, body, content_type).status_int == 302
    wrong = [*login_form(login).items(), ("loginform.password", "wrong")]
    content_type, body = anonymous.encode_multipart(wrong, [])
    statuses = [post(anonymous, path, body, content_type).status_int for _ in range(2)]
    assert statuses == [200, 429]


# --- pages of the host -------------------------------------------------------------------------


@pytest.mark.parametrize("path", OF_HOST)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("content_type", [FORM, MULTIPART, "application/octet-stream"])
def test_host_when_a_body_is_larger_than_1_mib_then_413(admin, path, method, content_type):
    answer = post(admin, path, b"a" * (MIB + 1), content_type, method=method)
    assert_page(answer, 413, "larger than 1 MiB")


@pytest.mark.parametrize("path", [*OF_HOST, "/tokens/add"])
@pytest.mark.parametrize("content_type", [FORM, "application/octet-stream"])
def test_host_when_a_large_body_comes_in_chunks_then_413(admin, path, content_type):
    answer = in_chunks(admin, path, b"a" * (MIB + 1), content_type)
    assert_page(answer, 413, "larger than 1 MiB")


def test_api_when_a_body_comes_in_chunks_then_it_is_read_to_1_mib(editor, content):
    answer = in_chunks(editor, "/tokens/add_token", b"value=v")
    assert answer.json["success"] is True
    assert [row.value for row in content()["tokens"]] == ["v"]
    answer = in_chunks(editor, "/tokens/add_token", b"value=v&a=" + b"a" * MIB)
    assert_failure(answer, 413, "too_large")


def test_host_when_the_settings_allow_larger_bodies_then_they_are_read(admin, patched_config):
    patched_config(host_body=2 * MIB)
    body = b"a=" + b"a" * MIB
    assert post(admin, "/nowhere", body, FORM).status_int not in (400, 413)
    assert post(admin, "/nowhere", body + b"a" * MIB, FORM).status_int == 413
    assert post(admin, "/tokens/add", body, FORM).status_int == 413
    assert post(admin, "/login", body, FORM).status_int == 413


DAMAGED = {
    "no utf-8": (b"a=%ff", FORM, "not encoded in UTF-8"),
    "charset": (b"a=1", f"{FORM}; charset=nonsense", "not encoded in UTF-8"),
    "fields": (b"a=1&" * 1_001, FORM, "more than 1000 fields"),
    "parts": (PART % b"" * 1_001 + END, MULTIPART, "more than 1000 fields"),
    "no multipart": (b"a=1", MULTIPART, "arrived damaged"),
    "no boundary": (PART % b"" + END, "multipart/form-data", "arrived damaged"),
    "no end": (PART % b"", MULTIPART, "arrived damaged"),
}


@pytest.mark.parametrize("path", OF_HOST)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("body", "content_type", "text"), DAMAGED.values(), ids=DAMAGED)
def test_host_when_a_form_cannot_be_read_then_400(admin, path, method, body, content_type, text):
    assert_page(post(admin, path, body, content_type, method=method), 400, text)


@pytest.mark.parametrize("path", ["/nowhere", "/contents", "/login"])
def test_host_when_a_form_cannot_be_read_then_nobody_is_told_more(anonymous, path):
    assert_page(post(anonymous, path, b"a=%ff", FORM), 400, "not encoded in UTF-8")


@pytest.mark.parametrize("path", OF_HOST)
@pytest.mark.parametrize("query", [b"a=%ff", b"a=\xff", b"&" * 1_000])
def test_host_when_a_query_cannot_be_read_then_400(admin, path, query):
    answer = send_bytes(admin, "GET", path.encode(), query=query)
    text = "fields" if b"&" in query else "not encoded in UTF-8"
    assert_page(answer, 400, text)


@pytest.mark.parametrize("query", [b"", b"a=%ff"])
def test_host_when_path_and_form_cannot_be_read_then_400(admin, read_bodies, query):
    answer = send_bytes(admin, "POST", b"/\xff/login", query=query, body=b"a=%ff")
    assert_page(answer, 400, "not encoded in UTF-8")
    assert read_bodies == []


@pytest.mark.parametrize("path", ["/settings", "/nowhere", "/tokens", "/login", "/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_when_a_link_has_one_then_it_is_not_read(admin, read_bodies, path, method):
    post(admin, path, LARGE_HEAD, method=method)
    assert read_bodies == []


def test_host_when_its_form_is_multipart_then_it_is_read_as_ever(admin, read_bodies):
    fields = [("ajax.action", "navtree"), ("ajax.mode", "inner"), ("ajax.selector", "x")]
    content_type, body = admin.encode_multipart(fields, [("file", "a.txt", b"\xff")])
    answer = post(admin, "/ajaxaction", body, content_type)
    assert (answer.status_int, answer.json["mode"]) == (200, "inner")
    assert read_bodies == ["multipart_fields"]


# --- hosts that are none -----------------------------------------------------------------------

BAD_HOSTS = ['a"><script>', "a b", "a/b", "a@b", "", "a\r\nb", "a:b", "[::1", "a:1:2", "ä", "a,b"]


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("path", ["/", "/tokens", "/login", "/settings", "/resources/x"])
def test_a_host_when_it_is_none_then_400_and_nothing_of_it_is_told(anonymous, path, host):
    answer = anonymous.get(path, extra_environ={"HTTP_HOST": host}, status=400)
    assert_page(answer, 400, "The address has no valid host name.")
    if len(host) > 3:
        assert host not in answer.text
        assert host not in str(answer.headers)


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_when_it_is_none_then_the_api_says_so(admin, host):
    for path in (b"/tokens/query_token", b"/tokens/openapi.json"):
        answer = send_bytes(admin, "GET", path, host=host)
        assert_failure(answer, 400, "invalid_parameter", "Host: is no host name")


@pytest.mark.parametrize(
    "host", ["localhost", "a_b.example:8080", "127.0.0.1:80", "[::1]:80", "x."]
)
def test_a_host_when_it_is_one_then_the_page_comes(anonymous, host):
    anonymous.get("/login", extra_environ={"HTTP_HOST": host}, status=200)
