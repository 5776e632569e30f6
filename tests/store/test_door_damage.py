"""Kinds of damage to what a door has written: which of them ``verify`` finds.

As :mod:`tests.store.test_damage`, of a life at a door. Decision 0016 says why some are not found.
"""

import dataclasses
import datetime
import functools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Executable
from sqlalchemy import and_
from sqlalchemy import delete
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.damage import do
from tests.support.damage import expect_found
from tests.support.damage import expect_not_found
from tests.support.factories import new_token

TOKENS = TokenRecord.__table__
USAGES = TokenUsageRecord.__table__
EVENTS = TokenEventRecord.__table__
NOW = datetime.datetime.now(datetime.UTC)
LATER = NOW + datetime.timedelta(hours=6)
NEW = uuid.UUID(int=7)
PLAIN, ENTRY, EXIT, AGAIN, UNDONE_EXIT = 2, 3, 4, 5, 6
UNDO, RESET, OVERRIDE, SEVERAL = 7, 8, 9, 10
ENTRY_ENDLESS, FREE_ENDLESS, SEVERAL_ENDLESS = 2, 4, 5


@dataclasses.dataclass
class Life:
    """The tokens of a life at a door."""

    main: uuid.UUID
    used_up: uuid.UUID
    endless: uuid.UUID
    events: dict[str, dict[str, Any]]

    @property
    def token(self) -> Any:
        return TOKENS.c.uid == self.main

    def use(self, version: int, uid: uuid.UUID | None = None) -> Any:
        granted = USAGES.c.error_code.is_(None)
        is_it = and_(USAGES.c.token_uid == (uid or self.main), USAGES.c.version == version)
        return and_(is_it, granted)

    @property
    def refusal(self) -> Any:
        return and_(USAGES.c.token_uid == self.main, USAGES.c.error_code.is_not(None))

    def event(self, action: str) -> Any:
        return and_(EVENTS.c.token_uid == self.main, EVENTS.c.action == action)

    def told(self, action: str, column: str, **changes: Any) -> str:
        """Return what an event tells, with other values."""
        return json.dumps(json.loads(self.events[action][column]) | changes)


@pytest.fixture
def life(service, made_tables) -> Life:
    """A plain use, in, out, in, out and that taken back, reset, refused, overridden, two at once.

    Another token has no uses left, and is let in anyway. One without a limit goes in, out and in,
    and takes two at once.
    """
    main = service.add(new_token(usage_count=9), by="adder")
    used_up = service.add(new_token(usage_count=0), by="adder")
    use = functools.partial(service.consume, main, by="door")
    entry = Manner(checkpoint="Door", direction=Direction.IN, inside_until=LATER)
    way_out = Manner(checkpoint="Door", direction=Direction.OUT)
    use()
    for manner in (entry, way_out, entry):
        use(manner=manner)
    service.undo(main, use(manner=way_out).receipt, by="door")
    service.reset_presence(by="desk")
    use(manner=way_out)
    use(manner=Manner(checkpoint="Gate", override="lost list"))
    use(manner=Manner(uses=2))
    service.consume(used_up, by="door", manner=Manner(override="lost list"))
    endless = service.add(new_token(usage_count=-1), by="adder")
    for manner in (entry, way_out, entry, Manner(uses=2), Manner(uses=1)):
        service.consume(endless, by="door", manner=manner)
    with made_tables.connect() as connection:
        events = connection.execute(select(EVENTS).where(EVENTS.c.token_uid == main)).mappings()
        return Life(main, used_up, endless, {row["action"]: dict(row) for row in events})


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


Damage = Callable[[Life], Executable]


def token(**values: Any) -> Damage:
    return lambda life: update(TOKENS).where(life.token).values(values)


def use(version: int, **values: Any) -> Damage:
    return lambda life: update(USAGES).where(life.use(version)).values(values)


def endless(version: int, **values: Any) -> Damage:
    return lambda life: update(USAGES).where(life.use(version, life.endless)).values(values)


def refusal(**values: Any) -> Damage:
    return lambda life: update(USAGES).where(life.refusal).values(values)


