"""What a code is: made strictly, looked up as devices and people send it."""

import dataclasses
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.migrations import frozen

SITE = "https://tickets.example/tokens/"
UID = uuid.UUID("d7123888-fd68-4a1c-9a87-0d3c64f6a00e")
RANDOM = "K7ZQ2MYXW3ABCDEFGHYZJKLMNP"


@dataclasses.dataclass(frozen=True)
class Coded:
    value: str
    uid: uuid.UUID = dataclasses.field(default_factory=uuid.uuid4)


def is_found(sought: codes.Sought, token: Coded) -> bool:
    """Return whether the statement of a look-up finds a token."""
    is_exact = token.value in sought.values or token.uid == sought.page_of
    return is_exact or codes.digest(token.value) in sought.digests


def read(text: str, *values: str, site: str | None = None) -> str | None:
    """Return the code that is meant by a text, of tokens with these values."""
    sought = codes.sought(text, site)
    if sought is None:
        return None
    tokens = [Coded(value, UID if value == str(UID) else uuid.uuid4()) for value in values]
    found = {token.value: token for token in tokens if is_found(sought, token)}
    chosen = codes.choose(sought, found)
    return chosen and chosen.value


# Made


@pytest.mark.parametrize(
    "text",
    ["A", "a b", "F20-T", "(01)0\x1d21X", "é", "🎫", "x" * 2_048, "a\u00a0b", "—", "ß", "0"],
    ids=ascii,
)
def test_new_code_when_all_of_it_can_be_seen_then_it_stays(text):
    assert codes.new_code(text) == text


def test_new_code_when_it_is_decomposed_then_it_is_stored_in_normal_form():
    assert codes.new_code("A\u030a-e\u0301") == "Å-é"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("   ", "blank_code"),
        ("\u00a0\u2003", "blank_code"),
        ("\x1d", "blank_code"),
        (" A", "blank_ends"),
        ("A\t", "blank_ends"),
        ("A\u00a0", "blank_ends"),
        ("A\r\n", "blank_ends"),
        ("A\x1d", "blank_ends"),
        ("A\nB", "invisible_character"),
        ("A\x00B", "invisible_character"),
        ("A\x7f", "invisible_character"),
        ("A\u200b", "invisible_character"),
        ("\ufeffA", "invisible_character"),
        ("A\u200dB", "invisible_character"),
        ("A\u00adB", "invisible_character"),
        ("A\u2028B", "invisible_character"),
        ("A\u3164", "invisible_character"),
        ("❤\ufe0f", "invisible_character"),
        ("\U000e0041", "invisible_character"),
        ("A\u2065B", "invisible_character"),
        ("A\ufff0", "invisible_character"),
        ("A\U000e0080B", "invisible_character"),
        ("A\ufdd0B", "invisible_character"),
        ("A\uffff", "invisible_character"),
        ("A\U0010fffe", "invisible_character"),
        ("A\ud800B", "invisible_character"),
        ("\u0301", "lone_mark"),
        ("\u0301A", "lone_mark"),
        ("A\x1d\u0301", "lone_mark"),
        ("x" * 2_049, "too_long"),
        ("\u0958" * 600, "too_long"),
    ],
    ids=ascii,
)
def test_new_code_when_something_of_it_is_not_seen_then_the_parameter_is_named(text, reason):
    with pytest.raises(InvalidParameter) as caught:
        codes.new_code(text, "prefix")
    assert (caught.value.parameter, caught.value.reason) == ("prefix", reason)
    assert str(caught.value).startswith("prefix: ")
    assert len(str(caught.value)) < 100


def test_new_code_when_a_character_is_not_seen_then_it_is_named_with_its_place():
    with pytest.raises(InvalidParameter, match=r"U\+200B, at place 2$"):
        codes.new_code("A\u200bB")


@pytest.mark.parametrize("stored", [" A", "A\nB", "e\u0301", "   ", "❤\ufe0f"], ids=ascii)
def test_changed_code_when_it_is_what_is_stored_then_it_stays_whatever_it_is(stored):
    assert codes.changed_code(stored, stored) == stored


def test_changed_code_when_it_is_another_one_then_it_is_made_as_a_new_one():
    assert codes.changed_code(" A", "e\u0301") == "é"
    with pytest.raises(InvalidParameter):
        codes.changed_code(" A", " B")


@given(st.text(min_size=1, max_size=30))
def test_new_code_when_it_is_made_then_looking_up_finds_it_by_itself(text):
    try:
        code = codes.new_code(text)
    except InvalidParameter:
        return
    assert codes.new_code(code) == code
    assert unicodedata.is_normalized("NFC", code)
    assert read(code, code) == code
    assert read(f"\t{code}\r\n", code) == code


# Looked up: what scanners do, times what is on the ticket

