"""The command line: what it prints, what it changes, and its exit statuses."""

import contextlib
import csv
import dataclasses
import errno
import io
import json
import logging
import os
import pty
import pwd
import signal
import sqlite3
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from click.testing import Result
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import delete
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.pool import NullPool

from cone.tokens.cli import main
from cone.tokens.core.errors import Denial
from cone.tokens.core.records import Base
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.host import wiring
from cone.tokens.migrations import schema
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets import written_workbook
from cone.tokens.tickets.log_file import COLUMNS
from cone.tokens.tickets.records import TokenEventRecord
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.settings_file import SettingsFile
from tests.functional.test_exchange import formatted_book
from tests.support.asking import INTERNALS
from tests.support.asking import UNKNOWN_UID
from tests.support.courses import site_url
from tests.support.factories import new_token
from tests.support.site import write_site

PROGRAM = Path(sys.executable).with_name("cone-tokens")
DONE, NO, USAGE, UNAVAILABLE, BUG, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 70, 130, 141
ME = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
#: Long enough for a program to start on a busy machine.
PATIENCE_S = 60


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """Runs commands on a site, inside of this process."""

    ini: Path

    def __call__(self, command: str, *arguments: str, stdin: str | bytes | None = None) -> Result:
        given = [command, str(self.ini), *arguments]
        result = CliRunner().invoke(main, given, input=stdin, prog_name="cone-tokens")
        assert not [name for name in INTERNALS if name in result.output], result.output
        return result

    def json(self, command: str, *arguments: str, status: int = DONE, **more) -> dict:
        """Run a command that answers with JSON, and return that."""
        result = self(command, *arguments, "--json", **more)
        assert (result.exit_code, result.stderr) == (status, ""), result.output
        (line,) = result.stdout.splitlines()
        return json.loads(line)


#: What is said of a time that is none.
NO_TIME = "invalid datetime format; write it as 2026-11-28T18:00"


@pytest.fixture(autouse=True)
def _own_logging():
    logger = logging.getLogger("cone.tokens")
    before = logger.handlers
    yield
    logger.handlers = before


@pytest.fixture(scope="session")
def made_tables(engine) -> Engine:
    schema.prepare(engine)
    return engine


@pytest.fixture
def service(made_tables) -> TicketService:
    with made_tables.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(delete(table))
    return on_engine(made_tables)


@pytest.fixture
def make_token(service):
    def make(**overrides):
        return service.get(service.add(new_token(**overrides), by="someone"))

    return make


@pytest.fixture
def tokens(service, made_tables, tmp_path) -> CommandLine:
    """Return the command line of a site that has no tokens, on each kind of database."""
    ini = write_site(tmp_path, database_url=site_url(made_tables))
    (tmp_path / "tokens.json").write_text('{"default_usage_count": 5, "default_locktime": 7}')
    return CommandLine(ini)


@pytest.fixture
def fresh(tmp_path) -> CommandLine:
    """Return the command line of a site on an SQLite file that is not there."""
    return CommandLine(write_site(tmp_path))


@pytest.fixture
def own_service(fresh) -> TicketService:
    """Return the service of the file that ``fresh`` lacks: it is there then, with its tables."""
    url = f"sqlite:///{fresh.ini.parent}/tokens.db"
    engine = create_engine(url, poolclass=NullPool)
    schema.prepare(engine)
    return on_engine(engine)


@pytest.fixture
def started(fresh, own_service) -> CommandLine:
    """Return the command line of a site that has its tables, on an SQLite file."""
    return fresh


@pytest.fixture
def rows(made_tables) -> Callable[..., list]:
    def read(record) -> list:
        with made_tables.connect() as connection:
            return list(connection.execute(select(record)))

    return read


@pytest.fixture
def content(made_tables) -> Callable[[], list]:
    """Return a function that reads all rows of all tables."""

    def read() -> list:
        with made_tables.connect() as connection:
            tables = Base.metadata.sorted_tables
            return [sorted(map(repr, connection.execute(select(table)))) for table in tables]

    return read


def assert_failed(result: Result, status: int, message: str) -> None:
    """Assert that a command failed with one line on stderr and nothing on stdout."""
    assert (result.exit_code, result.stdout) == (status, "")
    (line,) = result.stderr.splitlines()
    assert message in line


# Add


def test_add_when_nothing_is_given_then_the_token_has_the_defaults_of_the_site(tokens, service):
    result = tokens("add")
    assert (result.exit_code, result.stderr) == (DONE, "")
    (token,) = service.every(TokenFilter())
    assert result.stdout == f"{token.uid}\n"
    assert (token.value, token.usage_count, token.lock_time) == (str(token.uid), 5, 7)
    assert (token.creator, token.enabled) == (ME, True)


def test_add_when_all_is_given_then_the_token_has_it(tokens, service):
    said = tokens.json(
        "add",
        *("--value", "TICKET 1"),
        *("--valid-from", "2026-06-01 08:00"),
        *("--valid-to", "2026-06-01T18:00:00Z"),
        *("--uses", "3"),
        *("--lock-time", "60"),
        "--disabled",
        *("--by", "desk"),
    )
    token = service.find_by_value("TICKET 1")
    assert said == {"success": True, "token_uid": str(token.uid)}
    assert token.valid_from.isoformat() == "2026-06-01T06:00:00+00:00"  # Vienna
    assert token.valid_to.isoformat() == "2026-06-01T18:00:00+00:00"
    assert (token.usage_count, token.lock_time, token.enabled) == (3, 60, False)
    assert token.creator == "desk"


def test_add_when_a_count_is_given_then_there_are_so_many(tokens, service):
    result = tokens("add", "--count", "3", "--prefix", "DAY-", "--usage-count", "1")
    added = [service.get(uuid.UUID(uid)) for uid in result.stdout.split()]
    assert all(token.value.startswith("DAY-") and len(token.value) == 30 for token in added)
    assert len({token.value for token in added}) == 3
    said = tokens.json("add", "--count", "2", "--random")
    values = [service.get(uuid.UUID(uid)).value for uid in said["token_uids"]]
    assert [len(value) for value in values] == [26, 26]


@pytest.mark.parametrize(("many", "count"), [((), "1 token"), (("--count", "3"), "3 tokens")])
def test_add_when_tokens_cannot_be_used_then_it_warns_and_adds_them(tokens, service, many, count):
    result = tokens("add", "--uses", "0", "--disabled", "--valid-to", "2020-01-01 10:00", *many)
    assert result.exit_code == DONE
    assert result.stderr.splitlines() == [
        f"Warning: {count} cannot be redeemed: 0 uses",
        f"Warning: {count} cannot be redeemed: their validity has ended",
        f"Warning: {count} cannot be redeemed: switched off",
    ]
    assert f"{service.count()}" == count[0]


