"""Options of the commands: made of the parameters that the JSON API has, by the same names."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Final

import click

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import parse_idempotency_key
from cone.tokens.core.values import Actor
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation

Decorator = Callable[[Any], Any]

#: Reads a value or a file from stdin; what stands on a command line everybody on the host sees.
STDIN: Final = "-"

_NO_NAME: Final = "must be a name"


def option_of(parameter: Parameter, *more: str) -> Decorator:
    """Return the option that gives ``parameter``: its name with hyphens.

    :param more: other names of the option.
    """
    name = f"--{parameter.name.replace('_', '-')}"
    return click.option(
        name,
        *more,
        parameter.name,
        metavar=_metavar(parameter.schema),
        help=parameter.description.replace("`", ""),
    )


def _metavar(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(filter(None, schema["enum"]))
    if "maximum" in schema:
        return "N"
    formats = {choice.get("format") for choice in schema.get("anyOf", ())}
    return "TIME" if "date-time" in formats else "UID" if "uuid" in formats else "TEXT"


def options_of(parameters: Iterable[Parameter]) -> list[Decorator]:
    """Return the options that give ``parameters``."""
    return [option_of(parameter) for parameter in parameters]


def given(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that the command line gives: as texts, by name."""
    return {name: text for name, text in values.items() if text is not None}


def _checked_actor(
    _context: click.Context,
    _parameter: click.Parameter,
    by: str | None,
) -> str:
    if by is None:
        return f"cli:{_login()}"
    if not by.isprintable() or not by:
        raise click.BadParameter(_NO_NAME)
    return by


def _login() -> str:
    """Return the name of who runs the program, as the system knows it."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


BY: Final = click.option(
    "--by",
    metavar="NAME",
    callback=_checked_actor,
    help="Who does it, for the logs. Default: cli: and your name on this host.",
)
KEY: Final = click.option(
    "--key",
    metavar="KEY",
    help="Of your choice: the same command with the same key gets the first answer again and "
    "changes nothing, for 24 hours at least.",
)


def uids_option(help_text: str) -> Decorator:
    """Return the option ``--uid``, which may be given again; its parameter is ``only``."""
    return click.option(
        "--uid",
        "only",
        type=click.UUID,
        multiple=True,
        metavar="UID",
        help=f"{help_text}; may be given again.",
    )


def idempotency_key(
    text: str | None,
    caller: Actor,
    operation: Operation,
    parameters: Mapping[str, Any],
) -> IdempotencyKey | None:
    """Return the key of ``--key``, None where there is none.

    :raises InvalidParameter: it is malformed.
    """
    if text is None:
        return None
    key = parse_idempotency_key(text)
    return IdempotencyKey(key=key, caller=caller or "", operation=operation, parameters=parameters)


def text_or_stdin(name: str, text: str) -> str:
    """Return ``text``, or the line that stdin gives where it is ``-``.

    :raises InvalidParameter: what comes is not encoded in UTF-8.
    """
    if text != STDIN:
        return text
    content = sys.stdin.buffer.read()
    try:
        read = content.decode()
    except UnicodeDecodeError:
        message = f"{name}: is not encoded in UTF-8"
        raise InvalidParameter(name, "invalid_unicode", message) from None
    return read.removesuffix("\n").removesuffix("\r")
