"""The OpenAPI 3.1 document. Parameters come from the declarations that the parser reads by."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core.params import AGAINST_CACHES
from cone.tokens.core.params import Parameter
from cone.tokens.host.request_data import JSON
from cone.tokens.host.site_request import FORM
from cone.tokens.host.site_request import MULTIPART
from cone.tokens.web.endpoint import Endpoint
from cone.tokens.web.endpoint import endpoints_below

Schema = dict[str, Any]
UID: Final[Schema] = {"type": "string", "format": "uuid"}
FAILURE_MEMBERS: Final[dict[str, Schema]] = {
    "success": {"const": False},
    "message": {"type": "string"},
    "error": {"type": "string"},
    "error_code": {"type": ["integer", "null"]},
}

#: Only where no permission is missing.
_REASON: Final[Schema] = {
    "enum": ["other_site", "preview", "other_user"],
    "description": "Why it is forbidden though no permission is missing.",
}
_UID_IN_PATH: Final[Schema] = {"name": "uid", "in": "path", "required": True, "schema": UID}
_IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeat with the same key gets the first answer again and changes nothing.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
}
_EXPECTED_USER: Final[Schema] = {
    "name": "Expected-User",
    "in": "header",
    "required": False,
    "description": "The id of the user who is to be signed in, in UTF-8 and encoded for URLs. The "
    "request is refused with the reason `other_user` where it is somebody else.",
    "schema": {"type": "string"},
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
    "403": "A permission is missing, or the request comes from another site or user.",
    "404": "There is nothing of that name.",
    "405": "Wrong method.",
    "409": "It was changed meanwhile.",
    "413": "The body is larger than 1 MiB.",
    "422": "The idempotency key was used for another request.",
    "429": "Too many requests.",
    "500": "A bug; the reference is in the log.",
    "503": "The database is busy or away, or the server is at other long work.",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the document of a part tells besides its endpoints.

    :ivar schemas: what answers refer to by name.
    :ivar failures: what statuses mean there, where that is more than elsewhere.
    """

    title: str
    description: str
    schemas: Mapping[str, Schema]
    failures: Mapping[str, str]


def document(base_url: str, entry: type, described: Described) -> Schema:
    """Return the document of the endpoints below an entry node.

    :param base_url: of the node.
    :param entry: its class.
    """
    endpoints = endpoints_below(entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": described.title,
            "version": "3",
            "description": described.description,
        },
        "servers": [{"url": base_url}],
        "security": [{"cookie": []}],
        "paths": _paths(endpoints, _failures(described.failures)),
        "components": {
            "securitySchemes": {"cookie": {"type": "apiKey", "in": "cookie", "name": "auth_tkt"}},
            "schemas": {**described.schemas, "Failure": _FAILURE},
        },
    }


def _paths(endpoints: Sequence[Endpoint], failures: Schema) -> Schema:
    on_rows = [
        _operation_id(endpoint, method)
        for endpoint in endpoints
        # Others need more than a uid.
        if endpoint.is_of_row and not any(each.required for each in endpoint.parameters)
        for method in endpoint.methods
    ]
    paths: Schema = {}
    for endpoint in endpoints:
        path = f"/{{uid}}/{endpoint.name}" if endpoint.is_of_row else f"/{endpoint.name}"
        for method in endpoint.methods:
            operation = _operation(endpoint, method, on_rows)
            operation["responses"] |= failures
            paths.setdefault(path, {})[method.lower()] = operation
    return paths


def _operation(endpoint: Endpoint, method: str, on_rows: Sequence[str]) -> Schema:
    parameters = [_UID_IN_PATH] if endpoint.is_of_row else []
    parameters.append(_EXPECTED_USER)
    if endpoint.is_idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
    operation: Schema = {
        "operationId": _operation_id(endpoint, method),
        "summary": endpoint.summary,
        "description": _description(endpoint),
        "responses": {"200": {**_success(endpoint), **_links(endpoint, on_rows)}},
    }
    if method == "GET":
        parameters += [_in_query(parameter) for parameter in endpoint.parameters]
    elif endpoint.parameters:
        operation["requestBody"] = _body(endpoint)
    return {**operation, "parameters": parameters}


def _description(endpoint: Endpoint) -> str:
    text = f"Needs the permission `{endpoint.permission}`."
    if not endpoint.is_strict:
        return text
    return f"{text} Parameters that are not named here are refused, `{AGAINST_CACHES}` excepted."


def _operation_id(endpoint: Endpoint, method: str) -> str:
    name = endpoint.id or endpoint.name
    return name if method == endpoint.method else f"{name}_by_{method.lower()}"


def _links(endpoint: Endpoint, on_rows: Sequence[str]) -> Schema:
    """Return the OpenAPI links from this answer to follow-up operations."""
    uid = {"uid": endpoint.tells_uid}
    names = on_rows if endpoint.tells_uid else ()
    links: Schema = {name: {"operationId": name, "parameters": uid} for name in names}
    links |= endpoint.links
    return {"links": links} if links else {}


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
    more: Schema = {"additionalProperties": False} if endpoint.is_strict else {}
    form = _media(in_form, required, more)
    return {
        "required": bool(required),
        "content": {JSON: _media(in_json, required, more), FORM: form, MULTIPART: form},
    }


def _media(properties: dict[str, Schema], required: list[str], more: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, **more}
    return {"schema": {**schema, "required": required} if required else schema}


def _in_json(parameter: Parameter, endpoint: Endpoint) -> Schema:
    """Return the schema of a parameter, with null where empty is as good as none."""
    schema = {**parameter.schema, "description": parameter.description}
    types = schema.get("type", ["null"])
    if not endpoint.is_empty_default or parameter.required or "null" in types:
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
    if endpoint.media:
        return {"description": endpoint.told, "content": dict(endpoint.media)}
    members = {"success": {"const": True}, **endpoint.answer}
    schema = object_schema(members, endpoint.optional)
    if endpoint.refusal:
        schema = {"anyOf": [schema, dict(endpoint.refusal)]}
    return _answer(endpoint.told, schema)


def _failures(of_part: Mapping[str, str]) -> Schema:
    schema = {"$ref": "#/components/schemas/Failure"}
    texts = {**_FAILURES, **of_part}
    return {status: {**_answer(text, schema), **_headers(status)} for status, text in texts.items()}


def _headers(status: str) -> Schema:
    if status not in _HEADERS:
        return {}
    name, description = _HEADERS[status]
    header = {"description": description, "required": True, "schema": {"type": "string"}}
    return {"headers": {name: header}}


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def object_schema(members: Mapping[str, Schema], optional: Container[str] = ()) -> Schema:
    """Return the schema of an object; it has all ``members`` but the ``optional`` ones."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), "required": required}


_FAILURE: Final = object_schema({**FAILURE_MEMBERS, "reason": _REASON}, {"reason"})
