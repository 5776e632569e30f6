"""Tickets as a kind of tokens.

The kernel (statements, histories, transactions) does not know them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Final

from cone.tokens.core import codes
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Derived
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.records import table_of
from cone.tokens.core.store.changing import NewRow
from cone.tokens.tickets import door
from cone.tokens.tickets import imports
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenFormerRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenSearchRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.values import AUDITED
from cone.tokens.tickets.values import DETAILS
from cone.tokens.tickets.values import PERSONAL
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Ticket


def _as_given(count: int) -> int:
    """Return the uses that a token is given, whatever is taken of them later."""
    return count


def answer_of_replacement(code: str) -> dict[str, str]:
    """Return the answer that the key of a replacement is bound to."""
    return {"replaced_by": code}


def _is_answer(answer: dict[str, Any]) -> bool:
    is_replacement = answer.keys() == {"replaced_by"} and isinstance(answer["replaced_by"], str)
    return is_replacement or imports.is_answer(answer)


TICKET: Final = ConsumedKind(
    name="ticket",
    tokens=table_of(TokenRecord),
    events=table_of(TokenEventRecord),
    usages=table_of(TokenUsageRecord),
    read=Ticket,
    unread=frozenset({"code_digest", "used_before", "user_before"}),
    audited=AUDITED,
    later=frozenset((*DETAILS, *PRESENCE)),
    personal=PERSONAL,
    derived=(
        Derived("code_digest", "value", codes.digest),
        Derived("uses_given", "usage_count", _as_given),
    ),
    code="value",
    filtered=("category",),
    search_table=table_of(TokenSearchRecord),
    search_columns={"code": "value", "label": "label"},
    former_table=table_of(TokenFormerRecord),
    rules=door.RULES,
    use=door.USE,
    takes_none=door.takes_none,
    advanced=door.PRESENCE,
    shown=("label", "category"),
    is_answer=_is_answer,
    has_old_keys=True,
)


def new_rows(tokens: Iterable[NewTicket]) -> Iterator[NewRow]:
    """Return the rows of new tickets, each with a new uid.

    What is added at once is listed by its uids: in this order where the newest are the first.
    """
    given = list(tokens)
    uids = sorted((uuid.uuid4() for _token in given), reverse=True)
    return map(new_row, uids, given)


def new_row(uid: uuid.UUID, token: NewTicket) -> NewRow:
    """Return the row of a new ticket; without a value it gets its uid for one."""
    return uid, {
        "value": str(uid) if token.value is None else token.value,
        "valid_from": token.valid_from,
        "valid_to": token.valid_to,
        "usage_count": token.usage_count,
        "lock_time": token.lock_time,
        "enabled": token.enabled,
        **{name: getattr(token, name) for name in DETAILS},
        **dict.fromkeys(PRESENCE),
    }
