"""Commands about files of tokens: export, import."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any
from typing import Final
from typing import NoReturn

import click

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import BY
from cone.tokens.cli.options import given
from cone.tokens.cli.options import option_of
from cone.tokens.cli.terminal import aligned
from cone.tokens.cli.terminal import printable
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import Actor
from cone.tokens.host.form_data import MIB
from cone.tokens.host.rendering import counted
from cone.tokens.tickets import params
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.columns import AS_DATA
from cone.tokens.tickets.columns import CHOICES
from cone.tokens.tickets.columns import LEFT_OUT
from cone.tokens.tickets.columns import wrong
from cone.tokens.tickets.commands import texts
from cone.tokens.tickets.commands import written
from cone.tokens.tickets.commands.site import parser_of
from cone.tokens.tickets.commands.site import service_of
from cone.tokens.tickets.encodings import WINDOWS
from cone.tokens.tickets.encodings import Decoded
from cone.tokens.tickets.encodings import decode
from cone.tokens.tickets.spreadsheet import Mistake
from cone.tokens.tickets.table_file import SEPARATORS
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.workbook import Sheet
from cone.tokens.tickets.workbook_bounds import MOST_BYTES

#: Mistakes that people are told of.
LISTED: Final = 100
#: Characters of a cell that they see.
SHOWN: Final = 40

#: What a result calls the lines of used tokens that get uses back.
REFILLED: Final = "refilled"
#: What a result calls the lines whose codes are read like one of another token.
STORED: Final = "stored"

#: What ``--map`` calls the columns.
_TARGETS: Final = {
    "code": "value",
    **{target: target for target in CHOICES if target.isidentifier() and target != "value"},
    "data": AS_DATA,
    "leave-out": LEFT_OUT,
}

#: What is told of a sheet.
_OF_SHEET: Final = ("name", "number", "count", "hidden")

#: Codes that differ, with the lines of the file.
Codes = list[tuple[int, CodeChange]]

_COUNTS: Final = {
    "added": "new",
    "updated": "changed",
    "unchanged": "as in the file already",
    "skipped": "known, left as they are",
}


@site_command(*written.ARGUMENTS, option_of(params.SORT), *written.FORM)
def export(
    site: Site, output: Output, file: str, format_: str | None, separator: str, **values: Any
) -> None:
    """Write tokens to a CSV file or a workbook (xlsx).

    Those for which all options hold; without FILE to stdout. It is the file of the page
    /tokens/export, and the import takes it. Other tokens may be used meanwhile. FILE appears when
    it is complete, and not at all when something goes wrong.
    """
    written.check_output(output, file)
    asked = parser_of(site).token_query(given(values))
    count = service_of(site).count(asked.matching)
    with output.progress("Exporting", count) as move_on:
        tokens = written.Counted(service_of(site).every(asked.matching, asked.sort), move_on)
        form = written.form_of(site, file, format_, separator)
        written.write_file(output, file, spreadsheet.write(tokens, form))
    facts = {"success": True, "file": file, "exported": tokens.count}
    output.result(facts, None)
    output.say(counted(tokens.count, "token"))


@site_command(
    click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
    click.option(
        "--known",
        type=click.Choice([known.value for known in Known]),
        default=Known.SKIP.value,
        show_default=True,
        help="What happens to tokens that have a uid or a value of the file already.",
    ),
    click.option(
        "--map",
        "pairs",
        multiple=True,
        metavar="HEADER=COLUMN",
        help="What a column is that is not known: "
        f"{', '.join(_TARGETS)}. May be given several times.",
    ),
    click.option(
        "--encoding",
        type=click.Choice([WINDOWS]),
        help="Of a file that is neither in UTF-8 nor in UTF-16 with its mark.",
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
    pairs: tuple[str, ...],
    encoding: str | None,
    dry_run: bool,
    by: Actor,
) -> None:
    """Add or change the tokens of a CSV file or a workbook (xlsx).

    All lines of it or none. FILE is one of the export, or a list of guests whose first line names
    its columns; - is stdin. A line with the uid of a token is about that token: another code there
    changes it, with --known update. Exit status 1: there are mistakes in it, told with their
    lines, and nothing was changed.
    """
    content, sheet = _read(site, output, file, _chosen(pairs), encoding)
    rows = [line.row for line in content.lines]
    if dry_run or content.mistakes:
        report = service_of(site).check_import(rows, Known(known))
    else:
        report = service_of(site).import_tokens(rows, Known(known), by=by)
    mistakes = content.all_mistakes(report)
    if mistakes:
        _fail(output, mistakes)
    counts = {name: getattr(report, name) for name in _COUNTS}
    lines = [(f"{counts[name]:,}", word) for name, word in _COUNTS.items()]
    codes = content.codes(report)
    facts = {"success": True, "dry_run": dry_run, **counts, "codes": _codes_json(codes)}
    facts["replaced"] = _codes_json(content.replaced(report))
    facts["unusable"] = dict(report.unusable)
    facts["doubts"] = {doubt.value: lines for doubt, lines in content.doubts.items()}
    if sheet:
        facts["sheet"] = {name: getattr(sheet, name) for name in _OF_SHEET}
    alike = content.alike(report)
    if alike:
        facts["doubts"][STORED] = [line for line, _other in alike]
    refilled = content.refilled(report)
    if refilled:
        facts["doubts"][REFILLED] = [line for line, _code in refilled]
    output.result(facts, aligned(lines))
    if sheet:
        _say_sheet(output, sheet)
    if content.lacks_name:
        output.say("Warning: no column is the name; say which one with --map HEADER=label")
    _say_codes(output, codes, Known(known))
    _say_replaced(output, content.replaced(report))
    _say_alike(output, alike)
    if refilled:
        output.say(texts.refilled([_shortened(code) for _line, code in refilled]))
    for doubt in (*texts.code_doubts(content.doubts), *texts.doubts(report.unusable)):
        output.say(doubt)
    output.say("Nothing was changed yet." if dry_run else "The import is done.")


def _chosen(pairs: tuple[str, ...]) -> dict[str | int, str]:
    """Return the meanings the user gave to unknown columns, by header."""
    chosen: dict[str | int, str] = {}
    for pair in pairs:
        header, sign, word = pair.rpartition("=")
        if not sign or word not in _TARGETS:
            message = (
                f"--map {printable(pair)}: is no HEADER=COLUMN with one of {', '.join(_TARGETS)}"
            )
            raise click.UsageError(message)
        chosen[" ".join(header.split())] = _TARGETS[word]
    return chosen


def _decoded(file: str, encoding: str | None) -> Decoded:
    """Return the text of a file, and what else it tells.

    :raises InvalidParameter: it is too large, or does not say how it is encoded, and nobody else
        does.
    """
    with click.open_file(file, "rb") as source:
        content = source.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise wrong("file_too_large", f"is larger than {MOST_BYTES // MIB} MiB")
    decoded = decode(content)
    if decoded.is_guess and encoding != decoded.encoding:
        advice = f"is not in UTF-8; if it is in {WINDOWS}, say --encoding {WINDOWS}"
        raise wrong("file_not_utf8", advice)
    return decoded


def _read(
    site: Site,
    output: Output,
    file: str,
    chosen: dict[str | int, str],
    encoding: str | None,
) -> tuple[spreadsheet.Content, Sheet | None]:
    try:
        found = _decoded(file, encoding)
        sheet = found.sheet
        return spreadsheet.read(found.text, parser_of(site), chosen, sheet=sheet), sheet
    except InvalidParameter as error:
        # What is wrong with the file as a whole has no line.
        columns: Any = error.facts.get("columns", ())
        names = [printable(name) for name in columns]
        message = printable(f"{error}")
        if names:
            message += f": {', '.join(names)}; say what they are with --map"
        if any(sign in name for name in columns for sign in SEPARATORS):
            message += "; where cells are split in the wrong places, begin with a line sep=;"
        fail(output, Exit.NO, error.slug, message, error_code=error.code)


def _codes_json(codes: Codes) -> list[dict[str, Any]]:
    return [
        {"line": line, "token_uid": str(code.token_uid), "old": code.old, "new": code.new}
        for line, code in codes
    ]


def _say_sheet(output: Output, sheet: Sheet) -> None:
    if sheet.count > 1:
        name = _shortened(sheet.name)
        output.say(f"Sheet {sheet.number} of {sheet.count} is read: {name}")
    if sheet.hidden:
        output.say(f"Warning: hidden rows that are imported like the others: {sheet.hidden:,}")


def _say_codes(output: Output, codes: Codes, known: Known) -> None:
    for line, code in codes[:LISTED]:
        old, new = (_shortened(value) for value in (code.old, code.new))
        if known is Known.SKIP:
            output.say(f"line {line}: the code stays {old}, the file has {new}")
        else:
            output.say(f"line {line}: the code changes from {old} to {new}")
    _say_rest(output, codes)


def _say_replaced(output: Output, codes: Codes) -> None:
    for line, code in codes[:LISTED]:
        old, new = (_shortened(value) for value in (code.new, code.old))
        output.say(f"Warning: line {line}: {old} was replaced; the code stays {new}")
    _say_rest(output, codes)


def _say_alike(output: Output, codes: list[tuple[int, str]]) -> None:
    for line, other in codes[:LISTED]:
        output.say(f"Warning: line {line}: the code {texts.alike(_shortened(other))}")
    _say_rest(output, codes)


def _say_rest(output: Output, told: Sized) -> None:
    if len(told) > LISTED:
        output.say(f"and {len(told) - LISTED:,} more")


def _fail(output: Output, mistakes: list[Mistake]) -> NoReturn:
    for mistake in mistakes[:LISTED]:
        output.say(f"line {mistake.number}: {mistake.error}{_cell(mistake)}")
    _say_rest(output, mistakes)
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
    return f" ({_shortened(mistake.cell)})"


def _shortened(text: str) -> str:
    cell = printable(text)
    return f'"{cell[:SHOWN]}{"…" if len(cell) > SHOWN else ""}"'
