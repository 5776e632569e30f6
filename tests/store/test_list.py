"""Lists: what a filter means, the orders, pages in both directions, changes of what matches."""

import dataclasses
import datetime
import itertools
import json
import sys
import uuid

import pytest
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core import codes
from cone.tokens.core.errors import CountChanged
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.search import search_text
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import Sort
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenQuery
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.params import SORTS
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenSearchRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.conftest import MovableClock
from tests.support.factories import NOON
from tests.support.factories import new_token

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
FAR = datetime.datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)
LAST = chr(sys.maxunicode)
VALUES = [
    "a",
    "A",
    "ab",
    "aB",
    "a%",
    "a_b",
    "b",
    "ä",
    "\ud7ffx",
    "\ue000",
    LAST,
    LAST * 2,
    "a" + LAST,
]

EVERY_SORT = pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS)


def add_old(service, engine, token):
    """Add a token with a value as 2.0 did: some are no codes today."""
    uid = service.add(dataclasses.replace(token, value=None), by="me")
    values = {"value": token.value, "code_digest": codes.digest(token.value)}
    with engine.begin() as connection:
        connection.execute(update(TokenRecord).where(TokenRecord.uid == uid).values(values))
        searched = update(TokenSearchRecord).where(TokenSearchRecord.token_uid == uid)
        connection.execute(searched.values(code=search_text(token.value)))


@pytest.fixture
def stock(service, made_tables):
    """Tokens of every status, some with the same times; by value."""
    now = datetime.datetime.now(datetime.UTC)
    service.consume(service.add(new_token(usage_count=2, lock_time=3_600), by=None), by=None)
    windows = [None, now - DAY, now + DAY, FAR]
    for number, (valid_from, valid_to) in enumerate(itertools.product(windows[:3], windows)):
        if valid_from and valid_to and valid_from >= valid_to:
            continue
        for enabled, count in ((True, 1), (True, 0), (False, -1)):
            token = new_token(
                value=f"{VALUES[number]}-{enabled}-{count}",
                valid_from=valid_from,
                valid_to=valid_to,
                usage_count=count,
                enabled=enabled,
            )
            add_old(service, made_tables, token)
    for value in VALUES:
        add_old(service, made_tables, new_token(value=value))
    details = {"label": "Zoë Müller", "category": "VIP"}
    service.add_many(new_token(valid_to=now + DAY, **details), 5, "many-", by="me")
    return {token.value: token for token in service.page(500).tokens}


def has_all(sought: str, token) -> bool:
    texts = [search_text(text) for text in (token.value, token.label) if text]
    return all(any(part in text for text in texts) for part in search_text(sought).split())


def means(matching: TokenFilter, token) -> bool:
    """Return whether a filter means a token: the other way round than the database does it."""
    window = (token.valid_from or matching.valid_at, token.valid_to or matching.valid_at)
    checks = [
        matching.value in (None, token.value),
        token.value.startswith(matching.prefix or ""),
        matching.search is None or has_all(matching.search, token),
        matching.columns.get("category") in (None, token.category),
        matching.status in (None, TICKET.rules.status(token, token.read_at)),
        matching.created_from is None or token.created >= matching.created_from,
        matching.created_to is None or token.created <= matching.created_to,
        matching.valid_at is None or window[0] <= matching.valid_at <= window[1],
    ]
    return all(checks)


def key_of(sort: Sort):
    def key(token):
        by = getattr(token, sort.by)
        return (by.encode() if sort.by == "value" else by, token.uid)

    return key


def expected(stock, matching: TokenFilter, sort: Sort) -> list[uuid.UUID]:
    found = [token for token in stock.values() if means(matching, token)]
    return [token.uid for token in sorted(found, key=key_of(sort), reverse=sort.is_descending)]


def walk(service, size: int, **query) -> list[list[uuid.UUID]]:
    """Return the uids of all pages, and assert that the way back leads over the same ones."""
    page = service.page(size, **query)
    pages = [page]
    assert not page.has_previous
    while page.has_next:
        page = service.page(size, after=page.tokens[-1].uid, **query)
        assert page.has_previous
        pages.append(page)
    for before, behind in itertools.pairwise(pages):
        back = service.page(size, before=behind.tokens[0].uid, **query)
        assert back.tokens[0].uid == before.tokens[0].uid
        assert [token.uid for token in back.tokens] == [token.uid for token in before.tokens]
        assert (back.has_next, back.has_previous) == (True, before is not pages[0])
    return [[token.uid for token in page.tokens] for page in pages]


