"""Databases with a million tokens and as many usages; ``CONE_TOKENS_PROOF`` takes another number.

What is here takes minutes and is run by ``pytest -m proof``.
"""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from bench.filling import fill
from bench.filling import fill_histories
from cone.tokens.migrations.schema import prepare
from tests.support.courses import open_database

TOKENS = int(os.environ.get("CONE_TOKENS_PROOF", "1000000"))
ROUNDS = 20


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory) -> Iterator[Engine]:
    """An engine on a full database of each kind."""
    url = f"sqlite:///{tmp_path_factory.mktemp('proof')}/tokens.db?timeout=60"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    with open_database(url) as engine:
        prepare(engine)
        fill(engine, TOKENS)
        fill_histories(engine, 1)
        yield engine
