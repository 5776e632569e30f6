"""What tests ask the application of the run for, and what its answers have in common."""

import dataclasses
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import cone.sql
import pytest
from cone.app.ugm import ugm_backend
from sqlalchemy import select
from webob import Request
from webob import Response
from webtest import TestApp
from webtest import TestResponse

from cone.tokens.tickets.records import TokenSearchRecord
from cone.tokens.tickets.values import Ticket
from tests.support.site import PASSWORD
from tests.support.site import login_form

#: The number of each slug that has one.
CODES = {
    "token_not_exists": 1,
    "usage_count_exceeded": 2,
    "token_locked": 3,
    "out_of_time_range": 4,
    "invalid_parameter": 5,
    "value_taken": 5,
    "token_disabled": 7,
    "wrong_checkpoint": 8,
    "already_inside": 9,
    "not_inside": 10,
    "replaced": 11,
    "not_enough_uses": 12,
    "unfinished": 13,
    "repeated": 14,
}
UNKNOWN_UID = "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001"
INTERNALS = ("Traceback", "sqlite", "psycopg", "sqlalchemy", "SELECT ", "INSERT ", " object at ")


@dataclasses.dataclass(frozen=True)
class View:
    """A view of the JSON API, and what a request needs that it grants."""

    name: str
    method: str
    permission: str
    on_token: bool = False
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.method} {'<uid>/' if self.on_token else ''}{self.name}"

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing."""
        return self.permission in {"view", "list"} or self.name in {"find_tokens", "door_figures"}

    def path(self, uid: object) -> str:
        return f"/tokens/{uid}/{self.name}" if self.on_token else f"/tokens/{self.name}"

    def call(
        self,
        client: TestApp,
        token: Ticket,
        *,
        query: str = "",
        **more: Any,
    ) -> TestResponse:
        names = {"uid": token.uid, "value": token.value}
        if "found" in self.parameters:
            names["found"] = number_of(token)
        if "receipt" in self.parameters:
            names["receipt"] = receipt_of_use(client, token, more.get("headers"))
        parameters = {name: names.get(text, text) for name, text in self.parameters.items()}
        if "token_uids" in parameters:
            parameters["token_uids"] = json.dumps([str(token.uid)])
        path = f"{self.path(token.uid)}?{query}" if query else self.path(token.uid)
        return send(client, self.method, path, parameters, **more)


def receipt_of_use(client: TestApp, token: Ticket, headers: Mapping[str, str] | None) -> str:
    """Return the receipt of a use that ``client`` takes; any where it may not."""
    answer = send(client, "POST", f"/tokens/{token.uid}/consume_token", headers=headers)
    is_json = answer.content_type == "application/json"
    return str(answer.json.get("receipt", uuid.uuid4()) if is_json else uuid.uuid4())


def number_of(token: Ticket) -> int:
    """Return the number of a token that is found."""
    with cone.sql.session_factory.engine.connect() as connection:
        sought = select(TokenSearchRecord.id).where(TokenSearchRecord.token_uid == token.uid)
        return connection.scalars(sought).one()


VIEWS = [
    View("query_token", "GET", "view", parameters={"value": "value"}),
    View("query_tokens", "GET", "list", parameters={"value": "value"}),
    View("add_token", "POST", "add"),
    View("add_tokens", "POST", "add", parameters={"count": "2"}),
    View("consume_token", "POST", "consume", on_token=True),
    View("consume_token", "GET", "consume", on_token=True),
    View("consume_token", "POST", "consume", parameters={"value": "value"}),
    View("find_tokens", "GET", "find", parameters={"search": "anybody"}),
    View("consume_found", "POST", "find", parameters={"found": "found"}),
    View("undo_found", "POST", "find", parameters={"found": "found", "receipt": "receipt"}),
    View("door_figures", "GET", "consume"),
    View("undo_use", "POST", "consume", on_token=True, parameters={"receipt": "receipt"}),
    View("update_token", "POST", "edit", on_token=True, parameters={"usage_count": "7"}),
    View("replace", "POST", "edit", on_token=True),
    View("delete_token", "POST", "delete", on_token=True),
    View(
        "update_tokens",
        "POST",
        "edit",
        parameters={"token_uids": "uid", "usage_count": "7", "expected_count": "1"},
    ),
    View("delete_tokens", "POST", "delete", parameters={"token_uids": "uid"}),
    View("usages", "GET", "view", on_token=True),
    View("qr_code", "GET", "view", on_token=True),
    View("openapi.json", "GET", "view"),
]
EVERY_VIEW = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.id)


def make_user(role: str | None) -> str:
    """Make a user with one role, or with none, and return its id."""
    ugm = ugm_backend.ugm
    login = f"{role}-{secrets.token_hex(4)}"
    ugm.users.create(login)
    ugm.users.passwd(login, None, PASSWORD)
    if role:
        ugm.users[login].add_role(role)
    ugm()
    return login


def sign_in(client: TestApp, login: str) -> TestApp:
    """Sign in ``client`` and return it."""
    answer = client.post("/login", login_form(login))
    assert answer.status_int == 302, answer.text
    return client


def send(
    client: TestApp,
    method: str,
    path: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    by: str = "form",
    headers: Mapping[str, str] | None = None,
) -> TestResponse:
    """Send a request and return its answer, whatever its status is.

    :param by: where the parameters of a POST go: query, form, multipart or json.
    """
    given = dict(parameters or {})
    body: dict[str, Any] = {}
    if method != "POST" or by == "query":
        path = f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"
    elif by == "json":
        body = {"body": json.dumps(given).encode(), "content_type": "application/json"}
    elif by == "multipart":
        content_type, multipart = client.encode_multipart(list(given.items()), [])
        body = {"body": multipart, "content_type": content_type}
    else:
        form = urlencode(given).encode()
        body = {"body": form, "content_type": "application/x-www-form-urlencoded"}
    return client.request(path, method=method, headers=dict(headers or {}), status="*", **body)


def send_bytes(
    client: TestApp,
    method: str,
    path: bytes,
    *,
    query: bytes = b"",
    body: bytes = b"",
    content_type: str = "application/x-www-form-urlencoded",
    host: str = "localhost",
) -> Response:
    """Send what no library would: bytes that are no UTF-8 in any place, a host that is none.

    :param path: not quoted.
    """
    request = Request.blank("/", method=method)
    request.environ["PATH_INFO"] = path.decode("latin-1")
    request.environ["QUERY_STRING"] = query.decode("latin-1")
    request.environ["HTTP_HOST"] = host
    request.headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in client.cookies.items())
    if method == "POST":
        request.body = body
        request.environ["CONTENT_TYPE"] = content_type
    return request.get_response(client.app)


def assert_failure(
    answer: Response,
    status: int,
    slug: str,
    message: str | None = None,
) -> dict[str, Any]:
    """Assert that an answer tells a failure as the contract says; return it."""
    assert (answer.status_int, answer.content_type) == (status, "application/json"), answer.text
    said = answer.json
    assert (said["success"], said["error"], said["error_code"]) == (False, slug, CODES.get(slug))
    assert answer.headers["Cache-Control"] == "no-store"
    assert message in (None, said["message"])
    assert not [internal for internal in INTERNALS if internal in answer.text]
    of_refusals = {"consumed", "last_used", "last_user"}
    assert set(said) <= {"success", "message", "error", "error_code", "reason", *of_refusals}
    return said


def assert_invalid(answer: Response, parameter: str, message: str | None = None) -> None:
    """Assert that an answer refuses a parameter and names it, without repeating what was sent."""
    said = assert_failure(answer, 400, "invalid_parameter", message)
    assert parameter in said["message"]
    assert len(said["message"]) < 200
