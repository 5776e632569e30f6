"""What the logs of each kind prove, and what a purge leaves of them."""

import datetime
import json
import uuid

import pytest
from sqlalchemy import delete
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import update

from cone.tokens.core.errors import Denial
from cone.tokens.core.history.event_values import reader_of
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.store.events import as_json
from cone.tokens.core.values import Granted
from cone.tokens.tickets.kind import TICKET
from tests.kinds.passes import PASS
from tests.support.factories import NOON

OLD = datetime.timedelta(days=100)
PLAN = PurgePlan(log=50, is_clock_right=True)


@pytest.fixture
def used(desk):
    """A token with two uses, a change between them, and a refusal."""
    uid = desk.add(usage_count=2)
    desk.consume(uid)
    desk.change(uid, **desk.sample.others)
    desk.consume(uid)
    desk.consume(uid)
    return uid


def last_grant(desk, uid):
    return [row for row in desk.usages(uid) if row.error_code is None][-1]


def make_old(desk, *uids):
    """Move the rows of tokens to a time when nobody needs them any more."""
    for table in (desk.kind.tokens, desk.kind.usages, desk.kind.events):
        token_uid = table.c.get("token_uid", table.c.uid)
        with desk.database.connecting() as connection:
            rows = connection.execute(select(table).where(token_uid.in_(uids))).mappings().all()
        for row in rows:
            moved = {
                name: value - OLD
                for name, value in row.items()
                if isinstance(value, datetime.datetime)
            }
            desk.execute(update(table).where(table.c.uid == row["uid"]).values(moved))


def test_verify_when_all_is_right_then_it_finds_nothing_and_counts_each_row(desk, used):
    desk.add()
    desk.delete(desk.add())
    audit = desk.maintenance.verify()
    assert not audit.findings
    counts = audit.counts
    assert (counts.tokens, counts.deleted, counts.uses, counts.refusals) == (2, 1, 2, 1)
    assert desk.maintenance.count_entries() == counts.tokens + counts.events + 3
    assert not desk.maintenance.verify([used]).findings


def test_verify_when_a_field_is_changed_behind_its_back_then_it_finds_that(desk):
    used = desk.add()
    desk.consume(used)
    token = desk.find(used)
    others = {name: desk.sample.another(name, getattr(token, name)) for name in desk.sample.others}
    changes = others | {"usage_count": 7, "enabled": False, "valid_from": NOON}
    for name, value in changes.items():
        before = getattr(desk.find(used), name)
        change = update(desk.kind.tokens).where(desk.kind.tokens.c.uid == used)
        desk.execute(change.values({name: value}))
        problem = Problem.COUNTER if name == "usage_count" else Problem.FIELD
        assert problem in desk.problems(), name
        desk.execute(change.values({name: before}))
    assert not desk.problems()


def test_verify_when_a_use_is_missing_then_it_finds_that(desk, used):
    desk.execute(delete(desk.kind.usages).where(desk.kind.usages.c.version == 2))
    assert Problem.MISSING in desk.problems()


def test_verify_when_the_log_tells_another_count_then_it_finds_that(desk, used):
    usage = desk.kind.usages
    for version, problem in ((2, Problem.COUNT_IN_LOG), (4, Problem.COUNT_IN_LOG)):
        change = update(usage).where(usage.c.version == version, usage.c.error_code.is_(None))
        desk.execute(change.values(usage_count=9))
        assert problem in desk.problems()


def test_verify_when_a_token_is_gone_then_it_finds_that(desk, used):
    desk.execute(delete(desk.kind.tokens).where(desk.kind.tokens.c.uid == used))
    searched = [] if desk.kind.search_table is None else [Problem.SEARCH]
    assert desk.problems() == [Problem.GONE, *searched]


def test_verify_when_an_event_tells_no_value_of_its_column_then_it_finds_that(desk):
    for name in desk.kind.audited:
        uid = desk.add()
        [event] = desk.events(uid)
        values = json.loads(event.new_values) | {name: ["nonsense"]}
        change = update(desk.kind.events).values(new_values=json.dumps(values))
        desk.execute(change)
        assert Problem.EVENT in desk.problems(), name
        desk.execute(delete(desk.kind.tokens))
        desk.execute(delete(desk.kind.events))


