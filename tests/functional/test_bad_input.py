"""What nobody should send: each gets its status and slug, and changes nothing (contract 3)."""

import datetime
import itertools
import json
from urllib.parse import quote

import pytest

from tests.support.asking import EVERY_VIEW
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import VIEWS
from tests.support.asking import assert_failure
from tests.support.asking import assert_invalid
from tests.support.asking import send
from tests.support.asking import send_bytes

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MIB = 1_048_576
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
#: The contract's order of checks.
ORDER = [413, 405, 401, 403, 400, 422, 404, 409]
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="value"\r\n\r\nv\r\n--b--\r\n'


@pytest.fixture(params=["add_token by form", "update_token by json"])
def write(request, editor, make_token):
    """Return a function that gives parameters to a view that adds or changes a token."""
    view, _, given_by = request.param.partition(" by ")
    path = f"/tokens/{view}" if view == "add_token" else f"/tokens/{make_token().uid}/{view}"

    def send_parameters(parameters, by=given_by):
        return send(editor, "POST", path, parameters, by=by)

    return send_parameters


@pytest.fixture(
    params=[("add_token by form", 0), ("update_token by json", 1)], ids=["add", "update"]
)
def write_one(request, editor, make_token):
    """Return a function that gives one of two parameters, and tells the answer and its name.

    The first goes to one view in one form, the second to the other view in the other form.
    """
    place, position = request.param
    view, _, by = place.partition(" by ")
    path = f"/tokens/{view}" if view == "add_token" else f"/tokens/{make_token().uid}/{view}"

    def send_one(names, given):
        name = names[position]
        return send(editor, "POST", path, {name: given}, by=by), name

    return send_one


@pytest.fixture
def token_with(editor):
    """Return a function that adds a token and tells it as the API does."""

    def add(**parameters):
        editor.post("/tokens/add_token", {"value": "v", **parameters})
        return editor.get("/tokens/query_token", {"value": "v"}).json["token"]

    return add


# Datetimes. The zone of the site is Europe/Vienna.

GOOD_TIMES = {
    "2026-07-01T10:00:00Z": "2026-07-01T12:00:00+02:00",
    "2026-01-01T10:00:00Z": "2026-01-01T11:00:00+01:00",
    "2026-07-01 10:00:00Z": "2026-07-01T12:00:00+02:00",
    "2026-07-01T10:00:00+00:00": "2026-07-01T12:00:00+02:00",
    "2026-07-01T10:00:00-00:00": "2026-07-01T12:00:00+02:00",
    "2026-07-01T10:00:00+05:30": "2026-07-01T06:30:00+02:00",
    "2026-07-01T10:00:00-1130": "2026-07-01T23:30:00+02:00",
    "2026-07-01T10:00:00+14": "2026-06-30T22:00:00+02:00",
    "2026-07-01T10:00:00": "2026-07-01T10:00:00+02:00",
    "2026-01-01T10:00:00": "2026-01-01T10:00:00+01:00",
    "2026-07-01 10:00": "2026-07-01T10:00:00+02:00",
    "2026-07-01T10:00:00.123456Z": "2026-07-01T12:00:00.123456+02:00",
    "2026-07-01T10:00:00.5": "2026-07-01T10:00:00.500000+02:00",
    "2028-02-29T00:00": "2028-02-29T00:00:00+01:00",
    "2026-03-29T01:59:59": "2026-03-29T01:59:59+01:00",
    "2026-03-29T03:00:00": "2026-03-29T03:00:00+02:00",
    "2026-10-25T01:59:59": "2026-10-25T01:59:59+02:00",
    "2026-10-25T02:00:00": "2026-10-25T02:00:00+01:00",
    "2026-10-25T02:30:00": "2026-10-25T02:30:00+01:00",
    "2026-10-25T02:30:00+02:00": "2026-10-25T02:30:00+02:00",
    "2026-10-25T00:30:00Z": "2026-10-25T02:30:00+02:00",
    "9998-12-31T22:59:59": "9998-12-31T22:59:59+01:00",
}
MALFORMED_TIMES = [
    "x",
    " ",
    "now",
    "2026",
    "2026-07-01",
    "10:00",
    "2026-07-01T",
    "2026-07-01T10",
    "2026-7-1T10:00",
    "2026-07-01T1:00",
    "2026-07-01T10:00:0",
    "2026-07-01_10:00:00",
    "2026-07-01  10:00:00",
    " 2026-07-01T10:00:00",
    "2026-07-01T10:00:00 ",
    "2026-07-01T10:00:00\n",
    "2026-07-01T10:00:00 +02:00",
    "2026-07-01T10:00:00ZZ",
    "2026-07-01T10:00:00+25:00",
    "2026-07-01T10:00:00+02:60",
    "2026-07-01T10:00:00+2",
    "2026-07-01T10:00:00 05:00",
    "2026-07-01T10:00:00[Europe/Vienna]",
    "2026-02-29T10:00:00",
    "2026-13-01T10:00:00",
    "2026-00-01T10:00:00",
    "2026-06-31T10:00:00",
    "2026-07-01T25:00:00",
    "2026-07-01T10:60:00",
    "2026-07-01T10:00:61",
    "01.07.2026 10:00",
    "07/01/2026 10:00",
    "1782907200",
    "-2026-07-01T10:00:00",
    "+2026-07-01T10:00:00",
    "10000-01-01T00:00:00Z",
    "99999999999-01-01T00:00:00",
    "\u0662\u0660\u0662\u0666-07-01T10:00:00",
    "2026-07-01T10:00:0\uff10",
    "\uff12\uff10\uff12\uff16-07-01T10:00:00",
    "2026-07-01T10:00:00\0",
    "2026\u201107\u201101T10:00:00",
    "2" * 10_000,
]
BAD_YEARS = ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-12-31T23:59:59Z"]
BAD_YEARS += ["9999-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"]
EDGES = ("valid_from", "valid_to")


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize(("written", "told"), GOOD_TIMES.items(), ids=GOOD_TIMES)
def test_a_datetime_when_it_is_iso_8601_then_its_instant_is_kept(token_with, name, written, told):
    assert token_with(**{name: written})[name] == told


