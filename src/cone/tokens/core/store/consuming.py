"""Consumptions: a use is taken and logged, and its key is bound, in one statement where it can be.

Statements are prepared once for a dialect.
"""

from __future__ import annotations

import uuid
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

from cone.tokens.core import codes
from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.prepared import Prepared
from cone.tokens.core.prepared import prepared_once
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.records import UtcDateTime
from cone.tokens.core.store import filters
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import searching
from cone.tokens.core.store import usages
from cone.tokens.core.store.finding import C
from cone.tokens.core.store.finding import Coded
from cone.tokens.core.store.finding import Selector
from cone.tokens.core.transaction import NOW
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode

#: A consumption that finds no reason for its refusal tries again so many times.
ATTEMPTS: Final = 4

#: The use before, which a granted one tells.
_TOLD: Final = ("used_before", "user_before")

#: Who takes a use.
_ACTOR: Final = bindparam("actor", type_=String)


def consume(
    tx: Transaction,
    kind: ConsumedKind[Any],
    by: Selector,
    sought: object,
    attempt: Attempt,
) -> Outcome:
    """Take one use of the token whose column ``by`` is ``sought``, and log the try.

    The database is the judge: the update carries the whole lifecycle rule, and what the caller
    saw. Where it finds nothing, the token tells why; a token that could be consumed by then is
    tried again.

    :raises TypeError: the caller does not show what has to be ``seen``, or something else.
    :raises TokenNotFound: there is none; nothing is logged.
    :raises KeyTaken: the key is bound; nothing is changed.
    :raises Interrupted: the receipt is there; nothing is changed.
    :raises Unavailable: no reason was found in :data:`ATTEMPTS` tries.

    SQL without a key: granted 1 statement on PostgreSQL, 2 elsewhere; denied 3.
    Concurrency: a token with K uses is granted K times, a locked one once per lock time.
    """
    if finding.is_no_text(sought):
        raise TokenNotFound
    for _attempt in range(ATTEMPTS):
        granted = _grant(tx, kind, by, sought, attempt)
        if granted:
            return granted
        token = finding.find_row(tx, kind, by, sought)
        if token is None:
            raise TokenNotFound(sought if by == "uid" else None)
        denial = _denial(token, attempt)
        if denial:
            _log_denial(tx, kind, token, denial, attempt)
            return Denied(
                token_uid=token.uid,
                denial=denial,
                receipt=attempt.receipt,
                value=getattr(token, kind.code) if kind.code else None,
                last=LastUse(token.last_used, token.last_user),
                told=usages.told(kind, token),
            )
    raise Unavailable


def _denial(token: Any, attempt: Attempt) -> Denial | None:
    """Return why a use is refused.

    Another state than the caller saw comes first: it tells that somebody else has used the token,
    whatever else is the matter with it.
    """
    if any(getattr(token, name) != shown for name, shown in attempt.seen.items()):
        return Denial.TOKEN_REUSED
    return lifecycle.denial(token, token.read_at)


def consume_code(
    tx: Transaction,
    kind: ConsumedKind[Coded],
    sent: SentCode,
    attempt: Attempt,
) -> Outcome:
    """Take one use of the token that a code means; else as :func:`consume`.

    :raises Unfinished: the code may go on, and there is one that does.
    :raises Repeated: it is read as the code of a token that it must not be read as.

    SQL: that of :func:`consume` for an exact code. For another one 1 statement to look it up,
    and 1 or 2 more where it may go on.
    Concurrency: a token is consumed by the code that it was found with: one that was given
    another code meanwhile is not meant.
    """
    meant = _meant(sent)
    _refuse_beginning(tx, kind, meant)
    by = filters.code_of(kind).name
    try:
        return consume(tx, kind, by, sent.text, attempt)
    except TokenNotFound:
        token = finding.read_code(tx, kind, sent.text, sent.site)
        if token is None:
            raise
    _refuse_rest(tx, kind, token, meant)
    if token.uid in sent.not_read_as:
        raise Repeated(token.uid)
    return consume(tx, kind, by, token.value, attempt)


def consume_found(
    tx: Transaction,
    kind: ConsumedKind[Any],
    number: int,
    but: frozenset[uuid.UUID],
    attempt: Attempt,
) -> Outcome:
    """Take one use of a token that was found; else as :func:`consume`.

    :param number: of :func:`~cone.tokens.core.store.searching.newest`.
    :raises Repeated: it is one of ``but``.

    SQL: 1 statement more than :func:`consume`.
    """
    found = searching.newest(tx, kind, number, 1)
    if not found:
        raise TokenNotFound
    uid = found[0].token_uid
    if uid in but:
        raise Repeated(uid)
    return consume(tx, kind, "uid", uid, attempt)


