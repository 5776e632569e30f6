"""One application for the run: cone.app keeps its root in the process.

It is started from an ini file as sites have it, on an empty SQLite file. Other set-ups are
started in processes of their own.
"""

import contextlib
import dataclasses
import functools
import http.client
import json
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self
from urllib.parse import urlencode

import cone.sql
import pyramid.paster
import pytest
from cone.app.ugm import ugm_backend
from sqlalchemy import delete
from sqlalchemy import select
from webob import Request
from webob import Response
from webtest import TestApp
from webtest import TestResponse

from cone.tokens import wiring
from cone.tokens.core.records import Base
from cone.tokens.core.service import TokenService
from cone.tokens.core.types import Token
from cone.tokens.metrics import read_metrics
from cone.tokens.ratelimit import DEFAULTS
from cone.tokens.ratelimit import PREFIX
from cone.tokens.ratelimit import read_limits
from tests.conftest import QueryRecorder
from tests.factories import new_token

PASSWORD = "secret"
ZONE = "Europe/Vienna"
METRICS_SECRET = "a-secret-of-the-metrics"
INI = """
[app:tokens]
use = egg:cone.app#main
pyramid.includes = pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
pyramid.default_locale_name = en
cone.available_languages = en,de
cone.admin_user = admin
cone.admin_password = {password}
cone.auth_secret = 0123456789abcdef0123456789abcdef
cone.auth_http_only = true
cone.auth_wild_domain =
cone.plugins =
    cone.sql
    cone.tokens
ugm.backend = file
ugm.users_file = %(here)s/ugm/users
ugm.groups_file = %(here)s/ugm/groups
ugm.roles_file = %(here)s/ugm/roles
ugm.datadir = %(here)s/ugm/data
sql.db.url = {database_url}
cone.tokens.config_file = %(here)s/tokens.json
cone.tokens.timezone = {zone}
{limits}
{more}

[filter:session]
use = egg:cone.tokens#session

[pipeline:main]
pipeline = session tokens

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
threads = 4

[loggers]
keys = root, waitress_queue

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = console

[logger_waitress_queue]
qualname = waitress.queue
level = ERROR
handlers =

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)s %(name)s: %(message)s
"""

#: Tests ask more often than people do.
UNLIMITED = """
cone.tokens.limits.sign_in_name = off
cone.tokens.limits.sign_in_address = off
cone.tokens.limits.refused = off
cone.tokens.limits.queries = off
"""

