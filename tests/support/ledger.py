"""What clients were told, as they keep it themselves, and the database held against that."""

import dataclasses
import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import select

from cone.tokens.core.errors import Denial
from cone.tokens.core.manner import Direction
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.races import Answer
from tests.support.races import Call
from tests.support.races import audit
from tests.support.visits import Stock

#: Seconds after which something that has to happen is given up.
PATIENCE = 60
#: What clients are told that need not ask again.
OUTCOMES = (None, "usage_count_exceeded", "not_enough_uses", "already_inside", "not_inside")
#: How a complaint begins about what a client was told, and the database does not know.
LOST = "acknowledged and lost: "


@dataclasses.dataclass
class Ledger:
    """What clients were told."""

    answers: dict[Call, Answer] = dataclasses.field(default_factory=dict)
    times: list[float] = dataclasses.field(default_factory=list)
    broken_connections: int = 0
    refusals: int = 0
    _changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def enter(self, call: Call, answer: Answer) -> None:
        with self._changed:
            self.answers[call] = answer
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def enter_broken_connection(self) -> None:
        with self._changed:
            self.broken_connections += 1

    def enter_refusal(self, call: Call) -> None:
        """Note that a client was told to come again; who resets is told so beside others too."""
        with self._changed:
            self.refusals += call.use_case != "reset"

    @property
    def outage(self) -> float:
        """The longest time in seconds in which nobody had an answer."""
        return max(late - early for early, late in itertools.pairwise(self.times))

    def wait_for_more(self, count: int) -> None:
        """Wait until there are ``count`` answers more than now."""
        with self._changed:
            wanted = len(self.answers) + count
            assert self._changed.wait_for(lambda: len(self.answers) >= wanted, PATIENCE)

    def of(self, use_case: str) -> dict[Call, Answer]:
        """Return the answers to calls of a use case."""
        return {call: answer for call, answer in self.answers.items() if call.use_case == use_case}


def complaints(engine: Engine, stock: Stock, ledger: Ledger) -> list[str]:
    """Return what is wrong with the tokens, and with what clients were told of them."""
    tries = ledger.of("consume")
    granted = {answer.receipt: call.uid for call, answer in tries.items() if not answer.error}
    rows, undos = _usages(engine, stock), _undos(engine, stock)
    found = audit(engine, stock.uids, granted, each_has_a_key=True)
    for call, answer in tries.items():
        found += _about_try(call, answer, rows.get(answer.receipt))
    for call in ledger.of("undo"):
        is_marked = call.receipt in rows and rows[call.receipt].undone_at is not None
        if not is_marked or not undos[call.receipt]:
            found.append(f"{LOST}undo of {call.receipt}")
    found += [f"taken back twice: {receipt}" for receipt, count in undos.items() if count > 1]
    return found + list(_about_answers(stock, ledger))


def count_twice(engine: Engine, stock: Stock, ledger: Ledger) -> int:
    """Return how much more is in the database than clients have asked for."""
    more_tries = len(_usages(engine, stock)) - len(ledger.of("consume"))
    more_undos = _undos(engine, stock).total() - len(ledger.of("undo"))
    return max(0, more_tries) + max(0, more_undos)


def _about_try(call: Call, answer: Answer, row: Any) -> Iterator[str]:
    """Yield what is wrong with the row of a try; of grants that are lost the audit tells."""
    if row is None:
        if answer.error and answer.receipt:
            yield f"{LOST}refusal {answer.receipt}"
        return
    denial = Denial.from_code(row.error_code)
    told = {
        "error": (denial and denial.value, answer.error),
        "uses left": (row.usage_count, row.usage_count if answer.error else answer.usage_count),
        "manner": (
            {"checkpoint": row.checkpoint, "direction": row.direction, "override": row.override},
            dict.fromkeys(("checkpoint", "direction", "override")) | _texts(call),
        ),
        "uses": (row.uses, row.uses if _may_be_free(call) else _uses(call)),
    }
    for what, (found, wanted) in told.items():
        if found != wanted:
            yield f"told otherwise: {what} of {answer.receipt}, {found} instead of {wanted}"


def _texts(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.parameters.items() if name != "uses"}


def _may_be_free(call: Call) -> bool:
    """Return whether what a use takes depends on the token: one is left, or it was outside."""
    return call.override is not None or call.direction == Direction.IN.value


def _uses(call: Call) -> int | None:
    """Return what the row of a use tells that it took."""
    if not call.parameters:
        return None
    return 0 if call.direction == Direction.OUT.value else call.uses


def _about_answers(stock: Stock, ledger: Ledger) -> Iterator[str]:
    for call, answer in ledger.answers.items():
        is_own_entry = call.uid in stock.own and call.direction == Direction.IN.value
        if answer.error not in OUTCOMES:
            yield f"unexpected: {call} {answer}"
        elif is_own_entry and answer.error:
            yield f"left outside and found inside: {call} {answer}"


def _usages(engine: Engine, stock: Stock) -> Mapping[uuid.UUID, Any]:
    usages = TokenUsageRecord.__table__
    with engine.connect() as connection:
        sought = select(usages).where(usages.c.token_uid.in_(stock.uids))
        rows = connection.execute(sought).all()
    return {row.uid: row for row in rows}


def _undos(engine: Engine, stock: Stock) -> Counter[uuid.UUID]:
    """Count the events that tell of a receipt that it was taken back."""
    event = TokenEventRecord.__table__.c
    sought = select(event.new_values).where(event.action == "undo")
    with engine.connect() as connection:
        texts = connection.scalars(sought.where(event.token_uid.in_(stock.uids))).all()
    return Counter(uuid.UUID(json.loads(text)["receipt"]) for text in texts)
