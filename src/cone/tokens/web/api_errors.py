"""Failures as JSON, and the paths that are answered in JSON when they lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyramid.httpexceptions import HTTPNotFound
from pyramid.view import render_view_to_response

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.host.addresses import VIEW_MARK
from cone.tokens.host.nodes import IEntryNode
from cone.tokens.host.rendering import failure_json
from cone.tokens.web.endpoint import is_endpoint
from cone.tokens.web.render import json_response

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

    from cone.tokens.host.failures import Failure


def is_api_failure(error: Exception, request: Request) -> bool:
    """Return whether a client of the API is to be told of ``error``.

    The path ends in the name of one of its views, or it goes on behind something that is neither
    a uid nor a page.
    """
    path = request.environ.get("PATH_INFO", "")
    view_name = getattr(request, "view_name", "")
    last = path.rstrip("/").rpartition("/")[2].removeprefix(VIEW_MARK)
    if is_endpoint(last) or is_endpoint(view_name):
        return True
    return isinstance(error, HTTPNotFound) and _is_below_no_uid(request)


def failure_response(failure: Failure, _request: Request) -> Response:
    """Return ``failure`` as an answer of the API."""
    body = failure_json(failure.slug, failure.message, failure.code)
    if isinstance(failure.error, TokenNotFound) and failure.error.uid is None:
        body["consumed"] = False
    if failure.reason:
        body["reason"] = failure.reason
    response = json_response(body, failure.status)
    response.headers.update({"Cache-Control": "no-store", **failure.headers})
    return response


def response_below_no_uid(request: Request) -> Response | None:
    """Return the answer of a view of a token where the path spells no uid, else None.

    Traversal ends at the container then, since it finds no token of that name. The view and its
    checks run all the same, so that the answer is the same as for an unknown token.
    """
    name = view_below_no_uid(request)
    if name is None:
        return None
    entry = request.context
    request.context = entry.row_class(name=request.view_name, parent=entry)
    request.view_name, request.subpath = name, ()
    return render_view_to_response(request.context, request, name)


def view_below_no_uid(request: Request) -> str | None:
    """Return the view of a token that the path names behind something that spells no uid."""
    if not _is_below_no_uid(request) or len(request.subpath) > 1:
        return None
    name: str = request.subpath[0].removeprefix(VIEW_MARK)
    return name if is_endpoint(name, request.context.row_class) else None


def _is_below_no_uid(request: Request) -> bool:
    context = getattr(request, "context", None)
    return IEntryNode.providedBy(context) and bool(request.subpath)
