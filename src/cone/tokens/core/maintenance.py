"""The use cases of those who look after a site: they go through whole tables."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import uuid
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import TypeVar

from sqlalchemy import ColumnElement

from cone.tokens.core.database import Database
from cone.tokens.core.errors import ClockAhead
from cone.tokens.core.history import disposal
from cone.tokens.core.history import purging
from cone.tokens.core.history import streams
from cone.tokens.core.history.disposal import Ages
from cone.tokens.core.history.findings import TOLERANCE
from cone.tokens.core.history.findings import Counts
from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.keys import Tried
from cone.tokens.core.history.keys import answer_of
from cone.tokens.core.history.keys import bound_twice
from cone.tokens.core.history.keys import check_keys
from cone.tokens.core.history.purging import LogRange
from cone.tokens.core.history.ranges import KeyRange
from cone.tokens.core.history.ranges import next_range
from cone.tokens.core.history.replay import replay
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor

T = TypeVar("T")

#: Called with the steps that were done since it was called last.
Progress = Callable[[int], None]

#: Rows that a purge looks at in one transaction.
BATCH: Final = 2_000

A_DAY: Final = datetime.timedelta(days=1)

#: Findings that are kept; all are counted.
MOST_FINDINGS: Final = 1_000

#: Entries between two calls of a :data:`Progress`.
STRIDE: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a replay has found.

    :ivar findings: the first :data:`MOST_FINDINGS`.
    :ivar problems: how many findings there are of each kind, those that were not kept included.
    """

    counts: Counts
    findings: tuple[Finding, ...]
    problems: Counter[Problem]


def no_progress(_steps: int) -> None:
    """Show no progress."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PurgePlan:
    """What may be removed, by its age in days; None: nothing of this.

    :ivar expired: tokens, since their window has ended.
    :ivar used_up: tokens, since their last use was taken.
    :ivar log: rows of the logs.
    :ivar requests: keys that answers are repeated for.
    :ivar batch: so many rows are looked at in one transaction.
    :ivar by: whom the events of removed tokens tell.
    :ivar is_dry: what would go is only counted.
    :ivar is_clock_right: somebody has looked at the clock: whatever it shows is right.
    """

    expired: int | None = None
    used_up: int | None = None
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
        ages = [age for age in (self.expired, self.used_up, self.log) if age is not None]
        return max(A_DAY, datetime.timedelta(days=min(ages, default=0)) / 10)


@dataclasses.dataclass(slots=True, kw_only=True)
class Purged:
    """How many rows are gone."""

    expired: int = 0
    used_up: int = 0
    requests: int = 0
    usages: int = 0
    events: int = 0


class Maintenance:
    """Looks after the tables of a site, while it is in use.

    Every method raises :class:`~cone.tokens.core.errors.Unavailable` where the database is busy
    or away.
    """

    def __init__(self, database: Database, kinds: Sequence[ConsumedKind[Any]]) -> None:
        """Look after tokens.

        :param kinds: of which there are tokens; their tables are all that is looked at.
        """
        self._database = database
        self._kinds = kinds

    def count_entries(self, only: Sequence[uuid.UUID] | None = None) -> int:
        """Return the number of steps of :meth:`verify`."""
        with self._database.snapshot() as tx:
            return sum(streams.count_entries(tx, kind, only) for kind in self._kinds)

    def verify(
        self,
        only: Sequence[uuid.UUID] | None = None,
        progress: Progress = no_progress,
    ) -> Audit:
        """Replay the logs of all tokens, and hold the tokens against them.

        :param only: replay those of these tokens.

        Concurrency: all is read as it was when it began.
        """
        counts, problems, findings = Counts(), Counter[Problem](), list[Finding]()
        with self._database.snapshot() as tx:
            replayed = [_replayed(tx, kind, only, counts, progress) for kind in self._kinds]
            others = [] if only else [_wrong_keys(tx, self._kinds, counts)]
            for finding in itertools.chain(*replayed, *others):
                problems[finding.problem] += 1
                if len(findings) < MOST_FINDINGS:
                    findings.append(finding)
        return Audit(counts=counts, findings=tuple(findings), problems=problems)

    def purge(self, plan: PurgePlan, progress: Progress = no_progress) -> Purged:
        """Remove what is old.

        :raises ClockAhead: the clock is so far ahead of the newest row that it may be wrong, and
            nobody has said that it is right. Nothing was removed.

        Stopped in between it leaves everything in order; the next run does the rest.
        Concurrency: each batch is a short transaction of its own. A token that somebody changes at
        the time stays until the next run.
        """
        with self._database.snapshot() as tx:
            now = tx.read_clock()
            enough = now - plan.patience
            found = (purging.newest(tx, kind, now, enough) for kind in self._kinds)
            newest = max(filter(None, found), default=now)
        if newest < now - plan.patience and not plan.is_clock_right:
            raise ClockAhead(now, newest)
        return _Purge(self._database, self._kinds, plan, now, newest).run(progress)


def _replayed(
    tx: Transaction,
    kind: ConsumedKind[Any],
    only: Sequence[uuid.UUID] | None,
    counts: Counts,
    progress: Progress,
) -> Iterator[Finding]:
    """Replay the logs of the tokens of a kind."""
    # Whose such rows and keys are nobody knows: they are left to a run for all tokens.
    unreadable = {} if only else streams.count_unreadable(tx, kind)
    entries = _watched(streams.entries(tx, kind, only, unreadable), progress)
    yield from replay(kind, entries, counts, streams.times(tx))
    yield from _unreadable(unreadable)


def _unreadable(counts: Mapping[str, int]) -> Iterator[Finding]:
    for table, count in counts.items():
        text = f"rows of {table} without a uid or a version that can be read: {count:,}"
        yield Finding(problem=Problem.UNREADABLE, token_uid=None, text=text)


def _wrong_keys(
    tx: Transaction,
    kinds: Sequence[ConsumedKind[Any]],
    counts: Counts,
) -> Iterator[Finding]:
    """Hold the keys of requests against the rows that their answers are read from."""
    times = streams.times(tx)
    for are_long in (False, True):
        for keys in streams.keys(tx, are_long=are_long):
            counts.keys += len(keys)
            answered = [(key, answer_of(key, kinds)) for key in keys]
            answers = [answer for _key, answer in answered if answer]
            receipts = [answer.receipt for answer in answers if answer.receipt]
            uids = [uid for answer in answers for uid in answer.token_uids]
            tried, added = dict[uuid.UUID, Tried](), set[uuid.UUID]()
            for kind in kinds:
                tried |= streams.tried(tx, kind, receipts)
                added |= streams.added(tx, kind, uids)
            yield from check_keys(answered, tried, added, times)
    yield from map(bound_twice, streams.answers_of_several(tx, MOST_FINDINGS))


class _Purge:
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
        after: object = None
        while True:
            with self._database.snapshot() as tx:
                rows = next_range(tx, key, after, self._plan.batch)
            yield rows
            if rows.end is None:
                return
            after = rows.end

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


def _watched(entries: Iterable[T], progress: Progress) -> Iterator[T]:
    """Return ``entries``, and tell how many were taken."""
    done = 0
    for done, entry in enumerate(entries, 1):
        yield entry
        if not done % STRIDE:
            progress(STRIDE)
    progress(done % STRIDE)
