"""The statements of an audit: whole tables, read in bounded memory."""

from __future__ import annotations

import datetime
import functools
import heapq
import uuid
from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import Table
from sqlalchemy import func
from sqlalchemy import select

from cone.tokens.core.dialects import without_index
from cone.tokens.core.history.entries import GRANT
from cone.tokens.core.history.entries import REFUSAL
from cone.tokens.core.history.entries import Entry
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Former
from cone.tokens.core.history.entries import entry_order
from cone.tokens.core.history.findings import Times
from cone.tokens.core.history.keys import Key
from cone.tokens.core.history.keys import Tried
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.history.rows import any_time
from cone.tokens.core.history.rows import count_without_place
from cone.tokens.core.history.rows import has_place
from cone.tokens.core.history.rows import of_tokens
from cone.tokens.core.history.rows import present_of
from cone.tokens.core.history.rows import select_events
from cone.tokens.core.history.rows import select_former
from cone.tokens.core.history.rows import select_present
from cone.tokens.core.history.rows import select_uses
from cone.tokens.core.history.rows import use_of
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Kind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.transaction import Transaction

#: Rows that are fetched at once.
FETCHED: Final = 2_000

#: Characters of an answer that are many; one may name 10,000 tokens.
LONG_ANSWER: Final = 1_000

_REQUESTS: Final = REQUESTS.columns


def _tables(kind: ConsumedKind[Any]) -> tuple[Table, ...]:
    kept = () if kind.former_table is None else (kind.former_table,)
    return kind.tokens, kind.usages, kind.events, *kept


def _token_uid(table: Table) -> ColumnElement[uuid.UUID]:
    """Return the column that names the token of a row."""
    return table.c.token_uid if "token_uid" in table.c else table.c.uid


def count_entries(
    tx: Transaction,
    kind: ConsumedKind[Any],
    only: Sequence[uuid.UUID] | None = None,
) -> int:
    """Return the number of :func:`entries`.

    SQL: 3 statements, 4 where codes are replaced; each goes through an index.
    """
    return sum(
        tx.connection.scalar(of_tokens(select(func.count(token_uid)), token_uid, only)) or 0
        for token_uid in map(_token_uid, _tables(kind))
    )


def entries(
    tx: Transaction,
    kind: ConsumedKind[Any],
    only: Sequence[uuid.UUID] | None = None,
    unreadable: Container[str] = (),
) -> Iterator[Entry]:
    """Return tokens and the rows of their logs, in :data:`entry_order`.

    :param only: those of these tokens.
    :param unreadable: tables with rows of :func:`count_unreadable`, which are left out.

    SQL: 4 statements, 5 where codes are replaced. To be called in a transaction that does not see
    changes of others; memory does not grow with the tables.
    """
    # All are read in the order of the tokens, and not code by code.
    column = kind.usages.c.error_code
    code = column if tx.is_postgresql else without_index(column)
    granted = code.is_(None)

    def rows(statement: Select[Any], table: Table) -> Iterator[Row[Any]]:
        # To look at each row for this takes as long as to read it.
        if not tx.is_postgresql and (only is not None or table.name in unreadable):
            statement = statement.where(has_place(table))
        restricted = of_tokens(statement, _token_uid(table), only)
        return iter(tx.connection.execute(restricted, execution_options={"yield_per": FETCHED}))

    read = functools.partial(use_of, kind)
    streams: list[Iterator[Entry]] = [
        map(Event._make, rows(select_events(kind), kind.events)),
        map(read, rows(select_uses(kind, GRANT, granted), kind.usages)),
        map(read, rows(select_uses(kind, REFUSAL, ~granted), kind.usages)),
        map(present_of, rows(select_present(kind), kind.tokens)),
    ]
    if kind.former_table is not None:
        streams.append(map(Former._make, rows(select_former(kind), kind.former_table)))
    return heapq.merge(*streams, key=entry_order)


def count_unreadable(tx: Transaction, kind: ConsumedKind[Any]) -> dict[str, int]:
    """Return the number of rows without a place in a history, by table, where there are any.

    SQL: a statement for each table on SQLite, which reads it.
    """
    if tx.is_postgresql:
        return {}
    counts = {
        table.name: tx.connection.scalar(count_without_place(table)) or 0 for table in _tables(kind)
    }
    return {name: count for name, count in counts.items() if count}


def times(tx: Transaction) -> Times:
    """Return the comparison of times: on SQLite those of one transaction are the same.

    SQL: 1 statement on PostgreSQL.
    """
    if tx.is_postgresql:
        return Times(tx.read_clock())
    return Times(tx.read_clock(), apart=datetime.timedelta())


# Keys, and the rows that their answers are read from


def keys(tx: Transaction, *, are_long: bool) -> Iterator[list[Key]]:
    """Return the keys of requests, some at once.

    :param are_long: those with long answers, a few at once; else the others.

    SQL: 2 statements for each piece.
    """
    length = func.length(_REQUESTS.answer)
    size = FETCHED // 100 if are_long else FETCHED
    condition = length > LONG_ANSWER if are_long else length <= LONG_ANSWER
    time = any_time(_REQUESTS.timestamp)
    told = select(_REQUESTS.key_hash, _REQUESTS.fingerprint, _REQUESTS.answer, time)
    after: object = None
    while True:
        beyond = KeyRange(_REQUESTS.key_hash, after, None).conditions
        some = told.where(condition, *beyond).order_by(_REQUESTS.key_hash).limit(size)
        keys = [Key._make(row) for row in tx.connection.execute(some)]
        if not keys:
            return
        yield keys
        after = keys[-1].key_hash


def tried(
    tx: Transaction,
    kind: ConsumedKind[Any],
    receipts: Sequence[uuid.UUID],
) -> dict[uuid.UUID, Tried]:
    """Return the rows of the log of usages that have these receipts.

    SQL: 1 statement.
    """
    usage = kind.usages.c
    row = select(usage.uid, usage.token_uid, usage.version, any_time(usage.timestamp))
    rows = tx.connection.execute(row.where(usage.uid.in_(receipts)))
    return {receipt: Tried(*told) for receipt, *told in rows}


def added(
    tx: Transaction,
    kind: Kind[Any],
    token_uids: Sequence[uuid.UUID],
) -> set[uuid.UUID]:
    """Return the tokens with an event that tells of their addition.

    SQL: 1 statement for every :data:`FETCHED` tokens.
    """
    event = kind.events.c
    found: set[uuid.UUID] = set()
    for start in range(0, len(token_uids), FETCHED):
        some = event.token_uid.in_(token_uids[start : start + FETCHED])
        found.update(
            tx.connection.scalars(select(event.token_uid).where(some, event.action == "add"))
        )
    return found


def answers_of_several(tx: Transaction, limit: int) -> list[str]:
    """Return receipts that are the answer of several keys.

    SQL: 1 statement, which reads the keys.
    """
    answer = _REQUESTS.answer
    # So much is as long as the receipt goes, whichever blanks are in front of it.
    named = func.substr(answer, 1, 50)
    several = select(named).where(answer.startswith('{"receipt"')).group_by(named)
    return list(tx.connection.scalars(several.having(func.count() > 1).limit(limit)))
