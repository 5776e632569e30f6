"""What people search by: parts of texts, whatever their case and their accents."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from typing import Final

#: Signs of a part that is looked up in an index.
LEAST: Final = 3

_SURROGATES: Final = 0xD800
_BEHIND_SURROGATES: Final = 0xE000

_DROPPED: Final = frozenset({"Mn", "Me", "Cc", "Cf"})
_HYPHENS: Final = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")  # noqa: RUF001 - they are meant


def search_text(text: str) -> str:
    """Return a text as it is searched: one that looks alike is the same.

    Case, accents, widths, kinds of hyphens and numbers of blanks are gone.
    """
    spaced = " ".join(text.split())
    if spaced.isascii():
        if spaced.isprintable():
            return spaced.lower()
        return _with_single_blanks(filter(str.isprintable, spaced.lower()))
    plain = unicodedata.normalize("NFKD", spaced).translate(_HYPHENS)
    # Folding may make signs that are decomposed in their turn.
    again = unicodedata.normalize("NFKD", _without_marks(plain).casefold())
    return _with_single_blanks(_without_marks(again))


def _without_marks(text: str) -> str:
    return "".join(sign for sign in text if unicodedata.category(sign) not in _DROPPED)


def _with_single_blanks(signs: Iterable[str]) -> str:
    return " ".join("".join(signs).split())


def parts_of(sought: str) -> tuple[str, ...]:
    """Return the parts that a text has to have, in any order; none: too little is sought.

    These are the words, of which one has :data:`LEAST` signs; else the whole, where it has.
    """
    whole = search_text(sought)
    words = tuple(dict.fromkeys(whole.split()))
    if any(len(word) >= LEAST for word in words):
        return words
    return (whole,) if len(whole) >= LEAST else ()


def text_behind(prefix: str) -> str | None:
    """Return the least text greater than all that begin with ``prefix``; None: there is none.

    Texts are in the order of their code points, which is that of their bytes in UTF-8.
    """
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    # No text has a surrogate.
    return kept[:-1] + chr(_BEHIND_SURROGATES if following == _SURROGATES else following)
