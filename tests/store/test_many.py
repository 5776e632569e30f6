"""Changes of many tokens, made before SQLite's lock is taken: right, whoever comes between."""

import contextlib
import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from cone.tokens.core import sqlite
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.foresight import WORTH_FORESEEING
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.store import finding
from cone.tokens.core.store import locking
from cone.tokens.core.values import EVERYTHING
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import new_token

COUNT = WORTH_FORESEEING + 50


NEW_VALUES = [f"new {number}" for number in range(COUNT)]


def rows_of(values):
    """Return the rows of an import: three uses for each value."""
    return [
        ImportRow(token=new_token(value=value, usage_count=3), changes=TicketChanges(usage_count=3))
        for value in values
    ]


def values_of(service, uids):
    return [service.get(uid).value for uid in uids]


@pytest.fixture
def uids(service):
    """Tokens with values and a creator that need care on their way through JSON."""
    uids = service.add_many(new_token(usage_count=9), COUNT, "“\\\"'\x1d👪 {}", by="ü\"'\n\x01")
    # A value that looks like a number stays a text.
    for uid, value in zip(uids, ("007", "1.0", "null", "[1]", '{"a": 1}'), strict=False):
        service.update(uid, TicketChanges(value=value), by=None)
    return uids


CHANGES = {
    "update, named": lambda service, uids: service.update_many(
        uids, TicketChanges(usage_count=5, lock_time=7), by="me"
    ),
    "update, all": lambda service, _uids: service.update_many(
        EVERYTHING, TicketChanges(enabled=False), by="me"
    ),
    "delete, named": lambda service, uids: service.delete_many(uids, by="me"),
    "delete, all": lambda service, _uids: service.delete_many(EVERYTHING, by="me"),
    "import": lambda service, uids: service.import_tokens(
        [*rows_of(values_of(service, uids[::2])), *rows_of(NEW_VALUES)], Known.UPDATE, by="me"
    ),
    "import, all known": lambda service, uids: service.import_tokens(
        rows_of(values_of(service, uids)), Known.UPDATE, by="me"
    ),
}
EVERY_CHANGE = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def assert_proven(engine):
    audit = Maintenance(Database(engine, utc_now), [TICKET]).verify()
    assert not audit.findings


def values_are_right(service, uids):
    *strange, usual = (service.get(uid).value for uid in uids[:6])
    return strange == ["007", "1.0", "null", "[1]", '{"a": 1}'] and usual.startswith("“\\\"'\x1d")


@EVERY_CHANGE
def test_change_when_it_is_large_then_the_logs_tell_it(service, made_tables, uids, change):
    assert values_are_right(service, uids)
    change(service, uids)
    assert_proven(made_tables)


@pytest.mark.parametrize("are_known", [True, False], ids=["all known", "all new"])
def test_import_when_it_is_large_and_all_rows_are_of_one_sort_then_each_counts(
    service, uids, are_known
):
    values = values_of(service, uids) if are_known else NEW_VALUES
    report = service.import_tokens(rows_of(values), Known.UPDATE, by="me")
    assert (report.added, report.updated) == ((0, COUNT) if are_known else (COUNT, 0))
    found = [service.find_by_value(value) for value in values]
    expected = (3, 2, "ü\"'\n\x01") if are_known else (3, 1, "me")
    told = {(token.usage_count, token.version, token.creator) for token in found[5:]}
    assert told == {expected}


@EVERY_CHANGE
def test_change_when_somebody_comes_between_then_it_is_right_all_the_same(
    service, made_tables, uids, change, monkeypatch
):
    other, writing, came = on_engine(made_tables), service._work.database.writing, []

    @contextlib.contextmanager
    def late(*args, **kwargs):
        if not came:
            came.append(other.consume(uids[2], by="door"))
        with writing(*args, **kwargs) as tx:
            yield tx

    monkeypatch.setattr(service._work.database, "writing", late)
    change(service, uids)
    assert came
    assert_proven(made_tables)


@EVERY_CHANGE
def test_change_when_nobody_comes_between_then_nothing_is_read_with_sqlites_lock(
    service, made_tables, uids, change, monkeypatch
):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("rows are locked, not the database")

    def refuse(*_args, **kwargs):
        assert not kwargs.get("for_update", True)
        return find_known(*_args, **kwargs)

    find_known = finding.find_known
    monkeypatch.setattr(locking, "lock_many", refuse)
    monkeypatch.setattr(finding, "find_known", refuse)
    change(service, uids)
    assert_proven(made_tables)


@EVERY_CHANGE
def test_change_when_its_checkpoint_begins_then_others_write_and_the_file_catches_up(
    service, made_tables, uids, change, monkeypatch
):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("a server has processes of its own for checkpoints")
    catch_up, beside = sqlite.catch_up, []

    def watched(connection):
        if connection.info.get(sqlite._CHECKPOINT_PAGES) and not beside:
            with ThreadPoolExecutor() as pool:
                beside.append(pool.submit(service.add, new_token(), by=None).result(timeout=4))
        catch_up(connection)

    monkeypatch.setattr(sqlite, "catch_up", watched)
    change(service, uids)
    assert len(beside) == 1
    with made_tables.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() > 0
        _busy, pages, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint").one()
    assert pages == moved
    assert_proven(made_tables)


def test_deletion_when_one_matches_no_longer_then_what_matches_by_then_counts(
    service, made_tables, uids, monkeypatch
):
    """A filter, and a token that stops to match it between reading and writing."""
    matching = dataclasses.replace(EVERYTHING, prefix="“")
    other, writing = on_engine(made_tables), service._work.database.writing

    @contextlib.contextmanager
    def late(*args, **kwargs):
        if other.get(uids[-1]).value != "other":
            other.update(uids[-1], TicketChanges(value="other"), by=None)
        with writing(*args, **kwargs) as tx:
            yield tx

    monkeypatch.setattr(service._work.database, "writing", late)
    assert service.delete_many(matching, by=None) == COUNT - 6
    assert service.find(uids[-1]).value == "other"
    assert_proven(made_tables)
