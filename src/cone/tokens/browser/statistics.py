"""The page of the statistics: how often tokens were consumed and refused, and why."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Final
from urllib.parse import urlencode

from cone.tile import Tile
from cone.tile import tile

from cone.tokens.browser.chart import Chart
from cone.tokens.browser.chart import Column
from cone.tokens.browser.chart import draw
from cone.tokens.browser.chart import grouped
from cone.tokens.browser.statistics_range import DEFAULT
from cone.tokens.browser.statistics_range import MOST_DAYS
from cone.tokens.browser.statistics_range import NAME
from cone.tokens.browser.statistics_range import RANGES
from cone.tokens.browser.statistics_range import Range
from cone.tokens.browser.statistics_range import WrongRangeError
from cone.tokens.browser.statistics_range import named_range
from cone.tokens.browser.statistics_range import read_range
from cone.tokens.browser.texts import DENIAL_WORDS
from cone.tokens.core.clock import utc_now
from cone.tokens.core.places import Places
from cone.tokens.host import wiring
from cone.tokens.i18n import _
from cone.tokens.tickets.checkpoints import read as read_checkpoints
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.setting_lists import checkpoint_sought
from cone.tokens.tickets.values import CheckpointCounts
from cone.tokens.tickets.values import Statistics
from cone.tokens.tickets.values import Step
from cone.tokens.tickets.values import UsageBucket
from cone.tokens.tickets.wiring import current_settings
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note
from cone.tokens.web.page import url

STATISTICS: Final = "statistics"

#: Rows of the table that are shown without being asked for.
_ROWS_SHOWN: Final = 31

_CHECKPOINT = "checkpoint"
#: What is counted, and the words for it.
Counted = Statistics | UsageBucket | CheckpointCounts
_OUTCOMES: Final = (
    _("statistics_granted", default="Granted"),
    _("statistics_exits", default="Out"),
    _("statistics_overridden", default="Let in anyway"),
    _("statistics_refused", default="Refused"),
)

#: Name of the view that asks whether to end inside and outside of all tokens.
RESET_INSIDE: Final = "reset_inside"
#: In the address: that was done.
RESET: Final = "reset"
_RESET_DONE: Final = _(
    "note_inside_reset", default="Nobody counts as inside any more, nor as gone out for a while."
)
_WRONG_RANGE: Final = _(
    "statistics_wrong_range",
    default="There is no such range: it needs a first and a last day in this order, and has "
    "${days} days at most. These are the last 7 days.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """A range to go to."""

    word: str
    url: str
    is_current: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    iso: str
    text: str
    counts: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A row of the table of checkpoints.

    :ivar url: of its statistics.
    """

    name: str
    counts: list[str]
    url: str
    is_current: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """How often tokens were refused for a reason."""

    word: str
    count: str
    percent: int


def _counts(counted: Counted) -> tuple[int, int, int, int]:
    """Return what is counted, in the order of the words."""
    return counted.granted, counted.exits, counted.overridden, counted.refusals


def _shown(statistics: Statistics) -> list[bool]:
    """Return whether each of the counts is shown: exits and overrides where there are any."""
    counted: tuple[Counted, ...] = (statistics, *statistics.checkpoints)
    has_exits = any(one.exits for one in counted)
    return [True, has_exits, any(one.overridden for one in counted), True]


