"""What people note about a ticket: label, address, category, note and data, read from requests."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from collections.abc import Collection
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Members
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import parse_json_object
from cone.tokens.core.params import parse_text
from cone.tokens.tickets.params import CATEGORY
from cone.tokens.tickets.params import DATA
from cone.tokens.tickets.params import EMAIL
from cone.tokens.tickets.params import LABEL
from cone.tokens.tickets.params import MAX_DATA
from cone.tokens.tickets.params import MAX_DATA_NAME
from cone.tokens.tickets.params import MAX_DATA_TEXT
from cone.tokens.tickets.params import NOTE

#: What spreadsheets and messengers leave at the ends of a text: blanks without a width, marks of
#: bytes and of directions, a soft hyphen. What signs are made of (selectors, tags) is none of it.
_UNSEEN_ENDS: Final = frozenset("\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")

#: Line ends of all systems.
_LINE_END: Final = re.compile(r"\r\n?|\u2028|\u2029|\x85")
#: Where mail can go; whether somebody is there only a mail tells.
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")


def parse_line(parameter: Parameter, raw: object) -> str | None:
    """Return a text of one line, without the blanks at its ends; None: it is empty."""
    return _checked(parameter, parse_text(parameter, raw)) or None


def _lines(parameter: Parameter, raw: object) -> str | None:
    """Return a text of several lines; None: it is empty."""
    text = _LINE_END.sub("\n", parse_text(parameter, raw))
    return _checked(parameter, text, also="\n\t") or None


def _email(parameter: Parameter, raw: object) -> str | None:
    text = parse_line(parameter, raw)
    if text is not None and not _EMAIL.fullmatch(text):
        name = parameter.name
        raise InvalidParameter(name, "invalid_email", f"{name}: is no e-mail address")
    return text


def _data(parameter: Parameter, raw: object) -> str | None:
    """Return a JSON object of texts as JSON; None: it is empty."""
    if raw == "":
        return None
    members = parse_json_object(raw) if isinstance(raw, str) else raw
    if not isinstance(members, Members) or not _are_texts(members):
        name = parameter.name
        message = f"{name}: must be a JSON object of up to {MAX_DATA} texts with different names"
        raise InvalidParameter(name, "invalid_data", message, maximum=MAX_DATA)
    texts = {
        _within(parameter, name, MAX_DATA_NAME): _within(parameter, text, MAX_DATA_TEXT)
        for name, text in members
    }
    return json.dumps(texts, ensure_ascii=False) if texts else None


def with_members(stored: str | None, given: str | None, names: Collection[str]) -> str | None:
    """Return the data of a token, as JSON, in which some members are what is given.

    :param given: JSON of the members that are to be there.
    :param names: of all members that may change; what is not given of them goes.
    :raises InvalidParameter: there would be too many.
    """
    own, new = (json.loads(text or "{}") for text in (stored, given))
    texts = {name: text for name, text in own.items() if name not in names or name in new}
    texts |= new
    if len(texts) > MAX_DATA:
        message = f"{DATA.name}: would have more than {MAX_DATA} texts"
        raise InvalidParameter(DATA.name, "invalid_data", message, maximum=MAX_DATA)
    return json.dumps(texts, ensure_ascii=False) if texts else None


def _are_texts(members: Members) -> bool:
    names = {_without_ends(unicodedata.normalize("NFC", name)) for name, _text in members}
    is_small = len(names) == len(members) <= MAX_DATA
    return is_small and "" not in names and all(type(text) is str for _name, text in members)


def _within(parameter: Parameter, text: str, limit: int) -> str:
    parse_text(parameter, text)
    return _checked(parameter, text, limit=limit, also="\n\t")


def _without_ends(text: str) -> str:
    """Return a text without blanks at its ends, and what nobody sees of them."""
    places = [
        place for place, sign in enumerate(text) if not (sign.isspace() or sign in _UNSEEN_ENDS)
    ]
    return text[places[0] : places[-1] + 1] if places else ""


def _checked(parameter: Parameter, text: str, *, limit: int | None = None, also: str = "") -> str:
    """Return ``text`` in normal form C, without the blanks at its ends.

    :param limit: characters that it may have; None: those of the schema.
    :param also: control characters that it may have.
    :raises InvalidParameter: it is too long, or has other control characters.
    """
    name, maximum = parameter.name, limit or parameter.schema["maxLength"]
    stored = _without_ends(unicodedata.normalize("NFC", text))
    # As it is sent, the schema says how long it may be.
    if len(text) > maximum or len(stored) > maximum:
        message = f"{name}: must be at most {maximum} characters"
        raise InvalidParameter(name, "too_many_characters", message, maximum=maximum)
    if any(unicodedata.category(sign) == "Cc" and sign not in also for sign in stored):
        message = f"{name}: must not have control characters"
        raise InvalidParameter(name, "control_character", message)
    return stored


#: The parameters, each with the function that reads it.
READERS: Final[tuple[tuple[Parameter, Callable[[Parameter, object], str | None]], ...]] = (
    (LABEL, parse_line),
    (EMAIL, _email),
    (CATEGORY, parse_line),
    (NOTE, _lines),
    (DATA, _data),
)
