"""The command that removes what is old."""

from __future__ import annotations

import dataclasses

import click

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.texts import counted
from cone.tokens.core.maintenance import BATCH
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import Purged
from cone.tokens.core.maintenance import PurgePlan

#: What can be chosen, by the names in :class:`PurgePlan`.
CHOICES = ("expired", "used_up", "log", "requests")

#: Whom events tell of a token that was purged.
ACTOR = "cone-tokens purge"

_DAYS = click.IntRange(min=1, max=36_500)


@site_command(
    click.option(
        "--expired",
        type=_DAYS,
        metavar="DAYS",
        help="Delete tokens whose window ended more than DAYS ago.",
    ),
    click.option(
        "--used-up",
        type=_DAYS,
        metavar="DAYS",
        help="Delete tokens whose last use was taken more than DAYS ago.",
    ),
    click.option(
        "--log",
        type=_DAYS,
        metavar="DAYS",
        help="Remove rows of the logs that are older than DAYS.",
    ),
    click.option(
        "--requests",
        type=_DAYS,
        metavar="[DAYS]",
        is_flag=False,
        flag_value=7,
        help="Remove keys of repeated requests that are older than DAYS; without a number 7.",
    ),
    click.option("--dry-run", is_flag=True, help="Only count what would go."),
    click.option(
        "--batch",
        type=click.IntRange(1, 10_000),
        default=BATCH,
        show_default=True,
        metavar="N",
        help="Look at N rows in one transaction.",
    ),
    click.option("--quiet", is_flag=True, help="Say nothing where all went well."),
)
def purge(
    site: Site,
    output: Output,
    *,
    dry_run: bool,
    batch: int,
    quiet: bool,
    **days: int | None,
) -> None:
    """Remove old tokens, rows of the logs and keys of requests.

    The site may be in use. Stopped in between, everything is in order, and the next run does the
    rest. After it, verify replays what is left: run it before.
    """
    if not any(days.values()):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in CHOICES)
        message = f"Nothing is chosen: give one or more of {options}"
        fail(output, Exit.USAGE, "wrong_use", message)
    plan = PurgePlan(**days, batch=batch, by=ACTOR, is_dry=dry_run)
    with output.progress("Purging", None) as advance:
        purged = Maintenance(site.database).purge(plan, advance)
    if not quiet or dry_run:
        facts = {"success": True, "dry_run": dry_run, **dataclasses.asdict(purged)}
        output.result(facts, _text(purged, dry_run=dry_run))


def _text(purged: Purged, *, dry_run: bool) -> str:
    return (
        f"{'Would be removed' if dry_run else 'Removed'}: "
        f"{counted(purged.expired, 'expired token')}, {counted(purged.used_up, 'used up token')}, "
        f"{counted(purged.usages, 'row')} of the log of usages, "
        f"{counted(purged.events, 'row')} of the log of events, "
        f"{counted(purged.requests, 'key')} of requests."
    )
