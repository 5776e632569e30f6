"""Units of work: transactions that are repeated when the database is lost, with one effect."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any
from typing import TypeVar

from cone.tokens.core.database import TokensDatabase
from cone.tokens.core.driver_errors import KeyTaken
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.retry import NEVER
from cone.tokens.core.retry import Patience
from cone.tokens.core.store import keys
from cone.tokens.core.store import usages
from cone.tokens.core.transaction import Trace
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Outcome

T = TypeVar("T")

#: Reads the result of the first request with a key from the answer that the key is bound to.
Repeat = Callable[[Transaction, dict[str, Any]], T | None]


class UnitOfWork:
    """Runs work in transactions of ``database``.

    A method whose database is lost on the way does its work again, with the same receipt or the
    same mark, so that nothing is done twice. It raises
    :class:`~cone.tokens.core.errors.Unavailable` where the database is busy or away.

    Concurrency: safe to share among threads.

    :ivar database: opens the transactions.
    """

    def __init__(self, database: TokensDatabase, patience: Patience = NEVER) -> None:
        """Run work on ``database``.

        :param patience: how long a lost database is waited for.
        """
        self.database = database
        self._patience = patience

    def read(self, read: Callable[[Transaction], T]) -> T:
        """Return the result of ``read``, which changes nothing."""

        def work() -> T:
            with self.database.reading() as tx:
                return read(tx)

        return self._patience.persist(work)

    def write(
        self,
        write: Callable[[Transaction], T],
        key: IdempotencyKey | None = None,
        repeat: Repeat[T] | None = None,
    ) -> T:
        """Return the result of ``write``, whose changes are committed together, and once.

        Each try has the same mark, the uid of its first event. Where a try has got as far as that,
        the mark of the ones before it is not there: their changes were rolled back. Uses have
        receipts for that: an :class:`~cone.tokens.core.values.Attempt` is made before, and not by
        ``write``.

        :param write: its result is not None, which stands for work that was not done.
        :param key: bound by ``write``; with it ``repeat`` is needed.
        """
        mark = uuid.uuid4()
        last: list[tuple[T, Trace]] = []

        def work() -> T:
            with self.database.writing(mark) as tx:
                result = write(tx)
                if tx.trace is not None:
                    last[:] = [(result, tx.trace)]
                elif last and tx.finds(last[0][1]):
                    # A try came to its end behind our back, and left nothing to do.
                    raise Interrupted
            return result

        def found() -> T | None:
            if not last:
                return None
            result, trace = last[0]
            with self.database.reading_durably() as tx:
                return result if tx.finds(trace) else None

        return self._patience.persist(lambda: self._once(key, work, repeat), found)

    def consume(
        self,
        kind: ConsumedKind[Any],
        consume: Callable[[Transaction], Outcome],
        attempt: Attempt,
    ) -> Outcome:
        """Return the outcome of ``consume``, which logs it under the receipt of ``attempt``.

        :param kind: that of the token.
        """

        def work() -> Outcome:
            with self.database.autocommitting() as tx:
                return consume(tx)

        def repeat(tx: Transaction, answer: dict[str, Any]) -> Outcome | None:
            outcome = usages.find_answered(tx, kind, answer)
            if isinstance(outcome, Granted):
                return dataclasses.replace(outcome, is_repeat=True)
            return outcome

        def found() -> Outcome | None:
            with self.database.reading_durably() as tx:
                return usages.find_outcome(tx, kind, attempt.receipt)

        key = keys.of_kind(kind, attempt.key)
        return self._patience.persist(lambda: self._once(key, work, repeat), found)

    def _once(
        self,
        key: IdempotencyKey | None,
        work: Callable[[], T],
        repeat: Repeat[T] | None,
    ) -> T:
        """Return the result of ``work``, or that of the first request with the same key.

        The work comes first: where the key is bound, its transaction is rolled back. A token
        that is gone may have been there for the first request, a longer code not.

        :raises IdempotencyConflict: the key is bound to a request for something else.
        """
        try:
            return work()
        except (KeyTaken, TokenNotFound, Unfinished, Repeated):
            if key is None or repeat is None:
                raise
            with self.database.reading_durably() as tx:
                recorded = recorded_answer(tx, key, for_update=True)
                result = None if recorded is None else repeat(tx, recorded)
            if result is None:
                raise
            return result


def recorded_answer(tx: Transaction, key: IdempotencyKey, *, for_update: bool = False) -> Any:
    """Return the answer that ``key`` is bound to; None: it is not bound.

    :raises IdempotencyConflict: it is bound to another request.
    """
    recorded = keys.find_answer(tx, key, for_update=for_update)
    if recorded is None:
        return None
    if not recorded.is_same_request:
        raise IdempotencyConflict from None
    return recorded.answer