#: The number of each slug that has one.
CODES = {
    "token_not_exists": 1,
    "usage_count_exceeded": 2,
    "token_locked": 3,
    "out_of_time_range": 4,
    "invalid_parameter": 5,
    "value_taken": 5,
    "token_disabled": 7,
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

    def path(self, uid: object) -> str:
        return f"/tokens/{uid}/{self.name}" if self.on_token else f"/tokens/{self.name}"

    def call(
        self,
        client: TestApp,
        token: Token,
        *,
        query: str = "",
        **more: Any,
    ) -> TestResponse:
        names = {"uid": token.uid, "value": token.value}
        parameters = {name: names.get(text, text) for name, text in self.parameters.items()}
        if "token_uids" in parameters:
            parameters["token_uids"] = json.dumps([str(token.uid)])
        path = f"{self.path(token.uid)}?{query}" if query else self.path(token.uid)
        return send(client, self.method, path, parameters, **more)


VIEWS = [
    View("query_token", "GET", "view", parameters={"value": "value"}),
    View("query_tokens", "GET", "list", parameters={"value": "value"}),
    View("add_token", "POST", "add"),
    View("add_tokens", "POST", "add", parameters={"count": "2"}),
    View("consume_token", "POST", "consume", on_token=True),
    View("consume_token", "GET", "consume", on_token=True),
    View("consume_token", "POST", "consume", parameters={"value": "value"}),
    View("update_token", "POST", "edit", on_token=True, parameters={"usage_count": "7"}),
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


def write_site(
    folder: Path,
    *,
    database_url: str | None = None,
    limits: str = UNLIMITED,
    more: str = "",
) -> Path:
    """Write the ini file of a site with an empty user directory to ``folder``."""
    (folder / "ugm" / "data").mkdir(parents=True)
    for name in ("users", "groups", "roles"):
        (folder / "ugm" / name).touch()
    ini = folder / "site.ini"
    url = database_url or f"sqlite:///{folder}/tokens.db?timeout=30"
    values = {"database_url": url, "limits": limits, "more": more}
    ini.write_text(INI.format(password=PASSWORD, zone=ZONE, **values))
    return ini


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    return folder


@pytest.fixture(scope="session")
def wsgi_app(site) -> Any:
    return pyramid.paster.get_app(str(site / "site.ini"), "main")


@pytest.fixture(autouse=True)
def _empty_tables(wsgi_app) -> Iterator[None]:
    yield
    with cone.sql.session_factory.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(delete(table))


@pytest.fixture
def settings_path(site) -> Iterator[Path]:
    """The settings file, restored after the test."""
    path = site / "tokens.json"
    content = path.read_text()
    yield path
    path.write_text(content)


@pytest.fixture
def service(wsgi_app) -> TokenService:
    return wiring.token_service()


@pytest.fixture
def make_token(service) -> Callable[..., Token]:
    """Return a function that adds a token and returns it."""

    def make(**overrides: Any) -> Token:
        return service.get(service.add(new_token(**overrides), by="someone"))

    return make


@pytest.fixture
def anonymous(wsgi_app) -> TestApp:
    return TestApp(wsgi_app)


@pytest.fixture
def app(wsgi_app) -> Callable[[str | None], TestApp]:
    """Return a function that signs in a fresh user with one role, or with none."""

    def signed_in(role: str | None) -> TestApp:
        return sign_in(TestApp(wsgi_app), make_user(role))

    return signed_in


@pytest.fixture(scope="session")
def signed_in(wsgi_app) -> Callable[[str], TestApp]:
    """Return a function that gives the client of a role, the same each time."""
    return functools.cache(lambda role: sign_in(TestApp(wsgi_app), make_user(role)))


@pytest.fixture
def editor(signed_in) -> TestApp:
    return signed_in("editor")


@pytest.fixture
def query_recorder(wsgi_app) -> QueryRecorder:
    return QueryRecorder(cone.sql.session_factory.engine)


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


def login_form(login: str) -> dict[str, str]:
    return {
        "loginform.user": login,
        "loginform.password": PASSWORD,
        "action.loginform.login": "1",
    }


@pytest.fixture
def admin(signed_in) -> TestApp:
    return signed_in("admin")


@pytest.fixture
def content(wsgi_app) -> Callable[[], dict[str, Any]]:
    """Return a function that reads all rows of all tables."""

    def read() -> dict[str, Any]:
        with cone.sql.session_factory.engine.connect() as connection:
            return {
                table.name: connection.execute(select(table).order_by(*table.primary_key)).all()
                for table in Base.metadata.sorted_tables
            }

    return read


@pytest.fixture
def patched_config(wsgi_app, monkeypatch) -> Callable[..., None]:
    """Return a function that changes what the ini file said, for the test."""

    def change(**fields: Any) -> None:
        running = wiring.plugin()
        config = dataclasses.replace(running.config, **fields)
        monkeypatch.setattr(wiring, "_running", [dataclasses.replace(running, config=config)])

    return change


@pytest.fixture
def limited(wsgi_app, monkeypatch) -> Callable[..., None]:
    """Return a function that sets limits for the test, by the names of their settings."""

    def limit(**texts: str) -> None:
        off = dict.fromkeys(DEFAULTS, "off")
        settings = {f"{PREFIX}{name}": text for name, text in {**off, **texts}.items()}
        running = dataclasses.replace(wiring.plugin(), limits=read_limits(settings))
        monkeypatch.setattr(wiring, "_running", [running])

    return limit


@pytest.fixture
def figures(wsgi_app, monkeypatch) -> Callable[..., float]:
    """Return a function that gives a figure of Prometheus by name and labels, from now on."""
    metrics = read_metrics({"cone.tokens.metrics_secret": METRICS_SECRET})
    metrics.watch_pool(cone.sql.session_factory.engine)
    running = dataclasses.replace(wiring.plugin(), metrics=metrics)
    monkeypatch.setattr(wiring, "_running", [running])

    def figure(name: str, **labels: str) -> float | None:
        return metrics._registry.get_sample_value(f"cone_tokens_{name}", labels)

    return figure


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., "Served"]]:
    """Return a function that serves a site in a process of its own."""
    with contextlib.ExitStack() as stack:

        def start(ini: Path | None = None) -> Served:
            return stack.enter_context(Served(ini or write_site(tmp_path)))

        yield start


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
) -> Response:
    """Send what no library would: bytes that are no UTF-8, in any place.

    :param path: not quoted.
    """
    request = Request.blank("/", method=method)
    request.environ["PATH_INFO"] = path.decode("latin-1")
    request.environ["QUERY_STRING"] = query.decode("latin-1")
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
    assert set(said) <= {"success", "message", "error", "error_code", "consumed"}
    return said


