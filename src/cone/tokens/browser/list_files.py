"""The files that the list offers: its tokens, and the log of their uses and refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.browser.export import EXPORT
from cone.tokens.browser.export import FORMAT
from cone.tokens.browser.export import SCAN_LOG
from cone.tokens.browser.list_state import ListState
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.table_file import Format
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request

_FORMATS: Final = {
    Format.CSV.value: _("format_csv", default="CSV"),
    Format.WORKBOOK.value: _("format_workbook", default="Excel"),
}
_BUTTONS: Final = {
    EXPORT: _("export", default="Export"),
    SCAN_LOG: _("scan_log", default="Scan log"),
}
_LINKS: Final = {
    (EXPORT, Format.CSV): _("export_all", default="Export all that match"),
    (EXPORT, Format.WORKBOOK): _("export_all_workbook", default="Export all that match for Excel"),
    (SCAN_LOG, Format.CSV): _("scan_log_all", default="Scan log of all that match"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A link to another page."""

    url: str
    label: object


@dataclasses.dataclass(frozen=True, slots=True)
class ListFiles:
    """What the list offers.

    :ivar formats: what a file may be, with the words for it.
    :ivar buttons: where the form around the list goes.
    :ivar links: to the files of all that match, where they are too many for the form.
    """

    formats: Mapping[str, object]
    buttons: list[Link]
    links: list[Link]


def files_of(
    model: TokenContainer, request: Request, state: ListState, *, may_take_all: bool
) -> ListFiles:
    """Return the files that the list of ``state`` offers.

    :param may_take_all: all that match can be meant by the form.
    """
    buttons = [Link(url(request, model, view), word) for view, word in _BUTTONS.items()]
    links = [
        Link(url(request, model, view, state.address_with(**{FORMAT: form.value})), word)
        for (view, form), word in _LINKS.items()
    ]
    return ListFiles(_FORMATS, buttons, [] if may_take_all else links)
