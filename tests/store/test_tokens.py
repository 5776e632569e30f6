"""Adding, finding, changing, deleting and listing."""

import datetime
import json
import uuid

import pytest
from sqlalchemy import select

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.values import EVERYTHING
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import NOON
from tests.support.factories import new_token

HOUR = datetime.timedelta(hours=1)
RFC_4122_RANDOM = 4


def events_of(engine, uid: uuid.UUID) -> list:
    statement = (
        select(TokenEventRecord.__table__)
        .where(TokenEventRecord.token_uid == uid)
        .order_by(TokenEventRecord.version)
    )
    with engine.connect() as connection:
        return connection.execute(statement).all()


def values_of(engine, limit: int) -> list[str]:
    return [token.value for token in engine.page(limit).tokens]


# add


def test_add_when_all_fields_are_given_then_they_are_found_again(service):
    uid = service.add(
        new_token(
            value="Ünï ✓",
            valid_from=NOON,
            valid_to=NOON + HOUR,
            usage_count=-1,
            lock_time=60,
            enabled=False,
        ),
        by="me",
    )
    token = service.get(uid)
    assert (token.value, token.valid_from, token.valid_to) == ("Ünï ✓", NOON, NOON + HOUR)
    assert (token.usage_count, token.lock_time, token.enabled) == (-1, 60, False)
    assert (token.creator, token.last_used, token.locked_until) == ("me", None, None)
    assert token.is_unlimited
    assert token.created.tzinfo is datetime.UTC


def test_add_when_there_is_no_value_then_it_is_the_uid_which_is_random(service):
    uid = service.add(new_token(), by=None)
    assert service.get(uid).value == str(uid)
    assert uid.version == RFC_4122_RANDOM


def test_add_when_the_value_is_taken_then_it_is_refused_and_nothing_is_added(service, engine):
    service.add(new_token(value="x"), by=None)
    with pytest.raises(ValueTaken):
        service.add(new_token(value="x"), by=None)
    assert values_of(service, 9) == ["x"]


@pytest.mark.parametrize("value", ["X", "x y", "x  y", "x\u0301"])
def test_add_when_the_value_differs_in_case_or_spaces_then_it_is_another(service, value):
    service.add(new_token(value="x"), by=None)
    service.add(new_token(value=value), by=None)
    assert service.find_by_value(value).value == value


def test_add_when_the_window_ends_before_it_begins_then_it_is_refused(service):
    with pytest.raises(InvalidParameter):
        service.add(new_token(valid_from=NOON, valid_to=NOON), by=None)


def test_add_when_done_then_it_was_created_and_modified_at_the_same_time(service):
    service.add_many(new_token(), 200, None, by="me")
    for _ in range(100):
        service.add(new_token(), by="me")
        service.add_as(uuid.uuid4(), new_token(), by="me")
    tokens = list(service.every(EVERYTHING))
    assert len(tokens) == 400
    assert [token for token in tokens if token.created != token.modified] == []


def test_add_when_done_then_an_event_tells_the_values(service, engine):
    uid = service.add(new_token(value="x", valid_from=NOON), by="me")
    (event,) = events_of(engine, uid)
    assert (event.action, event.user, event.version, event.old_values) == ("add", "me", 1, None)
    assert json.loads(event.new_values) == {
        "value": "x",
        "valid_from": NOON.isoformat(),
        "valid_to": None,
        "usage_count": 1,
        "lock_time": 0,
        "enabled": True,
        **dict.fromkeys((*DETAILS, *PRESENCE)),
    }


@pytest.mark.parametrize(
    "time",
    [
        datetime.datetime(2, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC),
        datetime.datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC),
        datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone(HOUR * 5)),
    ],
    ids=str,
)
def test_add_when_a_time_has_any_zone_and_year_then_its_instant_is_kept(service, time):
    assert service.get(service.add(new_token(valid_from=time), by=None)).valid_from == time


# add many


