"""The site that an ini file describes, without starting its application."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self

from paste.deploy.loadwsgi import APP
from paste.deploy.loadwsgi import loadcontext

from cone.tokens import schema
from cone.tokens.config import StartupError
from cone.tokens.config import TokensConfig
from cone.tokens.config import read_config
from cone.tokens.core.database import Database
from cone.tokens.core.database import make_database
from cone.tokens.core.params import Parser
from cone.tokens.core.service import TokenService
from cone.tokens.production import settings_of
from cone.tokens.schema import MADE_BY_SITE
from cone.tokens.settings import SettingsFile
from cone.tokens.settings import SettingsFileError

#: Prefix of the settings of the database, as cone.sql has it.
DATABASE = "sql.db."


@dataclasses.dataclass(frozen=True)
class Site:
    """What the commands work on; each part is made when it is first asked for.

    :ivar settings: the ini settings of the application.
    :ivar folder: of the ini file.
    """

    settings: Mapping[str, str]
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connections to the database, where there are any."""
        if "found_database" in vars(self):
            self.found_database.engine.dispose()

    @functools.cached_property
    def config(self) -> TokensConfig:
        """The settings of the plugin.

        :raises StartupError: one is wrong.
        """
        return read_config(self.settings)

    @functools.cached_property
    def found_database(self) -> Database:
        """The database of the site as it is.

        :raises StartupError: its URL is no URL of a database, or there is no such file.
        """
        _config = self.config
        try:
            database = make_database(self.settings, DATABASE)
        except ValueError as error:
            raise StartupError(f"{DATABASE}url", str(error)) from None
        file = _missing_file(database)
        if file:
            raise StartupError(f"{DATABASE}url", f"there is no file {file}; {MADE_BY_SITE}")
        return database

    @functools.cached_property
    def database(self) -> Database:
        """The database of the site, with tables of this version.

        The site makes them, under the user that it runs as.

        :raises StartupError: there are no tables yet, or of another version.
        :raises Unavailable: the database does not answer.
        """
        schema.check(self.found_database.engine)
        return self.found_database

    @functools.cached_property
    def service(self) -> TokenService:
        """The use cases; else as :attr:`database`."""
        return TokenService(self.database, self.config.patience)

    @property
    def parser(self) -> Parser:
        """The parser of parameters, with the defaults of the site's settings.

        :raises StartupError: their file cannot be read.
        """
        settings_file = SettingsFile(self.config.config_file)
        try:
            settings_file.load()
            return settings_file.parser(self.config.zone)
        except SettingsFileError as error:
            raise StartupError("cone.tokens.config_file", str(error)) from None


def _missing_file(database: Database) -> str | None:
    """Return the file of an SQLite database that is not there: to connect would make it."""
    url = database.engine.url
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return url.database if is_file and not Path(url.database or "").exists() else None


def open_site(path: Path) -> Site:
    """Return the site of an ini file.

    :raises StartupError: the file does not describe one.
    """
    try:
        context = loadcontext(APP, f"config:{path.absolute()}")
    except Exception as error:  # noqa: BLE001 - PasteDeploy raises what its parts raise
        raise StartupError(str(path), f"is no ini file of a site: {error}") from None
    return Site(_settings(context), path.absolute().parent)


def _settings(context: Any) -> Mapping[str, str]:
    """Return the settings of the application behind pipelines and filters."""
    for inner in ("app_context", "next_context"):
        if hasattr(context, inner):
            return _settings(getattr(context, inner))
    return settings_of(context.object, context.config())
