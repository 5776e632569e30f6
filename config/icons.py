"""Draw the icons of the door page anew: ``python config/icons.py``. ``door.svg`` is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image
from PIL import ImageDraw

ICONS: Final = Path(__file__).parent.parent / "src/cone/tokens/browser/static/icons"
GROUND: Final = "#16324f"
SIDE: Final = 512
#: Drawn larger first: that smooths the edges.
SCALE: Final = 4

CORNERS: Final = (
    [(112, 184), (112, 112), (184, 112)],
    [(328, 112), (400, 112), (400, 184)],
    [(400, 328), (400, 400), (328, 400)],
    [(184, 400), (112, 400), (112, 328)],
)
CHECK: Final = [(180, 262), (236, 318), (336, 202)]


def main() -> None:
    """Write all sizes."""
    for side in (180, 192, 512):
        save(picture(rounding=96 if side != 180 else 0), side, f"door-{side}.png")  # noqa: PLR2004
    # Systems cut these to shapes of their own: what matters stays in the middle.
    save(picture(rounding=0, shrink=0.8), SIDE, "door-maskable-512.png")


def picture(*, rounding: int, shrink: float = 1) -> Image.Image:
    """Draw corners around a check mark.

    :param shrink: size of both beside that of the ground.
    """
    image = Image.new("RGBA", (SIDE * SCALE, SIDE * SCALE))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, *image.size), rounding * SCALE, GROUND)
    for corner in CORNERS:
        line(draw, corner, "#fff", 32, shrink)
    line(draw, CHECK, "#5fd38a", 48, shrink)
    return image


def line(
    draw: ImageDraw.ImageDraw,
    points: list[tuple[int, int]],
    color: str,
    width: int,
    shrink: float,
) -> None:
    """Draw a line with round ends."""
    middle = SIDE / 2
    scaled = [
        tuple((middle + (place - middle) * shrink) * SCALE for place in point) for point in points
    ]
    radius = width * shrink * SCALE / 2
    draw.line([place for point in scaled for place in point], color, round(2 * radius))
    for x, y in scaled:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), color)


def save(image: Image.Image, side: int, name: str) -> None:
    """Write ``image`` in a size."""
    image.resize((side, side), Image.Resampling.LANCZOS).save(ICONS / name, optimize=True)


if __name__ == "__main__":
    main()
