"""The use cases of those who look after a site: they go through whole tables."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import TypeVar

from cone.tokens.core.database import Database
from cone.tokens.core.errors import ClockAhead
from cone.tokens.core.history import forgetting
from cone.tokens.core.history import purging
from cone.tokens.core.history import streams
from cone.tokens.core.history import texts
from cone.tokens.core.history.entries import BEHIND
from cone.tokens.core.history.findings import Counts
from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.forgetting import Person
from cone.tokens.core.history.keys import Tried
from cone.tokens.core.history.keys import answer_of
from cone.tokens.core.history.keys import bound_twice
from cone.tokens.core.history.keys import check_keys
from cone.tokens.core.history.replay import replay
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.purge import BATCH
from cone.tokens.core.purge import Progress
from cone.tokens.core.purge import Purge
from cone.tokens.core.purge import Purged
from cone.tokens.core.purge import PurgePlan
from cone.tokens.core.purge import merge_searches
from cone.tokens.core.purge import no_progress
from cone.tokens.core.purge import ranges
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor

T = TypeVar("T")

#: Findings that are kept; all are counted.
MOST_FINDINGS: Final = 1_000

#: Tokens whose personal data is emptied in one transaction.
FORGOTTEN_AT_ONCE: Final = 500

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
        """Replay the logs of all tokens, and hold the tokens and their searches against them.

        :param only: replay those of these tokens.

        Concurrency: all is read as it was when it began.
        """
        counts, problems, findings = Counts(), Counter[Problem](), list[Finding]()
        with self._database.snapshot() as tx:
            replayed = [_replayed(tx, kind, only, counts, progress) for kind in self._kinds]
            searched = [texts.findings(tx, kind, only) for kind in self._kinds]
            others = [] if only else [_wrong_keys(tx, self._kinds, counts)]
            for finding in itertools.chain(*replayed, *searched, *others):
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
        return Purge(self._database, self._kinds, plan, now, newest).run(progress)

    def forget(
        self,
        only: Sequence[uuid.UUID],
        *,
        by: Actor,
        is_dry: bool = False,
    ) -> list[uuid.UUID]:
        """Empty the personal data of tokens, and in all that their events tell.

        :param only: also tokens that were deleted.
        :param is_dry: only return what would be returned.
        :return: those that had some.
        """
        reach = dict.fromkeys(only, BEHIND)
        return self._forget(
            {kind: reach for kind in self._kinds if kind.personal}, by=by, is_dry=is_dry
        )

    def forget_person(
        self,
        person: Person,
        *,
        by: Actor,
        is_dry: bool = False,
        progress: Progress = no_progress,
    ) -> list[uuid.UUID]:
        """Empty the personal data of all tokens of a person, and in all that their events tell.

        Where a token is another person's by now, it keeps what it has, and events lose what it had.

        :param is_dry: return the tokens, and empty nothing.
        :return: tokens that had some.

        Stopped in between it leaves everything in order; the next run does the rest.
        """
        found = {kind: self._find(kind, person, progress) for kind in self._kinds}
        return self._forget(found, by=by, is_dry=is_dry)

    def _find(
        self,
        kind: ConsumedKind[Any],
        person: Person,
        progress: Progress,
    ) -> forgetting.Reach:
        if person.column not in kind.personal:
            return {}
        reach: dict[uuid.UUID, int] = {}
        places = (
            (forgetting.find_told, kind.events.c.token_uid),
            (forgetting.find_tokens, kind.tokens.c.uid),
        )
        for find, key in places:
            for rows in ranges(self._database, key, BATCH):
                with self._database.snapshot() as tx:
                    reach |= find(tx, kind, rows, person)
                progress(BATCH)
        return reach

    def _forget(
        self,
        found: Mapping[ConsumedKind[Any], forgetting.Reach],
        *,
        by: Actor,
        is_dry: bool,
    ) -> list[uuid.UUID]:
        forgotten: list[uuid.UUID] = []
        for kind, reach in found.items():
            tokens = list(reach.items())
            for start in range(0, len(tokens), FORGOTTEN_AT_ONCE):
                some = dict(tokens[start : start + FORGOTTEN_AT_ONCE])
                if is_dry:
                    with self._database.snapshot() as tx:
                        forgotten += forgetting.told_of(tx, kind, some)
                    continue
                with self._database.writing() as tx:
                    forgotten += forgetting.forget_tokens(tx, kind, some, by)
        if forgotten and not is_dry:
            merge_searches(self._database, found)
        return forgotten


def _replayed(
    tx: Transaction,
    kind: ConsumedKind[Any],
    only: Sequence[uuid.UUID] | None,
    counts: Counts,
    progress: Progress,
) -> Iterator[Finding]:
    """Replay the logs of the tokens of a kind."""
    # Unreadable rows name no token: only a run for all tokens counts them.
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


def _watched(entries: Iterable[T], progress: Progress) -> Iterator[T]:
    """Return ``entries``, and tell how many were taken."""
    done = 0
    for done, entry in enumerate(entries, 1):
        yield entry
        if not done % STRIDE:
            progress(STRIDE)
    progress(done % STRIDE)
