"""What cone.app does in pages of its own that no page of a site with this plugin may do.

It shows tracebacks, runs inline scripts, answers the names of tiles as if they were views, and
echoes the names of tiles that there are not.
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from typing import NoReturn

from cone.app.browser import ajax
from cone.app.browser.ajax import AjaxFormContinue
from cone.app.browser.ajax import AjaxMessage
from cone.tile import ITile
from cone.tile import _api as tiles
from pyramid.httpexceptions import HTTPException
from pyramid.httpexceptions import HTTPNotFound
from pyramid.interfaces import IMultiView
from pyramid.interfaces import IRequest
from pyramid.interfaces import ISecuredView
from pyramid.interfaces import IViewClassifier
from pyramid.response import Response
from pyramid.threadlocal import get_current_request

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.host.rendering import failure_json
from cone.tokens.host.request_data import forget_body
from cone.tokens.web.guard import check_tiles
from cone.tokens.web.page import settle_language
from cone.tokens.web.resources import static_url
from cone.tokens.web.texts import failure_text

if TYPE_CHECKING:
    from pyramid.registry import Registry
    from pyramid.request import Request

    from cone.tokens.host.failures import Failure

#: Hands the answer of a form over to the page around the frame.
_SCRIPT: Final = "ajax_form.js"
#: The field by which cone.app's scripts tell that a form is sent into their frame.
_IN_FRAME: Final = "ajax"


class NoSuchTile(HTTPNotFound):
    """A page of the host is asked for a part that there is not."""


class _FormAnswer:
    """The answer of a form in a frame, without inline script.

    It stands in for a template of cone.app, which fills in values with ``%``.
    """

    def __mod__(self, values: Mapping[str, str]) -> str:
        """Return the document; ``values`` are those that cone.app gives its own template."""
        attributes = " ".join(
            f'data-{name}="{html.escape(values[name])}"' for name in ("selector", "mode", "error")
        )
        script = html.escape(static_url(get_current_request(), _SCRIPT))
        following = values["next"].replace("<", "\\u003c")
        return (
            "<!DOCTYPE html>\n"
            f'<div id="ajaxform">{values["form"]}</div>\n'
            f'<script type="application/json" id="ajaxform-next">{following}</script>\n'
            f'<script src="{script}" {attributes}></script>\n'
        )


class _MissingTile:
    """Stands in for the module ``html``, of which cone.tile uses one function for one text."""

    @staticmethod
    def escape(_text: str) -> str:
        """Return the text about a missing tile that stands beside its name: none.

        The caller handles an error. That of a missing tile has the name of it, which the caller
        asked for; any other came from within a tile that is there.
        """
        asked_for = sys._getframe(1).f_locals["name"]  # noqa: SLF001 - it is not handed over
        if getattr(sys.exception(), "args", ())[1:] != (ITile, asked_for):
            _raise_again()
        return ""


def mend_ajax() -> None:
    """Have cone.app's views for its scripts raise failures, and answer without inline script."""
    ajax.ajax_form_template = _FormAnswer()
    # They call it while they handle an exception, and only then.
    ajax.format_traceback = _raise_again


def mend_tiles() -> None:
    """Have a tile that fails fail, and a tile that is missing tell nothing of its node.

    cone.tile takes both for missing where the failure is that something was looked up in vain.
    """
    tiles.html = _MissingTile


def take_tiles_from_addresses(registry: Registry) -> None:
    """Have the names of tiles lead nowhere, unless there is a view of that name.

    cone.tile registers each tile as a view too. As such it returns a text, which is no answer,
    after it did what it does: order or paste, by a link.
    """
    adapters = registry.adapters
    for tile in [found for found in registry.registeredAdapters() if found.provided is ITile]:
        place = (IViewClassifier, IRequest, tile.required[0])
        if adapters.registered(place, ISecuredView, name=tile.name) is tile.factory:
            adapters.unregister(place, ISecuredView, name=tile.name)
        several = adapters.registered(place, IMultiView, name=tile.name)
        if several is not None:
            several.views = [entry for entry in several.views if entry[1] is not tile.factory]


def check_host_page(request: Request) -> None:
    """Check a request for a page of the host, as far as our frame of it is concerned.

    :raises NoSuchTile: a parameter names a tile that there is not.
    """
    settle_language(request)
    try:
        check_tiles(request)
    except HTTPNotFound:
        raise NoSuchTile from None


def is_of_script(request: Request) -> bool:
    """Return whether a script of cone.app asks, and reads JSON."""
    return bool(request.is_xhr) and "application/json" in request.headers.get("Accept", "")


def is_in_frame(request: Request) -> bool:
    """Return whether a form of cone.app was sent into its frame."""
    if not hasattr(request, "context"):
        # Nothing is known of the request, and no form is read for its sake.
        return False
    try:
        return bool(request.params.get(_IN_FRAME))
    except (InvalidParameter, HTTPException):
        return False


def failure_for_script(failure: Failure, request: Request) -> Response:
    """Return ``failure`` for a script of cone.app; ``page/main.js`` has it show the message."""
    forget_body(request)
    settle_language(request)
    body = failure_json(failure.slug, _message(failure, request), failure.code)
    content = json.dumps(body).encode()
    response = Response(content, status=failure.status, content_type="application/json")
    response.headers.update({"Cache-Control": "no-store", **failure.headers})
    return response


def failure_in_frame(failure: Failure, request: Request) -> Response:
    """Return ``failure`` as the answer of a form in the frame of cone.app: the page shows it."""
    forget_body(request)
    settle_language(request)
    message = AjaxMessage(html.escape(_message(failure, request)), "error", None)
    following = AjaxFormContinue("", [message]).next
    values = {"form": "", "selector": "", "mode": "", "next": following, "error": "true"}
    response = Response(_FormAnswer() % values, status=failure.status)
    response.headers.update({"Cache-Control": "no-store", **failure.headers})
    return response


def _message(failure: Failure, request: Request) -> str:
    text = failure_text(failure)
    message: str = request.localizer.translate(text.text)
    # The text about a bug ends with a colon.
    return message if text.reference is None else f"{message} {text.reference}"


def _raise_again(*_arguments: Any) -> NoReturn:
    # What is raised is what the caller handles.
    raise  # noqa: PLE0704
