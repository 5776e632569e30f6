"""What the commands for tickets ask a site for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cone.tokens.cli.site import Site
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.host.config import StartupError
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.settings_file import SettingsFile
from cone.tokens.tickets.settings_file import SettingsFileError


def service_of(site: Site) -> TicketService:
    """Return the use cases of a site; else as :attr:`~cone.tokens.cli.site.Site.database`."""
    return TicketService(UnitOfWork(site.database, site.config.patience))


def parser_of(site: Site) -> Parser:
    """Return the parser of parameters, with the defaults of the site's settings.

    A missing file is made, as by a start of the site.

    :raises StartupError: the file cannot be read or made.
    """
    return _settings_file(site).parser(site.config.zone)


def settings_of(site: Site) -> Mapping[str, Any]:
    """Return the site's settings; else as :func:`parser_of`."""
    return _settings_file(site).values


def _settings_file(site: Site) -> SettingsFile:
    settings_file = SettingsFile(site.config.config_file)
    try:
        settings_file.start()
    except SettingsFileError as error:
        raise StartupError("cone.tokens.config_file", str(error)) from None
    return settings_file
