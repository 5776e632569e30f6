"""What is checked before a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cone.tokens import wiring
from cone.tokens.security import refuse_other_sites

if TYPE_CHECKING:
    from pyramid.request import Request


def check_page(request: Request) -> None:
    """Check the request for a page of one of our nodes."""
    wiring.require_session_filter(request)
    if request.method not in ("GET", "HEAD"):
        refuse_other_sites(request)