def test_verify_when_a_refusal_tells_of_reuse_then_it_is_right_where_a_kind_has_something_to_see(
    desk,
):
    uid = desk.add()
    row = {"uid": uuid.uuid4(), "token_uid": uid, "timestamp": desk.find(uid).created}
    logged = {name: getattr(desk.find(uid), of) for name, of in desk.kind.logged.items()}
    code = Denial.TOKEN_REUSED.code
    desk.execute(insert(desk.kind.usages).values(**row, **logged, error_code=code, user=None))
    assert desk.problems() == ([] if desk.kind.seen else [Problem.REFUSAL])


def test_verify_when_keys_are_bound_then_it_finds_their_rows_whatever_the_kind(desk):
    uid = desk.add()
    desk.consume(uid, key=desk.key("k"))
    assert desk.maintenance.verify().counts.keys == 1
    assert not desk.problems()
    desk.execute(delete(desk.kind.usages))
    assert Problem.REQUEST in desk.problems()


def test_verify_when_a_key_has_the_answer_of_a_kind_then_it_is_right_where_that_kind_says_so(desk):
    desk.consume(desk.add(), key=desk.key("k"))
    imported = {"added": 1, "updated": 0, "unchanged": 0, "skipped": 0}
    desk.execute(update(REQUESTS).values(answer=json.dumps(imported)))
    found = Maintenance(desk.database, [desk.kind]).verify().findings
    assert [finding.problem for finding in found] == (
        [] if desk.kind is TICKET else [Problem.REQUEST]
    )


def test_purge_when_the_log_is_old_then_a_mark_stands_for_it_and_all_is_right(desk, used):
    make_old(desk, used)
    purged = desk.maintenance.purge(PLAN)
    assert (purged.usages, purged.events) == (3, 1)
    assert not desk.usages(used)
    [mark, _added] = desk.events(used)
    values = json.loads(mark.new_values)
    token = desk.find(used)
    assert values.keys() == {*desk.kind.audited, "version", "last_used"}
    assert values["version"] == token.version
    names = ("usage_count", *desk.kind.advanced_names)
    assert [values[name] for name in names] == [as_json(getattr(token, name)) for name in names]
    assert not desk.problems()


def test_purge_when_it_is_dry_then_it_counts_and_removes_nothing(desk, used):
    make_old(desk, used)
    dry = PurgePlan(log=50, is_clock_right=True, is_dry=True)
    before = (desk.usages(used), desk.events(used))
    assert (desk.maintenance.purge(dry).usages, before) == (
        3,
        (desk.usages(used), desk.events(used)),
    )


def test_purge_when_the_token_is_used_on_then_its_history_goes_on_behind_the_mark(desk):
    uid = desk.add(usage_count=5)
    desk.consume(uid)
    make_old(desk, uid)
    desk.maintenance.purge(PLAN)
    assert isinstance(desk.consume(uid), Granted)
    assert not desk.problems()
    assert last_grant(desk, uid).version == 3


def test_purge_when_tokens_have_expired_then_they_go_and_events_tell_it(desk):
    gone, stays = desk.add(valid_to=NOON - 9 * OLD), desk.add()
    plan = PurgePlan(expired=100, used_up=100, is_clock_right=True, by="purger")
    assert desk.maintenance.purge(plan).expired == 1
    assert desk.find(gone) is None
    assert desk.find(stays)
    assert [(event.action, event.user) for event in desk.events(gone)] == [
        ("add", "adder"),
        ("delete", "purger"),
    ]
    assert not desk.problems()


def test_purge_when_keys_are_old_then_they_go(desk):
    uid = desk.add()
    desk.consume(uid, key=desk.key("k"))
    plan = PurgePlan(requests=0, is_clock_right=True)
    assert desk.maintenance.purge(plan).requests == 1
    assert not desk.problems()


def test_reader_when_events_cannot_tell_the_type_then_the_column_is_named():
    with pytest.raises(TypeError, match="uid"):
        reader_of(PASS.tokens.c.uid)
