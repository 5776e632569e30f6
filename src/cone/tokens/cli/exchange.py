"""Commands about files of tokens: export, import."""

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
from typing import NoReturn

import click

from cone.tokens import spreadsheet
from cone.tokens.cli import texts
from cone.tokens.cli.command import WRONG_USE
from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import BY
from cone.tokens.cli.options import given
from cone.tokens.cli.options import options_of
from cone.tokens.core import params
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.types import Actor
from cone.tokens.core.types import Known
from cone.tokens.core.types import Token
from cone.tokens.files import replacing
from cone.tokens.spreadsheet import Mistake

#: Stands for the standard output.
STDOUT: Final = "-"

#: Mistakes that people are told of.
LISTED: Final = 100
#: Tokens between two pictures of the progress.
STEP: Final = 500
#: Characters of a cell that they see.
SHOWN: Final = 40

_COUNTS: Final = {
    "added": "new",
    "updated": "changed",
    "unchanged": "as in the file already",
    "skipped": "known, left as they are",
}


@site_command(
    click.argument("file", default=STDOUT, type=click.Path(dir_okay=False, allow_dash=True)),
    *options_of((*params.FILTER_PARAMETERS, params.SORT)),
)
def export(site: Site, output: Output, file: str, **values: Any) -> None:
    """Write tokens to a CSV file.

    Those for which all options hold; without FILE to stdout. It is the file of the page
    /tokens/export, and the import takes it. Other tokens may be used meanwhile. FILE appears when
    it is complete, and not at all when something goes wrong.
    """
    if file == STDOUT and output.is_json:
        fail(output, Exit.USAGE, WRONG_USE, "--json needs a FILE: both would be on stdout")
    asked = site.parser.token_query(given(values))
    count = site.service.count(asked.matching)
    with output.progress("Exporting", count) as move_on, _target(output, file) as target:
        tokens = _Counted(site.service.every(asked.matching, asked.sort), move_on)
        for piece in spreadsheet.write(tokens, site.config.zone):
            target.write(piece)
        target.flush()
    facts = {"success": True, "file": file, "exported": tokens.count}
    output.result(facts, None)
    output.say(texts.counted(tokens.count, "token"))


@site_command(
    click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
    click.option(
        "--known",
        type=click.Choice([known.value for known in Known]),
        default=Known.SKIP.value,
        show_default=True,
        help="What happens to tokens that have a value of the file already.",
    ),
    click.option("--dry-run", is_flag=True, help="Only tell what would be done."),
    BY,
)
def import_(  # noqa: PLR0913 - one for each option
    site: Site,
    output: Output,
    file: str,
    known: str,
    *,
    dry_run: bool,
    by: Actor,
) -> None:
    """Add or change the tokens of a CSV file.

    All lines of it or none. FILE is one of the export or has at least a column "value"; - is
    stdin. Exit status 1: there are mistakes in it, told with their lines, and nothing was changed.
    """
    content = _read(site, output, file)
    rows = [line.row for line in content.lines]
    if dry_run or content.mistakes:
        report = site.service.check_import(rows, Known(known))
    else:
        report = site.service.import_tokens(rows, Known(known), by=by)
    mistakes = content.all_mistakes(report)
    if mistakes:
        _fail(output, mistakes)
    counts = {name: getattr(report, name) for name in _COUNTS}
    lines = [(f"{counts[name]:,}", word) for name, word in _COUNTS.items()]
    facts = {"success": True, "dry_run": dry_run, **counts}
    output.result(facts, texts.aligned(lines))
    output.say("Nothing was changed yet." if dry_run else "The import is done.")


class _Counted:
    """Tokens that are counted as they are taken.

    :ivar count: how many were taken.
    """

    def __init__(self, tokens: Iterable[Token], move_on: Callable[[int], None]) -> None:
        self.count = 0
        self._tokens = tokens
        self._move_on = move_on

    def __iter__(self) -> Iterator[Token]:
        for token in self._tokens:
            yield token
            self.count += 1
            if not self.count % STEP:
                self._move_on(STEP)
        self._move_on(self.count % STEP)


@contextlib.contextmanager
def _target(output: Output, file: str) -> Iterator[BinaryIO]:
    """Return what to write to: a file appears when the block ends without an error."""
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


def _read(site: Site, output: Output, file: str) -> spreadsheet.Content:
    try:
        with click.open_file(file, "rb") as source:
            text = spreadsheet.decode(source.read())
        return spreadsheet.read(text, site.parser)
    except InvalidParameter as error:
        # What is wrong with the file as a whole has no line.
        columns: Any = error.facts.get("columns", ())
        names = [texts.printable(name) for name in columns]
        message = f"{error}: {', '.join(names)}" if names else f"{error}"
        fail(output, Exit.NO, error.slug, message, error_code=error.code)


def _fail(output: Output, mistakes: list[Mistake]) -> NoReturn:
    for mistake in mistakes[:LISTED]:
        output.say(f"line {mistake.number}: {mistake.error}{_cell(mistake)}")
    if len(mistakes) > LISTED:
        output.say(f"and {len(mistakes) - LISTED:,} more")
    told = [
        {
            "line": mistake.number,
            "column": mistake.column,
            "cell": mistake.cell,
            "message": str(mistake.error),
        }
        for mistake in mistakes
    ]
    message = f"Mistakes in the file: {len(mistakes):,}. Nothing was imported"
    fail(output, Exit.NO, "invalid_file", message, error_code=InvalidParameter.code, mistakes=told)


def _cell(mistake: Mistake) -> str:
    if not mistake.column:
        return ""
    cell = texts.printable(mistake.cell)
    return f' ("{cell[:SHOWN]}{"…" if len(cell) > SHOWN else ""}")'
