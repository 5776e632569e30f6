"""The use cases of those who look after a site: they go through whole tables."""

from __future__ import annotations

import dataclasses
import datetime
import time
import uuid
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final
from typing import TypeVar

from cone.tokens.core.audit import Counts
from cone.tokens.core.audit import Finding
from cone.tokens.core.audit import Problem
from cone.tokens.core.audit import replay
from cone.tokens.core.database import Database
from cone.tokens.core.types import Actor
from cone.tokens.core.upkeep import Limits
from cone.tokens.core.upkeep import Stretch
from cone.tokens.core.upkeep import Upkeep
from cone.tokens.core.upkeep import Walked
from cone.tokens.core.upkeep import Window

T = TypeVar("T")

#: Called with the steps that were done since it was called last.
Progress = Callable[[int], None]

#: Rows that a purge looks at in one transaction.
BATCH: Final = 2_000

#: More than a use can have waited for a lock, or clocks disagree.
MARGIN: Final = datetime.timedelta(hours=1)

#: Seconds that a purge leaves others between two batches, where one transaction writes at a time.
LONGEST_REST_S: Final = 0.2

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
    """Tell nobody."""


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
    """

    expired: int | None = None
    used_up: int | None = None
    log: int | None = None
    requests: int | None = None
    batch: int = BATCH
    by: Actor = None
    is_dry: bool = False


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

    def __init__(self, database: Database) -> None:
        """Take the database; its transactions are its own."""
        self._database = database

    def count_entries(self, only: Sequence[uuid.UUID] | None = None) -> int:
        """Return how many steps :meth:`verify` has."""
        with self._database.surveying() as upkeep:
            return upkeep.count_history(only)

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
        with self._database.surveying() as upkeep:
            entries = _watched(upkeep.history(only), progress)
            for finding in replay(entries, counts):
                problems[finding.problem] += 1
                if len(findings) < MOST_FINDINGS:
                    findings.append(finding)
        return Audit(counts=counts, findings=tuple(findings), problems=problems)

    def purge(self, plan: PurgePlan, progress: Progress = no_progress) -> Purged:
        """Remove what is old.

        Stopped in between it leaves everything in order; the next run does the rest.
        Concurrency: each batch is a short transaction of its own. A token that somebody changes at
        the time stays until the next run.
        """
        with self._database.surveying() as upkeep:
            now = upkeep.now()
        return _Purge(self._database, plan, now, progress).run()


class _Purge:
    """One run."""

    def __init__(
        self,
        database: Database,
        plan: PurgePlan,
        now: datetime.datetime,
        progress: Progress,
    ) -> None:
        self._database = database
        self._plan = plan
        self._progress = progress
        self._limits = Limits(
            expired=_days_before(now, plan.expired),
            used_up=_days_before(now, plan.used_up),
        )
        # A key must not stay longer than the row of the log that its answer is read from, and an
        # event not shorter than the uses before it.
        self._uses_before = _days_before(now, plan.log, MARGIN)
        self._events_before = _days_before(now, plan.log, 2 * MARGIN)
        days = [days for days in (plan.requests, plan.log) if days is not None]
        self._requests_before = _days_before(now, min(days, default=None))
        self._purged = Purged()

    def run(self) -> Purged:
        """Do it."""
        if self._limits != Limits():
            for window in self._windows("tokens"):
                self._purge_tokens(window)
        if self._requests_before:
            for window in self._windows("requests"):
                self._purge_requests(window, self._requests_before)
        if self._uses_before and self._events_before:
            self._purge_usages(self._uses_before)
            for window in self._windows("events"):
                self._purge_events(window, self._events_before, self._uses_before)
        return self._purged

    def _windows(self, of: Walked) -> Iterator[Window]:
        after: object = None
        while True:
            with self._database.surveying() as upkeep:
                window = upkeep.next_window(of, after, self._plan.batch)
            yield window
            if window.end is None:
                return
            after = window.end

    def _write(self, work: Callable[[Upkeep], T]) -> T:
        """Do work in a transaction, and leave others as much time behind it."""
        start = time.monotonic()
        with self._database.purging() as upkeep:
            done = work(upkeep)
        if self._database.has_one_writer:
            time.sleep(min(time.monotonic() - start, LONGEST_REST_S))
        return done

    def _purge_tokens(self, window: Window) -> None:
        with self._database.surveying() as upkeep:
            found = upkeep.disposable(window, self._limits)
        uids = list(found)
        if uids and not self._plan.is_dry:
            uids = self._write(
                lambda upkeep: upkeep.remove_tokens(uids, self._limits, self._plan.by),
            )
        expired = sum(found[uid] for uid in uids)
        self._purged.expired += expired
        self._purged.used_up += len(uids) - expired
        self._progress(len(uids))

    def _purge_requests(self, window: Window, before: datetime.datetime) -> None:
        with self._database.surveying() as upkeep:
            count = upkeep.count_requests(window, before)
        if count and not self._plan.is_dry:
            count = self._write(lambda upkeep: upkeep.remove_requests(window, before))
        self._purged.requests += count
        self._progress(count)

    def _purge_usages(self, before: datetime.datetime) -> None:
        with self._database.surveying() as upkeep:
            codes = upkeep.error_codes()
            if self._plan.is_dry:
                self._purged.usages = sum(upkeep.count_usages(code, before) for code in codes)
                return
        for code in codes:
            stretch: Stretch | None = Stretch(code=code, before=before)
            while stretch:
                stretch = self._purge_stretch(stretch)

    def _purge_stretch(self, stretch: Stretch) -> Stretch | None:
        """Purge the beginning of a stretch; return the rest of it, None at its end."""
        removed = self._write(lambda upkeep: upkeep.remove_usages(stretch, self._plan.batch))
        self._purged.usages += removed.count
        self._progress(removed.count)
        if removed.since is None:
            return None
        return dataclasses.replace(stretch, since=removed.since)

    def _purge_events(
        self,
        window: Window,
        before: datetime.datetime,
        uses_before: datetime.datetime,
    ) -> None:
        with self._database.surveying() as upkeep:
            uids = upkeep.changed_before(window, before)
            old = upkeep.old_events(uids, before, uses_before) if self._plan.is_dry else {}
        count = sum(going.count for going, _events in old.values())
        if uids and not self._plan.is_dry:
            count = self._write(lambda upkeep: upkeep.remove_events(uids, before, uses_before))
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
