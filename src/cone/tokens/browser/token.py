"""The page of a token, and the questions whether to delete it or to replace its code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tile import Tile
from cone.tile import tile

from cone.tokens.browser.history import History
from cone.tokens.browser.history import history
from cone.tokens.browser.quick import ButtonGroup
from cone.tokens.browser.quick import button_groups
from cone.tokens.browser.texts import STATUS_WORDS
from cone.tokens.browser.texts import UNUSABLE
from cone.tokens.browser.texts import status_reason
from cone.tokens.browser.texts import uses_of
from cone.tokens.core import codes
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.values import Status
from cone.tokens.host import wiring
from cone.tokens.host.security import VIEW
from cone.tokens.i18n import _
from cone.tokens.tickets import door
from cone.tokens.tickets import labels
from cone.tokens.tickets import qr
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import DELETE
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.wiring import current_settings
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.once import new_key
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request

#: Name of the view of the question.
REPLACE_CODE: Final = "replace_code"

_SHORT: Final = 40

_VALUE: Final = _("value", default="Value")
_UID: Final = _("uid", default="Identifier")
_COPY_LABELS: Final = {
    _VALUE: _("copy_value", default="Copy the value"),
    _UID: _("copy_uid", default="Copy the identifier"),
}

_NOTES: Final = {
    "added": _("note_added", default="The token was added."),
    "saved": _("note_saved", default="The changes were saved."),
    "replaced": _(
        "note_replaced",
        default="The code was replaced: the old one is refused from now on. Hand out the new one, "
        "as text or as QR code.",
    ),
    "undone": _("note_undone", default="The use was taken back."),
}
#: In the address: somebody looked for a code that is not exactly the one of the token.
READ: Final = "read"
_READ_AS: Final = _(
    "note_read_as",
    default="No token has exactly the code that you looked for. It was read as ${code}",
)
#: In the address: somebody looked for a code that the token had until it was replaced.
FORMER: Final = "former"
_FORMER: Final = _(
    "note_former",
    default="The code that you looked for was replaced, and is refused. This token had it.",
)
#: In the address: the token was given its code by the form before.
CODE: Final = "code"
_ALIKE: Final = _(
    "note_alike",
    default="Another token has or had a code that differs from this one by capital letters or "
    "hyphens alone. A scanner with Caps Lock finds none of them, or the wrong one: change one.",
)
_MEANWHILE: Final = _(
    "note_meanwhile",
    default="The token was used meanwhile: nothing was changed. Look at it and press again.",
)


#: In the address: somebody may not take this use back, or not any more.
NOT_UNDONE: Final = "not_undone"
_NOT_UNDONE: Final = _(
    "note_not_undone",
    default="The use was not taken back: 15 minutes after it only who may edit tokens can do that, "
    "and before that who redeemed the token.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class StatusBadge:
    """A status as word and colour."""

    word: str
    css: str


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A line of the description list: a text or a time; None of both where there is nothing."""

    label: str
    text: object | None = None
    moment: Moment | None = None
    is_value: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return self.text is None and self.moment is None

    @property
    def copy_label(self) -> object:
        """What the button that copies it is called aloud."""
        return _COPY_LABELS[self.label]


def token_of(node: TokenNode) -> Ticket:
    """Return the token of ``node``.

    :raises TokenNotFound: there is none.
    """
    token = node.token
    if token is None:
        raise TokenNotFound(node.name)
    return token


def status_of(token: Ticket) -> Status:
    """Return the status that ``token`` had when it was read."""
    return TICKET.rules.status(token, token.read_at)


def badge(status: Status) -> StatusBadge:
    """Return the badge of ``status``."""
    return StatusBadge(STATUS_WORDS[status], f"tokens-badge tokens-{status.value}")


def shortened(value: str) -> str:
    """Return the beginning of ``value`` that fits into a table or a heading."""
    return value if len(value) <= _SHORT else f"{value[:_SHORT]}…"


