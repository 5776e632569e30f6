"""Imports: what they add, change and leave, all or nothing; and the walk along all tokens."""

import dataclasses
import datetime
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import Base
from cone.tokens.core.store import finding
from cone.tokens.core.store import listing
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets.imports import TOKEN_TWICE
from cone.tokens.tickets.params import SORTS
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import within
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import NOON
from tests.support.factories import new_token

HOUR = datetime.timedelta(hours=1)
FAR = NOON.replace(year=9000)
EVERY_CHOICE = pytest.mark.parametrize("known", Known)


def row(value: str | None = None, **changes) -> ImportRow:
    """Return a row whose fields are those of a new token and the changes of a known one."""
    return ImportRow(token=new_token(value=value, **changes), changes=TicketChanges(**changes))


def row_of(uid: uuid.UUID, value: str | None = None, **changes) -> ImportRow:
    """Return a row that names a token by its uid."""
    return dataclasses.replace(row(value, **changes), uid=uid)


def key_of(text: str = "k", **parameters) -> IdempotencyKey:
    return IdempotencyKey(
        key=text, caller="me", operation=Operation("import_tokens"), parameters=parameters
    )


def report(added=0, updated=0, unchanged=0, skipped=0, **unusable: int) -> ImportReport:
    return ImportReport(
        added=added,
        updated=updated,
        unchanged=unchanged,
        skipped=skipped,
        unusable=unusable,
    )


def counts(told: ImportReport) -> ImportReport:
    """Return a report without the codes."""
    return dataclasses.replace(told, codes={})


def reasons(told: ImportReport) -> dict[int, str]:
    return {number: error.reason for number, error in told.mistakes.items()}


@pytest.fixture
def content(made_tables):
    """Return a function that reads all rows of all tables."""

    def read():
        with made_tables.connect() as connection:
            return {
                table.name: connection.execute(select(table).order_by(*table.primary_key)).all()
                for table in Base.metadata.sorted_tables
            }

    return read


@pytest.fixture
def events(made_tables):
    """Return a function that reads the newest event of a token."""

    def read(uid):
        sought = select(TokenEventRecord).where(TokenEventRecord.token_uid == uid)
        with made_tables.connect() as connection:
            newest = connection.execute(sought.order_by(TokenEventRecord.version)).all()[-1]
        return newest.action, newest.user, newest.version, newest.old_values, newest.new_values

    return read


def test_import_when_values_are_new_then_tokens_are_added(service, events):
    rows = [row("b", usage_count=5), row("a", enabled=False, valid_to=NOON), row(), row()]
    assert service.check_import(rows, Known.SKIP) == report(added=4, disabled=1, expired=1)
    assert service.import_tokens(rows, Known.SKIP, by="me") == report(
        added=4, disabled=1, expired=1
    )
    tokens = {token.value: token for token in service.page(9).tokens}
    assert (tokens["b"].usage_count, tokens["b"].creator) == (5, "me")
    assert (tokens["a"].enabled, tokens["a"].valid_to) == (False, NOON)
    named = [token for token in tokens.values() if token.value == str(token.uid)]
    assert len(named) == 2
    assert events(tokens["b"].uid)[:3] == ("add", "me", 1)


@EVERY_CHOICE
def test_import_when_values_are_known_then_the_choice_decides(service, known):
    service.add(new_token(value="a", usage_count=1), by=None)
    service.add(new_token(value="b", usage_count=2), by=None)
    rows = [row("a", usage_count=2), row("b", usage_count=2), row("c", usage_count=2)]
    told = service.check_import(rows, known)
    assert service.import_tokens(rows, known, by="me") == told
    updates = known is Known.UPDATE
    assert told == (report(added=1, updated=1, unchanged=1) if updates else report(1, skipped=2))
    found = {token.value: (token.usage_count, token.version) for token in service.page(9).tokens}
    assert found == {"a": (2, 2) if updates else (1, 1), "b": (2, 1), "c": (2, 1)}