def test_import_when_used_tokens_get_uses_back_then_it_warns(tokens, service):
    for value in ("GALA-160", "GALA-161", "new"):
        uid = service.add(new_token(value=value, usage_count=2), by="someone")
        if value != "new":
            service.consume(uid, by=None)
    ask = ("import", "-", "--known", "update", "--dry-run")
    file = "value,usage_count\nGALA-160,2\nGALA-161,-1\nnew,5\n"
    warning = 'Warning: 2 tokens that were redeemed since get uses back: "GALA-160", "GALA-161"'
    assert warning in tokens(*ask, stdin=file).stderr.splitlines()
    assert tokens.json(*ask, stdin=file)["doubts"] == {"refilled": [2, 3]}
    assert "uses back" not in tokens(*ask, stdin="value,usage_count\nGALA-160,1\n").stderr


def test_codes_when_they_are_read_like_that_of_another_token_then_commands_warn(tokens, service):
    service.add(new_token(value="AB-1"), by="someone")
    service.add(new_token(value="other"), by="someone")
    warning = 'the code differs by capital letters or hyphens alone from "AB-1", which a token has'
    file = "value\nnew\nab-1\n"
    said = tokens("import", "-", "--dry-run", stdin=file).stderr
    assert said.startswith(f"Warning: line 3: {warning} or had\n")
    assert tokens.json("import", "-", "--dry-run", stdin=file)["doubts"] == {"stored": [3]}
    assert f"Warning: {warning}" in tokens("add", "--value", "ab-1").stderr
    assert warning not in tokens("update", "other", "--label", "Ann").stderr
    assert f"Warning: {warning}" in tokens("update", "other", "--value", "Ab-1").stderr


def test_add_when_it_is_repeated_with_its_key_then_it_adds_nothing(tokens, service):
    first = tokens("add", "--value", "once", "--key", "k1")
    again = tokens("add", "--value", "once", "--key", "k1")
    assert (
        (first.exit_code, first.stdout) == (again.exit_code, again.stdout) == (DONE, again.stdout)
    )
    other = tokens("add", "--value", "another", "--key", "k1")
    assert_failed(other, USAGE, "Idempotency-Key was used for another token")
    assert service.count() == 1
    many = [tokens("add", "--count", "2", "--key", "k1").stdout for _ in range(2)]
    assert many[0] == many[1]
    assert service.count() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--uses", "x"], "usage_count: value is no integer"),
        (["--uses", "-2"], "usage_count: must be between -1 and 2147483647"),
        (["--lock-time", "-1"], "lock_time: must be between 0 and 2147483647"),
        (["--valid-from", "soon"], f"valid_from: {NO_TIME}"),
        (["--valid-to", "28.11.2026 18:00"], f"valid_to: {NO_TIME}"),
        (["--valid-from", "2026-03-29 02:30"], "valid_from: the clocks skip this time"),
        (
            ["--valid-from", "2026-06-02 08:00", "--valid-to", "2026-06-01 08:00"],
            "valid_from must be before valid_to",
        ),
        (["--value", "x" * 2_049], "value: must be at most 2048 bytes of UTF-8"),
        (["--count", "0"], "count: must be between 1 and 10000"),
        (["--count", "2", "--value", "x"], "value: is not for many tokens"),
        (["--prefix", "x"], "Missing ``count`` parameter"),
        (["--key", "a b"], "Idempotency-Key: must be 1 to 128 printable ASCII characters"),
    ],
)
def test_add_when_something_is_wrong_then_it_is_named_and_nothing_is_added(
    tokens,
    service,
    arguments,
    message,
):
    assert_failed(tokens("add", *arguments), USAGE, message)
    said = tokens.json("add", *arguments, status=USAGE)
    assert (said["success"], said["error"], said["error_code"]) == (False, "invalid_parameter", 5)
    assert message in said["message"]
    assert service.count() == 0


def test_add_when_the_value_is_taken_then_it_says_so(tokens, service):
    tokens("add", "--value", "mine")
    assert_failed(tokens("add", "--value", "mine"), NO, "Given value already used")
    assert service.count() == 1


def test_add_when_the_system_knows_no_name_then_the_number_does_it(tokens, service, monkeypatch):
    def unknown(_number):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    tokens("add", "--value", "v")
    assert service.find_by_value("v").creator == f"cli:{os.getuid()}"


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m"])
def test_add_when_the_name_is_none_then_it_is_refused(tokens, service, name):
    result = tokens("add", "--by", name)
    assert (result.exit_code, service.count()) == (USAGE, 0)
    assert "'--by': must be a name" in result.stderr


# Update


def test_update_when_all_is_given_then_the_token_has_it(tokens, service, rows):
    uid = service.add(new_token(value="GUEST-1", usage_count=2), by="someone")
    said = tokens.json(
        "update",
        "GUEST-1",
        *("--value", "GUEST-2"),
        *("--valid-from", "2026-06-01 08:00", "--valid-to", "2099-06-01T18:00:00Z"),
        *("--uses", "3", "--lock-time", "60", "--enabled"),
        *("--label", "Zoë", "--email", "zoe@example.org", "--category", "VIP"),
        *("--note", "two\nlines", "--data", '{"table": "7"}'),
        *("--by", "desk"),
    )
    assert said == {"success": True, "token_uid": str(uid), "read_as": None}
    token = service.get(uid)
    assert (token.value, token.usage_count, token.lock_time) == ("GUEST-2", 3, 60)
    assert (token.uses_given, token.version, token.creator) == (3, 2, "someone")
    assert token.valid_from.isoformat() == "2026-06-01T06:00:00+00:00"  # Vienna
    assert (token.label, token.email, token.category) == ("Zoë", "zoe@example.org", "VIP")
    assert (token.note, json.loads(token.data)) == ("two\nlines", {"table": "7"})
    (event,) = [event for event in rows(TokenEventRecord) if event.version == 2]
    assert event.user == "desk"
    assert [found.uid for found in service.page(5, matching=TokenFilter(search="zoe")).tokens] == [
        uid
    ]


@pytest.mark.parametrize("way", [["GUEST-1"], ["--uid", "UID"], [" guest-1\n"], ["-"]])
def test_update_when_one_thing_is_given_then_all_else_stays(tokens, service, way):
    uid = service.add(new_token(value="GUEST-1", label="Zoë", note="n"), by=None)
    before = service.get(uid)
    arguments = [str(uid) if word == "UID" else word for word in way]
    result = tokens("update", *arguments, "--category", "VIP", stdin="GUEST-1\n")
    assert (result.exit_code, result.stdout) == (DONE, f"{uid}\n")
    read = ["Read as GUEST-1"] if way == [" guest-1\n"] else []
    assert result.stderr.splitlines() == read
    after = service.get(uid)
    same = {"modified": after.modified, "version": 2, "read_at": after.read_at}
    assert after == dataclasses.replace(before, category="VIP", **same)