@pytest.mark.parametrize("written", ["0002-01-01T00:00:00Z", "9998-12-31T23:59:59.999999Z"])
def test_a_datetime_when_it_is_at_the_edge_of_the_calendar_then_its_instant_is_kept(
    token_with,
    written,
):
    told = datetime.datetime.fromisoformat(token_with(valid_to=written)["valid_to"])
    assert told == datetime.datetime.fromisoformat(written)


@pytest.mark.parametrize("written", MALFORMED_TIMES, ids=lambda text: ascii(text[:40]))
def test_a_datetime_when_it_is_malformed_then_it_is_refused(write_one, content, written):
    before = content()
    answer, name = write_one(EDGES, written)
    assert_invalid(answer, name, f"{name}: invalid datetime format")
    assert content() == before


@pytest.mark.parametrize("written", BAD_YEARS)
def test_a_datetime_when_its_year_is_out_of_range_then_it_is_refused(write_one, written):
    answer, name = write_one(EDGES, written)
    assert_invalid(answer, name)


@pytest.mark.parametrize("written", ["2026-03-29T02:00:00", "2026-03-29 02:59:59.999999"])
def test_a_datetime_when_the_clocks_skip_it_then_it_is_refused(write_one, written):
    answer, name = write_one(EDGES, written)
    assert_invalid(answer, name)


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("given", [1, 1.5, True, False, [], {}, ["2026-07-01T10:00:00Z"]], ids=str)
def test_a_datetime_when_it_is_no_text_in_json_then_it_is_refused(write, name, given):
    assert_invalid(write({name: given}, "json"), name, f"{name}: invalid datetime format")


# Integers

NO_INTEGERS = [
    "x",
    " ",
    " 1",
    "1 ",
    "1\n",
    "\u00a01",
    "1.0",
    "1e3",
    "1,000",
    "1_000",
    "0x10",
    "--1",
    "+-1",
    "+",
    "-",
    "\u22121",
    "\u0663",
    "\uff11",
    "²",
    "½",
    "inf",
    "nan",
    "None",
    "true",
    "1\0",
]
HUGE_INTEGERS = ["2147483648", "-9999999999", "9" * 10_000, "-" + "9" * 10_000, "9" * 900_000]
INTEGERS = ("usage_count", "lock_time")