#: What is on the ticket.
TICKETS = {
    "uid": str(UID),
    "random": RANDOM,
    "short": "G-12",
    "Unicode": "Größe-Ä7",
}
GERMAN = str.maketrans("-[]\\;'/yzYZ", "ßü+#öä-zyZY")
US_ON_GERMAN = {
    "uid": str(UID).translate(GERMAN),
    "random": RANDOM.translate(GERMAN),
    "short": "Gß12",
    # A US scanner has no keys for it: what it sends is another text.
    "Unicode": None,
}


def caps_lock(text: str) -> str:
    """Return what keys type while Caps Lock is on."""
    return text.replace("ß", "ẞ").swapcase()


#: What arrives of a ticket; None: nothing that could be read.
HABITS = {
    "as it is": lambda name: TICKETS[name],
    "CR LF": lambda name: TICKETS[name] + "\r\n",
    "tab in front": lambda name: "\t" + TICKETS[name],
    "GS behind": lambda name: TICKETS[name] + "\x1d",
    "blank behind": lambda name: TICKETS[name] + " ",
    "NBSP behind": lambda name: TICKETS[name] + "\u00a0",
    "zero-width space behind": lambda name: TICKETS[name] + "\u200b",
    "BOM in front": lambda name: "\ufeff" + TICKETS[name],
    "]Q1": lambda name: "]Q1" + TICKETS[name],
    "BOM, ]C1 and CR": lambda name: "\ufeff]C1" + TICKETS[name] + "\r",
    "Caps Lock": lambda name: caps_lock(TICKETS[name]),
    "upper case": lambda name: TICKETS[name].replace("ß", "ẞ").upper(),
    "en dash": lambda name: TICKETS[name].replace("-", "–"),  # noqa: RUF001 - it is meant
    "non-breaking hyphen": lambda name: TICKETS[name].replace("-", "\u2011"),
    "decomposed": lambda name: unicodedata.normalize("NFD", TICKETS[name]),
    "US scanner, German keyboard": US_ON_GERMAN.get,
    "the same with Caps Lock": lambda name: US_ON_GERMAN[name] and caps_lock(US_ON_GERMAN[name]),
    "the same with CR": lambda name: US_ON_GERMAN[name] and US_ON_GERMAN[name] + "\r",
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("name", TICKETS)
def test_code_when_a_scanner_has_a_habit_then_the_ticket_is_found(name, habit):
    arrives = HABITS[habit](name)
    others = [f"{code}-2" for code in TICKETS.values()]
    expected = None if arrives is None else TICKETS[name]
    assert read(arrives or "Gr-~e/'7", *TICKETS.values(), *others) == expected


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("name", TICKETS)
def test_code_when_a_scanner_has_a_habit_and_there_is_no_such_token_then_none_is(name, habit):
    others = [code for code in TICKETS.values() if code != TICKETS[name]]
    assert read(HABITS[habit](name) or "Gr-~e/'7", *others) is None


@pytest.mark.parametrize(
    "text", ["", " ", "\r\n", "\ufeff", "\u200b\u200b", "]Q1", "\x1d"], ids=ascii
)
def test_code_when_nothing_but_additions_arrive_then_no_token_is_meant(text):
    assert read(text, "   ", "\u200b", "Q1", "A") is None


def test_code_when_an_old_one_has_blank_ends_then_it_is_found_without_them():
    assert read("F07-B", "F07-B\u00a0") == "F07-B\u00a0"
    assert read("F07-B", "F07-B\u00a0", "F07-B") == "F07-B"


# Never where two could be meant


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("abc", ["ABC"], "ABC"),
        ("abc", ["ABC", "Abc"], None),
        ("ABC", ["abc", "ABC"], "ABC"),
        ("ABC\n", ["abc", "ABC"], "ABC"),
        ("Gß1", ["G-1", "g-1"], None),
        ("Gß1", ["G-1", "Gß1"], "Gß1"),
        ("gß1", ["G-1", "Gß1"], None),
        (str(UID).upper(), [str(UID), str(UID).upper()], str(UID).upper()),
        (str(UID).upper() + "\n", [str(UID), str(UID).upper()], str(UID).upper()),
        (str(UID).title(), [str(UID), str(UID).upper()], str(UID)),
        ("STRASSE", ["straße"], None),
        ("I", ["\u0131"], None),
    ],
    ids=ascii,
)
def test_choose_when_several_could_be_meant_then_the_order_decides_or_none_is(
    text,
    values,
    expected,
):
    assert read(text, *values) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [("ROWY", "ROWZ"), ("rowz", "ROWY"), ("ROW-Y", "ROW-Z"), ("ROW-Y", "ROWSSZ"), ("Z1", "Y1")],
)
def test_choose_when_y_and_z_alone_differ_in_a_short_code_then_it_is_another_ticket(text, code):
    assert read(text, code) is None


