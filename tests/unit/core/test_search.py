"""What people search by: how texts are folded, and the parts of what is sought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cone.tokens.core.search import LEAST
from cone.tokens.core.search import parts_of
from cone.tokens.core.search import search_text
from cone.tokens.migrations.frozen import folded_for_search

FOLDED = {
    "ANNA": "anna",
    "Zoë Müller": "zoe muller",
    "Zoe\u0308": "zoe",
    "Straße": "strasse",
    "STRASSE": "strasse",
    "ＦＵＬＬ": "full",  # noqa: RUF001 - it is meant
    "a\t b\u00a0c": "a b c",
    "F20‐T": "f20-t",  # noqa: RUF001
    "a\u200bb\u202ec": "abc",
    "İ": "i",
    "ﬁ": "fi",
    "Łódź": "łodz",
    "ΑΣ": "ας".casefold(),
    "a\x00b": "ab",
}


@pytest.mark.parametrize(("text", "expected"), FOLDED.items(), ids=map(ascii, FOLDED))
def test_text_when_it_is_folded_then_case_accents_and_widths_are_gone(text, expected):
    assert search_text(text) == expected


@given(st.text())
def test_text_when_it_is_folded_twice_then_nothing_more_changes(text):
    assert search_text(search_text(text)) == search_text(text)


@given(st.text())
def test_text_when_a_revision_folds_it_then_it_is_folded_alike(text):
    assert folded_for_search(text) == search_text(text)


SOUGHT = {
    "ann": ("ann",),
    " Ann  EXA ": ("ann", "exa"),
    "12 A x": ("12 a x",),
    "12 Ann": ("12", "ann"),
    "an": (),
    "a b": ("a b",),
    "": (),
    "\u0308\u0308\u0308": (),
    "ann ann": ("ann",),
}


@pytest.mark.parametrize(("sought", "parts"), SOUGHT.items(), ids=map(ascii, SOUGHT))
def test_search_when_it_has_words_then_one_has_to_be_long_enough(sought, parts):
    assert parts_of(sought) == parts


@given(st.text())
def test_search_when_it_has_parts_then_one_can_be_looked_up(sought):
    parts = parts_of(sought)
    assert not parts or max(map(len, parts)) >= LEAST
