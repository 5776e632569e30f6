"""Databases of cone.tokens 2.0, upgraded on both databases."""

import csv
import dataclasses
import datetime
import importlib.resources
import json
import threading
import zoneinfo
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine
from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy import text

from cone.tokens.core import codes
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.values import MAX_INSTANT
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.core.values import Granted
from cone.tokens.migrations import own_objects as migration_own_objects
from cone.tokens.migrations import schema
from cone.tokens.migrations import upgrade
from cone.tokens.migrations.of_2_0 import OldDatabase
from cone.tokens.migrations.of_2_0 import Options
from cone.tokens.migrations.upgrade import UpgradeRefused
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import TicketChanges
from tests.support.old_database import TABLES
from tests.support.old_database import add_token
from tests.support.old_database import add_usage
from tests.support.old_database import make_tables
from tests.support.old_database import uid_of

ZONE = zoneinfo.ZoneInfo("Europe/Vienna")
WILLING = Options(ZONE, "keep-oldest", "uid")
UNKNOWN = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MIDDAY = datetime.datetime(2024, 1, 15, 11, tzinfo=datetime.UTC)


class Old(NamedTuple):
    """A database of 2.0, and what is done with it."""

    engine: object
    report: Path

    @property
    def database(self) -> Database:
        return Database(self.engine, utc_now)

    def add(self, number: int, **fields) -> None:
        with self.engine.begin() as connection:
            add_token(connection, number, **{"value": f"value-{number}", **fields})

    def add_usage(self, number: int, token: int, **fields) -> None:
        with self.engine.begin() as connection:
            add_usage(connection, number, token, **fields)

    def found(self, options: Options = WILLING) -> dict[str, int]:
        findings = upgrade.check(self.database, options)
        odd = {".".join(key): count for key, count in findings.counts.items()}
        return {name: count for name, count in odd.items() if not name.endswith(".plain")}

    def upgrade(self, options: Options = WILLING) -> list[tuple[str, ...]]:
        """Upgrade, and return the lines of the report about single rows."""
        count = upgrade.upgrade_from_2_0(
            self.database,
            options,
            self.report,
            lambda _steps: None,
            tell=lambda _findings, _backup: None,
        )
        with self.report.open(newline="") as file:
            lines = [tuple(line) for line in csv.reader(file)]
        single = [line for line in lines[1:] if line[1]]
        assert count == len(single)
        return single

    def token(self, number: int) -> TokenRecord:
        return self.row(select(TokenRecord).where(TokenRecord.uid == uid_of(number)))

    def usage(self, number: int) -> TokenUsageRecord:
        return self.row(select(TokenUsageRecord).where(TokenUsageRecord.uid == uid_of(number)))

    @property
    def percent(self) -> str:
        """A percent sign, as the driver reads it in a statement."""
        return "%" if self.engine.dialect.name == "sqlite" else "%%"

    def row(self, statement):
        with self.engine.connect() as connection:
            return connection.execute(statement).one()

    def everything(self) -> dict[str, list[tuple]]:
        with self.engine.connect() as connection:
            return {
                name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")).all()))
                for name in inspect(self.engine).get_table_names()
            }


@pytest.fixture
def old(empty_database, tmp_path) -> Old:
    with empty_database.begin() as connection:
        make_tables(connection)
    return Old(empty_database, tmp_path / "report.csv")


