"""Windows of tokens: those that end before they begin are refused."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from typing import Final
from typing import Protocol

from cone.tokens.core.errors import InvalidParameter

_FROM: Final = "valid_from"
_TO: Final = "valid_to"


def check_window(
    valid_from: datetime.datetime | None,
    valid_to: datetime.datetime | None,
) -> None:
    """Refuse a window that ends before it begins, or at once.

    :raises InvalidParameter: ``valid_from`` is not before ``valid_to``.
    """
    if valid_from is not None and valid_to is not None and valid_from >= valid_to:
        message = "valid_from must be before valid_to"
        raise InvalidParameter(_FROM, "window_order", message)


class Windowed(Protocol):
    """What has a window."""

    @property
    def valid_from(self) -> datetime.datetime | None: ...  # noqa: D102 - as in its table
    @property
    def valid_to(self) -> datetime.datetime | None: ...  # noqa: D102


def check_changed_window(token: Windowed, changed: Mapping[str, Any]) -> None:
    """Refuse changes that give a token a window that ends before it begins, or at once.

    A database of 2.0 may hold such windows. Changes that leave both edges as they are pass; a
    change of an edge has to put the window right (contract 2).

    :param changed: new values of fields, by name.
    :raises InvalidParameter: ``valid_from`` would not be before ``valid_to``.
    """
    stored = token.valid_from, token.valid_to
    edges = (
        changed.get(_FROM, token.valid_from),
        changed.get(_TO, token.valid_to),
    )
    if edges != stored:
        check_window(*edges)
