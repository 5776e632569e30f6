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
from sqlalchemy import Integer
from sqlalchemy import SQLColumnExpression
from sqlalchemy import and_
from sqlalchemy import case
from sqlalchemy import false
from sqlalchemy import literal
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import or_
from sqlalchemy import true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from cone.tokens.core.dialects import seconds_after
from cone.tokens.core.errors import Denial
from cone.tokens.core.manner import ENTRY
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import LAST_LOCKING
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MAX_INTEGER
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
    """One condition of a consumption in both its forms, and what its failure means.

    :ivar status: None: it is asked of some manners of use alone, and no state of the token.
    """

    status: Status | None
    denial: Denial
    holds: Callable[[Any, datetime.datetime, Manner], bool]
    clause: Callable[[Columns, SqlTime, Manner], ColumnElement[bool]]


#: States that a token does not leave by itself.
LASTING: Final = (Status.DISABLED, Status.EXHAUSTED, Status.EXPIRED)


class Rules(tuple[Rule, ...]):
    """The rules of a kind, in the order in which they are asked."""

    __slots__ = ()

    def failing(
        self, token: Consumable, now: datetime.datetime, manner: Manner = PLAIN
    ) -> Iterator[Rule]:
        """Return the rules that forbid to consume ``token`` at ``now``."""
        return (rule for rule in self if not rule.holds(token, now, manner))

    def denial(
        self, token: Consumable, now: datetime.datetime, manner: Manner = PLAIN
    ) -> Denial | None:
        """Return why ``token`` may not be consumed at ``now``; None where it may."""
        rule = next(self.failing(token, now, manner), None)
        return rule.denial if rule else None

    def status(self, token: Consumable, now: datetime.datetime) -> Status:
        """Return the status of ``token`` at ``now``."""
        found = (rule.status for rule in self.failing(token, now, ENTRY))
        return next(filter(None, found), Status.CONSUMABLE)

    def lasting(self, token: Consumable, now: datetime.datetime) -> list[Status]:
        """Return why ``token`` cannot be consumed until somebody changes it: time will not help."""
        found = (rule.status for rule in self.failing(token, now, ENTRY))
        return [status for status in found if status in LASTING]

    def count_lasting(self, tokens: Iterable[Consumable], now: datetime.datetime) -> dict[str, int]:
        """Return the number of ``tokens`` that are :meth:`lasting`, by status."""
        found = (status.value for token in tokens for status in self.lasting(token, now))
        return dict(Counter(found))

    def consumable(
        self, columns: Columns, now: SqlTime, manner: Manner = PLAIN
    ) -> ColumnElement[bool]:
        """Return the condition that selects the tokens that may be consumed at ``now``."""
        return and_(*(rule.clause(columns, now, manner) for rule in self))

    def code(self, columns: Columns, now: SqlTime, manner: Manner = PLAIN) -> ColumnElement[Any]:
        """Return the code of :meth:`denial` as SQL; NULL where there is none."""
        clauses = ((rule.clause(columns, now, manner), rule.denial.code) for rule in self)
        # A rule that does not bind this manner is not asked.
        asked = ((not_(clause), code) for clause, code in clauses if clause is not true())
        return case(*((fails, literal(code, Integer)) for fails, code in asked), else_=null())

    def has_status(self, columns: Columns, sought: Status, now: SqlTime) -> ColumnElement[bool]:
        """Return the condition that selects the tokens whose status is ``sought`` at ``now``."""
        clauses: list[ColumnElement[bool]] = []
        for rule in self:
            if rule.status is None:
                continue
            if rule.status is sought:
                # Fewest have this one, and SQLite looks at conditions in the order given.
                return and_(not_(rule.clause(columns, now, ENTRY)), *clauses)
            clauses.append(rule.clause(columns, now, ENTRY))
        return and_(*clauses)

    def has_expired(self, columns: Columns, time: SqlTime) -> ColumnElement[bool]:
        """Return the condition that selects the tokens whose window has ended before ``time``."""
        (rule,) = (rule for rule in self if rule.status is Status.EXPIRED)
        return not_(rule.clause(columns, time, PLAIN))

    def was_used_up(self, columns: Columns, time: SqlTime) -> ColumnElement[bool]:
        """Return the condition that selects the tokens whose last use was before ``time``.

        Not those that are issued without uses, to be given some later.
        """
        (rule,) = (rule for rule in self if rule.status is Status.EXHAUSTED)
        rests_since = (columns.last_used < time, columns.modified < time)
        # Who is inside still goes out, and comes in again.
        stays = (columns[name] for name in PRESENCE if name in columns)
        is_nowhere = (or_(until.is_(None), until < time) for until in stays)
        return and_(not_(rule.clause(columns, time, PLAIN)), *rests_since, *is_nowhere)

    def is_in_window(self, columns: Columns, time: SqlTime) -> ColumnElement[bool]:
        """Return the condition that selects the tokens whose window has ``time`` in it."""
        edges = (rule for rule in self if rule.denial is Denial.OUT_OF_TIME_RANGE)
        return and_(*(rule.clause(columns, time, PLAIN) for rule in edges))


