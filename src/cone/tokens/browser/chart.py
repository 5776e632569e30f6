"""The geometry of bar charts, for templates to draw.

Places across are percentages and places down are pixels, so that a picture is as wide as the
page while its letters keep their size.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final

#: Pixels between the upper and the lower edge of the bars.
HEIGHT: Final = 220

#: Pixels above the bars, where the uppermost number stands, and below them for the labels.
ABOVE: Final = 20
BELOW: Final = 28

#: Percentage that the numbers at the side take.
_SIDE: Final = 9.0

_MOST_LINES: Final = 6
_MOST_LABELS: Final = 6
_WIDEST: Final = 8.0
_FILLED: Final = 0.8

#: Pixels of a bar that stands for little: it is there.
_LEAST: Final = 1.5


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """The values of one column: granted above the line, refused below it.

    :ivar label: short, for below the picture.
    :ivar title: whole, for who points at a bar.
    """

    label: str
    title: str
    granted: int
    refused: int


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: str
    width: str
    y: float
    height: float
    title: str
    is_refused: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line across, and the number that it stands for."""

    y: float
    text: str
    is_base: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """A text below the bars."""

    x: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """A picture of bars."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    height: int = ABOVE + HEIGHT + BELOW
    label_y: int = ABOVE + HEIGHT + BELOW - 8
    number_x: str = f"{_SIDE - 1}%"
    line_x: str = f"{_SIDE}%"


def draw(columns: Sequence[Column]) -> Chart:
    """Return the picture of ``columns``."""
    highest = max((column.granted for column in columns), default=0)
    lowest = max((column.refused for column in columns), default=0)
    step = _step(highest + lowest)
    up, down = -(-highest // step), -(-lowest // step)
    scale = HEIGHT / max(step * (up + down), 1)
    base = ABOVE + step * up * scale
    return Chart(
        bars=tuple(_bars(columns, base, scale)),
        lines=tuple(
            Line(round(base - number * step * scale, 1), grouped(abs(number) * step), number == 0)
            for number in range(-down, up + 1)
        ),
        labels=tuple(_labels(columns)),
    )


def grouped(number: int) -> str:
    """Return ``number`` with its digits in groups of three, separated by narrow spaces."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _step(total: int) -> int:
    """Return the distance between grid lines: 1, 2 or 5 times a power of ten."""
    steps = (digit * 10**zeros for zeros in itertools.count() for digit in (1, 2, 5))
    return next(step for step in steps if step * (_MOST_LINES - 1) >= total)


def _bars(columns: Sequence[Column], base: float, scale: float) -> Iterator[Bar]:
    for number, column in enumerate(columns):
        width = min(_pitch(columns) * _FILLED, _WIDEST)
        x = f"{_centre(columns, number) - width / 2:.3f}%"
        for count, is_refused in ((column.granted, False), (column.refused, True)):
            if count:
                height = round(max(count * scale, _LEAST), 1)
                y = base if is_refused else base - height
                yield Bar(x, f"{width:.3f}%", round(y, 1), height, column.title, is_refused)


def _labels(columns: Sequence[Column]) -> Iterator[Label]:
    every = -(-len(columns) // _MOST_LABELS)
    for number in range(0, len(columns), max(every, 1)):
        yield Label(f"{_centre(columns, number):.3f}%", columns[number].label)


def _pitch(columns: Sequence[Column]) -> float:
    return (100 - _SIDE) / len(columns)


def _centre(columns: Sequence[Column], number: int) -> float:
    return _SIDE + _pitch(columns) * (number + 0.5)
