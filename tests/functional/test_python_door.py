"""What Python code of a site does at a door: several uses, checkpoints, overrides, undo, reset."""

import json
import pickle
import uuid

import pytest
import transaction

from cone.tokens import exceptions
from tests.functional.test_python_api import api
from tests.functional.test_python_api import request_of
from tests.support.asking import UNKNOWN_UID

__all__ = ["api", "request_of"]

CHECKPOINTS = [
    {"name": "main door", "directions": "in_out"},
    {"name": "cloakroom", "categories": ["coat"]},
]
NO_USE = "is the receipt of no use of this token"


@pytest.fixture(autouse=True)
def _checkpoints(settings_path):
    settings_path.write_text(json.dumps({"checkpoints": CHECKPOINTS}))


def test_consume_when_several_uses_are_asked_for_then_all_or_none_are_taken(api):
    uid = api.add(usage_count=3)
    use = api.consume(uid, uses=2)
    assert (use.uses, use.usage_count) == (2, 1)
    with pytest.raises(exceptions.TokenNotEnoughUses, match="has fewer uses left") as caught:
        api.consume(uid, uses=2)
    assert (caught.value.error_code, caught.value.token_uid) == (12, uid)
    assert api.get_token(uid).usage_count == 1


def test_consume_when_a_checkpoint_has_directions_then_out_and_in_again_takes_one_use(api):
    uid = api.add(usage_count=1)
    ways = ("in", "out", "in")
    uses = [api.consume(uid, checkpoint="main door", direction=way).uses for way in ways]
    assert uses == [1, 0, 0]


@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        ({"checkpoint": "cloakroom"}, exceptions.TokenWrongCheckpoint),
        ({"checkpoint": "main door", "direction": "out"}, exceptions.TokenNotInside),
        ({"checkpoint": "main door"}, exceptions.TokenAlreadyInside),
        ({"uses": 9}, exceptions.TokenNotEnoughUses),
    ],
)
def test_consume_when_a_rule_of_the_door_refuses_it_then_it_raises(api, manner, kind):
    uid = api.add(usage_count=5)
    if kind is exceptions.TokenAlreadyInside:
        api.consume(uid, **manner)
    with pytest.raises(kind) as caught:
        api.consume(uid, **manner)
    assert caught.value.error_code == kind.denial.code
    assert pickle.loads(pickle.dumps(caught.value)).token_uid == uid  # noqa: S301 - it is ours


@pytest.mark.parametrize(
    "manner", [{"uses": 0}, {"checkpoint": "roof"}, {"direction": "in"}, {"override": "x" * 201}]
)
def test_consume_when_the_manner_is_wrong_then_the_parameter_is_named(api, content, manner):
    uid = api.add(usage_count=5)
    with pytest.raises(exceptions.TokenValueError, match=f"^{next(iter(manner))}: "):
        api.consume(uid, **manner)
    assert not content()["token_usage"]


def test_consume_when_a_rule_is_overridden_then_the_log_tells_why(api, content):
    uid = api.add(usage_count=0)
    assert api.consume(uid, override="lost list").uses == 0
    transaction.commit()
    (row,) = content()["token_usage"]
    assert (row.override, row.error_code) == ("lost list", None)


def test_undo_when_a_use_stands_then_it_comes_back_once(api):
    uid = api.add(usage_count=3)
    receipt = api.consume(uid, uses=2).receipt
    undone = api.undo_use(uid, receipt)
    assert (undone.uses, undone.usage_count, undone.is_repeat) == (2, 3, False)
    again = api.undo_use(str(uid), str(receipt))
    assert (again.usage_count, again.is_repeat) == (3, True)
    assert api.get_token(uid).usage_count == 3


def test_undo_when_there_is_no_such_token_or_use_then_it_raises(api):
    uid = api.add(usage_count=3)
    with pytest.raises(exceptions.TokenNotExists):
        api.undo_use(UNKNOWN_UID, uuid.uuid4())
    for receipt in (uuid.uuid4(), "no-receipt"):
        with pytest.raises(exceptions.TokenValueError, match=NO_USE):
            api.undo_use(uid, receipt)


def test_reset_when_a_token_is_inside_then_it_comes_in_anew(api):
    uid = api.add(usage_count=2)
    api.consume(uid, checkpoint="main door")
    assert (api.reset_inside(), api.reset_inside()) == (1, 0)
    assert api.consume(uid, checkpoint="main door").usage_count == 0
