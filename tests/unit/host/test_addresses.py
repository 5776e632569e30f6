"""Spellings of paths, and whether an address belongs to the site."""

import string

import pytest
from pyramid.request import Request

from cone.tokens.host.addresses import is_spelled_plainly
from cone.tokens.host.addresses import own_address
from cone.tokens.host.addresses import path_and_query
from cone.tokens.host.addresses import plain_url

UNRESERVED = string.ascii_letters + string.digits + "-._~/"


def request_of(path, raw=None, **environ):
    request = Request.blank("/")
    request.environ["PATH_INFO"] = path
    if raw is not None:
        request.environ["REQUEST_URI"] = raw
    request.environ.update(environ)
    return request


@pytest.mark.parametrize("byte", range(256))
def test_spelling_when_a_byte_is_encoded_then_only_one_that_need_not_be_is_another(byte):
    letter = chr(byte)
    for code in (f"%{byte:02X}", f"%{byte:02x}"):
        raw = f"/tokens/a{code}b"
        is_plain = is_spelled_plainly(request_of(f"/tokens/a{letter}b", raw))
        assert is_plain == (letter not in UNRESERVED), code


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/", "/"),
        ("/tokens", "/tokens"),
        ("/tokens/", "/tokens"),
        ("//", "/"),
        ("/.", "/"),
        ("/tokens/a/../b/./c//", "/tokens/b/c"),
        ("/../../x", "/x"),
        ("/tokens/@@scan", "/tokens/scan"),
        ("/tokens/a@@b", "/tokens/a@@b"),
        ("/tokens/@@", "/tokens/@@"),
        ("/a b", "/a%20b"),
        ("/\xc3\xa4", "/%C3%A4"),
    ],
)
def test_plain_url_when_a_path_has_another_spelling_then_it_is_the_one_that_is_served(
    path, expected
):
    request = request_of(path, SCRIPT_NAME="/shop", QUERY_STRING="a=b%20c&d=\xc3\xa4")
    assert plain_url(request) == f"http://localhost/shop{expected or '/'}?a=b%20c&d=%C3%A4"
    plain = request_of(plain_url(request_of(path)).removeprefix("http://localhost"))
    assert is_spelled_plainly(plain)


def test_own_address_when_it_is_the_path_of_a_request_then_it_is_that_address():
    request = request_of("/tokens/\xc3\xa4 b", SCRIPT_NAME="/shop", QUERY_STRING="x=\xc3\xa4&y=%0a")
    address = path_and_query(request)
    assert address == "/shop/tokens/%C3%A4%20b?x=%C3%A4&y=%0a"
    assert own_address(address, request) == f"http://localhost{address}"
    assert own_address(f"http://localhost{address}", request) == f"http://localhost{address}"


@pytest.mark.parametrize(
    "text", [None, 1, b"/", "", "x", "//x", "/\\x", "http:x", "/ä", "/ x", "/\n"]
)
def test_own_address_when_the_text_is_none_then_there_is_none(text):
    assert own_address(text, request_of("/")) is None
