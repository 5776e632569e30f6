import datetime
import json
import uuid
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.params import NumberText
from cone.tokens.core.params import collect
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import get_uid
from cone.tokens.core.params import parse_idempotency_key
from cone.tokens.core.params import parse_json
from cone.tokens.core.values import UNSET
from cone.tokens.tickets import params
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges

VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
PARSER = Parser(zone=VIENNA, usage_count=7, lock_time=8)
UID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def utc(*fields: int) -> datetime.datetime:
    return datetime.datetime(*fields, tzinfo=datetime.UTC)


def refusal(call, *arguments) -> tuple[str, str]:
    """Return parameter and reason of the refusal, which names the parameter in its text."""
    with pytest.raises(InvalidParameter) as caught:
        call(*arguments)
    assert caught.value.parameter in str(caught.value)
    return caught.value.parameter, caught.value.reason


# uids


@pytest.mark.parametrize("text", [UID, UID.upper()])
def test_find_uid_when_spelled_with_hyphens_then_it_is_found_in_either_case(text):
    assert find_uid(text) == uuid.UUID(UID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        UID.replace("-", ""),
        f"{{{UID}}}",
        f"urn:uuid:{UID}",
        f"{UID}\n",
        f" {UID}",
        UID[:-1],
    ],
)
def test_get_uid_when_spelled_otherwise_then_there_is_no_such_token(text):
    assert find_uid(text) is None
    with pytest.raises(TokenNotFound):
        get_uid(text)


def test_get_uid_when_spelled_well_then_it_is_returned():
    assert get_uid(UID) == uuid.UUID(UID)


# bodies


def test_parse_json_when_a_member_stands_twice_then_it_is_returned_twice():
    assert parse_json('{"a": "1", "a": "2"}') == [("a", "1"), ("a", "2")]


def test_parse_json_when_there_are_numbers_then_they_stay_as_written():
    members = parse_json('{"a": 007e1, "b": 1.50, "c": 12345678901234567890}'.replace("007", "7"))
    assert members == [("a", "7e1"), ("b", "1.50"), ("c", "12345678901234567890")]
    assert all(isinstance(value, NumberText) for _name, value in members)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        '"x"',
        "null",
        '[["a", 1]]',
        '{"a": NaN}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: text[:10],
)
def test_parse_json_when_it_is_no_object_then_it_is_refused(text):
    assert refusal(parse_json, text) == ("body", "invalid_json")


def test_collect_when_parameters_are_unknown_then_they_are_ignored():
    pairs = [("value", "x"), ("other", "y"), ("other", "z")]
    assert collect(pairs, [params.VALUE]) == {"value": "x"}


def test_collect_when_a_value_is_null_then_it_is_empty():
    assert collect([("value", None)], [params.VALUE]) == {"value": ""}


def test_collect_when_a_known_parameter_stands_twice_then_it_is_refused():
    pairs = [("value", "x"), ("value", "x")]
    assert refusal(collect, pairs, [params.VALUE]) == ("value", "given_twice")


@pytest.mark.parametrize("text", ["a", "~" * 128, '"quoted"'])
def test_parse_idempotency_key_when_printable_then_it_is_taken_as_it_is(text):
    assert parse_idempotency_key(text) == text


@pytest.mark.parametrize("text", ["", " ", "a b", "a" * 129, "ä", "a\n", "\x7f"])
def test_parse_idempotency_key_when_malformed_then_it_is_refused(text):
    assert refusal(parse_idempotency_key, text) == ("Idempotency-Key", "invalid_key")


# new tokens


def test_new_token_when_nothing_is_given_then_the_defaults_count():
    expected = NewTicket(usage_count=7, lock_time=8)
    assert PARSER.new_token({}) == expected


@pytest.mark.parametrize("name", [parameter.name for parameter in params.TOKEN_PARAMETERS])
def test_new_token_when_a_parameter_is_empty_then_its_default_counts(name):
    assert PARSER.new_token({name: ""}) == PARSER.new_token({})


def test_new_token_when_all_is_given_then_all_is_taken():
    token = PARSER.new_token(
        {
            "value": "Case and  Spaces",
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_to": "2026-01-02T00:00:00Z",
            "usage_count": "-1",
            "lock_time": NumberText("60"),
            "enabled": False,
        },
    )
    assert token == NewTicket(
        value="Case and  Spaces",
        valid_from=utc(2026, 1, 1),
        valid_to=utc(2026, 1, 2),
        usage_count=-1,
        lock_time=60,
        enabled=False,
    )


