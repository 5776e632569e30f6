"""What the tests of crashes hold the database against: it notices what is lost or there twice."""

import dataclasses
import shutil

import pytest
from sqlalchemy import text

from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.service import on_engine
from tests.support.courses import open_database
from tests.support.ledger import Ledger
from tests.support.ledger import complaints
from tests.support.ledger import count_twice
from tests.support.races import Answer
from tests.support.races import Call
from tests.support.races import ask_service
from tests.support.visits import PLENTY
from tests.support.visits import Stock
from tests.support.visits import Visitor

VISITORS = 2
#: Calls of each visitor: all that a visitor asks for, and more.
CALLS = 20
USE_OF_ANOTHER = """
UPDATE token_usage SET token_uid = (SELECT max(uid) FROM tokens)
WHERE token_uid <> (SELECT max(uid) FROM tokens) AND error_code IS NULL
"""
UNDO_AGAIN = """
INSERT INTO token_events (uid, token_uid, action, timestamp, new_values, version)
SELECT '00000000000040008000000000000000', token_uid, action, timestamp, new_values, 10000
FROM token_events WHERE action = 'undo' LIMIT 1
"""
USE_AGAIN = """
INSERT INTO token_usage (uid, token_uid, token_value, timestamp, usage_count, version)
SELECT '00000000000040008000000000000000', token_uid, token_value, timestamp, 0, 10000
FROM token_usage LIMIT 1
"""


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """The file of a database, its tokens after visits, and what the visitors were told."""
    path, ledger = tmp_path_factory.mktemp("visits") / "tokens.db", Ledger()
    with open_database(f"sqlite:///{path}") as engine:
        prepare(engine)
        service = on_engine(engine)
        stock = Stock.added(service, [3, PLENTY, -1], VISITORS)
        for number in range(VISITORS):
            calls = Visitor(number, stock).calls()
            call = next(calls)
            for _turn in range(CALLS):
                ledger.enter(call, ask_service(service, call))
                call = calls.send(ledger.answers[call])
    return path, stock, ledger


@pytest.fixture
def visited(visits, tmp_path):
    """A copy of that database, and the rest."""
    path, stock, ledger = visits
    shutil.copy(path, tmp_path)
    with open_database(f"sqlite:///{tmp_path}/{path.name}") as engine:
        yield engine, stock, dataclasses.replace(ledger, answers=dict(ledger.answers))


def test_complaints_when_nothing_is_wrong_then_there_are_none(visited):
    _engine, _stock, ledger = visited
    assert complaints(*visited) == []
    assert count_twice(*visited) == 0
    assert "usage_count_exceeded" in {answer.error for answer in ledger.answers.values()}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("DELETE FROM token_usage WHERE error_code IS NOT NULL", "acknowledged and lost: refusal "),
        ("DELETE FROM token_usage WHERE override IS NOT NULL", "acknowledged and lost: "),
        (USE_OF_ANOTHER, "acknowledged and lost: "),
        ("DELETE FROM token_events WHERE action = 'undo'", "acknowledged and lost: undo of "),
        (
            "UPDATE token_usage SET undone_at = NULL WHERE undone_at IS NOT NULL",
            "acknowledged and lost: undo of ",
        ),
        ("UPDATE token_usage SET uses = 1 WHERE uses = 2", "told otherwise: uses of "),
        ("UPDATE token_usage SET usage_count = usage_count + 1", "told otherwise: uses left of "),
        (
            "UPDATE token_usage SET direction = 'in' WHERE direction = 'out'",
            "told otherwise: manner of ",
        ),
        ("UPDATE token_usage SET override = NULL", "told otherwise: manner of "),
        ("UPDATE token_usage SET checkpoint = 'Bar'", "told otherwise: manner of "),
        (
            "UPDATE token_usage SET error_code = NULL WHERE error_code IS NOT NULL",
            "told otherwise: error of ",
        ),
        (UNDO_AGAIN, "taken back twice: "),
        (USE_AGAIN, "keys and log disagree"),
    ],
)
def test_complaints_when_the_database_is_damaged_then_they_tell(visited, damage, complaint):
    engine, *_rest = visited
    with engine.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    found = complaints(*visited)
    assert [said for said in found if said.startswith(complaint)], found


@pytest.mark.parametrize("damage", [UNDO_AGAIN, USE_AGAIN])
def test_count_when_something_is_there_twice_then_it_is_counted(visited, damage):
    engine, *_rest = visited
    with engine.begin() as connection:
        connection.execute(text(damage))
    assert count_twice(*visited) == 1


@pytest.mark.parametrize(
    ("error", "complaint"),
    [("already_inside", "left outside and found inside: "), ("not_found", "unexpected: ")],
)
def test_complaints_when_somebody_was_told_nonsense_then_they_tell(visited, error, complaint):
    _engine, stock, ledger = visited
    call = Call(use_case="consume", uid=stock.own[0], key="new", direction="in")
    ledger.enter(call, Answer(error=error))
    found = complaints(*visited)
    assert [said for said in found if said.startswith(complaint)], found
