"""The container: looking a token up, and the list of tokens."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Final

from cone.app.browser.actions import get_action_context
from cone.tile import Tile
from cone.tile import tile

from cone.tokens import wiring
from cone.tokens.browser.moments import Moment
from cone.tokens.browser.moments import Moments
from cone.tokens.browser.page import Localized
from cone.tokens.browser.page import Note
from cone.tokens.browser.page import url
from cone.tokens.browser.texts import mistake_text
from cone.tokens.browser.token import StatusBadge
from cone.tokens.browser.token import badge
from cone.tokens.browser.token import notes_of
from cone.tokens.browser.token import shortened
from cone.tokens.browser.token import status_of
from cone.tokens.browser.token import uses_text
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import VALUE_SOUGHT
from cone.tokens.core.params import collect
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import parse_value_sought
from cone.tokens.core.types import Token
from cone.tokens.core.types import TokenPage
from cone.tokens.i18n import _
from cone.tokens.model import TokenContainer
from cone.tokens.security import ADD
from cone.tokens.security import LIST
from cone.tokens.security import VIEW

PAGE_SIZE: Final = 50

OLDER: Final = "older"
NEWER: Final = "newer"

_NOTES: Final = {"deleted": _("note_deleted", default="The token was deleted.")}
_WRONG_PAGE: Final = _(
    "note_wrong_page",
    default="There is no such page of the list. This is the first one.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A token in the list."""

    url: str
    value: str
    short_value: str
    badge: StatusBadge
    uses: object
    valid_from: Moment | None
    valid_to: Moment | None
    last_used: Moment | None
    created: Moment | None


class _ContainerTile(Localized, Tile):
    """Base of the tiles of the container."""

    @property
    def may_list(self) -> bool:
        """Whether the reader may see which tokens there are."""
        return bool(self.request.has_permission(LIST, self.model))

    @property
    def add_url(self) -> str | None:
        """Address of the form, for those who may add a token."""
        may_add = self.request.has_permission(ADD, self.model)
        return url(self.request, self.model, "add") if may_add else None


@tile(
    name="content",
    path="templates/container.pt",
    interface=TokenContainer,
    permission=VIEW,
)
class ContainerContent(_ContainerTile):
    """A field to look a token up by its value, and the list for those who may see it."""

    sought: str
    mistake: str | None

    def prepare(self) -> None:
        """Look the token up that is asked for, and go to its page."""
        self.sought = self.request.GET.get(VALUE_SOUGHT.name, "")
        self.mistake = None
        if not self.sought:
            return
        token = self._find()
        if token is not None:
            self.redirect(url(self.request, self.model[str(token.uid)]))
        elif self.mistake is None:
            self.mistake = _("note_no_token_with_value", default="No token with this value.")

    @property
    def action_url(self) -> str:
        """Where the value goes."""
        return url(self.request, self.model)

    @property
    def notes(self) -> list[Note]:
        """What was done on the page before; the list tells it where there is one."""
        return [] if self.may_list else notes_of(self.request, _NOTES)

    def _find(self) -> Token | None:
        try:
            value = parse_value_sought(collect(self.request.GET.items(), [VALUE_SOUGHT]))
        except InvalidParameter as error:
            self.mistake = mistake_text(error)
            return None
        return wiring.token_service().find_by_value(value)


@tile(
    name="tokens_overview",
    path="templates/overview.pt",
    interface=TokenContainer,
    permission=LIST,
)
class Overview(_ContainerTile):
    """A page of the list of tokens, newest first. Its address names a token beside it."""

    notes: list[Note]
    page: TokenPage
    moments: Moments

    def prepare(self) -> None:
        """Read the page that the address asks for."""
        self.notes = notes_of(self.request, _NOTES)
        self.moments = Moments.of_request(self.request)
        older, newer = self._edge(OLDER), self._edge(NEWER)
        service = wiring.token_service()
        self.page = service.page(PAGE_SIZE, older_than=older, newer_than=newer)
        if self._is_first_instead(older, newer):
            self.notes.append(Note("warning", _WRONG_PAGE))
        elif newer and not self.page.has_newer:
            # Fewer than a page are newer: the first page shows them all.
            self.page = service.page(PAGE_SIZE)

    @property
    def is_page(self) -> bool:
        """Whether the list is all there is on the page."""
        return get_action_context(self.request).scope == "tokens_overview"

    @property
    def rows(self) -> list[Row]:
        """The tokens of the page."""
        return [self._row(token) for token in self.page.tokens]

    @property
    def newer_url(self) -> str | None:
        """Address of the page before."""
        return self._page_url(NEWER, self.page.tokens[0]) if self.page.has_newer else None

    @property
    def older_url(self) -> str | None:
        """Address of the page behind."""
        return self._page_url(OLDER, self.page.tokens[-1]) if self.page.has_older else None

    def _edge(self, name: str) -> uuid.UUID | None:
        text = self.request.GET.get(name)
        if text is None:
            return None
        uid = find_uid(text)
        if uid is None:
            self.notes.append(Note("warning", _WRONG_PAGE))
        return uid

    def _is_first_instead(self, older: uuid.UUID | None, newer: uuid.UUID | None) -> bool:
        """Return whether the token that the address names is gone: beside one there are others."""
        if older:
            return not self.page.has_newer
        return newer is not None and not self.page.has_older

    def _page_url(self, name: str, token: Token) -> str:
        return url(self.request, self.model, "tokens_overview", f"?{name}={token.uid}")

    def _row(self, token: Token) -> Row:
        show = self.moments.show
        return Row(
            url=url(self.request, self.model[str(token.uid)]),
            value=token.value,
            short_value=shortened(token.value),
            badge=badge(status_of(token)),
            uses=uses_text(token),
            valid_from=show(token.valid_from),
            valid_to=show(token.valid_to),
            last_used=show(token.last_used),
            created=show(token.created),
        )
