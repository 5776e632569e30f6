"""What an import means for the tokens that there are, before anything is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import check_window
from cone.tokens.core.types import ImportReport
from cone.tokens.core.types import ImportRow
from cone.tokens.core.types import Known
from cone.tokens.core.types import NewToken
from cone.tokens.core.types import Token


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    :ivar changes: known tokens, and the fields of each that get another value.
    """

    new: list[NewToken] = dataclasses.field(default_factory=list)
    changes: list[tuple[Token, dict[str, Any]]] = dataclasses.field(default_factory=list)
    unchanged: list[Token] = dataclasses.field(default_factory=list)
    skipped: list[Token] = dataclasses.field(default_factory=list)
    mistakes: dict[int, InvalidParameter] = dataclasses.field(default_factory=dict)

    @property
    def report(self) -> ImportReport:
        """The plan in numbers."""
        return ImportReport(
            added=len(self.new),
            updated=len(self.changes),
            unchanged=len(self.unchanged),
            skipped=len(self.skipped),
            mistakes=self.mistakes,
        )


def plan(rows: Sequence[ImportRow], tokens: Mapping[str, Token], known: Known) -> Plan:
    """Return what the import of ``rows`` has to do.

    :param tokens: those whose values are known, by value.
    """
    planned = Plan()
    for number, row in enumerate(rows):
        token = tokens.get(row.token.value) if row.token.value is not None else None
        if token is None:
            planned.new.append(row.token)
        elif known is Known.SKIP:
            planned.skipped.append(token)
        else:
            try:
                changed = _changed(token, row)
            except InvalidParameter as error:
                planned.mistakes[number] = error
                continue
            if changed:
                planned.changes.append((token, changed))
            else:
                planned.unchanged.append(token)
    return planned


def _changed(token: Token, row: ImportRow) -> dict[str, Any]:
    given = row.changes.given()
    check_window(
        given.get("valid_from", token.valid_from),
        given.get("valid_to", token.valid_to),
    )
    return {name: value for name, value in given.items() if getattr(token, name) != value}
