"""A program that was written for cone.tokens 2.0: what it does with the package, and expects.

Run with the ini file of a site. Each function below is one thing that such programs do. It is
done by an API that commits by itself and by one of a request. What came of each is printed as one
JSON object: ``ok``, or what went wrong.
"""

import contextlib
import copy
import datetime
import json
import pickle
import sys
import uuid

import cone.app
import cone.sql
import pyramid.paster
import transaction
import zope.sqlalchemy
from pyramid.request import Request

from cone.tokens import exceptions
from cone.tokens.api import TokenAPI
from cone.tokens.exceptions import TokenAPIError
from cone.tokens.exceptions import TokenException
from cone.tokens.exceptions import TokenLockTimeViolation
from cone.tokens.exceptions import TokenNotExists
from cone.tokens.exceptions import TokenTimeRangeViolation
from cone.tokens.exceptions import TokenUsageCountExceeded
from cone.tokens.exceptions import TokenValueError
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.model import TokenRecord
from cone.tokens.model import TokenUsageRecord
from cone.tokens.settings import TokenSettings
from cone.tokens.settings import get_settings_node

# Programs of 2.0 know no zones: their times are those of the clock on the wall, in Vienna here.
LONG_AGO = datetime.datetime(2020, 1, 1, 12)  # noqa: DTZ001
SOME_DAY = datetime.datetime(2199, 1, 1, 12)  # noqa: DTZ001
HOUR = datetime.timedelta(hours=1)


class Tickets(TokenContainer):
    """The container of the site, named by ``cone.tokens.entryfactory``."""


# Issue


def add_by_position(api):
    uid = uuid.uuid4()
    assert api.add(uid, f"A-{uid}", LONG_AGO, SOME_DAY, 3, 60) == uid
    token = api.get_token(uid)
    assert token.uid == uid
    assert token.value == f"A-{uid}"
    assert token.valid_from == LONG_AGO.replace(tzinfo=datetime.UTC) - HOUR
    assert token.valid_to == SOME_DAY.replace(tzinfo=datetime.UTC) - HOUR
    assert token.usage_count == 3
    assert token.lock_time == 60
    assert token.last_used is None
    assert token.creator is None
    assert token.created == token.modified


def add_by_name(api):
    uid = api.add(
        token_uid=uuid.uuid4(),
        value=f"B-{uuid.uuid4()}",
        valid_from=None,
        valid_to=None,
        usage_count=-1,
        lock_time=0,
    )
    assert api.get_token(token_uid=uid).usage_count == -1


def add_a_uid_alone(api):
    uid = uuid.uuid4()
    assert api.add(uid) == uid
    assert api.get_token(uid).value == str(uid)


def add_a_uid_as_text(api):
    uid = uuid.uuid4()
    assert api.add(str(uid), usage_count=1) == uid
    assert api.consume(str(uid))


def add_without_a_uid(api):
    assert isinstance(api.add(None), uuid.UUID)
    assert api.query_token(api.get_token(api.add(None, f"C-{uuid.uuid4()}")).value)


def add_a_uid_twice(api):
    uid = api.add(uuid.uuid4())
    with expected(TokenValueError) as error:
        api.add(uid, f"D-{uuid.uuid4()}")
    assert error.error_code == 5
    assert error.as_json() == {"success": False, "message": error.message}
    assert api.get_token(uid).value == str(uid)


def add_a_value_twice(api):
    value = f"E-{uuid.uuid4()}"
    api.add(uuid.uuid4(), value)
    with expected(TokenValueError) as error:
        api.add(uuid.uuid4(), value)
    assert error.message == "Given value already used by another token"


# Look up


def get_a_token_that_does_not_exist(api):
    uid = uuid.uuid4()
    with expected(TokenNotExists) as error:
        api.get_token(uid)
    assert (error.token_uid, error.error_code) == (uid, 1)
    assert error.message == str(error) == f"Token {uid} not exists"


def query_a_value(api):
    uid = api.add(uuid.uuid4())
    assert api.query_token(value=str(uid)).uid == uid
    assert api.query_token("nobody has this value") is None
    assert api.query_token("") is None


def ask_for_the_values_of_tokens(api):
    first, second = api.add(uuid.uuid4(), f"F-{uuid.uuid4()}"), api.add(uuid.uuid4())
    values = api.token_values([first, str(second), uuid.uuid4()])
    assert values == [api.get_token(first).value, str(second)]
    assert api.token_values(token_uids=[]) == []