def utc(written: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(written).replace(tzinfo=datetime.UTC)


def only_sqlite(old: Old) -> None:
    if old.engine.dialect.name != "sqlite":
        pytest.skip("types of PostgreSQL see to that")


def only_postgresql(old: Old) -> None:
    if old.engine.dialect.name == "sqlite":
        pytest.skip("about servers")


# What becomes of rows


def test_upgrade_when_nothing_is_odd_then_all_is_there_and_works(old):
    old.add(1, usage_count=2, lock_time=60, last_used="2024-07-15 12:00:00.123456")
    old.add_usage(2, 1, error_code=None)
    old.add_usage(3, 1, error_code=3)
    assert old.upgrade() == []
    token = old.token(1)
    assert (token.value, token.usage_count, token.lock_time) == ("value-1", 2, 60)
    assert (token.code_digest, token.last_user) == (codes.digest("value-1"), None)
    assert (token.creator, token.enabled, token.version) == ("somebody", True, 1)
    assert (token.created, token.modified) == (MIDDAY, MIDDAY)
    assert token.last_used == utc("2024-07-15T10:00:00.123456")
    assert token.locked_until == utc("2024-07-15T10:01:00.123456")
    usage = old.usage(3)
    assert (usage.token_uid, usage.token_value, usage.user) == (uid_of(1), "fine", "somebody")
    assert (usage.error_code, usage.usage_count, usage.version) == (3, None, 0)
    assert usage.timestamp == utc("2024-01-15T12:00")
    service = on_engine(old.engine)
    assert isinstance(service.consume(uid_of(1), by="me"), Granted)
    denials = [use.denial and use.denial.code for use in service.usages(uid_of(1), 5).usages]
    assert denials == [None, 3, None]
    schema.prepare(old.engine)


def test_upgrade_when_done_then_each_token_has_an_event_with_what_it_was_like(old):
    old.add(1, valid_from="2024-07-01 00:00:00.000000", valid_to="2024-07-02 00:00:00.500000")
    old.add(2, usage_count=None)
    old.upgrade()
    event = old.row(select(TokenEventRecord).where(TokenEventRecord.token_uid == uid_of(1)))
    assert (event.action, event.user, event.old_values, event.version) == ("upgrade", None, None, 1)
    assert abs(event.timestamp - utc_now()) < datetime.timedelta(minutes=5)
    assert json.loads(event.new_values) == {
        "value": "value-1",
        "valid_from": "2024-06-30T22:00:00+00:00",
        "valid_to": "2024-07-01T22:00:00.500000+00:00",
        "usage_count": 1,
        "lock_time": 0,
        "enabled": True,
    }
    assert json.loads(
        old.row(select(TokenEventRecord).where(TokenEventRecord.token_uid == uid_of(2))).new_values,
    ) == {
        "value": "value-2",
        "valid_from": None,
        "valid_to": None,
        "usage_count": 0,
        "lock_time": 0,
        "enabled": True,
    }


@pytest.mark.parametrize(
    ("column", "stored", "expected", "slug"),
    [
        ("usage_count", None, 0, "missing"),
        ("usage_count", -2, 0, "too_low"),
        ("usage_count", -(2**31), 0, "too_low"),
        ("usage_count", -1, -1, None),
        ("usage_count", MAX_INTEGER, MAX_INTEGER, None),
        ("lock_time", None, 0, "missing"),
        ("lock_time", -1, 0, "too_low"),
        ("lock_time", MAX_INTEGER, MAX_INTEGER, None),
    ],
)
def test_upgrade_when_a_number_is_out_of_range_then_it_is_put_right(
    old,
    column,
    stored,
    expected,
    slug,
):
    old.add(1, **{column: stored})
    assert old.found().get(f"tokens.{column}.{slug}", 0) == bool(slug)
    lines = old.upgrade()
    assert getattr(old.token(1), column) == expected
    was = "" if stored is None else str(stored)
    told = [("tokens", str(uid_of(1)), column, was, str(expected), slug)] if slug else []
    assert lines == told


@pytest.mark.parametrize(
    ("column", "stored", "expected", "slug"),
    [
        ("usage_count", 2**31, MAX_INTEGER, "too_high"),
        ("usage_count", "many", 0, "missing"),
        ("usage_count", 1.5, 0, "missing"),
        ("lock_time", 2**40, MAX_INTEGER, "too_high"),
        ("lock_time", "long", 0, "missing"),
    ],
)
def test_upgrade_when_sqlite_kept_an_odd_number_then_it_is_put_right(
    old,
    column,
    stored,
    expected,
    slug,
):
    only_sqlite(old)
    old.add(1, **{column: stored})
    lines = old.upgrade()
    assert getattr(old.token(1), column) == expected
    assert lines == [("tokens", str(uid_of(1)), column, str(stored), str(expected), slug)]


@pytest.mark.parametrize(
    ("column", "stored", "expected", "slug"),
    [
        ("last_used", "2024-03-31 02:30:00.000000", "2024-03-31T01:30", "gap"),
        ("valid_from", "2024-10-27 02:30:00.000000", "2024-10-27T01:30", "fold"),
        ("valid_to", "2024-10-27 01:59:59.999999", "2024-10-26T23:59:59.999999", None),
        ("valid_to", "2024-10-27 03:00:00.000000", "2024-10-27T02:00", None),
        ("valid_from", "0001-01-01 00:00:00.000000", None, "out_of_range"),
        ("valid_to", "9999-12-31 23:59:59.000000", None, "out_of_range"),
        ("valid_from", "9999-12-31 00:00:00.000000", "9998-12-31T23:59:59.999999", "out_of_range"),
        ("valid_to", "0001-12-31 00:00:00.000000", "0002-01-01T00:00", "out_of_range"),
        ("last_used", "9999-01-01 00:00:00.000000", "9998-12-31T23:59:59.999999", "out_of_range"),
        ("created", None, "2024-01-15T11:00", "missing"),
        ("modified", None, "2024-01-15T11:00", "missing"),
        ("created", "2024-10-27 02:00:00.000000", "2024-10-27T01:00", "fold"),
    ],
)
def test_upgrade_when_a_time_is_naive_then_it_is_read_in_the_zone(
    old,
    column,
    stored,
    expected,
    slug,
):
    old.add(1, lock_time=5, **{column: stored})
    assert old.found().get(f"tokens.{column}.{slug}", 0) == bool(slug)
    lines = old.upgrade()
    time = expected and utc(expected)
    assert getattr(old.token(1), column) == time
    assert [(line[2], line[4], line[5]) for line in lines] == (
        [(column, time.isoformat() if time else "", slug)] if slug else []
    )
    assert on_engine(old.engine).get(uid_of(1))


def test_upgrade_when_all_times_are_missing_then_they_are_known_to_be_unknown(old):
    old.add(1, created=None, modified=None)
    old.add_usage(2, 1, timestamp=None)
    old.upgrade()
    assert (old.token(1).created, old.token(1).modified) == (UNKNOWN, UNKNOWN)
    assert old.usage(2).timestamp == UNKNOWN


def test_upgrade_when_a_lock_would_end_behind_all_times_then_it_ends_at_the_last(old):
    old.add(1, lock_time=MAX_INTEGER, last_used="9990-01-01 00:00:00.000000")
    old.upgrade()
    assert old.token(1).locked_until == utc("9998-12-31T23:59:59.999999")


def test_upgrade_when_a_window_is_empty_then_it_stays_and_is_told(old):
    window = {"valid_from": "2024-07-02 00:00:00.000000", "valid_to": "2024-07-01 00:00:00.000000"}
    old.add(1, **window)
    assert old.found()["tokens.valid_to.empty_window"] == 1
    assert old.upgrade() == []
    assert old.token(1).valid_from > old.token(1).valid_to


def test_upgrade_when_usages_are_odd_then_they_are_kept(old):
    old.add_usage(1, 9, token_uid=None, token_value=None, user=None, error_code=0)
    lines = old.upgrade()
    usage = old.usage(1)
    assert (usage.token_uid.int, usage.token_value, usage.user, usage.error_code) == (
        *(0, "", None, None),
    )
    assert sorted(line[2] for line in lines) == ["error_code", "token_uid", "token_value"]


# Values


@pytest.mark.parametrize(
    ("stored", "slug"),
    [(None, "missing"), ("", "missing"), ("x" * 2_049, "too_long"), ("ä" * 1_025, "too_long")],
)
def test_upgrade_when_a_value_is_none_of_ours_then_it_becomes_the_uid(old, stored, slug):
    old.add(1, value=stored)
    (line,) = old.upgrade()
    assert line[2:] == ("value", stored or "", str(uid_of(1)), slug)
    assert old.token(1).value == str(uid_of(1))


@pytest.mark.parametrize("stored", ["a\0b", b"bytes"])
def test_upgrade_when_sqlite_kept_a_value_that_is_no_text_then_it_becomes_the_uid(old, stored):
    only_sqlite(old)
    old.add(1, value=stored)
    assert old.found()["tokens.value.unusable"] == 1
    old.upgrade()
    assert old.token(1).value == str(uid_of(1))


@pytest.mark.parametrize("stored", ["x" * 2_048, "ä" * 1_024, " ", "'; DROP TABLE tokens; --"])
def test_upgrade_when_a_value_fits_then_it_stays(old, stored):
    old.add(1, value=stored)
    assert old.upgrade() == []
    assert old.token(1).value == stored


@pytest.mark.parametrize(("duplicates", "keeper"), [("keep-oldest", 2), ("keep-newest", 3)])
def test_upgrade_when_values_are_double_then_one_keeps_it(old, duplicates, keeper):
    for number, year in [(1, 2023), (2, 2022), (3, 2024)]:
        old.add(number, value="double", created=f"{year}-01-01 00:00:00.000000")
    old.add(4, value="Double")
    old.add(5, value="double", created=None)
    options = Options(ZONE, duplicates)
    assert old.found(options)["tokens.value.double"] == 3
    lines = old.upgrade(options)
    others = {1, 2, 3, 5} - {keeper}
    assert old.token(keeper).value == "double"
    assert {number: old.token(number).value for number in others} == {
        number: str(uid_of(number)) for number in others
    }
    assert old.token(4).value == "Double"
    assert len([line for line in lines if line[5] == "double"]) == 3


@pytest.mark.parametrize("duplicates", ["keep-oldest", "keep-newest"])
def test_upgrade_when_double_values_are_of_the_same_time_then_the_first_uid_keeps_it(
    old,
    duplicates,
):
    old.add(2, value="double")
    old.add(1, value="double")
    old.upgrade(Options(ZONE, duplicates))
    assert old.token(1).value == "double"


def test_upgrade_when_a_uid_is_the_value_of_another_token_then_another_one_is_found(old):
    old.add(1, value=None)
    old.add(2, value=str(uid_of(1)))
    old.add(3, value=f"{uid_of(1)}-2")
    old.add(4, value=str(uid_of(4)))
    old.upgrade()
    assert [old.token(number).value for number in range(1, 5)] == [
        f"{uid_of(1)}-3",
        str(uid_of(1)),
        f"{uid_of(1)}-2",
        str(uid_of(4)),
    ]


# What is refused


REFUSED = {
    "double": ({"value": "other"}, {}, Options(ZONE, "refuse", "uid"), "--duplicates"),
    "long": ({"value": "x" * 3_000}, {}, Options(ZONE, "keep-oldest"), "--long-values"),
}


@pytest.mark.parametrize(("fields", "usage", "options", "text"), REFUSED.values(), ids=REFUSED)
def test_upgrade_when_nobody_said_what_to_do_then_it_is_refused(old, fields, usage, options, text):
    old.add(1, value="other")
    old.add(2, **fields)
    before = old.everything()
    with pytest.raises(UpgradeRefused, match=text):
        old.upgrade(options)
    assert old.everything() == before
    assert not old.report.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tokens SET created = 'yesterday'",
        "UPDATE tokens SET valid_to = 5",
        "UPDATE tokens SET uid = 'x'",
        "UPDATE token_usage SET timestamp = '2024-01-01 12:00:00+05:00'",
        "UPDATE token_usage SET token_uid = 'x'",
    ],
)
def test_upgrade_when_sqlite_kept_what_cannot_be_read_then_it_is_refused(old, statement):
    only_sqlite(old)
    old.add(1)
    old.add_usage(2, 1)
    with old.engine.begin() as connection:
        connection.execute(text(statement))
    before = old.everything()
    with pytest.raises(UpgradeRefused, match="rows that cannot be read: 1;"):
        old.upgrade()
    assert old.everything() == before


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE tokens ADD COLUMN note VARCHAR",
        "ALTER TABLE token_usage DROP COLUMN error_code",
    ],
)
def test_upgrade_when_a_table_is_not_as_2_0_made_it_then_it_is_refused(old, statement):
    old.add(1)
    with old.engine.begin() as connection:
        connection.execute(text(statement))
    before = old.everything()
    with pytest.raises(UpgradeRefused, match=r"not as cone\.tokens 2\.0 made it"):
        old.upgrade()
    assert old.everything() == before