def test_update_when_a_text_is_empty_then_there_is_none_any_more(tokens, service):
    uid = service.add(
        new_token(value="v", label="Zoë", email="a@b.at", category="VIP", note="n", data="{}"),
        by=None,
    )
    names = ("label", "email", "category", "note", "data")
    empty = [word for name in names for word in (f"--{name}", "")]
    assert tokens("update", "v", *empty, "--value", "").exit_code == DONE
    token = service.get(uid)
    assert [getattr(token, name) for name in names] == [None] * 5
    assert token.value == str(uid)


def test_update_when_the_token_cannot_be_used_then_it_warns(tokens, service):
    service.add(new_token(value="v"), by=None)
    result = tokens("update", "v", "--uses", "0", "--disabled")
    assert result.exit_code == DONE
    assert result.stderr.splitlines() == [
        "Warning: 1 token cannot be redeemed: 0 uses",
        "Warning: 1 token cannot be redeemed: switched off",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nobody", "--label", "x"], NO, "No token with this value"),
        (["--uid", UNKNOWN_UID, "--label", "x"], NO, f"Token {UNKNOWN_UID} not exists"),
        (["--uid", "x", "--label", "x"], NO, "Token x not exists"),
        (["v"], USAGE, "Nothing to change: give an option such as --label"),
        (["--label", "x"], USAGE, "Either a VALUE or --uid is needed"),
        (["v", "--uid", UNKNOWN_UID, "--label", "x"], USAGE, "Either a VALUE or --uid is needed"),
        (["-", "--value", "-"], USAGE, "stdin has one of VALUE and --value, not both"),
        (["v", "--value", "other"], NO, "Given value already used"),
        (["v", "--value", " x"], USAGE, "value: "),
        (["v", "--uses", "x"], USAGE, "usage_count: value is no integer"),
        (["v", "--label", "x" * 201], USAGE, "label: must be at most 200 characters"),
        (["v", "--label", "a\nb"], USAGE, "label: must not have control characters"),
        (["v", "--email", "nobody"], USAGE, "email: "),
        (["v", "--data", "[1]"], USAGE, "data: "),
        (["v", "--valid-to", "28.11.2026 18:00"], USAGE, f"valid_to: {NO_TIME}"),
        (["v", "--valid-to", "2020-01-01 08:00"], USAGE, "valid_from must be before valid_to"),
    ],
)
def test_update_when_something_is_wrong_then_it_is_named_and_nothing_changes(
    tokens, service, content, arguments, status, message
):
    tokens("add", "--value", "v", "--valid-from", "2026-01-01 08:00")
    tokens("add", "--value", "other")
    before = content()
    assert_failed(tokens("update", *arguments, stdin="v\n"), status, message)
    said = tokens.json("update", *arguments, status=status, stdin="v\n")
    assert (said["success"], message in said["message"]) == (False, True)
    assert content() == before


# Query


def test_query_when_there_is_the_token_then_it_shows_its_fields(tokens, service):
    uid = service.add(new_token(value="T 1", usage_count=-1), by="someone")
    for arguments in (["T 1"], ["--uid", str(uid)], ["--uid", str(uid).upper()]):
        result = tokens("query", *arguments)
        assert (result.exit_code, result.stderr) == (DONE, "")
        shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
        assert (shown["uid"], shown["value"]) == (str(uid), "T 1")
        assert (shown["usage_count"], shown["enabled"]) == ("unlimited", "yes")
        assert shown["status"] == "consumable"
        assert (shown["last_used"], shown["creator"]) == ("-", "someone")
        # Columns are aligned.
        assert len({line.index(line.split()[1]) for line in result.stdout.splitlines()}) == 1


def test_query_when_it_is_asked_for_json_then_it_is_what_the_api_answers(
    tokens,
    service,
    editor,
):
    for each in (service, wiring.get(TicketService)):
        each.add(new_token(value="v"), by="someone")
    said = tokens.json("query", "v")
    answer = editor.get("/tokens/query_token?value=v").json
    assert (said["success"], set(said["token"])) == (True, set(answer["token"]))
    own = ("uid", "created", "modified")
    assert [said["token"].pop(name) for name in own] != [answer["token"].pop(name) for name in own]
    assert said["token"] == answer["token"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "No token with this value"),
        (["x" * 5_000], "No token with this value"),
        (["--uid", UNKNOWN_UID], f"Token {UNKNOWN_UID} not exists"),
        (["--uid", "no-uid"], "Token no-uid not exists"),
    ],
)
def test_query_when_there_is_no_such_token_then_the_answer_is_no(tokens, arguments, message):
    assert_failed(tokens("query", *arguments), NO, message)
    assert tokens.json("query", *arguments, status=NO) == {
        "success": True,
        "token": None,
        "read_as": None,
    }


@pytest.mark.parametrize("command", ["query", "consume"])
def test_command_when_a_code_is_read_as_another_then_it_says_so(tokens, service, command):
    service.add(new_token(value="F20-T", usage_count=9), by="someone")
    result = tokens(command, "f20-t")
    assert (result.exit_code, result.stderr) == (DONE, "Read as F20-T\n")
    assert tokens.json(command, "]Q1F20ßT")["read_as"] == "F20-T"
    assert "Read as" not in tokens(command, "F20-T").output
    assert tokens.json(command, "F20-T")["read_as"] is None


@pytest.mark.parametrize("command", ["query", "consume"])
def test_command_when_it_gets_the_address_of_a_page_then_no_token_is_meant(
    tokens, service, command
):
    uid = service.add(new_token(), by="someone")
    address = f"http://localhost/tokens/{uid}"
    assert tokens(command, address).exit_code == NO
    assert service.get(uid).last_used is None
    told = " ".join(tokens(command, "--help").output.split())
    assert "addresses of tokens' pages are not read" in told


def test_query_when_the_value_has_what_terminals_obey_then_it_is_spelled_out(
    tokens, service, made_tables
):
    uid = service.add(new_token(), by="\x07someone")
    old = update(TokenRecord).where(TokenRecord.uid == uid).values(value="\x1b[2Jü\n\u202e")
    with made_tables.begin() as connection:
        connection.execute(old)
    for arguments in ([], ["--prefix", "\x1b"]):
        result = tokens("query", *arguments)
        assert "\\x1b[2Jü\\n\\u202e" in result.stdout
    shown = tokens("query", "-", stdin="\x1b[2Jü\n\u202e\n")
    assert "\x07" not in shown.stdout
    assert "\\x07someone" in shown.stdout


