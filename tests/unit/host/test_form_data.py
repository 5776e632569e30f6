"""Forms in bodies: what is read, what is refused, and that time does not grow with the square."""

import io
import time

import pytest
from webob.compat import cgi_FieldStorage

from cone.tokens.host.form_data import MIB
from cone.tokens.host.form_data import Limits
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.host.form_data import multipart_fields
from cone.tokens.host.form_data import urlencoded_fields
from cone.tokens.host.site_request import BodyTooLarge
from cone.tokens.host.site_request import SiteRequest

KIND = "multipart/form-data; boundary=b"
#: Seconds for a body of 1 MiB: the parser before took minutes for the same.
PROMPT_S = 10.0


def part(head=b'; name="a"', content=b"1", more=b""):
    disposition = b"Content-Disposition: form-data" + head + b"\r\n"
    return b"--b\r\n" + disposition + more + b"\r\n" + content + b"\r\n"


def read(*parts, limits=None, kind=KIND, end=b"--b--\r\n"):
    return multipart_fields(io.BytesIO(b"".join(parts) + end), kind, limits or Limits())


def reason_of(call, *given, **named):
    with pytest.raises(UnreadableRequest) as caught:
        call(*given, **named)
    return caught.value.reason


def sent(body=b"", kind=KIND, method="POST", **environ):
    """Return the request of a body."""
    request = SiteRequest.blank("/", method=method, **environ)
    request.body = body
    request.environ["CONTENT_TYPE"] = kind
    return request


def in_chunks(body, kind=KIND):
    """Return a request as a server hands it over that does not collect the chunks of a body."""
    request = SiteRequest.blank("/", method="POST")
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["wsgi.input_terminated"] = True
    request.environ["CONTENT_TYPE"] = kind
    return request


def test_form_when_it_has_texts_then_they_are_read_in_order():
    fields = read(part(content="ü".encode()), part(b'; name="b"', b""), part(content=b"2"))
    assert fields == [("a", "ü"), ("b", ""), ("a", "2")]


def test_form_when_it_has_a_file_then_it_is_as_webob_has_it():
    head, more = b'; name="f"; filename="\xc3\xbc.csv"', b"Content-Type: text/csv\r\n"
    [(name, file)] = read(part(head, b"\xff\r\n", more))
    assert isinstance(file, cgi_FieldStorage)
    assert (name, file.name, file.filename, file.type) == ("f", "f", "ü.csv", "text/csv")
    assert file.value == file.file.read() == b"\xff\r\n"
    assert file.headers["content-type"] == "text/csv"


def test_form_when_no_file_was_chosen_then_it_is_empty():
    assert read(part(b'; name="f"; filename=""', b"")) == [("f", b"")]


def test_form_when_a_file_is_larger_than_memory_is_for_it_then_it_is_read_all_the_same():
    content = b"x" * (MIB + 1)
    [(_name, file)] = read(part(b'; name="f"; filename="f"', content), limits=Limits(size=2 * MIB))
    assert file.value == content


