"""What cone.app's scripts ask for: one tile, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from cone.app.browser.actions import ActionContext
from cone.app.browser.ajax import AjaxContinue
from cone.tile import render_tile
from pyramid.httpexceptions import HTTPNotFound
from pyramid.view import view_config

from cone.tokens.host.nodes import IOurNode
from cone.tokens.web.guard import AJAX

if TYPE_CHECKING:
    from pyramid.request import Request


@view_config(name=AJAX, context=IOurNode, renderer="json")
def ajax_tile(model: Any, request: Request) -> dict[str, Any]:
    """Return a tile, as cone.app's view of this name does, but let failures be failures.

    Tiles check their permissions themselves; which there are was checked before.
    """
    name = request.params.get("ajax.action")
    if not name:
        raise HTTPNotFound
    ActionContext(model, request, name)
    payload = render_tile(model, request, name, catch_errors=False)
    operations = request.environ.get("cone.app.continuation", [])
    return {
        "mode": request.params.get("ajax.mode"),
        "selector": request.params.get("ajax.selector"),
        "payload": payload,
        "continuation": AjaxContinue(operations).operations,
    }
