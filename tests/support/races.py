"""Races: many callers who want the same thing at once, and what may come of it.

A race sets up, lets all callers of a :class:`Crew` begin together, and holds answers and database
against what was promised. The crew decides who the callers are: threads, processes or clients
of served sites; the race is the same. :mod:`tests.support.naive` is what has to lose every one of
them.
"""

import dataclasses
import datetime
import functools
import http
import itertools
import json
import multiprocessing
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextlib import contextmanager
from typing import Any
from typing import Protocol
from typing import Self

from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges

CALLERS = 16

#: How often a caller asks who is told that the database is busy, and seconds between. Processes do
#: not stand in line for SQLite's lock: one of many may not get it for long.
TRIES = 60
PAUSE_S = 0.2
PROCESSES = 4
#: Makes a service for as long as it is needed.
MakeService = Callable[[], AbstractContextManager[TicketService]]
#: The checkpoint that callers go through, in the settings of a served site.
DOOR = "Door"
CHECKPOINTS = [{"name": DOOR, "directions": "in_out", "inside_hours": 9}]
STAY = datetime.timedelta(hours=9)
#: Seconds after which a caller gives up on the others.
PATIENCE = 60


# What callers ask for, and what they hear


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a use case as data, which goes to other processes and over HTTP."""

    use_case: str
    uid: uuid.UUID | None = None
    value: str | None = None
    count: int = 0
    uids: Sequence[uuid.UUID] = ()
    key: str | None = None
    uses: int = 1
    #: Through the door of :data:`CHECKPOINTS`.
    direction: str | None = None
    override: str | None = None
    receipt: uuid.UUID | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """How a token is used, as parameters of a request; none of the plain manner."""
        given = {
            "uses": self.uses if self.uses > 1 else None,
            "checkpoint": DOOR if self.direction else None,
            "direction": self.direction,
            "override": self.override,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def manner(self) -> Manner:
        """How a token is used."""
        if not self.parameters:
            return PLAIN
        is_entry = self.direction == Direction.IN.value
        return Manner(
            uses=self.uses,
            checkpoint=DOOR if self.direction else None,
            direction=Direction(self.direction) if self.direction else None,
            inside_until=utc_now() + STAY if is_entry else None,
            override=self.override,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call; ``error`` is the slug of what went wrong."""

    error: str | None = None
    usage_count: int | None = None
    receipt: uuid.UUID | None = None
    uids: tuple[uuid.UUID, ...] = ()


def ask_service(service: TicketService, call: Call) -> Answer:
    """Call the core, again where SQLite's lock did not come in time: nothing was changed then."""
    for _try in range(TRIES):
        try:
            return _told(_use_case(service, call))
        except Unavailable as error:
            told = Answer(error=error.slug)
            time.sleep(PAUSE_S)
        except TokenError as error:
            return Answer(error=error.slug)
    return told


def _use_case(service: TicketService, call: Call) -> Any:  # noqa: PLR0911 - a table
    key = _key(call)
    match call.use_case:
        case "consume":
            return service.consume(call.uid, by="me", key=key, manner=call.manner)
        case "undo":
            return service.undo(call.uid, call.receipt, by="me")
        case "reset":
            return service.reset_presence(by="me")
        case "consume_value":
            return service.consume_value(call.value, by="me", key=key)
        case "add":
            return [service.add(NewTicket(value=call.value), by="me", key=key)]
        case "add_many":
            return service.add_many(NewTicket(), call.count, call.value, by="me", key=key)
        case "update":
            return service.update(call.uid, TicketChanges(value=call.value), by="me")
        case "delete":
            return service.delete(call.uid, by="me")
        case "delete_many":
            return service.delete_many(list(call.uids), by="me")
    raise NotImplementedError(call)


def _key(call: Call) -> IdempotencyKey | None:
    if call.key is None:
        return None
    operation = Operation(call.use_case)
    return IdempotencyKey(key=call.key, caller="me", operation=operation, parameters={})


def _told(outcome: Any) -> Answer:
    match outcome:
        case Granted():
            return Answer(usage_count=outcome.usage_count, receipt=outcome.receipt)
        case Denied():
            return Answer(error=outcome.denial.value, receipt=outcome.receipt)
        case Undone():
            return Answer(usage_count=outcome.usage_count)
        case list():
            return Answer(uids=tuple(outcome))
    return Answer()


