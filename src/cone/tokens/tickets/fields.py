"""The fields of a token by the names that every face gives them (contract 2)."""

from __future__ import annotations

import json
from typing import Any

from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.values import Ticket


def fields_of(token: Ticket) -> dict[str, Any]:
    """Return the fields of ``token`` by name, its status included. Times are aware and in UTC."""
    return {
        "uid": token.uid,
        "value": token.value,
        "valid_from": token.valid_from,
        "valid_to": token.valid_to,
        "usage_count": token.usage_count,
        "lock_time": token.lock_time,
        "enabled": token.enabled,
        "last_used": token.last_used,
        "last_user": token.last_user,
        "locked_until": token.locked_until,
        "creator": token.creator,
        "created": token.created,
        "modified": token.modified,
        "label": token.label,
        "email": token.email,
        "category": token.category,
        "note": token.note,
        "data": None if token.data is None else json.loads(token.data),
        "uses_given": token.uses_given,
        "status": TICKET.rules.status(token, token.read_at).value,
    }
