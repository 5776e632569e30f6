"""The rules of the door: what tickets are asked for, and what their uses do (decision 0030).

Each rule and each effect stands here once, in Python and in SQL on adjacent lines, as those of all
kinds in :mod:`cone.tokens.core.lifecycle`.

A ticket is inside from an entry until ``inside_until``, and outside from an exit until
``outside_until``: so long it comes in again without another use.
"""

from __future__ import annotations

import datetime
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import and_
from sqlalchemy import case
from sqlalchemy import false
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import or_
from sqlalchemy import true

from cone.tokens.core import lifecycle
from cone.tokens.core.dialects import is_in_list
from cone.tokens.core.errors import Denial
from cone.tokens.core.lifecycle import Columns
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.lifecycle import Rule
from cone.tokens.core.lifecycle import Rules
from cone.tokens.core.lifecycle import SqlTime
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner

#: What a ticket whose uses never end gives at once.
MOST_OF_UNLIMITED: Final = 100


def is_inside(token: Any, now: datetime.datetime) -> bool:
    """Return whether ``token`` is inside at ``now``."""
    return token.inside_until is not None and token.inside_until > now


def is_inside_clause(columns: Columns, now: SqlTime) -> ColumnElement[bool]:
    """Return :func:`is_inside` as SQL; never NULL."""
    return and_(columns.inside_until.is_not(None), columns.inside_until > now)


def is_outside(token: Any, now: datetime.datetime) -> bool:
    """Return whether ``token`` has left and may come in again."""
    return token.outside_until is not None and token.outside_until > now


def is_outside_clause(columns: Columns, now: SqlTime) -> ColumnElement[bool]:
    """Return :func:`is_outside` as SQL; never NULL."""
    return and_(columns.outside_until.is_not(None), columns.outside_until > now)


def _takes_none(token: Any, now: datetime.datetime, manner: Manner) -> bool:
    """Return whether a use of this manner takes none: an exit, or the entry after one."""
    if manner.direction is Direction.IN and manner.override is None:
        return is_outside(token, now)
    return manner.direction is Direction.OUT


def takes_none(columns: Columns, now: SqlTime, manner: Manner) -> ColumnElement[bool]:
    """Return :func:`_takes_none` as SQL; never NULL."""
    if manner.direction is Direction.IN and manner.override is None:
        return is_outside_clause(columns, now)
    return true() if manner.direction is Direction.OUT else false()


def _of_uses(rule: Rule) -> Rule:
    """Return a rule that binds no use that takes none."""
    return Rule(
        rule.status,
        rule.denial,
        lambda token, now, manner: (
            _takes_none(token, now, manner) or rule.holds(token, now, manner)
        ),
        lambda columns, now, manner: or_(
            takes_none(columns, now, manner), rule.clause(columns, now, manner)
        ),
    )


def _of_stays(rule: Rule) -> Rule:
    """Return a rule that binds no exit: nobody is kept inside."""
    return Rule(
        rule.status,
        rule.denial,
        lambda token, now, manner: (
            manner.direction is Direction.OUT or rule.holds(token, now, manner)
        ),
        lambda columns, now, manner: (
            true() if manner.direction is Direction.OUT else rule.clause(columns, now, manner)
        ),
    )


def _without_override(rule: Rule) -> Rule:
    """Return a rule that an override breaks."""
    return Rule(
        rule.status,
        rule.denial,
        lambda token, now, manner: manner.override is not None or rule.holds(token, now, manner),
        lambda columns, now, manner: (
            true() if manner.override is not None else rule.clause(columns, now, manner)
        ),
    )


