"""Which tokens a form of the list means: those that are ticked, or all that its filter means."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from typing import Final
from urllib.parse import parse_qsl

from cone.tokens.browser.tokens import ListState
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.types import Selection

if TYPE_CHECKING:
    from pyramid.request import Request

#: Names of the fields.
UIDS: Final = "uid"
ALL: Final = "all"
STATE: Final = "list"


class Chosen:
    """The tokens that a form means.

    :ivar state: the list that they were chosen in.
    :ivar uids: of those that are ticked.
    """

    def __init__(self, request: Request) -> None:
        """Read the form.

        :raises InvalidParameter: no form of ours sends that.
        """
        fields = request.POST
        self.state = ListState.read(parse_qsl(fields.get(STATE, "").removeprefix("?")))
        self.means_all = ALL in fields
        if self.means_all and self.state.mistakes:
            # What is left out would mean more tokens.
            raise unknown_choice(STATE)
        self.uids = [_uid(text) for text in dict.fromkeys(fields.getall(UIDS))]
        self.which: Selection = self.state.query.matching if self.means_all else self.uids


def unknown_choice(name: str) -> InvalidParameter:
    """Return the error of a field that no form of ours sends like that."""
    return InvalidParameter(name, "invalid_choice", f"{name}: is none of the choices")


def _uid(text: str) -> uuid.UUID:
    uid = find_uid(text)
    if uid is None:
        raise unknown_choice(UIDS)
    return uid
