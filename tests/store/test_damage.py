"""Kinds of damage to a database with a life behind it: which of them ``verify`` finds.

Each is what one statement behind everybody's back does. Decision 0016 says why some are not found.
"""

import dataclasses
import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy import Executable
from sqlalchemy import and_
from sqlalchemy import delete
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core import codes
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.records import Base
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenFormerRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import ADD_TOKENS
from cone.tokens.tickets.values import CONSUME_TOKEN
from cone.tokens.tickets.values import TicketChanges
from tests.support.damage import do
from tests.support.damage import expect_found
from tests.support.damage import expect_not_found
from tests.support.factories import new_token

TOKENS = TokenRecord.__table__
USAGES = TokenUsageRecord.__table__
EVENTS = TokenEventRecord.__table__
FORMER = TokenFormerRecord.__table__
REQUESTS = TokenRequestRecord.__table__
NOW = datetime.datetime.now(datetime.UTC)
A_DAY = datetime.timedelta(days=1)
A_MINUTE = datetime.timedelta(minutes=1)
NEW = uuid.UUID(int=7)


@dataclasses.dataclass
class Life:
    """The rows of a database with a life behind it, and whose they are."""

    rows: dict[str, list[dict[str, Any]]]
    uids: dict[str, uuid.UUID]

    def token(self, name: str = "main"):
        return TOKENS.c.uid == self.uids[name]

    def use(self, version: int, name: str = "main"):
        granted = USAGES.c.error_code.is_(None)
        return and_(USAGES.c.token_uid == self.uids[name], USAGES.c.version == version, granted)

    def refusal(self, code: int, name: str = "main"):
        return and_(USAGES.c.token_uid == self.uids[name], USAGES.c.error_code == code)

    def event(self, action: str, name: str = "main"):
        return and_(EVENTS.c.token_uid == self.uids[name], EVENTS.c.action == action)

    def told(self, action: str, column: str, name: str = "main", **changes: Any) -> str:
        """Return what an event tells, with other values."""
        [row] = [
            row
            for row in self.rows["token_events"]
            if (row["action"], row["token_uid"]) == (action, self.uids[name])
        ]
        return json.dumps(json.loads(row[column]) | changes)

    def copied(self, version: int, /, of: str = "main", **changes: Any) -> dict[str, Any]:
        """Return a use of a token, changed."""
        [row] = [
            row
            for row in self.rows["token_usage"]
            if (row["token_uid"], row["version"], row["error_code"])
            == (self.uids[of], version, None)
        ]
        return {**row, "uid": NEW, **changes}


_lives: dict[str, Life] = {}


@pytest.fixture
def life(service, made_tables) -> Life:
    """The same life for all tests; each begins with all of its rows."""
    kind = made_tables.dialect.name
    if kind not in _lives:
        uids = _live(service, made_tables)
        with made_tables.connect() as connection:
            rows = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in Base.metadata.sorted_tables
            }
        _lives[kind] = Life(rows, uids)
        return _lives[kind]
    with made_tables.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(insert(table), _lives[kind].rows[table.name])
    return _lives[kind]


