"""Waits for SQLite's lock that end, and requests that do not wait for it."""

import concurrent.futures
import contextlib
import sqlite3
import subprocess
import sys
import time

import pytest

from tests.support.asking import UNKNOWN_UID
from tests.support.served import Served
from tests.support.site import write_site

#: Another program that writes, until its input ends.
OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
#: Seconds after which waits end, and what a busy machine may add.
END_S = 5.0
MARGIN_S = 2.5
#: Seconds for what does not wait at all, a busy machine included.
PROMPT_S = 2.5


@contextlib.contextmanager
def locked(path):
    """Have another process hold the lock to write."""
    command = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.stdin.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("waits")


@pytest.fixture(scope="module")
def file(folder):
    """A database in WAL mode."""
    path = folder / "tokens.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


@pytest.fixture(scope="module")
def served(folder, file):
    """A site with four threads whose URL says that a wait may take 30 seconds."""
    with Served(write_site(folder, database_url=f"sqlite:///{file}?timeout=30")) as served:
        yield served


@pytest.fixture
def client(served):
    yield served.sign_in()
    served.hang_up()


@pytest.fixture
def token(client):
    """The path of a token with uses."""
    added = client.post("/tokens/add_token", {"usage_count": "-1"}).json
    return f"/tokens/{added['token_uid']}"


def timed(call, *args, **kwargs):
    start = time.monotonic()
    answer = call(*args, **kwargs)
    return answer, time.monotonic() - start


def test_scans_when_the_file_is_locked_then_503_in_time_and_others_are_answered(
    served, client, token, file
):
    phones = [served.sign_in() for _ in range(5)]
    asked = ("/tokens/health", f"{token}/usages", "/tokens/tokens_overview")
    others = [(served.sign_in(), path) for path in asked]
    for other, path in others:
        # The first time a page is compiled.
        assert other.get(path).status == 200
    with locked(file), concurrent.futures.ThreadPoolExecutor() as pool:
        scans = [
            pool.submit(timed, phone.post, f"{token}/consume_token", idempotency_key=f"scan-{name}")
            for name, phone in enumerate(phones)
        ]
        # The scans have all threads; those that may not wait for long give theirs back.
        concurrent.futures.wait(scans, return_when=concurrent.futures.FIRST_COMPLETED)
        for other, path in others:
            answer, seconds = timed(other.get, path)
            assert (answer.status, seconds < PROMPT_S) == (200, True), seconds
        done = [scan.result() for scan in scans]
        waits = sorted(seconds for _answer, seconds in done)
        assert waits[-1] < END_S + MARGIN_S
        # Two of four threads wait until the end, and no other one.
        assert [seconds > END_S - 1 for seconds in waits] == [False] * 3 + [True] * 2, waits
        for answer, _seconds in done:
            assert (answer.status, answer.json["error"]) == (503, "unavailable")
            assert answer.headers["Retry-After"] == "1"
    # It works again by itself, and a repeat counts once.
    for _ in range(2):
        for name, phone in enumerate(phones):
            answer = phone.post(f"{token}/consume_token", idempotency_key=f"scan-{name}")
            assert answer.json["consumed"] is True
    usages = client.get(f"{token}/usages").json["usages"]
    assert [usage["error"] for usage in usages] == [None] * 5


def test_writers_when_the_file_is_locked_then_each_way_ends_with_503(served, token, file):
    clients = [served.sign_in() for _ in range(2)]
    ways = [
        (f"{token}/use", {"key": UNKNOWN_UID}),
        ("/tokens/add_token", {}),
    ]
    with locked(file), concurrent.futures.ThreadPoolExecutor() as pool:
        answers = [
            pool.submit(timed, client.post, path, form)
            for client, (path, form) in zip(clients, ways, strict=True)
        ]
        for waited in answers:
            answer, seconds = waited.result()
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "1"
            assert seconds < END_S + MARGIN_S


def test_start_when_readers_would_wait_for_writers_then_the_log_says_so(served, serve, tmp_path):
    warning = "the SQLite file is not in WAL mode"
    assert warning in serve(write_site(tmp_path)).log
    assert warning not in served.log


def test_setting_when_it_is_wrong_then_the_start_says_so(serve, tmp_path):
    with pytest.raises(AssertionError, match=r"cone\.tokens\.places: '0' is no whole number"):
        serve(write_site(tmp_path, more="cone.tokens.places = 0"))