def test_import_when_known_tokens_change_each_in_their_own_way_then_all_is_as_a_change_has_it(
    service,
    events,
):
    uids = {
        value: service.add(
            new_token(value=value, usage_count=9, lock_time=60, valid_to=FAR), by=None
        )
        for value in "abcde"
    }
    twin = service.add(new_token(value="twin", usage_count=9, lock_time=60), by=None)
    for uid in (uids["a"], uids["b"], twin):
        service.consume(uid, by=None)
    changes = {
        "a": {"lock_time": 3_600, "enabled": True},
        "b": {"lock_time": 0},
        "c": {"valid_to": None},
        "d": {"enabled": False},
        "e": {"valid_from": NOON - HOUR, "usage_count": -1},
    }
    rows = [row(value, **fields) for value, fields in changes.items()]
    told = service.import_tokens(rows, Known.UPDATE, by="me")
    assert told == report(updated=5, disabled=1)
    tokens = {value: service.get(uid) for value, uid in uids.items()}
    service.update(twin, TicketChanges(lock_time=3_600), by=None)
    changed = service.get(twin)
    assert tokens["a"].locked_until - tokens["a"].last_used == HOUR
    assert changed.locked_until - changed.last_used == HOUR
    assert tokens["b"].locked_until is None
    assert tokens["c"].valid_to is None
    assert tokens["d"].enabled is False
    assert (tokens["e"].valid_from, tokens["e"].usage_count) == (NOON - HOUR, -1)
    assert tokens["e"].modified > tokens["e"].created
    assert [token.version for token in tokens.values()] == [3, 3, 2, 2, 2]
    assert events(uids["d"])[:3] == ("disable", "me", 2)
    action, _user, version, old, new = events(uids["a"])
    assert (action, version) == ("update", 3)
    assert (json.loads(old)["lock_time"], json.loads(new)["lock_time"]) == (60, 3_600)
    assert json.loads(new)["usage_count"] == 8


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_import_when_a_window_would_end_before_it_begins_then_that_row_is_told_and_none_changes(
    service,
    content,
    is_carried_out,
):
    service.add(new_token(value="a", valid_to=NOON), by=None)
    service.add(new_token(value="b"), by=None)
    rows = [row("new"), row("a", valid_from=NOON), row("b", usage_count=7)]
    before = content()
    if is_carried_out:
        told = service.import_tokens(rows, Known.UPDATE, by=None, key=key_of())
    else:
        told = service.check_import(rows, Known.UPDATE)
    assert {number: error.reason for number, error in told.mistakes.items()} == {1: "window_order"}
    assert (told.added, told.updated) == (1, 1)
    assert content() == before
    assert service.check_import(rows, Known.SKIP).mistakes == {}


# Rows that name a token by its uid


@EVERY_CHOICE
def test_import_when_a_row_names_a_token_then_another_code_never_makes_a_second_one(
    service, events, known
):
    uid = service.add(new_token(value="old", usage_count=3), by=None)
    rows = [row_of(uid, "new", usage_count=3), row("other", usage_count=1)]
    told = service.check_import(rows, known)
    assert told.codes == {0: CodeChange(token_uid=uid, old="old", new="new")}
    assert service.import_tokens(rows, known, by="me") == told
    is_update = known is Known.UPDATE
    assert counts(told) == (report(1, updated=1) if is_update else report(1, skipped=1))
    assert service.count() == 2
    token = service.get(uid)
    assert (token.value, token.usage_count) == ("new" if is_update else "old", 3)
    if is_update:
        action, user, version, old, new = events(uid)
        assert (action, user, version) == ("update", "me", 2)
        assert (json.loads(old)["value"], json.loads(new)["value"]) == ("old", "new")
    assert service.find_by_value("old" if is_update else "new") is None


def test_import_when_a_row_names_a_token_and_no_code_then_the_code_stays(service):
    uid = service.add(new_token(value="kept", usage_count=1), by=None)
    rows = [row_of(uid, usage_count=2)]
    assert service.import_tokens(rows, Known.UPDATE, by=None) == report(updated=1)
    assert (service.get(uid).value, service.get(uid).usage_count) == ("kept", 2)


