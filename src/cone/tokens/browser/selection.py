"""Which tokens the form around the list means: those that are ticked, or all that match."""

from __future__ import annotations

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from cone.tokens.browser.list_state import AFTER
from cone.tokens.browser.list_state import BEFORE
from cone.tokens.browser.list_state import STATE as LIST_STATE
from cone.tokens.browser.list_state import ListState
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Selection
from cone.tokens.host import wiring
from cone.tokens.tickets.service import TicketService
from cone.tokens.web.page import find_number

#: Names of the fields.
UIDS: Final = "uid"
ALL: Final = "all"
STATE: Final = "list"
EXPECTED: Final = "expected"

#: Names in the address of the list: what it shows, which page, and the language.
LIST_NAMES: Final = (*LIST_STATE, AFTER, BEFORE, "_LOCALE_")


@dataclasses.dataclass(frozen=True, slots=True)
class ListSelection:
    """What is chosen in the list.

    :ivar state: of the list that it is chosen in.
    :ivar means_all: all that match are meant, and not ``uids``, those that are ticked.
    """

    state: ListState
    means_all: bool
    uids: Sequence[uuid.UUID]

    @classmethod
    def read(cls, fields: Iterable[tuple[str, str]]) -> ListSelection:
        """Read the ``fields`` of a form.

        :raises InvalidParameter: no form of ours sends that.
        """
        given: dict[str, list[str]] = defaultdict(list)
        for name, text in fields:
            given[name].append(text)
        means_all = ALL in given
        addresses = given[STATE]
        if len(addresses) > 1 or (means_all and not addresses):
            raise unknown(STATE)
        state = _state("".join(addresses))
        if means_all and state.mistakes:
            # What is left out would mean more tokens.
            raise unknown(STATE)
        return cls(state, means_all, list(dict.fromkeys(map(_uid, given[UIDS]))))

    @property
    def which(self) -> Selection:
        """What the service takes."""
        return self.state.query.matching if self.means_all else self.uids

    def count(self) -> int:
        """Return how many tokens are meant right now, or a number that is too great."""
        if not self.means_all:
            return len(self.uids)
        count = wiring.get(TicketService).count(self.state.query.matching)
        return MAX_BATCH + 1 if count is None else count


def parse_expected(text: str) -> int:
    """Return how many tokens the user was told.

    :raises InvalidParameter: no form of ours sends that.
    """
    number = find_number(text)
    if number is None:
        raise unknown(EXPECTED)
    return number


def unknown(name: str) -> InvalidParameter:
    """Return the error of a field with something that no form of ours sends."""
    return InvalidParameter(name, "invalid_choice", f"{name}: is none of the choices")


def _state(address: str) -> ListState:
    """Return the selection that the query of a list's address describes.

    :raises InvalidParameter: the list has no such address.
    """
    query = address.removeprefix("?")
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise unknown(STATE) from None
    check_names(name for name, _text in pairs)
    return ListState.read(pairs)


def check_names(names: Iterable[str]) -> None:
    """Refuse what the list does not know: what is ignored there would mean more tokens here.

    :raises InvalidParameter: there is such a name.
    """
    for name in names:
        if name not in LIST_NAMES:
            raise unknown(name)


def _uid(text: str) -> uuid.UUID:
    uid = find_uid(text)
    if uid is None:
        raise unknown(UIDS)
    return uid