def test_new_token_when_its_value_is_decomposed_then_it_has_the_normal_form():
    assert PARSER.new_token({"value": "e\u0301"}).value == "é"
    assert PARSER.new_tokens({"prefix": "e\u0301 ", "count": "1"})[2] == "é "


@pytest.mark.parametrize("name", ["value", "prefix"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [("   x", "blank_ends"), ("\u200bx", "invisible_character"), ("a\nb", "invisible_character")],
)
def test_new_token_when_its_code_is_none_then_the_parameter_is_named(name, text, reason):
    parse = PARSER.new_token if name == "value" else PARSER.new_tokens
    assert refusal(parse, {name: text, "count": "1"}) == (name, reason)


@pytest.mark.parametrize("end", ["2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999999Z"])
def test_new_token_when_the_window_ends_before_it_begins_then_it_is_refused(end):
    given = {"valid_from": "2026-01-01T00:00:00Z", "valid_to": end}
    assert refusal(PARSER.new_token, given) == ("valid_from", "window_order")


# values


@pytest.mark.parametrize("value", ["x" * 2_048, "ä" * 1_024, "\U0001f39f" * 512, "007", "<b>"])
def test_value_when_within_its_limits_then_it_is_taken_as_it_is(value):
    assert PARSER.new_token({"value": value}).value == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 2_049, "too_long"),
        ("ä" * 1_025, "too_long"),
        ("a\0b", "null_character"),
        ("\ud800", "invalid_unicode"),
        (NumberText("007"), "invalid_text"),
        (True, "invalid_text"),
        (["x"], "invalid_text"),
        ([("a", "b")], "invalid_text"),
    ],
    ids=repr,
)
def test_value_when_out_of_its_limits_then_it_is_refused(value, reason):
    assert refusal(PARSER.new_token, {"value": value}) == ("value", reason)


# integers


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("-1", -1),
        ("2147483647", 2_147_483_647),
        (f"{'0' * 900}5", 5),
        (NumberText("5"), 5),
    ],
)
def test_integer_when_within_its_limits_then_it_is_read(raw, expected):
    assert PARSER.new_token({"usage_count": raw}).usage_count == expected


@pytest.mark.parametrize(
    "raw",
    [
        "x",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1_000",
        "--1",
        "+",
        "\u0661",
        "²",
        "0x10",
        NumberText("1.5"),
        True,
        ["1"],
        {},
        5.0,
    ],
    ids=repr,
)
def test_integer_when_malformed_then_it_is_refused(raw):
    assert refusal(PARSER.new_token, {"usage_count": raw}) == ("usage_count", "invalid_integer")


@pytest.mark.parametrize("raw", ["-2", "2147483648", "9" * 100_000, "-" + "9" * 100_000], ids=len)
def test_integer_when_out_of_its_limits_then_it_is_refused(raw):
    assert refusal(PARSER.new_token, {"usage_count": raw}) == ("usage_count", "out_of_range")


def test_lock_time_when_negative_then_it_is_refused():
    assert refusal(PARSER.new_token, {"lock_time": "-1"}) == ("lock_time", "out_of_range")


@given(st.integers())
def test_integer_when_any_number_is_written_then_it_is_read_or_out_of_range(number):
    inside = -1 <= number <= 2_147_483_647
    if inside:
        assert PARSER.new_token({"usage_count": str(number)}).usage_count == number
    else:
        with pytest.raises(InvalidParameter):
            PARSER.new_token({"usage_count": str(number)})


# flags


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        (True, True),
        ("false", False),
        ("fAlse", False),
        ("0", False),
        (False, False),
    ],
)
def test_flag_when_spelled_as_agreed_then_it_is_read(raw, expected):
    assert PARSER.new_token({"enabled": raw}).enabled is expected


@pytest.mark.parametrize("raw", ["yes", "2", "on", " true", NumberText("1.5"), ["true"], 1.0])
def test_flag_when_spelled_otherwise_then_it_is_refused(raw):
    assert refusal(PARSER.new_token, {"enabled": raw}) == ("enabled", "invalid_flag")


def test_flag_when_a_json_number_then_it_is_read():
    assert PARSER.new_token({"enabled": NumberText("0")}).enabled is False


