"""The address of the database, checked; messages about it leave the password out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import engine_from_config
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.exc import SQLAlchemyError

#: Seconds in which each address of a PostgreSQL server has to answer a start or a command, unless
#: its URL has ``connect_timeout``: the driver alone would wait for more than two minutes.
CONNECT_TIMEOUT_S: Final = 5

_EXAMPLES: Final = "the README has URLs for SQLite and PostgreSQL"
_WRONG_PARAMETER: Final = "has a wrong parameter behind the question mark"
_SECRETS: Final = ("password", "sslpassword")


class BadAddress(ValueError):
    """A setting of the database is wrong, or the database cannot be opened.

    :ivar key: of the setting, without its prefix.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def read_address(text: str) -> URL:
    """Return the URL in ``text``.

    :raises BadAddress: it is none of a database that can be used, or its driver is missing.
    """
    # Texts of SQLAlchemy's errors are not told: they may have the URL in them.
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise BadAddress("url", f"is no URL of a database; {_EXAMPLES}") from None
    if "@" in (url.host or ""):
        problem = "has an @ too many; one in the user or the password is written %40"
        raise BadAddress("url", problem)
    _require_driver(url)
    return url


def _require_driver(url: URL) -> None:
    try:
        dialect = url.get_dialect()
        driver = dialect.import_dbapi()
    except NoSuchModuleError:
        raise BadAddress("url", f"is of no known kind of database; {_EXAMPLES}") from None
    except ImportError as error:
        extra = "; install cone.tokens[postgres]" if url.drivername.endswith("psycopg") else ""
        problem = f"the driver {error.name} is not installed{extra}; {_EXAMPLES}"
        raise BadAddress("url", problem) from None
    name = dialect.name
    is_usable = name == "sqlite" or driver.__name__ == "psycopg"
    if dialect.is_async or not is_usable:
        raise BadAddress("url", f"{url.drivername} is not supported; {_EXAMPLES}")


def open_address(settings: Mapping[str, str], prefix: str) -> Engine:
    """Return an engine for the database that settings describe, as cone.sql reads them.

    :param settings: among others ``<prefix>url`` and arguments of SQLAlchemy's ``create_engine``.
    :raises BadAddress: one of them is wrong.
    """
    url_key = f"{prefix}url"
    url = bounded(read_address(settings.get(url_key, "")))
    try:
        # Values of tokens have no place in the text of an error.
        return engine_from_config({**settings, url_key: url}, prefix, hide_parameters=True)
    except (SQLAlchemyError, ValueError, TypeError):
        for key, text in settings.items():
            if key.startswith(prefix) and key != url_key:
                _require_argument(url, key.removeprefix(prefix), text)
        raise BadAddress("url", _WRONG_PARAMETER) from None


def _require_argument(url: URL, key: str, text: str) -> None:
    try:
        engine_from_config({"url": url, key: text}, "")
    except (SQLAlchemyError, ValueError, TypeError):
        raise BadAddress(key, f"SQLAlchemy does not take {text!r} for it") from None


def try_address(text: str) -> None:
    """Connect to the database at a URL once, and read.

    :raises BadAddress: that is not possible.
    """
    url = bounded(read_address(text))
    if url.get_backend_name() == "sqlite":
        _require_file(url)
    try:
        _read_once(url)
    except DBAPIError as error:
        raise BadAddress("url", f"the database cannot be opened: {told(error, url)}") from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise BadAddress("url", _WRONG_PARAMETER) from None


def _read_once(url: URL) -> None:
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # Opening a file does not read it.
                connection.exec_driver_sql("PRAGMA schema_version")
    finally:
        engine.dispose()


def bounded(url: URL) -> URL:
    """Return ``url`` with a limit of the time in which a server has to answer."""
    if url.get_backend_name() == "sqlite" or "connect_timeout" in url.query:
        return url
    return url.update_query_dict({"connect_timeout": f"{CONNECT_TIMEOUT_S}"})


def _require_file(url: URL) -> None:
    """Check that SQLite can open or make its file; its own error does not say why it cannot.

    :raises BadAddress: it cannot.
    """
    if url.database in (None, "", ":memory:") or "uri" in url.query:
        return
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise BadAddress("url", f"there is no folder {path.parent}")
    if path.is_dir():
        raise BadAddress("url", f"{path} is a folder")
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise BadAddress("url", f"{place} cannot be read and written by this user")


def told(error: DBAPIError, url: URL) -> str:
    """Return a driver's message, in one line and without the password of ``url``."""
    text = " ".join(str(error.orig).split())
    secrets = [url.password, *(url.query.get(name) for name in _SECRETS)]
    for secret in secrets:
        for spelled in {str(secret), quote(str(secret), safe="")} if secret else ():
            text = text.replace(spelled, "***")
    return text
