"""What lies around every request: the net for failures, checks before views, the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Collection
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.exceptions import URLDecodeError
from pyramid.httpexceptions import HTTPNotFound
from pyramid.httpexceptions import HTTPRedirection

from cone.tokens import logs
from cone.tokens.answers import answer_failure
from cone.tokens.host import wiring
from cone.tokens.host.addresses import OtherSpelling
from cone.tokens.host.addresses import plain_path
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.host.host_requests import check_host
from cone.tokens.host.host_requests import check_host_request
from cone.tokens.host.host_requests import forget_virtual_root
from cone.tokens.host.identity import claimed_userid
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.nodes import IOurNode
from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.security import Refused
from cone.tokens.host.site_request import BodyTooLarge
from cone.tokens.host.user_files import UserFiles
from cone.tokens.host.user_files import is_in_files
from cone.tokens.logs import printable
from cone.tokens.places import is_our_node
from cone.tokens.places import is_ours
from cone.tokens.web.api_errors import response_below_no_uid
from cone.tokens.web.api_errors import view_below_no_uid
from cone.tokens.web.endpoint import is_endpoint
from cone.tokens.web.guard import check_page
from cone.tokens.web.host import check_sign_in_and_out
from cone.tokens.web.host import refuse_cross_site_actions
from cone.tokens.web.host import require_plain_spelling
from cone.tokens.web.mended import NoSuchTile
from cone.tokens.web.mended import check_host_page
from cone.tokens.web.operation import VIEWS as OPERATIONS
from cone.tokens.web.operation import operation_response

if TYPE_CHECKING:
    from pyramid.events import ContextFound
    from pyramid.registry import Registry
    from pyramid.request import Request
    from pyramid.response import Response

#: One line for each request to our paths.
access = logging.getLogger("cone.tokens.access")

#: What is wrong with a request, in the host's part of the site too.
_OF_REQUEST: Final = (
    UnreadableRequest,
    BodyTooLarge,
    URLDecodeError,
    Refused,
    OtherSpelling,
    NoSuchTile,
)

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
            metrics, is_logged = wiring.get(Metrics), access.isEnabledFor(logging.INFO)
            if (is_logged or metrics.is_on) and is_ours(request):
                view, seconds = _view_of(request, views), time.perf_counter() - start
                metrics.count_request(view, response.status_int, seconds)
                if is_logged:
                    _log_access(request, response, view, seconds)
            return response
        finally:
            logs.end(before)

    return answer


def failure_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with failures of our paths answered.

    It lies under the host's exception views, which answer 403 and 404 with status 200; ``answers``
    has the net for the rest of the site.
    """

    def answer(request: Request) -> Response:
        try:
            return _answer_or_bad_uid(handler, request)
        except Exception as error:
            if _is_redirect(error) or not (is_ours(request) or _is_of_request(error)):
                raise
            return answer_failure(error, request)

    return answer


def cookie_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with cookies left out that are no text.

    WebOb fails at them, and pyramid_tm is the first to ask who is signed in.
    """

    def answer(request: Request) -> Response:
        try:
            len(request.cookies)
        except UnicodeDecodeError:
            request.environ["HTTP_COOKIE"] = ""
        return handler(request)

    return answer


def host_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with requests refused whose ``Host`` is none, and with no virtual root.

    pyramid_tm asks who is signed in, and the cookie that may be set then names the host.
    """

    def answer(request: Request) -> Response:
        forget_virtual_root(request)
        try:
            check_host(request)
        except UnreadableRequest as error:
            return answer_failure(error, request)
        return handler(request)

    return answer


def directory_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with users in files read again before anybody asks who is signed in."""
    if not is_in_files():
        return handler
    files = UserFiles()

    def answer(request: Request) -> Response:
        files.refresh()
        return handler(request)

    return answer


def operation_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with the paths answered that those ask who run the site."""

    def answer(request: Request) -> Response:
        return operation_response(request) or handler(request)

    return answer


def check_page_request(event: ContextFound) -> None:
    """Check a request for a page, ours or the host's; the JSON API has checks of its own."""
    request = event.request
    check_sign_in_and_out(request)
    if not is_our_node(request):
        refuse_cross_site_actions(request)
        check_host_request(request)
        check_host_page(request)
        return
    if view_below_no_uid(request) or plain_path(request) in OPERATIONS:
        # No page: the tween has the API answer it.
        raise HTTPNotFound
    if not is_endpoint(request.view_name, type(request.context)):
        require_plain_spelling(request)
        check_page(request)


def _log_access(request: Request, response: Response, view: str, seconds: float) -> None:
    """Log a request without its path and parameters, which may have values of tokens."""
    context: Any = getattr(request, "context", None)
    uid = context.uid if IRowNode.providedBy(context) else None
    facts = {
        "method": printable(request.method),
        "view": view,
        "token": str(uid) if uid else None,
        "status": response.status_int,
        "ms": round(seconds * 1000, 1),
        "user": claimed_userid(request),
        "address": request.environ.get("REMOTE_ADDR"),
    }
    access.info(
        "%s %s%s: %d in %s ms, %s from %s",
        facts["method"],
        view,
        f" token {facts['token']}" if facts["token"] else "",
        facts["status"],
        facts["ms"],
        facts["user"] or "nobody",
        facts["address"],
        extra=facts,
    )


def _view_of(request: Request, views: Collection[str]) -> str:
    """Return the operation of a request, one of few names, for logs and metrics."""
    path = request.environ.get("PATH_INFO", "")
    if path in OPERATIONS:
        return path.rpartition("/")[2]
    name = getattr(request, "view_name", None)
    if name not in views:
        return "other"
    place = request.context.place if IOurNode.providedBy(request.context) else "tokens"
    return f"{place}/{name}" if name else place


def _answer_or_bad_uid(handler: Handler, request: Request) -> Response:
    try:
        return handler(request)
    except HTTPNotFound:
        response = response_below_no_uid(request)
        if response is None:
            raise
        return response


def _is_of_request(error: Exception) -> bool:
    """Return whether the request itself is wrong, whoever was to answer it."""
    return isinstance(error, _OF_REQUEST)


def _is_redirect(error: Exception) -> bool:
    return isinstance(error, HTTPRedirection)
