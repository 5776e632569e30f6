"""The statements of a consumption: an update that carries the whole rule, and what it logs.

Each is prepared once for a dialect and a kind.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy import Dialect
from sqlalchemy import Insert
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import Update
from sqlalchemy import bindparam
from sqlalchemy import cast
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from cone.tokens.core import lifecycle
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import finding
from cone.tokens.core.store.finding import Selector
from cone.tokens.core.transaction import NOW

#: The use before, which a granted one tells.
_BEFORE: Final = ("used_before", "user_before")

#: Who takes a use.
_ACTOR: Final = bindparam("actor", type_=String)


def _update(kind: ConsumedKind[Any], by: Selector, now: ColumnElement[Any]) -> Update:
    columns = kind.tokens.c
    seen = (
        columns[name] == bindparam(f"seen_{name}", type_=columns[name].type) for name in kind.seen
    )
    return (
        update(kind.tokens)
        .where(finding.is_sought(kind, by), *seen, lifecycle.consumable(columns, now))
        .values(
            used_before=columns.last_used,
            user_before=columns.last_user,
            last_user=_ACTOR,
            version=columns.version + 1,
            **lifecycle.use_expressions(columns, now, kind.advanced),
        )
    )


def _spent(kind: ConsumedKind[Any]) -> list[ColumnElement[Any]]:
    """Return the columns that a granted use tells."""
    columns = kind.tokens.c
    names = ("uid", *kind.logged.values(), "last_used", *_BEFORE, *kind.shown)
    return [columns[name] for name in dict.fromkeys(names)]


def _told(
    make: Callable[..., ColumnElement[Any]],
    columns: ReadOnlyColumnCollection[str, Any],
    names: Iterable[str],
) -> ColumnElement[Any]:
    """Return columns as one, a list in JSON: each column of a result costs as much."""
    return cast(make(*(columns[name] for name in names)), Text).label("told")


@prepared_once
def spend(dialect: Dialect, kind: ConsumedKind[Any], by: Selector) -> Prepared:
    """Return the statement that takes a use; its column ``told`` is a list in JSON."""
    columns = kind.tokens.c
    told = _told(func.json_array, columns, (*_BEFORE, *kind.shown))
    logged = [columns[name] for name in dict.fromkeys(("uid", *kind.logged.values(), "last_used"))]
    return Prepared(_update(kind, by, NOW).returning(*logged, told), dialect)


@prepared_once
def spend_and_log(
    dialect: Dialect,
    kind: ConsumedKind[Any],
    by: Selector,
    *,
    with_key: bool,
) -> Prepared:
    """Return the one statement that takes a use, logs it and binds the key, for PostgreSQL.

    Its only column, ``told``, is a list in JSON: uid, uses left, and what :func:`spend` tells.

    The time is read once: a statement that waited for another consumption carries an earlier time
    than that one, so it is refused by its lock time.
    """
    moment = select(func.clock_timestamp(type_=UtcDateTime).label("at")).cte("moment")
    spent = _update(kind, by, moment.c.at).returning(*_spent(kind)).cte("spent")
    usage = {
        "uid": bindparam("receipt", type_=kind.usages.c.uid.type),
        "token_uid": spent.c.uid,
        "timestamp": spent.c.last_used,
        "user": _ACTOR,
        **{name: spent.c[source] for name, source in kind.logged.items()},
    }
    logged = {column.name: usage[column.name] for column in kind.usages.c if column.name in usage}
    told = ("uid", "usage_count", *_BEFORE, *kind.shown)
    statement = select(_told(func.json_build_array, spent.c, told)).add_cte(
        _insert_selected(kind.usages, logged).cte("logged")
    )
    if not with_key:
        return Prepared(statement, dialect)
    bound = {
        "key_hash": bindparam("key_hash", type_=REQUESTS.c.key_hash.type),
        "fingerprint": bindparam("fingerprint", type_=REQUESTS.c.fingerprint.type),
        "answer": _answer(logged["uid"], spent.c),
        "timestamp": spent.c.last_used,
    }
    statement = statement.add_cte(_insert_selected(REQUESTS, bound).cte("bound"))
    return Prepared(statement, dialect)


def _answer(receipt: ColumnElement[Any], spent: Any) -> ColumnElement[Any]:
    """Return :func:`usages.answer` as SQL, of a use that the same statement takes."""
    members = {"receipt": receipt, "time": spent.used_before, "user": spent.user_before}
    parts = (part for name in members for part in (text(f"'{name}'"), members[name]))
    return cast(func.json_build_object(*parts), Text)


def _insert_selected(table: Table, columns: Mapping[str, ColumnElement[Any]]) -> Insert:
    return insert(table).from_select(list(columns), select(*columns.values()))


@prepared_once
def log_with_key(dialect: Dialect, kind: ConsumedKind[Any]) -> Prepared:
    """Return the one statement that logs a refusal and binds the key, for PostgreSQL."""
    bound = insert(REQUESTS).values(
        key_hash=bindparam("bound_hash"),
        fingerprint=bindparam("bound_fingerprint"),
        answer=bindparam("bound_answer"),
        timestamp=func.clock_timestamp(),
    )
    values: dict[str, Any] = {
        column.name: bindparam(f"logged_{column.name}") for column in kind.usages.c
    }
    statement = insert(kind.usages).values(values).add_cte(bound.cte("bound"))
    return Prepared(statement, dialect)
