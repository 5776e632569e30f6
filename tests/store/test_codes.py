"""Codes that are looked up: the exact one first, then as devices and people send it."""

import concurrent.futures
import itertools
import json
import sys
import uuid

import pytest
from sqlalchemy import event
from sqlalchemy import update

from cone.tokens.core import codes
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unfinished
from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.core.store import finding
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import LastUse
from cone.tokens.core.values import Operation
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

SITE = "https://tickets.example/tokens"


def key_of(text: str = "k", **parameters) -> IdempotencyKey:
    return IdempotencyKey(
        key=text, caller="me", operation=Operation("consume_token"), parameters=parameters
    )


def add(service, *values, **fields) -> list[uuid.UUID]:
    return [service.add(new_token(value=value, **fields), by=None) for value in values]


@pytest.mark.parametrize(
    ("stored", "text", "meant"),
    [
        (["A--1"], "A\u20141", "A--1"),
        (["A--1"], "]Q1a\u20131", "A--1"),
        (["A-1"], "A\u20141", "A-1"),
        (["A-1", "A--1"], "A\u20141", None),
        (["a-1", "A--1"], "A\u20141", "A--1"),
        (["A--1"], "A\u20111", None),
    ],
    ids=ascii,
)
def test_long_dash_when_it_is_read_then_it_is_one_hyphen_or_two_and_never_one_of_both(
    service, stored, text, meant
):
    add(service, *stored)
    found = service.find_by_value(text)
    assert (found.value if found else None) == meant


@pytest.mark.parametrize("change", [str, str.upper, "]Q1{}\n".format], ids=["it", "upper", "more"])
def test_uid_when_it_is_written_without_hyphens_then_it_is_found(service, change):
    uid = service.add(new_token(), by=None)
    assert service.find_by_value(change(uid.hex)).uid == uid


@pytest.mark.parametrize(("code", "longer"), [("G-1", "g-12"), ("g-1", "G-12")])
def test_pause_when_a_longer_code_is_in_another_case_then_the_exact_one_is_not_finished(
    service, code, longer
):
    add(service, code, longer)
    with pytest.raises(Unfinished):
        service.consume_value(code, by="door", is_complete=False)
    with pytest.raises(Unfinished):
        service.find_by_value(code, is_complete=False)


@pytest.mark.parametrize(
    "text",
    [
        "F20-T",
        "F20-T\r\n",
        "\tF20-T",
        "]Q1F20-T",
        "\ufeffF20-T",
        "f20-t",
        "F20ßT",
        "F20\u2011T",
        " F20-T\u00a0",
    ],
    ids=ascii,
)
def test_code_when_a_device_adds_something_then_it_is_looked_up_and_consumed(service, text):
    [uid] = add(service, "F20-T", usage_count=2)
    assert service.find_by_value(text).uid == uid
    outcome = service.consume_value(text, by="door")
    assert isinstance(outcome, Granted)
    assert (outcome.token_uid, outcome.usage_count, outcome.value) == (uid, 1, "F20-T")


def test_code_when_it_is_a_uid_in_upper_case_then_it_is_found(service):
    uid = service.add(new_token(), by=None)
    assert service.find_by_value(str(uid).upper()).uid == uid
    assert service.consume_value(str(uid).upper(), by=None).value == str(uid)


def test_code_when_it_is_the_uid_of_a_token_with_another_code_then_it_is_unknown(service):
    [uid] = add(service, "lost")
    assert service.find_by_value(str(uid)) is None
    with pytest.raises(TokenNotFound):
        service.consume_value(str(uid).upper(), by=None)


def test_code_when_it_is_the_address_of_a_page_here_then_its_token_is_meant(service):
    [uid] = add(service, "coded")
    address = f"{SITE}/{uid}"
    assert service.find_by_value(address, site=SITE).value == "coded"
    assert service.find_by_value(address) is None
    assert service.find_by_value(address, site="https://elsewhere.example/tokens") is None
    assert service.consume_value(address, by=None, site=SITE).value == "coded"
    assert service.find_by_value(f"{SITE}/{uuid.uuid4()}", site=SITE) is None


