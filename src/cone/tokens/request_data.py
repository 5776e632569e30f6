"""What a request gives, before anything is made of it: the same for the JSON API and for pages."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import parse_qsl

from pyramid.httpexceptions import HTTPRequestEntityTooLarge

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import collect
from cone.tokens.core.params import parse_json

if TYPE_CHECKING:
    from pyramid.request import Request

MIB: Final = 1_048_576

#: Names and values that a query or a form may have.
MAX_FIELDS: Final = 1_000

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

#: Media types of bodies that forms and that programs send.
FORMS: Final = (FORM, MULTIPART)
ALL: Final = (*FORMS, JSON)

#: A multipart form without fields: nothing, or the line that ends it.
_NO_PART: Final = re.compile(rb"\s*(--[^\r\n]*--\s*)?")

Pairs = list[tuple[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What the body of a request may be.

    :ivar mib: its size.
    :ivar lines: of a multipart form: each of a part's head costs its reader time.
    :ivar file: the field that may be a file; None: none may.
    """

    mib: int = 1
    lines: int = 10_000
    file: str | None = None


USUAL: Final = Limits()


class BodyTooLarge(HTTPRequestEntityTooLarge):
    """The body of the request is larger than ``mib``."""

    def __init__(self, mib: int) -> None:
        """Take the limit."""
        super().__init__()
        self.mib = mib


def refuse_large_body(request: Request, limits: Limits = USUAL) -> None:
    """Refuse a body that is too large, before it is read.

    :raises BodyTooLarge: it is.
    """
    most = limits.mib * MIB
    if (request.content_length or 0) > most:
        raise BodyTooLarge(limits.mib)
    # WebOb would copy what is longer than 10 kB to a file, and leave that open.
    request.request_body_tempfile_limit = most + 1


def forget_body(request: Request) -> None:
    """Keep the host's template from reading the form: it may be of any size, or damaged."""
    request.body = b""
    request.content_type = ""


def given(request: Request, known: Iterable[Parameter]) -> dict[str, Any]:
    """Return the raw values of the ``known`` parameters in query and body by name.

    :raises InvalidParameter: query or body cannot be read, or a parameter is given twice.
    """
    return collect(pairs(request), known)


def pairs(request: Request, media: Sequence[str] = ALL, limits: Limits = USUAL) -> Pairs:
    """Return names and raw values in the query, and in the body of a POST.

    Files are bytes: those of the field that may be one, else none.

    :param media: media types that the body may have.
    :raises InvalidParameter: query or body cannot be read.
    """
    # WSGI hands bytes over as Latin-1.
    of_query = _pairs_of_form("query", request.query_string.encode("latin-1"))
    if request.method != "POST" or not request.content_length:
        return of_query
    return of_query + _pairs_of_body(request, media, limits)


def _pairs_of_body(request: Request, media: Sequence[str], limits: Limits) -> Pairs:
    # WebOb compares types as they are written, and they may be written in any case.
    request.content_type = content_type = request.content_type.strip().lower()
    if content_type not in media:
        name = "Content-Type"
        message = f"{name}: must be {', '.join(media[:-1])} or {media[-1]}"
        raise InvalidParameter(name, "invalid_content_type", message)
    if content_type == JSON:
        return parse_json(_decoded("body", request.body))
    if content_type == MULTIPART:
        return _pairs_of_multipart(request, limits)
    return _pairs_of_form("body", request.body)


def _pairs_of_form(place: str, content: bytes) -> Pairs:
    text = _decoded(place, content)
    try:
        return list(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS),
        )
    except UnicodeDecodeError:
        raise _not_utf8(place) from None
    except ValueError:
        raise _too_many_fields(place) from None


def _pairs_of_multipart(request: Request, limits: Limits) -> Pairs:
    # WebOb would replace what is not UTF-8, and knows no other encoding.
    if limits.file is None:
        _decoded("body", request.body)
    if request.charset != "UTF-8":
        raise _not_utf8("body")
    if request.body.count(b"\n") > limits.lines:
        raise _too_many_fields("body") if limits.file is None else _too_many_lines(limits)
    try:
        fields = list(request.POST.items())
    except (ValueError, LookupError, TypeError):
        raise _no_multipart() from None
    # The parser passes over what has no name, and finds nothing where no part begins.
    if None in dict(fields) or (not fields and not _NO_PART.fullmatch(request.body)):
        raise _no_multipart()
    if len(fields) > MAX_FIELDS:
        raise _too_many_fields("body")
    found = [(name, _text_or_file(value, is_read=name == limits.file)) for name, value in fields]
    if limits.file is not None:
        _check_around_files(request.body, [raw for _name, raw in found if isinstance(raw, bytes)])
    return found


def _text_or_file(value: Any, *, is_read: bool) -> Any:
    """Return a text as it is, and of a file its content where it is read."""
    if isinstance(value, str):
        return value
    file = getattr(value, "file", None)
    if file is None:
        return b""
    if is_read:
        file.seek(0)
        return file.read()
    file.close()
    return b""


def _check_around_files(body: bytes, files: Iterable[bytes]) -> None:
    for content in files:
        body = body.replace(content, b"", 1)
    _decoded("body", body)


def _decoded(place: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _not_utf8(place) from None


def _too_many_fields(place: str) -> InvalidParameter:
    message = f"{place}: has more than {MAX_FIELDS} fields"
    return InvalidParameter(place, "too_many_fields", message, maximum=MAX_FIELDS)


def _too_many_lines(limits: Limits) -> InvalidParameter:
    message = f"{limits.file}: has more than {limits.lines} lines"
    return InvalidParameter(str(limits.file), "too_many_lines", message, maximum=limits.lines)


def _no_multipart() -> InvalidParameter:
    return InvalidParameter("body", "invalid_form", "body: is no multipart form")


def _not_utf8(place: str) -> InvalidParameter:
    return InvalidParameter(place, "not_utf8", f"{place}: is not encoded in UTF-8")
