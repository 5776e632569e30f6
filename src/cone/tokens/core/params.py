"""Text to typed values: the one parser for the JSON API, the forms and the command line.

A request gives pairs of a name and a raw value: text, or what a JSON body holds. :func:`collect`
makes one mapping of them, a :class:`Parser` reads use cases out of it. Everything that is wrong is
an :class:`~cone.tokens.core.errors.InvalidParameter` that names the parameter.

*Omitted* and *empty* differ: an omitted parameter is absent from the mapping, an empty one is
the empty text. JSON's ``null`` means empty (contract 3).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import NoReturn
from typing import TypeVar
from typing import get_args

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.types import MAX_INTEGER
from cone.tokens.core.types import NEWEST_FIRST
from cone.tokens.core.types import UNLIMITED
from cone.tokens.core.types import UNSET
from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Selection
from cone.tokens.core.types import Sort
from cone.tokens.core.types import SortKey
from cone.tokens.core.types import Status
from cone.tokens.core.types import TokenChanges
from cone.tokens.core.types import TokenFilter
from cone.tokens.core.types import TokenQuery
from cone.tokens.core.types import Unset

T = TypeVar("T")

#: Bytes of UTF-8 that a value may have (contract 2).
MAX_VALUE_BYTES: Final = 2_048

#: Tokens that one request may add or delete.
MAX_BATCH: Final = 10_000

#: Characters that follow the prefix of a random value: 130 bits.
RANDOM_LENGTH: Final = 26

#: First and last instant that a window may have; a day more or less fits any zone's calendar.
MIN_INSTANT: Final = datetime.datetime(2, 1, 1, tzinfo=datetime.UTC)
MAX_INSTANT: Final = datetime.datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)
#: A token that an old database has as last used after it is locked until the last instant: what
#: the longest lock time adds could not be stored.
LAST_LOCKING: Final = datetime.datetime(9900, 1, 1, tzinfo=datetime.UTC)

DEFAULT_USAGES: Final = 50
MAX_USAGES: Final = 500
PICTURE_FORMATS: Final = ("png", "svg")

_UID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9](:?[0-5][0-9])?)?)?",
    re.ASCII,
)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


class NumberText(str):
    """A number of a JSON body as it was written: nothing is rounded, nothing overflows."""

    __slots__ = ()


def find_uid(text: str) -> uuid.UUID | None:
    """Return the uid that ``text`` spells with hyphens in either case, or None."""
    return uuid.UUID(text) if _UID.fullmatch(text) else None


def get_uid(text: str) -> uuid.UUID:
    """Return the uid that ``text`` spells.

    :raises TokenNotFound: it spells none, so there is no such token.
    """
    uid = find_uid(text)
    if uid is None:
        raise TokenNotFound(text)
    return uid


def parse_json(text: str) -> list[tuple[str, Any]]:
    """Return the members of the JSON object in ``text``, a name that stands twice twice.

    :raises InvalidParameter: ``text`` is no JSON object, or nested too deeply.
    """
    try:
        members = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, _Members):
        name = "body"
        raise InvalidParameter(name, "invalid_json", f"{name}: is no JSON object")
    return list(members)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, to be told from a JSON list."""


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what Python reads and JSON does not have: NaN, Infinity."""
    raise ValueError(name)


def collect(pairs: Iterable[tuple[str, Any]], known: Iterable[Parameter]) -> dict[str, Any]:
    """Return the raw values of the ``known`` parameters by name; others are ignored.

    :param pairs: names and values of query, form and JSON body together.
    :raises InvalidParameter: a known parameter is given twice.
    """
    names = {parameter.name for parameter in known}
    given: dict[str, Any] = {}
    for name, raw in pairs:
        if name not in names:
            continue
        if name in given:
            raise InvalidParameter(name, "given_twice", f"{name}: given more than once")
        given[name] = "" if raw is None else raw
    return given


def parse_idempotency_key(text: str) -> str:
    """Return the key of an ``Idempotency-Key`` header.

    :raises InvalidParameter: it is not 1 to 128 characters from 0x21 to 0x7E.
    """
    name = "Idempotency-Key"
    if not _KEY.fullmatch(text):
        message = f"{name}: must be 1 to 128 printable ASCII characters without spaces"
        raise InvalidParameter(name, "invalid_key", message)
    return text


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """The declaration of a parameter: what a request may give and the document tells.

    :ivar schema: JSON schema of the value (OpenAPI 3.1).
    """

    name: str
    schema: Mapping[str, Any]
    description: str
    required: bool = False


def _integer_schema(minimum: int, maximum: int, **more: object) -> dict[str, Any]:
    """Return the schema of a number or its text; what bounds a number says nothing of texts."""
    return {
        "type": ["integer", "string"],
        "minimum": minimum,
        "maximum": maximum,
        "pattern": "^[+-]?[0-9]+$",
        **more,
    }


def _text_schema(limit: int) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": limit, "pattern": r"^[^\u0000]*$"}


def _window_edge(name: str, description: str) -> Parameter:
    schema = {"type": ["string", "null"], "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
    return Parameter(name, schema, f"{description} Empty: open.")


def _text_filter(name: str, description: str) -> Parameter:
    return Parameter(name, {**_text_schema(MAX_VALUE_BYTES), "type": "string"}, description)


def _time_filter(name: str, description: str) -> Parameter:
    schema = {"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
    return Parameter(name, schema, description)


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a text inside of JSON, where null means empty."""
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **enum, "type": [schema["type"], "null"]}


