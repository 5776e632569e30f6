"""One valid record of each kind; a test overrides what it is about."""

import datetime
import uuid
from typing import Any

from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Token

NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


def make_token(**overrides: Any) -> Token:
    """Return a consumable token."""
    uid = overrides.get("uid", uuid.uuid4())
    fields: dict[str, Any] = {
        "uid": uid,
        "value": str(uid),
        "valid_from": None,
        "valid_to": None,
        "usage_count": 1,
        "lock_time_s": 0,
        "enabled": True,
        "last_used": None,
        "locked_until": None,
        "creator": "someone",
        "created": NOON,
        "modified": NOON,
        "version": 1,
        "read_at": NOON,
    }
    return Token(**{**fields, **overrides})


def new_token(**overrides: Any) -> NewToken:
    """Return a token to add that may be consumed once."""
    return NewToken(**{"usage_count": 1, **overrides})
