"""The command line ``cone-tokens``: one file for each area, over the same service as the pages."""

from __future__ import annotations

import logging
from typing import Final

import click

from cone.tokens.cli.exchange import export
from cone.tokens.cli.exchange import import_
from cone.tokens.cli.purge import purge
from cone.tokens.cli.tokens import add
from cone.tokens.cli.tokens import consume
from cone.tokens.cli.tokens import query
from cone.tokens.cli.upgrade import upgrade
from cone.tokens.cli.verify import verify

#: What goes wrong is told by the logger of this name.
LOGGER = "cone.tokens"


#: The help of the program; click keeps the lines behind a backspace as they are.
_HELP: Final = """Look after the tokens of a site.

Every command takes the site's ini file. It may run while the site does, upgrade excepted.

\b
Exit status:
  0    done
  1    the answer is no: refused, unknown, a value in use, mistakes in a
       file, an upgrade that is refused, something wrong in the logs
  2    wrong use, a wrong parameter or a wrong setting
  3    the database is busy or away; nothing counts as done, try again
  70   a bug
  130  interrupted
"""


@click.group(
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cone.tokens", message="cone-tokens %(version)s")
def main() -> None:
    """Look after the tokens of a site."""
    _show_warnings()


def _show_warnings() -> None:
    """Tell on stderr what our own modules warn about, and what others log not at all."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    logging.getLogger(LOGGER).handlers = [handler]


for command in (add, consume, export, import_, purge, query, upgrade, verify):
    main.add_command(command)
