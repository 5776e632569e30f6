"""What is left of people whose personal data was emptied, and that ``verify`` still holds."""

import dataclasses
import datetime
import json
import threading
import uuid

import pytest
from sqlalchemy import String
from sqlalchemy import cast
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core.errors import Denial
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.forgetting import Person
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Manner
from cone.tokens.core.purge import PurgePlan
from cone.tokens.core.records import Base
from cone.tokens.core.values import SentCode
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

A_DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)
ANNA = {
    "label": "Anna Mustermann",
    "email": "Anna@example.org",
    "note": "Mustermann pays at the door",
    "data": '{"phone": "Mustermann 110"}',
}
PERSON = Person("email", "anna@EXAMPLE.org ")


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


@pytest.fixture
def anna(service) -> uuid.UUID:
    """A token of Anna that was changed and used."""
    uid = service.add(new_token(value="A-1", usage_count=5, category="VIP", **ANNA), by="me")
    service.consume(uid, by="door")
    service.consume(uid, by="door", manner=Manner(override="Mustermann has lost it"))
    service.update(uid, TicketChanges(enabled=False), by="me")
    service.consume(uid, by="door")
    service.update(uid, TicketChanges(enabled=True, note="Mustermann has paid"), by="me")
    service.consume(uid, by="door")
    return uid


@pytest.fixture
def trigrams(made_tables):
    """Return the raw data of SQLite's index of searches."""

    def read() -> bytes:
        if made_tables.name != "sqlite":
            pytest.skip("PostgreSQL's index has no parts")
        statement = text("SELECT block FROM token_search_trigrams_data")
        with made_tables.connect() as connection:
            return b"".join(row.block for row in connection.execute(statement))

    return read


@pytest.fixture
def everything(made_tables):
    """Return all texts that any table has."""

    def read() -> str:
        with made_tables.connect() as connection:
            return "\n".join(
                str(row)
                for table in Base.metadata.sorted_tables
                for row in connection.execute(
                    select(*(cast(column, String) for column in table.columns))
                )
            )

    return read


def problems(maintenance) -> list[Problem]:
    return [finding.problem for finding in maintenance.verify().findings]


def events_of(service, uid):
    event = TICKET.events
    with service._work.database.connecting() as connection:
        return connection.execute(
            select(event)
            .where(event.c.token_uid == uid)
            .order_by(event.c.version, event.c.action == "forget")
        ).all()


def test_forget_when_a_token_is_named_then_nothing_tells_of_the_person(
    service, maintenance, anna, everything
):
    assert "Mustermann" in everything()
    assert maintenance.forget([anna], by="boss") == [anna]
    left = everything()
    assert "mustermann" not in left.lower()
    assert "example.org" not in left.lower()
    assert problems(maintenance) == []


def test_forget_when_a_token_is_named_then_codes_counts_and_times_stay(service, maintenance, anna):
    before = service.get(anna)
    usages = service.usages(anna, 10).usages
    maintenance.forget([anna], by="boss")
    after = service.get(anna)
    assert (after.label, after.email, after.note, after.data) == (None, None, None, None)
    names = ("value", "usage_count", "category", "last_used", "last_user", "created", "modified")
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
    assert after.version == before.version + 1
    left = service.usages(anna, 10).usages
    assert [usage.manner.override for usage in left] == [None, None, "", None]
    assert [dataclasses.replace(usage, manner=PLAIN) for usage in left] == [
        dataclasses.replace(usage, manner=PLAIN) for usage in usages
    ]
    last = events_of(service, anna)[-1]
    assert (last.action, last.user, last.version) == ("forget", "boss", after.version)
    assert json.loads(last.new_values)["value"] == "A-1"


def test_forget_when_a_token_is_forgotten_then_it_is_found_by_its_code_alone(
    service, maintenance, anna
):
    maintenance.forget([anna], by="boss")
    assert service.count(TokenFilter(search="muster")) == 0
    assert service.count(TokenFilter(search="a-1")) == 1


def test_forget_when_the_index_had_trigrams_of_the_person_then_they_are_gone(
    service, maintenance, trigrams
):
    for number in range(300):
        service.add(new_token(label=f"guest {number}"), by="me")
    forgotten = service.add(new_token(label="Wqjxz Kvyqh", email="w@example.org"), by="me")
    assert b"qjx" in trigrams()
    maintenance.forget([forgotten], by="boss")
    left = trigrams()
    assert b"qjx" not in left
    assert b"gue" in left or b"ues" in left
    assert service.count(TokenFilter(search="guest 299"))
    assert problems(maintenance) == []


