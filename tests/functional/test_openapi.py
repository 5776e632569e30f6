"""The OpenAPI document: valid, complete, and what answers really look like (contract 3)."""

import json

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from cone.tokens.tickets import params
from tests.support.asking import EVERY_VIEW
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import VIEWS
from tests.support.asking import send

TOKEN_PARAMETERS = {
    *("value", "valid_from", "valid_to", "usage_count", "lock_time", "enabled"),
    *("label", "email", "category", "note", "data"),
}
FILTERS = {
    *("value", "prefix", "search", "category", "status"),
    *("created_from", "created_to", "valid_at"),
}
DOOR = {"uses", "checkpoint", "direction", "override"}
SELECTION = {"token_uids", "filter", "expected_count"}
#: Method, path and parameters of every operation of the contract, and whether it takes a key.
OPERATIONS = {
    ("get", "/query_token"): ({"value", "ended_by"}, False),
    ("get", "/query_tokens"): (FILTERS | {"sort", "limit", "after", "before"}, False),
    ("post", "/add_token"): (TOKEN_PARAMETERS, True),
    ("post", "/add_tokens"): (TOKEN_PARAMETERS | {"count", "prefix", "random"}, True),
    ("post", "/{uid}/consume_token"): (DOOR, True),
    ("get", "/{uid}/consume_token"): (DOOR, True),
    ("post", "/consume_token"): ({"value", "ended_by", "not_read_as", "not_found", *DOOR}, True),
    ("get", "/find_tokens"): ({"search", "found"}, False),
    ("post", "/consume_found"): ({"found", "not_read_as", *DOOR}, True),
    ("post", "/undo_found"): ({"found", "receipt"}, False),
    ("get", "/door_figures"): (set(), False),
    ("post", "/{uid}/undo_use"): ({"receipt"}, False),
    ("post", "/{uid}/update_token"): (TOKEN_PARAMETERS, False),
    ("post", "/{uid}/replace"): (set(), True),
    ("post", "/{uid}/delete_token"): (set(), False),
    ("post", "/update_tokens"): (TOKEN_PARAMETERS | SELECTION, False),
    ("post", "/delete_tokens"): (SELECTION, False),
    ("get", "/{uid}/usages"): ({"limit", "before"}, False),
    ("get", "/{uid}/qr_code"): ({"format"}, False),
    ("get", "/openapi.json"): (set(), False),
}
STATUSES = ["200", "400", "401", "403", "404", "405", "409", "413", "422", "429", "500", "503"]
EVERY_OPERATION = pytest.mark.parametrize(
    "operation",
    OPERATIONS,
    ids=" ".join,
)


@pytest.fixture
def document(editor):
    return editor.get("/tokens/openapi.json").json


def resolved(document, schema):
    """Return ``schema`` so that it finds the components that it refers to."""
    return {**schema, "components": document["components"]}


def check(document, operation, answer):
    """Assert that an answer is of the schema that the document gives for its status."""
    method, path = operation
    told = document["paths"][path][method]["responses"][str(answer.status_int)]
    media = told["content"][answer.content_type]
    if answer.content_type == "application/json":
        formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        assert {"date-time", "uuid"} <= set(formats.checkers)
        validator = jsonschema.Draft202012Validator(
            resolved(document, media["schema"]),
            format_checker=formats,
        )
        validator.validate(answer.json)


def operation_of(view):
    return view.method.lower(), f"/{{uid}}/{view.name}" if view.on_token else f"/{view.name}"


def test_the_document_when_it_is_validated_then_it_is_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_when_it_is_asked_for_then_it_lists_every_operation_and_no_other(document):
    told = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert told == set(OPERATIONS)
    assert "success" not in document


@EVERY_OPERATION
def test_an_operation_when_it_is_described_then_it_has_the_contracts_parameters(
    document,
    operation,
):
    names, has_key = OPERATIONS[operation]
    method, path = operation
    described = document["paths"][path][method]
    by_place = {}
    for parameter in described["parameters"]:
        by_place.setdefault(parameter["in"], set()).add(parameter["name"])
    assert by_place.get("path", set()) == ({"uid"} if "{uid}" in path else set())
    keys = {"Idempotency-Key"} if has_key else set()
    assert by_place["header"] == {"Expected-User", *keys}
    if method == "get":
        assert by_place.get("query", set()) == names
        return
    assert "query" not in by_place
    contents = described["requestBody"]["content"] if names else {}
    for media in contents.values():
        assert set(media["schema"]["properties"]) == names
    types = {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
    assert set(contents) == (types if names else set())


@EVERY_OPERATION
def test_an_operation_when_it_is_described_then_every_status_of_the_contract_is(
    document,
    operation,
):
    method, path = operation
    responses = document["paths"][path][method]["responses"]
    assert set(responses) == set(STATUSES)
    assert document["paths"][path][method]["summary"]


def test_operation_ids_when_they_are_told_then_they_differ(document):
    ids = [
        described["operationId"]
        for methods in document["paths"].values()
        for described in methods.values()
    ]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)