@pytest.mark.parametrize("text", ["abc", "ABC\t", "aBc"])
def test_code_when_two_could_be_meant_then_none_is_consumed(service, text):
    uids = add(service, "Abc", "abC")
    assert service.find_by_value(text) is None
    with pytest.raises(TokenNotFound):
        service.consume_value(text, by=None)
    assert [service.get(uid).usage_count for uid in uids] == [1, 1]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\ufeff", "]Q1", "a\0b", "x" * 9_000, "\n\n", "\ud800", "x\udc80\n"],
    ids=ascii,
)
def test_code_when_nothing_can_be_meant_then_it_is_unknown(service, text):
    add(service, "Q1", "x")
    assert service.find_by_value(text) is None
    with pytest.raises(TokenNotFound):
        service.consume_value(text, by=None, is_complete=False)


@pytest.mark.parametrize(
    ("text", "values", "meant"),
    [
        ("TICKET]A1-77", ["TICKET-77"], None),
        ("]C1ABC\r\n", ["ABC", "]C1ABC"], "]C1ABC"),
        ("]C1ABC\r\n", ["]C1ABC"], "]C1ABC"),
        ("F20–T\r\n", ["F20-T", "F20–T"], "F20–T"),  # noqa: RUF001 - it is meant
        ("F20\u200b-T", ["F20-T"], "F20-T"),
        ("]C1F–1", ["F-1", "]C1F-1"], None),  # noqa: RUF001 - it is meant
        ("SUMMERFESTIVALZ01", ["SUMMERFESTIVALY01"], None),
    ],
    ids=ascii,
)
def test_code_when_others_are_near_then_the_nearest_is_meant(service, text, values, meant):
    uids = dict(zip(values, add(service, *values), strict=True))
    found = service.find_by_value(text)
    assert (found and found.uid) == uids.get(meant)
    if meant is None:
        with pytest.raises(TokenNotFound):
            service.consume_value(text, by=None)
    else:
        assert service.consume_value(text, by=None).token_uid == uids[meant]


def test_code_when_it_has_no_digest_then_another_one_does_not_stand_in_for_it(service, made_tables):
    [lower, _upper] = add(service, "abc", "ABC")
    with made_tables.begin() as connection:
        no_digest = update(TokenRecord).values(code_digest=None)
        connection.execute(no_digest.where(TokenRecord.uid == lower))
    for text in ("abc\n", "]Q1abc"):
        assert service.find_by_value(text).uid == lower


def cases_of(text: str) -> list[str]:
    """Return twice as many forms of a text in upper and lower case as are looked at."""
    forms = itertools.product(*({sign: None, sign.upper(): None} for sign in text))
    return list(map("".join, itertools.islice(forms, 2 * finding.MOST_READ)))


