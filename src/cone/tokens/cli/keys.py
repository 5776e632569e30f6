"""The commands for the key ring of a site."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Final

import click

from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import site_command
from cone.tokens.host import keyring
from cone.tokens.host.keyring import RingKey

_WORDS: Final = {keyring.DIGESTS: "makes digests", keyring.SIGNS: "signs"}


@click.group()
def keys() -> None:
    """Look after the key ring of a site: what makes digests of secrets, and what signs.

    The site may be running: it reads a changed ring within a second.
    """


@site_command()
def init(site: Site, output: Output) -> None:
    """Make the ring, with a key that makes digests and one that signs."""
    path = keyring.path_of(site.settings)
    with keyring.told_as_setting():
        made = keyring.make(path)
    output.result(_facts(made), f"Made {path}\n{_lines(made)}")


@site_command()
def list_(site: Site, output: Output) -> None:
    """List the keys, the newest last. Nothing secret is told."""
    with keyring.told_as_setting():
        found = keyring.read(keyring.path_of(site.settings))
    output.result(_facts(found), _lines(found))


@site_command(
    click.option(
        "--use",
        "use",
        type=click.Choice([keyring.DIGESTS, keyring.SIGNS]),
        help="A new key for this alone. Default: one for each.",
    )
)
def rotate(site: Site, output: Output, *, use: str | None) -> None:
    """Add new keys, which work from now on; the ones before verify until they are retired."""
    uses = (keyring.DIGESTS, keyring.SIGNS) if use is None else (use,)
    with keyring.told_as_setting():
        added = keyring.rotate(keyring.path_of(site.settings), uses)
    output.result(_facts(added), f"Added\n{_lines(added)}")


def _facts(found: Iterable[RingKey]) -> dict[str, Any]:
    told = [{"id": key.id, "use": key.use, "algorithm": key.algorithm} for key in found]
    return {"success": True, "keys": told}


def _lines(found: Iterable[RingKey]) -> str:
    return "\n".join(f"{key.id}  {key.algorithm:<5}  {_WORDS[key.use]}" for key in found)


for command in (init, list_, rotate):
    keys.add_command(command)
