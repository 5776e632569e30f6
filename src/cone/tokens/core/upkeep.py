"""The SQL statements that go through whole tables, on purpose and in bounded memory."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import BigInteger
from sqlalchemy import ColumnElement
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import select
from sqlalchemy import text

from cone.tokens.core.audit import BEHIND
from cone.tokens.core.audit import EVENT
from cone.tokens.core.audit import GRANT
from cone.tokens.core.audit import PRESENT
from cone.tokens.core.audit import REFUSAL
from cone.tokens.core.audit import Entry
from cone.tokens.core.audit import Event
from cone.tokens.core.audit import Present
from cone.tokens.core.audit import Use
from cone.tokens.core.audit import entry_order
from cone.tokens.core.records import TokenEventRecord
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.store import Store

#: Rows that are fetched at once.
FETCHED: Final = 2_000

_TOKENS: Final = TokenRecord.__table__.columns
_USAGES: Final = TokenUsageRecord.__table__.columns
_EVENTS: Final = TokenEventRecord.__table__.columns


class Upkeep(Store):
    """The statements, on one connection."""

    # Histories

    def prepare_long_read(self) -> None:
        """Let PostgreSQL take its time for statements of which all rows are read."""
        if not self._is_postgresql:
            return
        for setting in (
            "cursor_tuple_fraction = 1",
            "idle_in_transaction_session_timeout = 0",
            "jit = off",
            "statement_timeout = 0",
        ):
            self._connection.execute(text(f"SET LOCAL {setting}"))

    def count_history(self, only: Sequence[uuid.UUID] | None = None) -> int:
        """Return how many entries :meth:`history` has.

        SQL: 3 statements; each goes through an index.
        """
        return sum(
            self._connection.scalar(_of_tokens(select(func.count(key)), key, only)) or 0
            for key in (_TOKENS.uid, _USAGES.token_uid, _EVENTS.token_uid)
        )

    def history(self, only: Sequence[uuid.UUID] | None = None) -> Iterator[Entry]:
        """Return tokens and what the logs tell of them, in :data:`entry_order`.

        :param only: those of these tokens.

        SQL: 4 statements. To be called in a transaction that does not see what others change;
        memory does not grow with the tables.
        """
        granted = _USAGES.error_code.is_(None)
        streams: tuple[Iterator[Entry], ...] = (
            map(Event._make, self._stream(_select_events(), _EVENTS.token_uid, only)),
            map(Use._make, self._stream(_select_uses(GRANT, granted), _USAGES.token_uid, only)),
            map(Use._make, self._stream(_select_uses(REFUSAL, ~granted), _USAGES.token_uid, only)),
            map(Present._make, self._stream(_select_present(), _TOKENS.uid, only)),
        )
        return heapq.merge(*streams, key=entry_order)

    def _stream(
        self,
        statement: Select[Any],
        token_uid: ColumnElement[uuid.UUID],
        only: Sequence[uuid.UUID] | None,
    ) -> Iterator[Row[Any]]:
        restricted = _of_tokens(statement, token_uid, only)
        return iter(
            self._connection.execute(restricted, execution_options={"yield_per": FETCHED}),
        )


def _of_tokens(
    statement: Select[Any],
    token_uid: ColumnElement[uuid.UUID],
    only: Sequence[uuid.UUID] | None,
) -> Select[Any]:
    return statement if only is None else statement.where(token_uid.in_(only))


def _select_events() -> Select[Any]:
    event = _EVENTS
    told = (event.action, event.timestamp, event.old_values, event.new_values)
    entry = select(event.token_uid, event.version, literal(EVENT).label("place"), *told)
    return entry.order_by(event.token_uid, event.version, event.uid)


def _select_uses(place: int, condition: ColumnElement[bool]) -> Select[Any]:
    usage = _USAGES
    told = (usage.timestamp, usage.error_code, usage.usage_count, usage.uid)
    entry = select(usage.token_uid, usage.version, literal(place).label("place"), *told)
    order = (usage.token_uid, usage.version, usage.timestamp, usage.uid)
    return entry.where(condition).order_by(*order)


def _select_present() -> Select[Any]:
    last = (literal(BEHIND, BigInteger).label("behind"), literal(PRESENT).label("place"))
    names = Present._fields[Present._fields.index("value") :]
    told = (_TOKENS.version, *(_TOKENS[name] for name in names))
    return select(_TOKENS.uid, *last, *told).order_by(_TOKENS.uid)
