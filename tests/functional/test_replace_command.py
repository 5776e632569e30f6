"""The command that replaces the code of a token, and what others say of one that was replaced."""

import json

import pytest

from tests.functional.test_command_line import NO
from tests.functional.test_command_line import USAGE
from tests.functional.test_command_line import assert_failed
from tests.functional.test_command_line import made_tables
from tests.functional.test_command_line import make_token
from tests.functional.test_command_line import service
from tests.functional.test_command_line import tokens
from tests.support.asking import UNKNOWN_UID

__all__ = ["made_tables", "make_token", "service", "tokens"]


@pytest.fixture
def lost(make_token, service):
    """A token whose code LOST-1 was replaced."""
    token = make_token(value="LOST-1")
    service.replace(token.uid, by="desk")
    return service.get(token.uid)


def test_command_when_a_code_is_replaced_then_it_prints_the_new_one(tokens, make_token, service):
    token = make_token(value="LOST-1", usage_count=2)
    result = tokens("replace", "lost-1")
    code = service.get(token.uid).value
    assert (result.exit_code, result.stdout) == (0, f"{code}\n")
    said = tokens.json("replace", "--uid", str(token.uid))
    assert said == {"success": True, "value": service.get(token.uid).value}


def test_command_when_the_code_was_replaced_before_then_it_is_refused(tokens, lost, service):
    message = "This code was replaced by another one"
    for command in ("replace", "query"):
        assert_failed(tokens(command, "LOST-1"), NO, message)
    said = tokens.json("replace", "LOST-1", status=NO)
    assert (said["error"], said["error_code"]) == ("replaced", 11)
    said = tokens.json("query", "LOST-1", status=NO)
    assert said == {"success": True, "token": None, "read_as": None, "replaced": True}
    said = tokens.json("consume", "LOST-1", status=NO)
    assert (said["error"], said["consumed"]) == ("replaced", False)
    assert service.get(lost.uid).value == lost.value


def test_command_when_it_is_repeated_with_its_key_then_the_code_is_the_same(tokens, make_token):
    make_token(value="LOST-1")
    first = tokens.json("replace", "LOST-1", "--key", "k")
    assert tokens.json("replace", "LOST-1", "--key", "k") == first


@pytest.mark.parametrize("arguments", [["unknown"], ["--uid", UNKNOWN_UID]])
def test_command_when_there_is_no_such_token_then_it_says_so(tokens, arguments):
    said = tokens.json("replace", *arguments, status=NO)
    assert said["error"] == "token_not_exists"


@pytest.mark.parametrize("arguments", [[], ["v", "--uid", UNKNOWN_UID]])
def test_command_when_no_token_is_named_or_two_then_it_is_wrong_use(tokens, arguments):
    assert tokens("replace", *arguments).exit_code == USAGE


def test_import_command_when_a_code_was_replaced_then_the_line_is_told(tokens, lost):
    file = "value,usage_count\nNEW-1,1\nLOST-1,1\n"
    said = tokens.json("import", "-", "--dry-run", stdin=file, status=NO)
    assert "was replaced" in json.dumps(said["mistakes"])
    assert said["mistakes"][0]["line"] == 3


def test_import_command_when_the_file_is_from_before_a_replacement_then_it_warns(
    tokens, lost, service
):
    file = f"uid,value,label\n{lost.uid},LOST-1,Bob\n"
    dry = tokens("import", "-", "--known", "update", "--dry-run", stdin=file)
    told = f'Warning: line 2: "LOST-1" was replaced; the code stays "{lost.value}"'
    assert dry.stderr.splitlines()[0] == told
    said = tokens.json("import", "-", "--known", "update", stdin=file)
    assert (said["updated"], said["codes"]) == (1, [])
    assert said["replaced"] == [
        {"line": 2, "token_uid": str(lost.uid), "old": lost.value, "new": "LOST-1"}
    ]
    assert (service.get(lost.uid).value, service.get(lost.uid).label) == (lost.value, "Bob")
