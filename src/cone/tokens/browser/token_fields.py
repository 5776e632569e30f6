"""The fields of a token in a form, and what stands in them."""

from __future__ import annotations

from typing import Final

from cone.tokens.browser.fields import OFF
from cone.tokens.browser.fields import ON
from cone.tokens.browser.fields import Field
from cone.tokens.browser.moments import Moments
from cone.tokens.core.params import ENABLED
from cone.tokens.core.params import LOCK_TIME
from cone.tokens.core.params import USAGE_COUNT
from cone.tokens.core.params import VALID_FROM
from cone.tokens.core.params import VALID_TO
from cone.tokens.core.params import VALUE
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import Parser
from cone.tokens.core.types import Token
from cone.tokens.i18n import _

_VERBATIM: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def token_fields(moments: Moments) -> tuple[Field, ...]:
    """Return the fields of a token."""
    return (_value_field(), *_window_fields(moments), *_use_fields())


def texts_of(token: Token, moments: Moments) -> dict[str, str]:
    """Return what stands in the fields of ``token``, by name."""
    return {
        VALUE.name: token.value,
        VALID_FROM.name: moments.input_text(token.valid_from),
        VALID_TO.name: moments.input_text(token.valid_to),
        USAGE_COUNT.name: str(token.usage_count),
        LOCK_TIME.name: str(token.lock_time_s),
        ENABLED.name: ON if token.enabled else OFF,
    }


def default_texts(parser: Parser) -> dict[str, str]:
    """Return what stands in the fields of a new token, by name."""
    return {
        VALUE.name: "",
        VALID_FROM.name: "",
        VALID_TO.name: "",
        USAGE_COUNT.name: str(parser.usage_count),
        LOCK_TIME.name: str(parser.lock_time_s),
        ENABLED.name: ON,
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


def _window_fields(moments: Moments) -> tuple[Field, Field]:
    zone = {"zone": moments.zone_name}
    return (
        Field(
            VALID_FROM.name,
            _("valid_from", default="Valid from"),
            "datetime-local",
            _("valid_from_help", default="Time in ${zone}. Empty: from now on.", mapping=zone),
            {"step": "1"},
        ),
        Field(
            VALID_TO.name,
            _("valid_to", default="Valid to"),
            "datetime-local",
            _("valid_to_help", default="Time in ${zone}. Empty: without end.", mapping=zone),
            {"step": "1"},
        ),
    )


def _use_fields() -> tuple[Field, Field, Field]:
    return (
        Field(
            USAGE_COUNT.name,
            _("uses_left", default="Uses left"),
            "number",
            _("uses_left_help", default="How often it can be consumed. -1 is unlimited."),
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