def test_code_when_very_many_are_alike_then_the_one_that_was_sent_is_found(service):
    values = cases_of("abcdefgh")
    add(service, *values)
    for value in values[:: finding.MOST_READ // 3]:
        assert service.find_by_value(f"]C1{value}\r\n").value == value
    assert service.find_by_value("ABCDEFGH") is None


def test_code_when_it_is_a_uid_among_very_many_alike_then_it_is_found_in_any_case(service):
    uid = uuid.UUID("abcdefab-cdef-4abc-8def-abcdefabcdef")
    add(service, *cases_of(str(uid))[1:])
    service.add_as(uid, new_token(value=None), by=None)
    assert service.find_by_value(str(uid).upper()).uid == uid


def test_code_when_it_is_the_address_of_anothers_page_then_the_code_is_meant(service):
    [page] = add(service, "A")
    address = f"{SITE}/{page}"
    [coded] = add(service, address)
    for text in (address, f"{address}\n", f"]Q1{address}"):
        assert service.find_by_value(text, site=SITE).uid == coded
    # In another case it could be both.
    assert service.find_by_value(address.upper(), site=SITE) is None
    service.delete(coded, by=None)
    assert service.find_by_value(address.upper(), site=SITE).uid == page


def test_code_when_the_token_has_another_one_then_the_old_one_is_unknown_in_all_readings(service):
    [uid] = add(service, "Old-1")
    service.update(uid, TicketChanges(value="New-1"), by=None)
    assert service.find_by_value("old-1") is None
    assert service.find_by_value("new-1").uid == uid
    service.update(uid, TicketChanges(value=None), by=None)
    assert service.find_by_value(str(uid).upper()).uid == uid


def test_code_when_it_is_read_as_another_and_refused_then_the_refusal_tells_it(service):
    [uid] = add(service, "F20-T")
    service.consume(uid, by="north")
    outcome = service.consume_value("f20-t", by="south")
    assert isinstance(outcome, Denied)
    assert (outcome.value, outcome.denial) == ("F20-T", Denial.USAGE_COUNT_EXCEEDED)
    assert outcome.last == LastUse(service.get(uid).last_used, "north")


def test_code_when_it_is_read_as_another_and_repeated_then_one_use_is_taken(service):
    [uid] = add(service, "F20-T", usage_count=5)
    first = service.consume_value("f20-t", by="me", key=key_of(value="f20-t"))
    again = service.consume_value("f20-t", by="me", key=key_of(value="f20-t"))
    assert (first, again.is_repeat, again.value) == (again, True, "F20-T")
    assert service.get(uid).usage_count == 4


# Not complete


@pytest.mark.parametrize("text", ["G-1", "\tG-1", "g-1", "Gß1", "G-", "G"], ids=ascii)
def test_code_when_it_may_go_on_and_another_begins_with_it_then_it_is_refused(service, text):
    uids = add(service, "G-1", "G-12")
    # Of what is no code in any case only the exact beginning is looked for.
    with pytest.raises(Unfinished):
        service.consume_value(text, by="door", is_complete=False)
    assert [service.get(uid).usage_count for uid in uids] == [1, 1]
    assert service.usages(uids[0], 5).usages == ()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Gß1", ["g-1", "G-12"]),
        ("gß1", ["g-1", "G-12"]),
        ("]C1G-1", ["G-1", "]C1G-12"]),
        ("]C1G-1", ["]C1G-1", "G-12"]),
        ("G–1", ["G–1", "G-12"]),  # noqa: RUF001 - it is meant
        ("e\u0301", ["é", "e\u03012"]),
    ],
    ids=ascii,
)
def test_code_when_it_may_go_on_in_any_reading_then_it_is_refused(
    service, made_tables, text, values
):
    uids = add(service, *values)
    with made_tables.begin() as connection:
        # As in a table from before codes had a form.
        stored = update(TokenRecord).values(value=values[1])
        connection.execute(stored.where(TokenRecord.uid == uids[1]))
    with pytest.raises(Unfinished):
        service.consume_value(text, by="door", is_complete=False)
    assert [service.get(uid).usage_count for uid in uids] == [1, 1]
    service.delete(uids[1], by=None)
    assert service.consume_value(text, by="door", is_complete=False).token_uid == uids[0]


@pytest.mark.parametrize("text", ["G-12", "g-12", "G-12\n"], ids=ascii)
def test_code_when_it_may_go_on_and_none_does_then_it_is_consumed(service, text):
    uids = add(service, "G-1", "G-12", "G-2", "G")
    assert service.consume_value(text, by="door", is_complete=False).token_uid == uids[1]


def test_code_when_it_may_go_on_and_no_text_is_behind_it_then_longer_ones_are_found(service):
    [uid] = add(service, "G-1")
    with pytest.raises(TokenNotFound):
        service.consume_value(chr(sys.maxunicode), by="door", is_complete=False)
    assert service.get(uid).usage_count == 1


def test_code_when_it_is_complete_then_longer_ones_do_not_matter(service):
    uids = add(service, "G-1", "G-12")
    assert service.consume_value("G-1", by="door").token_uid == uids[0]


def test_code_when_it_was_granted_and_a_longer_one_is_added_then_a_repeat_tells_the_grant(service):
    add(service, "G-1")
    key = key_of(value="G-1", ended_by="pause")
    first = service.consume_value("G-1", by="door", key=key, is_complete=False)
    add(service, "G-12")
    assert service.consume_value("G-1", by="door", key=key, is_complete=False) == first
    with pytest.raises(Unfinished):
        service.consume_value("G-1", by="door", is_complete=False)


