"""Whose turn it is to write: order, urgency, and an end of each wait."""

import threading
import time

import pytest

from cone.tokens.core import turns as module
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.places import Places
from cone.tokens.core.turns import Turns

PROMPT_S = 0.4


class Writers:
    """Threads that write, in the order in which they got their turns."""

    def __init__(self, turns):
        self.turns = turns
        self.done = []
        self.refused = []
        self.interrupted = []
        self.may_end = threading.Event()
        self._threads = []

    def begin(self, name, *, is_urgent=False, holds=False):
        """Start a writer, and wait until it stands in line or works."""
        before = list(self.turns._line)
        has_begun = threading.Event()

        def write():
            start = time.monotonic()
            try:
                with self.turns.turn(is_urgent=is_urgent) as turn:
                    self.turns.begin(turn)
                    self.done.append(name)
                    has_begun.set()
                    if holds:
                        assert self.may_end.wait(20)
            except Unavailable:
                self.refused.append((name, time.monotonic() - start))
            except KeyboardInterrupt:
                self.interrupted.append(name)

        thread = threading.Thread(target=write)
        self._threads.append(thread)
        thread.start()
        while not has_begun.is_set() and thread.is_alive():
            if any(turn not in before for turn in list(self.turns._line)):
                return
            time.sleep(0.001)

    def end(self):
        self.may_end.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def writers():
    writers = Writers(Turns())
    writers.turns.places = Places(20)
    yield writers
    writers.end()


def test_writers_when_one_works_then_the_others_follow_in_the_order_in_which_they_came(writers):
    writers.begin("first", holds=True)
    for number in range(8):
        writers.begin(number)
    writers.end()
    assert writers.done == ["first", *range(8)]


def test_writer_when_it_is_urgent_then_it_comes_before_those_that_are_not(writers):
    writers.begin("first", holds=True)
    for number in range(3):
        writers.begin(number)
    writers.begin("door", is_urgent=True)
    writers.end()
    assert writers.done == ["first", "door", 0, 1, 2]


def test_writer_when_urgent_ones_keep_coming_then_it_is_not_passed_over_for_ever(
    writers, monkeypatch
):
    writers.begin("first", holds=True)
    writers.begin("editor")
    # As if the urgent one came that much later.
    monkeypatch.setattr(module, "LONG_S", 10.0)
    now = time.monotonic
    writers.turns._now = lambda: now() + 2.1
    writers.begin("door", is_urgent=True)
    writers.end()
    assert writers.done == ["first", "editor", "door"]


def test_writer_when_the_time_is_over_then_unavailable_and_the_next_one_gets_it(
    writers, monkeypatch
):
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.2)
    writers.begin("first", holds=True)
    writers.begin("late")
    while not writers.refused:
        time.sleep(0.01)
    monkeypatch.undo()
    writers.begin("next")
    writers.end()
    assert writers.done == ["first", "next"]
    ((name, seconds),) = writers.refused
    assert name == "late"
    assert seconds >= 0.2


def test_writers_when_nothing_moves_then_no_more_wait_than_there_are_places(writers, monkeypatch):
    monkeypatch.setattr(module, "STUCK_S", 0.5)
    writers.turns.places = Places(2)
    writers.begin("first", holds=True)
    for number in range(4):
        writers.begin(number)
    while len(writers.refused) < 2:
        time.sleep(0.01)
    # Who comes now does not wait at all.
    writers.begin("new")
    names = [name for name, _seconds in writers.refused]
    assert sorted(names[:2]) == [2, 3]
    assert names[2] == "new"
    assert writers.refused[2][1] < PROMPT_S
    # One that is urgent takes the place of one that is not.
    writers.begin("door", is_urgent=True)
    while len(writers.refused) < 4:
        time.sleep(0.01)
    writers.end()
    assert writers.done == ["first", "door", 0], writers.refused


def test_writers_when_the_turn_moves_then_as_many_wait_as_come(writers):
    writers.turns.places = Places(1)
    for number in range(20):
        writers.begin(number)
    writers.end()
    assert writers.done == list(range(20))


def test_writer_when_one_of_its_like_took_long_then_it_rests_and_an_urgent_one_does_not(
    writers, monkeypatch
):
    monkeypatch.setattr(module, "LONG_S", 0.0)
    writers.begin("first", holds=True)
    time.sleep(0.1)
    writers.begin("editor")
    start = time.monotonic()
    writers.may_end.set()
    while "first" not in writers.done or writers.turns._current:
        time.sleep(0.001)
    writers.begin("door", is_urgent=True)
    writers.end()
    assert writers.done == ["first", "door", "editor"]
    assert time.monotonic() - start >= 0.1


class InterruptedTurns(Turns):
    """Turns of which the first that is waited for comes at the very moment of an interrupt."""

    is_to_come = True

    def _has_come(self, turn, signal):
        has_come = super()._has_come(turn, signal)
        if has_come and self.is_to_come:
            self.is_to_come = False
            raise KeyboardInterrupt
        return has_come


def test_writer_when_it_is_interrupted_as_its_turn_comes_then_the_next_one_gets_it():
    writers = Writers(InterruptedTurns())
    writers.begin("first", holds=True)
    writers.begin("interrupted")
    writers.begin("next")
    writers.end()
    assert writers.done == ["first", "next"]
    assert (writers.interrupted, writers.refused) == (["interrupted"], [])


def test_turn_when_its_lock_does_not_come_then_it_counts_as_waiting():
    turns = Turns()
    turns.places = Places(1)
    turns._now = lambda: 0.0
    with turns.turn(is_urgent=True) as turn:
        assert turns.seconds_left(turn) == pytest.approx(module.LONGEST_WAIT_S)
        turns._now = lambda: 1.0
        with pytest.raises(Unavailable), turns.turn(is_urgent=True):
            pass
        assert turns.seconds_left(turn) == pytest.approx(module.LONGEST_WAIT_S - 1)
    with turns.turn(is_urgent=True):
        pass
