"""What lies around every request: the net for failures, checks before views, the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Collection
from typing import TYPE_CHECKING

from cone.app.model import AppRoot
from pyramid.httpexceptions import HTTPNotFound
from pyramid.httpexceptions import HTTPRedirection

from cone.tokens import logs
from cone.tokens import wiring
from cone.tokens.browser.errors import failure_page
from cone.tokens.browser.guard import AJAX
from cone.tokens.browser.guard import check_page
from cone.tokens.failures import failure_of
from cone.tokens.identity import claimed_userid
from cone.tokens.json_api import is_endpoint
from cone.tokens.json_api.errors import failure_response
from cone.tokens.json_api.errors import is_api_failure
from cone.tokens.json_api.errors import response_below_no_uid
from cone.tokens.json_api.errors import view_below_no_uid
from cone.tokens.json_api.operation import VIEWS as OPERATIONS
from cone.tokens.json_api.operation import operation_response
from cone.tokens.logs import printable
from cone.tokens.model import ENTRY
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.settings import TokenSettings

if TYPE_CHECKING:
    from pyramid.events import ContextFound
    from pyramid.registry import Registry
    from pyramid.request import Request
    from pyramid.response import Response

#: One line for each request to our paths.
access = logging.getLogger("cone.tokens.access")

Handler = Callable[["Request"], "Response"]


def request_tween(handler: Handler, registry: Registry) -> Handler:
    """Return ``handler`` with a reference for each request, and a line in the log for ours."""
    views = frozenset(
        view["introspectable"]["name"] for view in registry.introspector.get_category("views")
    )

    def answer(request: Request) -> Response:
        before, start = logs.begin(request), time.perf_counter()
        try:
            response = handler(request)
            response.headers[logs.HEADER] = logs.reference()
            metrics, is_logged = wiring.plugin().metrics, access.isEnabledFor(logging.INFO)
            if (is_logged or metrics.is_on) and _is_ours(request):
                view, seconds = _view_of(request, views), time.perf_counter() - start
                metrics.count_request(view, response.status_int, seconds)
                if is_logged:
                    _log_access(request, response, view, seconds)
            return response
        finally:
            logs.end(before)

    return answer


def failure_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with failures of our paths answered; the only net there is.

    It lies under the host's exception views: those answer bugs with status 200 and a traceback.
    """

    def answer(request: Request) -> Response:
        try:
            return _answer_or_bad_uid(handler, request)
        except Exception as error:
            if _is_redirect(error) or not _is_ours(request):
                raise
            if request.environ.get("tm.active"):
                request.tm.doom()
            failure = failure_of(error, request)
            face = failure_response if is_api_failure(error, request) else failure_page
            return face(failure, request)

    return answer


def cookie_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with cookies left out that are no text.

    WebOb fails at them, and pyramid_tm is the first to ask who is signed in.
    """

    def answer(request: Request) -> Response:
        if _is_ours(request):
            try:
                len(request.cookies)
            except UnicodeDecodeError:
                request.environ["HTTP_COOKIE"] = ""
        return handler(request)

    return answer


def operation_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with the paths answered that those ask who run the site."""

    def answer(request: Request) -> Response:
        return operation_response(request) or handler(request)

    return answer


def check_page_request(event: ContextFound) -> None:
    """Check a request for one of our pages; the JSON API has checks of its own."""
    request = event.request
    if not _is_our_node(request):
        return
    if view_below_no_uid(request):
        # No page: the tween has the API answer it.
        raise HTTPNotFound
    if not is_endpoint(request.view_name, type(request.context)):
        check_page(request)


def _log_access(request: Request, response: Response, view: str, seconds: float) -> None:
    """Tell of a request without its path and parameters: they may have values of tokens."""
    context = getattr(request, "context", None)
    facts = {
        "method": printable(request.method),
        "view": view,
        "token": str(context.uid) if isinstance(context, TokenNode) and context.uid else None,
        "status": response.status_int,
        "ms": round(seconds * 1000, 1),
        "user": claimed_userid(request),
        "address": request.environ.get("REMOTE_ADDR"),
    }
    access.info(
        "%(method)s %(view)s token %(token)s: %(status)s in %(ms)s ms, %(user)s from %(address)s",
        facts,
        extra=facts,
    )


def _view_of(request: Request, views: Collection[str]) -> str:
    """Return what a request asked for: one of few names, whatever it sent."""
    path = request.environ.get("PATH_INFO", "")
    if path in OPERATIONS:
        return path.rpartition("/")[2]
    name = getattr(request, "view_name", None)
    if name not in views:
        return "other"
    places = ((TokenNode, "token"), (TokenSettings, "settings"))
    place = next((word for kind, word in places if isinstance(request.context, kind)), "tokens")
    return f"{place}/{name}" if name else place


def _answer_or_bad_uid(handler: Handler, request: Request) -> Response:
    try:
        return handler(request)
    except HTTPNotFound:
        response = response_below_no_uid(request)
        if response is None:
            raise
        return response


def _is_redirect(error: Exception) -> bool:
    return isinstance(error, HTTPRedirection)


def _is_our_node(request: Request) -> bool:
    context = getattr(request, "context", None)
    if isinstance(context, TokenContainer | TokenNode | TokenSettings):
        return True
    return isinstance(context, AppRoot) and _shows_tokens(context, request)


def _shows_tokens(root: AppRoot, request: Request) -> bool:
    """Return whether the start page of the site is the page of the tokens, or a part of it."""
    return root.properties.default_child == ENTRY and request.view_name in ("", AJAX)


def _is_ours(request: Request) -> bool:
    path = request.environ.get("PATH_INFO", "")
    return _is_our_node(request) or path == f"/{ENTRY}" or path.startswith(f"/{ENTRY}/")
