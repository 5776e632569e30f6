"""A service at the end of a line to PostgreSQL that can be cut."""

import shutil
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from cone.tokens.core.retry import Patience
from cone.tokens.migrations import schema
from cone.tokens.tickets.service import on_engine
from tests.support.lines import Line
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def server(request):
    """A server whose settings are ours to change."""
    request.getfixturevalue("postgres_server")  # which knows what to do where there is none
    with PostgresServer() as server:
        yield server


@pytest.fixture
def url(server):
    return server.create_database()


@pytest.fixture
def line():
    """A function that leads a line to a database."""
    folder = Path(tempfile.mkdtemp(prefix="line-"))
    lines = []

    def lead(url: str) -> Line:
        lines.append(Line(folder, url).__enter__())
        return lines[0]

    yield lead
    for one in lines:
        one.__exit__()
    shutil.rmtree(folder)


@pytest.fixture
def open_engine():
    """A function that opens an engine, which is closed at the end."""
    engines = []

    def open_one(url: str, **more):
        engines.append(create_engine(url, **more))
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(url, open_engine):
    """An engine on the database itself, with its tables."""
    engine = open_engine(url)
    schema.prepare(engine)
    return engine


@pytest.fixture
def calm(engine):
    """The service on the database itself."""
    return on_engine(engine)


@pytest.fixture
def wire(url, engine, line):
    return line(url)


@pytest.fixture
def service(wire, open_engine):
    """The service at the end of a line that can be cut."""
    return on_engine(open_engine(wire.url), patience=Patience(8))
