"""What is right in the time ranges and checkpoints of the settings file (contract 1)."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.tickets.checkpoints import CHECKPOINT_SOUNDS
from cone.tokens.tickets.checkpoints import DIRECTIONS
from cone.tokens.tickets.checkpoints import LONGEST_INSIDE
from cone.tokens.tickets.checkpoints import MEMBERS
from cone.tokens.tickets.checkpoints import no_checkpoint
from cone.tokens.tickets.checkpoints import read_category
from cone.tokens.tickets.params import MAX_CATEGORY

#: What each entry of a list has.
NAME: Final = "name"
LONGEST_NAME: Final = 40

#: What a time range has; an end that is not after the start is on the next day.
ENDS: Final = ("start", "end")
MOST_TIME_RANGES: Final = 20

MOST_CHECKPOINTS: Final = 20
MOST_CATEGORIES: Final = 50

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
#: Control characters, halves of surrogates, line and paragraph separators.
_NO_NAME: Final = {"Cc", "Cs", "Zl", "Zp"}


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a setting.

    :ivar reason: a sentence for who reads the file.
    :ivar number: which entry of a list it is about, counted from 0.
    :ivar member: what of a time range or an entry is wrong.
    :ivar is_taken: whether another entry has the name.
    """

    reason: str
    number: int | None = None
    member: str | None = None
    is_taken: bool = False


def problem_of_times(value: object, form: str = "") -> Problem | None:
    """Return what is wrong with start and end of a time range; None: nothing.

    :param form: of the other members, as a message shows it.
    """
    times = value if isinstance(value, dict) else {}
    for end in ENDS:
        time = times.get(end)
        if not (isinstance(time, str) and _TIME.fullmatch(time)):
            reason = f'must be {{{form}"start": "HH:MM", "end": "HH:MM"}}'
            return Problem(reason, member=end)
    return None


def problem_of_ranges(value: object) -> Problem | None:
    """Return what is wrong with a list of time ranges; None: nothing."""

    def of_entry(entry: dict[str, Any]) -> Problem | None:
        return problem_of_times(entry, '"name": "...", ')

    return _problem_of_list(value, "time ranges", MOST_TIME_RANGES, of_entry)


def problem_of_checkpoints(value: object) -> Problem | None:
    """Return what is wrong with a list of checkpoints; None: nothing."""
    return _problem_of_list(value, "checkpoints", MOST_CHECKPOINTS, _problem_of_checkpoint)


def _problem_of_list(
    value: object,
    entries: str,
    most: int,
    of_entry: Callable[[dict[str, Any]], Problem | None],
) -> Problem | None:
    if not isinstance(value, list) or len(value) > most:
        return Problem(f"must be a list of at most {most} {entries}")
    names: set[str] = set()
    for number, entry in enumerate(value):
        problem = _problem_of_name(entry, names) or of_entry(entry)
        if problem:
            reason = f"number {number + 1}: {problem.reason}"
            return dataclasses.replace(problem, reason=reason, number=number)
        names.add(entry[NAME])
    return None


def _problem_of_name(entry: object, names: set[str]) -> Problem | None:
    name = entry.get(NAME) if isinstance(entry, dict) else None
    if not _is_name(name):
        reason = f"name must be a text of 1 to {LONGEST_NAME} characters in one line"
        return Problem(reason, member=NAME)
    if name in names:
        return Problem("its name is there before", member=NAME, is_taken=True)
    return None


def _is_name(value: object) -> bool:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        return False
    # On a button there must be something to see.
    is_seen = any(sign.isprintable() and not sign.isspace() for sign in value)
    return is_seen and not any(unicodedata.category(sign) in _NO_NAME for sign in value)


def checkpoint_sought(name: str) -> str | None:
    """Return the name of a checkpoint that there is or was; None: it is empty.

    :raises InvalidParameter: no checkpoint can have it.
    """
    if name and not _is_name(name):
        raise no_checkpoint()
    return name or None


def _problem_of_checkpoint(entry: dict[str, Any]) -> Problem | None:
    known = (NAME, *MEMBERS)
    for member in entry:
        if member not in known:
            told = json.dumps(member[:LONGEST_NAME])
            return Problem(f"{told} is unknown; there are {', '.join(known)}")
    members = {**MEMBERS, **entry}
    for member, (is_right, rule) in _RULES.items():
        if not is_right(members[member]):
            return Problem(f"{member} must be {rule}", member=member)
    return None


def _are_categories(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) > MOST_CATEGORIES:
        return False
    try:
        categories = [read_category(text) for text in value]
    except InvalidParameter:
        return False
    return None not in categories and len(set(categories)) == len(categories)


def _are_hours(value: object) -> bool:
    if value is None:
        return True
    # JSON's true is no number, but Python's is.
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= LONGEST_INSIDE


#: By the member of a checkpoint: whether a value is right, and what it must be.
_RULES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "categories": (
        _are_categories,
        f"a list of at most {MOST_CATEGORIES} different texts of 1 to {MAX_CATEGORY} characters",
    ),
    "directions": (lambda value: value in DIRECTIONS, f"one of {', '.join(DIRECTIONS)}"),
    "sound": (lambda value: value in CHECKPOINT_SOUNDS, f"one of {', '.join(CHECKPOINT_SOUNDS)}"),
    "inside_hours": (
        _are_hours,
        f"null or a number of hours above 0 and at most {LONGEST_INSIDE}",
    ),
}
