"""Commands about what happens at doors: several uses, checkpoints, overrides, undo and reset."""

import json
import uuid

import pytest

from tests.functional.test_command_line import DONE
from tests.functional.test_command_line import NO
from tests.functional.test_command_line import USAGE
from tests.functional.test_command_line import assert_failed
from tests.functional.test_command_line import made_tables
from tests.functional.test_command_line import make_token
from tests.functional.test_command_line import rows
from tests.functional.test_command_line import service
from tests.functional.test_command_line import tokens
from tests.support.asking import UNKNOWN_UID

__all__ = ["made_tables", "make_token", "rows", "service", "tokens"]

CHECKPOINTS = [
    {"name": "main door", "directions": "in_out"},
    {"name": "cloakroom", "categories": ["coat"]},
]


@pytest.fixture
def door(tokens):
    """The command line of a site with two checkpoints."""
    settings = {"default_usage_count": 5, "checkpoints": CHECKPOINTS}
    tokens.ini.with_name("tokens.json").write_text(json.dumps(settings))
    return tokens


def taken(door, *arguments, **more):
    return door.json("consume", "v", *arguments, **more)


def test_consume_when_several_uses_are_asked_for_then_all_or_none_are_taken(door, make_token):
    make_token(value="v", usage_count=3)
    assert door("consume", "v", "--uses", "2").stdout == "Valid. Taken: 2. Uses left: 1\n"
    said = taken(door, "--uses", "2", status=NO)
    assert (said["error"], said["usage_count"]) == ("not_enough_uses", 1)


def test_consume_when_a_checkpoint_is_for_others_then_it_is_refused(door, make_token):
    make_token(value="v", usage_count=3, category="VIP")
    said = taken(door, "--checkpoint", "cloakroom", status=NO)
    assert (said["error"], said["error_code"]) == ("wrong_checkpoint", 8)


def test_consume_when_somebody_goes_out_and_in_again_then_one_use_is_taken(door, make_token):
    make_token(value="v", usage_count=1)
    at = ("--checkpoint", "main door", "--direction")
    assert [taken(door, *at, way)["uses"] for way in ("in", "out", "in")] == [1, 0, 0]
    assert taken(door, *at, "in", status=NO)["error"] == "already_inside"


def test_consume_when_a_rule_is_overridden_then_the_log_tells_why(door, make_token, service):
    token = make_token(value="v", usage_count=0)
    said = taken(door, "--override", "lost list", "--by", "desk")
    assert (said["consumed"], said["uses"]) == (True, 0)
    (usage,) = service.usages(token.uid, 9).usages
    assert (usage.manner.override, usage.user) == ("lost list", "desk")


def test_consume_when_it_is_repeated_with_its_key_then_several_uses_are_taken_once(
    door, make_token, service
):
    token = make_token(value="v", usage_count=5)
    first = taken(door, "--uses", "2", "--key", "k")
    assert taken(door, "--uses", "2", "--key", "k") == first
    assert door("consume", "v", "--uses", "3", "--key", "k").exit_code == USAGE
    assert service.get(token.uid).usage_count == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--uses", "0"], "uses: "),
        (["--checkpoint", "roof"], "checkpoint: there is no checkpoint of this name"),
        (["--direction", "out"], "direction: needs a checkpoint"),
        (["--checkpoint", "cloakroom", "--direction", "out"], "direction: this checkpoint lets"),
        (["--override", "x" * 201], "override: "),
    ],
)
def test_consume_when_the_manner_is_wrong_then_nothing_is_taken(
    door, make_token, service, arguments, message
):
    token = make_token(value="v", usage_count=5)
    assert_failed(door("consume", "v", *arguments), USAGE, message)
    assert not service.usages(token.uid, 9).usages


def test_undo_when_a_use_stands_then_it_comes_back_once(door, make_token, service):
    token = make_token(value="v", usage_count=3)
    receipt = taken(door, "--uses", "2")["receipt"]
    undone = door("undo", str(token.uid), receipt, "--by", "desk")
    assert (undone.exit_code, undone.stdout) == (DONE, "Taken back: 2 uses. Uses left: 3\n")
    again = door("undo", str(token.uid), receipt)
    assert again.stdout == "It was taken back before. Uses left: 3\n"
    assert service.get(token.uid).usage_count == 3
    said = door.json("undo", str(token.uid), receipt)
    assert said == {"success": True, "uses": 2, "usage_count": 3}


def test_undo_when_there_is_no_such_token_or_use_then_it_says_so(door, make_token):
    token = make_token(value="v", usage_count=1)
    assert door("undo", UNKNOWN_UID, str(uuid.uuid4())).exit_code == NO
    assert door("undo", "no-uid", str(uuid.uuid4())).exit_code == NO
    for receipt in ("no-receipt", str(uuid.uuid4())):
        result = door("undo", str(token.uid), receipt)
        assert_failed(result, USAGE, "receipt: is the receipt of no use of this token")


def test_reset_when_it_is_not_meant_then_nobody_is_let_out(door, make_token, service):
    make_token(value="v", usage_count=1)
    taken(door, "--checkpoint", "main door")
    asked = door("reset-inside", stdin="n\n")
    assert asked.exit_code == NO
    assert "End inside and outside of all tokens?" in asked.stderr
    assert door("reset-inside", "--json").exit_code == USAGE
    assert service.count_inside() == 1


@pytest.mark.parametrize(("arguments", "stdin"), [(["--yes"], ""), ([], "y\n")])
def test_reset_when_it_is_meant_then_nobody_is_inside(door, make_token, service, arguments, stdin):
    make_token(value="v", usage_count=1)
    taken(door, "--checkpoint", "main door")
    done = door("reset-inside", *arguments, "--by", "desk", stdin=stdin)
    assert (done.exit_code, done.stdout) == (DONE, "Reset: 1 token\n")
    assert service.count_inside() == 0
    assert door.json("reset-inside", "--yes") == {"success": True, "reset": 0}