@tile(
    name=STATISTICS,
    path="templates/statistics.pt",
    interface=TokenContainer,
    permission=LIST,
)
class StatisticsTile(Localized, Tile):
    """Consumptions and refusals in a range, as a picture and as a table.

    It has more than 15 public members: each is a value that the template shows.
    """

    notes: list[Note]
    range: Range
    checkpoint: str | None
    statistics: Statistics
    count_inside: int
    shown: list[bool]
    moments: Moments

    def prepare(self) -> None:
        """Count what the address asks for."""
        self.notes = []
        self.moments = Moments.of_request(self.request)
        zone = self.moments.zone
        today = utc_now().astimezone(zone).date()
        try:
            self.range = read_range(self.request.GET, today)
        except WrongRangeError:
            self.range = named_range(DEFAULT, today)
            self.notes.append(Note("warning", _WRONG_RANGE % {"days": MOST_DAYS}))
        shown = self.range
        self.checkpoint = checkpoint_sought(self.request.GET.get(_CHECKPOINT, ""))
        if RESET in self.request.GET:
            self.notes.append(Note("success", _RESET_DONE))
        service = wiring.get(TicketService)
        with wiring.get(Places).work():
            self.statistics = service.statistics(
                shown.first, shown.last, shown.step, zone, self.checkpoint
            )
            self.count_inside = service.count_inside()
        self.shown = _shown(self.statistics)

    @property
    def action_url(self) -> str:
        """Where the form goes."""
        return url(self.request, self.model, STATISTICS)

    @property
    def tokens_url(self) -> str:
        """Address of the tokens."""
        return url(self.request, self.model)

    @property
    def choices(self) -> list[Choice]:
        """The ranges that have a name."""
        return [
            Choice(word, self._url({NAME: name}, self.checkpoint), self.range.name == name)
            for name, (_begins, _ends, word) in RANGES.items()
        ]

    @property
    def all_checkpoints_url(self) -> str:
        """Address of the statistics of all checkpoints in this range."""
        return self._url(self.range.asked, None)

    @property
    def is_by_hours(self) -> bool:
        """Whether a bar is an hour."""
        return self.range.step is Step.HOUR

    @property
    def row_style(self) -> str:
        """How scripts write the times of the table: the day where there are several."""
        if not self.is_by_hours:
            return "day"
        return "timeToMinute" if self.range.first == self.range.last else "minute"

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not any(_counts(self.statistics)) and not self.statistics.checkpoints

    @property
    def is_long(self) -> bool:
        """Whether the table has so many rows that it waits to be asked for."""
        return len(self.statistics.buckets) > _ROWS_SHOWN

    @property
    def granted(self) -> str:
        """How many were granted."""
        return grouped(self.statistics.granted)

    @property
    def refused(self) -> str:
        """How many were refused."""
        return grouped(self.statistics.refusals)

    @property
    def outcomes(self) -> list[object]:
        """The words of what is counted, in the order of the counts."""
        return [word for word, is_shown in zip(_OUTCOMES, self.shown, strict=True) if is_shown]

    @property
    def totals(self) -> list[tuple[object, str]]:
        """What is counted with its numbers."""
        return list(zip(self.outcomes, self._grouped(self.statistics), strict=True))

    @property
    def inside(self) -> str | None:
        """How many are inside now, wherever they came in; None: that is no question here."""
        if self.checkpoint is not None:
            return None
        checkpoints = read_checkpoints(current_settings().values).values()
        is_asked = self.count_inside or any(one.has_directions for one in checkpoints)
        return grouped(self.count_inside) if is_asked else None

    @property
    def reset_url(self) -> str | None:
        """Address of the question, for those who may end inside and outside of all tokens."""
        may_reset = self.request.has_permission(EDIT, self.model)
        return url(self.request, self.model, RESET_INSIDE) if may_reset else None

    @property
    def range_days(self) -> list[Moment]:
        """The first and the last day of the range; one where they are the same."""
        return [self._noon(day) for day in dict.fromkeys((self.range.first, self.range.last))]

    @property
    def range_text(self) -> str:
        """The days of the range."""
        return " \N{EN DASH} ".join(day.text.partition(" ")[0] for day in self.range_days)

    @property
    def chart(self) -> Chart:
        """The picture."""
        return draw([self._column(bucket) for bucket in self.statistics.buckets])

    @property
    def rows(self) -> Iterator[Row]:
        """The table."""
        for bucket in self.statistics.buckets:
            moment: Any = self.moments.show(bucket.start)
            text = self._text(bucket)
            if self.row_style == "timeToMinute":
                text = self._label(text)
            yield Row(moment.iso, text, self._grouped(bucket))

    @property
    def checkpoints(self) -> list[CheckpointRow]:
        """The table of checkpoints; empty where none was used."""
        return [
            CheckpointRow(
                counts.checkpoint,
                self._grouped(counts),
                self._url(self.range.asked, counts.checkpoint),
                counts.checkpoint == self.checkpoint,
            )
            for counts in self.statistics.checkpoints
        ]

    @property
    def reasons(self) -> list[Reason]:
        """Why tokens were refused, the most frequent reason first."""
        total = self.statistics.refusals
        return [
            Reason(DENIAL_WORDS[denial], grouped(count), round(100 * count / total))
            for denial, count in self.statistics.refused.items()
        ]

    def _grouped(self, counted: Counted) -> list[str]:
        """Return the counts that are shown."""
        counts = zip(_counts(counted), self.shown, strict=True)
        return [grouped(count) for count, is_shown in counts if is_shown]

    def _url(self, asked: Mapping[str, str], checkpoint: str | None) -> str:
        given = {**asked, **({} if checkpoint is None else {_CHECKPOINT: checkpoint})}
        return url(self.request, self.model, STATISTICS, f"?{urlencode(given)}")

    def _column(self, bucket: UsageBucket) -> Column:
        text = self._text(bucket)
        counts = f"{grouped(bucket.granted)} / {grouped(bucket.refusals)}"
        return Column(self._label(text), f"{text}: {counts}", bucket.granted, bucket.refusals)

    def _text(self, bucket: UsageBucket) -> str:
        moment: Any = self.moments.show(bucket.start)
        return moment.text if self.is_by_hours else moment.text.partition(" ")[0]

    def _noon(self, date: datetime.date) -> Any:
        noon = datetime.datetime.combine(date, datetime.time(12), self.moments.zone)
        return self.moments.show(noon)

    def _label(self, text: str) -> str:
        """Return the part of a time that tells it from its neighbours."""
        if self.is_by_hours:
            return text.partition(" ")[2]
        year = len("2026")
        return text[:-year] if self.lang == "de" else text[year + 1 :]
