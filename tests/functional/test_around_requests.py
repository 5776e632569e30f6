"""What lies around a request: the database session of the host, and who asks."""

import datetime
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import cone.sql
import pytest
import transaction
from pyramid.authentication import AuthTktCookieHelper
from pyramid.request import Request
from sqlalchemy import func
from sqlalchemy import select
from sqlalchemy.orm import Session

from cone.tokens.host.identity import CookieReadOnce
from cone.tokens.session import make_filter
from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.served import Served
from tests.support.site import write_site

THREADS = 16
USERS = 20_000


# The session


@pytest.fixture
def session(wsgi_app):
    """The session that our filter hands over, as long as a request lasts."""
    environ = {}
    handed_over = []

    def application(environ, _start_response):
        handed_over.append(environ[cone.sql.session_key])
        return [b""]

    make_filter(application, {})(environ, None)
    return handed_over[0]


def rows() -> int:
    with cone.sql.session_factory.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(TokenUsageRecord))


def a_row() -> TokenUsageRecord:
    return TokenUsageRecord(
        uid=uuid.uuid4(),
        token_uid=uuid.uuid4(),
        token_value="of the host",
        timestamp=datetime.datetime.now(datetime.UTC),
        version=1,
    )


def test_a_session_when_the_host_writes_in_a_request_then_the_transaction_manager_commits(session):
    with transaction.manager:
        session.add(a_row())
        session.flush()
        assert rows() == 0
    assert rows() == 1


def test_a_session_when_the_request_fails_then_nothing_is_committed(session):
    transaction.begin()
    session.add(a_row())
    session.flush()
    transaction.abort()
    assert rows() == 0


def test_a_session_when_the_host_commits_it_then_it_is_told_who_does(session):
    with transaction.manager:
        session.add(a_row())
        with pytest.raises(AssertionError, match="transaction manager"):
            session.commit()
        transaction.abort()


def test_a_session_when_it_is_opened_outside_of_requests_then_it_commits_by_itself(session):
    with cone.sql.session_factory() as own:
        own.add(a_row())
        own.commit()
    assert rows() == 1


def test_a_session_when_it_is_opened_then_the_handlers_of_the_site_see_it(wsgi_app, monkeypatch):
    seen = []
    monkeypatch.setattr(cone.sql, "_session_setup_handlers", [seen.append])
    environ = {}
    make_filter(lambda *_request: [b""], {})(environ, None)
    assert seen == [environ[cone.sql.session_key]]
    assert isinstance(seen[0], Session)


@pytest.mark.parametrize("fails", [False, True])
def test_a_session_when_the_request_ends_then_its_connection_is_free(wsgi_app, fails):
    engine = cone.sql.session_factory.engine
    engine.dispose()

    def application(environ, _start_response):
        environ[cone.sql.session_key].execute(select(1))
        assert engine.pool.checkedout() == 1
        if fails:
            raise ZeroDivisionError
        return [b""]

    try:
        make_filter(application, {})({}, None)
    except ZeroDivisionError:
        assert fails
    assert engine.pool.checkedout() == 0


# Who asks


def test_the_cookie_when_a_token_is_consumed_then_it_is_read_once(
    editor,
    make_token,
    monkeypatch,
):
    path = f"/tokens/{make_token().uid}/consume_token"
    identify, calls = AuthTktCookieHelper.identify, []

    def counted(helper, request):
        calls.append(request)
        return identify(helper, request)

    monkeypatch.setattr(AuthTktCookieHelper, "identify", counted)
    assert editor.post(path).json["consumed"] is True
    assert len(calls) == 1


def test_the_cookie_when_it_is_exchanged_within_a_request_then_the_new_one_counts():
    cookie = CookieReadOnce(AuthTktCookieHelper("secret", hashalg="sha512"))

    def header(login):
        request = Request.blank("/", environ={"REMOTE_ADDR": "127.0.0.1"})
        return cookie.remember(request, login)[0][1].partition(";")[0]

    request = Request.blank("/")
    assert cookie.identify(request) is None
    for login in ("ann", "bob"):
        request.headers["Cookie"] = header(login)
        assert [cookie.identify(request)["userid"] for _ in range(2)] == [login] * 2


def test_a_ticket_when_it_comes_again_then_it_is_remembered_but_not_beyond_its_time():
    helper = AuthTktCookieHelper("secret", hashalg="sha512", timeout=10)
    cookie = CookieReadOnce(helper)
    asking = Request.blank("/", environ={"REMOTE_ADDR": "127.0.0.1"})
    header = cookie.remember(asking, "ann")[0][1].partition(";")[0]

    def ask(header):
        return cookie.identify(Request.blank("/", headers={"Cookie": header}))

    found = [ask(header) for _ in range(2)]
    assert [one["userid"] for one in found] == ["ann", "ann"]
    found[0]["tokens"].append("of this request alone")
    assert ask(header)["tokens"] == [""]
    forged = header[:-3] + "xyz"
    assert [ask(forged) for _ in range(2)] == [None, None]
    helper.now = time.time() + 11
    assert ask(header) is None


def test_roles_when_many_ask_at_once_after_a_start_then_nobody_lacks_theirs(tmp_path):
    ini = write_site(tmp_path)
    names = [f"user{number}" for number in range(USERS)]
    for file, what in (("users", ":x"), ("roles", "::editor")):
        (tmp_path / "ugm" / file).write_text("".join(f"{name}{what}\n" for name in names))
    barrier = threading.Barrier(THREADS)
    with Served(ini) as served:
        cookie = AuthTktCookieHelper(secret_of(ini), hashalg="sha512")
        asking = Request.blank("/", environ={"REMOTE_ADDR": "127.0.0.1"})
        clients = [served.connect() for _ in range(THREADS)]

        def ask(client):
            client.headers["Cookie"] = cookie.remember(asking, names[-1])[0][1].partition(";")[0]
            barrier.wait()
            return client.get("/tokens/query_token", {"value": "v"}).status

        with ThreadPoolExecutor(THREADS) as pool:
            assert set(pool.map(ask, clients)) == {200}


def secret_of(ini) -> str:
    (line,) = (line for line in ini.read_text().splitlines() if "auth_secret" in line)
    return line.partition("= ")[2]
