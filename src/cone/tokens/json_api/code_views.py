"""The views about the code of a token: its picture, and another code in its place."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pyramid.response import Response

from cone.tokens.host import wiring
from cone.tokens.host.rendering import Json
from cone.tokens.host.security import VIEW
from cone.tokens.json_api import schemas
from cone.tokens.json_api.views import Given
from cone.tokens.json_api.views import uid_of
from cone.tokens.tickets import params
from cone.tokens.tickets import qr
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import REPLACE
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.endpoint import Endpoint
from cone.tokens.web.endpoint import json_view

if TYPE_CHECKING:
    from pyramid.request import Request


@json_view(
    Endpoint(
        name="qr_code",
        context=TokenNode,
        method="GET",
        permission=VIEW,
        summary="Return the value of a token as a QR picture.",
        parameters=(params.FORMAT,),
        read=params.parse_picture_format,
        told="The picture.",
        media=schemas.picture(),
    ),
)
def qr_code(context: TokenNode, request: Request, media: str | None) -> Response:
    """Return the QR picture of a token."""
    token = wiring.get(TicketService).get(uid_of(context))
    response = _picture_response(request, token, media or "png")
    if media is None:
        response.content_disposition = f'attachment; filename="{token.uid}.png"'
    return response


def _picture_response(request: Request, token: Ticket, media: str) -> Response:
    # The value may change: a browser keeps the picture and asks whether it still holds.
    response = Response(content_type=qr.MEDIA_TYPES[media], cache_control="private, no-cache")
    response.etag = hashlib.sha256(f"{media} {token.value}".encode()).hexdigest()
    if response.etag in request.if_none_match:
        response.status = 304
        # A 304 has no body, and so no headers about one.
        del response.headers["Content-Type"], response.headers["Content-Length"]
    else:
        response.body = qr.picture(token.value, media)
    return response


@json_view(
    Endpoint(
        name=REPLACE,
        context=TokenNode,
        method="POST",
        permission=EDIT,
        summary="Give a token a new random value; the one before is refused from now on, and no "
        "other token gets it.",
        answer={"value": {"type": "string"}},
        is_idempotent=True,
    ),
)
def replace(context: TokenNode, request: Request, _fields: Given) -> Json:
    """Give a token another code."""
    key = wiring.idempotency_key(request, REPLACE, {"uid": context.name})
    service, by = wiring.get(TicketService), wiring.actor(request)
    if context.uid is None and key:
        # No token can be meant, but another request may have the key.
        service.check_key(key)
    return {"success": True, "value": service.replace(uid_of(context), by=by, key=key)}
