"""What documents and pages look like and weigh, for tests and benchmarks."""

import gzip
import importlib.util
import re
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pypdfium2
import zxingcpp
from PIL import Image

from cone.tokens.web.resources import STATIC


def pages_of(document: bytes, dots_per_inch: float = 200) -> Iterator[Image.Image]:
    """Return the pages of a PDF document as pictures."""
    with pypdfium2.PdfDocument(document) as opened:
        for page in opened:
            yield page.render(scale=dots_per_inch / 72).to_pil()
            page.close()


def codes_on(picture: Image.Image) -> list[str]:
    """Return the texts of the codes on a picture."""
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def imported_by(script: Path) -> set[Path]:
    """Return a module with all that it imports, and what those import."""
    found: set[Path] = set()
    todo = [script]
    while todo:
        path = todo.pop().resolve()
        if path not in found:
            found.add(path)
            names = re.findall(
                r'^import .*?from "(\..*?)";', path.read_text(), re.MULTILINE | re.DOTALL
            )
            todo += [path.parent / name for name in names]
    return found


def as_built(file: Path) -> bytes:
    """Return a file that browsers load as the wheel has it."""
    if "vendor" in file.parts:
        return file.read_bytes()
    return packed(file.suffix, file.read_text("utf-8")).encode()


def packed(suffix: str, source: str) -> str:
    """Return what the build makes of a source for browsers."""
    return str(_build().PACKERS[suffix](source))


def _build() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "setup.py"
    spec = importlib.util.spec_from_file_location("setup_of_the_wheel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weight_of(files: Iterable[Path]) -> int:
    """Return the bytes of files after gzip."""
    return sum(len(gzip.compress(as_built(file))) for file in files)


def weight_of_door(page: bytes) -> tuple[int, int]:
    """Return the bytes of the door page and its files after gzip: without the wasm, and with it."""
    scripts = imported_by(STATIC / "scan" / "main.js")
    files = [*scripts, STATIC / "scan" / "scan.css", *(STATIC / "vendor").rglob("*.js")]
    [wasm] = (STATIC / "vendor").rglob("*.wasm")
    light = len(gzip.compress(page)) + weight_of(files)
    return light, light + len(gzip.compress(wasm.read_bytes()))
