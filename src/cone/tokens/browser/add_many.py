"""The form of many new tokens, and the way to those that it made.

A browser with scripts sends a large number in parts, with progress: each part is this form, with
a key of its own.
"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import urlencode

from cone.tile import render_template
from cone.tile import tile
from pyramid.response import Response

from cone.tokens.browser.forms import ADD_WORD
from cone.tokens.browser.forms import TokenForm
from cone.tokens.browser.list_notes import COUNT as DONE_COUNT
from cone.tokens.browser.list_notes import DONE
from cone.tokens.browser.list_notes import UNUSABLE
from cone.tokens.browser.list_state import MATCH
from cone.tokens.browser.list_state import NEW
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.list_state import SEARCH
from cone.tokens.browser.token_fields import default_texts
from cone.tokens.browser.token_fields import limits
from cone.tokens.core.params import collect
from cone.tokens.core.params import find_uid
from cone.tokens.core.places import Places
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.i18n import _
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.params import COUNT
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import PREFIX
from cone.tokens.tickets.params import RANDOM
from cone.tokens.tickets.params import TOKEN_PARAMETERS
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.fields import OFF
from cone.tokens.web.fields import ON
from cone.tokens.web.fields import Field
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request

ADD_MANY: Final = "add_many"

#: More are sent in parts of so many, with progress.
PART: Final = 1_000

#: In the address: uids of the first and the last token that were made, what their values begin
#: with, and how many they are.
FIRST: Final = "first"
_LAST: Final = "last"

#: What a script adds to a part: it wants no page.
_PART_FIELD: Final = "part"
#: Where a request carries the answer to a script.
_ANSWER: Final = "cone.tokens.add_many"

_MILLISECOND: Final = datetime.timedelta(milliseconds=1)

_PARAMETERS: Final = (*TOKEN_PARAMETERS, COUNT, PREFIX, RANDOM)
_FIELDS: Final = (
    Field(
        COUNT.name,
        _("add_many_count", default="How many"),
        "number",
        _("add_many_count_help", default="1 to 10,000."),
        {**limits(COUNT), "inputmode": "numeric", "required": "required"},
    ),
    Field(
        RANDOM.name,
        _("add_many_random", default="Random values"),
        "checkbox",
        _(
            "add_many_random_help",
            default="26 letters and digits that nobody can guess, made for small QR codes. "
            "Otherwise the identifier is the value.",
        ),
    ),
    Field(
        PREFIX.name,
        _("add_many_prefix", default="Values begin with"),
        help=_("add_many_prefix_help", default="May be empty; random characters follow."),
        attributes={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"},
    ),
)


@tile(name=ADD_MANY, interface=TokenContainer, permission=ADD)
class AddManyForm(TokenForm):
    """The form of many new tokens, with the defaults of the settings.

    It has more than 15 public members, most of them inherited: each is a step of a form that
    another one may take otherwise, or a value that the template shows.
    """

    heading = _("add_many_tokens", default="Add many tokens")

    def __call__(self, model: Any, request: Request) -> str:
        """Return the form, and what shows the progress."""
        form = super().__call__(model, request)
        path = "cone.tokens.web:templates/progress.pt"
        return form and form + render_template(path, request=request, model=model, context=self)

    @property
    def cancel_url(self) -> str:
        """Where to go without adding tokens."""
        return url(self.request, self.model)

    def prepare(self) -> None:
        """Make the form."""
        self.new_form(ADD_MANY, parts=PART)
        self.fields = (*_FIELDS, *(field for field in self.fields if field.name != VALUE.name))
        texts = {
            **default_texts(current_parser()),
            COUNT.name: "",
            RANDOM.name: ON,
            PREFIX.name: "",
        }
        for field in self.fields:
            self.form[field.name] = field.widget(texts[field.name])
        self.add_key()
        self.add_button(ADD_WORD)

    def save_token(self) -> None:
        """Add the tokens and go to the list of them."""
        sent = self.sent()
        given = {ENABLED.name: OFF, RANDOM.name: OFF, **collect(sent, _PARAMETERS)}
        token, count, prefix = current_parser().new_tokens(given)
        key = self.key("add_tokens", given)
        by = wiring.actor(self.request)
        with wiring.get(Places).work(count):
            uids = wiring.get(TicketService).add_many(token, count, prefix, by=by, key=key)
        made = {FIRST: uids[0], _LAST: uids[-1], DONE_COUNT: count, PREFIX.name: prefix or ""}
        if _PART_FIELD in dict(sent):
            self.request.environ[_ANSWER] = {name: str(value) for name, value in made.items()}
        self.succeed(url(self.request, self.model, ADD_MANY, f"?{urlencode(made)}"))


def answer_to_script(request: Request) -> Response | None:
    """Return the JSON answer for a part that a script sent, or None."""
    made = request.environ.get(_ANSWER)
    if made is None:
        return None
    body = json.dumps(made).encode()
    return Response(body, content_type="application/json", cache_control="no-store")


def list_url(model: TokenContainer, request: Request) -> str:
    """Return the address of the list of the tokens that were made.

    They are those from the first to the last one, with the same beginning: what somebody else
    adds in between with that beginning is among them.
    """
    first, last = (_token(request.GET.get(name, "")) for name in (FIRST, _LAST))
    note = {DONE: "add", DONE_COUNT: request.GET.get(DONE_COUNT, "")}
    if first is None or last is None:
        return url(request, model, OVERVIEW, f"?{urlencode(note)}")
    zone = wiring.get(TokensConfig).zone
    start, end = (token.created.astimezone(zone) for token in (first, last))
    # Fields for times know milliseconds.
    range_ = {
        NEW: "1",
        "created_from": start.isoformat(timespec="milliseconds"),
        "created_to": (end + _MILLISECOND).isoformat(timespec="milliseconds"),
    }
    prefix = request.GET.get(PREFIX.name, "")
    search = {SEARCH: prefix, MATCH: PREFIX.name} if prefix else {}
    # They are all alike.
    doubts = {UNUSABLE: [status.value for status in TICKET.rules.lasting(first, first.read_at)]}
    query = urlencode({**search, **range_, **note, **doubts}, doseq=True)
    return url(request, model, OVERVIEW, f"?{query}")


def _token(text: str) -> Ticket | None:
    uid = find_uid(text)
    return wiring.get(TicketService).find(uid) if uid else None