@EVERY_CHOICE
def test_import_when_no_token_has_the_uid_then_the_code_tells(service, known):
    uid = service.add(new_token(value="known", usage_count=1), by=None)
    rows = [row_of(uuid.uuid4(), "known", usage_count=1), row_of(uuid.uuid4(), "new")]
    told = service.import_tokens(rows, known, by=None)
    assert (told.added, told.codes, told.mistakes) == (1, {}, {})
    assert (service.get(uid).value, service.count()) == ("known", 2)
    assert service.find(rows[1].uid) is None


@EVERY_CHOICE
@pytest.mark.parametrize("is_carried_out", [True, False])
def test_import_when_rows_contradict_each_other_then_they_are_mistakes_and_none_changes(
    service, content, known, is_carried_out
):
    uids = {value: service.add(new_token(value=value), by=None) for value in "abc"}
    before = content()
    rows = [
        row_of(uids["a"], "b"),
        row_of(uids["b"], "x"),
        row("b"),
        row_of(uuid.uuid4(), "c"),
        row_of(uids["c"], None),
        row("new"),
    ]
    if is_carried_out:
        told = service.import_tokens(rows, known, by=None, key=key_of())
    else:
        told = service.check_import(rows, known)
    assert reasons(told) == {0: "uid_of_another_token", 2: "token_twice", 4: "token_twice"}
    assert told.mistakes[2].facts["row"] == 1
    assert content() == before


def test_import_when_a_code_is_taken_while_it_goes_on_then_nothing_changes(service, made_tables):
    """The check of the import has seen no token with the code; the database has the last word."""
    uid = service.add(new_token(value="old"), by=None)
    taker = service.add(new_token(value="taker"), by=None)
    find_known = finding.find_known

    def find_then_lose(tx, *args, **options):
        found = find_known(tx, *args, **options)
        change = update(TokenRecord).where(TokenRecord.uid == taker).values(value="new")
        tx.connection.execute(change)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "find_known", find_then_lose)
        with pytest.raises(ValueTaken):
            service.import_tokens([row_of(uid, "new")], Known.UPDATE, by=None)
    assert (service.get(uid).value, service.get(uid).version) == ("old", 1)


def test_imports_when_they_give_tokens_the_same_codes_at_once_then_none_is_doubled(service):
    uids = [service.add(new_token(value=f"v{number}"), by=None) for number in range(40)]

    def given(places):
        rows = [row_of(uids[place], f"new-{number}") for number, place in enumerate(places)]
        return lambda: service.import_tokens(rows, Known.UPDATE, by=None)

    at_once(given(range(40)), given(range(39, -1, -1)), given(range(40)))
    values = [token.value for token in service.every(EVERYTHING)]
    assert len(set(values)) == len(values) == 40


# Windows that a database of 2.0 had in the wrong order


@pytest.fixture
def crooked(service, made_tables) -> uuid.UUID:
    """A token whose window ends before it begins."""
    uid = service.add(new_token(value="crooked", valid_from=NOON), by=None)
    with made_tables.begin() as connection:
        change = update(TokenRecord).where(TokenRecord.uid == uid)
        connection.execute(change.values(valid_to=NOON - HOUR))
    return uid


def test_import_when_a_window_is_as_crooked_as_it_was_then_it_stays(service, crooked):
    rows = [row("crooked", valid_from=NOON, valid_to=NOON - HOUR, usage_count=9)]
    assert service.import_tokens(rows, Known.UPDATE, by=None) == report(updated=1, expired=1)
    assert service.get(crooked).usage_count == 9
    wrong = [
        row("crooked", valid_from=NOON, valid_to=NOON - 2 * HOUR),
        row("new", valid_from=NOON, valid_to=NOON),
    ]
    told = service.check_import(wrong, Known.UPDATE)
    assert reasons(told) == {0: "window_order", 1: "window_order"}
    assert reasons(service.check_import(wrong[:1], Known.SKIP)) == {}


@EVERY_CHOICE
def test_check_when_asked_then_nothing_changes(service, content, known):
    service.add(new_token(value="a"), by=None)
    before = content()
    service.check_import([row("a", usage_count=7), row("b")], known)
    assert content() == before


