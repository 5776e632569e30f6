"""The checkpoints in the form of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.browser.setting_rows import WRONG_NAME
from cone.tokens.browser.setting_rows import Rows
from cone.tokens.browser.setting_rows import WrongFieldError
from cone.tokens.i18n import _
from cone.tokens.tickets import checkpoints
from cone.tokens.tickets.checkpoints import CHECKPOINT_SOUNDS
from cone.tokens.tickets.checkpoints import DIRECTIONS
from cone.tokens.tickets.checkpoints import IN
from cone.tokens.tickets.checkpoints import IN_AND_OUT
from cone.tokens.tickets.checkpoints import LONGEST_INSIDE
from cone.tokens.tickets.checkpoints import Checkpoint
from cone.tokens.tickets.params import MAX_CATEGORY
from cone.tokens.tickets.setting_lists import LONGEST_NAME
from cone.tokens.tickets.setting_lists import MOST_CATEGORIES
from cone.tokens.tickets.setting_lists import MOST_CHECKPOINTS
from cone.tokens.tickets.setting_lists import NAME
from cone.tokens.tickets.setting_lists import Problem
from cone.tokens.web.fields import Field
from cone.tokens.web.fields import Group

_CATEGORIES: Final = "categories"
_DIRECTIONS: Final = "directions"
_SOUND: Final = "sound"
_HOURS: Final = "inside_hours"

ROWS: Final = Rows(
    "checkpoint",
    (NAME, _CATEGORIES, _HOURS),
    MOST_CHECKPOINTS,
    (_DIRECTIONS, _SOUND),
)
_GROUP: Final = Group(
    _("checkpoints", default="Checkpoints"),
    help=_(
        "checkpoints_help",
        default="Doors, a cloakroom: whoever scans chooses where they are. List the categories "
        "that a checkpoint takes, with commas between them; it takes all if you list none. Where "
        "guests leave and come back, choose “In and out”: they count as inside for the "
        "hours given, or until 6 a.m. To remove a checkpoint, empty its row; rows for new "
        "ones are at the end, up to ${maximum} are possible.",
        mapping={"maximum": MOST_CHECKPOINTS},
    ),
)
_ROW: Final = _("checkpoint_row", default="Checkpoint ${number}")
_DIRECTION_WORDS: Final = {
    IN: _("checkpoint_in", default="In"),
    IN_AND_OUT: _("checkpoint_in_and_out", default="In and out"),
}
_SOUND_WORDS: Final = {
    "standard": _("checkpoint_sound_standard", default="Standard"),
    "high": _("checkpoint_sound_high", default="High"),
    "low": _("checkpoint_sound_low", default="Low"),
    "double": _("checkpoint_sound_double", default="Double"),
}
_TAKEN: Final = _("mistake_checkpoint_taken", default="Another checkpoint has this name.")
_COMMA: Final = _(
    "mistake_checkpoint_comma",
    default="One of these categories has a comma. Change them in the settings file.",
)
_NO_CHOICE: Final = _("mistake_checkpoint_choice", default="Choose one of these.")
_MISTAKES: Final = {
    NAME: WRONG_NAME,
    _CATEGORIES: _(
        "mistake_checkpoint_categories",
        default="At most ${count} categories of up to ${maximum} characters are possible.",
        mapping={"count": MOST_CATEGORIES, "maximum": MAX_CATEGORY},
    ),
    _DIRECTIONS: _NO_CHOICE,
    _SOUND: _NO_CHOICE,
    _HOURS: _(
        "mistake_checkpoint_hours",
        default="This must be more than 0 and at most ${maximum} hours.",
        mapping={"maximum": LONGEST_INSIDE},
    ),
}


def widget(texts: Mapping[str, str], sent: Mapping[str, str]) -> Any:
    """Return the rows of the checkpoints, with empty ones at the end."""
    group = _GROUP.widget()
    for number in ROWS.numbers(texts, sent):
        row = Group(_ROW % {"number": number}, "entry")
        group[ROWS.name(number)] = row.filled(_fields(number), texts)
    return group


def texts_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in the fields at first."""
    rows = enumerate(checkpoints.read(settings).values(), start=1)
    return {
        ROWS.field(number, member): text
        for number, checkpoint in rows
        for member, text in _texts(checkpoint).items()
    }


def value_of(sent: Mapping[str, str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list of checkpoints that a form asks for, still to be checked.

    :param settings: as they are, for what the form cannot tell.
    :raises WrongFieldError: categories were changed that the form cannot tell.
    """
    before = dict(enumerate(checkpoints.read(settings).values(), start=1))
    return [
        {
            **row,
            _CATEGORIES: _categories(number, row[_CATEGORIES], before.get(number)),
            _HOURS: _hours(row[_HOURS]),
        }
        for number, row in ROWS.entries(sent).items()
    ]


def mistake(problem: Problem, sent: Mapping[str, str]) -> tuple[str, str]:
    """Return the field that is wrong, and the sentence beside it."""
    text = _TAKEN if problem.is_taken else _MISTAKES[problem.member or NAME]
    return ROWS.wrong_field(problem, sent), text


def _fields(number: int) -> Iterator[Field]:
    """Return the fields of a row, the longest first."""
    quiet = {"autocomplete": "off"}
    yield Field(
        ROWS.field(number, NAME),
        _("checkpoint_name", default="Name"),
        attributes={**quiet, "maxlength": str(LONGEST_NAME)},
    )
    yield Field(
        ROWS.field(number, _CATEGORIES),
        _("checkpoint_categories", default="Categories"),
        attributes=quiet,
    )
    yield Field(
        ROWS.field(number, _DIRECTIONS),
        _("checkpoint_directions", default="Direction"),
        "select",
        choices=[(name, _DIRECTION_WORDS[name]) for name in DIRECTIONS],
    )
    yield Field(
        ROWS.field(number, _HOURS),
        _("checkpoint_hours", default="Hours inside"),
        "number",
        attributes={"min": "0", "max": str(LONGEST_INSIDE), "step": "any", "inputmode": "decimal"},
    )
    yield Field(
        ROWS.field(number, _SOUND),
        _("checkpoint_sound", default="Sound"),
        "select",
        choices=[(name, _SOUND_WORDS[name]) for name in CHECKPOINT_SOUNDS],
    )


def _texts(checkpoint: Checkpoint) -> dict[str, str]:
    hours = checkpoint.inside_hours
    return {
        NAME: checkpoint.name,
        _CATEGORIES: ", ".join(checkpoint.categories),
        _DIRECTIONS: IN_AND_OUT if checkpoint.has_directions else IN,
        _SOUND: checkpoint.sound,
        _HOURS: "" if hours is None else json.dumps(hours),
    }


def _categories(number: int, text: str, before: Checkpoint | None) -> list[str]:
    """Return the categories that a field says.

    :param before: the checkpoint that the row showed.
    """
    if before is not None:
        shown = _texts(before)[_CATEGORIES]
        if text == shown:
            return list(before.categories)
        # With a comma inside, one category looks like two.
        if text and _split(shown) != list(before.categories):
            raise WrongFieldError(ROWS.field(number, _CATEGORIES), _COMMA)
    return _split(text)


def _split(text: str) -> list[str]:
    found = (category.strip() for category in text.split(","))
    return list(dict.fromkeys(category for category in found if category))


def _hours(text: str) -> float | str | None:
    """Return the number that a field says, or its text where that is none."""
    if not text:
        return None
    try:
        hours = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(hours) if hours.is_integer() else hours
