"""Text to typed values, for the parameters of all kinds: the JSON API, the forms, the command line.

A request gives pairs of a name and a raw value: text, or what a JSON body holds. :func:`collect`
makes one mapping of them, and a part's parser reads use cases out of it. Everything that is wrong
is an :class:`~cone.tokens.core.errors.InvalidParameter` that names the parameter.

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

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.core.values import MIN_INSTANT
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Unset

T = TypeVar("T")
_UID = re.compile(codes.UID, re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9](:?[0-5][0-9])?)?)?",
    re.ASCII,
)

#: Name of the parameter with which a request means all tokens that match.
_FILTER: Final = "filter"

#: Parameter that libraries of browsers add, so that no cache answers.
AGAINST_CACHES: Final = "_"

#: Characters of an unknown name that are told.
_SHOWN: Final = 64
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
            object_pairs_hook=Members,
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, Members):
        name = "body"
        raise InvalidParameter(name, "invalid_json", f"{name}: is no JSON object")
    return list(members)


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, to be told from a JSON list."""


def _refuse_constant(name: str) -> NoReturn:
    """Refuse what Python reads and JSON does not have: NaN, Infinity."""
    raise ValueError(name)


def collect(
    pairs: Iterable[tuple[str, Any]],
    known: Iterable[Parameter],
    *,
    is_strict: bool = False,
) -> dict[str, Any]:
    """Return the raw values of the ``known`` parameters by name.

    :param pairs: names and values of query, form and JSON body together.
    :param is_strict: refuse other parameters, which are ignored else; :data:`AGAINST_CACHES` never
        is refused.
    :raises InvalidParameter: a known parameter is given twice.
    """
    names = {parameter.name for parameter in known}
    given: dict[str, Any] = {}
    for name, raw in pairs:
        if name not in names:
            if is_strict and name != AGAINST_CACHES:
                raise _unknown_parameter(name)
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


def integer_schema(minimum: int, maximum: int, **more: object) -> dict[str, Any]:
    """Return the schema of a number or its text; what bounds a number says nothing of texts."""
    return {
        "type": ["integer", "string"],
        "minimum": minimum,
        "maximum": maximum,
        "pattern": "^[+-]?[0-9]+$",
        **more,
    }


