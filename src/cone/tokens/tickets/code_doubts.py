"""Codes of a file that may not be what somebody meant: told before anything is imported."""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from collections.abc import Container
from collections.abc import Iterable
from typing import Final

from cone.tokens.core import codes


class CodeDoubt(enum.Enum):
    """Why a code may not be meant."""

    #: It loses blanks or signs that nobody sees at its ends.
    MENDED = "mended"
    #: It looks like a number that a spreadsheet has shortened.
    SHORTENED = "shortened"
    #: It differs from another code of the file by case alone.
    CASE = "case"
    #: Its cell is no text, and may look different in a spreadsheet.
    FORMATTED = "formatted"


_SHORTENED: Final = re.compile(r"[+-]?[0-9][.,]?[0-9]*[eE][+]?[0-9]{2,}")


def doubts_of(
    found: Iterable[tuple[int, str | None]],
    formatted: Container[int] = (),
) -> dict[CodeDoubt, list[int]]:
    """Return the lines whose codes are in doubt, by the reason, in their order.

    :param found: lines, and the codes that stand there.
    :param formatted: those whose cells with codes may look different in a spreadsheet.
    """
    lines: dict[CodeDoubt, list[int]] = defaultdict(list)
    alike: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, code in found:
        if code is None:
            continue
        mended = codes.mended(code)
        if mended != codes.normal_form(code):
            lines[CodeDoubt.MENDED].append(number)
        if _SHORTENED.fullmatch(mended):
            lines[CodeDoubt.SHORTENED].append(number)
        elif number in formatted:
            lines[CodeDoubt.FORMATTED].append(number)
        alike[mended.casefold()].append((number, mended))
    for same in alike.values():
        if len({code for _number, code in same}) > 1:
            lines[CodeDoubt.CASE].extend(number for number, _code in same)
    return {doubt: sorted(lines[doubt]) for doubt in CodeDoubt if lines[doubt]}
