"""The question whether to take a use back, and what the answer yes does."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tile import tile
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from cone.tokens.browser.history import TAKE_BACK
from cone.tokens.browser.history import Row
from cone.tokens.browser.history import row_of
from cone.tokens.browser.token import NOT_UNDONE
from cone.tokens.browser.token import TokenTile
from cone.tokens.browser.token import token_of
from cone.tokens.core.errors import NotUndone
from cone.tokens.core.params import collect
from cone.tokens.host import wiring
from cone.tokens.host.request_data import FORMS
from cone.tokens.host.request_data import pairs
from cone.tokens.tickets import consumption
from cone.tokens.tickets.door_params import RECEIPT
from cone.tokens.tickets.door_params import no_use_of_token
from cone.tokens.tickets.door_params import parse_receipt
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.service import TicketService
from cone.tokens.web.page import render_page
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

_DONE: Final = "?undone=1"


@tile(
    name=TAKE_BACK,
    path="templates/take_back.pt",
    interface=TokenNode,
    permission=CONSUME,
)
class TakeBackQuestion(TokenTile):
    """Asks whether to take a use back. It changes nothing, the view does."""

    receipt: uuid.UUID
    row: Row

    def prepare(self) -> None:
        """Read the token and the use."""
        super().prepare()
        self.receipt = parse_receipt(collect(list(self.request.GET.items()), [RECEIPT]))
        usage = wiring.get(TicketService).find_usage(self.token.uid, self.receipt)
        if usage is None or usage.denial:
            raise no_use_of_token()
        self.row = row_of(usage, self.moments)

    @property
    def action_url(self) -> str:
        """Where the answer goes."""
        return url(self.request, self.model, TAKE_BACK)


@view_config(name=TAKE_BACK, context=TokenNode, permission=CONSUME)
def take_back_page(model: Any, request: Request) -> Response:
    """Ask whether to take a use back; a POST is the answer yes."""
    if request.method != "POST":
        return render_page(model, request, TAKE_BACK)
    receipt = parse_receipt(collect(pairs(request, FORMS), [RECEIPT]))
    try:
        consumption.undo(request, token_of(model).uid, receipt)
    except NotUndone:
        return HTTPSeeOther(url(request, model, query=f"?{NOT_UNDONE}=1"))
    return HTTPSeeOther(url(request, model, query=_DONE))