VALUE = Parameter(
    "value",
    _text_schema(MAX_VALUE_BYTES),
    "What the token is looked up by, 1 to 2,048 bytes of UTF-8. Empty: the uid.",
)
VALUE_SOUGHT = Parameter(
    "value",
    {"type": "string", "minLength": 1},
    "The value to look up; case and spaces count.",
    required=True,
)
VALID_FROM = _window_edge("valid_from", "The token is valid from this time, itself included.")
VALID_TO = _window_edge("valid_to", "The token is valid to this time, itself included.")
USAGE_COUNT = Parameter(
    "usage_count",
    _integer_schema(UNLIMITED, MAX_INTEGER),
    "Uses left; -1 is unlimited.",
)
LOCK_TIME = Parameter(
    "lock_time",
    _integer_schema(0, MAX_INTEGER),
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
COUNT = Parameter(
    "count",
    _integer_schema(1, MAX_BATCH),
    "How many tokens to add.",
    required=True,
)
PREFIX = Parameter(
    "prefix",
    _text_schema(MAX_VALUE_BYTES - RANDOM_LENGTH),
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
    _integer_schema(1, MAX_USAGES, pattern="^([+-]?[0-9]+)?$", default=DEFAULT_USAGES),
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
TOKEN_PARAMETERS = (VALUE, VALID_FROM, VALID_TO, USAGE_COUNT, LOCK_TIME, ENABLED)

#: Which tokens are meant. An empty one is the same as none.
FILTER_PARAMETERS = (
    _text_filter("value", "The whole value; case and spaces count."),
    _text_filter("prefix", "The beginning of the value."),
    Parameter(
        "status",
        {"type": "string", "enum": [*(status.value for status in Status), ""]},
        "What the tokens can do right now.",
    ),
    _time_filter("created_from", "They were added then or later."),
    _time_filter("created_to", "They were added then or before."),
    _time_filter("valid_at", "Their window has this time in it."),
)
_OF_VALUE, _OF_PREFIX, _OF_STATUS, _CREATED_FROM, _CREATED_TO, _VALID_AT = FILTER_PARAMETERS

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
            parameter.name: _or_null(parameter.schema) for parameter in FILTER_PARAMETERS
        },
        "additionalProperties": False,
    },
    f"JSON object of filters, in a JSON body it or its text: all tokens for which they hold, at "
    f"most {MAX_BATCH:,}. Instead of `{TOKEN_UIDS.name}`; an empty object means all.",
)
EXPECTED_COUNT = Parameter(
    "expected_count",
    _integer_schema(0, MAX_INTEGER),
    "How many tokens are meant; where it is another number, nothing is changed.",
)
CHOSEN_UIDS = Parameter(
    TOKEN_UIDS.name,
    TOKEN_UIDS.schema,
    f"{TOKEN_UIDS.description} Either it or `{FILTER.name}` is required.",
)
#: Which tokens a change is about.
SELECTION_PARAMETERS = (CHOSEN_UIDS, FILTER, EXPECTED_COUNT)


