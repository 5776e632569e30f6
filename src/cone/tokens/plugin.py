"""The composition root: what cone.app runs at start-up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from typing import Any

import cone.app
import cone.sql
from cone.app import main_hook
from cone.app import register_config
from cone.app import register_entry
from pyramid.events import ApplicationCreated
from pyramid.events import ContextFound
from pyramid.path import DottedNameResolver
from pyramid.tweens import EXCVIEW
from pyramid.viewderivers import INGRESS

from cone.tokens import parts
from cone.tokens.answers import replace_exception_view
from cone.tokens.browser.navigation import SECTION
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.places import Places
from cone.tokens.core.sqlite import makes_readers_wait
from cone.tokens.host import request_class
from cone.tokens.host import wiring
from cone.tokens.host.config import FACTORY
from cone.tokens.host.config import STATUSES_WANTED
from cone.tokens.host.config import StartupError
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.config import read_config
from cone.tokens.host.cookie_secret import require_cookie_secret
from cone.tokens.host.first_connection import guard_first_connection
from cone.tokens.host.health import Health
from cone.tokens.host.identity import read_cookie_once
from cone.tokens.host.languages import negotiate_languages
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.metrics import read_metrics
from cone.tokens.host.pipeline import warn_without_session_filter
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.ratelimit import read_limits
from cone.tokens.host.signin import guard_sign_in
from cone.tokens.host.signin import note_sign_out
from cone.tokens.host.site_request import SiteRequest
from cone.tokens.host.spool import Spool
from cone.tokens.host.templates import compile_one_at_a_time
from cone.tokens.host.user_backend import require_user_backend
from cone.tokens.migrations import schema
from cone.tokens.tickets.kept_figures import KeptFigures
from cone.tokens.tickets.nodes import ENTRY
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import register_operator_role
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.settings import TokenSettings
from cone.tokens.tickets.settings import get_settings_node
from cone.tokens.tickets.settings_file import SettingsFile
from cone.tokens.tickets.settings_file import SettingsFileError
from cone.tokens.tweens import check_page_request
from cone.tokens.web.declared import allow_option
from cone.tokens.web.endpoint import check_request
from cone.tokens.web.mended import mend_ajax
from cone.tokens.web.mended import mend_tiles
from cone.tokens.web.mended import take_tiles_from_addresses
from cone.tokens.web.navigation import Navigation
from cone.tokens.web.resources import register_resources

if TYPE_CHECKING:
    from pyramid.config import Configurator

logger = logging.getLogger(__name__)

#: Name of the settings node below the settings of the site.
SETTINGS = "token_settings"

#: The tween of pyramid_tm. It is the first to ask who is signed in.
TRANSACTIONS = "pyramid_tm.tm_tween_factory"

# At import, since hooks of others may come first.
guard_first_connection()


@main_hook
def initialize_tokens(
    config: Configurator,
    global_config: dict[str, str],
    settings: dict[str, str],
) -> None:
    """Register nodes, views, checks and resources.

    :raises StartupError: a setting is wrong.
    """
    tokens_config = read_config(settings)
    entry_factory = load_factory(tokens_config.entry_factory)
    switched_on = parts.read_parts(settings)
    limits, metrics = read_limits(settings), read_metrics(settings)
    settings_file = _started(SettingsFile(tokens_config.config_file))
    register_entry(ENTRY, entry_factory)
    register_config(SETTINGS, TokenSettings)
    register_operator_role()
    config.set_request_factory(SiteRequest)
    require_cookie_secret(config, global_config)
    require_user_backend(settings)
    warn_without_session_filter(global_config)
    read_cookie_once(config)
    guard_sign_in()
    negotiate_languages(config)
    config.add_translation_dirs("cone.tokens:locale/")
    config.add_view_deriver(check_request, "json_endpoint", under=INGRESS, over="secured_view")
    config.add_tween("cone.tokens.tweens.failure_tween", under=EXCVIEW)
    if global_config.get(STATUSES_WANTED):
        # Below the transaction, which is not committed then.
        config.add_tween("cone.tokens.host.statuses.status_tween", under=TRANSACTIONS, over=EXCVIEW)
    inside = [TRANSACTIONS, EXCVIEW]
    for name in (
        "tweens.directory_tween",
        "tweens.operation_tween",
        "tweens.cookie_tween",
        "tweens.host_tween",
        "answers.site_tween",
        "tweens.request_tween",
    ):
        config.add_tween(f"cone.tokens.{name}", over=tuple(inside))
        inside.append(f"cone.tokens.{name}")
    replace_exception_view(config)
    mend_ajax()
    mend_tiles()
    compile_one_at_a_time()
    config.add_subscriber(check_page_request, ContextFound)
    config.add_subscriber(note_sign_out, ContextFound)
    navigation = Navigation()
    wiring.add(navigation)
    navigation.sections.append(SECTION)
    config.add_view_deriver(allow_option, "allowance")
    config.scan("cone.tokens.web")
    config.scan("cone.tokens.json_api")
    config.scan("cone.tokens.browser")
    register_resources(config)
    parts.include(config, switched_on)

    def start(event: ApplicationCreated) -> None:
        request_class.make_once(event.app)
        take_tiles_from_addresses(config.registry)
        _start(tokens_config, settings_file, limits=limits, metrics=metrics)

    # The engine is there by now, whichever plugin the ini file names first.
    config.add_subscriber(start, ApplicationCreated)


def load_factory(name: str) -> type[TokenContainer]:
    """Return the class of the container of tokens.

    :param name: its dotted name.
    :raises StartupError: it cannot be imported, or does not derive from TokenContainer.
    """
    try:
        factory = DottedNameResolver(None).resolve(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise StartupError(FACTORY, f"cannot import {name!r}: {error}") from None
    if not (isinstance(factory, type) and issubclass(factory, TokenContainer)):
        raise StartupError(FACTORY, "is no subclass of cone.tokens.model.TokenContainer")
    return factory


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
    places = Places(config.places)
    service = on_engine(engine, patience=config.patience, places=places)
    health = Health(service.check_database)
    metrics.watch_pool(engine)
    figures = KeptFigures(service.door_figures)
    for part in (config, settings_file, service, limits, health, places, Spool(), figures):
        wiring.add(part)
    wiring.add(metrics, Metrics)
    _prepare_database(engine, config)
    _find_settings_node()
    if makes_readers_wait(engine):
        # No warning: a start with right settings says nothing where nobody asks for it.
        logger.info("the SQLite file is not in WAL mode: requests that read wait for others")


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
