"""The security headers of all answers of the site, and how a view asks for more.

Pages of this package say what they need with :func:`allow`; other views of a site may set a header
themselves, and it stays as it is (docs/decisions/0013).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Final

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

POLICY: Final = "Content-Security-Policy"
FRAME_OPTIONS: Final = "X-Frame-Options"

#: Directives of the policy, with the sources that documents have where no view says otherwise.
SOURCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "default-src": ("'self'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        # The host has ``style`` attributes in its markup, and its scripts write some.
        "style-src-attr": ("'unsafe-inline'",),
        # Bootstrap's styles have their pictures within.
        "img-src": ("'self'", "data:"),
        "media-src": ("'self'",),
        "font-src": ("'self'",),
        "connect-src": ("'self'",),
        "frame-src": ("'self'",),
        "worker-src": ("'self'",),
        "manifest-src": ("'self'",),
        "object-src": ("'none'",),
        "base-uri": ("'none'",),
        "form-action": ("'self'",),
    },
)

#: Media types that browsers show as documents, with scripts.
_DOCUMENTS: Final = (
    "text/html",
    "application/xhtml+xml",
    "image/svg+xml",
    "text/xml",
    "application/xml",
)
_NO_DEVICES: Final = "camera=(), geolocation=(), microphone=()"

#: Any script that somebody smuggles into a page would run.
_NEVER: Final = frozenset({"'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "data:", "*"})
_SOURCE: Final = re.compile(r"[^\s;,]+", re.ASCII)
_ALLOWED: Final = "cone.tokens.allowed_sources"
_ALONE: Final = "cone.tokens.stands_alone"
#: What only documents need that have something of the host in them.
_OF_HOST: Final = "style-src-attr"


def allow(request: Request, directive: str, *sources: str) -> None:
    """Let the answer to ``request`` use ``sources`` too: ``allow(request, "form-action", url)``.

    :param directive: one of :data:`SOURCES`.
    :raises ValueError: there is no such directive, a source is malformed, or it would let inline
        scripts run.
    """
    if directive not in SOURCES:
        message = f"{directive} is no directive of the policy"
        raise ValueError(message)
    for source in sources:
        is_script = directive in {"script-src", "default-src"}
        if not _SOURCE.fullmatch(source) or (is_script and source in _NEVER):
            message = f"{source!r} is nothing for {directive}"
            raise ValueError(message)
    allowed = request.environ.setdefault(_ALLOWED, {})
    allowed[directive] = (*allowed.get(directive, ()), *sources)


def stand_alone(request: Request) -> None:
    """Mark the answer to ``request`` as a document without parts of the host."""
    request.environ[_ALONE] = True


def policy(request: Request, *, frames: str) -> str:
    """Return the policy of the document that answers ``request``.

    :param frames: who may show it in a frame.
    """
    allowed = request.environ.get(_ALLOWED, {})
    left_out = _OF_HOST if request.environ.get(_ALONE) else None
    rules = [
        _rule(name, sources, allowed.get(name, ()))
        for name, sources in SOURCES.items()
        if name != left_out
    ]
    return "; ".join([*rules, f"frame-ancestors {frames}"])


def secure(request: Request, response: Response, *, is_ours: bool) -> None:
    """Give ``response`` the security headers that it does not have.

    :param is_ours: whether it comes from a page or the API of tokens. What the host answers may be
        shown in frames of the site itself: its forms are sent into one.
    """
    headers = response.headers
    frames = "'none'" if is_ours else "'self'"
    headers.setdefault("X-Content-Type-Options", "nosniff")
    # Referer and Origin tell our own requests from those of other sites: "no-referrer" would not.
    headers.setdefault("Referrer-Policy", "same-origin")
    is_document = response.content_type in _DOCUMENTS
    if POLICY not in headers:
        only_frames = f"frame-ancestors {frames}"
        headers[POLICY] = policy(request, frames=frames) if is_document else only_frames
        # For browsers that do not know the directive; else the directive counts.
        headers.setdefault(FRAME_OPTIONS, "DENY" if is_ours else "SAMEORIGIN")
    if is_ours:
        headers.setdefault("Permissions-Policy", _NO_DEVICES)
    # A document that was made for a session is not for who goes back after the sign-out.
    if is_ours or (is_document and request.headers.get("Cookie")):
        headers.setdefault("Cache-Control", "no-store")


def _rule(name: str, sources: tuple[str, ...], more: tuple[str, ...]) -> str:
    # 'none' stands alone.
    base = () if more and sources == ("'none'",) else sources
    return " ".join([name, *dict.fromkeys((*base, *more))])
