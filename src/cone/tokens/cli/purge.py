"""The command that removes what is old."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any
from typing import NoReturn

import click

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.core.errors import ClockAhead
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.purge import BATCH
from cone.tokens.core.purge import Purged
from cone.tokens.core.purge import PurgePlan
from cone.tokens.host.rendering import counted
from cone.tokens.migrations.tables import KINDS

#: What can be chosen, by the names in :class:`PurgePlan`.
CHOICES = ("expired", "used_up", "personal", "log", "requests")

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
        "--personal",
        type=_DAYS,
        metavar="DAYS",
        help="Empty what forget empties, of tokens that ended more than DAYS ago: they "
        "expired, were used up, or were deleted.",
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
    click.option(
        "--clock-is-right",
        is_flag=True,
        help="Purge though the clock is far ahead of the newest row: the site has rested.",
    ),
    click.option("--quiet", is_flag=True, help="Say nothing where all went well."),
)
def purge(
    site: Site,
    output: Output,
    *,
    dry_run: bool,
    clock_is_right: bool,
    quiet: bool,
    **numbers: Any,
) -> None:
    """Remove old tokens, personal data, rows of the logs and keys of requests.

    The site may be in use. Stopped in between, everything is in order, and the next run does the
    rest. After it, verify replays what is left: run it before.

    Ages are counted from the clock of the host, on PostgreSQL from that of its server. Exit status
    1, also with --dry-run: the clock is ahead of the newest row in the database by more than a day,
    and by more than a tenth of the least DAYS but those of --requests. It may be wrong, and nothing
    is removed. Where it is right, say --clock-is-right.
    """
    if not any(numbers[name] for name in CHOICES):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in CHOICES)
        message = f"Nothing is chosen: give one or more of {options}"
        fail(output, Exit.USAGE, "wrong_use", message)
    plan = PurgePlan(
        **numbers,
        by=ACTOR,
        is_dry=dry_run,
        is_clock_right=clock_is_right,
    )
    try:
        with output.progress("Purging", None) as advance:
            purged = Maintenance(site.database, KINDS).purge(plan, advance)
    except ClockAhead as error:
        _refuse(output, error, site.config.zone)
    if not quiet or dry_run:
        facts = {"success": True, "dry_run": dry_run, **dataclasses.asdict(purged)}
        output.result(facts, _text(purged, dry_run=dry_run))


def _refuse(output: Output, error: ClockAhead, zone: datetime.tzinfo) -> NoReturn:
    now, newest = (time.astimezone(zone).isoformat() for time in (error.now, error.newest))
    message = (
        f"The clock shows {now}, the newest row in the database is of {newest}. "
        "Nothing was removed: by a clock that is wrong everything is old. "
        "Where it is right, since the site has rested, say --clock-is-right"
    )
    fail(output, Exit.NO, error.slug, message, error_code=None, now=now, newest=newest)


def _text(purged: Purged, *, dry_run: bool) -> str:
    emptied = "would be emptied" if dry_run else "emptied"
    return (
        f"{'Would be removed' if dry_run else 'Removed'}: "
        f"{counted(purged.expired, 'expired token')}, {counted(purged.used_up, 'used up token')}, "
        f"{counted(purged.usages, 'row')} of the log of usages, "
        f"{counted(purged.events, 'row')} of the log of events, "
        f"{counted(purged.requests, 'key')} of requests; "
        f"{emptied}: personal data of {counted(purged.personal, 'token')}."
    )
