"""Any request to the JSON API: what ``openapi.json`` says of it, and what the contract says.

Schemathesis makes the requests and checks answers against the document, all of its checks on.
Where the contract says otherwise than a check takes for granted, ``BY_CONTRACT`` names it.
"""

import contextlib
import dataclasses
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import cone.sql
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.checks import CHECKS
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.schemas import OpenApiSchema
from sqlalchemy import delete
from webob import Request
from webob import Response

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.records import Base
from cone.tokens.tickets.service import TicketService
from tests.conftest import EXAMPLES
from tests.support.asking import CODES
from tests.support.asking import INTERNALS
from tests.support.factories import new_token

EDITOR = {"view", "list", "add", "edit", "consume", "find", "override"}
ROLES = {
    "nobody": set(),
    "viewer": {"view", "list"},
    "token_operator": {"view", "consume", "find"},
    "editor": EDITOR,
    "admin": EDITOR | {"delete"},
}
#: The permission that each operation of the contract needs.
NEEDED = {
    "query_token": "view",
    "query_tokens": "list",
    "add_token": "add",
    "add_tokens": "add",
    "consume_token": "consume",
    "consume_token_by_get": "consume",
    "consume_token_by_value": "consume",
    "find_tokens": "find",
    "consume_found": "find",
    "undo_found": "find",
    "undo_use": "consume",
    "door_figures": "consume",
    "update_token": "edit",
    "replace": "edit",
    "delete_token": "delete",
    "update_tokens": "edit",
    "delete_tokens": "delete",
    "usages": "view",
    "qr_code": "view",
    "openapi": "view",
}
#: Two of three requests that name a checkpoint mean one that there is.
CHECKPOINTS = ({"name": "Door", "directions": "in_out"}, None, {"name": "Bar", "categories": ["b"]})
#: The slugs of each status that a request may have here; none of them is 5xx or 429.
SLUGS = {
    400: {"invalid_parameter"},
    401: {"unauthenticated"},
    403: {"forbidden", "not_undone"},
    404: {"token_not_exists", "not_found"},
    405: {"method_not_allowed"},
    409: {"value_taken", "count_changed"},
    413: {"too_large"},
    422: {"idempotency_conflict"},
}
DENIALS = {
    "token_disabled",
    "usage_count_exceeded",
    "token_locked",
    "out_of_time_range",
    "wrong_checkpoint",
    "already_inside",
    "not_inside",
    "not_enough_uses",
    "replaced",
    "unfinished",
    "repeated",
}
FAILURE = {"success", "message", "error", "error_code"}
OF_REFUSALS = {
    *("consumed", "token_uid", "read_as", "last_used", "last_user"),
    *("found", "label", "category", "usage_count"),
}


Holds = Callable[[Any, Any], bool]


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """What a check of Schemathesis objects to and the contract wants so.

    :ivar holds: whether it does for a request and its answer.
    """

    failure: type[Exception]
    holds: Holds
    reason: str


def is_told(status: int, pattern: str) -> Holds:
    """Return whether an answer refuses with this status and a message of this pattern."""

    def holds(_case: Any, answer: Any) -> bool:
        is_status = answer.status_code == status
        return is_status and bool(re.fullmatch(pattern, answer.json()["message"]))

    return holds


def has_offset_with_seconds(_case: Any, answer: Any) -> bool:
    return bool(re.search(r"T[0-9:.]+[+-][0-9]{2}:[0-9]{2}:[0-9]{2}\"", answer.text))


def is_of_more_tokens(case: Any, answer: Any) -> bool:
    batches = {"add_tokens", "update_tokens", "delete_tokens"}
    told = answer.json() if operation_id(case) in batches else {}
    changed = told.get("updated", told.get("deleted", 0))
    return max(changed, len(told.get("token_uids", ()))) > FEW


#: Tokens of a batch that is tried.
FEW = 20

