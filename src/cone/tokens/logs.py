"""Log lines: which request they belong to, and how they are written.

Nothing in a line of ours is more of a token's value than its first characters, and nothing that a
caller sent breaks a line, whichever logger writes it.
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
from typing import TextIO

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
    shown = escaped(full[:most])
    return shown if len(full) <= most else f"{shown}…"


def escaped(text: str) -> str:
    """Return ``text`` with all characters escaped that break a line or are not seen."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


#: What libraries say at a start that means nothing to a site: loggers, and beginnings of lines.
_MEANINGLESS: Final = (
    ("cone.app", "``lxml`` not present"),
    ("cone.app", "``yafowil.yaml`` not present"),
    ("cone.app", "No configure.zcml in "),
    ("alembic.runtime.migration", "Context impl "),
    ("alembic.runtime.migration", "Will assume "),
)


def is_meant_for_people(record: logging.LogRecord) -> bool:
    """Return whether a line says something that somebody can do something about."""
    return not any(
        record.name == logger and str(record.msg).startswith(text) for logger, text in _MEANINGLESS
    )


class Console(logging.StreamHandler[TextIO]):
    """A stream, without what libraries say at each start and nobody has a use for."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self.addFilter(is_meant_for_people)


class LineFormatter(logging.Formatter):
    """Plain lines; a format may have ``%(reference)s``.

    A record is one line, whatever is in it, and the lines of a traceback are indented: none of
    them can be taken for a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of ``record``."""
        record.reference = reference()
        record.message = _message(record)
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [escaped(self.formatMessage(record))]
        lines.extend(f"    {escaped(line)}" for line in self._more(record).splitlines())
        return "\n".join(lines)

    def _more(self, record: logging.LogRecord) -> str:
        """Return traceback and stack. What another formatter kept in the record is not taken."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if not parts and record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: what happened, when, where, in which request, and with what."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "reference": reference(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        more = {name: value for name, value in vars(record).items() if name not in _USUAL}
        # All but DEL is escaped as it is.
        return json.dumps({**more, **line}, default=str).replace("\x7f", "\\u007f")


def _message(record: logging.LogRecord) -> str:
    """Return the message; of one that is malformed its parts, so that nothing goes past us."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments may be of any kind, and raise anything
        return f"{record.msg!r} {record.args!r}"
