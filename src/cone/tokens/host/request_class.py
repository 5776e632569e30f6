"""The class of the requests of an application, made once instead of for each request.

Pyramid gives each request a class of its own where a plugin has added a property, as pyramid_tm
does. That takes longer than all checks of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from pyramid.interfaces import IRequestExtensions
from pyramid.interfaces import IRequestFactory
from pyramid.request import Request
from pyramid.request import apply_request_extensions
from zope.interface import implementer

if TYPE_CHECKING:
    from pyramid.router import Router


@implementer(IRequestExtensions)
class _MethodsAlone:
    """What is still to be added to a request whose class has the properties."""

    def __init__(self, methods: dict[str, Any]) -> None:
        self.descriptors: dict[str, Any] = {}
        self.methods = methods


def make_once(app: Router) -> None:
    """Let the requests of ``app`` be of one class that has all properties that plugins added.

    To be called when all are added. Requests that others make get theirs as before.
    """
    extensions = app.registry.queryUtility(IRequestExtensions)
    factory = app.request_factory
    if extensions is None or not extensions.descriptors or not isinstance(factory, type):
        return
    of_one_class = _with_properties(factory, app.registry, extensions.descriptors)
    app.request_factory = of_one_class
    app.request_extensions = _MethodsAlone(extensions.methods)
    # Scripts make requests by it.
    app.registry.registerUtility(of_one_class, IRequestFactory)
    invoke = app.invoke_subrequest

    def invoke_subrequest(request: Request, use_tweens: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Add the properties to a request of another class, which Pyramid would do."""
        if not isinstance(request, of_one_class):
            request.registry = app.registry
            apply_request_extensions(request)
        return invoke(request, use_tweens=use_tweens)

    app.invoke_subrequest = invoke_subrequest


def _with_properties(
    factory: type[Request],
    registry: Any,
    descriptors: dict[str, Any],
) -> type[Request]:
    """Return the class that Pyramid makes of ``factory`` and the properties."""
    request = factory.blank("/")
    request.registry = registry
    apply_request_extensions(request, _Properties(descriptors))
    return type(request)


class _Properties(_MethodsAlone):
    """Properties, and no methods: those belong to one request."""

    def __init__(self, descriptors: dict[str, Any]) -> None:
        super().__init__({})
        self.descriptors = descriptors
