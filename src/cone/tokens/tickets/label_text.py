"""The text on a label: who or what the token is for, its category and its code.

Names are the largest, so that they are read at arm's length. The fonts need reportlab, as
:mod:`cone.tokens.tickets.labels` does.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Final

#: Stands for a character that the font lacks, or that would change the direction of others.
MISSING: Final = "\N{LOZENGE}"
ELLIPSIS: Final = "…"

#: Height of a line, in parts of the size of its font.
LEADING: Final = 1.2

#: Points of the names on a label, the best ones first. The capital letters of the last are 2.3 mm
#: high, which is read at arm's length.
NAME_SIZES: Final = (16.0, 14.0, 12.0, 11.0, 10.0, 9.0)
#: Those of a code that stands alone; the last one also where there is a name.
CODE_SIZES: Final = (11.0, 10.0, 9.0, 8.0, 7.0)

#: Category and code beside a name, in parts of its size.
_CATEGORY: Final = 0.8
_CODE: Final = 0.7

#: Where a line may end: behind a hyphen and the like; a blank is left out.
_BREAK: Final = re.compile(r" |(?<=[-_/.,;:+@])(?=[^ ])")
#: Categories of characters that are seen on others or not at all.
_UNSEEN: Final = ("Mn", "Me", "Mc", "Cf")


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """What a label tells of a token."""

    code: str
    name: str | None = None
    category: str | None = None

    @property
    def has_name(self) -> bool:
        """Whether there is something besides the code."""
        return bool(self.name or self.category)


@dataclasses.dataclass(frozen=True, slots=True)
class Font:
    """A font.

    :ivar has: tells which characters it has.
    :ivar width: of a character, in parts of the size.
    """

    name: str
    has: Callable[[str], bool]
    width: Callable[[str], float]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    text: str
    font: str
    size: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A text that is broken into lines.

    :ivar is_broken: a word had to be.
    """

    lines: list[str]
    font: Font
    size: float
    is_broken: bool

    @property
    def height(self) -> float:
        return len(self.lines) * self.size * LEADING


@functools.cache
def fonts() -> tuple[Font, Font]:
    """Return the font and its bold one.

    They come with reportlab, so that a document is the same on every machine. They have the letters
    of western European languages, and many of central European ones.
    """
    return _font("Vera", "Vera.ttf"), _font("VeraBd", "VeraBd.ttf")


def _font(name: str, file: str) -> Font:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    font: Any = TTFont(name, file)
    pdfmetrics.registerFont(font)
    glyphs = font.face.charToGlyph

    @functools.cache
    def width(character: str) -> float:
        return float(font.stringWidth(character, 1))

    return Font(name, lambda character: ord(character) in glyphs, width)


def printable(value: str, has: Callable[[str], bool]) -> str:
    """Return a code with a sign for each character that cannot be printed."""
    composed = unicodedata.normalize("NFC", value)
    return "".join(
        character if character.isprintable() and has(character) else MISSING
        for character in composed
    )


def readable(text: str, has: Callable[[str], bool]) -> str:
    """Return a name as it can be printed: letters without accents that the font lacks.

    What is seen on other characters or not at all is left out, one sign stands for all others.
    """
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    found = "".join(_letters(character, has) for character in composed)
    return re.sub(f"{MISSING}( ?{MISSING})+", MISSING, found)


def _letters(character: str, has: Callable[[str], bool]) -> str:
    if character.isprintable() and has(character):
        return character
    if unicodedata.category(character) in _UNSEEN:
        return ""
    base = "".join(filter(has, unicodedata.normalize("NFKD", character)))
    return base if base.isprintable() and base else MISSING


def lacks(texts: Texts) -> bool:
    """Return whether a text has characters in whose place a sign is printed."""
    plain, bold = fonts()
    printed = [
        (texts.code, printable(texts.code, plain.has)),
        (texts.name or "", readable(texts.name or "", bold.has)),
        (texts.category or "", readable(texts.category or "", plain.has)),
    ]
    return any(text.count(MISSING) < shown.count(MISSING) for text, shown in printed)


