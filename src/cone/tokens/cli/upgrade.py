"""The command ``upgrade``: brings a database to the version of this package."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final
from typing import NoReturn

import click

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.host.config import find_zone
from cone.tokens.host.rendering import counted
from cone.tokens.migrations import schema
from cone.tokens.migrations import upgrade as upgrades
from cone.tokens.migrations.of_2_0 import Findings
from cone.tokens.migrations.of_2_0 import Options
from cone.tokens.migrations.schema import Schema
from cone.tokens.migrations.upgrade import UpgradeRefused
from cone.tokens.tickets.directory import Losses
from cone.tokens.tickets.directory import find_losses

#: Names of users that people are told; JSON has all.
TOLD_NAMES: Final = 20


def _zone(
    _context: click.Context,
    _parameter: click.Parameter,
    name: str | None,
) -> zoneinfo.ZoneInfo | None:
    if name is None:
        return None
    zone = find_zone(name)
    if zone is None:
        message = f"there is no time zone {name!r}"
        raise click.BadParameter(message)
    return zone


@site_command(
    click.option("--check", is_flag=True, help="Tell what would be done, and change nothing."),
    click.option(
        "--timezone",
        "zone",
        callback=_zone,
        metavar="ZONE",
        help="IANA zone of the times in a database of 2.0, e.g. Europe/Vienna; needed for one.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["refuse", "keep-oldest", "keep-newest"]),
        default="refuse",
        show_default=True,
        help="Which of the tokens of 2.0 with the same value keeps it; others get their uid.",
    ),
    click.option(
        "--long-values",
        type=click.Choice(["refuse", "uid"]),
        default="refuse",
        show_default=True,
        help="What becomes of values of 2.0 that are too long, or no text.",
    ),
    click.option(
        "--report",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.csv",
        help="List of all rows of 2.0 that do not stay as they are. Must not be there yet."
        " Default: a new file beside the ini file.",
    ),
)
def upgrade(site: Site, output: Output, *, check: bool, **given: Any) -> None:
    """Bring the database to the version of this package.

    All is done or nothing. On SQLite a copy of the file is made first. With --check the exit
    status is 1 where the upgrade would be refused.
    """
    with site.found_database.connecting() as connection:
        found = schema.find(connection)
    if found is Schema.NEWER:
        raise schema.OutdatedDatabase(found)
    try:
        if found is Schema.OF_2_0:
            _of_2_0(site, output, _options(given), None if check else _report(site, **given))
        elif found is Schema.OLDER:
            _older(site, output, check=check)
        elif found is Schema.CURRENT:
            _current(site, output, check=check)
        else:
            _tell_nothing(output)
    except UpgradeRefused as error:
        _refuse(output, list(error.reasons), _facts(error.findings))
    except OSError as error:
        fail(output, Exit.USAGE, "file_error", f"{error.filename}: {error.strerror}")


def _older(site: Site, output: Output, *, check: bool) -> None:
    if check:
        text = "The database is of an older version and can be upgraded."
        output.result({"success": True, "upgraded": False}, text)
        return
    with output.progress("Upgrading", upgrades.STEPS) as progress:
        upgrades.upgrade_older(
            site.found_database, progress, tell=lambda backup: _tell_backup(output, backup)
        )
    output.result({"success": True, "upgraded": True}, "The database is upgraded.")


def _current(site: Site, output: Output, *, check: bool) -> None:
    if check or not upgrades.make_search_index(site.found_database):
        _tell_nothing(output)
        return
    text = "Searches find parts of codes and labels now."
    output.result({"success": True, "upgraded": True}, text)


def _tell_nothing(output: Output) -> None:
    output.result({"success": True, "upgraded": False}, "Nothing to do.")


def _options(given: Mapping[str, Any]) -> Options:
    if given["zone"] is None:
        message = (
            "the database is of cone.tokens 2.0, whose times are those of a local clock: "
            "say with --timezone ZONE (e.g. Europe/Vienna) of which zone"
        )
        raise click.UsageError(message)
    return Options(given["zone"], given["duplicates"], given["long_values"])


def _report(site: Site, *, report: Path | None, **_given: Any) -> Path:
    moment = datetime.datetime.now(datetime.UTC)
    report = report or site.folder / f"upgrade-{moment:%Y%m%dT%H%M%SZ}.csv"
    if report.exists():
        message = f"there is a file {report} already"
        raise click.UsageError(message)
    return report.absolute()


def _of_2_0(site: Site, output: Output, options: Options, report: Path | None) -> None:
    if report is None:
        _check(site, output, options)
        return
    told: dict[str, Any] = {}

    def tell(findings: Findings, backup: Path | None) -> None:
        told.update(_facts(findings), backup=backup and str(backup))
        for line in _lines(findings, options):
            output.say(line)
        _tell_backup(output, backup)

    with output.progress("Upgrading", upgrades.STEPS_FROM_2_0) as progress:
        database = site.found_database
        count = upgrades.upgrade_from_2_0(database, options, report, progress, tell=tell)
    if count is None:
        _tell_nothing(output)
        return
    facts = {"success": True, "upgraded": True, **told, "changes": count, "report": str(report)}
    text = f"The database is upgraded. Changes of single rows: {count:,}, listed in {report}"
    output.result(facts, text)


def _check(site: Site, output: Output, options: Options) -> None:
    findings = upgrades.check(site.found_database, options)
    losses = find_losses(site.settings)
    reasons = upgrades.refusals(findings, options)
    facts = {**_facts(findings), "users": _facts_of_losses(losses)}
    for line in (*_lines(findings, options), *_lines_of_losses(losses)):
        output.say(line)
    if reasons:
        _refuse(output, reasons, facts)
    text = "The upgrade can be done; nothing was changed."
    output.result({"success": True, "upgraded": False, **facts}, text)


def _refuse(output: Output, reasons: list[str], facts: Mapping[str, Any]) -> NoReturn:
    text = "\n".join(["The upgrade is refused; nothing was changed.", *reasons])
    fail(output, Exit.NO, "upgrade_refused", text, reasons=reasons, **facts)


def _tell_backup(output: Output, backup: Path | None) -> None:
    if backup:
        output.say(f"The database as it was: {backup}")


# What was found

#: What people are told of what was found, by column and slug; ``{}`` is the number of rows.
_TEXTS: Final = {
    ("tokens.value", "double"): "values that another token has too: {}; the uid is the value then",
    ("tokens.value", "missing"): "missing values: {}; the uid is the value then",
    ("tokens.value", "too_long"): "values that are too long: {}; the uid is the value then",
    ("tokens.value", "unusable"): "values that are no text: {}; the uid is the value then",
    ("tokens.usage_count", "missing"): "missing counts: {}; become 0",
    ("tokens.usage_count", "too_low"): "counts below -1: {}; become 0",
    ("tokens.usage_count", "too_high"): "counts that are too high: {}; become 2147483647",
    ("tokens.lock_time", "missing"): "missing lock times: {}; become 0",
    ("tokens.lock_time", "too_low"): "negative lock times: {}; become 0",
    ("tokens.lock_time", "too_high"): "lock times that are too long: {}; become 2147483647",
    ("tokens.valid_to", "empty_window"): "windows that end before they begin: {}; stay as they are",
    ("token_usage.token_uid", "missing"): "usages of no token: {}; get a uid of zeros",
    ("token_usage.token_value", "missing"): "usages without a value: {}; get an empty one",
    ("token_usage.error_code", "zero"): "usages with error code 0: {}; get none, they were granted",
}
_TIMES: Final = {
    "plain": "times in {column}: {}; read in {zone}",
    "gap": "times in {column} that the clocks of {zone} skip: {}; move forward with them",
    "fold": "times in {column} that the clocks of {zone} show twice: {}; the later one",
    "out_of_range": "times in {column} out of the years 2 to 9998: {}; the nearest time, or open",
}
_NEEDED: Final = {"tokens.created", "tokens.modified", "token_usage.timestamp"}


def _facts(findings: Findings) -> dict[str, Any]:
    found: dict[str, dict[str, int]] = {}
    for (table, column, slug), count in sorted(findings.counts.items()):
        found.setdefault(f"{table}.{column}", {})[slug] = count
    return {
        "rows": findings.tables,
        "found": found,
        "made_again": [own.name for own in findings.own],
    }


def _lines(findings: Findings, options: Options) -> Iterator[str]:
    for table, count in findings.tables.items():
        yield f"{counted(count, 'row')} in {table}"
    for (table, name, slug), count in sorted(findings.counts.items()):
        column = f"{table}.{name}"
        text = _TEXTS.get((column, slug)) or _TIMES.get(slug)
        if slug == "missing" and column in _NEEDED:
            text = "missing times in {column}: {}; become that of another column, or 1970-01-01"
        if text:
            yield "  " + text.format(f"{count:,}", column=column, zone=options.zone.key)

    for own in findings.own:
        yield f"  {own.name} of your own is made again"


def _facts_of_losses(losses: Losses) -> dict[str, Any]:
    if losses.problem:
        return {"problem": losses.problem}
    return {"lose_view": losses.view, "lose_consume": losses.consume}


def _lines_of_losses(losses: Losses) -> Iterator[str]:
    if losses.problem:
        yield f"The user directory could not be read: {losses.problem}"
        return
    yield (
        f"{counted(len(losses.view), 'user')} can no longer view or use tokens{_named(losses.view)}"
    )
    yield (
        f"{counted(len(losses.consume), 'user')} can view tokens, and not use them"
        f"{_named(losses.consume)}"
    )


def _named(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    rest = ", ..." if len(names) > TOLD_NAMES else ""
    return ": " + ", ".join(names[:TOLD_NAMES]) + rest
