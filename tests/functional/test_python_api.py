"""The names that Python code of a site imports, and what they do (contract 1)."""

import datetime
import importlib
import re
import textwrap
import uuid
from pathlib import Path

import cone.app
import cone.sql
import pytest
import transaction
import zope.sqlalchemy
from pyramid.request import Request
from sqlalchemy import String
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from cone.tokens import exceptions
from cone.tokens.api import TokenAPI
from cone.tokens.core.errors import Unavailable
from cone.tokens.host import wiring
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.model import TokenRecord
from cone.tokens.settings import get_settings_node
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket
from tests.support.asking import UNKNOWN_UID
from tests.support.factories import new_token

HOUR = datetime.timedelta(hours=1)
README = Path(__file__).parents[2] / "README.rst"


class HostBase(DeclarativeBase):
    """What a site keeps in the same database."""


class HostRecord(HostBase):
    """A row of the site's own."""

    __tablename__ = "host_rows"

    name: Mapped[str] = mapped_column(String, primary_key=True)


@pytest.fixture
def host_rows(wsgi_app):
    """Return a function that reads the site's own rows."""
    engine = cone.sql.session_factory.engine
    HostBase.metadata.create_all(engine)

    def read():
        with engine.connect() as connection:
            return list(connection.scalars(select(HostRecord.name).order_by(HostRecord.name)))

    yield read
    HostBase.metadata.drop_all(engine)


@pytest.fixture
def request_of(wsgi_app):
    """Return a function that makes requests with a session, as the filter does."""
    sessions = []

    def make(client=None):
        request = Request.blank("/tokens")
        request.registry = wsgi_app.next_app.registry
        if client:
            cookies = client.cookies.items()
            request.headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in cookies)
        session = cone.sql.session_factory()
        zope.sqlalchemy.register(session)
        sessions.append(session)
        request.environ[cone.sql.session_key] = session
        return request

    transaction.begin()
    yield make
    transaction.abort()
    for session in sessions:
        session.close()


@pytest.fixture(params=["own transaction", "transaction of the request"])
def api(request, wsgi_app):
    """An API of either kind."""
    if request.param == "own transaction":
        return TokenAPI()
    return TokenAPI(request.getfixturevalue("request_of")())


# Names


@pytest.mark.parametrize(
    "name",
    [
        "cone.tokens.model.TokenContainer",
        "cone.tokens.model.TokenNode",
        "cone.tokens.model.TokenRecord",
        "cone.tokens.model.TokenUsageRecord",
        "cone.tokens.settings.TokenSettings",
        "cone.tokens.settings.get_settings_node",
        "cone.tokens.api.TokenAPI.get_token",
        "cone.tokens.api.TokenAPI.query_token",
        "cone.tokens.api.TokenAPI.token_values",
        "cone.tokens.api.TokenAPI.token_fields",
        "cone.tokens.api.TokenAPI.add",
        "cone.tokens.api.TokenAPI.update",
        "cone.tokens.api.TokenAPI.consume",
        "cone.tokens.api.TokenAPI.delete",
    ],
)
def test_a_name_when_downstream_code_imports_it_then_it_is_there(name):
    parts = name.split(".")
    found = importlib.import_module(".".join(parts[:3]))
    for part in parts[3:]:
        found = getattr(found, part)
    assert callable(found)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("TokenException", 1),
        ("TokenNotExists", 1),
        ("TokenUsageCountExceeded", 2),
        ("TokenLockTimeViolation", 3),
        ("TokenTimeRangeViolation", 4),
        ("TokenValueError", 5),
        ("TokenAPIError", 6),
    ],
)
def test_an_exception_when_downstream_code_catches_it_then_it_has_its_code(name, code):
    kind = getattr(exceptions, name)
    assert kind.error_code == code
    assert issubclass(kind, exceptions.TokenException)


# The README


def test_readme_when_its_python_is_run_then_tokens_are_added_and_used(request_of, content):
    chapter = README.read_text().split("\nPython API\n==========\n")[1]
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", chapter)
    # What starts a site is run in a process of its own, by test_readme.
    blocks = [block for block in blocks if "get_app(" not in block]
    names = {"request": request_of()}
    for block in blocks:
        exec(textwrap.dedent(block), names)  # noqa: S102 - it is ours
        transaction.commit()
    receipt = content()["token_usage"][0].uid
    assert names["answer"] == {"success": True, "left": 2, "receipt": str(receipt)}
    assert names["values"] == [str(names["uid"])]
    assert {row.usage_count for row in content()["tokens"]} == {1, 2}
    assert len(blocks) == 2


