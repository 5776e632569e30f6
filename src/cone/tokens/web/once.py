"""What a form does once, however often it is sent: each rendering of it has a key."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.host import wiring

if TYPE_CHECKING:
    from pyramid.request import Request

KEY: Final = Parameter("key", {"type": "string", "format": "uuid"}, "")


def new_key() -> str:
    """Return the key of one rendering."""
    return str(uuid.uuid4())


def key_of(
    request: Request,
    raw: object,
    operation: str,
    parameters: Mapping[str, Any],
) -> IdempotencyKey:
    """Return the key that a form brings along.

    :param raw: what its field has.
    :param parameters: what is asked for: the key is bound to that.
    :raises InvalidParameter: it is no key of ours.
    """
    uid = find_uid(raw) if isinstance(raw, str) else None
    if uid is None:
        raise InvalidParameter(KEY.name, "missing", f"Missing ``{KEY.name}`` parameter")
    return IdempotencyKey(
        key=f"page-{uid}",
        caller=wiring.actor(request) or "",
        operation=Operation(operation),
        parameters=parameters,
    )
