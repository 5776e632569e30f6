"""A kind that is declared wrongly is refused when it is made, and one that is not works."""

import enum
import re
import uuid
from pathlib import Path

import pytest
from sqlalchemy import BigInteger
from sqlalchemy import Boolean
from sqlalchemy import Enum
from sqlalchemy import Float
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError

from cone.tokens import core
from cone.tokens.core import codes
from cone.tokens.core import declaration
from cone.tokens.core.errors import Interrupted
from cone.tokens.core.errors import UidTaken
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.history.state import State
from cone.tokens.core.kind import Derived
from cone.tokens.core.lifecycle import Effect
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.records import EventColumns
from cone.tokens.core.records import ExactText
from cone.tokens.core.records import LastUseColumns
from cone.tokens.core.records import LifecycleColumns
from cone.tokens.core.records import UsageColumns
from cone.tokens.core.store import consuming
from cone.tokens.core.store import use_log
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from tests.kinds.lockers import LOCKER
from tests.kinds.made import SHARED
from tests.kinds.made import desk_of
from tests.kinds.made import make_kind

OWN = ("tag", *SHARED)


def counting(name):
    """Return an effect that counts uses in a column."""
    return Effect(
        name,
        lambda token, _now, _manner: getattr(token, name) + 1,
        lambda columns, _now, _manner: columns[name] + 1,
    )


def names_in_statements():
    """Return the names that statements of the core give to parameters and labels."""
    source = "".join(path.read_text() for path in Path(core.__file__).parent.rglob("*.py"))
    named = re.findall(r'(?:label|bindparam|cte|subquery|table_valued)\(\s*"(\w+)"', source)
    shared = (EventColumns, LastUseColumns, LifecycleColumns, UsageColumns)
    return set(named) - {name for columns in shared for name in columns.__annotations__}


FREE = sorted(names_in_statements() - declaration.IN_STATEMENTS - {"token_value"})


def test_names_when_statements_are_searched_then_there_are_some_of_each_sort():
    assert {"receipt", "moment", "key_hash"} <= set(FREE)
    assert {"now", "told", "sought", "place"} <= names_in_statements()


def test_names_when_they_are_members_of_a_replayed_token_then_they_are_taken():
    members = {name for name in vars(State) if not name.startswith("_")}
    assert members | {"is_last_use_known"} == declaration.IN_REPLAY


@pytest.mark.parametrize("name", sorted(declaration.IN_STATEMENTS | declaration.IN_REPLAY))
def test_kind_when_an_own_column_has_a_name_that_is_taken_then_it_is_refused(name):
    with pytest.raises(TypeError, match=rf"kind 'made': made\.{name} needs another name"):
        make_kind({name: Integer()})


def use_up(desk, **seen):
    """Take all uses of a token and one more, each with a key and again; purge, and use it on."""
    uid = desk.add(usage_count=2)
    for number in range(3):
        key = desk.key(str(number))
        first = desk.consume(uid, seen or None, key)
        assert desk.consume(uid, seen or None, key) == first
        assert isinstance(first, Granted) is (number < 2)
    desk.change(uid, usage_count=5)
    assert isinstance(desk.consume(uid), Granted)
    assert not desk.problems()
    which = TokenFilter(status=Status.CONSUMABLE)
    logged, _rest = desk.work.read(lambda tx: use_log.next_part(tx, desk.kind, which, None, None))
    assert [row.details for row in logged] == [desk.details(uid)] * 3
    desk.maintenance.purge(PurgePlan(log=0, is_clock_right=True))
    assert not desk.problems()
    return uid


def test_kind_when_what_it_advances_has_a_free_name_of_a_statement_then_it_works(work):
    counters = {name: Integer() for name in FREE}
    kind = make_kind(counters, counters, advanced=tuple(map(counting, FREE)))
    desk = desk_of(work, kind, **dict.fromkeys(FREE, 0))
    uid = use_up(desk)
    assert [getattr(desk.find(uid), name) for name in FREE] == [3] * len(FREE)
    desk.delete(uid)
    assert not desk.problems()