# What the API does, in either transaction


def test_add_when_nothing_is_given_then_the_defaults_hold(api, settings_path):
    settings_path.write_text('{"default_usage_count": 4, "default_locktime": 5}')
    uid = api.add()
    values = api.token_fields(uid)
    assert isinstance(uid, uuid.UUID)
    assert (values["uid"], values["value"]) == (uid, str(uid))
    assert (values["usage_count"], values["lock_time"], values["enabled"]) == (4, 5, True)
    assert (values["status"], values["creator"]) == ("consumable", None)


def test_add_when_everything_is_given_then_it_is_kept(api):
    start = datetime.datetime(2026, 1, 1, 12, 30, 0, 123_456, tzinfo=datetime.UTC)
    fields = {
        "value": "v",
        "valid_from": start,
        "valid_to": start + HOUR,
        "usage_count": -1,
        "lock_time": 9,
        "enabled": False,
    }
    values = api.token_fields(api.add(**fields))
    assert {name: values[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime.datetime(2026, 7, 1, 12), datetime.datetime(2026, 7, 1, 10)),  # noqa: DTZ001
        (datetime.datetime(2026, 1, 1, 12), datetime.datetime(2026, 1, 1, 11)),  # noqa: DTZ001
        (datetime.datetime(2026, 10, 25, 2, 30), datetime.datetime(2026, 10, 25, 1, 30)),  # noqa: DTZ001
        (
            datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone(5 * HOUR)),
            datetime.datetime(2026, 7, 1, 7),  # noqa: DTZ001
        ),
    ],
    ids=["summer", "winter", "fold", "aware"],
)
def test_a_datetime_when_it_is_naive_then_it_is_read_in_the_zone_and_told_in_utc(
    api,
    given,
    kept,
):
    uid = api.add(valid_from=given)
    told = api.token_fields(uid)["valid_from"]
    assert told == kept.replace(tzinfo=datetime.UTC)
    assert told.tzinfo is datetime.UTC
    api.update(uid, valid_from=None, valid_to=given)
    assert api.token_fields(uid)["valid_to"] == told


def test_update_when_fields_are_given_then_the_others_stay(api):
    uid = api.add(value="v", usage_count=1, lock_time=2)
    api.update(uid, usage_count=7, enabled=False)
    values = api.token_fields(uid)
    assert [values[name] for name in ("value", "usage_count", "lock_time", "enabled")] == [
        "v",
        7,
        2,
        False,
    ]


def test_update_when_the_value_is_none_then_it_is_the_uid(api):
    uid = api.add(value="v")
    api.update(uid, value=None)
    assert api.token_fields(uid)["value"] == str(uid)


def test_query_when_a_value_is_known_or_not_then_the_token_or_none_is_told(api):
    uid = api.add(value="v")
    assert api.query_token("v").uid == uid
    assert api.query_token("unknown") is None


@pytest.mark.parametrize("kind", [Ticket, uuid.UUID, str])
def test_a_token_when_it_is_named_in_any_way_then_it_is_found(api, kind):
    uid = api.add(value="v", usage_count=2)
    named = api.get_token(uid) if kind is Ticket else kind(str(uid))
    assert api.get_token(uid).value == api.token_fields(named)["value"] == "v"
    assert api.consume(named).usage_count == 1
    assert api.token_values([named]) == ["v"]
    api.update(named, value="w")
    api.delete(named)
    assert api.query_token("w") is None


def test_consume_when_it_is_granted_then_it_is_true_and_tells_uses_and_receipt(api, content):
    uid = api.add(usage_count=2)
    uses = [api.consume(uid), api.consume(uid), api.consume(api.add(usage_count=-1))]
    assert all(uses)
    assert [use.usage_count for use in uses] == [1, 0, -1]
    transaction.commit()
    assert {row.uid for row in content()["token_usage"]} == {use.receipt for use in uses}


CHOSEN = uuid.UUID("0191F7C2-6C1B-7A53-8F0A-1C2D3E4F5A6B")


@pytest.mark.parametrize(
    "spelled",
    [CHOSEN, str(CHOSEN), str(CHOSEN).upper(), CHOSEN.hex],
    ids=["uuid", "text", "upper case", "hex"],
)
def test_add_when_a_uid_is_chosen_then_the_token_has_it(api, spelled):
    assert api.add(spelled) == CHOSEN
    assert api.get_token(spelled).uid == CHOSEN
    assert api.query_token(str(CHOSEN)).uid == CHOSEN