@pytest.mark.parametrize("written", NO_INTEGERS, ids=ascii)
def test_an_integer_when_it_is_malformed_then_it_is_refused(write_one, content, written):
    before = content()
    answer, name = write_one(INTEGERS, written)
    assert_invalid(answer, name, f"{name}: value is no integer")
    assert content() == before


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("given", [1.0, 1e3, True, False, [], {}, [1], {"a": 1}], ids=str)
def test_an_integer_when_it_is_no_integer_in_json_then_it_is_refused(write, name, given):
    assert_invalid(write({name: given}, "json"), name, f"{name}: value is no integer")


@pytest.mark.parametrize("written", HUGE_INTEGERS, ids=lambda text: f"{text[:10]}-{len(text)}")
def test_an_integer_when_it_is_huge_then_it_is_refused(write_one, content, written):
    before = content()
    answer, name = write_one(INTEGERS, written)
    assert_invalid(answer, name)
    assert content() == before


@pytest.mark.parametrize("digits", [10, 5_000, 100_000])
def test_an_integer_when_it_is_huge_in_json_then_it_is_refused(editor, digits):
    body = '{"usage_count": %s}' % ("9" * digits)
    answer = editor.post("/tokens/add_token", body, content_type=JSON, status="*")
    assert_invalid(answer, "usage_count")


@pytest.mark.parametrize(
    ("name", "written"),
    [("usage_count", "-2"), ("lock_time", "-1"), ("lock_time", "-2147483648")],
)
def test_an_integer_when_it_is_too_small_then_it_is_refused(write, name, written):
    assert_invalid(write({name: written}), name)


# Flags


@pytest.mark.parametrize(
    "written",
    ["yes", "no", "on", "2", "-1", "00", " true", "tru", "\u0661", "\uff54\uff52\uff55\uff45"],
)
def test_enabled_when_it_is_spelled_wrongly_then_it_is_refused(write, written):
    assert_invalid(write({"enabled": written}), "enabled")


@pytest.mark.parametrize("given", [2, -1, 0.0, 1.0, [], {}, [True], {"a": 1}], ids=str)
def test_enabled_when_it_is_something_else_in_json_then_it_is_refused(write, given):
    assert_invalid(write({"enabled": given}, "json"), "enabled")


# Values

GOOD_VALUES = {
    "one byte": "x",
    "2048 bytes": "x" * 2_048,
    "2048 bytes of two-byte characters": "ä" * 1_024,
    "2048 bytes of emoji": "🎟" * 512,
    "spaces": "a   b",
    "a control character": "01\x1d7f",
    "right to left": "\u05d0\u05d1\u05d2",
    "markup": "<script>alert('x')</script>&amp;",
    "sql": "'; DROP TABLE tokens; --",
}
BAD_VALUES = {
    "noncharacter": "\uffff",
    "2049 bytes": "x" * 2_049,
    "2050 bytes of two-byte characters": "ä" * 1_025,
    "2052 bytes of emoji": "🎟" * 513,
    "10 kB": "x" * 10_000,
    "900 kB": "x" * 900_000,
    "NUL": "\0",
    "NUL within": "a\0b",
    "spaces": "   ",
    "control characters": "a\x01\x1f\x7fb",
    "override of the direction": "\u202eabc\u202c",
}


@pytest.mark.parametrize("value", GOOD_VALUES.values(), ids=GOOD_VALUES)
@pytest.mark.parametrize("by", ["query", "form", "multipart", "json"])
def test_a_value_when_it_is_within_limits_then_it_is_kept_as_it_is(
    editor,
    write,
    value,
    by,
):
    assert write({"value": value}, by).json["success"] is True
    assert editor.get("/tokens/query_token", {"value": value}).json["token"]["value"] == value


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_value_when_it_is_beyond_limits_then_it_is_refused(write, content, value):
    before = content()
    assert_invalid(write({"value": value}), "value")
    assert content() == before


@pytest.mark.parametrize("given", [7, 7.0, True, False, [], {}, ["x"], {"a": "b"}], ids=str)
def test_a_value_when_it_is_no_text_in_json_then_it_is_refused(write, given):
    assert_invalid(write({"value": given}, "json"), "value")


