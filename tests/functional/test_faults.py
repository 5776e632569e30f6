"""A database that is locked, read-only or gone, a broken settings file, a bug of ours."""

import datetime
import json
import logging
import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager

import cone.sql
import pytest
from pyramid.threadlocal import get_current_request
from sqlalchemy import event

from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.host.health import Health
from cone.tokens.settings import get_settings_node
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.settings_file import SettingsFileError
from tests.support.asking import INTERNALS
from tests.support.asking import VIEWS
from tests.support.asking import assert_failure
from tests.support.postgres import PostgresServer
from tests.support.privileges import obeying_file_modes
from tests.support.served import Served
from tests.support.site import add_user
from tests.support.site import write_site

CHANGING = [view for view in VIEWS if not view.is_reading]
#: The most pages that SQLite knows.
NO_LIMIT = 4_294_967_294
#: Views that ask the database each time.
ASKING = [view for view in VIEWS if view.name not in {"openapi.json", "door_figures"}]


# The database


@contextmanager
def locked(path):
    """Keep everybody else from reading and writing a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
def impatient(serve, tmp_path):
    """A served site that waits a moment for its database."""
    url = f"sqlite:///{tmp_path}/tokens.db?timeout=0.2"
    return serve(write_site(tmp_path, database_url=url))


def assert_unavailable(answer):
    assert (answer.status, answer.json["error"]) == (503, "unavailable"), answer.body
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert not [internal for internal in INTERNALS if internal in answer.body.decode()]


def test_a_database_when_it_is_locked_then_it_is_503_until_it_is_free(impatient, tmp_path):
    client = impatient.sign_in()
    uid = client.post("/tokens/add_token", {"value": "v", "usage_count": "2"}).json["token_uid"]
    path = f"/tokens/{uid}"
    before = client.get("/tokens/query_token", {"value": "v"}).json
    with locked(tmp_path / "tokens.db"):
        for answer in (
            client.post(f"{path}/consume_token"),
            client.post(f"{path}/consume_token", idempotency_key="k"),
            client.get(f"{path}/consume_token"),
            client.post("/tokens/consume_token", {"value": "v"}),
            client.post("/tokens/add_token"),
            client.post("/tokens/add_tokens", {"count": "2"}),
            client.post(f"{path}/update_token", {"usage_count": "9"}),
            client.post(f"{path}/delete_token"),
            client.post("/tokens/delete_tokens", {"token_uids": f'["{uid}"]'}),
            client.get("/tokens/query_token", {"value": "v"}),
            client.get(f"{path}/usages"),
            client.get(f"{path}/qr_code"),
        ):
            assert_unavailable(answer)
        assert client.post("/tokens/add_token", {"usage_count": "x"}).status == 400
        assert client.post("/tokens/no-uid/consume_token").status == 404
        anonymous = impatient.connect()
        assert anonymous.post(f"{path}/consume_token").status == 401
    assert client.get("/tokens/query_token", {"value": "v"}).json == before
    assert client.get(f"{path}/usages").json["usages"] == []
    assert client.post(f"{path}/consume_token", idempotency_key="k").json["consumed"] is True
    assert "Traceback" not in impatient.log


def test_a_database_when_it_is_locked_at_the_start_then_one_line_tells_it(tmp_path):
    url = f"sqlite:///{tmp_path}/tokens.db?timeout=0.2"
    ini = write_site(tmp_path, database_url=url)
    command = [sys.executable, "-m", "pyramid.scripts.pserve", str(ini), "http_port=0"]
    with locked(tmp_path / "tokens.db"):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()[-1:]
    assert line == "sql.db.url: the database cannot be opened: database is locked"
    assert "Traceback" not in done.stderr


@pytest.fixture
def read_only(wsgi_app):
    """Keep SQLite from writing, as a read-only file does."""

    def forbid(connection, *_more):
        connection.execute("PRAGMA query_only = ON")

    def allow(connection, *_more):
        connection.execute("PRAGMA query_only = OFF")

    engine = cone.sql.session_factory.engine
    event.listen(engine, "checkout", forbid)
    event.listen(engine, "checkin", allow)
    yield
    event.remove(engine, "checkout", forbid)
    event.remove(engine, "checkin", allow)


@pytest.mark.parametrize("view", CHANGING, ids=lambda view: view.id)
def test_a_change_when_the_database_is_read_only_then_it_is_503(
    request,
    admin,
    make_token,
    content,
    view,
):
    token = make_token(value="v", usage_count=5)
    before = content()
    request.getfixturevalue("read_only")
    answer = view.call(admin, token)
    assert_failure(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert content() == before


def test_a_change_when_the_file_was_read_only_then_it_works_again_by_itself(
    admin,
    make_token,
    content,
    site,
):
    path = f"/tokens/{make_token(usage_count=5).uid}/consume_token"
    file = site / "tokens.db"
    before = content()
    cone.sql.session_factory.engine.dispose()  # what is open for writing stays so
    try:
        with obeying_file_modes():
            file.chmod(0o444)
            assert_failure(admin.post(path, status=503), 503, "unavailable")
            assert_failure(admin.post("/tokens/add_token", status=503), 503, "unavailable")
            assert content() == before
            file.chmod(0o644)
            # A connection from before fails once, and takes the others with it.
            admin.post(path, status=503)
            assert admin.post(path, status=200).json["usage_count"] == 4
    finally:
        file.chmod(0o644)
        cone.sql.session_factory.engine.dispose()


@pytest.fixture
def limit_pages(wsgi_app):
    """Return a function that lets the SQLite file grow by some pages, None: without limit."""
    engine = cone.sql.session_factory.engine
    limits = []

    def set_limit(more):
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")  # rows that are gone left room
            count = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        limits.append(NO_LIMIT if more is None else count + more)

    def limit(connection, *_more):
        connection.execute(f"PRAGMA max_page_count = {limits[-1]}")

    set_limit(None)
    event.listen(engine, "checkout", limit)
    yield set_limit
    event.remove(engine, "checkout", limit)
    engine.dispose()


def test_a_change_when_the_database_is_full_then_it_is_503_until_there_is_room(
    admin,
    make_token,
    content,
    limit_pages,
):
    token = make_token(value="v", usage_count=1_000)
    path = f"/tokens/{token.uid}/consume_token"
    limit_pages(20)
    before = content()
    for _ in range(3):
        answer = admin.post("/tokens/add_tokens", {"count": "1000"}, status=503)
        assert_failure(answer, 503, "unavailable")
        assert answer.headers["Retry-After"]
    assert content() == before
    limit_pages(0)
    told = [admin.post(path, status="*") for _ in range(200)]
    granted = [answer for answer in told if answer.status_int == 200]
    assert 0 < len(granted) < 200
    assert {answer.status_int for answer in told} == {200, 503}
    assert len(content()["token_usage"]) == len(granted)
    said = admin.get("/tokens/query_token", {"value": "v"}).json["token"]
    assert said["usage_count"] == 1_000 - len(granted)
    limit_pages(None)
    assert admin.post(path).json["usage_count"] == 999 - len(granted)
    assert len(admin.post("/tokens/add_tokens", {"count": "1000"}).json["token_uids"]) == 1_000


@pytest.mark.parametrize("uses", [5, 0], ids=["granted", "refused"])
def test_reading_when_the_database_is_read_only_then_it_works(request, admin, make_token, uses):
    token = make_token(value="v", usage_count=uses)
    request.getfixturevalue("read_only")
    for view in VIEWS:
        if view.permission == "view":
            assert view.call(admin, token).status_int == 200


ROLES = ["editor", "token_operator", "viewer", None]


def add_users(folder):
    """Add a user with each role to the directory in files of a site."""
    for role in ROLES:
        add_user(folder / "ugm", f"a-{role}", *filter(None, [role]))


@pytest.fixture(scope="module")
def served_by_postgresql(postgres_server, tmp_path_factory):
    """A server of its own, a site that is served on it, and a token there."""
    folder = tmp_path_factory.mktemp("postgresql")
    with PostgresServer() as server:
        ini = write_site(folder, database_url=server.create_database())
        add_users(folder)
        with Served(ini) as served:
            added = served.sign_in().post("/tokens/add_token", {"value": "v", "usage_count": "9"})
            yield server, served, added.json["token_uid"]


@pytest.mark.parametrize("role", ROLES)
def test_a_server_when_it_was_away_then_it_is_503_and_it_works_again_by_itself(
    served_by_postgresql,
    role,
):
    """Whoever asks: their roles are in files, not on the server."""
    server, served, uid = served_by_postgresql
    client, path = served.sign_in(f"a-{role}"), f"/tokens/{uid}/consume_token"
    before = client.post(path)
    server.stop()
    try:
        for _ in range(3):
            assert_unavailable(client.post(path, idempotency_key="k"))
            assert_unavailable(client.get("/tokens/query_token", {"value": "v"}))
    finally:
        server.start()
    after = client.post(path)
    assert before.status == after.status == (200 if role in ("editor", "token_operator") else 403)
    if before.status == 200:
        assert after.json["usage_count"] == before.json["usage_count"] - 1


def test_a_missing_permission_when_the_database_is_away_then_it_is_503(
    signed_in,
    make_token,
    monkeypatch,
):
    path = f"/tokens/{make_token().uid}/consume_token"
    assert_failure(signed_in(None).post(path, status="*"), 403, "forbidden")
    monkeypatch.setattr(Health, "ping", raising(Unavailable()))
    assert_failure(signed_in(None).post(path, status="*"), 503, "unavailable")


# A bug of ours


def raising(error):
    def fail(*_args, **_more):
        raise error

    return fail


@pytest.fixture
def bug(monkeypatch):
    """Let every use case fail in a way that nobody thought of."""
    error = RuntimeError("SELECT secret FROM sqlite at 0x7f")
    for name in vars(TicketService):
        if not name.startswith("_"):
            monkeypatch.setattr(TicketService, name, raising(error))


@pytest.mark.parametrize("view", ASKING, ids=lambda view: view.id)
def test_a_bug_when_it_happens_then_the_answer_has_a_reference_that_is_in_the_log(
    request,
    admin,
    make_token,
    caplog,
    view,
):
    token = make_token(value="v")
    request.getfixturevalue("bug")
    answer = view.call(admin, token)
    said = assert_failure(answer, 500, "internal_error")
    assert "secret" not in answer.text
    # Taking a use back needs one, which fails before.
    record = [record for record in caplog.records if record.levelno >= logging.ERROR][-1]
    reference = said["message"].split()[-1]
    assert len(reference) >= 8
    assert reference in record.getMessage()
    assert "secret" in caplog.text


def test_bugs_when_they_happen_then_their_references_differ(editor, bug, caplog):
    answers = [editor.get("/tokens/query_token?value=v", status=500).json for _ in range(2)]
    assert answers[0]["message"] != answers[1]["message"]


def write_beside(*_args, **_more):
    """Do what other code of a site may do in the same request."""
    session = cone.sql.get_session(get_current_request())
    row = {
        "uid": uuid.uuid4(),
        "token_uid": uuid.uuid4(),
        "token_value": "host",
        "timestamp": datetime.datetime.now(datetime.UTC),
        "version": 1,
    }
    session.add(TokenUsageRecord(**row))
    session.flush()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError(), 500),
        (Unavailable(), 503),
        (ValueTaken(), 409),
        (TokenNotFound(), 404),
        (IdempotencyConflict(), 422),
        (InvalidParameter("x", "x", "x"), 400),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_writes_of_the_host_when_the_request_fails_then_they_are_not_committed(
    editor,
    content,
    monkeypatch,
    caplog,
    error,
    status,
):
    def write_and_fail(*_args, **_more):
        write_beside()
        raise error

    monkeypatch.setattr(TicketService, "find_by_value", write_and_fail)
    assert editor.get("/tokens/query_token?value=v", status=status)
    assert content()["token_usage"] == []


def test_writes_of_the_host_when_the_request_works_then_they_are_committed(
    editor,
    content,
    monkeypatch,
):
    monkeypatch.setattr(TicketService, "find_by_value", write_beside)
    assert editor.get("/tokens/query_token?value=v").json["token"] is None
    assert len(content()["token_usage"]) == 1


# The settings file


def spoil(path, how):
    if how == "missing":
        path.unlink()
    elif how == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"broken": b"{", "other shape": b"[]", "no UTF-8": b"\xff"}.get(how, how))


SPOILT = ["missing", "folder", "broken", "other shape", "no UTF-8", b'{"default_usage_count": -7}']


@pytest.fixture
def spoilt(settings_path):
    """Return a function that spoils the settings file for the test."""
    yield lambda how: spoil(settings_path, how)
    if settings_path.is_dir():
        settings_path.rmdir()


@pytest.mark.parametrize("how", SPOILT, ids=str)
def test_the_settings_file_when_it_is_spoilt_then_the_last_values_hold_and_one_line_is_logged(
    editor,
    settings_path,
    spoilt,
    caplog,
    how,
):
    def uses():
        value = editor.post("/tokens/add_token").json["token_uid"]
        return editor.get("/tokens/query_token", {"value": value}).json["token"]["usage_count"]

    settings_path.write_text('{"default_usage_count": 5}')
    assert uses() == 5
    spoilt(how)
    assert [uses(), uses()] == [5, 5]
    (record,) = [record for record in caplog.records if record.name == "cone.tokens.settings"]
    assert record.levelno >= logging.WARNING
    assert str(settings_path) in record.getMessage()
    if settings_path.is_dir():
        settings_path.rmdir()
    settings_path.write_text('{"default_usage_count": 6}')
    assert uses() == 6


def test_the_settings_file_when_it_changes_then_it_is_read_again(editor, settings_path):
    for count in (3, 0, -1, 2_147_483_647):
        settings_path.write_text(f'{{"default_usage_count": {count}}}')
        uid = editor.post("/tokens/add_token").json["token_uid"]
        token = editor.get("/tokens/query_token", {"value": uid}).json["token"]
        assert token["usage_count"] == count


BROKEN_FILES = {
    "nothing": (b"", "line 1"),
    "no json": (b'{\n  "default_usage_count": 1,\n  x\n}', "line 3"),
    "list": (b"[]", "line 1"),
    "no UTF-8": (b'{\n"x": "\xff"}', "line 2"),
    "count": (b'{\n"default_usage_count": -2}', "line 2: default_usage_count"),
    "count as text": (b'{"default_usage_count": "1"}', "default_usage_count"),
    "count as flag": (b'{"default_usage_count": true}', "default_usage_count"),
    "count as fraction": (b'{"default_usage_count": 1.0}', "default_usage_count"),
    "huge count": (b'{"default_usage_count": ' + b"9" * 5_000 + b"}", ""),
    "lock time": (b'{"default_locktime": -1}', "default_locktime"),
    "time range": (b'{"morning": "08:00"}', "morning"),
    "half a time range": (b'{"morning": {"start": "08:00"}}', "morning"),
    "no time": (b'{"today": {"start": "08:00", "end": "24:00"}}', "today"),
    "null": (b'{"afternoon": null}', "afternoon"),
    "deep": (b"[" * 100_000, ""),
    "NUL": (b'{"morning"\0}', "line 1"),
}


@pytest.mark.parametrize(("content", "fragment"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_the_settings_file_when_it_is_broken_then_place_and_reason_are_told_and_it_stays(
    settings_path,
    content,
    fragment,
):
    settings_path.write_bytes(content)
    file = get_settings_node().file
    for work in (file.start, file.load, lambda: file.write({"default_usage_count": 1})):
        with pytest.raises(SettingsFileError) as caught:
            work()
        assert str(caught.value).startswith(f"{settings_path}")
        assert fragment in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert settings_path.read_bytes() == content


def test_the_settings_file_when_it_is_written_then_other_keys_and_its_mode_stay(settings_path):
    settings_path.write_text('{"somebody": "else", "default_locktime": 3}')
    settings_path.chmod(0o604)
    get_settings_node().file.write({"default_usage_count": 1})
    assert json.loads(settings_path.read_text()) == {
        "somebody": "else",
        "default_locktime": 3,
        "default_usage_count": 1,
    }
    assert settings_path.stat().st_mode & 0o777 == 0o604
    assert [path for path in settings_path.parent.iterdir() if path.name.startswith(".")] == []


def test_the_settings_file_when_many_write_at_once_then_nothing_is_lost(settings_path):
    def write(number):
        get_settings_node().file.write({f"key {number}": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(32)))
    content = json.loads(settings_path.read_text())
    assert {f"key {number}" for number in range(32)} <= set(content)