# Change


def update_by_position(api):
    uid = api.add(uuid.uuid4(), lock_time=9)
    assert api.update(uid, f"G-{uid}", None, SOME_DAY, 7, 0) is None
    token = api.get_token(uid)
    assert (token.value, token.usage_count, token.lock_time) == (f"G-{uid}", 7, 0)


def update_by_name(api):
    uid = api.add(uuid.uuid4(), usage_count=1, lock_time=9)
    api.update(
        token_uid=uid,
        value=str(uid),
        valid_from=LONG_AGO,
        valid_to=None,
        usage_count=2,
        lock_time=3,
    )
    assert api.get_token(uid).usage_count == 2


def delete_and_issue_again(api):
    uid = api.add(uuid.uuid4(), usage_count=1)
    assert api.delete(token_uid=uid) is None
    with expected(TokenNotExists):
        api.delete(uid)
    assert api.add(uid, usage_count=1) == uid
    assert api.consume(uid)


# Consume


def let_a_guest_in_with_the_last_use(api):
    uid = api.add(uuid.uuid4(), usage_count=1)
    guests = 0
    if api.consume(token_uid=uid):
        guests += 1
    assert guests == 1
    assert api.get_token(uid).usage_count == 0
    assert api.get_token(uid).last_used is not None


def let_guests_in_until_no_use_is_left(api):
    uid = api.add(uuid.uuid4(), usage_count=3)
    guests = 0
    with expected(TokenUsageCountExceeded) as error:
        while api.consume(uid):
            guests += 1
    assert (error.token_uid, error.error_code) == (uid, 2)
    assert error.as_json()["message"] == f"Token {uid} usage count exceeded"
    assert guests == 3


def consume_without_a_limit(api):
    uid = api.add(uuid.uuid4(), usage_count=-1)
    assert all(api.consume(uid) for _ in range(3))


def consume_in_the_lock_time(api):
    uid = api.add(uuid.uuid4(), usage_count=2, lock_time=60)
    api.consume(uid)
    with expected(TokenLockTimeViolation) as error:
        api.consume(uid)
    assert (error.token_uid, error.error_code) == (uid, 3)


def consume_out_of_the_window(api):
    uid = api.add(uuid.uuid4(), valid_from=SOME_DAY, usage_count=2)
    with expected(TokenTimeRangeViolation) as error:
        api.consume(uid)
    assert (error.token_uid, error.error_code) == (uid, 4)


def answer_a_view(api):
    def view(uid):
        try:
            api.consume(uid)
        except TokenException as error:
            return error.as_json()
        return {"success": True}

    uid = api.add(uuid.uuid4(), usage_count=1)
    assert view(uid) == {"success": True}
    message = f"Token {uid} usage count exceeded"
    assert view(uid) == {"success": False, "message": message}


def leave_the_api(_api):
    with TokenAPI() as api:
        assert isinstance(api, TokenAPI)
        uid = api.add(uuid.uuid4(), usage_count=1)
    with TokenAPI() as api:
        assert api.consume(uid)
    try:
        with TokenAPI() as api:
            api.consume(uid)
    except TokenUsageCountExceeded:
        return
    raise AssertionError


def raise_the_exceptions(_api):
    kinds = (TokenNotExists, TokenUsageCountExceeded, TokenLockTimeViolation)
    for kind in (*kinds, TokenTimeRangeViolation):
        for error in (kind("X"), kind(token_uid="X")):
            assert isinstance(error, TokenException)
            assert error.token_uid == "X"
            assert error.message.startswith("Token X ")
            for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
                assert (other.token_uid, other.message, str(other)) == ("X", *[error.message] * 2)
    for kind in (TokenValueError, TokenAPIError):
        for error in (kind("wrong"), kind(message="wrong")):
            assert error.message == str(error) == "wrong"
            assert error.as_json() == {"success": False, "message": "wrong"}
    assert exceptions.TokenAPIError.error_code == 6


# Nodes


