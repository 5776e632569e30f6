import re
import uuid

import pytest

from cone.tokens.core import errors
from cone.tokens.core.errors import Denial


@pytest.mark.parametrize(
    ("denial", "code", "text"),
    [
        (Denial.USAGE_COUNT_EXCEEDED, 2, "Token u usage count exceeded"),
        (Denial.TOKEN_LOCKED, 3, "Token u is locked"),
        (Denial.OUT_OF_TIME_RANGE, 4, "Token u out of time range"),
        (Denial.TOKEN_DISABLED, 7, "Token u is disabled"),
        (Denial.TOKEN_REUSED, 15, "Token u was used elsewhere already"),
    ],
)
def test_denial_when_told_then_it_has_the_code_and_text_of_the_contract(denial, code, text):
    assert (denial.code, denial.message("u")) == (code, text)
    assert Denial.from_code(code) is denial


def test_denial_from_code_when_the_use_was_granted_then_there_is_none():
    assert Denial.from_code(None) is None
    assert Denial.from_code(0) is None


@pytest.mark.parametrize(
    ("error", "slug", "code", "text"),
    [
        (errors.TokenNotFound("u"), "token_not_exists", 1, "Token u not exists"),
        (errors.TokenNotFound(), "token_not_exists", 1, "No token with this value"),
        (errors.ValueTaken(), "value_taken", 5, "Given value already used by another token"),
        (errors.InvalidParameter("p", "r", "text"), "invalid_parameter", 5, "text"),
        (errors.TokenChanged("u"), "token_changed", None, "Token u was used or changed meanwhile"),
        (errors.IdempotencyConflict(), "idempotency_conflict", None, None),
        (errors.ValueTooLongForQr(9), "value_too_long_for_qr", None, None),
        (errors.Unavailable(), "unavailable", None, None),
    ],
)
def test_error_when_told_then_it_has_slug_code_and_text(error, slug, code, text):
    assert (error.slug, error.code) == (slug, code)
    assert text in (None, str(error))


def test_token_not_found_when_the_uid_is_very_long_then_the_text_is_short():
    assert len(str(errors.TokenNotFound("x" * 100_000))) < 100


def test_token_not_found_when_the_uid_is_a_uuid_then_the_text_has_it_whole():
    uid = uuid.uuid4()
    assert str(uid) in str(errors.TokenNotFound(uid))


def test_invalid_parameter_when_raised_then_it_carries_name_reason_and_facts():
    error = errors.InvalidParameter("count", "out_of_range", "text", minimum=1)
    assert (error.parameter, error.reason, error.facts) == ("count", "out_of_range", {"minimum": 1})


def test_codes_when_listed_then_no_two_reasons_share_one_but_mistakes_of_parameters():
    told = re.findall(r"^``(\w+)`` +(\d+) ", errors.__doc__, re.MULTILINE)
    mistakes = {"value_taken", "invalid_parameter"}
    codes = [code for slug, code in told if slug not in mistakes]
    assert len(codes) == len(set(codes))
    assert {denial.value: str(denial.code) for denial in Denial}.items() <= dict(told).items()
