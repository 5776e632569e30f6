"""The views of the JSON API, one short function each (contract 3)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from pyramid.response import Response

from cone.tokens import qr
from cone.tokens import wiring
from cone.tokens.consumption import guarded
from cone.tokens.core import params
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.types import ADD_TOKEN
from cone.tokens.core.types import ADD_TOKENS
from cone.tokens.core.types import CONSUME_TOKEN
from cone.tokens.core.types import Outcome
from cone.tokens.core.types import Token
from cone.tokens.json_api import Endpoint
from cone.tokens.json_api import json_view
from cone.tokens.json_api import openapi
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.rendering import Json
from cone.tokens.rendering import outcome_json
from cone.tokens.rendering import token_json
from cone.tokens.rendering import tokens_json
from cone.tokens.rendering import usages_json
from cone.tokens.request_data import given
from cone.tokens.security import ADD
from cone.tokens.security import CONSUME
from cone.tokens.security import DELETE
from cone.tokens.security import EDIT
from cone.tokens.security import LIST
from cone.tokens.security import VIEW

if TYPE_CHECKING:
    from pyramid.request import Request

_FOR_MANY = tuple(
    parameter for parameter in params.TOKEN_PARAMETERS if parameter is not params.VALUE
)

#: What many tokens are issued with. The parser knows ``value`` too, to refuse it.
TOKENS_PARAMETERS = (
    params.Parameter(params.VALUE.name, {"not": {}}, "Refused: take ``prefix`` or ``random``."),
    *_FOR_MANY,
    params.COUNT,
    params.PREFIX,
    params.RANDOM,
)

#: What may be changed in many tokens, and in which. ``value`` is refused in the same way.
CHANGES_PARAMETERS = (
    params.Parameter(params.VALUE.name, {"not": {}}, "Refused: each token has its own."),
    *_FOR_MANY,
    *params.SELECTION_PARAMETERS,
)


@json_view(
    Endpoint(
        name="query_token",
        context=TokenContainer,
        method="GET",
        permission=VIEW,
        summary="Look a token up by its value.",
        parameters=(params.VALUE_SOUGHT,),
        answer={"token": openapi.TOKEN_OR_NULL},
        is_query=True,
    ),
)
def query_token(_context: TokenContainer, request: Request) -> Json:
    """Return the token with a value, or null."""
    value = params.parse_value_sought(given(request, [params.VALUE_SOUGHT]))
    token = wiring.token_service().find_by_value(value)
    zone = wiring.plugin().config.zone
    return {"success": True, "token": token and token_json(token, zone)}


@json_view(
    Endpoint(
        name="query_tokens",
        context=TokenContainer,
        method="GET",
        permission=LIST,
        summary="Return a page of the tokens for which all filters hold, and how many there are.",
        parameters=params.QUERY_PARAMETERS,
        answer={
            "tokens": openapi.TOKENS,
            "next": openapi.UID_OR_NULL,
            "previous": openapi.UID_OR_NULL,
            "count": openapi.COUNT_OR_NULL,
        },
        is_query=True,
    ),
)
def query_tokens(_context: TokenContainer, request: Request) -> Json:
    """Return a page of a list of tokens."""
    query = wiring.parser().token_query(given(request, params.QUERY_PARAMETERS))
    page, count = wiring.token_service().counted_page(query)
    # Beside a token that there is there are others: it itself.
    if query.after and not page.has_previous:
        raise params.unknown_token(params.AFTER.name)
    if query.before and not page.has_next:
        raise params.unknown_token(params.BEFORE_TOKEN.name)
    return tokens_json(page, count, wiring.plugin().config.zone)


@json_view(
    Endpoint(
        name="add_token",
        context=TokenContainer,
        method="POST",
        permission=ADD,
        summary="Add a token.",
        parameters=params.TOKEN_PARAMETERS,
        answer={"token_uid": openapi.UID},
        is_idempotent=True,
    ),
)
def add_token(_context: TokenContainer, request: Request) -> Json:
    """Add a token."""
    fields = given(request, params.TOKEN_PARAMETERS)
    token = wiring.parser().new_token(fields)
    key = wiring.idempotency_key(request, ADD_TOKEN, fields)
    uid = wiring.token_service().add(token, by=wiring.actor(request), key=key)
    return {"success": True, "token_uid": str(uid)}


@json_view(
    Endpoint(
        name="add_tokens",
        context=TokenContainer,
        method="POST",
        permission=ADD,
        summary="Add up to 10,000 tokens; all of them or none.",
        parameters=TOKENS_PARAMETERS,
        answer={"token_uids": openapi.UIDS},
        is_idempotent=True,
    ),
)
def add_tokens(_context: TokenContainer, request: Request) -> Json:
    """Add many tokens."""
    fields = given(request, TOKENS_PARAMETERS)
    token, count, prefix = wiring.parser().new_tokens(fields)
    key = wiring.idempotency_key(request, ADD_TOKENS, fields)
    service = wiring.token_service()
    uids = service.add_many(token, count, prefix, by=wiring.actor(request), key=key)
    return {"success": True, "token_uids": [str(uid) for uid in uids]}


@json_view(
    Endpoint(
        name=CONSUME_TOKEN,
        context=TokenNode,
        method="POST",
        permission=CONSUME,
        summary="Take one use of a token.",
        answer=openapi.CONSUMED,
        is_idempotent=True,
        is_consumption=True,
    ),
)
def consume_token(context: TokenNode, request: Request) -> Json:
    """Take one use of a token."""
    given(request, ())
    key = wiring.idempotency_key(request, CONSUME_TOKEN, {"uid": context.name})
    service, by = wiring.token_service(), wiring.actor(request)

    def consume() -> Outcome:
        if context.uid is None and key:
            # No token can be meant, but another request may have the key.
            service.check_key(key)
        return service.consume(_uid(context), by=by, key=key)

    return outcome_json(guarded(request, consume))


@json_view(
    Endpoint(
        name=CONSUME_TOKEN,
        context=TokenContainer,
        method="POST",
        permission=CONSUME,
        summary="Take one use of the token with a value: one request for a scanner.",
        parameters=(params.VALUE_SOUGHT,),
        answer={**openapi.CONSUMED, "token_uid": openapi.UID},
        is_idempotent=True,
    ),
)
def consume_value(_context: TokenContainer, request: Request) -> Json:
    """Take one use of the token with a value."""
    fields = given(request, [params.VALUE_SOUGHT])
    value = params.parse_value_sought(fields)
    key = wiring.idempotency_key(request, CONSUME_TOKEN, fields)
    service, by = wiring.token_service(), wiring.actor(request)
    outcome = guarded(request, lambda: service.consume_value(value, by=by, key=key))
    return {**outcome_json(outcome), "token_uid": str(outcome.token_uid)}


@json_view(
    Endpoint(
        name="update_token",
        context=TokenNode,
        method="POST",
        permission=EDIT,
        summary="Change a token; what is omitted stays.",
        parameters=params.TOKEN_PARAMETERS,
    ),
)
def update_token(context: TokenNode, request: Request) -> Json:
    """Change a token."""
    changes = wiring.parser().changes(given(request, params.TOKEN_PARAMETERS))
    wiring.token_service().update(_uid(context), changes, by=wiring.actor(request))
    return {"success": True}


@json_view(
    Endpoint(
        name="delete_token",
        context=TokenNode,
        method="POST",
        permission=DELETE,
        summary="Delete a token; its usage log stays.",
    ),
)
def delete_token(context: TokenNode, request: Request) -> Json:
    """Delete a token."""
    given(request, ())
    wiring.token_service().delete(_uid(context), by=wiring.actor(request))
    return {"success": True}


@json_view(
    Endpoint(
        name="update_tokens",
        context=TokenContainer,
        method="POST",
        permission=EDIT,
        summary="Change up to 10,000 tokens; all of them or none. What is omitted stays.",
        parameters=CHANGES_PARAMETERS,
        answer={"updated": openapi.COUNT, "message": {"type": "string"}},
    ),
)
def update_tokens(_context: TokenContainer, request: Request) -> Json:
    """Change many tokens."""
    fields = given(request, CHANGES_PARAMETERS)
    parser = wiring.parser()
    changes, expected = parser.changes_of_many(fields), params.parse_expected_count(fields)
    which, by = parser.selection(fields), wiring.actor(request)
    updated = wiring.token_service().update_many(which, changes, by=by, expected_count=expected)
    return {"success": True, "updated": updated, "message": f"Updated {updated} tokens"}


@json_view(
    Endpoint(
        name="delete_tokens",
        context=TokenContainer,
        method="POST",
        permission=DELETE,
        summary="Delete up to 10,000 tokens; all of them or none.",
        parameters=params.SELECTION_PARAMETERS,
        answer={"deleted": openapi.COUNT, "message": {"type": "string"}},
    ),
)
def delete_tokens(_context: TokenContainer, request: Request) -> Json:
    """Delete many tokens."""
    fields = given(request, params.SELECTION_PARAMETERS)
    expected = params.parse_expected_count(fields)
    which, by = wiring.parser().selection(fields), wiring.actor(request)
    deleted = wiring.token_service().delete_many(which, by=by, expected_count=expected)
    return {"success": True, "deleted": deleted, "message": f"Deleted {deleted} tokens"}


@json_view(
    Endpoint(
        name="usages",
        context=TokenNode,
        method="GET",
        permission=VIEW,
        summary="Return the tries to consume a token, newest first, refused ones too.",
        parameters=(params.LIMIT, params.BEFORE),
        answer={"usages": openapi.USAGES, "next": openapi.UID_OR_NULL},
        is_query=True,
    ),
)
def usages(context: TokenNode, request: Request) -> Json:
    """Return a page of the usage log of a token."""
    limit, before = params.parse_usages(given(request, [params.LIMIT, params.BEFORE]))
    page = wiring.token_service().usages(_uid(context), limit, before)
    return usages_json(page, wiring.plugin().config.zone)


@json_view(
    Endpoint(
        name="qr_code",
        context=TokenNode,
        method="GET",
        permission=VIEW,
        summary="Return the value of a token as a QR picture.",
        parameters=(params.FORMAT,),
    ),
)
def qr_code(context: TokenNode, request: Request) -> Response:
    """Return the QR picture of a token."""
    media = params.parse_picture_format(given(request, [params.FORMAT]))
    token = wiring.token_service().get(_uid(context))
    response = _picture_response(request, token, media or "png")
    if media is None:
        response.content_disposition = f'attachment; filename="{token.uid}.png"'
    return response


@json_view(
    Endpoint(
        name="openapi.json",
        context=TokenContainer,
        method="GET",
        permission=VIEW,
        summary="Return this document.",
    ),
)
def openapi_json(context: TokenContainer, request: Request) -> Mapping[str, Any]:
    """Return the OpenAPI document of the API."""
    given(request, ())
    return openapi.document(request.resource_url(context).rstrip("/"))


def _uid(context: TokenNode) -> uuid.UUID:
    """Return the uid in the path.

    :raises TokenNotFound: the path spells none.
    """
    if context.uid is None:
        raise TokenNotFound(context.name)
    return context.uid


def _picture_response(request: Request, token: Token, media: str) -> Response:
    # The value may change: a browser keeps the picture and asks whether it still holds.
    response = Response(content_type=qr.MEDIA_TYPES[media], cache_control="private, no-cache")
    response.etag = hashlib.sha256(f"{media} {token.value}".encode()).hexdigest()
    if response.etag in request.if_none_match:
        response.status = 304
        # What tells of the content has no place beside none.
        del response.headers["Content-Type"], response.headers["Content-Length"]
    else:
        response.body = qr.picture(token.value, media)
    return response