CHECKPOINT: Final = Rule(
    None,
    Denial.WRONG_CHECKPOINT,
    lambda token, _now, manner: manner.categories is None or token.category in manner.categories,
    lambda columns, _now, manner: (
        true()
        if manner.categories is None
        else and_(columns.category.is_not(None), is_in_list(columns.category, manner.categories))
    ),
)
NOT_YET_INSIDE: Final = Rule(
    None,
    Denial.ALREADY_INSIDE,
    lambda token, now, manner: manner.direction is not Direction.IN or not is_inside(token, now),
    lambda columns, now, manner: (
        not_(is_inside_clause(columns, now)) if manner.direction is Direction.IN else true()
    ),
)
INSIDE: Final = Rule(
    None,
    Denial.NOT_INSIDE,
    lambda token, now, manner: manner.direction is not Direction.OUT or is_inside(token, now),
    lambda columns, now, manner: (
        is_inside_clause(columns, now) if manner.direction is Direction.OUT else true()
    ),
)
#: A plain use takes the one that :data:`~cone.tokens.core.lifecycle.USES_LEFT` has found.
ENOUGH_USES: Final = Rule(
    None,
    Denial.NOT_ENOUGH_USES,
    lambda token, _now, manner: (
        manner is PLAIN
        or token.usage_count >= manner.uses
        or (token.usage_count < 0 and manner.uses <= MOST_OF_UNLIMITED)
    ),
    lambda columns, _now, manner: (
        true()
        if manner is PLAIN
        else or_(
            columns.usage_count >= manner.uses,
            and_(columns.usage_count < 0, manner.uses <= MOST_OF_UNLIMITED),
        )
    ),
)
#: An override takes a use where one is left, and none else: it says which it means.
OVERRIDE: Final = Rule(
    None,
    Denial.NOT_ENOUGH_USES,
    lambda token, _now, manner: (
        manner.override is None or (token.usage_count != 0) == (manner.uses != 0)
    ),
    lambda columns, _now, manner: (
        true() if manner.override is None else (columns.usage_count != 0) == (manner.uses != 0)
    ),
)

#: Why tickets are refused, in this order; their codes may be replaced besides.
RULES: Final = Rules(
    (
        *map(
            _without_override,
            (
                lifecycle.ENABLED,
                CHECKPOINT,
                NOT_YET_INSIDE,
                INSIDE,
                _of_uses(lifecycle.USES_LEFT),
                _of_uses(ENOUGH_USES),
                _of_uses(lifecycle.LOCK),
                _of_stays(lifecycle.BEGINNING),
                _of_stays(lifecycle.END),
            ),
        ),
        OVERRIDE,
    )
)


#: Why tickets are refused, in this order but for the last one, which their codes are refused for.
DENIALS: Final = tuple(dict.fromkeys((*(rule.denial for rule in RULES), Denial.REPLACED)))


def _with_uses(effect: Effect) -> Effect:
    """Return an effect that a use which takes none does not have."""

    def expression(columns: Columns, now: SqlTime, manner: Manner) -> ColumnElement[Any]:
        changed = effect.expression(columns, now, manner)
        return lifecycle.unless(takes_none(columns, now, manner), columns[effect.column], changed)

    return Effect(
        effect.column,
        lambda token, now, manner: (
            getattr(token, effect.column)
            if _takes_none(token, now, manner)
            else effect.value(token, now, manner)
        ),
        expression,
    )


_COUNT: Final = Effect(
    "usage_count",
    lambda token, _now, manner: token.usage_count - (token.usage_count > 0) * manner.uses,
    lambda columns, _now, manner: case(
        (columns.usage_count > 0, columns.usage_count - manner.uses),
        else_=columns.usage_count,
    ),
)

#: What a use of a ticket does, as :data:`cone.tokens.core.lifecycle.USE`.
USE: Final = tuple(
    _with_uses(_COUNT if effect.column == _COUNT.column else effect) for effect in lifecycle.USE
)

#: Where a use leaves a ticket: inside, outside, or as it was.
PRESENCE: Final = (
    Effect(
        "inside_until",
        lambda token, _now, manner: {
            None: token.inside_until,
            Direction.IN: manner.inside_until,
            Direction.OUT: None,
        }[manner.direction],
        lambda columns, _now, manner: {
            None: columns.inside_until,
            Direction.IN: manner.inside_until,
            Direction.OUT: null(),
        }[manner.direction],
    ),
    Effect(
        "outside_until",
        lambda token, _now, manner: {
            None: token.outside_until,
            Direction.IN: None,
            Direction.OUT: token.inside_until,
        }[manner.direction],
        lambda columns, _now, manner: {
            None: columns.outside_until,
            Direction.IN: null(),
            Direction.OUT: columns.inside_until,
        }[manner.direction],
    ),
)
