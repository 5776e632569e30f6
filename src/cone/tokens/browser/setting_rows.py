"""Rows in the form of the settings: one for each entry of a list, and empty ones behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from cone.tokens.i18n import _
from cone.tokens.tickets.setting_lists import LONGEST_NAME
from cone.tokens.tickets.setting_lists import Problem

WRONG_NAME: Final = _(
    "mistake_time_range_name",
    default="This must be a name of 1 to ${maximum} characters, in one line.",
    mapping={"maximum": LONGEST_NAME},
)
#: Rows for entries that are still to come.
_EMPTY_ROWS: Final = 2


class WrongFieldError(Exception):
    """What a field of the settings says cannot be taken.

    :ivar name: of the field.
    :ivar text: the sentence beside it.
    """

    def __init__(self, name: str, text: str) -> None:
        """Name the field, and say why."""
        self.name = name
        self.text = text
        super().__init__(name)


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a list, numbered from 1.

    :ivar start: how the names of their fields begin.
    :ivar texts: members that people type; a row without any is empty, and no entry.
    :ivar most: entries that the list may have.
    :ivar choices: members that a row has besides; one is always chosen.
    """

    start: str
    texts: tuple[str, ...]
    most: int
    choices: tuple[str, ...] = ()

    def name(self, number: int) -> str:
        """Return the name of a row."""
        return f"{self.start}_{number}"

    def field(self, number: int, member: str) -> str:
        """Return the name of a field of a row."""
        return f"{self.name(number)}_{member}"

    def entries(self, sent: Mapping[str, str]) -> dict[int, dict[str, str]]:
        """Return what a form says by number of the row; empty rows are left out."""
        members = (*self.texts, *self.choices)
        rows = {
            number: {member: sent.get(self.field(number, member), "").strip() for member in members}
            for number in range(1, self.most + 1)
        }
        return {
            number: row for number, row in rows.items() if any(row[member] for member in self.texts)
        }

    def numbers(self, *forms: Mapping[str, str]) -> range:
        """Return the numbers of the rows that a form needs to show what ``forms`` say."""
        used = [number for form in forms for number in self.entries(form)]
        return range(1, min(max(used, default=0) + _EMPTY_ROWS, self.most) + 1)

    def wrong_field(self, problem: Problem, sent: Mapping[str, str]) -> str:
        """Return the name of the field that a ``problem`` with the entries of a form is about."""
        number = list(self.entries(sent))[problem.number or 0]
        return self.field(number, problem.member or self.texts[0])