def ask_site(client: Any, call: Call) -> Answer:
    """Send the call to a site, again where the database is busy: nothing was changed then."""
    for _try in range(TRIES):
        told = ask_once(client, call)
        if told.error != Unavailable.slug:
            break
        time.sleep(PAUSE_S)
    return told


def ask_once(client: Any, call: Call) -> Answer:
    """Send the call to a site, with a :class:`tests.functional.conftest.Client`."""
    if call.use_case == "reset":
        return _reset(client)
    path, form = _request(call)
    headers = {"idempotency_key": call.key} if call.key else {}
    said = client.post(path, form, **headers).json
    uids = said.get("token_uids") or ([said["token_uid"]] if "token_uid" in said else [])
    return Answer(
        error=said.get("error"),
        usage_count=said.get("usage_count"),
        receipt=uuid.UUID(said["receipt"]) if "receipt" in said else None,
        uids=tuple(uuid.UUID(uid) for uid in uids),
    )


def _reset(client: Any) -> Answer:
    """Send the form of the page that resets."""
    status = client.post("/tokens/reset_inside").status
    errors = {
        http.HTTPStatus.SEE_OTHER: None,
        http.HTTPStatus.SERVICE_UNAVAILABLE: Unavailable.slug,
    }
    return Answer(error=errors.get(status, str(status)))


def _request(call: Call) -> tuple[str, dict[str, Any]]:  # noqa: PLR0911 - a table
    match call.use_case:
        case "consume":
            return f"/tokens/{call.uid}/consume_token", call.parameters
        case "undo":
            return f"/tokens/{call.uid}/undo_use", {"receipt": str(call.receipt)}
        case "consume_value":
            return "/tokens/consume_token", {"value": call.value}
        case "add":
            return "/tokens/add_token", {"value": call.value}
        case "add_many":
            return "/tokens/add_tokens", {"count": call.count, "prefix": call.value}
        case "update":
            return f"/tokens/{call.uid}/update_token", {"value": call.value}
        case "delete":
            return f"/tokens/{call.uid}/delete_token", {}
        case "delete_many":
            uids = [str(uid) for uid in call.uids]
            return "/tokens/delete_tokens", {"token_uids": json.dumps(uids)}
    raise NotImplementedError(call)


# Who calls


class Crew(Protocol):
    """Callers that begin at once."""

    def perform(self, calls: Sequence[Sequence[Call]]) -> list[Answer]:
        """Let each caller make its calls, one after the other."""


class ThreadCrew:
    """Callers in threads, each with its own way to ask."""

    def __init__(self, callers: Sequence[Callable[[Call], Answer]]) -> None:
        self._callers = callers

    def perform(self, calls: Sequence[Sequence[Call]]) -> list[Answer]:
        return _perform(self._callers, calls, threading.Barrier(len(calls)))


class ProcessCrew:
    """Callers in threads of several processes, each of which has an engine of its own."""

    def __enter__(self) -> Self:
        # Forks of a process of its own, which has imported what they need and nothing else.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.support.races", "tests.support.naive"])
        barrier = context.Barrier(CALLERS)
        self._pool = ProcessPoolExecutor(PROCESSES, context, _remember, (barrier,))
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def work_with(self, service: MakeService) -> None:
        """Take what makes the service of a process; picklable."""
        self._service = service

    def perform(self, calls: Sequence[Sequence[Call]]) -> list[Answer]:
        # Nobody passes the barrier before all shares are taken: each process has one.
        shares = [calls[number::PROCESSES] for number in range(PROCESSES)]
        work = functools.partial(_perform_share, self._service)
        return [answer for answers in self._pool.map(work, shares) for answer in answers]


_barriers: list[Any] = []


def _remember(barrier: Any) -> None:
    _barriers.append(barrier)


def _perform_share(
    make_service: MakeService,
    calls: Sequence[Sequence[Call]],
) -> list[Answer]:
    with make_service() as service:
        callers = [functools.partial(ask_service, service)] * len(calls)
        return _perform(callers, calls, _barriers[0])


