"""The page that makes sheets of labels: a form with options, and the document."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tile import Tile
from cone.tile import tile
from pyramid.response import Response

from cone.tokens.browser.label_order import CAPTION
from cone.tokens.browser.label_order import CUT_MARKS
from cone.tokens.browser.label_order import OWN
from cone.tokens.browser.label_order import PAGES
from cone.tokens.browser.label_order import SHEET
from cone.tokens.browser.label_order import START
from cone.tokens.browser.label_order import Order
from cone.tokens.browser.label_order import WrongSelectionError
from cone.tokens.browser.label_order import order_of
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.selection import ALL
from cone.tokens.browser.selection import EXPECTED
from cone.tokens.browser.selection import STATE
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.token import shortened
from cone.tokens.browser.token import token_of
from cone.tokens.core.errors import CountChanged
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.places import Places
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.host import wiring
from cone.tokens.host.security import VIEW
from cone.tokens.i18n import _
from cone.tokens.tickets import label_sheets
from cone.tokens.tickets import label_text
from cone.tokens.tickets import labels
from cone.tokens.tickets.label_text import Texts
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.params import TOKEN_UIDS
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.downloads import file_response
from cone.tokens.web.form_page import BAD_REQUEST
from cone.tokens.web.form_page import CONFLICT
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request

LABELS: Final = "labels"

NOT_IMPLEMENTED: Final = 501

_FIELD_WORDS: Final = {
    "columns": _("labels_columns", default="Columns"),
    "rows": _("labels_rows", default="Rows"),
    "width": _("labels_width", default="Width of a label (mm)"),
    "height": _("labels_height", default="Height of a label (mm)"),
    "left": _("labels_left", default="Left margin (mm)"),
    "top": _("labels_top", default="Upper margin (mm)"),
    "gap_x": _("labels_gap_x", default="Gap between columns (mm)"),
    "gap_y": _("labels_gap_y", default="Gap between rows (mm)"),
}
_SHEET_WORDS: Final = _(
    "labels_sheet_words",
    default="${name}: ${width} by ${height} mm, ${columns} by ${rows} on a page",
)
_OWN_WORDS: Final = _("labels_own_sheet", default="Another sheet, with the sizes below")
_WRONG_SELECTION: Final = _(
    "labels_wrong_selection",
    default="The chosen tokens cannot be read. Choose them in the list again, ${maximum} at most.",
) % {"maximum": MAX_BATCH}
_TOO_MANY: Final = _(
    "labels_too_many",
    default="More than ${maximum} tokens are chosen, which is too many for one document. Narrow "
    "the filter of the list.",
) % {"maximum": MAX_BATCH}
_COUNT_CHANGED: Final = _(
    "labels_count_changed",
    default="Another number of tokens matches by now: ${count}. Nothing was printed. Look again.",
)
_GONE: Final = _(
    "labels_tokens_gone",
    default="Chosen tokens that are no longer there: ${count}. The others stay chosen.",
)
_LACKING: Final = _(
    "labels_lacking",
    default="The font of labels has Latin letters alone. Labels on which ${sign} stands for other "
    "signs: ${count}. Their QR codes are whole. The first of them:",
)
_TITLE: Final = _("labels", default="Labels")

#: Labels with signs that the font lacks that are named.
_NAMED: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class SheetChoice:
    """A sheet to choose."""

    name: str
    words: str
    is_chosen: bool


@dataclasses.dataclass(frozen=True, slots=True)
class SizeField:
    """A field about an own sheet."""

    name: str
    label: str
    text: str
    mistake: str | None


def sheet_words(sheet: label_sheets.Sheet, lang: str) -> str:
    """Return the name of a sheet, with its measures as the language writes them."""
    point = "," if lang == "de" else "."
    width, height = (f"{size:g}".replace(".", point) for size in (sheet.width, sheet.height))
    return _SHEET_WORDS % {
        "name": sheet.name,
        "width": width,
        "height": height,
        "columns": sheet.columns,
        "rows": sheet.rows,
    }


def labels_response(model: Any, request: Request) -> Response | None:
    """Return the document that ``request`` asks for; None where the form is to be shown."""
    order = order_of(request)
    if not (order.is_sent and order.options and labels.is_available()):
        return None
    # One label takes a moment, whatever is on it.
    size = 1 if isinstance(model, TokenNode) else None
    with wiring.get(Places).work(size):
        try:
            tokens = _tokens(model, order)
        except (WrongSelectionError, CountChanged, InvalidParameter):
            return None
        return pdf_response(tokens, order.options, request) if tokens else None


def pdf_response(
    tokens: Iterable[Ticket],
    options: labels.Options,
    request: Request,
) -> Response:
    """Return the document with a label for each of ``tokens``.

    :raises Busy: documents and exports that nobody has fetched yet take too much room.
    """
    title = request.localizer.translate(_TITLE)
    document = [labels.pdf(map(_texts, tokens), options, title)]
    return file_response(request, document, "application/pdf", "labels.pdf")


def _texts(token: Ticket) -> Texts:
    return Texts(token.value, token.label, token.category)


def _tokens(model: Any, order: Order) -> list[Ticket]:
    """Return the chosen tokens, in the order of the list.

    :raises WrongSelectionError: which tokens are meant cannot be read.
    :raises InvalidParameter: they are too many.
    :raises CountChanged: another number matches, or tokens are gone.
    """
    if isinstance(model, TokenNode):
        return [token_of(model)]
    chosen = order.selection()
    expected = order.expected if chosen.means_all else len(chosen.uids)
    sort = chosen.state.query.sort
    return wiring.get(TicketService).find_many(chosen.which, sort=sort, expected_count=expected)


@tile(
    name=LABELS,
    path="templates/labels.pt",
    interface=TokenContainer,
    permission=LIST,
)
class LabelsForm(Localized, Tile):
    """The options of labels, for chosen tokens.

    It has more than 15 public members: each is a value that the template shows.
    """

    order: Order
    notes: list[Note]
    chosen: ListSelection | None
    count: int

    def prepare(self) -> None:
        """Find out what is to be printed, and what keeps it from being."""
        self.order = order_of(self.request)
        self.notes = []
        self.chosen = None
        self.count = 0
        if not self.is_available:
            self.request.response.status = NOT_IMPLEMENTED
            return
        try:
            self.choose()
        except WrongSelectionError:
            self.chosen, self.count = None, 0
            self.fail(BAD_REQUEST, _WRONG_SELECTION)
        self.tell_lacking()
        if self.order.is_sent and (self.order.mistakes or not self.has_tokens):
            self.request.response.status = BAD_REQUEST

    def choose(self) -> None:
        """Read the chosen tokens; deleted ones are left out."""
        self.chosen = chosen = self.order.selection()
        self.count = chosen.count()
        if self.count > MAX_BATCH:
            self.fail(BAD_REQUEST, _TOO_MANY)
        elif self.order.is_sent and not self.order.mistakes:
            self.look_again(chosen)

    def tell_lacking(self) -> None:
        """Add a note about labels with signs that cannot be printed."""
        lacking = [one for one in map(_texts, self.chosen_tokens()) if label_text.lacks(one)]
        if not lacking:
            return
        told = _LACKING % {"sign": label_text.MISSING, "count": len(lacking)}
        names = (shortened(one.name or one.code) for one in lacking[:_NAMED])
        self.notes.append(Note("warning", told, ", ".join(names)))

    def chosen_tokens(self) -> list[Ticket]:
        """Return the tokens whose labels the form would print.

        SQL: 1 statement.
        """
        if self.chosen is None or not self.has_tokens:
            return []
        return wiring.get(TicketService).find_many(
            self.chosen.which, sort=self.chosen.state.query.sort
        )

    def look_again(self, chosen: ListSelection) -> None:
        """Add notes about tokens that were added or deleted since they were chosen."""
        if chosen.means_all:
            if self.order.expected not in (None, self.count):
                self.fail(CONFLICT, _COUNT_CHANGED % {"count": self.count})
            return
        there = wiring.get(TicketService).find_many(chosen.uids)
        gone = self.count - len(there)
        if gone:
            self.fail(CONFLICT, _GONE % {"count": gone})
        self.chosen = dataclasses.replace(chosen, uids=[token.uid for token in there])
        self.count = len(there)

    def fail(self, status: int, text: Any) -> None:
        """Show a message above the form, and set the status of the page."""
        self.notes.append(Note("danger", text))
        self.request.response.status = status

    @property
    def is_available(self) -> bool:
        """Whether labels can be made at all."""
        return labels.is_available()

    @property
    def has_tokens(self) -> bool:
        """Whether there is something to print."""
        return 0 < self.count <= MAX_BATCH

    @property
    def short_value(self) -> str | None:
        """The value of the one token that the page is about."""
        return None

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The chosen tokens: what the form brings along."""
        if self.chosen is None:
            return []
        state = (STATE, self.chosen.state.address)
        if self.chosen.means_all:
            return [state, (ALL, "1"), (EXPECTED, str(self.count))]
        # One field: of many a request is refused.
        return [state, (TOKEN_UIDS.name, json.dumps([str(uid) for uid in self.chosen.uids]))]

    @property
    def action_url(self) -> str:
        """Where the form goes."""
        return url(self.request, self.model, LABELS)

    @property
    def back_url(self) -> str:
        """Where the tokens are."""
        if self.chosen is None:
            return url(self.request, self.model)
        return url(self.request, self.model, OVERVIEW, self.chosen.state.address)

    @property
    def sheets(self) -> list[SheetChoice]:
        """The sheets to choose from."""
        chosen = self.order.text(SHEET)
        choices = [
            SheetChoice(name, sheet_words(sheet, self.lang), name == chosen)
            for name, sheet in label_sheets.SHEETS.items()
        ]
        return [*choices, SheetChoice(OWN, _OWN_WORDS, chosen == OWN)]

    @property
    def pages(self) -> list[SheetChoice]:
        """The papers of an own sheet."""
        chosen = self.order.text("page")
        return [SheetChoice(name, name, name == chosen) for name in PAGES]

    @property
    def size_fields(self) -> Iterator[SizeField]:
        """The fields about an own sheet."""
        for name, word in _FIELD_WORDS.items():
            yield SizeField(name, word, self.order.text(name), self.mistake(name))

    @property
    def is_own(self) -> bool:
        """Whether the sizes of an own sheet are asked for."""
        return self.order.text(SHEET) == OWN

    @property
    def start(self) -> str:
        """The first label, as it was written."""
        return self.order.text(START)

    @property
    def caption(self) -> str | None:
        """The state of the box."""
        return "checked" if self.order.is_on(CAPTION, default=True) else None

    @property
    def cut_marks(self) -> str | None:
        """The state of the box."""
        return "checked" if self.order.is_on(CUT_MARKS, default=False) else None

    def mistake(self, name: str) -> str | None:
        """Return the mistake in a field that was sent, or None."""
        return self.order.mistakes.get(name) if self.order.is_sent else None


@tile(
    name=LABELS,
    path="templates/labels.pt",
    interface=TokenNode,
    permission=VIEW,
)
class TokenLabelForm(LabelsForm):
    """The options of a label, for one token.

    It has more than 15 public members: each is a value that the template shows.
    """

    def choose(self) -> None:
        """Choose nothing: the address names the token."""

    def chosen_tokens(self) -> list[Ticket]:
        """Return the token of the address."""
        return [token_of(self.model)]

    @property
    def has_tokens(self) -> bool:
        """Whether there is something to print."""
        return True

    @property
    def short_value(self) -> str | None:
        """The value of the token."""
        return shortened(token_of(self.model).value)