def caption(texts: Texts, width: float, height: float) -> list[Line]:
    """Return the lines that stand on ``width`` by ``height`` points, as large as they can be.

    What is too much ends with an ellipsis, the name at last.
    """
    if texts.has_name:
        choices = (_named(texts, size, width) for size in NAME_SIZES)
    else:
        choices = ([_code(texts, size, width)] for size in CODE_SIZES)
    parts: list[_Part] = []
    for parts in choices:
        is_whole = not any(part.is_broken for part in parts)
        if is_whole and sum(part.height for part in parts) <= height:
            break
    counts = _counts(parts, height)
    return [
        Line(text, part.font.name, part.size)
        for part, count in zip(parts, counts, strict=True)
        for text in _cut(part, count, width)
    ]


def _named(texts: Texts, size: float, width: float) -> list[_Part]:
    plain, bold = fonts()
    parts = []
    if texts.name:
        parts.append(_part(readable(texts.name, bold.has), bold, size, width))
    if texts.category:
        small = max(size * _CATEGORY, NAME_SIZES[-1])
        parts.append(_part(readable(texts.category, plain.has), plain, small, width))
    return [*parts, _code(texts, max(size * _CODE, CODE_SIZES[-1]), width)]


def _code(texts: Texts, most: float, width: float) -> _Part:
    """Return a code, up to ``most`` points large: smaller where it is then broken at hyphens."""
    plain, _bold = fonts()
    text = printable(texts.code, plain.has)
    parts = [_part(text, plain, size, width) for size in CODE_SIZES if size <= most]
    whole = (part for part in parts if not part.is_broken)
    return dataclasses.replace(next(whole, parts[0]), is_broken=False)


def _part(text: str, font: Font, size: float, width: float) -> _Part:
    lines, is_broken, rest = [], False, text
    while rest:
        end = _fitting(rest, font, width / size)
        following = end
        if end < len(rest):
            breaks = [found for found in _BREAK.finditer(rest, 0, end + 1) if found.start()]
            is_broken = is_broken or not breaks
            if breaks:
                end, following = breaks[-1].start(), breaks[-1].end()
        lines.append(rest[:end])
        rest = rest[following:]
    return _Part(lines, font, size, is_broken)


def _fitting(text: str, font: Font, room: float) -> int:
    """Return how many characters are not wider than ``room``, in parts of the size; at least 1."""
    for number, character in enumerate(text):
        room -= font.width(character)
        if room < 0:
            return number or 1
    return len(text)


def _counts(parts: list[_Part], height: float) -> list[int]:
    """Return how many lines of each part there is room for: one of each, then all of the name."""
    counts = [0] * len(parts)
    for number in _wanted(parts):
        needed = parts[number].size * LEADING
        # A label is never empty.
        if counts[number] < len(parts[number].lines) and (needed <= height or not any(counts)):
            counts[number] += 1
            height -= needed
    return counts


def _wanted(parts: list[_Part]) -> Iterator[int]:
    numbers = range(len(parts))
    # The code comes before the category.
    yield from sorted(numbers, key=lambda number: number == 1 and len(parts) > 2)  # noqa: PLR2004
    for number in numbers:
        yield from [number] * len(parts[number].lines)


def _cut(part: _Part, count: int, width: float) -> list[str]:
    """Return the first lines of a text; an ellipsis stands for others, behind a word if it can."""
    lines = part.lines[:count]
    if len(lines) == len(part.lines) or not lines:
        return lines
    room = width / part.size - part.font.width(ELLIPSIS)
    last = lines[-1][: _fitting(lines[-1], part.font, room)]
    if last != lines[-1] and " " in last:
        last = last.rpartition(" ")[0]
    return [*lines[:-1], f"{last.rstrip(' ,;')}{ELLIPSIS}"]
