"""What clients ask for at a door, one after the other: uses in every manner, undo and reset."""

import dataclasses
import itertools
import uuid
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Self

from cone.tokens.core.manner import Direction
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import NewTicket
from tests.support.races import Answer
from tests.support.races import Call

#: Calls, each of which is sent the answer of the one before.
Visit = Generator[Call, Answer, None]
REASON = "lost list"
#: More uses than anybody takes.
PLENTY = 100_000


@dataclasses.dataclass(frozen=True)
class Stock:
    """The tokens of a workload.

    :ivar shared: tokens that all clients use, and how many uses each has.
    :ivar own: one token for each client, which nobody else uses.
    """

    shared: Mapping[uuid.UUID, int]
    own: Sequence[uuid.UUID]

    @classmethod
    def added(cls, service: TicketService, uses: Sequence[int], clients: int) -> Self:
        """Add tokens with these ``uses``, and one for each of the ``clients``."""
        shared = {service.add(NewTicket(usage_count=count), by=None): count for count in uses}
        own = service.add_many(NewTicket(usage_count=PLENTY), clients, None, by=None)
        return cls(shared, own)

    @property
    def uids(self) -> list[uuid.UUID]:
        """All of them."""
        return [*self.shared, *self.own]


class Visitor:
    """Says what a client asks for next.

    It leaves its own token outside before it goes in with it again: an entry that is refused
    tells that an exit, an undo or a reset was lost.
    """

    def __init__(self, number: int, stock: Stock) -> None:
        self._number = number
        self._own = stock.own[number]
        self._shared = itertools.islice(itertools.cycle(stock.shared), number, None)
        self._keys = (f"{number}-{turn}" for turn in itertools.count())

    def calls(self) -> Visit:
        """Make calls without end; each client begins with others."""
        scenes = (
            self._plain,
            self._several_taken_back,
            self._in_out_and_taken_back,
            self._in_and_out,
            self._let_in_anyway,
            self._in_again_after_a_reset,
        )
        for scene in itertools.islice(itertools.cycle(scenes), self._number, None):
            yield from scene()

    def _plain(self) -> Visit:
        yield self._use(next(self._shared))
        yield self._use(next(self._shared))

    def _several_taken_back(self) -> Visit:
        yield from self._taken_back(self._use(next(self._shared), uses=2))

    def _in_out_and_taken_back(self) -> Visit:
        yield from self._through(self._own)
        yield from self._taken_back(self._use(self._own, direction=Direction.IN.value))

    def _in_and_out(self) -> Visit:
        yield from self._through(next(self._shared))

    def _let_in_anyway(self) -> Visit:
        yield self._use(next(self._shared), override=REASON)

    def _in_again_after_a_reset(self) -> Visit:
        yield self._use(self._own, direction=Direction.IN.value)
        yield Call(use_case="reset", key=next(self._keys))
        yield from self._through(self._own)

    def _through(self, uid: uuid.UUID) -> Iterator[Call]:
        for direction in (Direction.IN, Direction.OUT):
            yield self._use(uid, direction=direction.value)

    def _taken_back(self, call: Call) -> Visit:
        answer = yield call
        if answer.error is None:
            yield Call(use_case="undo", uid=call.uid, receipt=answer.receipt)

    def _use(self, uid: uuid.UUID, uses: int = 1, **manner: str) -> Call:
        return Call(use_case="consume", uid=uid, key=next(self._keys), uses=uses, **manner)
