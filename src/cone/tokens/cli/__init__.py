"""The command line ``cone-tokens``: what looks after a site, and the commands of its parts."""

from __future__ import annotations

import logging
from pkgutil import resolve_name
from typing import Final

import click

#: What goes wrong is told by the logger of this name.
LOGGER = "cone.tokens"


#: The help of the program; click keeps the lines behind a backspace as they are.
_HELP: Final = """Look after the tokens of a site.

init makes a site. Every other command takes the site's ini file; it may run while the site does,
upgrade excepted.

\b
Exit status:
  0    done
  1    the answer is no: refused, unknown, a value in use, mistakes in a
       file, something wrong in the logs, an upgrade or a purge that is
       refused
  2    wrong use, a wrong parameter or a wrong setting; no database or no
       tables yet, which the first start of the site makes
  3    the database is busy or away; nothing counts as done, try again
  70   a bug
  130  interrupted
  141  what reads the output has gone away
"""


#: The commands. Each is loaded when it is called for, with what it needs: most need no host.
COMMANDS: Final = {
    "add": "cone.tokens.tickets.commands.tokens:add",
    "consume": "cone.tokens.tickets.commands.tokens:consume",
    "export": "cone.tokens.tickets.commands.exchange:export",
    "forget": "cone.tokens.cli.forget:forget",
    "import": "cone.tokens.tickets.commands.exchange:import_",
    "init": "cone.tokens.cli.init:init",
    "keys": "cone.tokens.cli.keys:keys",
    "purge": "cone.tokens.cli.purge:purge",
    "query": "cone.tokens.tickets.commands.tokens:query",
    "reindex": "cone.tokens.cli.reindex:reindex",
    "replace": "cone.tokens.tickets.commands.tokens:replace",
    "reset-inside": "cone.tokens.tickets.commands.door:reset_inside",
    "scan-log": "cone.tokens.tickets.commands.scan_log:scan_log",
    "undo": "cone.tokens.tickets.commands.door:undo",
    "update": "cone.tokens.tickets.commands.tokens:update",
    "upgrade": "cone.tokens.cli.upgrade:upgrade",
    "user": "cone.tokens.cli.user:user",
    "verify": "cone.tokens.cli.verify:verify",
}


class _Commands(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = resolve_name(COMMANDS[cmd_name])
        return command


@click.group(
    cls=_Commands,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cone.tokens", message="cone-tokens %(version)s")
def main() -> None:
    """Look after the tokens of a site."""
    _show_warnings()


def _show_warnings() -> None:
    """Log our warnings to stderr; silence other libraries."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).handlers = [handler]
