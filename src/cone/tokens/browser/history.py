"""The tries to consume a token, on its page."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.browser.texts import CONSUMED
from cone.tokens.browser.texts import DENIAL_WORDS
from cone.tokens.browser.texts import REFUSED
from cone.tokens.browser.texts import USED
from cone.tokens.browser.texts import uses_text
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import collect
from cone.tokens.core.values import Usage
from cone.tokens.core.values import UsagePage
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.params import BEFORE
from cone.tokens.tickets.params import parse_usages
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.page import Note

if TYPE_CHECKING:
    from pyramid.request import Request

#: Tries on a page.
SIZE: Final = 20

#: What the page before left in the address: the receipt of a try.
RECEIPT: Final = "receipt"

_WRONG_PAGE: Final = _(
    "note_wrong_history",
    default="There is no such page of the history. These are the newest tries.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A try."""

    moment: Moment | None
    word: object
    is_granted: bool
    user: str | None
    uses: object

    @property
    def css(self) -> str:
        """The outcome as colour."""
        return f"tokens-badge tokens-{'consumable' if self.is_granted else 'disabled'}"


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """A page of tries, newest first.

    :ivar older: query of the page behind it, None at the end.
    :ivar is_newest: whether it is the first page.
    """

    rows: list[Row]
    older: str | None
    is_newest: bool
    notes: list[Note]


def history(request: Request, token: Ticket, moments: Moments) -> History:
    """Return the page of the history that ``request`` asks for, else the first one."""
    notes = []
    before = None
    try:
        given = collect(list(request.GET.items()), [BEFORE])
        _limit, before = parse_usages(given)
        page = _usages(token, before)
    except InvalidParameter:
        notes.append(Note("warning", _WRONG_PAGE))
        before = None
        page = _usages(token, None)
    notes += _outcome(request, page)
    return History(
        rows=[_row(usage, moments) for usage in page.usages],
        older=f"?{BEFORE.name}={page.next}" if page.next else None,
        is_newest=before is None,
        notes=notes,
    )


def _usages(token: Ticket, before: uuid.UUID | None) -> UsagePage:
    return wiring.get(TicketService).usages(token.uid, SIZE, before)


def _outcome(request: Request, page: UsagePage) -> list[Note]:
    """Return the note about the use that the button took, found in the log by its receipt."""
    receipt = request.GET.get(RECEIPT)
    for usage in page.usages:
        if str(usage.receipt) == receipt:
            if usage.denial is None:
                return [Note("success", CONSUMED)]
            return [Note("danger", REFUSED, DENIAL_WORDS[usage.denial])]
    return []


def _row(usage: Usage, moments: Moments) -> Row:
    return Row(
        moment=moments.show(usage.time),
        word=DENIAL_WORDS[usage.denial] if usage.denial else USED,
        is_granted=usage.denial is None,
        user=usage.user,
        uses=uses_text(usage.usage_count),
    )