@pytest.mark.parametrize("path", ["/tokens/add_token", "/tokens/consume_token"])
@pytest.mark.parametrize("surrogate", [r"\ud800", r"a\udfffb", r"\udc00\ud800"])
def test_a_value_when_it_holds_a_lone_surrogate_then_it_is_refused(editor, path, surrogate):
    body = f'{{"value": "{surrogate}"}}'
    assert_invalid(editor.post(path, body, content_type=JSON, status="*"), "value")


@pytest.mark.parametrize("given", [7, True, [], {}], ids=str)
def test_a_value_to_look_up_when_it_is_no_text_then_it_is_refused(editor, given):
    answer = send(editor, "POST", "/tokens/consume_token", {"value": given}, by="json")
    assert_invalid(answer, "value")


def test_a_value_when_it_is_a_file_then_it_is_refused(editor):
    for name in ("value", "usage_count", "valid_from", "enabled"):
        files = [(name, "file.txt", b"content")]
        answer = editor.post("/tokens/add_token", upload_files=files, status="*")
        assert_invalid(answer, name)


# A parameter twice

TWICE = {
    "query": ("value=a&value=b", "", FORM),
    "query, the same": ("value=a&value=a", "", FORM),
    "query, once empty": ("value=&value=a", "", FORM),
    "form": ("", "value=a&value=b", FORM),
    "query and form": ("value=a", "value=a", FORM),
    "query and json": ("value=a", '{"value": "a"}', JSON),
    "query and null in json": ("value=a", '{"value": null}', JSON),
    "json": ("", '{"value": "a", "value": "b"}', JSON),
    "json, escaped": ("", r'{"value": "a", "valu\u0065": "a"}', JSON),
    "json, once null": ("", '{"value": null, "value": "a"}', JSON),
}


@pytest.mark.parametrize(("query", "body", "kind"), TWICE.values(), ids=TWICE)
@pytest.mark.parametrize("view", ["add_token", "consume_token"])
def test_a_parameter_when_it_is_given_twice_then_it_is_refused(
    editor,
    make_token,
    content,
    view,
    query,
    body,
    kind,
):
    make_token(value="a")
    before = content()
    path = f"/tokens/{view}?{query}"
    assert_invalid(editor.post(path, body, content_type=kind, status="*"), "value")
    assert content() == before


@pytest.mark.parametrize(
    ("view", "query"),
    [
        ("query_token", "value=a&value=b"),
        ("{uid}/usages", "limit=1&limit=1"),
        ("{uid}/usages", "before=&before="),
        ("{uid}/qr_code", "format=png&format=svg"),
    ],
)
def test_a_parameter_when_it_is_twice_in_the_query_of_a_get_then_it_is_refused(
    editor,
    make_token,
    view,
    query,
):
    path = f"/tokens/{view.format(uid=make_token().uid)}?{query}"
    assert_invalid(editor.get(path, status="*"), query.partition("=")[0])


def test_a_parameter_when_it_is_twice_in_a_multipart_form_then_it_is_refused(editor):
    body = MULTIPART.removesuffix(b"--b--\r\n") + MULTIPART
    kind = "multipart/form-data; boundary=b"
    answer = send_bytes(editor, "POST", b"/tokens/add_token", body=body, content_type=kind)
    assert_invalid(answer, "value")


def test_unknown_parameters_when_they_are_given_in_all_places_then_they_are_ignored(editor):
    body = '{"value": "v", "unknown": 1, "unknown": {"value": "x", "deep": [[]]}}'
    answer = editor.post("/tokens/add_token?unknown=1&Value=x", body, content_type=JSON)
    assert answer.json["success"] is True


# Bodies

NO_OBJECTS = {
    "nothing": " ",
    "text": "x",
    "null": "null",
    "number": "1",
    "string": '"value"',
    "list": "[]",
    "list of pairs": '[["value", "a"]]',
    "not ended": '{"value": "a"',
    "trailing comma": '{"value": "a",}',
    "single quotes": "{'value': 'a'}",
    "no quotes": "{value: 1}",
    "two objects": "{}{}",
    "comment": "{} // x",
    "NaN": '{"usage_count": NaN}',
    "Infinity": '{"usage_count": -Infinity}',
    "form": "value=a",
    "deep lists": "[" * 200_000,
    "deep objects": '{"a":' * 100_000,
    "deep and closed": '{"value": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "byte order mark": "\ufeff{}",
    "NUL": '{"value": "a\0"}',
    "line break in a string": '{"value": "a\n"}',
    "wrong escape": r'{"value": "\x"}',
}