def test_upgrade_when_the_server_does_not_know_the_zone_then_it_is_refused(old):
    if old.engine.dialect.name == "sqlite":
        pytest.skip("Python reads the times there")
    with (importlib.resources.files("tzdata.zoneinfo.Europe") / "Vienna").open("rb") as file:
        odd = zoneinfo.ZoneInfo.from_file(file, key="Mars/Olympus")
    with pytest.raises(UpgradeRefused, match="does not know the time zone Mars/Olympus"):
        old.upgrade(Options(odd))


@pytest.mark.parametrize("name", ["tokens", "token_usage"])
def test_upgrade_when_there_is_one_of_the_tables_then_both_are_there_after_it(
    empty_database,
    tmp_path,
    name,
):
    with empty_database.begin() as connection:
        make_tables(connection, name)
    old = Old(empty_database, tmp_path / "report.csv")
    assert old.upgrade() == []
    schema.prepare(empty_database)
    assert on_engine(empty_database).page(1).tokens == ()


def test_upgrade_when_the_report_is_there_then_it_is_kept_and_nothing_is_changed(old):
    old.add(1)
    old.report.write_text("mine")
    before = old.everything()
    with pytest.raises(FileExistsError):
        old.upgrade()
    assert (old.report.read_text(), old.everything()) == ("mine", before)


