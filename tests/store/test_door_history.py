"""What a door has written, later: taken back, purged bit by bit, upgraded, of a deleted token."""

import dataclasses
import datetime
import json
import types
import uuid

import pytest
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core.database import Database
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.store import changing
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import Granted
from cone.tokens.migrations import schema
from cone.tokens.migrations.versions import r0007_door
from cone.tokens.tickets import service as services
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.store.test_model import Timed
from tests.store.test_model import timed
from tests.store.test_schema import described
from tests.support.factories import new_token

__all__ = ["timed"]

A_DAY = datetime.timedelta(days=1)
USAGES = TokenUsageRecord.__table__
EVENTS = TokenEventRecord.__table__
OVERRIDE = Manner(checkpoint="Gate", override="lost list")


@dataclasses.dataclass
class Door:
    """A door at which a day goes by between two steps."""

    timed: Timed
    service: TicketService
    uid: uuid.UUID

    @property
    def maintenance(self) -> Maintenance:
        return Maintenance(self.service._work.database, [TICKET])

    @property
    def token(self):
        return self.service.get(self.uid)

    def wait(self, days: int = 1) -> datetime.datetime:
        self.timed.move(self.timed.time + days * A_DAY)
        return self.timed.time

    def use(self, manner: Manner | None = None) -> Granted:
        self.wait()
        more = {"manner": manner} if manner else {}
        outcome = self.service.consume(self.uid, by="door", **more)
        assert isinstance(outcome, Granted)
        return outcome

    def come_in(self) -> Granted:
        until = self.timed.time + 99 * A_DAY
        return self.use(Manner(checkpoint="Door", direction=Direction.IN, inside_until=until))

    def go_out(self) -> Granted:
        return self.use(Manner(checkpoint="Door", direction=Direction.OUT))

    def undo(self, granted: Granted) -> None:
        self.wait()
        self.service.undo(self.uid, granted.receipt, by="editor")

    def reset(self) -> None:
        self.wait()
        self.service.reset_presence(by="desk")

    def purge(self, before: datetime.datetime, **plan: int) -> None:
        """Purge the log as it was before a time."""
        age = (self.timed.time - before) // A_DAY
        assert before + age * A_DAY == self.timed.time
        self.maintenance.purge(PurgePlan(log=age, is_clock_right=True, **plan))

    def problems(self) -> list[str]:
        return [finding.text for finding in self.maintenance.verify().findings]

    def presence(self) -> list[datetime.datetime | None]:
        return [getattr(self.token, name) for name in PRESENCE]


@pytest.fixture
def door(timed) -> Door:
    timed.empty()
    service = TicketService(UnitOfWork(Database(timed.engine, lambda: timed.time)))
    return Door(timed, service, service.add(new_token(usage_count=20), by="adder"))


def live(door: Door) -> list[Granted]:
    """Come in, go out, come back, take back, reset and override; return what was granted."""
    granted = [door.use(), door.come_in(), door.go_out(), door.come_in()]
    door.undo(granted[0])
    granted += [door.go_out(), door.use(Manner(uses=3))]
    door.undo(granted[4])
    door.reset()
    granted += [door.come_in(), door.go_out(), door.use(OVERRIDE), door.come_in()]
    door.undo(granted[8])
    door.undo(granted[5])
    return granted


#: Steps of :func:`live`.
STEPS = 15


@pytest.mark.parametrize("days", range(STEPS + 2))
def test_purge_when_it_ends_anywhere_in_a_life_then_verify_holds_and_more_is_taken_back(door, days):
    start = door.timed.time
    granted = live(door)
    assert (door.timed.time - start) // A_DAY == STEPS
    assert door.problems() == []
    before = door.token
    door.wait()
    door.purge(start + days * A_DAY)
    assert door.problems() == []
    assert dataclasses.replace(door.token, read_at=before.read_at) == before
    for one in reversed(granted):
        door.wait()
        try:
            door.service.undo(door.uid, one.receipt, by="editor")
        except InvalidParameter:
            continue
        assert door.problems() == []
    door.wait()
    door.use(OVERRIDE)
    door.purge(door.timed.time)
    assert door.problems() == []


