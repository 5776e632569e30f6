"""The ini settings, read once at start-up (contract 1)."""

from __future__ import annotations

import dataclasses
import datetime
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import tzlocal
from pyramid.settings import aslist
from pyramid.settings import falsey
from pyramid.settings import truthy

from cone.tokens.core.places import DEFAULT_PLACES
from cone.tokens.core.retry import Patience
from cone.tokens.host.form_data import MIB
from cone.tokens.host.known_keys import unknown_key

#: Prefix of the settings of the database, as cone.sql has it.
DATABASE: Final = "sql.db."
#: Set among the variables of the ini file by an application whose host is to have statuses.
STATUSES_WANTED: Final = "cone.tokens.host_statuses"

#: The setting with the class of the container of tokens.
FACTORY: Final = "cone.tokens.entryfactory"
DEFAULT_FACTORY = "cone.tokens.model.TokenContainer"
DEFAULT_SETTINGS_PATH = "settings/token_settings"
#: Seconds for which a lost database is waited for.
DEFAULT_DEADLINE = 10
#: MiB that a body may have that is sent to a page of the host.
DEFAULT_HOST_BODY = 1
#: Requests that may be at long work at once.
MOST_PLACES = 100


class StartupError(SystemExit):
    """A setting is wrong: the start stops with one line that names its key.

    It is a :class:`SystemExit`, so that a server prints that line and no traceback.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")


@dataclasses.dataclass(frozen=True, slots=True)
class TokensConfig:
    """What the ini file says.

    :ivar settings_path: names from the root to the settings node.
    :ivar entry_factory: dotted name of the class; a command does without its host.
    :ivar zone: naive times are read and times of answers given in it.
    :ivar operators_find: who has the role ``token_operator`` may find tokens by their labels.
    :ivar operators_override: they may let somebody in although a rule refuses it.
    :ivar auto_upgrade: a start upgrades a database of an older version.
    :ivar host_body: bytes that a body may have that is sent to a page of the host.
    :ivar places: how many requests of a process may be at long work, or wait for SQLite's lock.
    :ivar patience: how long a use case is repeated when the database is lost on the way.
    """

    config_file: Path
    settings_path: tuple[str, ...]
    entry_factory: str
    zone: datetime.tzinfo
    consume_by_get: bool
    operators_find: bool
    operators_override: bool
    auto_upgrade: bool
    host_body: int
    patience: Patience
    places: int = DEFAULT_PLACES


def read_config(settings: Mapping[str, str]) -> TokensConfig:
    """Return the configuration in ``settings``, the ini settings of the application.

    :raises StartupError: a setting is wrong or missing.
    """
    _require_host(settings)
    return TokensConfig(
        config_file=_config_file(settings),
        settings_path=_settings_path(settings),
        entry_factory=settings.get(FACTORY, "").strip() or DEFAULT_FACTORY,
        zone=_zone(settings),
        consume_by_get=_flag(settings, "cone.tokens.consume_by_get", default=True),
        operators_find=_flag(settings, "cone.tokens.operators_find", default=True),
        operators_override=_flag(settings, "cone.tokens.operators_override", default=False),
        auto_upgrade=_flag(settings, "cone.tokens.auto_upgrade", default=False),
        host_body=_host_body(settings),
        patience=_patience(settings),
        places=_places(settings),
    )


def _require_host(settings: Mapping[str, str]) -> None:
    unknown = unknown_key(settings)
    if unknown:
        raise StartupError(*unknown)
    if "cone.sql" not in aslist(settings.get("cone.plugins", "")):
        raise StartupError("cone.plugins", "cone.sql is missing in the list")
    if not settings.get("sql.db.url"):
        raise StartupError("sql.db.url", "is missing; give the URL of the database")
    if "pyramid_tm" not in aslist(settings.get("pyramid.includes", "")):
        raise StartupError("pyramid.includes", "pyramid_tm is missing in the list")


def _config_file(settings: Mapping[str, str]) -> Path:
    key = "cone.tokens.config_file"
    path = settings.get(key, "").strip()
    if not path:
        raise StartupError(key, "is missing; give the path of the JSON file for token settings")
    return Path(path)


def _settings_path(settings: Mapping[str, str]) -> tuple[str, ...]:
    key = "cone.tokens.settings_node_path"
    path = settings.get(key, "").strip() or DEFAULT_SETTINGS_PATH
    return tuple(name for name in path.split("/") if name)


def _zone(settings: Mapping[str, str]) -> datetime.tzinfo:
    key = "cone.tokens.timezone"
    name = settings.get(key, "").strip()
    if not name:
        return _zone_of_host()
    zone = find_zone(name)
    if zone is None:
        raise StartupError(key, f"there is no time zone {name!r}")
    return zone


def find_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the time zone with an IANA name, or None."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _zone_of_host() -> datetime.tzinfo:
    try:
        return tzlocal.get_localzone()
    except (KeyError, ValueError, OSError):
        return datetime.UTC


def _flag(settings: Mapping[str, str], key: str, *, default: bool) -> bool:
    text = settings.get(key, "").strip().lower()
    if not text:
        return default
    if text not in truthy | falsey:
        raise StartupError(key, f"{text!r} is neither true nor false")
    return text in truthy


def _patience(settings: Mapping[str, str]) -> Patience:
    key = "cone.tokens.deadline"
    text = settings.get(key, "").strip() or f"{DEFAULT_DEADLINE}"
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text):
        raise StartupError(key, f"{text!r} is no number of seconds from 0 to 999")
    return Patience(float(text))


def _host_body(settings: Mapping[str, str]) -> int:
    key = "cone.tokens.host_body"
    text = settings.get(key, "").strip() or f"{DEFAULT_HOST_BODY}"
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise StartupError(key, f"{text!r} is no whole number of MiB from 1 to 999999")
    return int(text) * MIB


def _places(settings: Mapping[str, str]) -> int:
    key = "cone.tokens.places"
    text = settings.get(key, "").strip() or f"{DEFAULT_PLACES}"
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_PLACES:
        raise StartupError(key, f"{text!r} is no whole number from 1 to {MOST_PLACES}")
    return int(text)