def _live(service: TicketService, engine: Engine) -> dict[str, uuid.UUID]:
    """Live: a day goes by between two steps. Return the uids by the first values."""
    uids = {"rested": service.add(new_token(value="rested", usage_count=9), by="adder")}
    for _ in range(3):
        service.consume(uids["rested"], by="door")
    service.update(uids["rested"], TicketChanges(enabled=False), by="editor")
    service.consume(uids["rested"], by="door")
    service.update(uids["rested"], TicketChanges(enabled=True), by="editor")
    _age(engine, 90)
    Maintenance(service._work.database, [TICKET]).purge(PurgePlan(log=50, is_clock_right=True))
    uids["old"] = _add_upgraded(service, engine)
    main = uids["main"] = service.add(new_token(value="main", usage_count=5), by="adder")
    lost = uids["lost"] = service.add(new_token(value="lost", usage_count=3), by="adder")
    gone = uids["gone"] = service.add(new_token(value="gone", usage_count=2), by="adder")
    steps: list[Callable[[], Any]] = [
        lambda: service.consume(main, by="door", key=_key("k")),
        lambda: service.update(main, TicketChanges(lock_time=3_600), by="editor"),
        lambda: (service.consume(main, by="door"), service.consume(main, by="door")),
        lambda: service.update(main, TicketChanges(enabled=False), by="editor"),
        lambda: service.consume(main, by="door", key=_key("refused")),
        lambda: service.update(main, TicketChanges(enabled=True), by="editor"),
        lambda: service.update(main, TicketChanges(lock_time=0), by="editor"),
        lambda: service.consume(main, by="door"),
        lambda: [service.consume(uids[name], by="door") for name in ("rested", "old", "gone")],
        lambda: (service.replace(lost, by="editor"), service.consume_value("lost", by="door")),
        lambda: service.delete(gone, by="editor"),
    ]
    for step in steps:
        step()
        _age(engine, 1)
    key = IdempotencyKey(key="many", caller="me", operation=ADD_TOKENS, parameters={})
    service.add_many(new_token(), 2, "many-", by="adder", key=key)
    return uids


def _key(text: str) -> IdempotencyKey:
    return IdempotencyKey(key=text, caller="me", operation=CONSUME_TOKEN, parameters={})


def _add_upgraded(service: TicketService, engine: Engine) -> uuid.UUID:
    """Add a token as the upgrade from 2.0 leaves it, with a use from before."""
    uid = service.add(new_token(value="old", usage_count=3), by="somebody")
    with engine.begin() as connection:
        of_it = EVENTS.c.token_uid == uid
        connection.execute(update(EVENTS).where(of_it).values(action="upgrade", user=None))
        before = {"uid": uuid.uuid4(), "token_uid": uid, "token_value": "old", "version": 0}
        connection.execute(insert(USAGES), {**before, "timestamp": NOW - 400 * A_DAY})
    return uid


def _age(engine: Engine, days: int) -> None:
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            key = next(iter(table.primary_key))
            times = [
                column
                for column in table.columns
                if isinstance(column.type, UtcDateTime)
                and column.name not in ("valid_from", "valid_to")
            ]
            if not times:
                continue
            for row in connection.execute(select(key, *times)).all():
                moved = [time and time - days * A_DAY for time in row[1:]]
                values = {column.name: time for column, time in zip(times, moved, strict=True)}
                connection.execute(update(table).where(key == row[0]).values(values))


@pytest.fixture
def maintenance(service) -> Maintenance:
    return Maintenance(service._work.database, [TICKET])


Damage = Callable[[Life], Executable]

