"""Addresses: how a path is spelled, and which addresses belong to this site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import quote
from urllib.parse import unquote

from pyramid.httpexceptions import HTTPNotFound
from pyramid.traversal import split_path_info

from cone.tokens.host.security import is_of_site

if TYPE_CHECKING:
    from pyramid.request import Request

#: What a path may have in front of the name of a view.
VIEW_MARK: Final = "@@"

#: Where servers put the request target as it came: waitress and uWSGI, gunicorn.
_RAW: Final = ("REQUEST_URI", "RAW_URI")

#: Printable ASCII but the backslash, which browsers read as a slash.
_PLAIN: Final = re.compile(r"[!-\[\]-~]+")
#: A letter, digit, ``-._~`` or slash that is encoded (RFC 3986, 2.3).
_NEEDLESS: Final = re.compile(r"%(2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e)", re.IGNORECASE)
#: What stands before the path where a request names the whole address.
_ORIGIN: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class OtherSpelling(HTTPNotFound):
    """The path is not spelled as it is served."""


def plain_path(request: Request) -> str:
    """Return the one spelling of the path of ``request`` that is served, not quoted."""
    return _plain(request.environ.get("PATH_INFO", ""))


def is_spelled_plainly(request: Request) -> bool:
    """Return whether the path of ``request`` is the one spelling of it that is served.

    Traversal also finds a view behind ``@@``, with a slash at the end, with empty segments or
    dots, and the server decodes ``%5F``. What stands in front of the site, such as a proxy with
    a rule for a path, knows none of these spellings.
    """
    path = request.environ.get("PATH_INFO", "")
    # Below the path of a mounted site the start page has two.
    is_plain = path in ("", "/") or path == _plain(path)
    return is_plain and not _came_otherwise(request, path)


def plain_url(request: Request) -> str:
    """Return the address of what ``request`` asks for, with the one spelling of its path."""
    path = quote(plain_path(request).encode("latin-1"), safe="/@")
    query = request.query_string
    return f"{request.application_url}{path}{'?' if query else ''}{_quoted(query)}"


def path_and_query(request: Request) -> str:
    """Return path and query of ``request`` as they stand in a link; a query in any bytes."""
    query = request.query_string
    return f"{request.path}{'?' if query else ''}{_quoted(query)}"


def own_address(text: object, request: Request) -> str | None:
    """Return the absolute address on this very site that ``text`` means; None: it means none.

    :param text: an absolute address, or a path that begins with one slash.
    """
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        return None
    if text.startswith("/"):
        return None if text.startswith("//") else f"{request.host_url}{text}"
    return text if is_of_site(text, request.host_url) else None


def _plain(path: str) -> str:
    segments = split_path_info(path)
    return "/" + "/".join(segment.removeprefix(VIEW_MARK) or segment for segment in segments)


def _came_otherwise(request: Request, path: str) -> bool:
    """Return whether ``path`` came with more slashes in front, or encoded where it need not be.

    waitress takes slashes away. A server or middleware that changed the path otherwise is none of
    our business.
    """
    environ = request.environ
    target = next((environ[name] for name in _RAW if name in environ), path)
    raw: str = _ORIGIN.sub("", target.partition("?")[0], count=1)
    if raw.startswith("//"):
        return True
    if raw.endswith(path) or not unquote(raw.partition("#")[0], "latin-1").endswith(path):
        return False
    return "#" in raw or _NEEDLESS.search(raw) is not None


def _quoted(query: str) -> str:
    return quote(query.encode("latin-1"), safe=_PRINTABLE)