HEADS = {
    "large head": b'; name="a"; x="' + b"a;" * 250_000 + b'"',
    "head without an end": b'; name="a"; x="' + b"\\a" * 250_000,
    "empty options": b'; name="a"' + b"; " * 250_000,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_form_when_a_head_is_large_then_it_is_refused_at_once(head):
    start = time.monotonic()
    assert reason_of(read, part(head)) == "invalid_form"
    assert time.monotonic() - start < PROMPT_S


@pytest.mark.parametrize(
    "option", [b'x="' + b"a;" * 1_900 + b'"', b';a="\\"' * 660, b"a= ;" * 950, b";" * 3_900]
)
def test_form_when_many_heads_are_as_large_as_may_be_then_they_are_read_at_once(option):
    parts = [part(b'; name="a"; ' + option)] * (MIB // 4_000)
    start = time.monotonic()
    assert len(read(*parts)) == len(parts)
    assert time.monotonic() - start < PROMPT_S


def test_form_when_a_part_has_a_head_alone_then_its_text_is_empty():
    # As Werkzeug sends a field without a text.
    alone = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    text = part(b'; name="c"', b"x\r\n\r\ny\r\n")
    assert read(alone, alone, text, alone) == [
        ("a", ""),
        ("a", ""),
        ("c", "x\r\n\r\ny\r\n"),
        ("a", ""),
    ]


@pytest.mark.parametrize("line", [b"x--b\r\n", b"--b\r\n", b"--bx\r\n", b"x\r\n", b"\r\n"])
def test_form_when_many_lines_look_like_parts_then_it_is_read_at_once(line):
    start = time.monotonic()
    assert reason_of(read, b"--b\r\n" + line * (MIB // len(line)))
    assert time.monotonic() - start < PROMPT_S


def test_form_when_it_has_more_fields_than_may_be_then_it_is_refused():
    limits = Limits(fields=3)
    assert len(read(*[part()] * 3, limits=limits)) == 3
    assert reason_of(read, *[part()] * 4, limits=limits) == "too_many_fields"
    assert len(urlencoded_fields("body", b"a=1&a=2&a=3", limits)) == 3
    assert reason_of(urlencoded_fields, "body", b"a=1&a=2&a=3&", limits) == "too_many_fields"


def test_form_when_a_part_has_many_lines_in_its_head_then_it_is_refused():
    assert reason_of(read, part(more=b"A: b\r\n" * 8)) == "invalid_form"


NO_FORMS = {
    "no end": {"end": b""},
    "no boundary": {"kind": "multipart/form-data"},
    "other boundary": {"end": b"x\r\n--c--\r\n", "kind": "multipart/form-data; boundary=d"},
    "text before an empty form": {"parts": [b"--c\r\n\r\n"]},
    "no name": {"parts": [part(b"")]},
    "a file that is none": {"parts": [part(b"").replace(b"form-data", b"attachment")]},
    "line continued": {"parts": [part(more=b"A: b\r\n c\r\n")]},
    "base64": {"parts": [part(more=b"Content-Transfer-Encoding: base64\r\n")]},
}


@pytest.mark.parametrize("given", NO_FORMS.values(), ids=NO_FORMS)
def test_form_when_it_is_none_then_it_is_refused(given):
    assert reason_of(read, *given.pop("parts", [part()]), **given) == "invalid_form"


@pytest.mark.parametrize("end", [b"--b--\r\n", b"\r\n--b--"])
def test_form_when_it_has_no_fields_then_there_are_none(end):
    assert read(end=end) == []


LATIN = b"Content-Type: text/plain; charset=iso-8859-1\r\n"


@pytest.mark.parametrize(
    "bad", [part(content=b"\xff"), part(b'; name="\xff"'), part(content=b"\xfc", more=LATIN)]
)
def test_form_when_a_text_is_not_utf8_then_it_is_refused(bad):
    assert reason_of(read, bad) == "not_utf8"


def test_form_when_another_charset_makes_no_difference_then_it_is_read():
    assert read(part(content=b"plain", more=LATIN)) == [("a", "plain")]


@pytest.mark.parametrize(
    ("size", "words"), [(65_536, "64 KiB"), (MIB, "1 MiB"), (8 * MIB, "8 MiB")]
)
def test_limits_when_told_then_as_people_write_sizes(size, words):
    assert Limits(size=size).size_words == words


# --- requests ----------------------------------------------------------------------------------


@pytest.fixture
def no_cgi(monkeypatch):
    """Make every use of the parser of the standard library fail."""

    def fail(*_given, **_named):
        pytest.fail("cgi.FieldStorage was reached")

    monkeypatch.setattr("webob.request.cgi_FieldStorage", fail)
    monkeypatch.setattr("cgi.FieldStorage.__init__", fail)


WAYS = {
    "POST": lambda request: request.POST,
    "params": lambda request: request.params,
    "copy": lambda request: request.copy().POST,
    "decode": lambda request: request.decode().POST,
    "after the body": lambda request: (request.body, request.POST)[1],
    "twice": lambda request: (request.POST, request.POST)[1],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("chunked", [False, True])
def test_request_when_a_form_is_read_then_never_by_cgi(no_cgi, way, method, chunked):
    body = part() + part(b'; name="f"; filename="f"', b"x") + b"--b--\r\n"
    request = in_chunks(body) if chunked else sent(body)
    request.method = method
    fields = way(request)
    assert (fields["a"], fields["f"].file.read()) == ("1", b"x")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_request_when_a_link_has_a_body_then_it_is_not_read(no_cgi, method):
    request = sent(b"damaged", method=method)
    assert len(request.POST) == len(request.params) == 0


def test_request_when_the_form_was_read_then_the_body_can_be_read_again():
    body = part() + b"--b--\r\n"
    request = sent(body)
    assert request.POST["a"] == "1"
    assert request.body_file.read() == request.body == body


@pytest.mark.parametrize("make", [sent, in_chunks], ids=["length", "chunks"])
@pytest.mark.parametrize("kind", [KIND, "application/x-www-form-urlencoded", "text/plain"])
def test_request_when_its_body_is_too_large_then_it_is_refused(make, kind):
    request = make(b"a" * 101, kind)
    request.limits = Limits(size=100)
    with pytest.raises(BodyTooLarge):
        _read = request.POST, request.body if make is in_chunks else request.refuse_large_body()


def test_request_when_it_is_cut_then_it_is_refused():
    request = in_chunks(b"a=1", "application/x-www-form-urlencoded")
    request.environ["CONTENT_LENGTH"] = "10"
    assert reason_of(lambda: request.POST) == "invalid_form"


def test_request_when_its_charset_is_another_then_it_is_refused():
    request = sent(b"a=1", "application/x-www-form-urlencoded; charset=utf-16")
    assert reason_of(lambda: request.POST) == reason_of(request.decode) == "not_utf8"


def test_request_when_its_query_is_changed_then_it_is_read_again():
    request = SiteRequest.blank("/?a=1")
    assert request.GET["a"] == "1"
    request.GET["a"] = "2"
    assert request.query_string == "a=2"
    request.query_string = "a=3"
    assert request.params["a"] == "3"


@pytest.mark.parametrize("query", ["a=%ff", "&" * 1_000])
def test_request_when_its_query_cannot_be_read_then_it_is_refused(query):
    request = SiteRequest.blank(f"/?{query}")
    assert reason_of(lambda: request.params) in ("not_utf8", "too_many_fields")
