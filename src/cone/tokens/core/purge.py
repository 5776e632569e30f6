"""A purge: what it removes, and one run through all tables."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import TypeVar

from sqlalchemy import ColumnElement

from cone.tokens.core.database import Database
from cone.tokens.core.history import disposal
from cone.tokens.core.history import forgetting
from cone.tokens.core.history import purging
from cone.tokens.core.history.disposal import Ages
from cone.tokens.core.history.findings import TOLERANCE
from cone.tokens.core.history.purging import LogRange
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.history.ranges import next_range
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.kind import Kind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.store import searching
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor

T = TypeVar("T")

#: Called with the steps that were done since it was called last.
Progress = Callable[[int], None]

#: Rows that a purge looks at in one transaction.
BATCH: Final = 2_000

#: Pages of an index of SQLite that one transaction writes.
MERGED_AT_ONCE: Final = 200

A_DAY: Final = datetime.timedelta(days=1)


def no_progress(_steps: int) -> None:
    """Show no progress."""


def ranges(database: Database, key: ColumnElement[Any], size: int) -> Iterator[KeyRange]:
    """Return all rows of the table of ``key`` in its order, ``size`` at a time.

    SQL: 1 statement for each, in a transaction of its own.
    """
    after: object = None
    while True:
        with database.snapshot() as tx:
            rows = next_range(tx, key, after, size)
        yield rows
        if rows.end is None:
            return
        after = rows.end


def merge_searches(database: Database, kinds: Iterable[Kind[Any]]) -> None:
    """Let the indexes of searches keep nothing of texts that were removed.

    Concurrency: each part is a short transaction of its own; between two of them others write.
    """
    for kind in kinds:
        is_first = has_more = True
        while has_more:
            with database.writing() as tx:
                has_more = searching.merge_removed(tx, kind, MERGED_AT_ONCE, is_first=is_first)
            is_first = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PurgePlan:
    """What may be removed, by its age in days; None: nothing of this.

    :ivar expired: tokens, since their window has ended.
    :ivar used_up: tokens, since their last use was taken.
    :ivar personal: personal data of tokens, since one of these ended, or since it was deleted.
    :ivar log: rows of the logs.
    :ivar requests: keys that answers are repeated for.
    :ivar batch: so many rows are looked at in one transaction.
    :ivar by: whom the events tell.
    :ivar is_dry: what would go is only counted.
    :ivar is_clock_right: somebody has looked at the clock: whatever it shows is right.
    """

    expired: int | None = None
    used_up: int | None = None
    personal: int | None = None
    log: int | None = None
    requests: int | None = None
    batch: int = BATCH
    by: Actor = None
    is_dry: bool = False
    is_clock_right: bool = False

    @property
    def patience(self) -> datetime.timedelta:
        """How far the clock may be ahead of the newest row.

        A day, or a tenth of the age that rows go at, where that is more: so much too early is of
        no matter. Keys do not count: they are as old as the newest row says.
        """
        ages = [
            age for age in (self.expired, self.used_up, self.personal, self.log) if age is not None
        ]
        return max(A_DAY, datetime.timedelta(days=min(ages, default=0)) / 10)


@dataclasses.dataclass(slots=True, kw_only=True)
class Purged:
    """How many rows are gone."""

    expired: int = 0
    used_up: int = 0
    personal: int = 0
    requests: int = 0
    usages: int = 0
    events: int = 0


class Purge:
    """One run."""

    def __init__(
        self,
        database: Database,
        kinds: Sequence[ConsumedKind[Any]],
        plan: PurgePlan,
        now: datetime.datetime,
        newest: datetime.datetime,
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._plan = plan
        self._progress: Progress = no_progress
        self._ages = Ages(
            expired=_days_before(now, plan.expired),
            used_up=_days_before(now, plan.used_up),
        )
        ended = _days_before(now, plan.personal)
        self._ended = Ages(expired=ended, used_up=ended)
        # A key must not stay longer than the row of the log that its answer is read from, and an
        # event not shorter than the uses before it.
        self._uses_before = _days_before(now, plan.log, TOLERANCE)
        self._events_before = _days_before(now, plan.log, 2 * TOLERANCE)
        # While nothing happens no key is too old: a wrong clock takes none of today's along.
        rested = now if plan.is_clock_right else min(now, newest + A_DAY)
        ages = (_days_before(rested, plan.requests), _days_before(now, plan.log))
        self._requests_before = max(filter(None, ages), default=None)
        self._purged = Purged()

    def run(self, progress: Progress) -> Purged:
        """Purge."""
        self._progress = progress
        # Events of tokens that are deleted next are not to tell it for as long again.
        self._purge_all_people()
        if self._ages != Ages():
            for kind in self._kinds:
                for rows in self._ranges(kind.tokens.c.uid):
                    self._purge_tokens(kind, rows)
        if self._requests_before:
            for rows in self._ranges(REQUESTS.c.key_hash):
                self._purge_requests(rows, self._requests_before)
        if self._uses_before and self._events_before:
            for kind in self._kinds:
                self._purge_usages(kind, self._uses_before)
                for rows in self._ranges(kind.events.c.token_uid):
                    self._purge_events(kind, rows, self._events_before, self._uses_before)
        return self._purged

    def _ranges(self, key: ColumnElement[Any]) -> Iterator[KeyRange]:
        return ranges(self._database, key, self._plan.batch)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        """Do ``work`` in a transaction; between two of them others write."""
        with self._database.writing() as tx:
            return work(tx)

    def _purge_tokens(self, kind: ConsumedKind[Any], rows: KeyRange) -> None:
        with self._database.snapshot() as tx:
            found = disposal.disposable(tx, kind, rows, self._ages)
        uids = list(found)
        if uids and not self._plan.is_dry:
            uids = self._write(
                lambda tx: disposal.remove_tokens(tx, kind, uids, self._ages, self._plan.by),
            )
        expired = sum(found[uid] for uid in uids)
        self._purged.expired += expired
        self._purged.used_up += len(uids) - expired
        self._progress(len(uids))

    def _purge_all_people(self) -> None:
        for kind in self._kinds:
            if self._ended != Ages() and kind.personal:
                for rows in self._ranges(kind.events.c.token_uid):
                    self._purge_people(kind, rows)
        if self._purged.personal and not self._plan.is_dry:
            merge_searches(self._database, self._kinds)

    def _purge_people(self, kind: ConsumedKind[Any], rows: KeyRange) -> None:
        with self._database.snapshot() as tx:
            there, gone = forgetting.find_ended(tx, kind, rows, self._ended)
        uids = [*there, *gone]
        if uids and not self._plan.is_dry:
            uids = self._write(
                lambda tx: forgetting.forget_ended(
                    tx, kind, (there, gone), self._ended, self._plan.by
                ),
            )
        self._purged.personal += len(uids)
        self._progress(len(uids))

    def _purge_requests(self, rows: KeyRange, before: datetime.datetime) -> None:
        with self._database.snapshot() as tx:
            count = disposal.count_requests(tx, rows, before)
        if count and not self._plan.is_dry:
            count = self._write(lambda tx: disposal.remove_requests(tx, rows, before))
        self._purged.requests += count
        self._progress(count)

    def _purge_usages(self, kind: ConsumedKind[Any], before: datetime.datetime) -> None:
        with self._database.snapshot() as tx:
            codes = purging.error_codes(tx, kind)
            if self._plan.is_dry:
                counts = (purging.count_usages(tx, kind, code, before) for code in codes)
                self._purged.usages += sum(counts)
                return
        for code in codes:
            tries: LogRange | None = LogRange(code=code, before=before)
            while tries:
                tries = self._purge_tries(kind, tries)

    def _purge_tries(self, kind: ConsumedKind[Any], tries: LogRange) -> LogRange | None:
        """Purge the first of some tries; return the others, None at their end."""
        removed = self._write(lambda tx: purging.remove_usages(tx, kind, tries, self._plan.batch))
        self._purged.usages += removed.count
        self._progress(removed.count)
        if removed.since is None:
            return None
        return dataclasses.replace(tries, since=removed.since)

    def _purge_events(
        self,
        kind: ConsumedKind[Any],
        rows: KeyRange,
        before: datetime.datetime,
        uses_before: datetime.datetime,
    ) -> None:
        with self._database.snapshot() as tx:
            uids = purging.changed_before(tx, kind, rows, before)
            count = 0
            if self._plan.is_dry:
                old = purging.find_old_events(tx, kind, uids, before, uses_before)
                count = sum(going.count for going, _events in old.values())
        if uids and not self._plan.is_dry:
            count = self._write(
                lambda tx: purging.remove_events(tx, kind, uids, before, uses_before),
            )
        self._purged.events += count
        self._progress(count)


def _days_before(
    now: datetime.datetime,
    days: int | None,
    margin: datetime.timedelta = datetime.timedelta(),
) -> datetime.datetime | None:
    return None if days is None else now - datetime.timedelta(days=days) - margin
