"""The database is tried before anybody else works with it: a start that cannot succeed says why.

cone.sql's hook makes its tables. Where ``cone.plugins`` names it first, its errors come before any
hook of ours runs, and cone.app tells them with a traceback. But all plugins are imported before the
first hook runs, so that hook can be wrapped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import cone.app
import cone.sql
from pyramid.settings import aslist
from sqlalchemy.exc import DBAPIError

from cone.tokens.core.address import BadAddress
from cone.tokens.core.address import open_address
from cone.tokens.core.address import read_address
from cone.tokens.core.address import told
from cone.tokens.core.address import try_address
from cone.tokens.host.config import DATABASE
from cone.tokens.host.config import StartupError

if TYPE_CHECKING:
    from pyramid.config import Configurator

#: A hook of a plugin of cone.app.
Hook = Callable[["Configurator", dict[str, str], dict[str, str]], None]


def guard_first_connection() -> None:
    """Wrap cone.sql's hook; once, however many sites are started."""
    hooks = cone.app.main_hooks
    hooks[:] = [_guarded(hook) if hook is cone.sql.initialize_cone_sql else hook for hook in hooks]


def _guarded(hook: Hook) -> Hook:
    @functools.wraps(hook)
    def run(config: Configurator, global_config: dict[str, str], settings: dict[str, str]) -> None:
        if "cone.tokens" not in aslist(settings.get("cone.plugins", "")):
            hook(config, global_config, settings)
            return
        require_database(settings)
        try:
            hook(config, global_config, settings)
        except DBAPIError as error:
            reason = told(error, read_address(settings[f"{DATABASE}url"]))
            problem = f"the database does not make the tables of cone.sql: {reason}"
            raise StartupError(f"{DATABASE}url", problem) from None

    return run


def require_database(settings: Mapping[str, Any]) -> None:
    """See that the database can be used.

    :raises StartupError: it cannot; with the setting that says so.
    """
    if not settings.get(f"{DATABASE}url"):
        raise StartupError(f"{DATABASE}url", "is missing; give the URL of the database")
    try:
        open_address(settings, DATABASE).dispose()
        try_address(settings[f"{DATABASE}url"])
    except BadAddress as error:
        raise StartupError(f"{DATABASE}{error.key}", str(error)) from None
