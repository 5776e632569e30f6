"""Searches mended: each token gets the texts that it is searched by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table

from cone.tokens.core.database import Database
from cone.tokens.core.history import texts
from cone.tokens.core.history.texts import Mended
from cone.tokens.core.kind import Kind
from cone.tokens.core.purge import BATCH
from cone.tokens.core.purge import Progress
from cone.tokens.core.purge import no_progress
from cone.tokens.core.purge import ranges


def mend_searches(
    database: Database,
    kinds: Sequence[Kind[Any]],
    progress: Progress = no_progress,
) -> Mended:
    """Give each token the texts that it is searched by, and remove those of no token.

    :param progress: a step is a token.
    :raises Unavailable: the database is busy or away.

    Stopped in between it leaves everything in order; the next run does the rest. Concurrency: each
    batch that has something wrong is a short transaction of its own.
    """
    mended = Mended()
    for kind in kinds:
        if kind.search_table is not None:
            _mend(database, kind, kind.search_table, mended, progress)
    return mended


def _mend(
    database: Database,
    kind: Kind[Any],
    table: Table,
    mended: Mended,
    progress: Progress,
) -> None:
    with database.snapshot() as tx:
        surplus = texts.rows_of_none(tx, kind, table)
    for start in range(0, len(surplus), BATCH):
        with database.writing() as tx:
            some = surplus[start : start + BATCH]
            mended.removed += texts.remove_rows_of_none(tx, kind, table, some)
    for rows in ranges(database, kind.tokens.c.uid, BATCH):
        with database.snapshot() as tx:
            is_wrong = texts.is_wrong(tx, kind, table, rows)
        if is_wrong:
            with database.writing() as tx:
                texts.mend(tx, kind, table, rows, mended)
        progress(BATCH)
    with database.snapshot() as tx:
        if not texts.is_index_right(tx, kind):
            mended.indexes += (table.name,)
