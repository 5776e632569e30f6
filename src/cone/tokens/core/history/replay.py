"""The replay of histories: from the logs of tokens to the state that they must have.

Pure: entries of the logs in, findings out. Every change of a token raises its version by one, and
leaves one row, in the log of usages (a use that was granted) or in that of events. So the rows of a
token are a chain, and each can be held against the token as the rows before it made it. A refused
try changes nothing, and has the version that it found.

The time of a granted use is the very one that the rules were asked for, so no tolerance is needed
there. Rows of a token that follow each other may be out of order by ``findings.TOLERANCE``: a use
that waited for a lock tells when it began to wait, and clocks are put back.

History begins with the event ``add``, or ``upgrade``, where an older version of the database was
taken over. A token that is added under the uid of a deleted one goes on behind the deletion, with
another ``add``. Behind a ``purge`` mark, which has version 0, history goes on with what the mark
tells. Usages with version 0 are from before an upgrade.
"""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections import deque
from collections.abc import Generator
from collections.abc import Iterable
from collections.abc import Iterator
from operator import itemgetter
from typing import Any
from typing import Final

from cone.tokens.core.history import event_values
from cone.tokens.core.history import judging
from cone.tokens.core.history.entries import GRANT
from cone.tokens.core.history.entries import Entry
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Former
from cone.tokens.core.history.entries import Present
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.event_values import BEGINNINGS
from cone.tokens.core.history.findings import Counts
from cone.tokens.core.history.findings import Finding
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.findings import Times
from cone.tokens.core.history.findings import finding_of
from cone.tokens.core.history.people import Forgotten
from cone.tokens.core.history.replaced import Replaced
from cone.tokens.core.history.standing import Standing
from cone.tokens.core.history.state import State
from cone.tokens.core.history.state import state_of
from cone.tokens.core.history.taking_back import take_back
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.store.events import FORGET
from cone.tokens.core.store.events import RESET
from cone.tokens.core.store.events import UNDO


def replay(
    kind: ConsumedKind[Any],
    entries: Iterable[Entry],
    counts: Counts,
    times: Times,
) -> Iterator[Finding]:
    """Return the findings about tokens of a kind.

    :param entries: whole histories, in :data:`entry_order`. They are read once, none is kept.
    :param counts: counts what is read.
    """
    for token_uid, history in itertools.groupby(entries, key=itemgetter(0)):
        yield from _History(kind, token_uid, counts, times).replay(history)


