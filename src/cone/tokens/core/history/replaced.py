"""The codes that a token had until they were replaced: by its events, and as they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from cone.tokens.core import codes
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Former
from cone.tokens.core.history.event_values import raw_values
from cone.tokens.core.kind import Kind
from cone.tokens.core.store.events import REPLACE


class Replaced:
    """The former codes of one token.

    :ivar may_be: whether it may have one: whoever shows that is refused.
    """

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind
        self._told: set[object] = set()
        self._kept: set[object] = set()
        self.may_be = False
        self._is_whole = True

    def miss(self) -> None:
        """Take in that a part of its history is not there."""
        self.may_be = True
        self._is_whole = False

    def take(self, event: Event) -> None:
        """Take in a change."""
        if event.action == REPLACE:
            self.may_be = True
            old = raw_values(self._kind, event.old)
            if old and self._kind.code:
                self._told.add(old[self._kind.code])
        elif event.action == "delete":
            self._told.clear()
            self.may_be = False
            self._is_whole = True

    def keep(self, former: Former) -> Iterator[str]:
        """Take in a code that is kept, and return what is wrong with it."""
        self._kept.add(former.value)
        if former.holder:
            yield f"another token has a code that it had, {former.holder}"
        if not isinstance(former.value, str) or former.digest != codes.digest(former.value):
            yield "the digest of a code that it had is not that of the code"

    def missing(self, token: Mapping[str, Any]) -> Iterator[str]:
        """Yield the former codes of a token that are missing, once all of its codes were read.

        :param token: as it is; it may have a code again.
        """
        gone = self._told - self._kept
        if self._kind.code and gone - {token[self._kind.code]}:
            yield "a code that was replaced is not kept: another token may get it"
        if self._is_whole and self._kept - self._told:
            yield "a code is kept that it never had"

    def orphaned(self) -> Iterator[str]:
        """Yield a mistake if former codes of a deleted token are kept."""
        if self._kept:
            yield "is gone, and a code that it had is kept: no other token can get it"
