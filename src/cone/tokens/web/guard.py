"""What is checked before a page, whichever view makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import cone.app
from cone.tile import ITile
from pyramid.httpexceptions import HTTPForbidden
from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound
from zope.interface import providedBy

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.host import wiring
from cone.tokens.host.callers import caller_of
from cone.tokens.host.form_data import USUAL
from cone.tokens.host.form_data import Limits
from cone.tokens.host.nodes import IEntryNode
from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.nodes import ISettingsNode
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.request_data import FORMS
from cone.tokens.host.request_data import SIGN_IN
from cone.tokens.host.request_data import SIGN_IN_FORM
from cone.tokens.host.request_data import forget_body_of_nobody
from cone.tokens.host.request_data import pairs
from cone.tokens.host.security import VIEW
from cone.tokens.host.security import refuse_other_sites
from cone.tokens.host.site_request import READING
from cone.tokens.web.declared import Allowance
from cone.tokens.web.declared import declared_views
from cone.tokens.web.page import settle_language

if TYPE_CHECKING:
    from pyramid.request import Request

METHODS: Final = ("GET", "HEAD", "POST")

#: Changes something whatever the method: it runs any tile.
AJAX: Final = "ajaxaction"
#: The parameter of it that names the tile.
ACTION_OF_AJAX: Final = "ajax.action"

#: The host's search. A site may have one for our rows too.
LIVE_SEARCH: Final = "livesearch"

#: What the names of fields begin with that send a form.
ACTION: Final = "action."

#: Views and tiles of cone.app for every node that would walk the rows, or show internals.
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
#: Tiles that are no part of a page.
WHOLE_PAGES: Final = frozenset({"tokens_frame"})
#: Parameters that make cone.app render the tile that they name.
_TILE_PARAMETERS: Final = (ACTION_OF_AJAX, "bdajax.action", "contenttile")


def check_page(request: Request) -> None:
    """Check the request for a page of one of our nodes.

    :raises HTTPException: it is refused.
    :raises InvalidParameter: query or body cannot be read.
    :raises RateLimited: the caller asks too often.
    :raises TokenNotFound: the caller may know that there is no such token.
    """
    wiring.require_session_filter(request)
    request.limits = limits_of(request)
    request.refuse_large_body()
    if request.method not in METHODS:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(METHODS)})
    if request.method not in READING or request.view_name == AJAX:
        # Before the body is read: that may cost more.
        refuse_other_sites(request)
    _check_rate(request)
    # As well: the directory of users may be asked.
    forget_body_of_nobody(request)
    _check_fields(request)
    settle_language(request)
    _check_names(request)
    _check_row(request)


def limits_of(request: Request) -> Limits:
    """Return the limits of a request's body: the usual ones, unless its view has an allowance."""
    if request.view_name == SIGN_IN:
        return SIGN_IN_FORM
    model = request.context
    for view in declared_views(request, model, request.view_name):
        allowance: Allowance | None = view.get("allowance")
        if allowance and request.has_permission(allowance.permission, model):
            return allowance.limits
    return USUAL


def _check_rate(request: Request) -> None:
    """Count a page as a query: nearly all of them look rows up. Settings do not."""
    if not ISettingsNode.providedBy(request.context):
        wiring.get(RateLimits).queries.count(caller_of(request))


def _tile_exists(request: Request, name: str) -> bool:
    kinds = (providedBy(request.context), providedBy(request))
    return bool(request.registry.adapters.lookup(kinds, ITile, name=name))


def _check_names(request: Request) -> None:
    """Refuse views and tiles that make no sense here."""
    refused = _refused(request.context)
    if request.subpath or request.view_name in refused:
        raise HTTPNotFound
    if request.view_name == LIVE_SEARCH:
        _check_live_search(request)
    check_tiles(request, refused)


def _check_live_search(request: Request) -> None:
    """Refuse the host's search where its own view would answer anybody, or fail."""
    allowed = request.has_permission(VIEW, request.context)
    if not allowed:
        raise HTTPForbidden(result=allowed)
    if "term" not in request.params:
        raise HTTPNotFound


def check_tiles(request: Request, refused: frozenset[str] = WHOLE_PAGES) -> None:
    """Refuse parameters that name a tile that there is not: the host echoes the name.

    :param refused: names of tiles that are not to be had.
    :raises HTTPNotFound: there is no such tile.
    """
    names = _named_tiles(request)
    if not all(name not in refused and _tile_exists(request, name) for name in names):
        raise HTTPNotFound
    if request.view_name == AJAX and not request.params.get(ACTION_OF_AJAX):
        raise HTTPNotFound
    if "change_language" in names and request.params.get("lang") not in _languages():
        raise HTTPNotFound


def _languages() -> list[str]:
    return cone.app.cfg.available_languages


def _named_tiles(request: Request) -> list[str]:
    return [value for name in _TILE_PARAMETERS for value in request.params.getall(name)]


def _refused(model: Any) -> frozenset[str]:
    return WHOLE_PAGES | _GENERIC | ({"edit"} if IEntryNode.providedBy(model) else {"add"})


def _check_row(request: Request) -> None:
    node = request.context
    if not IRowNode.providedBy(node) or not request.has_permission(VIEW, node):
        return
    if not node.is_there:
        raise TokenNotFound(node.name)


def _check_fields(request: Request) -> None:
    """Refuse what cannot be read, and files: the host fails at them.

    Forms of the host work by GET too; a link must not send one.
    """
    for name, value in pairs(request, FORMS):
        if not isinstance(value, str) and name != request.limits.file:
            raise InvalidParameter("body", "invalid_text", "body: must have texts only")
        if request.method in READING and name.startswith(ACTION):
            raise HTTPMethodNotAllowed(headers={"Allow": "POST"})
