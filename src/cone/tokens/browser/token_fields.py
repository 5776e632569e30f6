"""The fields of a token in a form, and what stands in them."""

from __future__ import annotations

from typing import Final

from cone.tokens.core.params import Parameter
from cone.tokens.i18n import _
from cone.tokens.tickets.params import CATEGORY
from cone.tokens.tickets.params import EMAIL
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import LABEL
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import NOTE
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.fields import OFF
from cone.tokens.web.fields import ON
from cone.tokens.web.fields import Field
from cone.tokens.web.moments import Moments

#: What people note; ``data`` is for lists that are imported.
_DETAILS: Final = (LABEL, EMAIL, CATEGORY, NOTE)

_VERBATIM: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def token_fields(moments: Moments) -> tuple[Field, ...]:
    """Return the fields of a token."""
    return (
        *(_value_field(), _label_field(), _category_field()),
        *_window_fields(moments),
        *_use_fields(),
        *_contact_fields(),
    )


def texts_of(token: Ticket, moments: Moments) -> dict[str, str]:
    """Return the texts of the fields of ``token``, by name."""
    return {
        VALUE.name: token.value,
        VALID_FROM.name: moments.input_text(token.valid_from),
        VALID_TO.name: moments.input_text(token.valid_to),
        USAGE_COUNT.name: str(token.usage_count),
        LOCK_TIME.name: str(token.lock_time),
        ENABLED.name: ON if token.enabled else OFF,
        **{one.name: getattr(token, one.name) or "" for one in _DETAILS},
    }


def default_texts(parser: Parser) -> dict[str, str]:
    """Return the texts of the fields of a new token, by name."""
    return {
        VALUE.name: "",
        VALID_FROM.name: "",
        VALID_TO.name: "",
        USAGE_COUNT.name: str(parser.usage_count),
        LOCK_TIME.name: str(parser.lock_time),
        ENABLED.name: ON,
        **{one.name: "" for one in _DETAILS},
    }


def limits(parameter: Parameter) -> dict[str, str]:
    """Return the attributes of a number field that takes what ``parameter`` does."""
    schema = parameter.schema
    return {"min": str(schema["minimum"]), "max": str(schema["maximum"]), "step": "1"}


def _value_field() -> Field:
    return Field(
        VALUE.name,
        _("value", default="Value"),
        help=_(
            "value_help",
            default="What the QR code carries. Left empty it is the identifier.",
        ),
        attributes=_VERBATIM,
    )


def _label_field() -> Field:
    return Field(
        LABEL.name,
        _("label", default="Label"),
        help=_("label_help", default="Who or what it is for: a name, a seat, a table."),
        attributes={"autocomplete": "off", "maxlength": str(LABEL.schema["maxLength"])},
    )


def _category_field() -> Field:
    return Field(
        CATEGORY.name,
        _("category", default="Category"),
        help=_("category_help", default="The kind of ticket, such as VIP."),
        attributes={"maxlength": str(CATEGORY.schema["maxLength"])},
    )


def _contact_fields() -> tuple[Field, Field]:
    return (
        Field(
            EMAIL.name,
            _("email", default="E-mail address"),
            "email",
            attributes={"autocomplete": "off", "maxlength": str(EMAIL.schema["maxLength"])},
        ),
        Field(
            NOTE.name,
            _("note", default="Note"),
            "textarea",
            attributes={"maxlength": str(NOTE.schema["maxLength"])},
        ),
    )


def _window_fields(moments: Moments) -> tuple[Field, Field]:
    zone = _("time_in_zone", default="Time in ${zone}.", mapping={"zone": moments.zone_name})
    return (
        Field(
            VALID_FROM.name,
            _("valid_from", default="Valid from"),
            "datetime-local",
            _("valid_from_help", default="Empty: from now on."),
            {"step": "1"},
            zone=zone,
        ),
        Field(
            VALID_TO.name,
            _("valid_to", default="Valid to"),
            "datetime-local",
            _("valid_to_help", default="Empty: without end."),
            {"step": "1"},
            zone=zone,
        ),
    )


def _use_fields() -> tuple[Field, Field, Field]:
    return (
        Field(
            USAGE_COUNT.name,
            _("uses_left", default="Uses left"),
            "number",
            _("uses_left_help", default="How often it can be redeemed. -1 is unlimited."),
            # No inputmode: keypads of digits have no minus.
            limits(USAGE_COUNT),
        ),
        Field(
            LOCK_TIME.name,
            _("lock_time", default="Lock time after a use, in seconds"),
            "number",
            _("lock_time_help", default="How long it cannot be consumed again after a use."),
            {**limits(LOCK_TIME), "inputmode": "numeric"},
        ),
        Field(
            ENABLED.name,
            _("enabled", default="Enabled"),
            "checkbox",
            _("enabled_help", default="While this is off every consumption is refused."),
        ),
    )
