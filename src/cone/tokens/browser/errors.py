"""Failures as pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.response import Response

if TYPE_CHECKING:
    from pyramid.request import Request

    from cone.tokens.failures import Failure


def failure_page(failure: Failure, request: Request) -> Response:
    """Return the page that tells ``failure``."""
    return Response(failure.slug, status=failure.status, headers=dict(failure.headers))