@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS)
@pytest.mark.parametrize(
    "view", ["add_token", "add_tokens", "consume_token", "{uid}/consume_token"]
)
def test_a_json_body_when_it_is_no_json_object_then_it_is_refused(
    editor,
    make_token,
    content,
    view,
    body,
):
    path = f"/tokens/{view.format(uid=make_token().uid)}"
    before = content()
    assert_invalid(editor.post(path, body.encode(), content_type=JSON, status="*"), "body")
    assert content() == before


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "text/json",
        "application/x-json",
        "multipart/mixed",
        "x",
        "",
    ],
)
def test_a_body_when_it_is_of_another_type_then_it_is_refused(editor, content, kind):
    answer = send_bytes(
        editor,
        "POST",
        b"/tokens/add_token",
        body=b'{"value": "a"}',
        content_type=kind,
    )
    assert_invalid(answer, "Content-Type")
    assert content()["tokens"] == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json; charset=utf-8", b'{"value": "v"}'),
        ("application/json;charset=UTF-8", b'{"value": "v"}'),
        ("Application/JSON", b'{"value": "v"}'),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"value=v"),
        ("APPLICATION/X-WWW-FORM-URLENCODED", b"value=v"),
        ('Multipart/Form-Data; boundary="b"', MULTIPART),
    ],
)
def test_a_body_when_its_type_is_written_otherwise_then_it_is_read(editor, content, kind, body):
    answer = send_bytes(editor, "POST", b"/tokens/add_token", body=body, content_type=kind)
    assert answer.json["success"] is True
    assert [row.value for row in content()["tokens"]] == ["v"]


def multipart_with(header: bytes) -> bytes:
    return MULTIPART.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n")


DAMAGED_FORMS = {
    "no boundary": ("multipart/form-data", MULTIPART),
    "empty boundary": ("multipart/form-data; boundary=", MULTIPART),
    "strange boundary": ("multipart/form-data; boundary=\xff", MULTIPART),
    "other boundary": ("multipart/form-data; boundary=other", MULTIPART),
    "no end": ("multipart/form-data; boundary=b", MULTIPART[:-7]),
    "cut in a header": ("multipart/form-data; boundary=b", MULTIPART[:20]),
    "nothing": ("multipart/form-data; boundary=b", b"\r\n"),
    "no name": ("multipart/form-data; boundary=b", MULTIPART.replace(b"name=", b"n=")),
    "wrong length": ("multipart/form-data; boundary=b", multipart_with(b"Content-Length: x")),
    "huge length": ("multipart/form-data; boundary=b", multipart_with(b"Content-Length: 99999999")),
    "negative length": ("multipart/form-data; boundary=b", multipart_with(b"Content-Length: -1")),
    "nested": (
        "multipart/form-data; boundary=b",
        multipart_with(b"Content-Type: multipart/mixed; boundary=b"),
    ),
    "encoded": (
        "multipart/form-data; boundary=b",
        multipart_with(b"Content-Transfer-Encoding: base64"),
    ),
    "unknown transfer encoding": (
        "multipart/form-data; boundary=b",
        multipart_with(b"Content-Transfer-Encoding: x"),
    ),
    "part of unknown charset": (
        "multipart/form-data; boundary=b",
        multipart_with(b"Content-Type: text/plain; charset=nonsense"),
    ),
    "unknown charset": ("multipart/form-data; boundary=b; charset=nonsense", MULTIPART),
    "other charset": ("multipart/form-data; boundary=b; charset=utf-16", MULTIPART),
    "form of unknown charset": (f"{FORM}; charset=nonsense", b"value=%E4"),
    "json of unknown charset": (f"{JSON}; charset=nonsense", b"\xe4"),
}


