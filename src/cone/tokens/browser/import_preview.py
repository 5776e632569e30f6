"""What the check of an import shows of a file: its unknown columns, first lines and doubts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from translationstring import TranslationString

from cone.tokens.browser.import_attempt import COLUMN
from cone.tokens.browser.texts import uses_text
from cone.tokens.browser.token import shortened
from cone.tokens.i18n import _
from cone.tokens.tickets.code_doubts import CodeDoubt
from cone.tokens.tickets.columns import AS_DATA
from cone.tokens.tickets.columns import LEFT_OUT
from cone.tokens.tickets.columns import Column
from cone.tokens.tickets.spreadsheet import Line
from cone.tokens.tickets.workbook import Sheet
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.page import Note

#: Lines that are shown as they will be.
PREVIEWED: Final = 5
#: Lines with doubts that are named.
NAMED: Final = 10

#: What a column of a file can be.
TARGET_WORDS: Final = {
    AS_DATA: _("column_data", default="Keep under its name"),
    LEFT_OUT: _("column_left_out", default="Leave out"),
    "value": _("column_code", default="Code"),
    "label": _("label", default="Label"),
    "email": _("email", default="E-mail address"),
    "category": _("category", default="Category"),
    "note": _("note", default="Note"),
    "valid_from": _("valid_from", default="Valid from"),
    "valid_to": _("valid_to", default="Valid to"),
    "usage_count": _("uses_left", default="Uses left"),
    "lock_time": _("column_lock_time", default="Lock time in seconds"),
    "enabled": _("enabled", default="Enabled"),
}

_DOUBTS: Final = {
    CodeDoubt.MENDED: _(
        "doubt_mended",
        default="Codes that lose blanks or signs that nobody sees at their ends: ${count}. "
        "Lines: ${lines}.",
    ),
    CodeDoubt.SHORTENED: _(
        "doubt_shortened",
        default="Codes that look like numbers that a spreadsheet has shortened: ${count}. "
        "Lines: ${lines}. Are they the codes of your tickets?",
    ),
    CodeDoubt.CASE: _(
        "doubt_case",
        default="Codes that differ by capital letters alone: ${count}. Lines: ${lines}. A scanner "
        "with Caps Lock finds neither.",
    ),
    CodeDoubt.FORMATTED: _(
        "doubt_formatted",
        default="Codes of cells that Excel may show in another way (numbers in a format, dates, "
        "times, percentages, flags): ${count}. Lines: ${lines}. Are they the codes of your "
        "tickets?",
    ),
}


_REPLACED: Final = _(
    "doubt_replaced",
    default="Codes that were replaced: ${count}. Lines: ${lines}. Their tokens keep the codes that "
    "they have now.",
)

_SHEET: Final = _(
    "import_sheet",
    default="Sheet ${number} of ${count} is read: “${name}”.",
)
_HIDDEN: Final = _(
    "import_hidden_rows",
    default="Hidden rows that are imported like the others: ${count}.",
)

_REFILLED: Final = _(
    "doubt_refilled",
    default="Tickets that were redeemed since and get uses back: ${count}. Lines: ${lines}. Where "
    "that is not meant, leave the uses out of the file.",
)

_ALIKE: Final = _(
    "doubt_alike",
    default="Codes that differ by capital letters or hyphens alone from one that a token has or "
    "had: ${count}. Lines: ${lines}. A scanner with Caps Lock finds none of them, or the wrong "
    "one. Where the same ticket is meant, write its code as it is stored; else choose another one.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a column can be."""

    value: str
    word: object
    selected: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnField:
    """The field that asks what a column is."""

    name: str
    header: str
    choices: tuple[Target, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class PreviewRow:
    """A line of the file as it will be a token."""

    number: int
    code: str | None
    label: str | None
    email: str | None
    category: str | None
    uses: object
    valid_from: Moment | None
    valid_to: Moment | None


def column_fields(columns: Sequence[Column]) -> list[ColumnField]:
    """Return the fields for the columns that are not known."""
    return [
        ColumnField(f"{COLUMN}{place}", one.header, tuple(_targets(one)))
        for place, one in enumerate(columns)
        if not one.is_known
    ]


def _targets(column: Column) -> Iterable[Target]:
    return (
        Target(target, word, "selected" if target == column.target else None)
        for target, word in TARGET_WORDS.items()
    )


def preview(lines: Sequence[Line], moments: Moments) -> list[PreviewRow]:
    """Return the first lines as they will be."""
    return [
        PreviewRow(
            line.number,
            shortened(token.value) if token.value else None,
            shortened(token.label) if token.label else None,
            token.email,
            token.category,
            uses_text(token.usage_count),
            moments.show(token.valid_from),
            moments.show(token.valid_to),
        )
        for line in lines[:PREVIEWED]
        for token in [line.row.token]
    ]


def doubt_notes(doubts: Mapping[CodeDoubt, Sequence[int]]) -> list[Note]:
    """Return one warning for each kind of doubt about codes."""
    return [
        Note("warning", _DOUBTS[doubt] % {"count": len(lines), "lines": _lines(lines)})
        for doubt, lines in doubts.items()
    ]


def replaced_notes(lines: Sequence[int]) -> list[Note]:
    """Return a warning about lines whose codes were replaced."""
    told = {"count": len(lines), "lines": _lines(lines)}
    return [Note("warning", _REPLACED % told)] if lines else []


def sheet_notes(sheet: Sheet | None) -> list[Note]:
    """Return which sheet of a workbook is read, and what of it nobody sees."""
    if sheet is None:
        return []
    notes = []
    if sheet.count > 1:
        facts = {"number": sheet.number, "count": sheet.count, "name": sheet.name}
        notes.append(Note("warning", _SHEET % facts))
    if sheet.hidden:
        notes.append(Note("warning", _HIDDEN % {"count": sheet.hidden}))
    return notes


def refilled_notes(refilled: Sequence[tuple[int, str]], *, may_list: bool) -> list[Note]:
    """Return a warning about used tokens that get uses back.

    :param refilled: the lines, and their codes.
    :param may_list: whether the reader may see them.
    """
    return _with_codes(_REFILLED, refilled, may_list=may_list)


def alike_notes(alike: Sequence[tuple[int, str]], *, may_list: bool) -> list[Note]:
    """Return a warning about lines whose codes are read like those of other tokens.

    :param alike: the lines, and those codes.
    :param may_list: whether the reader may see them.
    """
    return _with_codes(_ALIKE, alike, may_list=may_list)


def _with_codes(
    text: TranslationString, codes: Sequence[tuple[int, str]], *, may_list: bool
) -> list[Note]:
    lines = [f"{line} (“{shortened(code)}”)" if may_list else f"{line}" for line, code in codes]
    told = {"count": len(lines), "lines": _lines(lines)}
    return [Note("warning", text % told)] if lines else []


def _lines(lines: Sequence[int | str]) -> str:
    named = ", ".join(f"{number}" for number in lines[:NAMED])
    return f"{named}, …" if len(lines) > NAMED else named
