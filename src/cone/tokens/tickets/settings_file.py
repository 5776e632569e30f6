"""The settings that are edited in the browser: a JSON file (contract 1)."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import re
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from typing import Final

from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.core.values import UNLIMITED
from cone.tokens.host.files import Signature
from cone.tokens.host.files import locked
from cone.tokens.host.files import replacing
from cone.tokens.tickets import label_sheets
from cone.tokens.tickets.checkpoints import CHECKPOINTS
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.setting_lists import Problem
from cone.tokens.tickets.setting_lists import problem_of_checkpoints
from cone.tokens.tickets.setting_lists import problem_of_ranges
from cone.tokens.tickets.setting_lists import problem_of_times

#: Sites name it in their ini files.
logger = logging.getLogger("cone.tokens.settings")

#: Names of the time ranges that every site has, in the order of a day.
TIME_RANGES: Final = ("morning", "afternoon", "today")
#: Key of the list of those that a site has besides.
OWN_TIME_RANGES: Final = "time_ranges"
LABEL_SHEET: Final = "label_sheet"
SOUNDS: Final = "sounds"
#: Key of the kinds of codes that cameras read, and all that there are.
CODE_KINDS: Final = "code_kinds"
ALL_CODE_KINDS: Final = ("qr", "code_128", "aztec", "data_matrix", "pdf417")

DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "morning": {"start": "08:00", "end": "12:00"},
        "afternoon": {"start": "12:00", "end": "18:00"},
        "today": {"start": "08:00", "end": "18:00"},
        "default_locktime": 0,
        "default_usage_count": 0,
        OWN_TIME_RANGES: [],
        LABEL_SHEET: "L7160",
        SOUNDS: True,
        CODE_KINDS: ["qr"],
        CHECKPOINTS: [],
    },
)

#: What a file is made with. Who adds the first tokens wants them to be good for something; a file
#: without the key means 0 still.
FIRST: Final[Mapping[str, Any]] = MappingProxyType({**DEFAULTS, "default_usage_count": 1})

_INTEGERS = {
    "default_locktime": (0, MAX_INTEGER),
    "default_usage_count": (UNLIMITED, MAX_INTEGER),
}
_LISTS = {OWN_TIME_RANGES: problem_of_ranges, CHECKPOINTS: problem_of_checkpoints}
_LARGEST_FILE: Final = 1_048_576


class SettingsFileError(Exception):
    """The settings file cannot be taken as it is, or not be written.

    :ivar key: the setting that is wrong; None where the file as a whole is.
    :ivar problem: what is wrong with that setting.
    """

    def __init__(
        self,
        path: Path,
        reason: str,
        *,
        line: int | None = None,
        key: str | None = None,
        problem: Problem | None = None,
    ) -> None:
        """Tell file, line and reason."""
        self.key = key
        self.problem = problem
        self.reason = reason
        place = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"{place}: {reason}")


class SettingsFile:
    """A JSON file of settings that several processes read and write.

    Concurrency: safe to share among threads; a reader sees the old content or the new one.
    """

    def __init__(self, path: Path) -> None:
        """Take the ``path``; nothing is read yet."""
        self.path = path
        self._lock = threading.Lock()
        self._signature: Signature | None = None
        self._values: Mapping[str, Any] = DEFAULTS

    def start(self) -> None:
        """Make the file with the defaults where it is missing, and read it.

        :raises SettingsFileError: it cannot be made or read, or its content is wrong.
        """
        if not self.path.exists():
            self._make()
        self._values = self.load()

    @property
    def values(self) -> Mapping[str, Any]:
        """The settings as they are now.

        A file that became unreadable or wrong changes nothing: what was read last stays, and
        one line in the log tells why.
        """
        with self._lock:
            signature = Signature.of(self.path)
            if signature != self._signature:
                self._signature = signature
                try:
                    self._values = self.load()
                except SettingsFileError as error:
                    logger.warning("token settings stay as they were: %s", error)
            return self._values

    def parser(self, zone: datetime.tzinfo) -> Parser:
        """Return the parser of parameters, with the defaults of the settings as they are now."""
        values = self.values
        return Parser(
            zone=zone,
            usage_count=values["default_usage_count"],
            lock_time=values["default_locktime"],
        )

    def load(self) -> Mapping[str, Any]:
        """Return the content of the file, defaults filled in.

        :raises SettingsFileError: it cannot be read, or its content is wrong.
        """
        return MappingProxyType({**DEFAULTS, **self._read()})

    def write(self, values: Mapping[str, Any]) -> None:
        """Change settings in the file; keys that are not ours stay.

        The content is replaced at once, and is on disk when this returns.

        :raises SettingsFileError: a value is wrong, the file is broken (it is not overwritten),
            or it cannot be written.
        """
        check(self.path, values)
        with self._writing() as path:
            content = self._read() if path.exists() else {}
            _replace(path, {**content, **values})

    def _make(self) -> None:
        """Make the file with the defaults, unless somebody else has made it meanwhile."""
        with self._writing() as path:
            if not path.exists():
                _replace(path, FIRST)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Path]:
        """Return where the file is; nobody else writes it.

        :raises SettingsFileError: it cannot be written.
        """
        try:
            # A link stays one.
            path = self.path.resolve()
            with locked(path.parent):
                yield path
        except OSError as error:
            reason = f"cannot be written: {error.strerror}"
            if not self.path.resolve().parent.exists():
                reason = f"cannot be written: there is no folder {self.path.resolve().parent}"
            raise SettingsFileError(self.path, reason) from None

    def _read(self) -> dict[str, Any]:
        text = self._read_text()
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise SettingsFileError(self.path, error.msg, line=error.lineno) from None
        except (ValueError, RecursionError):
            raise SettingsFileError(self.path, "is no JSON file", line=1) from None
        if not isinstance(content, dict):
            raise SettingsFileError(self.path, "holds no JSON object", line=1)
        check(self.path, content, text)
        return content

    def _read_text(self) -> str:
        try:
            if self.path.stat().st_size > _LARGEST_FILE:
                raise SettingsFileError(self.path, "is too large for a settings file")
            content = self.path.read_bytes()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise SettingsFileError(self.path, reason) from None
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise SettingsFileError(self.path, "is not encoded in UTF-8", line=line) from None


def check(path: Path, values: Mapping[str, Any], text: str = "") -> None:
    """Refuse settings that mean nothing.

    :param text: the content of the file, to find the line of a wrong setting.
    :raises SettingsFileError: a setting is wrong.
    """
    for key, value in values.items():
        problem = _problem(key, value)
        if problem:
            reason = f"{key}: {problem.reason}"
            line = _line_of(key, text)
            raise SettingsFileError(path, reason, line=line, key=key, problem=problem)


def _problem(key: str, value: object) -> Problem | None:
    if key in TIME_RANGES:
        return problem_of_times(value)
    if key in _INTEGERS:
        minimum, maximum = _INTEGERS[key]
        is_right = type(value) is int and minimum <= value <= maximum
        return None if is_right else Problem(f"must be an integer between {minimum} and {maximum}")
    if key in _LISTS:
        return _LISTS[key](value)
    if key == LABEL_SHEET:
        is_right = isinstance(value, str) and value in label_sheets.SHEETS
        return None if is_right else Problem(f"must be one of {', '.join(label_sheets.SHEETS)}")
    if key == SOUNDS:
        return None if isinstance(value, bool) else Problem("must be true or false")
    return _problem_of_kinds(value) if key == CODE_KINDS else None


def _problem_of_kinds(value: object) -> Problem | None:
    kinds = value if isinstance(value, list) else []
    if kinds and all(kind in ALL_CODE_KINDS and kinds.count(kind) == 1 for kind in kinds):
        return None
    return Problem(f"must be a list of one or more of {', '.join(ALL_CODE_KINDS)}, each once")


def _line_of(key: str, text: str) -> int | None:
    # The key, and not a text that says the same.
    found = re.search(rf"{re.escape(json.dumps(key))}\s*:", text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def _replace(path: Path, values: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(dict(values), indent=2).encode() + b"\n")