@pytest.mark.parametrize(("kind", "body"), DAMAGED_FORMS.values(), ids=DAMAGED_FORMS)
def test_a_form_when_it_is_damaged_then_it_is_no_bug_of_ours(editor, kind, body):
    answer = send_bytes(editor, "POST", b"/tokens/add_token", body=body, content_type=kind)
    assert answer.status_int in (200, 400), answer.text
    if answer.status_int == 400:
        assert_failure(answer, 400, "invalid_parameter")


@pytest.mark.parametrize(
    "body",
    [
        b"0.0",
        b"value=v",
        b"--b\r\n0.0\r\n--b--\r\n",
        MULTIPART.replace(b"name=", b"n="),
        MULTIPART.replace(b"--b\r\n", b"--c\r\n"),
    ],
    ids=["number", "other form", "part without head", "part without name", "other boundary"],
)
def test_a_multipart_form_when_it_is_none_then_it_is_refused_and_nothing_is_added(
    editor,
    content,
    body,
):
    kind = "multipart/form-data; boundary=b"
    answer = send_bytes(editor, "POST", b"/tokens/add_token", body=body, content_type=kind)
    assert_invalid(answer, "body", "body: is no multipart form")
    assert content()["tokens"] == []


@pytest.mark.parametrize("body", [b"--b--\r\n", b"\r\n--b--"])
def test_a_multipart_form_when_it_has_no_fields_then_nothing_is_given(editor, content, body):
    kind = "multipart/form-data; boundary=b"
    answer = send_bytes(editor, "POST", b"/tokens/add_token", body=body, content_type=kind)
    assert answer.json["success"] is True
    assert len(content()["tokens"]) == 1


def test_a_body_when_it_is_empty_then_its_type_does_not_matter(editor, make_token):
    path = f"/tokens/{make_token().uid}/consume_token".encode()
    answer = send_bytes(editor, "POST", path, content_type="text/plain")
    assert answer.json["consumed"] is True


@EVERY_VIEW
def test_a_body_when_it_is_larger_than_1_mib_then_it_is_413(admin, make_token, content, view):
    token = make_token()
    before = content()
    answer = admin.request(
        view.path(token.uid),
        method=view.method,
        body=b"x" * (MIB + 1),
        content_type=JSON,
        status="*",
    )
    assert_failure(answer, 413, "too_large")
    assert content() == before


def test_a_body_when_it_is_just_1_mib_then_it_is_read(editor):
    body = json.dumps({"value": "v", "unknown": ""}).encode()
    body = body[:-2] + b"x" * (MIB - len(body)) + body[-2:]
    assert len(body) == MIB
    assert editor.post("/tokens/add_token", body, content_type=JSON).json["success"] is True


# Text that is no UTF-8

NO_UTF_8 = [b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]


@pytest.mark.parametrize("text", NO_UTF_8, ids=repr)
@pytest.mark.parametrize(
    "place",
    ["query", "quoted query", "form", "quoted form", "json", "multipart"],
)
@pytest.mark.parametrize("view", [b"add_token", b"consume_token"], ids=["add", "consume"])
def test_text_when_it_is_no_utf_8_then_it_is_refused(editor, content, view, text, place):
    request = {
        "query": {"query": b"value=" + text},
        "quoted query": {"query": b"value=" + quote(text).encode()},
        "form": {"body": b"value=" + text},
        "quoted form": {"body": b"value=" + quote(text).encode()},
        "json": {"body": b'{"value": "' + text + b'"}', "content_type": JSON},
        "multipart": {
            "body": MULTIPART.replace(b"\nv\r", b"\n" + text + b"\r"),
            "content_type": "multipart/form-data; boundary=b",
        },
    }[place]
    assert_invalid(send_bytes(editor, "POST", b"/tokens/" + view, **request), "UTF-8")
    assert content()["tokens"] == []


@pytest.mark.parametrize("text", NO_UTF_8, ids=repr)
@pytest.mark.parametrize("view", ["query_token", "openapi.json", "{uid}/usages", "{uid}/qr_code"])
def test_a_query_when_it_is_no_utf_8_then_it_is_refused_on_get(editor, make_token, view, text):
    path = f"/tokens/{view.format(uid=make_token().uid)}".encode()
    assert_invalid(send_bytes(editor, "GET", path, query=b"value=" + text), "UTF-8")


