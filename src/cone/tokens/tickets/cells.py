"""What spreadsheets write into cells, as the parser reads it: numbers, flags and times.

A cell that is none of these stays as it is, and the parser says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Final
from typing import Literal

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO

#: What dates with slashes begin with.
First = Literal["day", "month"]

#: Columns of times, and the time of the day that a day alone means there.
TIMES: Final = {VALID_FROM.name: "00:00:00", VALID_TO.name: "23:59:59.999999"}
_NUMBERS: Final = frozenset({USAGE_COUNT.name, LOCK_TIME.name})

_FLAGS: Final = {
    **dict.fromkeys(("true", "wahr", "vrai", "yes", "ja", "oui", "on", "an"), "true"),
    **dict.fromkeys(("false", "falsch", "faux", "no", "nein", "non", "off", "aus"), "false"),
}
#: A whole number as a spreadsheet writes it that takes it for another one.
_WHOLE: Final = re.compile(r"([+-]?[0-9]+)[.,]0{1,2}")
_CLOCK: Final = (
    r"(?:[ T,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
    r"(?:[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm]\.?)?(?: Uhr)?)?"
)
_ISO: Final = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_DOTTED: Final = re.compile(
    r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})" + _CLOCK
)
_SLASHED: Final = re.compile(
    r"(?P<first>[0-9]{1,2})/(?P<second_part>[0-9]{1,2})/(?P<year>[0-9]{4})" + _CLOCK
)
_MOST_MONTHS: Final = 12
_NOON: Final = 12


def first_of_dates(cells: Iterable[str]) -> First | None:
    """Return whether dates with slashes begin with the day or the month; None: not known.

    :param cells: of the columns of times.
    """
    told: set[First] = set()
    for match in filter(None, (_SLASHED.fullmatch(cell.strip()) for cell in cells)):
        if int(match["first"]) > _MOST_MONTHS:
            told.add("day")
        elif int(match["second_part"]) > _MOST_MONTHS:
            told.add("month")
    return told.pop() if len(told) == 1 else None


def parsed(cells: Mapping[str, str], *, first: First | None) -> dict[str, str]:
    """Return ``cells`` as the parser reads them.

    :param first: of :func:`first_of_dates`.
    :raises InvalidParameter: a date can be two.
    """
    return {name: _parsed(name, cell, first) for name, cell in cells.items()}


def _parsed(name: str, cell: str, first: First | None) -> str:
    if name in TIMES:
        return _time(name, cell, first)
    if name in _NUMBERS:
        whole = _WHOLE.fullmatch(cell)
        return whole[1] if whole else cell
    if name == ENABLED.name:
        return _FLAGS.get(cell.casefold(), cell)
    return cell


def _time(name: str, cell: str, first: First | None) -> str:
    if _ISO.fullmatch(cell):
        return f"{cell}T{TIMES[name]}"
    dotted = _DOTTED.fullmatch(cell)
    if dotted:
        return _iso(name, dotted, dotted["day"], dotted["month"])
    slashed = _SLASHED.fullmatch(cell)
    if not slashed:
        return cell
    one, other = slashed["first"], slashed["second_part"]
    if first is None and int(one) != int(other):
        message = f"{name}: {cell} can be two dates; write {slashed['year']}-MM-DD"
        raise InvalidParameter(name, "two_dates", message, year=slashed["year"])
    day, month = (one, other) if first == "day" else (other, one)
    return _iso(name, slashed, day, month)


def _iso(name: str, written: re.Match[str], day: str, month: str) -> str:
    date = f"{written['year']}-{int(month):02}-{int(day):02}"
    if written["hour"] is None:
        return f"{date}T{TIMES[name]}"
    hour, half = int(written["hour"]), (written["half"] or "").lower()
    if half:
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    return f"{date}T{hour:02}:{written['minute']}:{written['second'] or '00'}"
