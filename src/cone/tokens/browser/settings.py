"""The form of the settings."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tile import tile

from cone.tokens.browser import checkpoint_fields
from cone.tokens.browser.label_order import NO_SHEET
from cone.tokens.browser.labels import sheet_words
from cone.tokens.browser.quick import RANGE_WORDS
from cone.tokens.browser.setting_rows import WRONG_NAME
from cone.tokens.browser.setting_rows import Rows
from cone.tokens.browser.setting_rows import WrongFieldError
from cone.tokens.browser.token import notes_of
from cone.tokens.browser.token_fields import limits
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.checkpoints import CHECKPOINTS
from cone.tokens.tickets.label_sheets import SHEETS
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.security import MANAGE
from cone.tokens.tickets.setting_lists import ENDS
from cone.tokens.tickets.setting_lists import LONGEST_NAME
from cone.tokens.tickets.setting_lists import MOST_TIME_RANGES
from cone.tokens.tickets.setting_lists import NAME
from cone.tokens.tickets.settings import TokenSettings
from cone.tokens.tickets.settings_file import ALL_CODE_KINDS
from cone.tokens.tickets.settings_file import CODE_KINDS
from cone.tokens.tickets.settings_file import LABEL_SHEET
from cone.tokens.tickets.settings_file import OWN_TIME_RANGES
from cone.tokens.tickets.settings_file import SOUNDS
from cone.tokens.tickets.settings_file import TIME_RANGES
from cone.tokens.tickets.settings_file import SettingsFileError
from cone.tokens.tickets.settings_file import check
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.fields import OFF
from cone.tokens.web.fields import ON
from cone.tokens.web.fields import Field
from cone.tokens.web.fields import Group
from cone.tokens.web.fields import new_form
from cone.tokens.web.fields import save_button
from cone.tokens.web.fields import set_mistake
from cone.tokens.web.form_page import BAD_REQUEST
from cone.tokens.web.form_page import CONFLICT
from cone.tokens.web.form_page import FormPage
from cone.tokens.web.page import Note
from cone.tokens.web.page import url
from cone.tokens.web.texts import mistake_text

logger = logging.getLogger(__name__)

#: Settings that are defaults of a parameter, and its name.
_DEFAULTS: Final[Mapping[str, Parameter]] = {
    "default_usage_count": USAGE_COUNT,
    "default_locktime": LOCK_TIME,
}
_RANGES: Final = Rows("time_range", (NAME, *ENDS), MOST_TIME_RANGES)

_NOTES: Final = {"saved": _("note_settings_saved", default="The settings were saved.")}
_NOT_SAVED: Final = _("note_settings_not_saved", default="The settings were not saved.")
_BROKEN_FILE: Final = _(
    "note_settings_broken",
    default="The settings file cannot be used. These are the settings that were read last; "
    "the file has to be put right by hand before they can be changed.",
)
_WRONG_TIME: Final = _("mistake_time", default="This must be a time, as hours and minutes.")
_NAME_TAKEN: Final = _(
    "mistake_time_range_taken",
    default="Another time range has this name.",
)

_TIMES: Final = Group(
    _("time_ranges", default="Time ranges"),
    help=_(
        "time_ranges_help",
        default="The buttons on the page of a token that set when it is valid. A range whose end "
        "is not after its start ends on the next day. To remove one of your own, empty its row; "
        "rows for new ones are at the end, up to ${maximum} are possible.",
        mapping={"maximum": MOST_TIME_RANGES},
    ),
)
_NEW_TOKENS: Final = Group(_("new_tokens", default="New tokens"))
_LABELS: Final = Group(_("labels", default="Labels"))
_DOOR: Final = Group(_("door", default="Scan"))
_CODE_KINDS: Final = Group(
    _("code_kinds", default="Codes that cameras read"),
    "boxes",
    help=_(
        "code_kinds_help",
        default="Take no more than there are on your tickets: each kind makes the camera slower.",
    ),
)
_KIND_WORDS: Final = {
    "qr": _("code_kind_qr", default="QR"),
    "code_128": _("code_kind_code_128", default="Code 128"),
    "aztec": _("code_kind_aztec", default="Aztec"),
    "data_matrix": _("code_kind_data_matrix", default="Data Matrix"),
    "pdf417": _("code_kind_pdf417", default="PDF417"),
}
_NO_KIND: Final = _("mistake_code_kinds", default="Choose one kind at least.")
_OWN_ROW: Final = _("own_time_range", default="Time range of your own, ${number}")
_MEMBER_WORDS: Final = {
    NAME: _("time_range_name", default="Name"),
    "start": _("time_range_start", default="From"),
    "end": _("time_range_end", default="To"),
}


@tile(name="content", interface=TokenSettings, permission=MANAGE)
@tile(name="editform", interface=TokenSettings, permission=MANAGE)
class SettingsForm(FormPage):
    """The settings, read from their file and written to it."""

    heading = _("token_settings_node", default="Token settings")

    def prepare(self) -> None:
        """Make the form, with a note if the settings file cannot be read."""
        self.notes += notes_of(self.request, _NOTES)
        self.form = new_form("settingsform", url(self.request, self.model, "edit"))
        texts = _texts_of(self.model.attrs)
        sent = dict(self.sent())
        self.form["times"] = _time_ranges(texts, sent)
        self.form["new_tokens"] = _NEW_TOKENS.filled(_default_fields(), texts)
        self.form["labels"] = _LABELS.filled([_sheet_field(self.lang)], texts)
        self.form["door"] = _DOOR.filled([_sounds_field()], texts)
        self.form["door"][CODE_KINDS] = _CODE_KINDS.filled(_kind_fields(), texts)
        self.form[CHECKPOINTS] = checkpoint_fields.widget(texts, sent)
        self.form["save"] = save_button(_("save", default="Save"), self.save, self.following)
        if self.request.method != "POST":
            self.note_broken_file()

    def save(self, _widget: Any, data: Any) -> None:
        """Write the settings that were sent, or show the mistake in them or in the file."""
        sent = dict(self.sent())
        try:
            values = _values_of(sent, self.model.attrs)
            check(self.model.file.path, values)
        except WrongFieldError as error:
            self.fail(BAD_REQUEST)
            set_mistake(data, error.name, error.text)
        except SettingsFileError as error:
            self.fail(BAD_REQUEST)
            set_mistake(data, *_mistake(error, sent))
        else:
            self.write(values)

    def write(self, values: Mapping[str, Any]) -> None:
        """Write ``values`` to the file, or tell why that is not possible."""
        before = dict(self.model.attrs)
        try:
            self.model.file.write(values)
        except SettingsFileError as error:
            self.fail(CONFLICT)
            self.notes.append(Note("danger", _NOT_SAVED, str(error)))
        else:
            _log_changes(before, values, wiring.actor(self.request))
            self.succeed(url(self.request, self.model, query="?saved=1"))

    def note_broken_file(self) -> None:
        """Add a note if the settings file cannot be read."""
        try:
            self.model.file.load()
        except SettingsFileError as error:
            self.notes.append(Note("danger", _BROKEN_FILE, str(error)))


def _log_changes(before: Mapping[str, Any], after: Mapping[str, Any], user: str | None) -> None:
    """Log who changed which settings, one line each."""
    for key, value in after.items():
        old, new = (
            json.dumps(content, sort_keys=True, default=dict)
            for content in (before.get(key), value)
        )
        if old != new:
            facts = {"user": user, "setting": key, "old": old, "new": new}
            logger.info("setting %s changed by %s: %s -> %s", key, user, old, new, extra=facts)


def _time_ranges(texts: Mapping[str, str], sent: Mapping[str, str]) -> Any:
    """Return the rows of the time ranges, with empty ones at the end."""
    group = _TIMES.widget()
    for name in TIME_RANGES:
        group[name] = Group(RANGE_WORDS[name], "row").filled(_time_fields(name), texts)
    for number in _RANGES.numbers(texts, sent):
        name = _RANGES.name(number)
        row = Group(_OWN_ROW % {"number": number}, "bare")
        group[name] = row.filled([_name_field(name), *_time_fields(name)], texts)
    return group


def _time_fields(name: str) -> Iterator[Field]:
    for end in ENDS:
        yield Field(f"{name}_{end}", _MEMBER_WORDS[end], "time")


def _name_field(name: str) -> Field:
    limit = {"maxlength": str(LONGEST_NAME), "autocomplete": "off"}
    return Field(f"{name}_{NAME}", _MEMBER_WORDS[NAME], attributes=limit)


def _default_fields() -> tuple[Field, Field]:
    return (
        Field(
            "default_usage_count",
            _("default_usage_count", default="Uses of a new token"),
            "number",
            _("uses_left_help", default="How often it can be redeemed. -1 is unlimited."),
            limits(USAGE_COUNT),
        ),
        Field(
            "default_locktime",
            _("default_locktime", default="Lock time of a new token, in seconds"),
            "number",
            attributes={**limits(LOCK_TIME), "inputmode": "numeric"},
        ),
    )


def _sheet_field(lang: str) -> Field:
    return Field(
        LABEL_SHEET,
        _("label_sheet", default="Sheet that is chosen at first"),
        "select",
        choices=[(name, sheet_words(sheet, lang)) for name, sheet in SHEETS.items()],
    )


def _sounds_field() -> Field:
    return Field(
        SOUNDS,
        _("sounds", default="Sounds on the scan page"),
        "checkbox",
        _(
            "sounds_help",
            default="What a device starts with; its scan page has a button for them. "
            "It vibrates in any case, if it can.",
        ),
    )


def _kind_name(kind: str) -> str:
    """Return the name of the box of a kind of codes."""
    return f"{CODE_KINDS}_{kind}"


def _kind_fields() -> Iterator[Field]:
    for kind in ALL_CODE_KINDS:
        yield Field(_kind_name(kind), _KIND_WORDS[kind], "checkbox")


def _texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    ranges = {name: values[name] for name in TIME_RANGES}
    for number, times in enumerate(values[OWN_TIME_RANGES], start=1):
        ranges[_RANGES.name(number)] = times
    texts = {
        f"{name}_{member}": times[member]
        for name, times in ranges.items()
        for member in _MEMBER_WORDS
        if member in times
    }
    texts |= {key: str(values[key]) for key in _DEFAULTS}
    texts |= {_kind_name(kind): ON for kind in values[CODE_KINDS]}
    texts |= checkpoint_fields.texts_of(values)
    return texts | {LABEL_SHEET: values[LABEL_SHEET], SOUNDS: ON if values[SOUNDS] else OFF}


def _values_of(sent: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a form asks for, still to be checked.

    :param before: the settings as they are.
    :raises WrongFieldError: a field says nothing that they could be.
    """
    values: dict[str, Any] = {
        name: {end: sent.get(f"{name}_{end}", "") for end in ENDS} for name in TIME_RANGES
    }
    values |= {key: _default(key, sent.get(key, "")) for key in _DEFAULTS}
    return values | {
        OWN_TIME_RANGES: list(_RANGES.entries(sent).values()),
        LABEL_SHEET: sent.get(LABEL_SHEET, ""),
        SOUNDS: sent.get(SOUNDS, OFF) == ON,
        CODE_KINDS: [kind for kind in ALL_CODE_KINDS if sent.get(_kind_name(kind)) == ON],
        CHECKPOINTS: checkpoint_fields.value_of(sent, before),
    }


def _default(key: str, raw: object) -> object:
    """Return the number that ``raw`` spells, by the rule for that field of a token."""
    name = _DEFAULTS[key].name
    try:
        return current_parser().changes({name: raw}).given().popitem()[1]
    except InvalidParameter as error:
        raise WrongFieldError(key, mistake_text(error)) from None


def _mistake(error: SettingsFileError, sent: Mapping[str, str]) -> tuple[str, str]:
    """Return the field that is wrong, and the sentence beside it."""
    problem = error.problem
    if error.key == CODE_KINDS:
        return _kind_name(ALL_CODE_KINDS[0]), _NO_KIND
    if problem is None or problem.member is None:
        return LABEL_SHEET, NO_SHEET
    if error.key == CHECKPOINTS:
        return checkpoint_fields.mistake(problem, sent)
    field = f"{error.key}_{problem.member}"
    if problem.number is not None:
        field = _RANGES.wrong_field(problem, sent)
    text = WRONG_NAME if problem.member == NAME else _WRONG_TIME
    return field, _NAME_TAKEN if problem.is_taken else text
