"""The statements of a consumption: an update that carries the whole rule, and what it logs.

Each is prepared once for a dialect and a kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Final

from sqlalchemy import CTE
from sqlalchemy import ColumnElement
from sqlalchemy import Dialect
from sqlalchemy import Insert
from sqlalchemy import Integer
from sqlalchemy import Select
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import Update
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import cast
from sqlalchemy import exists
from sqlalchemy import false
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import literal
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import true
from sqlalchemy import union_all
from sqlalchemy import update

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.manner import Shape
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import finding
from cone.tokens.core.store.finding import Selector
from cone.tokens.core.transaction import NOW

#: The use before, which a granted one tells; a refused one tells the last one in their place.
_BEFORE: Final = ("used_before", "user_before")
_LAST: Final = ("last_used", "last_user")

#: Whether it was granted, and why not.
_RESULT: Final = ("is_granted", "code")

#: Who takes a use.
_ACTOR: Final = bindparam("actor", type_=String)


def parameters(manner: Manner) -> dict[str, Any]:
    """Return the parameters of the statements of a manner of its shape."""
    given: dict[str, Any] = {}
    if manner is PLAIN:
        return given
    if manner.direction is not Direction.OUT:
        given["manner_uses"] = manner.uses
    if manner.direction is Direction.IN:
        given["manner_inside_until"] = manner.inside_until
    if manner.categories is not None and manner.override is None:
        given["manner_categories"] = json.dumps(manner.categories)
    return given


def _manner_of(shape: Shape) -> Manner:
    """Return the manner of a statement: parameters stand for what is no part of its shape."""
    if shape.is_plain:
        return PLAIN
    return Manner(
        uses=bindparam("manner_uses", type_=Integer),
        categories=bindparam("manner_categories", type_=Text) if shape.has_categories else None,
        direction=shape.direction,
        inside_until=bindparam("manner_inside_until", type_=UtcDateTime),
        override="" if shape.is_override else None,
    )


def _is_seen(kind: ConsumedKind[Any]) -> list[ColumnElement[bool]]:
    columns = kind.tokens.c
    return [
        columns[name] == bindparam(f"seen_{name}", type_=columns[name].type) for name in kind.seen
    ]


def _update(
    kind: ConsumedKind[Any], by: Selector, now: ColumnElement[Any], manner: Manner
) -> Update:
    columns = kind.tokens.c
    changed = lifecycle.use_expressions(columns, now, kind.effects, manner)
    if "last_used" in changed:
        told: dict[str, ColumnElement[Any]] = {
            "used_before": columns.last_used,
            "user_before": columns.last_user,
            "last_user": _ACTOR,
        }
        changed |= {
            name: lifecycle.unless(kind.takes_none(columns, now, manner), columns[name], value)
            for name, value in told.items()
        }
    return (
        update(kind.tokens)
        .where(
            finding.is_sought(kind, by),
            *_is_seen(kind),
            kind.rules.consumable(columns, now, manner),
        )
        .values(version=columns.version + 1, **changed)
    )


def _spent(kind: ConsumedKind[Any]) -> list[ColumnElement[Any]]:
    """Return the columns that a granted use tells."""
    columns = kind.tokens.c
    names = ("uid", *kind.logged.values(), "last_used", *_BEFORE, *kind.shown)
    return [columns[name] for name in dict.fromkeys(names)]


def _told(
    make: Callable[..., ColumnElement[Any]], columns: Iterable[ColumnElement[Any]]
) -> ColumnElement[Any]:
    """Return columns as one, a list in JSON: each column of a result costs as much."""
    return cast(make(*columns), Text).label("told")


@prepared_once
def spend(dialect: Dialect, kind: ConsumedKind[Any], by: Selector, shape: Shape) -> Prepared:
    """Return the statement that takes a use; its column ``told`` is a list in JSON."""
    columns = kind.tokens.c
    told = _told(func.json_array, (columns[name] for name in (*_BEFORE, *kind.shown)))
    logged = [columns[name] for name in dict.fromkeys(("uid", *kind.logged.values(), "last_used"))]
    statement = _update(kind, by, NOW, _manner_of(shape)).returning(*logged, told)
    return Prepared(statement, dialect)


@prepared_once
def try_and_log(
    dialect: Dialect,
    kind: ConsumedKind[Any],
    by: Selector,
    shape: Shape,
    *,
    with_key: bool,
) -> Prepared:
    """Return the one statement that tries to take a use, logs it and binds the key, for PostgreSQL.

    No row: there is no such token. The only column, ``told``, is a list in JSON: uid, uses left,
    whether it was granted, else the code of the refusal, whether a use was taken, time and user of
    the use before (of the last one, where it is refused), the code of the token and what
    :attr:`ConsumedKind.shown` names. Where it is neither granted nor refused, another use came
    between, and nothing was logged: ask again.

    The time is read once: a statement that waited for another consumption carries an earlier time
    than that one, so it is refused by its lock time.
    """
    manner = _manner_of(shape)
    moment = select(func.clock_timestamp(type_=UtcDateTime).label("at")).cte("moment")
    spent = _update(kind, by, moment.c.at, manner).returning(*_spent(kind)).cte("spent")
    tried = union_all(
        _granted(kind, spent, moment, shape), _seen(kind, by, spent, moment, manner)
    ).cte("tried")
    usage = {
        "uid": bindparam("receipt", type_=kind.usages.c.uid.type),
        "token_uid": tried.c.uid,
        "timestamp": moment.c.at,
        "error_code": tried.c.code,
        "user": _ACTOR,
        **{name: tried.c[source] for name, source in kind.logged.items()},
        **_logged_manner(kind, tried, shape),
    }
    logged = {column.name: usage[column.name] for column in kind.usages.c if column.name in usage}
    told = (*("uid", "usage_count", *_RESULT, "is_taken", *_BEFORE), *_codes(kind), *kind.shown)
    statement = select(_told(func.json_build_array, (tried.c[name] for name in told))).add_cte(
        _insert_tried(kind.usages, logged, tried, moment).cte("logged")
    )
    if not with_key:
        return Prepared(statement, dialect)
    bound = {
        "key_hash": bindparam("key_hash", type_=REQUESTS.c.key_hash.type),
        "fingerprint": bindparam("fingerprint", type_=REQUESTS.c.fingerprint.type),
        "answer": _answer(usage["uid"], tried.c),
        "timestamp": moment.c.at,
    }
    return Prepared(
        statement.add_cte(_insert_tried(REQUESTS, bound, tried, moment).cte("bound")), dialect
    )


def _codes(kind: ConsumedKind[Any]) -> tuple[str, ...]:
    return (kind.code,) if kind.code else ()


def _names(kind: ConsumedKind[Any]) -> list[str]:
    """Return the columns of a token that a try logs or tells, but those of its last uses."""
    return list(dict.fromkeys(("uid", *_codes(kind), *kind.logged.values(), *kind.shown)))


def _granted(kind: ConsumedKind[Any], spent: CTE, moment: CTE, shape: Shape) -> Select[Any]:
    """Return the row of a use that was granted."""
    is_taken: ColumnElement[bool] = true()
    if shape.direction is not None:
        is_taken = spent.c.last_used == moment.c.at
    return select(
        *(spent.c[name] for name in _names(kind)),
        *(spent.c[name] for name in _BEFORE),
        is_taken.label("is_taken"),
        true().label("is_granted"),
        cast(null(), Integer).label("code"),
    ).select_from(spent.join(moment, true()))


def _seen(
    kind: ConsumedKind[Any], by: Selector, spent: CTE, moment: CTE, manner: Manner
) -> Select[Any]:
    """Return the row of a token of which no use was taken, with the reason.

    Another state than the caller saw comes first: it tells that somebody else has used the token,
    whatever else is the matter with it. An override is refused for nothing: it says whether a use
    is left, and that is tried the other way.
    """
    columns = kind.tokens.c
    code: ColumnElement[Any] = cast(null(), Integer)
    if manner.override is None:
        code = kind.rules.code(columns, moment.c.at, manner)
    for is_seen in _is_seen(kind):
        code = case((not_(is_seen), Denial.TOKEN_REUSED.code), else_=code)
    return (
        select(
            *(columns[name] for name in _names(kind)),
            *(columns[name].label(told) for name, told in zip(_LAST, _BEFORE, strict=True)),
            false().label("is_taken"),
            false().label("is_granted"),
            code.label("code"),
        )
        .select_from(kind.tokens.join(moment, true()))
        .where(finding.is_sought(kind, by), ~exists().select_from(spent))
    )


def _logged_manner(
    kind: ConsumedKind[Any], tried: CTE, shape: Shape
) -> dict[str, ColumnElement[Any]]:
    """Return the columns that a manner has in the log."""
    if shape.is_plain:
        return {}
    usage = kind.usages.c
    given = {
        name: bindparam(f"manner_{name}", type_=usage[name].type)
        for name in ("checkpoint", "direction", "override")
    }
    asked: ColumnElement[Any] = literal(0, Integer)
    if shape.direction is not Direction.OUT:
        asked = bindparam("manner_uses", type_=Integer)
    takes_none = and_(tried.c.is_granted, not_(tried.c.is_taken))
    return {"uses": case((takes_none, 0), else_=asked), **given}


def _answer(receipt: ColumnElement[Any], tried: Any) -> ColumnElement[Any]:
    """Return :func:`usages.answer` as SQL, of a try that the same statement makes."""
    members = {"receipt": receipt, "time": tried.used_before, "user": tried.user_before}
    parts = (part for name in members for part in (text(f"'{name}'"), members[name]))
    return cast(func.json_build_object(*parts), Text)


def _insert_tried(
    table: Table, columns: Mapping[str, ColumnElement[Any]], tried: CTE, moment: CTE
) -> Insert:
    """Return the insert of a row about a try whose result is known."""
    is_known = or_(tried.c.is_granted, tried.c.code.is_not(None))
    row = select(*columns.values()).select_from(tried.join(moment, true())).where(is_known)
    return insert(table).from_select(list(columns), row)


@prepared_once
def log_with_key(dialect: Dialect, kind: ConsumedKind[Any], columns: frozenset[str]) -> Prepared:
    """Return the one statement that logs a refusal and binds the key, for PostgreSQL.

    :param columns: those of the row.
    """
    bound = insert(REQUESTS).values(
        key_hash=bindparam("bound_hash"),
        fingerprint=bindparam("bound_fingerprint"),
        answer=bindparam("bound_answer"),
        timestamp=func.clock_timestamp(),
    )
    values: dict[str, Any] = {name: bindparam(f"logged_{name}") for name in sorted(columns)}
    statement = insert(kind.usages).values(values).add_cte(bound.cte("bound"))
    return Prepared(statement, dialect)
