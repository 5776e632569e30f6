"""How much of a process long work may take."""

import pytest

from cone.tokens.core.errors import Busy
from cone.tokens.core.places import Places


def test_work_when_all_places_are_taken_then_busy_until_one_is_free():
    places = Places(2)
    with places.work():
        with places.work(), pytest.raises(Busy), places.work():
            pass
        with places.work():
            pass


def test_place_when_the_work_fails_then_it_is_free_again():
    places = Places(1)
    with pytest.raises(ZeroDivisionError), places.work():
        _ = 1 / 0
    with places.work():
        pass


@pytest.mark.parametrize(
    ("count", "taken", "waiting"), [(2, 0, 2), (2, 1, 2), (2, 2, 1), (1, 1, 1)]
)
def test_waiting_when_places_are_taken_then_one_thread_of_twice_as_many_stays_free(
    count, taken, waiting
):
    places = Places(count)
    places._taken = taken
    assert places.for_waiting == waiting
