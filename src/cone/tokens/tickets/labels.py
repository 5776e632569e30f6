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
from cone.tokens.tickets.label_sheets import Sheet
from cone.tokens.tickets.label_text import Texts

#: Modules of white around a code.
QUIET_ZONE: Final = 4

#: Millimetres of a module that every reader can do with, and those below which there is text
#: only: three dots of a printer with 300 dots per inch.
GOOD_MODULE: Final = 0.4
LEAST_MODULE: Final = 0.25

_POINTS: Final = 72 / 25.4

#: Millimetres between the edge of a label and what is printed on it.
_PADDING: Final = 0.8
#: Millimetres beside a code that a caption needs, and the part of the label that one with a name
#: has where the code can be smaller.
_CAPTION_WIDTH: Final = 14.0
_NAMED_WIDTH: Final = 0.55
#: Millimetres below a code that a caption of two lines needs, and one with a name.
_CAPTION_HEIGHT: Final = 6.2
_NAMED_HEIGHT: Final = 16.0
#: Millimetres of white at both ends of a line.
_MARGIN: Final = 0.5
_MARK: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How labels are printed.

    :ivar start: number of the first label on the first page, counted from 1 by rows: the ones
        before it are used up.
    :ivar caption: print label, category and code as text, beside or below the code.
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


def lay_out(
    sheet: Sheet,
    modules: int | None,
    *,
    caption: bool,
    has_name: bool = False,
) -> Layout:
    """Return the layout of a label of ``sheet``.

    The code is as large as the label lets it be; a caption never makes its modules smaller than
    :data:`GOOD_MODULE`.

    :param modules: those of a side of the code without quiet zone; None where there is no code.
    :param has_name: the caption has more than the code, and more room.
    """
    whole = _inside(sheet, _PADDING)
    side = min(whole.width, whole.height)
    cells = (modules or 0) + 2 * QUIET_ZONE
    if modules is None or side / cells < LEAST_MODULE:
        return Layout(None, _inside(sheet, _MARK))
    if caption:
        least = cells * GOOD_MODULE if has_name else max(whole.width, whole.height)
        choices = (_beside(whole, least), _below(whole, least))
        side, layout = max(choices, key=operator.itemgetter(0))
        if side / cells >= GOOD_MODULE:
            return layout
        side = min(whole.width, whole.height)
    x, y = whole.x + (whole.width - side) / 2, whole.y + (whole.height - side) / 2
    return Layout(Area(x, y, side, side), None)


def _inside(sheet: Sheet, margin: float) -> Area:
    return Area(margin, margin, sheet.width - 2 * margin, sheet.height - 2 * margin)


def _beside(whole: Area, least: float) -> tuple[float, Layout]:
    """Return the side of the code and the layout with the caption at its right.

    :param least: side of the code below which the caption gets no more than it needs.
    """
    wanted = min(whole.width * _NAMED_WIDTH, whole.width - least)
    side = min(whole.height, whole.width - max(_CAPTION_WIDTH, wanted))
    code = Area(whole.x, whole.y + (whole.height - side) / 2, side, side)
    caption = Area(whole.x + side, whole.y, whole.width - side, whole.height)
    return side, Layout(code, caption)


def _below(whole: Area, least: float) -> tuple[float, Layout]:
    height = max(_CAPTION_HEIGHT, min(_NAMED_HEIGHT, whole.height - least))
    side = min(whole.width, whole.height - height)
    code = Area(whole.x + (whole.width - side) / 2, whole.y, side, side)
    top = whole.y + whole.height - height
    return side, Layout(code, Area(whole.x, top, whole.width, height))


def pdf(tokens: Iterable[Texts], options: Options, title: str) -> bytes:
    """Return the document with one label for each of ``tokens``, in their order.

    A code that is too long for a QR code, or for one on such a label, gets text only.

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
    for position, texts in enumerate(tokens, options.start - 1):
        draw.label(position, texts)
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
        # They are known to the document from now on.
        label_text.fonts()
        self._path = PDFPathObject
        self._page = 0
        if options.cut_marks:
            self._marks()

    def label(self, position: int, texts: Texts) -> None:
        """Draw the label at ``position``, counted through all pages."""
        page, place = divmod(position, self._sheet.count)
        if page != self._page:
            self._page = page
            self._canvas.showPage()
            if self._options.cut_marks:
                self._marks()
        x, y = self._sheet.corner(place)
        code = _code_of(texts.code)
        layout = lay_out(
            self._sheet,
            code.side if code else None,
            caption=self._options.caption,
            has_name=texts.has_name,
        )
        if layout.code and code:
            self._code(code.rows(), _moved(layout.code, x, y))
        if layout.caption:
            self._text(texts, _moved(layout.caption, x, y))

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

    def _text(self, texts: Texts, area: Area) -> None:
        width, height = (area.width - 2 * _MARGIN) * _POINTS, area.height * _POINTS
        lines = label_text.caption(texts, width, height)
        needed = sum(line.size * label_text.LEADING for line in lines)
        top = self._from_below(area.y) - (height - needed) / 2
        middle = (area.x + area.width / 2) * _POINTS
        for line in lines:
            self._canvas.setFont(line.font, line.size)
            self._canvas.drawCentredString(middle, top - line.size, line.text)
            top -= line.size * label_text.LEADING

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
