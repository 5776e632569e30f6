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

from cone.tokens.core.params import Parameter
from cone.tokens.host import request_data
from cone.tokens.host import wiring
from cone.tokens.host.addresses import is_spelled_plainly
from cone.tokens.host.callers import caller_of
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.security import refuse_other_sites
from cone.tokens.host.security import refuse_other_users
from cone.tokens.host.security import refuse_previews
from cone.tokens.web.render import json_response

if TYPE_CHECKING:
    from pyramid.interfaces import IViewDeriverInfo
    from pyramid.request import Request

View = Callable[[Any, Any], Response]
JsonView = Callable[[Any, Any, Any], Mapping[str, Any] | Response]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What there is to know about a view of the JSON API.

    :ivar context: class of the node below which the view is found.
    :ivar parameters: those it knows.
    :ivar read: makes what the view is asked for of the raw values of its parameters.
    :ivar id: name of the operation in the document; None: that of the view.
    :ivar answer: JSON schemas of the members of its answer beside ``success``.
    :ivar optional: those of them that an answer may lack.
    :ivar told: what the document tells of its answer.
    :ivar media: schemas of its answer by media type, where that is no JSON with ``answer``.
    :ivar refusal: schema of its other answer with status 200.
    :ivar links: operations that can be asked for next, by their names in the document.
    :ivar tells_uid: where its answer tells the uid that operations on a row take.
    :ivar is_strict: whether other parameters are refused; else they are ignored.
    :ivar is_empty_default: whether an empty parameter is as good as none.
    :ivar answers_get: whether a site may let it answer GET besides.
    :ivar is_query: whether it looks rows up, which is limited.
    """

    name: str
    context: type
    method: str
    permission: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    read: Callable[[Mapping[str, Any]], Any] = dict
    id: str | None = None
    answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    told: str = "Done."
    media: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    links: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    tells_uid: str | None = None
    is_idempotent: bool = False
    is_strict: bool = False
    is_empty_default: bool = False
    answers_get: bool = False
    is_query: bool = False

    @property
    def is_of_row(self) -> bool:
        """Whether it is found below the node of a row."""
        return bool(IRowNode.implementedBy(self.context))

    @property
    def methods(self) -> tuple[str, ...]:
        """The HTTP methods that it answers now."""
        if self.answers_get and wiring.get(TokensConfig).consume_by_get:
            return ("GET", self.method)
        return (self.method,)

    @property
    def changes_something(self) -> bool:
        """Whether a request changes something."""
        return self.method != "GET"


#: All endpoints, in the order in which they are declared.
ENDPOINTS: Final[list[Endpoint]] = []
#: Classes of the nodes below which there is one, by its name.
_CONTEXTS: Final[dict[str, tuple[type, ...]]] = {}


def json_view(endpoint: Endpoint) -> Callable[[JsonView], View]:
    """Return the decorator of a view ``(context, request, asked) -> dict`` of the JSON API.

    What is asked for is read before it runs. It makes the response itself: Pyramid's renderers cost
    several times what they do here.
    """
    ENDPOINTS.append(endpoint)
    _CONTEXTS[endpoint.name] = (*_CONTEXTS.get(endpoint.name, ()), endpoint.context)

    def decorate(view: JsonView) -> View:
        @functools.wraps(view)
        def answering(context: Any, request: Request) -> Response:
            given = request_data.given(request, endpoint.parameters, is_strict=endpoint.is_strict)
            answer = view(context, request, endpoint.read(given))
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


def endpoints_below(entry: type) -> list[Endpoint]:
    """Return the endpoints below an entry node of the class ``entry``, in their order."""
    kinds = (entry, getattr(entry, "row_class", entry))
    return [
        endpoint
        for endpoint in ENDPOINTS
        if any(issubclass(kind, endpoint.context) for kind in kinds)
    ]


def is_endpoint(name: str, context: type | None = None) -> bool:
    """Return whether ``name`` is a view of the JSON API, on ``context`` where that is given."""
    contexts = _CONTEXTS.get(name)
    return contexts is not None and (context is None or issubclass(context, contexts))


def check_request(view: View, info: IViewDeriverInfo) -> View:
    """Check a request before permission and view; a view deriver over ``secured_view``.

    View predicates are no way to do that: a request that fails one ends in the host's page.
    """
    endpoint: Endpoint | None = info.options.get("json_endpoint")
    if endpoint is None:
        return view

    def checked(context: object, request: Request) -> Response:
        wiring.require_session_filter(request)
        request.refuse_large_body()
        if request.subpath or not is_spelled_plainly(request):
            raise HTTPNotFound
        # The setting is asked for others alone.
        if request.method != endpoint.method and request.method not in endpoint.methods:
            raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(endpoint.methods)})
        if endpoint.changes_something:
            refuse_other_sites(request)
        refuse_other_users(request)
        if endpoint.answers_get:
            refuse_previews(request)
        if endpoint.is_query:
            # Before the permission: the user directory may be in the database.
            wiring.get(RateLimits).queries.count(caller_of(request))
        response = view(context, request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return checked


check_request.options = ("json_endpoint",)  # type: ignore[attr-defined]