def find_code(tx: Transaction, kind: ConsumedKind[C], sent: SentCode) -> C | None:
    """Return the token that a code means.

    :raises Unfinished: the code may go on, and there is one that does.

    SQL: 1 statement for an exact code, 2 for another one; 1 or 2 more where it may go on.
    """
    meant = _meant(sent)
    _refuse_beginning(tx, kind, meant)
    exact = finding.find(tx, kind, filters.code_of(kind).name, sent.text)
    token = exact or finding.read_code(tx, kind, sent.text, sent.site)
    if token and not exact:
        _refuse_rest(tx, kind, token, meant)
    return token


def _meant(sent: SentCode) -> list[str]:
    """Return the readings of a code that may go on; none of one that is complete."""
    if sent.is_complete:
        return []
    sought = codes.sought(sent.text)
    return sought.texts if sought else [sent.text]


def _refuse_rest(
    tx: Transaction,
    kind: ConsumedKind[Coded],
    token: Coded,
    meant: list[str],
) -> None:
    """Refuse a code that may go on, and was read in another case: in any case then.

    :raises Unfinished: another code begins with that of ``token``, or with one of ``meant``.
    """
    if meant:
        readings = [token.value, *map(str.upper, meant), *map(str.lower, meant)]
        _refuse_beginning(tx, kind, readings)


def _refuse_beginning(tx: Transaction, kind: ConsumedKind[Any], texts: list[str]) -> None:
    """Refuse a code that may go on.

    :raises Unfinished: another code begins with one of ``texts``.
    """
    if texts and finding.is_beginning(tx, kind, dict.fromkeys(texts)):
        raise Unfinished


def _grant(
    tx: Transaction,
    kind: ConsumedKind[Any],
    by: Selector,
    sought: object,
    attempt: Attempt,
) -> Granted | None:
    given = {"sought": sought, "actor": attempt.actor, **_shown(kind, attempt)}
    if tx.is_postgresql:
        row = _spend_and_log(tx.dialect, kind, by, with_key=attempt.key is not None).find(
            tx.connection,
            receipt=attempt.receipt,
            **given,
            **(keys.digests_of(attempt.key) if attempt.key else {}),
        )
    else:
        row = _spend(tx.dialect, kind, by).find(tx.connection, now=tx.own_time, **given)
        if row:
            usages.log(tx, kind, usages.row_of(kind, row, row.last_used, None, attempt))
            before = LastUse(row.used_before, row.user_before)
            if attempt.key:
                keys.bind_key(tx, attempt.key, usages.answer(attempt.receipt, before))
    if row is None:
        return None
    return Granted(
        token_uid=row.uid,
        usage_count=row.usage_count,
        receipt=attempt.receipt,
        value=str(sought) if by == kind.code else None,
        before=LastUse(row.used_before, row.user_before),
        told=usages.told(kind, row),
    )


def _shown(kind: ConsumedKind[Any], attempt: Attempt) -> dict[str, Any]:
    """Return the parameters with what the caller saw.

    :raises TypeError: it shows less than the kind asks for, or more.
    """
    if attempt.seen.keys() != set(kind.seen):
        message = f"a {kind.name} is used by who has seen {kind.seen}, not {(*attempt.seen,)}"
        raise TypeError(message)
    return {f"seen_{name}": shown for name, shown in attempt.seen.items()}


def _log_denial(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token: Any,
    denial: Denial,
    attempt: Attempt,
) -> None:
    last = LastUse(token.last_used, token.last_user)
    row = usages.row_of(kind, token, token.read_at, denial, attempt)
    if attempt.key and tx.is_postgresql:
        # One statement, since each commits itself here.
        bound = keys.row_of(attempt.key, usages.answer(attempt.receipt, last))
        _log_with_key(tx.dialect, kind).run(
            tx.connection,
            **{f"logged_{name}": value for name, value in row.items()},
            bound_hash=bound["key_hash"],
            bound_fingerprint=bound["fingerprint"],
            bound_answer=bound["answer"],
        )
        return
    usages.log(tx, kind, row)
    keys.bind_key(tx, attempt.key, usages.answer(attempt.receipt, last))


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
    names = ("uid", *kind.logged.values(), "last_used", *_TOLD, *kind.told)
    return [kind.tokens.c[name] for name in names]


@prepared_once
def _spend(dialect: Dialect, kind: ConsumedKind[Any], by: Selector) -> Prepared:
    return Prepared(_update(kind, by, NOW).returning(*_spent(kind)), dialect)


@prepared_once
def _spend_and_log(
    dialect: Dialect,
    kind: ConsumedKind[Any],
    by: Selector,
    *,
    with_key: bool,
) -> Prepared:
    """Return the one statement that spends, logs and binds the key.

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
    told = (spent.c[name] for name in ("uid", "usage_count", *_TOLD, *kind.told))
    statement = select(*told).add_cte(_insert_selected(kind.usages, logged).cte("logged"))
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
def _log_with_key(dialect: Dialect, kind: ConsumedKind[Any]) -> Prepared:
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