def test_choose_when_a_digest_is_shared_and_the_code_is_not_then_it_is_not_meant():
    assert codes.choose(codes.sought("abc"), {"other": Coded("other")}) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("TICKET]A1-77", ["TICKET-77"]),
        ("T-1]Q1T-2", ["T-1T-2"]),
        ("\rT-1]Q1T-2", ["T-1T-2"]),
        ("T-1+Q1T-2", ["T-1T-2"]),
        ("]Q1]Q1A", ["A"]),
        ("A]Q1", ["A"]),
        ("+Q1Tß1+Q1Tß2", ["T-1T-2"]),
    ],
    ids=ascii,
)
def test_choose_when_what_looks_like_a_prefix_is_inside_then_it_is_part_of_the_code(text, values):
    assert read(text, *values) is None


@pytest.mark.parametrize("ends", ["\r\n", "\t", "\u00a0", "\ufeff", " "], ids=ascii)
@pytest.mark.parametrize(
    ("code", "other"),
    [
        ("F20–T", "F20-T"),  # noqa: RUF001 - it is meant
        ("]C1ABC", "ABC"),
        ("SEAT[A]B12", "SEAT[A2"),
        ("]C1F20–T", "]C1F20-T"),  # noqa: RUF001 - it is meant
        ("Cafe\u0301–1", "Café–1"),  # noqa: RUF001 - it is meant
        ("Cafe\u0301–1", "Café-1"),  # noqa: RUF001 - it is meant
        ("F20\u200b-T", "F20-T"),
        ("F20\u00adT", "F20-T"),
        ("]C1e\u0301", "e\u0301"),
    ],
    ids=ascii,
)
def test_choose_when_a_code_is_as_sent_but_for_its_ends_then_no_other_is_meant(code, other, ends):
    assert read(code + ends, other, code) == code
    assert read(ends + code, code, other) == code
    assert read(code + ends, code) == code


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("]C1e\u0301–1\r", ["]C1e\u0301–1", "]C1é–1", "e\u0301–1", "é–1", "é-1"]),  # noqa: RUF001
        ("]C1Abc\r", ["]C1Abc", "Abc"]),
        ("F–2\u200b0\r", ["F–2\u200b0", "F–20", "F-2\u200b0", "F-20", "f-20"]),  # noqa: RUF001
        ("D\r", ["D", "d"]),
    ],
    ids=ascii,
)
def test_choose_when_several_codes_are_near_then_the_nearest_is_meant(text, nearest):
    while nearest:
        assert read(text, *reversed(nearest)) == nearest[0]
        nearest = nearest[1:]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("]C1F–1", ["]C1F-1", "F-1"]),  # noqa: RUF001 - it is meant
        ("]c1abc", ["]C1ABC", "ABC"]),
        ("F20\u00adT", ["F20-T", "F20T"]),
        ("Gß1", ["G-1", "gß1"]),
    ],
    ids=ascii,
)
def test_choose_when_two_codes_are_equally_near_then_none_is_meant(text, values):
    assert read(text, *values) is None
    assert [read(text, value) for value in values] == values


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("]C1abc", "]C1ABC"),
        ("]c1abc", "ABC"),
        ("+C1Gß1", "]C1G-1"),
        ("+C1Gß1", "G-1"),
        ("F20\u200b-T", "F20-T"),
        ("F20\u200b-t\r\n", "F20-T"),
        ("]Q1F2\u20600-T", "F20-T"),
        ("F20\u00ad-T", "F20-T"),
        ("F20\u00adT", "F20T"),
        ("F20\u00adT", "F20-T"),
        ("e\u200b\u0301", "é"),
        ("F20\ufff0-T", "F20-T"),
    ],
    ids=ascii,
)
def test_choose_when_one_code_differs_by_what_is_added_then_it_is_meant(text, code):
    assert read(text, code) == code


# Random codes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SUMMERFESTIVALZ01", "SUMMERFESTIVALY01"),
        ("summerfestival-2026-rowz", "summerfestival-2026-rowy"),
        (RANDOM.translate(GERMAN) + "-Y", RANDOM + "-Z"),
        (RANDOM.translate(GERMAN).lower(), RANDOM.lower()),
    ],
)
def test_choose_when_y_and_z_alone_differ_in_a_long_code_then_it_is_another_ticket(text, code):
    assert read(text, code) is None
    assert read(text + "\r", code) is None


@pytest.mark.parametrize("prefix", ["", "ROW", "]C1"])
def test_choose_when_y_and_z_alone_differ_in_a_random_code_then_it_is_meant(prefix):
    code = prefix + RANDOM
    assert read(code.translate(str.maketrans("YZ", "ZY")), code) == code
    assert read(code.translate(str.maketrans("YZ", "zy")).lower(), code) == code


# Addresses of pages