BY_CONTRACT = [
    Exclusion(
        RejectedPositiveData,
        is_told(400, "valid_from must be before valid_to"),
        "JSON Schema compares no two members",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "before: is no receipt of this token"),
        "a well-formed uid need not be a receipt, and the contract wants 400 then",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "(after|before): there is no such token"),
        "a well-formed uid need not be a token's, and the contract wants 400 then",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "(before|filter): cannot be given together with (after|token_uids)"),
        "the schemas of parameters do not say which go together",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "Missing ``token_uids`` parameter"),
        "either it or filter is required, which forms without a schema of their own do not say",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "filter: (must be a JSON object|may only have .*)"),
        "what a form has in a text is beyond JSON Schema",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "data: must be a JSON object of up to 50 texts with different names"),
        "what a form has in a text is beyond JSON Schema, and so is the normal form of names",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(
            400,
            "(label|email|category|note|data|override): "
            "(must not have control characters|must be at most [0-9]+ characters)",
        ),
        "ends of texts may have them, and a normal form may be longer",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "email: is no e-mail address"),
        "JSON Schema's format of addresses is another one",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(409, "expected_count: there are .*"),
        "how many tokens there are is no matter of a request's form",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, r"\w+: must be between -?\d+ and \d+"),
        "JSON Schema bounds numbers, not numbers in text, which forms send",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, r"\w+: value is no integer|(enabled|random): must be true, false, 1 or 0"),
        "1.0 is an integer for JSON Schema; the contract takes sign and digits only",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, r"\w+: year must be between 2 and 9998"),
        "the format date-time has the years 1 and 9999 too",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, r"\w+: must be at most \d+ bytes of UTF-8"),
        "JSON Schema counts characters, the contract bytes",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(
            400,
            r"(value|prefix): must (not (be blank|begin or end with a blank|have the invisible .*)"
            r"|have a letter in front of .*)",
        ),
        "patterns of JSON Schema know no kinds of characters, and an update may keep an old code",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(
            400,
            r"((token_uids|not_read_as): must be a JSON list of 1 to \d+ uids"
            r"|not_found: must be a JSON list of 1 to \d+ different numbers)",
        ),
        "what a form has in a text is beyond JSON Schema",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, r"Missing ``search`` parameter|found: cannot be given together with search"),
        "which of two parameters is given is beyond the schemas of parameters",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "receipt: is the receipt of no use of this token"),
        "a well-formed uid need not be a receipt, and the contract wants 400 then",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(
            400,
            "checkpoint: there is no checkpoint of this name"
            "|direction: (needs a checkpoint|this checkpoint lets nobody out)",
        ),
        "the checkpoints are those of the settings, which the document does not tell",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(400, "(uses|override): cannot be given together with (an exit,.*|override)"),
        "the schemas of parameters do not say which go together",
    ),
    Exclusion(
        RejectedPositiveData,
        is_told(422, "Idempotency-Key was used for another token .*"),
        "whether a key was used is no matter of its form",
    ),
    Exclusion(
        JsonSchemaError,
        has_offset_with_seconds,
        "the format date-time has no seconds in offsets, which zones had until standard time came",
    ),
    Exclusion(
        AcceptedNegativeData,
        is_of_more_tokens,
        "the document was changed to small batches, see of_few_tokens",
    ),
]


# Requests


