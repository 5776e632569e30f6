"""The address of the list: its name and parameters, and what they ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Final
from urllib.parse import urlencode

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.search import LEAST
from cone.tokens.core.values import TokenQuery
from cone.tokens.i18n import _
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.texts import GIVEN_TWICE
from cone.tokens.web.texts import UNKNOWN_MISTAKE
from cone.tokens.web.texts import mistake_text

#: Name of the page.
OVERVIEW: Final = "tokens_overview"

#: Names of the parameters in its address.
SEARCH: Final = "search"
MATCH: Final = "match"
STATUS: Final = "status"
CATEGORY: Final = "category"
SORT: Final = "sort"
SIZE: Final = "size"
AFTER: Final = "after"
BEFORE: Final = "before"
TIMES: Final = ("created_from", "created_to", "valid_at")
#: Says that the times are those of tokens that were just added: nobody entered them.
NEW: Final = "new"
STATE: Final = (SEARCH, MATCH, STATUS, CATEGORY, *TIMES, SORT, SIZE, NEW)

#: How the text that is searched for is meant; the names are those of the parser.
PART: Final = "search"
PREFIX: Final = "prefix"
EXACT: Final = "value"
MATCHES: Final = {
    PART: _("match_part", default="Code or label has"),
    PREFIX: _("match_prefix", default="Code begins with"),
    EXACT: _("match_exact", default="Code is exactly"),
}
PAGE_SIZE: Final = "50"
SIZES: Final = ("25", PAGE_SIZE, "100", "200")
NEWEST_FIRST: Final = "-created"
ORDERS: Final = {
    NEWEST_FIRST: _("order_newest", default="Newest first"),
    "created": _("order_oldest", default="Oldest first"),
    "value": _("order_value", default="Value, A to Z"),
    "-value": _("order_value_down", default="Value, Z to A"),
}
#: What stands in an address only where it is something else.
_DEFAULTS: Final = {MATCH: PART, SORT: NEWEST_FIRST, SIZE: PAGE_SIZE}
#: What the parser calls parameters that have another name in the address.
_PARSED: Final = {PREFIX: SEARCH, EXACT: SEARCH, "limit": SIZE}


@dataclasses.dataclass(frozen=True, slots=True)
class ListState:
    """What the address of the list asks for, as far as it is possible.

    :ivar texts: the parameters as they were given, without those that are wrong or a default.
    :ivar mistakes: what is wrong with the others.
    :ivar is_wrong_page: whether the token beside the page is named wrongly.
    """

    query: TokenQuery
    texts: Mapping[str, str]
    mistakes: Mapping[str, object]
    is_wrong_page: bool

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> ListState:
        """Return the state in ``pairs`` of names and texts; the first page after a mistake."""
        texts: dict[str, str] = {}
        mistakes: dict[str, object] = {}
        for name, text in pairs:
            if name in texts:
                mistakes[name] = GIVEN_TWICE
            elif name in (*STATE, AFTER, BEFORE):
                texts[name] = text
        for name, choices in ((MATCH, MATCHES), (SIZE, SIZES)):
            if texts.get(name, "") not in ("", *choices):
                mistakes[name] = UNKNOWN_MISTAKE
        is_wrong_page = bool({AFTER, BEFORE} & {name for name, text in texts.items() if not text})
        while True:
            if mistakes or is_wrong_page:
                texts = {
                    name: text
                    for name, text in texts.items()
                    if name not in {*mistakes, AFTER, BEFORE}
                }
            try:
                query = current_parser().token_query(_raw(texts))
            except InvalidParameter as error:
                name = _PARSED.get(error.parameter, error.parameter)
                if name in (AFTER, BEFORE):
                    is_wrong_page = True
                else:
                    mistakes[name] = mistake_text(error)
                continue
            return cls(query, _without_defaults(texts), mistakes, is_wrong_page)

    @property
    def is_of_new(self) -> bool:
        """Whether the list is about the tokens that were just added."""
        return bool(self.texts.get(NEW) and self.texts.get(TIMES[0])) and STATUS not in self.texts

    @property
    def address(self) -> str:
        """The state as the query of an address."""
        return self.address_with()

    def chosen(self, name: str) -> str:
        """Return the choice in a field, which may be its default."""
        return self.texts.get(name) or _DEFAULTS.get(name, "")

    def address_with(self, **changes: object) -> str:
        """Return the query of the address of another list or page."""
        texts = {**{name: self.texts.get(name, "") for name in STATE}, **changes}
        given = {name: text for name, text in _without_defaults(texts).items() if text}
        return f"?{urlencode(given)}" if given else ""


def _without_defaults(texts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: text for name, text in texts.items() if text != _DEFAULTS.get(name, "")}


def _raw(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters under the names of the parser."""
    raw = {
        name: texts[name]
        for name in (STATUS, CATEGORY, *TIMES, SORT, AFTER, BEFORE)
        if name in texts
    }
    search, match = texts.get(SEARCH, ""), texts.get(MATCH) or PART
    # There are too many codes with one or two letters somewhere.
    is_beginning = match == PART and len(search) < LEAST
    raw[PREFIX if is_beginning else match] = search
    return {**raw, "limit": texts.get(SIZE) or PAGE_SIZE}
