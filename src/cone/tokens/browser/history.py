"""The tries to consume a token, on its page."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens import wiring
from cone.tokens.browser.moments import Moment
from cone.tokens.browser.moments import Moments
from cone.tokens.browser.page import Note
from cone.tokens.browser.texts import CONSUMED
from cone.tokens.browser.texts import DENIAL_WORDS
from cone.tokens.browser.texts import REFUSED
from cone.tokens.browser.texts import USED
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import BEFORE
from cone.tokens.core.params import collect
from cone.tokens.core.params import parse_usages
from cone.tokens.core.types import Token
from cone.tokens.core.types import Usage
from cone.tokens.core.types import UsagePage
from cone.tokens.i18n import _

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
    usage_count: int | None

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


def history(request: Request, token: Token, moments: Moments) -> History:
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


def _usages(token: Token, before: uuid.UUID | None) -> UsagePage:
    return wiring.token_service().usages(token.uid, SIZE, before)


def _outcome(request: Request, page: UsagePage) -> list[Note]:
    """Tell what came of the press of the button; an address alone cannot make that up."""
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
        usage_count=usage.usage_count,
    )
