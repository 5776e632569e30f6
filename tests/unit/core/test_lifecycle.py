import datetime

import pytest

from cone.tokens.core.errors import Denial
from cone.tokens.core.lifecycle import RULES
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import Status
from tests.support.factories import NOON
from tests.support.factories import make_token

TICK = datetime.timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"enabled": False}, Denial.TOKEN_DISABLED),
        ({"usage_count": 0}, Denial.USAGE_COUNT_EXCEEDED),
        ({"usage_count": UNLIMITED}, None),
        ({"locked_until": NOON + TICK}, Denial.TOKEN_LOCKED),
        ({"locked_until": NOON}, None),
        ({"valid_from": NOON}, None),
        ({"valid_from": NOON + TICK}, Denial.OUT_OF_TIME_RANGE),
        ({"valid_to": NOON}, None),
        ({"valid_to": NOON - TICK}, Denial.OUT_OF_TIME_RANGE),
    ],
)
def test_denial_when_one_condition_is_at_its_edge_then_it_decides(fields, expected):
    assert RULES.denial(make_token(**fields), NOON) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Status.CONSUMABLE),
        ({"enabled": False}, Status.DISABLED),
        ({"usage_count": 0}, Status.EXHAUSTED),
        ({"locked_until": NOON + TICK}, Status.LOCKED),
        ({"valid_from": NOON + TICK}, Status.NOT_YET_VALID),
        ({"valid_to": NOON - TICK}, Status.EXPIRED),
    ],
)
def test_status_when_a_rule_fails_then_it_is_the_status_of_that_rule(fields, expected):
    assert RULES.status(make_token(**fields), NOON) is expected


def test_denial_when_all_rules_fail_then_they_are_named_in_the_order_of_the_contract():
    failing = {
        "valid_to": NOON - TICK,
        "locked_until": NOON + TICK,
        "usage_count": 0,
        "enabled": False,
    }
    named = []
    for number in range(1, len(failing) + 1):
        fields = dict(list(failing.items())[:number])
        named.append(RULES.denial(make_token(**fields), NOON))
    assert named == [
        Denial.OUT_OF_TIME_RANGE,
        Denial.TOKEN_LOCKED,
        Denial.USAGE_COUNT_EXCEEDED,
        Denial.TOKEN_DISABLED,
    ]


def test_rules_when_listed_then_each_has_a_status_of_its_own():
    statuses = {rule.status for rule in RULES}
    assert statuses == set(Status) - {Status.CONSUMABLE}
