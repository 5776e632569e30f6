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

from cone.app.browser import login
from yafowil.base import ExtractionError

from cone.tokens import wiring
from cone.tokens.i18n import _
from cone.tokens.identity import claimed_userid
from cone.tokens.logs import printable
from cone.tokens.ratelimit import RateLimited
from cone.tokens.ratelimit import address_of

if TYPE_CHECKING:
    from pyramid.events import ContextFound
    from pyramid.request import Request
    from pyramid.response import Response

logger = logging.getLogger(__name__)

#: What cone.app's function returns: headers of the answer, or None.
Authenticate = Callable[[Any, Any, Any], Any]

_TOO_MANY = _(
    "sign_in_rate_limited",
    default="Too many tries to sign in. Wait ${minutes} min and try again.",
)


def guard_sign_in() -> None:
    """Wrap the function that cone.app's form calls; once, however many sites are started."""
    if not hasattr(login.authenticate, "__wrapped__"):
        login.authenticate = _guarded(login.authenticate)


def note_sign_out(event: ContextFound) -> None:
    """Tell the log who signs out."""
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
        running = wiring.plugin()
        limits, metrics = running.limits, running.metrics
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


def _account(name: object) -> str:
    """Return ``name`` as the most tolerant of user directories compares it."""
    return " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())


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
