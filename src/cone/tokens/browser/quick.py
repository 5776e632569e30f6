"""What is done to a token on its page with one press: use it, give it a window, uses, a switch."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.browser.texts import uses_text
from cone.tokens.core.params import Parameter
from cone.tokens.core.values import UNLIMITED
from cone.tokens.i18n import _
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.periods import daily_window
from cone.tokens.tickets.setting_lists import ENDS
from cone.tokens.tickets.settings_file import OWN_TIME_RANGES
from cone.tokens.tickets.settings_file import TIME_RANGES
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.moments import Moments

#: Uses that a press gives a token.
USES: Final = (1, 2, 5, 10, 100, UNLIMITED)

#: The uses left that the page showed: a change of them refuses what was consumed meanwhile.
SHOWN: Final = Parameter("shown_usage_count", dict(USAGE_COUNT.schema), "")
#: What the buttons of changes send.
PARAMETERS: Final = (VALID_FROM, VALID_TO, USAGE_COUNT, ENABLED, SHOWN)

#: The time ranges that every site has.
RANGE_WORDS: Final = {
    "morning": _("time_range_morning", default="Morning"),
    "afternoon": _("time_range_afternoon", default="Afternoon"),
    "today": _("time_range_today", default="Today"),
}
_ALWAYS: Final = _("time_range_always", default="Always")
_SWITCH: Final = (("1", _("on", default="On")), ("0", _("off", default="Off")))


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
    """Buttons for one matter; two are pressed where they mean the same."""

    label: object
    buttons: list[Button]


def button_groups(
    token: Ticket,
    moments: Moments,
    settings: Mapping[str, Any],
) -> list[ButtonGroup]:
    """Return the buttons on the page of ``token``.

    :param settings: they have the time ranges.
    """
    return [
        ButtonGroup(_("quick_window", default="Valid"), list(_windows(token, moments, settings))),
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
    count = current_parser().changes({USAGE_COUNT.name: raw}).usage_count
    return count if isinstance(count, int) else None


def _windows(token: Ticket, moments: Moments, settings: Mapping[str, Any]) -> Iterator[Button]:
    given = (token.valid_from, token.valid_to)
    for text, times in _ranges(settings):
        start, end = (datetime.time.fromisoformat(times[name]) for name in ENDS)
        edges = daily_window(token.read_at, start, end, moments.zone)
        yield Button(text, _window_fields(*edges), given == edges)
    yield Button(_ALWAYS, _window_fields(None, None), given == (None, None))


def _ranges(settings: Mapping[str, Any]) -> Iterator[tuple[object, Mapping[str, str]]]:
    """Return words and times of the time ranges, those that every site has first."""
    yield from ((RANGE_WORDS[name], settings[name]) for name in TIME_RANGES)
    yield from ((times["name"], times) for times in settings[OWN_TIME_RANGES])


def _window_fields(
    opens: datetime.datetime | None,
    closes: datetime.datetime | None,
) -> dict[str, str]:
    # With their offset: clocks that change may show a time twice.
    edges = {VALID_FROM.name: opens, VALID_TO.name: closes}
    return {name: edge.isoformat() if edge else "" for name, edge in edges.items()}


def _uses(token: Ticket, count: int) -> Button:
    fields = {USAGE_COUNT.name: str(count), SHOWN.name: str(token.usage_count)}
    return Button(uses_text(count), fields, token.usage_count == count)