def test_forget_when_it_is_done_again_then_nothing_happens(service, maintenance, anna):
    maintenance.forget([anna], by="boss")
    events = events_of(service, anna)
    assert maintenance.forget([anna], by="boss") == []
    assert events_of(service, anna) == events


def test_forget_when_the_token_is_used_and_changed_on_then_verify_holds(service, maintenance, anna):
    maintenance.forget([anna], by="boss")
    service.consume(anna, by="door")
    service.update(anna, TicketChanges(label="Berta"), by="me")
    assert problems(maintenance) == []
    assert maintenance.forget([anna], by="boss") == [anna]
    assert problems(maintenance) == []


def override(service, uid, reason):
    return service.consume(uid, by="door", manner=Manner(override=reason)).receipt


def reasons_of(service, uid):
    return [usage.manner.override for usage in service.usages(uid, 20).usages]


def test_forget_when_a_reason_is_all_that_is_told_then_it_is_emptied_and_said(
    service, maintenance, everything
):
    uid = service.add(new_token(usage_count=0), by="me")
    override(service, uid, "Anna Mustermann has lost it")
    assert maintenance.forget([uid], by="boss", is_dry=True) == [uid]
    assert maintenance.forget([uid], by="boss") == [uid]
    assert "Mustermann" not in everything()
    assert [event.action for event in events_of(service, uid)] == ["add", "forget"]
    assert maintenance.forget([uid], by="boss") == []
    assert reasons_of(service, uid) == [""]
    assert problems(maintenance) == []


def test_forget_when_the_token_is_another_persons_by_now_then_their_reasons_stay(
    service, maintenance, anna
):
    service.update(anna, TicketChanges(label="Berta", email="b@example.org"), by="me")
    override(service, anna, "Berta forgot it")
    assert maintenance.forget_person(PERSON, by="boss") == [anna]
    assert [reason for reason in reasons_of(service, anna) if reason is not None] == [
        "Berta forgot it",
        "",
    ]
    assert problems(maintenance) == []


def test_forget_when_a_replaced_code_was_overridden_then_the_reason_goes_and_later_ones_stay(
    service, maintenance, anna, everything
):
    code = service.get(anna).value
    service.replace(anna, by="me")
    manner = Manner(override="Mustermann has the old one")
    assert service.consume_code(SentCode(code), by="door", manner=manner).denial is Denial.REPLACED
    maintenance.forget([anna], by="boss")
    assert "Mustermann" not in everything()
    service.consume_code(SentCode(code), by="door", manner=Manner(override="Berta has it"))
    assert problems(maintenance) == []


def test_verify_when_a_reason_tells_of_whom_was_forgotten_then_it_finds_that(
    service, maintenance, anna
):
    receipt = override(service, anna, "Mustermann again")
    maintenance.forget([anna], by="boss")
    usage = TICKET.usages
    with service._work.database.writing() as tx:
        told = update(usage).where(usage.c.uid == receipt)
        tx.connection.execute(told.values(override="Mustermann again"))
    assert problems(maintenance) == [Problem.FORGOTTEN]


def test_purge_when_a_reason_is_all_that_ended_tokens_tell_then_it_goes(
    service, maintenance, everything, made_tables
):
    used_up = service.add(new_token(usage_count=1), by="me")
    deleted = service.add(new_token(usage_count=1), by="me")
    going_on = service.add(new_token(usage_count=9), by="me")
    for uid in (used_up, deleted):
        override(service, uid, "Mustermann has lost it")
    override(service, going_on, "Berta has lost it")
    service.delete(deleted, by="me")
    old = NOW - 90 * A_DAY
    with made_tables.begin() as connection:
        for table in (TICKET.usages, TICKET.events):
            connection.execute(update(table).values(timestamp=old))
        times = {"created": old, "modified": old, "last_used": old}
        connection.execute(update(TICKET.tokens).values(times))
    plan = PurgePlan(personal=30, is_clock_right=True)
    assert maintenance.purge(dataclasses.replace(plan, is_dry=True)).personal == 2
    assert maintenance.purge(plan).personal == 2
    assert "Mustermann" not in everything()
    assert reasons_of(service, going_on) == ["Berta has lost it"]
    assert maintenance.purge(plan).personal == 0
    assert problems(maintenance) == []