# times


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-01-31T12:30:15Z", utc(2026, 1, 31, 12, 30, 15)),
        ("2026-01-31 12:30:15Z", utc(2026, 1, 31, 12, 30, 15)),
        ("2026-01-31T12:30Z", utc(2026, 1, 31, 12, 30)),
        ("2026-01-31T12:30:15.123456Z", utc(2026, 1, 31, 12, 30, 15, 123_456)),
        ("2026-01-31T12:30:15.1234567Z", utc(2026, 1, 31, 12, 30, 15, 123_456)),
        ("2026-01-31T12:30:15+05:30", utc(2026, 1, 31, 7, 0, 15)),
        ("2026-01-31T12:30:15+0530", utc(2026, 1, 31, 7, 0, 15)),
        ("2026-01-31T12:30:15-11", utc(2026, 1, 31, 23, 30, 15)),
        ("2026-01-31T12:30:15", utc(2026, 1, 31, 11, 30, 15)),
        ("2026-07-31T12:30:15", utc(2026, 7, 31, 10, 30, 15)),
        ("0002-01-01T00:00:00Z", utc(2, 1, 1)),
        ("9998-12-31T23:59:59.999999Z", utc(9998, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_instant_when_it_is_iso_8601_then_it_is_read_in_utc(raw, expected):
    assert PARSER.instant("valid_from", raw) == expected
    assert PARSER.instant("valid_from", raw).tzinfo is datetime.UTC


@pytest.mark.parametrize(
    "raw",
    [
        "x",
        "2026-01-31",
        "2026-02-30T00:00",
        "2026-01-31T24:00",
        "2026-01-31T23:60",
        "20260131T120000",
        "2026-W05-6T12:00",
        "2026-01-31t12:00",
        "2026-01-31T12:00z",
        "2026-01-31T12:00+24:00",
        "2026-01-31T12:00+02:60",
        "2026-01-31T12:00+05:60x",
        "٢026-01-31T12:00",
        " 2026-01-31T12:00",
        "12026-01-31T12:00",
        "2026-01-31T12:00\n",
        True,
        ["2026-01-31T12:00"],
        "9" * 10000,
    ],
    ids=lambda raw: repr(raw)[:30],
)
def test_instant_when_malformed_then_it_is_refused(raw):
    assert refusal(PARSER.instant, "valid_from", raw) == ("valid_from", "invalid_datetime")


@pytest.mark.parametrize(
    "raw",
    [
        "0001-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
    ],
)
def test_instant_when_the_year_is_out_of_its_limits_then_it_is_refused(raw):
    assert refusal(PARSER.instant, "valid_to", raw) == ("valid_to", "year_out_of_range")


def test_instant_when_naive_in_a_spring_gap_then_it_is_refused():
    raw = "2026-03-29T02:30:00"
    assert refusal(PARSER.instant, "valid_from", raw) == ("valid_from", "skipped_time")


def test_instant_when_naive_in_an_autumn_fold_then_it_is_the_later_one():
    assert PARSER.instant("valid_from", "2026-10-25T02:30:00") == utc(2026, 10, 25, 1, 30)


@given(
    st.datetimes(
        min_value=datetime.datetime(2, 1, 2),  # noqa: DTZ001 - Hypothesis wants it naive
        max_value=datetime.datetime(9998, 12, 30),  # noqa: DTZ001 - the same
        timezones=st.sampled_from([datetime.UTC, VIENNA, zoneinfo.ZoneInfo("Asia/Kathmandu")]),
    ),
)
def test_instant_when_a_time_is_written_by_isoformat_then_it_is_the_same_instant(time):
    # The zone's early offsets have seconds; a repeated hour is told apart by its offset.
    assert PARSER.instant("valid_from", time.isoformat()) == time.astimezone(datetime.UTC)


# changes


def test_changes_when_nothing_is_given_then_nothing_changes():
    assert PARSER.changes({}) == TicketChanges()
    assert PARSER.changes({}).given() == {}


def test_changes_when_values_are_empty_then_they_are_emptied():
    changes = PARSER.changes({"value": "", "valid_from": "", "valid_to": ""})
    assert changes.given() == {"value": None, "valid_from": None, "valid_to": None}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("usage_count", "invalid_integer"),
        ("lock_time", "invalid_integer"),
        ("enabled", "invalid_flag"),
    ],
)
def test_changes_when_a_number_or_flag_is_empty_then_it_is_refused(name, reason):
    assert refusal(PARSER.changes, {name: ""}) == (name, reason)


def test_changes_when_all_is_given_then_all_is_taken():
    changes = PARSER.changes(
        {
            "value": "new",
            "valid_from": "2026-01-01T00:00Z",
            "usage_count": "3",
            "lock_time": "4",
            "enabled": "0",
        },
    )
    assert changes == TicketChanges(
        value="new",
        valid_from=utc(2026, 1, 1),
        usage_count=3,
        lock_time=4,
        enabled=False,
    )
    assert changes.valid_to is UNSET


