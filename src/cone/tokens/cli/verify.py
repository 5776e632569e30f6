"""The command that checks the database against its logs."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from typing import Any

import click

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import uids_option
from cone.tokens.cli.terminal import printable
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.history.findings import Counts
from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Audit
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.host.rendering import counted
from cone.tokens.migrations.tables import KINDS


@site_command(
    uids_option("Replay the history of this token alone"),
    click.option("--quiet", is_flag=True, help="Say nothing where nothing is wrong."),
)
def verify(site: Site, output: Output, *, only: tuple[uuid.UUID, ...], quiet: bool) -> None:
    """Replay the logs, and tell what in the database disagrees with them.

    Found are uses above the limit, in the lock time, outside the window or while disabled; rows
    that are missing, double or of no token; counts, values and times that contradict each other;
    events that no change makes; fields of tokens that are not those of their history; keys of
    requests without the row of their answer (not with --uid); texts that tokens are searched by
    which are not theirs: the command reindex mends those. Not found is what nothing else in
    the database tells: who used a token, a refused try that was removed, a whole history that is
    gone, a time that is wrong by less than an hour. Exit status: 0 nothing is wrong; 1 something
    is, or there is no token of --uid.
    """
    maintenance = Maintenance(site.database, KINDS)
    chosen = only or None
    with output.progress("Replaying", maintenance.count_entries(chosen)) as advance:
        audit = maintenance.verify(chosen, advance)
    _require_known(output, chosen, audit.counts)
    if audit.problems or not quiet:
        output.result(_json(audit, site.config.zone), _text(audit, site.config.zone))
    if audit.problems:
        raise click.exceptions.Exit(Exit.NO)


def _require_known(output: Output, chosen: tuple[uuid.UUID, ...] | None, counts: Counts) -> None:
    """Exit with an error if a requested uid never existed."""
    missing = len(set(chosen or ())) - counts.tokens - counts.deleted
    if missing > 0:
        message = f"{counted(missing, 'token')} of --uid: neither there nor in the logs"
        fail(output, Exit.NO, TokenNotFound.slug, message, error_code=TokenNotFound.code)


def _json(audit: Audit, zone: datetime.tzinfo) -> dict[str, Any]:
    return {
        "success": not audit.problems,
        **dataclasses.asdict(audit.counts),
        "problems": {problem.value: count for problem, count in audit.problems.items()},
        "findings": [_finding_json(finding, zone) for finding in audit.findings],
    }


def _finding_json(finding: Finding, zone: datetime.tzinfo) -> dict[str, Any]:
    return {
        "problem": finding.problem.value,
        "token_uid": str(finding.token_uid) if finding.token_uid else None,
        "version": finding.version,
        "time": finding.time.astimezone(zone).isoformat() if finding.time else None,
        "receipt": str(finding.receipt) if finding.receipt else None,
        "text": finding.text,
    }


def _text(audit: Audit, zone: datetime.tzinfo) -> str:
    lines = [_finding_text(finding, zone) for finding in audit.findings]
    there_are_more = audit.problems.total() - len(lines)
    if there_are_more:
        lines.append(f"... and {there_are_more:,} more")
    lines.extend(_counts_text(audit.counts))
    lines.extend(f"{count:,} x {problem.value}" for problem, count in audit.problems.items())
    if Problem.SEARCH in audit.problems:
        lines.append("What tokens are searched by: cone-tokens reindex mends it.")
    if not audit.problems:
        lines.append("Nothing is wrong.")
    return "\n".join(lines)


def _finding_text(finding: Finding, zone: datetime.tzinfo) -> str:
    told = _finding_json(finding, zone)
    place = [
        f"{name} {told[name]}" for name in ("version", "time", "receipt") if told[name] is not None
    ]
    if finding.token_uid:
        place.insert(0, f"token {finding.token_uid}")
    where = f"{', '.join(place)}: " if place else ""
    return f"{where}{printable(finding.text)} ({finding.problem.value})"


def _counts_text(counts: Counts) -> list[str]:
    lines = [
        (
            f"Replayed {counted(counts.tokens, 'token')} and "
            f"{counted(counts.deleted, 'deleted one')}: {counted(counts.uses, 'use')}, "
            f"{counted(counts.refusals, 'refusal')}, "
            f"{counted(counts.events, 'event')}."
        ),
    ]
    if counts.upgraded or counts.rows_before:
        lines.append(
            f"Of {counted(counts.upgraded, 'token')} history begins with an upgrade; "
            f"rows from before that were not replayed: {counts.rows_before:,}.",
        )
    if counts.keys:
        lines.append(f"Held {counted(counts.keys, 'key')} of requests against their answers.")
    if counts.purged:
        lines.append(f"Of {counted(counts.purged, 'token')} it begins where the purged one ends.")
    return lines
