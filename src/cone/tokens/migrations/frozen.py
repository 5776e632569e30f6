"""Column types, limits, digests and SQL of the core, as they were when the revisions were written.

A revision always does the same: it imports this module, and nothing of the core, which goes on to
change.
"""

from __future__ import annotations

import datetime
import hashlib
import unicodedata
from collections.abc import Iterable
from typing import Any
from typing import Final

from sqlalchemy import DateTime
from sqlalchemy import Dialect
from sqlalchemy import String
from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

#: Bytes of a code in UTF-8.
MAX_VALUE_BYTES: Final = 2_048
#: Uses of a token without an end, and the largest count of them.
UNLIMITED: Final = -1
MAX_INTEGER: Final = 2_147_483_647
#: First and last instant, and the last one after which a lock still fits before the end.
MIN_INSTANT: Final = datetime.datetime(2, 1, 1, tzinfo=datetime.UTC)
MAX_INSTANT: Final = datetime.datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)
LAST_LOCKING: Final = datetime.datetime(9900, 1, 1, tzinfo=datetime.UTC)

#: Text that is compared byte by byte.
ExactText = String().with_variant(Text(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """An aware time in UTC: ``timestamptz`` on PostgreSQL, text of fixed width on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of ``dialect``."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,
    ) -> datetime.datetime | None:
        """Return the value for the driver of ``dialect``."""
        if value is None:
            return None
        utc = value.astimezone(datetime.UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime.datetime | None,
        dialect: Dialect,
    ) -> datetime.datetime | None:
        """Return an aware time in UTC."""
        if value is None or dialect.name == "postgresql":
            return value and value.astimezone(datetime.UTC)
        return value.replace(tzinfo=datetime.UTC)


class frozen_seconds_after(GenericFunction[datetime.datetime]):  # noqa: N801 - reads as SQL
    """``frozen_seconds_after(time, seconds)``: a time moved by whole seconds."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(frozen_seconds_after, "postgresql")
def _on_postgresql(element: frozen_seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({time} + make_interval(secs => {seconds}))"


@compiles(frozen_seconds_after, "sqlite")
def _on_sqlite(element: frozen_seconds_after, compiler: SQLCompiler, **kw: Any) -> str:
    # Whole seconds are exact in SQLite, fractions are not: the fraction is carried over as text.
    time, seconds = (compiler.process(clause, **kw) for clause in element.clauses)
    moved = f"strftime('%Y-%m-%d %H:%M:%S', substr({time}, 1, 19), {seconds} || ' seconds')"
    return f"({moved} || substr({time}, 20))"


#: What of ASCII is nothing at the ends of a code; signs that nobody sees, and hyphens.
_ASCII_ENDS: Final = "".join(map(chr, (*range(33), 127)))
_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0",
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_HYPHENS: Final = dict.fromkeys(map(ord, "\u00ad‐‑‒–—―−﹘﹣－"), "-")  # noqa: RUF001 - they are meant


def digest_of_code(code: str) -> str:
    """Return the digest of a code, by which it is found in any case."""
    return hashlib.sha256(_folded(code).encode()).hexdigest()[:32]


def _folded(code: str) -> str:
    if code.isascii():
        return code.strip(_ASCII_ENDS).lower()
    start, end = 0, len(code)
    while start < end and _is_nothing(code[start]):
        start += 1
    while start < end and _is_nothing(code[end - 1]):
        end -= 1
    decomposed = unicodedata.normalize("NFD", code[start:end].translate(_HYPHENS))
    parts = decomposed.replace("ẞ", "ß").split("ß")
    return unicodedata.normalize("NFD", "ß".join(part.casefold() for part in parts))


def _is_nothing(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) in _INVISIBLE or sign in _UNSEEN


_UNSEARCHED: Final = frozenset({"Mn", "Me", "Cc", "Cf"})
_SEARCHED_HYPHENS: Final = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")  # noqa: RUF001 - they are meant


def folded_for_search(text: str) -> str:
    """Return a text as it is searched: one that looks alike is the same.

    Case, accents, widths, kinds of hyphens and numbers of blanks are gone.
    """
    spaced = " ".join(text.split())
    if spaced.isascii():
        return _with_single_blanks(filter(str.isprintable, spaced.lower()))
    plain = unicodedata.normalize("NFKD", spaced).translate(_SEARCHED_HYPHENS)
    # Folding may make signs that are decomposed in their turn.
    again = unicodedata.normalize("NFKD", _without_marks(plain).casefold())
    return _with_single_blanks(_without_marks(again))


def _without_marks(text: str) -> str:
    return "".join(sign for sign in text if unicodedata.category(sign) not in _UNSEARCHED)


def _with_single_blanks(signs: Iterable[str]) -> str:
    return " ".join("".join(signs).split())
