"""A code that is replaced by another one: refused, logged, and no other token's."""

import concurrent.futures
import dataclasses
import uuid

import pytest
from sqlalchemy import text

from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import IdempotencyConflict
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.store import changing
from cone.tokens.core.store import finding
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import SentCode
from cone.tokens.migrations import former_values
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

SITE = "https://tickets.example/tokens"


@pytest.fixture
def uid(service):
    """A token whose code Lost-1 was replaced."""
    uid = service.add(new_token(value="Lost-1", usage_count=3), by="adder")
    service.replace(uid, by="desk")
    return uid


def problems(service):
    return Maintenance(service._work.database, [TICKET]).verify().findings


def key_of(text, uid):
    return IdempotencyKey(
        key=text, caller="me", operation=Operation("replace"), parameters={"uid": str(uid)}
    )


def test_replace_when_it_is_done_then_the_code_is_a_new_random_one(service, uid):
    token = service.get(uid)
    assert len(token.value) == 26
    assert set(token.value) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    assert (token.version, token.usage_count) == (2, 3)
    assert service.replace(uid, by="desk") == service.get(uid).value != token.value
    assert isinstance(service.consume_value(service.get(uid).value, by="door"), Granted)
    for code in ("Lost-1", token.value, token.value.lower()):
        assert service.consume_value(code, by="door").denial is Denial.REPLACED
    assert not problems(service)


def test_replace_when_there_is_no_such_token_then_nothing_is_kept(service, made_tables):
    with pytest.raises(TokenNotFound):
        service.replace(uuid.uuid4(), by=None, key=key_of("k", ""))
    with made_tables.connect() as connection:
        assert not connection.execute(text("SELECT * FROM token_former_values")).all()
        assert not connection.execute(text("SELECT * FROM token_requests")).all()


def test_replace_when_it_is_repeated_with_its_key_then_the_code_is_the_same(service, uid):
    first = service.replace(uid, by="desk", key=key_of("k", uid))
    assert service.replace(uid, by="desk", key=key_of("k", uid)) == first
    assert (service.get(uid).value, service.get(uid).version) == (first, 3)
    with pytest.raises(IdempotencyConflict):
        service.replace(uid, by="desk", key=key_of("k", "another"))
    assert not problems(service)
    service.delete(uid, by=None)
    assert service.replace(uid, by="desk", key=key_of("k", uid)) == first


def test_code_when_it_was_replaced_then_a_look_up_says_so_and_no_more(service, uid):
    for sent in ("Lost-1", " lost-1", "]Q1LOST-1"):
        with pytest.raises(Replaced) as caught:
            service.find_by_value(sent)
        assert caught.value.uid == uid
        assert service.get(uid).value not in str(caught.value)


def test_consume_when_it_is_refused_with_a_key_then_a_repeat_is_answered_alike(service, uid):
    key = key_of("k", uid)
    first = service.consume_value("lost-1", by="door", key=key)
    again = service.consume_value("lost-1", by="door", key=key)
    assert first == again
    assert first.value is again.value is None
    assert len(service.usages(uid, 5).usages) == 1


def test_consume_when_a_key_was_granted_before_then_its_repeat_is_still(service):
    uid = service.add(new_token(value="Lost-1", usage_count=3), by=None)
    first = service.consume_value("Lost-1", by="door", key=key_of("k", uid))
    service.replace(uid, by="desk")
    again = service.consume_value("Lost-1", by="door", key=key_of("k", uid))
    assert again == first
    assert again.is_repeat
    assert len(service.usages(uid, 5).usages) == 1


def test_consume_when_the_token_would_be_refused_too_then_its_code_comes_first(service, uid):
    service.update(uid, TicketChanges(enabled=False, usage_count=0), by=None)
    assert service.consume_value("Lost-1", by=None).denial is Denial.REPLACED
    assert service.consume(uid, by=None).denial is Denial.TOKEN_DISABLED
    assert not problems(service)


def test_consume_when_the_code_is_left_out_then_it_is_replaced_all_the_same(service, uid):
    sent = SentCode("lost-1", not_read_as=frozenset({uid}))
    assert service.consume_code(sent, by=None).denial is Denial.REPLACED
    [(number, _token)] = service.hits(service.get(uid).value, 1)
    sent = SentCode("lost-1", not_found=frozenset({number}))
    assert service.consume_code(sent, by=None).denial is Denial.REPLACED


def test_consume_when_a_code_that_was_replaced_goes_on_then_it_is_not_complete(service, uid):
    service.add(new_token(value="Lost"), by=None)
    with pytest.raises(Unfinished):
        service.consume_value("Lost", by=None, is_complete=False)
    outcome = service.consume_value("Lost-1", by=None, is_complete=False)
    assert outcome.denial is Denial.REPLACED


def test_consume_when_two_codes_could_be_meant_then_none_is(service, uid):
    service.add(new_token(value="LOST-1"), by=None)
    with pytest.raises(TokenNotFound):
        service.consume_value("lost-1", by=None)
    assert service.consume_value("Lost-1", by=None).token_uid == uid
    assert isinstance(service.consume_value("LOST-1", by=None), Granted)


