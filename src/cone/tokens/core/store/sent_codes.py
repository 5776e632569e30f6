"""Codes as devices send them: the token that is meant, and uses that are taken by it."""

from __future__ import annotations

import uuid
from typing import Any

from cone.tokens.core import codes
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import Repeated
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import T
from cone.tokens.core.store import consuming
from cone.tokens.core.store import filters
from cone.tokens.core.store import finding
from cone.tokens.core.store import searching
from cone.tokens.core.store.finding import Meant
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode


def consume_code(
    tx: Transaction,
    kind: ConsumedKind[Any],
    sent: SentCode,
    attempt: Attempt,
) -> Outcome:
    """Take one use of the token that a code means; else as :func:`consuming.consume`.

    A code that was replaced is refused before anything is asked of the token. The try is logged
    there.

    :raises Unfinished: the code may go on, and there is one that does.
    :raises Repeated: it is read as the code of a token that it must not be read as.

    SQL: that of :func:`consuming.consume` for an exact code, and 2 more with ``not_found``. For
    another one 1 statement to look it up, and 1 or 2 more where it may go on.
    Concurrency: a token is consumed by the code that it was found with: one that was given
    another code meanwhile is not meant.
    """
    by, meant = filters.code_of(kind).name, _meant(sent)
    if meant:
        _refuse_beginning(tx, kind, meant)
    if sent.not_found:
        _refuse_found(tx, kind, sent)
    try:
        return consuming.consume(tx, kind, by, sent.text, attempt)
    except TokenNotFound:
        read = finding.read_code(tx, kind, sent.text, sent.site)
        if read is None:
            raise
    _refuse_rest(tx, kind, read.code, meant)
    if read.is_former:
        return consuming.deny(tx, kind, read.token, Denial.REPLACED, attempt)
    if read.uid in sent.not_read_as:
        raise Repeated(read.uid)
    return consuming.consume(tx, kind, by, read.code, attempt)


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
    """Take one use of a token that was found; else as :func:`consuming.consume`.

    :param number: of :func:`~cone.tokens.core.store.searching.newest`.
    :raises Repeated: it is one of ``but``.

    SQL: 1 statement more than :func:`consuming.consume`.
    """
    uid = searching.uid_of(tx, kind, number)
    if uid in but:
        raise Repeated(uid)
    return consuming.consume(tx, kind, "uid", uid, attempt)


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