def test_kind_when_what_it_shows_has_a_free_name_of_a_statement_then_it_is_shown(work):
    kind = make_kind({name: String() for name in FREE}, shown=tuple(FREE))
    desk = desk_of(work, kind, **{name: f"its {name}" for name in FREE})
    uid = use_up(desk)
    key = desk.key("k")
    assert desk.consume(uid, key=key).details == {name: f"its {name}" for name in FREE}
    assert desk.consume(uid, key=key).details == {name: f"its {name}" for name in FREE}


def test_kind_when_it_shows_its_code_then_the_code_is_told_as_both(work):
    kind = make_kind(
        {"value": ExactText}, {"token_value": ExactText}, code="value", shown=("value",)
    )
    desk = desk_of(work, kind, value="abc")
    desk.add()
    outcome = desk.consume_code("abc")
    assert (outcome.value, outcome.details) == ("abc", {"value": "abc"})


@pytest.mark.parametrize(
    "manner",
    [Manner(uses=2), Manner(checkpoint="x"), Manner(direction=Direction.IN), Manner(override="x")],
    ids=str,
)
def test_kind_when_its_log_has_no_manners_then_another_than_the_plain_one_is_refused(work, manner):
    desk = desk_of(work, make_kind({}))
    uid = desk.add("x")
    attempt = Attempt(uuid.uuid4(), "user", None, manner=manner)
    with pytest.raises(TypeError, match="a made is used in the plain manner alone"):
        work.write(lambda tx: consuming.consume(tx, desk.kind, "uid", uid, attempt))
    assert desk.usages(uid) == []
    assert isinstance(desk.consume(uid), Granted)


class Side(enum.Enum):
    LEFT = "left"


WRONG = [
    # Which columns there are
    ("audited: made has no column nothing", {"audited": (*OWN, "nothing")}, {}),
    ("derived: made has no column digest", {"derived": (Derived("digest", "tag", str),)}, {}),
    ("filtered: made.tag has no index", {"filtered": ("tag",)}, {}),
    ("search_columns: search_table has no column text", {"search_columns": {"text": "tag"}}, {}),
    ("do not fit the columns of made: got an unexpected", {"read": lambda *, read_at: None}, {}),
    ("unread: made.tag has to be read", {"unread": frozenset({"tag"})}, {}),
    ("unread: made.version has to be read", {"unread": frozenset({"version"})}, {}),
    ("unread: made.last_user has to be read", {"unread": frozenset({"last_user"})}, {}),
    ("made.new_tag needs another name", {}, {"new_tag": String()}),
    # What events tell
    ("audited: lock_time is missing", {"audited": ("tag", *SHARED[2:], *SHARED[:1])}, {}),
    ("audited: no event tells made.version", {"audited": (*OWN, "version")}, {}),
    (
        "audited: no event tells made.own",
        {"derived": (Derived("own", "tag", str),)},
        {"own": String()},
    ),
    ("audited: made.own: Float.* is neither text, integer, flag nor time", {}, {"own": Float()}),
    ("audited: made.own: .* is neither text", {}, {"own": Enum(Side)}),
    ("advanced: token_value needs", {"advanced": (counting("token_value"),)}, {}),
    ("later: own is not audited", {"later": frozenset({"own"}), "audited": OWN}, {"own": String()}),
    ("later: made.tag has to be nullable", {"later": frozenset({"tag"})}, {}),
    ("personal: made.tag has to be nullable", {"personal": ("tag",)}, {}),
    # Codes
    ("code: made.own is no text", {"code": "own"}, {"own": Integer()}),
    ("code: made_usage has no column token_value", {"code": "tag"}, {}),
    ("former_table: there is no code", {"former_table": LOCKER.former_table}, {}),
    # What callers see, and uses do
    ("seen: read takes no nothing", {"seen": ("nothing",)}, {}),
    ("seen: read takes no used_before", {"seen": ("used_before",)}, {}),
    ("seen: made.valid_to must not be nullable", {"seen": ("valid_to",)}, {}),
    ("made.seen_tag needs another name", {"seen": ("tag",)}, {"seen_tag": String()}),
    ("advanced: usage_count is changed twice", {"advanced": (counting("usage_count"),)}, {}),
    ("advanced: own is changed twice", {"advanced": (counting("own"),) * 2}, {"own": Integer()}),
    ("advanced: lock_time needs another name", {"advanced": (counting("lock_time"),)}, {}),
    ("advanced: user needs another", {"advanced": (counting("user"),)}, {"user": Integer()}),
    (
        "advanced: own is not audited",
        {"advanced": (counting("own"),), "audited": OWN},
        {"own": Integer()},
    ),
    (
        "advanced: made_usage has no column own",
        {"advanced": (counting("own"),)},
        {"own": Integer()},
    ),
    (
        "advanced: made_usage.own cannot hold all that made.own can",
        {"advanced": (counting("own"),), "logged": {"own": Integer()}},
        {"own": BigInteger()},
    ),
    ("made_usage.own is filled by no use", {"logged": {"own": Integer()}}, {}),
    (
        "made_usage has no checkpoint: its record has no MannerColumns",
        {"logged": {"uses": Integer()}},
        {},
    ),
    # What outcomes show
    ("shown: creator is no own column", {"shown": ("creator",)}, {}),
    ("shown: made.own is no text", {"shown": ("own",)}, {"own": Boolean()}),
    ("shown: made.user is a column of made_usage", {"shown": ("user",)}, {"user": String()}),
]