def test_add_many_when_there_is_a_prefix_then_values_are_it_and_26_base32_characters(service):
    uids = service.add_many(new_token(), 50, "P-", by="me")
    values = {service.get(uid).value for uid in uids}
    assert len(set(uids)) == len(values) == 50
    assert all(value.startswith("P-") and len(value) == 28 for value in values)
    assert all(set(value[2:]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for value in values)


def test_add_many_when_there_is_no_prefix_then_values_are_the_uids(service):
    uids = service.add_many(new_token(), 3, None, by="me")
    assert {service.get(uid).value for uid in uids} == {str(uid) for uid in uids}


def test_add_many_when_done_then_each_token_has_its_event(service, engine):
    uids = service.add_many(new_token(), 3, None, by="me")
    assert all(len(events_of(engine, uid)) == 1 for uid in uids)


# find


def test_find_when_there_is_no_token_then_none_or_an_error(service):
    assert service.find(uuid.uuid4()) is None
    with pytest.raises(TokenNotFound):
        service.get(uuid.uuid4())


@pytest.mark.parametrize("value", ["nothing", "", "x" * 900_000, "a\0b", "'; --"], ids=len)
def test_find_by_value_when_no_token_has_it_then_there_is_none(service, value):
    assert service.find_by_value(value) is None


# update


def test_update_when_fields_are_given_then_they_change_and_others_stay(service):
    uid = service.add(new_token(value="x", valid_from=NOON), by="me")
    before = service.get(uid)
    service.update(uid, TicketChanges(usage_count=9, enabled=False), by="you")
    after = service.get(uid)
    assert (after.usage_count, after.enabled) == (9, False)
    assert (after.value, after.valid_from, after.created) == ("x", NOON, before.created)
    assert (after.creator, after.version) == ("me", before.version + 1)
    assert after.modified > before.modified


def test_update_when_the_value_is_emptied_then_it_is_the_uid(service):
    uid = service.add(new_token(value="x"), by=None)
    service.update(uid, TicketChanges(value=None), by=None)
    assert service.get(uid).value == str(uid)


def test_update_when_an_edge_is_emptied_then_the_window_is_open(service):
    uid = service.add(new_token(valid_from=NOON, valid_to=NOON + HOUR), by=None)
    service.update(uid, TicketChanges(valid_from=None, valid_to=None), by=None)
    assert (service.get(uid).valid_from, service.get(uid).valid_to) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [TicketChanges(valid_from=NOON + HOUR), TicketChanges(valid_to=NOON)],
    ids=["from", "to"],
)
def test_update_when_an_edge_meets_the_stored_one_then_it_is_refused(service, changes):
    uid = service.add(new_token(valid_from=NOON, valid_to=NOON + HOUR), by=None)
    before = service.get(uid)
    with pytest.raises(InvalidParameter):
        service.update(uid, changes, by=None)
    assert service.get(uid).version == before.version


def test_update_when_the_value_is_taken_then_nothing_changes(service):
    service.add(new_token(value="x"), by=None)
    uid = service.add(new_token(value="y"), by=None)
    with pytest.raises(ValueTaken):
        service.update(uid, TicketChanges(value="x", usage_count=5), by=None)
    assert (service.get(uid).value, service.get(uid).usage_count) == ("y", 1)


def test_update_when_the_lock_time_changes_then_the_lock_is_counted_anew(service):
    uid = service.add(new_token(usage_count=2, lock_time=60), by=None)
    service.consume(uid, by=None)
    service.update(uid, TicketChanges(lock_time=7_200), by=None)
    token = service.get(uid)
    assert token.locked_until == token.last_used + 2 * HOUR
    service.update(uid, TicketChanges(lock_time=0), by=None)
    assert service.get(uid).locked_until is None


def test_update_when_never_used_then_a_lock_time_locks_nothing(service):
    uid = service.add(new_token(), by=None)
    service.update(uid, TicketChanges(lock_time=60), by=None)
    assert service.get(uid).locked_until is None


def test_update_when_nothing_is_given_then_nothing_changes(service, engine):
    uid = service.add(new_token(), by=None)
    before = service.get(uid)
    service.update(uid, TicketChanges(), by=None)
    assert (service.get(uid).version, service.get(uid).modified) == (1, before.modified)
    assert len(events_of(engine, uid)) == 1


def test_update_when_the_token_is_gone_then_it_is_not_found(service):
    with pytest.raises(TokenNotFound):
        service.update(uuid.uuid4(), TicketChanges(usage_count=1), by=None)