class _History:
    """The history of one token."""

    def __init__(
        self,
        kind: ConsumedKind[Any],
        token_uid: uuid.UUID,
        counts: Counts,
        times: Times,
    ) -> None:
        self._kind = kind
        self._token_uid = token_uid
        self._counts = counts
        self._times = times
        self._forgotten = Forgotten(kind)
        #: None: not known, or there is no token.
        self._state: State | None = None
        self._version = 0  # of the last change
        self._purged_to = 0  # where a mark says that purged history ends
        #: When the last use of purged history was; None: not known.
        self._purged_time: datetime.datetime | None = None
        #: Of the last row, unless that is of the future.
        self._time: datetime.datetime | None = None
        #: The last two granted uses, as far as nothing is missing behind them.
        self._last_uses: deque[Use] = deque(maxlen=2)
        #: What the token has to tell; not known where there is none.
        self._facts: dict[str, Any] = {}
        self._replaced = Replaced(kind)
        self._standing = Standing()
        self._has_beginning = False
        self._has_events = False
        self._is_deleted = False
        self._is_behind_gap = False
        #: The first row of the log that has a version.
        self._first: Use | None = None
        #: The time of the last row from before an upgrade.
        self._last_before: datetime.datetime | None = None

    def replay(self, entries: Iterable[Entry]) -> Iterator[Finding]:
        """Return the findings about it."""
        entry: Entry | None = None
        for entry in entries:
            if isinstance(entry, Event | Use) and self._forgotten.is_told(entry):
                yield self._finding(Problem.FORGOTTEN, "tells of whom was to be forgotten", entry)
            if isinstance(entry, Use):
                yield from self._use(entry)
            elif isinstance(entry, Event):
                yield from self._event(entry)
            elif isinstance(entry, Former):
                yield from self._findings(Problem.FORMER, self._replaced.keep(entry))
            else:
                yield from self._present(entry)
        if not isinstance(entry, Present):
            yield from self._absent()
        yield from self._not_told()

    def _finding(self, problem: Problem, text: str, row: Event | Use | None = None) -> Finding:
        return finding_of(problem, self._token_uid, text, row)

    def _findings(
        self, problem: Problem, texts: Iterable[str], row: Event | Use | None = None
    ) -> Iterator[Finding]:
        return (self._finding(problem, text, row) for text in texts)

    def _not_told(self) -> Iterator[Finding]:
        text = "was taken back, and no event tells it"
        return (self._finding(Problem.UNDONE, text, use) for use in self._standing.left())

    def _link(self, row: Event | Use) -> Generator[Finding, None, bool]:
        """Append a change to the history; return whether it follows the last one."""
        if row.version <= self._version:
            yield self._finding(Problem.DOUBLE, "changed a second time with this version", row)
            return False
        if self._is_deleted:
            yield self._finding(Problem.DELETED, "changed after it was deleted", row)
        yield from self._missing(row.version - 1)
        yield from self._order(row)
        self._version = row.version
        return True

    def _order(self, row: Event | Use) -> Iterator[Finding]:
        """Compare the time of a row with that of the row before it and with the clock."""
        if self._times.is_future(row.time):
            yield self._finding(Problem.TIME, "is of the future", row)
            return
        if self._time and self._times.is_before(row.time, self._time):
            text = f"is earlier than the row before it, of {self._time}"
            yield self._finding(Problem.TIME, text, row)
        self._time = row.time

    def _missing(self, last: int) -> Iterator[Finding]:
        """Report missing rows up to the version ``last``."""
        first = self._version + 1
        if first > last or self._is_deleted or not (self._has_beginning or self._purged_to):
            return
        text = f"the row of version {first} is missing"
        if last > first:
            text = f"rows of versions {first} to {last} are missing"
        yield Finding(problem=Problem.MISSING, token_uid=self._token_uid, text=text, version=first)
        self._is_behind_gap, self._facts = True, judging.told_in_part(self._facts)
        self._replaced.miss()
        self._last_uses.clear()
        if self._state:
            self._state.forget_last_use()

    def _event(self, event: Event) -> Iterator[Finding]:
        self._counts.events += 1
        self._has_events = True
        if event.action == event_values.PURGE:
            yield from self._begin_behind(event)
        elif event.action in BEGINNINGS and event.version == 1 and not self._has_beginning:
            yield from self._begin(event)
        elif self._begins_anew(event):
            yield from self._begin_anew(event)
        elif event.action == FORGET and event.old is event.new is None:
            # It is about others than the person of the token: the token did not change.
            return
        elif event.version > self._purged_to:
            yield from self._change(event)
        else:
            # Of purged history the uses are gone for certain, events may stay for a while. How
            # each life of the token began stays for as long as the token does.
            yield from self._shape(event)
            self._facts = judging.facts_of_purged(event, self._facts)

    def _begin_behind(self, mark: Event) -> Iterator[Finding]:
        """Begin where purged history ends."""
        values = event_values.read_mark(self._kind, mark.new)
        is_alone = not (mark.version or self._purged_to or mark.old or mark.user)
        if values is None or not is_alone:
            yield self._finding(Problem.EVENT, "no mark that a purge makes", mark)
            return
        self._counts.purged += 1
        self._replaced.miss()
        self._version = self._purged_to = values["version"]
        self._state = state_of(self._kind, values, is_new=False)
        self._standing.begin(values)
        self._time = self._purged_time = self._state.last_used
        if self._times.is_future(mark.time):
            yield self._finding(Problem.TIME, "is of the future", mark)

    def _begin(self, event: Event) -> Iterator[Finding]:
        self._has_beginning = True
        is_new = event.action == "add"
        if not is_new:
            self._counts.upgraded += 1
        elif self._last_before and self._last_before >= event.time:
            yield self._finding(Problem.DOUBLE, "has rows from before it was added", event)
        yield from self._shape(event)
        if self._purged_to:
            self._facts = judging.facts_of_purged(event, self._facts)
            return
        self._standing = Standing(is_new=is_new)
        if is_new:
            self._facts = judging.facts_of(event)
        yield from self._link(event)
        self._take_values(event, is_new=is_new)

    def _shape(self, event: Event) -> Generator[Finding, None, bool]:
        """Return whether an event is one that its action makes."""
        problem = event_values.wrong_shape(self._kind, event)
        yield from self._findings(Problem.EVENT, [problem] if problem else [], event)
        return problem is None

    def _begins_anew(self, event: Event) -> bool:
        """Return whether a token was added under the uid of a deleted one."""
        if event.action != "add" or event.version <= self._purged_to:
            return False
        # The purged history may have ended with the deletion, or have been all that there was.
        is_next = event.version == self._purged_to + 1 and self._purged_to > 0
        is_first = not self._has_beginning and not self._purged_to
        return self._is_deleted or is_next or is_first

    def _begin_anew(self, event: Event) -> Iterator[Finding]:
        self._is_deleted, self._state = False, None
        self._last_uses.clear()
        yield from self._not_told()
        self._standing = Standing()
        if not self._has_beginning:
            self._has_beginning, self._version = True, event.version - 1
        if (yield from self._link(event)):
            self._facts = judging.facts_of(event)
            yield from self._shape(event)
            self._take_values(event, is_new=True)

    def _change(self, event: Event) -> Iterator[Finding]:
        if not (yield from self._link(event)):
            return
        self._replaced.take(event)
        has_shape = yield from self._shape(event)
        if has_shape and self._state and not self._is_behind_gap:
            yield from self._compare_old(event, self._state)
        if has_shape and self._state and event.action == UNDO:
            yield from self._undo(event, self._state)
        self._is_behind_gap = False
        if event.action not in (FORGET, UNDO):
            self._facts["modified"] = event.time
        if event.action == "delete":
            self._is_deleted, self._state = True, None
        else:
            self._take_values(event, is_new=False)

    def _undo(self, event: Event, state: State) -> Iterator[Finding]:
        told = event_values.read_undo(self._kind, event.new)
        if told:
            is_whole = not (self._purged_to or self._is_behind_gap)
            mistakes = take_back(told, event, state, self._standing, is_whole=is_whole)
            yield from self._findings(Problem.UNDONE, mistakes, event)
        self._last_uses.clear()

    def _compare_old(self, event: Event, state: State) -> Iterator[Finding]:
        old = event_values.read_values(self._kind, event.old) or {}
        if any(old.get(name) != getattr(state, name) for name in self._kind.audited):
            yield self._finding(Problem.EVENT, "its old values are not those of the token", event)

    def _take_values(self, event: Event, *, is_new: bool) -> None:
        values = event_values.read_new(self._kind, event)
        if event.action == RESET:
            self._standing.reset()
        elif event.action != UNDO:
            judging.note_given(self._kind, self._facts, self._state, values, is_new=is_new)
        if values and self._state:
            self._state.change(values)
        else:
            self._state = state_of(self._kind, values, is_new=is_new) if values else None

    def _use(self, use: Use) -> Iterator[Finding]:
        if use.version == 0:
            yield from self._before(use)
            return
        self._first = self._first or use
        if use.place == GRANT:
            self._counts.uses += 1
            yield from self._grant(use)
        else:
            self._counts.refusals += 1
            yield from self._refusal(use)

    def _before(self, use: Use) -> Iterator[Finding]:
        """Count a row from before an upgrade; nothing can be proved about it."""
        self._counts.rows_before += 1
        self._last_before = max(use.time, self._last_before or use.time)
        if use.usage_count is not None:
            text = "from before an upgrade, and tells of uses left"
            yield self._finding(Problem.COUNT_IN_LOG, text, use)

    def _grant(self, use: Use) -> Iterator[Finding]:
        if not (yield from self._link(use)):
            return
        if use.is_taken:
            self._last_uses.append(use)
        state = self._state
        self._standing.take(use, use.advanced)
        if state is None:
            return
        if impossible := list(judging.wrong_manner(use)):
            yield from self._findings(Problem.MANNER, impossible, use)
            state.believe(use)
            return
        if not self._is_behind_gap:
            yield from self._compare_value(use, state)
            for problem, text in judging.broken_rules(self._kind, state, use):
                yield self._finding(problem, text, use)
        state.use(use)
        if not self._is_behind_gap:
            wrong = judging.wrong_use(self._kind, use, state)
            yield from self._findings(Problem.COUNT_IN_LOG, wrong, use)
        state.believe(use)
        self._is_behind_gap = False

    def _compare_value(self, use: Use, state: State) -> Iterator[Finding]:
        code = self._kind.code
        if code and use.value != getattr(state, code):
            yield self._finding(Problem.VALUE_IN_LOG, "tells of another value than it had", use)

    def _refusal(self, use: Use) -> Iterator[Finding]:
        if use.version < self._purged_to:
            if self._purged_time and use.time < self._purged_time:
                yield self._finding(Problem.REFUSAL, "is there, of history that was purged", use)
            return
        yield from self._order(use)
        if use.version > self._version:
            if self._is_deleted:
                yield self._finding(Problem.DELETED, "asked for after it was deleted", use)
            yield from self._missing(use.version)
            self._version = use.version
            if self._state:
                self._state.believe(use)
        elif use.version == self._version and self._state and not self._is_behind_gap:
            yield from self._compare_value(use, self._state)
            wrong = judging.wrong_refusal(self._kind, use, self._state, self._replaced)
            yield from self._findings(Problem.REFUSAL, wrong, use)

    def _absent(self) -> Iterator[Finding]:
        """Report a token that is missing."""
        yield from self._findings(Problem.FORMER, self._replaced.orphaned())
        self._counts.deleted += 1
        if self._has_events:
            if not self._has_beginning:
                yield self._finding(Problem.NO_BEGINNING, _NO_BEGINNING)
            elif not self._is_deleted:
                yield self._finding(Problem.GONE, "is gone, and no event tells why")
        elif self._first:
            text = "was used, and there is no such token and never was"
            yield self._finding(Problem.UNKNOWN_TOKEN, text, self._first)

    def _present(self, token: Present) -> Iterator[Finding]:
        """Compare the token with its history."""
        self._counts.tokens += 1
        if not self._has_beginning:
            yield self._finding(Problem.NO_BEGINNING, _NO_BEGINNING)
            return
        if self._is_deleted:
            yield self._finding(Problem.DELETED, "is there, though it was deleted")
            return
        yield from self._missing(token.current_version)
        if token.current_version < self._version:
            text = f"has version {token.current_version}, by its history {self._version}"
            yield self._finding(Problem.VERSION, text)
        fields = token.fields
        for use in judging.uses_told_wrongly(fields, self._last_uses):
            yield self._finding(Problem.USERS, "tells of other last uses than its history", use)
        wrong = judging.wrong_token(self._kind, fields, self._facts, self._replaced, self._times)
        if self._state:
            wrong = itertools.chain(wrong, judging.differences(self._kind, fields, self._state))
        yield from (self._finding(problem, text) for problem, text in wrong)


_NO_BEGINNING: Final = "no event tells how it began"