def test_code_when_it_ends_with_the_greatest_character_then_longer_ones_are_seen(service):
    last = "\U0010fffd"
    uids = add(service, f"a{last}", f"a{last}b")
    with pytest.raises(Unfinished):
        service.consume_value(f"a{last}", by=None, is_complete=False)
    assert service.consume_value(f"a{last}b", by=None, is_complete=False).token_uid == uids[1]


# The use before


def test_consume_when_granted_then_the_use_before_is_told(service):
    [uid] = add(service, "x", usage_count=3)
    first = service.consume(uid, by="north")
    assert first.before == LastUse(None, None)
    time = service.get(uid).last_used
    service.update(uid, TicketChanges(lock_time=0), by="editor")
    second = service.consume_value("x", by="south")
    assert second.before == LastUse(time, "north")
    assert service.get(uid).last_user == "south"


def test_consume_when_repeated_with_its_key_then_the_use_before_is_that_of_the_first_time(service):
    [uid] = add(service, "x", usage_count=3)
    service.consume(uid, by="north")
    first = service.consume(uid, by="south", key=key_of())
    service.consume(uid, by="west")
    assert service.consume(uid, by="south", key=key_of()).before == first.before
    refused = service.consume(uid, by="east", key=key_of("refused"))
    service.update(uid, TicketChanges(usage_count=5), by="editor")
    service.consume(uid, by="west")
    assert service.consume(uid, by="east", key=key_of("refused")).last == refused.last


def test_consume_when_the_key_is_of_before_then_the_use_before_is_known_while_nothing_changes(
    service, made_tables
):
    [uid] = add(service, "x", usage_count=3)
    service.consume(uid, by="north")
    first = service.consume(uid, by="south", key=key_of())
    receipt = json.dumps({"receipt": str(first.receipt)})
    with made_tables.begin() as connection:
        connection.execute(update(TokenRequestRecord).values(answer=receipt))
    assert service.consume(uid, by="south", key=key_of()).before == first.before
    service.consume(uid, by="west")
    assert service.consume(uid, by="south", key=key_of()).before is None


# What it costs


def test_code_when_it_is_exact_then_it_costs_what_a_uid_does(service, query_recorder):
    [uid] = add(service, "F20-T", usage_count=9)
    query_recorder.clear()
    service.consume(uid, by=None)
    cost = len(query_recorder)
    query_recorder.clear()
    service.consume_value("F20-T", by=None)
    assert len(query_recorder) == cost
    query_recorder.clear()
    service.find_by_value("F20-T")
    assert len(query_recorder) == 1


@pytest.mark.parametrize("text", ["f20-t", "unknown"])
def test_code_when_it_is_not_exact_then_it_is_looked_up_with_one_statement_more(
    service,
    query_recorder,
    text,
):
    add(service, "F20-T")
    query_recorder.clear()
    service.find_by_value(text)
    assert len(query_recorder) == 2


@pytest.mark.parametrize(
    "ask",
    [lambda service, _token: service.find_by_value("f20ßt"), TicketService.find_alike],
    ids=["readings", "alike"],
)
def test_code_when_it_is_looked_up_by_its_readings_then_along_the_index(
    service, made_tables, query_recorder, ask
):
    service.add_many(new_token(), 2_000, "many-", by=None)
    token = service.get(*add(service, "F20-U"))
    with made_tables.begin() as connection:
        connection.exec_driver_sql("ANALYZE tokens")
    query_recorder.clear()
    given = []
    listen = (made_tables, "before_cursor_execute", lambda *told: given.append(told[3]))
    event.listen(*listen)
    ask(service, token)
    event.remove(*listen)
    explain = "EXPLAIN QUERY PLAN " if made_tables.dialect.name == "sqlite" else "EXPLAIN "
    with made_tables.connect() as connection:
        plan = connection.exec_driver_sql(explain + query_recorder.statements[-1], given[-1]).all()
    assert "ix_tokens_code_digest" in str(plan)
    assert "SCAN tokens" not in str(plan)
    # The table of former codes is as small as other tests left it.
    assert "Seq Scan on tokens" not in str(plan)