def test_forget_when_the_token_was_deleted_then_its_events_are_emptied(
    service, maintenance, anna, everything
):
    service.delete(anna, by="me")
    assert maintenance.forget([anna], by="boss", is_dry=True) == [anna]
    assert maintenance.forget([anna], by="boss") == [anna]
    assert "mustermann" not in everything().lower()
    assert problems(maintenance) == []
    service.add_as(anna, new_token(value="A-2", label="Berta"), by="me")
    assert problems(maintenance) == []


def test_forget_when_an_address_is_given_then_all_its_tokens_are_meant_whatever_the_case(
    service, maintenance, anna, everything
):
    deleted = service.add(new_token(**ANNA), by="me")
    service.delete(deleted, by="me")
    other = service.add(new_token(label="Berta", email="berta@example.org"), by="me")
    told = maintenance.forget_person(PERSON, by="boss", is_dry=True)
    assert set(told) == {anna, deleted}
    assert "Mustermann" in everything()
    assert set(maintenance.forget_person(PERSON, by="boss")) == {anna, deleted}
    assert "mustermann" not in everything().lower()
    assert service.get(other).label == "Berta"
    assert maintenance.forget_person(PERSON, by="boss") == []
    assert problems(maintenance) == []


def test_forget_when_the_token_is_another_persons_by_now_then_that_one_stays(
    service, maintenance, anna, everything
):
    berta = {"label": "Berta", "email": "berta@example.org", "note": None, "data": None}
    service.update(anna, TicketChanges(**berta), by="me")
    before = service.get(anna)
    assert maintenance.forget_person(PERSON, by="boss") == [anna]
    assert "mustermann" not in everything().lower()
    after = service.get(anna)
    assert (after.label, after.email, after.version) == (
        "Berta",
        "berta@example.org",
        before.version,
    )
    assert problems(maintenance) == []
    told = [(event.action, event.version) for event in events_of(service, anna)]
    assert ("forget", before.version - 1) in told


def test_forget_when_only_the_address_was_taken_away_then_the_token_is_still_that_persons(
    service, maintenance, anna, everything
):
    service.update(anna, TicketChanges(email=None), by="me")
    assert maintenance.forget_person(PERSON, by="boss") == [anna]
    assert service.get(anna).label is None
    assert "mustermann" not in everything().lower()
    assert problems(maintenance) == []


@pytest.mark.parametrize("end", ["label", "deletion", "none"])
def test_forget_when_the_address_changed_first_then_the_rest_is_theirs_until_it_changed(
    service, maintenance, anna, everything, end
):
    service.update(anna, TicketChanges(email="berta@example.org"), by="me")
    service.consume(anna, by="door")
    if end == "label":
        service.update(anna, TicketChanges(label="Berta", note=None, data=None), by="me")
    elif end == "deletion":
        service.delete(anna, by="me")
    assert maintenance.forget_person(PERSON, by="boss") == [anna]
    left = everything().lower()
    assert "anna@" not in left
    assert ("mustermann" in left) == (end == "none")
    assert "berta@" in left
    assert problems(maintenance) == []


def test_forget_when_history_was_purged_then_its_mark_is_emptied_too(
    service, maintenance, anna, everything, made_tables
):
    with made_tables.begin() as connection:
        for table in (TICKET.usages, TICKET.events):
            old = NOW - 100 * A_DAY
            connection.execute(update(table).values(timestamp=old))
        connection.execute(
            update(TICKET.tokens).values(created=old, modified=old, last_used=old, used_before=old)
        )
    maintenance.purge(PurgePlan(log=50, is_clock_right=True))
    assert "Mustermann" in everything()
    maintenance.forget_person(PERSON, by="boss")
    assert "mustermann" not in everything().lower()
    assert problems(maintenance) == []


def test_forget_when_a_kind_has_no_personal_data_then_nothing_is_looked_for(maintenance, anna):
    assert maintenance.forget_person(Person("creator", "me"), by="boss") == []


