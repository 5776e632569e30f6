"""The views that find tokens by a part of their code or label, for who may not list them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cone.tokens.core.errors import Repeated
from cone.tokens.core.values import Outcome
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.rendering import Json
from cone.tokens.host.rendering import counted
from cone.tokens.json_api import schemas
from cone.tokens.json_api.views import Given
from cone.tokens.tickets import found
from cone.tokens.tickets import params
from cone.tokens.tickets.consumption import asked_manner
from cone.tokens.tickets.consumption import guarded
from cone.tokens.tickets.consumption import undo_found as undo_found_use
from cone.tokens.tickets.door_params import DOOR_PARAMETERS
from cone.tokens.tickets.door_params import RECEIPT
from cone.tokens.tickets.door_params import parse_receipt
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.rendering import inside_json
from cone.tokens.tickets.rendering import not_consumed_json
from cone.tokens.tickets.rendering import outcome_json
from cone.tokens.tickets.rendering import undone_json
from cone.tokens.tickets.security import FIND
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import CONSUME_FOUND
from cone.tokens.tickets.values import CONSUME_TOKEN
from cone.tokens.tickets.values import UNDO_FOUND
from cone.tokens.web.endpoint import Endpoint
from cone.tokens.web.endpoint import json_view

if TYPE_CHECKING:
    from pyramid.request import Request

logger = logging.getLogger("cone.tokens.find")


@json_view(
    Endpoint(
        name="find_tokens",
        context=TokenContainer,
        method="GET",
        permission=FIND,
        summary=f"Find up to {found.MOST_HITS} tokens by parts of their codes or labels, without "
        "telling a code.",
        parameters=(params.OF_SEARCH, found.FOUND_AGAIN),
        answer={"hits": schemas.HITS, "has_more": {"type": "boolean"}},
        is_query=True,
    ),
)
def find_tokens(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Return tokens with parts of codes or labels, the newest first."""
    hits = wiring.get(TicketService).hits(found.parse_sought(fields), found.MOST_HITS + 1)
    shown, zone = hits[: found.MOST_HITS], wiring.get(TokensConfig).zone
    # Neither what was sought nor what was found: both are about people.
    logger.info("search: %s, user %s", counted(len(shown), "hit"), wiring.actor(request))
    return {
        "success": True,
        "hits": [
            found.hit_json(number, token, zone) | inside_json(token) for number, token in shown
        ],
        "has_more": len(hits) > len(shown),
    }


@json_view(
    Endpoint(
        name=CONSUME_FOUND,
        context=TokenContainer,
        method="POST",
        permission=FIND,
        summary="Take a use of a token that was found.",
        parameters=(found.FOUND, params.NOT_READ_AS, *DOOR_PARAMETERS),
        answer=schemas.CONSUMED,
        **schemas.CONSUMPTION,
        is_idempotent=True,
    ),
)
def consume_found(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Take a use of a token that was found."""
    manner = asked_manner(request, fields)
    number = found.parse_found(fields)
    but = frozenset(params.parse_not_read_as(fields))
    # The same key for the same token in another way is a mistake, not another use.
    asked = {name: raw for name, raw in fields.items() if raw or name == found.FOUND.name}
    key = wiring.idempotency_key(request, CONSUME_TOKEN, asked)
    by = wiring.actor(request)

    def consume() -> Outcome:
        return wiring.get(TicketService).consume_found(
            number, by=by, key=key, but=but, manner=manner
        )

    try:
        outcome = guarded(request, consume)
    except Repeated as error:
        return not_consumed_json(error)
    # Its uid may be its code.
    zone = wiring.get(TokensConfig).zone
    return outcome_json(outcome, zone, manner, tells_uid=False)


@json_view(
    Endpoint(
        name=UNDO_FOUND,
        context=TokenContainer,
        method="POST",
        permission=FIND,
        summary="Take a use of a token that was found back, as `undo_use` does.",
        parameters=(found.FOUND, RECEIPT),
        answer=schemas.UNDONE,
    ),
)
def undo_found(_context: TokenContainer, request: Request, fields: Given) -> Json:
    """Take a use of a token that was found back; a repeat changes nothing."""
    number, receipt = found.parse_found(fields), parse_receipt(fields)
    return undone_json(undo_found_use(request, number, receipt))
