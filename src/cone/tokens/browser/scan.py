"""The scan page: a page of its own that scans codes and redeems them, on a phone or a desk."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import urlencode

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.renderers import render
from pyramid.response import Response
from pyramid.view import view_config

from cone.tokens.browser.scan_texts import texts_for
from cone.tokens.host import headers
from cone.tokens.host.request_data import SIGN_IN
from cone.tokens.host.security import VIEW
from cone.tokens.host.site_request import READING
from cone.tokens.host.wiring import actor
from cone.tokens.i18n import _
from cone.tokens.tickets import checkpoints
from cone.tokens.tickets.checkpoints import Checkpoint
from cone.tokens.tickets.nodes import SCAN
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import FIND
from cone.tokens.tickets.security import OVERRIDE
from cone.tokens.tickets.settings_file import CODE_KINDS
from cone.tokens.tickets.settings_file import SOUNDS
from cone.tokens.tickets.values import ADD_TOKEN
from cone.tokens.tickets.values import CONSUME_FOUND
from cone.tokens.tickets.values import DOOR_FIGURES
from cone.tokens.tickets.values import UNDO_FOUND
from cone.tokens.tickets.wiring import current_settings
from cone.tokens.web.host import CAME_FROM
from cone.tokens.web.page import language
from cone.tokens.web.page import script_json
from cone.tokens.web.page import url
from cone.tokens.web.resources import static_url

if TYPE_CHECKING:
    from pyramid.request import Request

MANIFEST: Final = "scan.webmanifest"

HEADERS: Final = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Permissions-Policy": "camera=(self), screen-wake-lock=(self), microphone=(), "
        "geolocation=()",
    },
)

_TITLE: Final = _("door", default="Scan")

#: The colours of the page's head, in both schemes of it: what surrounds an installed page.
_THEME_COLOR: Final = "#16324f"

_ICONS: Final = (
    ("icons/door-192.png", "192x192", "any"),
    ("icons/door-512.png", "512x512", "any"),
    ("icons/door-maskable-512.png", "512x512", "maskable"),
)


@view_config(name=SCAN, context=TokenContainer, permission=CONSUME)
def scan_page(model: TokenContainer, request: Request) -> Response:
    """Show the scan page."""
    _check_method(request)
    found = list(checkpoints.read(current_settings().values).values())
    values: dict[str, Any] = {
        "lang": language(request),
        "settings": _settings(model, request, found),
        "checkpoints": found,
        "static": lambda name: static_url(request, name),
        "manifest_url": url(request, model, MANIFEST),
        "sign_in_url": url(request, model, SIGN_IN, f"?{urlencode({CAME_FROM: request.path})}"),
        "may_find": request.has_permission(FIND, model),
        "tokens_url": url(request, model) if request.has_permission(VIEW, model) else None,
        "theme_color": _THEME_COLOR,
    }
    body = render("cone.tokens.browser:templates/scan.pt", values, request=request)
    headers.stand_alone(request)
    # The reader of codes is compiled from WebAssembly.
    headers.allow(request, "script-src", "'wasm-unsafe-eval'")
    headers.allow(request, "media-src", "blob:")
    # Indents are for who reads the template.
    response = Response(re.sub(r"\n\s+", "\n", body))
    response.headers.update(HEADERS)
    return response


@view_config(name=MANIFEST, context=TokenContainer, permission=CONSUME)
def manifest(model: TokenContainer, request: Request) -> Response:
    """Return the web app manifest of the page."""
    _check_method(request)
    title = request.localizer.translate(_TITLE)
    page = url(request, model, SCAN)
    icons = [
        {"src": static_url(request, name), "sizes": size, "type": "image/png", "purpose": purpose}
        for name, size, purpose in _ICONS
    ]
    about = {
        "name": title,
        "short_name": title,
        "lang": language(request),
        "id": page,
        "start_url": page,
        "scope": page,
        "display": "standalone",
        "background_color": _THEME_COLOR,
        "theme_color": _THEME_COLOR,
        "icons": icons,
    }
    body = json.dumps(about).encode()
    response = Response(body, content_type="application/manifest+json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _check_method(request: Request) -> None:
    if request.method not in READING:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(READING)})


def _settings(model: TokenContainer, request: Request, found: list[Checkpoint]) -> str:
    """Return the data for the scripts.

    :param found: the checkpoints that there are.
    """
    urls: dict[str, Any] = {
        "consume": url(request, model, "consume_token"),
        "look_up": url(request, model, "query_token"),
        "tokens": url(request, model),
        "figures": url(request, model, DOOR_FIGURES),
    }
    if request.has_permission(FIND, model):
        urls["find"] = url(request, model, "find_tokens")
        urls["consume_found"] = url(request, model, CONSUME_FOUND)
        urls["undo_found"] = url(request, model, UNDO_FOUND)
    may = {name: bool(request.has_permission(name, model)) for name in (OVERRIDE, ADD)}
    values = current_settings().values
    if may[ADD]:
        urls["add"] = url(request, model, ADD_TOKEN)
        # What is made at a door is redeemed there.
        urls["add_uses"] = values["default_usage_count"] or 1
    chosen = {
        **{name: values[name] for name in (SOUNDS, CODE_KINDS)},
        "may": may,
        **({"checkpoints": [_checkpoint(each) for each in found]} if found else {}),
    }
    texts = texts_for(has_checkpoints=bool(found), may_override=may[OVERRIDE], may_add=may[ADD])
    return script_json(request, texts, urls=urls, user=actor(request), **chosen)


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    names = ("name", "categories", "has_directions", "sound")
    return {name: getattr(checkpoint, name) for name in names}
