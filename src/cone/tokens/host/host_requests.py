"""What requests may be for the pages of the site that are not ours (decision 0012)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from typing import Final

from cone.app.model import AppRoot
from cone.app.model import AppSettings
from cone.app.model import SettingsNode

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.form_data import Limits
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.host.request_data import SIGN_IN
from cone.tokens.host.request_data import SIGN_IN_FORM
from cone.tokens.host.request_data import forget_body_of_nobody

if TYPE_CHECKING:
    from pyramid.request import Request

#: A name or an address, with or without a port (RFC 9110, 7.2); it is part of links and cookies.
_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

#: What stands for a host that is none, so that nothing of it gets into an answer.
_NO_HOST: Final = "localhost"

#: Views of the start page; others below the root may be pages of the site for everybody.
_START: Final = ("", "ajaxaction")


def check_host(request: Request) -> None:
    """Refuse a ``Host`` that names no host, and forget it.

    :raises UnreadableRequest: it names none.
    """
    host = request.environ.get("HTTP_HOST")
    if host is not None and not _HOST.fullmatch(host):
        request.environ["HTTP_HOST"] = _NO_HOST
        raise UnreadableRequest("Host", "invalid_host", "Host: is no host name")


def forget_virtual_root(request: Request) -> None:
    """Take away the header by which a client would choose the node that paths begin at.

    Pyramid obeys it wherever it comes from. A rule of a proxy for a path would mean another node.
    """
    request.environ.pop("HTTP_X_VHM_ROOT", None)


def check_host_request(request: Request) -> None:
    """Check a request for a page of the host before its view runs.

    The fields are read here: views and tiles of the host answer what they meet with a page of
    a bug.

    :raises BodyTooLarge: the body is larger than the settings allow.
    :raises UnreadableRequest: query or form cannot be read.
    """
    is_sign_in = request.view_name == SIGN_IN
    most = wiring.get(TokensConfig).host_body
    request.limits = SIGN_IN_FORM if is_sign_in else Limits(size=most)
    request.refuse_large_body()
    if _is_for_users(request):
        forget_body_of_nobody(request)
    if request.content_length is None:
        # Also for views that read the body themselves.
        request.make_body_seekable()
    request.GET  # noqa: B018 - kept, for all that ask for it later
    request.POST  # noqa: B018 - as above


def _is_for_users(request: Request) -> bool:
    """Return whether nobody has anything to send there without being signed in."""
    context = request.context
    if isinstance(context, AppRoot):
        return request.view_name in _START
    return isinstance(context, AppSettings | SettingsNode)