def notes_of(request: Request, texts: dict[str, Any]) -> list[Note]:
    """Return the notes that the page before left in the address."""
    return [Note("success", text) for name, text in texts.items() if name in request.GET]


class TokenTile(Localized, Tile):
    """Base of the tiles about one token."""

    token: Ticket
    moments: Moments

    def prepare(self) -> None:
        """Read the token."""
        self.token = token_of(self.model)
        self.moments = Moments.of_request(self.request)

    @property
    def short_value(self) -> str:
        """The value, shortened."""
        return shortened(self.token.value)

    @property
    def token_url(self) -> str:
        """Address of the page of the token."""
        return url(self.request, self.model)

    @property
    def labels_url(self) -> str | None:
        """Address of the labels of the token, where they can be made."""
        return url(self.request, self.model, "labels") if labels.is_available() else None

    @property
    def container_url(self) -> str | None:
        """Address of the tokens, for those who may go there."""
        container = self.model.parent
        may_go = self.request.has_permission(VIEW, container)
        return url(self.request, container) if may_go else None

    def permitted_url(self, view: str, permission: str) -> str | None:
        """Return the address of a view of the token, None without the permission."""
        may_go = self.request.has_permission(permission, self.model)
        return url(self.request, self.model, view) if may_go else None


@tile(
    name="content",
    path="templates/token.pt",
    interface=TokenNode,
    permission=VIEW,
)
class TokenContent(TokenTile):
    """Shows a token: what it can do now, its QR picture, its fields.

    It has more than 15 public members: each is a value that the template shows.
    """

    status: Status
    history: History

    def prepare(self) -> None:
        """Read the token and its status."""
        super().prepare()
        self.status = status_of(self.token)
        self.history = history(self.request, self.model, self.token, self.moments)

    @property
    def notes(self) -> list[Note]:
        """What was done on the page before."""
        warnings = {"meanwhile": _MEANWHILE, NOT_UNDONE: _NOT_UNDONE}
        given = self.request.GET
        not_done = [Note("warning", text) for name, text in warnings.items() if name in given]
        done = notes_of(self.request, _NOTES)
        doubts = [
            Note("warning", UNUSABLE[status])
            for status in TICKET.rules.lasting(self.token, self.token.read_at)
            if done
        ]
        code = {"code": shortened(self.token.value)}
        read = [Note("warning", _READ_AS % code)] if READ in self.request.GET else []
        former = [Note("warning", _FORMER)] if FORMER in self.request.GET else []
        alike = self._alike_notes if CODE in self.request.GET else []
        return former + read + done + doubts + alike + not_done + self.history.notes

    @property
    def _alike_notes(self) -> list[Note]:
        """A warning where the code is read like that of another token."""
        other = wiring.get(TicketService).find_alike(self.token)
        if other is None:
            return []
        may_list = self.request.has_permission(LIST, self.model.parent)
        return [Note("warning", _ALIKE, shortened(other) if may_list else None)]

    @property
    def button_groups(self) -> list[ButtonGroup]:
        """The buttons that change the token."""
        ranges = current_settings().values
        return button_groups(self.token, self.moments, ranges)

    @property
    def change_url(self) -> str | None:
        """Where the buttons send to, for those who may change the token."""
        return self.permitted_url("change", EDIT)

    @property
    def use_url(self) -> str | None:
        """Where the button sends to that takes a use, for those who may consume."""
        return self.permitted_url("use", CONSUME)

    @property
    def use_key(self) -> str:
        """The key of this rendering: pressed twice, the button takes one use."""
        return new_key()

    @property
    def badge(self) -> StatusBadge:
        """The status as word and colour."""
        return badge(self.status)

    @property
    def reason(self) -> str:
        """The status in a sentence."""
        return status_reason(self.token, self.status, self.moments)

    @property
    def picture_url(self) -> str | None:
        """Address of the QR picture; None where the value fits into none."""
        if len(self.token.value.encode()) > qr.MOST_BYTES:
            return None
        # A page that stays keeps a picture by its address, whatever the server says.
        mark = codes.digest(self.token.value)[:8]
        return url(self.request, self.model, "qr_code", f"?format=svg&of={mark}")

    @property
    def download_url(self) -> str:
        """Address of the QR picture as a file."""
        return url(self.request, self.model, "qr_code")

    @property
    def edit_url(self) -> str | None:
        """Address of the form, for those who may change the token."""
        return self.permitted_url("edit", EDIT)

    @property
    def replace_url(self) -> str | None:
        """Address of the question, for those who may give the token another code."""
        return self.permitted_url(REPLACE_CODE, EDIT)

    @property
    def delete_url(self) -> str | None:
        """Address of the question, for those who may delete the token."""
        return self.permitted_url("delete", DELETE)

    @property
    def facts(self) -> Iterator[Fact]:
        """The fields of the token."""
        token, show = self.token, self.moments.show
        yield Fact(_VALUE, token.value, is_value=True)
        yield from self._details
        yield Fact(_("uses_left", default="Uses left"), uses_of(token))
        yield Fact(_("valid_from", default="Valid from"), moment=show(token.valid_from))
        yield Fact(_("valid_to", default="Valid to"), moment=show(token.valid_to))
        yield Fact(_("lock_time", default="Lock time after a use, in seconds"), token.lock_time)
        yield Fact(_("enabled", default="Enabled"), _YES_OR_NO[token.enabled])
        yield Fact(_("last_used", default="Last used"), moment=show(token.last_used))
        yield from self._presence
        yield Fact(_("creator", default="Created by"), token.creator)
        yield Fact(_("created", default="Created"), moment=show(token.created))
        yield Fact(_("modified", default="Changed"), moment=show(token.modified))
        yield Fact(_UID, str(token.uid), is_value=True)

    @property
    def _presence(self) -> Iterator[Fact]:
        """Where the token is, if it went through a checkpoint with directions."""
        token, show = self.token, self.moments.show
        if door.is_inside(token, token.read_at):
            yield Fact(_("inside_until", default="Inside until"), moment=show(token.inside_until))
        if door.is_outside(token, token.read_at):
            outside = _("outside_until", default="Outside, may come in again until")
            yield Fact(outside, moment=show(token.outside_until))

    @property
    def _details(self) -> Iterator[Fact]:
        """What people noted about the token."""
        token = self.token
        # Names in ``data`` are the site's own, and may be the same as ours.
        noted = [
            (_("label", default="Label"), token.label),
            (_("category", default="Category"), token.category),
            (_("email", default="E-mail address"), token.email),
            (_("note", default="Note"), token.note),
            *json.loads(token.data or "{}").items(),
        ]
        yield from (Fact(name, text) for name, text in noted if text is not None)


_YES_OR_NO: Final = {True: _("yes", default="yes"), False: _("no", default="no")}


@tile(
    name="delete",
    path="templates/delete.pt",
    interface=TokenNode,
    permission=DELETE,
)
class DeleteQuestion(TokenTile):
    """Asks whether to delete the token. It changes nothing, the view does."""

    @property
    def action_url(self) -> str:
        """Where the answer goes."""
        return url(self.request, self.model, "delete")


@tile(
    name=REPLACE_CODE,
    path="templates/replace.pt",
    interface=TokenNode,
    permission=EDIT,
)
class ReplaceQuestion(TokenTile):
    """Asks whether to replace the code of the token. It changes nothing, the view does."""

    @property
    def action_url(self) -> str:
        """Where the answer goes."""
        return url(self.request, self.model, REPLACE_CODE)

    @property
    def key(self) -> str:
        """The key of this rendering: pressed twice, the button replaces once."""
        return new_key()
