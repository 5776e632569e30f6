"""The tries to consume a token, on its page."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.browser.texts import CONSUMED
from cone.tokens.browser.texts import DENIAL_WORDS
from cone.tokens.browser.texts import REFUSED
from cone.tokens.browser.texts import USED
from cone.tokens.browser.texts import USED_ANYWAY
from cone.tokens.browser.texts import uses_text
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.history import undoing
from cone.tokens.core.manner import Direction
from cone.tokens.core.params import collect
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Usage
from cone.tokens.core.values import UsagePage
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.params import BEFORE
from cone.tokens.tickets.params import parse_usages
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.page import Note
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request

#: Tries on a page.
SIZE: Final = 20

#: What the page before left in the address: the receipt of a try.
RECEIPT: Final = "receipt"

#: Name of the view that asks whether to take a use back.
TAKE_BACK: Final = "take_back"

_USES_TAKEN: Final = _("uses_taken", default="${count} uses")
_USES_ASKED: Final = _("uses_asked", default="${count} uses asked for")
_NO_USE_TAKEN: Final = _("no_use_taken", default="no use taken")
_DIRECTIONS: Final = {
    Direction.IN: _("direction_in", default="in"),
    Direction.OUT: _("direction_out", default="out"),
}
#: What a use was that took none: the exit, and the entry after it.
_PASSAGES: Final = {
    Direction.IN: _("came_back", default="Came back"),
    Direction.OUT: _("went_out", default="Went out"),
}
_REASON: Final = _("override_reason", default="Reason: ${reason}")
_REASON_EMPTIED: Final = _("override_reason_emptied", default="The reason was deleted.")

_WRONG_PAGE: Final = _(
    "note_wrong_history",
    default="There is no such page of the history. These are the newest tries.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A try.

    :ivar uses: those that were left.
    :ivar details: how it was used, where that is told.
    :ivar undone: when it was taken back, and ``undone_by`` by whom.
    :ivar undo_url: where it is taken back, for those who may.
    """

    moment: Moment | None
    word: object
    is_granted: bool
    user: str | None
    uses: object
    details: list[object]
    undone: Moment | None
    undone_by: str | None
    undo_url: str | None

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

    @property
    def can_undo(self) -> bool:
        """Whether a try can be taken back."""
        return any(row.undo_url for row in self.rows)


def history(request: Request, model: TokenNode, token: Ticket, moments: Moments) -> History:
    """Return the page of the history that ``request`` asks for, else the first one."""
    undo_url = _undo_urls(request, model, token)
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
        rows=[row_of(usage, moments, undo_url(usage)) for usage in page.usages],
        older=f"?{BEFORE.name}={page.next}" if page.next else None,
        is_newest=before is None,
        notes=notes,
    )


def _undo_urls(request: Request, model: TokenNode, token: Ticket) -> Callable[[Usage], str | None]:
    """Return a function that tells where a use is taken back.

    It returns None where that cannot be, or not by who asks.
    """
    if not request.has_permission(CONSUME, model):
        return lambda _usage: None
    is_editor = request.has_permission(EDIT, model)
    may_undo = undoing.may_undo_any if is_editor else undoing.may_undo_own(wiring.actor(request))

    def undo_url(usage: Usage) -> str | None:
        # What uses from before an upgrade took is not known.
        stands = not (usage.denial or usage.undone_at) and usage.usage_count is not None
        if not stands or not may_undo(LastUse(usage.time, usage.user), token.read_at):
            return None
        return url(request, model, TAKE_BACK, f"?{RECEIPT}={usage.receipt}")

    return undo_url


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


def row_of(usage: Usage, moments: Moments, undo_url: str | None = None) -> Row:
    """Return a try as people read it."""
    return Row(
        moment=moments.show(usage.time),
        word=_word(usage),
        is_granted=usage.denial is None,
        user=usage.user,
        uses=uses_text(usage.usage_count),
        details=list(_details(usage)),
        undone=moments.show(usage.undone_at),
        undone_by=usage.undone_by,
        undo_url=undo_url,
    )


def _word(usage: Usage) -> object:
    if usage.denial:
        return DENIAL_WORDS[usage.denial]
    if usage.manner.override is not None:
        return USED_ANYWAY
    direction = usage.manner.direction
    return USED if usage.manner.uses or direction is None else _PASSAGES[direction]


def _details(usage: Usage) -> Iterator[object]:
    """Return how a token was used; nothing where one use was taken and that is all."""
    manner = usage.manner
    if manner.uses > 1:
        yield (_USES_ASKED if usage.denial else _USES_TAKEN) % {"count": manner.uses}
    elif not manner.uses and not usage.denial:
        yield _NO_USE_TAKEN
    if manner.checkpoint is not None:
        yield manner.checkpoint
    if manner.direction is not None:
        yield _DIRECTIONS[manner.direction]
    if manner.override is not None:
        yield _REASON % {"reason": manner.override} if manner.override else _REASON_EMPTIED