def text_schema(limit: int) -> dict[str, Any]:
    """Return the schema of a text of up to ``limit`` characters."""
    return {"type": ["string", "null"], "maxLength": limit, "pattern": r"^[^\u0000]*$"}


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a text inside of JSON, where null means empty."""
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, **enum, "type": [schema["type"], "null"]}


def parse_uids(parameter: Parameter, raw: object) -> list[uuid.UUID]:
    """Return the uids in a JSON list, or in the text of one.

    :raises InvalidParameter: it is no list of as many different texts as its schema allows.
    :raises TokenNotFound: one of the texts spells no uid.
    """
    name = parameter.name
    texts = parse_json_list(raw) if isinstance(raw, str) else raw
    if (
        not isinstance(texts, list)
        or not 1 <= len(texts) <= parameter.schema["maxItems"]
        or not all(type(text) is str for text in texts)
    ):
        raise no_uids(parameter)
    if len({text.lower() for text in texts}) != len(texts):
        raise InvalidParameter(name, "same_uid_twice", f"{name}: a uid stands twice in it")
    return [get_uid(text) for text in texts]


def no_uids(parameter: Parameter) -> InvalidParameter:
    """Return the error of a parameter that is no list of uids."""
    name, maximum = parameter.name, parameter.schema["maxItems"]
    message = f"{name}: must be a JSON list of 1 to {maximum} uids"
    return InvalidParameter(name, "invalid_list", message, maximum=maximum)


def too_many_tokens() -> InvalidParameter:
    """Return the error of a filter that means more tokens than one change may be about."""
    name = _FILTER
    message = f"{name}: means more than {MAX_BATCH} tokens, narrow it"
    return InvalidParameter(name, "too_many_tokens", message, maximum=MAX_BATCH)


def _written_time(raw: object) -> datetime.datetime | None:
    if not isinstance(raw, str) or not _INSTANT.fullmatch(raw):
        return None
    try:
        return datetime.datetime.fromisoformat(raw)
    except ValueError:
        return None


def _unknown_parameter(name: str) -> InvalidParameter:
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in name[:_SHOWN])
    shown += "…" if len(name) > _SHOWN else ""
    return InvalidParameter(shown, "unknown_parameter", f"{shown}: is no parameter of this view")


def missing(parameter: Parameter) -> InvalidParameter:
    """Return the error of a required parameter that is omitted or empty."""
    return InvalidParameter(
        parameter.name,
        "missing",
        f"Missing ``{parameter.name}`` parameter",
    )


def if_given(
    parameter: Parameter,
    given: Mapping[str, Any],
    parse: Callable[[Parameter, Any], T],
) -> T | Unset:
    """Return the parsed value of a parameter; UNSET where it is omitted."""
    return parse(parameter, given[parameter.name]) if parameter.name in given else UNSET


def unless_empty(
    parameter: Parameter,
    given: Mapping[str, Any],
    parse: Callable[[Parameter, Any], T],
    default: T,
) -> T:
    """Return the parsed value of a parameter; ``default`` where it is omitted or empty."""
    raw = given.get(parameter.name, "")
    return default if raw == "" else parse(parameter, raw)


def parse_integer(parameter: Parameter, raw: object) -> int:
    """Return the number that ``raw`` spells.

    :raises InvalidParameter: it spells none, or one that the schema does not allow.
    """
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


def no_choice(parameter: Parameter) -> InvalidParameter:
    """Return the error of a parameter that is none of the choices of its schema."""
    choices = ", ".join(filter(None, parameter.schema["enum"]))
    message = f"{parameter.name}: must be one of {choices}"
    return InvalidParameter(parameter.name, "invalid_choice", message)


def parse_flag(parameter: Parameter, raw: object) -> bool:
    """Return the flag that ``raw`` is or spells.

    :raises InvalidParameter: it is none.
    """
    if isinstance(raw, bool):
        return raw
    flag = _FLAGS.get(raw.lower()) if isinstance(raw, str) else None
    if flag is None:
        name = parameter.name
        raise InvalidParameter(name, "invalid_flag", f"{name}: must be true, false, 1 or 0")
    return flag


def parse_text(parameter: Parameter, raw: object) -> str:
    """Return ``raw``, which has to be a text.

    :raises InvalidParameter: it is none, or not Unicode.
    """
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


def parse_json_object(text: str) -> object:
    """Return the :class:`Members` of the JSON object in ``text``; None: it is no JSON object."""
    try:
        return Members(parse_json(text))
    except InvalidParameter:
        return None


def parse_json_list(text: str) -> object:
    """Return the value of the JSON in ``text``, numbers as they are written; None: it is none."""
    try:
        return json.loads(text, parse_int=NumberText, parse_float=NumberText)
    except (ValueError, RecursionError):
        return None


def parse_instant(name: str, raw: object, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the time that ``raw`` spells, in UTC.

    ``Z`` or an offset keeps its instant; a naive time is read in ``zone``, in an autumn fold
    as the later one.

    :raises InvalidParameter: no ISO 8601 time, one that its clocks never show, or out
        of the years 2 to 9998.
    """
    written = _written_time(raw)
    if written is None:
        raise InvalidParameter(name, "invalid_datetime", f"{name}: invalid datetime format")
    try:
        instant = to_utc(name, written, zone)
    except OverflowError:
        instant = None
    if instant is None or not MIN_INSTANT <= instant <= MAX_INSTANT:
        message = f"{name}: year must be between 2 and 9998"
        raise InvalidParameter(name, "year_out_of_range", message)
    return instant


def to_utc(name: str, time: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """Return ``time`` in UTC; a naive one is read in ``zone``.

    :raises InvalidParameter: the zone's clocks skip this time (spring).
    :raises OverflowError: the year is beyond Python's calendar.
    """
    if time.tzinfo is not None:
        return time.astimezone(datetime.UTC)
    # In a fold the later reading counts; elsewhere the flag changes nothing.
    instant = time.replace(tzinfo=zone, fold=1).astimezone(datetime.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != time:
        message = f"{name}: the clocks skip this time, they go forward then"
        raise InvalidParameter(name, "skipped_time", message)
    return instant
