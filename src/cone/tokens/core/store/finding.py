"""Look-ups of tokens by uid, by another unique column, and by what a code means."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import Generic

from sqlalchemy import ColumnElement
from sqlalchemy import CompoundSelect
from sqlalchemy import Dialect
from sqlalchemy import Row
from sqlalchemy import Select
from sqlalchemy import String
from sqlalchemy import bindparam
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import literal
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import union_all

from cone.tokens.core import codes
from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import T
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.search import text_behind
from cone.tokens.core.store.filters import code_of
from cone.tokens.core.transaction import Transaction

#: Tokens that are looked at where a code is read in another case or by another keyboard; two are
#: enough to be in doubt.
MOST_READ: Final = 100

#: The column that a token is looked up by; its values are unique.
Selector = str


@dataclasses.dataclass(frozen=True, slots=True)
class Meant(Generic[T]):
    """The token that a text means.

    :ivar code: by which it is meant.
    :ivar is_former: it had that until it got another one in its place.
    """

    token: T
    code: str
    is_former: bool

    @property
    def uid(self) -> uuid.UUID:
        """The uid of the token."""
        return self.token.uid


def find(
    tx: Transaction,
    kind: Kind[T],
    by: Selector,
    sought: object,
    *,
    for_update: bool = False,
) -> T | None:
    """Return the token whose column ``by`` is ``sought``.

    :param for_update: keep others from changing it until the transaction ends.

    SQL: 1 statement.
    """
    if is_no_text(sought):
        return None
    if for_update:
        tx.lock(kind.tokens)
    row = _find(tx.dialect, kind, by, for_update=for_update).find(tx.connection, sought=sought)
    return _token(tx, kind, vars(row)) if row else None


def find_row(tx: Transaction, kind: Kind[Any], by: Selector, sought: object) -> Any:
    """Return the row that :func:`find` makes a token of, ``read_at`` included.

    SQL: 1 statement.
    """
    row = _find(tx.dialect, kind, by, for_update=False).find(tx.connection, sought=sought)
    if row and tx.own_time is not None:
        row.read_at = tx.own_time
    return row


def read_code(
    tx: Transaction,
    kind: Kind[T],
    text: str,
    site: str | None = None,
) -> Meant[T] | None:
    """Return the token that ``text`` means, which is no token's exact code.

    It may mean a code that was replaced. So does the address of the page of a token whose code was
    its uid: that has come into the world as the same ticket.

    :param site: address below which the pages of tokens are.

    SQL: 1 statement, along an index; none for a text that is no code in any reading.
    """
    sought = codes.sought(text, site)
    if sought is None:
        return None
    statement = _find_meant(tx.dialect.name, kind, with_page=sought.page_of is not None)
    parameters = {"values": sought.values, "digests": sought.digests, "page": sought.page_of}
    rows = tx.connection.execute(statement, parameters).all()
    found = [_meant(tx, kind, row._asdict()) for row in rows]
    # A token may have a code again that it had.
    found.sort(key=lambda one: not one.is_former)
    return codes.choose(sought, {one.code: one for one in found})


def _meant(tx: Transaction, kind: Kind[T], values: dict[str, Any]) -> Meant[T]:
    code, is_former = values.pop("meant_code"), values.pop("is_former")
    return Meant(_token(tx, kind, values), code, is_former)


def is_beginning(tx: Transaction, kind: Kind[Any], texts: Iterable[str]) -> bool:
    """Return whether a longer code begins with one of ``texts``, be it one that was replaced.

    SQL: 1 statement, along an index; none where no code can.
    """
    columns = [code_of(kind)]
    if kind.former_table is not None:
        columns.append(kind.former_table.c.value)
    possible = [text for text in texts if text and not is_no_text(text)]
    longer = [_is_longer(column, text) for column in columns for text in possible]
    return bool(longer and tx.connection.scalar(select(or_(*longer))))


def _is_longer(value: ColumnElement[str], text: str) -> ColumnElement[bool]:
    end = text_behind(text)
    longer = select(literal(1)).where(value > text)
    return (longer if end is None else longer.where(value < end)).exists()


def find_alike(
    tx: Transaction,
    kind: Kind[Any],
    wanted: Mapping[str, uuid.UUID | None],
) -> dict[str, str]:
    """Return codes that are read alike, though they differ, and are or were those of other tokens.

    :param wanted: codes, each with the token that has it or is to get it; None: a new one.
    :return: one such code for each of ``wanted`` that has some, one that a token has now first.

    SQL: 1 statement, along the indexes of the digests; none without codes.
    """
    digests = {code: codes.digest(code) for code in wanted}
    statement = _select_alike(kind, list(digests.values())) if digests else None
    if statement is None:
        return {}
    found: dict[str, list[Any]] = defaultdict(list)
    for row in tx.connection.execute(statement):
        found[row.digest].append(row)
    alike: dict[str, str] = {}
    for code, uid in wanted.items():
        others = [row for row in found[digests[code]] if row.code != code and row.uid != uid]
        if others:
            alike[code] = min(others, key=lambda row: (row.is_former, row.code)).code
    return alike


def find_known(
    tx: Transaction,
    kind: Kind[T],
    uids: Sequence[uuid.UUID],
    values: Sequence[str],
    *,
    for_update: bool = False,
) -> list[T]:
    """Return the tokens with one of ``uids`` or ``values``, in the order of their uids.

    :param uids: at most :data:`~cone.tokens.core.values.MAX_BATCH`.
    :param values: codes, at most three times as many.
    :param for_update: keep others from changing them until the transaction ends.

    SQL: 1 statement. Concurrency: as :func:`~cone.tokens.core.store.locking.lock_many`.
    """
    # An empty list would keep the databases from their indexes.
    lists: tuple[tuple[ColumnElement[Any], Sequence[Any]], ...] = (
        (code_of(kind), values),
        (kind.tokens.c.uid, uids),
    )
    sought = [column.in_(some) for column, some in lists if some]
    statement = select_tokens(tx.dialect.name, kind).where(or_(false(), *sought))
    if for_update:
        tx.lock(kind.tokens)
        statement = statement.with_for_update()
    return tokens(tx, kind, tx.connection.execute(statement.order_by(kind.tokens.c.uid)).all())


def find_rows(
    tx: Transaction,
    kind: Kind[Any],
    uids: Sequence[uuid.UUID],
) -> list[Row[Any]]:
    """Return the rows of tokens in the order of ``uids``, without those that are gone.

    SQL: 1 statement.
    """
    statement = select_tokens(tx.dialect.name, kind).where(kind.tokens.c.uid.in_(uids))
    by_uid = {row.uid: row for row in tx.connection.execute(statement).all()}
    return [by_uid[uid] for uid in uids if uid in by_uid]


def tokens(tx: Transaction, kind: Kind[T], rows: Iterable[Row[Any]]) -> list[T]:
    """Return the tokens of rows of :func:`select_tokens`."""
    return [_token(tx, kind, row._asdict()) for row in rows]


def _token(tx: Transaction, kind: Kind[T], values: dict[str, Any]) -> T:
    return kind.read(read_at=values.pop("read_at", tx.own_time), **values)


def select_tokens(dialect: str, kind: Kind[Any]) -> Select[Any]:
    """Return the statement that reads tokens."""
    columns: list[Any] = [
        column for column in kind.tokens.columns if column.name not in kind.unread
    ]
    if dialect == "postgresql":
        columns.append(func.clock_timestamp(type_=UtcDateTime).label("read_at"))
    return select(*columns)


def is_sought(kind: Kind[Any], by: Selector) -> ColumnElement[bool]:
    """Return the condition that a column has the value of the parameter ``sought``."""
    column = kind.tokens.columns[by]
    return column == bindparam("sought", type_=column.type)


def is_no_text(sought: object) -> bool:
    """Return whether no token can have this value; the databases would not even look."""
    return isinstance(sought, str) and not codes.is_text(sought)


@prepared_once
def _find(dialect: Dialect, kind: Kind[Any], by: Selector, *, for_update: bool) -> Prepared:
    statement = select_tokens(dialect.name, kind).where(is_sought(kind, by))
    return Prepared(statement.with_for_update() if for_update else statement, dialect)


@functools.cache
def _find_meant(
    dialect: str,
    kind: Kind[Any],
    *,
    with_page: bool,
) -> Select[Any] | CompoundSelect[Any]:
    """Return the statement that reads what a text can mean: tokens, each with the code for it.

    Who has one of the codes themselves is always among it, however many are alike, and without a
    digest too.
    """
    columns, code = kind.tokens.c, code_of(kind)
    tokens = select_tokens(dialect, kind)
    is_page = columns.uid == bindparam("page", type_=columns.uid.type)
    current = tokens.add_columns(code.label("meant_code"), literal(False).label("is_former"))  # noqa: FBT003
    values = bindparam("values", type_=code.type, expanding=True)
    exact: ColumnElement[bool] = code.in_(values)
    parts = [current.where(or_(exact, is_page) if with_page else exact)]
    digests = bindparam("digests", type_=String, expanding=True)
    digest = _digest_of(kind)
    if digest is not None:
        parts.append(_some(current.where(digest.in_(digests))))
    if kind.former_table is not None:
        kept = kind.former_table.c
        former = tokens.add_columns(
            kept.value.label("meant_code"),
            literal(True).label("is_former"),  # noqa: FBT003
        ).where(kept.token_uid == columns.uid)
        parts.append(former.where(kept.value.in_(values)))
        if digest is not None:
            parts.append(_some(former.where(kept.code_digest.in_(digests))))
    return union_all(*parts) if len(parts) > 1 else parts[0]


def _select_alike(
    kind: Kind[Any], digests: Sequence[str]
) -> Select[Any] | CompoundSelect[Any] | None:
    """Return the statement of the codes with these digests; None: they have none."""
    digest = _digest_of(kind)
    if digest is None:
        return None
    current = select(
        digest.label("digest"),
        code_of(kind).label("code"),
        kind.tokens.c.uid.label("uid"),
        literal(False).label("is_former"),  # noqa: FBT003
    ).where(digest.in_(digests))
    if kind.former_table is None:
        return current
    kept = kind.former_table.c
    former = select(
        kept.code_digest,
        kept.value,
        kept.token_uid,
        literal(True),  # noqa: FBT003
    ).where(kept.code_digest.in_(digests))
    return union_all(current, former)


def _some(alike: Select[Any]) -> Select[Any]:
    return select(alike.limit(MOST_READ).subquery())


def _digest_of(kind: Kind[Any]) -> ColumnElement[str] | None:
    """Return the column with the digests of the codes; None: only exact codes are found."""
    for derived in kind.derived:
        if derived.source == kind.code and derived.of is codes.digest:
            return kind.tokens.c[derived.column]
    return None
