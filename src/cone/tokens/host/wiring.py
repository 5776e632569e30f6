"""The parts of the running plugin, by their types, and how a request gets at them.

cone.app keeps its root in the process, and so does this: one application lives at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import cone.sql

from cone.tokens.core.params import parse_idempotency_key
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation

if TYPE_CHECKING:
    from pyramid.request import Request

T = TypeVar("T")


class NotStartedError(RuntimeError):
    """There is no application in this process."""

    def __init__(self) -> None:
        super().__init__(
            "cone.tokens is not started in this process; a script starts the site with "
            'pyramid.paster.get_app("site.ini", "main")',
        )


class MissingSessionFilterError(RuntimeError):
    """The pipeline of the site lacks a session filter."""

    def __init__(self) -> None:
        super().__init__("the pipeline lacks a session filter: put egg:cone.tokens#session first")


#: The parts of the running plugin, by the types that they are asked for by.
_running: dict[type[Any], Any] = {}


def add(part: object, kind: type[Any] | None = None) -> None:
    """Make ``part`` one of this process, in place of the one of its kind.

    :param kind: the type that it is asked for by; None: its own.
    """
    _running[kind or type(part)] = part


def get(kind: type[T]) -> T:
    """Return the part of this process that was added as a ``kind``.

    :raises NotStartedError: no application was started.
    """
    try:
        part: T = _running[kind]
    except KeyError:
        raise NotStartedError from None
    return part


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
    text = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if text is None:
        return None
    return IdempotencyKey(
        key=parse_idempotency_key(text),
        caller=actor(request) or "",
        operation=Operation(operation),
        parameters=parameters,
    )


def require_session_filter(request: Request) -> None:
    """Fail early if the pipeline lacks cone.sql's session filter.

    :raises MissingSessionFilterError: the session filter is missing.
    """
    if cone.sql.session_key not in request.environ:
        raise MissingSessionFilterError
