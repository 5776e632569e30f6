"""Where the password of a user comes from: never from the command line, which others can see."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from cone.tokens.cli.options import STDIN
from cone.tokens.cli.options import Decorator
from cone.tokens.cli.options import text_or_stdin
from cone.tokens.host.passwords import readable_password
from cone.tokens.host.passwords import require_password


@dataclasses.dataclass(frozen=True, slots=True)
class Password:
    """A password.

    :ivar is_made: nobody knows it yet; it is shown once.
    """

    text: str = dataclasses.field(repr=False)
    is_made: bool

    @property
    def facts(self) -> dict[str, str]:
        """What the JSON of a command tells of it."""
        return {"password": self.text} if self.is_made else {}

    @property
    def line(self) -> str:
        """What people are told of it, indented."""
        return f"\n  Password  {self.text}   (it is shown this once)" if self.is_made else ""


def password_options(command: Any) -> Any:
    """Decorate a command with the options that :func:`read_password` takes."""
    options: tuple[Decorator, ...] = (
        click.option(
            "--password-file",
            type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
            metavar="FILE",
            help="Take the password that the file has in its only line; - is stdin. Default: one "
            "is made and shown once.",
        ),
        click.option("--ask", is_flag=True, help="Ask for the password, twice."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_password(password_file: Path | None, *, ask: bool) -> Password:
    """Return the password that was chosen, else one that was made.

    :raises InvalidParameter: it is none that can be given.
    """
    if password_file and ask:
        message = "--ask and --password-file exclude each other"
        raise click.UsageError(message)
    if ask:
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    elif password_file is None:
        return Password(readable_password(), is_made=True)
    elif str(password_file) == STDIN:
        text = text_or_stdin("password", STDIN)
    else:
        text = _only_line(password_file)
    return Password(require_password(text), is_made=False)


def _only_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "is not encoded in UTF-8")
        message = f"--password-file: {path}: {reason}"
        raise click.UsageError(message) from None