def test_undo_when_all_before_is_purged_then_the_last_use_is_that_of_the_mark(door):
    door.use()
    first = door.timed.time
    last = door.use()
    door.purge(door.timed.time)
    door.undo(last)
    assert (door.token.last_used, door.token.last_user, door.token.usage_count) == (first, None, 19)
    assert door.problems() == []


def test_undo_when_the_purged_use_before_was_taken_back_then_it_is_not_the_last_one(door):
    first, last = door.use(), door.use()
    purged_before = door.timed.time
    door.undo(first)
    door.purge(purged_before)
    assert door.problems() == []
    door.undo(last)
    assert (door.token.last_used, door.token.usage_count) == (None, 20)
    assert door.problems() == []


def test_undo_when_the_passage_before_is_purged_then_the_ticket_is_where_the_mark_says(door):
    door.come_in()
    door.reset()
    door.come_in()
    inside = door.presence()
    last = door.go_out()
    door.purge(door.timed.time)
    door.undo(last)
    assert door.presence() == inside != [None, None]
    assert door.problems() == []


def test_undo_when_a_reset_came_before_the_passage_then_the_ticket_is_nowhere(door):
    door.come_in()
    door.reset()
    last = door.come_in()
    door.undo(last)
    assert door.presence() == [None, None]
    assert door.problems() == []


def test_undo_when_a_reset_came_after_the_passage_then_the_ticket_stays_nowhere(door):
    door.come_in()
    last = door.go_out()
    door.reset()
    door.undo(last)
    assert door.presence() == [None, None]
    assert door.problems() == []


def test_undo_when_it_was_not_the_last_passage_then_the_ticket_stays_where_it_is(door):
    first = door.come_in()
    door.go_out()
    outside = door.presence()
    door.undo(first)
    assert (door.presence(), door.token.usage_count) == (outside, 20)
    assert door.problems() == []


def test_undo_when_uses_are_given_anew_then_they_are_those_that_were_given(door):
    """An undo gives uses back, and gives none anew."""
    door.use()
    door.undo(door.use(Manner(uses=2)))
    assert (door.token.usage_count, door.token.uses_given) == (19, 20)
    assert door.problems() == []


def test_undo_when_the_use_is_of_a_deleted_token_of_that_uid_then_there_is_none(door):
    kept, undone = door.come_in(), door.use()
    door.undo(undone)
    door.wait()
    door.service.delete(door.uid, by="editor")
    door.service.add_as(door.uid, new_token(usage_count=5), by="adder")
    for granted in (kept, undone):
        with pytest.raises(InvalidParameter):
            door.service.undo(door.uid, granted.receipt, by="editor")
    door.undo(door.come_in())
    token = door.token
    assert (token.usage_count, token.last_used, token.last_user) == (5, None, None)
    assert door.presence() == [None, None]
    assert door.problems() == []
    door.wait()
    door.purge(door.timed.time)
    assert door.problems() == []


def test_verify_when_an_undo_of_a_deleted_token_is_not_told_then_it_is_found(door):
    granted = door.use()
    door.service.delete(door.uid, by="editor")
    door.service.add_as(door.uid, new_token(), by="adder")
    with door.timed.engine.begin() as connection:
        is_it = USAGES.c.uid == granted.receipt
        connection.execute(update(USAGES).where(is_it).values(undone_at=door.timed.time))
    assert door.problems() == ["was taken back, and no event tells it"]


@pytest.mark.parametrize("is_inside", [True, False], ids=["inside", "outside"])
def test_purge_when_a_used_up_ticket_is_inside_or_outside_then_it_stays(door, is_inside):
    door.service.update(door.uid, TicketChanges(usage_count=1), by="editor")
    door.come_in()
    if not is_inside:
        door.go_out()
    door.wait(5)
    plan = PurgePlan(used_up=2, is_clock_right=True)
    assert door.maintenance.purge(plan).used_up == 0
    door.wait(120)
    assert door.maintenance.purge(plan).used_up == 1
    assert door.problems() == []


# Older databases