HANGERS_ON = {
    "sqlite": [
        "CREATE TRIGGER mine AFTER UPDATE ON tokens BEGIN SELECT 1; END",
    ],
    "postgresql": [
        "CREATE VIEW mine AS SELECT value FROM tokens",
        "CREATE TABLE other (token uuid CONSTRAINT mine REFERENCES tokens)",
        """
        CREATE TRIGGER mine BEFORE UPDATE ON tokens
        FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
        """,
        "CREATE POLICY mine ON tokens USING (true)",
        "CREATE PUBLICATION mine FOR TABLE tokens",
        "CREATE TABLE heir_mine () INHERITS (tokens)",
        "CREATE FUNCTION mine() RETURNS SETOF tokens LANGUAGE sql AS 'SELECT * FROM tokens'",
    ],
}


def test_upgrade_when_something_hangs_on_the_tables_then_it_is_refused(old):
    old.add(1)
    for statement in HANGERS_ON[old.engine.dialect.name]:
        with old.engine.begin() as connection:
            connection.execute(text(statement))
    with pytest.raises(UpgradeRefused) as caught:
        old.upgrade()
    assert len(caught.value.reasons) == len(HANGERS_ON[old.engine.dialect.name])
    assert all("mine hangs on the table tokens" in reason for reason in caught.value.reasons)
    assert inspect(old.engine).has_table("tokens")


