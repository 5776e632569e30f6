"""Consumptions: a use is taken and logged, and its key is bound, in one statement if possible."""

from __future__ import annotations

import json
import uuid
from typing import Any
from typing import Final

from cone.tokens.core import codes
from cone.tokens.core import lifecycle
from cone.tokens.core.column_types import check_of
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import T
from cone.tokens.core.records import read_instant
from cone.tokens.core.store import filters
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import searching
from cone.tokens.core.store import spending
from cone.tokens.core.store import usages
from cone.tokens.core.store.finding import Meant
from cone.tokens.core.store.finding import Selector
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode

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

    SQL without a key: granted 1 statement on PostgreSQL, 2 elsewhere; denied 3.
    Concurrency: a token with K uses is granted K times, a locked one once per lock time.
    """
    if finding.is_no_text(sought):
        raise TokenNotFound
    can_match = _is_any_state(kind, attempt)
    tx.lock(kind.tokens)
    for _attempt in range(ATTEMPTS):
        granted = _grant(tx, kind, by, sought, attempt) if can_match else None
        if granted:
            return granted
        token = finding.find_row(tx, kind, by, sought)
        if token is None:
            raise TokenNotFound(sought if by == "uid" else None)
        denial = _denial(token, attempt) if can_match else Denial.TOKEN_REUSED
        if denial:
            return _deny(tx, kind, token, denial, attempt)
    raise Unavailable


def _denial(token: Any, attempt: Attempt) -> Denial | None:
    """Return why a use is refused.

    Another state than the caller saw comes first: it tells that somebody else has used the token,
    whatever else is the matter with it.
    """
    if any(getattr(token, name) != value for name, value in attempt.seen.items()):
        return Denial.TOKEN_REUSED
    return lifecycle.denial(token, token.read_at)


def consume_code(
    tx: Transaction,
    kind: ConsumedKind[Any],
    sent: SentCode,
    attempt: Attempt,
) -> Outcome:
    """Take one use of the token that a code means; else as :func:`consume`.

    A code that was replaced is refused before anything is asked of the token. The try is logged
    there.

    :raises Unfinished: the code may go on, and there is one that does.
    :raises Repeated: it is read as the code of a token that it must not be read as.

    SQL: that of :func:`consume` for an exact code, and 2 more with ``not_found``. For another one
    1 statement to look it up, and 1 or 2 more where it may go on.
    Concurrency: a token is consumed by the code that it was found with: one that was given
    another code meanwhile is not meant.
    """
    by, meant = filters.code_of(kind).name, _meant(sent)
    if meant:
        _refuse_beginning(tx, kind, meant)
    if sent.not_found:
        _refuse_found(tx, kind, sent)
    try:
        return consume(tx, kind, by, sent.text, attempt)
    except TokenNotFound:
        read = finding.read_code(tx, kind, sent.text, sent.site)
        if read is None:
            raise
    _refuse_rest(tx, kind, read.code, meant)
    if read.is_former:
        return _deny(tx, kind, read.token, Denial.REPLACED, attempt)
    if read.uid in sent.not_read_as:
        raise Repeated(read.uid)
    return consume(tx, kind, by, read.code, attempt)


def _refuse_found(tx: Transaction, kind: ConsumedKind[Any], sent: SentCode) -> None:
    """Refuse the code of a token that was found, and is not meant.

    :raises Repeated: it is one of ``sent.not_found``.

    SQL: 1 statement, and those of :func:`find_code`.
    """
    numbers = searching.numbers_of(tx, kind, sent.not_found)
    read = _read(tx, kind, sent) if numbers else None
    if read and not read.is_former and read.uid in numbers:
        raise Repeated(read.uid, numbers[read.uid])


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


def find_code(tx: Transaction, kind: ConsumedKind[T], sent: SentCode) -> T | None:
    """Return the token that a code means.

    :raises Unfinished: the code may go on, and there is one that does.
    :raises Replaced: the token has another code now.

    SQL: 1 statement for an exact code, 2 for another one; 1 or 2 more where it may go on.
    """
    read = _read(tx, kind, sent)
    if read and read.is_former:
        raise Replaced(read.uid)
    return read.token if read else None


def _read(tx: Transaction, kind: ConsumedKind[T], sent: SentCode) -> Meant[T] | None:
    """Return the token that a code means.

    :raises Unfinished: the code may go on, and there is one that does.
    """
    by, meant = filters.code_of(kind).name, _meant(sent)
    _refuse_beginning(tx, kind, meant)
    exact = finding.find(tx, kind, by, sent.text)
    if exact:
        return Meant(exact, sent.text, is_former=False)
    read = finding.read_code(tx, kind, sent.text, sent.site)
    if read:
        _refuse_rest(tx, kind, read.code, meant)
    return read


def _meant(sent: SentCode) -> list[str]:
    """Return the readings of a code that may go on, in each case; none of one that is complete."""
    if sent.is_complete:
        return []
    sought = codes.sought(sent.text)
    texts = sought.texts if sought else [sent.text]
    return [*texts, *map(str.upper, texts), *map(str.lower, texts)]


def _refuse_rest(
    tx: Transaction,
    kind: ConsumedKind[Any],
    code: str,
    meant: list[str],
) -> None:
    """Check that no other code begins with this one, which was read of ``meant``.

    :raises Unfinished: another code begins with ``code``.
    """
    if meant and code not in meant:
        _refuse_beginning(tx, kind, [code])


def _refuse_beginning(tx: Transaction, kind: ConsumedKind[Any], texts: list[str]) -> None:
    """Check that no other code begins with one of ``texts``.

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
    seen = {f"seen_{name}": value for name, value in attempt.seen.items()}
    given = {"sought": sought, "actor": attempt.actor, **seen}
    value = str(sought) if by == kind.code else None
    key = keys.of_kind(kind, attempt.key)
    if tx.is_postgresql:
        row = spending.spend_and_log(tx.dialect, kind, by, with_key=key is not None).find(
            tx.connection,
            receipt=attempt.receipt,
            **given,
            **(keys.digests_of(key) if key else {}),
        )
        if row is None:
            return None
        tx.leave_trace(kind.usages, attempt.receipt)
        uid, count, *told = json.loads(row.told)
        return _granted(kind, attempt, (uuid.UUID(uid), count, value), told)
    row = spending.spend(tx.dialect, kind, by).find(tx.connection, now=tx.own_time, **given)
    if row is None:
        return None
    usages.log(tx, kind, usages.row_of(kind, row, row.last_used, None, attempt))
    told = json.loads(row.told)
    granted = _granted(kind, attempt, (row.uid, row.usage_count, value), told)
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


def _deny(
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
        spending.log_with_key(tx.dialect, kind).run(
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
