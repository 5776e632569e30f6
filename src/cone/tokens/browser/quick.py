"""What is done to a token on its page with one press: use it, give it a window, uses, a switch."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any
from typing import Final

from cone.tokens import wiring
from cone.tokens.browser.moments import Moments
from cone.tokens.core.params import ENABLED
from cone.tokens.core.params import USAGE_COUNT
from cone.tokens.core.params import VALID_FROM
from cone.tokens.core.params import VALID_TO
from cone.tokens.core.params import Parameter
from cone.tokens.core.types import UNLIMITED
from cone.tokens.core.types import Token
from cone.tokens.i18n import _
from cone.tokens.settings import TIME_RANGES

#: Uses that a press gives a token.
USES: Final = (1, 2, 5, 10, 100, UNLIMITED)

#: The uses left that the page showed: a change of them refuses what was consumed meanwhile.
SHOWN: Final = Parameter("shown_usage_count", dict(USAGE_COUNT.schema), "")
#: What the buttons of changes send.
PARAMETERS: Final = (VALID_FROM, VALID_TO, USAGE_COUNT, ENABLED, SHOWN)

_RANGE_WORDS: Final = {
    "morning": _("time_range_morning", default="Morning"),
    "afternoon": _("time_range_afternoon", default="Afternoon"),
    "today": _("time_range_today", default="Today"),
}
_ALWAYS: Final = _("time_range_always", default="Always")
_SWITCH: Final = (("1", _("on", default="On")), ("0", _("off", default="Off")))
_UNLIMITED: Final = _("unlimited", default="unlimited")


@dataclasses.dataclass(frozen=True, slots=True)
class Button:
    """A button that sends some fields.

    :ivar is_pressed: whether the token is so already.
    """

    text: object
    fields: dict[str, str]
    is_pressed: bool

    @property
    def pressed(self) -> str:
        """The state for screen readers."""
        return "true" if self.is_pressed else "false"


@dataclasses.dataclass(frozen=True, slots=True)
class ButtonGroup:
    """Buttons of which one at most is pressed."""

    label: object
    buttons: list[Button]


def button_groups(token: Token, moments: Moments, ranges: Any) -> list[ButtonGroup]:
    """Return the buttons on the page of ``token``.

    :param ranges: start and end of the time ranges, as the settings have them.
    """
    return [
        ButtonGroup(_("quick_window", default="Valid"), list(_windows(token, moments, ranges))),
        ButtonGroup(_("uses_left", default="Uses left"), [_uses(token, count) for count in USES]),
        ButtonGroup(
            _("enabled", default="Enabled"),
            [
                Button(text, {ENABLED.name: flag}, token.enabled == (flag == "1"))
                for flag, text in _SWITCH
            ],
        ),
    ]


def parse_shown(raw: object) -> int | None:
    """Return the uses left that the page showed.

    :raises InvalidParameter: it is no number of uses.
    """
    count = wiring.parser().changes({USAGE_COUNT.name: raw}).usage_count
    return count if isinstance(count, int) else None


def _windows(token: Token, moments: Moments, ranges: Any) -> Iterator[Button]:
    today = token.read_at.astimezone(moments.zone).date()
    shown = (moments.input_text(token.valid_from), moments.input_text(token.valid_to))
    for name in TIME_RANGES:
        edges = tuple(_at(today, ranges[name][edge]) for edge in ("start", "end"))
        yield Button(_RANGE_WORDS[name], _window_fields(*edges), shown == edges)
    yield Button(_ALWAYS, _window_fields("", ""), shown == ("", ""))


def _at(day: datetime.date, time: str) -> str:
    return f"{day.isoformat()}T{time}"


def _window_fields(start: str, end: str) -> dict[str, str]:
    return {VALID_FROM.name: start, VALID_TO.name: end}


def _uses(token: Token, count: int) -> Button:
    text = _UNLIMITED if count == UNLIMITED else count
    fields = {USAGE_COUNT.name: str(count), SHOWN.name: str(token.usage_count)}
    return Button(text, fields, token.usage_count == count)
