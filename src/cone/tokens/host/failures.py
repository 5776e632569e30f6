"""What an exception means in HTTP: the one place that decides it, for JSON and for pages.

======  ================================================================================
status  for
======  ================================================================================
400     :class:`InvalidParameter`, a path that is not UTF-8, a ``Host`` that is none
401     not signed in
403     a permission is missing, :class:`NotUndone`, or the request comes from elsewhere
404     :class:`TokenNotFound`, no such path
405     wrong method, with ``Allow``
409     :class:`ValueTaken`, :class:`TokenChanged`
413     a body above 1 MiB, of an import 8 MiB, of a form to sign in 64 KiB
422     :class:`IdempotencyConflict`, :class:`ValueTooLongForQr`
429     :class:`RateLimited`, with ``Retry-After``
500     any other exception: a bug, with a reference that is also in the log
503     :class:`Unavailable`, with ``Retry-After``
======  ================================================================================
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPForbidden
from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound

from cone.tokens import logs
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import NotUndone
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.errors import ValueTooLongForQr
from cone.tokens.host import wiring
from cone.tokens.host.health import Health
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.ratelimit import RateLimited
from cone.tokens.host.security import Refused
from cone.tokens.host.security import missing_permission
from cone.tokens.host.site_request import BodyTooLarge

if TYPE_CHECKING:
    from pyramid.request import Request

logger = logging.getLogger("cone.tokens.failures")

_STATUSES: Final[Mapping[type[TokenError], int]] = MappingProxyType(
    {
        InvalidParameter: 400,
        TokenNotFound: 404,
        ValueTaken: 409,
        TokenChanged: 409,
        NotUndone: 403,
        IdempotencyConflict: 422,
        ValueTooLongForQr: 422,
        Unavailable: 503,
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """What is told to a client.

    :ivar slug: stable word for programs.
    :ivar message: text for people.
    :ivar code: stable number, where the slug has one.
    :ivar error: the mistake behind it, where it is one.
    :ivar permission: that is missing, where that is the matter.
    :ivar reason: stable word for why it is refused all the same.
    :ivar most: the limit of a body that is larger, as people write it.
    :ivar reference: of the request that met a bug, to find it in the log.
    """

    status: int
    slug: str
    message: str
    code: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    error: TokenError | None = None
    permission: str | None = None
    reason: str | None = None
    most: str | None = None
    reference: str | None = None


def failure_of(error: Exception, request: Request) -> Failure:
    """Return the failure that ``error`` is to the client of ``request``; log a bug."""
    for kind, describe in _DESCRIPTIONS:
        if isinstance(error, kind):
            return describe(error, request)
    return _bug(error)


def _mistake(error: TokenError, _request: Request) -> Failure:
    status = next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
    again = {"Retry-After": f"{error.retry_after_s}"} if isinstance(error, Unavailable) else {}
    return Failure(status, error.slug, str(error), error.code, again, error)


def _forbidden(error: HTTPForbidden, request: Request) -> Failure:
    if isinstance(error, Refused):
        return Failure(403, "forbidden", str(error), reason=error.reason)
    if request.authenticated_userid is None:
        return _unauthenticated()
    # A user directory that is away looks like a user without roles.
    try:
        wiring.get(Health).ping()
    except Unavailable as unavailable:
        return _mistake(unavailable, request)
    permission = missing_permission(error)
    message = f"Permission {permission} is missing"
    return Failure(403, "forbidden", message, permission=permission)


def _unauthenticated() -> Failure:
    headers = {"WWW-Authenticate": 'Cookie realm="cone.tokens"'}
    return Failure(401, "unauthenticated", "Sign in first", headers=headers)


def _not_found(_error: HTTPNotFound, _request: Request) -> Failure:
    return Failure(404, "not_found", "There is nothing at this path")


def _wrong_method(error: HTTPMethodNotAllowed, request: Request) -> Failure:
    allow = error.headers["Allow"]
    message = f"Method {request.method} is not allowed here, take {allow}"
    return Failure(405, "method_not_allowed", message, headers={"Allow": allow})


def _too_large(error: BodyTooLarge, _request: Request) -> Failure:
    most = error.limits.size_words
    return Failure(413, "too_large", f"The body is larger than {most}", most=most)


def _rate_limited(error: RateLimited, _request: Request) -> Failure:
    wiring.get(Metrics).count_limited(error.limit)
    seconds = str(error.wait_s)
    message = f"Too many requests, try again in {seconds} s"
    return Failure(429, "rate_limited", message, headers={"Retry-After": seconds})


def _undecodable_path(_error: URLDecodeError, request: Request) -> Failure:
    if request.authenticated_userid is None:
        return _unauthenticated()
    message = "path: is not encoded in UTF-8"
    return _mistake(InvalidParameter("path", "not_utf8", message), request)


_DESCRIPTIONS: Final[tuple[tuple[type[Exception], Callable[[Any, Request], Failure]], ...]] = (
    (TokenError, _mistake),
    (HTTPForbidden, _forbidden),
    (HTTPNotFound, _not_found),
    (HTTPMethodNotAllowed, _wrong_method),
    (BodyTooLarge, _too_large),
    (RateLimited, _rate_limited),
    (URLDecodeError, _undecodable_path),
)


def _bug(error: Exception) -> Failure:
    reference = logs.reference()
    if isinstance(error, wiring.MissingSessionFilterError):
        logger.error("%s (reference %s)", error, reference)
    else:
        logger.error("unexpected error, reference %s", reference, exc_info=error)
    message = f"Something went wrong here; reference {reference}"
    return Failure(500, "internal_error", message, reference=reference)
