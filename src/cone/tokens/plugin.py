"""The composition root: what cone.app runs at start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import cone.app
import cone.sql
from cone.app import main_hook
from cone.app import register_config
from cone.app import register_entry
from pyramid.events import ApplicationCreated
from pyramid.events import ContextFound
from pyramid.tweens import EXCVIEW
from pyramid.viewderivers import INGRESS

from cone.tokens import browser
from cone.tokens import schema
from cone.tokens import wiring
from cone.tokens.config import StartupError
from cone.tokens.config import TokensConfig
from cone.tokens.config import read_config
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.service import on_engine
from cone.tokens.health import Health
from cone.tokens.identity import read_cookie_once
from cone.tokens.json_api import check_request
from cone.tokens.metrics import Metrics
from cone.tokens.metrics import read_metrics
from cone.tokens.model import ENTRY
from cone.tokens.model import TokenContainer
from cone.tokens.ratelimit import RateLimits
from cone.tokens.ratelimit import read_limits
from cone.tokens.security import read_user_files
from cone.tokens.security import register_operator_role
from cone.tokens.settings import SettingsFile
from cone.tokens.settings import SettingsFileError
from cone.tokens.settings import TokenSettings
from cone.tokens.settings import get_settings_node
from cone.tokens.signin import guard_sign_in
from cone.tokens.signin import note_sign_out
from cone.tokens.tweens import check_page_request

if TYPE_CHECKING:
    from pyramid.config import Configurator

#: Name of the settings node below the settings of the site.
SETTINGS = "token_settings"

#: The tween of pyramid_tm. It is the first to ask who is signed in.
TRANSACTIONS = "pyramid_tm.tm_tween_factory"


@main_hook
def initialize_tokens(
    config: Configurator,
    _global_config: dict[str, str],
    settings: dict[str, str],
) -> None:
    """Register nodes, views, checks and resources.

    :raises StartupError: a setting is wrong.
    """
    tokens_config = read_config(settings)
    check_factory(tokens_config)
    limits, metrics = read_limits(settings), read_metrics(settings)
    settings_file = _started(SettingsFile(tokens_config.config_file))
    register_entry(ENTRY, tokens_config.entry_factory)
    register_config(SETTINGS, TokenSettings)
    register_operator_role()
    read_cookie_once(config)
    guard_sign_in()
    config.add_translation_dirs("cone.tokens:locale/")
    config.add_view_deriver(check_request, "json_endpoint", under=INGRESS, over="secured_view")
    config.add_tween("cone.tokens.tweens.failure_tween", under=EXCVIEW)
    around = (TRANSACTIONS, EXCVIEW)
    config.add_tween("cone.tokens.tweens.cookie_tween", over=around)
    cookies = "cone.tokens.tweens.cookie_tween"
    config.add_tween("cone.tokens.tweens.operation_tween", over=around, under=cookies)
    inside = ("cone.tokens.tweens.cookie_tween", "cone.tokens.tweens.operation_tween")
    config.add_tween("cone.tokens.tweens.request_tween", over=(*inside, *around))
    config.add_subscriber(check_page_request, ContextFound)
    config.add_subscriber(note_sign_out, ContextFound)
    config.scan("cone.tokens.json_api")
    config.scan("cone.tokens.browser")
    browser.register_resources(config)

    def start(_event: ApplicationCreated) -> None:
        _start(tokens_config, settings_file, limits=limits, metrics=metrics)

    # The engine is there by now, whichever plugin the ini file names first.
    config.add_subscriber(start, ApplicationCreated)


def check_factory(config: TokensConfig) -> None:
    """Refuse a container that is none: permissions and checks would not be those of tokens.

    :raises StartupError: it is no subclass of ours.
    """
    factory = config.entry_factory
    if not (isinstance(factory, type) and issubclass(factory, TokenContainer)):
        problem = "is no subclass of cone.tokens.model.TokenContainer"
        raise StartupError("cone.tokens.entryfactory", problem)


def _started(settings_file: SettingsFile) -> SettingsFile:
    try:
        settings_file.start()
    except SettingsFileError as error:
        raise StartupError("cone.tokens.config_file", str(error)) from None
    return settings_file


def _start(
    config: TokensConfig,
    settings_file: SettingsFile,
    *,
    limits: RateLimits,
    metrics: Metrics,
) -> None:
    engine = cone.sql.session_factory.engine
    # Values of tokens have no place in the text of an error.
    engine.hide_parameters = True
    service = on_engine(engine, patience=config.patience)
    health = Health(service.check_database)
    metrics.watch_pool(engine)
    wiring.install(wiring.Plugin(config, settings_file, service, limits, health, metrics))
    _prepare_database(engine, config)
    read_user_files()
    _find_settings_node()


def _prepare_database(engine: Any, config: TokensConfig) -> None:
    try:
        schema.prepare(engine, auto_upgrade=config.auto_upgrade)
    except schema.OutdatedDatabase:
        # SQLite takes the files beside the database away when the last connection is closed.
        engine.dispose()
        raise
    except Unavailable:
        raise StartupError("sql.db.url", "the database does not answer") from None


def _find_settings_node() -> None:
    key = "cone.tokens.settings_node_path"
    try:
        node = get_settings_node()
    except KeyError as error:
        raise StartupError(key, f"there is no node {error} on the way") from None
    if not isinstance(node, TokenSettings):
        raise StartupError(key, f"there is a {type(node).__name__}, not the token settings")