def test_upgrade_when_the_server_does_not_drop_a_table_then_it_is_refused(old):
    only_postgresql(old)
    old.add(1)
    with old.engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (token tokens)"))
    before = old.everything()
    with pytest.raises(UpgradeRefused, match="cannot drop table tokens_of_2_0 because"):
        old.upgrade()
    assert old.everything() == before
    assert not old.report.exists()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("GRANT ALL ON tokens, token_usage TO {role}", "must be owner of table tokens"),
        ("ALTER TABLE tokens OWNER TO {role}", "permission denied for table token_usage"),
    ],
)
def test_upgrade_when_the_user_may_not_do_it_then_it_is_refused(old, statement, reason):
    only_postgresql(old)
    old.add(1)
    role = f"user_of_{old.engine.url.database}"
    with old.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(statement.format(role=role)))
    before = old.everything()
    engine = create_engine(old.engine.url.set(username=role))
    with pytest.raises(UpgradeRefused, match=reason):
        Old(engine, old.report).upgrade()
    engine.dispose()
    assert old.everything() == before
    assert not old.report.exists()


def test_check_when_the_user_may_not_do_it_then_it_is_refused(old):
    only_postgresql(old)
    role = f"user_of_{old.engine.url.database}"
    with old.engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    engine = create_engine(old.engine.url.set(username=role))
    with pytest.raises(UpgradeRefused, match="permission denied"):
        Old(engine, old.report).found()
    engine.dispose()


def test_upgrade_when_the_server_ends_long_statements_then_it_takes_its_time(old, monkeypatch):
    only_postgresql(old)
    old.add(1)
    change = f"ALTER DATABASE {old.engine.url.database} SET statement_timeout = '1s'"
    with old.engine.begin() as connection:
        connection.execute(text(change))
    old.engine.dispose()
    check = OldDatabase._check_copied

    def take_long(self, *arguments) -> None:
        self._connection.execute(text("SELECT pg_sleep(1.2)"))
        check(self, *arguments)

    monkeypatch.setattr(OldDatabase, "_check_copied", take_long)
    assert old.upgrade() == []


@pytest.mark.parametrize("written", ["9999-06-01 00:00:00.000000", "9950-06-01 00:00:00.000000"])
def test_verify_when_a_last_use_lies_far_ahead_then_nothing_is_wrong(old, written):
    old.add(1, last_used=written, lock_time=MAX_INTEGER)
    old.add(2, last_used=written, lock_time=100)
    old.upgrade()
    schema.prepare(old.engine)
    maintenance = Maintenance(old.database, [TICKET])
    assert maintenance.verify().findings == ()
    service = on_engine(old.engine)
    service.update(uid_of(2), TicketChanges(lock_time=MAX_INTEGER), by=None)
    assert service.get(uid_of(2)).locked_until == MAX_INSTANT
    service.update(uid_of(2), TicketChanges(lock_time=0), by=None)
    assert service.get(uid_of(2)).locked_until is None
    assert maintenance.verify().findings == ()


# Faults and others


@pytest.mark.parametrize("method", ["_copy_usages", "_check_copied", "_log_upgrade"])
def test_upgrade_when_it_fails_in_the_middle_then_all_is_as_before(old, monkeypatch, method):
    old.add(1, value=None)
    old.add_usage(2, 1)
    before = old.everything()

    def fail(*_arguments) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OldDatabase, method, fail)
    with pytest.raises(KeyboardInterrupt):
        old.upgrade()
    assert old.everything() == before
    assert not list(old.report.parent.glob("report.csv*"))
    monkeypatch.undo()
    assert len(old.upgrade()) == 1


