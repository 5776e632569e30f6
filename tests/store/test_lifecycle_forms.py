"""The lifecycle rule in SQL against the rule in Python, on every edge."""

import datetime
import itertools

from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import select

from cone.tokens.core import lifecycle
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.types import Token
from tests.factories import NOON
from tests.factories import make_token

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


def row_of(token: Token) -> dict:
    """Return the row of the table that ``token`` would be read from."""
    fields = {"lock_time_s": "lock_time"}
    names = [name for name in token.__slots__ if name != "read_at"]
    return {fields.get(name, name): getattr(token, name) for name in names}


def test_consumable_when_each_field_is_null_before_at_or_after_now_then_both_forms_agree(
    service,
    made_tables,
):
    now = literal(NOON, UtcDateTime)
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in COMBINATIONS])
        found = connection.scalars(select(TokenRecord.uid).where(lifecycle.consumable(now)))
        by_database = set(found)
    by_python = {token.uid for token in COMBINATIONS if not lifecycle.denial(token, NOON)}
    assert by_database == by_python
    assert 0 < len(by_python) < len(COMBINATIONS)


def test_rules_when_each_is_asked_alone_then_both_forms_agree(service, made_tables):
    now = literal(NOON, UtcDateTime)
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord), [row_of(token) for token in COMBINATIONS])
        for rule in lifecycle.RULES:
            found = connection.scalars(select(TokenRecord.uid).where(rule.clause(now)))
            assert set(found) == {t.uid for t in COMBINATIONS if rule.holds(t, NOON)}
