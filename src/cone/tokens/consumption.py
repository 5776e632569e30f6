"""What lies around a consumption that a request asks for, on a page or in the API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cone.tokens import wiring
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Outcome
from cone.tokens.ratelimit import caller_of

if TYPE_CHECKING:
    from pyramid.request import Request

logger = logging.getLogger(__name__)


def guarded(request: Request, consume: Callable[[], Outcome]) -> Outcome:
    """Return the outcome of ``consume``; refusals are counted and logged.

    What the path or the value means counts too where there is no such token: that is guessing.

    :raises RateLimited: the caller was refused too often; the database is not asked.
    """
    running = wiring.plugin()
    refused = running.limits.refused
    caller = caller_of(request)
    refused.check(caller)
    try:
        outcome = consume()
    except TokenNotFound:
        refused.note(caller)
        running.metrics.count_consumption(TokenNotFound.slug)
        _log(request, TokenNotFound.slug, None)
        raise
    if isinstance(outcome, Denied):
        refused.note(caller)
        running.metrics.count_consumption(outcome.denial.value)
        _log(request, outcome.denial.value, outcome.token_uid)
    else:
        running.metrics.count_consumption("granted")
    return outcome


def _log(request: Request, reason: str, uid: object) -> None:
    """Tell of a refusal; of a value that is unknown nothing, it may be a token's all but one."""
    user = wiring.actor(request)
    logger.info(
        "consumption refused: %s, token %s, user %s",
        reason,
        uid,
        user,
        extra={"reason": reason, "token": uid and str(uid), "user": user},
    )
