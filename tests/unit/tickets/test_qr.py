import io

import pytest
import zxingcpp
from PIL import Image

from cone.tokens.core.errors import ValueTooLongForQr
from cone.tokens.tickets import qr


def decoded(picture: bytes) -> str:
    """Return the text of the one code in a PNG picture."""
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return found.bytes.decode()


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "ABCDEFGH234567",
        "Ünïcödé ✓ 🎟",
        "<b>&amp;",
        "1" * 50,
        "x" * 2331,
        "x" * 2332,
        "x" * 2953,
    ],
    ids=lambda value: f"{value[:10]}-{len(value)}",
)
def test_png_when_read_by_a_scanner_then_it_is_the_value(value):
    assert decoded(qr.picture(value, "png")) == value


@pytest.mark.parametrize("value", ["x", "Ünïcödé ✓ 🎟", "ABCDEFGH234567", "x" * 2953])
def test_code_when_read_by_a_scanner_then_it_is_the_value(value):
    code = qr.plan(value)
    rows = code.rows()
    assert len(rows) == code.side
    assert {len(row) for row in rows} == {len(rows)}
    picture = Image.new("L", (len(rows) + 8,) * 2, 255)
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            picture.putpixel((x + 4, y + 4), 0 if is_dark else 255)
    large = picture.resize((picture.width * 4,) * 2, Image.Resampling.NEAREST)
    (found,) = zxingcpp.read_barcodes(large)
    assert found.bytes.decode() == value


def test_code_when_no_code_holds_the_value_then_it_is_refused():
    with pytest.raises(ValueTooLongForQr):
        qr.plan("x" * 2_954)


def test_svg_when_made_then_it_is_dark_on_white():
    picture = qr.picture("x", "svg").decode()
    assert picture.startswith("<?xml")
    assert 'fill="white"' in picture


def test_picture_when_the_value_has_only_capitals_and_digits_then_it_is_smaller():
    size = [Image.open(io.BytesIO(qr.picture(v * 36, "png"))).width for v in ("A", "a")]
    assert size[0] < size[1]


@pytest.mark.parametrize("length", [2_954, 10_000, 900_000])
def test_picture_when_no_code_holds_the_value_then_it_is_refused(length):
    with pytest.raises(ValueTooLongForQr):
        qr.picture("x" * length, "png")
