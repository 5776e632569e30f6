"""What the commands that write files have in common: FILE, its form, and the progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO
from typing import Final
from typing import Generic
from typing import TypeVar

import click

from cone.tokens.cli.command import WRONG_USE
from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.options import options_of
from cone.tokens.host.files import replacing
from cone.tokens.tickets import params
from cone.tokens.tickets.table_file import SEPARATORS
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Format

T = TypeVar("T")

#: Stands for the standard output.
STDOUT: Final = "-"

#: Rows between two pictures of the progress.
STEP: Final = 500

#: What the option calls the separators.
_SEPARATORS: Final = dict(zip(("comma", "semicolon", "tab"), SEPARATORS, strict=True))

#: What the commands take, with the filter that they share.
ARGUMENTS: Final = (
    click.argument("file", default=STDOUT, type=click.Path(dir_okay=False, allow_dash=True)),
    *options_of(params.FILTER_PARAMETERS),
)
FORM: Final = (
    click.option(
        "--format",
        "format_",
        type=click.Choice([form.value for form in Format]),
        help="Default: xlsx where FILE ends so, else csv.",
    ),
    click.option(
        "--separator",
        type=click.Choice(list(_SEPARATORS)),
        default="comma",
        show_default=True,
        help="What stands between cells of CSV: spreadsheets of many languages expect a semicolon.",
    ),
)


def form_of(site: Site, file: str, format_: str | None, separator: str) -> FileForm:
    """Return the form that the options ask for."""
    is_workbook = file.lower().endswith(f".{Format.WORKBOOK.value}")
    default = Format.WORKBOOK if is_workbook else Format.CSV
    chosen = Format(format_) if format_ else default
    return FileForm(site.config.zone, chosen, _SEPARATORS[separator])


class Counted(Generic[T]):
    """An iterator that counts.

    :ivar count: how many were taken.
    """

    def __init__(self, items: Iterable[T], move_on: Callable[[int], Any]) -> None:
        """Take ``items``; ``move_on`` is told how many more were taken."""
        self.count = 0
        self._items = items
        self._move_on = move_on

    def __iter__(self) -> Iterator[T]:
        """Return the items."""
        for item in self._items:
            yield item
            self.count += 1
            if not self.count % STEP:
                self._move_on(STEP)
        self._move_on(self.count % STEP)


def check_output(output: Output, file: str) -> None:
    """End the program where two things would be on stdout."""
    if file == STDOUT and output.is_json:
        fail(output, Exit.USAGE, WRONG_USE, "--json needs a FILE: both would be on stdout")


def write_file(output: Output, file: str, pieces: Iterable[bytes]) -> None:
    """Write ``pieces`` to ``file``, which appears when it is complete."""
    with _target(output, file) as target:
        for piece in pieces:
            target.write(piece)
        target.flush()


@contextlib.contextmanager
def _target(output: Output, file: str) -> Iterator[BinaryIO]:
    """Open the output; a file is created only if the block ends without an error."""
    # Where a link leads; what is no file, such as a pipe, is not replaced.
    path = Path(file).resolve()
    try:
        if file == STDOUT:
            yield sys.stdout.buffer
        elif path.exists() and not path.is_file():
            with path.open("wb") as special:
                yield special
        else:
            with replacing(path) as target:
                yield target
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(output, Exit.USAGE, "no_file", f"{file}: cannot be written: {error.strerror}")
