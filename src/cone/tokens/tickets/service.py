"""The use cases: one method, one transaction each."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import heapq
import secrets
import uuid
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import Final
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy import Engine

from cone.tokens.core import codes
from cone.tokens.core.clock import Clock
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.database import HostTransaction
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.foresight import chosen
from cone.tokens.core.foresight import counted
from cone.tokens.core.foresight import foresee
from cone.tokens.core.foresight import is_worth_foreseeing
from cone.tokens.core.history import undoing
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import PRESENCE
from cone.tokens.core.manner import Manner
from cone.tokens.core.many import Rows
from cone.tokens.core.params import too_many_tokens
from cone.tokens.core.places import Places
from cone.tokens.core.retry import NEVER
from cone.tokens.core.retry import Patience
from cone.tokens.core.store import changing
from cone.tokens.core.store import consuming
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import keys
from cone.tokens.core.store import listing
from cone.tokens.core.store import searching
from cone.tokens.core.store import sent_codes
from cone.tokens.core.store import usages
from cone.tokens.core.store import use_log
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.unit_of_work import recorded_answer
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Actor
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import LoggedUsage
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import Selection
from cone.tokens.core.values import SentCode
from cone.tokens.core.values import Sort
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenPage
from cone.tokens.core.values import TokenQuery
from cone.tokens.core.values import Usage
from cone.tokens.core.values import UsagePage
from cone.tokens.core.windows import check_changed_window
from cone.tokens.core.windows import check_window
from cone.tokens.tickets import imports
from cone.tokens.tickets import presence
from cone.tokens.tickets import statistics
from cone.tokens.tickets.door_params import no_use_of_token
from cone.tokens.tickets.importing import ImportWork
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.kind import answer_of_replacement
from cone.tokens.tickets.kind import new_row
from cone.tokens.tickets.kind import new_rows
from cone.tokens.tickets.params import RANDOM_LENGTH
from cone.tokens.tickets.params import invalid_receipt
from cone.tokens.tickets.periods import edges
from cone.tokens.tickets.values import DoorFigures
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Statistics
from cone.tokens.tickets.values import Step
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.values import TicketChanges
from cone.tokens.tickets.values import with_code

T = TypeVar("T")

#: Tokens that one transaction resets: doors wait for it.
RESET_AT_ONCE: Final = 1_000


class TicketService:
    """Issues, looks up, consumes, changes and deletes tokens.

    Every method raises :class:`~cone.tokens.core.errors.Unavailable` where the database is busy
    or away; nothing is changed then. Where it is lost on the way, a method is repeated, as
    :class:`~cone.tokens.core.unit_of_work.UnitOfWork` says.

    It has more than 15 public methods, and its file more than 400 lines: each method is one use
    case, most of them a line or two above the statements, and the faces and the Python API reach
    all of them by one service.

    Concurrency: safe to share among threads. The result of a method is on disk.
    """

    def __init__(self, work: UnitOfWork) -> None:
        """Run each use case in a transaction of ``work``."""
        self._work = work

    def find(self, uid: uuid.UUID) -> Ticket | None:
        """Return the token with this ``uid``."""
        return self._work.read(lambda tx: finding.find(tx, TICKET, "uid", uid))

    def get(self, uid: uuid.UUID) -> Ticket:
        """Return the token with this ``uid``.

        :raises TokenNotFound: there is none.
        """
        token = self.find(uid)
        if token is None:
            raise TokenNotFound(uid)
        return token

    def find_by_value(
        self, value: str, *, site: str | None = None, is_complete: bool = True
    ) -> Ticket | None:
        """Return the token that ``value`` means, as :mod:`cone.tokens.core.codes` says.

        :param site: address below which the pages of tokens are; that of a page means its token.
        :param is_complete: False: more of the code may be under way.
        :raises Unfinished: that may be, and another code begins with it.
        :raises Replaced: the token has another code now.
        """
        sent = SentCode(value, site, is_complete)
        return self._work.read(lambda tx: sent_codes.find_code(tx, TICKET, sent))

    def find_alike(self, token: Ticket) -> str | None:
        """Return a code that another token has or had until it was replaced, and reads alike.

        It differs from that of ``token`` in case or hyphens alone: in doubt neither is found.
        """
        wanted = {token.value: token.uid}
        return self._work.read(lambda tx: finding.find_alike(tx, TICKET, wanted)).get(token.value)

    def find_many(
        self,
        which: Selection,
        *,
        sort: Sort = NEWEST_FIRST,
        expected_count: int | None = None,
    ) -> list[Ticket]:
        """Return tokens: of uids those that are there, in that order; else in that of ``sort``.

        :param which: different uids, :data:`MAX_BATCH` at most, or a filter.
        :param expected_count: what the caller saw; another number is an error.
        :raises CountChanged: there are not as many as expected.
        :raises InvalidParameter: more than :data:`MAX_BATCH` tokens are meant.
        """
        if not isinstance(which, TokenFilter) and len(which) > MAX_BATCH:
            raise too_many_tokens()
        tokens = self._work.read(
            lambda tx: listing.find_many(tx, TICKET, which, MAX_BATCH + 1, sort)
        )
        return counted(tokens, expected_count)

    def page(
        self,
        size: int,
        *,
        matching: TokenFilter = EVERYTHING,
        sort: Sort = NEWEST_FIRST,
        after: uuid.UUID | None = None,
        before: uuid.UUID | None = None,
    ) -> TokenPage[Ticket]:
        """Return up to ``size`` tokens, beside a token where one is named.

        A token that does not exist counts as not named.
        """
        query = TokenQuery(matching=matching, sort=sort, limit=size, after=after, before=before)
        return self._work.read(lambda tx: listing.page(tx, TICKET, query))

    def finds_parts(self) -> bool:
        """Return whether searches find parts of codes and labels; else beginnings alone."""
        return self._work.read(lambda tx: searching.finds_parts(tx, TICKET))

    def hits(self, sought: str | int, limit: int) -> list[tuple[int, Ticket]]:
        """Return up to ``limit`` tokens that were found, each with its number; the newest first.

        :param sought: parts of codes and labels, or the number of a token that was found.
        """
        return self._work.read(lambda tx: listing.hits(tx, TICKET, sought, limit))

    def count(self, matching: TokenFilter = EVERYTHING) -> int | None:
        """Return the number of tokens that a filter matches; None: more than :data:`MAX_BATCH`."""
        return self._work.read(lambda tx: listing.count(tx, TICKET, matching))

    def counted_page(self, query: TokenQuery) -> tuple[TokenPage[Ticket], int | None]:
        """Return a page, and how many tokens there are in all, as :meth:`count` has it."""
        page = self.page(
            query.limit,
            matching=query.matching,
            sort=query.sort,
            after=query.after,
            before=query.before,
        )
        if page.count is not UNSET:
            return page, page.count
        # To count takes longer than to read a page.
        is_whole = not page.has_previous and not page.has_next
        return page, len(page.tokens) if is_whole else self.count(query.matching)

    def every(self, which: Selection, sort: Sort = NEWEST_FIRST) -> Iterator[Ticket]:
        """Return all tokens that are meant, one after the other.

        They are read piece by piece as they are taken, each piece in a transaction of its own:
        what is added or changed meanwhile may be among them or not.

        :param which: tokens that do not exist are left out.
        :param sort: what is meant by uids comes in their order.
        """
        if not isinstance(which, TokenFilter):
            yield from self.find_many(which, sort=sort)
            return
        yield from self._piece_by_piece(
            functools.partial(listing.next_part, kind=TICKET, matching=which, sort=sort)
        )

    def usages(self, uid: uuid.UUID, limit: int, before: uuid.UUID | None = None) -> UsagePage:
        """Return up to ``limit`` usages of a token, newest first.

        :param before: receipt of one of them: go on there.
        :raises TokenNotFound: there is no such token.
        :raises InvalidParameter: ``before`` is no receipt of this token.
        """

        def read(tx: Transaction) -> UsagePage:
            if finding.find(tx, TICKET, "uid", uid) is None:
                raise TokenNotFound(uid)
            try:
                return usages.usages(tx, TICKET, uid, limit, before)
            except LookupError:
                raise invalid_receipt() from None

        return self._work.read(read)

    def find_usage(self, uid: uuid.UUID, receipt: uuid.UUID) -> Usage | None:
        """Return the usage of a token with this ``receipt``."""
        return self._work.read(lambda tx: usages.find_usage(tx, TICKET, uid, receipt))

    def log(self, which: Selection = EVERYTHING) -> Iterator[LoggedUsage]:
        """Return all usages of tokens, newest first, as :mod:`cone.tokens.core.store.use_log` says.

        They are read piece by piece as they are taken, each piece in a transaction of its own:
        what is logged meanwhile may be among them or not.
        """
        results = (self._log_of(which, result) for result in use_log.RESULTS)
        return heapq.merge(*results, key=_place_in_log, reverse=True)

    def _log_of(self, which: Selection, result: Denial | None) -> Iterator[LoggedUsage]:
        return self._piece_by_piece(
            functools.partial(use_log.next_part, kind=TICKET, which=which, result=result)
        )

    def _piece_by_piece(self, next_part: Callable[..., tuple[Iterable[T], Any]]) -> Iterator[T]:
        """Return all that there is, each piece read in a transaction of its own.

        :param next_part: returns a piece and the ``place`` behind it; None: it was the last one.
        """
        place = None
        while True:
            found, place = self._work.read(functools.partial(next_part, place=place))
            yield from found
            if place is None:
                return

    def statistics(
        self,
        first: datetime.date,
        last: datetime.date,
        step: Step,
        zone: datetime.tzinfo,
        checkpoint: str | None = None,
    ) -> Statistics:
        """Return the number of tries in each hour or day of a time.

        :param last: the last day; it belongs to the time.
        :param zone: whose clocks tell hours and days.
        :param checkpoint: the one whose tries are counted; None: all tries are.
        """
        times = edges(first, last, step, zone)
        return self._work.read(lambda tx: statistics.statistics(tx, TICKET, times, checkpoint))

    def check_key(self, key: IdempotencyKey) -> None:
        """Refuse a key that is bound to another request.

        :raises IdempotencyConflict: it is.
        """
        self._work.read(lambda tx: recorded_answer(tx, key))

    def check_database(self) -> None:
        """Ask the database for a sign of life, once.

        :raises Unavailable: there is none.
        """
        with self._work.database.reading() as tx:
            tx.ping()

    def consume(
        self,
        uid: uuid.UUID,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
        manner: Manner = PLAIN,
    ) -> Outcome:
        """Take one use of the token with this ``uid``.

        A refusal is an answer, not an error. Every try of a known token is logged.

        :param key: a repeat with the same key gets the first outcome again and changes nothing.
        :param manner: how it is used.
        :raises TokenNotFound: there is none.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        attempt = Attempt(uuid.uuid4(), by, key, manner=manner)
        return self._work.consume(
            TICKET,
            lambda tx: consuming.consume(tx, TICKET, "uid", uid, attempt),
            attempt,
        )

    def consume_value(
        self,
        value: str,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
        site: str | None = None,
        is_complete: bool = True,
    ) -> Outcome:
        """Take one use of the token that ``value`` means; else as :meth:`consume`.

        :param site: as for :meth:`find_by_value`.
        :param is_complete: False: more of the code may be under way.
        :raises Unfinished: that may be, and another code begins with it.
        """
        return self.consume_code(SentCode(value, site, is_complete), by=by, key=key)

    def consume_code(
        self,
        sent: SentCode,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
        manner: Manner = PLAIN,
    ) -> Outcome:
        """Take one use of the token that a code means; else as :meth:`consume`.

        :raises Unfinished: the code may go on, and there is one that does.
        :raises Repeated: it is another form of the code of a token that it must not be read as.
        """
        attempt = Attempt(uuid.uuid4(), by, key, manner=manner)
        return self._work.consume(
            TICKET,
            lambda tx: sent_codes.consume_code(tx, TICKET, sent, attempt),
            attempt,
        )

    def consume_found(
        self,
        number: int,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
        but: frozenset[uuid.UUID] = frozenset(),
        manner: Manner = PLAIN,
    ) -> Outcome:
        """Take one use of a token that was found; else as :meth:`consume`.

        :param number: of :meth:`hits`.
        :param but: tokens that are not meant.
        :raises Repeated: it is one of those.
        """
        attempt = Attempt(uuid.uuid4(), by, key, manner=manner)
        return self._work.consume(
            TICKET,
            lambda tx: sent_codes.consume_found(tx, TICKET, number, but, attempt),
            attempt,
        )

    def undo(
        self, uid: uuid.UUID, receipt: uuid.UUID, *, by: Actor, may_edit: bool = True
    ) -> Undone:
        """Take back the use with this ``receipt``; its uses come back.

        Whoever took it may do so for 15 minutes, who may edit tokens always. A repeat changes
        nothing.

        :raises TokenNotFound: there is no such token.
        :raises NotUndone: the caller may not.
        :raises InvalidParameter: it is the receipt of no granted use of this token.
        """
        return self._undo(lambda _tx: uid, receipt, by, may_edit=may_edit)

    def undo_found(
        self, number: int, receipt: uuid.UUID, *, by: Actor, may_edit: bool = True
    ) -> Undone:
        """Take back a use of a token that was found; else as :meth:`undo`.

        :param number: of :meth:`hits`.
        """
        return self._undo(
            lambda tx: searching.uid_of(tx, TICKET, number), receipt, by, may_edit=may_edit
        )

    def _undo(
        self,
        uid_of: Callable[[Transaction], uuid.UUID],
        receipt: uuid.UUID,
        by: Actor,
        *,
        may_edit: bool,
    ) -> Undone:
        may_undo = undoing.may_undo_any if may_edit else undoing.may_undo_own(by)

        def write(tx: Transaction) -> Undone:
            asked = undoing.Undoing(uid_of(tx), receipt, by, may_undo)
            undone = undoing.undo(tx, TICKET, asked)
            if undone is None:
                raise no_use_of_token()
            return undone

        return self._work.write(write)

    def reset_presence(self, *, by: Actor) -> int:
        """Let no token be inside or outside any more, a part at a time; return how many were."""
        count = 0
        for name in PRESENCE:
            reset = functools.partial(
                changing.reset, kind=TICKET, by=name, limit=RESET_AT_ONCE, actor=by
            )
            while part := len(self._work.write(reset)):
                count += part
        return count

    def count_inside(self) -> int:
        """Return the number of tokens that are inside."""
        return self._work.read(lambda tx: presence.count_inside(tx, TICKET))

    def door_figures(self) -> DoorFigures:
        """Return how many tokens are inside, and how many came."""
        return self._work.read(lambda tx: presence.figures(tx, TICKET))

    def add(
        self,
        token: NewTicket,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> uuid.UUID:
        """Add a token and return its uid.

        :param key: as for :meth:`consume`.
        :raises InvalidParameter: the window ends before it begins, or the value is no code.
        :raises ValueTaken: another token has the value.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        return self._add([token], by, key)[0]

    def add_as(self, uid: uuid.UUID, token: NewTicket, *, by: Actor) -> uuid.UUID:
        """Add a token under a uid that the caller chose, and return that.

        :raises InvalidParameter: the window ends before it begins, or the value is no code.
        :raises UidTaken: another token has the uid.
        :raises ValueTaken: another token has the value, and may have the uid too.
        """
        check_window(token.valid_from, token.valid_to)
        new = new_row(uid, with_code(token))

        def add(tx: Transaction) -> uuid.UUID:
            changing.add_as(tx, TICKET, new, actor=by)
            return uid

        return self._work.write(add)

    def add_many(
        self,
        token: NewTicket,
        count: int,
        prefix: str | None,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> list[uuid.UUID]:
        """Add ``count`` tokens like ``token`` and return their uids; all of them or none.

        :param prefix: values are it and 26 random base32 characters (130 bits); None: the uids.
        :raises ValueTaken: another token has one of the values.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        values = (None if prefix is None else prefix + _random_text() for _ in range(count))
        tokens = [dataclasses.replace(token, value=value) for value in values]
        return self._add(tokens, by, key)

    def check_import(self, rows: Sequence[ImportRow], known: Known) -> ImportReport:
        """Return the report of :meth:`import_tokens` without changing anything."""
        return self._work.read(lambda tx: ImportWork(tx, rows, known, None).report)

    def import_tokens(
        self,
        rows: Sequence[ImportRow],
        known: Known,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> ImportReport:
        """Add tokens, and update or skip those whose uid or value is known; all or none.

        A mistake is in the report, not an error: nothing was changed then.

        :param rows: at most :data:`MAX_BATCH`, with different values and uids.
        :param key: as for :meth:`consume`.
        :raises ValueTaken: one of the values was taken meanwhile; nothing was changed.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        foreseen: ImportWork | None = None
        if is_worth_foreseeing(self._work, len(rows)):
            foreseen = self._work.read(lambda tx: ImportWork(tx, rows, known, by))
            foreseen.make_ready()

        def work(tx: Transaction) -> ImportReport:
            answer = recorded_answer(tx, key, for_update=True) if key else None
            if answer is not None:
                return ImportReport(**answer)
            if foreseen and foreseen.still_holds(tx):
                planned = foreseen
            else:
                planned = ImportWork(tx, rows, known, by, for_update=True)
            if not planned.report.mistakes:
                keys.bind_key(tx, key, imports.answer_of(planned.report))
                planned.carry_out(tx)
            return planned.report

        def repeat(_tx: Transaction, answer: dict[str, Any]) -> ImportReport:
            return ImportReport(**answer)

        return self._work.write(work, key, repeat)

    def update(
        self,
        uid: uuid.UUID,
        changes: TicketChanges,
        *,
        by: Actor,
        expected_usage_count: int | None = None,
    ) -> None:
        """Change what ``changes`` gives.

        :param expected_usage_count: what the caller saw; another one refuses the change.
        :raises TokenNotFound: there is no such token.
        :raises TokenChanged: the uses left are not the expected ones.
        :raises InvalidParameter: the window ends before it begins, or another value is no code.
        :raises ValueTaken: another token has the value.
        """

        def work(tx: Transaction) -> Ticket:
            token = finding.find(tx, TICKET, "uid", uid, for_update=True)
            if token is None:
                raise TokenNotFound(uid)
            if expected_usage_count not in (None, token.usage_count):
                raise TokenChanged(uid)
            _change(tx, token, changes, by)
            return token

        self._work.write(work)

    def update_by_value(self, value: str, changes: TicketChanges, *, by: Actor) -> Ticket:
        """Change what ``changes`` gives in the token that a code means; return what it was.

        :param value: as :meth:`find_by_value` reads it.
        :raises TokenNotFound: there is no such token.
        :raises Replaced: the token has another code now.
        :raises InvalidParameter: as :meth:`update`.
        :raises ValueTaken: another token has the new value.
        """

        def work(tx: Transaction) -> Ticket:
            meant = sent_codes.find_code(tx, TICKET, SentCode(value))
            # It may get another code until its row is locked.
            token = meant and finding.find(tx, TICKET, "value", meant.value, for_update=True)
            if token is None:
                raise TokenNotFound
            _change(tx, token, changes, by)
            return token

        return self._work.write(work)

    def replace(
        self,
        uid: uuid.UUID,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> str:
        """Give a token a new random code and return it; the one before is refused from now on.

        No other token gets that one, as long as this token is there.

        :param key: as for :meth:`consume`.
        :raises TokenNotFound: there is no such token.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        code = _random_text()

        def work(tx: Transaction) -> str:
            keys.bind_key(tx, key, answer_of_replacement(code))
            token = finding.find(tx, TICKET, "uid", uid, for_update=True)
            if token is None:
                raise TokenNotFound(uid)
            changing.replace_code(tx, TICKET, token, code, by)
            return code

        def repeat(_tx: Transaction, answer: dict[str, Any]) -> str:
            return str(answer["replaced_by"])

        return self._work.write(work, key, repeat)

    def update_many(
        self,
        which: Selection,
        changes: TicketChanges,
        *,
        by: Actor,
        expected_count: int | None = None,
    ) -> int:
        """Change what ``changes`` gives in tokens, all of them or none; return how many.

        :param changes: without a value, which is one token's.
        :param expected_count: what the caller saw; another number refuses the change.
        :raises TokenNotFound: one of them does not exist.
        :raises CountChanged: there are not as many as expected.
        :raises InvalidParameter: a filter means more than :data:`MAX_BATCH` tokens, or the window
            of one would end before it begins.
        """
        changed = changes.given()

        def describe(tokens: list[Ticket]) -> Rows:
            return events.of_changes(TICKET, ((token, changed) for token in tokens), by)

        foreseen = foresee(self._work, TICKET, which, describe)

        def work(tx: Transaction) -> int:
            tokens, told = chosen(tx, TICKET, which, expected_count, foreseen)
            for token in tokens:
                check_changed_window(token, changed)
            if tokens and changed:
                changing.update(tx, TICKET, tokens, changed, told or describe(tokens))
            return len(tokens)

        return self._work.write(work)

    def delete(self, uid: uuid.UUID, *, by: Actor) -> None:
        """Delete the token; its usage log stays.

        :raises TokenNotFound: there is no such token.
        """
        self.delete_many([uid], by=by)

    def delete_many(
        self,
        which: Selection,
        *,
        by: Actor,
        expected_count: int | None = None,
    ) -> int:
        """Delete tokens, all of them or none, and return how many; their usage logs stay.

        :param expected_count: what the caller saw; another number refuses the change.
        :raises TokenNotFound: one of them does not exist.
        :raises CountChanged: there are not as many as expected.
        :raises InvalidParameter: a filter means more than :data:`MAX_BATCH` tokens.
        """

        def describe(tokens: list[Ticket]) -> Rows:
            return events.of_deletions(TICKET, tokens, by)

        foreseen = foresee(self._work, TICKET, which, describe)

        def work(tx: Transaction) -> int:
            tokens, told = chosen(tx, TICKET, which, expected_count, foreseen)
            if tokens:
                changing.delete(tx, TICKET, tokens, told or describe(tokens))
            return len(tokens)

        return self._work.write(work)

    def _add(
        self,
        tokens: list[NewTicket],
        by: Actor,
        key: IdempotencyKey | None,
    ) -> list[uuid.UUID]:
        for token in tokens[:1]:
            check_window(token.valid_from, token.valid_to)
        rows = list(new_rows(map(with_code, tokens)))
        uids = [uid for uid, _fields in rows]
        new = changing.additions(TICKET, rows, by)
        if self._work.database.has_one_writer:
            new.make_ready()

        def add(tx: Transaction) -> list[uuid.UUID]:
            keys.bind_key(tx, key, {"token_uids": [str(uid) for uid in uids]})
            changing.add(tx, new)
            return uids

        def repeat(_tx: Transaction, answer: dict[str, Any]) -> list[uuid.UUID]:
            return [uuid.UUID(uid) for uid in answer["token_uids"]]

        return self._work.write(add, key, repeat)


def _change(tx: Transaction, token: Ticket, changes: TicketChanges, by: Actor) -> None:
    """Change a token that this transaction found for update.

    :raises InvalidParameter: as :meth:`TicketService.update`.
    :raises ValueTaken: another token has the value.
    """
    changed = changes.given()
    check_changed_window(token, changed)
    if changes.value is None:
        changed["value"] = str(token.uid)
    elif changes.value is not UNSET:
        changed["value"] = codes.changed_code(token.value, changes.value)
    if changed:
        told = events.of_changes(TICKET, [(token, changed)], by)
        changing.update(tx, TICKET, [token], changed, told)


def on_engine(
    engine: Engine,
    clock: Clock = utc_now,
    patience: Patience = NEVER,
    places: Places | None = None,
) -> TicketService:
    """Return a service that commits each use case by itself."""
    return TicketService(UnitOfWork(Database(engine, clock, places), patience))


def within(connection: Connection, clock: Clock = utc_now) -> TicketService:
    """Return a service whose changes belong to the transaction of ``connection``."""
    return TicketService(UnitOfWork(HostTransaction(connection, clock)))


def _place_in_log(logged: LoggedUsage) -> tuple[datetime.datetime, uuid.UUID]:
    return logged.usage.time, logged.usage.receipt


def _random_text() -> str:
    return base64.b32encode(secrets.token_bytes(RANDOM_LENGTH)).decode()[:RANDOM_LENGTH]