def test_update_when_the_uses_left_are_not_those_expected_then_nothing_changes(service):
    uid = service.add(new_token(usage_count=3), by=None)
    service.consume(uid, by=None)
    changes = TicketChanges(usage_count=10)
    with pytest.raises(TokenChanged):
        service.update(uid, changes, by=None, expected_usage_count=3)
    assert service.get(uid).usage_count == 2
    service.update(uid, changes, by=None, expected_usage_count=2)
    assert service.get(uid).usage_count == 10


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        (TicketChanges(enabled=False), "disable"),
        (TicketChanges(enabled=True), "enable"),
        (TicketChanges(enabled=True, usage_count=2), "update"),
    ],
    ids=["disable", "enable", "update"],
)
def test_update_when_done_then_an_event_tells_old_and_new_values(service, engine, changes, action):
    uid = service.add(new_token(), by="me")
    service.update(uid, changes, by="you")
    event = events_of(engine, uid)[-1]
    assert (event.action, event.user, event.version) == (action, "you", 2)
    changed = {name: json.loads(event.new_values)[name] for name in changes.given()}
    assert changed == changes.given()
    assert json.loads(event.old_values)["usage_count"] == 1


# delete


def test_delete_when_the_token_is_there_then_it_is_gone_and_an_event_tells_it(service, engine):
    uid = service.add(new_token(value="x"), by="me")
    service.delete(uid, by="you")
    assert service.find(uid) is None
    event = events_of(engine, uid)[-1]
    assert (event.action, event.user, event.version) == ("delete", "you", 2)
    assert json.loads(event.old_values)["value"] == "x"
    assert event.new_values is None


def test_delete_when_the_token_is_gone_then_it_is_not_found(service):
    with pytest.raises(TokenNotFound):
        service.delete(uuid.uuid4(), by=None)


def test_delete_many_when_one_is_missing_then_none_is_deleted(service):
    uids = service.add_many(new_token(), 3, None, by=None)
    missing = uuid.uuid4()
    with pytest.raises(TokenNotFound) as caught:
        service.delete_many([*uids, missing], by=None)
    assert caught.value.uid == missing
    assert all(service.find(uid) for uid in uids)


def test_delete_many_when_ten_thousand_are_there_then_all_are_gone(service):
    uids = service.add_many(new_token(), 10_000, None, by=None)
    service.delete_many(uids, by=None)
    assert service.page(1).tokens == ()


# pages


def test_page_when_walked_to_older_ones_then_each_token_is_seen_once_newest_first(service):
    for number in range(7):
        service.add(new_token(value=str(number)), by=None)
    page, seen = service.page(3), []
    while page.tokens:
        seen += [token.value for token in page.tokens]
        page = service.page(3, after=page.tokens[-1].uid)
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_page_when_walked_back_to_newer_ones_then_it_is_the_page_before(service):
    service.add_many(new_token(), 7, None, by=None)
    first = service.page(3)
    second = service.page(3, after=first.tokens[-1].uid)
    back = service.page(3, before=second.tokens[0].uid)
    assert [token.uid for token in back.tokens] == [token.uid for token in first.tokens]


def test_page_when_at_the_ends_then_it_tells_so(service):
    service.add_many(new_token(), 5, None, by=None)
    first = service.page(3)
    last = service.page(3, after=first.tokens[-1].uid)
    back = service.page(3, before=last.tokens[0].uid)
    assert (first.has_previous, first.has_next) == (False, True)
    assert (last.has_previous, last.has_next) == (True, False)
    assert (back.has_previous, back.has_next) == (False, True)


def test_page_when_the_named_token_does_not_exist_then_it_is_the_first_page(service):
    service.add_many(new_token(), 2, None, by=None)
    page = service.page(3, after=uuid.uuid4())
    assert (len(page.tokens), page.has_previous) == (2, False)


def test_page_when_there_are_no_tokens_then_it_is_empty(service):
    page = service.page(3)
    assert (page.tokens, page.has_previous, page.has_next) == ((), False, False)


def test_check_database_when_it_answers_then_nothing_is_raised(service):
    service.check_database()
