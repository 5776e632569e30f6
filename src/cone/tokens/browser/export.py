"""The export: a CSV file of the tokens that the list means."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import urlencode

from pyramid.httpexceptions import HTTPSeeOther

from cone.tokens.browser.list_notes import PROBLEM
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.list_state import ListState
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.selection import check_names
from cone.tokens.core.places import Places
from cone.tokens.core.values import Selection
from cone.tokens.core.values import Sort
from cone.tokens.core.values import size_of
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.security import refuse_other_sites
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.service import TicketService
from cone.tokens.web.downloads import file_response
from cone.tokens.web.page import language
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

EXPORT: Final = "export"

#: What spreadsheets of a language expect between cells, where the comma stands in numbers.
_SEPARATORS: Final = {"de": ";"}


def export_response(model: TokenContainer, request: Request) -> Response:
    """Return the file of what a form of the list means, or else what its address does.

    :raises InvalidParameter: no form of ours sends that.
    """
    return _of_form(model, request) if request.method == "POST" else _of_address(model, request)


def _of_form(model: TokenContainer, request: Request) -> Response:
    chosen = ListSelection.read(request.POST.items())
    if not chosen.means_all and not chosen.uids:
        query = chosen.state.address_with(**{PROBLEM: "none"})
        return HTTPSeeOther(url(request, model, OVERVIEW, query))
    return _file(request, chosen.which, chosen.state.query.sort)


def _of_address(model: TokenContainer, request: Request) -> Response:
    # A link of another site is no wish of the reader, and a file may be large.
    refuse_other_sites(request)
    check_names(request.GET)
    state = ListState.read(request.GET.items())
    if state.mistakes:
        # What is left out would mean more tokens. The list tells what is wrong.
        query = f"?{urlencode(list(request.GET.items()))}"
        return HTTPSeeOther(url(request, model, OVERVIEW, query))
    return _file(request, state.query.matching, state.query.sort)


def _file(request: Request, which: Selection, sort: Sort) -> Response:
    tokens = wiring.get(TicketService).every(which, sort)
    separator = _SEPARATORS.get(language(request), ",")
    pieces = spreadsheet.write(tokens, wiring.get(TokensConfig).zone, separator)
    with wiring.get(Places).work(size_of(which)):
        return file_response(request, pieces, "text/csv; charset=UTF-8", "tokens.csv")