# Races


def test_race_when_many_send_one_code_in_other_forms_then_each_use_is_granted_once(service):
    [uid] = add(service, "F20-T", usage_count=7)
    forms = ["F20-T", "f20-t", "F20-T\r", "F20ßT", "]Q1F20-T"] * 4
    with concurrent.futures.ThreadPoolExecutor(len(forms)) as pool:
        outcomes = list(pool.map(lambda form: service.consume_value(form, by=None), forms))
    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 7
    assert service.get(uid).usage_count == 0


@pytest.fixture
def overtaken(service, made_tables, monkeypatch):
    """A token ``F20-T`` whose code is changed as soon as somebody has read it."""
    if made_tables.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    [uid] = add(service, "F20-T")
    read = finding.read_code

    def read_and_be_overtaken(tx, *arguments):
        token = read(tx, *arguments)
        service.update(uid, TicketChanges(value="F20-U"), by=None)
        return token

    monkeypatch.setattr(finding, "read_code", read_and_be_overtaken)
    return uid


def test_race_when_the_code_changes_between_reading_and_consuming_then_no_use_is_taken(
    service, overtaken
):
    with pytest.raises(TokenNotFound):
        service.consume_value("f20-t", by=None)
    assert service.get(overtaken).usage_count == 1


def test_race_when_the_code_changes_between_reading_and_changing_then_nothing_is_changed(
    service, overtaken
):
    with pytest.raises(TokenNotFound):
        service.update_by_value("f20-t", TicketChanges(lock_time=9), by=None)
    assert service.get(overtaken).lock_time != 9


def test_change_when_a_code_names_the_token_then_it_is_read_as_one_that_is_scanned(service):
    [uid, _other] = add(service, "F20-T", "F20-U")
    before = service.update_by_value("]Q1f20-t\n", TicketChanges(label="Zoë"), by=None)
    assert (before.uid, before.value, before.label) == (uid, "F20-T", None)
    assert service.get(uid).label == "Zoë"
    for code in ("F20-", "F20-V"):
        with pytest.raises(TokenNotFound):
            service.update_by_value(code, TicketChanges(label="x"), by=None)


def test_digest_when_a_code_is_stored_in_any_way_then_it_is_that_of_the_code(service, made_tables):
    [uid] = add(service, "A")
    service.add_many(new_token(), 60, "P-", by=None)
    service.update(uid, TicketChanges(value="B"), by=None)
    with made_tables.connect() as connection:
        rows = connection.exec_driver_sql("SELECT value, code_digest FROM tokens").all()
    assert len(rows) == 61
    assert [row[1] for row in rows] == [codes.digest(row[0]) for row in rows]


# What is read alike


@pytest.fixture
def alike(service):
    """A function that returns the code that is read like one of a token."""
    return lambda uid: service.find_alike(service.get(uid))


@pytest.mark.parametrize("other", ["ab-1", "Ab\u20111"], ids=ascii)
def test_code_when_it_differs_from_that_of_another_token_by_case_alone_then_it_is_told(
    service, alike, other
):
    uids = add(service, "AB-1", other)
    assert [alike(uid) for uid in uids] == [other, "AB-1"]


def test_code_when_there_is_none_that_is_read_alike_then_none_is_told(service, alike):
    uids = add(service, "AB-1", "AB-2", "AB1")
    assert [alike(uid) for uid in uids] == [None] * 3


def test_code_when_another_one_was_replaced_then_it_is_told_and_never_to_its_own_token(
    service, alike
):
    lost, other = add(service, "AB-1", "ab-1")
    service.replace(lost, by=None)
    assert alike(other) == "AB-1"
    service.update(lost, TicketChanges(value="Ab-1"), by=None)
    assert (alike(lost), alike(other)) == ("ab-1", "Ab-1")
    service.delete(other, by=None)
    assert alike(lost) is None


def test_code_when_it_is_asked_what_is_read_alike_then_one_statement_tells(service, query_recorder):
    [uid] = add(service, "AB-1")
    token = service.get(uid)
    query_recorder.clear()
    service.find_alike(token)
    assert len(query_recorder) == 1
