"""The races of tests/support/races.py again and again, in a large table."""

import functools
from collections.abc import Iterator

import pytest

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.service import on_engine
from tests.proof.conftest import ROUNDS
from tests.proof.conftest import TOKENS
from tests.support.courses import served_course
from tests.support.races import CALLERS
from tests.support.races import RACES
from tests.support.races import Course
from tests.support.races import Crew
from tests.support.races import ProcessCrew
from tests.support.races import ThreadCrew
from tests.support.races import ask_service
from tests.support.races import core_service

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module", params=["threads", "processes", "served processes"])
def course(request, filled, tmp_path_factory) -> Iterator[Course]:
    service = on_engine(filled)
    if request.param == "threads":
        crew: Crew = ThreadCrew([functools.partial(ask_service, service)] * CALLERS)
        yield Course(filled, service, crew)
    elif request.param == "processes":
        with ProcessCrew() as processes:
            url = filled.url.render_as_string(hide_password=False)
            processes.work_with(functools.partial(core_service, url))
            yield Course(filled, service, processes)
    else:
        with served_course(tmp_path_factory.mktemp("site"), filled) as served:
            yield served


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_race_when_it_is_run_often_in_a_large_table_then_it_is_won_each_time(course, race):
    for _round in range(ROUNDS):
        race(course)


def test_verify_when_the_races_are_over_then_nothing_is_wrong(filled):
    audit = Maintenance(Database(filled, utc_now), [TICKET]).verify()
    assert audit.findings == ()
    assert audit.counts.tokens >= TOKENS