def test_query_when_filters_are_given_then_it_lists_what_they_mean(tokens, service):
    for number in range(3):
        service.add(new_token(value=f"A-{number}", usage_count=number), by="someone")
    service.add(new_token(value="B"), by="someone")
    result = tokens("query", "--prefix", "A-", "--status", "consumable", "--sort", "value")
    head, *lines = result.stdout.splitlines()
    assert " ".join(head.split()) == "value label status usage_count valid_from valid_to uid"
    assert [line.split()[:4] for line in lines] == [
        ["A-1", "-", "consumable", "1"],
        ["A-2", "-", "consumable", "2"],
    ]
    assert result.stderr == "2 of 2 tokens\n"


def test_query_when_a_page_is_full_then_it_says_how_to_go_on(tokens, service):
    for number in range(5):
        service.add(new_token(value=f"A-{number}"), by="someone")
    first = tokens("query", "--limit", "3", "--sort", "value")
    count, advice = first.stderr.splitlines()
    assert count == "3 of 5 tokens"
    option, uid = advice.split()[-2:]
    rest = tokens("query", "--sort", "value", option, uid)
    assert [line.split()[0] for line in rest.stdout.splitlines()[1:]] == ["A-3", "A-4"]
    said = tokens.json("query", "--limit", "3", "--sort", "value")
    assert (said["next"], said["count"], len(said["tokens"])) == (uid, 5, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--status", "good"], "status: must be one of consumable, "),
        (["--limit", "501"], "limit: must be between 1 and 500"),
        (["--created-from", "x"], f"created_from: {NO_TIME}"),
        (["v", "--uid", UNKNOWN_UID], "Either a VALUE or --uid is needed"),
        (["v", "--prefix", "x"], "Either a VALUE, or --uid, or options that list tokens"),
        ([""], "Missing ``value`` parameter"),
    ],
)
def test_query_when_something_is_wrong_then_it_is_named(tokens, arguments, message):
    assert_failed(tokens("query", *arguments), USAGE, message)
    assert message in tokens.json("query", *arguments, status=USAGE)["message"]


# Consume


def test_consume_when_there_are_uses_then_it_takes_them_one_by_one(tokens, service, rows):
    uid = service.add(new_token(value="v", usage_count=2), by="someone")
    first = tokens("consume", "v", "--by", "desk")
    assert (first.exit_code, first.stdout) == (DONE, "Valid. Uses left: 1\n")
    said = tokens.json("consume", "--uid", str(uid))
    receipts = {str(row.uid): row.user for row in rows(TokenUsageRecord)}
    assert receipts.pop(said.pop("receipt")) == ME
    assert said.pop("used_before")["user"] == "desk"
    assert said == {"success": True, "consumed": True, "usage_count": 0, "token_uid": str(uid)}
    assert list(receipts.values()) == ["desk"]


def test_consume_when_the_token_has_a_label_then_it_is_told(tokens, service):
    service.add(new_token(value="v", usage_count=1, label="Zoë", category="VIP"), by="someone")
    assert tokens("consume", "v").stdout == "Valid. Uses left: 0\nZoë\nVIP\n"
    assert tokens("consume", "v").stdout.endswith("\nZoë\nVIP\n")
    assert tokens.json("consume", "v", status=NO)["label"] == "Zoë"


@pytest.mark.parametrize(
    ("fields", "denial"),
    [
        ({"enabled": False}, Denial.TOKEN_DISABLED),
        ({"usage_count": 0}, Denial.USAGE_COUNT_EXCEEDED),
    ],
)
def test_consume_when_it_is_refused_then_the_answer_is_no(tokens, service, rows, fields, denial):
    uid = service.add(new_token(value="v", **fields), by="someone")
    result = tokens("consume", "v")
    assert (result.exit_code, result.stdout) == (NO, f"Refused: {denial.message(uid)}\n")
    said = tokens.json("consume", "v", status=NO)
    assert (said["success"], said["consumed"]) == (False, False)
    assert (said["error"], said["error_code"]) == (denial.value, denial.code)
    assert [row.error_code for row in rows(TokenUsageRecord)] == [denial.code] * 2


def test_consume_when_there_is_no_such_token_then_the_answer_is_no(tokens, rows):
    result = tokens("consume", "nothing")
    assert (result.exit_code, result.stdout) == (NO, "Refused: No token with this value\n")
    said = tokens.json("consume", "--uid", "no-uid", status=NO)
    assert (said["error"], said["error_code"], said["consumed"]) == ("token_not_exists", 1, False)
    assert rows(TokenUsageRecord) == []


def test_consume_when_it_is_repeated_with_its_key_then_it_takes_nothing(tokens, service):
    uid = service.add(new_token(value="v", usage_count=2), by="someone")
    said = [tokens.json("consume", "v", "--key", "scan-1") for _ in range(2)]
    assert said[0] == said[1]
    assert service.get(uid).usage_count == 1
    assert tokens("consume", "--uid", str(uid), "--key", "scan-1").exit_code == USAGE


def test_consume_when_the_value_comes_from_stdin_then_its_line_is_read(tokens, service):
    service.add(new_token(value="geheim  ü", usage_count=2), by="someone")
    for line in ("geheim  ü\n", "geheim  ü\r\n"):
        assert tokens("consume", "-", stdin=line).exit_code == DONE
    assert tokens("consume", "-", stdin="geheim ü\n").exit_code == NO
    assert_failed(tokens("consume", "-", stdin=b"\xff\n"), USAGE, "value: is not encoded in UTF-8")
    assert_failed(tokens("consume", "-", stdin=""), USAGE, "Missing ``value`` parameter")


def test_consume_when_no_token_is_named_then_it_is_wrong_use(tokens):
    assert_failed(tokens("consume"), USAGE, "Either a VALUE or --uid is needed")


# Export


def test_help_when_the_program_is_asked_then_each_status_has_a_line():
    shown = CliRunner().invoke(main, ["--help"]).stdout
    for line in ("  0    done\n", "  2    wrong use", "  70   a bug\n", "  141  what"):
        assert f"\n  {line}" in shown


