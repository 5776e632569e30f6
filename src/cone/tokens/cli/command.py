"""What all commands have in common: the ini file, ``--json``, errors and exit statuses."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import json
import sys
import traceback
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NoReturn

import click

from cone.tokens.cli.site import Site
from cone.tokens.cli.site import open_site
from cone.tokens.config import StartupError
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import Unavailable


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


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """Where a command tells what it does: its result to stdout, all else to stderr."""

    is_json: bool

    def result(self, facts: Mapping[str, Any], text: str) -> None:
        """Tell the result: ``facts`` as a JSON object on a line, or ``text`` for people."""
        click.echo(json.dumps(facts) if self.is_json else text)

    def say(self, text: str) -> None:
        """Tell people what is going on."""
        if not self.is_json:
            click.echo(text, err=True)

    @contextlib.contextmanager
    def progress(self, label: str, length: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar on stderr while the block runs; calling what it gives moves it on.

        :param length: of the whole; None: not known.
        """
        if self.is_json or not length:
            yield lambda _steps: None
            return
        with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
            yield bar.update


def fail(output: Output, status: Exit, slug: str, message: str, **facts: Any) -> NoReturn:
    """End the command with a message."""
    if output.is_json:
        click.echo(json.dumps({"success": False, "error": slug, "message": message, **facts}))
    else:
        click.echo(message, err=True)
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
            with _told_errors(output):
                work(open_site(config), output, **values)

        config_file = click.Path(exists=True, dir_okay=False, path_type=Path)
        decorators: Iterable[Callable[[Any], Any]] = (
            click.command(),
            click.argument("config", type=config_file, metavar="CONFIG.ini"),
            *options,
            click.option("--json", "is_json", is_flag=True, help="Answer with JSON."),
        )
        command: Any = run
        for decorator in reversed(list(decorators)):
            command = decorator(command)
        made: click.Command = command
        return made

    return decorate


@contextlib.contextmanager
def _told_errors(output: Output) -> Iterator[None]:
    try:
        yield
    except StartupError as error:
        fail(output, Exit.USAGE, "wrong_setting", str(error))
    except InvalidParameter as error:
        fail(output, Exit.USAGE, error.slug, str(error))
    except Unavailable as error:
        fail(output, Exit.UNAVAILABLE, error.slug, str(error))
    except TokenError as error:
        fail(output, Exit.NO, error.slug, str(error))
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception:  # noqa: BLE001 - the net of the command line
        traceback.print_exc()
        raise click.exceptions.Exit(Exit.BUG) from None


__all__ = ["Exit", "Output", "Site", "fail", "site_command"]
