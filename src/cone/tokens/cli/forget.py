"""The command that empties the personal data of tokens."""

from __future__ import annotations

import uuid

import click

from cone.tokens.cli.command import WRONG_USE
from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import BY
from cone.tokens.cli.options import uids_option
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.history.forgetting import Person
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.values import Actor
from cone.tokens.host.rendering import counted
from cone.tokens.migrations.tables import KINDS

#: The personal column that people are looked for by.
_EMAIL = "email"


@site_command(
    uids_option("Of this token, also if it was deleted"),
    click.option("--email", metavar="ADDRESS", help="Of all tokens with this e-mail address."),
    click.option("--dry-run", is_flag=True, help="Only show whose data would be emptied."),
    BY,
)
def forget(  # noqa: PLR0913 - one for each option
    site: Site,
    output: Output,
    *,
    only: tuple[uuid.UUID, ...],
    email: str | None,
    dry_run: bool,
    by: Actor,
) -> None:
    """Empty the personal data of tokens: label, e-mail, note, data, and why rules were overridden.

    It goes from the tokens, from the search, and from the logs, for good. Codes,
    categories, counts and times stay, and an event tells who did it and when: verify holds. Tokens
    that were deleted are looked for too. A token that has another address by now keeps what it has;
    what it had before goes from its events. Prints the uids, one a line. Exit status 1: there is no
    such token.
    """
    if bool(only) is bool(email):
        fail(output, Exit.USAGE, WRONG_USE, "Either --uid or --email is needed")
    maintenance = Maintenance(site.database, KINDS)
    for uid in only:
        if not maintenance.count_entries([uid]):
            message = f"{TokenNotFound(uid)}, neither there nor in the logs"
            fail(output, Exit.NO, TokenNotFound.slug, message, error_code=TokenNotFound.code)
    if email:
        person = Person(_EMAIL, email)
        with output.progress("Looking", None) as advance:
            uids = maintenance.forget_person(person, by=by, is_dry=dry_run, progress=advance)
    else:
        uids = maintenance.forget(only, by=by, is_dry=dry_run)
    if email and not uids:
        message = "There is no token with this e-mail address, and no event tells of one"
        fail(output, Exit.NO, TokenNotFound.slug, message, error_code=TokenNotFound.code)
    told = [str(uid) for uid in uids]
    output.result({"success": True, "dry_run": dry_run, "token_uids": told}, "\n".join(told))
    done = "Would be emptied" if dry_run else "Emptied"
    output.say(f"{done}: the personal data of {counted(len(uids), 'token')}.")
