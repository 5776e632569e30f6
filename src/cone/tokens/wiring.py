"""What the plugin is made of, and how a request gets at it.

cone.app keeps its root in the process, and so does this: one application lives at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import cone.sql

from cone.tokens.core.params import parse_idempotency_key
from cone.tokens.core.types import IdempotencyKey
from cone.tokens.core.types import Operation

if TYPE_CHECKING:
    from pyramid.request import Request

    from cone.tokens.config import TokensConfig
    from cone.tokens.core.params import Parser
    from cone.tokens.core.service import TokenService
    from cone.tokens.health import Health
    from cone.tokens.metrics import Metrics
    from cone.tokens.ratelimit import RateLimits
    from cone.tokens.settings import SettingsFile


class NotStartedError(RuntimeError):
    """There is no application in this process."""


class MissingSessionFilterError(RuntimeError):
    """The pipeline of the site lacks cone.sql's session filter."""

    def __init__(self) -> None:
        """Say what to do about it."""
        super().__init__("the pipeline lacks the filter egg:cone.sql#session in front of the app")


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """The parts of the running plugin."""

    config: TokensConfig
    settings_file: SettingsFile
    service: TokenService
    limits: RateLimits
    health: Health
    metrics: Metrics


_running: list[Plugin] = []


def install(running: Plugin) -> None:
    """Make ``running`` the plugin of this process."""
    _running[:] = [running]


def plugin() -> Plugin:
    """Return the plugin of this process.

    :raises NotStartedError: none was started.
    """
    if not _running:
        message = "cone.tokens is not started in this process"
        raise NotStartedError(message)
    return _running[0]


def token_service() -> TokenService:
    """Return the service that commits each use case by itself."""
    return plugin().service


def parser() -> Parser:
    """Return the parser of parameters, with the defaults of the settings as they are now."""
    running = plugin()
    return running.settings_file.parser(running.config.zone)


def actor(request: Request) -> str | None:
    """Return the id of the user who asks; None where nobody is signed in."""
    return request.authenticated_userid


def idempotency_key(
    request: Request,
    operation: str,
    parameters: Mapping[str, Any],
) -> IdempotencyKey | None:
    """Return the key that ``request`` brings along, None where it brings none.

    :param parameters: what the request asks for.
    :raises InvalidParameter: the key is malformed.
    """
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    return IdempotencyKey(
        key=parse_idempotency_key(text),
        caller=actor(request) or "",
        operation=Operation(operation),
        parameters=parameters,
    )


def require_session_filter(request: Request) -> None:
    """Refuse to work in a pipeline that the rest of the site does not work in either.

    :raises MissingSessionFilterError: cone.sql's session filter is missing.
    """
    if cone.sql.session_key not in request.environ:
        raise MissingSessionFilterError
