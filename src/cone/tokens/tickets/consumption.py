"""What lies around a consumption that a request asks for, on a page or in the API."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from pyramid.httpexceptions import HTTPForbidden

from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Outcome
from cone.tokens.host import wiring
from cone.tokens.host.callers import caller_of
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.rendering import counted
from cone.tokens.tickets.door_params import asks_for_door
from cone.tokens.tickets.door_params import parse_manner
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import OVERRIDE
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.wiring import current_settings

if TYPE_CHECKING:
    from pyramid.request import Request

logger = logging.getLogger("cone.tokens.consumption")


def asked_manner(request: Request, given: Mapping[str, Any]) -> Manner:
    """Return how a request asks for a token to be used.

    :raises InvalidParameter: a parameter is wrong.
    :raises HTTPForbidden: the caller must not override rules.
    """
    if not asks_for_door(given):
        return PLAIN
    zone = wiring.get(TokensConfig).zone
    manner = parse_manner(given, current_settings().values, utc_now(), zone)
    if manner.override is not None:
        permitted = request.has_permission(OVERRIDE, request.context)
        if not permitted:
            raise HTTPForbidden(result=permitted)
    return manner


def undo(request: Request, uid: uuid.UUID, receipt: uuid.UUID) -> Undone:
    """Take a use back for a request, and log it; a repeat changes nothing.

    :raises TokenNotFound: there is no such token.
    :raises NotUndone: the caller may not.
    :raises InvalidParameter: it is the receipt of no granted use of this token.
    """
    undo_use = wiring.get(TicketService).undo
    return _undone(request, functools.partial(undo_use, uid, receipt))


def undo_found(request: Request, number: int, receipt: uuid.UUID) -> Undone:
    """Take back a use of a token that was found; else as :func:`undo`."""
    undo_use = wiring.get(TicketService).undo_found
    return _undone(request, functools.partial(undo_use, number, receipt))


def _undone(request: Request, undo_use: Callable[..., Undone]) -> Undone:
    by, may_edit = wiring.actor(request), bool(request.has_permission(EDIT, request.context))
    undone = undo_use(by=by, may_edit=may_edit)
    if not undone.is_repeat:
        logger.info("use undone: token %s, user %s", undone.token_uid, by)
    return undone


def reset_inside(request: Request) -> int:
    """Let no token be inside or outside any more, and log it; return how many were."""
    by = wiring.actor(request)
    count = wiring.get(TicketService).reset_presence(by=by)
    logger.info("inside reset: %s, user %s", counted(count, "token"), by)
    return count


def guarded(request: Request, consume: Callable[[], Outcome]) -> Outcome:
    """Return the outcome of ``consume``; it is counted, and a refusal is logged.

    What the path or the value means counts too where there is no such token: that is guessing.
    A grant that is only told again takes no use, and does not count.

    :raises Unfinished: the code may go on, and another one does; that counts too.
    :raises Repeated: another form of a code that it must not be; that counts too.
    :raises RateLimited: the caller was refused, or granted, too often; the database is not asked.
    """
    refused, granted = wiring.get(RateLimits).refused, wiring.get(RateLimits).granted
    caller = caller_of(request)
    refused.check(caller)
    granted.check(caller)
    try:
        outcome = consume()
    except (TokenNotFound, Unfinished, Repeated) as error:
        refused.note(caller)
        wiring.get(Metrics).count_consumption(error.slug)
        _log(request, error.slug, None)
        raise
    if isinstance(outcome, Denied):
        refused.note(caller)
        wiring.get(Metrics).count_consumption(outcome.denial.value)
        _log(request, outcome.denial.value, outcome.token_uid)
    else:
        _note_grant(caller, outcome)
    return outcome


def _note_grant(caller: str, granted: Granted) -> None:
    if not granted.is_repeat:
        wiring.get(RateLimits).granted.note(caller)
        wiring.get(Metrics).count_consumption("granted")


def _log(request: Request, reason: str, uid: object) -> None:
    """Log a refusal, without an unknown value: it may be a typing mistake in a real one."""
    user = wiring.actor(request)
    logger.info(
        "consumption refused: %s%s, user %s",
        reason,
        f", token {uid}" if uid else "",
        user,
        extra={"reason": reason, "token": uid and str(uid), "user": user},
    )
