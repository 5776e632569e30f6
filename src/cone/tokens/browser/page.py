"""A page: one content tile in the host's main template."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import cone.app
from cone.app.browser.actions import ActionContext
from cone.app.browser.utils import make_url
from cone.tile import render_template_to_response

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

#: Languages that there is a catalogue for; the first is what others get.
LANGUAGES: Final = ("en", "de")

_LOCALE: Final = "_LOCALE_"


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A message at the top of a page.

    :ivar kind: ``success``, ``info``, ``warning`` or ``danger``.
    :ivar detail: text that is not translated.
    """

    kind: str
    text: str
    detail: str | None = None

    @property
    def role(self) -> str:
        """How a screen reader announces it."""
        return "alert" if self.kind == "danger" else "status"


class PageContext(ActionContext):
    """Which tile is the content of the page: the one that the view says.

    cone.app lets the parameter ``ajax.action`` name another one.
    """

    @property
    def scope(self) -> str:
        """Name of the content tile."""
        return self.tilename


def render_page(model: Any, request: Request, tile: str) -> Response:
    """Return the page of ``model`` with ``tile`` as its content.

    The status is that of ``request.response``: a form that is shown again sets it.
    """
    PageContext(model, request, tile)
    template = cone.app.cfg.main_template
    response = render_template_to_response(template, request=request, model=model)
    response.headers["Cache-Control"] = "no-store"
    if response.status_int == 200:  # noqa: PLR2004 - no redirection
        response.status = request.response.status
    return response


def url(request: Request, node: Any, view: str | None = None, query: str = "") -> str:
    """Return the address of a view of ``node``."""
    return make_url(request, node=node, resource=view, query=query)


def language(request: Request) -> str:
    """Return the language of our texts in the answer."""
    name = request.localizer.locale_name.partition("_")[0]
    return name if name in LANGUAGES else LANGUAGES[0]


class Localized:
    """Mixed into tiles whose templates tell the language of their texts."""

    request: Request

    @property
    def lang(self) -> str:
        """Language of the texts."""
        return language(self.request)


def settle_language(request: Request) -> None:
    """Make sure that there is a language, whatever the request asks for."""
    try:
        request.localizer  # noqa: B018 - negotiated at the first access
    except ValueError:
        # Parameters that are not UTF-8, or a name that no file can have.
        request.locale_name = request.registry.settings["pyramid.default_locale_name"]
        # The host asks the negotiator again.
        setattr(request, _LOCALE, request.locale_name)