def filters(stock) -> dict[str, TokenFilter]:
    times = sorted(token.created for token in stock.values())
    some, later = times[9], times[-9]
    now = datetime.datetime.now(datetime.UTC)
    return {
        "everything": EVERYTHING,
        "no such value": TokenFilter(value="A "),
        **{f"value {value!r}": TokenFilter(value=value) for value in ("a", "A", LAST)},
        **{
            f"prefix {prefix!r}": TokenFilter(prefix=prefix)
            for prefix in ("a", "a%", "a_", "\ud7ff", "\ue000", LAST, "a" + LAST, "many-", "no")
        },
        **{status.value: TokenFilter(status=status) for status in Status},
        "search": TokenFilter(search="MANY"),
        "search none": TokenFilter(search="manx"),
        "search and status": TokenFilter(search="many", status=Status.CONSUMABLE),
        "search and category": TokenFilter(search="-True-", columns={"category": "VIP"}),
        "category": TokenFilter(columns={"category": "VIP"}),
        "no such category": TokenFilter(columns={"category": "vip"}),
        "category and status": TokenFilter(columns={"category": "VIP"}, status=Status.CONSUMABLE),
        "category and time": TokenFilter(columns={"category": "VIP"}, created_from=some),
        "from": TokenFilter(created_from=some),
        "to": TokenFilter(created_to=later),
        "from to": TokenFilter(created_from=some, created_to=later),
        "none between": TokenFilter(created_from=later, created_to=some),
        "valid now": TokenFilter(valid_at=now),
        "valid later": TokenFilter(valid_at=now + 2 * DAY),
        "valid in the end": TokenFilter(valid_at=FAR),
        "prefix and status": TokenFilter(prefix="a", status=Status.EXHAUSTED),
        "prefix and time": TokenFilter(prefix="a", created_from=some),
        "value and status": TokenFilter(value="a", status=Status.EXPIRED),
        "all": TokenFilter(
            value="a",
            prefix="a",
            status=Status.CONSUMABLE,
            created_from=some,
            created_to=times[-1],
            valid_at=now,
        ),
    }


# filters and orders


@pytest.fixture(params=["all near", "few near", "many far", "more far"])
def _distance(request, monkeypatch):
    """How the store finds what matches: along an index, by reading all, by sorting all."""
    most, near = {
        "all near": (1_000, 1_000),
        "few near": (1_000, 3),
        "many far": (2, 3),
        "more far": (20, 3),
    }[request.param]
    monkeypatch.setattr("cone.tokens.core.store.listing.NEAR", near)
    monkeypatch.setattr("cone.tokens.core.store.listing.MOST_COUNTED", most)


@pytest.mark.usefixtures("_distance")
@EVERY_SORT
def test_page_when_there_is_a_filter_then_it_has_what_matches_in_order(service, stock, sort):
    for name, matching in filters(stock).items():
        uids = expected(stock, matching, sort)
        pages = walk(service, 9, matching=matching, sort=sort)
        assert [uid for page in pages for uid in page] == uids, name
        assert [len(page) for page in pages[:-1]] == [9] * (len(pages) - 1)


@pytest.mark.parametrize(
    "matching",
    [TokenFilter(), TokenFilter(prefix=""), TokenFilter(status=Status.EXHAUSTED)],
    ids=["all", "prefix", "status"],
)
def test_count_when_there_are_too_many_then_it_is_not_told(
    service,
    stock,
    monkeypatch,
    matching,
):
    count = service.count(matching)
    monkeypatch.setattr("cone.tokens.core.store.listing.MOST_COUNTED", count)
    assert service.count(matching) == count
    monkeypatch.setattr("cone.tokens.core.store.listing.MOST_COUNTED", count - 1)
    assert service.count(matching) is None