def _perform(
    callers: Sequence[Callable[[Call], Answer]],
    calls: Sequence[Sequence[Call]],
    barrier: Any,
) -> list[Answer]:
    def run(ask: Callable[[Call], Answer], own: Sequence[Call]) -> list[Answer]:
        barrier.wait(PATIENCE)
        return [ask(call) for call in own]

    with ThreadPoolExecutor(len(calls)) as pool:
        everything = pool.map(run, callers, calls)
        return [answer for answers in everything for answer in answers]


@contextmanager
def core_service(url: str) -> Iterator[TicketService]:
    """Give the core on an engine of its own."""
    engine = create_engine(url)
    try:
        yield on_engine(engine)
    finally:
        engine.dispose()


# The races


@dataclasses.dataclass(frozen=True)
class Course:
    """Where races take place: a database, and a crew that works on it.

    ``service`` is the core in this process, to set up and to look.
    """

    engine: Engine
    service: TicketService
    crew: Crew


def expect(what: str, found: object, wanted: object) -> None:
    """Refuse a result that was not promised."""
    assert found == wanted, f"{what}: {found} instead of {wanted}"


def take_uses(course: Course, uses: int, times: int = 2) -> None:
    """A token with K uses is granted K times, and every try is in the log.

    Half of the callers name it by its uid, half by its value.
    """
    uid = course.service.add(NewTicket(usage_count=uses), by=None)
    ways = [
        Call(use_case="consume", uid=uid),
        Call(use_case="consume_value", value=str(uid)),
    ]
    answers = course.crew.perform([[ways[number % 2]] * times for number in range(CALLERS)])
    granted = [answer for answer in answers if answer.error is None]
    tries = CALLERS * times
    expect("grants", len(granted), min(uses, tries))
    told = sorted(answer.usage_count for answer in granted)
    expect("uses told", told, list(range(uses - len(granted), uses)))
    expect("refusals", {answer.error for answer in answers} - {None, "usage_count_exceeded"}, set())
    _expect_log(course, uid, tries, granted)
    expect("audit", audit(course.engine, [uid]), [])


def take_the_only_use(course: Course) -> None:
    """A token with one use is granted once."""
    take_uses(course, 1)


def take_some_uses(course: Course) -> None:
    """A token with fewer uses than there are tries."""
    take_uses(course, CALLERS)


def take_fewer_uses_than_there_are(course: Course) -> None:
    """A token with more uses than there are tries loses just so many."""
    take_uses(course, 1_000)


def take_a_token_that_locks(course: Course, times: int = 2) -> None:
    """A locked token is granted once per lock time, every try is in the log."""
    uid = course.service.add(NewTicket(usage_count=-1, lock_time=3_600), by=None)
    answers = course.crew.perform([[Call(use_case="consume", uid=uid)] * times] * CALLERS)
    errors = Counter(answer.error for answer in answers)
    expect("grants", errors[None], 1)
    expect("refusals", errors["token_locked"], CALLERS * times - 1)
    granted = [answer for answer in answers if answer.error is None]
    _expect_log(course, uid, CALLERS * times, granted)
    expect("audit", audit(course.engine, [uid]), [])


def add_equal_values(course: Course, rounds: int = 2) -> None:
    """One of those who add the same value does, the others hear that it is taken."""
    values = _names(rounds)
    calls = [Call(use_case="add", value=value) for value in values]
    answers = course.crew.perform([calls] * CALLERS)
    with course.engine.connect() as connection:
        sought = select(func.count()).where(TokenRecord.value.in_(values))
        expect("tokens with the values", connection.scalar(sought), rounds)
    errors = Counter(answer.error for answer in answers)
    expect("answers", errors, {None: rounds, "value_taken": (CALLERS - 1) * rounds})


def delete_the_same(course: Course, rounds: int = 2) -> None:
    """One of those who delete a token does, the others hear that it is gone."""
    uids = course.service.add_many(NewTicket(), rounds, None, by=None)
    answers = course.crew.perform([[Call(use_case="delete", uid=uid) for uid in uids]] * CALLERS)
    errors = Counter(answer.error for answer in answers)
    expect("deletions", errors[None], rounds)
    expect("answers", errors["token_not_exists"], (CALLERS - 1) * rounds)
    expect("tokens left", [uid for uid in uids if course.service.find(uid)], [])


