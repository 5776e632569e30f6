"""The status of cone.app's pages about what is missing or not allowed: cone.app answers 200.

A site in production answers them as it does our paths: crawlers, monitors and proxies go by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from pyramid.httpexceptions import HTTPForbidden
from pyramid.httpexceptions import HTTPNotFound

from cone.tokens.host.failures import failure_of

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response


def status_tween(
    handler: Callable[[Request], Response],
    _registry: Any,
) -> Callable[[Request], Response]:
    """Return ``handler`` with the status of a page that the host shows for an exception."""

    def answer(request: Request) -> Response:
        response = handler(request)
        error = getattr(request, "exception", None)
        # What cone.app's scripts ask for has statuses of its own.
        is_page = response.status_int == 200 and not request.is_xhr  # noqa: PLR2004
        if is_page and isinstance(error, HTTPNotFound | HTTPForbidden):
            response.status = failure_of(error, request).status
            response.headers["Cache-Control"] = "no-store"
        return response

    return answer
