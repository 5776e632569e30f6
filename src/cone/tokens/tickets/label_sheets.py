"""The sheets that labels are printed on: where each label lies."""

from __future__ import annotations

import dataclasses
from typing import Final

#: Greatest measure of paper and least measure of a label, in millimetres.
LARGEST: Final = 1_000.0
SMALLEST: Final = 5.0

#: Labels that a page may have. Makers have up to 189.
MOST_ON_PAGE: Final = 500

_A4: Final = (210.0, 297.0)
_LETTER: Final = (215.9, 279.4)
#: What two measures that are the same may differ by.
_TOLERANCE: Final = 0.11


class WrongSheetError(ValueError):
    """Labels do not lie on their page as they are meant to.

    :ivar reason: ``count``, ``many``, ``size``, ``overlap`` or ``page``.
    :ivar fields: names of the measures that are wrong; none where all of them together are.
    """

    def __init__(self, reason: str, *fields: str) -> None:
        self.reason = reason
        self.fields = fields
        named = f" ({', '.join(fields)})" if fields else ""
        super().__init__(f"the labels do not fit their sheet: {reason}{named}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page of labels; lengths are in millimetres, from the left and upper edge.

    :ivar pitch_x: from the left edge of a label to that of the next one.
    """

    name: str
    page: tuple[float, float]
    columns: int
    rows: int
    width: float
    height: float
    left: float
    top: float
    pitch_x: float
    pitch_y: float

    def __post_init__(self) -> None:
        """Check the measures.

        :raises WrongSheetError: labels overlap each other or the edge of the page.
        """
        self._check("count", columns=self.columns >= 1, rows=self.rows >= 1)
        is_few = self.count <= MOST_ON_PAGE
        self._check("many", columns=is_few, rows=is_few)
        sizes = {"width": self.width, "height": self.height}
        self._check("size", **{name: SMALLEST <= sizes[name] <= LARGEST for name in sizes})
        if not all(0 < length <= LARGEST for length in self.page):
            raise WrongSheetError("page")
        if not self._lies_apart():
            raise WrongSheetError("overlap")
        right, bottom = self.margins_opposite
        if not min(self.left, self.top, right, bottom) >= -_TOLERANCE:
            raise WrongSheetError("page")

    @property
    def count(self) -> int:
        """Labels of a page."""
        return self.columns * self.rows

    @property
    def margins_opposite(self) -> tuple[float, float]:
        """What is left at the right and at the lower edge."""
        page_width, page_height = self.page
        right = page_width - self.left - (self.columns - 1) * self.pitch_x - self.width
        bottom = page_height - self.top - (self.rows - 1) * self.pitch_y - self.height
        return right, bottom

    def corner(self, position: int) -> tuple[float, float]:
        """Return the left upper corner of the label at ``position``, counted from 0 by rows."""
        row, column = divmod(position, self.columns)
        return self.left + column * self.pitch_x, self.top + row * self.pitch_y

    def _check(self, reason: str, **is_right: bool) -> None:
        wrong = [name for name, right in is_right.items() if not right]
        if wrong:
            raise WrongSheetError(reason, *wrong)

    def _lies_apart(self) -> bool:
        beside = self.columns == 1 or self.pitch_x >= self.width - _TOLERANCE
        below = self.rows == 1 or self.pitch_y >= self.height - _TOLERANCE
        return beside and below


def _centred(
    name: str,
    page: tuple[float, float],
    grid: tuple[int, int],
    size: tuple[float, float],
    gap: tuple[float, float] = (0.0, 0.0),
) -> Sheet:
    """Return a sheet whose margins are the same on both sides, as those of all makers here."""
    (columns, rows), (width, height) = grid, size
    pitch_x, pitch_y = width + gap[0], height + gap[1]
    return Sheet(
        name=name,
        page=page,
        columns=columns,
        rows=rows,
        width=width,
        height=height,
        left=round((page[0] - (columns - 1) * pitch_x - width) / 2, 4),
        top=round((page[1] - (rows - 1) * pitch_y - height) / 2, 4),
        pitch_x=pitch_x,
        pitch_y=pitch_y,
    )


#: The sheets that are to be had in shops, by the maker's number; rolls have pages of one label.
SHEETS: Final = {
    sheet.name: sheet
    for sheet in (
        _centred("L7160", _A4, (3, 7), (63.5, 38.1), (2.54, 0.0)),
        _centred("L7159", _A4, (3, 8), (63.5, 33.9), (2.54, 0.0)),
        _centred("L7161", _A4, (3, 6), (63.5, 46.6), (2.54, 0.0)),
        _centred("L7163", _A4, (2, 7), (99.1, 38.1), (2.5, 0.0)),
        _centred("L7651", _A4, (5, 13), (38.1, 21.2), (2.54, 0.0)),
        _centred("L7120", _A4, (5, 7), (35.0, 35.0), (5.0, 5.0)),
        # Inches: 2 5/8 x 1 and 4 x 2, with gaps of 1/8 and 3/16.
        _centred("5160", _LETTER, (3, 10), (66.675, 25.4), (3.175, 0.0)),
        _centred("5163", _LETTER, (2, 5), (101.6, 50.8), (4.7625, 0.0)),
        _centred("50x25", (50.0, 25.0), (1, 1), (50.0, 25.0)),
        _centred("62x29", (62.0, 29.0), (1, 1), (62.0, 29.0)),
    )
}
