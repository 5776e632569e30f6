"""The views of the JSON API, one short function each (contract 3)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.places import Places
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode
from cone.tokens.core.values import TokenQuery
from cone.tokens.core.values import size_of
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.rendering import Json
from cone.tokens.host.rendering import counted
from cone.tokens.host.request_data import JSON
from cone.tokens.host.security import VIEW
from cone.tokens.json_api import schemas
from cone.tokens.tickets import found
from cone.tokens.tickets import params
from cone.tokens.tickets.consumption import asked_manner
from cone.tokens.tickets.consumption import guarded
from cone.tokens.tickets.door_params import DOOR_PARAMETERS
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.rendering import inside_json
from cone.tokens.tickets.rendering import not_consumed_json
from cone.tokens.tickets.rendering import outcome_json
from cone.tokens.tickets.rendering import outcome_of_code_json
from cone.tokens.tickets.rendering import read_as
from cone.tokens.tickets.rendering import token_json
from cone.tokens.tickets.rendering import tokens_json
from cone.tokens.tickets.rendering import usages_json
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import DELETE
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import ADD_TOKEN
from cone.tokens.tickets.values import ADD_TOKENS
from cone.tokens.tickets.values import CONSUME_TOKEN
from cone.tokens.tickets.values import TicketChanges
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web import openapi
from cone.tokens.web.endpoint import Endpoint
from cone.tokens.web.endpoint import json_view

if TYPE_CHECKING:
    from pyramid.request import Request

#: Raw values of parameters, by name.
Given = Mapping[str, Any]


@json_view(
    Endpoint(
        name="query_token",
        context=TokenContainer,
        method="GET",
        permission=VIEW,
        summary="Look a token up by its value.",
        parameters=(params.VALUE_SOUGHT, params.ENDED_BY),
        answer={
            "token": schemas.TOKEN_OR_NULL,
            "read_as": schemas.READ_AS,
            "unfinished": schemas.UNFINISHED,
            "replaced": schemas.REPLACED,
            "inside": schemas.INSIDE,
        },
        optional=frozenset({"unfinished", "replaced", "inside"}),
        tells_uid="$response.body#/token/uid",
        is_query=True,
    ),
)
def query_token(context: TokenContainer, request: Request, fields: Given) -> Json:
    """Return the token that is meant by a value, or null."""
    value, is_complete = params.parse_value_sought(fields), params.parse_is_complete(fields)
    service, site = wiring.get(TicketService), request.resource_url(context)
    try:
        token = service.find_by_value(value, site=site, is_complete=is_complete)
    except (Unfinished, Replaced) as error:
        return {"success": True, "token": None, "read_as": None, error.slug: True}
    zone = wiring.get(TokensConfig).zone
    return {
        "success": True,
        "token": token and token_json(token, zone),
        "read_as": token and read_as(token.value, value),
        **(inside_json(token) if token else {}),
    }


@json_view(
    Endpoint(
        name="query_tokens",
        context=TokenContainer,
        method="GET",
        permission=LIST,
        summary="Return a page of the tokens for which all filters hold, and how many there are.",
        parameters=params.QUERY_PARAMETERS,
        answer={
            "tokens": schemas.TOKENS,
            "next": schemas.UID_OR_NULL,
            "previous": schemas.UID_OR_NULL,
            "count": schemas.COUNT_OR_NULL,
        },
        read=lambda fields: current_parser().token_query(fields),
        tells_uid="$response.body#/tokens/0/uid",
        links={
            "query_tokens": {
                "operationId": "query_tokens",
                "parameters": {"after": "$response.body#/next"},
            },
        },
        is_query=True,
    ),
)
def query_tokens(_context: TokenContainer, _request: Request, query: TokenQuery) -> Json:
    """Return a page of a list of tokens."""
    page, count = wiring.get(TicketService).counted_page(query)
    # Beside a token that there is there are others: it itself.
    if query.after and not page.has_previous:
        raise params.unknown_token(params.AFTER.name)
    if query.before and not page.has_next:
        raise params.unknown_token(params.BEFORE_TOKEN.name)
    return tokens_json(page, count, wiring.get(TokensConfig).zone)


@json_view(
    Endpoint(
        name="add_token",
        context=TokenContainer,
        method="POST",
        permission=ADD,
        summary="Add a token.",
        parameters=params.TOKEN_PARAMETERS,
        answer={"token_uid": openapi.UID},
        tells_uid="$response.body#/token_uid",
        is_idempotent=True,
        is_empty_default=True,
    ),
)
def add_token(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Add a token."""
    token = current_parser().new_token(fields)
    key = wiring.idempotency_key(request, ADD_TOKEN, fields)
    uid = wiring.get(TicketService).add(token, by=wiring.actor(request), key=key)
    return {"success": True, "token_uid": str(uid)}


