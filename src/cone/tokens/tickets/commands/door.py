"""Commands about what happened at doors: take a use back, end inside and outside."""

from __future__ import annotations

from typing import Final

import click

from cone.tokens.cli.command import WRONG_USE
from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import BY
from cone.tokens.core.params import get_uid
from cone.tokens.core.values import Actor
from cone.tokens.host.rendering import counted
from cone.tokens.tickets.commands import texts
from cone.tokens.tickets.commands.site import service_of
from cone.tokens.tickets.door_params import parse_receipt
from cone.tokens.tickets.rendering import undone_json

_QUESTION: Final = "End inside and outside of all tokens?"


@site_command(click.argument("uid"), click.argument("receipt"), BY)
def undo(site: Site, output: Output, uid: str, receipt: str, by: Actor) -> None:
    """Take a use of a token back: what it took comes back, and figures leave it out.

    RECEIPT is that of a granted use of the token UID, as scan-log and consume --json tell it. A
    repeat changes nothing. Exit status 1: there is no such token.
    """
    undone = service_of(site).undo(get_uid(uid), parse_receipt({"receipt": receipt}), by=by)
    left = f"Uses left: {texts.uses_left(undone.usage_count)}"
    came_back = f"Taken back: {counted(undone.uses, 'use')}."
    done = "It was taken back before." if undone.is_repeat else came_back
    output.result(undone_json(undone), f"{done} {left}")


@site_command(click.option("--yes", "is_meant", is_flag=True, help="Do not ask."), BY)
def reset_inside(site: Site, output: Output, *, is_meant: bool, by: Actor) -> None:
    """Let nobody be inside, or outside for a while, any more: the event is over.

    An entry takes a use again then, also of who has left and would have come in again.
    """
    if not is_meant:
        if output.is_json:
            fail(output, Exit.USAGE, WRONG_USE, "--json needs --yes: nobody can be asked")
        click.confirm(_QUESTION, abort=True, err=True)
    count = service_of(site).reset_presence(by=by)
    output.result({"success": True, "reset": count}, f"Reset: {counted(count, 'token')}")
