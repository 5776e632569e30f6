"""The lifecycle rule in SQL against the rule in Python, on every edge."""

import dataclasses
import datetime
import itertools
import json
from types import SimpleNamespace

import pytest
from sqlalchemy import Integer
from sqlalchemy import Text
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import select

from cone.tokens.core import lifecycle
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import LAST_LOCKING
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.core.values import Status
from cone.tokens.tickets.door import MOST_OF_UNLIMITED
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.values import Ticket
from tests.support.factories import NOON
from tests.support.factories import make_token
from tests.support.factories import new_token as make_new

TICK = datetime.timedelta(microseconds=1)
EDGES = (None, NOON - TICK, NOON, NOON + TICK)
COMBINATIONS = tuple(
    make_token(
        enabled=enabled,
        usage_count=count,
        locked_until=locked_until,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    for enabled, count, locked_until, valid_from, valid_to in itertools.product(
        (True, False),
        (-1, 0, 1),
        EDGES,
        EDGES,
        EDGES,
    )
)


def row_of(token: Ticket) -> dict:
    """Return the row of the table that ``token`` would be read from."""
    return {name: getattr(token, name) for name in token.__slots__ if name != "read_at"}


def test_consumable_when_each_field_is_null_before_at_or_after_now_then_both_forms_agree(
    service,
    made_tables,
):
    now = literal(NOON, UtcDateTime)
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in COMBINATIONS])
        found = connection.scalars(
            select(TokenRecord.uid).where(TICKET.rules.consumable(TICKET.tokens.c, now))
        )
        by_database = set(found)
    by_python = {token.uid for token in COMBINATIONS if not TICKET.rules.denial(token, NOON)}
    assert by_database == by_python
    assert 0 < len(by_python) < len(COMBINATIONS)


AT_DOORS = tuple(
    make_token(
        enabled=enabled,
        usage_count=count,
        category=category,
        locked_until=locked_until,
        inside_until=inside_until,
        outside_until=outside_until,
        valid_to=valid_to,
    )
    for enabled, count, category, locked_until, inside_until, outside_until, valid_to in (
        itertools.product(
            (True, False),
            (-1, 0, 1, MOST_OF_UNLIMITED + 1),
            (None, "VIP", "cloakroom"),
            (None, NOON + TICK),
            EDGES,
            EDGES,
            (None, NOON - TICK),
        )
    )
)
LATER = NOON + datetime.timedelta(hours=8)
MANNERS = {
    "plain": PLAIN,
    "two": Manner(uses=2),
    "the most of a token without a limit": Manner(uses=MOST_OF_UNLIMITED),
    "more than that": Manner(uses=MOST_OF_UNLIMITED + 1),
    "for some": Manner(categories=("VIP", "staff"), checkpoint="north"),
    "in": Manner(direction=Direction.IN, checkpoint="north", inside_until=LATER),
    "two in": Manner(uses=2, direction=Direction.IN, checkpoint="north", inside_until=LATER),
    "out": Manner(direction=Direction.OUT, checkpoint="north"),
    "some out": Manner(direction=Direction.OUT, checkpoint="north", categories=("VIP",)),
    "anyway": Manner(override="knows the band"),
    "anyway, with none left": Manner(override="knows the band", uses=0),
    "anyway, in": Manner(
        override="", direction=Direction.IN, checkpoint="north", inside_until=LATER
    ),
}


def given(manner: Manner) -> Manner:
    """Return a manner as statements have it: categories are a list in JSON."""
    if manner is PLAIN:
        return PLAIN
    return dataclasses.replace(
        manner,
        uses=literal(manner.uses, Integer),
        categories=manner.categories and literal(json.dumps(manner.categories), Text),
        inside_until=literal(manner.inside_until, UtcDateTime),
    )


@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS)
def test_rules_when_each_is_asked_alone_then_both_forms_agree(service, made_tables, manner):
    now, uid = literal(NOON, UtcDateTime), TokenRecord.uid
    columns, asked = TICKET.tokens.c, given(manner)
    with made_tables.begin() as connection:
        tokens = (*COMBINATIONS, *AT_DOORS)
        connection.execute(insert(TokenRecord), [row_of(token) for token in tokens])
        for rule in TICKET.rules:
            found = connection.scalars(select(uid).where(rule.clause(columns, now, asked)))
            assert set(found) == {t.uid for t in tokens if rule.holds(t, NOON, manner)}
        codes = dict(connection.execute(select(uid, TICKET.rules.code(columns, now, asked))).all())
    denials = {token.uid: TICKET.rules.denial(token, NOON, manner) for token in tokens}
    assert codes == {uid: denial and denial.code for uid, denial in denials.items()}


@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS)
def test_effects_when_a_use_is_taken_at_a_door_then_both_forms_agree(service, made_tables, manner):
    now = literal(NOON, UtcDateTime)
    expressions = lifecycle.use_expressions(TICKET.tokens.c, now, TICKET.effects, given(manner))
    granted = [token for token in AT_DOORS if not TICKET.rules.denial(token, NOON, manner)]
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in granted])
        columns = [expression.label(name) for name, expression in expressions.items()]
        rows = connection.execute(select(TokenRecord.uid, *columns)).mappings()
        by_database = {row["uid"]: {name: row[name] for name in expressions} for row in rows}
    for token in granted:
        changed = lifecycle.after_use(token, NOON, TICKET.effects, manner)
        told = {name: getattr(token, name) for name in changed} | by_database[token.uid]
        assert told == changed
    assert granted


def test_rules_when_statuses_are_sought_then_each_token_has_one(service, made_tables):
    now = literal(NOON, UtcDateTime)
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in AT_DOORS])
        found = {
            uid: status
            for status in Status
            for uid in connection.scalars(
                select(TokenRecord.uid).where(TICKET.rules.has_status(TICKET.tokens.c, status, now))
            )
        }
    assert found == {token.uid: TICKET.rules.status(token, NOON) for token in AT_DOORS}


LATEST = LAST_LOCKING + TICK
BEFORE_USE = tuple(
    make_token(usage_count=count, lock_time=lock_time)
    for count, lock_time in itertools.product(
        (-1, 1, 2, MAX_INTEGER),
        (0, 1, 86_400, MAX_INTEGER),
    )
)


@pytest.mark.parametrize("now", [NOON, NOON + TICK, LAST_LOCKING, LATEST, MAX_INSTANT], ids=str)
def test_use_when_each_field_is_at_its_edges_then_both_forms_agree(service, made_tables, now):
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in BEFORE_USE])
        expressions = lifecycle.use_expressions(
            TICKET.tokens.c, literal(now, UtcDateTime), TICKET.use
        )
        columns = [expression.label(name) for name, expression in expressions.items()]
        rows = connection.execute(select(TokenRecord.uid, *columns)).mappings()
        by_database = {row["uid"]: {name: row[name] for name in expressions} for row in rows}
    by_python = {
        token.uid: lifecycle.after_use(SimpleNamespace(**row_of(token)), now, TICKET.use)
        for token in BEFORE_USE
    }
    assert by_database == by_python


def test_use_when_its_effect_is_listed_then_it_is_what_a_consumption_changes(service, made_tables):
    before = service.get(service.add(make_new(usage_count=3, lock_time=60), by=None))
    service.consume(before.uid, by=None)
    after = service.get(before.uid)
    changed = {name for name in before.__slots__ if getattr(before, name) != getattr(after, name)}
    assert changed - {"read_at", "version"} == {effect.column for effect in lifecycle.USE}