#: What is found, and as what.
FOUND: dict[str, tuple[Damage, Problem]] = {
    # Tokens
    "count raised": (
        lambda life: update(TOKENS).where(life.token()).values(usage_count=9),
        Problem.COUNTER,
    ),
    "count lowered": (
        lambda life: update(TOKENS).where(life.token()).values(usage_count=0),
        Problem.COUNTER,
    ),
    "value of the token": (
        lambda life: update(TOKENS).where(life.token()).values(value="x"),
        Problem.FIELD,
    ),
    "switch": (
        lambda life: update(TOKENS).where(life.token()).values(enabled=False),
        Problem.FIELD,
    ),
    "window": (
        lambda life: update(TOKENS).where(life.token()).values(valid_to=NOW),
        Problem.FIELD,
    ),
    "lock time": (
        lambda life: update(TOKENS).where(life.token()).values(lock_time=7),
        Problem.FIELD,
    ),
    "last use earlier": (
        lambda life: update(TOKENS).where(life.token()).values(last_used=NOW - 30 * A_DAY),
        Problem.LAST_USED,
    ),
    "last use removed": (
        lambda life: update(TOKENS).where(life.token()).values(last_used=None),
        Problem.LAST_USED,
    ),
    "lock": (
        lambda life: update(TOKENS).where(life.token()).values(locked_until=NOW),
        Problem.LOCKED_UNTIL,
    ),
    "version raised": (
        lambda life: update(TOKENS).where(life.token()).values(version=99),
        Problem.MISSING,
    ),
    "version lowered": (
        lambda life: update(TOKENS).where(life.token()).values(version=2),
        Problem.VERSION,
    ),
    "digest of a code": (
        lambda life: update(TOKENS).where(life.token()).values(code_digest="0" * 32),
        Problem.DIGEST,
    ),
    "digest of a code removed": (
        lambda life: update(TOKENS).where(life.token()).values(code_digest=None),
        Problem.DIGEST,
    ),
    "last user": (
        lambda life: update(TOKENS).where(life.token()).values(last_user="x"),
        Problem.USERS,
    ),
    "time of the use before": (
        lambda life: update(TOKENS).where(life.token()).values(used_before=NOW - 30 * A_DAY),
        Problem.USERS,
    ),
    "user of the use before": (
        lambda life: update(TOKENS).where(life.token()).values(user_before="x"),
        Problem.USERS,
    ),
    "user of the last use in the log": (
        lambda life: update(USAGES).where(life.use(8)).values(user="x"),
        Problem.USERS,
    ),
    "user of the use before in the log": (
        lambda life: update(USAGES).where(life.use(4)).values(user="x"),
        Problem.USERS,
    ),
    "use before moved by minutes": (
        lambda life: update(USAGES).where(life.use(4)).values(timestamp=a_minute_before(life, 4)),
        Problem.USERS,
    ),
    "creator": (
        lambda life: update(TOKENS).where(life.token()).values(creator="x"),
        Problem.FIELD,
    ),
    "uses given": (
        lambda life: update(TOKENS).where(life.token()).values(uses_given=7),
        Problem.FIELD,
    ),
    "created": (
        lambda life: update(TOKENS).where(life.token()).values(created=NOW),
        Problem.FIELD,
    ),
    "modified": (
        lambda life: update(TOKENS).where(life.token()).values(modified=NOW),
        Problem.FIELD,
    ),
    "token removed": (lambda life: delete(TOKENS).where(life.token()), Problem.GONE),
    "token invented": (
        lambda life: insert(TOKENS).values(
            {
                **next(row for row in life.rows["tokens"] if row["uid"] == life.uids["main"]),
                "uid": NEW,
                "value": "x",
            }
        ),
        Problem.NO_BEGINNING,
    ),
    "deleted token back": (
        lambda life: insert(TOKENS).values(
            {
                **next(row for row in life.rows["tokens"] if row["uid"] == life.uids["main"]),
                "uid": life.uids["gone"],
                "value": "gone",
            }
        ),
        Problem.DELETED,
    ),
    # Codes that were replaced
    "former code removed": (lambda _life: delete(FORMER), Problem.FORMER),
    "digest of a former code": (
        lambda _life: update(FORMER).values(code_digest="0" * 32),
        Problem.FORMER,
    ),
    "former code of a deleted token": (
        lambda life: insert(FORMER).values(former(life, "gone", "g")),
        Problem.FORMER,
    ),
    "former code of no token": (
        lambda life: insert(FORMER).values(former(life, "lost", "g", token_uid=NEW)),
        Problem.FORMER,
    ),
    "former code that another token has": (
        lambda life: insert(FORMER).values(former(life, "lost", "main")),
        Problem.FORMER,
    ),
    "former code of another token": (
        lambda life: update(FORMER).values(token_uid=life.uids["main"]),
        Problem.FORMER,
    ),
    "replacement removed": (
        lambda life: delete(EVENTS).where(life.event("replace", "lost")),
        Problem.MISSING,
    ),
    "replacement as update": (
        lambda life: update(EVENTS).where(life.event("replace", "lost")).values(action="update"),
        Problem.REFUSAL,
    ),
    "refused as replaced without that": (
        lambda life: update(USAGES).where(life.refusal(7)).values(error_code=11),
        Problem.REFUSAL,
    ),
    # Uses
    "use removed": (lambda life: delete(USAGES).where(life.use(4)), Problem.MISSING),
    "last use of the log removed": (
        lambda life: delete(USAGES).where(life.use(8)),
        Problem.MISSING,
    ),
    "use doubled": (lambda life: insert(USAGES).values(life.copied(4)), Problem.DOUBLE),
    "use invented": (
        lambda life: insert(USAGES).values(life.copied(8, version=9, timestamp=NOW)),
        Problem.VERSION,
    ),
    "use moved into the past": (
        lambda life: update(USAGES).where(life.use(4)).values(timestamp=NOW - 80 * A_DAY),
        Problem.TIME,
    ),
    "use moved behind others": (
        lambda life: update(USAGES).where(life.use(4)).values(timestamp=NOW - A_DAY),
        Problem.TIME,
    ),
    "use moved into the future": (
        lambda life: update(USAGES).where(life.use(8)).values(timestamp=NOW + A_DAY),
        Problem.TIME,
    ),
    "count in the log": (
        lambda life: update(USAGES).where(life.use(4)).values(usage_count=9),
        Problem.COUNT_IN_LOG,
    ),
    "count in the log removed": (
        lambda life: update(USAGES).where(life.use(4)).values(usage_count=None),
        Problem.COUNT_IN_LOG,
    ),
    "value in the log": (
        lambda life: update(USAGES).where(life.use(4)).values(token_value="x"),
        Problem.VALUE_IN_LOG,
    ),
    "use given to another token": (
        lambda life: update(USAGES).where(life.use(4)).values(token_uid=life.uids["old"]),
        Problem.MISSING,
    ),
    "use given to no token": (
        lambda life: update(USAGES).where(life.use(4)).values(token_uid=NEW),
        Problem.UNKNOWN_TOKEN,
    ),
    "use made a refusal": (
        lambda life: update(USAGES).where(life.use(4)).values(error_code=2),
        Problem.MISSING,
    ),
    "use taken for one of 2.0": (
        lambda life: update(USAGES).where(life.use(4)).values(version=0),
        Problem.MISSING,
    ),
    "use of 2.0 that tells a count": (
        lambda life: update(USAGES).where(USAGES.c.version == 0).values(usage_count=1),
        Problem.COUNT_IN_LOG,
    ),
    "use of 2.0 invented for a new token": (
        lambda life: insert(USAGES).values(
            life.copied(4, version=0, usage_count=None, timestamp=NOW)
        ),
        Problem.DOUBLE,
    ),
    # Refusals
    "refusal made a use": (
        lambda life: update(USAGES).where(life.refusal(3)).values(error_code=None),
        Problem.DOUBLE,
    ),
    "reason of a refusal": (
        lambda life: update(USAGES).where(life.refusal(3)).values(error_code=4),
        Problem.REFUSAL,
    ),
    "reason that means nothing": (
        lambda life: update(USAGES).where(life.refusal(3)).values(error_code=99),
        Problem.REFUSAL,
    ),
    "count of a refusal": (
        lambda life: update(USAGES).where(life.refusal(3)).values(usage_count=0),
        Problem.REFUSAL,
    ),
    "value of a refusal": (
        lambda life: update(USAGES).where(life.refusal(3)).values(token_value="x"),
        Problem.VALUE_IN_LOG,
    ),
    "refusal moved in time": (
        lambda life: update(USAGES).where(life.refusal(7)).values(timestamp=NOW - A_DAY),
        Problem.TIME,
    ),
    "refusal moved in the chain": (
        lambda life: update(USAGES).where(life.refusal(7)).values(version=2),
        Problem.REFUSAL,
    ),
    "refusal of a later version": (
        lambda life: update(USAGES).where(life.refusal(7)).values(version=50),
        Problem.MISSING,
    ),
    # Events
    "event removed": (lambda life: delete(EVENTS).where(life.event("disable")), Problem.MISSING),
    "beginning removed": (
        lambda life: delete(EVENTS).where(life.event("add")),
        Problem.NO_BEGINNING,
    ),
    "deletion removed": (
        lambda life: delete(EVENTS).where(life.event("delete", "gone")),
        Problem.GONE,
    ),
    "event doubled": (
        lambda life: insert(EVENTS).values(
            {
                **next(row for row in life.rows["token_events"] if row["action"] == "enable"),
                "uid": NEW,
                "token_uid": life.uids["main"],
                "version": 6,
            }
        ),
        Problem.DOUBLE,
    ),
    "action": (
        lambda life: update(EVENTS).where(life.event("enable")).values(action="delete"),
        Problem.EVENT,
    ),
    "action that there is not": (
        lambda life: update(EVENTS).where(life.event("enable")).values(action="x"),
        Problem.EVENT,
    ),
    "user who added": (
        lambda life: update(EVENTS).where(life.event("add")).values(user="x"),
        Problem.FIELD,
    ),
    "user of an upgrade": (
        lambda life: update(EVENTS).where(life.event("upgrade", "old")).values(user="x"),
        Problem.EVENT,
    ),
    "time of an addition": (
        lambda life: update(EVENTS).where(life.event("add")).values(timestamp=NOW - 99 * A_DAY),
        Problem.FIELD,
    ),
    "time of an event": (
        lambda life: update(EVENTS).where(life.event("disable")).values(timestamp=NOW),
        Problem.TIME,
    ),
    "new values": (
        lambda life: (
            update(EVENTS)
            .where(life.event("disable"))
            .values(new_values=life.told("disable", "new_values", lock_time=1))
        ),
        Problem.EVENT,
    ),
    "old values": (
        lambda life: (
            update(EVENTS)
            .where(life.event("disable"))
            .values(
                old_values=life.told("disable", "old_values", usage_count=1),
                new_values=life.told("disable", "new_values", usage_count=1),
            )
        ),
        Problem.EVENT,
    ),
    "values removed": (
        lambda life: update(EVENTS).where(life.event("disable")).values(new_values=None),
        Problem.EVENT,
    ),
    "values of another kind": (
        lambda life: (
            update(EVENTS)
            .where(life.event("add"))
            .values(new_values=life.told("add", "new_values", usage_count="5"))
        ),
        Problem.EVENT,
    ),
    "values in a time without a zone": (
        lambda life: (
            update(EVENTS)
            .where(life.event("add"))
            .values(new_values=life.told("add", "new_values", valid_to="2030-01-01T00:00:00"))
        ),
        Problem.EVENT,
    ),
    "values that nest too deeply": (
        lambda life: update(EVENTS).where(life.event("add")).values(new_values="[" * 100_000),
        Problem.EVENT,
    ),
    "window of an addition": (
        lambda life: (
            update(EVENTS)
            .where(life.event("add"))
            .values(
                new_values=life.told(
                    "add",
                    "new_values",
                    valid_from="2030-01-01T00:00:00+00:00",
                    valid_to="2029-01-01T00:00:00+00:00",
                )
            )
        ),
        Problem.EVENT,
    ),
    # Purged history
    "mark removed": (
        lambda life: delete(EVENTS).where(life.event("purge", "rested")),
        Problem.MISSING,
    ),
    "count of a mark": (
        lambda life: (
            update(EVENTS)
            .where(life.event("purge", "rested"))
            .values(new_values=life.told("purge", "new_values", "rested", usage_count=1))
        ),
        Problem.COUNT_IN_LOG,
    ),
    "version of a mark": (
        lambda life: (
            update(EVENTS)
            .where(life.event("purge", "rested"))
            .values(new_values=life.told("purge", "new_values", "rested", version=2))
        ),
        Problem.MISSING,
    ),
    "mark that no purge makes": (
        lambda life: update(EVENTS).where(life.event("purge", "rested")).values(user="x"),
        Problem.EVENT,
    ),
    "refusal of purged history": (
        lambda life: insert(USAGES).values(
            life.copied(
                2,
                token_uid=life.uids["rested"],
                token_value="rested",
                error_code=7,
                timestamp=NOW - 300 * A_DAY,
            )
        ),
        Problem.REFUSAL,
    ),
    "use of purged history": (
        lambda life: insert(USAGES).values(life.copied(2, token_uid=life.uids["rested"])),
        Problem.DOUBLE,
    ),
    # Keys of requests
    "receipt": (lambda life: update(USAGES).where(life.use(2)).values(uid=NEW), Problem.REQUEST),
    "refusal of a key removed": (
        lambda life: delete(USAGES).where(life.refusal(7)),
        Problem.REQUEST,
    ),
    "answer": (
        lambda life: update(REQUESTS).values(answer=json.dumps({"receipt": str(NEW)})),
        Problem.REQUEST,
    ),
    "answer that no request gets": (
        lambda life: update(REQUESTS).values(answer='{"consumed": true}'),
        Problem.REQUEST,
    ),
    "answer of two keys": (
        lambda life: insert(REQUESTS).values(
            {
                **next(row for row in life.rows["token_requests"] if "receipt" in row["answer"]),
                "key_hash": "0" * 64,
            }
        ),
        Problem.REQUEST,
    ),
    "time of a key": (
        lambda life: (
            update(REQUESTS).where(REQUESTS.c.answer.startswith('{"receipt')).values(timestamp=NOW)
        ),
        Problem.REQUEST,
    ),
    "digest": (lambda life: update(REQUESTS).values(fingerprint="x"), Problem.REQUEST),
    "tokens of a key gone with all their rows": (
        lambda life: delete(EVENTS).where(
            EVENTS.c.token_uid.in_(select(TOKENS.c.uid).where(TOKENS.c.value.like("many-%")))
        ),
        Problem.REQUEST,
    ),
}


