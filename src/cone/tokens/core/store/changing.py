"""Tokens added, changed and deleted, each with the event that tells it."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import Update
from sqlalchemy import bindparam
from sqlalchemy import delete as delete_from
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import select
from sqlalchemy import update as update_table

from cone.tokens.core import lifecycle
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import Stored
from cone.tokens.core.kind import T
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.many import Rows
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import events as events_of
from cone.tokens.core.store import finding
from cone.tokens.core.store import former
from cone.tokens.core.store import searching
from cone.tokens.core.store.events import REPLACE
from cone.tokens.core.store.events import RESET
from cone.tokens.core.store.filters import code_of
from cone.tokens.core.store.locking import is_one_of
from cone.tokens.core.transaction import NOW
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor


@dataclasses.dataclass(frozen=True, slots=True)
class Additions:
    """The rows of new tokens and of their events."""

    tokens: Rows
    events: Rows
    texts: Rows | None

    def make_ready(self) -> None:
        """Do now what would have to be done with SQLite's lock in hand."""
        self.tokens.make_ready()
        self.events.make_ready()
        if self.texts:
            self.texts.make_ready()


#: A uid, and the fields of the token that it is for.
NewRow = tuple[uuid.UUID, Mapping[str, Any]]


def additions(kind: Kind[Any], tokens: Iterable[NewRow], actor: Actor) -> Additions:
    """Return the rows that add tokens under the given uids."""
    rows = [_row(kind, uid, fields, actor) for uid, fields in tokens]
    return Additions(
        Rows(kind.tokens, rows, ("created", "modified")),
        events_of.as_rows(kind, (events_of.of_addition(kind, row, actor) for row in rows)),
        searching.rows_of(kind, rows),
    )


def add(tx: Transaction, new: Additions) -> None:
    """Add tokens, at one time; all of them or none.

    :raises ValueTaken: a value belongs to another token. The transaction has to be rolled back.

    SQL: 2 statements, 3 where the kind is searched, each with as many rows as there are tokens; on
    PostgreSQL one more for several tokens.
    """
    tx.insert_rows(new.tokens, is_at_once=True)
    if new.texts:
        tx.insert_rows(new.texts)
    tx.insert_events(new.events)


def add_as(tx: Transaction, kind: Kind[Any], new: NewRow, *, actor: Actor) -> None:
    """Add a token under a uid that the caller chose.

    One that a deleted token had goes on behind the deletion: versions are not used twice.

    :raises UidTaken: a token has it. The transaction has to be rolled back.
    :raises ValueTaken: as :func:`add`.

    SQL: 3 statements, 4 where a deleted token had the uid, one more where the kind is searched.
    Concurrency: the insert waits for
    those who add or delete the same uid; from then on nobody else writes its history.
    """
    uid, fields = new
    row = _row(kind, uid, fields, actor)
    tx.insert(kind.tokens, [row], "created", "modified")
    texts = searching.rows_of(kind, [row])
    if texts:
        tx.insert_rows(texts)
    version = _last_version(tx, kind, uid) + 1
    if version > row["version"]:
        tx.connection.execute(
            update_table(kind.tokens).where(kind.tokens.c.uid == uid).values(version=version),
        )
    event = events_of.of_addition(kind, row, actor, version)
    tx.insert_events(events_of.as_rows(kind, [event]))


def update(
    tx: Transaction,
    kind: Kind[Any],
    tokens: Sequence[Stored],
    changed: dict[str, Any],
    events: Rows,
) -> None:
    """Change the fields of ``changed`` in tokens, which this transaction found for update.

    :param events: those of the change.
    :raises ValueTaken: the value belongs to another token. The transaction has to be rolled back.

    SQL: 2 statements, 3 where what is searched changes.
    """
    table, columns = kind.tokens, kind.completed(changed)
    if "lock_time" in columns:
        columns["locked_until"] = lifecycle.locked_until_clause(
            table.c.last_used, literal(columns["lock_time"])
        )
    tx.connection.execute(
        update_table(table)
        .where(is_one_of(tx, kind, tokens))
        .values(modified=tx.now, version=table.c.version + 1, **columns),
    )
    searching.change(tx, kind, _texts_of(tx, kind, tokens), changed)
    tx.insert_events(events)


def update_each(
    tx: Transaction,
    kind: Kind[Any],
    changes: Sequence[tuple[Stored, dict[str, Any]]],
    events: Rows,
) -> None:
    """Change fields of tokens, which this transaction found for update, each in its own way.

    :param changes: tokens, and the fields of each with their new values.
    :param events: those of the changes.
    :raises ValueTaken: a value belongs to another token. The transaction has to be rolled back.

    SQL: 1 statement for all tokens of which the same fields change, 2 where what is searched is
    among them, and 1 for the events.
    """
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    now = tx.bound_now
    for token, changed in changes:
        columns = kind.completed(changed)
        given = {f"new_{name}": value for name, value in columns.items()}
        alike[tuple(sorted(columns))].append({"sought": token.uid, **given, **now})
    for names, rows in alike.items():
        statement = _update_fields(kind, names, is_postgresql=tx.is_postgresql)
        tx.connection.execute(statement, rows)
        searching.change_each(tx, kind, [_as_fields(row, names) for row in rows])
    tx.insert_events(events)


