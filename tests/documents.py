"""What documents and pages look like and weigh, for tests and benchmarks."""

import gzip
from collections.abc import Iterator

import pypdfium2
import zxingcpp
from PIL import Image

from cone.tokens.browser import STATIC


def pages_of(document: bytes, dots_per_inch: float = 200) -> Iterator[Image.Image]:
    """Return the pages of a PDF document as pictures."""
    with pypdfium2.PdfDocument(document) as opened:
        for page in opened:
            yield page.render(scale=dots_per_inch / 72).to_pil()
            page.close()


def codes_on(picture: Image.Image) -> list[str]:
    """Return the texts of the codes on a picture."""
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def weight_of_door(page: bytes) -> tuple[int, int]:
    """Return the bytes of the door page and its files after gzip: without the wasm, and with it."""
    files = [*STATIC.glob("*.js"), *(STATIC / "scan").iterdir(), *(STATIC / "vendor").rglob("*.js")]
    [wasm] = (STATIC / "vendor").rglob("*.wasm")
    contents = [page, *(file.read_bytes() for file in files)]
    light = sum(len(gzip.compress(content)) for content in contents)
    return light, light + len(gzip.compress(wasm.read_bytes()))
