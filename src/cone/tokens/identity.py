"""Who asks: the cookie is read once a request, however often Pyramid asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.interfaces import IAuthenticationPolicy

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

#: Key in the WSGI environment: the header that was read, and what it says.
_READ: Final = "cone.tokens.identity"


class CookieReadOnce:
    """The cookie helper of Pyramid's policy, with what it found kept for the request.

    It is asked by the permission check, by the view, and by pyramid_tm; checking the signature
    is most of what that costs.
    """

    def __init__(self, cookie: Any) -> None:
        """Take the helper."""
        self._cookie = cookie

    def identify(self, request: Request) -> Any:
        """Return what the cookie of ``request`` says, or None."""
        header = request.environ.get("HTTP_COOKIE")
        read = request.environ.get(_READ)
        if read is None or read[0] != header:
            read = request.environ[_READ] = (header, self._cookie.identify(request))
        return read[1]

    def __getattr__(self, name: str) -> Any:
        """Return what else the helper has."""
        return getattr(self._cookie, name)


def read_cookie_once(config: Configurator) -> None:
    """Exchange the cookie helper within the host's policy, which others have got hold of."""
    policy = config.registry.queryUtility(IAuthenticationPolicy)
    if hasattr(policy, "cookie"):
        policy.cookie = CookieReadOnce(policy.cookie)


def claimed_userid(request: Request) -> str | None:
    """Return who the signed cookie says asks; the user directory is not asked, roles are not read.

    It counts and names callers, and grants nothing.
    """
    policy = request.registry.queryUtility(IAuthenticationPolicy)
    if policy is None:
        return request.authenticated_userid
    return policy.unauthenticated_userid(request)
