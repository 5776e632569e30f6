"""Changes of many tokens: what is chosen in the list, the question back, and the answer to it.

It works without a script: the list sends what is chosen, this page asks and tells the number,
and its form brings everything along once more. The service makes the change, in one transaction.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tile import Tile
from cone.tile import tile
from pyramid.httpexceptions import HTTPForbidden

from cone.tokens.browser.list_notes import COUNT
from cone.tokens.browser.list_notes import DONE
from cone.tokens.browser.list_notes import PROBLEM
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.selection import ALL
from cone.tokens.browser.selection import EXPECTED
from cone.tokens.browser.selection import STATE
from cone.tokens.browser.selection import UIDS
from cone.tokens.browser.selection import ListSelection
from cone.tokens.browser.selection import parse_expected
from cone.tokens.browser.selection import unknown
from cone.tokens.core.errors import CountChanged
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.places import Places
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.security import DELETE
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import TicketChanges
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.form_page import BAD_REQUEST
from cone.tokens.web.form_page import CONFLICT
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url
from cone.tokens.web.texts import mistake_text

if TYPE_CHECKING:
    from pyramid.request import Request

BULK: Final = "bulk"

#: So many tokens are changed without their number having to be typed.
FEW: Final = 100

#: Names of the fields beside those of a selection.
ACTION: Final = "action"
TYPED: Final = "typed"
CONFIRMED: Final = "confirmed"

#: Where a request carries the mistakes of the form that is to be shown again.
_MISTAKES: Final = "cone.tokens.bulk_mistakes"

#: The actions for many tokens, and what they need.
ACTIONS: Final = {
    "disable": (EDIT, _("bulk_disable", default="Disable")),
    "enable": (EDIT, _("bulk_enable", default="Enable")),
    "validity": (EDIT, _("bulk_validity", default="Set validity")),
    "uses": (EDIT, _("bulk_uses", default="Set uses left")),
    "delete": (DELETE, _("bulk_delete", default="Delete")),
}

_QUESTIONS: Final = {
    "delete": _(
        "bulk_question_delete",
        default="Shall these tokens be deleted? This cannot be taken back. The logs of their "
        "uses stay.",
    ),
    "enable": _("bulk_question_enable", default="Shall these tokens be enabled?"),
    "disable": _(
        "bulk_question_disable",
        default="Shall these tokens be disabled? Every consumption is refused then.",
    ),
    "validity": _(
        "bulk_question_validity",
        default="Shall these tokens get this validity? A field that is empty means open.",
    ),
    "uses": _("bulk_question_uses", default="Shall these tokens have this number of uses left?"),
}
_CONFLICTS: Final = {
    CountChanged: _(
        "bulk_count_changed",
        default="Another number of tokens is meant by now. Nothing was changed. Look again.",
    ),
    TokenNotFound: _(
        "bulk_token_gone",
        default="One of the selected tokens was deleted meanwhile. Nothing was changed.",
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    """A field of what is to be set."""

    name: str
    kind: str
    label: object
    text: str
    mistake: object | None
    required: str | None = None
    help: object | None = None

    @property
    def mistake_id(self) -> str | None:
        """Id of the message about a mistake, or None."""
        return f"bulk-{self.name}-mistake" if self.mistake else None

    @property
    def described_by(self) -> str | None:
        """Ids of what is told about it, None where nothing is."""
        help_id = f"bulk-{self.name}-help" if self.help else None
        return " ".join(filter(None, [self.mistake_id, help_id])) or None


class Bulk:
    """What a form asks to do with many tokens."""

    def __init__(self, request: Request) -> None:
        """Read the form.

        :raises InvalidParameter: no form of ours sends that.
        """
        fields = request.POST
        self.request = request
        self.action: str = fields.get(ACTION, "")
        if self.action not in ACTIONS:
            raise unknown(ACTION)
        self.selection = ListSelection.read(fields.items())
        self.is_confirmed = CONFIRMED in fields

    @property
    def permission(self) -> str:
        """The permission that the action needs."""
        return ACTIONS[self.action][0]

    @property
    def changes(self) -> TicketChanges:
        """What is to be set.

        :raises InvalidParameter: a field is wrong.
        """
        names = {"validity": (VALID_FROM, VALID_TO), "uses": (USAGE_COUNT,)}.get(self.action, ())
        given = {name.name: self.request.POST.get(name.name, "") for name in names}
        if self.action in ("enable", "disable"):
            given = {ENABLED.name: "true" if self.action == "enable" else "false"}
        return current_parser().changes(given)

    def carry_out(self) -> int:
        """Do what is asked for, and return with how many tokens.

        :raises TokenError: it cannot be done; nothing was changed.
        """
        if not self.is_number_typed:
            message = f"{TYPED}: is not the number of the tokens"
            raise InvalidParameter(TYPED, "wrong_number", message)
        service, by = wiring.get(TicketService), wiring.actor(self.request)
        which, expected = self.selection.which, self.expected
        with wiring.get(Places).work(expected):
            if self.action == "delete":
                return service.delete_many(which, by=by, expected_count=expected)
            return service.update_many(which, self.changes, by=by, expected_count=expected)

    @property
    def expected(self) -> int:
        """How many tokens the user was told.

        :raises InvalidParameter: no form of ours sends that.
        """
        return parse_expected(self.request.POST.get(EXPECTED, ""))

    @property
    def is_number_typed(self) -> bool:
        """Whether the number of tokens was typed, where it has to be."""
        typed = self.request.POST.get(TYPED, "").strip()
        return self.expected <= FEW or typed == str(self.expected)


def answer(model: TokenContainer, request: Request) -> str | None:
    """Do what a form asks for where it is confirmed; return where to go, or None to ask back.

    :raises HTTPForbidden: the action is not permitted.
    :raises InvalidParameter: no form of ours sends that.
    """
    bulk = Bulk(request)
    permitted = request.has_permission(bulk.permission, model)
    if not permitted:
        raise HTTPForbidden(result=permitted)
    count = bulk.selection.count()
    if not 1 <= count <= MAX_BATCH:
        return _list_url(model, bulk, **{PROBLEM: "many" if count else "none"})
    if not bulk.is_confirmed:
        return None
    try:
        done = bulk.carry_out()
    except (CountChanged, TokenNotFound, InvalidParameter) as error:
        _ask_again(request, error)
        return None
    return _list_url(model, bulk, **{DONE: bulk.action, COUNT: done})


def _ask_again(request: Request, error: TokenError) -> None:
    """Have the question shown again, with the reason why nothing was changed."""
    if isinstance(error, InvalidParameter):
        request.environ[_MISTAKES] = {error.parameter: mistake_text(error)}
        request.response.status = BAD_REQUEST
    else:
        request.environ[_MISTAKES] = {None: _CONFLICTS[type(error)]}
        request.response.status = CONFLICT


def _list_url(model: TokenContainer, bulk: Bulk, **more: object) -> str:
    query = bulk.selection.state.address_with(**more)
    return url(bulk.request, model, OVERVIEW, query)


@tile(
    name=BULK,
    path="templates/bulk.pt",
    interface=TokenContainer,
    permission=LIST,
)
class BulkQuestion(Localized, Tile):
    """Asks whether to change many tokens. It changes nothing, the view does."""

    bulk: Bulk
    count: int

    def prepare(self) -> None:
        """Read what is asked for, and count the tokens."""
        self.bulk = Bulk(self.request)
        self.count = self.bulk.selection.count()
        self._mistakes: dict[str | None, str] = self.request.environ.get(_MISTAKES, {})

    @property
    def heading(self) -> object:
        """Name of the action."""
        return ACTIONS[self.bulk.action][1]

    @property
    def question(self) -> object:
        """The question."""
        return _QUESTIONS[self.bulk.action]

    @property
    def notes(self) -> list[Note]:
        """Why nothing was changed, where that is no matter of a field."""
        names = (TYPED, *(field.name for field in self.inputs))
        others = (self._mistakes[name] for name in self._mistakes if name not in names)
        return [Note("danger", text) for text in others]

    @property
    def action_url(self) -> str:
        """Where the answer goes."""
        return url(self.request, self.model, BULK)

    @property
    def list_url(self) -> str:
        """Address of the list that the tokens were chosen in."""
        return _list_url(self.model, self.bulk)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What the form brings along."""
        selection = self.bulk.selection
        fields = [
            (ACTION, self.bulk.action),
            (STATE, selection.state.address),
            (EXPECTED, str(self.count)),
            (CONFIRMED, "1"),
        ]
        if selection.means_all:
            return [*fields, (ALL, "1")]
        return [*fields, *((UIDS, str(uid)) for uid in selection.uids)]

    @property
    def inputs(self) -> list[Input]:
        """The fields of what is to be set."""
        if self.bulk.action == "validity":
            return [
                self._input(
                    VALID_FROM.name, "datetime-local", _("valid_from", default="Valid from")
                ),
                self._input(VALID_TO.name, "datetime-local", _("valid_to", default="Valid to")),
            ]
        if self.bulk.action == "uses":
            text = _("bulk_uses_help", default="-1 means without limit.")
            label = _("uses_left", default="Uses left")
            return [self._input(USAGE_COUNT.name, "number", label, required="required", help=text)]
        return []

    @property
    def typed(self) -> Input | None:
        """The field for the number of the tokens, where it has to be typed."""
        if self.count <= FEW:
            return None
        label = _("bulk_typed", default="Type the number of the tokens")
        return self._input(TYPED, "text", label, required="required")

    def _input(self, name: str, kind: str, label: object, **more: Any) -> Input:
        text = self.request.POST.get(name, "")
        return Input(name, kind, label, text, self._mistakes.get(name), **more)