@dataclasses.dataclass
class Site:
    """The application, its tables, and the schema for the requests of one role."""

    schema: OpenApiSchema
    service: TicketService
    content: Callable[[], dict[str, Any]]
    role: str

    def empty(self) -> None:
        """Have each example begin with nothing, so that it can be repeated."""
        with cone.sql.session_factory.engine.begin() as connection:
            for table in Base.metadata.sorted_tables:
                connection.execute(delete(table))

    def is_permitted(self, case: Any) -> bool:
        return NEEDED[operation_id(case)] in ROLES[self.role]

    def call(self, case: Any) -> Any:
        """Make a request; half of those for a token mean one that there is."""
        EXAMPLES[f"requests of {self.role}"] += 1
        self.add_what_is_meant(case)
        before = None if self.is_permitted(case) else self.content()
        answer = case.call()
        assert before is None or before == self.content()
        return answer

    def add_what_is_meant(self, case: Any) -> None:
        # Hardly any is the one who asks.
        (case.headers or {}).pop("Expected-User", None)
        uid, value = case.path_parameters.get("uid"), value_sought(case)
        if is_uid(uid) and uuid.UUID(uid).int % 2 and not self.service.find(uuid.UUID(uid)):
            token = new_token(usage_count=uuid.UUID(uid).int % 3)
            case.path_parameters["uid"] = str(self.service.add(token, by="someone"))
        if value and len(value) % 2 and not self.service.find_by_value(value):
            self.service.add(new_token(value=value), by="someone")
        checkpoint = given_of(case).get("checkpoint")
        if isinstance(checkpoint, str) and checkpoint:
            named = CHECKPOINTS[len(checkpoint) % len(CHECKPOINTS)]
            given_of(case)["checkpoint"] = named["name"] if named else checkpoint

    def check(self, case: Any, answer: Any, **more: Any) -> None:
        """Check an answer as the document and as the contract have it."""
        check_answer(case, answer)
        self.check_permission(case, answer)
        try:
            case.validate_response(answer, **more)
        except FailureGroup as group:
            if not all(is_by_contract(failure, case, answer) for failure in group.exceptions):
                raise

    def check_permission(self, case: Any, answer: Any) -> None:
        is_allowed = self.is_permitted(case) or is_elsewhere(case)
        # Size, method and then who asks.
        refusals = {401} if self.role == "nobody" else {403}
        assert is_allowed or answer.status_code in refusals | {405, 413}
        is_refused = answer.status_code in {401, 403} and not may_be_refused(case, self.role)
        assert not self.is_permitted(case) or not is_refused


def may_be_refused(case: Any, role: str) -> bool:
    """Return whether who may use the operation may still not do this with it."""
    asks_to_override = bool(given_of(case).get("override"))
    is_own_alone = operation_id(case) in {"undo_found", "undo_use"} and "edit" not in ROLES[role]
    return is_own_alone or (asks_to_override and "override" not in ROLES[role])


def given_of(case: Any) -> dict[str, Any]:
    """Return the parameters of a request, as far as it has any that can be read."""
    given = case.query if case.method == "GET" else case.body
    return given if isinstance(given, dict) else {}


def operation_id(case: Any) -> str:
    return case.operation.definition.raw["operationId"]


def value_sought(case: Any) -> str | None:
    """Return the value that a request looks up, where a token may have it."""
    if operation_id(case) not in {"query_token", "consume_token_by_value"}:
        return None
    value = given_of(case).get("value")
    try:
        is_code = isinstance(value, str) and codes.new_code(value) == value
    except InvalidParameter:
        is_code = False
    return value if is_code else None


def is_uid(text: Any) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except (ValueError, TypeError, AttributeError):
        return False


def is_elsewhere(case: Any) -> bool:
    """Return whether the path was made one that the operation does not have."""
    return "uid" in case.path_parameters and not re.fullmatch(
        r"[\w-]+",
        str(case.path_parameters["uid"]),
        re.ASCII,
    )


def check_answer(case: Any, answer: Any) -> None:
    """Check what the contract says of every answer."""
    is_picture = operation_id(case) == "qr_code" and answer.status_code == 200
    cached = "private, no-cache" if is_picture else "no-store"
    assert answer.headers.get("cache-control") == [cached]
    if is_picture:
        return
    assert answer.headers.get("content-type", [""])[0].partition(";")[0] == "application/json"
    assert not any(word in answer.text for word in INTERNALS)
    told = answer.json()
    if answer.status_code != 200:
        assert told.get("error") in SLUGS.get(answer.status_code, ())
        check_failure(told, is_consumption="consumed" in told)
    elif operation_id(case) == "openapi":
        assert "success" not in told
    elif told.get("success") is not True:
        assert told.get("error") in DENIALS
        check_failure({**told, "token_uid": None}, is_consumption=True)


