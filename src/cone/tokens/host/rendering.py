"""Values to what JSON and messages can say, for all faces alike.

The only place that encodes times and uids.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

Json = dict[str, Any]


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number and what is counted; ``many`` is ``one`` with an s unless it is given."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def failure_json(slug: str, message: str, code: int | None = None) -> Json:
    """Return the answer about something that went wrong."""
    return {"success": False, "message": message, "error": slug, "error_code": code}


def encoded(value: object, zone: datetime.tzinfo) -> object:
    """Return ``value`` as JSON has it; a time in ``zone``."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(zone).isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
