"""Tokens as people read them in a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Final

from cone.tokens.api import token_values
from cone.tokens.core.types import UNLIMITED
from cone.tokens.core.types import Token

#: The columns of a list.
COLUMNS: Final = ("value", "status", "usage_count", "valid_from", "valid_to", "uid")

#: Stands for nothing.
_NOTHING: Final = "-"


def printable(text: str) -> str:
    """Return ``text`` with what a terminal would obey or hide spelled out."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def fields(token: Token, zone: datetime.tzinfo) -> str:
    """Return the fields of a token, one a line."""
    values = token_values(token)
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {_cell(name, values[name], zone)}" for name in values)


def table(tokens: Iterable[Token], zone: datetime.tzinfo) -> str:
    """Return tokens as a table, one a line."""
    rows = [[_cell(name, token_values(token)[name], zone) for name in COLUMNS] for token in tokens]
    return aligned([COLUMNS, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number and what is counted; ``many`` is ``one`` with an s unless it is given."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


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
    if name == "usage_count" and isinstance(value, int):
        return uses_left(value)
    return printable(str(value))