def read_nodes(_api):
    tokens = cone.app.get_root()["tokens"]
    uid = TokenAPI().add(uuid.uuid4(), usage_count=4)
    node = tokens[str(uid)]
    assert type(tokens).__name__ == Tickets.__name__
    assert isinstance(tokens, TokenContainer)
    assert isinstance(node, TokenNode)
    assert (node.name, node.parent) == (str(uid), tokens)
    assert (node.attrs["uid"], node.attrs["usage_count"]) == (uid, 4)
    assert node.attrs.get("lock_time") == dict(node.attrs.items())["lock_time"] == 0
    assert {"value", "valid_from", "valid_to", "creator", "created"} < set(node.attrs)
    assert node.metadata.title == str(uid)
    assert tokens.properties is not None


def walk_nodes(_api):
    tokens = cone.app.get_root()["tokens"]
    uid = str(TokenAPI().add(uuid.uuid4()))
    unknown = str(uuid.uuid4())
    assert uid in tokens
    assert unknown not in tokens
    assert "no uid" not in tokens
    assert tokens.get(uid).attrs["value"] == uid
    assert tokens.get(unknown) is None
    assert tokens.get(unknown, "none") == "none"
    names = list(tokens)
    assert uid in names
    assert names == list(tokens.keys()) == [node.name for node in tokens.values()]
    assert len(tokens) == len(tokens.keys()) == len(names) > 0
    found = {name: node.attrs["value"] for name, node in tokens.items()}
    assert found[uid] == uid
    try:
        tokens["no uid"]
    except KeyError:
        return
    raise AssertionError


def read_settings(_api):
    for model in (cone.app.get_root(), cone.app.get_root()["tokens"]):
        settings = get_settings_node(model)
        assert isinstance(settings, TokenSettings)
        assert settings.attrs["morning"] == {"start": "08:00", "end": "12:00"}
        assert {"afternoon", "today", "default_locktime"} < set(settings.attrs)
        assert isinstance(settings.attrs["default_usage_count"], int)
    assert get_settings_node(model=cone.app.get_root()).attrs.get("unknown") is None


def query_records(_api):
    uid = TokenAPI().add(uuid.uuid4(), f"H-{uuid.uuid4()}", usage_count=2)
    TokenAPI().consume(uid)
    with a_request() as request:
        session = cone.sql.get_session(request)
        record = session.query(TokenRecord).filter(TokenRecord.uid == uid).one()
        assert (record.usage_count, record.lock_time) == (1, 0)
        assert session.query(TokenRecord).filter_by(value=record.value).count() == 1
        usages = session.query(TokenUsageRecord).filter_by(token_uid=uid).all()
        assert [(usage.token_value, usage.error_code) for usage in usages] == [
            (record.value, None),
        ]


THINGS = (
    add_by_position,
    add_by_name,
    add_a_uid_alone,
    add_a_uid_as_text,
    add_without_a_uid,
    add_a_uid_twice,
    add_a_value_twice,
    get_a_token_that_does_not_exist,
    query_a_value,
    ask_for_the_values_of_tokens,
    update_by_position,
    update_by_name,
    delete_and_issue_again,
    let_a_guest_in_with_the_last_use,
    let_guests_in_until_no_use_is_left,
    consume_without_a_limit,
    consume_in_the_lock_time,
    consume_out_of_the_window,
    answer_a_view,
    leave_the_api,
    raise_the_exceptions,
    read_nodes,
    walk_nodes,
    read_settings,
    query_records,
)


class Caught:
    """The exception that was expected, once it has come; reads as that."""

    def __getattr__(self, name):
        return getattr(self.__dict__["error"], name)

    def __str__(self):
        return str(self.__dict__["error"])


@contextlib.contextmanager
def expected(kind):
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.__dict__["error"] = error
        return
    raise AssertionError(kind.__name__)


@contextlib.contextmanager
def a_request():
    """Be within a request of the site, which ends with a commit."""
    session = cone.sql.session_factory()
    zope.sqlalchemy.register(session)
    request = Request.blank("/tokens")
    request.environ[cone.sql.session_key] = session
    with contextlib.closing(session), transaction.manager:
        yield request


def outcome(thing, api):
    try:
        thing(api)
    except Exception as error:  # noqa: BLE001 - it is told
        return f"{type(error).__name__}: {error}"
    return "ok"


def main(ini):
    app = pyramid.paster.get_app(ini, "main")
    Request.registry = app.next_app.registry
    done = {thing.__name__: outcome(thing, TokenAPI()) for thing in THINGS}
    for thing in THINGS:
        with a_request() as request:
            done[f"{thing.__name__}, request"] = outcome(thing, TokenAPI(request))
    sys.stdout.write(f"{json.dumps(done)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
