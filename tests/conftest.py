"""Databases for all tests: SQLite files and a PostgreSQL server, real ones."""

import datetime
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import event

from tests.support.postgres import PostgresServer
from tests.support.postgres import PostgresUnavailable

# What examples cost depends on the machine. "make fuzz" takes the profile of its name.
_COMMON = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", _COMMON, max_examples=60)
settings.register_profile("fuzz", _COMMON, max_examples=2_000)
settings.load_profile("ci")

#: How many examples the property tests that count theirs have tried.
EXAMPLES: Counter[str] = Counter()

#: Lines that tests want to be read by people.
NOTES: list[str] = []


#: What takes long for each test: where several processes share the tests, it comes first.
SLOW = (
    "tests/browser/",
    "test_crash",
    "test_failover",
    "test_races",
    "test_schemathesis",
    "test_model",
)


#: Tests of pages and served sites fail now and then where the machine is busy: they have a second
#: try, which is told (decision 0027).
TRIED_TWICE = ("tests/browser/", "tests/functional/")
#: What counts, and who wins a race, is right the first time.
TRIED_ONCE = (
    "test_crash",
    "test_failover",
    "test_faults",
    "test_idempotency",
    "test_races",
)


#: Files there are in memory: a commit waits for no disk. Nothing is tested that a power cut ends.
MEMORY = Path("/dev/shm")  # noqa: S108 - made for files that end with the system
ROOM = 4 << 30


def pytest_configure() -> None:
    """Keep the files of tests in memory where there is room; TMPDIR takes another folder."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if "TMPDIR" not in os.environ and has_room and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items) -> None:
    """Mark what is tried twice. Begin with what takes long, so that no process is left with it."""
    for item in items:
        is_once = any(name in item.nodeid for name in TRIED_ONCE)
        if item.nodeid.startswith(TRIED_TWICE) and not is_once:
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: not any(name in item.nodeid for name in SLOW))


def pytest_sessionfinish(session) -> None:
    """Hand over what was counted, where the tests run in several processes."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["examples"] = dict(EXAMPLES)
        session.config.workeroutput["notes"] = NOTES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take what a process has counted; one that died has counted nothing."""
    told = getattr(node, "workeroutput", {})
    EXAMPLES.update(told.get("examples", {}))
    NOTES.extend(told.get("notes", []))


def pytest_terminal_summary(terminalreporter) -> None:
    """Tell how many examples were tried, and what else tests have to say."""
    for what, count in sorted(EXAMPLES.items()):
        terminalreporter.write_line(f"{count:>7} examples: {what}")
    for note in NOTES:
        terminalreporter.write_line(note)


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)

    def __call__(self) -> datetime.datetime:
        return self.time

    def move(self, **duration: float) -> None:
        self.time += datetime.timedelta(**duration)


class QueryRecorder:
    """The statements that an engine executes, without those that begin and end transactions."""

    def __init__(self, engine: Engine) -> None:
        self.statements: list[str] = []
        event.listen(engine, "before_cursor_execute", self._record)

    def _record(self, _connection, _cursor, statement, *_more) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            self.statements.append(statement)

    def clear(self) -> None:
        self.statements.clear()

    def __len__(self) -> int:
        return len(self.statements)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for the whole run; without one the tests that need it are skipped, not in CI."""
    try:
        server = PostgresServer().__enter__()
    except PostgresUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"no PostgreSQL server: {error}")
        pytest.skip(f"no PostgreSQL server: {error}")
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request, tmp_path_factory) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database') / 'tokens.db'}?timeout=30"
    return request.getfixturevalue("postgres_server").create_database()


@pytest.fixture(scope="session")
def engine(database_url) -> Iterator[Engine]:
    engine = create_engine(database_url, pool_size=20)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    yield engine
    engine.dispose()