def delete_the_same_in_another_order(course: Course, count: int = 20) -> None:
    """Those who delete the same tokens in another order do not wait for each other for ever."""
    uids = course.service.add_many(NewTicket(), count, None, by=None)
    orders = [Call(use_case="delete_many", uids=order) for order in (uids, uids[::-1])]
    answers = course.crew.perform([[orders[number % 2]] for number in range(CALLERS)])
    errors = Counter(answer.error for answer in answers)
    expect("deletions", errors, {None: 1, "token_not_exists": CALLERS - 1})


def update_beside_consumptions(course: Course, times: int = 2) -> None:
    """Updates and consumptions of one token: none is lost."""
    uid = course.service.add(NewTicket(usage_count=1_000), by=None)
    half, changes = CALLERS // 2, CALLERS // 2 * times
    updates = [Call(use_case="update", uid=uid, value=value) for value in _names(changes)]
    consumptions = [Call(use_case="consume", uid=uid)] * changes
    calls = [own[number::half] for number in range(half) for own in (updates, consumptions)]
    answers = course.crew.perform(calls)
    expect("errors", {answer.error for answer in answers}, {None})
    token = course.service.get(uid)
    expect("changes", (token.usage_count, token.version), (1_000 - changes, 1 + 2 * changes))
    with course.engine.connect() as connection:
        newest = connection.scalar(
            select(TokenEventRecord.new_values)
            .where(TokenEventRecord.token_uid == uid)
            .order_by(TokenEventRecord.version.desc())
            .limit(1),
        )
    expect("value", token.value, json.loads(newest)["value"])


def repeat_a_consumption(course: Course, uses: int = 1, rounds: int = 2) -> None:
    """Requests with the same key count once, and all of them hear the same."""
    uids = [course.service.add(NewTicket(usage_count=uses), by=None) for _ in range(rounds)]
    calls = [Call(use_case="consume", uid=uid, key=f"key-{uid}") for uid in uids]
    answers = course.crew.perform([calls] * CALLERS)
    for number, uid in enumerate(uids):
        told = set(answers[number::rounds])
        expect("rows of the log", len(_log(course, uid)), 1)
        expect("uses left", course.service.get(uid).usage_count, max(uses - 1, 0))
        expect("answers", len(told), 1)
        expect("outcomes", {answer.error is None for answer in told}, {uses > 0})


def repeat_a_refused_consumption(course: Course) -> None:
    """Requests with the same key are refused once."""
    repeat_a_consumption(course, uses=0)


def repeat_an_addition(course: Course, count: int = 5) -> None:
    """Tokens that are added with the same key by all are added once."""
    (name,) = _names(1)
    call = Call(use_case="add_many", count=count, value=name, key=name)
    answers = course.crew.perform([[call]] * CALLERS)
    with course.engine.connect() as connection:
        sought = select(func.count()).where(TokenRecord.value.like(f"{name}%"))
        expect("tokens", connection.scalar(sought), count)
    expect("errors", {answer.error for answer in answers}, {None})
    expect("answers", len({answer.uids for answer in answers}), 1)