def test_import_when_one_row_is_a_mistake_then_none_is_there(service, content):
    uid = service.add(new_token(value="known"), by=None)
    before = content()
    rows = [row("a"), row_of(uid, "b", usage_count=5), row("b"), row("c")]
    told = service.import_tokens(rows, Known.UPDATE, by=None, key=key_of())
    assert reasons(told) == {2: TOKEN_TWICE}
    assert content() == before


@pytest.mark.parametrize("code", [" x", "x\u200b", "\u00a0x\t"], ids=ascii)
def test_import_when_a_code_has_nothing_but_ends_too_much_then_it_loses_them(service, code):
    uid = service.add(new_token(value="known"), by=None)
    for rows in ([row(code)], [row(code)], [row("x")], [row_of(uid, "known ")]):
        assert not service.import_tokens(rows, Known.UPDATE, by=None).mistakes
    assert sorted(token.value for token in service.every(EVERYTHING)) == ["known", "x"]


@pytest.mark.parametrize("rows", ["new", "known", "both"])
def test_import_when_two_rows_get_one_code_then_the_second_is_a_mistake(service, content, rows):
    one, other = (service.add(new_token(value=value), by=None) for value in "ab")
    pairs = {
        "new": [row("x"), row(" x")],
        "known": [row_of(one, "x"), row_of(other, "x ")],
        "both": [row("x"), row_of(one, "x\u200b")],
    }
    before = content()
    told = service.import_tokens(pairs[rows], Known.UPDATE, by=None)
    assert [(number, error.reason) for number, error in told.mistakes.items()] == [(1, TOKEN_TWICE)]
    assert content() == before


@pytest.mark.parametrize("code", ["   ", "a\nb"], ids=ascii)
def test_import_when_a_code_is_none_then_its_row_is_a_mistake(service, content, code):
    uid = service.add(new_token(value="known"), by=None)
    before = content()
    rows = [row("a"), row(code), row_of(uid, code)]
    told = service.import_tokens(rows, Known.UPDATE, by=None)
    assert {number: error.parameter for number, error in told.mistakes.items()} == {
        1: "value",
        2: "value",
    }
    assert list(service.check_import(rows, Known.SKIP).mistakes) == [1]
    assert content() == before


def test_import_when_a_used_token_gets_more_uses_than_it_has_then_its_row_is_told(service):
    counts_of = {"once": 3, "all": 1, "fresh": 1, "unlimited": -1}
    uids = {
        value: service.add(new_token(value=value, usage_count=count), by=None)
        for value, count in counts_of.items()
    }
    for value in ("once", "all", "unlimited"):
        service.consume(uids[value], by=None)
    rows = [row(value, usage_count=count) for value, count in counts_of.items()]
    assert service.check_import(rows, Known.UPDATE).refilled == {0: "once", 1: "all"}
    assert service.check_import(rows, Known.SKIP).refilled == {}
    fewer = [row("once", usage_count=1), row("all"), row("unlimited", usage_count=7)]
    assert service.check_import(fewer, Known.UPDATE).refilled == {}
    endless = [row("all", usage_count=-1)]
    assert service.import_tokens(endless, Known.UPDATE, by=None).refilled == {0: "all"}


def test_import_when_a_code_is_read_like_that_of_another_token_then_its_row_is_told(service):
    uids = [service.add(new_token(value=value), by=None) for value in ("AB-1", "AB-2", "AB-3")]
    service.replace(uids[2], by=None)
    rows = [
        row("ab-1 "),
        row("new"),
        row("Ab-3"),
        dataclasses.replace(row("Ab-2"), uid=uids[1]),
        row("AB-1"),
    ]
    alike = {0: "AB-1", 2: "AB-3"}
    assert service.check_import(rows, Known.UPDATE).alike == alike
    assert service.check_import(rows, Known.SKIP).alike == alike
    assert service.import_tokens(rows, Known.UPDATE, by=None).alike == alike
    assert service.import_tokens(rows, Known.UPDATE, by=None).alike == {}


