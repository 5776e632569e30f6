"""Hints in the forms of tokens: what is entered makes a token that cannot be used.

They are warnings: the form can be saved. The server shows those that hold for what it put into the
fields, a script those that hold for what is being entered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Final

from pyramid.renderers import render
from yafowil.base import factory

from cone.tokens.browser.texts import UNUSABLE
from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import Status
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.values import NewTicket
from cone.tokens.web.fields import OFF

BLUEPRINT: Final = "tokens_hints"

#: The field that each hint is about.
FIELDS: Final = {
    Status.EXHAUSTED: USAGE_COUNT.name,
    Status.EXPIRED: VALID_TO.name,
    Status.DISABLED: ENABLED.name,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """A hint.

    :ivar when: the status that it is about, as the script calls it.
    :ivar default: what an empty field means.
    """

    when: str
    text: object
    field: str
    default: str
    is_shown: bool


def hints(raw: Mapping[str, Any], parser: Parser) -> list[Hint]:
    """Return all hints of a form.

    :param raw: what stands in its fields. What cannot be read gives no hint: it is a mistake.
    """
    found = TICKET.rules.lasting(_token(raw, parser), utc_now())
    defaults = {USAGE_COUNT.name: str(parser.usage_count)}
    return [
        Hint(status.value, text, FIELDS[status], defaults.get(FIELDS[status], ""), status in found)
        for status, text in UNUSABLE.items()
    ]


def hints_widget(hints_of_now: Callable[[], list[Hint]]) -> Any:
    """Return the widget that shows hints.

    :param hints_of_now: returns them, for what stands in the fields.
    """
    return factory(BLUEPRINT, props={"hints": hints_of_now, "structural": True})


def _token(raw: Mapping[str, Any], parser: Parser) -> NewTicket:
    token = NewTicket(usage_count=parser.usage_count)
    for name in FIELDS.values():
        given = raw.get(name, OFF if name == ENABLED.name else "")
        try:
            read = parser.read_token({name: given})
        except InvalidParameter:
            continue
        token = dataclasses.replace(token, **{name: getattr(read, name)})
    return token


def _render(widget: Any, data: Any) -> str:
    values = {"hints": widget.attrs["hints"]()}
    return render("cone.tokens.browser:templates/hints.pt", values, request=data.request.request)


factory.register(BLUEPRINT, extractors=[], edit_renderers=[_render])
