"""The question whether to end inside and outside of all tokens, and what the answer yes does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from cone.tile import Tile
from cone.tile import tile
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from cone.tokens.browser.chart import grouped
from cone.tokens.browser.statistics import RESET
from cone.tokens.browser.statistics import RESET_INSIDE
from cone.tokens.browser.statistics import STATISTICS
from cone.tokens.core.places import Places
from cone.tokens.host import wiring
from cone.tokens.tickets import consumption
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.web.page import Localized
from cone.tokens.web.page import render_page
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response


@tile(
    name=RESET_INSIDE,
    path="templates/reset_inside.pt",
    interface=TokenContainer,
    permission=EDIT,
)
class ResetQuestion(Localized, Tile):
    """Asks whether to end inside and outside of all tokens. It changes nothing, the view does."""

    inside: str

    def prepare(self) -> None:
        """Count who is inside."""
        self.inside = grouped(wiring.get(TicketService).count_inside())

    @property
    def action_url(self) -> str:
        """Where the answer goes."""
        return url(self.request, self.model, RESET_INSIDE)

    @property
    def back_url(self) -> str:
        """Where somebody goes who does not want that."""
        may_list = self.request.has_permission(LIST, self.model)
        return url(self.request, self.model, STATISTICS if may_list else None)


@view_config(name=RESET_INSIDE, context=TokenContainer, permission=EDIT)
def reset_page(model: Any, request: Request) -> Response:
    """Ask whether to end inside and outside of all tokens; a POST is the answer yes."""
    if request.method != "POST":
        return render_page(model, request, RESET_INSIDE)
    with wiring.get(Places).work():
        consumption.reset_inside(request)
    return HTTPSeeOther(url(request, model, STATISTICS, f"?{RESET}=1"))
