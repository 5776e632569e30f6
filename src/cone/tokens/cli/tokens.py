"""Commands about single tokens: add, query, consume."""

from __future__ import annotations

import click

from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import site_command


@site_command(click.argument("value"))
def query(site: Site, output: Output, value: str) -> None:
    """Show the token with a value."""
    token = site.service.find_by_value(value)
    output.result({"success": True, "token": token and str(token.uid)}, str(token))


@site_command()
def add(site: Site, output: Output) -> None:
    """Add a token."""


@site_command()
def consume(site: Site, output: Output) -> None:
    """Use a token."""