@pytest.mark.parametrize(
    "text",
    [
        f"https://tickets.example/tokens/{UID}",
        f"http://tickets.example/tokens/{UID}",
        f"HTTPS://TICKETS.EXAMPLE/TOKENS/{str(UID).upper()}",
        f"https://tickets.example/tokens/{UID}/?saved=1#top",
        f"]Q1https://tickets.example/tokens/{UID}\r\n",
        f"httpsÖ--tickets.example-tokens-{str(UID).translate(GERMAN)}",
    ],
)
@pytest.mark.parametrize("site", [SITE, SITE.rstrip("/"), SITE.replace("https", "http")])
def test_sought_when_it_is_the_address_of_a_page_of_this_site_then_its_token_is_meant(text, site):
    assert codes.sought(text, site).page_of == UID


@pytest.mark.parametrize(
    "text",
    [
        f"https://elsewhere.example/tokens/{UID}",
        f"https://tickets.example/other/{UID}",
        f"https://tickets.example/tokens/{UID}/delete",
        f"https://tickets.example/tokens/{UID}0",
        "https://tickets.example/tokens/scan",
        f"tickets.example/tokens/{UID}",
        f"ftp://tickets.example/tokens/{UID}",
        f"https://tickets.example.evil.example/tokens/{UID}",
        f"x https://tickets.example/tokens/{UID}",
        str(UID),
    ],
)
def test_sought_when_it_is_no_address_of_a_page_of_this_site_then_no_page_is_meant(text):
    assert codes.sought(text, SITE).page_of is None
    assert codes.sought(text).page_of is None


# Forms


@given(st.text(max_size=30))
def test_folded_when_it_is_folded_again_then_it_stays(text):
    form = codes.folded_code(text)
    assert codes.folded_code(form) == form
    assert codes.folded_code(unicodedata.normalize("NFC", text)) == form
    assert codes.folded_code(unicodedata.normalize("NFD", text)) == form


@given(st.text(max_size=30), st.text(alphabet=" \t\r\n\u00a0\ufeff\u200b\x1d", max_size=5))
def test_sought_when_something_stands_at_the_ends_then_it_is_as_without_it(text, more):
    sought, plain = codes.sought(f"{more}{text}{more}"), codes.sought(text)
    assert (sought is None) is (plain is None)
    if sought and plain:
        assert sought.steps[1:] == plain.steps[1:]
        assert sought.digests == plain.digests


@given(st.text(max_size=30))
def test_digest_when_it_is_made_then_it_has_32_digits_and_is_that_of_the_folded_form(text):
    made = codes.digest(text)
    assert len(made) == 32
    assert int(made, 16) >= 0
    assert codes.digest(codes.folded_code(text)) == made


@given(st.characters(max_codepoint=127), st.text(st.characters(max_codepoint=127), max_size=9))
def test_folded_when_it_is_ascii_then_it_is_as_beside_a_letter_that_is_none(sign, text):
    code = f"{sign}{text}{sign}"
    inside = codes.folded_code(f"é{code}é")[2:-2]
    assert codes.folded_code(code) == codes.folded_code(inside)
    assert not codes.folded_code(f"\x7f {sign}").startswith(("\x7f", " "))
    assert codes.folded_code(f"{code}\u200b") == codes.folded_code(code)


@given(st.text(max_size=30) | st.text(st.characters(max_codepoint=127), max_size=30))
def test_digest_when_a_revision_makes_it_then_it_is_the_same(text):
    """Whoever changes it writes a revision that makes all digests anew."""
    assert frozen.digest_of_code(text) == codes.digest(text)


@given(st.text(max_size=30))
def test_sought_when_it_is_any_text_then_its_first_digest_is_that_of_the_text(text):
    sought = codes.sought(text, SITE)
    if sought is not None:
        assert sought.digests[0] == codes.digest(text)
        assert all(map(codes.is_text, sought.values))


def test_sought_when_the_text_is_longer_than_any_code_then_nothing_is_meant():
    assert codes.sought("x" * 100_000) is None
    assert codes.sought("\u0323\u0307" * 1_000_000) is None
    assert codes.sought("x" * codes.MAX_BYTES).forms == ("x" * codes.MAX_BYTES,)


def test_sought_when_it_has_many_marks_in_a_row_then_it_means_itself_alone():
    """To put them in order takes the square of their number."""
    text = "A" + "\u0323\u0307" * 1_500
    sought = codes.sought(text)
    assert (sought.values, sought.texts, sought.digests) == ([text], [text], [])
    assert codes.sought(f"{text}\0") is None
    assert codes.sought("A" + "\u0323\u0307" * 20) is not None


@pytest.mark.parametrize("text", ["\ud800", "A\udc80B", "\0", "a\0b"], ids=ascii)
def test_sought_when_it_is_no_text_then_nothing_is_meant(text):
    assert codes.sought(text) is None
