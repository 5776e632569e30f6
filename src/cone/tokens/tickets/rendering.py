"""Tickets as JSON, for the JSON API and the command line alike."""

from __future__ import annotations

import datetime

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner
from cone.tokens.core.store.usages import told_manner
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import TokenPage
from cone.tokens.core.values import Usage
from cone.tokens.core.values import UsagePage
from cone.tokens.host.rendering import Json
from cone.tokens.host.rendering import encoded
from cone.tokens.host.rendering import failure_json
from cone.tokens.tickets.door import is_inside
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.values import Ticket


def token_json(token: Ticket, zone: datetime.tzinfo) -> Json:
    """Return the fields of ``token``; times in ``zone`` (contract 2)."""
    return {name: encoded(value, zone) for name, value in fields_of(token).items()}


def inside_json(token: Ticket) -> Json:
    """Return that ``token`` is inside, where it is: for those who only check."""
    return {"inside": True} if is_inside(token, token.read_at) else {}


def tokens_json(page: TokenPage[Ticket], count: int | None, zone: datetime.tzinfo) -> Json:
    """Return a page of a list of tokens, and how many there are in all."""
    tokens = page.tokens
    return {
        "success": True,
        "tokens": [token_json(token, zone) for token in tokens],
        "next": str(tokens[-1].uid) if tokens and page.has_next else None,
        "previous": str(tokens[0].uid) if tokens and page.has_previous else None,
        "count": count,
    }


def outcome_json(
    outcome: Outcome, zone: datetime.tzinfo, manner: Manner = PLAIN, *, tells_uid: bool = True
) -> Json:
    """Return the answer about a consumption (contract 3); times in ``zone``.

    :param manner: that was asked for; the answer to another one than the plain tells more.
    :param tells_uid: whether the text of a refusal names the token.
    """
    if isinstance(outcome, Granted):
        told = _granted_json(outcome, zone)
    else:
        message = outcome.denial.message(outcome.token_uid if tells_uid else None)
        told = _denied_json(outcome, zone, message)
    if manner is not PLAIN:
        told |= _of_manner(outcome)
    told.update((name, text) for name, text in outcome.details.items() if text is not None)
    return told


def outcome_of_code_json(
    outcome: Outcome, sent: str, zone: datetime.tzinfo, manner: Manner = PLAIN
) -> Json:
    """Return the answer about a consumption by the code that was ``sent``."""
    named = {"token_uid": str(outcome.token_uid), "read_as": read_as(outcome.value, sent)}
    return {**outcome_json(outcome, zone, manner), **named}


def _of_manner(outcome: Outcome) -> Json:
    """Return what is told of a use that was asked for at a door."""
    if isinstance(outcome, Granted):
        return {"uses": outcome.uses}
    is_about_uses = outcome.denial is Denial.NOT_ENOUGH_USES
    return {"usage_count": outcome.usage_count} if is_about_uses else {}


def undone_json(undone: Undone) -> Json:
    """Return the answer about a use that was taken back."""
    return {"success": True, "uses": undone.uses, "usage_count": undone.usage_count}


def not_consumed_json(error: Unfinished | Repeated) -> Json:
    """Return the answer about a code of which no use was tried to take."""
    named: Json = {}
    if isinstance(error, Repeated):
        named = {"token_uid": str(error.uid)}
        if error.number is not None:
            named["found"] = error.number
    return {**failure_json(error.slug, str(error), error.code), "consumed": False, **named}


def read_as(code: str | None, sent: str) -> str | None:
    """Return the code that one that was ``sent`` was read as; None: it is that one."""
    return None if code == sent else code


def usages_json(page: UsagePage, zone: datetime.tzinfo) -> Json:
    """Return a page of the usage log."""
    return {
        "success": True,
        "usages": [_usage_json(usage, zone) for usage in page.usages],
        "next": None if page.next is None else str(page.next),
    }


def _granted_json(granted: Granted, zone: datetime.tzinfo) -> Json:
    told: Json = {
        "success": True,
        "consumed": True,
        "usage_count": granted.usage_count,
        "receipt": str(granted.receipt),
    }
    before = granted.before
    if before:
        used = {"time": encoded(before.time, zone), "user": before.user}
        told["used_before"] = used if before.time else None
    return told


def _denied_json(denied: Denied, zone: datetime.tzinfo, message: str) -> Json:
    denial = denied.denial
    told = {**failure_json(denial.value, message, denial.code), "consumed": False}
    if denied.last:
        told["last_used"] = encoded(denied.last.time, zone)
        told["last_user"] = denied.last.user
    return told


def _usage_json(usage: Usage, zone: datetime.tzinfo) -> Json:
    return {
        "receipt": str(usage.receipt),
        "time": encoded(usage.time, zone),
        "error": usage.denial.value if usage.denial else None,
        "user": usage.user,
        "usage_count": usage.usage_count,
        "uses": usage.manner.uses,
        **told_manner(usage.manner),
        "undone_at": encoded(usage.undone_at, zone),
        "undone_by": usage.undone_by,
    }
