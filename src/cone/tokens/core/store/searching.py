"""Searches: tokens by parts of their texts, from an index of trigrams.

Each kind that is searched has a table of search texts beside its tokens. On SQLite triggers of that
table keep an index of FTS5, on PostgreSQL the index is one of ``pg_trgm``. A database that allows
neither has indexes of the beginnings: what is searched is the beginning of a text then.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import FromClause
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import Table
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import column
from sqlalchemy import delete as delete_from
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import literal_column
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import table
from sqlalchemy import text
from sqlalchemy import update as update_table

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.kind import Kind
from cone.tokens.core.many import Rows
from cone.tokens.core.search import LEAST
from cone.tokens.core.search import parts_of
from cone.tokens.core.search import search_text
from cone.tokens.core.search import text_behind
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import MAX_BATCH

#: Tokens that a search finds: more than that are too many to be changed, or to be looked through.
MOST_FOUND: Final = MAX_BATCH + 1

#: The newest texts, of which PostgreSQL is told whether many match: one in so many.
_NEAR: Final = 20_000
_MANY: Final = 25

#: Trigrams of a part that the index of SQLite is asked for; the text itself is looked at anyway.
_MOST_TRIGRAMS: Final = 24


def rows_of(kind: Kind[Any], tokens: Iterable[Mapping[str, Any]]) -> Rows | None:
    """Return the texts of new tokens, to be inserted; None: the kind is not searched."""
    if kind.search_table is None:
        return None
    return Rows(kind.search_table, (_row(kind, token) for token in tokens), ())


def change(
    tx: Transaction,
    kind: Kind[Any],
    condition: ColumnElement[bool],
    changed: Mapping[str, Any],
) -> None:
    """Change the texts of tokens.

    :param condition: of the column ``token_uid``.
    :param changed: fields of the tokens with their new values.

    SQL: 1 statement, none where nothing changes that is searched.
    """
    texts = texts_of(kind, changed)
    if kind.search_table is not None and texts:
        tx.connection.execute(update_table(kind.search_table).where(condition).values(texts))


def change_each(
    tx: Transaction,
    kind: Kind[Any],
    changes: Sequence[Mapping[str, Any]],
) -> None:
    """Change the texts of tokens, each in its own way.

    :param changes: ``uid`` and the same fields of each, with their new values.

    SQL: 1 statement, none where nothing changes that is searched.
    """
    texts = [texts_of(kind, changed) for changed in changes]
    if kind.search_table is None or not texts or not texts[0]:
        return
    uid = kind.search_table.c.token_uid
    names = texts[0].keys()
    statement = (
        update_table(kind.search_table)
        .where(uid == bindparam("sought", type_=uid.type))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    rows = [
        {"sought": changed["uid"], **{f"new_{name}": one[name] for name in names}}
        for changed, one in zip(changes, texts, strict=True)
    ]
    tx.connection.execute(statement, rows)


def remove(tx: Transaction, kind: Kind[Any], condition: ColumnElement[bool]) -> None:
    """Remove the texts of tokens.

    :param condition: of the column ``token_uid``.

    SQL: 1 statement.
    """
    if kind.search_table is not None:
        tx.connection.execute(delete_from(kind.search_table).where(condition))


def finds_parts(tx: Transaction, kind: Kind[Any]) -> bool:
    """Return whether parts are found; else beginnings alone.

    SQL: 1 statement.
    """
    return has_trigrams(tx, _search_table(kind))


def has_trigrams(tx: Transaction, texts: Table) -> bool:
    """Return whether a table of texts has the index that finds parts.

    SQL: 1 statement.
    """
    name = index_of(texts)
    if tx.is_postgresql:
        there = select(func.to_regclass(name).is_not(None))
    else:
        there = select(text("count(*)")).select_from(table("sqlite_master"))
        there = there.where(column("name") == name)
    return bool(tx.connection.scalar(there))


def is_found(tx: Transaction, kind: Kind[Any], sought: str) -> ColumnElement[bool]:
    """Return the condition that selects up to :data:`MOST_FOUND` tokens, by an index.

    The newest ones, where there are more.

    SQL: 1 statement beside the one that has the condition, 2 on PostgreSQL.
    """
    uid = kind.tokens.c.uid
    if not parts_of(sought):
        return false()
    found = _found(tx, kind, sought, MOST_FOUND)
    if tx.is_postgresql:
        # In an array they are looked up one by one, whatever the planner thinks of their number.
        return uid == func.any(func.array(found.scalar_subquery()))
    return uid.in_(found)


def newest(
    tx: Transaction,
    kind: Kind[Any],
    sought: str | int,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return the number and the uid of up to ``limit`` tokens, the newest first.

    :param sought: a text, or the number of a token that was found.

    SQL: 1 statement, 2 for a text, 3 on PostgreSQL.
    """
    texts = _search_table(kind)
    if isinstance(sought, int):
        found = select(texts.c.token_uid).where(texts.c.id == sought)
    elif parts_of(sought):
        found = _found(tx, kind, sought, limit)
    else:
        return []
    return tx.connection.execute(found.add_columns(texts.c.id)).all()


def uid_of(tx: Transaction, kind: Kind[Any], number: int) -> uuid.UUID:
    """Return the uid of the token with this number.

    :raises TokenNotFound: there is none.

    SQL: 1 statement.
    """
    texts = _search_table(kind)
    sought = select(texts.c.token_uid).where(texts.c.id == number)
    uid: uuid.UUID | None = tx.connection.scalar(sought)
    if uid is None:
        raise TokenNotFound
    return uid