def assert_invalid(answer: Response, parameter: str, message: str | None = None) -> None:
    """Assert that an answer refuses a parameter and names it, without repeating what was sent."""
    said = assert_failure(answer, 400, "invalid_parameter", message)
    assert parameter in said["message"]
    assert len(said["message"]) < 200


class Served:
    """A site that pserve serves in a process of its own, on a free port."""

    def __init__(self, ini: Path) -> None:
        self.ini = ini
        self.lines: list[str] = []
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        self.launch()
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.whole_log()

    def whole_log(self) -> str:
        """End the process; return all that it said."""
        self.process.terminate()
        self._join()
        return self.log

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process and return at once."""
        self.port = 0
        self._is_decided = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pyramid.scripts.pserve", str(self.ini), "http_port=0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Wait until the process serves."""
        assert self._is_decided.wait(60)
        assert self.port, self.log

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self._join()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def connect(self) -> "Client":
        client = Client(self.port)
        self._clients.append(client)
        return client

    def sign_in(self, login: str = "admin") -> "Client":
        """Return a client that is signed in."""
        client = self.connect()
        form = login_form(login)
        assert client.post("/login", form).status == http.HTTPStatus.FOUND
        return client

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            found = re.search(r"Serving on http://127.0.0.1:([0-9]+)", line)
            if found:
                self.port = int(found[1])
                self._is_decided.set()
        self._is_decided.set()

    def hang_up(self) -> None:
        """Close all connections: the server takes a hundred."""
        while self._clients:
            self._clients.pop().connection.close()

    def _join(self) -> None:
        self.hang_up()
        self.process.wait(30)
        self._reader.join(30)
        self.process.stderr.close()


@contextlib.contextmanager
def serve_twice(ini: Path) -> Iterator[list[Served]]:
    """Serve a site in two processes."""
    with contextlib.ExitStack() as stack:
        both = [Served(ini), Served(ini)]
        for served in both:
            served.launch()
            stack.push(served)
        for served in both:
            served.wait()
        yield both


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that is kept alive, with the cookie of who signed in over it."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers: dict[str, str] = {}

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        return self._send("GET", f"{path}?{urlencode(parameters or {})}", None, {})

    def post(self, path: str, form: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """Send a form; ``headers`` are named as Python names are."""
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        more["Content-Type"] = "application/x-www-form-urlencoded"
        return self._send("POST", path, urlencode(form or {}), more)

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        self.connection.request(method, path, body, {**self.headers, **headers})
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.headers["Cookie"] = cookie.partition(";")[0]
        return answer