def test_upgrade_when_it_is_stopped_while_it_commits_then_the_report_is_there(old, monkeypatch):
    old.add(1, value=None)
    commit = old.engine.dialect.do_commit

    def stop(connection) -> None:
        commit(connection)
        if list(old.report.parent.glob("report.csv*")):
            raise KeyboardInterrupt

    monkeypatch.setattr(old.engine.dialect, "do_commit", stop)
    with pytest.raises(KeyboardInterrupt):
        old.upgrade()
    monkeypatch.undo()
    assert old.token(1).value == str(uid_of(1))
    with old.report.open(newline="") as file:
        assert str(uid_of(1)) in file.read()


def test_upgrade_when_the_commit_fails_then_there_is_no_report(old, monkeypatch):
    old.add(1, value=None)
    before = old.everything()
    error = old.engine.dialect.loaded_dbapi.OperationalError

    def fail(_connection) -> None:
        raise error

    monkeypatch.setattr(old.engine.dialect, "do_commit", fail)
    with pytest.raises(Unavailable):
        old.upgrade()
    monkeypatch.undo()
    assert old.everything() == before
    assert not list(old.report.parent.glob("report.csv*"))
    assert len(old.upgrade()) == 1


def test_upgrade_when_rows_are_missing_in_the_copy_then_it_is_undone(old, monkeypatch):
    old.add(1)
    before = old.everything()
    monkeypatch.setattr(OldDatabase, "_copy_tokens", lambda *_arguments: None)
    with pytest.raises(RuntimeError, match="0 of 1 rows"):
        old.upgrade()
    assert old.everything() == before


def test_upgrade_when_many_do_it_at_once_then_one_does(old, tmp_path):
    old.add(1, value=None)
    url = old.engine.url
    if old.engine.dialect.name == "sqlite":
        url = url.set(query={"timeout": "30"})
    # As processes do: each has an engine, and with it a line, of its own.
    engines = [create_engine(url) for _ in range(4)]
    done, failures = [], []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        try:
            report = tmp_path / f"{number}.csv"
            done.append(
                upgrade.upgrade_from_2_0(
                    Database(engines[number], utc_now),
                    WILLING,
                    report,
                    lambda _steps: None,
                    tell=lambda _findings, _backup: None,
                ),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for engine in engines:
        engine.dispose()
    assert failures == []
    assert sorted(done, key=str) == [1, None, None, None]
    assert len(list(tmp_path.glob("?.csv"))) == 1


def test_upgrade_when_somebody_writes_then_it_waits_no_longer_than_it_may(old, monkeypatch):
    monkeypatch.setattr("cone.tokens.migrations.of_2_0.PATIENCE_S", 0.1)
    old.add(1)
    engine = create_engine(old.engine.url)
    with engine.connect() as other:
        if old.engine.dialect.name == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        other.execute(text("UPDATE tokens SET usage_count = 7"))
        with pytest.raises(Unavailable):
            old.upgrade()
        other.commit()
    engine.dispose()
    old.upgrade()
    assert old.token(1).usage_count == 7


def test_upgrade_when_others_may_use_the_tables_then_they_may_use_the_new_ones(old):
    if old.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no users")
    old.add(1)
    roles = [f"{name} of {old.engine.url.database}" for name in ("owner", "reader")]
    with old.engine.begin() as connection:
        for role in roles:
            connection.execute(text(f'CREATE ROLE "{role}"'))
        for table in ("tokens", "token_usage"):
            connection.execute(text(f'ALTER TABLE {table} OWNER TO "{roles[0]}"'))
            connection.execute(text(f'GRANT SELECT ON {table} TO "{roles[1]}"'))
            connection.execute(text(f"GRANT SELECT ON {table} TO PUBLIC"))
            grant = f'GRANT UPDATE ON {table} TO "{roles[1]}" WITH GRANT OPTION'
            connection.execute(text(grant))
    old.upgrade()
    new = ["token_events", "token_requests", "token_schema", "token_usage", "tokens"]
    owners = "SELECT tablename FROM pg_tables WHERE tableowner = :owner ORDER BY 1"
    may = text("SELECT has_table_privilege(:reader, :name, 'SELECT')")
    may_grant = text("SELECT has_table_privilege(:reader, :name, 'UPDATE WITH GRANT OPTION')")
    with old.engine.connect() as connection:
        assert connection.scalars(text(owners), {"owner": roles[0]}).all() == new
        for name in new:
            assert connection.scalar(may, {"reader": roles[1], "name": name})
            assert connection.scalar(may_grant, {"reader": roles[1], "name": name})


# Indexes of the site's own, and what else it added

OWN_INDEXES = {
    "both": [
        "CREATE INDEX mine_value ON tokens (value)",
        "CREATE UNIQUE INDEX mine_unique ON tokens (value, creator)",
        "CREATE INDEX mine_times ON tokens (creator, created DESC)",
        "CREATE INDEX mine_some ON tokens (usage_count) WHERE usage_count > 0",
        "CREATE INDEX mine_lower ON tokens (lower(creator)) WHERE creator LIKE '%a'",
        'CREATE INDEX mine_users ON token_usage ("user", timestamp)',
    ],
    "sqlite": [
        'CREATE INDEX "mine ""odd"" name" ON tokens (creator COLLATE NOCASE)',
        "CREATE INDEX mine_days ON tokens (date(created))",
    ],
    "postgresql": [
        'CREATE INDEX "mine ""odd"" name" ON tokens USING hash (creator)',
        "CREATE INDEX mine_pattern ON tokens (value varchar_pattern_ops) INCLUDE (creator)",
        "CREATE STATISTICS mine_pairs ON creator, usage_count FROM tokens",
        "COMMENT ON TABLE tokens IS 'it''s 100% mine'",
        "COMMENT ON COLUMN tokens.creator IS 'mine'",
        "COMMENT ON INDEX mine_value IS 'mine'",
        "COMMENT ON STATISTICS mine_pairs IS 'mine'",
    ],
}
OWN_SQL = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE name LIKE 'mine%' ORDER BY name",
    "postgresql": """
        SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'mine%'
        UNION SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
        UNION SELECT CAST(objsubid AS text) || description,
            obj_description(objoid, CAST(CAST(classoid AS regclass) AS name))
        FROM pg_description WHERE description LIKE '%mine'
        ORDER BY 1, 2
    """,
}


