"""Races through HTTP: a site served by two processes over one database, and its clients."""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy import create_engine

from cone.tokens.tickets.service import on_engine
from tests.support import naive_site
from tests.support.naive import Gate
from tests.support.naive import make_naive_tables
from tests.support.races import CALLERS
from tests.support.races import CHECKPOINTS
from tests.support.races import Course
from tests.support.races import ThreadCrew
from tests.support.races import ask_site
from tests.support.served import serve_twice
from tests.support.site import THREADS
from tests.support.site import write_site

PLUGINS = "    cone.sql\n    cone.tokens\n"
#: Callers that two processes work for at once.
AT_ONCE = 2 * THREADS


@contextmanager
def open_database(url: str) -> Iterator[Engine]:
    """Give an engine on a database that is ready to be served."""
    engine = create_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        yield engine
    finally:
        engine.dispose()


def site_url(engine: Engine) -> str:
    """Return the address of a database as an ini file takes it."""
    return engine.url.render_as_string(hide_password=False).replace("%2F", "/")


def write_checkpoints(ini: Path) -> Path:
    """Write the settings of a site, with the door that callers go through; return its ini file."""
    ini.with_name("tokens.json").write_text(json.dumps({"checkpoints": CHECKPOINTS}))
    return ini


@contextmanager
def served_course(folder: Path, engine: Engine, gate: Gate | None = None) -> Iterator[Course]:
    """Serve a site in two processes; a naive one where there is a gate.

    Half of the callers are clients of one process, half of the other.
    """
    url = site_url(engine)
    if gate:
        make_naive_tables(engine)
        # A reset takes a place, and all have to come to the gate.
        more = f"{naive_site.GATE} = {gate.address}\ncone.tokens.places = {THREADS}"
        ini = write_site(folder, database_url=url, more=more)
        plugins = f"{PLUGINS}    {naive_site.__name__}\n"
        ini.write_text(ini.read_text().replace(PLUGINS, plugins))
    else:
        ini = write_site(folder, database_url=url)
    write_checkpoints(ini)
    with serve_twice(ini) as both:
        cookie = both[0].sign_in().headers
        clients = [both[number % 2].connect() for number in range(CALLERS)]
        for client in clients:
            client.headers.update(cookie)
        callers = [functools.partial(ask_site, client) for client in clients]
        yield Course(engine, on_engine(engine), ThreadCrew(callers))
