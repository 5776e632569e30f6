import threading
import time

import pytest

from cone.tokens.core.errors import Unavailable
from cone.tokens.host.health import Health


class Pings:
    """Counts pings, and lets them hang or fail."""

    def __init__(self):
        self.count = 0
        self.free = threading.Event()
        self.free.set()
        self.error = None

    def __call__(self):
        self.count += 1
        self.free.wait(30)
        if self.error:
            raise self.error


@pytest.fixture
def pings():
    pings = Pings()
    yield pings
    pings.free.set()


def test_health_when_the_database_answers_then_one_ping_serves_a_second(pings):
    health = Health(pings)
    assert all(health.database_answers() for _ in range(1_000))
    assert pings.count == 1


def test_health_when_the_answer_is_old_then_it_is_asked_again(pings):
    health = Health(pings, fresh_s=0)
    assert health.database_answers()
    pings.error = Unavailable()
    assert not health.database_answers()
    pings.error = None
    assert health.database_answers()
    assert pings.count == 3


def test_health_when_the_database_hangs_then_it_is_away_and_one_ping_waits(pings):
    health = Health(pings, patience_s=0.1, fresh_s=0)
    pings.free.clear()
    start = time.perf_counter()
    assert not any(health.database_answers() for _ in range(100))
    assert time.perf_counter() - start < 5
    assert pings.count == 1
    pings.free.set()
    while not health.database_answers():
        pass
    assert pings.count <= 2


def test_health_when_many_ask_at_once_then_one_ping_answers_them(pings):
    health = Health(pings, patience_s=30)
    pings.free.clear()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(health.database_answers())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    pings.free.set()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert pings.count == 1