def test_import_when_codes_differ_in_normal_form_alone_then_they_are_the_same(service):
    uid = service.add(new_token(value="\u00e9"), by=None)
    told = service.import_tokens([row("e\u0301", usage_count=9)], Known.UPDATE, by=None)
    assert (told.added, told.updated) == (0, 1)
    assert (service.get(uid).value, service.get(uid).usage_count) == ("\u00e9", 9)
    rows = [row("\u00fc"), row("u\u0308")]
    assert reasons(service.check_import(rows, Known.UPDATE)) == {1: TOKEN_TWICE}


@EVERY_CHOICE
def test_import_when_repeated_with_its_key_then_the_first_report_and_no_other_change(
    service,
    content,
    known,
):
    uid = service.add(new_token(value="a", usage_count=1), by=None)
    rows = [row("a", usage_count=5), row()]
    first = service.import_tokens(rows, known, by=None, key=key_of(rows="r"))
    service.consume(uid, by=None)
    before = content()
    assert service.import_tokens(rows, known, by=None, key=key_of(rows="r")) == first
    assert content() == before
    with pytest.raises(IdempotencyConflict):
        service.import_tokens(rows, known, by=None, key=key_of(rows="other"))
    assert content() == before


def test_import_when_the_file_has_as_many_rows_as_are_possible_then_few_statements(
    service,
    query_recorder,
):
    rows = [row(f"v{number}", usage_count=number) for number in range(MAX_BATCH)]
    service.import_tokens(rows[::2], Known.SKIP, by=None)
    changed = [row(f"v{number}", usage_count=number + 1) for number in range(MAX_BATCH)]
    query_recorder.clear()
    half = MAX_BATCH // 2
    told = service.import_tokens(changed, Known.UPDATE, by=None)
    assert told == report(added=half, updated=half)
    # On SQLite tokens are read before the lock is taken, and compared with it in hand.
    assert len(query_recorder) <= 10
    counts = {token.usage_count for token in service.every(TokenFilter(prefix="v"))}
    assert counts == set(range(1, MAX_BATCH + 1))


def test_import_when_within_the_transaction_of_a_host_then_its_roll_back_takes_it_back(
    made_tables,
    service,
):
    with made_tables.connect() as connection:
        own = within(connection)
        assert own.import_tokens([row("a")], Known.SKIP, by=None) == report(added=1)
        assert [token.value for token in own.every(EVERYTHING)] == ["a"]
        connection.rollback()
    assert service.count() == 0


# Races