def test_parameters_when_they_are_described_then_limits_are_those_of_the_parser(document):
    add = document["paths"]["/add_tokens"]["post"]["requestBody"]["content"]["application/json"]
    described = add["schema"]["properties"]
    limits = {
        name: (schema["minimum"], schema["maximum"])
        for name, schema in described.items()
        if "minimum" in schema
    }
    assert limits == {
        "usage_count": (-1, 2_147_483_647),
        "lock_time": (0, 2_147_483_647),
        "enabled": (0, 1),
        "count": (1, 10_000),
        "random": (0, 1),
    }
    assert add["schema"]["required"] == ["count"]
    for parameter in (*params.TOKEN_PARAMETERS[1:], params.COUNT, params.PREFIX):
        told = described[parameter.name]
        for keyword in set(parameter.schema) - {"type", "pattern"}:
            assert told[keyword] == parameter.schema[keyword]
        assert set(told["type"]) >= set(parameter.schema["type"])
        assert told["description"] == parameter.description


def test_servers_when_the_document_is_told_then_paths_below_them_work(editor, document):
    (server,) = document["servers"]
    assert editor.get(f"{server['url']}/openapi.json").status_int == 200


def test_consume_by_get_when_it_is_switched_off_then_it_is_not_described(editor, patched_config):
    patched_config(consume_by_get=False)
    paths = editor.get("/tokens/openapi.json").json["paths"]
    assert set(paths["/{uid}/consume_token"]) == {"post"}


# Answers


@EVERY_VIEW
def test_an_answer_when_it_is_200_then_it_is_of_its_schema(admin, document, make_token, view):
    token = make_token(value="v", usage_count=2, valid_to=None, lock_time=1)
    answer = view.call(admin, token)
    assert answer.status_int == 200
    check(document, operation_of(view), answer)


@EVERY_VIEW
def test_an_answer_when_everything_was_used_then_it_is_of_its_schema(
    admin,
    document,
    make_token,
    view,
):
    token = make_token(value="v", usage_count=1, lock_time=60)
    parameters = {"valid_from": "2026-01-01 00:00", "valid_to": "2999-01-01T00:00Z"}
    admin.post(f"/tokens/{token.uid}/update_token", parameters)
    for _ in range(2):
        admin.post(f"/tokens/{token.uid}/consume_token")
    check(document, operation_of(view), view.call(admin, token))


@EVERY_VIEW
def test_an_answer_when_it_tells_a_failure_then_it_is_of_its_schema(
    admin,
    anonymous,
    signed_in,
    document,
    make_token,
    view,
):
    operation = operation_of(view)
    token = make_token(value="v")
    answers = [
        view.call(anonymous, token),
        view.call(signed_in(None), token),
        admin.request(view.path(token.uid), method="PUT", status="*"),
        admin.request(view.path(token.uid), method=view.method, body=b"x" * 1_048_577, status="*"),
        send(admin, view.method, view.path(UNKNOWN_UID) + "?value=%ff"),
    ]
    if view.on_token:
        answers.append(send(admin, view.method, view.path("no-uid")))
    for answer in answers:
        check(document, operation, answer)


def test_examples_when_a_body_is_of_the_schema_then_it_is_accepted(admin, document, make_token):
    make_token(value="v")
    bodies = {
        "/add_token": {"value": None, "valid_from": None, "usage_count": -1, "enabled": True},
        "/add_tokens": {"count": 1, "prefix": None, "lock_time": 0},
        "/consume_token": {"value": "v"},
    }
    for path, body in bodies.items():
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        jsonschema.validate(body, resolved(document, content["schema"]))
        answer = admin.post(f"/tokens{path}", json.dumps(body), content_type="application/json")
        assert answer.json["success"] is True