@pytest.mark.parametrize(("damage", "problem"), FOUND.values(), ids=FOUND)
def test_verify_when_a_row_is_damaged_then_it_is_found(
    maintenance, life, made_tables, damage, problem
):
    do(made_tables, damage(life))
    expect_found(maintenance, problem)


def test_verify_when_nothing_is_damaged_then_nothing_is_wrong(maintenance, life):
    audit = maintenance.verify()
    assert audit.findings == ()
    counts = audit.counts
    assert (counts.tokens, counts.deleted, counts.purged, counts.upgraded) == (6, 1, 1, 1)
    assert (counts.uses, counts.refusals, counts.rows_before, counts.keys) == (6, 3, 1, 3)


#: What is not found: the rest of the database is as it would be had this been so from the start.
NOT_FOUND: dict[str, Damage] = {
    # Nothing else tells who it was.
    "user of a use": lambda life: update(USAGES).where(life.use(2)).values(user="x"),
    # So it is where they are not known.
    "last users of a token removed": lambda life: (
        update(TOKENS).where(life.token()).values(last_user=None, used_before=None)
    ),
    "user of a change": lambda life: update(EVENTS).where(life.event("disable")).values(user="x"),
    "creator of an upgraded token": lambda life: (
        update(TOKENS).where(life.token("old")).values(creator="x")
    ),
    # A refused try changes nothing.
    "refusal without a key removed": lambda life: delete(USAGES).where(life.refusal(3)),
    "refusal invented as it might have been": lambda life: insert(USAGES).values(
        {
            **next(row for row in life.rows["token_usage"] if row["error_code"] == 3),
            "uid": NEW,
        }
    ),
    # No row has the receipt but a key of its request, and this use had none.
    "receipt of a use without a key": lambda life: (
        update(USAGES).where(life.use(4)).values(uid=NEW)
    ),
    # Clocks and waits for locks move times by as much.
    "use moved by minutes": lambda life: (
        update(USAGES).where(life.use(2, "gone")).values(timestamp=a_minute_before(life, 2, "gone"))
    ),
    # Rows of 2.0 tell nothing that could be compared.
    "use of 2.0 removed": lambda life: delete(USAGES).where(USAGES.c.version == 0),
    "code of a use of 2.0": lambda life: (
        update(USAGES).where(USAGES.c.version == 0).values(error_code=2)
    ),
    # A purge does that too.
    "key removed": lambda life: delete(REQUESTS),
    # Names of rows that nothing refers to.
    "uid of an event": lambda life: update(EVENTS).where(life.event("disable")).values(uid=NEW),
}


