"""The lifecycle rule: when a token may be consumed, and why not.

Each rule stands here once, in Python and in SQL on adjacent lines. Nothing else in the project
compares a time of a token with a clock. The first rule that fails is the reason given
(contract 4: enabled, uses left, lock time, window).

Both edges of the window belong to it: a token is consumable at ``valid_from`` and at
``valid_to``, and refused one microsecond before and after. (RFC 7519 ``exp`` differs.)
It is consumable again at ``locked_until``.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Protocol

from sqlalchemy import ColumnElement
from sqlalchemy import and_
from sqlalchemy import not_
from sqlalchemy import or_

from cone.tokens.core.errors import Denial
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.types import Status

#: The current time as SQL: a bound value, or the clock of the database.
SqlTime = ColumnElement[Any]


class Consumable(Protocol):
    """What the rules ask of a token."""

    @property
    def enabled(self) -> bool: ...  # noqa: D102 - as those of Token
    @property
    def usage_count(self) -> int: ...  # noqa: D102
    @property
    def locked_until(self) -> datetime.datetime | None: ...  # noqa: D102
    @property
    def valid_from(self) -> datetime.datetime | None: ...  # noqa: D102
    @property
    def valid_to(self) -> datetime.datetime | None: ...  # noqa: D102


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One condition of a consumption in both its forms, and what its failure means."""

    status: Status
    denial: Denial
    holds: Callable[[Consumable, datetime.datetime], bool]
    clause: Callable[[SqlTime], ColumnElement[bool]]


RULES = (
    Rule(
        Status.DISABLED,
        Denial.TOKEN_DISABLED,
        lambda token, _now: token.enabled,
        lambda _now: TokenRecord.enabled.is_(True),
    ),
    Rule(
        Status.EXHAUSTED,
        Denial.USAGE_COUNT_EXCEEDED,
        lambda token, _now: token.usage_count != 0,
        lambda _now: TokenRecord.usage_count != 0,
    ),
    Rule(
        Status.LOCKED,
        Denial.TOKEN_LOCKED,
        lambda token, now: token.locked_until is None or token.locked_until <= now,
        lambda now: or_(TokenRecord.locked_until.is_(None), TokenRecord.locked_until <= now),
    ),
    Rule(
        Status.NOT_YET_VALID,
        Denial.OUT_OF_TIME_RANGE,
        lambda token, now: token.valid_from is None or token.valid_from <= now,
        lambda now: or_(TokenRecord.valid_from.is_(None), TokenRecord.valid_from <= now),
    ),
    Rule(
        Status.EXPIRED,
        Denial.OUT_OF_TIME_RANGE,
        lambda token, now: token.valid_to is None or token.valid_to >= now,
        lambda now: or_(TokenRecord.valid_to.is_(None), TokenRecord.valid_to >= now),
    ),
)


def failing_rules(token: Consumable, now: datetime.datetime) -> Iterator[Rule]:
    """Return the rules that forbid to consume ``token`` at ``now``."""
    return (rule for rule in RULES if not rule.holds(token, now))


def failing_rule(token: Consumable, now: datetime.datetime) -> Rule | None:
    """Return the first rule that forbids to consume ``token`` at ``now``."""
    return next(failing_rules(token, now), None)


def denial(token: Consumable, now: datetime.datetime) -> Denial | None:
    """Return why ``token`` may not be consumed at ``now``; None where it may."""
    rule = failing_rule(token, now)
    return rule.denial if rule else None


def status(token: Consumable, now: datetime.datetime) -> Status:
    """Return what ``token`` can do at ``now``."""
    rule = failing_rule(token, now)
    return rule.status if rule else Status.CONSUMABLE


def consumable(now: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens that may be consumed at ``now``."""
    return and_(*(rule.clause(now) for rule in RULES))


def has_status(sought: Status, now: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose status is ``sought`` at ``now``."""
    clauses: list[ColumnElement[bool]] = []
    for rule in RULES:
        if rule.status is sought:
            # Fewest have this one, and SQLite looks at conditions in the order given.
            return and_(not_(rule.clause(now)), *clauses)
        clauses.append(rule.clause(now))
    return and_(*clauses)


def has_expired(time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose window has ended before ``time``."""
    (rule,) = (rule for rule in RULES if rule.status is Status.EXPIRED)
    return not_(rule.clause(time))


def was_used_up(time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose last use was taken before ``time``.

    Not those that are issued without uses, to be given some later.
    """
    (rule,) = (rule for rule in RULES if rule.status is Status.EXHAUSTED)
    rests_since = (TokenRecord.last_used < time, TokenRecord.modified < time)
    return and_(not_(rule.clause(time)), *rests_since)


def is_in_window(time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose window has ``time`` in it."""
    edges = (rule for rule in RULES if rule.denial is Denial.OUT_OF_TIME_RANGE)
    return and_(*(rule.clause(time) for rule in edges))
