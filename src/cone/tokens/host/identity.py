"""Who asks: the cookie is read once a request, however often Pyramid asks for it.

No cookie makes anybody a role or a group, whoever let that name sign in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.app.security import ROLES_CACHE_KEY
from pyramid.authorization import Authenticated
from pyramid.authorization import Everyone
from pyramid.interfaces import IAuthenticationPolicy
from pyramid.interfaces import IAuthorizationPolicy

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

#: What the names of roles, groups and the like begin with among the principals of a request: a user
#: of such a name would be one of them.
RESERVED: Final = ("role:", "group:", "scope:", "system.")

#: Good tickets whose signature is not checked again; a bad one is, each time.
REMEMBERED_TICKETS: Final = 1_024

#: Key in the WSGI environment: the header that was read, and what it says.
_READ: Final = "cone.tokens.identity"
#: Key of the user whom this very request signs in.
_REMEMBERED: Final = "cone.tokens.remembered"


def is_reserved(userid: object) -> bool:
    """Return whether ``userid`` is the name of a principal that is no user."""
    return str(userid).startswith(RESERVED)


def _remembering(parse_ticket: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``parse_ticket`` of Pyramid, which remembers good tickets.

    What a ticket says depends on its arguments alone; how old it may be is asked after that.
    """
    remembered = functools.lru_cache(REMEMBERED_TICKETS)(parse_ticket)

    def parse(secret: str, ticket: str, ip: str, hashalg: str) -> Any:
        time, userid, tokens, data = remembered(secret, ticket, ip, hashalg)
        return time, userid, [*tokens], data

    return parse


class CookieReadOnce:
    """The cookie helper of Pyramid's policy, with what it found kept for the request.

    It is asked by the permission check, by the view, and by pyramid_tm; checking the signature
    is most of what that costs.
    """

    def __init__(self, cookie: Any) -> None:
        self._cookie = cookie
        if hasattr(cookie, "parse_ticket"):
            cookie.parse_ticket = _remembering(cookie.parse_ticket)

    def identify(self, request: Request) -> Any:
        """Return the identity in the cookie of ``request``, or None."""
        header = request.environ.get("HTTP_COOKIE")
        read = request.environ.get(_READ)
        if read is None or read[0] != header:
            read = request.environ[_READ] = (header, self._identify(request))
        return read[1]

    def remember(self, request: Request, userid: str, **options: Any) -> Any:
        """Return the headers of the cookie for ``userid``, and note who that is.

        There are none where that is no name of a user.
        """
        if is_reserved(userid):
            return []
        request.environ[_REMEMBERED] = userid
        return self._cookie.remember(request, userid, **options)

    def _identify(self, request: Request) -> Any:
        found = self._cookie.identify(request)
        return None if found is None or is_reserved(found["userid"]) else found

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the helper."""
        return getattr(self._cookie, name)


def read_cookie_once(config: Configurator) -> None:
    """Exchange the cookie helper within the host's policy, which others have got hold of."""
    policy = config.registry.queryUtility(IAuthenticationPolicy)
    if hasattr(policy, "cookie"):
        policy.cookie = CookieReadOnce(policy.cookie)


def claimed_userid(request: Request) -> str | None:
    """Return the user id in the signed cookie; the user directory is not asked.

    It counts and names callers, and grants nothing.
    """
    policy = request.registry.queryUtility(IAuthenticationPolicy)
    if policy is None:
        return request.authenticated_userid
    return policy.unauthenticated_userid(request)


def remembered_may(request: Request, permission: str, node: Any) -> bool:
    """Return whether the user whom this request signs in has ``permission`` on ``node``.

    The request itself is still one of nobody. False where the site remembers users in a way of
    its own.
    """
    userid = request.environ.get(_REMEMBERED)
    authentication = request.registry.queryUtility(IAuthenticationPolicy)
    authorization = request.registry.queryUtility(IAuthorizationPolicy)
    if userid is None or authorization is None:
        return False
    # cone.app keeps the roles of who asks, and that may be somebody else.
    kept = request.environ.pop(ROLES_CACHE_KEY, None)
    try:
        roles = authentication.callback(userid, request) or ()
    finally:
        request.environ[ROLES_CACHE_KEY] = kept
    return bool(authorization.permits(node, [Everyone, Authenticated, userid, *roles], permission))
