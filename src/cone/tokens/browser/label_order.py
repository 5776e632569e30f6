"""What a request asks to print: which tokens, and how their labels are to be."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tokens.browser.selection import EXPECTED
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.selection import parse_expected
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.host.request_data import FORMS
from cone.tokens.host.request_data import pairs
from cone.tokens.i18n import _
from cone.tokens.tickets import label_sheets
from cone.tokens.tickets import labels
from cone.tokens.tickets.params import TOKEN_UIDS
from cone.tokens.tickets.params import parse_token_uids
from cone.tokens.tickets.settings_file import LABEL_SHEET
from cone.tokens.tickets.wiring import current_settings
from cone.tokens.web.page import NUMBER
from cone.tokens.web.page import find_number

if TYPE_CHECKING:
    from pyramid.request import Request

#: The field whose presence asks for the document instead of the form.
MAKE: Final = "make"

#: Names of the other fields, besides those of the sizes of an own sheet.
SHEET: Final = "sheet"
START: Final = "start"
CAPTION: Final = "caption"
CUT_MARKS: Final = "cut_marks"

#: The choice of a sheet with sizes of its own, and the papers that it may have.
OWN: Final = "own"
PAGES: Final = {"A4": (210.0, 297.0), "Letter": (215.9, 279.4)}

#: What an own sheet begins with: that of the maker's number which is sold most.
_COUNTS: Final = {"columns": "3", "rows": "7"}
_LENGTHS: Final = {
    "width": "63.5",
    "height": "38.1",
    "left": "7.2",
    "top": "15.15",
    "gap_x": "2.5",
    "gap_y": "0",
}
_DEFAULTS: Final = {START: "1", "page": "A4", **_COUNTS, **_LENGTHS}
_LENGTH: Final = re.compile(r"[0-9]{1,4}([.,][0-9]{1,4})?", re.ASCII)

NO_SHEET: Final = _("labels_no_sheet", default="There is no such sheet.")
_NO_NUMBER: Final = _("labels_no_number", default="This must be a number.")
_WRONG_START: Final = _(
    "labels_wrong_start",
    default="This must be a whole number from 1 to ${count}, the labels of a page.",
)
_WRONG_SHEETS: Final = {
    "count": _("labels_wrong_count", default="A page needs a column and a row at least."),
    "many": _("labels_too_many_on_page", default="A page has at most ${most} labels.")
    % {"most": label_sheets.MOST_ON_PAGE},
    "size": _("labels_too_small", default="A label is at least ${least} mm wide and high.")
    % {"least": f"{label_sheets.SMALLEST:g}"},
    "overlap": _("labels_overlap", default="The labels would overlap."),
    "page": _("labels_beyond_page", default="The labels would reach beyond the page."),
}


class WrongSelectionError(ValueError):
    """The tokens that were chosen cannot be read."""


class Order:
    """What a request asks to print, and what is wrong with it.

    :ivar mistakes: texts by the name of the field that they stand beside.
    :ivar options: None where there are mistakes.
    """

    def __init__(self, fields: Iterable[tuple[str, Any]], sheet: str) -> None:
        """Read the ``fields`` of a form.

        :param sheet: name of the sheet where none is chosen.
        """
        given: dict[str, list[str]] = {}
        for name, text in fields:
            given.setdefault(name, []).append(text)
        self._given = {name: texts[-1] for name, texts in given.items()}
        self._defaults = {**_DEFAULTS, SHEET: sheet}
        self._fields = [(name, text) for name, texts in given.items() for text in texts]
        self.is_sent = MAKE in given
        self.mistakes: dict[str, str] = {}
        self.options = self._options()

    def selection(self) -> ListSelection:
        """Return the chosen tokens: those of the list, or named by uids, as fields or JSON list.

        :raises WrongSelectionError: that cannot be read.
        """
        texts = [text for name, text in self._fields if name == TOKEN_UIDS.name and text]
        is_json = len(texts) == 1 and texts[0].startswith("[")
        raw = texts[0] if is_json else list(dict.fromkeys(texts))
        try:
            chosen = ListSelection.read(self._fields)
            if chosen.means_all or not texts:
                return chosen
            uids = [*chosen.uids, *parse_token_uids({TOKEN_UIDS.name: raw})]
        except (InvalidParameter, TokenNotFound):
            raise WrongSelectionError from None
        return dataclasses.replace(chosen, uids=list(dict.fromkeys(uids)))

    @property
    def expected(self) -> int | None:
        """How many tokens match, as the form told; None where none did.

        :raises WrongSelectionError: no form of ours sends that.
        """
        if EXPECTED not in self._given:
            if self.is_sent and self.selection().means_all:
                raise WrongSelectionError
            return None
        try:
            return parse_expected(self._given[EXPECTED])
        except InvalidParameter:
            raise WrongSelectionError from None

    def text(self, name: str) -> str:
        """Return the text of a field."""
        return self._given.get(name, self._defaults[name])

    def is_on(self, name: str, *, default: bool) -> bool:
        """Return whether a box is ticked; browsers do not send one that is not."""
        return name in self._given if self.is_sent else default

    def _options(self) -> labels.Options | None:
        sheet = self._sheet()
        start = self._start(sheet) if sheet else None
        if sheet is None or start is None:
            return None
        return labels.Options(
            sheet=sheet,
            start=start,
            caption=self.is_on(CAPTION, default=True),
            cut_marks=self.is_on(CUT_MARKS, default=False),
        )

    def _start(self, sheet: label_sheets.Sheet) -> int | None:
        text = self.text(START)
        number = find_number(text)
        if number is not None and 1 <= number <= sheet.count:
            return number
        self.mistakes[START] = _WRONG_START % {"count": sheet.count}
        return None

    def _sheet(self) -> label_sheets.Sheet | None:
        name = self.text(SHEET)
        if name == OWN:
            return self._own_sheet()
        if name not in label_sheets.SHEETS:
            self.mistakes[SHEET] = NO_SHEET
        return label_sheets.SHEETS.get(name)

    def _own_sheet(self) -> label_sheets.Sheet | None:
        page = PAGES.get(self.text("page"))
        if page is None:
            self.mistakes[SHEET] = NO_SHEET
        for names, pattern in ((_COUNTS, NUMBER), (_LENGTHS, _LENGTH)):
            wrong = [name for name in names if not pattern.fullmatch(self.text(name))]
            self.mistakes.update(dict.fromkeys(wrong, _NO_NUMBER))
        if page is None or self.mistakes:
            return None
        number = {name: float(self.text(name).replace(",", ".")) for name in _LENGTHS}
        try:
            return label_sheets.Sheet(
                name=OWN,
                page=page,
                columns=int(self.text("columns")),
                rows=int(self.text("rows")),
                width=number["width"],
                height=number["height"],
                left=number["left"],
                top=number["top"],
                pitch_x=number["width"] + number["gap_x"],
                pitch_y=number["height"] + number["gap_y"],
            )
        except label_sheets.WrongSheetError as error:
            text = _WRONG_SHEETS[error.reason]
            self.mistakes.update(dict.fromkeys(error.fields or (SHEET,), text))
            return None


def order_of(request: Request) -> Order:
    """Return the print job that ``request`` describes."""
    sheet = current_settings().values[LABEL_SHEET]
    is_form = request.method == "POST"
    # A link makes no document: that is work, and somebody else may have put it there.
    fields = [(name, text) for name, text in pairs(request, FORMS) if is_form or name != MAKE]
    return Order(fields, sheet)
