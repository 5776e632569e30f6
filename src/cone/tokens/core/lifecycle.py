"""The lifecycle: when a token may be consumed, why not, and what a use does to it.

Each rule stands here once, in Python and in SQL on adjacent lines, and so does what a use changes
in a row. All kinds of tokens share them: the SQL is given the columns of a kind. Nothing else in
the project compares a time of a token with a clock. The first rule that fails is the reason given
(contract 4: enabled, uses left, lock time, window).

Both edges of the window belong to it: a token is consumable at ``valid_from`` and at
``valid_to``, and refused one microsecond before and after. (RFC 7519 ``exp`` differs.)
It is consumable again at ``locked_until``.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Final
from typing import Protocol

from sqlalchemy import ColumnElement
from sqlalchemy import SQLColumnExpression
from sqlalchemy import and_
from sqlalchemy import case
from sqlalchemy import literal
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import or_
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from cone.tokens.core.dialects import seconds_after
from cone.tokens.core.errors import Denial
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import LAST_LOCKING
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import Status

#: The current time as SQL: a bound value, or the clock of the database.
SqlTime = ColumnElement[Any]

#: The columns of a table of tokens.
Columns = ReadOnlyColumnCollection[str, Any]


class Consumable(Protocol):
    """What the rules ask of a token."""

    @property
    def enabled(self) -> bool: ...  # noqa: D102 - as in its table
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
    clause: Callable[[Columns, SqlTime], ColumnElement[bool]]


RULES = (
    Rule(
        Status.DISABLED,
        Denial.TOKEN_DISABLED,
        lambda token, _now: token.enabled,
        lambda columns, _now: columns.enabled.is_(True),
    ),
    Rule(
        Status.EXHAUSTED,
        Denial.USAGE_COUNT_EXCEEDED,
        lambda token, _now: token.usage_count != 0,
        lambda columns, _now: columns.usage_count != 0,
    ),
    Rule(
        Status.LOCKED,
        Denial.TOKEN_LOCKED,
        lambda token, now: token.locked_until is None or token.locked_until <= now,
        lambda columns, now: or_(columns.locked_until.is_(None), columns.locked_until <= now),
    ),
    Rule(
        Status.NOT_YET_VALID,
        Denial.OUT_OF_TIME_RANGE,
        lambda token, now: token.valid_from is None or token.valid_from <= now,
        lambda columns, now: or_(columns.valid_from.is_(None), columns.valid_from <= now),
    ),
    Rule(
        Status.EXPIRED,
        Denial.OUT_OF_TIME_RANGE,
        lambda token, now: token.valid_to is None or token.valid_to >= now,
        lambda columns, now: or_(columns.valid_to.is_(None), columns.valid_to >= now),
    ),
)


#: Why tokens of every kind are refused; their codes may be replaced besides.
DENIALS: Final = tuple(dict.fromkeys(rule.denial for rule in RULES))


class Usable(Protocol):
    """What the effect of a use depends on."""

    @property
    def usage_count(self) -> int: ...  # noqa: D102 - as in its table
    @property
    def lock_time(self) -> int: ...  # noqa: D102


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """What a use does to one column of a token, in both its forms."""

    column: str
    value: Callable[[Usable, datetime.datetime], object]
    expression: Callable[[Columns, SqlTime], ColumnElement[Any]]


def locked_until(
    last_used: datetime.datetime | None,
    lock_time: int,
) -> datetime.datetime | None:
    """Return how long a use locks a token; None: not at all.

    :param lock_time: seconds.
    """
    if last_used is None or lock_time <= 0:
        return None
    if last_used > LAST_LOCKING:
        return MAX_INSTANT
    return last_used + datetime.timedelta(seconds=lock_time)


def locked_until_clause(
    last_used: SQLColumnExpression[Any],
    lock_time: SQLColumnExpression[int],
) -> ColumnElement[Any]:
    """Return :func:`locked_until` as SQL."""
    is_late = last_used > literal(LAST_LOCKING, UtcDateTime)
    return case(
        (lock_time <= 0, null()),
        (is_late, literal(MAX_INSTANT, UtcDateTime)),
        else_=seconds_after(last_used, lock_time),
    )


USE: Final = (
    Effect(
        "usage_count",
        lambda token, _now: token.usage_count - (token.usage_count > 0),
        lambda columns, _now: case(
            (columns.usage_count > 0, columns.usage_count - 1),
            else_=columns.usage_count,
        ),
    ),
    Effect(
        "last_used",
        lambda _token, now: now,
        lambda _columns, now: now,
    ),
    Effect(
        "locked_until",
        lambda token, now: locked_until(now, token.lock_time),
        lambda columns, now: locked_until_clause(now, columns.lock_time),
    ),
)


def after_use(
    token: Usable,
    now: datetime.datetime,
    own: Iterable[Effect] = (),
) -> dict[str, Any]:
    """Return the columns of ``token`` that a use at ``now`` changes, with their new values.

    :param own: what a use does besides to a token of its kind.
    """
    return {effect.column: effect.value(token, now) for effect in (*USE, *own)}


def use_expressions(
    columns: Columns,
    now: SqlTime,
    own: Iterable[Effect] = (),
) -> dict[str, ColumnElement[Any]]:
    """Return :func:`after_use` as SQL."""
    return {effect.column: effect.expression(columns, now) for effect in (*USE, *own)}


#: States that a token does not leave by itself.
LASTING: Final = (Status.DISABLED, Status.EXHAUSTED, Status.EXPIRED)


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
    """Return the status of ``token`` at ``now``."""
    rule = failing_rule(token, now)
    return rule.status if rule else Status.CONSUMABLE


def lasting(token: Consumable, now: datetime.datetime) -> list[Status]:
    """Return why ``token`` cannot be consumed until somebody changes it: time will not help."""
    return [rule.status for rule in failing_rules(token, now) if rule.status in LASTING]


def count_lasting(tokens: Iterable[Consumable], now: datetime.datetime) -> dict[str, int]:
    """Return the number of ``tokens`` that are :func:`lasting`, by status."""
    return dict(Counter(status.value for token in tokens for status in lasting(token, now)))


def consumable(columns: Columns, now: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens that may be consumed at ``now``."""
    return and_(*(rule.clause(columns, now) for rule in RULES))


def has_status(columns: Columns, sought: Status, now: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose status is ``sought`` at ``now``."""
    clauses: list[ColumnElement[bool]] = []
    for rule in RULES:
        if rule.status is sought:
            # Fewest have this one, and SQLite looks at conditions in the order given.
            return and_(not_(rule.clause(columns, now)), *clauses)
        clauses.append(rule.clause(columns, now))
    return and_(*clauses)


def has_expired(columns: Columns, time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose window has ended before ``time``."""
    (rule,) = (rule for rule in RULES if rule.status is Status.EXPIRED)
    return not_(rule.clause(columns, time))


def was_used_up(columns: Columns, time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose last use was taken before ``time``.

    Not those that are issued without uses, to be given some later.
    """
    (rule,) = (rule for rule in RULES if rule.status is Status.EXHAUSTED)
    rests_since = (columns.last_used < time, columns.modified < time)
    return and_(not_(rule.clause(columns, time)), *rests_since)


def is_in_window(columns: Columns, time: SqlTime) -> ColumnElement[bool]:
    """Return the condition that selects the tokens whose window has ``time`` in it."""
    edges = (rule for rule in RULES if rule.denial is Denial.OUT_OF_TIME_RANGE)
    return and_(*(rule.clause(columns, time) for rule in edges))
