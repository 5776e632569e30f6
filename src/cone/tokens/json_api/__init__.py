"""The JSON API (contract 3): how a view is declared, and what is checked before it runs.

A view is a short function below :func:`json_view`. Its :class:`Endpoint` says once what the
checks, the parser and the OpenAPI document have to know. Checks come in the order of the
contract: size, method, who asks, from where and how often, permission, then the view's parameters.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPNotFound
from pyramid.response import Response
from pyramid.view import view_config

from cone.tokens import wiring
from cone.tokens.core.params import Parameter
from cone.tokens.json_api.render import json_response
from cone.tokens.ratelimit import caller_of
from cone.tokens.request_data import refuse_large_body
from cone.tokens.security import refuse_other_sites
from cone.tokens.security import refuse_previews

if TYPE_CHECKING:
    from pyramid.interfaces import IViewDeriverInfo
    from pyramid.request import Request

View = Callable[[Any, Any], Response]
JsonView = Callable[[Any, Any], Mapping[str, Any] | Response]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What there is to know about a view of the JSON API.

    :ivar context: class of the node below which the view is found.
    :ivar parameters: those it knows; others are ignored.
    :ivar answer: JSON schemas of the members of its answer beside ``success``.
    :ivar is_query: whether it looks tokens up, which is limited.
    """

    name: str
    context: type
    method: str
    permission: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_idempotent: bool = False
    is_consumption: bool = False
    is_query: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that it answers now."""
        if self.is_consumption and wiring.plugin().config.consume_by_get:
            return ("GET", self.method)
        return (self.method,)

    @property
    def changes_something(self) -> bool:
        """Whether a request changes something."""
        return self.method != "GET"


#: All endpoints, in the order in which they are declared.
ENDPOINTS: Final[list[Endpoint]] = []


def json_view(endpoint: Endpoint) -> Callable[[JsonView], View]:
    """Return the decorator of a view ``(context, request) -> dict`` of the JSON API.

    It makes the response itself: Pyramid's renderers cost several times what they do here.
    """
    ENDPOINTS.append(endpoint)

    def decorate(view: JsonView) -> View:
        @functools.wraps(view)
        def answering(context: Any, request: Request) -> Response:
            answer = view(context, request)
            return answer if isinstance(answer, Response) else json_response(answer)

        declare: Callable[[View], View] = view_config(
            name=endpoint.name,
            context=endpoint.context,
            permission=endpoint.permission,
            json_endpoint=endpoint,
            _depth=1,
        )
        return declare(answering)

    return decorate


def is_endpoint(name: str, context: type | None = None) -> bool:
    """Return whether ``name`` is a view of the JSON API, on ``context`` where that is given."""
    return any(
        endpoint.name == name and (context is None or issubclass(context, endpoint.context))
        for endpoint in ENDPOINTS
    )


def check_request(view: View, info: IViewDeriverInfo) -> View:
    """Check a request before permission and view; a view deriver over ``secured_view``.

    View predicates are no way to do that: a request that fails one ends in the host's page.
    """
    endpoint: Endpoint | None = info.options.get("json_endpoint")
    if endpoint is None:
        return view

    def checked(context: object, request: Request) -> Response:
        wiring.require_session_filter(request)
        refuse_large_body(request)
        if request.subpath:
            raise HTTPNotFound
        if request.method not in endpoint.methods:
            raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(endpoint.methods)})
        if endpoint.changes_something:
            refuse_other_sites(request)
        if endpoint.is_consumption:
            refuse_previews(request)
        if endpoint.is_query:
            # Before the permission: the user directory may be in the database.
            wiring.plugin().limits.queries.count(caller_of(request))
        response = view(context, request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return checked


check_request.options = ("json_endpoint",)  # type: ignore[attr-defined]
