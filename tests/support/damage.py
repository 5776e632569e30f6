"""Damage done to rows of a database, and what verify says of it."""

from sqlalchemy import Engine
from sqlalchemy import Executable

from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance


def do(engine: Engine, damage: Executable) -> None:
    """Damage one row or several."""
    with engine.begin() as connection:
        assert connection.execute(damage).rowcount != 0


def expect_found(maintenance: Maintenance, problem: Problem) -> None:
    """Expect that verify finds what damage is, and not much besides."""
    problems = maintenance.verify().problems
    assert problem in problems
    assert problems.total() <= 6


def expect_not_found(maintenance: Maintenance) -> None:
    """Expect that verify finds nothing."""
    assert maintenance.verify().findings == ()
