"""PostgreSQL that is lost on the way: nothing is lost, and nothing is done twice."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine
from sqlalchemy import select

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.retry import Patience
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token
from tests.support.lines import Line
from tests.support.races import audit
from tests.support.waiting import release
from tests.support.waiting import waiting_for

#: What a consumption and a transaction send last.
CONSUMPTION = "spent"
COMMIT = "COMMIT"
EVERYTHING_LIKE_X = TokenFilter(prefix="x")


CUTS = pytest.mark.parametrize("cut", [Line.cut_before, Line.cut_after])


def log(engine):
    with engine.connect() as connection:
        return connection.execute(select(TokenUsageRecord.__table__)).all()


def events(engine):
    with engine.connect() as connection:
        return connection.scalars(select(TokenEventRecord.action)).all()


# A line that is cut


@CUTS
@pytest.mark.parametrize("key", [None, "k"])
def test_consume_when_the_line_is_cut_then_it_counts_once(service, calm, engine, wire, cut, key):
    uid = calm.add(new_token(usage_count=3), by=None)
    bound = key and idempotency_key("consume", key)
    cut(wire, CONSUMPTION)
    outcome = service.consume(uid, by="me", key=bound)
    assert wire.cuts == 1
    assert isinstance(outcome, Granted)
    assert outcome.usage_count == 2
    assert audit(engine, {uid: 3}, {outcome.receipt: uid}, each_has_a_key=bool(key)) == []
    if key:
        assert service.consume(uid, by="me", key=bound) == outcome


@CUTS
def test_consume_when_it_is_refused_and_the_line_is_cut_then_it_is_logged_once(
    service,
    calm,
    engine,
    wire,
    cut,
):
    uid = calm.add(new_token(usage_count=0), by=None)
    cut(wire, "INSERT INTO token_usage (")
    outcome = service.consume(uid, by="me")
    assert (wire.cuts, type(outcome)) == (1, Denied)
    assert [row.uid for row in log(engine)] == [outcome.receipt]


def test_consume_when_there_is_no_patience_then_the_outcome_is_unknown(calm, wire, open_engine):
    uid = calm.add(new_token(usage_count=3), by=None)
    wire.cut_after(CONSUMPTION)
    with pytest.raises(Interrupted):
        on_engine(open_engine(wire.url)).consume(uid, by="me")
    assert calm.get(uid).usage_count == 2


def idempotency_key(operation: str, key: str) -> IdempotencyKey:
    return IdempotencyKey(
        key=key,
        caller="me",
        operation=Operation(operation),
        parameters={},
    )


def rows(*values: str) -> list[ImportRow]:
    tokens = [NewTicket(value=value) for value in values]
    return [ImportRow(token=token, changes=TicketChanges()) for token in tokens]


#: Changes of two tokens, "x1" and "x2"; what they return, and the events that they leave.
CHANGES = {
    "update": (lambda s, uids: s.update(uids[0], TicketChanges(usage_count=9), by="me"), None, 1),
    "update to a new value": (
        lambda s, uids: s.update(uids[0], TicketChanges(value="y"), by="me"),
        None,
        1,
    ),
    "replace": (lambda s, uids: len(s.replace(uids[0], by="me")), 26, 1),
    "update many": (
        lambda s, uids: s.update_many(uids, TicketChanges(usage_count=9), by="me"),
        2,
        2,
    ),
    "delete": (lambda s, uids: s.delete(uids[0], by="me"), None, 1),
    "delete all that match": (lambda s, _uids: s.delete_many(EVERYTHING_LIKE_X, by="me"), 2, 2),
    "delete as many as expected": (
        lambda s, _uids: s.delete_many(EVERYTHING_LIKE_X, by="me", expected_count=2),
        2,
        2,
    ),
}


@CUTS
@pytest.mark.parametrize("name", CHANGES)
def test_change_when_the_line_is_cut_then_it_is_made_once(service, calm, engine, wire, cut, name):
    change, told, count = CHANGES[name]
    uids = [calm.add(new_token(value=value), by=None) for value in ("x1", "x2")]
    cut(wire, COMMIT)
    assert change(service, uids) == told
    assert wire.cuts == 1
    assert len(events(engine)) == 2 + count
    left = [token for uid in uids if (token := calm.find(uid))]
    assert {token.version for token in left} <= {1, 2}


@CUTS
def test_add_when_the_line_is_cut_then_the_tokens_are_there_once(service, calm, wire, cut):
    cut(wire, COMMIT)
    uid = service.add(new_token(value="x"), by="me")
    assert (wire.cuts, calm.find_by_value("x").uid) == (1, uid)
    cut(wire, COMMIT)
    uids = service.add_many(NewTicket(), 5, None, by="me")
    assert {token.uid for token in calm.page(9).tokens} == {uid, *uids}


@CUTS
def test_import_when_the_line_is_cut_then_the_report_is_that_of_the_import(
    service,
    calm,
    wire,
    cut,
):
    cut(wire, COMMIT)
    report = service.import_tokens(rows("x1", "x2"), "skip", by="me")
    assert (wire.cuts, report.added, report.skipped) == (1, 2, 0)
    assert calm.count() == 2


READS = {
    "find": lambda s, uid: s.find(uid),
    "find by value": lambda s, _uid: s.find_by_value("x1"),
    "page": lambda s, _uid: s.page(5),
    "every": lambda s, _uid: list(s.every(EVERYTHING_LIKE_X)),
    "usages": lambda s, uid: s.usages(uid, 5),
    "count": lambda s, _uid: s.count(EVERYTHING_LIKE_X),
}


@pytest.mark.parametrize("name", READS)
def test_read_when_the_line_is_cut_then_it_is_repeated(service, calm, wire, name):
    uid = calm.add(new_token(value="x1"), by=None)
    wire.cut_before("SELECT")
    assert type(READS[name](service, uid)) is type(READS[name](calm, uid))
    assert wire.cuts == 1


def test_check_when_the_line_is_cut_then_it_is_not_repeated(service, wire):
    service.find_by_value("x")
    wire.cut_before("SELECT 1")
    with pytest.raises(Unavailable):
        service.check_database()


# A try that is not over yet when it is repeated


LATE = {
    "consume": (lambda s, uids: s.consume(uids[0], by="me").usage_count, 0),
    "delete": CHANGES["delete"][:2],
    "delete all that match": CHANGES["delete all that match"][:2],
    "delete as many as expected": CHANGES["delete as many as expected"][:2],
    "update": CHANGES["update"][:2],
    "replace": CHANGES["replace"][:2],
    "add": (lambda s, _uids: bool(s.add(new_token(value="y"), by="me")), True),
    "import": (lambda s, _uids: s.import_tokens(rows("y", "z"), "skip", by="me").added, 2),
}


@pytest.mark.parametrize("name", LATE)
def test_change_when_its_first_try_ends_after_the_repeat_began_then_it_is_made_once(
    server,
    service,
    calm,
    engine,
    wire,
    name,
):
    change, told = LATE[name]
    uids = [calm.add(new_token(value=value, usage_count=1), by=None) for value in ("x1", "x2")]
    server.set("synchronous_standby_names", "nobody")
    try:
        with ThreadPoolExecutor() as pool:
            changing = pool.submit(change, service, uids)
            waiting_for(server, "SyncRep")
            wire.cut_now()
            waiting_for(server, "transactionid")
            release(server)
            assert changing.result() == told
    finally:
        release(server)
    assert len(log(engine)) == (name == "consume")
    assert len(set(calm.page(9).tokens)) == {"add": 3, "import": 4}.get(name, calm.count())


# A standby that took over


def test_write_when_the_server_became_a_standby_then_its_connections_are_not_used_again(
    server,
    url,
    calm,
    open_engine,
):
    uid = calm.add(new_token(usage_count=3), by=None)
    engine = open_engine(url)
    name = engine.url.database
    service = on_engine(engine, patience=Patience(8))
    with server.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        service.find(uid)
        # What is connected keeps the setting.
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert isinstance(service.consume(uid, by=None), Granted)
    service.update(uid, TicketChanges(usage_count=9), by=None)


def test_use_when_the_server_is_away_for_a_while_then_it_is_waited_for(server, url, calm):
    uid = calm.add(new_token(usage_count=3), by=None)
    engine = create_engine(url)
    service = on_engine(engine, patience=Patience(20))
    service.find(uid)
    server.stop(mode="immediate")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(service.consume, uid, by=None), pool.submit(service.find, uid)]
        server.start()
        outcome, token = (one.result() for one in waiting)
    assert isinstance(outcome, Granted)
    assert token.uid == uid
    engine.dispose()


def test_use_when_the_server_stays_away_then_unavailable_at_the_deadline(server, url, calm):
    uid = calm.add(new_token(usage_count=3), by=None)
    engine = create_engine(url)
    service = on_engine(engine, patience=Patience(0.5))
    service.find(uid)
    server.stop()
    try:
        start = time.monotonic()
        with pytest.raises(Unavailable):
            service.consume(uid, by=None)
        assert 0.4 < time.monotonic() - start < 5
    finally:
        server.start()
    engine.dispose()


# Commits that wait for a standby which is not there


ENDINGS = pytest.mark.parametrize("ending", ["pg_cancel_backend", "pg_terminate_backend"])
WRITES = pytest.mark.parametrize("write", ["consume", "update"])


def perform(service, write, uid):
    if write == "consume":
        return service.consume(uid, by="me", key=idempotency_key("consume", "k"))
    return service.update(uid, TicketChanges(usage_count=2), by="me")


@contextlib.contextmanager
def waiting_write(server, service, write, uid):
    """Begin a write that waits for a standby which is not there; give it and its process."""
    server.set("synchronous_standby_names", "nobody")
    try:
        with ThreadPoolExecutor() as pool:
            writing = pool.submit(perform, service, write, uid)
            yield writing, waiting_for(server, "SyncRep")
    finally:
        release(server)


@ENDINGS
@WRITES
def test_write_when_its_wait_for_the_standby_is_cancelled_then_it_is_not_acknowledged(
    calm,
    engine,
    open_engine,
    server,
    ending,
    write,
):
    uid = calm.add(new_token(usage_count=3), by=None)
    own = open_engine(engine.url)
    service = on_engine(own, patience=Patience(3))
    with waiting_write(server, service, write, uid) as (writing, pid):
        with server.connect() as admin:
            admin.execute(f"SELECT {ending}({pid})")
        with pytest.raises(Interrupted):
            writing.result()
        # It is there, on this server alone.
        assert calm.get(uid).usage_count == 2
    if write == "consume":
        outcome = perform(service, write, uid)
        assert outcome.usage_count == 2
        assert audit(engine, {uid: 3}, {outcome.receipt: uid}, each_has_a_key=True) == []


@WRITES
def test_write_when_the_standby_comes_back_in_time_then_it_is_acknowledged_once(
    calm,
    engine,
    open_engine,
    server,
    write,
):
    uid = calm.add(new_token(usage_count=3), by=None)
    service = on_engine(open_engine(engine.url), patience=Patience(20))
    with waiting_write(server, service, write, uid) as (writing, pid):
        with server.connect() as admin:
            admin.execute(f"SELECT pg_cancel_backend({pid})")
        # The look-up waits as well, with another connection.
        waiting_for(server, "SyncRep", but=pid)
        release(server)
        writing.result()
    assert calm.get(uid).usage_count == 2
    assert calm.get(uid).version == 2


def test_repeat_when_the_standby_is_away_then_a_key_is_not_answered_either(
    calm,
    engine,
    open_engine,
    server,
):
    uid = calm.add(new_token(usage_count=3), by=None)
    perform(calm, "consume", uid)
    added = idempotency_key("add", "k")
    calm.add(new_token(), by="me", key=added)
    service = on_engine(open_engine(engine.url), patience=Patience(1))
    server.set("synchronous_standby_names", "nobody")
    try:
        with pytest.raises(Interrupted):
            perform(service, "consume", uid)
        with pytest.raises(Interrupted):
            service.add(new_token(), by="me", key=added)
        assert service.get(uid).usage_count == 2
    finally:
        release(server)
    assert perform(service, "consume", uid).usage_count == 2


def test_write_when_nobody_cancels_then_it_ends_at_the_deadline_and_may_have_happened(
    calm,
    engine,
    open_engine,
    server,
):
    uid = calm.add(new_token(usage_count=3), by=None)
    own = open_engine(engine.url, pool_size=1, max_overflow=0)
    service = on_engine(own, patience=Patience(1))
    server.set("synchronous_standby_names", "nobody")
    try:
        start = time.monotonic()
        with pytest.raises(Interrupted):
            service.consume(uid, by=None)
        assert time.monotonic() - start < 5
        assert service.get(uid).usage_count == 3  # what waits is not visible
    finally:
        release(server)
    assert isinstance(service.consume(uid, by=None), Granted)
