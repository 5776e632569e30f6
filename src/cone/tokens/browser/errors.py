"""Failures as pages: a tile in the host's template, or a page that needs nothing of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.app.browser.login import LoginForm
from cone.app.interfaces import IApplicationNode
from cone.tile import Tile
from cone.tile import tile
from pyramid.renderers import render
from pyramid.response import Response

from cone.tokens.browser import styles_url
from cone.tokens.browser.page import Localized
from cone.tokens.browser.page import language
from cone.tokens.browser.page import render_page
from cone.tokens.browser.page import settle_language
from cone.tokens.browser.page import url
from cone.tokens.browser.texts import FailureText
from cone.tokens.browser.texts import failure_text
from cone.tokens.failures import Failure
from cone.tokens.failures import failure_of
from cone.tokens.model import TokenContainer
from cone.tokens.request_data import forget_body
from cone.tokens.security import VIEW

if TYPE_CHECKING:
    from pyramid.request import Request

_UNAUTHENTICATED: Final = 401
_SERVER_ERRORS: Final = 500
_KEY: Final = "cone.tokens.failure"


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
    """Tells what went wrong. There is no such tile where nothing did."""

    failure: FailureText

    def prepare(self) -> None:
        """Take what the page is to tell."""
        self.failure = self.request.environ.get(_KEY)

    @property
    def show(self) -> bool:
        """Whether something went wrong."""
        return self.failure is not None

    @property
    def tokens_url(self) -> str | None:
        """Address of the tokens, for those who may go there."""
        node = self.model
        while node is not None and not isinstance(node, TokenContainer):
            node = node.parent
        if node is None or not self.request.has_permission(VIEW, node):
            return None
        return url(self.request, node)


@tile(name="tokens_failure", path="templates/failure.pt", permission=None)
class FailureTile(_FailureTile):
    """Tells what went wrong."""


@tile(name="tokens_sign_in", path="templates/sign_in.pt", permission=None)
class SignInTile(_FailureTile):
    """Asks to sign in, with the host's form."""

    @property
    def form(self) -> str:
        """The empty form. It is sent to the host's view: nobody is signed in here."""
        form = LoginForm()
        form.model, form.request = self.model, self.request
        form.prepare()
        return form.form(request=self.request)


def _page_in_shell(failure: Failure, request: Request) -> Response:
    request.environ[_KEY] = failure_text(failure)
    name = "tokens_sign_in" if failure.status == _UNAUTHENTICATED else "tokens_failure"
    request.response.status = failure.status
    response = render_page(request.context, request, name)
    response.headers.update(failure.headers)
    return response


def _standalone_page(failure: Failure, request: Request) -> Response:
    values: dict[str, Any] = {
        "failure": failure_text(failure),
        "lang": language(request),
        "styles_url": styles_url(request),
        "home_url": request.application_url,
    }
    body = render("cone.tokens.browser:templates/standalone.pt", values, request=request)
    response = Response(body, status=failure.status)
    response.headers.update({"Cache-Control": "no-store", **failure.headers})
    return response


def _has_shell(request: Request) -> bool:
    """Return whether the host's template can be rendered: it shows a node, and reads parameters."""
    try:
        request.params.get("")
    except ValueError:
        return False
    return IApplicationNode.providedBy(getattr(request, "context", None))
