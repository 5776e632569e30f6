"""The composition root: what cone.app runs at start-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cone.app
import cone.sql
from cone.app import main_hook
from cone.app import register_config
from cone.app import register_entry
from pyramid.events import ApplicationCreated
from pyramid.events import ContextFound
from pyramid.httpexceptions import HTTPNotFound
from pyramid.httpexceptions import HTTPRedirection
from pyramid.tweens import EXCVIEW
from pyramid.viewderivers import INGRESS

from cone.tokens import browser
from cone.tokens import wiring
from cone.tokens.browser.errors import failure_page
from cone.tokens.browser.guard import check_page
from cone.tokens.config import StartupError
from cone.tokens.config import TokensConfig
from cone.tokens.config import read_config
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.service import TokenService
from cone.tokens.core.service import on_engine
from cone.tokens.core.store import OutdatedDatabase
from cone.tokens.failures import failure_of
from cone.tokens.json_api import check_request
from cone.tokens.json_api import is_endpoint
from cone.tokens.json_api.errors import failure_response
from cone.tokens.json_api.errors import is_api_failure
from cone.tokens.json_api.errors import response_below_no_uid
from cone.tokens.json_api.errors import view_below_no_uid
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.security import register_operator_role
from cone.tokens.settings import SettingsFile
from cone.tokens.settings import SettingsFileError
from cone.tokens.settings import TokenSettings
from cone.tokens.settings import get_settings_node

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.registry import Registry
    from pyramid.request import Request
    from pyramid.response import Response

#: Names below the root and below the settings.
ENTRY = "tokens"
SETTINGS = "token_settings"

Handler = Callable[["Request"], "Response"]


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
    settings_file = _started(SettingsFile(tokens_config.config_file))
    register_entry(ENTRY, tokens_config.entry_factory)
    register_config(SETTINGS, TokenSettings)
    register_operator_role()
    config.add_translation_dirs("cone.tokens:locale/")
    config.add_view_deriver(check_request, "json_endpoint", under=INGRESS, over="secured_view")
    config.add_tween("cone.tokens.plugin.failure_tween", under=EXCVIEW)
    config.add_tween(
        "cone.tokens.plugin.cookie_tween", over=("pyramid_tm.tm_tween_factory", EXCVIEW)
    )
    config.add_subscriber(check_page_request, ContextFound)
    config.scan("cone.tokens.json_api")
    config.scan("cone.tokens.browser")
    browser.register_resources(config)

    def start(_event: ApplicationCreated) -> None:
        _start(tokens_config, settings_file)

    # The engine is there by now, whichever plugin the ini file names first.
    config.add_subscriber(start, ApplicationCreated)


def failure_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with failures of our paths answered; the only net there is.

    It lies under the host's exception views: those answer bugs with status 200 and a traceback.
    """

    def answer(request: Request) -> Response:
        try:
            return _answer_or_bad_uid(handler, request)
        except Exception as error:
            if _is_redirect(error) or not _is_ours(request):
                raise
            if request.environ.get("tm.active"):
                request.tm.doom()
            failure = failure_of(error, request)
            face = failure_response if is_api_failure(error, request) else failure_page
            return face(failure, request)

    return answer


def cookie_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with cookies left out that are no text.

    WebOb fails at them, and pyramid_tm is the first to ask who is signed in.
    """

    def answer(request: Request) -> Response:
        if _is_ours(request):
            try:
                len(request.cookies)
            except UnicodeDecodeError:
                request.environ["HTTP_COOKIE"] = ""
        return handler(request)

    return answer


def check_page_request(event: ContextFound) -> None:
    """Check a request for one of our pages; the JSON API has checks of its own."""
    request = event.request
    if not _is_our_node(request):
        return
    if view_below_no_uid(request):
        # No page: the tween has the API answer it.
        raise HTTPNotFound
    if not is_endpoint(request.view_name, type(request.context)):
        check_page(request)


def _answer_or_bad_uid(handler: Handler, request: Request) -> Response:
    try:
        return handler(request)
    except HTTPNotFound:
        response = response_below_no_uid(request)
        if response is None:
            raise
        return response


def _is_redirect(error: Exception) -> bool:
    return isinstance(error, HTTPRedirection)


def _is_our_node(request: Request) -> bool:
    context = getattr(request, "context", None)
    return isinstance(context, TokenContainer | TokenNode | TokenSettings)


def _is_ours(request: Request) -> bool:
    path = request.environ.get("PATH_INFO", "")
    return _is_our_node(request) or path == f"/{ENTRY}" or path.startswith(f"/{ENTRY}/")


def _started(settings_file: SettingsFile) -> SettingsFile:
    try:
        settings_file.start()
    except SettingsFileError as error:
        raise StartupError("cone.tokens.config_file", str(error)) from None
    return settings_file


def _start(config: TokensConfig, settings_file: SettingsFile) -> None:
    engine = cone.sql.session_factory.engine
    # Values of tokens have no place in the text of an error.
    engine.hide_parameters = True
    wiring.install(wiring.Plugin(config, settings_file, on_engine(engine)))
    _make_tables(wiring.token_service())
    _find_settings_node()


def _make_tables(service: TokenService) -> None:
    try:
        service.make_tables()
    except OutdatedDatabase:
        # SQLite takes the files beside the database away when the last connection is closed.
        cone.sql.session_factory.engine.dispose()
        problem = "the database holds tables of cone.tokens 2.0 and has to be upgraded first"
        raise StartupError("sql.db.url", problem) from None
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
