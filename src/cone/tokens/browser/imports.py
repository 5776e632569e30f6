"""The import: a CSV file is looked at first, and imported when its report pleases.

It works without a script: the page of the report brings the file along once more, as text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import urlencode

from cone.tile import Tile
from cone.tile import tile
from pyramid.httpexceptions import HTTPForbidden

from cone.tokens.browser.import_attempt import CHECKED
from cone.tokens.browser.import_attempt import COLUMN
from cone.tokens.browser.import_attempt import KNOWN
from cone.tokens.browser.import_attempt import LOOK
from cone.tokens.browser.import_attempt import SHEET
from cone.tokens.browser.import_attempt import TEXT
from cone.tokens.browser.import_attempt import ImportAttempt
from cone.tokens.browser.import_attempt import chosen_of
from cone.tokens.browser.import_attempt import content_of
from cone.tokens.browser.import_attempt import known_of
from cone.tokens.browser.import_attempt import packed
from cone.tokens.browser.import_attempt import unpacked
from cone.tokens.browser.import_preview import ColumnField
from cone.tokens.browser.import_preview import PreviewRow
from cone.tokens.browser.import_preview import alike_notes
from cone.tokens.browser.import_preview import column_fields
from cone.tokens.browser.import_preview import doubt_notes
from cone.tokens.browser.import_preview import preview
from cone.tokens.browser.import_preview import refilled_notes
from cone.tokens.browser.import_preview import replaced_notes
from cone.tokens.browser.import_preview import sheet_notes
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.packed_sheet import packed_sheet
from cone.tokens.browser.packed_sheet import unpacked_sheet
from cone.tokens.browser.texts import UNUSABLE_MANY
from cone.tokens.browser.token import shortened
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import ValueTaken
from cone.tokens.host import wiring
from cone.tokens.host.request_data import FORMS
from cone.tokens.host.request_data import forget_body
from cone.tokens.host.request_data import pairs
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import Known
from cone.tokens.web.moments import Moments
from cone.tokens.web.once import KEY
from cone.tokens.web.once import key_of
from cone.tokens.web.once import new_key
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import find_number
from cone.tokens.web.page import url
from cone.tokens.web.texts import mistake_text

if TYPE_CHECKING:
    from pyramid.request import Request

#: Name of the page that takes a file.
IMPORT: Final = "import"

#: Mistakes that are listed.
LISTED: Final = 100

#: Unknown columns that are named.
_NAMED: Final = 10

#: Where a request carries what the page is to tell.
_ATTEMPT: Final = "cone.tokens.import_attempt"

_CHOICES: Final = {
    Known.SKIP: _("import_skip", default="Leave it as it is"),
    Known.UPDATE: _("import_update", default="Change it to what the file says"),
}
#: The numbers of a report.
_COUNT_WORDS: Final = {
    "added": _("import_added", default="New tokens"),
    "updated": _("import_updated", default="Tokens that change"),
    "unchanged": _("import_unchanged", default="Tokens that are as in the file already"),
    "skipped": _("import_skipped", default="Known tokens that are left as they are"),
}
_DONE: Final = _(
    "note_imported",
    default="The import is done. New: ${added}, changed: ${updated}, as in the file already: "
    "${unchanged}, left as they are: ${skipped}.",
)
_NO_NAME: Final = _("import_no_name", default="No column is the name: choose one below.")
_TAKEN: Final = _(
    "import_taken",
    default="A value of the file was given to another token meanwhile. Nothing was imported. "
    "This is how it looks now.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What can be done with known values."""

    value: str
    word: object
    checked: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class MistakeRow:
    """A mistake in the table of them."""

    number: int
    column: str | None
    cell: str
    text: object


@dataclasses.dataclass(frozen=True, slots=True)
class CodeRow:
    """A code in the table of those that differ."""

    number: int
    token_url: str
    old: str
    new: str


