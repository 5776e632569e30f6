"""The notes of the list, among them those that other pages leave in its address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.browser.list_state import ListState
from cone.tokens.browser.texts import UNUSABLE_MANY
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import TokenQuery
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.service import TicketService
from cone.tokens.web.page import Note
from cone.tokens.web.page import find_number

if TYPE_CHECKING:
    from pyramid.request import Request

#: What was done with many tokens, and with how many.
DONE: Final = "done"
COUNT: Final = "count"
#: Why the tokens that were added cannot be used, by status; may stand there several times.
UNUSABLE: Final = "unusable"
#: Why nothing was done.
PROBLEM: Final = "problem"

DELETED_NOTES: Final = {"deleted": _("note_deleted", default="The token was deleted.")}
_DONE_NOTES: Final = {
    "add": _("note_bulk_add", default="Tokens added: ${count}."),
    "delete": _("note_bulk_delete", default="Tokens deleted: ${count}."),
    "enable": _("note_bulk_enable", default="Tokens enabled: ${count}."),
    "disable": _("note_bulk_disable", default="Tokens disabled: ${count}."),
    "validity": _("note_bulk_validity", default="Tokens with a new validity: ${count}."),
    "uses": _("note_bulk_uses", default="Tokens with new uses left: ${count}."),
}
_PROBLEM_NOTES: Final = {
    "none": _("note_bulk_none", default="No token is selected. Nothing was changed."),
    "many": _(
        "note_bulk_many",
        default="At most ${maximum} tokens can be changed at once. Narrow the filter. "
        "Nothing was changed.",
    ),
}
_BEGINNINGS: Final = _(
    "note_beginnings",
    default="This database finds the beginnings of codes and labels alone. The documentation says "
    "how it finds their parts.",
)
_WRONG_PAGE: Final = _(
    "note_wrong_page",
    default="There is no such page of the list. This is the first one.",
)
_WRONG_FILTER: Final = _(
    "note_wrong_filter",
    default="Something that the list was asked for is not possible and was left out. "
    "This is the first page.",
)


def bulk_notes(request: Request) -> Iterator[Note]:
    """Return the notes that the page of changes left in the address."""
    done, count = request.GET.get(DONE), find_number(request.GET.get(COUNT, ""))
    if done in _DONE_NOTES and count is not None and count <= MAX_BATCH:
        yield Note("success", _DONE_NOTES[done] % {"count": count})
        told = request.GET.getall(UNUSABLE) if done == "add" else ()
        for status, text in UNUSABLE_MANY.items():
            if status.value in told:
                yield Note("warning", text % {"count": count})
    problem = request.GET.get(PROBLEM)
    if problem in _PROBLEM_NOTES:
        yield Note("warning", _PROBLEM_NOTES[problem] % {"maximum": MAX_BATCH})


def search_notes(query: TokenQuery) -> Iterator[Note]:
    """Yield a note if a search finds only the beginnings of texts."""
    if query.matching.search and not wiring.get(TicketService).finds_parts():
        yield Note("info", _BEGINNINGS)


def address_notes(state: ListState, *, is_gone: bool) -> Iterator[Note]:
    """Yield at most one note about a mistake in the address of the list.

    :param is_gone: whether the token beside which the page begins does not exist any more.
    """
    if state.mistakes:
        yield Note("warning", _WRONG_FILTER)
    elif is_gone or state.is_wrong_page:
        yield Note("warning", _WRONG_PAGE)