@pytest.mark.parametrize("values", ["nonsense", '["list"]', '{"label": "Anna"'])
def test_forget_when_values_of_an_event_cannot_be_read_then_the_others_are_emptied(
    service, maintenance, anna, made_tables, values
):
    row = {
        "uid": uuid.uuid4(),
        "token_uid": anna,
        "action": "update",
        "timestamp": NOW,
        "user": None,
        "old_values": values,
        "new_values": None,
        "version": 99,
    }
    with made_tables.begin() as connection:
        connection.execute(insert(TICKET.events).values(row))
    assert maintenance.forget([anna], by="boss") == [anna]
    assert service.get(anna).label is None


def test_verify_when_an_event_tells_of_whom_was_forgotten_then_it_finds_that(
    service, maintenance, anna, made_tables
):
    before = events_of(service, anna)[1]
    maintenance.forget([anna], by="boss")
    with made_tables.begin() as connection:
        connection.execute(
            update(TICKET.events)
            .where(TICKET.events.c.uid == before.uid)
            .values(old_values=before.old_values, new_values=before.new_values)
        )
    assert Problem.FORGOTTEN in problems(maintenance)


def test_verify_when_a_forgotten_token_has_a_label_again_then_it_finds_that(
    service, maintenance, anna, made_tables
):
    maintenance.forget([anna], by="boss")
    with made_tables.begin() as connection:
        connection.execute(update(TICKET.tokens).values(label="Anna"))
    assert Problem.FIELD in problems(maintenance)


def test_forget_when_tokens_are_changed_and_used_meanwhile_then_nothing_tells_of_the_person(
    service, maintenance, everything
):
    uids = [service.add(new_token(usage_count=-1, **ANNA), by="me") for _ in range(20)]
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            for uid in uids[:5]:
                service.consume(uid, by="door")

    def change() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            service.update_many(uids, TicketChanges(usage_count=count), by="me")

    threads = [threading.Thread(target=work) for work in (use, change, change)]
    for thread in threads:
        thread.start()
    try:
        for uid in uids:
            assert maintenance.forget([uid], by="boss") == [uid]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert "mustermann" not in everything().lower()
    assert problems(maintenance) == []


# Purge


@pytest.mark.parametrize("how", ["expired", "used_up", "deleted"])
def test_purge_when_tokens_ended_long_ago_then_their_personal_data_goes(
    service, maintenance, everything, made_tables, how
):
    window = {"valid_from": NOW - 200 * A_DAY, "valid_to": NOW - 100 * A_DAY}
    ended = service.add(
        new_token(usage_count=1, **ANNA, **(window if how == "expired" else {})), by="me"
    )
    if how == "used_up":
        service.consume(ended, by="door")
    elif how == "deleted":
        service.delete(ended, by="me")
    old = NOW - 90 * A_DAY
    with made_tables.begin() as connection:
        for table in (TICKET.usages, TICKET.events):
            connection.execute(update(table).values(timestamp=old))
        times = {"created": old, "modified": old}
        if how == "used_up":
            times["last_used"] = old
        connection.execute(update(TICKET.tokens).values(times))
    open_one = service.add(new_token(label="Berta", usage_count=1), by="me")
    plan = PurgePlan(personal=30, by="purger", is_clock_right=True)
    dry = PurgePlan(personal=30, is_dry=True, is_clock_right=True)
    assert maintenance.purge(PurgePlan(personal=120, is_clock_right=True)).personal == 0
    assert maintenance.purge(dry).personal == 1
    assert "Mustermann" in everything()
    assert maintenance.purge(plan).personal == 1
    assert "mustermann" not in everything().lower()
    assert service.get(open_one).label == "Berta"
    assert events_of(service, ended)[-1].user == "purger"
    assert maintenance.purge(plan).personal == 0
    assert problems(maintenance) == []


def test_purge_when_personal_data_goes_then_the_tokens_go_when_they_would_have_gone_without(
    service, maintenance, made_tables
):
    uid = service.add(new_token(usage_count=1, **ANNA), by="me")
    service.consume(uid, by="door")
    with made_tables.begin() as connection:
        old = NOW - 90 * A_DAY
        connection.execute(update(TICKET.tokens).values(modified=old, last_used=old))
        connection.execute(text("UPDATE token_usage SET timestamp = :old"), {"old": str(old)[:26]})
    both = maintenance.purge(PurgePlan(personal=30, used_up=60, is_clock_right=True))
    assert (both.personal, both.used_up) == (1, 1)
    assert service.find(uid) is None
