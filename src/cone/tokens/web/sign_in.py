"""The form to sign in, and where one goes from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import urlencode

from cone.app.browser.login import LoginForm
from cone.tile import render_template
from cone.tile import tile
from webob.exc import HTTPFound
from yafowil.controller import Controller

from cone.tokens.host.addresses import own_address
from cone.tokens.host.addresses import path_and_query
from cone.tokens.host.identity import remembered_may
from cone.tokens.host.request_data import SIGN_IN
from cone.tokens.host.site_request import READING
from cone.tokens.i18n import _
from cone.tokens.web.guard import AJAX
from cone.tokens.web.host import CAME_FROM
from cone.tokens.web.host import own_page
from cone.tokens.web.navigation import sections
from cone.tokens.web.page import Localized
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from translationstring import TranslationString


#: What cone.app says of a name or a password that is wrong, as a msgid.
_WRONG: Final = "invalid_credentials"
#: Its msgids, and what we say.
_MISTAKES: Final = {
    "no_username_given": _("sign_in_no_name", default="Enter a user name."),
    "no_password_given": _("sign_in_no_password", default="Enter a password."),
    _WRONG: _("sign_in_wrong", default="User name or password is wrong."),
}

_HEADING: Final = _("sign_in_to", default="Sign in to ${site}")


@tile(name="loginform", permission="login")
class SignInForm(Localized, LoginForm):
    """cone.app's form in markup of ours, wherever it is shown.

    It keeps where one wanted to go. A password does not come back with the answer.
    """

    #: Why one has to sign in.
    reason: object = None
    #: The name that was sent.
    username: str = ""
    mistakes: Sequence[str] = ()

    def __call__(self, model: Any, request: Request) -> str:
        """Return the form, with what was wrong; empty where the user is signed in now."""
        self.model, self.request = model, request
        self.prepare()
        controller = Controller(self.form, request)
        if controller.next:
            self.redirect(controller.next)
            return ""
        if controller.performed:
            name, password = (controller.data[field] for field in ("user", "password"))
            self.username = name.extracted if isinstance(name.extracted, str) else ""
            self.mistakes = [
                request.localizer.translate(_MISTAKES.get(error.msg, error.msg))
                for error in (*name.errors, *password.errors)
                if error.msg != _WRONG or not name.errors
            ]
        return self._rendered()

    def empty(self, model: Any, request: Request, reason: object) -> str:
        """Return the form without what the request brings along."""
        self.model, self.request, self.reason = model, request, reason
        return self._rendered()

    @property
    def heading(self) -> TranslationString:
        """What it is that one signs in to."""
        return _HEADING % {"site": self.model.root.metadata.title}

    @property
    def action(self) -> str:
        """Address to send the form to, with the one to go to then."""
        wanted = _wanted(self.request)
        query = f"?{urlencode({CAME_FROM: wanted})}" if wanted else ""
        return url(self.request, self.model, SIGN_IN, query)

    def _rendered(self) -> str:
        path = "cone.tokens.web:templates/sign_in.pt"
        return str(render_template(path, request=self.request, model=self.model, context=self))

    def next(self, _request: Any) -> HTTPFound:
        """Go where one wanted to go, else where the user starts."""
        request = self.request
        wanted = request.GET.get(CAME_FROM)
        location = own_page(wanted, request) or _start_url(request)
        return HTTPFound(location=location, headers=self.headers)


def _wanted(request: Request) -> str | None:
    """Return path and query to come back to; None: the request asks for nothing of that kind."""
    if request.view_name == SIGN_IN:
        address = own_address(request.GET.get(CAME_FROM), request)
    elif request.method in READING and request.view_name != AJAX:
        address = own_address(path_and_query(request), request)
    else:
        # A form was sent after the session ended, or a script asks for a part of the page.
        address = own_address(request.headers.get("Referer"), request)
    return address and address.removeprefix(request.host_url)


def _start_url(request: Request) -> str:
    """Return where a user starts: those who may see one page of a part alone, there."""
    for section in sections():
        entry, only = request.root[section.entry], section.only_page
        # Called before the next round begins.
        if only.is_all(lambda name: remembered_may(request, name, entry)):  # noqa: B023
            return url(request, entry, only.view)
    return str(request.application_url)
