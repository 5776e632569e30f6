"""Many callers at once, in threads and in processes; and proof that the races can be lost."""

import concurrent.futures
import functools
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy import create_engine

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.turns import turns_of
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token
from tests.support.naive import Gate
from tests.support.naive import NaiveService
from tests.support.naive import make_naive_tables
from tests.support.naive import naive_service
from tests.support.naive import pass_gate
from tests.support.races import CALLERS
from tests.support.races import RACES
from tests.support.races import Course
from tests.support.races import Crew
from tests.support.races import ProcessCrew
from tests.support.races import ThreadCrew
from tests.support.races import ask_service
from tests.support.races import core_service

EVERY_RACE = pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)


@pytest.fixture(scope="session")
def processes() -> Iterator[ProcessCrew]:
    with ProcessCrew() as crew:
        yield crew


@pytest.fixture(params=["threads", "processes"])
def course(request, service, engine, database_url) -> Course:
    """The core, called from threads or from processes."""
    if request.param == "threads":
        crew: Crew = ThreadCrew([functools.partial(ask_service, service)] * CALLERS)
    else:
        crew = request.getfixturevalue("processes")
        crew.work_with(functools.partial(core_service, database_url))
    return Course(engine, service, crew)


@EVERY_RACE
def test_race_when_the_database_decides_then_everybody_gets_what_was_promised(course, race):
    race(course)


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with Gate(CALLERS) as gate:
        yield gate


@pytest.fixture(scope="module")
def naive_engine(request, database_url, tmp_path_factory) -> Iterator[Engine]:
    """A database of its own, for it lacks a constraint."""
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path_factory.mktemp('naive') / 'tokens.db'}?timeout=30"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    make_naive_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["threads", "processes"])
def naive_course(request, naive_engine, gate) -> Course:
    """The naive service, called in the same ways."""
    gate.close()
    if request.param == "threads":
        naive = NaiveService(naive_engine, functools.partial(pass_gate, gate.address))
        crew: Crew = ThreadCrew([functools.partial(ask_service, naive)] * CALLERS)
    else:
        crew = request.getfixturevalue("processes")
        url = naive_engine.url.render_as_string(hide_password=False)
        crew.work_with(functools.partial(naive_service, url, gate.address))
    return Course(naive_engine, on_engine(naive_engine), crew)


@EVERY_RACE
def test_race_when_a_caller_reads_and_then_writes_then_it_is_noticed(naive_course, race):
    with pytest.raises(AssertionError, match=RACES[race]):
        race(naive_course)


def test_consumption_when_others_stand_in_line_for_sqlites_lock_then_it_is_next(
    made_tables, service
):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("rows are locked, not the database")
    turns, done = turns_of(made_tables), []
    uid = service.add(new_token(usage_count=5), by=None)
    calls = {
        "add": lambda: service.add_many(new_token(), 2_000, "", by=None),
        "update": lambda: service.update(uid, TicketChanges(lock_time=0), by=None),
        "consume": lambda: service.consume(uid, by=None),
    }

    def call(name):
        calls[name]()
        done.append(name)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        with Database(made_tables, utc_now).changing_tables():
            called = []
            for number, name in enumerate(calls, 1):
                called.append(pool.submit(call, name))
                while turns._count_waiting() < number:
                    time.sleep(0.001)
        for waited in called:
            waited.result()
    assert done[0] == "consume"
