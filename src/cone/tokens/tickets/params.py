"""The parameters of tickets: what a request may give, and what it means by it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import get_args

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import integer_schema
from cone.tokens.core.params import missing
from cone.tokens.core.params import no_choice
from cone.tokens.core.params import no_uids
from cone.tokens.core.params import or_null
from cone.tokens.core.params import parse_integer
from cone.tokens.core.params import parse_text
from cone.tokens.core.params import parse_uids
from cone.tokens.core.params import text_schema
from cone.tokens.core.params import unless_empty
from cone.tokens.core.search import LEAST
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import Sort
from cone.tokens.core.values import SortKey
from cone.tokens.core.values import Status

#: Bytes of UTF-8 that a value may have (contract 2).
MAX_VALUE_BYTES: Final = codes.MAX_BYTES

#: Characters that follow the prefix of a random value: 130 bits.
RANDOM_LENGTH: Final = codes.RANDOM_LENGTH
DEFAULT_USAGES: Final = 50
MAX_USAGES: Final = 500
PICTURE_FORMATS: Final = ("png", "svg")

#: Characters that each may have.
MAX_LABEL: Final = 200
MAX_EMAIL: Final = 254
MAX_CATEGORY: Final = 100
MAX_NOTE: Final = 2_000
#: Characters that a search may have.
MAX_SEARCH: Final = 200
#: Members that ``data`` may have, and characters of their names and texts.
MAX_DATA: Final = 50
MAX_DATA_NAME: Final = 100
MAX_DATA_TEXT: Final = 500


def _window_edge(name: str, description: str) -> Parameter:
    schema = {"type": ["string", "null"], "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
    return Parameter(name, schema, f"{description} Empty: open.")


def _detail(name: str, limit: int, description: str) -> Parameter:
    return Parameter(name, text_schema(limit), f"{description} Empty: none.")


def _text_filter(name: str, description: str) -> Parameter:
    return Parameter(name, {**text_schema(MAX_VALUE_BYTES), "type": "string"}, description)


def _time_filter(name: str, description: str) -> Parameter:
    schema = {"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
    return Parameter(name, schema, description)


VALUE = Parameter(
    "value",
    text_schema(MAX_VALUE_BYTES),
    "What the token is looked up by, 1 to 2,048 bytes of UTF-8 in normal form C, without invisible "
    "characters (GS inside excepted) and without blanks at the ends. Empty: the uid.",
)
VALUE_SOUGHT = Parameter(
    "value",
    {"type": "string", "minLength": 1},
    "The code to look up. Where no token has it exactly, it is read without what devices add "
    "(blanks, prefixes as `]Q1`), in any case and by other keyboards; the address of a token's "
    "page means that token. Then `read_as` tells the code.",
    required=True,
)
PAUSE: Final = "pause"
ENDED_BY = Parameter(
    "ended_by",
    {"type": ["string", "null"], "enum": [PAUSE, "", None]},
    f"What ended the code: `{PAUSE}` where nothing else says that it is complete. One that another "
    "code begins with is refused then, with the error `unfinished`.",
)
MOST_NOT_READ_AS: Final = 100
NOT_READ_AS = Parameter(
    "not_read_as",
    {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "minItems": 1,
        "maxItems": MOST_NOT_READ_AS,
        "uniqueItems": True,
    },
    "JSON list of different uids of tokens that were consumed just now; in a JSON body the list or "
    "its text. A code that is another form of the code of such a token is refused, with the error "
    "`repeated`; the exact code is not.",
)
VALID_FROM = _window_edge("valid_from", "The token is valid from this time, itself included.")
VALID_TO = _window_edge("valid_to", "The token is valid to this time, itself included.")
USAGE_COUNT = Parameter(
    "usage_count",
    integer_schema(UNLIMITED, MAX_INTEGER),
    "Uses left; -1 is unlimited.",
)
LOCK_TIME = Parameter(
    "lock_time",
    integer_schema(0, MAX_INTEGER),
    "Seconds that the token rests after a consumption.",
)
ENABLED = Parameter(
    "enabled",
    {
        "type": ["boolean", "integer", "string"],
        "minimum": 0,
        "maximum": 1,
        "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$",
    },
    "`true`, `false`, `1` or `0` in any case; while it is false every consumption is refused.",
)
LABEL = _detail("label", MAX_LABEL, "Who or what the token is for, in one line.")
EMAIL = _detail("email", MAX_EMAIL, "The address of who has the token.")
CATEGORY = _detail("category", MAX_CATEGORY, "The kind of ticket, such as `VIP`.")
NOTE = _detail("note", MAX_NOTE, "What else is to be known; may have several lines.")
DATA = Parameter(
    "data",
    {
        "type": ["object", "string", "null"],
        "maxProperties": MAX_DATA,
        "propertyNames": {"minLength": 1, "maxLength": MAX_DATA_NAME},
        "additionalProperties": {"type": "string", "maxLength": MAX_DATA_TEXT},
    },
    "JSON object of texts, in a JSON body it or its text: what a list has in its other columns. "
    "Empty: none.",
)
COUNT = Parameter(
    "count",
    integer_schema(1, MAX_BATCH),
    "How many tokens to add.",
    required=True,
)
PREFIX = Parameter(
    "prefix",
    text_schema(MAX_VALUE_BYTES - RANDOM_LENGTH),
    "Values are it and 26 random upper-case base32 characters. Without it: see `random`.",
)
RANDOM = Parameter(
    "random",
    dict(ENABLED.schema),
    "Whether values are random where there is no `prefix`, with one they are. Else the uid.",
)
TOKEN_UIDS = Parameter(
    "token_uids",
    {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "minItems": 1,
        "maxItems": MAX_BATCH,
        "uniqueItems": True,
    },
    "JSON list of different uids; in a JSON body the list or its text.",
    required=True,
)
LIMIT = Parameter(
    "limit",
    integer_schema(1, MAX_USAGES, pattern="^([+-]?[0-9]+)?$", default=DEFAULT_USAGES),
    "How many usages to return. Empty: the default.",
)
BEFORE = Parameter(
    "before",
    {"type": "string", "anyOf": [{"format": "uuid"}, {"maxLength": 0}]},
    "A receipt of this token: return the usages before it. Empty: the newest.",
)
FORMAT = Parameter(
    "format",
    {"type": "string", "enum": [*PICTURE_FORMATS, ""]},
    "Format of the picture. Without it or empty: PNG as an attachment.",
)

#: What a token is issued with and what an update may change.
TOKEN_PARAMETERS = (
    *(VALUE, VALID_FROM, VALID_TO, USAGE_COUNT, LOCK_TIME, ENABLED),
    *(LABEL, EMAIL, CATEGORY, NOTE, DATA),
)

#: Which tokens are meant. An empty one is the same as none.
FILTER_PARAMETERS = (
    _text_filter("value", "The whole value; case and spaces count."),
    _text_filter("prefix", "The beginning of the value."),
    Parameter(
        "search",
        {
            "type": "string",
            "maxLength": MAX_SEARCH,
            "anyOf": [{"minLength": LEAST}, {"maxLength": 0}],
        },
        "Words that the value or the label has, whole or in part; case and accents do not count. "
        f"At least {LEAST} characters.",
    ),
    Parameter(
        "category",
        {"type": "string", "maxLength": CATEGORY.schema["maxLength"]},
        "The whole category; case counts.",
    ),
    Parameter(
        "status",
        {"type": "string", "enum": [*(status.value for status in Status), ""]},
        "What the tokens can do right now.",
    ),
    _time_filter("created_from", "They were added then or later."),
    _time_filter("created_to", "They were added then or before."),
    _time_filter("valid_at", "Their window has this time in it."),
)
OF_VALUE, OF_PREFIX, OF_SEARCH, OF_CATEGORY, OF_STATUS, *_OF_TIMES = FILTER_PARAMETERS
CREATED_FROM, CREATED_TO, VALID_AT = _OF_TIMES

#: The orders of a list, by what a request calls them.
SORTS: Final = {
    f"{mark}{by}": Sort(by=by, is_descending=mark == "-")
    for by in get_args(SortKey)
    for mark in ("", "-")
}
SORT = Parameter(
    "sort",
    {"type": "string", "enum": [*SORTS, ""]},
    "Order of the tokens; `-` turns it around. Empty: `-created`, the newest first.",
)
PAGE_LIMIT = Parameter(LIMIT.name, LIMIT.schema, "How many tokens to return. Empty: the default.")
AFTER = Parameter(
    "after",
    BEFORE.schema,
    "The uid of a token: return those behind it. Empty: the first ones.",
)
BEFORE_TOKEN = Parameter(
    BEFORE.name,
    BEFORE.schema,
    "The uid of a token: return those in front of it. Not together with `after`.",
)
QUERY_PARAMETERS = (*FILTER_PARAMETERS, SORT, PAGE_LIMIT, AFTER, BEFORE_TOKEN)
FILTER = Parameter(
    "filter",
    {
        "type": "object",
        "properties": {
            parameter.name: or_null(parameter.schema) for parameter in FILTER_PARAMETERS
        },
        "additionalProperties": False,
    },
    f"JSON object of filters, in a JSON body it or its text: all tokens for which they hold, at "
    f"most {MAX_BATCH:,}. Instead of `{TOKEN_UIDS.name}`; an empty object means all.",
)
EXPECTED_COUNT = Parameter(
    "expected_count",
    integer_schema(0, MAX_INTEGER),
    "How many tokens are meant; where it is another number, nothing is changed.",
)
CHOSEN_UIDS = Parameter(
    TOKEN_UIDS.name,
    TOKEN_UIDS.schema,
    f"{TOKEN_UIDS.description} Either it or `{FILTER.name}` is required.",
)

#: Which tokens a change is about.
SELECTION_PARAMETERS = (CHOSEN_UIDS, FILTER, EXPECTED_COUNT)

_FOR_MANY = tuple(parameter for parameter in TOKEN_PARAMETERS if parameter is not VALUE)

#: What many tokens are issued with. The parser knows ``value`` too, to refuse it.
TOKENS_PARAMETERS = (
    Parameter(VALUE.name, {"not": {}}, "Refused: take ``prefix`` or ``random``."),
    *_FOR_MANY,
    COUNT,
    PREFIX,
    RANDOM,
)

#: What a consumption by a code takes.
CODE_PARAMETERS = (VALUE_SOUGHT, ENDED_BY, NOT_READ_AS)

#: What may be changed in many tokens, and in which. ``value`` is refused in the same way.
CHANGES_PARAMETERS = (
    Parameter(VALUE.name, {"not": {}}, "Refused: each token has its own."),
    *_FOR_MANY,
    *SELECTION_PARAMETERS,
)


def parse_value_sought(given: Mapping[str, Any]) -> str:
    """Return the value to look up, of any length.

    :raises InvalidParameter: it is missing, empty or no text.
    """
    raw = given.get(VALUE_SOUGHT.name, "")
    if raw == "":
        raise missing(VALUE_SOUGHT)
    return parse_text(VALUE_SOUGHT, raw)


def parse_is_complete(given: Mapping[str, Any]) -> bool:
    """Return whether the code that is looked up is known to be complete.

    :raises InvalidParameter: it ended in no way that there is.
    """
    raw: object = given.get(ENDED_BY.name, "")
    if raw not in ("", PAUSE):
        raise no_choice(ENDED_BY)
    return raw != PAUSE


def parse_token_uids(given: Mapping[str, Any]) -> list[uuid.UUID]:
    """Return the uids of the tokens to delete.

    :raises InvalidParameter: no JSON list of 1 to 10,000 different texts.
    :raises TokenNotFound: one of them spells no uid.
    """
    raw = given.get(TOKEN_UIDS.name, "")
    if raw == "":
        raise missing(TOKEN_UIDS)
    return parse_uids(TOKEN_UIDS, raw)


def parse_not_read_as(given: Mapping[str, Any]) -> list[uuid.UUID]:
    """Return the tokens that are meant by their exact codes alone.

    :raises InvalidParameter: no JSON list of 1 to 100 different uids.
    """
    if NOT_READ_AS.name not in given:
        return []
    try:
        return parse_uids(NOT_READ_AS, given[NOT_READ_AS.name])
    except TokenNotFound:
        raise no_uids(NOT_READ_AS) from None


def parse_usages(given: Mapping[str, Any]) -> tuple[int, uuid.UUID | None]:
    """Return how many usages to show, and the receipt to show those before.

    :raises InvalidParameter: a parameter is wrong.
    """
    limit = unless_empty(LIMIT, given, parse_integer, DEFAULT_USAGES)
    raw = given.get(BEFORE.name, "")
    if raw == "":
        return limit, None
    before = find_uid(raw) if isinstance(raw, str) else None
    if before is None:
        raise invalid_receipt()
    return limit, before


def parse_expected_count(given: Mapping[str, Any]) -> int | None:
    """Return how many tokens the caller expects to change, None where nothing is expected.

    :raises InvalidParameter: it is no such number.
    """
    if EXPECTED_COUNT.name not in given:
        return None
    return parse_integer(EXPECTED_COUNT, given[EXPECTED_COUNT.name])


def unknown_token(name: str) -> InvalidParameter:
    """Return the error of a parameter that has to name a token that there is."""
    return InvalidParameter(name, "unknown_token", f"{name}: there is no such token")


def invalid_receipt() -> InvalidParameter:
    """Return the error of a ``before`` that is no receipt of the token."""
    message = f"{BEFORE.name}: is no receipt of this token"
    return InvalidParameter(BEFORE.name, "invalid_receipt", message)


def parse_picture_format(given: Mapping[str, Any]) -> str | None:
    """Return the format of a picture, None where none is given.

    :raises InvalidParameter: it is neither png nor svg.
    """
    raw = given.get(FORMAT.name, "")
    if raw == "":
        return None
    if raw not in PICTURE_FORMATS:
        message = f"{FORMAT.name}: must be {' or '.join(PICTURE_FORMATS)}"
        raise InvalidParameter(FORMAT.name, "invalid_format", message)
    return str(raw)