def event(action: str, column: str, **changes: Any) -> Damage:
    def damage(life: Life) -> Executable:
        return (
            update(EVENTS)
            .where(life.event(action))
            .values({column: life.told(action, column, **changes)})
        )

    return damage


FOUND: dict[str, tuple[Damage, Problem]] = {
    # Tokens
    "inside": (token(inside_until=LATER), Problem.FIELD),
    "outside": (token(outside_until=LATER), Problem.FIELD),
    # How many were taken
    "uses raised": (use(SEVERAL, uses=3), Problem.COUNT_IN_LOG),
    "uses lowered": (use(SEVERAL, uses=1), Problem.COUNT_IN_LOG),
    "uses removed": (use(SEVERAL, uses=None), Problem.COUNT_IN_LOG),
    "uses that were never taken": (use(SEVERAL, uses=20), Problem.ABOVE_LIMIT),
    "uses below none": (use(SEVERAL, uses=-2), Problem.MANNER),
    "uses of a plain use": (use(PLAIN, uses=2), Problem.COUNT_IN_LOG),
    "uses of an override": (use(OVERRIDE, uses=0), Problem.ABOVE_LIMIT),
    "several uses of an override": (use(OVERRIDE, uses=2), Problem.MANNER),
    "uses of a refusal": (refusal(uses=-1), Problem.REFUSAL),
    "uses of a refused exit": (refusal(uses=1), Problem.REFUSAL),
    "uses of an exit": (use(EXIT, uses=1), Problem.MANNER),
    "uses of a token without a limit removed": (endless(SEVERAL_ENDLESS, uses=0), Problem.MANNER),
    "uses of its free entry": (endless(FREE_ENDLESS, uses=1), Problem.COUNT_IN_LOG),
    "uses of its entry removed": (endless(ENTRY_ENDLESS, uses=0), Problem.COUNT_IN_LOG),
    # Where
    "checkpoint of an entry removed": (use(ENTRY, checkpoint=None), Problem.MANNER),
    "checkpoint of an exit removed": (use(EXIT, checkpoint=None), Problem.MANNER),
    "checkpoint of a refused exit removed": (refusal(checkpoint=None), Problem.REFUSAL),
    # Which way
    "entry made an exit": (use(ENTRY, direction="out", uses=0), Problem.PRESENCE),
    "entry with its use made an exit": (use(ENTRY, direction="out"), Problem.MANNER),
    "exit made an entry": (use(EXIT, direction="in"), Problem.PRESENCE),
    "direction of an entry removed": (use(ENTRY, direction=None), Problem.COUNT_IN_LOG),
    "direction of an exit removed": (use(EXIT, direction=None), Problem.MANNER),
    "direction that is none": (use(EXIT, direction="up"), Problem.MANNER),
    "direction that is none of a use without": (use(PLAIN, direction="up"), Problem.MANNER),
    "direction that is none of a refusal": (refusal(direction="up"), Problem.REFUSAL),
    "direction of a plain use": (use(PLAIN, direction="in"), Problem.MANNER),
    "direction of a refusal": (refusal(direction="in"), Problem.REFUSAL),
    # Why the rules did not count
    "override removed that was needed": (
        lambda life: update(USAGES).where(life.use(2, life.used_up)).values(override=None),
        Problem.MANNER,
    ),
    "override and its uses removed that was needed": (
        lambda life: (
            update(USAGES).where(life.use(2, life.used_up)).values(override=None, uses=None)
        ),
        Problem.ABOVE_LIMIT,
    ),
    "override of several uses": (use(SEVERAL, override="x"), Problem.MANNER),
    "override of an exit": (use(EXIT, override="x"), Problem.MANNER),
    # Where uses leave a token
    "inside of an entry": (use(ENTRY, inside_until=NOW), Problem.COUNT_IN_LOG),
    "inside of an entry removed": (use(AGAIN, inside_until=None), Problem.PRESENCE),
    "inside of a plain use": (use(PLAIN, inside_until=LATER), Problem.COUNT_IN_LOG),
    "outside of an exit": (use(EXIT, outside_until=NOW), Problem.COUNT_IN_LOG),
    "outside of an exit removed": (use(EXIT, outside_until=None), Problem.COUNT_IN_LOG),
    "inside of a refusal": (refusal(inside_until=LATER), Problem.REFUSAL),
    # What was taken back
    "undo removed from the use": (use(UNDONE_EXIT, undone_at=None), Problem.UNDONE),
    "undo of another use": (use(SEVERAL, undone_at=NOW), Problem.UNDONE),
    "undo of a refusal": (refusal(undone_at=NOW), Problem.REFUSAL),
    "undo at another time": (
        use(UNDONE_EXIT, undone_at=NOW - datetime.timedelta(hours=9)),
        Problem.UNDONE,
    ),
    "undo by another one": (use(UNDONE_EXIT, undone_by="x"), Problem.UNDONE),
    "undo by nobody": (use(UNDONE_EXIT, undone_by=None), Problem.UNDONE),
    "undo by somebody at no time": (use(SEVERAL, undone_by="x"), Problem.MANNER),
    "undo of a refusal by somebody": (refusal(undone_by="x"), Problem.REFUSAL),
    "undo removed": (lambda life: delete(EVENTS).where(life.event("undo")), Problem.MISSING),
    "receipt of an undo": (event("undo", "new_values", receipt=str(NEW)), Problem.UNDONE),
    "receipt of an undo that is none": (event("undo", "new_values", receipt=5), Problem.EVENT),
    "last use after an undo": (
        event("undo", "new_values", last_used=NOW.isoformat()),
        Problem.UNDONE,
    ),
    "count after an undo": (event("undo", "new_values", usage_count=9), Problem.UNDONE),
    "count before an undo": (event("undo", "old_values", usage_count=9), Problem.EVENT),
    "inside after an undo": (event("undo", "new_values", inside_until=None), Problem.UNDONE),
    "outside after an undo": (
        event("undo", "new_values", outside_until=LATER.isoformat()),
        Problem.UNDONE,
    ),
    "another field of an undo": (event("undo", "new_values", enabled=False), Problem.EVENT),
    "undo twice": (
        lambda life: insert(EVENTS).values(life.events["undo"] | {"uid": NEW, "version": 11}),
        Problem.UNDONE,
    ),
    # Reset
    "reset removed": (lambda life: delete(EVENTS).where(life.event("reset")), Problem.MISSING),
    "inside after a reset": (
        event("reset", "new_values", inside_until=LATER.isoformat()),
        Problem.EVENT,
    ),
    "inside before a reset": (event("reset", "old_values", inside_until=None), Problem.EVENT),
    "another field of a reset": (event("reset", "new_values", usage_count=1), Problem.EVENT),
}


