"""Sheets of labels with QR codes, as PDF.

Needs reportlab, the extra ``labels``; :func:`is_available` tells whether it is there.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Final

from cone.tokens.core.errors import ValueTooLongForQr
from cone.tokens.tickets import label_text
from cone.tokens.tickets import qr

#: Modules of white around a code.
QUIET_ZONE: Final = 4

#: Millimetres of a module that every reader can do with, and those below which there is text
#: only: three dots of a printer with 300 dots per inch.
GOOD_MODULE: Final = 0.4
LEAST_MODULE: Final = 0.25

#: Greatest measure of paper and least measure of a label, in millimetres.
LARGEST: Final = 1_000.0
SMALLEST: Final = 5.0

#: Labels that a page may have. Makers have up to 189.
MOST_ON_PAGE: Final = 500

_A4: Final = (210.0, 297.0)
_LETTER: Final = (215.9, 279.4)
_POINTS: Final = 72 / 25.4

#: Millimetres between the edge of a label and what is printed on it.
_PADDING: Final = 0.8
_FONT_SIZE: Final = 7.0
_LEADING: Final = 8.4
#: Millimetres beside a code that a caption needs.
_CAPTION_WIDTH: Final = 14.0
#: Millimetres below a code that a caption of two lines needs.
_CAPTION_HEIGHT: Final = 6.2
_MARK: Final = 2.0
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How labels are printed.

    :ivar start: number of the first label on the first page, counted from 1 by rows: the ones
        before it are used up.
    :ivar caption: print the beginning of the value beside or below the code.
    :ivar cut_marks: print the corners of the labels.
    """

    sheet: Sheet
    start: int = 1
    caption: bool = True
    cut_marks: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on a page, in millimetres."""

    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """What stands where on a label; None: it does not.

    :ivar code: a square, the quiet zone included.
    """

    code: Area | None
    caption: Area | None


def is_available() -> bool:
    """Return whether reportlab is installed."""
    return importlib.util.find_spec("reportlab") is not None


def lay_out(sheet: Sheet, modules: int | None, *, caption: bool) -> Layout:
    """Return the layout of a label of ``sheet``.

    The code is as large as the label lets it be; a caption never makes its modules smaller than
    :data:`GOOD_MODULE`.

    :param modules: those of a side of the code without quiet zone; None where there is no code.
    """
    whole = _inside(sheet, _PADDING)
    side = min(whole.width, whole.height)
    cells = (modules or 0) + 2 * QUIET_ZONE
    if modules is None or side / cells < LEAST_MODULE:
        return Layout(None, _inside(sheet, _MARK))
    if caption:
        side, layout = max((_beside(whole), _below(whole)), key=operator.itemgetter(0))
        if side / cells >= GOOD_MODULE:
            return layout
        side = min(whole.width, whole.height)
    x, y = whole.x + (whole.width - side) / 2, whole.y + (whole.height - side) / 2
    return Layout(Area(x, y, side, side), None)


def _inside(sheet: Sheet, margin: float) -> Area:
    return Area(margin, margin, sheet.width - 2 * margin, sheet.height - 2 * margin)


def _beside(whole: Area) -> tuple[float, Layout]:
    """Return the side of the code and the layout with the caption at its right."""
    side = min(whole.height, whole.width - _CAPTION_WIDTH)
    code = Area(whole.x, whole.y + (whole.height - side) / 2, side, side)
    caption = Area(whole.x + side, whole.y, whole.width - side, whole.height)
    return side, Layout(code, caption)


def _below(whole: Area) -> tuple[float, Layout]:
    side = min(whole.width, whole.height - _CAPTION_HEIGHT)
    code = Area(whole.x + (whole.width - side) / 2, whole.y, side, side)
    top = whole.y + whole.height - _CAPTION_HEIGHT
    return side, Layout(code, Area(whole.x, top, whole.width, _CAPTION_HEIGHT))


def pdf(values: Iterable[str], options: Options, title: str) -> bytes:
    """Return the document with one label for each of ``values``, in their order.

    A value that is too long for a QR code, or for one on such a label, gets text only.

    :raises ValueError: the start is no label of the sheet.
    """
    from reportlab.pdfgen.canvas import Canvas

    sheet = options.sheet
    if not 1 <= options.start <= sheet.count:
        raise ValueError(options.start)
    stream = io.BytesIO()
    size = tuple(length * _POINTS for length in sheet.page)
    canvas = Canvas(stream, pagesize=size, pageCompression=1)
    canvas.setTitle(title)
    # Sizes are those of the labels: viewers are asked not to fit pages to their paper.
    canvas.setViewerPreference("PrintScaling", "None")
    draw = _Drawing(canvas, options)
    for position, value in enumerate(values, options.start - 1):
        draw.label(position, value)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


class _Drawing:
    """Draws labels; places are millimetres from the left upper corner of the page."""

    def __init__(self, canvas: Any, options: Options) -> None:
        from reportlab.pdfgen.pathobject import PDFPathObject

        self._canvas = canvas
        self._options = options
        self._sheet = options.sheet
        self._font, self._has = label_text.font()
        self._path = PDFPathObject
        self._page = 0
        if options.cut_marks:
            self._marks()

    def label(self, position: int, value: str) -> None:
        """Draw the label at ``position``, counted through all pages."""
        page, place = divmod(position, self._sheet.count)
        if page != self._page:
            self._page = page
            self._canvas.showPage()
            if self._options.cut_marks:
                self._marks()
        x, y = self._sheet.corner(place)
        code = _code_of(value)
        modules = code.side if code else None
        layout = lay_out(self._sheet, modules, caption=self._options.caption)
        if layout.code and code:
            self._code(code.rows(), _moved(layout.code, x, y))
        if layout.caption:
            self._text(value, _moved(layout.caption, x, y))

    def _code(self, matrix: list[list[bool]], area: Area) -> None:
        module = area.width * _POINTS / (len(matrix) + 2 * QUIET_ZONE)
        canvas = self._canvas
        canvas.saveState()
        canvas.translate(area.x * _POINTS, self._from_below(area.y))
        canvas.scale(module, -module)
        # One path for all: edges that touch leave no fine white lines. Its numbers are small
        # ones, which makes the document small, and are written faster than through ``rect``.
        canvas.drawPath(self._path(list(_runs(matrix))), stroke=0, fill=1)
        canvas.restoreState()

    def _text(self, value: str, area: Area) -> None:
        lines = label_text.lines_of(
            label_text.printable(value, self._has),
            self._measure,
            area.width * _POINTS,
            int(area.height * _POINTS / _LEADING) or 1,
        )
        height = len(lines) * _LEADING
        top = self._from_below(area.y) - (area.height * _POINTS - height) / 2
        self._canvas.setFont(self._font, _FONT_SIZE)
        for number, line in enumerate(lines):
            baseline = top - number * _LEADING - _FONT_SIZE
            middle = (area.x + area.width / 2) * _POINTS
            self._canvas.drawCentredString(middle, baseline, line)

    def _marks(self) -> None:
        """Draw the corners of all labels of the page."""
        path = self._canvas.beginPath()
        for position in range(self._sheet.count):
            x, y = self._sheet.corner(position)
            for right, inwards_x in ((x, 1), (x + self._sheet.width, -1)):
                for lower, inwards_y in ((y, 1), (y + self._sheet.height, -1)):
                    across, down = right * _POINTS, self._from_below(lower)
                    path.moveTo(across + inwards_x * _MARK * _POINTS, down)
                    path.lineTo(across, down)
                    path.lineTo(across, down - inwards_y * _MARK * _POINTS)
        self._canvas.saveState()
        self._canvas.setLineWidth(0.25)
        self._canvas.setStrokeGray(0.5)
        self._canvas.drawPath(path, stroke=1, fill=0)
        self._canvas.restoreState()

    def _measure(self, text: str) -> float:
        return float(self._canvas.stringWidth(text, self._font, _FONT_SIZE))

    def _from_below(self, y: float) -> float:
        return (self._sheet.page[1] - y) * _POINTS


def _moved(area: Area, x: float, y: float) -> Area:
    return dataclasses.replace(area, x=area.x + x, y=area.y + y)


def _code_of(value: str) -> qr.Code | None:
    try:
        return qr.plan(value)
    except ValueTooLongForQr:
        return None


def _runs(matrix: list[list[bool]]) -> Iterator[str]:
    """Return the dark runs of all rows as rectangles of a PDF path, the quiet zone around."""
    for y, row in enumerate(matrix, QUIET_ZONE):
        start = None
        for x, is_dark in enumerate([*row, False], QUIET_ZONE):
            if is_dark and start is None:
                start = x
            elif start is not None and not is_dark:
                yield f"{start} {y} {x - start} 1 re"
                start = None
