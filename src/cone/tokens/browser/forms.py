"""The forms of a token. What a field may hold is decided by the parser of the core."""

from __future__ import annotations

from typing import Any
from typing import Final

from cone.tile import tile

from cone.tokens.browser.hints import Hint
from cone.tokens.browser.hints import hints
from cone.tokens.browser.hints import hints_widget
from cone.tokens.browser.texts import VALUE_TAKEN
from cone.tokens.browser.token import CODE
from cone.tokens.browser.token import token_of
from cone.tokens.browser.token_fields import default_texts
from cone.tokens.browser.token_fields import texts_of
from cone.tokens.browser.token_fields import token_fields
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.params import collect
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import TOKEN_PARAMETERS
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.fields import OFF
from cone.tokens.web.fields import SHOWN
from cone.tokens.web.fields import Field
from cone.tokens.web.fields import new_form
from cone.tokens.web.fields import save_button
from cone.tokens.web.fields import set_mistake
from cone.tokens.web.form_page import BAD_REQUEST
from cone.tokens.web.form_page import CONFLICT
from cone.tokens.web.form_page import FormPage
from cone.tokens.web.moments import Moments
from cone.tokens.web.once import KEY
from cone.tokens.web.once import key_of
from cone.tokens.web.once import new_key
from cone.tokens.web.page import Note
from cone.tokens.web.page import url
from cone.tokens.web.texts import DAMAGED
from cone.tokens.web.texts import mistake_text

ADD_WORD: Final = _("add", default="Add")
KEY_FIELD: Final = Field(KEY.name, "", "hidden")


class TokenForm(FormPage):
    """Base of the forms of a token.

    It has more than 15 public members, most of them inherited: each is a step of a form that
    another one may take otherwise, or a value that the template shows.
    """

    fields: tuple[Field, ...]
    moments: Moments

    def new_form(self, view: str, **data: object) -> None:
        """Begin a form that is sent to ``view``.

        :param data: what the scripts have to know about it.
        """
        self.moments = Moments.of_request(self.request)
        self.fields = token_fields(self.moments)
        self.form = new_form("tokenform", url(self.request, self.model, view), **data)

    def add_button(self, label: str) -> None:
        """End the form; what makes tokens that cannot be used is said in front of the button."""
        self.form["hints"] = hints_widget(self.hints)
        self.form["save"] = save_button(label, self.save, self.following)

    def save(self, _widget: Any, data: Any) -> None:
        """Save the token that was sent, or show the mistakes in its fields."""
        try:
            self.save_token()
        except InvalidParameter as error:
            self.fail(BAD_REQUEST)
            if error.parameter == KEY.name:
                # There is no field to tell it at.
                self.notes.append(Note("danger", DAMAGED))
                data[KEY.name].extracted = new_key()
            else:
                set_mistake(data, error.parameter, mistake_text(error))
        except ValueTaken:
            self.fail(CONFLICT)
            set_mistake(data, VALUE.name, VALUE_TAKEN)
        except IdempotencyConflict:
            self.fail(CONFLICT)
            self.notes.append(Note("warning", _SENT_BEFORE))
            data[KEY.name].extracted = new_key()
        except TokenChanged:
            self.fail(CONFLICT)
            self.show_current(data)

    def hints(self) -> list[Hint]:
        """Return the warnings about the content of the fields."""
        shown = {field.name: self.form[field.name].getter for field in self.fields}
        raw = dict(self.sent()) if self.request.method == "POST" else shown
        return hints(raw, current_parser())

    def add_key(self) -> None:
        """Add the field of the key: what was sent twice is added once."""
        self.form[KEY.name] = KEY_FIELD.widget(new_key())

    def key(self, operation: str, given: dict[str, Any]) -> IdempotencyKey:
        """Return the key that was sent.

        :param given: what is asked for.
        :raises InvalidParameter: it is none.
        """
        return key_of(self.request, dict(self.sent()).get(KEY.name), operation, given)

    def save_token(self) -> None:
        """Save what was sent and say where to go."""
        raise NotImplementedError

    def show_current(self, data: Any) -> None:
        """Show the token as it is now, beside what the user changed."""
        raise NotImplementedError

    def given(self) -> dict[str, Any]:
        """Return the raw values of the fields by name.

        :raises InvalidParameter: one was sent twice.
        """
        return {ENABLED.name: OFF, **collect(self.sent(), TOKEN_PARAMETERS)}


