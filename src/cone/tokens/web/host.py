"""What holds for the host's part of the site too: who may lead a browser to what, signing out.

cone.app renders any tile for a GET: by the name of its own in the path, as ``ajaxaction``, or where
a parameter names it. Forms work by GET, and there is no token against other sites
(docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import parse_qsl
from urllib.parse import unquote

from cone.tile import ITile
from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPMovedPermanently
from pyramid.traversal import traverse
from zope.interface import providedBy

from cone.tokens.host.addresses import OtherSpelling
from cone.tokens.host.addresses import is_spelled_plainly
from cone.tokens.host.addresses import own_address
from cone.tokens.host.addresses import plain_url
from cone.tokens.host.request_data import JSON
from cone.tokens.host.request_data import SIGN_IN
from cone.tokens.host.request_data import forget_body
from cone.tokens.host.security import OTHER_SITE
from cone.tokens.host.security import Refused
from cone.tokens.host.security import comes_from_elsewhere
from cone.tokens.host.security import is_of_site
from cone.tokens.host.security import refuse_other_sites
from cone.tokens.host.security import refuse_previews
from cone.tokens.host.signin import PasswordInAddress
from cone.tokens.host.signin import is_field
from cone.tokens.host.site_request import READING
from cone.tokens.web.declared import declared_views
from cone.tokens.web.guard import ACTION
from cone.tokens.web.guard import AJAX

if TYPE_CHECKING:
    from pyramid.request import Request

#: A view of cone.app that is found below every node.
SIGN_OUT: Final = "logout"

#: Where to go next: a parameter of these views.
CAME_FROM: Final = "came_from"

#: Parameters that make cone.app render the tile that they name, or change a state.
_TILE_PARAMETERS: Final = ("ajax.action", "bdajax.action", "contenttile")
_TRANSITION: Final = "do_transition"
#: The tile that a page shows anyway.
_CONTENT: Final = "content"

_DOTS: Final = frozenset({".", ".."})

Fields = Iterable[tuple[str, str]]


def check_sign_in_and_out(request: Request) -> None:
    """Check a request for the sign-in form or the sign-out, below whichever node.

    :raises HTTPException: it is refused, or the path has another spelling.
    :raises PasswordInAddress: fields of the form stand in the query.
    """
    if request.view_name in (SIGN_IN, SIGN_OUT):
        require_plain_spelling(request)
    if request.view_name == SIGN_OUT:
        _check_sign_out(request)
    if request.view_name == SIGN_IN and request.method not in READING:
        # Before the form is read, and whoever is signed in: it may be of any size.
        _refuse_elsewhere(request)
    is_given = any(is_field(name) for name, _value in _fields_of(request.query_string))
    if is_given and not _is_for_programs(request, request.context, request.view_name):
        _refuse_elsewhere(request)
        raise PasswordInAddress


def refuse_cross_site_actions(request: Request) -> None:
    """Let other sites only link to the host's pages, not trigger actions.

    :raises Refused: another site asks for more than a page.
    """
    is_safe = request.method in (*READING, "OPTIONS")
    fields = _fields_of(request.query_string)
    # A route is the host's own matter: traversal names no view then.
    if is_safe and (
        request.matched_route or _is_page(request, request.context, fields, request.view_name)
    ):
        return
    refuse_other_sites(request)


def require_plain_spelling(request: Request) -> None:
    """Redirect readers of a page to the plain spelling of its path; refuse other requests.

    :raises HTTPException: it has another spelling.
    """
    if is_spelled_plainly(request):
        return
    if request.method not in READING:
        raise OtherSpelling
    raise HTTPMovedPermanently(plain_url(request), headers={"Cache-Control": "no-store"})


def own_page(text: object, request: Request) -> str | None:
    """Return the absolute address of a page of this site that ``text`` means; None: it means none.

    What does something when a browser goes there is no page: who made a link to the sign-in form
    may have put it in.
    """
    address, root = own_address(text, request), request.application_url
    if address is None or not is_of_site(address, root):
        return None
    path, _mark, query = address.removeprefix(root).partition("#")[0].partition("?")
    is_start = not path.strip("/") and not query
    # Dots may lead out of the application again.
    if is_start or not _DOTS.isdisjoint(unquote(path).split("/")):
        return None
    return address if _is_address_of_page(request, path, _fields_of(query)) else None


def _is_address_of_page(request: Request, path: str, fields: Fields) -> bool:
    try:
        found = traverse(request.root, path)
    except URLDecodeError:
        return False
    view = found["view_name"]
    return view not in (SIGN_IN, SIGN_OUT) and _is_page(request, found["context"], fields, view)


def _check_sign_out(request: Request) -> None:
    refuse_other_sites(request)
    refuse_previews(request)
    forget_body(request)
    if not all(own_address(text, request) for text in request.GET.getall(CAME_FROM)):
        # The host's view goes to the start page then.
        request.environ["QUERY_STRING"] = ""


def _refuse_elsewhere(request: Request) -> None:
    if comes_from_elsewhere(request):
        raise Refused(OTHER_SITE)


def _fields_of(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query.encode("latin-1").decode(errors="replace"), keep_blank_values=True)


def _is_page(request: Request, context: Any, fields: Fields, view: str) -> bool:
    """Return whether a GET of ``view`` with ``fields`` in the query only shows a page."""
    names = [view]
    for name, value in fields:
        if name.startswith(ACTION) or name == _TRANSITION:
            return False
        if name in _TILE_PARAMETERS and value != _CONTENT:
            names.append(value)
    return all(_shows_page(request, context, name) for name in names)


def _shows_page(request: Request, context: Any, name: str) -> bool:
    is_for_programs = _is_for_programs(request, context, name)
    if is_for_programs is None:
        kinds = (providedBy(context), providedBy(request))
        return request.registry.adapters.lookup(kinds, ITile, name=name) is None
    return name != AJAX and not is_for_programs


def _is_for_programs(request: Request, context: Any, name: str) -> bool | None:
    """Return whether a view of ``context`` answers JSON alone; None: there is none of that name."""
    found = [
        view.get("accept") == JSON or "json_endpoint" in view
        for view in declared_views(request, context, name)
    ]
    return all(found) if found else None
