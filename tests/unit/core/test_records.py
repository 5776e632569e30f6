import datetime

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import StatementError

from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import UidTaken
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.service import on_engine
from tests.support.factories import new_token


@pytest.fixture
def service(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'tokens.db'}")
    prepare(engine)
    service = on_engine(engine)
    yield service
    engine.dispose()


def test_utc_now_when_asked_then_it_is_aware_and_in_utc():
    assert utc_now().tzinfo is datetime.UTC


def test_time_when_naive_then_it_does_not_get_into_the_database(service):
    naive = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - what must not happen
    # SQLAlchemy tells it in an error of its own, rows that are made ready for SQLite do not.
    with pytest.raises((StatementError, ValueError), match="naive"):
        service.add(new_token(valid_from=naive), by=None)


def test_uid_when_there_already_then_it_is_taken_and_the_value_is_not(service, monkeypatch):
    uid = service.add(new_token(), by=None)
    monkeypatch.setattr("uuid.uuid4", lambda: uid)
    with pytest.raises(UidTaken, match="Given uid"):
        service.add(new_token(value="x"), by=None)
