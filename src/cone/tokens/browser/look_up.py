"""The page of the container: where to look a token up, or the list for those who may see it."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from cone.tile import Tile
from cone.tile import tile

from cone.tokens.browser.list_notes import DELETED_NOTES
from cone.tokens.browser.list_state import EXACT
from cone.tokens.browser.list_state import MATCH
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.list_state import PART
from cone.tokens.browser.list_state import SEARCH
from cone.tokens.browser.token import FORMER
from cone.tokens.browser.token import READ
from cone.tokens.browser.token import notes_of
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import Replaced
from cone.tokens.core.params import collect
from cone.tokens.core.search import LEAST
from cone.tokens.host import wiring
from cone.tokens.host.security import VIEW
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.params import MAX_SEARCH
from cone.tokens.tickets.params import VALUE_SOUGHT
from cone.tokens.tickets.params import parse_value_sought
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url
from cone.tokens.web.texts import mistake_text


@tile(
    name="content",
    path="templates/container.pt",
    interface=TokenContainer,
    permission=VIEW,
)
class ContainerContent(Localized, Tile):
    """The list for those who may see it, to others a field to look a token up by its value."""

    sought: str
    mistake: str | None

    def prepare(self) -> None:
        """Look the token up that is asked for, and go to its page."""
        self.sought = self.request.GET.get(VALUE_SOUGHT.name, "")
        self.mistake = None
        if not self.sought:
            return
        try:
            token = self._find()
        except Replaced as error:
            self._show_replaced(error.uid)
            return
        if token is not None:
            query = "" if token.value == self.sought else f"?{READ}=1"
            self.redirect(url(self.request, self.model[str(token.uid)], query=query))
        elif self.may_list:
            # The list has the field to go on with.
            is_part = LEAST <= len(self.sought) <= MAX_SEARCH
            query = f"?{urlencode({SEARCH: self.sought, MATCH: PART if is_part else EXACT})}"
            self.redirect(url(self.request, self.model, OVERVIEW, query))
        elif self.mistake is None:
            self.mistake = _("note_no_token_with_value", default="No token with this value.")

    @property
    def may_list(self) -> bool:
        """Whether the reader may see which tokens there are."""
        return bool(self.request.has_permission(LIST, self.model))

    @property
    def add_url(self) -> str | None:
        """Address of the form, for those who may add a token."""
        may_add = self.request.has_permission(ADD, self.model)
        return url(self.request, self.model, "add") if may_add else None

    @property
    def action_url(self) -> str:
        """Where the value goes."""
        return url(self.request, self.model)

    @property
    def notes(self) -> list[Note]:
        """What was done on the page before."""
        return notes_of(self.request, DELETED_NOTES)

    def _show_replaced(self, uid: uuid.UUID) -> None:
        """Go to the token that had the value; who may not list tokens is told no more."""
        if self.may_list:
            self.redirect(url(self.request, self.model[str(uid)], query=f"?{FORMER}=1"))
        else:
            self.mistake = _(
                "note_value_replaced",
                default="This code was replaced by another one. It is refused.",
            )

    def _find(self) -> Ticket | None:
        try:
            value = parse_value_sought(collect(self.request.GET.items(), [VALUE_SOUGHT]))
        except InvalidParameter as error:
            self.mistake = mistake_text(error)
            return None
        site = url(self.request, self.model)
        return wiring.get(TicketService).find_by_value(value, site=site)
