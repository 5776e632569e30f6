"""The export: a CSV file of the tokens that the list means, sent while it is read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import urlencode

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response

from cone.tokens import spreadsheet
from cone.tokens import wiring
from cone.tokens.browser.page import url
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.selection import check_names
from cone.tokens.browser.tokens import OVERVIEW
from cone.tokens.browser.tokens import PROBLEM
from cone.tokens.browser.tokens import ListState
from cone.tokens.core.types import Selection
from cone.tokens.core.types import Sort
from cone.tokens.model import TokenContainer
from cone.tokens.security import refuse_other_sites

if TYPE_CHECKING:
    from pyramid.request import Request

EXPORT: Final = "export"


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
    return _file(chosen.which, chosen.state.query.sort)


def _of_address(model: TokenContainer, request: Request) -> Response:
    # A link of another site is no wish of the reader, and a file may be large.
    refuse_other_sites(request)
    check_names(request.GET)
    state = ListState.read(request.GET.items())
    if state.mistakes:
        # What is left out would mean more tokens. The list tells what is wrong.
        query = f"?{urlencode(list(request.GET.items()))}"
        return HTTPSeeOther(url(request, model, OVERVIEW, query))
    return _file(state.query.matching, state.query.sort)


def _file(which: Selection, sort: Sort) -> Response:
    tokens = wiring.token_service().every(which, sort)
    pieces = spreadsheet.write(tokens, wiring.plugin().config.zone)
    # Read before the answer begins: a database that is away gets a page of its own. Once it has
    # begun, an error breaks the connection, and browsers take the file for what it is then.
    first = [next(pieces), next(pieces, b"")]
    return Response(
        app_iter=itertools.chain(first, pieces),
        content_type="text/csv",
        charset="UTF-8",
        content_disposition='attachment; filename="tokens.csv"',
        cache_control="no-store",
    )