@dataclasses.dataclass(frozen=True, slots=True)
class Parser:
    """Reads use cases out of raw parameters.

    :ivar zone: naive times are read in it.
    :ivar usage_count: default of an omitted or empty ``usage_count`` of a new token.
    :ivar lock_time_s: the same of ``lock_time``.
    """

    zone: datetime.tzinfo
    usage_count: int = 0
    lock_time_s: int = 0

    def new_token(self, given: Mapping[str, Any]) -> NewToken:
        """Return the token to add.

        :raises InvalidParameter: a parameter is wrong.
        """
        valid_from = self._edge(VALID_FROM, given)
        valid_to = self._edge(VALID_TO, given)
        check_window(valid_from, valid_to)
        return NewToken(
            value=_parse_value(VALUE, given.get(VALUE.name, "")),
            valid_from=valid_from,
            valid_to=valid_to,
            usage_count=_unless_empty(USAGE_COUNT, given, _parse_integer, self.usage_count),
            lock_time_s=_unless_empty(LOCK_TIME, given, _parse_integer, self.lock_time_s),
            enabled=_unless_empty(ENABLED, given, _parse_flag, default=True),
        )

    def new_tokens(self, given: Mapping[str, Any]) -> tuple[NewToken, int, str | None]:
        """Return what the tokens to add have in common, how many, and the prefix of their values.

        :raises InvalidParameter: a parameter is wrong; ``value`` is one here.
        """
        _refuse_value(given, ", take prefix")
        if given.get(COUNT.name, "") == "":
            raise _missing(COUNT)
        count = _parse_integer(COUNT, given[COUNT.name])
        limit = MAX_VALUE_BYTES - RANDOM_LENGTH
        prefix = _parse_value(PREFIX, given.get(PREFIX.name, ""), limit=limit)
        is_random = _unless_empty(RANDOM, given, _parse_flag, default=False)
        if prefix is None and is_random:
            prefix = ""
        return self.new_token(given), count, prefix

    def changes(self, given: Mapping[str, Any]) -> TokenChanges:
        """Return the changes of an update; what is omitted stays unset.

        :raises InvalidParameter: a parameter is wrong.
        """
        valid_from = self._edge(VALID_FROM, given) if VALID_FROM.name in given else UNSET
        valid_to = self._edge(VALID_TO, given) if VALID_TO.name in given else UNSET
        if valid_from is not UNSET and valid_to is not UNSET:
            check_window(valid_from, valid_to)
        return TokenChanges(
            value=_if_given(VALUE, given, _parse_value),
            valid_from=valid_from,
            valid_to=valid_to,
            usage_count=_if_given(USAGE_COUNT, given, _parse_integer),
            lock_time_s=_if_given(LOCK_TIME, given, _parse_integer),
            enabled=_if_given(ENABLED, given, _parse_flag),
        )

    def changes_of_many(self, given: Mapping[str, Any]) -> TokenChanges:
        """Return the changes of many tokens; what is omitted stays unset.

        :raises InvalidParameter: a parameter is wrong; ``value`` is one here.
        """
        _refuse_value(given)
        return self.changes(given)

    def token_filter(self, given: Mapping[str, Any]) -> TokenFilter:
        """Return which tokens are meant.

        :raises InvalidParameter: a parameter is wrong.
        """
        return TokenFilter(
            value=_parse_value(_OF_VALUE, given.get(_OF_VALUE.name, "")),
            prefix=_parse_value(_OF_PREFIX, given.get(_OF_PREFIX.name, "")),
            status=_unless_empty(_OF_STATUS, given, _parse_status, None),
            created_from=self._edge(_CREATED_FROM, given),
            created_to=self._edge(_CREATED_TO, given),
            valid_at=self._edge(_VALID_AT, given),
        )

    def token_query(self, given: Mapping[str, Any]) -> TokenQuery:
        """Return which page of which tokens is asked for.

        :raises InvalidParameter: a parameter is wrong.
        """
        after = _unless_empty(AFTER, given, _parse_token_uid, None)
        before = _unless_empty(BEFORE_TOKEN, given, _parse_token_uid, None)
        if after and before:
            name = BEFORE_TOKEN.name
            message = f"{name}: cannot be given together with {AFTER.name}"
            raise InvalidParameter(name, "not_together", message)
        return TokenQuery(
            matching=self.token_filter(given),
            sort=_unless_empty(SORT, given, _parse_sort, NEWEST_FIRST),
            limit=_unless_empty(PAGE_LIMIT, given, _parse_integer, DEFAULT_USAGES),
            after=after,
            before=before,
        )

    def selection(self, given: Mapping[str, Any]) -> Selection:
        """Return which tokens a change is about.

        :raises InvalidParameter: a parameter is wrong, or both or none of uids and filter are
            given.
        :raises TokenNotFound: one of the uids spells none.
        """
        name = FILTER.name
        if name not in given:
            return parse_token_uids(given)
        if TOKEN_UIDS.name in given:
            message = f"{name}: cannot be given together with {TOKEN_UIDS.name}"
            raise InvalidParameter(name, "not_together", message)
        raw = given[name]
        members = _parse_json_object(raw) if isinstance(raw, str) else raw
        if not isinstance(members, _Members):
            raise InvalidParameter(name, "invalid_filter", f"{name}: must be a JSON object")
        known = {parameter.name for parameter in FILTER_PARAMETERS}
        # What is ignored elsewhere would mean more tokens than the caller thinks.
        if not known.issuperset(member for member, _raw in members):
            message = f"{name}: may only have {', '.join(sorted(known))}"
            raise InvalidParameter(name, "unknown_filter", message)
        return self.token_filter(collect(members, FILTER_PARAMETERS))

    def instant(self, name: str, raw: object) -> datetime.datetime:
        """Return the time that ``raw`` spells, in UTC.

        ``Z`` or an offset keeps its instant; a naive time is read in the zone, in an autumn fold
        as the later one.

        :raises InvalidParameter: no ISO 8601 time, one that the zone's clocks never show, or out
            of the years 2 to 9998.
        """
        written = _written_time(raw)
        if written is None:
            raise InvalidParameter(name, "invalid_datetime", f"{name}: invalid datetime format")
        try:
            instant = self.to_utc(name, written)
        except OverflowError:
            instant = None
        if instant is None or not MIN_INSTANT <= instant <= MAX_INSTANT:
            message = f"{name}: year must be between 2 and 9998"
            raise InvalidParameter(name, "year_out_of_range", message)
        return instant

    def to_utc(self, name: str, time: datetime.datetime) -> datetime.datetime:
        """Return ``time`` in UTC; a naive one is read in the zone.

        :raises InvalidParameter: the zone's clocks skip this time (spring).
        :raises OverflowError: the year is beyond Python's calendar.
        """
        if time.tzinfo is not None:
            return time.astimezone(datetime.UTC)
        # In a fold the later reading counts; elsewhere the flag changes nothing.
        instant = time.replace(tzinfo=self.zone, fold=1).astimezone(datetime.UTC)
        if instant.astimezone(self.zone).replace(tzinfo=None) != time:
            message = f"{name}: the clocks skip this time, they go forward then"
            raise InvalidParameter(name, "skipped_time", message)
        return instant

    def _edge(self, parameter: Parameter, given: Mapping[str, Any]) -> datetime.datetime | None:
        raw = given.get(parameter.name, "")
        return None if raw == "" else self.instant(parameter.name, raw)