def exported(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_export_when_no_file_is_named_then_it_goes_to_stdout(tokens, service):
    for number in range(3):
        service.add(new_token(value=f"A-{number}", usage_count=number), by="someone")
    result = tokens("export", "--sort", "value", "--status", Status.CONSUMABLE.value)
    assert (result.exit_code, result.stderr) == (DONE, "2 tokens\n")
    assert [row["value"] for row in exported(result.stdout)] == ["A-1", "A-2"]
    assert exported(tokens("export", "--value", "A-0").stdout)[0]["status"] == "exhausted"


def test_export_when_a_file_is_named_then_it_is_there_as_a_whole(tokens, service, tmp_path):
    service.add_many(new_token(), 1_200, "A-", by="someone")
    path = tmp_path / "out.csv"
    said = tokens.json("export", str(path))
    assert said == {"success": True, "file": str(path), "exported": 1_200}
    assert len(exported(path.read_text())) == 1_200
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    result = tokens("export", str(path), "--value", "none")
    assert (result.exit_code, result.stdout, result.stderr) == (DONE, "", "0 tokens\n")
    assert exported(path.read_text()) == []


def test_export_when_it_fails_then_the_file_is_as_before(tokens, service, tmp_path, monkeypatch):
    service.add(new_token(), by="someone")
    path = tmp_path / "out.csv"
    path.write_text("before")

    def full(*_more):
        yield b"half of it"
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spreadsheet, "write", full)
        result = tokens("export", str(path))
    assert_failed(result, USAGE, "out.csv: cannot be written: No space left on device")
    assert path.read_text() == "before"
    assert not list(tmp_path.glob(".out.csv*"))
    assert_failed(tokens("export", "/nowhere/x.csv"), USAGE, "/nowhere/x.csv: cannot be written")


def test_export_when_the_file_is_a_link_or_a_pipe_then_it_stays_one(tokens, service, tmp_path):
    service.add(new_token(value="v"), by="someone")
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.touch()
    link.symlink_to(target)
    assert tokens("export", str(link)).exit_code == DONE
    assert link.is_symlink()
    assert exported(target.read_text())[0]["value"] == "v"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        assert tokens("export", str(pipe)).exit_code == DONE
        assert exported(reader.stdout.read())[0]["value"] == "v"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_export_when_json_has_no_place_then_it_is_wrong_use(tokens):
    assert "--json needs a FILE" in tokens.json("export", status=USAGE)["message"]


def book_of(content):
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def log_of(text, delimiter=","):
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    return list(csv.DictReader(lines, delimiter=delimiter, strict=True))


def test_export_when_the_file_ends_with_xlsx_then_it_is_a_workbook_that_comes_back(
    tokens, service, tmp_path
):
    service.add(new_token(value="0012", label="=1+1", usage_count=-1), by=None)
    path = tmp_path / "out.XLSX"
    said = tokens.json("export", str(path))
    assert said == {"success": True, "file": str(path), "exported": 1}
    assert book_of(path.read_bytes())[1][1] == "0012"
    back = tokens.json("import", str(path), "--known", "update")
    assert (back["unchanged"], back["updated"], back["added"]) == (1, 0, 0)


def test_export_when_a_format_is_named_then_the_name_of_the_file_does_not_matter(
    tokens, service, tmp_path
):
    service.add(new_token(value="v"), by=None)
    path = tmp_path / "out.csv"
    assert tokens("export", str(path), "--format", "xlsx").exit_code == DONE
    assert book_of(path.read_bytes())[1][1] == "v"
    path = tmp_path / "out.xlsx"
    tokens("export", str(path), "--format", "csv", "--separator", "semicolon")
    assert path.read_text("utf-8-sig").startswith("uid;value;")


def test_export_when_a_workbook_goes_to_stdout_then_it_is_whole(started, own_service):
    own_service.add(new_token(value="v"), by=None)
    command = [PROGRAM, "export", started.ini, "--format", "xlsx"]
    done = subprocess.run(command, check=True, capture_output=True)
    assert book_of(done.stdout)[1][1] == "v"


def test_export_when_it_is_too_much_for_a_workbook_then_no_file_appears(
    tokens, service, tmp_path, monkeypatch
):
    monkeypatch.setattr(written_workbook, "MOST_ROWS", 2)
    service.add_many(new_token(), 2, None, by=None)
    path = tmp_path / "out.xlsx"
    said = tokens.json("export", str(path), status=USAGE)
    assert said["message"] == (
        "format: is too much for a workbook, which has up to 2 rows; write CSV"
    )
    assert list(tmp_path.glob("*out*")) == []


@pytest.fixture
def scanned(service):
    uids = [service.add(new_token(value=value, usage_count=1), by=None) for value in "ab"]
    for uid in (*uids, uids[0]):
        service.consume(uid, by="door")
    service.delete(uids[1], by=None)


def test_scan_log_when_nothing_is_asked_for_then_it_is_that_of_all_tokens(tokens, scanned):
    result = tokens("scan-log")
    assert (result.exit_code, result.stderr) == (DONE, "3 uses and refusals\n")
    rows = log_of(result.stdout)
    assert tuple(rows[0]) == COLUMNS
    told = [(row["value"], row["result"], row["user"]) for row in rows]
    assert told == [
        ("a", "usage_count_exceeded", "door"),
        ("b", "granted", "door"),
        ("a", "granted", "door"),
    ]


def test_scan_log_when_it_is_filtered_then_it_is_that_of_those_tokens(tokens, scanned, tmp_path):
    path = tmp_path / "log.csv"
    said = tokens.json("scan-log", str(path), "--value", "a", "--separator", "semicolon")
    assert said == {"success": True, "file": str(path), "exported": 2}
    assert {row["value"] for row in log_of(path.read_text(), ";")} == {"a"}
    assert tokens("scan-log", "--prefix", "b").stderr == "0 uses and refusals\n"


def test_scan_log_when_the_file_ends_with_xlsx_then_it_is_a_workbook(tokens, scanned, tmp_path):
    path = tmp_path / "log.xlsx"
    assert tokens("scan-log", str(path)).exit_code == DONE
    assert [row[3] for row in book_of(path.read_bytes())] == ["value", "a", "b", "a"]


def test_scan_log_when_an_option_is_wrong_then_it_is_wrong_use(tokens):
    assert "status" in tokens.json("scan-log", "x", "--status", "no", status=USAGE)["message"]
    assert "--json needs a FILE" in tokens.json("scan-log", status=USAGE)["message"]
    assert tokens("scan-log", "--format", "pdf").exit_code == USAGE


# Import


def test_import_when_it_is_a_file_of_the_export_then_it_changes_nothing(tokens, service, tmp_path):
    service.add_many(new_token(), 20, "=A-", by="someone")
    path = tmp_path / "out.csv"
    tokens("export", str(path))
    said = tokens.json("import", str(path), "--known", "update")
    counts = {"added": 0, "updated": 0, "unchanged": 20, "skipped": 0}
    assert said == {
        "success": True,
        "dry_run": False,
        **counts,
        "codes": [],
        "replaced": [],
        "unusable": {},
        "doubts": {},
    }


