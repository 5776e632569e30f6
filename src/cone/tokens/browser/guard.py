"""What is checked before a page, whichever view makes it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import cone.app
from cone.tile import ITile
from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound
from zope.interface import providedBy

from cone.tokens import wiring
from cone.tokens.browser.page import settle_language
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.ratelimit import caller_of
from cone.tokens.request_data import FORMS
from cone.tokens.request_data import USUAL
from cone.tokens.request_data import Limits
from cone.tokens.request_data import pairs
from cone.tokens.request_data import refuse_large_body
from cone.tokens.security import ADD
from cone.tokens.security import VIEW
from cone.tokens.security import refuse_other_sites
from cone.tokens.settings import TokenSettings

if TYPE_CHECKING:
    from pyramid.request import Request

METHODS: Final = ("GET", "HEAD", "POST")
READING: Final = ("GET", "HEAD")

#: Changes something whatever the method: it runs any tile.
AJAX: Final = "ajaxaction"

#: Name of the page that takes a file, the field of it, and what it may be.
IMPORT: Final = "import"
FILE: Final = "file"
WITH_FILE: Final = Limits(mib=8, lines=50_000, file=FILE)

#: What the names of fields begin with that send a form.
ACTION: Final = "action."

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
    :raises RateLimited: the caller asks too often.
    :raises TokenNotFound: the caller may know that there is no such token.
    """
    wiring.require_session_filter(request)
    limits = limits_of(request)
    refuse_large_body(request, limits)
    if request.method not in METHODS:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(METHODS)})
    if request.method not in READING or request.view_name == AJAX:
        # Before the body is read: that may cost more.
        refuse_other_sites(request)
    _check_rate(request)
    _check_fields(request, limits)
    settle_language(request)
    _check_names(request)
    _check_token(request)


def limits_of(request: Request) -> Limits:
    """Return what the body of a request may be: more where it is a file to import."""
    model = request.context
    is_import = isinstance(model, TokenContainer) and request.view_name == IMPORT
    return WITH_FILE if is_import and request.has_permission(ADD, model) else USUAL


def _check_rate(request: Request) -> None:
    """Count a page as a query: nearly all of them look tokens up. Settings do not."""
    if not isinstance(request.context, TokenSettings):
        wiring.plugin().limits.queries.count(caller_of(request))


def _tile_exists(model: Any, request: Request, name: str) -> bool:
    """Return whether ``name`` is a tile that pages of ``model`` may show."""
    kinds = (providedBy(model), providedBy(request))
    return name not in _refused(model) and bool(
        request.registry.adapters.lookup(kinds, ITile, name=name),
    )


def _check_names(request: Request) -> None:
    """Refuse views and tiles that make no sense here; the host echoes names it does not know."""
    model = request.context
    if request.subpath or request.view_name in _refused(model) or not _is_view(request):
        raise HTTPNotFound
    names = _named_tiles(request)
    if not all(_tile_exists(model, request, name) for name in names):
        raise HTTPNotFound
    if "change_language" in names and request.params.get("lang") not in _languages():
        raise HTTPNotFound


def _is_view(request: Request) -> bool:
    """Return whether the path names a view; the host answers the name of each tile too."""
    return any(
        name == request.view_name and _is_kind(request.context, kind)
        for name, kind in _views(request.registry.introspector)
    )


@functools.cache
def _views(introspector: Any) -> tuple[tuple[str, Any], ...]:
    """Return names and contexts of the views that were configured."""
    views = (view["introspectable"] for view in introspector.get_category("views"))
    return tuple((view["name"], view["context"]) for view in views)


def _is_kind(model: Any, kind: Any) -> bool:
    if kind is None:
        return True
    return isinstance(model, kind) if isinstance(kind, type) else bool(kind.providedBy(model))


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


def _check_fields(request: Request, limits: Limits) -> None:
    """Refuse what cannot be read, files, and fields without a name: the host fails at them.

    Forms of the host work by GET too; a link must not send one.
    """
    for name, value in pairs(request, FORMS, limits):
        if not isinstance(value, str) and name != limits.file:
            raise InvalidParameter("body", "invalid_text", "body: must have texts only")
        if not isinstance(name, str):
            raise InvalidParameter("body", "invalid_form", "body: has a field without a name")
        if request.method in READING and name.startswith(ACTION):
            raise HTTPMethodNotAllowed(headers={"Allow": "POST"})