def execute(old: Old, *statements: str) -> None:
    with old.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", old.percent))


def own_objects(old: Old) -> list[tuple]:
    with old.engine.connect() as connection:
        return connection.execute(text(OWN_SQL[old.engine.dialect.name])).all()


def test_upgrade_when_the_site_has_indexes_of_its_own_then_they_are_made_again(old):
    old.add(1, usage_count=2)
    execute(old, *OWN_INDEXES["both"], *OWN_INDEXES[old.engine.dialect.name])
    before = own_objects(old)
    assert len(before) >= len(OWN_INDEXES["both"]) + 2
    told = upgrade.check(old.database, WILLING).own
    assert "the index mine_value" in [own.name for own in told]
    old.upgrade()
    after = [(name, sql.replace(' COLLATE "C"', "")) for name, sql in own_objects(old)]
    assert after == [tuple(row) for row in before]
    assert on_engine(old.engine).consume(uid_of(1), by=None).usage_count == 1


LOST = {
    "both": [
        ("CREATE UNIQUE INDEX mine ON tokens (creator)", "the index mine is unique"),
        ("CREATE UNIQUE INDEX mine ON token_usage (token_uid)", "the index mine is unique"),
        ("CREATE UNIQUE INDEX mine ON tokens (lower(value))", "the index mine is unique"),
        ("CREATE INDEX ix_tokens_created_uid ON tokens (created)", "has a name that one of ours"),
    ],
    "sqlite": [
        ("CREATE UNIQUE INDEX mine ON tokens (value COLLATE NOCASE)", "the index mine is unique"),
    ],
    "postgresql": [
        ("CREATE INDEX mine ON tokens (date(created))", "the index mine computes with times"),
        (
            "CREATE INDEX mine ON tokens (value) WHERE last_used > '2020-01-01'",
            "the index mine computes with times",
        ),
        ("ALTER TABLE tokens ADD CONSTRAINT mine UNIQUE (creator)", "the constraint mine"),
        ("ALTER TABLE tokens ADD CONSTRAINT mine CHECK (lock_time < 9)", "the constraint mine"),
        ("ALTER TABLE tokens ALTER creator SET DEFAULT 'mine'", "the default of creator"),
        ("ALTER TABLE tokens ALTER creator SET NOT NULL", "the NOT NULL of creator"),
        ('ALTER TABLE tokens ALTER value TYPE varchar COLLATE "C"', "the collation of value"),
        ("GRANT SELECT (value) ON tokens TO PUBLIC", "the rights on the column value"),
        ("ALTER TABLE tokens ENABLE ROW LEVEL SECURITY", "the row security"),
        ("ALTER TABLE tokens REPLICA IDENTITY FULL", "the replica identity"),
        ("CREATE RULE mine AS ON DELETE TO tokens DO INSTEAD NOTHING", "the rule mine"),
        ("CREATE SEQUENCE mine OWNED BY tokens.usage_count", "the sequence mine"),
        (
            "CREATE INDEX mine ON tokens (creator); ALTER TABLE tokens CLUSTER ON mine",
            "the index mine is invalid, clustered",
        ),
    ],
}
EVERY_LOSS = [(kind, *loss) for kind, losses in LOST.items() for loss in losses]


