"""Times for people: in the zone of the site, in the way of the language."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.web.page import language

if TYPE_CHECKING:
    from pyramid.request import Request


#: In microseconds. Browsers know no shorter time in a field.
MILLISECOND: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A time: for programs in UTC, for people with minutes or seconds."""

    iso: str
    text: str
    precise: str


@dataclasses.dataclass(frozen=True, slots=True)
class Moments:
    """Makes moments for the reader of a page."""

    zone: datetime.tzinfo
    language: str

    @classmethod
    def of_request(cls, request: Request) -> Moments:
        """Return the factory of moments for the reader of the answer."""
        return cls(wiring.get(TokensConfig).zone, language(request))

    @property
    def zone_name(self) -> str:
        """Name of the zone, to stand once on a page."""
        return str(self.zone)

    def show(self, time: datetime.datetime | None) -> Moment | None:
        """Return the moment of ``time``, None where there is none."""
        if time is None:
            return None
        local = time.astimezone(self.zone)
        utc = time.astimezone(datetime.UTC).replace(tzinfo=None)
        date = _date(local, self.language)
        return Moment(
            iso=f"{utc.isoformat(timespec='seconds')}Z",
            text=f"{date} {local:%H:%M}",
            precise=f"{date} {local:%H:%M:%S}",
        )

    def input_text(self, time: datetime.datetime | None) -> str:
        """Return ``time`` as browsers write it in a field: naive, without needless seconds."""
        if time is None:
            return ""
        local = time.astimezone(self.zone).replace(tzinfo=None)
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    def exact_input_text(self, time: datetime.datetime) -> str:
        """Return ``time`` in the same way, with the milliseconds that it has."""
        if time.microsecond < MILLISECOND:
            return self.input_text(time)
        local = time.astimezone(self.zone).replace(tzinfo=None)
        return local.isoformat(timespec="milliseconds")


def same_input(submitted: object, shown: str) -> bool:
    """Return whether a date field was left alone: browsers may drop or add empty seconds."""
    return isinstance(submitted, str) and _without_seconds(submitted) == _without_seconds(shown)


def _without_seconds(text: str) -> str:
    has_seconds = len(text) == len("2026-06-01T12:00:00")
    return text.removesuffix(":00") if has_seconds else text


def _date(local: datetime.datetime, name: str) -> str:
    # strftime does not fill years below 1000 up on every system.
    if name == "de":
        return f"{local.day:02}.{local.month:02}.{local.year:04}"
    return f"{local.year:04}-{local.month:02}-{local.day:02}"