def take_several_at_once(course: Course) -> None:
    """Who takes two at once gets both or none, also of the last three."""
    uses = CALLERS + 1
    uid = course.service.add(NewTicket(usage_count=uses), by=None)
    answers = course.crew.perform([[Call(use_case="consume", uid=uid, uses=2)]] * CALLERS)
    errors = Counter(answer.error for answer in answers)
    expect("grants", errors, {None: CALLERS // 2, "not_enough_uses": CALLERS // 2})
    expect("uses left", course.service.get(uid).usage_count, 1)
    granted = [answer for answer in answers if answer.error is None]
    _expect_log(course, uid, CALLERS, granted)
    expect("audit", audit(course.engine, [uid]), [])


def take_back_the_same(course: Course) -> None:
    """The uses of one consumption come back once, whoever takes them back."""
    uid = course.service.add(NewTicket(usage_count=9), by=None)
    receipt = course.service.consume(uid, by="me", manner=Manner(uses=3)).receipt
    answers = course.crew.perform([[Call(use_case="undo", uid=uid, receipt=receipt)]] * CALLERS)
    expect("events", _actions(course, uid), ["add", "undo"])
    expect("errors", {answer.error for answer in answers}, {None})
    expect("uses told", {answer.usage_count for answer in answers}, {9})
    expect("uses left", course.service.get(uid).usage_count, 9)
    expect("audit", audit(course.engine, [uid]), [])


def take_back_beside_consumptions(course: Course) -> None:
    """Uses that are taken and taken back at once are all counted."""
    half = CALLERS // 2
    uid = course.service.add(NewTicket(usage_count=1_000), by=None)
    taken = [course.service.consume(uid, by="me").receipt for _ in range(half)]
    undos = [Call(use_case="undo", uid=uid, receipt=receipt) for receipt in taken]
    consume = Call(use_case="consume", uid=uid)
    answers = course.crew.perform([[call] for undo in undos for call in (undo, consume)])
    expect("errors", {answer.error for answer in answers}, {None})
    token = course.service.get(uid)
    expect("changes", (token.usage_count, token.version), (1_000 - half, 1 + 3 * half))
    expect("audit", audit(course.engine, [uid]), [])


def go_in_and_out(course: Course) -> None:
    """Who is inside goes out once, then in once, and so on; one use is taken for all of that."""
    uid = course.service.add(NewTicket(usage_count=5), by=None)
    ways = [
        Call(use_case="consume", uid=uid, direction=direction.value)
        for direction in (Direction.OUT, Direction.IN)
    ]
    course.service.consume(uid, by="me", manner=ways[1].manner)
    answers = course.crew.perform([[ways[number % 2]] * 2 for number in range(CALLERS)])
    passages = _passages(course, uid)
    expect("passages", passages, _alternating(passages, "in", "out"))
    expect("refusals", {answer.error for answer in answers} - _OF_PASSAGES, set())
    expect("uses left", course.service.get(uid).usage_count, 4)
    expect("audit", audit(course.engine, [uid]), [])


def go_in_while_all_are_reset(course: Course) -> None:
    """Between two entries of a ticket there is a reset."""
    uid = course.service.add(NewTicket(usage_count=1_000), by=None)
    entry = Call(use_case="consume", uid=uid, direction=Direction.IN.value)
    # All who reset see it inside.
    course.service.consume(uid, by="me", manner=entry.manner)
    calls = [[entry], [Call(use_case="reset")]] * (CALLERS // 2)
    answers = course.crew.perform([own * 2 for own in calls])
    passages = _passages(course, uid)
    expect("passages", passages, _alternating(passages, "in", "reset"))
    expect("refusals", {answer.error for answer in answers} - _OF_PASSAGES, set())
    left = 1_000 - passages.count("in")
    expect("uses left", course.service.get(uid).usage_count, left)
    expect("audit", audit(course.engine, [uid]), [])


def override_beside_consumptions(course: Course) -> None:
    """The last use is taken once; who is let in anyway takes it, or none."""
    uid = course.service.add(NewTicket(usage_count=1), by=None)
    ways = [
        Call(use_case="consume", uid=uid),
        Call(use_case="consume", uid=uid, override="lost list"),
    ]
    answers = course.crew.perform([[ways[number % 2]] for number in range(CALLERS)])
    log = _log(course, uid)
    granted = [row for row in log if row.error_code is None]
    taken = sum(1 if row.uses is None else row.uses for row in granted)
    expect("uses", taken, 1)
    overridden = [row for row in granted if row.override == "lost list"]
    expect("overrides", len(overridden), CALLERS // 2)
    expect("refusals", {answer.error for answer in answers} - {None, "usage_count_exceeded"}, set())
    expect("rows of the log", len(log), CALLERS)
    expect("uses left", course.service.get(uid).usage_count, 0)
    expect("audit", audit(course.engine, [uid]), [])


#: What somebody hears who comes in or goes out at the same time as others.
_OF_PASSAGES = {None, "already_inside", "not_inside"}


#: Every race, and what is said first where it is lost.
RACES: Mapping[Callable[[Course], None], str] = {
    take_the_only_use: "^grants: ",
    take_some_uses: "^grants: ",
    take_fewer_uses_than_there_are: "^uses told: ",
    take_a_token_that_locks: "^grants: ",
    add_equal_values: "^tokens with the values: ",
    delete_the_same: "^deletions: ",
    delete_the_same_in_another_order: "^deletions: ",
    update_beside_consumptions: "^changes: ",
    repeat_a_consumption: "^rows of the log: ",
    repeat_a_refused_consumption: "^rows of the log: ",
    repeat_an_addition: "^tokens: ",
    take_several_at_once: "^grants: ",
    take_back_the_same: "^events: ",
    take_back_beside_consumptions: "^changes: ",
    go_in_and_out: "^passages: ",
    go_in_while_all_are_reset: "^passages: ",
    override_beside_consumptions: "^uses: ",
}


def _names(count: int) -> list[str]:
    race = uuid.uuid4().hex
    return [f"{race}-{number}" for number in range(count)]


def _expect_log(
    course: Course,
    uid: uuid.UUID,
    tries: int,
    granted: Sequence[Answer],
) -> None:
    rows = _log(course, uid)
    expect("rows of the log", len(rows), tries)
    kept = {row.uid for row in rows if row.error_code is None}
    expect("receipts in the log", kept, {answer.receipt for answer in granted})


def _actions(course: Course, uid: uuid.UUID) -> list[str]:
    """Return the actions of the events of a token, in their order."""
    event = TokenEventRecord.__table__.c
    with course.engine.connect() as connection:
        sought = select(event.action).where(event.token_uid == uid).order_by(event.version)
        return list(connection.scalars(sought))


def _passages(course: Course, uid: uuid.UUID) -> list[str]:
    """Return how a token went in and out, and was reset, in the order of its history."""
    event = TokenEventRecord.__table__.c
    with course.engine.connect() as connection:
        sought = select(event.version, event.action).where(event.token_uid == uid)
        resets = connection.execute(sought.where(event.action == "reset")).all()
    ways = [(row.version, row.direction) for row in _log(course, uid) if row.error_code is None]
    return [what for _version, what in sorted([*ways, *map(tuple, resets)])]


def _alternating(passages: Sequence[str], *ways: str) -> list[str]:
    return [way for way, _passage in zip(itertools.cycle(ways), passages, strict=False)]


def _log(course: Course, uid: uuid.UUID) -> Sequence[Any]:
    with course.engine.connect() as connection:
        sought = select(TokenUsageRecord.__table__).where(TokenUsageRecord.token_uid == uid)
        return connection.execute(sought).all()


# The audit


def audit(
    engine: Engine,
    tokens: Collection[uuid.UUID],
    acknowledged: Mapping[uuid.UUID, uuid.UUID] | None = None,
    *,
    each_has_a_key: bool = False,
) -> list[str]:
    """Return what is wrong with tokens: what ``verify`` finds, and what callers know besides.

    :param acknowledged: receipts that callers were given, and the tokens they are of.
    :param each_has_a_key: every consumption in the database came with a key.
    """
    found = Maintenance(Database(engine, utc_now), [TICKET]).verify(list(tokens)).findings
    with engine.connect() as connection:
        logged = TokenUsageRecord.token_uid.in_(tokens)
        rows = connection.execute(select(TokenUsageRecord.__table__).where(logged)).all()
        there = connection.scalars(select(TokenRecord.uid).where(TokenRecord.uid.in_(tokens))).all()
        bound = each_has_a_key and connection.scalars(select(TokenRequestRecord.answer)).all()
    complaints = [f"{finding.problem.value}: {finding.text}" for finding in found]
    complaints += [f"lost: {uid}" for uid in set(tokens) - set(there)]
    kept = {(row.uid, row.token_uid) for row in rows if row.error_code is None}
    lost = set((acknowledged or {}).items()) - kept
    complaints += [f"acknowledged and lost: {receipt}" for receipt, _uid in lost]
    if bound is not False:
        receipts = Counter(json.loads(answer).get("receipt") for answer in bound)
        if receipts != Counter(str(row.uid) for row in rows):
            complaints.append("keys and log disagree")
    return complaints
