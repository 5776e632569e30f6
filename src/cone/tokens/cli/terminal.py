"""Texts as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """Return ``text`` with what a terminal would obey or hide spelled out."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
