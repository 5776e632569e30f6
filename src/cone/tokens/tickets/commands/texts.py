"""Tokens as people read them in a terminal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from cone.tokens.cli.terminal import aligned
from cone.tokens.cli.terminal import printable
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import Status
from cone.tokens.host.rendering import counted
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.values import Ticket

#: The columns of a list.
COLUMNS: Final = ("value", "label", "status", "usage_count", "valid_from", "valid_to", "uid")

#: Why tokens cannot be used until somebody changes them.
UNUSABLE: Final = {
    Status.EXHAUSTED: "0 uses",
    Status.EXPIRED: "their validity has ended",
    Status.DISABLED: "switched off",
}

_CODE_DOUBTS: Final = {
    CodeDoubt.MENDED: "codes lose blanks or signs that nobody sees at their ends",
    CodeDoubt.SHORTENED: "codes look like numbers that a spreadsheet has shortened",
    CodeDoubt.CASE: "codes differ by capital letters alone",
    CodeDoubt.FORMATTED: "codes are of cells that a spreadsheet may show in another way",
}
#: Lines that are named.
_NAMED: Final = 10

#: Stands for nothing.
_NOTHING: Final = "-"


def fields(token: Ticket, zone: datetime.tzinfo) -> str:
    """Return the fields of a token, one a line."""
    values = fields_of(token)
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {_cell(name, values[name], zone)}" for name in values)


def table(tokens: Iterable[Ticket], zone: datetime.tzinfo) -> str:
    """Return tokens as a table, one a line."""
    rows = [[_cell(name, fields_of(token)[name], zone) for name in COLUMNS] for token in tokens]
    return aligned([COLUMNS, *rows])


def code_doubts(doubts: Mapping[CodeDoubt, Sequence[int]]) -> list[str]:
    """Return warnings about the codes of a file that may not be meant.

    :param doubts: the lines of the file, by the reason.
    """
    return [f"Warning: {_CODE_DOUBTS[doubt]}: {_numbers(lines)}" for doubt, lines in doubts.items()]


def alike(other: str) -> str:
    """Return the end of a warning about a code: which ``other`` one is read alike."""
    return f"differs by capital letters or hyphens alone from {other}, which a token has or had"


def refilled(codes: Sequence[str]) -> str:
    """Return a warning about tokens that were used and get uses back.

    :param codes: theirs.
    """
    were, get = ("was", "gets") if len(codes) == 1 else ("were", "get")
    more = f" and {len(codes) - _NAMED:,} more" if len(codes) > _NAMED else ""
    tokens = counted(len(codes), "token")
    named = ", ".join(codes[:_NAMED])
    return f"Warning: {tokens} that {were} redeemed since {get} uses back: {named}{more}"


def _numbers(lines: Sequence[int]) -> str:
    named = ", ".join(f"{number}" for number in lines[:_NAMED])
    more = f" and {len(lines) - _NAMED:,} more" if len(lines) > _NAMED else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {named}{more}"


def doubts(unusable: Mapping[str, int]) -> list[str]:
    """Return warnings about tokens that cannot be used.

    :param unusable: their numbers by status.
    """
    return [
        f"Warning: {counted(unusable[status.value], 'token')} cannot be redeemed: {reason}"
        for status, reason in UNUSABLE.items()
        if unusable.get(status.value)
    ]


def uses_left(count: int) -> str:
    """Return how many uses are left."""
    return "unlimited" if count == UNLIMITED else f"{count}"


def _cell(name: str, value: object, zone: datetime.tzinfo) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).isoformat(" ", "seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if name in ("usage_count", "uses_given") and isinstance(value, int):
        return uses_left(value)
    return printable(str(value))