@pytest.mark.parametrize(("kind", "statement", "reason"), EVERY_LOSS, ids=lambda part: part[:60])
def test_upgrade_when_something_of_the_site_would_be_lost_then_it_is_refused(
    old, kind, statement, reason
):
    if kind not in ("both", old.engine.dialect.name):
        pytest.skip("about the other database")
    old.add(1)
    execute(old, *statement.split("; "))
    before = old.everything()
    with pytest.raises(UpgradeRefused) as refused:
        old.upgrade()
    (told,) = refused.value.reasons
    assert reason in told
    assert told.endswith("take it away, and make it anew after")
    assert upgrade.check(old.database, WILLING).problems == (told,)
    assert old.everything() == before
    assert not old.report.exists()


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("creator VARCHAR DEFAULT 'mine'", "the default of the column tokens.creator"),
        ("creator VARCHAR NOT NULL", "NOT NULL of the column tokens.creator"),
        ("creator VARCHAR UNIQUE", "a unique constraint of tokens"),
        ("creator VARCHAR CHECK (creator <> 'CHECK')", "CHECK in the table tokens"),
        ("creator VARCHAR COLLATE NOCASE", "COLLATE in the table tokens"),
        ("creator VARCHAR REFERENCES other (x)", "a foreign key of tokens"),
        ("creator VARCHAR AS (value)", "the expression of the column tokens.creator"),
    ],
)
def test_upgrade_when_a_table_of_sqlite_was_made_otherwise_then_it_is_refused(old, column, reason):
    only_sqlite(old)
    made = TABLES[0].format(uid="CHAR(32)", time="DATETIME")
    execute(old, "DROP TABLE tokens", made.replace("creator VARCHAR", column))
    with pytest.raises(UpgradeRefused) as refused:
        old.upgrade()
    assert [told.partition(" would")[0] for told in refused.value.reasons] == [reason]


def test_upgrade_when_an_index_cannot_be_made_again_then_all_is_as_before(old, monkeypatch):
    old.add(1)
    execute(old, "CREATE INDEX mine ON tokens (creator)")
    before, indexes = old.everything(), own_objects(old)
    find = migration_own_objects.find

    def find_wrong(*args):
        found = find(*args)
        kept = [
            dataclasses.replace(own, make="CREATE INDEX mine ON none (x)") for own in found.kept
        ]
        return dataclasses.replace(found, kept=tuple(kept))

    monkeypatch.setattr(migration_own_objects, "find", find_wrong)
    with pytest.raises(UpgradeRefused, match="the index mine cannot be made again: take it away"):
        old.upgrade()
    assert (old.everything(), own_objects(old)) == (before, indexes)
    assert not old.report.exists()


# The backup


def test_upgrade_when_on_sqlite_then_the_file_as_it_was_is_kept(old):
    only_sqlite(old)
    old.add(1, value=None)
    path = Path(old.engine.url.database)
    path.chmod(0o640)
    before = old.everything()
    old.upgrade()
    (copy,) = path.parent.glob(f"{path.name}.backup-*")
    assert copy.stat().st_mode & 0o777 == 0o640
    engine = create_engine(f"sqlite:///{copy}")
    assert Old(engine, old.report).everything() == before
    engine.dispose()


def test_upgrade_when_the_backup_cannot_be_written_then_nothing_is_changed(old, monkeypatch):
    only_sqlite(old)
    old.add(1, value=None)
    before = old.everything()

    def fail(*_arguments) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("shutil.copymode", fail)
    with pytest.raises(UpgradeRefused, match=r"the backup .* cannot be written: .*No space left"):
        old.upgrade()
    assert old.everything() == before
    assert not list(old.report.parent.glob("*backup*"))


def test_upgrade_when_the_database_is_in_memory_then_there_is_no_backup():
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert upgrade.back_up(connection) is None
    engine.dispose()