@pytest.mark.parametrize("how", [("--dry-run",), ()], ids=["check", "import"])
def test_import_when_tokens_could_not_be_used_then_it_warns(tokens, service, how):
    service.add(new_token(value="known", usage_count=3), by="someone")
    file = "value,usage_count,enabled\nA,0,true\nB,1,false\nknown,0,true\nC,1,true\n"
    said = tokens("import", "-", "--known=update", *how, stdin=file)
    assert said.exit_code == DONE
    assert said.stderr.splitlines()[:2] == [
        "Warning: 2 tokens cannot be redeemed: 0 uses",
        "Warning: 1 token cannot be redeemed: switched off",
    ]


def test_import_when_it_warns_and_json_is_wanted_then_the_numbers_are_in_it(tokens):
    said = tokens.json("import", "-", stdin="value,usage_count\nA,0\nB,1\n")
    assert said["unusable"] == {"exhausted": 1}


def test_import_when_a_row_has_another_code_then_the_token_of_its_uid_gets_it(tokens, service):
    uid = service.add(new_token(value="old"), by="someone")
    file = f"uid,value\n{uid},new\n"
    left = tokens("import", "-", stdin=file)
    assert left.stderr.splitlines()[0] == 'line 2: the code stays "old", the file has "new"'
    dry = tokens("import", "-", "--known=update", "--dry-run", stdin=file)
    assert dry.stderr.splitlines()[0] == 'line 2: the code changes from "old" to "new"'
    assert service.get(uid).value == "old"
    said = tokens.json("import", "-", "--known=update", stdin=file)
    assert (said["added"], said["updated"]) == (0, 1)
    assert said["codes"] == [{"line": 2, "token_uid": str(uid), "old": "old", "new": "new"}]
    assert (service.get(uid).value, service.count()) == ("new", 1)


def test_import_when_columns_are_kept_as_data_then_the_other_data_of_a_token_stays(tokens, service):
    data = '{"Table": "7", "Diet": "vegan", "Size": "M"}'
    uid = service.add(new_token(value="A-1", data=data), by=None)
    pairs = ("--known=update", "--map=Table=data", "--map=Size=data")
    tokens("import", "-", *pairs, stdin="Code,Table,Size\nA-1,8,\n")
    assert json.loads(service.get(uid).data) == {"Table": "8", "Diet": "vegan"}
    again = tokens.json("import", "-", *pairs, stdin="Code,Table,Size\nA-1,8,\n")
    assert (again["updated"], again["unchanged"]) == (0, 1)
    whole = '"Code","data","Table"\nA-1,"{""Table"": ""8"", ""Seat"": ""2""}",\n'
    tokens("import", "-", *pairs[:2], stdin=whole)
    assert json.loads(service.get(uid).data) == {"Seat": "2"}
    tokens("import", "-", "--known=update", "--map=Seat=data", stdin="Code,Seat\nA-1,\n")
    assert service.get(uid).data is None


def test_import_when_a_workbook_has_more_than_is_seen_then_it_tells(tokens, tmp_path):
    path = tmp_path / "guests.xlsx"
    path.write_bytes(formatted_book())
    how = ("import", str(path), "--dry-run", "--map=Nr=code")
    assert tokens(*how).stderr.splitlines() == [
        'Sheet 2 of 2 is read: "Guests"',
        "Warning: hidden rows that are imported like the others: 1",
        "Warning: codes are of cells that a spreadsheet may show in another way: line 3",
        "Nothing was changed yet.",
    ]
    told = tokens.json(*how)
    assert told["sheet"] == {"name": "Guests", "number": 2, "count": 2, "hidden": 1}
    assert told["doubts"] == {"formatted": [3]}


def test_import_when_a_token_would_have_too_much_data_then_its_line_is_told(tokens, service):
    data = json.dumps({f"n{number}": "x" for number in range(50)})
    uid = service.add(new_token(value="A-1", data=data), by=None)
    how = ("import", "-", "--known=update", "--map=more=data")
    refused = tokens(*how, stdin="Code,more\nA-1,1\n")
    assert "line 2: data: would have more than 50 texts" in refused.stderr
    assert service.get(uid).data == data


def test_import_when_there_are_no_mistakes_then_all_lines_are_imported(tokens, service, rows):
    service.add(new_token(value="known", usage_count=1), by="someone")
    file = "value;usage_count\nknown;9\nnew;3\n"
    dry = tokens("import", "-", "--dry-run", "--known=update", stdin=file)
    assert dry.stderr == "Nothing was changed yet.\n"
    assert [line.split()[0] for line in dry.stdout.splitlines()] == ["1", "1", "0", "0"]
    assert service.find_by_value("new") is None
    assert tokens.json("import", "-", "--by", "desk", stdin=file)["skipped"] == 1
    assert (service.find_by_value("known").usage_count, service.count()) == (1, 2)
    done = tokens("import", "-", "--known", "update", stdin=file)
    assert (done.exit_code, done.stderr) == (DONE, "The import is done.\n")
    assert service.find_by_value("known").usage_count == 9
    assert [row.user for row in rows(TokenEventRecord) if row.action == "add"] == [
        "someone",
        "desk",
    ]


def test_import_when_there_are_mistakes_then_they_are_told_and_nothing_is_imported(tokens, service):
    service.add(new_token(value="known"), by="someone")
    lines = ["value,usage_count,valid_from,valid_to", "a,1,,", "b,x\x1b,,", "a,1,,", "c,1"]
    file = "\n".join([*lines, "known,1,2030-01-02 00:00,2030-01-01 00:00\n"])
    result = tokens("import", "-", "--known", "update", stdin=file)
    assert (result.exit_code, result.stdout) == (NO, "")
    assert result.stderr.splitlines() == [
        'line 3: usage_count: value is no integer ("x\\x1b")',
        'line 4: value: stands in line 2 already ("a")',
        "line 5: file: the row has not as many cells as there are columns",
        'line 6: valid_from must be before valid_to ("2030-01-02 00:00")',
        "Mistakes in the file: 4. Nothing was imported",
    ]
    said = tokens.json("import", "-", "--dry-run", stdin=file, status=NO)
    assert (said["success"], said["error"], said["error_code"]) == (False, "invalid_file", 5)
    assert said["mistakes"][0] == {
        "line": 3,
        "column": "usage_count",
        "cell": "x\x1b",
        "message": "usage_count: value is no integer",
    }
    assert service.count() == 1