def upgraded(door: Door, used: datetime.datetime) -> None:
    """Let the token be as the upgrade from 2.0 leaves it: used before its history begins."""
    row = {"uid": uuid.uuid4(), "token_uid": door.uid, "token_value": str(door.uid)}
    with door.timed.engine.begin() as connection:
        connection.execute(update(EVENTS).values(action="upgrade", user=None))
        connection.execute(insert(USAGES).values(**row, version=0, timestamp=used, user="of 2.0"))
        connection.execute(
            text("UPDATE tokens SET last_used = (SELECT max(timestamp) FROM token_usage)")
        )


@pytest.mark.parametrize("is_purged", [True, False])
def test_undo_when_the_use_before_is_from_before_an_upgrade_then_that_is_the_last(door, is_purged):
    used = door.timed.time
    door.wait()
    upgraded(door, used)
    assert door.problems() == []
    last = door.use()
    if is_purged:
        door.purge(door.timed.time)
        assert door.problems() == []
    door.undo(last)
    token = door.token
    known = (None, None) if is_purged else (used, "of 2.0")
    assert (token.last_used, token.last_user, token.usage_count) == (*known, 20)
    assert door.problems() == []
    door.wait()
    door.purge(door.timed.time)
    assert door.problems() == []


def make_0006(engine) -> None:
    """Undo what revision 0007 has made, and what today's events tell."""
    with engine.begin() as connection:
        for table, names, _condition in r0007_door.INDEXES:
            connection.execute(text(f"DROP INDEX ix_{table}_{'_'.join(names)}"))
        for table, columns in r0007_door.COLUMNS.items():
            for name in columns:
                connection.execute(text(f'ALTER TABLE {table} DROP COLUMN "{name}"'))
        connection.execute(text("UPDATE token_schema SET version_num = '0006'"))
        rows = connection.execute(select(EVENTS.c.uid, EVENTS.c.old_values, EVENTS.c.new_values))
        for uid, *told in rows.all():
            old, new = (
                told_values
                and json.dumps(
                    {n: v for n, v in json.loads(told_values).items() if n not in PRESENCE}
                )
                for told_values in told
            )
            changed = {"old_values": old, "new_values": new}
            connection.execute(update(EVENTS).where(EVENTS.c.uid == uid).values(changed))


def test_upgrade_when_rows_are_of_revision_0006_then_all_holds_and_doors_work(empty_database):
    schema.prepare(empty_database)
    made = described(empty_database)
    service = on_engine(empty_database)
    uid = service.add(new_token(usage_count=5), by="adder")
    receipts = [service.consume(uid, by="door").receipt for _ in range(2)]
    service.update(uid, TicketChanges(lock_time=5), by="editor")
    service.update(uid, TicketChanges(lock_time=0), by="editor")
    make_0006(empty_database)
    with pytest.raises(schema.OutdatedDatabase):
        schema.prepare(empty_database)
    schema.prepare(empty_database, auto_upgrade=True)
    # What is added stands behind what was there.
    assert {name: sorted(told[0]) for name, told in described(empty_database).items()} == {
        name: sorted(told[0]) for name, told in made.items()
    }
    maintenance = Maintenance(service._work.database, [TICKET])
    assert maintenance.verify().findings == ()
    undone = service.undo(uid, receipts[1], by="door", may_edit=False)
    assert (undone.uses, undone.usage_count) == (1, 4)
    until = datetime.datetime.now(datetime.UTC) + A_DAY
    entry = Manner(checkpoint="Door", direction=Direction.IN, inside_until=until)
    assert service.consume(uid, by="door", manner=entry).usage_count == 3
    assert (service.count_inside(), service.reset_presence(by="desk")) == (1, 1)
    assert maintenance.verify().findings == ()


def test_reset_when_many_are_inside_then_doors_wait_for_a_part_of_them_at_most(
    service, made_tables, monkeypatch
):
    parts = []

    def reset(*args, **given):
        tokens = changing.reset(*args, **given)
        parts.append(len(tokens))
        return tokens

    later = datetime.datetime.now(datetime.UTC) + A_DAY
    service.add_many(new_token(), 2_001, None, by="adder")
    with made_tables.begin() as connection:
        connection.execute(update(TokenRecord).values(inside_until=later))
    spied = types.SimpleNamespace(**{**vars(changing), "reset": reset})
    monkeypatch.setattr(services, "changing", spied)
    assert service.reset_presence(by="desk") == sum(parts) == 2_001
    assert max(parts) == 1_000
    assert service.count_inside() == 0
