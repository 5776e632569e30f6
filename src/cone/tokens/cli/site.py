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

from cone.tokens.config import StartupError
from cone.tokens.config import TokensConfig
from cone.tokens.config import read_config
from cone.tokens.core.database import Database
from cone.tokens.core.database import make_database
from cone.tokens.core.params import Parser
from cone.tokens.core.service import TokenService
from cone.tokens.core.store import MissingTables
from cone.tokens.core.store import OutdatedDatabase
from cone.tokens.settings import SettingsFile
from cone.tokens.settings import SettingsFileError

#: Prefix of the settings of the database, as cone.sql has it.
DATABASE = "sql.db."

_MADE_BY_SITE = "the tables are made when the site starts for the first time"


@dataclasses.dataclass(frozen=True)
class Site:
    """What the commands work on; each part is made when it is first asked for.

    :ivar settings: the ini settings of the application.
    """

    settings: Mapping[str, str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connections to the database, where there are any."""
        if "database" in vars(self):
            self.database.engine.dispose()

    @functools.cached_property
    def config(self) -> TokensConfig:
        """The settings of the plugin.

        :raises StartupError: one is wrong.
        """
        return read_config(self.settings)

    @functools.cached_property
    def database(self) -> Database:
        """The database of the site.

        :raises StartupError: its URL is no URL of a database.
        """
        _config = self.config
        try:
            return make_database(self.settings, DATABASE)
        except ValueError as error:
            raise StartupError(f"{DATABASE}url", str(error)) from None

    @functools.cached_property
    def service(self) -> TokenService:
        """The use cases.

        Its tables are made by the site, under the user that it runs as.

        :raises StartupError: there are no tables yet, or of an older version.
        :raises Unavailable: the database does not answer.
        """
        file = _missing_file(self.database)
        if file:
            raise StartupError(f"{DATABASE}url", f"there is no file {file}; {_MADE_BY_SITE}")
        service = TokenService(self.database)
        try:
            service.check_tables()
        except OutdatedDatabase:
            problem = "the database holds tables of cone.tokens 2.0 and has to be upgraded first"
            raise StartupError(f"{DATABASE}url", problem) from None
        except MissingTables:
            problem = f"the database has no tables of cone.tokens; {_MADE_BY_SITE}"
            raise StartupError(f"{DATABASE}url", problem) from None
        return service

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
    return Site(_settings(context))


def _settings(context: Any) -> Mapping[str, str]:
    """Return the settings of the application behind pipelines and filters."""
    for inner in ("app_context", "next_context"):
        if hasattr(context, inner):
            return _settings(getattr(context, inner))
    return dict(context.config())