def check_window(
    valid_from: datetime.datetime | None,
    valid_to: datetime.datetime | None,
) -> None:
    """Refuse a window that ends before it begins, or at once.

    :raises InvalidParameter: ``valid_from`` is not before ``valid_to``.
    """
    if valid_from is not None and valid_to is not None and valid_from >= valid_to:
        message = "valid_from must be before valid_to"
        raise InvalidParameter(VALID_FROM.name, "window_order", message)


def parse_value_sought(given: Mapping[str, Any]) -> str:
    """Return the value to look up, of any length.

    :raises InvalidParameter: it is missing, empty or no text.
    """
    raw = given.get(VALUE_SOUGHT.name, "")
    if raw == "":
        raise _missing(VALUE_SOUGHT)
    return _parse_text(VALUE_SOUGHT, raw)


def parse_token_uids(given: Mapping[str, Any]) -> list[uuid.UUID]:
    """Return the uids of the tokens to delete.

    :raises InvalidParameter: no JSON list of 1 to 10,000 different texts.
    :raises TokenNotFound: one of them spells no uid.
    """
    name = TOKEN_UIDS.name
    raw = given.get(name, "")
    if raw == "":
        raise _missing(TOKEN_UIDS)
    texts = _parse_json_list(raw) if isinstance(raw, str) else raw
    if (
        not isinstance(texts, list)
        or not 1 <= len(texts) <= MAX_BATCH
        or not all(type(text) is str for text in texts)
    ):
        message = f"{name}: must be a JSON list of 1 to {MAX_BATCH} uids"
        raise InvalidParameter(name, "invalid_list", message, maximum=MAX_BATCH)
    if len({text.lower() for text in texts}) != len(texts):
        raise InvalidParameter(name, "same_uid_twice", f"{name}: a uid stands twice in it")
    return [get_uid(text) for text in texts]


