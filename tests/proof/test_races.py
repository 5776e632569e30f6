"""The races of tests/races.py again and again, in a large table."""

import functools
from collections.abc import Iterator

import pytest

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.service import on_engine
from tests.functional.courses import served_course
from tests.proof.conftest import ROUNDS
from tests.proof.conftest import TOKENS
from tests.races import CALLERS
from tests.races import RACES
from tests.races import Course
from tests.races import Crew
from tests.races import ProcessCrew
from tests.races import ThreadCrew
from tests.races import ask_service
from tests.races import core_service

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
    audit = Maintenance(Database(filled, utc_now)).verify()
    assert audit.findings == ()
    assert audit.counts.tokens >= TOKENS
