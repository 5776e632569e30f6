"""Files of what the list means: the tokens, or the log of their uses and refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import urlencode

from pyramid.httpexceptions import HTTPSeeOther

from cone.tokens.browser.list_notes import PROBLEM
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.list_state import ListState
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.selection import check_names
from cone.tokens.browser.selection import unknown
from cone.tokens.core.places import Places
from cone.tokens.core.values import Selection
from cone.tokens.core.values import Sort
from cone.tokens.core.values import size_of
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.security import refuse_other_sites
from cone.tokens.tickets import log_file
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.table_file import CONTENT_TYPES
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Format
from cone.tokens.web.downloads import file_response
from cone.tokens.web.page import language
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

EXPORT: Final = "export"
SCAN_LOG: Final = "scan_log"

#: Names the parameter with the format.
FORMAT: Final = "format"

#: What spreadsheets of a language expect between cells, where the comma stands in numbers.
_SEPARATORS: Final = {"de": ";"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Exported:
    """What is exported.

    :ivar name: of the file, without its end.
    :ivar size: how many tokens it is about; None: nobody knows how long it takes.
    """

    name: str
    pieces: Callable[[Selection, Sort, FileForm], Iterator[bytes]]
    size: Callable[[Selection], int | None]


def _tokens(which: Selection, sort: Sort, form: FileForm) -> Iterator[bytes]:
    return spreadsheet.write(wiring.get(TicketService).every(which, sort), form)


def _log(which: Selection, _sort: Sort, form: FileForm) -> Iterator[bytes]:
    return log_file.write(wiring.get(TicketService).log(which), form)


_EXPORTED: Final = {
    EXPORT: _Exported("tokens", _tokens, size_of),
    # One token may have been used any number of times.
    SCAN_LOG: _Exported("scan-log", _log, lambda _which: None),
}


def export_response(model: TokenContainer, request: Request) -> Response:
    """Return the file of what a form of the list means, or else what its address does.

    :raises InvalidParameter: no form of ours sends that, or it is too large for a workbook.
    """
    return _of_form(model, request) if request.method == "POST" else _of_address(model, request)


def _of_form(model: TokenContainer, request: Request) -> Response:
    chosen = ListSelection.read(request.POST.items())
    form = _form(request, request.POST.getall(FORMAT))
    if not chosen.means_all and not chosen.uids:
        query = chosen.state.address_with(**{PROBLEM: "none"})
        return HTTPSeeOther(url(request, model, OVERVIEW, query))
    return _file(request, chosen.which, chosen.state.query.sort, form)


def _of_address(model: TokenContainer, request: Request) -> Response:
    # A link of another site is no wish of the reader, and a file may be large.
    refuse_other_sites(request)
    asked = [pair for pair in request.GET.items() if pair[0] != FORMAT]
    check_names(name for name, _text in asked)
    form = _form(request, request.GET.getall(FORMAT))
    state = ListState.read(asked)
    if state.mistakes:
        # What is left out would mean more tokens. The list tells what is wrong.
        return HTTPSeeOther(url(request, model, OVERVIEW, f"?{urlencode(asked)}"))
    return _file(request, state.query.matching, state.query.sort, form)


def _form(request: Request, formats: list[str]) -> FileForm:
    try:
        [chosen] = map(Format, formats or [Format.CSV.value])
    except ValueError:
        raise unknown(FORMAT) from None
    separator = _SEPARATORS.get(language(request), ",")
    return FileForm(wiring.get(TokensConfig).zone, chosen, separator)


def _file(request: Request, which: Selection, sort: Sort, form: FileForm) -> Response:
    exported = _EXPORTED[request.view_name]
    name = f"{exported.name}.{form.format.value}"
    with wiring.get(Places).work(exported.size(which)):
        pieces = exported.pieces(which, sort, form)
        return file_response(request, pieces, CONTENT_TYPES[form.format], name)
