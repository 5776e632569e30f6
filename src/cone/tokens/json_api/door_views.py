"""The views of the JSON API that a door needs besides (decision 0030)."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

from cone.tokens.host import wiring
from cone.tokens.host.rendering import Json
from cone.tokens.json_api import schemas
from cone.tokens.json_api.views import Given
from cone.tokens.json_api.views import uid_of
from cone.tokens.tickets import consumption
from cone.tokens.tickets.door_params import RECEIPT
from cone.tokens.tickets.door_params import parse_receipt
from cone.tokens.tickets.kept_figures import KeptFigures
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.rendering import undone_json
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.values import DOOR_FIGURES
from cone.tokens.web.endpoint import Endpoint
from cone.tokens.web.endpoint import json_view

if TYPE_CHECKING:
    from pyramid.request import Request


@json_view(
    Endpoint(
        name="undo_use",
        context=TokenNode,
        method="POST",
        permission=CONSUME,
        summary="Take a use of a token back: an own one within 15 minutes, each with `edit`.",
        parameters=(RECEIPT,),
        answer=schemas.UNDONE,
        read=parse_receipt,
    ),
)
def undo_use(context: TokenNode, request: Request, receipt: uuid.UUID) -> Json:
    """Take a use back; a repeat changes nothing."""
    return undone_json(consumption.undo(request, uid_of(context), receipt))


@json_view(
    Endpoint(
        name=DOOR_FIGURES,
        context=TokenContainer,
        method="GET",
        permission=CONSUME,
        summary="Return how many tokens are inside, how many came and how many there are, as "
        "they were a few seconds ago; null where there are too many to count.",
        answer={
            "inside": schemas.COUNT,
            "came": schemas.COUNT_OR_NULL,
            "total": schemas.COUNT_OR_NULL,
        },
        is_query=True,
    ),
)
def door_figures(_context: TokenContainer, _request: Request, _fields: Given) -> Json:
    """Return figures of all devices."""
    return {"success": True, **dataclasses.asdict(wiring.get(KeptFigures).get())}