@pytest.mark.parametrize("text", NO_UTF_8, ids=repr)
@pytest.mark.parametrize(
    "view", [view for view in VIEWS if view.on_token], ids=lambda view: view.id
)
def test_a_path_when_it_is_no_utf_8_then_it_is_refused(admin, content, view, text):
    path = b"/tokens/" + text + b"/" + view.name.encode()
    answer = send_bytes(admin, view.method, path)
    assert_failure(answer, 400, "invalid_parameter")
    assert content()["token_usage"] == []


# Paths

NO_UIDS = [
    "x",
    "%00",
    "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001%00",
    "{6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001}",
    "%7B6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001%7D",
    "urn:uuid:6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001",
    "6f2c1d1e58a34a0c9a870d3c64f6a001",
    "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a00",
    "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a0011",
    "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a00g",
    "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a00%D9%A1",
    "%206f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001",
    "6f2c1d1e_58a3_4a0c_9a87_0d3c64f6a001",
    "usages",
    "query_token",
    "tokens_overview",
    "add",
    "1",
    "-1",
    "%C3%A4",
    "x" * 5_000,
]
ON_TOKEN = pytest.mark.parametrize(
    "view",
    [view for view in VIEWS if view.on_token],
    ids=lambda view: view.id,
)
# Parameters that a view on a token refuses to miss, and that are told before the token.
REQUIRED = {"update_token": {"usage_count": "1"}, "undo_use": {"receipt": UNKNOWN_UID}}


@ON_TOKEN
@pytest.mark.parametrize("uid", [UNKNOWN_UID, UNKNOWN_UID.upper()], ids=["lower", "upper"])
def test_a_token_when_it_is_unknown_then_it_is_404(admin, content, view, uid):
    answer = send(admin, view.method, view.path(uid), REQUIRED.get(view.name))
    text = f"Token {UNKNOWN_UID} not exists"
    assert_failure(answer, 404, "token_not_exists", text)
    assert not any(content().values())


NO_UIDS_OF_VIEWS = [
    pytest.param(view, uid, id=f"{view.id}-{uid[:45]}")
    for number, view in enumerate(view for view in VIEWS if view.on_token)
    for uid in (NO_UIDS if number == 0 else NO_UIDS[:3])
]


@pytest.mark.parametrize(("view", "uid"), NO_UIDS_OF_VIEWS)
def test_a_uid_when_it_is_none_then_it_is_404(admin, content, view, uid):
    answer = send(admin, view.method, view.path(uid), REQUIRED.get(view.name))
    said = assert_failure(answer, 404, "token_not_exists")
    assert said["message"].startswith("Token ")
    assert said["message"].endswith(" not exists")
    assert len(said["message"]) < 200
    assert not any(content().values())