def check_failure(told: dict[str, Any], *, is_consumption: bool) -> None:
    assert FAILURE <= set(told) <= FAILURE | OF_REFUSALS
    assert told["success"] is False
    assert told["message"]
    assert told["error_code"] == CODES.get(told["error"])
    assert not is_consumption or told.get("consumed") is False


def is_by_contract(failure: Exception, case: Any, answer: Any) -> bool:
    return any(
        isinstance(failure, exclusion.failure) and exclusion.holds(case, answer)
        for exclusion in BY_CONTRACT
    )


# Set-up

#: The first wrong answer will do, and always the same one.
SEARCH = settings(
    max_examples=1_000,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
)


def load(app: Any, document: dict[str, Any], *, cookies: dict[str, str]) -> OpenApiSchema:
    """Return the schema for requests to ``app`` with ``cookies``; without, any are made up."""
    config = SchemathesisConfig()
    project = config.projects.default
    project.generation.update(with_security_parameters=not cookies)
    # What is refused for its size is refused.
    rejection = project.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    schema = schemathesis.openapi.from_dict(of_few_tokens(document), config=config)
    schema.app = app
    if cookies:

        @schema.auth()
        class Cookies:
            def get(self, _case, _context):
                return cookies

            def set(self, case, cookies, _context):
                case.cookies = {**(case.cookies or {}), **cookies}

    return schema


