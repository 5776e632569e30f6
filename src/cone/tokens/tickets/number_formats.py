"""How spreadsheets show a number: the formats that fill it with zeros, as those of codes do."""

from __future__ import annotations

import re
from typing import Final

#: A text, and what stands for itself without being quoted; the language is that of no digit.
_PART: Final = re.compile(r'"([^"]*)"|\\(.)|([-+() ])|(0)')
_FORMAT: Final = re.compile(rf"(?:\[\$-[0-9A-Fa-f]+\])?((?:{_PART.pattern})+)")

#: From here on a number has lost digits: Excel keeps 15.
EXACT: Final = 1e15

#: Formats that show a number as it is.
_PLAIN: Final = frozenset({"general", "@"})


def padded(number: float, number_format: str) -> str | None:
    """Return ``number`` as a format shows it that has zeros and texts alone; None: it is another.

    >>> padded(4711, '"T-"00000')
    'T-04711'
    """
    found = _FORMAT.fullmatch(number_format)
    if not found or not 0 <= number < EXACT or number != int(number):
        return None
    parts = _PART.findall(found[1])
    places = sum(1 for *_texts, zero in parts if zero)
    if not places:
        return None
    digits = f"{int(number):0{places}}"
    # All that there are more than places stand in the first one.
    each = iter([digits[: len(digits) - places + 1], *digits[len(digits) - places + 1 :]])
    return "".join(next(each) if zero else "".join(texts) for *texts, zero in parts)


def is_plain(number: float, number_format: str) -> bool:
    """Return whether a number looks like what it is."""
    return number_format.lower() in _PLAIN or padded(number, number_format) is not None
