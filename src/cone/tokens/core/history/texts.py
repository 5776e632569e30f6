"""What tokens are searched by, held against the tokens, and mended."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Integer
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import column
from sqlalchemy import select
from sqlalchemy import table
from sqlalchemy import text
from sqlalchemy import type_coerce
from sqlalchemy import update

from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.history.rows import has_place
from cone.tokens.core.history.rows import of_tokens
from cone.tokens.core.kind import Kind
from cone.tokens.core.search import search_text
from cone.tokens.core.store import searching
from cone.tokens.core.transaction import Transaction

#: Rows that are fetched at once.
FETCHED: Final = 2_000

#: A table of all trigrams of the index of SQLite, as long as it is looked at.
_VOCABULARY: Final = "cone_tokens_vocabulary"

_TERM: Final = column("term", Text())
_ROWS: Final = column("doc", Integer())
_SELECT_TRIGRAMS: Final = select(_TERM, _ROWS).select_from(table(_VOCABULARY))

#: Triggers that keep the index: of rows that are added, changed and removed.
_TRIGGERS: Final = 3


@dataclasses.dataclass(slots=True, kw_only=True)
class Mended:
    """How many rows of search texts were mended.

    :ivar indexes: tables whose index is not that of their rows, and still has to be made anew.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    indexes: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class _Sums:
    """Sums of hashes: those of the same rows are the same, in whichever order they come."""

    rows: int = 0
    trigrams: int = 0


def findings(
    tx: Transaction,
    kind: Kind[Any],
    only: Sequence[uuid.UUID] | None = None,
) -> Iterator[Finding]:
    """Yield findings about the search texts of tokens, and about their index on SQLite.

    :param only: those of these tokens; the index is not looked at then.

    SQL: 1 statement with ``only``. Else 2 that read a table each, and 3 on SQLite that read the
    index; 2 more where something is wrong.
    """
    if kind.search_table is None:
        return
    if only is not None:
        yield from _wrong_tokens(tx, kind, only)
        return
    told = _sums_of_texts(tx, kind, kind.search_table)
    # To join the tables takes several times as long as to read them.
    if _sum_of_tokens(tx, kind) != told.rows:
        yield from _wrong_tokens(tx, kind, None)
        for number in rows_of_none(tx, kind, kind.search_table):
            yield _finding(None, f"row {number} of {kind.search_table.name} is of no token")
    if not _is_index_right(tx, kind.search_table, told):
        name = kind.search_table.name
        yield _finding(None, f"the index {searching.index_of(kind.search_table)} is not of {name}")


def is_index_right(tx: Transaction, kind: Kind[Any]) -> bool:
    """Return whether searches by the index of SQLite find what the table has.

    SQL: 4 statements on SQLite, which read table and index.
    """
    texts = kind.search_table
    return (
        tx.is_postgresql
        or texts is None
        or _is_index_right(tx, texts, _sums_of_texts(tx, kind, texts))
    )


def is_wrong(tx: Transaction, kind: Kind[Any], texts: Table, rows: KeyRange) -> bool:
    """Return whether some of these tokens have no search texts, or wrong ones.

    SQL: 1 statement.
    """
    compared = tx.connection.execute(_compared(tx, kind, texts).where(*rows.conditions)).all()
    return any(row.search_id is None or not _is_right(kind, row) for row in compared)


def mend(
    tx: Transaction,
    kind: Kind[Any],
    texts: Table,
    rows: KeyRange,
    mended: Mended,
) -> None:
    """Give tokens the search texts that they lack, and right ones for wrong ones.

    :param rows: of tokens.
    :param mended: counts what is done.

    SQL: 1 statement, 1 for all new rows and 1 for each wrong one. Concurrency: on PostgreSQL the
    tokens stay locked until the transaction ends.
    """
    new: list[Mapping[str, Any]] = []
    statement = _compared(tx, kind, texts).where(*rows.conditions)
    for row in tx.connection.execute(statement.with_for_update(of=kind.tokens)).all():
        fields = _fields(kind, row)
        if row.search_id is None and len(fields) == len(_sources(kind)):
            new.append({"uid": row.uid, **fields})
        elif row.search_id is not None and not _is_right(kind, row):
            own = searching.texts_of(kind, fields)
            tx.connection.execute(update(texts).where(texts.c.id == row.search_id).values(own))
            mended.changed += 1
    made = searching.rows_of(kind, new)
    if new and made:
        tx.insert_rows(made)
    mended.added += len(new)


def rows_of_none(tx: Transaction, kind: Kind[Any], texts: Table) -> list[int]:
    """Return the numbers of the search texts that are of no token.

    SQL: 1 statement, which looks at all.
    """
    uid = kind.tokens.c.uid
    joined = texts.outerjoin(kind.tokens, uid == texts.c.token_uid)
    statement = select(texts.c.id).select_from(joined).where(uid.is_(None))
    return list(tx.connection.scalars(statement))


