"""Idempotency keys held against the rows that their answers are read from."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from typing import Final
from typing import NamedTuple

from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.findings import Times
from cone.tokens.core.kind import Kind

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

#: What a consumption answers: its receipt, and the use before it.
_OUTCOMES: Final = ({"receipt"}, {"receipt", "time", "user"})


class Key(NamedTuple):
    """A row of ``token_requests``; ``answer`` is JSON."""

    key_hash: str
    fingerprint: str
    answer: str
    time: datetime.datetime


class Answer(NamedTuple):
    """What a key is bound to: the receipt of a consumption, or the tokens that were added.

    Neither, where it is an answer of a kind of tokens alone.
    """

    receipt: uuid.UUID | None
    token_uids: tuple[uuid.UUID, ...]


class Tried(NamedTuple):
    """The row of the log of usages that a receipt names."""

    token_uid: uuid.UUID
    version: int
    time: datetime.datetime


def answer_of(key: Key, kinds: Sequence[Kind[Any]]) -> Answer | None:
    """Return the answer that a key is bound to; None: no request is answered in that way.

    :param kinds: all that there are.
    """
    try:
        answer = json.loads(key.answer)
        if answer.keys() in _OUTCOMES:
            return Answer(uuid.UUID(answer["receipt"]), ())
        if answer.keys() == {"token_uids"}:
            return Answer(None, tuple(uuid.UUID(uid) for uid in answer["token_uids"]))
        is_of_a_kind = any(kind.is_answer(answer) for kind in kinds)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return Answer(None, ()) if is_of_a_kind else None


def check_keys(
    keys: Iterable[tuple[Key, Answer | None]],
    tried: Mapping[uuid.UUID, Tried],
    added: AbstractSet[uuid.UUID],
    times: Times,
) -> Iterator[Finding]:
    """Return the findings about keys.

    :param tried: the rows of the receipts that there are.
    :param added: those of the tokens of the answers of which an event tells that they were added.
    """
    for key, answer in keys:
        row = tried.get(answer.receipt) if answer and answer.receipt else None
        for text in _wrong(key, answer, row, added, times):
            yield Finding(
                problem=Problem.REQUEST,
                token_uid=row.token_uid if row else None,
                text=f"key {key.key_hash!s:.12}: {text}",
                version=row.version if row else None,
                time=key.time,
                receipt=answer.receipt if answer else None,
            )


def _wrong(
    key: Key,
    answer: Answer | None,
    row: Tried | None,
    added: AbstractSet[uuid.UUID],
    times: Times,
) -> Iterator[str]:
    if not all(_DIGEST.fullmatch(str(part)) for part in (key.key_hash, key.fingerprint)):
        yield "is no digest of a key or of a request"
    if times.is_future(key.time):
        yield "is of the future"
    if answer is None:
        yield "has an answer that no request gets"
    elif answer.receipt and row is None:
        yield "the row that its answer is read from is not there"
    elif row and times.differ(key.time, row.time):
        yield f"is of another time than the row of its answer, {row.time}"
    elif not added >= set(answer.token_uids):
        yield "no event tells that the tokens of its answer were added"


def bound_twice(answer: Any) -> Finding:
    """Return the finding about an answer that several keys are bound to."""
    text = f"several keys have the answer {answer!s:.60}"
    return Finding(problem=Problem.REQUEST, token_uid=None, text=text)
