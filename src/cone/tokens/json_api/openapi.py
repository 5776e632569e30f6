"""The OpenAPI 3.1 document. Parameters come from the declarations that the parser reads by."""

from __future__ import annotations

from typing import Any
from typing import Final

from cone.tokens.core.errors import Denial
from cone.tokens.core.params import Parameter
from cone.tokens.core.types import Status
from cone.tokens.json_api import ENDPOINTS
from cone.tokens.json_api import Endpoint
from cone.tokens.request_data import FORM
from cone.tokens.request_data import JSON
from cone.tokens.request_data import MULTIPART
from cone.tokens.security import ADD

Schema = dict[str, Any]

UID: Final[Schema] = {"type": "string", "format": "uuid"}
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

#: Members of a granted consumption; a refused one has those of a failure and ``consumed`` false.
CONSUMED: Final[dict[str, Schema]] = {
    "consumed": {"const": True},
    "usage_count": {"type": "integer", "description": "Uses left; -1 is unlimited."},
    "receipt": UID,
}

_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}

_TOKEN_MEMBERS: Final[dict[str, Schema]] = {
    "uid": UID,
    "value": {"type": "string"},
    "valid_from": _TIME_OR_NULL,
    "valid_to": _TIME_OR_NULL,
    "usage_count": {"type": "integer", "minimum": -1},
    "lock_time": {"type": "integer", "minimum": 0},
    "enabled": {"type": "boolean"},
    "last_used": _TIME_OR_NULL,
    "locked_until": _TIME_OR_NULL,
    "creator": _TEXT_OR_NULL,
    "created": _TIME,
    "modified": _TIME,
    "status": {"enum": [status.value for status in Status]},
}
_USAGE_MEMBERS: Final[dict[str, Schema]] = {
    "receipt": UID,
    "time": _TIME,
    "error": {"enum": [None, *(denial.value for denial in Denial)]},
    "user": _TEXT_OR_NULL,
    "usage_count": {"type": ["integer", "null"]},
}
_FAILURE_MEMBERS: Final[dict[str, Schema]] = {
    "success": {"const": False},
    "message": {"type": "string"},
    "error": {"type": "string"},
    "error_code": {"type": ["integer", "null"]},
}

_UID_IN_PATH: Final[Schema] = {"name": "uid", "in": "path", "required": True, "schema": UID}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeat with the same key gets the first answer again and changes nothing.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}

#: Where an answer tells the uid that an operation on a token takes.
_UID_LINKS: Final[dict[str, str]] = {
    "query_token": "$response.body#/token/uid",
    "query_tokens": "$response.body#/tokens/0/uid",
    "add_token": "$response.body#/token_uid",
    "add_tokens": "$response.body#/token_uids/0",
    "consume_token_by_value": "$response.body#/token_uid",
}
#: Where an answer tells the receipt to list the usages before.
_RECEIPT_LINKS: Final[dict[str, str]] = {
    "consume_token": "$response.body#/receipt",
    "consume_token_by_get": "$response.body#/receipt",
    "usages": "$response.body#/next",
}

#: Headers that an answer of a status has.
_HEADERS: Final[dict[str, tuple[str, str]]] = {
    "401": ("WWW-Authenticate", "How to sign in."),
    "405": ("Allow", "The methods that there are."),
    "429": ("Retry-After", "Seconds to wait."),
    "503": ("Retry-After", "Seconds to wait."),
}

#: Failures that any request may end in.
_FAILURES: Final[dict[str, str]] = {
    "400": "A parameter is wrong; the message names it.",
    "401": "Not signed in.",
    "403": "A permission is missing, or the request comes from another site.",
    "404": "There is no such token.",
    "405": "Wrong method.",
    "409": "The value belongs to another token; another number of tokens is meant than expected.",
    "413": "The body is larger than 1 MiB.",
    "422": "The idempotency key was used for another request; no QR code holds the value.",
    "429": "Too many requests.",
    "500": "A bug; the reference is in the log.",
    "503": "The database is busy or away.",
}