def parse_usages(given: Mapping[str, Any]) -> tuple[int, uuid.UUID | None]:
    """Return how many usages to show, and the receipt to show those before.

    :raises InvalidParameter: a parameter is wrong.
    """
    limit = _unless_empty(LIMIT, given, _parse_integer, DEFAULT_USAGES)
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
    return _parse_integer(EXPECTED_COUNT, given[EXPECTED_COUNT.name])


def unknown_token(name: str) -> InvalidParameter:
    """Return the error of a parameter that has to name a token that there is."""
    return InvalidParameter(name, "unknown_token", f"{name}: there is no such token")


def too_many_tokens() -> InvalidParameter:
    """Return the error of a filter that means more tokens than one change may be about."""
    name = FILTER.name
    message = f"{name}: means more than {MAX_BATCH} tokens, narrow it"
    return InvalidParameter(name, "too_many_tokens", message, maximum=MAX_BATCH)


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


def _written_time(raw: object) -> datetime.datetime | None:
    if not isinstance(raw, str) or not _INSTANT.fullmatch(raw):
        return None
    try:
        return datetime.datetime.fromisoformat(raw)
    except ValueError:
        return None


def _refuse_value(given: Mapping[str, Any], advice: str = "") -> None:
    if VALUE.name in given:
        message = f"{VALUE.name}: is not for many tokens{advice}"
        raise InvalidParameter(VALUE.name, "not_for_many", message)


