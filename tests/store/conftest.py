"""A service on each database, on empty tables."""

import pytest
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import delete

from cone.tokens.core.records import Base
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from tests.conftest import QueryRecorder


@pytest.fixture(scope="session")
def made_tables(engine) -> Engine:
    prepare(engine)
    return engine


@pytest.fixture
def service(made_tables) -> TicketService:
    with made_tables.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(delete(table))
    return on_engine(made_tables)


@pytest.fixture
def empty_database(request, tmp_path, database_url):
    """An engine on a database without tables."""
    if database_url.startswith("sqlite"):
        file = tmp_path / "empty.db"
        file.touch()
        url = f"sqlite:///{file}?timeout=0.1"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    engine = create_engine(url, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def query_recorder(made_tables) -> QueryRecorder:
    return QueryRecorder(made_tables)
