"""Failures as pages: a tile in the host's template, or a page that needs nothing of the host."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.app.interfaces import IApplicationNode
from cone.tile import Tile
from cone.tile import tile
from pyramid.renderers import render
from pyramid.response import Response

from cone.tokens.host import headers
from cone.tokens.host.addresses import own_address
from cone.tokens.host.failures import Failure
from cone.tokens.host.failures import failure_of
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.host.request_data import forget_body
from cone.tokens.host.security import VIEW
from cone.tokens.host.site_request import READING
from cone.tokens.i18n import _
from cone.tokens.web.frame import Link
from cone.tokens.web.navigation import OnlyPage
from cone.tokens.web.navigation import place_of
from cone.tokens.web.page import Localized
from cone.tokens.web.page import language
from cone.tokens.web.page import render_page
from cone.tokens.web.page import settle_language
from cone.tokens.web.page import url
from cone.tokens.web.resources import styles_url
from cone.tokens.web.sign_in import SignInForm
from cone.tokens.web.texts import FailureText
from cone.tokens.web.texts import failure_text

if TYPE_CHECKING:
    from pyramid.request import Request

_UNAUTHENTICATED: Final = 401
_SERVER_ERRORS: Final = 500
_KEY: Final = "cone.tokens.failure"

_TRY_AGAIN: Final = _("try_again", default="Try again")
_BACK: Final = _("back_to_page_before", default="Back to the page before")


def failure_page(failure: Failure, request: Request) -> Response:
    """Return the page that tells ``failure``, with its status and headers."""
    forget_body(request)
    settle_language(request)
    if failure.status >= _SERVER_ERRORS or not _has_shell(request):
        return _standalone_page(failure, request)
    try:
        return _page_in_shell(failure, request)
    except Exception as error:  # noqa: BLE001 - nothing is left to tell about a failure here
        return _standalone_page(failure_of(error, request), request)


class _FailureTile(Localized, Tile):
    """Shows a failure; empty without one."""

    failure: FailureText

    def prepare(self) -> None:
        """Read the failure that the page shows."""
        self.failure = self.request.environ.get(_KEY)

    @property
    def show(self) -> bool:
        """Whether something went wrong."""
        return self.failure is not None

    @property
    def way_on(self) -> Link | None:
        """Where to go on: to the part that the page is of, or to its only page for somebody."""
        place = place_of(self.model)
        if place is None or not self.request.has_permission(VIEW, place[1]):
            return None
        section, entry = place
        only = _only_page(self.request)
        if only:
            return Link(only.word, url(self.request, entry, only.view), None)
        return Link(section.way_back, url(self.request, entry), None)


@tile(name="tokens_failure", path="templates/failure.pt", permission=None)
class FailureTile(_FailureTile):
    """Shows a failure."""


@tile(name="tokens_sign_in", permission=None)
class SignInTile(_FailureTile):
    """Asks to sign in. The form is sent to the host's view: nobody is signed in here."""

    def render(self) -> str:
        """Return the empty form."""
        return SignInForm().empty(self.model, self.request, self.failure.text)


def _page_in_shell(failure: Failure, request: Request) -> Response:
    request.environ[_KEY] = _failure_text(failure, request)
    name = "tokens_sign_in" if failure.status == _UNAUTHENTICATED else "tokens_failure"
    request.response.status = failure.status
    response = render_page(request.context, request, name)
    response.headers.update(failure.headers)
    return response


def _failure_text(failure: Failure, request: Request) -> FailureText:
    told = failure_text(failure)
    only = _only_page(request) if failure.permission else None
    return dataclasses.replace(told, text=only.text) if only else told


def _only_page(request: Request) -> OnlyPage | None:
    place = place_of(request.context)
    if place is None:
        return None
    section, entry = place
    is_all = section.only_page.is_all(lambda name: request.has_permission(name, entry))
    return section.only_page if is_all else None


def _standalone_page(failure: Failure, request: Request) -> Response:
    values: dict[str, Any] = {
        "failure": failure_text(failure),
        "lang": language(request),
        "styles_url": styles_url(request),
        "home_url": request.application_url,
        "again": _again(failure, request),
    }
    body = render("cone.tokens.web:templates/standalone.pt", values, request=request)
    headers.stand_alone(request)
    response = Response(body, status=failure.status)
    response.headers.update({"Cache-Control": "no-store", **failure.headers})
    return response


def _again(failure: Failure, request: Request) -> Link | None:
    """Return the way to try again: what was sent is not sent again unseen."""
    if failure.status < _SERVER_ERRORS:
        return None
    if request.method in READING:
        return Link(_TRY_AGAIN, "", None)
    page_before = own_address(request.headers.get("Referer"), request)
    return Link(_BACK, page_before, None) if page_before else None


def _has_shell(request: Request) -> bool:
    """Return whether the host's template can be rendered: it shows a node, and reads parameters."""
    try:
        request.params.get("")
    except UnreadableRequest:
        return False
    return IApplicationNode.providedBy(getattr(request, "context", None))
