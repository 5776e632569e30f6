"""The races of tests/support/races.py through HTTP, on two served processes over one database."""

from collections.abc import Iterator

import pytest

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.tickets.kind import TICKET
from tests.support.courses import AT_ONCE
from tests.support.courses import open_database
from tests.support.courses import served_course
from tests.support.naive import Gate
from tests.support.races import RACES
from tests.support.races import Course


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request) -> str:
    return request.param


def empty_database(request, kind, folder) -> str:
    """Return the address of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/tokens.db?timeout=30"
    return request.getfixturevalue("postgres_server").create_database()


@pytest.fixture(scope="module")
def course(request, kind, tmp_path_factory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("races")
    url = empty_database(request, kind, folder)
    with open_database(url) as engine, served_course(folder, engine) as course:
        yield course


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_race_when_two_processes_serve_then_everybody_gets_what_was_promised(course, race):
    race(course)
    audit = Maintenance(Database(course.engine, utc_now), [TICKET]).verify()
    assert audit.findings == ()
    assert audit.counts.tokens + audit.counts.deleted > 0


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate(AT_ONCE) as gate:
        yield gate


@pytest.fixture(scope="module")
def naive_course(request, kind, gate, tmp_path_factory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("naive")
    url = empty_database(request, kind, folder)
    with open_database(url) as engine, served_course(folder, engine, gate) as course:
        yield course


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_race_when_the_sites_read_and_then_write_then_it_is_noticed(naive_course, gate, race):
    gate.close()
    with pytest.raises(AssertionError, match=RACES[race]):
        race(naive_course)
