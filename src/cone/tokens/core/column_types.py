"""The types that columns of a kind may have, and the values that each of them holds.

Databases take more than that: SQLite finds 0 where 0.0 or "0" is sought, both refuse some values
with an error. What comes from callers or from logs is held against its column before.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import Any
from typing import Final

from sqlalchemy import BigInteger
from sqlalchemy import Boolean
from sqlalchemy import Column
from sqlalchemy import Enum
from sqlalchemy import Integer
from sqlalchemy import SmallInteger
from sqlalchemy import String
from sqlalchemy.types import TypeEngine

from cone.tokens.core.codes import is_text
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import UNLIMITED

#: Tells of a value whether a column holds it.
Check = Callable[[Any], bool]

#: Least values of the counters that every kind has, as their constraints say.
_LEAST: Final = {"usage_count": UNLIMITED, "lock_time": 0}

#: Bits of integers; the first type that fits counts.
_BITS: Final[dict[type[TypeEngine[Any]], int]] = {BigInteger: 63, SmallInteger: 15, Integer: 31}


@functools.cache
def check_of(column: Column[Any]) -> Check:
    """Return the function that tells whether ``column`` holds a value.

    :raises TypeError: columns of a kind cannot have its type.
    """
    is_value = _check_of_type(column)

    def holds(value: Any) -> bool:
        return bool(column.nullable) if value is None else is_value(value)

    return holds


def _check_of_type(column: Column[Any]) -> Check:
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return _is_time
    if isinstance(kind, Boolean):
        return _is_flag
    if isinstance(kind, Integer):
        bits = next(bits for of, bits in _BITS.items() if isinstance(kind, of))
        least = _LEAST.get(column.name, -(2**bits))
        return functools.partial(_is_integer, least, 2**bits - 1)
    if isinstance(kind, Enum):
        if kind.enum_class is None:
            return frozenset(kind.enums).__contains__
    elif isinstance(kind, String):
        return _is_text
    message = f"{column}: {kind!r} is neither text, integer, flag nor time"
    raise TypeError(message)


def _is_time(value: Any) -> bool:
    if not isinstance(value, datetime.datetime) or value.utcoffset() is None:
        return False
    try:
        value.astimezone(datetime.UTC)
    except OverflowError:
        return False
    return True


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(least: int, most: int, value: Any) -> bool:
    return type(value) is int and least <= value <= most


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_text(value)
