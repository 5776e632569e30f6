"""The lifecycle rule in SQL against the rule in Python, on every edge."""

import datetime
import itertools
from types import SimpleNamespace

import pytest
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import select

from cone.tokens.core import lifecycle
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import LAST_LOCKING
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MAX_INTEGER
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
            select(TokenRecord.uid).where(lifecycle.consumable(TICKET.tokens.c, now))
        )
        by_database = set(found)
    by_python = {token.uid for token in COMBINATIONS if not lifecycle.denial(token, NOON)}
    assert by_database == by_python
    assert 0 < len(by_python) < len(COMBINATIONS)


def test_rules_when_each_is_asked_alone_then_both_forms_agree(service, made_tables):
    now = literal(NOON, UtcDateTime)
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in COMBINATIONS])
        for rule in lifecycle.RULES:
            found = connection.scalars(
                select(TokenRecord.uid).where(rule.clause(TICKET.tokens.c, now))
            )
            assert set(found) == {t.uid for t in COMBINATIONS if rule.holds(t, NOON)}


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
        expressions = lifecycle.use_expressions(TICKET.tokens.c, literal(now, UtcDateTime))
        columns = [expression.label(name) for name, expression in expressions.items()]
        rows = connection.execute(select(TokenRecord.uid, *columns)).mappings()
        by_database = {row["uid"]: {name: row[name] for name in expressions} for row in rows}
    by_python = {
        token.uid: lifecycle.after_use(SimpleNamespace(**row_of(token)), now)
        for token in BEFORE_USE
    }
    assert by_database == by_python


def test_use_when_its_effect_is_listed_then_it_is_what_a_consumption_changes(service, made_tables):
    before = service.get(service.add(make_new(usage_count=3, lock_time=60), by=None))
    service.consume(before.uid, by=None)
    after = service.get(before.uid)
    changed = {name for name in before.__slots__ if getattr(before, name) != getattr(after, name)}
    assert changed - {"read_at", "version"} == {effect.column for effect in lifecycle.USE}
