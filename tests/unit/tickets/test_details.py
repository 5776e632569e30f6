"""What people note about a ticket: how it is read, and what is refused."""

import json
import zoneinfo

import pytest

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import collect
from cone.tokens.core.params import parse_json
from cone.tokens.core.values import UNSET
from cone.tokens.tickets.params import TOKEN_PARAMETERS
from cone.tokens.tickets.parser import Parser

PARSER = Parser(zone=zoneinfo.ZoneInfo("Europe/Vienna"))
EMOJI = "\U0001f468‍\U0001f469‍\U0001f467"
FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
HTML = "<b onclick=x>Ann</b>"

READ = {
    "a label": ("label", "Ann Example", "Ann Example"),
    "blanks at the ends": ("label", "  Ann\u00a0", "Ann"),
    "an empty one": ("label", "", None),
    "blanks alone": ("label", " \t ", None),
    "what nobody sees at the ends": ("category", "\ufeffVIP \u200b ", "VIP"),
    "what nobody sees alone": ("label", "\u200b\u00a0\u200d", None),
    "a flag that ends in tags": ("label", FLAG, FLAG),
    "a heart with a selector": ("label", "\u2764\ufe0f", "\u2764\ufe0f"),
    "normal form C": ("label", "Zoe\u0308", "Zoë"),
    "right to left": ("label", "\u202e\u05e9\u05dc\u05d5\u05dd", "\u202e\u05e9\u05dc\u05d5\u05dd"),
    "emoji": ("label", EMOJI, EMOJI),
    "HTML": ("label", HTML, HTML),
    "as long as it may be": ("label", "x" * 200, "x" * 200),
    "an address": ("email", "ann@example.org", "ann@example.org"),
    "an address on this host": ("email", "ann@localhost", "ann@localhost"),
    "a category": ("category", "VIP", "VIP"),
    "a note of lines": ("note", "one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
    "data": ("data", '{"seat": "12 A", "meal": ""}', '{"seat": "12 A", "meal": ""}'),
    "data in its own letters": ("data", '{"Größe": "M"}', '{"Größe": "M"}'),
    "no data": ("data", "", None),
    "an empty object": ("data", "{}", None),
}


@pytest.mark.parametrize(("name", "raw", "read"), READ.values(), ids=READ)
def test_details_when_they_are_possible_then_they_are_read_alike_for_new_and_known_tokens(
    name, raw, read
):
    assert getattr(PARSER.new_token({name: raw}), name) == read
    assert getattr(PARSER.changes({name: raw}), name) == read


def test_details_when_they_are_omitted_then_nothing_is_noted_or_changed():
    names = ("label", "email", "category", "note", "data")
    assert [getattr(PARSER.new_token({}), name) for name in names] == [None] * len(names)
    assert [getattr(PARSER.changes({}), name) for name in names] == [UNSET] * len(names)


def test_data_when_it_is_an_object_of_a_json_body_then_it_is_read_as_its_text():
    given = collect(parse_json('{"data": {"seat": "12 A"}}'), TOKEN_PARAMETERS)
    assert json.loads(PARSER.new_token(given).data) == {"seat": "12 A"}


MANY = json.dumps({f"n{number}": "" for number in range(51)})
REFUSED = {
    "a label that is too long": ("label", "x" * 201, "too_many_characters"),
    "many marks": ("label", "x" + "\u0301" * 200, "too_many_characters"),
    "a label of lines": ("label", "a\nb", "control_character"),
    "NUL": ("note", "a\0b", "control_character"),
    "escape": ("category", "\x1b[31m", "control_character"),
    "a category that is too long": ("category", "x" * 101, "too_many_characters"),
    "a note that is too long": ("note", "x" * 2_001, "too_many_characters"),
    "no text": ("label", True, "invalid_text"),
    "no Unicode": ("label", "\ud800", "invalid_unicode"),
    "no address": ("email", "ann", "invalid_email"),
    "two addresses": ("email", "a@example.org, b@example.org", "invalid_email"),
    "an address without a host": ("email", "ann@", "invalid_email"),
    "an address that is too long": ("email", f"{'x' * 251}@a.b", "too_many_characters"),
    "data that is no JSON": ("data", "seat", "invalid_data"),
    "a list": ("data", '["a"]', "invalid_data"),
    "a number in it": ("data", '{"a": 1}', "invalid_data"),
    "an object in it": ("data", '{"a": {"b": "c"}}', "invalid_data"),
    "a name twice": ("data", '{"a": "1", "a": "2"}', "invalid_data"),
    "no name": ("data", '{"": "1"}', "invalid_data"),
    "a name of blanks": ("data", '{" ": "1"}', "invalid_data"),
    "a name of what nobody sees": ("data", '{"\u200b": "1"}', "invalid_data"),
    "a name twice but for what nobody sees": ("data", '{"a": "1", "a\u200b": "2"}', "invalid_data"),
    "a name twice in other forms": ("data", '{"e\u0301": "1", "é ": "2"}', "invalid_data"),
    "too long with its blanks": ("label", " " * 201, "too_many_characters"),
    "too many texts": ("data", MANY, "invalid_data"),
    "a long name in it": ("data", json.dumps({"n" * 101: ""}), "too_many_characters"),
    "a long text in it": ("data", json.dumps({"n": "x" * 501}), "too_many_characters"),
    "half a letter in it": ("data", '{"a": "\\ud800"}', "invalid_unicode"),
    "NUL in it": ("data", '{"a": "\\u0000"}', "control_character"),
    "nested too deeply": ("data", '{"a":' * 100_000, "invalid_data"),
}


@pytest.mark.parametrize(("name", "raw", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("read", [PARSER.new_token, PARSER.changes])
def test_details_when_they_are_not_possible_then_the_parameter_is_named(read, name, raw, reason):
    with pytest.raises(InvalidParameter) as caught:
        read({name: raw})
    assert (caught.value.parameter, caught.value.reason) == (name, reason)
