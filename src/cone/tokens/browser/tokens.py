"""The list of tokens."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Final

from cone.tile import Tile
from cone.tile import tile

from cone.tokens.browser.bulk import ACTIONS
from cone.tokens.browser.list_files import Link
from cone.tokens.browser.list_files import ListFiles
from cone.tokens.browser.list_files import files_of
from cone.tokens.browser.list_notes import DELETED_NOTES
from cone.tokens.browser.list_notes import address_notes
from cone.tokens.browser.list_notes import bulk_notes
from cone.tokens.browser.list_notes import search_notes
from cone.tokens.browser.list_state import CATEGORY
from cone.tokens.browser.list_state import MATCH
from cone.tokens.browser.list_state import MATCHES
from cone.tokens.browser.list_state import ORDERS
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.list_state import SEARCH
from cone.tokens.browser.list_state import SIZE
from cone.tokens.browser.list_state import SIZES
from cone.tokens.browser.list_state import SORT
from cone.tokens.browser.list_state import STATUS
from cone.tokens.browser.list_state import TIMES
from cone.tokens.browser.list_state import ListState
from cone.tokens.browser.texts import STATUS_WORDS
from cone.tokens.browser.texts import uses_of
from cone.tokens.browser.token import StatusBadge
from cone.tokens.browser.token import badge
from cone.tokens.browser.token import notes_of
from cone.tokens.browser.token import shortened
from cone.tokens.browser.token import status_of
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Sort
from cone.tokens.core.values import SortKey
from cone.tokens.core.values import TokenPage
from cone.tokens.core.values import TokenQuery
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets import labels
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url

_MORE_THAN: Final = _("more_than", default="more than ${count}")
_COUNT_OF_ALL: Final = _("count_all", default="Tokens: ${count}.")
_COUNT_OF_MATCHING: Final = _("count_matching", default="Tokens that match: ${count}.")
_COUNT_OF_NEW: Final = _("count_new", default="${count} new tokens.")
_COUNT_OF_ONE_NEW: Final = _("count_one_new", default="${count} new token.")

_TIME_LABELS: Final = {
    "created_from": _("filter_created_from", default="Created from"),
    "created_to": _("filter_created_to", default="Created to"),
    "valid_at": _("filter_valid_at", default="Valid at"),
}

#: The forms that make tokens.
NEW_VIEWS: Final = {
    "add": _("add_token", default="Add a token"),
    "add_many": _("add_many", default="Add many"),
    "import": _("import", default="Import"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """An option of a field; ``selected`` is the attribute of HTML."""

    value: str
    label: object
    selected: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """What a button does with the selected tokens."""

    name: str
    label: object


@dataclasses.dataclass(frozen=True, slots=True)
class FilterField:
    """A field of the form above the list: one to choose from, or one for a text or a time.

    :ivar choices: empty where there is nothing to choose from.
    :ivar kind: the type of the input then.
    """

    name: str
    label: object
    text: str
    mistake: object | None
    choices: tuple[Choice, ...] = ()
    kind: str = "datetime-local"

    @property
    def mistake_id(self) -> str | None:
        """Id of the message about a mistake, or None."""
        return f"tokens-{self.name}-mistake" if self.mistake else None


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: its order is a link where it has one.

    :ivar order: how a screen reader tells the order of the column.
    """

    label: object
    css: str | None = None
    url: str | None = None
    order: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A token in the list."""

    uid: str
    url: str
    short_value: str
    short_label: str | None
    badge: StatusBadge
    uses: object
    valid_from: Moment | None
    valid_to: Moment | None
    last_used: Moment | None
    created: Moment | None


@tile(
    name=OVERVIEW,
    path="templates/overview.pt",
    interface=TokenContainer,
    permission=LIST,
)
class Overview(Localized, Tile):
    """A page of the list of tokens. Its address has the whole state of it.

    It has more than 15 public members: each is a value that the template shows.
    """

    notes: list[Note]
    state: ListState
    page: TokenPage[Ticket]
    count: int | None
    moments: Moments

    def prepare(self) -> None:
        """Read the page that the address asks for."""
        self.moments = Moments.of_request(self.request)
        self.state = ListState.read(self.request.GET.items())
        query = self.state.query
        self._read(query)
        self.notes = [
            *notes_of(self.request, DELETED_NOTES),
            *bulk_notes(self.request),
            *search_notes(query),
            *address_notes(self.state, is_gone=self._is_gone),
        ]
        if query.before and not (self._is_gone or self.page.has_previous):
            # Fewer than a page are in front: the first page shows them all.
            self._read(dataclasses.replace(query, before=None))

    @property
    def is_filtered(self) -> bool:
        """Whether there may be tokens that are not in the list."""
        return not self.state.query.matching.is_empty

    @property
    def has_more_fields(self) -> bool:
        """Whether the fields beside the search have to be seen."""
        texts = () if self.state.is_of_new else self.state.texts
        return any(name in (*texts, *self.state.mistakes) for name in (STATUS, CATEGORY, *TIMES))

    @property
    def list_url(self) -> str:
        """Address of the list of all tokens."""
        return url(self.request, self.model, OVERVIEW)

    @property
    def new_links(self) -> list[Link]:
        """The ways to make tokens that the user has."""
        may_add = self.request.has_permission(ADD, self.model)
        views = NEW_VIEWS if may_add else {}
        return [Link(url(self.request, self.model, view), word) for view, word in views.items()]

    @property
    def bulk_url(self) -> str:
        """Where the form around the list goes."""
        return url(self.request, self.model, "bulk")

    @property
    def labels_url(self) -> str | None:
        """Where the form around the list goes for labels, where they can be made."""
        return url(self.request, self.model, "labels") if labels.is_available() else None

    @property
    def files(self) -> ListFiles:
        """The files that can be had."""
        return files_of(self.model, self.request, self.state, may_take_all=self.may_take_all)

    @property
    def search(self) -> FilterField:
        """The text that is searched for."""
        entered = self.request.GET.get(SEARCH, "")
        return FilterField(SEARCH, None, entered, self.state.mistakes.get(SEARCH))

    @property
    def match(self) -> FilterField:
        """How it is searched for."""
        label = _("match", default="Search in")
        return self._choice_field(MATCH, label, MATCHES)

    @property
    def fields(self) -> list[FilterField]:
        """The other filters."""
        words = {status.value: word for status, word in STATUS_WORDS.items()}
        any_status = {"": _("any_status", default="any")}
        return [
            self._choice_field(STATUS, _("status", default="Status"), any_status | words),
            FilterField(
                CATEGORY,
                _("category", default="Category"),
                self.request.GET.get(CATEGORY, ""),
                self.state.mistakes.get(CATEGORY),
                kind="text",
            ),
            *(self._time_field(name) for name in TIMES),
        ]

    @property
    def view_fields(self) -> list[FilterField]:
        """How the list is shown."""
        sizes = dict.fromkeys(SIZES)
        return [
            self._choice_field(SORT, _("order", default="Order"), ORDERS),
            self._choice_field(SIZE, _("page_size", default="Tokens on a page"), sizes),
        ]

    @property
    def heads(self) -> list[Head]:
        """The heads of the columns."""
        return [
            self._head(_("value", default="Value"), "value"),
            Head(_("status", default="Status")),
            Head(_("uses_left", default="Uses left"), "tokens-number"),
            Head(_("valid", default="Valid")),
            Head(_("last_used", default="Last used")),
            self._head(_("created", default="Created"), "created", is_falling=True),
        ]

    @property
    def rows(self) -> list[Row]:
        """The tokens of the page."""
        return [self._row(token) for token in self.page.tokens]

    @property
    def actions(self) -> list[Action]:
        """What the user may do with many tokens."""
        return [
            Action(name, label)
            for name, (permission, label) in ACTIONS.items()
            if self.request.has_permission(permission, self.model)
        ]

    @property
    def may_take_all(self) -> bool:
        """Whether all tokens that match can be changed at once."""
        return self.count is not None and self.count <= MAX_BATCH

    @property
    def count_line(self) -> object:
        """What the list is about, and how many they are."""
        text = _COUNT_OF_ALL
        if self.state.is_of_new:
            text = _COUNT_OF_ONE_NEW if self.count == 1 else _COUNT_OF_NEW
        elif self.is_filtered:
            text = _COUNT_OF_MATCHING
        return text % {"count": self.count_text}

    @property
    def count_text(self) -> int | str:
        """How many tokens are in the list."""
        if self.count is not None:
            return self.count
        return str(self.request.localizer.translate(_MORE_THAN % {"count": MAX_BATCH}))

    @property
    def is_by_time(self) -> bool:
        """Whether the newest tokens come first: pages are called so then."""
        return self.state.query.sort == Sort()

    @property
    def previous_url(self) -> str | None:
        """Address of the page before."""
        tokens = self.page.tokens
        return self._page_url(before=tokens[0].uid) if self.page.has_previous and tokens else None

    @property
    def next_url(self) -> str | None:
        """Address of the page behind."""
        tokens = self.page.tokens
        return self._page_url(after=tokens[-1].uid) if self.page.has_next and tokens else None

    def _read(self, query: TokenQuery) -> None:
        self.page, self.count = wiring.get(TicketService).counted_page(query)

    @property
    def _is_gone(self) -> bool:
        """Whether the token beside which the page begins does not exist any more."""
        # Beside a token there are others: it itself. One that is gone says nothing.
        query, page = self.state.query, self.page
        return not (page.has_previous if query.after else page.has_next or not query.before)

    def _choice_field(
        self,
        name: str,
        label: object,
        choices: Mapping[str, object | None],
    ) -> FilterField:
        chosen = self.state.chosen(name)
        return FilterField(
            name,
            label,
            chosen,
            self.state.mistakes.get(name),
            tuple(
                Choice(value, word or value, "selected" if value == chosen else None)
                for value, word in choices.items()
            ),
        )

    def _time_field(self, name: str) -> FilterField:
        time = getattr(self.state.query.matching, name)
        text = self.moments.exact_input_text(time) if time else self.request.GET.get(name, "")
        return FilterField(name, _TIME_LABELS[name], text, self.state.mistakes.get(name))

    def _head(self, label: object, by: SortKey, *, is_falling: bool = False) -> Head:
        sort = self.state.query.sort
        is_sorted = sort.by == by
        goes_down = not sort.is_descending if is_sorted else is_falling
        order = "descending" if sort.is_descending else "ascending"
        query = self.state.address_with(sort=f"-{by}" if goes_down else by)
        address = url(self.request, self.model, OVERVIEW, query)
        return Head(label, url=address, order=order if is_sorted else None)

    def _page_url(self, **beside: uuid.UUID) -> str:
        query = self.state.address_with(**beside)
        return url(self.request, self.model, OVERVIEW, query)

    def _row(self, token: Ticket) -> Row:
        show = self.moments.show
        return Row(
            uid=str(token.uid),
            url=url(self.request, self.model[str(token.uid)]),
            short_value=shortened(token.value),
            short_label=token.label and shortened(token.label),
            badge=badge(status_of(token)),
            uses=uses_of(token),
            valid_from=show(token.valid_from),
            valid_to=show(token.valid_to),
            last_used=show(token.last_used),
            created=show(token.created),
        )