def test_verify_when_nothing_is_damaged_then_nothing_is_wrong(maintenance, life):
    assert maintenance.verify().findings == ()


@pytest.mark.parametrize(("damage", "problem"), FOUND.values(), ids=FOUND)
def test_verify_when_a_row_of_a_door_is_damaged_then_it_is_found(
    maintenance, life, made_tables, damage, problem
):
    do(made_tables, damage(life))
    expect_found(maintenance, problem)


#: What is not found: the rest of the database is as it would be had this been so from the start.
NOT_FOUND: dict[str, Damage] = {
    # Nothing else tells where it was, or why.
    "name of a checkpoint": use(ENTRY, checkpoint="x"),
    "checkpoint of a use without direction removed": use(OVERRIDE, checkpoint=None),
    "reason of an override": use(OVERRIDE, override="x"),
    # Such a token counts nothing.
    "several uses of a token without a limit": endless(SEVERAL_ENDLESS, uses=3),
    # The rules would have let it in.
    "override that was not needed removed": use(OVERRIDE, override=None),
    "override of a use that was let in": use(ENTRY, override="x"),
    # A change may do what a reset does.
    "reset called a change": lambda life: (
        update(EVENTS).where(life.event("reset")).values(action="update")
    ),
}


@pytest.mark.parametrize("damage", NOT_FOUND.values(), ids=NOT_FOUND)
def test_verify_when_nothing_contradicts_a_damage_of_a_door_then_it_is_not_found(
    maintenance, life, made_tables, damage
):
    """Whoever makes one of these be found moves it to the others, and says so in decision 0016."""
    do(made_tables, damage(life))
    expect_not_found(maintenance)
