"""Contrast of colours as WCAG 2.2 computes it."""

import io
import re

from PIL import Image

#: WCAG 1.4.3 for text, 1.4.11 for controls.
OF_TEXT = 4.5
OF_CONTROLS = 3


def ground_of(page):
    """Return the colour that the page has in its lower right corner, as one sees it."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return picture.getpixel((picture.width - 5, picture.height - 5))


def colour_of(element, name="color"):
    """Return a computed colour of an element."""
    text = element.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    numbers = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", text)
    assert numbers, text
    return tuple(map(int, numbers.groups()))


def contrast(one, other):
    """Return the contrast of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour):
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (number / 255 for number in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
