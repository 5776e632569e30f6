"""Which requests are for our parts, and which for the rest of the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cone.app.model import AppRoot

from cone.tokens.host import wiring
from cone.tokens.host.nodes import IOurNode
from cone.tokens.web.guard import AJAX
from cone.tokens.web.navigation import Navigation
from cone.tokens.web.navigation import sections

if TYPE_CHECKING:
    from pyramid.request import Request


def is_our_node(request: Request) -> bool:
    """Return whether ``request`` found one of our nodes, or a start page that shows one."""
    context = getattr(request, "context", None)
    if IOurNode.providedBy(context):
        return True
    return isinstance(context, AppRoot) and _shows_a_part(context, request)


def is_ours(request: Request) -> bool:
    """Return whether ``request`` is for one of our parts, whether or not it found a node."""
    path = request.environ.get("PATH_INFO", "")
    return is_our_node(request) or wiring.get(Navigation).is_below_entry(path)


def _shows_a_part(root: AppRoot, request: Request) -> bool:
    """Return whether the start page of the site is the page of a part, or a piece of it."""
    entries = [section.entry for section in sections()]
    return root.properties.default_child in entries and request.view_name in ("", AJAX)
