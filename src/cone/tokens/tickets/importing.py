"""The work of an import: the plan for the tokens that there are, and the rows that carry it out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from cone.tokens.core import codes
from cone.tokens.core.many import Rows
from cone.tokens.core.store import changing
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import former
from cone.tokens.core.store import locking
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.values import Actor
from cone.tokens.tickets.imports import KnownTokens
from cone.tokens.tickets.imports import plan
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.kind import new_rows
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known


class ImportWork:
    """The work of an import, as long as the tokens of its rows stay the same.

    :ivar report: the plan in numbers, and what of it cannot be used.
    """

    def __init__(
        self,
        tx: Transaction,
        rows: Sequence[ImportRow],
        known: Known,
        by: Actor,
        *,
        for_update: bool = False,
    ) -> None:
        """Plan the import of ``rows``.

        :param for_update: keep others from changing the tokens.

        SQL: 2 statements, and 1 where tokens get codes.
        """
        values = [row.token.value for row in rows if row.token.value is not None]
        # A code is found as it was stored, and as it would be stored now.
        forms = (codes.normal_form, codes.mended)
        self._values = list(dict.fromkeys([*values, *(f(text) for text in values for f in forms)]))
        self._uids = [row.uid for row in rows if row.uid is not None]
        self._by = by
        self._tokens = finding.find_known(
            tx, TICKET, self._uids, self._values, for_update=for_update
        )
        holders = former.holders(tx, TICKET, self._values)
        self._plan = plan(rows, KnownTokens.of(self._tokens, holders), known)
        unusable = TICKET.rules.count_lasting(self._plan.made, tx.time())
        self.report = dataclasses.replace(
            self._plan.report, unusable=unusable, alike=self._alike(tx)
        )

    def _alike(self, tx: Transaction) -> dict[int, str]:
        """Return codes of other tokens that are read like those of rows, by row."""
        given = self._plan.given
        alike = finding.find_alike(tx, TICKET, dict(given.values()))
        return {row: alike[code] for row, (code, _uid) in given.items() if code in alike}

    @functools.cached_property
    def _additions(self) -> changing.Additions:
        # Two imports that have values in common wait for each other, and not in a circle.
        new = sorted(new_rows(self._plan.new), key=lambda row: row[1]["value"])
        return changing.additions(TICKET, new, self._by)

    @functools.cached_property
    def _events(self) -> Rows:
        return events.of_changes(TICKET, self._plan.changes, self._by)

    def make_ready(self) -> None:
        """Do now what would have to be done with SQLite's lock in hand."""
        if self._plan.new:
            self._additions.make_ready()
        if self._plan.changes:
            self._events.make_ready()

    def still_holds(self, tx: Transaction) -> bool:
        """Return whether the tokens are what they were."""
        return locking.are_known(tx, TICKET, self._uids, self._values, self._tokens)

    def carry_out(self, tx: Transaction) -> None:
        """Add and change tokens.

        SQL: 2 statements for additions; for changes as :func:`changing.update_each`.
        """
        if self._plan.new:
            changing.add(tx, self._additions)
        if self._plan.changes:
            changing.update_each(tx, TICKET, self._plan.changes, self._events)
