"""Codes that are replaced, of each kind that has such."""

import pytest
from sqlalchemy import insert
from sqlalchemy import select

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.maintenance import PurgePlan
from tests.kinds.test_history import make_old
from tests.kinds.test_lifecycle import LONG_AGO


@pytest.fixture
def replaced(desk):
    """A token that had the code Old-1."""
    if desk.kind.former_table is None:
        pytest.skip("no code of theirs is replaced")
    uid = desk.add("Old-1")
    desk.replace(uid, "New-1")
    return uid


def kept(desk):
    return desk._rows(select(desk.kind.former_table.c.value))


def test_replace_when_the_kind_keeps_no_codes_then_it_is_named(desk):
    if desk.kind.former_table is not None:
        pytest.skip("it does")
    uid = desk.add()
    with pytest.raises(TypeError, match=desk.kind.name):
        desk.replace(uid, "new")
    assert desk.find(uid).version == 1


@pytest.mark.parametrize("sent", ["Old-1", "old-1 ", "]Q1OLD-1\r"])
def test_consume_when_the_code_was_replaced_then_it_is_refused_at_its_token(desk, replaced, sent):
    outcome = desk.consume_code(sent)
    assert (outcome.token_uid, outcome.denial) == (replaced, Denial.REPLACED)
    assert outcome.value is None
    [row] = desk.usages(replaced)
    assert (row.error_code, row.usage_count, row.version) == (11, 3, 2)
    assert row.token_value == "New-1"
    assert desk.consume_code("new-1").usage_count == 2
    assert not desk.problems()


def test_replace_when_its_event_is_read_then_the_code_alone_differs(desk, replaced):
    event = desk.events(replaced)[-1]
    assert (event.action, event.user, event.version) == ("replace", "replacer", 2)
    assert '"Old-1"' in event.old_values
    assert event.new_values == event.old_values.replace("Old-1", "New-1")


def test_code_when_it_was_replaced_then_no_other_token_gets_it(desk, replaced):
    other = desk.add("Other-1")
    with pytest.raises(ValueTaken):
        desk.add("Old-1")
    with pytest.raises(ValueTaken):
        desk.add_many([desk.sample.new_fields(name) for name in ("More-1", "Old-1")])
    with pytest.raises(ValueTaken):
        desk.change(other, **{desk.kind.code: "Old-1"})
    with pytest.raises(ValueTaken):
        desk.replace(other, "Old-1")
    assert desk.consume_code("Old-1").token_uid == replaced
    assert [row.value for row in kept(desk)] == ["Old-1"]
    assert not desk.problems()


def test_code_when_its_token_gets_it_again_then_it_is_good_again(desk, replaced):
    desk.change(replaced, **{desk.kind.code: "Old-1"})
    assert desk.consume_code("old-1").usage_count == 2
    desk.replace(replaced, "New-2")
    assert desk.consume_code("old-1").denial is Denial.REPLACED
    assert not desk.problems()


@pytest.mark.parametrize("way", ["delete", "purge"])
def test_code_when_its_token_is_deleted_then_it_is_free(desk, replaced, way):
    if way == "delete":
        desk.delete(replaced)
    else:
        desk.change(replaced, valid_to=LONG_AGO)
        assert desk.maintenance.purge(PurgePlan(expired=50, is_clock_right=True)).expired == 1
    assert not kept(desk)
    other = desk.add("Old-1")
    assert desk.consume_code("Old-1").token_uid == other
    assert not desk.problems()


def test_code_when_the_uid_of_a_deleted_token_is_used_again_then_it_has_no_former_code(
    desk, replaced
):
    desk.delete(replaced)
    desk.add_as(replaced)
    desk.add("Old-1")
    assert not desk.problems()


def test_purge_when_the_history_of_a_replacement_goes_then_the_code_is_refused_still(
    desk, replaced
):
    desk.consume_code("Old-1")
    desk.consume_code("New-1")
    make_old(desk, replaced)
    purged = desk.maintenance.purge(PurgePlan(log=50, is_clock_right=True))
    assert (purged.usages, purged.events) == (2, 1)
    assert desk.consume_code("Old-1").denial is Denial.REPLACED
    assert not desk.problems()


def test_insert_when_a_program_goes_past_us_then_the_database_refuses(desk, replaced):
    row = desk._rows(select(desk.kind.tokens))[0]._asdict()
    other = row | {"uid": desk.add(), desk.kind.code: "Old-1"}
    table = desk.kind.tokens
    desk.execute(table.delete().where(table.c.uid == other["uid"]))
    with pytest.raises(Exception, match=r"UNIQUE constraint failed|another token had this code"):
        desk.execute(insert(table).values(other))
