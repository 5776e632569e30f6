"""A service on each database, on empty tables."""

import pytest
from sqlalchemy import Engine
from sqlalchemy import delete

from cone.tokens.core.records import Base
from cone.tokens.core.service import TokenService
from cone.tokens.core.service import on_engine
from tests.conftest import QueryRecorder


@pytest.fixture(scope="session")
def made_tables(engine) -> Engine:
    on_engine(engine).make_tables()
    return engine


@pytest.fixture
def service(made_tables) -> TokenService:
    with made_tables.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(delete(table))
    return on_engine(made_tables)


@pytest.fixture
def query_recorder(made_tables) -> QueryRecorder:
    return QueryRecorder(made_tables)
