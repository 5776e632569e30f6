import pytest

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.retry import NEVER
from cone.tokens.core.retry import Patience
from cone.tokens.core.retry import seconds_left


class Times:
    """A clock that only sleep moves, and that keeps what was slept."""

    def __init__(self) -> None:
        self.time = 100.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, self.now, self.sleep, lambda _least, most: most)


def raising(*errors):
    """Return work that raises each of ``errors`` in turn, and is done then."""
    left = list(errors)

    def work() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return work


@pytest.fixture
def times():
    return Times()


def test_persist_when_nothing_is_in_the_way_then_it_is_done_once(times):
    assert times.patience(10).persist(raising()) == "done"
    assert times.pauses == []


def test_persist_when_it_is_interrupted_then_the_pauses_grow_up_to_a_second(times):
    work = raising(*[Interrupted()] * 7)
    assert times.patience(10).persist(work) == "done"
    assert times.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1]


def test_persist_when_the_time_is_over_then_it_gives_up_and_no_pause_was_longer(times):
    with pytest.raises(Interrupted):
        times.patience(2).persist(raising(*[Interrupted()] * 99))
    assert sum(times.pauses) == pytest.approx(2)


def test_persist_when_there_is_no_patience_then_nothing_is_repeated():
    with pytest.raises(Interrupted):
        NEVER.persist(raising(Interrupted()))
    assert NEVER.persist(lambda: [seconds_left()]) == [None]


@pytest.mark.parametrize("error", [Unavailable(), TokenNotFound("x")])
def test_persist_when_it_is_no_interruption_then_it_is_not_repeated(times, error):
    with pytest.raises(type(error)):
        times.patience(10).persist(raising(error), lambda: pytest.fail("nothing to look for"))
    assert times.pauses == []


def test_persist_when_an_earlier_try_has_done_it_then_that_is_the_outcome(times):
    found = times.patience(10).persist(raising(Interrupted(), AssertionError()), lambda: "found")
    assert found == "found"


def test_persist_when_an_earlier_try_comes_to_its_end_in_between_then_its_outcome_counts(times):
    answers = [None, "found"]
    work = raising(Interrupted(), TokenNotFound("x"))
    assert times.patience(10).persist(work, lambda: answers.pop(0)) == "found"


def test_persist_when_a_repeat_is_wrong_then_that_is_told(times):
    with pytest.raises(TokenNotFound):
        times.patience(10).persist(raising(Interrupted(), TokenNotFound("x")), lambda: None)


def test_persist_when_a_repeat_meets_a_busy_database_then_that_is_told(times):
    with pytest.raises(Unavailable) as told:
        times.patience(10).persist(raising(Interrupted(), Unavailable()), lambda: None)
    assert not isinstance(told.value, Interrupted)


def test_persist_when_looking_for_the_outcome_is_interrupted_then_it_is_looked_for_again(times):
    found = raising(Interrupted(), Interrupted())
    assert times.patience(10).persist(raising(Interrupted()), found) == "done"
    assert len(times.pauses) == 3


def test_seconds_left_when_work_takes_time_then_they_become_fewer(times):
    def work() -> list[float | None]:
        before = seconds_left()
        times.sleep(3)
        return [before, seconds_left()]

    assert times.patience(10).persist(work) == [10, 7]
    assert seconds_left() is None