@pytest.mark.parametrize(
    "path",
    [
        "/tokens/query_token/more",
        "/tokens/add_token/more/still",
        "/tokens/openapi.json/x",
        "/tokens/{uid}/consume_token/more",
        "/tokens/{uid}/consume_token/consume_token",
        "/tokens/{uid}/usages/{uid}",
        "/tokens/{uid}/query_token",
        "/tokens/{uid}/add_token",
        "/tokens/{uid}/delete_tokens",
        "/tokens/usages",
        "/tokens/update_token",
        "/tokens/delete_token",
        "/tokens/qr_code",
        "/tokens/no uid/nothing",
        "/tokens/no uid/consume_token/more",
        "/tokens/{uid}/{uid}/consume_token",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_when_it_leads_nowhere_then_it_is_404(admin, make_token, content, path, method):
    token = make_token()
    before = content()
    answer = send(admin, method, path.format(uid=token.uid))
    assert_failure(answer, 404, "not_found")
    assert content() == before


# Methods


def allowed_methods(view):
    same = (view.name, view.on_token, view.permission)
    return {v.method for v in VIEWS if (v.name, v.on_token, v.permission) == same}


WRONG_METHODS = [
    pytest.param(view, method, id=f"{method}-{view.id}")
    for view in VIEWS
    if view.id != "GET <uid>/consume_token"
    for method in METHODS
    if method not in allowed_methods(view)
]


@pytest.mark.parametrize(("view", "method"), WRONG_METHODS)
@pytest.mark.parametrize("uid", ["known", UNKNOWN_UID, "no-uid"], ids=["known", "unknown", "none"])
def test_a_method_when_it_is_wrong_then_it_is_405(admin, make_token, content, view, method, uid):
    token = make_token()
    before = content()
    path = view.path(token.uid if uid == "known" else uid)
    answer = admin.request(path, method=method, status="*")
    allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert allowed == allowed_methods(view)
    assert content() == before
    if method == "HEAD":
        assert (answer.status_int, answer.body) == (405, b"")
    else:
        assert_failure(answer, 405, "method_not_allowed")


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_consume_by_get_when_it_is_switched_off_then_it_is_405(
    editor,
    make_token,
    patched_config,
    content,
    known,
):
    patched_config(consume_by_get=False)
    token = make_token()
    path = f"/tokens/{token.uid if known else UNKNOWN_UID}/consume_token"
    answer = send(editor, "GET", path)
    assert_failure(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"
    assert content()["token_usage"] == []
    if known:
        assert editor.post(path).json["consumed"] is True


# The order of checks

#: What to do wrong, by status, at views where it is possible.
AT_ADD = [413, 405, 401, 403, 400, 422, 409]
AT_CONSUME = [413, 405, 401, 403, 400, 422, 404]
AT_UPDATE = [413, 405, 401, 403, 400, 404, 409]
PAIRS = [
    pytest.param(view, set(pair), id=f"{view}-{pair[0]}-{pair[1]}")
    for view, statuses in (
        ("add_token", AT_ADD),
        ("consume_token", AT_CONSUME),
        ("update_token", AT_UPDATE),
    )
    for pair in itertools.combinations(statuses, 2)
] + [
    pytest.param("add_token", set(AT_ADD), id="add_token-all"),
    pytest.param("consume_token", set(AT_CONSUME), id="consume_token-all"),
    pytest.param("update_token", set(AT_UPDATE), id="update_token-all"),
]


@pytest.mark.parametrize(("view", "wrong"), PAIRS)
def test_checks_when_two_things_are_wrong_then_the_contracts_first_is_told(
    editor,
    anonymous,
    make_token,
    content,
    view,
    wrong,
):
    make_token(value="taken")
    key = {"Idempotency-Key": "bound"}
    if view == "add_token":
        path, parameters = "/tokens/add_token", {}
        editor.post(path, {"value": "first"}, headers=key)
    else:
        path, parameters = f"/tokens/{UNKNOWN_UID if 404 in wrong else make_token().uid}/{view}", {}
        editor.post(f"/tokens/{make_token().uid}/consume_token", headers=key)
    if 409 in wrong:
        parameters["value"] = "taken"
    if 400 in wrong:
        parameters["usage_count"] = "x"
    headers = key if 422 in wrong else {}
    if 403 in wrong:
        headers = {**headers, "Sec-Fetch-Site": "cross-site"}
    before = content()
    body = json.dumps(parameters).encode()
    if 400 in wrong and view == "consume_token":
        body = b"no JSON"
    answer = (anonymous if 401 in wrong else editor).request(
        path,
        method="PUT" if 405 in wrong else "POST",
        body=body.ljust(MIB + 1) if 413 in wrong else body,
        content_type=JSON,
        headers=headers,
        status="*",
    )
    assert answer.status_int == min(wrong, key=ORDER.index), answer.text
    assert answer.json["success"] is False
    assert content() == before


@pytest.mark.parametrize(
    ("role", "parameters", "status"),
    [("viewer", {"usage_count": "x"}, 403), ("viewer", {}, 403), ("editor", {}, 404)],
)
def test_checks_when_the_permission_is_missing_then_the_token_is_not_asked_for(
    signed_in,
    query_recorder,
    role,
    parameters,
    status,
):
    client = signed_in(role)
    query_recorder.clear()
    path = f"/tokens/{UNKNOWN_UID}/update_token"
    assert send(client, "POST", path, parameters).status_int == status
    asked = [text for text in query_recorder.statements if "tokens" in text]
    assert bool(asked) is (status == 404)
