"""The command ``init``: writes a whole site that starts."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import shlex
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from typing import Final
from urllib.parse import quote
from urllib.parse import unquote

import click
import tzlocal

from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import told_errors
from cone.tokens.cli.new_folder import FolderTaken
from cone.tokens.cli.new_folder import NewFolder
from cone.tokens.cli.new_folder import new_folder
from cone.tokens.cli.options import STDIN
from cone.tokens.cli.options import text_or_stdin
from cone.tokens.cli.passwords import Password
from cone.tokens.cli.passwords import password_options
from cone.tokens.cli.passwords import read_password
from cone.tokens.cli.site import Site
from cone.tokens.cli.site import open_site
from cone.tokens.cli.site_files import AUTH_SECRET
from cone.tokens.cli.site_files import DATABASE_PASSWORD
from cone.tokens.cli.site_files import Choices
from cone.tokens.cli.site_files import environment_of
from cone.tokens.cli.site_files import ini_of
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import Unavailable
from cone.tokens.host.config import StartupError
from cone.tokens.host.config import find_zone
from cone.tokens.host.users import MANAGER
from cone.tokens.host.users import changing_users
from cone.tokens.host.users import require_name
from cone.tokens.migrations import schema

INI: Final = "site.ini"
ENVIRONMENT: Final = "secrets.env"
DEFAULT_PORT: Final = 8081

#: Folders and empty files of users; what takes the place of a file keeps its mode.
_USER_FILES: Final = ("users", "groups", "roles")
_SCHEMES: Final = ("postgres", "postgresql", "postgresql+psycopg")
_DRIVER: Final = "postgresql+psycopg"
_SECRET_PARAMETER: Final = re.compile(r"[?&](ssl)?password=")


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be made.

    :ivar environ: variables that the ini file takes; they are written beside it.
    """

    folder: Path
    choices: Choices
    environ: Mapping[str, str] = dataclasses.field(repr=False)
    admin: str
    password: Password


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, resolve_path=True), metavar="FOLDER")
@click.option(
    "--postgres",
    metavar="URL",
    help="Tokens and users in this PostgreSQL database: postgresql://USER@HOST/DATABASE. A URL "
    "with a password comes from stdin: say -.",
)
@click.option(
    "--production",
    is_flag=True,
    help="For https behind a proxy; secrets in a file of variables of the environment.",
)
@click.option(
    "--admin", default="admin", show_default=True, metavar="NAME", help="Name of the administrator."
)
@password_options
@click.option("--timezone", metavar="ZONE", help="IANA zone. Default: that of this host.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="N",
    help="Of 127.0.0.1, where the site will listen.",
)
@click.option("--json", "is_json", is_flag=True, help="Answer with a JSON object.")
def init(folder: Path, *, is_json: bool, **given: Any) -> None:
    """Make a site in FOLDER: ini file, secrets, database, administrator.

    FOLDER must not be there yet, or be empty. All is made or nothing. The password of the
    administrator is made and shown once, unless you choose one.
    """
    output = Output(is_json)
    with told_errors(output):
        plan = _plan(folder, **given)
        try:
            with _ended_orderly():
                _make(plan)
        except FolderTaken:
            message = f"{folder} is there already and not empty; nothing was changed"
            fail(output, Exit.NO, "folder_taken", message)
        except OSError as error:
            message = f"{error.filename or folder}: {error.strerror}"
            fail(output, Exit.USAGE, "file_error", message)
        _tell(output, plan)