def test_import_when_there_are_many_mistakes_then_people_see_the_first_ones(tokens):
    file = "value,usage_count\n" + "".join(f"{number},{'x' * 50}\n" for number in range(150))
    lines = tokens("import", "-", stdin=file).stderr.splitlines()
    assert (len(lines), lines[-2]) == (102, "and 50 more")
    assert lines[0].endswith(f'("{"x" * 40}…")')
    assert len(tokens.json("import", "-", stdin=file, status=NO)["mistakes"]) == 150


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("", "file: has no column value; where its cells are split in the wrong places, begin"),
        ("value|a;b|c\n1\n", "file: has columns that are not known: value|a, b|c; say what"),
        ("value,a;b\n1,2\n", "are with --map; where cells are split in the wrong places, begin"),
        ("value\n", "file: has no row below the names of the columns"),
        ("value,colour\n1,2\n", "file: has columns that are not known: colour"),
        (b"value\n\xff\n", "file: is not in UTF-8"),
        ("value\n" + "x\n" * (MAX_BATCH + 1), "file: has more than 10000 rows"),
    ],
)
def test_import_when_the_file_as_a_whole_is_wrong_then_it_says_so(tokens, file, message):
    assert_failed(tokens("import", "-", stdin=file), NO, message)


# What all commands have in common


COMMANDS = [
    ["add"],
    ["query", "v"],
    ["query"],
    ["consume", "v"],
    ["undo", UNKNOWN_UID, UNKNOWN_UID],
    ["reset-inside", "--yes"],
    ["export"],
    ["scan-log"],
    ["import", "-"],
]
EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@EVERY_COMMAND
def test_a_command_when_there_is_no_database_then_it_says_so_and_makes_none(fresh, command):
    assert_failed(fresh(*command, stdin="value\nx\n"), USAGE, "sql.db.url: there is no file ")
    assert not list(fresh.ini.parent.glob("tokens.db*"))


@pytest.mark.parametrize("command", [["add"], ["query"], ["export"], ["scan-log"], ["import", "-"]])
def test_a_command_when_the_site_has_not_been_started_then_it_makes_the_settings_file_alone(
    fresh, command
):
    result = fresh(*command, stdin="value\nx\n")
    assert_failed(result, USAGE, "the tables are made when the site starts for the first time")
    made = SettingsFile(fresh.ini.parent / "tokens.json").load()
    assert made["default_usage_count"] == 1
    assert not list(fresh.ini.parent.glob("tokens.db*"))


@pytest.mark.parametrize("command", [["add"], ["query"], ["export"], ["scan-log"], ["import", "-"]])
def test_a_command_when_the_settings_file_is_gone_then_it_makes_it_as_a_start_does(
    started, command
):
    path = started.ini.parent / "tokens.json"
    made_by_start = SettingsFile(path.with_name("other.json"))
    made_by_start.start()
    assert started(*command, stdin="value\nx\n").exit_code == DONE
    assert path.read_text() == made_by_start.path.read_text()
    assert path.stat().st_mode == made_by_start.path.stat().st_mode


def test_a_command_when_the_settings_file_cannot_be_made_then_it_says_so(started):
    ini = started.ini.read_text()
    started.ini.write_text(ini.replace("%(here)s/tokens.json", "%(here)s/none/tokens.json"))
    message = "none/tokens.json: cannot be written: there is no folder /"
    assert_failed(started("import", "-", stdin="value\nx\n"), USAGE, message)


@EVERY_COMMAND
def test_a_command_when_there_are_no_tables_then_it_says_so(fresh, command):
    with closing(sqlite3.connect(fresh.ini.parent / "tokens.db")) as connection:
        connection.execute("CREATE TABLE another (x)")
    message = "sql.db.url: the database has no tables of cone.tokens"
    assert_failed(fresh(*command, stdin="value\nx\n"), USAGE, message)


@EVERY_COMMAND
def test_a_command_when_the_database_is_of_2_0_then_it_says_so(fresh, command):
    with closing(sqlite3.connect(fresh.ini.parent / "tokens.db")) as connection:
        connection.execute("CREATE TABLE tokens (uid CHAR(32) PRIMARY KEY NOT NULL, value VARCHAR)")
    result = fresh(*command, stdin="value\nx\n")
    assert_failed(result, USAGE, "sql.db.url: the database is of cone.tokens 2.0; run: ")


@EVERY_COMMAND
def test_a_command_when_the_database_does_not_answer_then_it_may_be_tried_again(fresh, command):
    (fresh.ini.parent / "tokens.db").write_bytes(b"no database at all" * 500)
    result = fresh(*command, stdin="value\nx\n")
    assert (result.exit_code, result.stdout) == (UNAVAILABLE, "")
    why, message = result.stderr.splitlines()
    assert "SQLITE_NOTADB" in why
    assert message == "The token database is busy or not available, try again"


def test_a_command_when_the_server_is_away_then_it_may_be_tried_again(tmp_path):
    write_site(tmp_path, database_url="postgresql+psycopg://nobody@127.0.0.1:1/tokens")
    (tmp_path / "tokens.json").write_text("{}")
    result = CommandLine(tmp_path / "site.ini")("consume", "v", "--json")
    assert result.exit_code == UNAVAILABLE
    said = json.loads(result.stdout)
    assert (said["success"], said["error"]) == (False, "unavailable")


def replaced(ini: Path, old: str, new: str) -> CommandLine:
    ini.write_text(ini.read_text().replace(old, new))
    return CommandLine(ini)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[app:tokens]", "[app:tokens", "site.ini: is no ini file of a site"),
        ("[pipeline:main]", "[pipeline:other]", "site.ini: is no ini file of a site"),
        ("use = egg:cone.app#main", "use = egg:nothing#main", "site.ini: is no ini file of a site"),
        ("Europe/Vienna", "Europe/Atlantis", "cone.tokens.timezone: there is no time zone"),
        ("sql.db.url = sqlite:", "sql.db.url = ", "sql.db.url: "),
        ("sql.db.url = sqlite:", "sql.db.url = mysql://u:s3cr3t@h/d\n#", "sql.db.url: the driver"),
        ("sql.db.url = sqlite:", "sql.db.url = u:s3cr3t@h/d\n#", "sql.db.url: is no URL"),
        ("sql.db.url", "sql.db.pool_size = many\nsql.db.url", "sql.db.pool_size: "),
        ("/tokens.json", "/ugm", "ugm: cannot be read: Is a directory"),
    ],
)
def test_a_command_when_the_ini_file_is_wrong_then_the_key_is_named(started, old, new, message):
    result = replaced(started.ini, old, new)("add")
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert message in result.stderr
    assert "s3cr3t" not in result.stderr


def test_a_command_when_the_ini_file_is_missing_then_it_is_wrong_use(tmp_path):
    result = CommandLine(tmp_path / "none.ini")("query")
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert "none.ini' does not exist" in result.stderr


def test_a_command_when_it_has_a_bug_then_it_says_so(started, monkeypatch):

    def broken(*_arguments, **_more):
        message = "broken on purpose"
        raise RuntimeError(message)

    monkeypatch.setattr(TicketService, "add", broken)
    result = CliRunner().invoke(main, ["add", str(started.ini), "--json"])
    assert result.exit_code == BUG
    assert json.loads(result.stdout)["error"] == "internal_error"
    assert "broken on purpose" in result.stderr