def former(life: Life, name: str, value: str, **changes: Any) -> dict[str, Any]:
    """Return a code that a token had before, as it is kept."""
    told = {"value": value, "code_digest": codes.digest(value), "timestamp": NOW}
    return {**told, "token_uid": life.uids[name], **changes}


def a_minute_before(life: Life, version: int, name: str = "main") -> datetime.datetime:
    """Return a time just before that of a use."""
    return life.copied(version, of=name)["timestamp"] - A_MINUTE


@pytest.mark.parametrize("damage", NOT_FOUND.values(), ids=NOT_FOUND)
def test_verify_when_nothing_contradicts_a_damage_then_it_is_not_found(
    maintenance, life, made_tables, damage
):
    """Whoever makes one of these be found moves it to the others, and says so in decision 0016."""
    do(made_tables, damage(life))
    expect_not_found(maintenance)


NUMBERS = {"added": 1, "updated": 0, "unchanged": 2, "skipped": 0}


def bind(made_tables, answer: object) -> None:
    """Bind the keys of all requests to an answer, and leave one key."""
    with made_tables.begin() as connection:
        last = select(REQUESTS.c.key_hash).limit(1).scalar_subquery()
        connection.execute(delete(REQUESTS).where(REQUESTS.c.key_hash != last))
        connection.execute(update(REQUESTS).values(answer=json.dumps(answer)))