def document(base_url: str) -> Schema:
    """Return the document for a container of tokens at ``base_url``."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cone.tokens",
            "version": "3",
            "description": "Tokens that are issued, looked up, consumed, changed and deleted.",
        },
        "servers": [{"url": base_url}],
        "security": [{"cookie": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"cookie": {"type": "apiKey", "in": "cookie", "name": "auth_tkt"}},
            "schemas": {
                "Token": _object(_TOKEN_MEMBERS),
                "Usage": _object(_USAGE_MEMBERS),
                "Failure": _object(_FAILURE_MEMBERS),
                "Denied": _object({**_FAILURE_MEMBERS, "consumed": {"const": False}}),
            },
        },
    }


def _paths() -> Schema:
    paths: Schema = {}
    for endpoint in ENDPOINTS:
        is_below_token = _is_below_token(endpoint)
        path = f"/{{uid}}/{endpoint.name}" if is_below_token else f"/{endpoint.name}"
        for method in endpoint.methods:
            operation = _operation(endpoint, method, is_below_token=is_below_token)
            paths.setdefault(path, {})[method.lower()] = operation
    return paths


def _is_below_token(endpoint: Endpoint) -> bool:
    return endpoint.context.__name__ == "TokenNode"


def _operation(endpoint: Endpoint, method: str, *, is_below_token: bool) -> Schema:
    parameters = [_UID_IN_PATH] if is_below_token else []
    if endpoint.is_idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
    operation_id = _operation_id(endpoint, method, is_below_token=is_below_token)
    operation: Schema = {
        "operationId": operation_id,
        "summary": endpoint.summary,
        "description": f"Needs the permission `{endpoint.permission}`.",
        "responses": {"200": {**_success(endpoint), **_links(operation_id)}, **_failures()},
    }
    if method == "GET":
        parameters += [_in_query(parameter) for parameter in endpoint.parameters]
    elif endpoint.parameters:
        operation["requestBody"] = _body(endpoint)
    return {**operation, "parameters": parameters}


def _operation_id(endpoint: Endpoint, method: str, *, is_below_token: bool) -> str:
    name = endpoint.name.removesuffix(".json")
    if endpoint.is_consumption and method == "GET":
        return f"{name}_by_get"
    is_by_value = endpoint.is_idempotent and not is_below_token and name == "consume_token"
    return f"{name}_by_value" if is_by_value else name


def _links(operation_id: str) -> Schema:
    """Return what can be asked for next with what an answer tells."""
    links: Schema = {}
    if operation_id in _UID_LINKS:
        uid = _UID_LINKS[operation_id]
        links = {target: _link(target, uid=uid) for target in _operations_on_tokens()}
    if operation_id in _RECEIPT_LINKS:
        before = _RECEIPT_LINKS[operation_id]
        links = {"usages": _link("usages", uid="$request.path.uid", before=before)}
    if operation_id == "add_tokens":
        body = {"token_uids": "$response.body#/token_uids"}
        for change in ("update_tokens", "delete_tokens"):
            links[change] = {"operationId": change, "requestBody": body}
    if operation_id == "query_tokens":
        after = {"operationId": operation_id, "parameters": {"after": "$response.body#/next"}}
        links[operation_id] = after
    return {"links": links} if links else {}


def _link(operation_id: str, **parameters: str) -> Schema:
    return {"operationId": operation_id, "parameters": parameters}


def _operations_on_tokens() -> list[str]:
    return [
        _operation_id(endpoint, method, is_below_token=True)
        for endpoint in ENDPOINTS
        if _is_below_token(endpoint)
        for method in endpoint.methods
    ]


def _in_query(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _body(endpoint: Endpoint) -> Schema:
    required = [parameter.name for parameter in endpoint.parameters if parameter.required]
    in_json = {parameter.name: _in_json(parameter, endpoint) for parameter in endpoint.parameters}
    in_form = {name: _in_form(schema) for name, schema in in_json.items()}
    form = _media(in_form, required)
    return {
        "required": bool(required),
        "content": {JSON: _media(in_json, required), FORM: form, MULTIPART: form},
    }


def _media(properties: dict[str, Schema], required: list[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {"schema": {**schema, "required": required} if required else schema}


def _in_json(parameter: Parameter, endpoint: Endpoint) -> Schema:
    """Return the schema of a parameter; empty is the default where tokens are added."""
    schema = {**parameter.schema, "description": parameter.description}
    types = schema.get("type", ["null"])
    if endpoint.permission != ADD or parameter.required or "null" in types:
        return schema
    return {**schema, "type": [*types, "null"], "pattern": f"^$|{schema['pattern']}"}


def _in_form(schema: Schema) -> Schema:
    """Return ``schema`` for a form: it has no null, and a list is text."""
    types = schema.get("type")
    if types in ("array", "object"):
        return {
            "type": "string",
            "minLength": 1,
            "contentMediaType": JSON,
            "contentSchema": schema,
            "description": schema["description"],
        }
    if isinstance(types, list):
        return {**schema, "type": [name for name in types if name != "null"]}
    return schema


def _success(endpoint: Endpoint) -> Schema:
    if endpoint.name == "qr_code":
        binary = {"schema": {"type": "string", "format": "binary"}}
        content = {"image/png": binary, "image/svg+xml": binary}
        return {"description": "The picture.", "content": content}
    if endpoint.name == "openapi.json":
        return _answer("The document.", {"type": "object"})
    members = _object({"success": {"const": True}, **endpoint.answer})
    if "consumed" not in endpoint.answer:
        return _answer("Done.", members)
    denied = {"$ref": "#/components/schemas/Denied"}
    return _answer("Consumed, or refused with its reason.", {"anyOf": [members, denied]})


def _failures() -> Schema:
    schema = {"$ref": "#/components/schemas/Failure"}
    return {
        status: {**_answer(text, schema), **_headers(status)} for status, text in _FAILURES.items()
    }


def _headers(status: str) -> Schema:
    if status not in _HEADERS:
        return {}
    name, description = _HEADERS[status]
    header = {"description": description, "required": True, "schema": {"type": "string"}}
    return {"headers": {name: header}}


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _object(members: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}