@pytest.mark.parametrize("sent", ["Lost-1", "Lost-1 ", "]Q1Lost-1\r", "lost-1\t", "LOST-1"])
def test_consume_when_a_code_differs_from_one_that_was_replaced_by_case_then_the_nearest_decides(
    service, uid, sent
):
    other = service.add(new_token(value="lost-1"), by=None)
    if sent == "LOST-1":
        with pytest.raises(TokenNotFound):
            service.consume_value(sent, by=None)
        return
    outcome = service.consume_value(sent, by=None)
    if "L" in sent:
        assert (outcome.denial, outcome.token_uid) == (Denial.REPLACED, uid)
    else:
        assert (isinstance(outcome, Granted), outcome.token_uid) == (True, other)


def test_consume_when_the_exact_code_is_read_in_no_other_form_then_it_is_replaced_too(service):
    code = "A" + "\u0301\u0316" * 40
    uid = service.add(new_token(value=code), by=None)
    code = service.get(uid).value
    service.replace(uid, by=None)
    assert service.consume_value(code, by=None).denial is Denial.REPLACED
    with pytest.raises(TokenNotFound):
        service.consume_value(code.lower(), by=None)


# The uid as a code, and the address of the page


@pytest.fixture
def page(service):
    """A token whose code was its uid until it was replaced."""
    uid = service.add(new_token(usage_count=3), by=None)
    service.replace(uid, by=None)
    return uid


@pytest.mark.parametrize("form", ["{}", "{}/", "{}?a=b"])
def test_consume_when_the_uid_was_the_code_then_no_address_lets_it_in(service, page, form):
    for sent in (str(page), str(page).upper(), f"{SITE}/{form.format(page)}"):
        outcome = service.consume_value(sent, by=None, site=SITE)
        assert (outcome.token_uid, outcome.denial) == (page, Denial.REPLACED)
        with pytest.raises(Replaced):
            service.find_by_value(sent, site=SITE)
    assert service.get(page).usage_count == 3


def test_consume_when_the_uid_is_the_code_again_then_its_address_is_good(service, page):
    service.update(page, TicketChanges(value=None), by=None)
    sent = f"{SITE}/{page}"
    assert service.consume_value(sent, by=None, site=SITE).value == str(page)


def test_consume_when_another_code_was_replaced_then_the_page_means_the_token(service, uid):
    outcome = service.consume_value(f"{SITE}/{uid}", by=None, site=SITE)
    assert outcome.value == service.get(uid).value


# Statements


def test_consume_when_the_code_is_exact_then_no_statement_looks_for_former_ones(
    service, query_recorder
):
    service.add(new_token(value="A", usage_count=2), by=None)
    query_recorder.clear()
    service.consume_value("A", by=None)
    assert not [one for one in query_recorder.statements if "token_former" in one]


def test_consume_when_the_code_was_replaced_then_it_takes_three_statements_or_four_on_sqlite(
    service, engine, uid, query_recorder
):
    query_recorder.clear()
    service.consume_value("Lost-1", by=None)
    assert len(query_recorder) == (4 if engine.dialect.name == "sqlite" else 3)


def test_replace_when_it_runs_then_it_takes_five_statements(service, uid, query_recorder):
    query_recorder.clear()
    service.replace(uid, by=None)
    assert len(query_recorder) == 5


# Imports


@pytest.fixture
def import_rows():
    """A function that returns rows with these codes."""

    def rows(*values, uids=(None,) * 3):
        return [
            ImportRow(token=new_token(value=value), changes=TicketChanges(), uid=uid)
            for value, uid in zip(values, uids, strict=False)
        ]

    return rows


def test_import_when_a_code_was_replaced_then_its_row_is_told(service, uid, import_rows):
    rows = import_rows("New-1", "Lost-1", "lost-1")
    report = service.check_import(rows, Known.UPDATE)
    assert {row: error.reason for row, error in report.mistakes.items()} == {1: "code_replaced"}
    assert service.import_tokens(rows, Known.UPDATE, by=None).mistakes.keys() == {1}
    assert service.count() == 1


@pytest.mark.parametrize("cell", ["Lost-1", " Lost-1 "])
def test_import_when_the_file_is_from_before_a_replacement_then_the_code_stays(
    service, uid, import_rows, cell
):
    code = service.get(uid).value
    [row] = import_rows(cell, uids=[uid])
    kept = {0: CodeChange(token_uid=uid, old=code, new=cell)}
    told = service.import_tokens([row], Known.UPDATE, by=None)
    assert (told.unchanged, told.updated, told.codes, told.replaced) == (1, 0, {}, kept)
    labelled = dataclasses.replace(row, changes=TicketChanges(label="Ann"))
    told = service.import_tokens([labelled], Known.UPDATE, by=None)
    assert (told.updated, told.codes, told.replaced) == (1, {}, kept)
    assert (service.get(uid).value, service.get(uid).label) == (code, "Ann")
    assert service.consume_value("Lost-1", by=None).denial is Denial.REPLACED
    assert isinstance(service.consume_value(code, by=None), Granted)
    assert not problems(service)


