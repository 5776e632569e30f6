"""A service that reads and then writes, as one would write it who thinks of one caller only.

Between the two it passes a :class:`Gate`, so that many callers have read for certain before one of
them writes. It shows that the races of :mod:`tests.support.races` are lost by what deserves to lose
them.
"""

import dataclasses
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

from cone.tokens.core import lifecycle
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.driver_errors import KeyTaken
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import Base
from cone.tokens.core.store import changing
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import usages
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Outcome
from cone.tokens.migrations import schema
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.kind import new_row
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket

USAGES = TokenUsageRecord.__table__

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

    def consume(self, uid, *, by, key=None, manner=PLAIN) -> Outcome:
        return self._take("uid", uid, by, key, manner)

    def consume_code(self, sent, *, by, key=None, manner=PLAIN) -> Outcome:
        return self._take("value", sent.text, by, key, manner)

    def _take(self, selector, sought, by, key, manner) -> Outcome:
        with self._work.database.reading() as tx:
            recorded = key and keys.find_answer(tx, key)
            if recorded:
                return usages.find_outcome(tx, TICKET, uuid.UUID(recorded.answer["receipt"]))
            token = finding.find(tx, TICKET, selector, sought)
        if token is None:
            raise TokenNotFound(sought)
        self._pass_gate()
        if manner.override is not None and token.usage_count == 0:
            manner = dataclasses.replace(manner, uses=0)
        outcome = self._decide(token, manner)
        attempt = Attempt(outcome.receipt, by, key, manner=manner)
        with self._work.database.writing() as tx:
            if isinstance(outcome, Granted):
                token = self._write_grant(tx, token, manner)
                row = usages.row_of(TICKET, token, token.read_at, None, attempt)
            else:
                row = usages.row_of(TICKET, token, utc_now(), outcome.denial, attempt)
            usages.log(tx, TICKET, row)
        self._bind(key, {"receipt": str(outcome.receipt)})
        return outcome

    def _decide(self, token: Ticket, manner: Manner) -> Outcome:
        receipt = uuid.uuid4()
        denial = TICKET.rules.denial(token, token.read_at, manner)
        if denial:
            return Denied(token_uid=token.uid, denial=denial, receipt=receipt)
        left = lifecycle.after_use(token, token.read_at, TICKET.effects, manner)["usage_count"]
        return Granted(token_uid=token.uid, usage_count=left, receipt=receipt)

    def _write_grant(self, tx: Transaction, token: Ticket, manner: Manner) -> Ticket:
        fields = lifecycle.after_use(token, token.read_at, TICKET.effects, manner)
        fields["version"] = token.version + 1
        tx.connection.execute(
            update(TokenRecord).where(TokenRecord.uid == token.uid).values(fields),
        )
        return dataclasses.replace(token, **fields)

    def undo(self, uid, receipt, *, by, may_edit=True) -> Undone:
        token = self.get(uid)
        with self._work.database.reading() as tx:
            use = tx.connection.execute(select(USAGES).where(USAGES.c.uid == receipt)).one()
        self._pass_gate()
        uses = usages.manner_of(use).uses
        if use.undone_at:
            return Undone(uid, receipt, uses, token.usage_count, is_repeat=True)
        changed = {"usage_count": token.usage_count + uses}
        told = {"receipt": str(receipt), "last_used": None}
        row = update(USAGES).where(USAGES.c.uid == receipt)
        with self._work.database.writing() as tx:
            tx.connection.execute(row.values(undone_at=utc_now()))
            told_by = events.of_undoing(TICKET, token, changed, told, by)
            changing.update(tx, TICKET, [token], changed, told_by)
        return Undone(uid, receipt, uses, changed["usage_count"])

    def reset_presence(self, *, by) -> int:
        tokens = [token for token in self.find_many(EVERYTHING) if token.inside_until]
        self._pass_gate()
        nothing = dict.fromkeys(PRESENCE)
        for token in tokens:
            told = events.of_changes(TICKET, [(token, nothing)], by, events.RESET)
            with self._work.database.writing() as tx:
                changing.update(tx, TICKET, [token], nothing, told)
        return len(tokens)

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