def numbers_of(
    tx: Transaction,
    kind: Kind[Any],
    numbers: Collection[int],
) -> dict[uuid.UUID, int]:
    """Return the numbers of tokens that were found, by their uids; those that are gone left out.

    SQL: 1 statement.
    """
    columns = _search_table(kind).c
    found = select(columns.token_uid, columns.id).where(columns.id.in_(numbers))
    return {row.token_uid: row.id for row in tx.connection.execute(found)}


def has(tx: Transaction, kind: Kind[Any], sought: str) -> ColumnElement[bool]:
    """Return the condition of :func:`is_found` for all tokens, however many: by looking at each.

    SQL: 1 statement beside the one that has the condition.
    """
    texts = _search_table(kind)
    if not parts_of(sought):
        return false()
    meant = _matches(tx, kind, sought, texts, by_parts=finds_parts(tx, kind))
    own = texts.c.token_uid == kind.tokens.c.uid
    return select(literal(1)).select_from(texts).where(own, meant).exists()


def texts_of(kind: Kind[Any], fields: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the search texts of a token, of those columns that ``fields`` has."""
    return {
        name: None if fields[source] is None else search_text(fields[source])
        for name, source in kind.search_columns.items()
        if source in fields
    }


def merge_removed(tx: Transaction, kind: Kind[Any], pages: int, *, is_first: bool) -> bool:
    """Merge a part of the index of SQLite; return whether there is more to be merged.

    Until then the index keeps the trigrams of texts that were removed or changed. PostgreSQL has no
    such parts.

    :param pages: so much is written at once.
    :param is_first: begin to merge all that there is.

    SQL: 4 statements on SQLite.
    """
    texts = kind.search_table
    if tx.is_postgresql or texts is None or not has_trigrams(tx, texts):
        return False
    name, count = index_of(texts), select(func.total_changes())
    before = tx.connection.scalar(count) or 0
    merge = text(f"INSERT INTO {name} ({name}, rank) VALUES ('merge', :pages)")  # noqa: S608
    tx.connection.execute(merge, {"pages": -pages if is_first else pages})
    # Where there was nothing to merge, only the statement itself counts.
    return (tx.connection.scalar(count) or 0) - before > 1


def index_of(texts: Table) -> str:
    """Return the name of the index of trigrams, which revisions give it."""
    return f"{texts.name}_trigrams"


def _found(tx: Transaction, kind: Kind[Any], sought: str, limit: int) -> Select[Any]:
    """Return the statement that finds up to ``limit`` tokens, the newest ones.

    SQL: 1 statement, 2 on PostgreSQL.
    """
    texts, by_parts = _search_table(kind), finds_parts(tx, kind)
    meant = _matches(tx, kind, sought, texts, by_parts=by_parts)
    if tx.is_postgresql and by_parts and not _are_near(tx, kind, sought, limit):
        # No index has this order: PostgreSQL looks the parts up.
        return select(texts.c.token_uid).where(meant).order_by((texts.c.id + 0).desc()).limit(limit)
    if tx.is_postgresql or not by_parts:
        return select(texts.c.token_uid).where(meant).order_by(texts.c.id.desc()).limit(limit)
    index = table(index_of(texts), column("rowid"))
    is_match = literal_column(index.name).op("MATCH")(_trigrams(parts_of(sought)))
    joined = index.join(texts, texts.c.id == index.c.rowid)
    found = select(texts.c.token_uid).select_from(joined).where(is_match, meant)
    return found.order_by(index.c.rowid.desc()).limit(limit)


def _are_near(tx: Transaction, kind: Kind[Any], sought: str, limit: int) -> bool:
    """Return whether enough match among the newest to find all along the order.

    PostgreSQL does not know which words go together: it would look for those that never do along
    the order, until it has looked at all.

    SQL: 1 statement.
    """
    texts = _search_table(kind)
    newest = select(texts).order_by(texts.c.id.desc()).limit(_NEAR).subquery()
    meant = _matches(tx, kind, sought, newest, by_parts=True)
    count = tx.connection.scalar(select(func.count()).select_from(newest).where(meant)) or 0
    return count >= min(limit, _NEAR // _MANY)


def _matches(
    tx: Transaction,
    kind: Kind[Any],
    sought: str,
    texts: FromClause,
    *,
    by_parts: bool,
) -> ColumnElement[bool]:
    columns = [texts.c[name] for name in kind.search_columns]
    if not by_parts:
        beginning = search_text(sought)
        return or_(*(_begins(column, beginning) for column in columns))
    has = _contains if tx.is_postgresql else _has_sign_by_sign
    return and_(*(or_(*(has(column, part) for column in columns)) for part in parts_of(sought)))


def _contains(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    return column.contains(part, autoescape=True)


def _has_sign_by_sign(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    # LIKE of SQLite takes A for a.
    return func.instr(column, part) > 0


def _begins(column: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    end = text_behind(beginning)
    return column >= beginning if end is None else and_(column >= beginning, column < end)


def _trigrams(parts: tuple[str, ...]) -> str:
    """Return the question for FTS5: all trigrams of the parts, each in quotes."""
    trigrams = dict.fromkeys(trigram for part in parts for trigram in _trigrams_of(part))
    return " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)


def _trigrams_of(part: str) -> Iterator[str]:
    last = min(len(part) - LEAST, _MOST_TRIGRAMS)
    return (part[place : place + LEAST] for place in range(last + 1))


def _row(kind: Kind[Any], token: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "token_uid": token["uid"],
        **dict.fromkeys(kind.search_columns),
        **texts_of(kind, token),
    }


def _search_table(kind: Kind[Any]) -> Table:
    """Return the table of the texts.

    :raises TypeError: tokens of this kind are not searched.
    """
    if kind.search_table is None:
        message = f"a {kind.name} has no search"
        raise TypeError(message)
    return kind.search_table