def test_verify_when_a_key_has_the_code_of_a_replacement_then_nothing_is_wrong(
    maintenance, life, made_tables
):
    bind(made_tables, {"replaced_by": "NEW"})
    assert maintenance.verify().findings == ()


@pytest.mark.parametrize("more", [{}, {"unusable": {}}, {"unusable": {"exhausted": 1}}])
def test_verify_when_a_key_has_the_numbers_of_an_import_then_nothing_is_wrong(
    maintenance, life, made_tables, more
):
    bind(made_tables, NUMBERS | more)
    assert maintenance.verify().findings == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"added": 1},
        NUMBERS | {"added": -1},
        NUMBERS | {"added": True},
        NUMBERS | {"unusable": 1},
        NUMBERS | {"unusable": {"lost": 1}},
        NUMBERS | {"unusable": {"expired": "1"}},
        NUMBERS | {"more": 1},
        [],
        {"replaced_by": 1},
        {"replaced_by": "NEW", "more": 1},
    ],
)
def test_verify_when_a_key_has_other_numbers_then_it_is_found(
    maintenance, life, made_tables, answer
):
    bind(made_tables, answer)
    assert [finding.problem for finding in maintenance.verify().findings] == [Problem.REQUEST]


UNREADABLE = {
    "time of a use": "UPDATE token_usage SET timestamp = 'soon' WHERE version = 4",
    "time of a token": "UPDATE tokens SET last_used = 7 WHERE value = 'main'",
    "time with a zone": "UPDATE token_events SET timestamp = '2026-01-01 00:00:00+01:00'",
    "count": "UPDATE token_usage SET usage_count = 'x' WHERE version = 4",
    "count of a token": "UPDATE tokens SET usage_count = 'many' WHERE value = 'main'",
    "lock time": "UPDATE tokens SET lock_time = 'long' WHERE value = 'main'",
    "version": "UPDATE token_usage SET version = 'x' WHERE version = 4",
    "uid": "UPDATE token_usage SET token_uid = upper(token_uid) || 'X' WHERE version = 4",
    "code": "UPDATE token_usage SET error_code = 'x' WHERE error_code = 3",
    "uid of a former code": "UPDATE token_former_values SET token_uid = 'x'",
    "former code": "UPDATE token_former_values SET value = 7",
    "values": "UPDATE token_events SET new_values = x'ff00' WHERE action = 'add'",
}


@pytest.mark.parametrize("statement", UNREADABLE.values(), ids=UNREADABLE)
def test_verify_when_sqlite_holds_what_cannot_be_read_then_it_is_found_and_the_rest_is_replayed(
    maintenance, life, made_tables, statement
):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("the types of its columns see to that")
    with made_tables.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0
        connection.execute(update(TOKENS).where(life.token("old")).values(usage_count=77))
    audit = maintenance.verify()
    assert len(audit.findings) >= 2
    assert audit.counts.tokens == 6
    assert audit.problems[Problem.COUNTER] >= 1
