"""The JSON schemas of tickets in the answers of the API, and what its document tells of them."""

from __future__ import annotations

from typing import Any
from typing import Final

from cone.tokens.core.manner import Direction
from cone.tokens.core.values import Status
from cone.tokens.tickets.door import DENIALS
from cone.tokens.tickets.found import FOUND
from cone.tokens.tickets.found import HIT_FIELDS
from cone.tokens.tickets.found import MOST_HITS
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.web import openapi
from cone.tokens.web.openapi import FAILURE_MEMBERS
from cone.tokens.web.openapi import UID
from cone.tokens.web.openapi import Described
from cone.tokens.web.openapi import Schema
from cone.tokens.web.openapi import object_schema

UID_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "uuid"}
UIDS: Final[Schema] = {"type": "array", "items": UID}
TOKEN_OR_NULL: Final[Schema] = {"anyOf": [{"$ref": "#/components/schemas/Token"}, {"type": "null"}]}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Final[Schema] = {
    "type": ["integer", "null"],
    "minimum": 0,
    "description": "How many match; null: more than 10,000, which are not always counted.",
}
TOKENS: Final[Schema] = {"type": "array", "items": {"$ref": "#/components/schemas/Token"}}
USAGES: Final[Schema] = {"type": "array", "items": {"$ref": "#/components/schemas/Usage"}}
READ_AS: Final[Schema] = {
    "type": ["string", "null"],
    "description": "The code of the token, where it is not exactly what was sent.",
}
UNFINISHED: Final[Schema] = {
    "const": True,
    "description": "Another code begins with the one that was sent, and a pause ended that.",
}
REPLACED: Final[Schema] = {
    "const": True,
    "description": "The value was replaced: the token that had it has another one now.",
}
INSIDE: Final[Schema] = {
    "const": True,
    "description": "The token came in at a checkpoint with directions, and did not go out.",
}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_USED_BEFORE: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {"time": _TIME, "user": _TEXT_OR_NULL},
    "required": ["time", "user"],
    "description": "The use before this one; null: there was none. Missing in some "
    "answers that are repeated, where it is not known any more.",
}

#: What is told of the token besides; missing where it has none.
_TOLD: Final[dict[str, Schema]] = {
    "label": {"type": "string", "description": "Who or what the token is for."},
    "category": {"type": "string"},
}

#: Members of a granted consumption; a refused one has those of a failure and ``consumed`` false.
CONSUMED: Final[dict[str, Schema]] = {
    "consumed": {"const": True},
    "usage_count": {"type": "integer", "description": "Uses left; -1 is unlimited."},
    "receipt": UID,
    "used_before": _USED_BEFORE,
    "uses": {
        "type": "integer",
        "minimum": 0,
        "description": "Uses that were taken, where a parameter of a door was given; 0 by an exit "
        "and by the entry after one.",
    },
    **_TOLD,
}
UNDONE: Final[dict[str, Schema]] = {
    "uses": {"type": "integer", "minimum": 0, "description": "Uses that came back."},
    "usage_count": {"type": "integer", "description": "Uses left; -1 is unlimited."},
}
_TOKEN_MEMBERS: Final[dict[str, Schema]] = {
    "uid": UID,
    "value": {"type": "string"},
    "valid_from": _TIME_OR_NULL,
    "valid_to": _TIME_OR_NULL,
    "usage_count": {"type": "integer", "minimum": -1},
    "lock_time": {"type": "integer", "minimum": 0},
    "enabled": {"type": "boolean"},
    "last_used": _TIME_OR_NULL,
    "last_user": {**_TEXT_OR_NULL, "description": "Who took that use; null: not known."},
    "locked_until": _TIME_OR_NULL,
    "creator": _TEXT_OR_NULL,
    "created": _TIME,
    "modified": _TIME,
    "label": _TEXT_OR_NULL,
    "email": _TEXT_OR_NULL,
    "category": _TEXT_OR_NULL,
    "note": _TEXT_OR_NULL,
    "data": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    "uses_given": {
        "type": ["integer", "null"],
        "minimum": -1,
        "description": "The uses that it was issued with, or that were set last; null: not known.",
    },
    "status": {"enum": [status.value for status in Status]},
}
_USAGE_MEMBERS: Final[dict[str, Schema]] = {
    "receipt": UID,
    "time": _TIME,
    "error": {"enum": [None, *(denial.value for denial in DENIALS)]},
    "user": _TEXT_OR_NULL,
    "usage_count": {"type": ["integer", "null"]},
    "uses": {"type": "integer", "minimum": 0},
    "checkpoint": _TEXT_OR_NULL,
    "direction": {"enum": [None, *(direction.value for direction in Direction)]},
    "override": {**_TEXT_OR_NULL, "description": "Why the rules did not count."},
    "undone_at": {**_TIME_OR_NULL, "description": "When it was taken back."},
    "undone_by": {**_TEXT_OR_NULL, "description": "By whom."},
}
_DENIED_MEMBERS: Final[dict[str, Schema]] = {
    **FAILURE_MEMBERS,
    "consumed": {"const": False},
    "last_used": {**_TIME_OR_NULL, "description": "When a use was taken last; null: never."},
    "last_user": {**_TEXT_OR_NULL, "description": "By whom; null: not known."},
    "token_uid": UID,
    "read_as": READ_AS,
    "found": {"type": "integer", "description": "The number of `not_found` that it has."},
    "usage_count": {"type": "integer", "description": "Uses left, where they are not enough."},
    **_TOLD,
}

