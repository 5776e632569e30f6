"""What a request gives, before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import parse_qsl

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import collect
from cone.tokens.core.params import parse_json
from cone.tokens.json_api import MAX_BODY

if TYPE_CHECKING:
    from pyramid.request import Request

#: Names and values that a query or a form may have.
MAX_FIELDS: Final = 1_000

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

Pairs = list[tuple[str, Any]]


def given(request: Request, known: Iterable[Parameter]) -> dict[str, Any]:
    """Return the raw values of the ``known`` parameters in query and body by name.

    :raises InvalidParameter: query or body cannot be read, or a parameter is given twice.
    """
    pairs = _pairs_of_query(request)
    if request.method == "POST":
        pairs += _pairs_of_body(request)
    return collect(pairs, known)


def _pairs_of_query(request: Request) -> Pairs:
    # WSGI hands bytes over as Latin-1.
    return _pairs_of_form("query", request.query_string.encode("latin-1"))


def _pairs_of_body(request: Request) -> Pairs:
    if not request.content_length:
        return []
    # WebOb would copy what is longer than 10 kB to a file; the size was checked.
    request.request_body_tempfile_limit = MAX_BODY
    # It compares types as they are written, and they may be written in any case.
    request.content_type = content_type = request.content_type.strip().lower()
    if content_type == FORM:
        return _pairs_of_form("body", request.body)
    if content_type == JSON:
        return parse_json(_decoded("body", request.body))
    if content_type == MULTIPART:
        return _pairs_of_multipart(request)
    name = "Content-Type"
    message = f"{name}: must be {FORM}, {MULTIPART} or {JSON}"
    raise InvalidParameter(name, "invalid_content_type", message)


def _pairs_of_form(place: str, content: bytes) -> Pairs:
    text = _decoded(place, content)
    try:
        return list(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS),
        )
    except UnicodeDecodeError:
        raise _not_utf8(place) from None
    except ValueError:
        message = f"{place}: has more than {MAX_FIELDS} fields"
        raise InvalidParameter(place, "too_many_fields", message, maximum=MAX_FIELDS) from None


def _pairs_of_multipart(request: Request) -> Pairs:
    # WebOb would replace what is not UTF-8, and knows no other encoding.
    _decoded("body", request.body)
    if request.charset != "UTF-8":
        raise _not_utf8("body")
    try:
        return list(request.POST.items())
    except (ValueError, LookupError, TypeError):
        message = "body: is no multipart form"
        raise InvalidParameter("body", "invalid_form", message) from None


def _decoded(place: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _not_utf8(place) from None


def _not_utf8(place: str) -> InvalidParameter:
    return InvalidParameter(place, "not_utf8", f"{place}: is not encoded in UTF-8")