@pytest.mark.parametrize(("told", "given", "own"), WRONG, ids=[told for told, *_ in WRONG])
def test_kind_when_it_is_declared_wrongly_then_the_error_names_the_column(told, given, own):
    with pytest.raises(TypeError, match=f"kind 'made': .*{told}"):
        make_kind(own, **given)


@pytest.mark.parametrize(
    ("told", "given"),
    [
        (r"code: made\.own must not be nullable", {"code": "own"}),
        (r"seen: made\.own must not be nullable", {"seen": ("own",)}),
    ],
)
def test_kind_when_a_column_may_be_null_that_must_not_then_it_is_refused(told, given):
    with pytest.raises(TypeError, match=told):
        make_kind({"own": String()}, nullable=("own",), **given)


def test_kind_when_its_tables_are_not_made_of_the_shared_columns_then_it_says_which_are_missing():
    with pytest.raises(TypeError, match="others has no action: its record has no EventColumns"):
        make_kind({}, events=Table("others", MetaData()))
    with pytest.raises(TypeError, match="made has no name: its base has no naming_convention"):
        make_kind({}, conventions={})


def test_kind_when_its_code_has_a_digest_then_other_forms_of_it_are_found(work):
    kind = make_kind(
        {"value": ExactText, "value_digest": String()},
        {"token_value": ExactText},
        code="value",
        derived=(Derived("value_digest", "value", codes.digest),),
        audited=("value", *OWN),
        unread=frozenset({"used_before", "user_before", "value_digest"}),
    )
    desk = desk_of(work, kind, value="ABCD-1234")
    desk.add()
    assert isinstance(desk.consume_code(" abcd-1234 "), Granted)


def test_add_when_an_index_on_more_than_columns_is_unique_then_the_value_is_taken(work):
    kind = make_kind({})
    Index("made_tags", func.lower(kind.tokens.c.tag), unique=True)
    desk = desk_of(work, kind)
    desk.add("x")
    with pytest.raises(ValueTaken):
        desk.add("X")


def test_add_when_another_constraint_is_broken_then_it_is_a_fault_and_no_value_is_taken(work):
    desk = desk_of(work, make_kind({"own": String()}))
    with pytest.raises(IntegrityError):
        desk.add(own=None)
    with pytest.raises(IntegrityError):
        desk.add(own="x", lock_time=-1)


def test_consume_when_the_name_of_a_key_is_too_long_then_a_receipt_is_known_all_the_same(work):
    # PostgreSQL has names of 63 characters.
    desk = desk_of(work, make_kind({}, table="made_".ljust(56, "x")))
    uid = desk.add("x")
    with pytest.raises(UidTaken):
        desk.add_as(uid)
    attempt = Attempt(uuid.uuid4(), "user", None)

    def use(tx):
        return consuming.consume(tx, desk.kind, "uid", uid, attempt)

    assert isinstance(work.write(use), Granted)
    with pytest.raises(Interrupted):
        work.write(use)