@pytest.mark.parametrize(
    ("path", "body", "is_accepted"),
    [
        ("/add_token", {"usage_count": "", "lock_time": None, "enabled": ""}, True),
        ("/add_token", {"usage_count": "+07", "valid_from": "", "enabled": "FALSE"}, True),
        ("/add_token", {"enabled": 0, "unknown": [1]}, True),
        ("/add_token", {"usage_count": "1.0"}, False),
        ("/add_token", {"usage_count": -2}, False),
        ("/add_token", {"value": "\0"}, False),
        ("/add_token", {"value": 7}, False),
        ("/add_token", {"enabled": "yes"}, False),
        ("/add_token", {"enabled": 2}, False),
        ("/add_tokens", {"count": "2", "prefix": ""}, True),
        ("/add_tokens", {"count": ""}, False),
        ("/add_tokens", {"count": 10_001}, False),
        ("/{uid}/update_token", {"value": None, "valid_to": ""}, True),
        ("/{uid}/update_token", {"usage_count": ""}, False),
        ("/{uid}/update_token", {"lock_time": None}, False),
        ("/{uid}/update_token", {"enabled": ""}, False),
        ("/delete_tokens", {"token_uids": []}, False),
        ("/delete_tokens", {"token_uids": None}, False),
        ("/delete_tokens", {"filter": {"prefix": None, "status": "expired"}}, True),
        ("/delete_tokens", {"filter": {}, "expected_count": "+1"}, True),
        ("/delete_tokens", {"filter": {"statuses": "expired"}}, False),
        ("/delete_tokens", {"filter": {"status": "new"}}, False),
        ("/delete_tokens", {"filter": {"value": 7}}, False),
        ("/delete_tokens", {"filter": []}, False),
        ("/delete_tokens", {"filter": None}, False),
        ("/delete_tokens", {"filter": {}, "expected_count": ""}, False),
        ("/update_tokens", {"filter": {}, "valid_to": None, "enabled": 0}, True),
        ("/update_tokens", {"filter": {}, "usage_count": ""}, False),
        ("/update_tokens", {"filter": {}, "value": "x"}, False),
        ("/consume_token", {"value": ""}, False),
    ],
)
def test_a_body_when_the_schema_takes_or_refuses_it_then_so_does_the_view(
    admin,
    document,
    make_token,
    path,
    body,
    is_accepted,
):
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    validator = jsonschema.Draft202012Validator(resolved(document, content["schema"]))
    assert validator.is_valid(body) is is_accepted
    answer = admin.post_json(f"/tokens{path.format(uid=make_token().uid)}", body, status="*")
    assert answer.status_int == (200 if is_accepted else 400)


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_schema_of_a_form_when_it_is_told_then_it_has_texts_and_no_null(document, media):
    for methods in document["paths"].values():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        for schema in content.get(media, {"schema": {"properties": {}}})["schema"][
            "properties"
        ].values():
            assert "null" not in schema.get("type", [])
            assert schema == {"not": {}, "description": schema["description"]} or (
                "string" in schema["type"]
            )


def test_links_when_an_answer_is_followed_then_they_lead_to_answers(admin, document):
    told = document["paths"]["/add_token"]["post"]["responses"]["200"]["links"]
    on_tokens = {
        operation["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "{uid}" in path and operation["operationId"] != "undo_use"
    }
    assert set(told) == set(on_tokens)
    uid = admin.post("/tokens/add_token").json["token_uid"]
    for name, link in told.items():
        assert link == {
            "operationId": name,
            "parameters": {"uid": "$response.body#/token_uid"},
        }
    for name in sorted(told, key="delete_token".__eq__):
        method, path = on_tokens[name]
        answer = admin.request(f"/tokens{path.format(uid=uid)}", method=method.upper())
        assert answer.status_int == 200


def test_links_when_a_site_does_not_consume_by_get_then_none_leads_there(editor, patched_config):
    patched_config(consume_by_get=False)
    assert "consume_token_by_get" not in editor.get("/tokens/openapi.json").text


@EVERY_OPERATION
def test_headers_when_a_failure_has_one_then_it_is_told(document, operation):
    method, path = operation
    responses = document["paths"][path][method]["responses"]
    headers = {
        status: list(told["headers"]) for status, told in responses.items() if "headers" in told
    }
    assert headers == {
        "401": ["WWW-Authenticate"],
        "405": ["Allow"],
        "429": ["Retry-After"],
        "503": ["Retry-After"],
    }


def test_the_schema_of_add_tokens_when_a_value_is_given_then_the_schema_refuses_it_too(document):
    content = document["paths"]["/add_tokens"]["post"]["requestBody"]["content"]
    for media in content.values():
        validator = jsonschema.Draft202012Validator(resolved(document, media["schema"]))
        assert not validator.is_valid({"count": 1, "value": "x"})


def test_every_view_when_the_tests_call_them_then_none_is_forgotten():
    assert {operation_of(view) for view in VIEWS} == set(OPERATIONS)