def test_update_when_it_gives_a_token_its_former_code_then_it_may(service, uid):
    service.update(uid, TicketChanges(value="Lost-1"), by=None)
    assert isinstance(service.consume_value("Lost-1", by=None), Granted)
    assert not problems(service)


def test_import_when_it_gives_a_token_the_former_code_of_another_then_it_is_told(
    service, uid, import_rows
):
    other = service.add(new_token(value="Other"), by=None)
    [row] = import_rows("Lost-1", uids=[other])
    report = service.check_import([row], Known.UPDATE)
    assert [error.reason for error in report.mistakes.values()] == ["code_replaced"]


@pytest.mark.parametrize("cell", ["Lost-1", " Lost-1 "])
def test_import_when_a_token_has_its_former_code_again_then_it_is_as_in_the_file(
    service, uid, import_rows, cell
):
    service.update(uid, TicketChanges(value="Lost-1"), by=None)
    told = service.check_import(import_rows(cell, uids=[uid]), Known.UPDATE)
    assert (told.unchanged, told.codes, told.replaced) == (1, {}, {})


# Races


CALLERS = 8


def test_race_when_many_replace_a_code_then_each_gets_one_and_the_last_is_good(service):
    uid = service.add(new_token(value="Lost-1", usage_count=-1), by=None)
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        codes = list(pool.map(lambda _: service.replace(uid, by=None), range(CALLERS)))
    assert len(set(codes)) == CALLERS
    good = service.get(uid).value
    assert good in codes
    for code in {"Lost-1", *codes} - {good}:
        assert service.consume_value(code, by=None).denial is Denial.REPLACED
    assert not problems(service)


def test_race_when_many_repeat_a_replacement_then_all_get_the_same_code(service):
    uid = service.add(new_token(value="Lost-1"), by=None)
    key = key_of("k", uid)
    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        codes = set(pool.map(lambda _: service.replace(uid, by=None, key=key), range(CALLERS)))
    assert codes == {service.get(uid).value}
    assert service.get(uid).version == 2


@pytest.fixture
def waiting(made_tables):
    """Whether somebody waits for another one's transaction."""
    if made_tables.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    sought = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def is_waiting():
        with made_tables.connect() as connection:
            return connection.scalar(sought) > 0

    return is_waiting


def take_while_it_is_replaced(service, waiting, take):
    """Return what ``take`` does with a code whose replacement is not committed yet."""
    uid = service.add(new_token(value="Lost-1"), by=None)
    other = service.add(new_token(value="Other"), by=None)
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        service._work.database.writing() as tx,
    ):
        replace(tx, uid)
        taken = pool.submit(take, service, other)
        while not (waiting() or taken.done()):
            pass
    return taken


def replace(tx, uid):
    token = finding.find(tx, TICKET, "uid", uid, for_update=True)
    changing.replace_code(tx, TICKET, token, "NEW", None)


TAKES = {
    "add": lambda service, _uid: service.add(new_token(value="Lost-1"), by=None),
    "add as": lambda service, _uid: service.add_as(
        uuid.uuid4(), new_token(value="Lost-1"), by=None
    ),
    "update": lambda service, uid: service.update(uid, TicketChanges(value="Lost-1"), by=None),
}


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
def test_race_when_a_code_is_taken_while_it_is_replaced_then_no_other_token_gets_it(
    service, waiting, take
):
    with pytest.raises(ValueTaken):
        take_while_it_is_replaced(service, waiting, take).result()
    assert not problems(service)


#: As one would write it: whoever takes a code asks before whether another token had it.
NAIVE = """CREATE TRIGGER token_former_values_kept BEFORE INSERT OR UPDATE OF value ON tokens
    FOR EACH ROW EXECUTE FUNCTION naive_kept()"""
NAIVE_FUNCTION = """CREATE FUNCTION naive_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT 1 FROM token_former_values WHERE value = NEW.value AND token_uid <> NEW.uid
        ) THEN RAISE unique_violation USING TABLE = 'tokens', CONSTRAINT = 'uq_tokens_value';
        END IF;
        RETURN NEW;
    END $$"""


@pytest.fixture
def naive_trigger(made_tables):
    if made_tables.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    with made_tables.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER token_former_values_kept ON tokens")
        connection.exec_driver_sql(NAIVE_FUNCTION)
        connection.exec_driver_sql(NAIVE)
    yield
    with made_tables.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION naive_kept CASCADE")
        former_values.make(connection, "token_former_values", "tokens", "value")


@pytest.mark.parametrize("take", TAKES.values(), ids=TAKES)
def test_race_when_the_database_asks_before_it_writes_then_another_token_gets_it(
    service, waiting, naive_trigger, take
):
    take_while_it_is_replaced(service, waiting, take).result()
    assert {found.problem for found in problems(service)} == {Problem.FORMER}


def test_take_when_the_replacement_is_committed_then_asking_before_would_do(
    service, uid, naive_trigger
):
    with pytest.raises(ValueTaken):
        service.add(new_token(value="Lost-1"), by=None)
