"""The use cases of those who look after a site: they go through whole tables."""

from __future__ import annotations

import dataclasses
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

T = TypeVar("T")

#: Called with the steps that were done since it was called last.
Progress = Callable[[int], None]

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


def _watched(entries: Iterable[T], progress: Progress) -> Iterator[T]:
    """Return ``entries``, and tell how many were taken."""
    done = 0
    for done, entry in enumerate(entries, 1):
        yield entry
        if not done % STRIDE:
            progress(STRIDE)
    progress(done % STRIDE)
