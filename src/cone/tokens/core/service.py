"""The use cases: one method, one transaction each."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import secrets
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy import Engine

from cone.tokens.core.clock import Clock
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.database import HostTransaction
from cone.tokens.core.database import KeyTaken
from cone.tokens.core.database import TokensDatabase
from cone.tokens.core.errors import CountChanged
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.imports import Plan
from cone.tokens.core.imports import plan
from cone.tokens.core.params import MAX_BATCH
from cone.tokens.core.params import RANDOM_LENGTH
from cone.tokens.core.params import check_window
from cone.tokens.core.params import invalid_receipt
from cone.tokens.core.params import too_many_tokens
from cone.tokens.core.periods import edges
from cone.tokens.core.retry import NEVER
from cone.tokens.core.retry import Patience
from cone.tokens.core.store import RecordedAnswer
from cone.tokens.core.store import Selector
from cone.tokens.core.store import Store
from cone.tokens.core.types import EVERYTHING
from cone.tokens.core.types import NEWEST_FIRST
from cone.tokens.core.types import UNSET
from cone.tokens.core.types import Actor
from cone.tokens.core.types import IdempotencyKey
from cone.tokens.core.types import ImportReport
from cone.tokens.core.types import ImportRow
from cone.tokens.core.types import Known
from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Outcome
from cone.tokens.core.types import Selection
from cone.tokens.core.types import Sort
from cone.tokens.core.types import Statistics
from cone.tokens.core.types import Step
from cone.tokens.core.types import Token
from cone.tokens.core.types import TokenChanges
from cone.tokens.core.types import TokenFilter
from cone.tokens.core.types import TokenPage
from cone.tokens.core.types import TokenQuery
from cone.tokens.core.types import UsagePage

T = TypeVar("T")


class TokenService:
    """Issues, looks up, consumes, changes and deletes tokens.

    Every method raises :class:`~cone.tokens.core.errors.Unavailable` where the database is busy
    or away; nothing is changed then. Where it is lost on the way, a method is repeated, with the
    same receipt or the same event, so that nothing is done twice.

    Concurrency: safe to share among threads. Whatever returns is on disk.
    """

    def __init__(self, database: TokensDatabase, patience: Patience = NEVER) -> None:
        """Take what says what a transaction is; see :func:`on_engine` and :func:`within`.

        :param patience: how long a lost database is waited for.
        """
        self._database = database
        self._patience = patience

    def find(self, uid: uuid.UUID) -> Token | None:
        """Return the token with this ``uid``."""
        return self._read(lambda store: store.find("uid", uid))

    def get(self, uid: uuid.UUID) -> Token:
        """Return the token with this ``uid``.

        :raises TokenNotFound: there is none.
        """
        token = self.find(uid)
        if token is None:
            raise TokenNotFound(uid)
        return token

    def find_by_value(self, value: str) -> Token | None:
        """Return the token with this ``value``; case and spaces count."""
        return self._read(lambda store: store.find("value", value))

    def find_many(
        self,
        which: Selection,
        *,
        sort: Sort = NEWEST_FIRST,
        expected_count: int | None = None,
    ) -> list[Token]:
        """Return tokens: of uids those that are there, in that order; else in that of ``sort``.

        :param which: different uids, :data:`MAX_BATCH` at most, or a filter.
        :param expected_count: what the caller saw; another number is an error.
        :raises CountChanged: there are not as many as expected.
        :raises InvalidParameter: more than :data:`MAX_BATCH` tokens are meant.
        """
        if not isinstance(which, TokenFilter) and len(which) > MAX_BATCH:
            raise too_many_tokens()
        tokens = self._read(lambda store: store.find_many(which, MAX_BATCH + 1, sort))
        return _counted(tokens, expected_count)

    def page(
        self,
        size: int,
        *,
        matching: TokenFilter = EVERYTHING,
        sort: Sort = NEWEST_FIRST,
        after: uuid.UUID | None = None,
        before: uuid.UUID | None = None,
    ) -> TokenPage:
        """Return up to ``size`` tokens, beside a token where one is named.

        A token that does not exist counts as not named.
        """
        return self._read(
            lambda store: store.page(
                size, matching=matching, sort=sort, after=after, before=before
            ),
        )

    def count(self, matching: TokenFilter = EVERYTHING) -> int | None:
        """Return how many tokens there are for which the filter holds.

        None: more than :data:`MAX_BATCH`.
        """
        return self._read(lambda store: store.count(matching))

    def counted_page(self, query: TokenQuery) -> tuple[TokenPage, int | None]:
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

    def every(self, which: Selection, sort: Sort = NEWEST_FIRST) -> Iterator[Token]:
        """Return all tokens that are meant, one after the other.

        They are read piece by piece as they are taken, each piece in a transaction of its own:
        what is added or changed meanwhile may be among them or not.

        :param which: tokens that do not exist are left out.
        :param sort: what is meant by uids comes in their order.
        """
        if not isinstance(which, TokenFilter):
            yield from self.find_many(which, sort=sort)
            return
        place = None
        while True:
            window = functools.partial(Store.window, matching=which, sort=sort, place=place)
            tokens, place = self._read(window)
            yield from tokens
            if place is None:
                return

    def usages(self, uid: uuid.UUID, limit: int, before: uuid.UUID | None = None) -> UsagePage:
        """Return up to ``limit`` usages of a token, newest first.

        :param before: receipt of one of them: go on there.
        :raises TokenNotFound: there is no such token.
        :raises InvalidParameter: ``before`` is no receipt of this token.
        """

        def read(store: Store) -> UsagePage:
            if store.find("uid", uid) is None:
                raise TokenNotFound(uid)
            try:
                return store.usages(uid, limit, before)
            except LookupError:
                raise invalid_receipt() from None

        return self._read(read)

    def statistics(
        self,
        first: datetime.date,
        last: datetime.date,
        step: Step,
        zone: datetime.tzinfo,
    ) -> Statistics:
        """Return how many tries to consume a token there were in each hour or day of a time.

        :param last: the last day; it belongs to the time.
        :param zone: whose clocks tell hours and days.
        """
        return self._read(lambda store: store.statistics(edges(first, last, step, zone)))

    def check_key(self, key: IdempotencyKey) -> None:
        """Refuse a key that is bound to another request.

        :raises IdempotencyConflict: it is.
        """
        self._read(lambda store: _recorded(store, key))

    def check_database(self) -> None:
        """Ask the database for a sign of life, once.

        :raises Unavailable: there is none.
        """
        with self._database.reading() as store:
            store.ping()

    def consume(
        self,
        uid: uuid.UUID,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> Outcome:
        """Take one use of the token with this ``uid``.

        A refusal is an answer, not an error. Every try of a known token is logged.

        :param key: a repeat with the same key gets the first outcome again and changes nothing.
        :raises TokenNotFound: there is none.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        return self._consume("uid", uid, by, key)

    def consume_value(
        self,
        value: str,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> Outcome:
        """Take one use of the token with this ``value``; else as :meth:`consume`."""
        return self._consume("value", value, by, key)

    def add(
        self,
        token: NewToken,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> uuid.UUID:
        """Add a token and return its uid.

        :param key: as for :meth:`consume`.
        :raises InvalidParameter: the window ends before it begins.
        :raises ValueTaken: another token has the value.
        :raises IdempotencyConflict: the key belongs to another request.
        """
        return self._add([token], by, key)[0]

    def add_many(
        self,
        token: NewToken,
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
        """Return what :meth:`import_tokens` would do right now, and change nothing."""
        return self._read(lambda store: _planned(store, rows, known, for_update=False).report)

    def import_tokens(
        self,
        rows: Sequence[ImportRow],
        known: Known,
        *,
        by: Actor,
        key: IdempotencyKey | None = None,
    ) -> ImportReport:
        """Add tokens, and update or skip those whose value is known; all of them or none.

        A mistake is in the report, not an error: nothing was changed then.

        :param rows: at most :data:`MAX_BATCH`, with different values.
        :param key: as for :meth:`consume`.
        :raises ValueTaken: one of the values was taken meanwhile; nothing was changed.
        :raises IdempotencyConflict: the key belongs to another request.
        """

        def work(store: Store) -> ImportReport:
            recorded = _recorded(store, key, for_update=True) if key else None
            if recorded:
                return ImportReport(**recorded.answer)
            planned = _planned(store, rows, known, for_update=True)
            report = planned.report
            if not report.mistakes:
                store.bind_key(key, _numbers(report))
                _carry_out(store, planned, by)
            return report

        def repeat(_store: Store, answer: dict[str, Any]) -> ImportReport:
            return ImportReport(**answer)

        return self._write(work, key, repeat)

    def update(
        self,
        uid: uuid.UUID,
        changes: TokenChanges,
        *,
        by: Actor,
        expected_usage_count: int | None = None,
    ) -> None:
        """Change what ``changes`` gives.

        :param expected_usage_count: what the caller saw; another one refuses the change.
        :raises TokenNotFound: there is no such token.
        :raises TokenChanged: the uses left are not the expected ones.
        :raises InvalidParameter: the window ends before it begins.
        :raises ValueTaken: another token has the value.
        """

        def work(store: Store) -> Token:
            token = store.find("uid", uid, for_update=True)
            if token is None:
                raise TokenNotFound(uid)
            if expected_usage_count not in (None, token.usage_count):
                raise TokenChanged(uid)
            changed = changes.given()
            check_window(
                changed.get("valid_from", token.valid_from),
                changed.get("valid_to", token.valid_to),
            )
            if changes.value is None:
                changed["value"] = str(uid)
            if changed:
                store.update([token], changed, actor=by)
            return token

        self._write(work)

    def update_many(
        self,
        which: Selection,
        changes: TokenChanges,
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

        def work(store: Store) -> int:
            tokens = _chosen(store, which, expected_count)
            for token in tokens:
                check_window(
                    changed.get("valid_from", token.valid_from),
                    changed.get("valid_to", token.valid_to),
                )
            if tokens and changed:
                store.update(tokens, changed, actor=by)
            return len(tokens)

        return self._write(work)

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

        def work(store: Store) -> int:
            tokens = _chosen(store, which, expected_count)
            if tokens:
                store.delete(tokens, actor=by)
            return len(tokens)

        return self._write(work)

    def _read(self, read: Callable[[Store], T]) -> T:
        def work() -> T:
            with self._database.reading() as store:
                return read(store)

        return self._patience.persist(work)

    def _consume(
        self,
        selector: Selector,
        sought: object,
        by: Actor,
        key: IdempotencyKey | None,
    ) -> Outcome:
        receipt = uuid.uuid4()

        def consume() -> Outcome:
            with self._database.deciding() as store:
                return store.consume(selector, sought, receipt=receipt, actor=by, key=key)

        def repeat(store: Store, answer: dict[str, Any]) -> Outcome | None:
            return store.find_outcome(uuid.UUID(answer["receipt"]))

        def found() -> Outcome | None:
            with self._database.confirming() as store:
                return store.find_outcome(receipt)

        return self._patience.persist(lambda: self._once(key, consume, repeat), found)

    def _add(
        self,
        tokens: list[NewToken],
        by: Actor,
        key: IdempotencyKey | None,
    ) -> list[uuid.UUID]:
        for token in tokens[:1]:
            check_window(token.valid_from, token.valid_to)
        uids = [uuid.uuid4() for _ in tokens]

        def add(store: Store) -> list[uuid.UUID]:
            store.bind_key(key, {"token_uids": [str(uid) for uid in uids]})
            store.add(list(zip(uids, tokens, strict=True)), actor=by)
            return uids

        def repeat(_store: Store, answer: dict[str, Any]) -> list[uuid.UUID]:
            return [uuid.UUID(uid) for uid in answer["token_uids"]]

        return self._write(add, key, repeat)

    def _write(
        self,
        write: Callable[[Store], T],
        key: IdempotencyKey | None = None,
        repeat: Callable[[Store, dict[str, Any]], T | None] | None = None,
    ) -> T:
        """Return what comes of ``write``, whose changes are committed together, and once.

        The mark of a try is the uid of its first event. Where a try has got as far as that, the
        mark of the ones before it is not there: their changes were rolled back.
        """
        mark = uuid.uuid4()
        last: list[T] = []

        def work() -> T:
            with self._database.writing(mark) as store:
                result = write(store)
                if store.has_marked:
                    last[:] = [result]
                elif last and store.has_event(mark):
                    # A try came to its end behind our back, and left nothing to do.
                    raise Interrupted
            return result

        def found() -> T | None:
            if not last:
                return None
            with self._database.confirming() as store:
                return last[0] if store.has_event(mark) else None

        return self._patience.persist(lambda: self._once(key, work, repeat), found)

    def _once(
        self,
        key: IdempotencyKey | None,
        work: Callable[[], T],
        repeat: Callable[[Store, dict[str, Any]], T | None] | None,
    ) -> T:
        """Return the outcome of ``work``, or of the first request with the same key.

        The work comes first: where the key is bound, its transaction is rolled back. A token
        that is gone may have been there for the first request.
        """
        try:
            return work()
        except (KeyTaken, TokenNotFound):
            if key is None or repeat is None:
                raise
            with self._database.confirming() as store:
                recorded = _recorded(store, key, for_update=True)
                outcome = repeat(store, recorded.answer) if recorded else None
            if outcome is None:
                raise
            return outcome


def _chosen(store: Store, which: Selection, expected_count: int | None) -> list[Token]:
    return _counted(store.lock_many(which, MAX_BATCH + 1), expected_count)


def _counted(tokens: list[Token], expected_count: int | None) -> list[Token]:
    """Return ``tokens`` where there are not too many, and as many as expected."""
    if len(tokens) > MAX_BATCH:
        raise too_many_tokens()
    if expected_count not in (None, len(tokens)):
        raise CountChanged(len(tokens))
    return tokens


def _planned(
    store: Store,
    rows: Sequence[ImportRow],
    known: Known,
    *,
    for_update: bool,
) -> Plan:
    values = [row.token.value for row in rows if row.token.value is not None]
    tokens = store.find_values(values, for_update=for_update)
    return plan(rows, {token.value: token for token in tokens}, known)


def _carry_out(store: Store, planned: Plan, actor: Actor) -> None:
    if planned.new:
        # Two imports that have values in common wait for each other, and not in a circle.
        new = sorted(planned.new, key=lambda token: token.value or "")
        store.add([(uuid.uuid4(), token) for token in new], actor=actor)
    if planned.changes:
        store.update_each(planned.changes, actor=actor)


def _numbers(report: ImportReport) -> dict[str, int]:
    names = ("added", "updated", "unchanged", "skipped")
    return {name: getattr(report, name) for name in names}


def _recorded(
    store: Store,
    key: IdempotencyKey,
    *,
    for_update: bool = False,
) -> RecordedAnswer | None:
    """Return the answer that ``key`` is bound to.

    :raises IdempotencyConflict: to another request.
    """
    recorded = store.find_answer(key, for_update=for_update)
    if recorded and not recorded.is_same_request:
        raise IdempotencyConflict from None
    return recorded


def on_engine(
    engine: Engine,
    clock: Clock = utc_now,
    patience: Patience = NEVER,
) -> TokenService:
    """Return a service that commits each use case by itself."""
    return TokenService(Database(engine, clock), patience)


def within(connection: Connection, clock: Clock = utc_now) -> TokenService:
    """Return a service whose changes belong to the transaction of ``connection``."""
    return TokenService(HostTransaction(connection, clock))


def _random_text() -> str:
    return base64.b32encode(secrets.token_bytes(RANDOM_LENGTH)).decode()[:RANDOM_LENGTH]
