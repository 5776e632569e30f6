"""Tickets that are found by a part of their code or label, by who may not see codes.

What was found is named by a number that stands for nothing else: its uid may be its code.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import integer_schema
from cone.tokens.core.params import missing
from cone.tokens.core.params import parse_integer
from cone.tokens.core.params import parse_json_list
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.host.rendering import Json
from cone.tokens.host.rendering import encoded
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.params import MOST_NOT_READ_AS
from cone.tokens.tickets.params import OF_SEARCH
from cone.tokens.tickets.parser import parse_search
from cone.tokens.tickets.values import Ticket

#: Tickets that a search tells.
MOST_HITS: Final = 10

#: The fields of a ticket that a hit tells.
HIT_FIELDS: Final = (
    "label",
    "category",
    "status",
    "usage_count",
    "valid_from",
    "valid_to",
    "locked_until",
    "last_used",
    "last_user",
)

FOUND: Final = Parameter(
    "found",
    integer_schema(1, MAX_INTEGER),
    "The number of a token that was found.",
    required=True,
)
NOT_FOUND = Parameter(
    "not_found",
    {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
        "minItems": 1,
        "maxItems": MOST_NOT_READ_AS,
        "uniqueItems": True,
    },
    "JSON list of numbers of `find_tokens` that were consumed just now; in a JSON body the list or "
    "its text. The code of such a token is refused, with the error `repeated`.",
)
#: Of a look-up: instead of a search.
FOUND_AGAIN: Final = Parameter(
    FOUND.name, FOUND.schema, f"{FOUND.description} Instead of `{OF_SEARCH.name}`."
)


def parse_sought(given: Mapping[str, Any]) -> str | int:
    """Return the text that is searched for, or the number of a token that was found.

    :raises InvalidParameter: it is neither, or both are given.
    """
    names = [name for name in (OF_SEARCH.name, FOUND.name) if given.get(name, "") != ""]
    if len(names) > 1:
        message = f"{FOUND.name}: cannot be given together with {OF_SEARCH.name}"
        raise InvalidParameter(FOUND.name, "not_together", message)
    if names == [FOUND.name]:
        return parse_found(given)
    if not names:
        raise missing(OF_SEARCH)
    return parse_search(OF_SEARCH, given[OF_SEARCH.name])


def parse_found(given: Mapping[str, Any]) -> int:
    """Return the number of a token that was found.

    :raises InvalidParameter: it is none.
    """
    if given.get(FOUND.name, "") == "":
        raise missing(FOUND)
    return parse_integer(FOUND, given[FOUND.name])


def parse_numbers(given: Mapping[str, Any]) -> list[int]:
    """Return the numbers of tokens that were found and are not meant.

    :raises InvalidParameter: it is no JSON list of 1 to 100 different numbers.
    """
    raw = given.get(NOT_FOUND.name, "")
    if raw == "":
        return []
    members = parse_json_list(raw) if isinstance(raw, str) else raw
    schema = NOT_FOUND.schema
    if not isinstance(members, list) or not 1 <= len(members) <= schema["maxItems"]:
        raise _no_numbers()
    try:
        numbers = [parse_integer(FOUND, f"{member}") for member in members]
    except InvalidParameter:
        raise _no_numbers() from None
    if len(set(numbers)) < len(numbers):
        raise _no_numbers()
    return numbers


def _no_numbers() -> InvalidParameter:
    name, maximum = NOT_FOUND.name, NOT_FOUND.schema["maxItems"]
    message = f"{name}: must be a JSON list of 1 to {maximum} different numbers"
    return InvalidParameter(name, "invalid_numbers", message, maximum=maximum)


def hit_json(number: int, token: Ticket, zone: datetime.tzinfo) -> Json:
    """Return the JSON of a token that was found; times in ``zone``."""
    fields = fields_of(token)
    told = {name: encoded(fields[name], zone) for name in HIT_FIELDS}
    return {FOUND.name: number, **told}
