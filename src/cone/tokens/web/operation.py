"""Health and metrics, answered without permission, user directory or session."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound
from pyramid.response import Response

from cone.tokens.core.errors import Unavailable
from cone.tokens.host import wiring
from cone.tokens.host.addresses import is_spelled_plainly
from cone.tokens.host.failures import Failure
from cone.tokens.host.failures import failure_of
from cone.tokens.host.health import Health
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.rendering import failure_json
from cone.tokens.web.api_errors import failure_response
from cone.tokens.web.render import json_response

if TYPE_CHECKING:
    from pyramid.request import Request


def health(_request: Request) -> Response:
    """Answer with the health of the process and of the database."""
    parts = {"process": "ok", "database": "ok"}
    if wiring.get(Health).database_answers():
        return json_response({"success": True, **parts})
    error = Unavailable()
    away = {**failure_json(error.slug, str(error)), **parts, "database": "away"}
    response = json_response(away, 503)
    response.headers["Retry-After"] = f"{error.retry_after_s}"
    return response


def metrics(request: Request) -> Response:
    """Return this process's metrics to callers that send the secret."""
    figures = wiring.get(Metrics)
    if not figures.is_on:
        raise HTTPNotFound
    if not figures.admits(request.environ.get("HTTP_AUTHORIZATION", "")):
        headers = {"WWW-Authenticate": 'Bearer realm="cone.tokens"'}
        text = "Give the secret of the metrics as bearer token"
        return failure_response(Failure(401, "unauthenticated", text, headers=headers), request)
    body, media = figures.page()
    return Response(body, headers={"Content-Type": media})


#: The views by path: load balancers ask there, whichever parts a site has.
VIEWS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "/tokens/health": health,
    "/tokens/metrics": metrics,
}


def operation_response(request: Request) -> Response | None:
    """Return the answer for those who run the site; None: the path is none of theirs."""
    view = VIEWS.get(request.environ.get("PATH_INFO", ""))
    if view is None or not is_spelled_plainly(request):
        return None
    try:
        if request.method != "GET":
            raise HTTPMethodNotAllowed(headers={"Allow": "GET"})  # noqa: TRY301 - one net below
        response: Response = view(request)
    except Exception as error:  # noqa: BLE001 - the usual net lies behind the user directory
        return failure_response(failure_of(error, request), request)
    response.headers["Cache-Control"] = "no-store"
    return response
