"""Consumptions: a use is taken and logged, and its key is bound, in one statement if possible."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any
from typing import Final

from cone.tokens.core.column_types import check_of
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.records import read_instant
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import spending
from cone.tokens.core.store import usages
from cone.tokens.core.store.finding import Selector
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Outcome

#: A consumption that finds no reason for its refusal tries again so many times.
ATTEMPTS: Final = 4


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
    :raises RuntimeError: as :meth:`Transaction.lock`.
    :raises TokenNotFound: there is none; nothing is logged.
    :raises KeyTaken: the key is bound; nothing is changed.
    :raises Interrupted: the receipt is there; nothing is changed.
    :raises Unavailable: no reason was found in :data:`ATTEMPTS` tries.

    SQL without a key: 1 statement on PostgreSQL; elsewhere 2 where it is granted, 3 where not. An
    override of a token without uses takes those twice.
    Concurrency: a token with K uses is granted K times, a locked one once per lock time.
    """
    if finding.is_no_text(sought):
        raise TokenNotFound
    can_match = _is_any_state(kind, attempt)
    if not kind.has_manners and attempt.manner is not PLAIN:
        message = f"a {kind.name} is used in the plain manner alone"
        raise TypeError(message)
    tx.lock(kind.tokens)
    if not can_match:
        return deny(tx, kind, _found(tx, kind, by, sought), Denial.TOKEN_REUSED, attempt)
    for _attempt in range(ATTEMPTS):
        for each in _attempts(attempt):
            outcome = _try(tx, kind, by, sought, each)
            if outcome:
                return outcome
    raise Unavailable


def _attempts(attempt: Attempt) -> tuple[Attempt, ...]:
    """Return the attempts that are made for one: an override takes a use where one is left."""
    if attempt.manner.override is None:
        return (attempt,)
    manners = (dataclasses.replace(attempt.manner, uses=uses) for uses in (1, 0))
    return tuple(dataclasses.replace(attempt, manner=manner) for manner in manners)


def _found(tx: Transaction, kind: ConsumedKind[Any], by: Selector, sought: object) -> Any:
    """Return the row of a token.

    :raises TokenNotFound: there is none.
    """
    token = finding.find_row(tx, kind, by, sought)
    if token is None:
        raise TokenNotFound(sought if by == "uid" else None)
    return token


def _try(
    tx: Transaction,
    kind: ConsumedKind[Any],
    by: Selector,
    sought: object,
    attempt: Attempt,
) -> Outcome | None:
    """Try to take a use, and log the try; None: another one came between.

    :raises TokenNotFound: there is no such token.
    """
    if tx.is_postgresql:
        return _try_at_once(tx, kind, by, sought, attempt)
    granted = _grant(tx, kind, by, sought, attempt)
    if granted:
        return granted
    token = _found(tx, kind, by, sought)
    denial = _denial(kind, token, attempt)
    return deny(tx, kind, token, denial, attempt) if denial else None


def _denial(kind: ConsumedKind[Any], token: Any, attempt: Attempt) -> Denial | None:
    """Return why a use is refused; None: there is no reason, try again.

    Another state than the caller saw comes first: it tells that somebody else has used the token,
    whatever else is the matter with it. An override is refused for nothing: it says whether a use
    is left, and that is tried the other way.
    """
    if any(getattr(token, name) != value for name, value in attempt.seen.items()):
        return Denial.TOKEN_REUSED
    if attempt.manner.override is not None:
        return None
    return kind.rules.denial(token, token.read_at, attempt.manner)


def _try_at_once(
    tx: Transaction,
    kind: ConsumedKind[Any],
    by: Selector,
    sought: object,
    attempt: Attempt,
) -> Outcome | None:
    """Return :func:`_try` in one statement, as PostgreSQL has it."""
    key, manner = keys.of_kind(kind, attempt.key), attempt.manner
    statement = spending.try_and_log(tx.dialect, kind, by, manner.shape, with_key=key is not None)
    row = statement.find(
        tx.connection,
        receipt=attempt.receipt,
        **_given(sought, attempt),
        **({} if manner is PLAIN else usages.told_manner(manner, "manner_")),
        **(keys.digests_of(key) if key else {}),
    )
    if row is None:
        raise TokenNotFound(sought if by == "uid" else None)
    uid, count, is_granted, code, is_taken, time, user, *rest = json.loads(row.told)
    known_code, *shown = rest if kind.code else (None, *rest)
    if code is None and not is_granted:
        return None
    tx.leave_trace(kind.usages, attempt.receipt)
    last = LastUse(time and read_instant(time), user)
    common = {
        "token_uid": uuid.UUID(uid),
        "receipt": attempt.receipt,
        "details": dict(zip(kind.shown, shown, strict=True)),
        "usage_count": count,
    }
    if is_granted:
        value = str(sought) if by == kind.code else None
        return Granted(before=last, value=value, uses=manner.asked if is_taken else 0, **common)
    denial = Denial(Denial.from_code(code))
    return Denied(denial=denial, last=last, value=known_code, **common)