def at_once(*calls):
    """Return what calls return that begin at once, or their errors."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(30)
        try:
            return call()
        except (ValueTaken, IdempotencyConflict) as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@EVERY_CHOICE
def test_imports_when_the_same_values_come_at_once_then_none_is_doubled(service, known):
    values = [f"v{number}" for number in range(300)]
    service.add(new_token(value="v7"), by=None)
    orders = [values, values[::-1], values[150:] + values[:150], values]
    calls = [
        lambda order=order: service.import_tokens(
            [row(value, usage_count=4) for value in order], known, by=None
        )
        for order in orders
    ]
    for outcome in at_once(*calls):
        if not isinstance(outcome, ValueTaken):
            assert sum((outcome.added, outcome.updated, outcome.unchanged, outcome.skipped)) == 300
    tokens = list(service.every(EVERYTHING))
    assert sorted(token.value for token in tokens) == sorted(values)
    assert max(token.version for token in tokens) <= 2


def test_imports_when_one_is_repeated_at_once_then_it_counts_once(service):
    rows = [row() for _ in range(50)]
    outcomes = at_once(
        *[lambda: service.import_tokens(rows, Known.SKIP, by="me", key=key_of())] * 4
    )
    assert outcomes == [report(added=50)] * 4
    assert service.count() == 50


def test_imports_when_tokens_are_used_meanwhile_then_no_use_is_lost(service):
    uids = [service.add(new_token(value=f"v{n}", usage_count=100), by=None) for n in range(20)]
    rows = [row(f"v{n}", lock_time=0, enabled=True, valid_to=None) for n in range(20)]
    changed = [row(f"v{n}", valid_to=FAR) for n in range(20)]

    def use():
        for uid in uids:
            service.consume(uid, by=None)

    def import_():
        service.import_tokens(changed, Known.UPDATE, by=None)
        service.import_tokens(rows, Known.UPDATE, by=None)

    at_once(use, import_, use, import_)
    assert {service.get(uid).usage_count for uid in uids} == {98}


# The walk


@pytest.fixture
def near(monkeypatch):
    """Windows of three tokens."""
    monkeypatch.setattr(listing, "NEAR", 3)


@pytest.fixture
def stock(service, made_tables):
    """Twenty tokens; every third one is used up, and several have the same time."""
    for number in range(20):
        value, count = f"{'ab'[number % 2]}{number:02}", 0 if number % 3 == 0 else 1
        uid = service.add(new_token(value=value, usage_count=count), by=None)
        created = NOON + HOUR * (number // 4)
        with made_tables.begin() as connection:
            changed = update(TokenRecord).where(TokenRecord.uid == uid)
            connection.execute(changed.values(created=created))


FILTERS = {
    "all": EVERYTHING,
    "status": TokenFilter(status=Status.EXHAUSTED),
    "prefix": TokenFilter(prefix="a"),
    "created": TokenFilter(created_from=NOON + HOUR, created_to=NOON + 3 * HOUR),
    "prefix and status": TokenFilter(prefix="b", status=Status.CONSUMABLE),
    "value": TokenFilter(value="a02"),
    "none": TokenFilter(prefix="c"),
}


@pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS)
@pytest.mark.parametrize("matching", FILTERS.values(), ids=FILTERS)
@pytest.mark.usefixtures("near", "stock")
def test_walk_when_there_are_filter_and_order_then_it_meets_what_the_list_has(
    service,
    matching,
    sort,
):
    page = service.page(100, matching=matching, sort=sort)
    found = [token.uid for token in service.every(matching, sort)]
    assert found == [token.uid for token in page.tokens]


@pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS)
@pytest.mark.usefixtures("near", "stock")
def test_walk_when_tokens_come_and_go_then_it_meets_the_others_once_each(service, sort):
    matching = TokenFilter(status=Status.CONSUMABLE)
    uids = [token.uid for token in service.page(100, matching=matching, sort=sort).tokens]
    met = []
    for number, token in enumerate(service.every(matching, sort)):
        met.append(token.uid)
        if number % 2:
            service.delete(token.uid, by=None)
            service.add(new_token(), by=None)
    assert [uid for uid in met if uid in uids] == uids
    assert len(set(met)) == len(met)


@pytest.mark.usefixtures("near", "stock")
def test_walk_when_it_is_left_then_no_connection_is_held(service, made_tables):
    walk = service.every(EVERYTHING)
    next(walk)
    assert made_tables.pool.checkedout() == 0


@pytest.mark.usefixtures("stock")
def test_walk_when_uids_are_named_then_it_is_those_in_their_order(service):
    uids = [token.uid for token in service.page(5).tokens][::-1]
    found = service.every([uids[0], uuid.uuid4(), *uids[1:]])
    assert [token.uid for token in found] == uids


# The order of a file


@pytest.mark.parametrize("count", [5, 60])
def test_import_when_it_adds_rows_then_the_newest_first_are_they_in_the_order_of_the_file(
    service, count
):
    before = service.add(new_token(), by=None)
    codes = [f"{number * 7 % count:03}" for number in range(count)]
    service.import_tokens([row(code) for code in codes], Known.SKIP, by=None)
    listed = service.page(100).tokens
    assert [token.value for token in listed[:-1]] == codes
    assert (listed[-1].uid, len({token.created for token in listed[:-1]})) == (before, 1)
    assert [token.value for token in service.find_many(EVERYTHING)][:-1] == codes
    assert [token.value for token in service.every(EVERYTHING)][:-1] == codes


def test_import_when_there_are_two_then_each_is_in_its_order_and_the_later_one_first(service):
    for prefix in "ab":
        rows = [row(f"{prefix}{number}") for number in (2, 0, 1)]
        service.import_tokens(rows, Known.SKIP, by=None)
    values = [token.value for token in service.page(10).tokens]
    assert values == ["b2", "b0", "b1", "a2", "a0", "a1"]
    again = [row(value) for value in sorted(values)]
    service.import_tokens(again, Known.UPDATE, by=None)
    assert [token.value for token in service.page(10).tokens] == values