def test_a_command_when_it_is_interrupted_then_its_status_says_so(started, monkeypatch):

    def interrupted(*_arguments, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(TicketService, "add", interrupted)
    assert_failed(started("add"), INTERRUPTED, "Interrupted")


# The program itself


def run(ini: Path, command: str, *arguments: str, **more) -> subprocess.CompletedProcess[str]:
    given = [str(PROGRAM), command, str(ini), *arguments]
    return subprocess.run(
        given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        **more,
    )


def test_the_program_when_it_is_asked_then_it_tells_version_and_commands():
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("cone-tokens ")
    help_ = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    assert all(name in help_.stdout for name in ("add", "query", "consume", "export", "import"))
    assert version.stderr == help_.stderr == ""


#: Runs the program, then tells which parts of the host it has loaded.
TOLD_HOST = """
import sys
from cone.tokens_command import main
try:
    main()
except SystemExit:
    print(sorted({"cone.app", "cone.sql", "pyramid.config", "yafowil"} & set(sys.modules)))
"""


def test_the_program_when_it_looks_a_token_up_then_the_host_is_not_loaded(tmp_path):
    subprocess.run([PROGRAM, "init", tmp_path / "site"], capture_output=True, check=True)
    command = [sys.executable, "-c", TOLD_HOST, "query", tmp_path / "site/site.ini", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "No token with this value\n")


def test_the_program_when_the_site_runs_then_both_see_the_same(serve, tmp_path):
    client = serve(write_site(tmp_path)).sign_in()
    ini = tmp_path / "site.ini"
    added = run(ini, "add", "--value", "v", "--uses", "2")
    assert (added.returncode, added.stderr) == (DONE, "")
    answer = client.post("/tokens/consume_token", {"value": "v"}).json
    assert (answer["token_uid"], answer["usage_count"]) == (added.stdout.strip(), 1)
    consumed = run(ini, "consume", "v", "--json")
    assert json.loads(consumed.stdout)["usage_count"] == 0
    assert client.post("/tokens/consume_token", {"value": "v"}).json["consumed"] is False
    refused = run(ini, "consume", "v")
    assert (refused.returncode, refused.stderr) == (NO, "")


def test_the_program_when_many_run_at_once_then_no_use_is_granted_twice(tokens, service):
    service.add(new_token(value="v", usage_count=2), by="someone")
    arguments = [str(PROGRAM), "consume", str(tokens.ini), "v"]
    programs = [subprocess.Popen(arguments, stdout=subprocess.DEVNULL) for _ in range(5)]
    statuses = sorted(program.wait(PATIENCE_S) for program in programs)
    assert statuses == [DONE, DONE, NO, NO, NO]


def test_the_program_when_nobody_reads_its_output_then_it_ends_in_silence(started, own_service):
    own_service.add_many(new_token(), 5_000, "A-", by="someone")
    arguments = [str(PROGRAM), "export", str(started.ini)]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        program.stdout.close()
        assert program.wait(PATIENCE_S) == BROKEN_PIPE
        assert program.stderr.read() == ""


def heed_ctrl_c() -> None:
    """What runs in the background ignores it, and so does what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_program_when_ctrl_c_is_pressed_then_it_ends(started, own_service, tmp_path):
    own_service.add(new_token(value="v"), by="someone")
    pipe = tmp_path / "in"
    os.mkfifo(pipe)
    arguments = [str(PROGRAM), "import", str(started.ini), str(pipe)]
    with subprocess.Popen(
        arguments,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - no thread of ours holds a lock here
    ) as program:
        # It has opened the pipe: it reads, and is at its work.
        with pipe.open("w"):
            # One that comes between the opening and the read is heard after the read.
            while program.returncode is None:
                program.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(5)
            assert program.returncode == INTERRUPTED
        assert program.stderr.read() == "Interrupted\n"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(2_000, ["Exporting", "100%", "2,000 tokens"]), (10_500, ["\rExporting  10,500"])],
)
def test_the_program_when_stderr_is_a_terminal_then_progress_is_shown(
    started,
    own_service,
    tmp_path,
    count,
    shown,
):
    """How many tokens there are is not known beyond 10,000."""
    own_service.add_many(new_token(), count, "A-", by="someone")
    ours, its = pty.openpty()
    arguments = [str(PROGRAM), "export", str(started.ini), str(tmp_path / "out.csv")]
    with subprocess.Popen(arguments, stderr=its) as program:
        os.close(its)
        read = read_terminal(ours)
        assert program.wait(PATIENCE_S) == DONE
    assert [text for text in shown if text not in read] == []


def read_terminal(descriptor: int) -> str:
    """Return what a program writes to its terminal until it ends."""
    shown = b""
    # Linux has an error for the end of it.
    with contextlib.suppress(OSError), open(descriptor, "rb", buffering=0) as terminal:
        while piece := terminal.read(65_536):
            shown += piece
    return shown.decode()


GUESTS = "Ticket;Name;Tisch\nA-1;Zoë;7\n"


def test_import_when_a_column_is_not_known_then_it_is_named_and_mapped(tokens, service, tmp_path):
    file = tmp_path / "guests.csv"
    file.write_text(GUESTS)
    refused = tokens("import", str(file))
    assert refused.exit_code == NO
    assert "Tisch; say what they are with --map" in refused.stderr
    assert service.find_by_value("A-1") is None
    done = tokens("import", str(file), "--map", "Tisch=category")
    assert done.exit_code == DONE
    token = service.find_by_value("A-1")
    assert (token.label, token.category) == ("Zoë", "7")
    tokens("import", str(file), "--map", "Tisch=data", "--known", "update")
    assert json.loads(service.find_by_value("A-1").data) == {"Tisch": "7"}


@pytest.mark.parametrize("pair", ["Tisch", "Tisch=", "Tisch=uid", "=x"])
def test_import_when_a_map_is_none_then_it_says_what_one_is(tokens, tmp_path, pair):
    file = tmp_path / "guests.csv"
    file.write_text(GUESTS)
    refused = tokens("import", str(file), "--map", pair)
    assert refused.exit_code == USAGE
    assert "is no HEADER=COLUMN with one of code, label" in refused.stderr


def test_import_when_the_file_is_of_windows_then_the_encoding_has_to_be_said(
    tokens, service, tmp_path
):
    file = tmp_path / "guests.csv"
    file.write_bytes("Code;Name\nA-1;Grün €5\n".encode("cp1252"))
    refused = tokens("import", str(file))
    assert (refused.exit_code, "--encoding windows-1252" in refused.stderr) == (NO, True)
    assert tokens("import", str(file), "--encoding", "windows-1252").exit_code == DONE
    assert service.find_by_value("A-1").label == "Grün €5"