def remove_rows_of_none(
    tx: Transaction,
    kind: Kind[Any],
    texts: Table,
    numbers: Sequence[int],
) -> int:
    """Remove those of these search texts that are of no token; return how many there were.

    SQL: 1 statement.
    """
    is_of_one = select(kind.tokens.c.uid).where(kind.tokens.c.uid == texts.c.token_uid).exists()
    remove = texts.delete().where(texts.c.id.in_(numbers), ~is_of_one)
    return tx.connection.execute(remove).rowcount


# Tokens


def _finding(token_uid: uuid.UUID | None, told: str) -> Finding:
    return Finding(problem=Problem.SEARCH, token_uid=token_uid, text=told)


def _wrong_tokens(
    tx: Transaction,
    kind: Kind[Any],
    only: Sequence[uuid.UUID] | None,
) -> Iterator[Finding]:
    assert kind.search_table is not None  # noqa: S101 - for the checker of types
    statement = _compared(tx, kind, kind.search_table)
    for row in _read(tx, of_tokens(statement, kind.tokens.c.uid, only)):
        if row.search_id is None:
            yield _finding(row.uid, "is not found by a search: there is no row of its texts")
        elif not _is_right(kind, row):
            yield _finding(row.uid, "is searched by other texts than its own")


def _compared(tx: Transaction, kind: Kind[Any], texts: Table) -> Select[Any]:
    """Return the statement that reads tokens beside what they are searched by."""
    uid = kind.tokens.c.uid
    own = (kind.tokens.c[name].label(f"own_{name}") for name in _sources(kind))
    told = (texts.c[name].label(f"told_{name}") for name in kind.search_columns)
    joined = kind.tokens.outerjoin(texts, texts.c.token_uid == uid)
    statement = select(uid, texts.c.id.label("search_id"), *own, *told).select_from(joined)
    return statement if tx.is_postgresql else statement.where(has_place(kind.tokens))


def _sources(kind: Kind[Any]) -> list[str]:
    return list(dict.fromkeys(kind.search_columns.values()))


def _fields(kind: Kind[Any], row: Row[Any]) -> dict[str, Any]:
    """Return the columns that a token is searched by.

    SQLite keeps anything in any column; what is no text is not searched, and a finding already.
    """
    told = ((name, getattr(row, f"own_{name}")) for name in _sources(kind))
    return {name: value for name, value in told if value is None or isinstance(value, str)}


def _is_right(kind: Kind[Any], row: Row[Any]) -> bool:
    texts = searching.texts_of(kind, _fields(kind, row))
    return all(getattr(row, f"told_{name}") == value for name, value in texts.items())


# Tables as wholes


def _read(tx: Transaction, statement: Select[Any]) -> Iterator[Row[Any]]:
    return iter(tx.connection.execute(statement, execution_options={"yield_per": FETCHED}))


def _raw(tx: Transaction, uid: ColumnElement[uuid.UUID]) -> ColumnElement[Any]:
    """Return the column of a uid; on SQLite its text, which may be anything."""
    return uid if tx.is_postgresql else type_coerce(uid, Text())


def _hash(uid: object, texts: list[Any]) -> int:
    """Return the hash of a row.

    That of a tuple is nearly linear: where texts of two rows are exchanged, their sum may stay.
    """
    return hash(repr((uid, texts)))


def _sum_of_tokens(tx: Transaction, kind: Kind[Any]) -> int:
    sources = list(kind.search_columns.values())
    columns = (kind.tokens.c[name] for name in sources)
    rows = _read(tx, select(_raw(tx, kind.tokens.c.uid), *columns))
    total = 0
    for uid, *told in map(tuple[Any, ...], rows):
        total += _hash(uid, [search_text(one) if isinstance(one, str) else one for one in told])
    return total


def _sums_of_texts(tx: Transaction, kind: Kind[Any], texts: Table) -> _Sums:
    sums = _Sums()
    columns = (texts.c[name] for name in kind.search_columns)
    for row in _read(tx, select(_raw(tx, texts.c.token_uid), *columns)):
        sums.rows += _hash(row[0], list(row[1:]))
        if not tx.is_postgresql:
            sums.trigrams += _sum_of_trigrams(row[1:])
    return sums


def _sum_of_trigrams(texts: Iterable[Any]) -> int:
    found: set[str] = set()
    for one in texts:
        if isinstance(one, str):
            found.update(map("".join, zip(one, one[1:], one[2:], strict=False)))
    return sum(map(hash, found))


def _is_index_right(tx: Transaction, texts: Table, told: _Sums) -> bool:
    """Return whether SQLite's index has the trigrams of the table, and is kept by triggers."""
    name = searching.index_of(texts)
    if tx.is_postgresql or not searching.has_trigrams(tx, texts):
        return True
    count = text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name")
    if tx.connection.scalar(count, {"name": texts.name}) != _TRIGGERS:
        return False
    make = f"CREATE VIRTUAL TABLE temp.{_VOCABULARY} USING fts5vocab(main, {name}, row)"
    tx.connection.exec_driver_sql(make)
    total = 0
    for row in tx.connection.execute(_SELECT_TRIGRAMS):
        total += hash(row.term) * row.doc
    tx.connection.exec_driver_sql(f"DROP TABLE temp.{_VOCABULARY}")
    return total == told.trigrams
