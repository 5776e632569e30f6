"""Who may ask from where (contract 5), and why a request is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import unquote

from pyramid.httpexceptions import HTTPForbidden

if TYPE_CHECKING:
    from pyramid.request import Request

#: See a node. Parts have permissions of their own besides.
VIEW: Final = "view"

#: Why a request is refused whatever its user may do: slugs, and what is told.
OTHER_SITE: Final = "other_site"
PREVIEW: Final = "preview"
OTHER_USER: Final = "other_user"
_REASONS: Final = {
    OTHER_SITE: "Requests from another site are refused",
    PREVIEW: "A preview or prefetch does not consume a token",
    OTHER_USER: "Expected-User: another user is signed in",
}

_SAME_SITE: Final = ("same-origin", "none")
_PREVIEW_HEADERS: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PREVIEWS: Final = ("prefetch", "prerender", "preview")


class Refused(HTTPForbidden):
    """The caller, signed in or not, may do that, but not from there or not that way.

    :ivar reason: stable word for programs.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(_REASONS[reason])
        self.reason = reason


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that a page of another site made with the caller's cookie.

    :raises Refused: the browser says that it comes from elsewhere.
    """
    # Who asks is what costs: that comes last.
    if comes_from_elsewhere(request) and request.authenticated_userid is not None:
        raise Refused(OTHER_SITE)


def refuse_other_users(request: Request) -> None:
    """Refuse a request from a page loaded by another user.

    ``Expected-User`` has the id of the user, in UTF-8 and encoded for URLs.

    :raises Refused: another user is signed in; who is not signed in has to sign in first.
    """
    expected = request.environ.get("HTTP_EXPECTED_USER")
    if expected is None:
        return
    user = request.authenticated_userid
    if user is not None and unquote(expected) != user:
        raise Refused(OTHER_USER)


def comes_from_elsewhere(request: Request) -> bool:
    """Return whether a page of another site made ``request``; False where nothing tells.

    The first of three headers decides. Browsers send ``Sec-Fetch-Site`` to https and to this
    machine only, ``Origin`` not with GET, and ``Referer`` unless the page forbids it.
    """
    # To translate the names of headers takes longer than the rest.
    environ = request.environ
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return site not in _SAME_SITE
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        return bool(origin != request.host_url)
    referer = environ.get("HTTP_REFERER")
    return referer is not None and not is_of_site(referer, request.host_url)


def is_of_site(address: str, site_url: str) -> bool:
    """Return whether an absolute ``address`` is ``site_url`` or below it.

    Texts are compared, nothing is parsed: parsers differ about what the host is.

    :param site_url: scheme, host and port, or the address of an application; no slash at its end.
    """
    return address == site_url or address.startswith((f"{site_url}/", f"{site_url}?"))


def refuse_previews(request: Request) -> None:
    """Refuse a GET that a browser sends to prefetch or preview a link.

    :raises Refused: the request announces itself as a prefetch or a preview.
    """
    if request.method != "GET":
        return
    purposes = (request.headers.get(name, "").lower() for name in _PREVIEW_HEADERS)
    is_preview = any(preview in purpose for purpose in purposes for preview in _PREVIEWS)
    if is_preview and request.authenticated_userid is not None:
        raise Refused(PREVIEW)


def missing_permission(error: HTTPForbidden) -> str | None:
    """Return the name of the permission that ``error`` says is missing."""
    return getattr(error.result, "permission", None)
