"""What views declare of themselves, looked up before they run."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING
from typing import Any

from cone.tokens.host.form_data import Limits

if TYPE_CHECKING:
    from pyramid.interfaces import IViewDeriverInfo
    from pyramid.request import Request


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """The limits of a view's body for those who have a permission.

    It is what ``view_config(allowance=...)`` takes.
    """

    permission: str
    limits: Limits


def allow_option(view: Any, _info: IViewDeriverInfo) -> Any:
    """Have views declare an :class:`Allowance`; a view deriver that derives nothing."""
    return view


allow_option.options = ("allowance",)  # type: ignore[attr-defined]


def declared_views(request: Request, context: Any, name: str) -> list[Any]:
    """Return the declarations of the views called ``name`` that ``context`` has."""
    views = _by_name(request.registry.introspector).get(name, ())
    return [view for view in views if _is_kind(context, view["context"])]


@functools.cache
def _by_name(introspector: Any) -> dict[str, list[Any]]:
    views: dict[str, list[Any]] = {}
    for view in introspector.get_category("views"):
        views.setdefault(view["introspectable"]["name"], []).append(view["introspectable"])
    return views


def _is_kind(model: Any, kind: Any) -> bool:
    if kind is None:
        return True
    return isinstance(model, kind) if isinstance(kind, type) else bool(kind.providedBy(model))
