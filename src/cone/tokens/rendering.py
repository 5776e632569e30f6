"""Values to what JSON can say, for the JSON API and the command line alike.

The only place that encodes times and uids.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from cone.tokens.api import token_values
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Granted
from cone.tokens.core.types import Outcome
from cone.tokens.core.types import Token
from cone.tokens.core.types import TokenPage
from cone.tokens.core.types import Usage
from cone.tokens.core.types import UsagePage

Json = dict[str, Any]


def token_json(token: Token, zone: datetime.tzinfo) -> Json:
    """Return the fields of ``token``; times in ``zone`` (contract 2)."""
    return {name: _encoded(value, zone) for name, value in token_values(token).items()}


def tokens_json(page: TokenPage, count: int | None, zone: datetime.tzinfo) -> Json:
    """Return a page of a list of tokens, and how many there are in all."""
    tokens = page.tokens
    return {
        "success": True,
        "tokens": [token_json(token, zone) for token in tokens],
        "next": str(tokens[-1].uid) if tokens and page.has_next else None,
        "previous": str(tokens[0].uid) if tokens and page.has_previous else None,
        "count": count,
    }


def outcome_json(outcome: Outcome) -> Json:
    """Return the answer about a consumption (contract 3)."""
    if isinstance(outcome, Granted):
        return _granted_json(outcome)
    return _denied_json(outcome)


def usages_json(page: UsagePage, zone: datetime.tzinfo) -> Json:
    """Return a page of the usage log."""
    return {
        "success": True,
        "usages": [_usage_json(usage, zone) for usage in page.usages],
        "next": None if page.next is None else str(page.next),
    }


def failure_json(slug: str, message: str, code: int | None = None) -> Json:
    """Return the answer about something that went wrong."""
    return {"success": False, "message": message, "error": slug, "error_code": code}


def _granted_json(granted: Granted) -> Json:
    return {
        "success": True,
        "consumed": True,
        "usage_count": granted.usage_count,
        "receipt": str(granted.receipt),
    }


def _denied_json(denied: Denied) -> Json:
    denial = denied.denial
    message = denial.message(denied.token_uid)
    return {**failure_json(denial.value, message, denial.code), "consumed": False}


def _usage_json(usage: Usage, zone: datetime.tzinfo) -> Json:
    return {
        "receipt": str(usage.receipt),
        "time": _encoded(usage.time, zone),
        "error": usage.denial.value if usage.denial else None,
        "user": usage.user,
        "usage_count": usage.usage_count,
    }


def _encoded(value: object, zone: datetime.tzinfo) -> object:
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