def empty(tx: Transaction, kind: Kind[Any], tokens: Sequence[Stored], events: Rows) -> None:
    """Empty the personal data of tokens, which this transaction found for update.

    They keep the time of their last change.

    :param events: those of the change.

    SQL: 2 statements, 3 where personal data is searched.
    """
    nobody = dict.fromkeys(kind.personal)
    version = kind.tokens.c.version + 1
    emptied = update_table(kind.tokens).where(is_one_of(tx, kind, tokens))
    tx.connection.execute(emptied.values(version=version, **kind.completed(nobody)))
    searching.change(tx, kind, _texts_of(tx, kind, tokens), nobody)
    tx.insert_events(events)


def replace_code(
    tx: Transaction,
    kind: Kind[Any],
    token: Stored,
    code: str,
    actor: Actor,
) -> None:
    """Give a token another code; the one that it has is kept, and refused from now on.

    :param token: this transaction found it for update.
    :raises ValueTaken: another token has the code, or had it. The transaction has to be rolled
        back.

    SQL: 1 statement more than :func:`update`.
    """
    former.keep(tx, kind, token)
    changed = {code_of(kind).name: code}
    told = events_of.of_changes(kind, [(token, changed)], actor, REPLACE)
    update(tx, kind, [token], changed, told)


def reset(
    tx: Transaction,
    kind: Kind[T],
    by: str,
    limit: int,
    actor: Actor,
) -> list[T]:
    """Let tokens be nowhere whose column ``by`` has a time to come, and return them.

    :param limit: no more than that at once.

    SQL: 3 statements. Concurrency: tokens are locked in the order of their uids.
    """
    columns = kind.tokens.c
    tx.lock(kind.tokens)
    statement = finding.select_tokens(tx.dialect.name, kind)
    statement = statement.where(columns[by].is_not(None), columns[by] > tx.read_at)
    rows = tx.connection.execute(statement.order_by(columns.uid).limit(limit).with_for_update())
    tokens = finding.tokens(tx, kind, rows.all())
    if tokens:
        nothing = dict.fromkeys(PRESENCE)
        told = events_of.of_changes(kind, [(token, nothing) for token in tokens], actor, RESET)
        update(tx, kind, tokens, nothing, told)
    return tokens


def delete(
    tx: Transaction,
    kind: Kind[Any],
    tokens: Sequence[Stored],
    events: Rows,
) -> None:
    """Delete tokens, which this transaction found for update. Their usage log stays.

    :param events: those of the deletion.

    SQL: 2 statements, one more where the kind is searched, and where codes are replaced.
    """
    searching.remove(tx, kind, _texts_of(tx, kind, tokens))
    former.remove(tx, kind, tokens)
    tx.connection.execute(delete_from(kind.tokens).where(is_one_of(tx, kind, tokens)))
    tx.insert_events(events)


def _as_fields(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the uid and the new fields of parameters of :func:`_update_fields`."""
    return {"uid": row["sought"], **{name: row[f"new_{name}"] for name in names}}


def _texts_of(
    tx: Transaction,
    kind: Kind[Any],
    tokens: Sequence[Stored],
) -> ColumnElement[bool]:
    """Return the condition that selects the searched texts of ``tokens``."""
    if kind.search_table is None:
        return false()
    return is_one_of(tx, kind, tokens, kind.search_table.c.token_uid)


def _last_version(tx: Transaction, kind: Kind[Any], uid: uuid.UUID) -> int:
    """Return the version that the history of a uid ends with; 0 where it has none."""
    last = select(func.max(kind.events.c.version)).where(kind.events.c.token_uid == uid)
    return tx.connection.scalar(last) or 0


def _row(
    kind: Kind[Any],
    uid: uuid.UUID,
    fields: Mapping[str, Any],
    actor: Actor,
) -> dict[str, Any]:
    return {"uid": uid, **kind.completed(fields), "creator": actor, "version": 1}


@functools.cache
def _update_fields(
    kind: Kind[Any],
    names: tuple[str, ...],
    *,
    is_postgresql: bool,
) -> Update:
    """Return the statement that changes the fields ``names`` of one token."""
    columns = kind.tokens.columns
    now = func.clock_timestamp(type_=UtcDateTime) if is_postgresql else NOW
    values: dict[str, Any] = {}
    for name in names:
        column = columns[name]
        new = values[name] = bindparam(f"new_{name}", type_=column.type)
        if name == "lock_time":
            values["locked_until"] = lifecycle.locked_until_clause(columns.last_used, new)
    return (
        update_table(kind.tokens)
        .where(columns.uid == bindparam("sought", type_=columns.uid.type))
        .values(modified=now, version=columns.version + 1, **values)
    )
