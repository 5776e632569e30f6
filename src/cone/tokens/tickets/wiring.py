"""The settings file of tickets, and the parser that takes its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.tickets.settings_file import SettingsFile

if TYPE_CHECKING:
    from cone.tokens.tickets.parser import Parser


def current_settings() -> SettingsFile:
    """Return the settings file of this process.

    :raises NotStartedError: no application was started.
    """
    return wiring.get(SettingsFile)


def current_parser() -> Parser:
    """Return the parser of parameters, with the defaults of the settings as they are now.

    :raises NotStartedError: no application was started.
    """
    return current_settings().parser(wiring.get(TokensConfig).zone)
