"""Fields of queries and forms, read within bounds and in linear time (decision 0012)."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from typing import IO
from typing import Any
from typing import Final
from urllib.parse import parse_qsl

from multipart import MultipartError
from multipart import MultipartParser
from multipart import MultipartPart
from multipart import parse_options_header
from webob.compat import cgi_FieldStorage

from cone.tokens.core.errors import InvalidParameter

KIB: Final = 1_024
MIB: Final = 1_024 * KIB

#: Lines in the head of a part, and bytes in each; browsers send two short ones.
_HEAD_LINES: Final = 8
_HEAD_BYTES: Final = 4 * KIB

_UTF_8: Final = ("", "utf-8", "utf8")
_PLAIN: Final = ("", "7bit", "8bit", "binary")

Pairs = list[tuple[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a request may bring along.

    :ivar size: bytes of the body.
    :ivar fields: fields of the query, and of the form.
    :ivar file: the field of our pages that may be a file; None: none may.
    """

    size: int = MIB
    fields: int = 1_000
    file: str | None = None

    @property
    def in_memory(self) -> int:
        """Bytes of a body that are kept in memory while it is received; more are kept in a file.

        A multipart form is read into memory as a whole, see :func:`multipart_fields`.
        """
        return self.size if self.file else min(self.size, MIB)

    @property
    def size_words(self) -> str:
        """The size as people write it."""
        whole, rest = divmod(self.size, MIB)
        return f"{self.size // KIB} KiB" if rest else f"{whole} MiB"


USUAL: Final = Limits()


class UnreadableRequest(InvalidParameter):
    """A request cannot be read, whichever view is to read it."""


class Upload(cgi_FieldStorage):
    """A file in a form, with the attributes that WebOb's have; YAFOWIL asks for that class."""

    def __init__(self, part: MultipartPart) -> None:
        # The base class would parse: its __init__ is left out on purpose.
        self.name, self.filename, self.file = part.name, part.filename, part.file
        self.headers, self.length = part.headers, part.size
        self.type = part.content_type
        self.type_options: dict[str, str] = {}
        self.disposition = "form-data"
        self.disposition_options = {"name": part.name, "filename": part.filename}
        self.list, self.done = None, 1


def urlencoded_fields(place: str, content: bytes, limits: Limits) -> list[tuple[str, str]]:
    """Return the fields in ``content``, of a query or of a body.

    :param place: which of them, to name it.
    :raises UnreadableRequest: it has too many, or is not UTF-8.
    """
    text = decoded(place, content)
    try:
        return parse_qsl(
            text,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=limits.fields,
        )
    except UnicodeDecodeError:
        raise not_utf8(place) from None
    except ValueError:
        raise _too_many_fields(place, limits) from None


def multipart_fields(body: IO[bytes], content_type: str, limits: Limits) -> Pairs:
    """Return the fields of a multipart form: texts, and an :class:`Upload` for each file.

    The body is read into memory as a whole: :attr:`Limits.size` is what bounds that.
    Where no file was chosen browsers send a file without a name: that is ``b""``, as in WebOb.

    :param content_type: the header, with the boundary.
    :raises UnreadableRequest: it is no such form, has too many fields, or texts that are not UTF-8.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    body = _with_empty_contents(body, boundary.encode())
    fields = [(part.name, _content(part)) for part in _parts(body, boundary, limits)]
    body.seek(0)
    # What comes before the first boundary is passed over: without a field that may be all.
    if not fields and not body.read().lstrip().startswith(f"--{boundary}".encode()):
        raise _no_multipart()
    return fields


def _with_empty_contents(body: IO[bytes], boundary: bytes) -> IO[bytes]:
    """Return ``body`` with an empty content for each part that has a head alone.

    RFC 2046, 5.1.1 allows such parts, and Werkzeug sends them; the parser does not know them.
    """
    text = body.read()
    body.seek(0)
    delimiter = b"--" + re.escape(boundary)
    # A delimiter begins a line, and no line of a head is one: the time is linear.
    head = rb"(?<![^\n])(%b\r\n(?:(?!%b)[^\r\n]+\r\n)++)(?=\r\n%b)"
    completed = re.sub(head % ((delimiter,) * 3), rb"\1\r\n", text)
    return body if completed == text else io.BytesIO(completed)


def _parts(body: IO[bytes], boundary: str, limits: Limits) -> Iterator[MultipartPart]:
    try:
        parts = MultipartParser(
            body,
            boundary,
            strict=True,
            header_limit=_HEAD_LINES,
            headersize_limit=_HEAD_BYTES,
            part_limit=limits.fields + 1,
            spool_limit=limits.in_memory,
            memory_limit=limits.size,
        )
        for number, part in enumerate(parts, start=1):
            if number > limits.fields:
                raise _too_many_fields("body", limits)
            yield part
    except MultipartError as error:
        is_text = not isinstance(error.__context__, UnicodeDecodeError)
        raise (_no_multipart() if is_text else not_utf8("body")) from None


def _content(part: MultipartPart) -> str | bytes | Upload:
    if part.headers.get("Content-Transfer-Encoding", "").strip().lower() not in _PLAIN:
        # RFC 7578, 4.7: forms have none. The text of one that is not decoded would be another.
        problem = "has a part with a Content-Transfer-Encoding"
        raise damaged(problem)
    if part.filename:
        return Upload(part)
    content = part.raw
    part.close()
    if part.filename is not None:
        return b""
    # What is declared otherwise is read where that makes no difference.
    is_utf_8 = (part.charset or "").lower() in _UTF_8
    return decoded("body", content, "utf-8" if is_utf_8 else "ascii")


def decoded(place: str, content: bytes, encoding: str = "utf-8") -> str:
    """Return ``content`` as text.

    :raises UnreadableRequest: it is none.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise not_utf8(place) from None


def not_utf8(place: str) -> UnreadableRequest:
    """Return the mistake of a text in another encoding."""
    return UnreadableRequest(place, "not_utf8", f"{place}: is not encoded in UTF-8")


def damaged(problem: str) -> UnreadableRequest:
    """Return the error of a damaged body."""
    return UnreadableRequest("body", "invalid_form", f"body: {problem}")


def _no_multipart() -> UnreadableRequest:
    return damaged("is no multipart form")


def _too_many_fields(place: str, limits: Limits) -> UnreadableRequest:
    message = f"{place}: has more than {limits.fields} fields"
    return UnreadableRequest(place, "too_many_fields", message, maximum=limits.fields)
