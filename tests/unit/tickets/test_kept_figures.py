"""Figures that many ask for: one reads them, for all."""

import threading

import pytest

from cone.tokens.core.errors import Unavailable
from cone.tokens.tickets.kept_figures import FRESH_S
from cone.tokens.tickets.kept_figures import KeptFigures
from cone.tokens.tickets.values import DoorFigures


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self):
        return self.now


def counting():
    """Return a function that returns other figures each time."""
    numbers = iter(range(100))
    return lambda: DoorFigures(inside=next(numbers), came=0, total=0)


def test_figures_when_they_are_fresh_then_they_are_not_read_again():
    clock = Clock()
    figures = KeptFigures(counting(), now=clock)
    said = []
    for now in (0, FRESH_S - 0.1, FRESH_S, FRESH_S + 1):
        clock.now = now
        said.append(figures.get().inside)
    assert said == [0, 0, 1, 1]


def test_figures_when_somebody_reads_them_then_others_get_those_of_before():
    clock = Clock()
    begun, gate = threading.Event(), threading.Event()
    read = counting()

    def slow():
        if clock.now:
            begun.set()
            assert gate.wait(10)
        return read()

    figures = KeptFigures(slow, now=clock)
    assert figures.get().inside == 0
    clock.now = FRESH_S
    reader = threading.Thread(target=figures.get)
    reader.start()
    assert begun.wait(10)
    assert figures.get().inside == 0
    gate.set()
    reader.join()
    assert figures.get().inside == 1


def test_figures_when_many_ask_at_first_then_one_reads_them():
    read = counting()
    figures = KeptFigures(read, now=Clock())
    said = []
    threads = [threading.Thread(target=lambda: said.append(figures.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {told.inside for told in said} == {0}


def test_figures_when_the_database_is_away_then_who_reads_hears_of_it_and_the_next_reads_again():
    answers = iter([Unavailable(), DoorFigures(inside=1, came=1, total=1)])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    figures = KeptFigures(read, now=Clock())
    with pytest.raises(Unavailable):
        figures.get()
    assert figures.get().inside == 1
