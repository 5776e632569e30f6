"""What a door asks for, interrupted at each of its statements: it is done once, or not at all."""

import itertools
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from typing import NamedTuple

import pytest
from sqlalchemy import select

from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.retry import Patience
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token
from tests.support.lines import Line
from tests.support.races import DOOR
from tests.support.races import STAY
from tests.support.races import audit
from tests.support.waiting import release
from tests.support.waiting import waiting_for

CUTS = pytest.mark.parametrize("cut", [Line.cut_before, Line.cut_after])
USES = 5
#: What a reset tells that finds nobody inside.
NOBODY = 0
SEVERAL = Manner(uses=2)
OUT = Manner(checkpoint=DOOR, direction=Direction.OUT)
ANYWAY = Manner(override="lost list")


def entry() -> Manner:
    until = utc_now() + STAY
    return Manner(uses=2, checkpoint=DOOR, direction=Direction.IN, inside_until=until)


class Work(NamedTuple):
    """Work on a token: what makes that ready and tells what is needed, and what is done then."""

    make_ready: Callable[[TicketService, uuid.UUID], Any]
    do: Callable[[TicketService, uuid.UUID, Any], Any]


def nothing(_service, _uid):
    return None


def enter(service, uid):
    return service.consume(uid, by="me", manner=entry()).receipt


def take_all(service, uid):
    service.update(uid, TicketChanges(usage_count=0), by="me")


def consume(manner: Callable[[], Manner]) -> Callable[[TicketService, uuid.UUID, Any], Any]:
    def do(service, uid, _given):
        key = IdempotencyKey(
            key=f"{uid}", caller="me", operation=Operation("consume"), parameters={}
        )
        outcome = service.consume(uid, by="me", key=key, manner=manner())
        assert isinstance(outcome, Granted)
        return outcome.usage_count, outcome.uses

    return do


def undo(service, uid, receipt):
    undone = service.undo(uid, receipt, by="me")
    return undone.uses, undone.usage_count


def reset(service, _uid, _given):
    return service.reset_presence(by="me")


WORKS = {
    "take several": Work(nothing, consume(lambda: SEVERAL)),
    "go in": Work(nothing, consume(entry)),
    "go out": Work(enter, consume(lambda: OUT)),
    "let in anyway": Work(take_all, consume(lambda: ANYWAY)),
    "take back an entry": Work(enter, undo),
    "reset": Work(enter, reset),
}
EACH_WORK = pytest.mark.parametrize("name", WORKS)


def state(engine, service, uid):
    """Return what the database tells of a token, without times and receipts."""
    token = service.get(uid)
    usage, event = TokenUsageRecord.__table__.c, TokenEventRecord.__table__.c
    tells = (usage.uses, usage.direction, usage.override, usage.error_code, usage.undone_by)
    with engine.connect() as connection:
        uses = connection.execute(
            select(*tells, usage.undone_at.is_(None))
            .where(usage.token_uid == uid)
            .order_by(usage.version)
        ).all()
        sought = select(event.action).where(event.token_uid == uid).order_by(event.version)
        actions = connection.scalars(sought).all()
    is_there = (token.inside_until is None, token.outside_until is None, token.last_used is None)
    return (token.usage_count, token.version, *is_there, tuple(uses), tuple(actions))


@pytest.fixture
def begin(calm):
    """A function that makes a token ready for work, and returns its uid and what is needed."""

    def make(work):
        uid = calm.add(new_token(usage_count=USES), by=None)
        return uid, work.make_ready(calm, uid)

    return make


@pytest.fixture
def undisturbed(calm, engine, begin):
    """A function that does work undisturbed: the states before and after it, and what it told."""

    def do(work):
        uid, given = begin(work)
        before = state(engine, calm, uid)
        told = work.do(calm, uid, given)
        return before, state(engine, calm, uid), told

    return do


def interrupted(service, wire, cut, begin, work):
    """Yield a token for each statement of work, which is going to be interrupted there.

    Whoever takes it does the work; that ends where a statement is not there any more.
    """
    for number in itertools.count():
        uid, given = begin(work)
        service.find(uid)  # connects
        cut(wire, but=number)
        yield uid, given
        if wire.cuts == number:
            assert number > 0
            return


@CUTS
@EACH_WORK
def test_work_when_the_line_is_cut_at_any_statement_then_it_is_done_once(
    service, calm, engine, wire, begin, undisturbed, cut, name
):
    _before, after, told = undisturbed(WORKS[name])
    uids = []
    for uid, given in interrupted(service, wire, cut, begin, WORKS[name]):
        assert WORKS[name].do(service, uid, given) == told
        assert state(engine, calm, uid) == after
        uids.append(uid)
    assert audit(engine, uids) == []


@CUTS
@EACH_WORK
def test_work_when_nobody_repeats_it_then_it_is_done_or_not_and_a_repeat_does_it_once(
    calm, engine, wire, open_engine, begin, undisturbed, cut, name
):
    before, after, told = undisturbed(WORKS[name])
    service = on_engine(open_engine(wire.url))
    uids, seen = [], []
    for uid, given in interrupted(service, wire, cut, begin, WORKS[name]):
        try:
            WORKS[name].do(service, uid, given)
        except Interrupted:
            seen.append(state(engine, calm, uid))
        assert len(seen) == wire.cuts
        assert WORKS[name].do(calm, uid, given) in (told, NOBODY)
        assert state(engine, calm, uid) == after
        uids.append(uid)
    not_done = seen.count(before)
    assert seen == [before] * not_done + [after] * (len(seen) - not_done)
    assert (before if cut is Line.cut_before else after) in seen
    assert audit(engine, uids) == []


@pytest.mark.parametrize("name", ["take several", "take back an entry", "reset"])
def test_work_when_the_server_breaks_down_after_any_statement_then_it_is_done_once(
    server, calm, engine, wire, open_engine, begin, undisturbed, name
):
    _before, after, told = undisturbed(WORKS[name])

    def restart():
        server.stop(mode="immediate")
        server.start()

    wire.at_cut = restart
    service = on_engine(open_engine(wire.url), patience=Patience(30))
    for uid, given in interrupted(service, wire, Line.cut_after, begin, WORKS[name]):
        assert WORKS[name].do(service, uid, given) == told
        engine.dispose()  # what is open leads to the one that broke down
        assert state(engine, calm, uid) == after
    assert audit(engine, [uid]) == []


@EACH_WORK
def test_work_when_its_first_try_ends_after_the_repeat_began_then_it_is_done_once(
    server, service, calm, engine, wire, begin, undisturbed, name
):
    _before, after, told = undisturbed(WORKS[name])
    uid, given = begin(WORKS[name])
    server.set("synchronous_standby_names", "nobody")
    try:
        with ThreadPoolExecutor() as pool:
            doing = pool.submit(WORKS[name].do, service, uid, given)
            waiting_for(server, "SyncRep")
            wire.cut_now()
            waiting_for(server, "transactionid")
            release(server)
            assert doing.result() == told
    finally:
        release(server)
    assert state(engine, calm, uid) == after
    assert audit(engine, [uid]) == []