def test_changes_when_the_window_ends_before_it_begins_then_it_is_refused():
    given = {"valid_from": "2026-01-02T00:00Z", "valid_to": "2026-01-01T00:00Z"}
    assert refusal(PARSER.changes, given) == ("valid_from", "window_order")


# many tokens


def test_new_tokens_when_count_and_prefix_are_given_then_they_are_taken():
    token, count, prefix = PARSER.new_tokens({"count": "10000", "prefix": "P-"})
    assert (token, count, prefix) == (PARSER.new_token({}), 10_000, "P-")


def test_new_tokens_when_the_prefix_is_empty_then_there_is_none():
    assert PARSER.new_tokens({"count": "1", "prefix": ""})[2] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("count", "missing")),
        ({"count": ""}, ("count", "missing")),
        ({"count": "0"}, ("count", "out_of_range")),
        ({"count": "10001"}, ("count", "out_of_range")),
        ({"count": "x"}, ("count", "invalid_integer")),
        ({"count": "1", "value": "x"}, ("value", "not_for_many")),
        ({"count": "1", "value": ""}, ("value", "not_for_many")),
        ({"count": "1", "prefix": "x" * 2_023}, ("prefix", "too_long")),
        ({"count": "1", "prefix": "\0"}, ("prefix", "null_character")),
    ],
)
def test_new_tokens_when_a_parameter_is_wrong_then_it_is_refused(given, expected):
    assert refusal(PARSER.new_tokens, given) == expected


# values sought, lists, pages, pictures


def test_value_sought_when_of_any_length_then_it_is_taken():
    assert params.parse_value_sought({"value": "x" * 900_000}) == "x" * 900_000


@pytest.mark.parametrize("given", [{}, {"value": ""}])
def test_value_sought_when_empty_then_it_is_missing(given):
    assert refusal(params.parse_value_sought, given) == ("value", "missing")


def test_token_uids_when_a_list_or_its_text_then_they_are_read():
    assert params.parse_token_uids({"token_uids": [UID]}) == [uuid.UUID(UID)]
    assert params.parse_token_uids({"token_uids": json.dumps([UID.upper()])}) == [uuid.UUID(UID)]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "missing"),
        ("x", "invalid_list"),
        ("[" * 100_000, "invalid_list"),
        ("{}", "invalid_list"),
        ([], "invalid_list"),
        ("[]", "invalid_list"),
        ([1], "invalid_list"),
        ("[1]", "invalid_list"),
        ([NumberText("1")], "invalid_list"),
        ([UID] * 10_001, "invalid_list"),
        (True, "invalid_list"),
        ([UID, UID.upper()], "same_uid_twice"),
    ],
    ids=lambda raw: repr(raw)[:20],
)
def test_token_uids_when_no_list_of_different_uids_then_they_are_refused(raw, reason):
    assert refusal(params.parse_token_uids, {"token_uids": raw}) == ("token_uids", reason)


def test_token_uids_when_one_spells_no_uid_then_there_is_no_such_token():
    with pytest.raises(TokenNotFound):
        params.parse_token_uids({"token_uids": [UID, "x"]})


def test_usages_when_nothing_is_given_then_fifty_from_the_newest_on():
    assert params.parse_usages({}) == (50, None)
    assert params.parse_usages({"limit": "", "before": ""}) == (50, None)


def test_usages_when_limit_and_receipt_are_given_then_they_are_taken():
    assert params.parse_usages({"limit": "500", "before": UID}) == (500, uuid.UUID(UID))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"limit": "0"}, ("limit", "out_of_range")),
        ({"limit": "501"}, ("limit", "out_of_range")),
        ({"before": "x"}, ("before", "invalid_receipt")),
        ({"before": [UID]}, ("before", "invalid_receipt")),
    ],
)
def test_usages_when_a_parameter_is_wrong_then_it_is_refused(given, expected):
    assert refusal(params.parse_usages, given) == expected


@pytest.mark.parametrize(("raw", "expected"), [("", None), ("png", "png"), ("svg", "svg")])
def test_picture_format_when_known_or_empty_then_it_is_taken(raw, expected):
    assert params.parse_picture_format({"format": raw}) == expected


@pytest.mark.parametrize("raw", ["PNG", "gif", ["png"], {}])
def test_picture_format_when_unknown_then_it_is_refused(raw):
    assert refusal(params.parse_picture_format, {"format": raw}) == ("format", "invalid_format")