def _missing(parameter: Parameter) -> InvalidParameter:
    return InvalidParameter(
        parameter.name,
        "missing",
        f"Missing ``{parameter.name}`` parameter",
    )


def _if_given(
    parameter: Parameter,
    given: Mapping[str, Any],
    parse: Callable[[Parameter, Any], T],
) -> T | Unset:
    return parse(parameter, given[parameter.name]) if parameter.name in given else UNSET


def _unless_empty(
    parameter: Parameter,
    given: Mapping[str, Any],
    parse: Callable[[Parameter, Any], T],
    default: T,
) -> T:
    raw = given.get(parameter.name, "")
    return default if raw == "" else parse(parameter, raw)


def _parse_integer(parameter: Parameter, raw: object) -> int:
    name = parameter.name
    if not isinstance(raw, str) or not _INTEGER.fullmatch(raw):
        raise InvalidParameter(name, "invalid_integer", f"{name}: value is no integer")
    minimum, maximum = parameter.schema["minimum"], parameter.schema["maximum"]
    # Python refuses to read thousands of digits.
    sign, digits = raw[:1].strip("+0123456789"), raw.lstrip("+-").lstrip("0") or "0"
    number = int(sign + digits) if len(digits) <= len(str(MAX_INTEGER)) else None
    if number is None or not minimum <= number <= maximum:
        message = f"{name}: must be between {minimum} and {maximum}"
        raise InvalidParameter(name, "out_of_range", message, minimum=minimum, maximum=maximum)
    return number


def _parse_status(parameter: Parameter, raw: object) -> Status:
    try:
        return Status(raw)
    except ValueError:
        raise _no_choice(parameter) from None


def _parse_sort(parameter: Parameter, raw: object) -> Sort:
    sort = SORTS.get(raw) if isinstance(raw, str) else None
    if sort is None:
        raise _no_choice(parameter)
    return sort


def _no_choice(parameter: Parameter) -> InvalidParameter:
    choices = ", ".join(filter(None, parameter.schema["enum"]))
    message = f"{parameter.name}: must be one of {choices}"
    return InvalidParameter(parameter.name, "invalid_choice", message)


def _parse_token_uid(parameter: Parameter, raw: object) -> uuid.UUID:
    uid = find_uid(raw) if isinstance(raw, str) else None
    if uid is None:
        raise unknown_token(parameter.name)
    return uid


def _parse_flag(parameter: Parameter, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    flag = _FLAGS.get(raw.lower()) if isinstance(raw, str) else None
    if flag is None:
        name = parameter.name
        raise InvalidParameter(name, "invalid_flag", f"{name}: must be true, false, 1 or 0")
    return flag


def _parse_text(parameter: Parameter, raw: object) -> str:
    name = parameter.name
    # A JSON number is no text: 007 and 7 would become the same.
    if not isinstance(raw, str) or isinstance(raw, NumberText):
        raise InvalidParameter(name, "invalid_text", f"{name}: must be a text")
    try:
        raw.encode()
    except UnicodeEncodeError:
        message = f"{name}: must be a text in Unicode"
        raise InvalidParameter(name, "invalid_unicode", message) from None
    return raw


def _parse_value(
    parameter: Parameter,
    raw: object,
    limit: int = MAX_VALUE_BYTES,
) -> str | None:
    name = parameter.name
    text = _parse_text(parameter, raw)
    if "\0" in text:
        raise InvalidParameter(name, "null_character", f"{name}: must not have a NUL character")
    if len(text.encode()) > limit:
        message = f"{name}: must be at most {limit} bytes of UTF-8"
        raise InvalidParameter(name, "too_long", message, maximum=limit)
    return text or None


def _parse_json_object(text: str) -> object:
    try:
        return _Members(parse_json(text))
    except InvalidParameter:
        return None


def _parse_json_list(text: str) -> object:
    try:
        return json.loads(text, parse_int=NumberText, parse_float=NumberText)
    except (ValueError, RecursionError):
        return None
