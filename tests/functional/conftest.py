"""One application for the run: cone.app keeps its root in the process.

It is started from an ini file as sites have it, on an empty SQLite file. Other set-ups are
started in processes of their own.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cone.sql
import pyramid.paster
import pytest
from sqlalchemy import delete
from sqlalchemy import select
from sqlalchemy import update
from webtest import TestApp

from cone.tokens.core import codes
from cone.tokens.core.records import Base
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.metrics import read_metrics
from cone.tokens.host.ratelimit import DEFAULTS
from cone.tokens.host.ratelimit import PREFIX
from cone.tokens.host.ratelimit import RateLimits
from cone.tokens.host.ratelimit import read_limits
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from tests.conftest import QueryRecorder
from tests.support.asking import make_user
from tests.support.asking import sign_in
from tests.support.factories import new_token
from tests.support.served import Served
from tests.support.site import METRICS_SECRET
from tests.support.site import write_site


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
def service(wsgi_app) -> TicketService:
    return wiring.get(TicketService)


@pytest.fixture
def make_token(service) -> Callable[..., Ticket]:
    """Return a function that adds a token and returns it."""

    def make(**overrides: Any) -> Ticket:
        return service.get(service.add(new_token(**overrides), by="someone"))

    return make


@pytest.fixture
def give_old_code(make_token, service) -> Callable[..., Ticket]:
    """Return a function that adds a token with a code that 2.0 has stored, and returns it."""

    def give(code: str, **overrides: Any) -> Ticket:
        uid = make_token(**overrides).uid
        columns = {"value": code, "code_digest": codes.digest(code)}
        changed = update(TokenRecord).where(TokenRecord.uid == uid).values(columns)
        with cone.sql.session_factory.engine.begin() as connection:
            connection.execute(changed)
        return service.get(uid)

    return give


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
        config = dataclasses.replace(wiring.get(TokensConfig), **fields)
        monkeypatch.setitem(wiring._running, TokensConfig, config)

    return change


@pytest.fixture
def limited(wsgi_app, monkeypatch) -> Callable[..., None]:
    """Return a function that sets limits for the test, by the names of their settings."""

    def limit(**texts: str) -> None:
        off = dict.fromkeys(DEFAULTS, "off")
        settings = {f"{PREFIX}{name}": text for name, text in {**off, **texts}.items()}
        monkeypatch.setitem(wiring._running, RateLimits, read_limits(settings))

    return limit


@pytest.fixture
def figures(wsgi_app, monkeypatch) -> Callable[..., float]:
    """Return a function that gives a figure of Prometheus by name and labels, from now on."""
    metrics = read_metrics({"cone.tokens.metrics_secret": METRICS_SECRET})
    metrics.watch_pool(cone.sql.session_factory.engine)
    monkeypatch.setitem(wiring._running, Metrics, metrics)

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
