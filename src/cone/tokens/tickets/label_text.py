"""The text on a label: its font, which characters that has, and where lines are broken.

The font needs reportlab, as :mod:`cone.tokens.tickets.labels` does.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from typing import Final

#: Stands for a character that the font lacks, or that would change the direction of others.
MISSING: Final = "\N{LOZENGE}"


@functools.cache
def font() -> tuple[str, Callable[[str], bool]]:
    """Return the name of the font, and what tells which characters it has.

    It is the one that comes with reportlab, so that a document is the same on every machine. It
    has the letters of western and central European languages.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    vera = TTFont("Vera", "Vera.ttf")
    pdfmetrics.registerFont(vera)
    glyphs = vera.face.charToGlyph
    return vera.fontName, lambda character: ord(character) in glyphs


def printable(value: str, has: Callable[[str], bool]) -> str:
    """Return ``value`` with a sign for each character that cannot be printed."""
    composed = unicodedata.normalize("NFC", value)
    return "".join(
        character if character.isprintable() and has(character) else MISSING
        for character in composed
    )


def lines_of(text: str, measure: Callable[[str], float], width: float, most: int) -> list[str]:
    """Return ``text`` broken where a line is full; what is too much gives way to an ellipsis."""
    lines, line = [], ""
    for character in text:
        if line and measure(line + character) > width:
            lines.append(line)
            line = ""
            if len(lines) == most:
                break
        line += character
    else:
        return [*lines, line]
    last = lines[-1]
    while last and measure(f"{last}…") > width:
        last = last[:-1]
    return [*lines[:-1], f"{last}…"]
