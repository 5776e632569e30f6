"""One valid record of each kind; a test overrides what it is about."""

import datetime
import uuid
from typing import Any

from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Ticket

NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


def make_token(**overrides: Any) -> Ticket:
    """Return a consumable token."""
    uid = overrides.get("uid", uuid.uuid4())
    fields: dict[str, Any] = {
        "uid": uid,
        "value": str(uid),
        "valid_from": None,
        "valid_to": None,
        "usage_count": 1,
        "lock_time": 0,
        "enabled": True,
        "last_used": None,
        "locked_until": None,
        "creator": "someone",
        "created": NOON,
        "modified": NOON,
        "version": 1,
        "read_at": NOON,
    }
    return Ticket(**{**fields, **overrides})


def new_token(**overrides: Any) -> NewTicket:
    """Return a token to add that may be consumed once."""
    return NewTicket(**{"usage_count": 1, **overrides})
