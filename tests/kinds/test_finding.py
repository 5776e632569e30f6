"""How tokens of each kind are found: in lists, by their codes, by what they are searched by."""

import dataclasses

import pytest
from sqlalchemy import select

from cone.tokens.core import codes
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.kind import Derived
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.store import finding
from cone.tokens.core.store import listing
from cone.tokens.core.store import locking
from cone.tokens.core.store import searching
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import Sort
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenQuery
from tests.kinds.conftest import Desk
from tests.kinds.kinds import SAMPLES
from tests.kinds.lockers import LOCKER
from tests.kinds.test_lifecycle import LONG_AGO

# Lists


def test_page_when_a_status_is_asked_for_then_those_are_in_order(desk):
    uids = [desk.add() for _ in range(3)]
    desk.add(enabled=False)
    matching = TokenFilter(status=Status.CONSUMABLE)
    query = TokenQuery(matching=matching, sort=Sort(), limit=9, after=None, before=None)
    page = desk.work.read(lambda tx: listing.page(tx, desk.kind, query))
    assert [token.uid for token in page.tokens] == uids[::-1]


ASKED = {
    "value": TokenFilter(value="code-1"),
    "prefix": TokenFilter(prefix="code-1"),
    "search": TokenFilter(search="ode-1"),
    "column": TokenFilter(columns={"aisle": "B"}),
}


def is_known(kind, asked):
    """Whether tokens of a kind can be asked for by this."""
    if asked == "search":
        return kind.search_table is not None
    return "aisle" in kind.filtered if asked == "column" else bool(kind.code)


def listed(desk, matching, sort=NEWEST_FIRST):
    """Return the uids of all ways to read a list."""
    query = TokenQuery(matching=matching, sort=sort, limit=9, after=None, before=None)
    ways = (
        lambda tx: listing.page(tx, desk.kind, query).tokens,
        lambda tx: listing.next_part(tx, desk.kind, matching, sort, None)[0],
        lambda tx: listing.find_many(tx, desk.kind, matching, 9, sort),
    )
    found = [[token.uid for token in desk.work.read(way)] for way in ways]
    assert found[0] == found[1] == found[2]
    assert desk.work.read(lambda tx: listing.count(tx, desk.kind, matching)) == len(found[0])
    return found[0]


@pytest.mark.parametrize("asked", ASKED)
def test_list_when_it_is_filtered_then_those_are_found_or_the_kind_is_named(desk, asked):
    given = {"aisle": "B"} if "aisle" in desk.kind.filtered else {}
    desk.add("code-0")
    uid = desk.add("code-1", **given)
    if not is_known(desk.kind, asked):
        ways = (
            lambda: listed(desk, ASKED[asked]),
            lambda: desk.work.read(lambda tx: listing.count(tx, desk.kind, ASKED[asked])),
            lambda: desk.work.write(lambda tx: locking.lock_many(tx, desk.kind, ASKED[asked], 9)),
        )
        for way in ways:
            with pytest.raises(TypeError, match=f"a {desk.kind.name} has no"):
                way()
    elif asked != "search" or desk.kind.code in desk.kind.search_columns.values():
        assert listed(desk, ASKED[asked]) == [uid]


def test_list_when_it_is_in_the_order_of_codes_then_it_is_or_the_kind_is_named(desk):
    uids = {name: desk.add(name) for name in ("b", "c", "a")}
    order = Sort(by="value", is_descending=False)
    if desk.kind.code:
        assert listed(desk, TokenFilter(), order) == [uids[name] for name in "abc"]
    else:
        with pytest.raises(TypeError, match=f"a {desk.kind.name} has no code"):
            listed(desk, TokenFilter(), order)


# Codes


@pytest.mark.parametrize("sent", ["Code-1", "Code-1 ", "cODE-1", "]Q1code-1\r"])
def test_consume_when_the_code_is_sent_as_devices_do_then_its_token_is_meant(desk, sent):
    uid = desk.add("Code-1")
    desk.add("Code-2")
    if desk.kind.code:
        outcome = desk.consume_code(sent)
        assert (outcome.token_uid, outcome.usage_count) == (uid, 2)
        assert not desk.problems()
    else:
        with pytest.raises(TypeError, match=desk.kind.name):
            desk.consume_code(sent)


@pytest.mark.parametrize("sent", ["code-1", "Code-1", "CODE-1\t"])
def test_consume_when_two_codes_differ_by_case_alone_then_the_exact_one_is_meant(desk, sent):
    if not desk.kind.code:
        pytest.skip("they have no codes")
    uids = {name: desk.add(name) for name in ("code-1", "Code-1")}
    if sent in uids:
        assert desk.consume_code(sent).token_uid == uids[sent]
    else:
        with pytest.raises(TokenNotFound):
            desk.consume_code(sent)


#: Kinds of which no column has the digests of the codes.
UNDIGESTED = {
    "nothing is derived": dataclasses.replace(LOCKER, derived=()),
    "another column is digested": dataclasses.replace(
        LOCKER, derived=(Derived("serial_digest", "aisle", codes.digest),)
    ),
}


@pytest.mark.parametrize("kind", UNDIGESTED.values(), ids=UNDIGESTED)
def test_code_when_its_kind_keeps_no_digests_then_no_other_form_is_found(work, kind):
    [lockers] = [sample for sample in SAMPLES if sample.kind is LOCKER]
    uid = Desk(lockers, work).add("Code-1")

    def read(kind, text):
        token = work.read(lambda tx: finding.read_code(tx, kind, text))
        return token and token.uid

    forms = ("Code-1 ", "]Q1Code-1\r", "cODE-1")
    assert [read(kind, form) for form in forms] == [uid, uid, None]
    assert read(LOCKER, "cODE-1") == uid


# Searches


@pytest.fixture
def searched(desk):
    if desk.kind.search_table is None:
        pytest.skip("they are not searched")
    return desk


def found(desk, text):
    return set(listed(desk, TokenFilter(search=text)))


def test_search_when_tokens_are_added_changed_and_deleted_then_it_follows(searched):
    for field in searched.kind.search_columns.values():
        uid = searched.add(**{field: "Zoë Müller"})
        other = searched.add(**{field: "Jo Muller"})
        assert searched.work.read(lambda tx: searching.finds_parts(tx, searched.kind))
        assert found(searched, "uller") == {uid, other}
        searched.change(uid, **{field: "Zoë Ahlers"})
        assert (found(searched, "muller"), found(searched, "HLERS")) == ({other}, {uid})
        searched.change(other, enabled=False)
        assert found(searched, "muller") == {other}
        searched.delete(uid)
        searched.delete(other)
        assert found(searched, "hlers") == found(searched, "muller") == set()
    assert not searched.problems()


def test_search_when_tokens_are_purged_then_they_are_not_found(searched):
    field = next(iter(searched.kind.search_columns.values()))
    searched.add(**{field: "Zoë Müller"}, valid_to=LONG_AGO)
    stays = searched.add(**{field: "Jo Muller"})
    plan = PurgePlan(expired=100, is_clock_right=True)
    assert searched.maintenance.purge(plan).expired == 1
    assert found(searched, "uller") == {stays}
    texts = searched.kind.search_table
    with searched.database.connecting() as connection:
        assert connection.scalars(select(texts.c.token_uid)).all() == [stays]