def of_few_tokens(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with small batches: ten thousand tokens take their time."""
    few = json.loads(json.dumps(document).replace(": 10000", f": {FEW}"))
    for media in few["paths"]["/add_tokens"]["post"]["requestBody"]["content"].values():
        media["schema"]["properties"]["count"]["pattern"] = "^[+-]?[0-9]{1,2}$"
    return few


def cases_of(schema: OpenApiSchema) -> st.SearchStrategy[Any]:
    modes = schemathesis.GenerationMode
    return st.one_of(*(schema.as_strategy(generation_mode=mode) for mode in modes))


@pytest.fixture
def document(signed_in) -> dict[str, Any]:
    return signed_in("viewer").get("/tokens/openapi.json").json


@pytest.fixture
def site_of(wsgi_app, signed_in, document, service, content, settings_path) -> Callable[..., Site]:
    """Return the function that gives the site as a role has it."""
    settings_path.write_text(json.dumps({"checkpoints": [each for each in CHECKPOINTS if each]}))

    def of(role: str, app: Any = wsgi_app) -> Site:
        cookies = {} if role == "nobody" else dict(signed_in(role).cookies)
        return Site(load(app, document, cookies=cookies), service, content, role)

    return of


def run_requests(site: Site, budget: settings) -> None:
    @settings(budget, suppress_health_check=list(HealthCheck))
    @given(case=cases_of(site.schema))
    def run(case):
        site.empty()
        site.check(case, site.call(case))

    run()


# What holds for all requests


@pytest.mark.parametrize("role", ROLES)
def test_any_request_when_a_role_makes_it_then_the_answer_is_of_document_and_contract(
    site_of,
    role,
):
    run_requests(site_of(role), settings())


@pytest.mark.parametrize("operation", NEEDED)
def test_edges_of_a_schema_when_they_are_tried_then_the_answer_is_of_document_and_contract(
    site_of,
    operation,
):
    site = site_of("admin")
    schema = site.schema
    described = schema.find_operation_by_id(operation)
    context = schemathesis.AuthContext(operation=described, app=schema.app)
    for case in schema.iter_coverage_cases(
        described,
        generation_modes=list(schemathesis.GenerationMode),
        generation_config=schema.config.generation,
    ):
        schema.auth.set(case, context)
        site.check(case, site.call(case))


@pytest.mark.parametrize("role", ["editor", "admin"])
def test_any_sequence_of_requests_when_answers_lead_on_then_all_are_of_document_and_contract(
    site_of,
    role,
):
    run_sequences(site_of(role))


def run_sequences(site: Site) -> None:
    what = f"sequences of requests of {site.role}"
    wrong: list[BaseException] = []

    class Sequence(site.schema.as_state_machine()):
        def setup(self):
            site.empty()
            EXAMPLES[what] += 1

        def step(self, step_input):
            try:
                return super().step(step_input)
            except (AssertionError, FailureGroup) as error:
                wrong.append(error)
                raise

        def call(self, case, **_more):
            return site.call(case)

        def validate_response(self, response, case, **_more):
            site.check(case, response, recorder=self.recorder)

    end = EXAMPLES[what] + max(settings().max_examples // 10, 1)
    while EXAMPLES[what] < end and not wrong:
        budget = settings(
            max_examples=end - EXAMPLES[what],
            stateful_step_count=10,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        # Schemathesis chooses by true random numbers whether to follow a link, which Hypothesis
        # may object to: https://github.com/schemathesis/schemathesis/pull/4132
        with contextlib.suppress(FlakyStrategyDefinition):
            Sequence.run(settings=budget)
    assert not wrong, wrong[0]


def test_checks_when_they_are_run_then_none_is_switched_off(document, wsgi_app):
    load_all_checks()
    schema = load(wsgi_app, document, cookies={})
    checks = schema.config.checks_config_for()
    assert all(getattr(checks, name).enabled for name in CHECKS.get_all_names())


def test_operations_when_they_are_described_then_the_permission_of_each_is_known(document):
    told = {
        operation["operationId"]: operation["description"].partition(". ")[0].removesuffix(".")
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert told == {
        name: f"Needs the permission `{permission}`" for name, permission in NEEDED.items()
    }


# Wrong answers, which the checks have to notice


def with_a_bug(request: Request, response: Response) -> Response:
    """Fail at looking something up."""
    if request.path.endswith("/query_token") and response.status_int == 200:
        return Response(json_body={"success": False}, status=500)
    return response


def without_a_member(request: Request, response: Response) -> Response:
    """Forget a member of one answer."""
    if request.path.endswith("/add_tokens") and response.status_int == 200:
        response.json_body = {"success": True}
    return response


def with_internals(_request: Request, response: Response) -> Response:
    """Tell of the database."""
    if response.status_int == 400:
        response.json_body = {**response.json_body, "message": "sqlite3.DataError"}
    return response


def without_no_store(_request: Request, response: Response) -> Response:
    """Allow answers to be kept."""
    if response.status_int == 404:
        del response.headers["Cache-Control"]
    return response


def with_another_status(_request: Request, response: Response) -> Response:
    """Accept what is wrong."""
    if response.status_int == 400:
        response.status = 200
    return response


@pytest.mark.parametrize(
    "change",
    [with_a_bug, without_a_member, with_internals, without_no_store, with_another_status],
    ids=lambda change: change.__name__,
)
def test_the_checks_when_answers_are_wrong_then_they_notice(site_of, wsgi_app, change):
    def wrong(environ, start_response):
        request = Request(environ)
        return change(request, request.get_response(wsgi_app))(environ, start_response)

    with pytest.raises((AssertionError, FailureGroup)):
        run_requests(site_of("admin", wrong), SEARCH)


def test_the_checks_when_a_role_may_do_too_much_then_they_notice(site_of, wsgi_app, signed_in):
    admin = signed_in("admin").cookies["auth_tkt"]

    def wrong(environ, start_response):
        if environ["PATH_INFO"].endswith("/add_token"):
            environ["HTTP_COOKIE"] = f"auth_tkt={admin}"
        return wsgi_app(environ, start_response)

    with pytest.raises((AssertionError, FailureGroup)):
        run_requests(site_of("viewer", wrong), SEARCH)
