"""The command line ``cone-tokens``: one command, one file, over the same service as the pages."""

from __future__ import annotations

import click

from cone.tokens.cli.tokens import add
from cone.tokens.cli.tokens import consume
from cone.tokens.cli.tokens import query
from cone.tokens.cli.upgrade import upgrade


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look after the tokens of a site.

    Every command takes the site's ini file. Exit status: 0 done; 1 the answer is no; 2 wrong use,
    a wrong parameter or a wrong setting; 3 the database is busy or away, try again; 70 a bug.
    """


for command in (add, consume, query, upgrade):
    main.add_command(command)