def answer(model: TokenContainer, request: Request) -> str | None:
    """Look at the file that is sent, or import it where it was looked at; return where to go.

    None: the page is to be shown.

    :raises HTTPForbidden: to change known tokens is not permitted.
    :raises InvalidParameter: no form of ours sends that.
    """
    if request.method != "POST":
        return None
    fields = dict(pairs(request, FORMS))
    forget_body(request)
    known = known_of(fields)
    permitted = request.has_permission(EDIT if known is Known.UPDATE else ADD, model)
    if not permitted:
        raise HTTPForbidden(result=permitted)
    is_checked = CHECKED in fields
    checked = unpacked(fields[CHECKED]) if is_checked else ""
    attempt = request.environ[_ATTEMPT] = ImportAttempt(known, fields.get(TEXT, ""))
    done = None
    try:
        attempt.chosen = chosen_of(fields)
        if is_checked:
            attempt.content = checked
            attempt.sheet = unpacked_sheet(fields.get(SHEET, ""))
        else:
            attempt.take(content_of(fields))
        if is_checked and LOOK not in fields:
            asked = {KNOWN: known.value, TEXT: checked}
            asked |= {f"{COLUMN}{place}": target for place, target in attempt.chosen.items()}
            key = key_of(request, fields.get(KEY.name), "import_tokens", asked)
            done = attempt.carry_out(wiring.actor(request), key)
        else:
            attempt.look()
    except InvalidParameter as error:
        attempt.problem = error
    except ValueTaken:
        attempt.is_taken = True
        attempt.look()
    request.response.status = attempt.status
    return _done_url(model, request, done) if done else None


def _done_url(model: TokenContainer, request: Request, report: ImportReport) -> str:
    counts = {name: getattr(report, name) for name in _COUNT_WORDS}
    counts |= report.unusable
    return url(request, model, IMPORT, f"?{urlencode(counts)}")


def _doubts(unusable: Mapping[str, int]) -> list[Note]:
    return [
        Note("warning", text % {"count": unusable[status.value]})
        for status, text in UNUSABLE_MANY.items()
        if unusable.get(status.value)
    ]


