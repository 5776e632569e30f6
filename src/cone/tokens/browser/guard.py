"""What is checked before a page, whichever view makes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import parse_qsl

import cone.app
from cone.tile import ITile
from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound
from pyramid.httpexceptions import HTTPRequestEntityTooLarge
from zope.interface import providedBy

from cone.tokens import wiring
from cone.tokens.browser.page import settle_language
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.security import VIEW
from cone.tokens.security import refuse_other_sites

if TYPE_CHECKING:
    from pyramid.request import Request

MAX_BODY: Final = 1_048_576
MAX_FIELDS: Final = 1_000
METHODS: Final = ("GET", "HEAD", "POST")
READING: Final = ("GET", "HEAD")
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

#: Changes something whatever the method: it runs any tile.
AJAX: Final = "ajaxaction"

#: Views and tiles of cone.app for every node that would walk the tokens, or show internals.
_GENERIC: Final = frozenset(
    {
        "contents",
        "listing",
        "local_acl",
        "overlayadd",
        "overlayedit",
        "overlayform",
        "referencebrowser",
        "referencebrowser_pathbar",
        "referencelisting",
        "sharing",
    },
)
#: Parameters that make cone.app render the tile that they name.
_TILE_PARAMETERS: Final = ("ajax.action", "bdajax.action", "contenttile")


def check_page(request: Request) -> None:
    """Check the request for a page of one of our nodes.

    :raises HTTPException: it is refused.
    :raises InvalidParameter: query or body cannot be read.
    :raises TokenNotFound: the caller may know that there is no such token.
    """
    wiring.require_session_filter(request)
    if (request.content_length or 0) > MAX_BODY:
        raise HTTPRequestEntityTooLarge
    # What is smaller stays in memory: WebOb leaves temporary files open.
    request.request_body_tempfile_limit = MAX_BODY + 1
    if request.method not in METHODS:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(METHODS)})
    _check_encoding(request)
    settle_language(request)
    if request.method not in READING or request.view_name == AJAX:
        refuse_other_sites(request)
    _check_names(request)
    _check_token(request)


def tile_exists(model: Any, request: Request, name: str) -> bool:
    """Return whether ``name`` is a tile that pages of ``model`` may show."""
    kinds = (providedBy(model), providedBy(request))
    return name not in _refused(model) and bool(
        request.registry.adapters.lookup(kinds, ITile, name=name),
    )


def _check_names(request: Request) -> None:
    """Refuse views and tiles that make no sense here; the host echoes names it does not know."""
    model = request.context
    if request.subpath or request.view_name in _refused(model):
        raise HTTPNotFound
    names = _named_tiles(request)
    if not all(tile_exists(model, request, name) for name in names):
        raise HTTPNotFound
    if "change_language" in names and request.params.get("lang") not in _languages():
        raise HTTPNotFound


def _languages() -> list[str]:
    return cone.app.cfg.available_languages


def _named_tiles(request: Request) -> list[str]:
    return [value for name in _TILE_PARAMETERS for value in request.params.getall(name)]


def _refused(model: Any) -> frozenset[str]:
    return _GENERIC | ({"edit"} if isinstance(model, TokenContainer) else {"add"})


def _check_token(request: Request) -> None:
    node = request.context
    if not isinstance(node, TokenNode) or not request.has_permission(VIEW, node):
        return
    if node.token is None:
        raise TokenNotFound(node.name)


def _check_encoding(request: Request) -> None:
    """Refuse what is not UTF-8: WebOb fails at it in the query and replaces it in the body."""
    for place, content in _encoded_forms(request):
        try:
            parse_qsl(
                content.decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
        except UnicodeDecodeError:
            message = f"{place}: is not encoded in UTF-8"
            raise InvalidParameter(place, "not_utf8", message) from None
        except ValueError:
            message = f"{place}: has more than {MAX_FIELDS} fields"
            raise InvalidParameter(
                place,
                "too_many_fields",
                message,
                maximum=MAX_FIELDS,
            ) from None
    _check_multipart(request)


def _encoded_forms(request: Request) -> Iterator[tuple[str, bytes]]:
    # WSGI hands bytes over as Latin-1.
    yield "query", request.query_string.encode("latin-1")
    if request.method == "POST" and request.content_type == FORM:
        yield "body", request.body


def _check_multipart(request: Request) -> None:
    if request.method != "POST" or request.content_type != MULTIPART:
        return
    try:
        request.body.decode()
        fields = list(request.POST.items())
    except UnicodeDecodeError:
        raise InvalidParameter("body", "not_utf8", "body: is not encoded in UTF-8") from None
    except (ValueError, KeyError, TypeError):
        raise InvalidParameter("body", "invalid_form", "body: is no multipart form") from None
    for name, value in fields:
        _check_text(name, value)


def _check_text(name: object, value: Any) -> None:
    """Refuse files and fields without a name: no page takes them, the host's template fails."""
    if not isinstance(value, str):
        value.file.close()
        raise InvalidParameter("body", "invalid_text", "body: must have texts only")
    if not isinstance(name, str):
        raise InvalidParameter("body", "invalid_form", "body: has a field without a name")