@pytest.mark.parametrize("sort", [NEWEST_FIRST, Sort(by="value", is_descending=False)])
@pytest.mark.parametrize("size", [7, 500])
def test_counted_page_when_it_tells_a_number_then_all_that_match_are_counted(
    service,
    stock,
    sort,
    size,
    monkeypatch,
):
    monkeypatch.setattr("cone.tokens.core.store.listing.NEAR", 3)
    for matching in filters(stock).values():
        uids = expected(stock, matching, sort)
        beside = uids[len(uids) // 2] if uids else None
        for after, before in ((None, None), (beside, None), (None, beside)):
            query = TokenQuery(
                matching=matching,
                sort=sort,
                limit=size,
                after=after,
                before=before,
            )
            page, count = service.counted_page(query)
            assert count == len(uids)
            assert len(page.tokens) <= size


def test_count_when_there_is_a_filter_then_it_is_how_many_match(service, stock):
    for name, matching in filters(stock).items():
        assert service.count(matching) == len(expected(stock, matching, Sort())), name
    assert service.count() == len(stock)
    counts = [service.count(TokenFilter(status=status)) for status in Status]
    assert sum(counts) == len(stock)
    assert all(counts)


@EVERY_SORT
def test_find_many_when_there_is_a_filter_then_it_has_all_that_match_in_order(service, stock, sort):
    for name, matching in filters(stock).items():
        uids = expected(stock, matching, sort)
        found = service.find_many(matching, sort=sort, expected_count=len(uids))
        assert [token.uid for token in found] == uids, name
        with pytest.raises(CountChanged) as caught:
            service.find_many(matching, sort=sort, expected_count=len(uids) + 1)
        assert caught.value.count == len(uids)


def test_find_many_when_there_are_uids_then_it_has_those_that_are_there_as_given(
    service,
    stock,
    query_recorder,
):
    tokens = sorted(stock.values(), key=lambda token: token.value)
    uids = [token.uid for token in tokens]
    query_recorder.clear()
    found = service.find_many([uuid.uuid4(), *uids, uuid.uuid4()], sort=NEWEST_FIRST)
    assert len(query_recorder) == 1
    assert [token.uid for token in found] == uids
    assert [dataclasses.replace(token, read_at=tokens[0].read_at) for token in found] == [
        dataclasses.replace(token, read_at=tokens[0].read_at) for token in tokens
    ]
    assert service.find_many([]) == []
    with pytest.raises(CountChanged):
        service.find_many([*uids, uuid.uuid4()], expected_count=len(uids) + 1)


def test_find_many_when_there_are_ten_thousand_then_one_statement_reads_them_and_no_more(
    service,
    query_recorder,
):
    uids = service.add_many(new_token(), MAX_BATCH, "x", by=None)
    query_recorder.clear()
    assert [token.uid for token in service.find_many(uids)] == uids
    assert len(service.find_many(EVERYTHING)) == MAX_BATCH
    assert len(query_recorder) == 2
    assert not [text for text in query_recorder.statements if "FOR UPDATE" in text]
    uids.append(service.add(new_token(), by=None))
    for which in (uids, EVERYTHING):
        with pytest.raises(InvalidParameter, match="more than 10000 tokens"):
            service.find_many(which)


def test_filter_when_it_asks_for_nothing_then_it_is_empty():
    assert TokenFilter().is_empty
    assert not TokenFilter(prefix="a").is_empty


def test_status_when_time_goes_on_then_the_filter_follows(made_tables, service):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("the clock is the database's")
    clock = MovableClock()
    moving = on_engine(made_tables, clock)
    moving.add(new_token(valid_from=clock() + HOUR, valid_to=clock() + 2 * HOUR), by=None)
    seen = []
    for microseconds in (0, 3_600_000_000, 3_600_000_000, 1):
        clock.move(microseconds=microseconds)
        seen += [s for s in Status if moving.count(TokenFilter(status=s))]
    assert [status.value for status in seen] == [
        "not_yet_valid",
        "consumable",
        "consumable",
        "expired",
    ]


def test_page_when_the_token_beside_it_does_not_match_then_its_place_counts(service):
    for value in "abcd":
        service.add(new_token(value=value, usage_count=int(value != "b")), by=None)
    beside = service.find_by_value("b")
    sort = Sort(by="value", is_descending=False)
    matching = TokenFilter(status=Status.CONSUMABLE)
    page = service.page(1, matching=matching, sort=sort, after=beside.uid)
    assert [token.value for token in page.tokens] == ["c"]
    page = service.page(1, matching=matching, sort=sort, before=beside.uid)
    assert [token.value for token in page.tokens] == ["a"]


def test_page_when_it_is_asked_for_then_it_takes_few_statements(
    service,
    stock,
    query_recorder,
):
    beside = next(iter(stock.values())).uid
    for sort, matching in itertools.product(SORTS.values(), filters(stock).values()):
        asked = {
            "value": matching.prefix,
            "created": matching.created_from or matching.created_to,
            "": matching.status or matching.valid_at or matching.search or matching.columns,
        }
        has_index = not any(sought for by, sought in asked.items() if by != sort.by)
        most = 1 if has_index or matching.value else 6
        query_recorder.clear()
        service.page(4, matching=matching, sort=sort)
        assert len(query_recorder) <= most
        query_recorder.clear()
        service.page(4, matching=matching, sort=sort, after=beside)
        assert len(query_recorder) <= most + 1
        query_recorder.clear()
        service.count(matching)
        told = [text for text in query_recorder.statements if not text.startswith("SET ")]
        # Whether the database finds parts is one more, and on PostgreSQL whether many match.
        of_search = 2 if service._work.database.engine.name == "postgresql" else 1
        assert len(told) == 1 + of_search * (matching.search is not None)
        assert matching.search or not [text for text in told if "LIKE" in text]


# changes of many


def events_of(engine, action: str) -> list:
    statement = select(TokenEventRecord.__table__).where(TokenEventRecord.action == action)
    with engine.connect() as connection:
        return connection.execute(statement).all()


def test_update_many_when_a_filter_means_some_then_those_and_no_others_change(
    service,
    made_tables,
    stock,
):
    matching = TokenFilter(status=Status.EXHAUSTED)
    uids = expected(stock, matching, Sort())
    changes = TicketChanges(usage_count=3, valid_to=None)
    assert service.update_many(matching, changes, by="you", expected_count=len(uids)) == len(uids)
    for token in stock.values():
        now = service.get(token.uid)
        if token.uid in uids:
            assert (now.usage_count, now.valid_to, now.version) == (3, None, token.version + 1)
            assert now.modified > token.modified
            assert now.value == token.value
        else:
            assert (now.version, now.usage_count) == (token.version, token.usage_count)
    events = events_of(made_tables, "update")
    assert sorted(event.token_uid for event in events) == sorted(uids)
    for event in events:
        old, new = json.loads(event.old_values), json.loads(event.new_values)
        assert (old["usage_count"], new["usage_count"], new["valid_to"]) == (0, 3, None)
        assert (event.user, event.version) == ("you", 2)


@pytest.mark.parametrize(("enabled", "action"), [(True, "enable"), (False, "disable")])
def test_update_many_when_only_enabled_is_given_then_the_event_says_so(
    service,
    made_tables,
    stock,
    enabled,
    action,
):
    uids = [token.uid for token in stock.values()]
    assert service.update_many(uids, TicketChanges(enabled=enabled), by="me") == len(uids)
    assert len(events_of(made_tables, action)) == len(uids)
    assert all(service.get(uid).enabled is enabled for uid in uids)


def test_update_many_when_the_lock_time_changes_then_each_lock_is_counted_anew(service):
    uids = service.add_many(new_token(usage_count=2, lock_time=60), 3, None, by=None)
    for uid in uids[:2]:
        service.consume(uid, by=None)
    service.update_many(uids, TicketChanges(lock_time=3_600), by=None)
    for uid in uids[:2]:
        token = service.get(uid)
        assert token.locked_until == token.last_used + HOUR
    assert service.get(uids[2]).locked_until is None


def test_update_many_when_the_window_of_one_would_be_wrong_then_none_changes(service, stock):
    now = datetime.datetime.now(datetime.UTC)
    changes = TicketChanges(valid_from=now + HOUR, usage_count=9)
    with pytest.raises(InvalidParameter, match="valid_from must be before valid_to"):
        service.update_many(EVERYTHING, changes, by=None)
    assert all(service.get(token.uid).version == token.version for token in stock.values())


@pytest.fixture
def crooked(service, stock, made_tables) -> uuid.UUID:
    """A token with a window in the wrong order, as a database of 2.0 may hold it."""
    uid = service.add(new_token(valid_from=NOON), by=None)
    with made_tables.begin() as connection:
        change = update(TokenRecord).where(TokenRecord.uid == uid)
        connection.execute(change.values(valid_to=NOON - HOUR))
    return uid


@pytest.mark.parametrize(
    "changes",
    [
        TicketChanges(enabled=False),
        TicketChanges(usage_count=7, lock_time=9),
        TicketChanges(valid_from=None),
        TicketChanges(valid_to=NOON + HOUR),
        TicketChanges(enabled=False, valid_from=NOON, valid_to=NOON - HOUR),
    ],
    ids=["enabled", "numbers", "opened", "put right", "as it is"],
)
def test_update_when_the_window_is_crooked_then_what_leaves_it_or_puts_it_right_passes(
    service, stock, crooked, changes
):
    service.update(crooked, changes, by="me")
    assert service.update_many(EVERYTHING, TicketChanges(enabled=True), by="me") == 1 + len(stock)
    token = service.get(crooked)
    assert (token.version, token.enabled) == (3, True)
    given = changes.given()
    assert all(getattr(token, name) == given[name] for name in given if name != "enabled")


@pytest.mark.parametrize(
    "changes",
    [
        TicketChanges(enabled=False, valid_to=NOON),
        TicketChanges(valid_from=NOON - HOUR),
        TicketChanges(valid_from=NOON + HOUR),
    ],
)
def test_update_when_the_window_is_crooked_then_what_leaves_it_crooked_is_refused(
    service, crooked, changes
):
    for update_it in (
        lambda: service.update(crooked, changes, by="me"),
        lambda: service.update_many([crooked], changes, by="me"),
    ):
        with pytest.raises(InvalidParameter, match="valid_from must be before valid_to"):
            update_it()
    assert service.get(crooked).version == 1


def test_update_many_when_nothing_is_given_then_nothing_changes(service, stock):
    assert service.update_many(EVERYTHING, TicketChanges(), by=None) == len(stock)
    assert all(service.get(token.uid).version == token.version for token in stock.values())


def test_update_many_when_one_is_missing_then_none_changes(service, stock):
    token = stock["a"]
    with pytest.raises(TokenNotFound):
        service.update_many([token.uid, uuid.uuid4()], TicketChanges(enabled=False), by=None)
    assert service.get(token.uid).enabled


def test_delete_many_when_a_filter_means_some_then_those_and_no_others_go(
    service,
    made_tables,
    stock,
):
    matching = TokenFilter(prefix="a")
    uids = expected(stock, matching, Sort())
    assert service.delete_many(matching, by="you") == len(uids)
    assert service.count() == len(stock) - len(uids)
    assert service.count(matching) == 0
    assert {event.token_uid for event in events_of(made_tables, "delete")} == set(uids)


@pytest.mark.parametrize("which", [TokenFilter(prefix="many-"), "uids"])
@pytest.mark.parametrize("expected_count", [0, 4, 6])
def test_change_when_there_are_not_as_many_as_expected_then_nothing_changes(
    service,
    stock,
    which,
    expected_count,
):
    many = [token.uid for value, token in stock.items() if value.startswith("many-")]
    chosen = many if which == "uids" else which
    for change in (
        lambda: service.delete_many(chosen, by=None, expected_count=expected_count),
        lambda: service.update_many(
            chosen,
            TicketChanges(usage_count=9),
            by=None,
            expected_count=expected_count,
        ),
    ):
        with pytest.raises(CountChanged) as caught:
            change()
        assert caught.value.count == len(many)
    assert all(service.get(uid).version == 1 for uid in many)


def test_change_when_a_filter_means_none_then_nothing_happens(service, made_tables, query_recorder):
    matching = TokenFilter(prefix="no")
    query_recorder.clear()
    assert service.delete_many(matching, by=None, expected_count=0) == 0
    assert service.update_many(matching, TicketChanges(enabled=False), by=None) == 0
    # On SQLite tokens are read before the lock is taken.
    assert len(query_recorder) == (4 if made_tables.dialect.name == "sqlite" else 2)


def test_change_when_a_filter_means_ten_thousand_then_all_change_and_one_more_is_refused(
    service,
    made_tables,
    query_recorder,
):
    service.add_many(new_token(), MAX_BATCH, "x", by=None)
    query_recorder.clear()
    assert service.update_many(EVERYTHING, TicketChanges(enabled=False), by=None) == MAX_BATCH
    assert len(query_recorder) == (5 if made_tables.dialect.name == "sqlite" else 3)
    service.add(new_token(value="one more"), by=None)
    with pytest.raises(InvalidParameter, match="means more than 10000 tokens"):
        service.delete_many(EVERYTHING, by=None)
    assert service.count() is None
    assert service.delete_many(TokenFilter(prefix="x"), by=None) == MAX_BATCH


def test_value_when_it_is_from_an_older_database_then_lists_take_it(service, made_tables):
    token = service.get(service.add(new_token(value="x" * 2_048), by=None))
    row = {column.name: None for column in TokenRecord.__table__.columns}
    row |= {"uid": uuid.uuid4(), "value": "y" * 9_000, "usage_count": 1, "lock_time": 0}
    row |= {"created": token.created, "modified": token.created, "enabled": True, "version": 1}
    with made_tables.begin() as connection:
        connection.execute(insert(TokenRecord).values(row))
    page = service.page(2, sort=Sort(by="value", is_descending=False))
    assert [len(token.value) for token in page.tokens] == [2_048, 9_000]