def _given(sought: object, attempt: Attempt) -> dict[str, Any]:
    """Return the parameters that statements of a try have on both databases."""
    seen = {f"seen_{name}": value for name, value in attempt.seen.items()}
    manner = spending.parameters(attempt.manner)
    return {"sought": sought, "actor": attempt.actor, **seen, **manner}


def _grant(
    tx: Transaction,
    kind: ConsumedKind[Any],
    by: Selector,
    sought: object,
    attempt: Attempt,
) -> Granted | None:
    statement = spending.spend(tx.dialect, kind, by, attempt.manner.shape)
    now, manner = tx.time(), attempt.manner
    given = _given(sought, attempt)
    if manner.direction is Direction.OUT:
        # An exit leaves the last use, and who took it, as they are.
        del given["actor"]
    row = statement.find(tx.connection, now=now, **given)
    if row is None:
        return None
    if manner is not PLAIN and row.last_used != now:
        manner = dataclasses.replace(manner, uses=0)
    attempt = dataclasses.replace(attempt, manner=manner)
    usages.log(tx, kind, usages.row_of(kind, row, now, None, attempt))
    key = keys.of_kind(kind, attempt.key)
    value = str(sought) if by == kind.code else None
    granted = _granted(kind, attempt, (row.uid, row.usage_count, value), json.loads(row.told))
    if key and granted.before:
        keys.bind_key(tx, key, usages.answer(attempt.receipt, granted.before))
    return granted


def _granted(
    kind: ConsumedKind[Any],
    attempt: Attempt,
    token: tuple[uuid.UUID, int, str | None],
    told: list[Any],
) -> Granted:
    """Return the outcome of a use that was taken.

    :param token: its uid, its uses left and the code that it was asked for by.
    :param told: of :func:`spending.spend`.
    """
    uid, count, value = token
    time, user, *rest = told
    return Granted(
        token_uid=uid,
        usage_count=count,
        receipt=attempt.receipt,
        value=value,
        before=LastUse(time and read_instant(time), user),
        details=dict(zip(kind.shown, rest, strict=True)),
        uses=attempt.manner.asked,
    )


def _is_any_state(kind: ConsumedKind[Any], attempt: Attempt) -> bool:
    """Return whether a token can be in the state that the caller saw.

    The databases would find 0 for "0" or 0.5, and refuse some values with an error.

    :raises TypeError: the caller shows less than the kind asks for, or more.
    """
    if attempt.seen.keys() != set(kind.seen):
        message = f"a {kind.name} is used by who has seen {kind.seen}, not {(*attempt.seen,)}"
        raise TypeError(message)
    columns = kind.tokens.c
    return all(check_of(columns[name])(value) for name, value in attempt.seen.items())


def deny(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token: Any,
    denial: Denial,
    attempt: Attempt,
) -> Denied:
    """Log a refusal, and return it."""
    _log_denial(tx, kind, token, denial, attempt)
    return Denied(
        token_uid=token.uid,
        denial=denial,
        receipt=attempt.receipt,
        value=usages.shown_code(kind.code and getattr(token, kind.code), denial),
        last=LastUse(token.last_used, token.last_user),
        details=usages.details_of(kind, token),
        usage_count=token.usage_count,
    )


def _log_denial(
    tx: Transaction,
    kind: ConsumedKind[Any],
    token: Any,
    denial: Denial,
    attempt: Attempt,
) -> None:
    last = LastUse(token.last_used, token.last_user)
    row = usages.row_of(kind, token, token.read_at, denial, attempt)
    key = keys.of_kind(kind, attempt.key)
    if key and tx.is_postgresql:
        # One statement, since each commits itself here.
        bound = keys.row_of(key, usages.answer(attempt.receipt, last))
        spending.log_with_key(tx.dialect, kind, frozenset(row)).run(
            tx.connection,
            **{f"logged_{name}": value for name, value in row.items()},
            bound_hash=bound["key_hash"],
            bound_fingerprint=bound["fingerprint"],
            bound_answer=bound["answer"],
        )
        tx.leave_trace(kind.usages, attempt.receipt)
        return
    usages.log(tx, kind, row)
    keys.bind_key(tx, key, usages.answer(attempt.receipt, last))