@contextlib.contextmanager
def _ended_orderly() -> Iterator[None]:
    """Have SIGTERM end the block as an error does."""

    def end(*_signal: object) -> None:
        raise click.exceptions.Exit(Exit.TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(  # noqa: PLR0913 - the options of the command
    folder: Path,
    *,
    postgres: str | None,
    production: bool,
    admin: str,
    timezone: str | None,
    port: int,
    **source: Any,
) -> _Plan:
    if set(str(folder)) & set("?#%") or "${" in str(folder):
        message = "FOLDER: the path must not have a question mark, #, % or ${ in it"
        raise InvalidParameter("FOLDER", "wrong_path", message)
    secret, environ = secrets.token_hex(32), {}
    if postgres == STDIN == str(source["password_file"]):
        message = "stdin has one of --postgres and --password-file, not both"
        raise click.UsageError(message)
    url, database_password = (None, None) if postgres is None else _database(postgres)
    if production:
        environ[AUTH_SECRET] = secret
        secret = _variable(AUTH_SECRET)
    if url and database_password:
        quoted = quote(database_password, safe="")
        if production:
            environ[DATABASE_PASSWORD] = database_password
            quoted = _variable(DATABASE_PASSWORD)
        url = url.replace("@", f":{quoted}@", 1)
    choices = Choices(url, secret, _zone(timezone), port, production)
    return _Plan(folder, choices, environ, require_name(admin), read_password(**source))


def _variable(name: str) -> str:
    return f"${{{name}}}"


def _database(text: str) -> tuple[str, str | None]:
    """Return the URL of a database without the password, and the password.

    :raises InvalidParameter: it is none of PostgreSQL, or has a password that others can see.
    """
    given = text_or_stdin("postgres", text)
    scheme, separator, rest = given.partition("://")
    if scheme not in _SCHEMES or not separator or not given.isprintable():
        problem = "must be a URL of PostgreSQL, postgresql://USER@HOST/DATABASE"
        raise _wrong(problem)
    if _SECRET_PARAMETER.search(rest):
        problem = "must have the password behind the user: postgresql://USER:PASSWORD@HOST/DATABASE"
        raise _wrong(problem)
    authority, slash, path = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    user, colon, password = credentials.partition(":")
    if not colon:
        return f"{_DRIVER}://{rest}", None
    if text != STDIN:
        problem = (
            "has a password, which others see on a command line; say - and write the URL to stdin"
        )
        raise _wrong(problem)
    return f"{_DRIVER}://{user}{at}{hosts}{slash}{path}", unquote(password)


def _wrong(problem: str) -> InvalidParameter:
    return InvalidParameter("postgres", "wrong_address", f"--postgres: {problem}")


def _zone(name: str | None) -> str:
    """Return the name of the zone, by default that of the host.

    :raises InvalidParameter: there is none of that name.
    """
    if name is None:
        with contextlib.suppress(KeyError, ValueError, OSError):
            name = tzlocal.get_localzone_name()
        return name if name and find_zone(name) else "UTC"
    if find_zone(name) is None:
        message = f"--timezone: there is no time zone {name!r}"
        raise InvalidParameter("timezone", "unknown_zone", message)
    return name


def _make(plan: _Plan) -> None:
    with new_folder(plan.folder) as new:
        _write(plan, new.stage)
        site = open_site(new.stage / INI, plan.environ)
        if plan.choices.database_url:
            # What is done in the database is undone if the folder is not there in the end.
            with changing_users(site.settings) as users:
                users.add(plan.admin, plan.password.text, [MANAGER])
                new.publish()
            with contextlib.suppress(StartupError, Unavailable):
                # Otherwise the first start tells.
                _make_tables(site)
        else:
            _make_sqlite(plan, site, new)


def _make_sqlite(plan: _Plan, site: Site, new: NewFolder) -> None:
    database = new.stage / "var/site.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    _make_tables(site)
    with changing_users(site.settings) as users:
        users.add(plan.admin, plan.password.text, [MANAGER])
    new.publish()


def _make_tables(site: Site) -> None:
    with site:
        schema.prepare(site.found_database.engine)


def _write(plan: _Plan, stage: Path) -> None:
    (stage / "var").mkdir()
    if not plan.choices.database_url:
        (stage / "var/ugm/data").mkdir(parents=True)
        for name in _USER_FILES:
            (stage / "var/ugm" / name).touch()
    if plan.environ:
        (stage / ENVIRONMENT).write_text(environment_of(plan.environ), encoding="utf-8")
    (stage / INI).write_text(ini_of(plan.choices), encoding="utf-8")


def _tell(output: Output, plan: _Plan) -> None:
    ini, address = plan.folder / INI, f"http://127.0.0.1:{plan.choices.port}/"
    serve = f"{_program('pserve')} {shlex.quote(str(ini))}"
    lines = [
        f"Made {plan.folder}",
        f"  User      {plan.admin}{plan.password.line}",
        f"  Start     {_with_environment(plan, serve)}",
        f"  Address   {address}",
        f"  Times     in {plan.choices.zone}; for another zone: cone.tokens.timezone in {ini}",
        "Another user:",
        f"  {_program('cone-tokens')} user add {shlex.quote(str(ini))} NAME --role token_operator",
    ]
    if plan.choices.is_in_production:
        lines.insert(4, "            behind a proxy that ends https; docs/deploy has an example")
    facts = {"success": True, "ini": str(ini), "command": serve, "address": address}
    facts["timezone"] = plan.choices.zone
    output.result({**facts, "user": plan.admin, **plan.password.facts}, "\n".join(lines))


def _with_environment(plan: _Plan, command: str) -> str:
    if not plan.environ:
        return command
    return f"set -a; . {shlex.quote(str(plan.folder / ENVIRONMENT))}; set +a; {command}"


def _program(name: str) -> str:
    """Return a program of this environment, as a shell finds it."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    is_on_path = found is not None and Path(found).resolve() == beside.resolve()
    return name if is_on_path or not beside.exists() else shlex.quote(str(beside))
