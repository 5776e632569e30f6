"""The site that an ini file describes, without starting its application."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self

from paste.deploy.loadwsgi import APP
from paste.deploy.loadwsgi import loadcontext

from cone.tokens.core.address import BadAddress
from cone.tokens.core.database import Database
from cone.tokens.core.database import make_database
from cone.tokens.host.config import DATABASE
from cone.tokens.host.config import StartupError
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.config import read_config
from cone.tokens.migrations import schema
from cone.tokens.migrations.schema import MADE_BY_SITE
from cone.tokens.production import settings_of


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
        except BadAddress as error:
            raise StartupError(f"{DATABASE}{error.key}", str(error)) from None
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


def _missing_file(database: Database) -> str | None:
    """Return the file of an SQLite database that is not there: to connect would make it."""
    url = database.engine.url
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return url.database if is_file and not Path(url.database or "").exists() else None


def open_site(path: Path, environ: Mapping[str, str] = os.environ) -> Site:
    """Return the site of an ini file.

    :param environ: has the variables that a site in production takes.
    :raises StartupError: the file does not describe one.
    """
    try:
        context = loadcontext(APP, f"config:{path.absolute()}")
    except Exception as error:  # noqa: BLE001 - PasteDeploy raises what its parts raise
        raise StartupError(str(path), f"is no ini file of a site: {error}") from None
    return Site(_settings(context, environ), path.absolute().parent)


def _settings(context: Any, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the settings of the application behind pipelines and filters."""
    for inner in ("app_context", "next_context"):
        if hasattr(context, inner):
            return _settings(getattr(context, inner), environ)
    return settings_of(context.object, context.config(), environ)
