"""Ranges of keys: a table is walked through a range at a time, along its index."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import select

from cone.tokens.core.transaction import Transaction


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRange:
    """Rows of a table with neighbouring keys.

    :ivar key: a column with an index.
    :ivar after: their keys are greater; None: the first ones.
    :ivar end: the greatest of their keys; None: up to the end of the table.
    """

    key: ColumnElement[Any]
    after: object
    end: object

    @property
    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """The conditions that the rows meet."""
        if self.after is not None:
            yield self.key > self.after
        if self.end is not None:
            yield self.key <= self.end


def next_range(
    tx: Transaction,
    key: ColumnElement[Any],
    after: object,
    size: int,
) -> KeyRange:
    """Return the next ``size`` rows of the table of ``key`` in its order.

    :param after: the key that they are beyond; None: the first ones.

    SQL: 1 statement, along an index.
    """
    beyond = KeyRange(key, after, None)
    end = select(key).where(*beyond.conditions).order_by(key).offset(size - 1).limit(1)
    return dataclasses.replace(beyond, end=tx.connection.scalar(end))
