"""Log lines: which request they belong to, and how they are written.

Nothing in a line of ours is more of a token's value than its first characters, and nothing that a
caller sent breaks a line.
"""

from __future__ import annotations

import contextvars
import datetime
import json
import logging
import re
import secrets
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

if TYPE_CHECKING:
    from pyramid.request import Request

#: Header with the reference of a request, in both directions.
HEADER: Final = "X-Request-ID"

#: What stands in lines that belong to no request.
NO_REFERENCE: Final = "-"

#: Characters of a text that somebody sent.
MOST_CHARACTERS: Final = 64

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_reference: contextvars.ContextVar[str] = contextvars.ContextVar("reference", default=NO_REFERENCE)

#: What every record has; the rest was given with the line.
_USUAL: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "reference", "taskName"},
)


def reference() -> str:
    """Return the reference of the request that this thread works at."""
    return _reference.get()


def begin(request: Request) -> contextvars.Token[str]:
    """Give ``request`` a reference, its own where it brings a good one; :func:`end` takes it."""
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    is_good = _WELL_FORMED.fullmatch(given)
    return _reference.set(given if is_good else secrets.token_hex(8))


def end(before: contextvars.Token[str]) -> None:
    """Forget the reference: the request is answered."""
    _reference.reset(before)


def printable(text: object, most: int = MOST_CHARACTERS) -> str:
    """Return the beginning of ``text`` without characters that break a line or are not seen."""
    full = str(text)
    shown = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in full[:most]
    )
    return shown if len(full) <= most else f"{shown}…"


class LineFormatter(logging.Formatter):
    """Plain lines; a format may have ``%(reference)s``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        record.reference = reference()
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: what happened, when, where, in which request, and with what."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "reference": reference(),
        }
        line.update((name, value) for name, value in vars(record).items() if name not in _USUAL)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, default=str)