@pytest.mark.parametrize("wrong", ["TICKET-1", "", f"{{{CHOSEN}}}", uuid.UUID(int=0), 7, b"x"])
def test_add_when_the_uid_is_none_then_it_raises_and_adds_nothing(api, content, wrong):
    with pytest.raises(exceptions.TokenValueError, match="token_uid: must be a UUID"):
        api.add(wrong)
    transaction.commit()
    assert not any(content().values())


def test_add_when_the_uid_is_taken_then_it_raises_and_what_was_done_before_stays(api):
    api.add(CHOSEN, "first")
    with pytest.raises(exceptions.TokenValueError, match="Given uid already used") as caught:
        api.add(CHOSEN, "second")
    assert caught.value.as_json() == {"success": False, "message": caught.value.message}
    assert api.get_token(CHOSEN).value == "first"
    assert api.query_token("second") is None


def test_token_values_when_asked_then_those_that_exist_are_told_in_order_once(api):
    first, second = api.add(value="first"), api.add(value="second")
    asked = [second, UNKNOWN_UID, first.hex, "no uid", second]
    assert api.token_values(asked) == api.token_values(iter(asked)) == ["second", "first"]


def test_token_values_when_they_are_more_than_a_statement_takes_then_all_are_told(service):
    uids = service.add_many(new_token(), 10_000, None, by=None)
    uids += service.add_many(new_token(), 1, None, by=None)
    assert TokenAPI().token_values(uids) == [str(uid) for uid in uids]


@pytest.mark.parametrize("single", [CHOSEN, str(CHOSEN)])
def test_token_values_when_one_uid_is_given_then_it_raises(api, single):
    with pytest.raises(exceptions.TokenValueError, match="token_uids: must be a list"):
        api.token_values(single)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"usage_count": 0}, exceptions.TokenUsageCountExceeded, "usage count exceeded"),
        ({"lock_time": 60}, exceptions.TokenLockTimeViolation, "is locked"),
        (
            {"valid_to": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)},
            exceptions.TokenTimeRangeViolation,
            "out of time range",
        ),
        ({"enabled": False}, exceptions.TokenException, "is disabled"),
    ],
    ids=["exhausted", "locked", "expired", "disabled"],
)
def test_consume_when_it_is_refused_then_it_raises_and_is_logged(api, content, fields, kind, text):
    uid = api.add(**{"usage_count": 5, **fields})
    if "lock_time" in fields:
        api.consume(uid)
    with pytest.raises(kind, match=f"Token {uid} {text}") as caught:
        api.consume(uid)
    transaction.commit()
    assert content()["token_usage"][-1].error_code or len(content()["token_usage"]) == 2
    assert [row.error_code for row in content()["token_usage"]].count(caught.value.error_code) == 1


@pytest.mark.parametrize("name", [UNKNOWN_UID, uuid.UUID(UNKNOWN_UID), "no uid", ""])
@pytest.mark.parametrize("method", ["get_token", "token_fields", "consume", "delete", "update"])
def test_a_token_when_it_does_not_exist_then_it_raises(api, method, name):
    with pytest.raises(exceptions.TokenNotExists, match=f"Token {name} not exists") as caught:
        getattr(api, method)(name)
    assert caught.value.error_code == 1


WRONG_FIELDS = {
    "value too long": {"value": "x" * 2_049},
    "value no text": {"value": b"x"},
    "count too small": {"usage_count": -2},
    "count too large": {"usage_count": 2**31},
    "count no integer": {"usage_count": 1.5},
    "count true": {"usage_count": True},
    "count text": {"usage_count": "x"},
    "lock time": {"lock_time": -1},
    "skipped time": {"valid_from": datetime.datetime(2026, 3, 29, 2, 30)},  # noqa: DTZ001
    "year": {"valid_from": datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)},
    "date": {"valid_from": datetime.date(2026, 1, 1)},
    "enabled": {"enabled": "maybe"},
    "order": {
        "valid_from": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "valid_to": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    },
}