@tile(name="add", interface=TokenContainer, permission=ADD)
class AddForm(TokenForm):
    """The form of a new token, with the defaults of the settings.

    It has more than 15 public members, most of them inherited: each is a step of a form that
    another one may take otherwise, or a value that the template shows.
    """

    heading = _("add_token", default="Add a token")

    @property
    def cancel_url(self) -> str:
        """Where to go without adding a token."""
        return url(self.request, self.model)

    def prepare(self) -> None:
        """Make the form."""
        self.new_form("add")
        texts = default_texts(current_parser())
        for field in self.fields:
            self.form[field.name] = field.widget(texts[field.name])
        self.add_key()
        self.add_button(ADD_WORD)

    def save_token(self) -> None:
        """Add the token and go to its page."""
        given = self.given()
        token = current_parser().new_token(given)
        key = self.key("add_token", given)
        uid = wiring.get(TicketService).add(token, by=wiring.actor(self.request), key=key)
        code = f"&{CODE}=1" if token.value is not None else ""
        self.succeed(url(self.request, self.model[str(uid)], query=f"?added=1{code}"))


@tile(name="editform", interface=TokenNode, permission=EDIT)
class EditForm(TokenForm):
    """The form of a token. What the user leaves alone is not changed.

    Hidden fields tell what was shown: between then and now somebody may have used the token.

    It has more than 15 public members, most of them inherited: each is a step of a form that
    another one may take otherwise, or a value that the template shows.
    """

    heading = _("edit_token", default="Change a token")
    shown: dict[str, str]

    @property
    def cancel_url(self) -> str:
        """Where to go without a change."""
        return url(self.request, self.model)

    def prepare(self) -> None:
        """Make the form."""
        self.new_form("edit")
        self.shown = self.texts() | self.texts_shown()
        for field in self.fields:
            text = self.shown[field.name]
            self.form[field.name] = field.widget(text, shown=text)
        self.add_button(_("save", default="Save"))

    def texts(self) -> dict[str, str]:
        """Return the texts of the fields for the token as it is now."""
        return texts_of(token_of(self.model), self.moments)

    def texts_shown(self) -> dict[str, str]:
        """Return the texts of the hidden fields."""
        sent = dict(self.sent())
        texts = {field.name: sent.get(field.name + SHOWN) for field in self.fields}
        return {name: text for name, text in texts.items() if isinstance(text, str)}

    def save_token(self) -> None:
        """Change the token and go to its page."""
        changed = self.changed()
        wiring.get(TicketService).update(
            token_of(self.model).uid,
            current_parser().changes(changed),
            by=wiring.actor(self.request),
            expected_usage_count=self.expected_usage_count(changed),
        )
        self.model.forget()
        code = f"&{CODE}=1" if VALUE.name in changed else ""
        self.succeed(url(self.request, self.model, query=f"?saved=1{code}"))

    def changed(self) -> dict[str, Any]:
        """Return the raw values of the fields that the user changed."""
        given = self.given()
        return {
            field.name: given[field.name]
            for field in self.fields
            if field.name in given and field.is_changed(given[field.name], self.shown[field.name])
        }

    def expected_usage_count(self, changed: dict[str, Any]) -> int | None:
        """Return the uses that the user saw; None where they are not to change."""
        name = USAGE_COUNT.name
        if name not in changed:
            return None
        seen: Any = current_parser().changes({name: self.shown[name]}).usage_count
        return seen

    def show_current(self, data: Any) -> None:
        """Show the uses as they are now, and all else that the user did not change."""
        self.notes.append(Note("warning", _CHANGED_MEANWHILE))
        kept = self.changed().keys() - {USAGE_COUNT.name}
        self.model.forget()
        for name, text in self.texts().items():
            self.form[name].attrs["shown"] = text
            if name not in kept:
                data[name].extracted = text


_SENT_BEFORE: Final = _(
    "note_sent_before",
    default="This form was sent before, with other content, and that was added. Look at it in the "
    "list; send this again to add more.",
)
_CHANGED_MEANWHILE: Final = _(
    "note_changed_meanwhile",
    default="The token was used meanwhile, nothing was saved. Its uses below are those of now.",
)