@json_view(
    Endpoint(
        name="add_tokens",
        context=TokenContainer,
        method="POST",
        permission=ADD,
        summary="Add up to 10,000 tokens; all of them or none.",
        parameters=params.TOKENS_PARAMETERS,
        answer={"token_uids": schemas.UIDS},
        tells_uid="$response.body#/token_uids/0",
        links={name: schemas.with_added(name) for name in ("update_tokens", "delete_tokens")},
        is_idempotent=True,
        is_empty_default=True,
    ),
)
def add_tokens(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Add many tokens."""
    token, count, prefix = current_parser().new_tokens(fields)
    key = wiring.idempotency_key(request, ADD_TOKENS, fields)
    with wiring.get(Places).work(count):
        uids = wiring.get(TicketService).add_many(
            token, count, prefix, by=wiring.actor(request), key=key
        )
    return {"success": True, "token_uids": [str(uid) for uid in uids]}


@json_view(
    Endpoint(
        name=CONSUME_TOKEN,
        context=TokenNode,
        method="POST",
        permission=CONSUME,
        summary="Take a use of a token.",
        parameters=DOOR_PARAMETERS,
        answer=schemas.CONSUMED,
        **schemas.CONSUMPTION,
        links=schemas.after_use("$request.path.uid"),
        is_idempotent=True,
        answers_get=True,
    ),
)
def consume_token(context: TokenNode, request: Request, fields: Given) -> Json:
    """Take a use of a token."""
    manner = asked_manner(request, fields)
    asked = {name: raw for name, raw in fields.items() if raw}
    key = wiring.idempotency_key(request, CONSUME_TOKEN, {"uid": context.name, **asked})
    service, by = wiring.get(TicketService), wiring.actor(request)

    def consume() -> Outcome:
        if context.uid is None and key:
            # No token can be meant, but another request may have the key.
            service.check_key(key)
        return service.consume(uid_of(context), by=by, key=key, manner=manner)

    return outcome_json(guarded(request, consume), wiring.get(TokensConfig).zone, manner)


@json_view(
    Endpoint(
        name=CONSUME_TOKEN,
        context=TokenContainer,
        method="POST",
        permission=CONSUME,
        summary="Take a use of the token with a value: one request for a scanner.",
        parameters=(*params.CODE_PARAMETERS, found.NOT_FOUND, *DOOR_PARAMETERS),
        answer={**schemas.CONSUMED, "token_uid": openapi.UID, "read_as": schemas.READ_AS},
        **schemas.CONSUMPTION,
        id="consume_token_by_value",
        links=schemas.after_use("$response.body#/token_uid"),
        tells_uid="$response.body#/token_uid",
        is_idempotent=True,
    ),
)
def consume_value(context: TokenContainer, request: Request, fields: Given) -> Json:
    """Take a use of the token that is meant by a value."""
    manner = asked_manner(request, fields)
    value, is_complete = params.parse_value_sought(fields), params.parse_is_complete(fields)
    but = frozenset(params.parse_not_read_as(fields)), frozenset(found.parse_numbers(fields))
    # An empty one asks for the same as none.
    asked = {name: raw for name, raw in fields.items() if raw or name == params.VALUE_SOUGHT.name}
    key = wiring.idempotency_key(request, CONSUME_TOKEN, asked)
    by = wiring.actor(request)
    sent = SentCode(value, request.resource_url(context), is_complete, *but)

    def consume() -> Outcome:
        return wiring.get(TicketService).consume_code(sent, by=by, key=key, manner=manner)

    try:
        outcome = guarded(request, consume)
    except (Unfinished, Repeated) as error:
        return not_consumed_json(error)
    return outcome_of_code_json(outcome, value, wiring.get(TokensConfig).zone, manner)


@json_view(
    Endpoint(
        name="update_token",
        context=TokenNode,
        method="POST",
        permission=EDIT,
        summary="Change a token; what is omitted stays.",
        parameters=params.TOKEN_PARAMETERS,
        read=lambda fields: current_parser().changes(fields),
    ),
)
def update_token(context: TokenNode, request: Request, changes: TicketChanges) -> Json:
    """Change a token."""
    wiring.get(TicketService).update(uid_of(context), changes, by=wiring.actor(request))
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
def delete_token(context: TokenNode, request: Request, _fields: Given) -> Json:
    """Delete a token."""
    wiring.get(TicketService).delete(uid_of(context), by=wiring.actor(request))
    return {"success": True}


@json_view(
    Endpoint(
        name="update_tokens",
        context=TokenContainer,
        method="POST",
        permission=EDIT,
        summary="Change up to 10,000 tokens; all of them or none. What is omitted stays.",
        parameters=params.CHANGES_PARAMETERS,
        answer={"updated": schemas.COUNT, "message": {"type": "string"}},
    ),
)
def update_tokens(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Change many tokens."""
    parser = current_parser()
    changes, expected = parser.changes_of_many(fields), params.parse_expected_count(fields)
    which, by = parser.selection(fields), wiring.actor(request)
    with wiring.get(Places).work(size_of(which)):
        updated = wiring.get(TicketService).update_many(
            which, changes, by=by, expected_count=expected
        )
    return {"success": True, "updated": updated, "message": f"Updated {counted(updated, 'token')}"}


@json_view(
    Endpoint(
        name="delete_tokens",
        context=TokenContainer,
        method="POST",
        permission=DELETE,
        summary="Delete up to 10,000 tokens; all of them or none.",
        parameters=params.SELECTION_PARAMETERS,
        answer={"deleted": schemas.COUNT, "message": {"type": "string"}},
    ),
)
def delete_tokens(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Delete many tokens."""
    expected = params.parse_expected_count(fields)
    which, by = current_parser().selection(fields), wiring.actor(request)
    with wiring.get(Places).work(size_of(which)):
        deleted = wiring.get(TicketService).delete_many(which, by=by, expected_count=expected)
    return {"success": True, "deleted": deleted, "message": f"Deleted {counted(deleted, 'token')}"}


@json_view(
    Endpoint(
        name="usages",
        context=TokenNode,
        method="GET",
        permission=VIEW,
        summary="Return the tries to consume a token, newest first, refused ones too.",
        parameters=(params.LIMIT, params.BEFORE),
        answer={"usages": schemas.USAGES, "next": schemas.UID_OR_NULL},
        read=params.parse_usages,
        links=schemas.before("$response.body#/next"),
        is_query=True,
    ),
)
def usages(context: TokenNode, _request: Request, asked: tuple[int, uuid.UUID | None]) -> Json:
    """Return a page of the usage log of a token."""
    limit, before = asked
    page = wiring.get(TicketService).usages(uid_of(context), limit, before)
    return usages_json(page, wiring.get(TokensConfig).zone)


@json_view(
    Endpoint(
        name="openapi.json",
        context=TokenContainer,
        method="GET",
        permission=VIEW,
        summary="Return this document.",
        id="openapi",
        told="The document.",
        media={JSON: {"schema": {"type": "object"}}},
    ),
)
def openapi_json(context: TokenContainer, request: Request, _fields: Given) -> Mapping[str, Any]:
    """Return the OpenAPI document of the API."""
    return schemas.document(request.resource_url(context).rstrip("/"))


def uid_of(context: TokenNode) -> uuid.UUID:
    """Return the uid in the path.

    :raises TokenNotFound: the path spells none.
    """
    if context.uid is None:
        raise TokenNotFound(context.name)
    return context.uid
