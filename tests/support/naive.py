"""A service that reads and then writes, as one would write it who thinks of one caller only.

Between the two it passes a :class:`Gate`, so that many callers have read for certain before one of
them writes. It shows that the races of :mod:`tests.support.races` are lost by what deserves to lose
them.
"""

import dataclasses
import datetime
import functools
import multiprocessing.connection
import threading
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any
from typing import Self

from sqlalchemy import Engine
from sqlalchemy import MetaData
from sqlalchemy import UniqueConstraint
from sqlalchemy import create_engine
from sqlalchemy import delete
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.driver_errors import KeyTaken
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import Base
from cone.tokens.core.store import changing
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import usages
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Outcome
from cone.tokens.migrations import schema
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.kind import new_row
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket

PASS = "pass"
CLOSE = "close"
END = "end"
#: Seconds after which a party at the gate gives up.
PATIENCE = 60


class Gate:
    """Holds all that come until there are as many as it waits for; then it is open for all.

    Parties may be threads and processes: each one asks at ``address``.
    """

    def __init__(self, parties: int) -> None:
        """Wait for ``parties``: as many as can be there at once, and no more."""
        self._parties = parties

    def __enter__(self) -> Self:
        self._listener = multiprocessing.connection.Listener(family="AF_UNIX", backlog=64)
        self.address = self._listener.address
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, *_error: object) -> None:
        _say(self.address, END)
        self._keeper.join()
        self._listener.close()

    def close(self) -> None:
        """Close the gate again."""
        _say(self.address, CLOSE)

    def _keep(self) -> None:
        waiting: list[Any] = []
        is_open = False
        while True:
            party = self._listener.accept()
            message = party.recv()
            waiting.append(party)
            is_open = message != CLOSE and (is_open or len(waiting) >= self._parties)
            if is_open or message != PASS:
                while waiting:
                    with waiting.pop() as released:
                        released.send(message)
            if message == END:
                return


def pass_gate(address: str) -> None:
    """Pass the gate at ``address`` as soon as it is open."""
    _say(address, PASS)


def _say(address: str, message: str) -> None:
    with multiprocessing.connection.Client(address) as connection:
        connection.send(message)
        if not connection.poll(PATIENCE):
            raise TimeoutError
        connection.recv()


class NaiveService(TicketService):
    """Decides in Python about what it has read, and writes what follows from it."""

    def __init__(self, engine: Engine, pass_gate: Callable[[], None]) -> None:
        super().__init__(UnitOfWork(Database(engine, utc_now)))
        self._pass_gate = pass_gate

    def consume(self, uid, *, by, key=None) -> Outcome:
        return self._take("uid", uid, by, key)

    def consume_code(self, sent, *, by, key=None) -> Outcome:
        return self._take("value", sent.text, by, key)

    def _take(self, selector, sought, by, key) -> Outcome:
        with self._work.database.reading() as tx:
            recorded = key and keys.find_answer(tx, key)
            if recorded:
                return usages.find_outcome(tx, TICKET, uuid.UUID(recorded.answer["receipt"]))
            token = finding.find(tx, TICKET, selector, sought)
        if token is None:
            raise TokenNotFound(sought)
        self._pass_gate()
        outcome = self._decide(token)
        attempt = Attempt(outcome.receipt, by, key)
        with self._work.database.writing() as tx:
            if isinstance(outcome, Granted):
                token = self._write_grant(tx, token)
                row = usages.row_of(TICKET, token, token.last_used, None, attempt)
            else:
                row = usages.row_of(TICKET, token, utc_now(), outcome.denial, attempt)
            usages.log(tx, TICKET, row)
        self._bind(key, {"receipt": str(outcome.receipt)})
        return outcome

    def _decide(self, token: Ticket) -> Outcome:
        receipt = uuid.uuid4()
        denial = TICKET.rules.denial(token, token.read_at)
        if denial:
            return Denied(token_uid=token.uid, denial=denial, receipt=receipt)
        left = token.usage_count if token.is_unlimited else token.usage_count - 1
        return Granted(token_uid=token.uid, usage_count=left, receipt=receipt)

    def _write_grant(self, tx: Transaction, token: Ticket) -> Ticket:
        left = token.usage_count if token.is_unlimited else token.usage_count - 1
        fields: dict[str, Any] = {
            "usage_count": left,
            "last_used": token.read_at,
            "version": token.version + 1,
        }
        if token.lock_time:
            rest = datetime.timedelta(seconds=token.lock_time)
            fields["locked_until"] = token.read_at + rest
        tx.connection.execute(
            update(TokenRecord).where(TokenRecord.uid == token.uid).values(fields),
        )
        return dataclasses.replace(token, **fields)

    def _add(self, tokens, by, key) -> list[uuid.UUID]:
        with self._work.database.reading() as tx:
            recorded = key and keys.find_answer(tx, key)
            if recorded:
                return [uuid.UUID(uid) for uid in recorded.answer["token_uids"]]
            sought = select(TokenRecord.uid).where(TokenRecord.value.in_([t.value for t in tokens]))
            if tx.connection.execute(sought).first():
                raise ValueTaken
        self._pass_gate()
        uids = [uuid.uuid4() for _ in tokens]
        with self._work.database.writing() as tx:
            changing.add(tx, changing.additions(TICKET, map(new_row, uids, tokens), by))
        self._bind(key, {"token_uids": [str(uid) for uid in uids]})
        return uids

    def update(self, uid, changes, *, by, expected_usage_count=None) -> None:
        token = self.get(uid)
        self._pass_gate()
        with self._work.database.writing() as tx:
            changed = {"usage_count": token.usage_count, **changes.given()}
            told = events.of_changes(TICKET, [(token, changed)], by)
            changing.update(tx, TICKET, [token], changed, told)

    def delete_many(self, uids, *, by) -> None:
        for uid in uids:
            self.get(uid)
        self._pass_gate()
        with self._work.database.writing() as tx:
            tx.connection.execute(delete(TokenRecord).where(TokenRecord.uid.in_(uids)))

    def _bind(self, key, answer) -> None:
        with suppress(KeyTaken), self._work.database.writing() as tx:
            keys.bind_key(tx, key, answer)


@contextmanager
def naive_service(url: str, gate: str) -> Iterator[TicketService]:
    """Give the naive service on an engine of its own."""
    engine = create_engine(url)
    try:
        yield NaiveService(engine, functools.partial(pass_gate, gate))
    finally:
        engine.dispose()


def make_naive_tables(engine: Engine) -> None:
    """Make the tables without the constraint that saves values from being added twice."""
    metadata = MetaData()
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)
    constraints = metadata.tables["tokens"].constraints
    for constraint in [one for one in constraints if isinstance(one, UniqueConstraint)]:
        constraints.remove(constraint)
    metadata.create_all(engine)
    # They get a version; what is there is taken as it is.
    schema.prepare(engine, auto_upgrade=True)
