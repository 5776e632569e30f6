"""The door: a page of its own that scans codes and consumes tokens, on a phone or a desk."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.renderers import render
from pyramid.response import Response
from pyramid.view import view_config

from cone.tokens import wiring
from cone.tokens.browser import static_url
from cone.tokens.browser.guard import READING
from cone.tokens.browser.page import language
from cone.tokens.browser.page import script_json
from cone.tokens.browser.page import url
from cone.tokens.browser.texts import UNLIMITED
from cone.tokens.i18n import _
from cone.tokens.model import TokenContainer
from cone.tokens.security import CONSUME
from cone.tokens.security import VIEW
from cone.tokens.settings import SOUNDS

if TYPE_CHECKING:
    from pyramid.request import Request

SCAN: Final = "scan"
MANIFEST: Final = "scan.webmanifest"

#: The page works without anything of other sites, and in no frame of theirs.
_POLICY: Final = (
    "default-src 'self'",
    # The reader of codes is compiled from WebAssembly.
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "media-src 'self' blob:",
    "manifest-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)

HEADERS: Final = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(_POLICY),
        "Permissions-Policy": "camera=(self), screen-wake-lock=(self), microphone=(), "
        "geolocation=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    },
)

_TITLE: Final = _("door", default="Door")

#: The colours of the page's head, in both schemes of it: what surrounds an installed page.
_THEME_COLOR: Final = "#16324f"

_ICONS: Final = (
    ("icons/door-192.png", "192x192", "any"),
    ("icons/door-512.png", "512x512", "any"),
    ("icons/door-maskable-512.png", "512x512", "maskable"),
)

#: The texts that the scripts show, by the names that they have there.
TEXTS: Final = MappingProxyType(
    {
        "sound": _("door_sound", default="Sound"),
        "submit_consume": _("door_submit_consume", default="Consume"),
        "submit_check": _("door_submit_check", default="Check"),
        "waiting": _("door_waiting", default="Asking …"),
        "word_granted": _("door_word_granted", default="Valid"),
        "word_refused": _("door_word_refused", default="Refused"),
        "word_checked": _("door_word_checked", default="Not consumed"),
        "checked": _("door_checked", default="It was only looked up. It could be consumed now."),
        "reason_used_up": _("door_reason_used_up", default="No uses are left."),
        "reason_locked": _("door_reason_locked", default="It was used just before."),
        "reason_locked_time": _("door_reason_locked_time", default="Locked until ${time}."),
        "reason_out_of_time": _(
            "door_reason_out_of_time",
            default="It is not valid at this time.",
        ),
        "reason_not_yet_valid": _("door_reason_not_yet_valid", default="Not valid yet."),
        "reason_not_yet_valid_time": _(
            "door_reason_not_yet_valid_time",
            default="Valid only from ${time} on.",
        ),
        "reason_expired": _("door_reason_expired", default="Expired."),
        "reason_expired_time": _("door_reason_expired_time", default="Expired on ${time}."),
        "reason_disabled": _("door_reason_disabled", default="It is switched off."),
        "reason_no_such_token": _("door_reason_no_such_token", default="Unknown code."),
        "uses_left": _("uses_left", default="Uses left"),
        "unlimited": UNLIMITED,
        "last_use": _("door_last_use", default="Last use"),
        "now": _("door_now", default="now"),
        "never": _("door_never", default="never"),
        "offline_word": _("door_offline_word", default="Not connected"),
        "offline_text": _(
            "door_offline_text",
            default="Nothing counts as valid until the answer is there. "
            "It is asked again all the time.",
        ),
        "no_answer_word": _("door_no_answer_word", default="Wrong answer"),
        "no_answer_text": _(
            "door_no_answer_text",
            default="Something else answered. Perhaps the network wants a sign-in.",
        ),
        "signed_out_word": _("door_signed_out_word", default="Signed out"),
        "signed_out_text": _(
            "door_signed_out_text",
            default="Nothing was consumed. Sign in, come back here and try again.",
        ),
        "forbidden_word": _("door_forbidden_word", default="Not permitted"),
        "forbidden_text": _(
            "door_forbidden_text",
            default="Nothing was consumed. Who is signed in may not do that.",
        ),
        "conflict_word": _("door_conflict_word", default="Changed meanwhile"),
        "conflict_text": _(
            "door_conflict_text",
            default="Nothing was consumed. Somebody changed the token. Try again.",
        ),
        "rate_limited_word": _("door_rate_limited_word", default="Too many requests"),
        "rate_limited_text": _(
            "door_rate_limited_text",
            default="There is no answer yet. It is asked again by itself, after a minute at most.",
        ),
        "unavailable_word": _("door_unavailable_word", default="Server busy"),
        "unavailable_text": _(
            "door_unavailable_text",
            default="There is no answer yet. It is asked again in a moment.",
        ),
        "fault_word": _("door_fault_word", default="Server fault"),
        "fault_text": _(
            "door_fault_text",
            default="It is not known whether the token was consumed. Try again.",
        ),
        "not_possible_word": _("door_not_possible_word", default="Not possible"),
        "not_possible_text": _(
            "door_not_possible_text",
            default="The server cannot do anything with this code.",
        ),
        "repeated": _("door_repeated", default="The same code again: ignored for 3 seconds."),
        "busy": _("door_busy", default="The answer before is not there yet. Try again then."),
        "given_up": _(
            "door_given_up",
            default="It is not known whether it was consumed. It stays in the field.",
        ),
        "camera": _("door_camera", default="Camera"),
        "camera_starting": _("door_camera_starting", default="The camera starts …"),
        "camera_denied": _(
            "door_camera_denied",
            default="The camera is not allowed. Allow it in the settings of the browser, "
            "or type the value.",
        ),
        "camera_missing": _("door_camera_missing", default="There is no camera here."),
        "camera_busy": _(
            "door_camera_busy",
            default="The camera stopped. Perhaps another program uses it.",
        ),
        "camera_insecure": _(
            "door_camera_insecure",
            default="The camera works only when the page is served by https.",
        ),
        "camera_not_loaded": _(
            "door_camera_not_loaded",
            default="The reader of codes was not loaded. Check the connection and start again.",
        ),
        "camera_failed": _("door_camera_failed", default="The camera does not work."),
    },
)


@view_config(name=SCAN, context=TokenContainer, permission=CONSUME)
def scan_page(model: TokenContainer, request: Request) -> Response:
    """Show the door page."""
    _check_method(request)
    values: dict[str, Any] = {
        "lang": language(request),
        "settings": _settings(model, request),
        "static": lambda name: static_url(request, name),
        "manifest_url": url(request, model, MANIFEST),
        "sign_in_url": url(request, model, SCAN),
        "tokens_url": url(request, model) if request.has_permission(VIEW, model) else None,
        "theme_color": _THEME_COLOR,
    }
    body = render("cone.tokens.browser:templates/scan.pt", values, request=request)
    response = Response(body)
    response.headers.update(HEADERS)
    return response


@view_config(name=MANIFEST, context=TokenContainer, permission=CONSUME)
def manifest(model: TokenContainer, request: Request) -> Response:
    """Return what browsers want to know to install the page."""
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
    response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
    return response


def _check_method(request: Request) -> None:
    if request.method not in READING:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(READING)})


def _settings(model: TokenContainer, request: Request) -> str:
    """Return what the scripts have to know."""
    urls = {
        "consume": url(request, model, "consume_token"),
        "look_up": url(request, model, "query_token"),
    }
    sounds = wiring.plugin().settings_file.values[SOUNDS]
    return script_json(request, TEXTS, urls=urls, sounds=sounds)