ENABLED: Final = Rule(
    Status.DISABLED,
    Denial.TOKEN_DISABLED,
    lambda token, _now, _manner: token.enabled,
    lambda columns, _now, _manner: columns.enabled.is_(True),
)
USES_LEFT: Final = Rule(
    Status.EXHAUSTED,
    Denial.USAGE_COUNT_EXCEEDED,
    lambda token, _now, _manner: token.usage_count != 0,
    lambda columns, _now, _manner: columns.usage_count != 0,
)
LOCK: Final = Rule(
    Status.LOCKED,
    Denial.TOKEN_LOCKED,
    lambda token, now, _manner: token.locked_until is None or token.locked_until <= now,
    lambda columns, now, _manner: or_(columns.locked_until.is_(None), columns.locked_until <= now),
)
BEGINNING: Final = Rule(
    Status.NOT_YET_VALID,
    Denial.OUT_OF_TIME_RANGE,
    lambda token, now, _manner: token.valid_from is None or token.valid_from <= now,
    lambda columns, now, _manner: or_(columns.valid_from.is_(None), columns.valid_from <= now),
)
END: Final = Rule(
    Status.EXPIRED,
    Denial.OUT_OF_TIME_RANGE,
    lambda token, now, _manner: token.valid_to is None or token.valid_to >= now,
    lambda columns, now, _manner: or_(columns.valid_to.is_(None), columns.valid_to >= now),
)

#: The rules of every kind; some have others among them.
RULES: Final = Rules((ENABLED, USES_LEFT, LOCK, BEGINNING, END))


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
    value: Callable[[Any, datetime.datetime, Manner], object]
    expression: Callable[[Columns, SqlTime, Manner], ColumnElement[Any]]


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


#: What a use of every kind does; some do other things.
USE: Final = (
    Effect(
        "usage_count",
        lambda token, _now, _manner: token.usage_count - (token.usage_count > 0),
        lambda columns, _now, _manner: case(
            (columns.usage_count > 0, columns.usage_count - 1),
            else_=columns.usage_count,
        ),
    ),
    Effect(
        "last_used",
        lambda _token, now, _manner: now,
        lambda _columns, now, _manner: now,
    ),
    Effect(
        "locked_until",
        lambda token, now, _manner: locked_until(now, token.lock_time),
        lambda columns, now, _manner: locked_until_clause(now, columns.lock_time),
    ),
)


def unless(
    condition: ColumnElement[bool], stays: ColumnElement[Any], changed: ColumnElement[Any]
) -> ColumnElement[Any]:
    """Return what becomes of a column that only stays as it is under a condition."""
    if condition is true():
        return stays
    return changed if condition is false() else case((condition, stays), else_=changed)


def always_takes(_columns: Columns, _now: SqlTime, _manner: Manner) -> ColumnElement[bool]:
    """Return the condition under which a use takes none: there is no such use."""
    return false()


def after_use(
    token: Usable,
    now: datetime.datetime,
    effects: Iterable[Effect] = USE,
    manner: Manner = PLAIN,
) -> dict[str, Any]:
    """Return the columns of ``token`` that a use at ``now`` changes, with their new values.

    :param effects: what a use does to a token of its kind.
    """
    return {effect.column: effect.value(token, now, manner) for effect in effects}


def after_undo(usage_count: int, uses: int) -> int:
    """Return the uses left of a token when a use is taken back that took so many."""
    return usage_count if usage_count < 0 else min(usage_count + uses, MAX_INTEGER)


def use_expressions(
    columns: Columns,
    now: SqlTime,
    effects: Iterable[Effect] = USE,
    manner: Manner = PLAIN,
) -> dict[str, ColumnElement[Any]]:
    """Return :func:`after_use` as SQL, without the columns that this manner leaves as they are."""
    made = ((effect.column, effect.expression(columns, now, manner)) for effect in effects)
    return {name: expression for name, expression in made if expression is not columns[name]}
