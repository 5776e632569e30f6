"""What all commands have in common: the ini file, ``--json``, errors and exit statuses."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final
from typing import NoReturn

import click

from cone.tokens.cli.site import Site
from cone.tokens.cli.site import open_site
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import Unavailable
from cone.tokens.host.config import StartupError
from cone.tokens.host.rendering import failure_json
from cone.tokens.host.user_errors import UserRefused


class Exit(enum.IntEnum):
    """Exit statuses."""

    DONE = 0
    #: A refused consumption, damage found, an upgrade that does not start: the answer is no.
    NO = 1
    #: Wrong use, a wrong parameter or setting. Click's own status for it.
    USAGE = 2
    #: The database is busy or away; the same command may go through later.
    UNAVAILABLE = 3
    BUG = 70
    #: Ctrl-C, as shells have it.
    INTERRUPTED = 130
    #: Who reads the output went away, as shells have it.
    BROKEN_PIPE = 141
    #: SIGTERM, as shells have it.
    TERMINATED = 143


#: Slug of wrong use that click does not tell of.
WRONG_USE: Final = "wrong_use"

_STATUSES: Final = {
    InvalidParameter: Exit.USAGE,
    IdempotencyConflict: Exit.USAGE,
    Unavailable: Exit.UNAVAILABLE,
}

#: Seconds between two numbers of a progress without an end.
TELL_EVERY_S: Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a command tells what it does: its result to stdout, all else to stderr."""

    is_json: bool

    def result(self, facts: Mapping[str, Any], text: str | None) -> None:
        """Print the result: ``facts`` as a JSON object on a line, or ``text`` for people.

        :param text: None: people are told otherwise.
        """
        if self.is_json:
            click.echo(json.dumps(facts))
        elif text is not None:
            click.echo(text)

    def say(self, text: str) -> None:
        """Print a message for people to stderr."""
        if not self.is_json:
            click.echo(text, err=True)

    @contextlib.contextmanager
    def progress(self, label: str, length: int | None) -> Iterator[Callable[[int], None]]:
        """Show on stderr how far the block is; calling what it gives moves it on.

        Nothing is shown where stderr is no terminal.

        :param length: of the whole; None: not known.
        """
        if self.is_json or not sys.stderr.isatty():
            yield lambda _steps: None
        elif length is None:
            with _counter(label) as count:
                yield count
        else:
            with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
                yield bar.update


@contextlib.contextmanager
def _counter(label: str) -> Iterator[Callable[[int], None]]:
    """Show how many steps were taken of a number that is not known."""
    done, told = 0, time.monotonic()

    def count(steps: int) -> None:
        nonlocal done, told
        done += steps
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            click.echo(f"\r{label}  {done:,}", err=True, nl=False)

    yield count
    click.echo(f"\r{label}  {done:,}", err=True)


def fail(output: Output, status: Exit, slug: str, message: str, **facts: Any) -> NoReturn:
    """End the command with a message; as JSON it is a failure of the JSON API.

    :param facts: what the JSON has besides, e.g. ``error_code``.
    """
    output.result({**failure_json(slug, message), **facts}, None)
    output.say(message)
    raise click.exceptions.Exit(status)


def site_command(*options: Callable[[Any], Any]) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a command of a function.

    The function gets the site, the output, and what ``options`` read. What it raises is told in
    one line, with the exit status that it has.

    :param options: click's decorators, in the order of the command line.
    """

    def decorate(work: Callable[..., None]) -> click.Command:
        @functools.wraps(work)
        def run(config: Path, *, is_json: bool, **values: Any) -> None:
            output = Output(is_json)
            with told_errors(output), open_site(config) as site:
                work(site, output, **values)

        config_file = click.Path(exists=True, dir_okay=False, path_type=Path)
        decorators: Iterable[Callable[[Any], Any]] = (
            click.command(_name(work)),
            click.argument("config", type=config_file, metavar="CONFIG.ini"),
            *options,
            click.option("--json", "is_json", is_flag=True, help="Answer with a JSON object."),
        )
        command: Any = run
        for decorator in reversed(list(decorators)):
            command = decorator(command)
        made: click.Command = command
        return made

    return decorate


def _name(work: Callable[..., None]) -> str:
    # ``import`` is a word of Python.
    return work.__name__.rstrip("_").replace("_", "-")


#: How a time is written.
_TIME: Final = "2026-11-28T18:00"


@contextlib.contextmanager
def told_errors(output: Output) -> Iterator[None]:
    """Print an error of the block in one line, and exit with its status."""
    try:
        yield
    except StartupError as error:
        fail(output, Exit.USAGE, "wrong_setting", str(error))
    except UserRefused as error:
        fail(output, Exit.NO, error.slug, str(error))
    except TokenError as error:
        kinds = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
        status = next(kinds, Exit.NO)
        fail(output, status, error.slug, _told(error), error_code=error.code)
    except KeyboardInterrupt:
        output.say("Interrupted")
        raise click.exceptions.Exit(Exit.INTERRUPTED) from None
    except BrokenPipeError:
        _give_up_stdout()
        raise click.exceptions.Exit(Exit.BROKEN_PIPE) from None
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception:  # noqa: BLE001 - the net of the command line
        traceback.print_exc()
        message = "This is a bug of cone-tokens: please report it with the lines on stderr"
        fail(output, Exit.BUG, "internal_error", message)


def _told(error: TokenError) -> str:
    """Return the message of an error; where a time is wrong with one that is right."""
    is_time = isinstance(error, InvalidParameter) and error.reason == "invalid_datetime"
    return f"{error}; write it as {_TIME}" if is_time else str(error)


def _give_up_stdout() -> None:
    # What is left in the buffer goes nowhere; at its end Python would complain about it.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


__all__ = ["WRONG_USE", "Exit", "Output", "Site", "fail", "site_command", "told_errors"]