#: Those that not each refusal has.
_OPTIONAL: Final = {
    "last_used",
    "last_user",
    "token_uid",
    "read_as",
    "found",
    "usage_count",
    *_TOLD,
}

#: What answers refer to by name.
SCHEMAS: Final[dict[str, Schema]] = {
    "Token": object_schema(_TOKEN_MEMBERS),
    "Usage": object_schema(_USAGE_MEMBERS),
    "Denied": object_schema(_DENIED_MEMBERS, _OPTIONAL),
}
HITS: Final[Schema] = {
    "type": "array",
    "maxItems": MOST_HITS,
    "items": object_schema(
        {
            FOUND.name: {
                "type": "integer",
                "description": "Names the token to `consume_found` and `undo_found`.",
            },
            **{name: _TOKEN_MEMBERS[name] for name in HIT_FIELDS},
            "inside": INSIDE,
        },
        {"inside"},
    ),
}
DENIED: Final[Schema] = {"$ref": "#/components/schemas/Denied"}

_FAILURES: Final[dict[str, str]] = {
    "404": "There is no such token.",
    "409": "The value belongs to another token; another number of tokens is meant than expected.",
    "422": "The idempotency key was used for another request; no QR code holds the value.",
}

_DESCRIBED: Final = Described(
    title="cone.tokens",
    description="Tokens that are issued, looked up, consumed, changed and deleted.",
    schemas=SCHEMAS,
    failures=_FAILURES,
)

#: What the answers of a consumption have in common.
CONSUMPTION: Final[dict[str, Any]] = {
    "told": "Consumed, or refused with its reason.",
    "optional": frozenset({"used_before", "uses", *_TOLD}),
    "refusal": DENIED,
    "is_strict": True,
}


def picture() -> dict[str, Any]:
    """Return the schemas of a picture by media type."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"image/png": binary, "image/svg+xml": binary}


def before(receipt: str) -> dict[str, Schema]:
    """Return the link to the usages before one.

    :param receipt: where the answer tells its receipt.
    """
    parameters = {"uid": "$request.path.uid", "before": receipt}
    return {"usages": {"operationId": "usages", "parameters": parameters}}


def after_use(uid: str) -> dict[str, Schema]:
    """Return the links from a use that was taken: to those before it, and to its end.

    :param uid: where the request or the answer tells the token.
    """
    receipt = "$response.body#/receipt"
    usages = {"operationId": "usages", "parameters": {"uid": uid, "before": receipt}}
    undo = {
        "operationId": "undo_use",
        "parameters": {"uid": uid},
        "requestBody": {"receipt": receipt},
    }
    return {"usages": usages, "undo_use": undo}


def with_added(operation: str) -> Schema:
    """Return the link to an operation on the tokens that were added."""
    return {
        "operationId": operation,
        "requestBody": {"token_uids": "$response.body#/token_uids"},
    }


def document(base_url: str) -> Schema:
    """Return the OpenAPI document for a container of tokens at ``base_url``."""
    return openapi.document(base_url, TokenContainer, _DESCRIBED)