@pytest.mark.parametrize("fields", WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_a_field_when_it_is_wrong_then_it_raises_and_nothing_changes(api, fields):
    uid = api.add(value="v")
    before = api.token_fields(uid)
    for change in (api.add, lambda **fields: api.update(uid, **fields)):
        with pytest.raises(exceptions.TokenValueError, match=next(iter(fields))) as caught:
            change(**fields)
        assert caught.value.error_code == 5
    assert api.token_fields(uid) == before


def test_a_value_when_it_is_taken_then_it_raises_and_what_was_done_before_stays(api):
    first, second = api.add(value="taken"), api.add(value="mine")
    for change in (lambda: api.add(value="taken"), lambda: api.update(second, value="taken")):
        with pytest.raises(exceptions.TokenValueError, match="already used by another token"):
            change()
    assert api.query_token("taken").uid == first
    assert api.query_token("mine").uid == second


def test_a_database_when_it_is_away_then_it_raises_token_api_error(api, monkeypatch):
    def fail(*_args, **_more):
        raise Unavailable

    monkeypatch.setattr(TicketService, "add", fail)
    with pytest.raises(exceptions.TokenAPIError) as caught:
        api.add()
    assert caught.value.error_code == 6


# Transactions


def test_an_api_when_it_has_no_request_then_each_call_is_committed_at_once(wsgi_app, content):
    api = TokenAPI()
    transaction.begin()
    uid = api.add(value="v", usage_count=1)
    api.consume(uid)
    transaction.abort()
    assert [row.usage_count for row in content()["tokens"]] == [0]
    assert len(content()["token_usage"]) == 1


def test_an_api_when_it_has_a_request_then_nothing_is_seen_before_the_commit(
    request_of,
    content,
):
    api = TokenAPI(request_of())
    uid = api.add(value="v", usage_count=1)
    api.consume(uid)
    assert not any(content().values())
    transaction.commit()
    assert [row.usage_count for row in content()["tokens"]] == [0]
    assert len(content()["token_usage"]) == len(content()["token_events"]) == 1


def test_a_roll_back_when_the_host_does_it_then_everything_is_undone(
    request_of,
    make_token,
    content,
    host_rows,
):
    kept = make_token(value="kept", usage_count=5)
    before = content()
    request = request_of()
    api = TokenAPI(request)
    cone.sql.get_session(request).add(HostRecord(name="host"))
    api.add(value="v")
    api.consume(kept.uid)
    api.update(kept.uid, value="changed")
    api.delete(kept.uid)
    transaction.abort()
    assert content() == before
    assert host_rows() == []


@pytest.mark.parametrize("when", ["before", "after", "unflushed"])
def test_the_hosts_own_writes_when_they_are_pending_then_they_do_not_block_and_are_committed(
    request_of,
    content,
    host_rows,
    when,
):
    request = request_of()
    session = cone.sql.get_session(request)
    api = TokenAPI(request)
    if when != "after":
        session.add(HostRecord(name="host"))
    if when == "before":
        session.flush()
    uid = api.add(value="v", usage_count=1)
    api.consume(uid)
    if when == "after":
        session.add(HostRecord(name="host"))
    transaction.commit()
    assert host_rows() == ["host"]
    assert [row.usage_count for row in content()["tokens"]] == [0]


def test_a_failure_when_it_is_caught_then_only_its_savepoint_is_undone(
    request_of,
    make_token,
    content,
    host_rows,
):
    make_token(value="taken")
    request = request_of()
    session = cone.sql.get_session(request)
    api = TokenAPI(request)
    session.add(HostRecord(name="first"))
    api.add(value="mine")
    with pytest.raises(exceptions.TokenValueError):
        api.add(value="taken")
    with pytest.raises(exceptions.TokenNotExists):
        api.delete(UNKNOWN_UID)
    session.add(HostRecord(name="second"))
    api.add(value="mine too")
    transaction.commit()
    assert host_rows() == ["first", "second"]
    assert {row.value for row in content()["tokens"]} == {"taken", "mine", "mine too"}


def test_a_refusal_when_it_is_the_only_change_then_it_is_committed_with_the_request(
    request_of,
    make_token,
    content,
):
    token = make_token(usage_count=0)
    with pytest.raises(exceptions.TokenUsageCountExceeded):
        TokenAPI(request_of()).consume(token.uid)
    transaction.commit()
    assert [row.error_code for row in content()["token_usage"]] == [2]


def test_a_read_when_the_host_wrote_a_token_before_then_it_is_seen(request_of):
    api = TokenAPI(request_of())
    uid = api.add(value="v")
    assert api.query_token("v").uid == uid
    assert TokenAPI().query_token("v") is None


def test_a_read_when_the_host_has_a_token_pending_then_it_is_seen(request_of):
    request = request_of()
    now = datetime.datetime.now(datetime.UTC)
    uid = uuid.uuid4()
    record = TokenRecord(
        uid=uid,
        value="of the host",
        usage_count=1,
        lock_time=0,
        enabled=True,
        created=now,
        modified=now,
        version=1,
    )
    cone.sql.get_session(request).add(record)
    assert TokenAPI(request).query_token("of the host").uid == uid
    assert TokenAPI(request).consume(uid).usage_count == 0


def test_two_requests_when_they_follow_each_other_then_both_work(request_of, content):
    for value in ("first", "second"):
        TokenAPI(request_of()).add(value=value)
        transaction.commit()
    assert {row.value for row in content()["tokens"]} == {"first", "second"}


def test_the_user_of_the_request_when_a_token_changes_then_it_is_told(request_of, app, content):
    api = TokenAPI(request_of(app("editor")))
    uid = api.add(value="v", usage_count=1)
    api.consume(uid)
    creator = api.token_fields(uid)["creator"]
    transaction.commit()
    assert creator.startswith("editor-")
    assert content()["token_usage"][0].user == content()["token_events"][0].user == creator


# Nodes


@pytest.fixture
def container(wsgi_app):
    return cone.app.get_root()["tokens"]


def test_the_container_when_it_is_asked_for_a_uid_then_it_gives_a_node(container, make_token):
    token = make_token(value="v", usage_count=3)
    assert isinstance(container, TokenContainer)
    for name in (str(token.uid), str(token.uid).upper()):
        node = container[name]
        assert isinstance(node, TokenNode)
        assert (node.name, node.parent) == (str(token.uid), container)
        assert node.attrs["value"] == "v"
        assert node.attrs["usage_count"] == 3
        assert node.attrs["created"].tzinfo is datetime.UTC


@pytest.mark.parametrize(
    "name", ["x", "", "6f2c1d1e58a34a0c9a870d3c64f6a001", f"{{{UNKNOWN_UID}}}"]
)
def test_the_container_when_the_name_is_no_uid_then_it_raises_key_error(container, name):
    with pytest.raises(KeyError):
        container[name]


def test_a_node_when_there_is_no_token_then_it_has_no_fields(container):
    assert container[UNKNOWN_UID].token is None
    assert dict(container[UNKNOWN_UID].attrs) == {}
    assert UNKNOWN_UID not in container
    assert container.get(UNKNOWN_UID) is container.get("no uid") is None


def test_a_node_when_a_field_is_written_then_it_raises_and_nothing_is_lost_in_silence(
    container,
    make_token,
):
    node = container[str(make_token(usage_count=3).uid)]
    with pytest.raises(TypeError):
        node.attrs["usage_count"] = 4
    assert node.attrs["usage_count"] == 3


def test_the_container_when_it_is_walked_then_it_names_all_tokens(container, service):
    uids = service.add_many(new_token(), 1_001, None, by=None)
    names = list(container)
    assert len(names) == len(container) == 1_001
    assert set(names) == {str(uid) for uid in uids}


def test_the_container_when_its_nodes_are_walked_then_none_is_asked_for_by_itself(
    container,
    service,
    query_recorder,
):
    service.add_many(new_token(), 100, None, by=None)
    query_recorder.clear()
    values = [node.attrs["value"] for node in container.values()]
    assert values == [node.attrs["value"] for _name, node in container.items()]
    assert values == list(container.keys())
    assert len(query_recorder) < 10


def test_the_container_when_it_has_more_tokens_than_are_counted_then_its_length_is_right(
    container,
    service,
):
    for _ in range(2):
        service.add_many(new_token(), 5_001, None, by=None)
    assert len(container) == 10_002
    assert container


def test_the_settings_node_when_it_is_asked_for_then_it_tells_the_file(settings_path):
    settings_path.write_text('{"default_usage_count": 7}')
    for node in (get_settings_node(), get_settings_node(cone.app.get_root()["tokens"])):
        assert node is not None
        assert node.attrs["default_usage_count"] == 7
        assert node.attrs["morning"] == {"start": "08:00", "end": "12:00"}


def test_the_api_when_no_site_was_started_then_the_error_tells_how_a_script_starts_one(
    wsgi_app, monkeypatch
):
    monkeypatch.setattr(wiring, "_running", {})
    with pytest.raises(
        wiring.NotStartedError, match=r'pyramid.paster.get_app\("site.ini", "main"\)'
    ):
        TokenAPI().query_token("v")