@tile(
    name=IMPORT,
    path="templates/import.pt",
    interface=TokenContainer,
    permission=ADD,
)
class ImportForm(Localized, Tile):
    """The form of the import, and the report about a file. It changes nothing.

    It has more than 15 public members: each is a value that the template shows.
    """

    attempt: ImportAttempt

    def prepare(self) -> None:
        """Read the result of the view."""
        self.attempt = self.request.environ.get(_ATTEMPT) or ImportAttempt(Known.SKIP, "")

    @property
    def notes(self) -> list[Note]:
        """What was done on the page before, or why nothing was."""
        if self.attempt.is_taken:
            return [Note("danger", _TAKEN)]
        counts = {name: self.request.GET.get(name, "") for name in _COUNT_WORDS}
        is_told = None not in map(find_number, counts.values())
        if not is_told or self.has_report:
            return []
        numbers = {status.value: self.request.GET.get(status.value, "") for status in UNUSABLE_MANY}
        doubts = {name: int(text) for name, text in numbers.items() if find_number(text)}
        return [Note("success", _DONE % counts), *_doubts(doubts)]

    @property
    def action_url(self) -> str:
        """Where both forms go."""
        return url(self.request, self.model, IMPORT)

    @property
    def tokens_url(self) -> str:
        """Where the tokens are."""
        return url(self.request, self.model, OVERVIEW if self._may_list else None)

    @property
    def _may_list(self) -> bool:
        return bool(self.request.has_permission(LIST, self.model))

    @property
    def choices(self) -> list[Choice]:
        """What the reader may do with known values."""
        may_edit = self.request.has_permission(EDIT, self.model)
        return [
            Choice(known.value, word, "checked" if known is self.attempt.known else None)
            for known, word in _CHOICES.items()
            if may_edit or known is Known.SKIP
        ]

    @property
    def problem(self) -> object | None:
        """What is wrong with the file as a whole."""
        return mistake_text(self.attempt.problem) if self.attempt.problem else None

    @property
    def problem_detail(self) -> str | None:
        """The columns that are not known."""
        facts = self.attempt.problem.facts if self.attempt.problem else {}
        names: Any = facts.get("columns", ())
        return ", ".join(f"“{shortened(name)}”" for name in names[:_NAMED]) or None

    @property
    def has_report(self) -> bool:
        """Whether it is known what an import would do."""
        return self.attempt.report is not None

    @property
    def counts(self) -> list[tuple[object, int]]:
        """What an import would do, in words and numbers."""
        return [
            (word, getattr(self.attempt.report, name))
            for name, word in _COUNT_WORDS.items()
            if name in ("added", "updated") or getattr(self.attempt.report, name)
        ]

    @property
    def doubts(self) -> list[Note]:
        """What may not be meant: the sheet, codes, and tokens that cannot be used."""
        if self.attempt.report is None:
            return []
        return [
            *sheet_notes(self.attempt.sheet),
            *([Note("warning", _NO_NAME)] if self.attempt.lacks_name else []),
            *refilled_notes(self.attempt.refilled, may_list=self._may_list),
            *replaced_notes([number for number, _code in self.attempt.replaced]),
            *doubt_notes(self.attempt.doubts),
            *alike_notes(self.attempt.alike, may_list=self._may_list),
            *_doubts(self.attempt.report.unusable),
        ]

    @property
    def mistake_count(self) -> int:
        """How many lines are wrong."""
        return len(self.attempt.mistakes)

    @property
    def mistake_rows(self) -> list[MistakeRow]:
        """The first mistakes."""
        return [
            MistakeRow(
                mistake.number,
                mistake.column,
                shortened(mistake.cell),
                mistake_text(mistake.error),
            )
            for mistake in self.attempt.mistakes[:LISTED]
        ]

    @property
    def column_fields(self) -> list[ColumnField]:
        """The columns that are not known, each with what it can be."""
        return column_fields(self.attempt.columns)

    @property
    def is_guess(self) -> bool:
        """Whether somebody has to look at the letters."""
        return self.attempt.is_guess

    @property
    def preview(self) -> list[PreviewRow]:
        """What the first lines will be; a mistake is what is to be looked at first."""
        if self.attempt.mistakes:
            return []
        return preview(self.attempt.lines, Moments.of_request(self.request))

    @property
    def code_count(self) -> int:
        """How many codes differ."""
        return len(self.attempt.codes)

    @property
    def are_codes_kept(self) -> bool:
        """Whether the tokens keep their codes."""
        return self.attempt.known is Known.SKIP

    @property
    def code_rows(self) -> list[CodeRow]:
        """The first codes that differ."""
        return [
            CodeRow(
                number,
                url(self.request, self.model, str(code.token_uid)),
                shortened(code.old),
                shortened(code.new),
            )
            for number, code in self.attempt.codes[:LISTED]
        ]

    @property
    def listed_codes(self) -> int | None:
        """How many codes are listed where there are more."""
        return LISTED if self.code_count > LISTED else None

    @property
    def listed(self) -> int | None:
        """How many mistakes are listed where there are more."""
        return LISTED if self.mistake_count > LISTED else None

    @property
    def is_ready(self) -> bool:
        """Whether there is something to import, and nothing against it."""
        report = self.attempt.report
        return bool(report and not self.attempt.mistakes and report.added + report.updated)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What the form of the report brings along."""
        return [
            (KNOWN, self.attempt.known.value),
            (CHECKED, packed(self.attempt.content)),
            (SHEET, packed_sheet(self.attempt.sheet)),
            # Of this rendering: pressed twice, the button imports once.
            (KEY.name, new_key()),
        ]
