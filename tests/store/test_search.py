"""Searches by parts of codes and labels, on both databases."""

import pytest
from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.core.store import searching
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets.records import TokenSearchRecord
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token
from tests.support.searches import without_trigrams

NAMES = {
    "G-1": "Zoë Example",
    "G-12": 'Ann "Quote" O\'Neil',
    "G-123": "100% _cotton_ *star*",
    "Grüße-7": None,
    "H-9": "Müller, Jörg",
    "H-10": "😀 Emoji \u202eright",
    "H-11": "AND OR NOT NEAR(",
}


@pytest.fixture
def guests(service):
    """Return the service; it has tokens with :data:`NAMES`."""
    for value, label in NAMES.items():
        service.add(new_token(value=value, label=label), by=None)
    return service


def found(service, sought: str) -> set[str]:
    matching = TokenFilter(search=sought)
    page = service.page(50, matching=matching)
    assert service.count(matching) == len(page.tokens)
    values = {token.value for token in page.tokens}
    assert {token.value for token in service.every(matching)} == values
    return values


FOUND = {
    "zoe": {"G-1"},
    "EXAMPLE zoë": {"G-1"},
    "g-12": {"G-12", "G-123"},
    "-12": {"G-12", "G-123"},
    "GRUSSE": {"Grüße-7"},
    "jorg MULLER": {"H-9"},
    "ller, j": {"H-9"},
    '"quote"': {"G-12"},
    "o'neil": {"G-12"},
    "100%": {"G-123"},
    "10%": set(),
    "_cot": {"G-123"},
    "xcot": set(),
    "*star*": {"G-123"},
    "emoji right": {"H-10"},
    "AND OR NOT": {"H-11"},
    "near(": {"H-11"},
    "g-1 zoë": {"G-1"},
    "g-1 ann": {"G-12"},
    "nobody": set(),
    "zo": set(),
    "x" * 10_000: set(),
    "zoë example" + " " * 300: {"G-1"},
}


@pytest.mark.parametrize(("sought", "values"), FOUND.items(), ids=[ascii(s)[:20] for s in FOUND])
def test_search_when_a_code_or_a_label_has_the_parts_then_it_is_found(guests, sought, values):
    assert found(guests, sought) == values


#: As the README tells it.
SPELLINGS = {
    "müller": {"Müller"},
    "MULLER": {"Müller"},
    "mueller": {"Mueller"},
    "ller": {"Müller", "Mueller"},
    "strasse": {"Straße"},
    "lukasz": set(),
    "ukasz": {"Łukasz"},
}


@pytest.mark.parametrize(("sought", "labels"), SPELLINGS.items(), ids=map(ascii, SPELLINGS))
def test_search_when_a_name_has_another_spelling_then_accents_alone_do_not_count(
    service, sought, labels
):
    for number, label in enumerate(["Müller", "Mueller", "Straße", "Łukasz"]):
        service.add(new_token(value=f"N-{number}", label=label), by=None)
    assert {token.label for token in service.every(TokenFilter(search=sought))} == labels


def test_search_when_a_label_changes_then_the_new_one_is_found(guests):
    token = guests.find_by_value("G-1")
    guests.update(token.uid, TicketChanges(label="Somebody else", value="NEW-1"), by=None)
    assert (found(guests, "zoe"), found(guests, "somebody")) == (set(), {"NEW-1"})
    assert (found(guests, "new-"), found(guests, "g-1 exa")) == ({"NEW-1"}, set())
    guests.update(token.uid, TicketChanges(label=None), by=None)
    assert found(guests, "somebody") == set()


def test_search_when_many_labels_change_then_all_are_found(guests):
    which = TokenFilter(search="g-1")
    assert guests.update_many(which, TicketChanges(label="Group"), by=None) == 3
    assert found(guests, "group") == {"G-1", "G-12", "G-123"}


def test_search_when_tokens_are_deleted_then_nothing_of_them_stays(guests, made_tables):
    assert guests.delete_many(TokenFilter(search="g-1"), by=None) == 3
    assert found(guests, "g-1") == set()
    with made_tables.connect() as connection:
        rows = connection.scalar(select(func.count()).select_from(TokenSearchRecord))
    assert rows == len(NAMES) - 3


def test_search_when_many_tokens_are_added_then_they_are_found_and_walked(service):
    uids = service.add_many(new_token(label="Crew"), 300, "C-", by=None)
    service.add(new_token(value="other"), by=None)
    assert service.count(TokenFilter(search="crew")) == 300
    walked = [token.uid for token in service.every(TokenFilter(search="crew"))]
    assert sorted(walked) == sorted(uids)


def test_search_when_more_match_than_are_counted_then_all_are_walked(service, monkeypatch):
    monkeypatch.setattr(searching, "MOST_FOUND", 10)
    service.add_many(new_token(label="Crew"), 30, "C-", by=None)
    newest = service.add(new_token(value="Last", label="Crew"), by=None)
    page = service.page(20, matching=TokenFilter(search="crew"))
    assert len(page.tokens) == 10
    assert page.tokens[0].uid == newest
    assert len(list(service.every(TokenFilter(search="crew")))) == 31


def test_search_when_the_database_has_no_trigrams_then_beginnings_are_found(guests, made_tables):
    with without_trigrams(made_tables):
        assert found(guests, "g-1") == {"G-1", "G-12", "G-123"}
        assert found(guests, "zoe") == {"G-1"}
        assert found(guests, "example") == set()
        assert len(list(guests.every(TokenFilter(search="ann")))) == 1
