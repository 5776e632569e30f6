"""The form of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tile import tile

from cone.tokens import wiring
from cone.tokens.browser.fields import Field
from cone.tokens.browser.fields import new_form
from cone.tokens.browser.fields import save_button
from cone.tokens.browser.fields import set_mistake
from cone.tokens.browser.form_page import BAD_REQUEST
from cone.tokens.browser.form_page import CONFLICT
from cone.tokens.browser.form_page import FormPage
from cone.tokens.browser.page import Note
from cone.tokens.browser.page import url
from cone.tokens.browser.texts import mistake_text
from cone.tokens.browser.token import notes_of
from cone.tokens.browser.token_fields import limits
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import LOCK_TIME
from cone.tokens.core.params import USAGE_COUNT
from cone.tokens.core.params import Parameter
from cone.tokens.i18n import _
from cone.tokens.security import MANAGE
from cone.tokens.settings import TIME_RANGES
from cone.tokens.settings import SettingsFileError
from cone.tokens.settings import TokenSettings
from cone.tokens.settings import check

#: Settings that are defaults of a parameter, and its name.
_DEFAULTS: Final[Mapping[str, Parameter]] = {
    "default_usage_count": USAGE_COUNT,
    "default_locktime": LOCK_TIME,
}
_ENDS: Final = ("start", "end")

_NOTES: Final = {"saved": _("note_settings_saved", default="The settings were saved.")}
_NOT_SAVED: Final = _("note_settings_not_saved", default="The settings were not saved.")
_BROKEN_FILE: Final = _(
    "note_settings_broken",
    default="The settings file cannot be used. These are the settings that were read last; "
    "the file has to be put right by hand before they can be changed.",
)
_WRONG_TIMES: Final = _(
    "mistake_times",
    default="Both times must be given, as hours and minutes.",
)


@tile(name="content", interface=TokenSettings, permission=MANAGE)
@tile(name="editform", interface=TokenSettings, permission=MANAGE)
class SettingsForm(FormPage):
    """The settings, read from their file and written to it."""

    heading = _("token_settings_node", default="Token settings")

    def prepare(self) -> None:
        """Make the form, and tell what is wrong with the file."""
        self.notes += notes_of(self.request, _NOTES)
        self.form = new_form("settingsform", url(self.request, self.model, "edit"))
        texts = _texts_of(self.model.attrs)
        for field in _fields():
            self.form[field.name] = field.widget(texts[field.name])
        self.form["save"] = save_button(_("save", default="Save"), self.save, self.following)
        if self.request.method != "POST":
            self.note_broken_file()

    def save(self, _widget: Any, data: Any) -> None:
        """Write what was sent, or tell what is wrong with it or with the file."""
        try:
            values = _values_of(dict(self.sent()))
            check(self.model.file.path, values)
        except _WrongDefaultError as error:
            self.fail(BAD_REQUEST)
            set_mistake(data, error.key, error.text)
        except SettingsFileError as error:
            self.fail(BAD_REQUEST)
            set_mistake(data, f"{error.key}_start", _WRONG_TIMES)
        else:
            self.write(values)

    def write(self, values: Mapping[str, Any]) -> None:
        """Write ``values`` to the file, or tell why that is not possible."""
        try:
            self.model.file.write(values)
        except SettingsFileError as error:
            self.fail(CONFLICT)
            self.notes.append(Note("danger", _NOT_SAVED, str(error)))
        else:
            self.succeed(url(self.request, self.model, query="?saved=1"))

    def note_broken_file(self) -> None:
        """Tell what is wrong with the file, where something is."""
        try:
            self.model.file.load()
        except SettingsFileError as error:
            self.notes.append(Note("danger", _BROKEN_FILE, str(error)))


class _WrongDefaultError(Exception):
    """A default is none that its parameter takes."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self.text = text
        super().__init__(key)


def _fields() -> list[Field]:
    labels = {
        ("morning", "start"): _("morning_start", default="Morning from"),
        ("morning", "end"): _("morning_end", default="Morning to"),
        ("afternoon", "start"): _("afternoon_start", default="Afternoon from"),
        ("afternoon", "end"): _("afternoon_end", default="Afternoon to"),
        ("today", "start"): _("today_start", default="Whole day from"),
        ("today", "end"): _("today_end", default="Whole day to"),
    }
    times = [Field(f"{name}_{end}", label, "time") for (name, end), label in labels.items()]
    return [*times, *_default_fields()]


def _default_fields() -> tuple[Field, Field]:
    return (
        Field(
            "default_usage_count",
            _("default_usage_count", default="Uses of a new token"),
            "number",
            _("uses_left_help", default="How often it can be consumed. -1 is unlimited."),
            limits(USAGE_COUNT),
        ),
        Field(
            "default_locktime",
            _("default_locktime", default="Lock time of a new token, in seconds"),
            "number",
            attributes={**limits(LOCK_TIME), "inputmode": "numeric"},
        ),
    )


def _texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    texts = {f"{name}_{end}": values[name][end] for name in TIME_RANGES for end in _ENDS}
    return texts | {key: str(values[key]) for key in _DEFAULTS}


def _values_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: {end: sent.get(f"{name}_{end}", "") for end in _ENDS} for name in TIME_RANGES
    }
    return values | {key: _default(key, sent.get(key, "")) for key in _DEFAULTS}


def _default(key: str, raw: object) -> object:
    """Return the number that ``raw`` spells, by the rule for that field of a token."""
    name = _DEFAULTS[key].name
    try:
        return wiring.parser().changes({name: raw}).given().popitem()[1]
    except InvalidParameter as error:
        raise _WrongDefaultError(key, mistake_text(error)) from None
