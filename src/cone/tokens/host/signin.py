"""Signing in: how often it may be tried, and what the log tells of it.

cone.app has one function that checks names and passwords, and its form calls it wherever that form
is shown; there is no event. So that function is wrapped.
"""

from __future__ import annotations

import functools
import logging
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.app.browser import login
from yafowil.base import ExtractionError

from cone.tokens.host import wiring
from cone.tokens.host.callers import address_of
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.host.identity import claimed_userid
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.ratelimit import RateLimited
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.security import comes_from_elsewhere
from cone.tokens.i18n import _
from cone.tokens.logs import printable

if TYPE_CHECKING:
    from pyramid.events import ContextFound
    from pyramid.request import Request
    from pyramid.response import Response

logger = logging.getLogger("cone.tokens.signin")

#: What cone.app's function returns: headers of the answer, or None.
Authenticate = Callable[[Any, Any, Any], Any]

#: What the names of the form's fields begin with.
_FIELDS: Final = ("loginform.", "action.loginform.")

_NOT_OF_FORM: Final = _(
    "sign_in_not_of_form",
    default="Sign in with the form of this site itself.",
)
_TOO_MANY = _(
    "sign_in_rate_limited",
    default="Too many tries to sign in. Wait ${minutes} min and try again.",
)


def guard_sign_in() -> None:
    """Wrap the function that cone.app's form calls; once, however many sites are started."""
    if not hasattr(login.authenticate, "__wrapped__"):
        login.authenticate = _guarded(login.authenticate)


def note_sign_out(event: ContextFound) -> None:
    """Log who signs out."""
    request = event.request
    if request.view_name != "logout":
        return
    user = claimed_userid(request)
    if user is not None:
        address = request.environ.get("REMOTE_ADDR")
        facts = {"user": user, "address": address}
        logger.info("sign-out: %s from %s", printable(user), address, extra=facts)


def _guarded(authenticate: Authenticate) -> Authenticate:
    @functools.wraps(authenticate)
    def check(request: Any, name: Any, password: Any) -> Any:
        if not name:
            # The form asks where it is only shown, too: that is no try.
            return None
        if not _is_of_form(request):
            # Before it counts: others must not lock a name out.
            request.add_response_callback(_forbid)
            raise ExtractionError(_NOT_OF_FORM)
        limits, metrics = wiring.get(RateLimits), wiring.get(Metrics)
        address, account = f"address {address_of(request)}", f"name {_account(name)}"
        visitor = f"{account} from {address}"
        if limits.signed_in.has(visitor):
            # Who tries the name from elsewhere does not lock out whose it is.
            account = visitor
        try:
            # Before the password is checked: tries at once would pass otherwise.
            limits.sign_in_address.count(address)
            limits.sign_in_name.count(account)
        except RateLimited as limited:
            metrics.count_limited(limited.limit)
            metrics.count_sign_in("limited")
            _log(request, name, "refused: too many tries")
            request.add_response_callback(functools.partial(_refuse, limited))
            minutes = -(-limited.wait_s // 60)
            raise ExtractionError(_TOO_MANY % {"minutes": minutes}) from None
        headers = authenticate(request, name, password)
        if headers:
            # Many phones may sign in under one name, and from one address.
            limits.sign_in_name.forget(account)
            limits.sign_in_address.take_back(address)
            limits.signed_in.note(visitor)
        metrics.count_sign_in("good" if headers else "bad")
        _log(request, name, "good" if headers else "refused: wrong name or password")
        return headers

    return check


def is_field(name: str) -> bool:
    """Return whether ``name`` is that of a field of cone.app's form."""
    return name.startswith(_FIELDS)


class PasswordInAddress(UnreadableRequest):
    """A field of the form stands in the address, where logs and histories keep it."""

    def __init__(self) -> None:
        message = "address: must not have a name or a password in it"
        super().__init__("address", "password_in_address", message)


def _is_of_form(request: Request) -> bool:
    """Return whether a try was sent with the form itself.

    The form is shown, and takes what is sent, at any page that asks for a user.
    """
    is_in_address = any(is_field(name) for name in request.GET)
    return request.method == "POST" and not is_in_address and not comes_from_elsewhere(request)


def _account(name: object) -> str:
    """Return ``name`` as the most tolerant of user directories compares it."""
    return " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())


def _forbid(_request: Request, response: Response) -> None:
    """Give the page with the form its status."""
    response.status = 403
    response.headers["Cache-Control"] = "no-store"


def _refuse(limited: RateLimited, _request: Request, response: Response) -> None:
    """Give the page with the form its status: it is the host's, with the name still in it."""
    response.status = limited.status
    response.headers["Retry-After"] = str(limited.wait_s)
    response.headers["Cache-Control"] = "no-store"


def _log(request: Request, name: object, what: str) -> None:
    level = logging.INFO if what == "good" else logging.WARNING
    user, address = printable(name), request.environ.get("REMOTE_ADDR")
    logger.log(
        level,
        "sign-in %s: %s from %s",
        what,
        user,
        address,
        extra={"user": user, "address": address},
    )
