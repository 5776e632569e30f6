"""What stops a start and what does not, each in a process of its own (contract 1)."""

import configparser
import hashlib
import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from cone.tokens.migrations import REVISIONS
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import write_site

#: Starts a site for each line that it reads, in a process of its own. What all of them import it
#: imports before, so that each takes a moment and its stderr has only what is its own.
LAUNCHER = """
import gc
import importlib
import json
import os
import pkgutil
import sqlalchemy.dialects.sqlite
import sys

import cone.app.browser
import cone.tokens.browser
import cone.tokens.json_api
import pyramid_tm
import webtest
from paste.deploy import loadapp

for package in (cone.app.browser, cone.tokens.browser, cone.tokens.json_api):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

# Otherwise each process would take half a second to end.
gc.freeze()


def start(ini, code):
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{ini}.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    sys.path.insert(0, os.path.dirname(ini))
    app = loadapp(f"config:{ini}", name="main")
    exec(code, {"app": app, "client": webtest.TestApp(app)})
    sys.exit()


for line in sys.stdin:
    starts = json.loads(line)
    children = []
    for ini, code in starts:
        child = os.fork()
        if not child:
            start(ini, code)
        children.append(child)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(statuses), flush=True)
"""
#: What a client does with a site that works.
WORKS = f"""
client.post("/login", {login_form("admin")!r}, status=302)
uid = client.post("/tokens/add_token", {{"usage_count": "1"}}).json["token_uid"]
answers = [client.post(f"/tokens/{{uid}}/consume_token").json for _ in range(2)]
assert [answer["consumed"] for answer in answers] == [True, False], answers
"""


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def launcher():
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == 0


@pytest.fixture
def start(launcher):
    """Return a function that starts sites at once, runs code in them and tells how they ended."""

    def start_all(*inis: Path, code: str = ""):
        launcher.stdin.write(json.dumps([[str(ini), code] for ini in inis]) + "\n")
        launcher.stdin.flush()
        statuses = json.loads(launcher.stdout.readline())
        outcomes = [
            Outcome(status, *(Path(f"{ini}.{name}").read_text() for name in ("out", "err")))
            for ini, status in zip(inis, statuses, strict=True)
        ]
        return outcomes if len(inis) > 1 else outcomes[0]

    return start_all


@pytest.fixture
def site_with(tmp_path):
    """Return a function that writes a site with other settings; None leaves one out."""

    def write(changes: Mapping[str, str | None] = (), section: str = "app:tokens") -> Path:
        ini = tmp_path / "site.ini"
        if not ini.exists():
            write_site(tmp_path)
        parser = configparser.RawConfigParser()
        parser.read(ini)
        for key, value in dict(changes).items():
            if value is None:
                parser.remove_option(section, key)
            else:
                parser.set(section, key, value)
        with ini.open("w") as file:
            parser.write(file)
        return ini

    return write


# What stops a start

NODE_PATH, ZONE = "cone.tokens.settings_node_path", "cone.tokens.timezone"
FACTORY, FILE = "cone.tokens.entryfactory", "cone.tokens.config_file"
FLAG = "cone.tokens.consume_by_get"
WRONG = {
    "no settings file named": (FILE, None, "missing"),
    "empty name of the settings file": (FILE, "", "missing"),
    "settings file in no folder": (FILE, "%(here)s/nowhere/tokens.json", "there is no folder /"),
    "settings file is a folder": (FILE, "%(here)s/ugm", "ugm"),
    "settings file below a file": (FILE, "%(here)s/site.ini/tokens.json", "site.ini/tokens.json"),
    "no settings node": (NODE_PATH, "settings/nowhere", "nowhere"),
    "no settings": (NODE_PATH, "nowhere/token_settings", "nowhere"),
    "another node as settings": (NODE_PATH, "settings", "AppSettings"),
    "the root as settings": (NODE_PATH, "/", "AppRoot"),
    "below a token": (NODE_PATH, "tokens/6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001/x", "x"),
    "no module of the factory": (FACTORY, "nowhere.Container", "nowhere.Container"),
    "no class of the factory": (FACTORY, "cone.tokens.model.Nothing", "cone.tokens.model.Nothing"),
    "a factory that is no class": (FACTORY, "cone.tokens.host.config.DEFAULT_FACTORY", "class"),
    "a factory that is a module": (FACTORY, "cone.tokens.model", "class"),
    "a factory that is no name": (FACTORY, "...", "..."),
    "no such zone": (ZONE, "Mars/Olympus", "Mars/Olympus"),
    "a zone that is a folder": (ZONE, "Europe", "Europe"),
    "a zone out of its folder": (ZONE, "../../../etc/passwd", "passwd"),
    "neither true nor false": (FLAG, "maybe", "maybe"),
    "a number for a flag": (FLAG, "2", "2"),
    "a part that is none": ("cone.tokens.parts", "no_such_part", "'no_such_part' is no part"),
    "tickets as a part": ("cone.tokens.parts", "tickets", "tickets are always on"),
    "no transaction manager": ("pyramid.includes", None, "pyramid_tm"),
    "another include": ("pyramid.includes", "pyramid_chameleon", "pyramid_tm"),
    "no database": ("sql.db.url", None, "missing"),
    "no cone.sql": ("cone.plugins", "cone.tokens", "cone.sql"),
    "mistyped": (
        "cone.tokens.timezon",
        "UTC",
        "no such setting; did you mean cone.tokens.timezone?",
    ),
    "of a limit": ("cone.tokens.limits.query", "off", "did you mean cone.tokens.limits.queries?"),
    "mistyped prefix": ("cone.token.deadline", "5", "did you mean cone.tokens.deadline?"),
    "like no other": ("cone.tokens.xyz", "1", "the README has all of them"),
    "no such user directory": ("ugm.backend", "fiel", "did you mean file?"),
    "another user directory": ("ugm.backend", "oracle", "there are file, "),
}


def assert_refused(outcome: Outcome, key: str, fragment: str) -> None:
    assert outcome.status == 1, outcome
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert outcome.err.startswith(f"{key}: ")
    assert fragment in outcome.err.removeprefix(key)


@pytest.mark.parametrize(("key", "value", "fragment"), WRONG.values(), ids=WRONG)
def test_a_start_when_a_setting_is_wrong_then_one_line_names_its_key(
    start,
    site_with,
    key,
    value,
    fragment,
):
    assert_refused(start(site_with({key: value})), key, fragment)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [(b'{\n  "default_usage_count": 1,\n  x\n}', "line 3"), (b'{\n"morning": 1}', "morning")],
    ids=["no JSON", "wrong setting"],
)
def test_a_start_when_the_settings_file_is_broken_then_it_is_refused_and_left_alone(
    start,
    site_with,
    tmp_path,
    content,
    fragment,
):
    ini, file = site_with(), tmp_path / "tokens.json"
    file.write_bytes(content)
    outcome = start(ini)
    assert_refused(outcome, FILE, fragment)
    assert str(file) in outcome.err
    assert file.read_bytes() == content


ORDERS = {"cone.sql first": "\ncone.sql\ncone.tokens", "last": "\ncone.tokens\ncone.sql"}
SECRET = "s3cr3t"
POSTGRESQL = f"postgresql+psycopg://u:{SECRET}@"
#: Settings of databases that cannot be used: the key that is named, what is said of it.
BAD_DATABASES = {
    "no URL": ("nonsense", "is no URL"),
    "an empty URL": ("", "is missing"),
    "too few slashes": (f"sqlite:/{SECRET}.db", "is no URL"),
    "unknown kind": (f"nodb://u:{SECRET}@h/d", "no known kind"),
    "unknown driver": (f"postgresql+nope://u:{SECRET}@h/d", "no known kind"),
    "driver not installed": (f"postgresql+psycopg2://u:{SECRET}@h/d", "psycopg2 is not installed"),
    "another kind": (f"mssql+pyodbc://u:{SECRET}@h/d", "pyodbc is not installed"),
    "asynchronous": (f"postgresql+psycopg_async://u:{SECRET}@h/d", "is not supported"),
    "port is no number": (f"{POSTGRESQL}h:port/d", "is no URL"),
    "an @ in the password": (f"{POSTGRESQL}{SECRET}@127.0.0.1:9/d", "%40"),
    "nobody at the port": (f"{POSTGRESQL}127.0.0.1:9/d", "refused"),
    "unknown host": (f"{POSTGRESQL}nowhere.invalid/d", "nowhere.invalid"),
    "unknown parameter": (f"{POSTGRESQL}127.0.0.1:9/d?nope={SECRET}", "nope"),
    "wrong parameter": (f"sqlite:///%(here)s/x.db?timeout={SECRET}", "question mark"),
    "no folder": ("sqlite:////nowhere/at/all/tokens.db", "there is no folder /nowhere/at/all"),
    "a folder": ("sqlite:///%(here)s/ugm", "ugm is a folder"),
    "below a file": ("sqlite:///%(here)s/site.ini/tokens.db", "there is no folder"),
    "no database": ("sqlite:///%(here)s/site.ini", "file is not a database"),
}


def start_in_both_orders(start, site_with, changes) -> list[Outcome]:
    inis = []
    for number, plugins in enumerate(ORDERS.values()):
        ini = site_with({**changes, "cone.plugins": plugins})
        inis.append(ini.with_name(f"order-{number}.ini"))
        inis[-1].write_text(ini.read_text())
    return start(*inis)


@pytest.mark.parametrize(("url", "fragment"), BAD_DATABASES.values(), ids=BAD_DATABASES)
def test_a_start_when_the_database_cannot_be_used_then_one_line_tells_why(
    start,
    site_with,
    url,
    fragment,
):
    for outcome in start_in_both_orders(start, site_with, {"sql.db.url": url}):
        assert_refused(outcome, "sql.db.url", fragment)
        assert SECRET not in outcome.err


@pytest.mark.parametrize(("key", "text"), [("pool_size", "many"), ("poolsize", "1")])
def test_a_start_when_the_engine_does_not_take_a_setting_then_one_line_names_it(
    start,
    site_with,
    key,
    text,
):
    for outcome in start_in_both_orders(start, site_with, {f"sql.db.{key}": text}):
        assert_refused(outcome, f"sql.db.{key}", text)


def test_a_start_when_the_server_does_not_answer_then_it_gives_up(start, site_with):
    """It takes connections and says nothing; the driver alone waits for more than two minutes."""
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{POSTGRESQL}127.0.0.1:{silent.getsockname()[1]}/d"
        for outcome in start_in_both_orders(start, site_with, {"sql.db.url": url}):
            assert_refused(outcome, "sql.db.url", "timeout")
            assert SECRET not in outcome.err
    assert time.monotonic() - begun < 60


def test_a_start_when_the_server_refuses_then_one_line_tells_what(
    start,
    site_with,
    postgres_server,
):
    with postgres_server.connect() as connection:
        connection.execute(f"CREATE ROLE careful LOGIN PASSWORD '{SECRET}'")
    rules = postgres_server.folder / "data/pg_hba.conf"
    rules.write_text(f"local all careful scram-sha-256\n{rules.read_text()}")
    postgres_server.set("application_name", "reloads the rules")
    there = postgres_server.create_database()
    good = there.replace("//postgres@", f"//careful:{SECRET}@")
    wrong = good.replace(SECRET, f"{SECRET}%%21")
    gone = postgres_server.url("gone").replace("//postgres@", f"//careful:{SECRET}@")
    # With the right password it gets as far as to the tables.
    for url, said in {
        wrong: "password authentication failed",
        gone: 'database "gone" does not exist',
        good: "permission denied for schema public",
    }.items():
        for outcome in start_in_both_orders(start, site_with, {"sql.db.url": url}):
            assert_refused(outcome, "sql.db.url", said)
            assert SECRET not in outcome.err


@pytest.mark.parametrize("backend", ["file", "sql"])
def test_a_start_when_a_table_of_the_host_cannot_be_made_then_one_line_tells_it(
    start,
    site_with,
    postgres_server,
    backend,
):
    with postgres_server.connect() as connection:
        connection.execute(f"CREATE ROLE guest_{backend} LOGIN")
    url = postgres_server.create_database().replace("//postgres@", f"//guest_{backend}@")
    changes = {"sql.db.url": url, "ugm.backend": backend}
    for outcome in start_in_both_orders(start, site_with, changes):
        assert_refused(outcome, "sql.db.url", "permission denied for schema public")


def test_a_start_when_the_file_is_locked_then_one_line_tells_it(start, site_with, tmp_path):
    url = f"sqlite:///{tmp_path}/tokens.db?timeout=0.1"
    with closing(sqlite3.connect(tmp_path / "tokens.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE other (x)")
        connection.execute("BEGIN EXCLUSIVE")
        for outcome in start_in_both_orders(start, site_with, {"sql.db.url": url}):
            assert_refused(outcome, "sql.db.url", "database is locked")


#: A plugin that makes the process one of nobody's; at its end, what measures it writes its file.
NOBODYS_SITE = """
import atexit
import os

import cone.tokens.plugin  # nobody may not read all libraries

if os.geteuid() == 0:
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    atexit.register(os.seteuid, 0)
"""


@pytest.mark.parametrize("is_there", [True, False], ids=["file", "folder"])
def test_a_start_when_the_user_may_not_write_then_one_line_names_the_place(
    start,
    site_with,
    tmp_path,
    is_there,
):
    (tmp_path / "nobodys_site.py").write_text(NOBODYS_SITE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = folder / "tokens.db" if is_there else folder
        if is_there:
            place.touch()
        place.chmod(0o444 if is_there else 0o555)
        folder.chmod(0o555)
        plugins = "\nnobodys_site\ncone.sql\ncone.tokens"
        changes = {"sql.db.url": f"sqlite:///{folder}/tokens.db", "cone.plugins": plugins}
        assert_refused(start(site_with(changes)), "sql.db.url", f"{place} cannot be read and")
        folder.chmod(0o755)


def test_a_start_when_the_user_may_not_make_tables_then_one_line_tells_so(
    start,
    site_with,
    postgres_server,
):
    url = postgres_server.create_database()
    with postgres_server.connect() as connection:
        connection.execute("CREATE ROLE visitor LOGIN")
    url = url.replace("//postgres@", "//visitor@")
    outcome = start(site_with({"sql.db.url": url}))
    assert_refused(outcome, "sql.db.url", "permission denied for schema public")


def test_pserve_when_a_setting_is_wrong_then_it_prints_one_line_and_no_traceback(site_with):
    ini = site_with({ZONE: "Mars/Olympus"})
    command = [sys.executable, "-m", "pyramid.scripts.pserve", str(ini), "http_port=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == f"{ZONE}: there is no time zone 'Mars/Olympus'"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("listen = 127.0.0.1:{port}", "listen: cannot listen on 127.0.0.1:{port}: Address already"),
        ("port = {port}", "port: cannot listen on 127.0.0.1:{port}: Address already in use"),
        ("listen = no.such.host.invalid:0", "[server:main]: Invalid host/port specified."),
        ("threadz = 4", "[server:main]: Unknown adjustment 'threadz'"),
    ],
)
def test_pserve_when_our_server_cannot_serve_then_it_prints_one_line_and_no_traceback(
    tmp_path, setting, said
):
    ini = write_site(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = f"use = egg:cone.tokens#server\nhost = 127.0.0.1\n{setting.format(port=port)}"
        if setting.startswith("listen"):
            server = server.replace("host = 127.0.0.1\n", "")
        old = "use = egg:waitress#main\nlisten = 127.0.0.1:%(http_port)s"
        ini.write_text(ini.read_text().replace(old, server))
        command = [sys.executable, "-m", "pyramid.scripts.pserve", str(ini), "http_port=0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(said.format(port=port))


WEAK_SECRETS = {"none": None, "default": "secret", "short": "0123456789abcdef"}


@pytest.mark.parametrize("secret", WEAK_SECRETS.values(), ids=WEAK_SECRETS)
def test_a_start_when_the_cookie_secret_is_weak_then_only_loopback_alone_is_served(
    start,
    site_with,
    secret,
):
    site_with({"cone.auth_secret": secret})
    inis = []
    for name, section in {
        "open": {"listen": "0.0.0.0:8081"},
        "mixed": {"listen": "127.0.0.1:8081 10.0.0.1:8081"},
        "loopback": {"listen": "127.0.0.1:8081"},
    }.items():
        ini = site_with(section, section="server:main")
        inis.append(ini.with_name(f"{name}.ini"))
        inis[-1].write_text(ini.read_text())
    unsaid = ini.with_name("unsaid.ini")
    unsaid.write_text(ini.read_text().replace("[server:main]", "[server:other]"))
    *refused, served = start(unsaid, *inis, code=WORKS)
    for outcome in refused:
        assert_refused(outcome, "cone.auth_secret", "Make one: python3 -c")
    assert served.status == 0
    assert served.err.startswith("cone.auth_secret: is missing, known or too weak")
    assert len(served.err.splitlines()) == 1


def test_a_start_when_the_cookie_secret_is_good_then_it_may_listen_anywhere(start, site_with):
    outcome = start(site_with({"listen": "0.0.0.0:8081"}, section="server:main"), code=WORKS)
    assert (outcome.status, outcome.err) == (0, "")


def test_a_start_when_nobody_can_sign_in_then_one_line_says_so(start, site_with):
    changes = {"ugm.backend": None, "cone.admin_user": None}
    assert_refused(start(site_with(changes)), "ugm.backend", "the site has no users")


def test_a_start_when_the_folder_of_the_users_is_missing_then_one_line_says_so(
    start,
    site_with,
    tmp_path,
):
    outcome = start(site_with({"ugm.users_file": "%(here)s/nowhere/users"}), code=WORKS)
    line = f"ugm.users_file: there is no folder {tmp_path}/nowhere; make it with mkdir -p\n"
    assert (outcome.status, outcome.err) == (0, line)


# What does not

GOOD = {
    "as it is": {},
    "no optional setting": {ZONE: None},
    "empty optional settings": {ZONE: "", FLAG: "", FACTORY: "", NODE_PATH: ""},
    "a flag in another spelling": {FLAG: "Off"},
    "defaults written down": {
        FLAG: "true",
        FACTORY: "cone.tokens.model.TokenContainer",
        NODE_PATH: "settings/token_settings",
    },
    "slashes around the path": {NODE_PATH: "/settings/token_settings/"},
    "plugins in the other order": {"cone.plugins": "\ncone.tokens\ncone.sql"},
    "more includes": {"pyramid.includes": "pyramid_chameleon\npyramid_tm"},
    "no veto": {"tm.commit_veto": None},
    "the super user alone": {"ugm.backend": None},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_a_start_when_settings_are_right_then_nothing_is_said(start, site_with, changes):
    outcome = start(site_with(changes))
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize("case", ["no optional setting", "plugins in the other order", "no veto"])
def test_a_start_when_settings_differ_from_ours_then_the_site_works(start, site_with, case):
    outcome = start(site_with(GOOD[case]), code=WORKS)
    assert (outcome.status, outcome.err) == (0, "")


def test_a_start_when_there_is_no_settings_file_then_it_is_made_with_the_defaults(
    start,
    site_with,
    tmp_path,
):
    assert start(site_with()).status == 0
    assert json.loads((tmp_path / "tokens.json").read_text()) == {
        "morning": {"start": "08:00", "end": "12:00"},
        "afternoon": {"start": "12:00", "end": "18:00"},
        "today": {"start": "08:00", "end": "18:00"},
        "default_locktime": 0,
        "default_usage_count": 1,
        "time_ranges": [],
        "label_sheet": "L7160",
        "sounds": True,
        "code_kinds": ["qr"],
        "checkpoints": [],
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_start_when_there_is_a_settings_file_then_it_is_left_alone(start, site_with, tmp_path):
    content = '{"default_usage_count":   5, "somebody": "else"}'
    (tmp_path / "tokens.json").write_text(content)
    assert start(site_with()).status == 0
    assert (tmp_path / "tokens.json").read_text() == content


def test_a_start_when_the_zone_of_the_host_counts_then_answers_carry_its_offset(
    start,
    site_with,
):
    code = f"""
client.post("/login", {login_form("admin")!r}, status=302)
client.post("/tokens/add_token", {{"value": "v", "valid_from": "2026-07-01T10:00:00Z"}})
print(client.get("/tokens/query_token?value=v").json["token"]["valid_from"])
"""
    ini = site_with({ZONE: None})
    outcome = start(ini, code=code)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("2026-07-01T")


def test_a_start_when_consume_by_get_is_off_then_get_is_405(start, site_with):
    code = f"""
client.post("/login", {login_form("admin")!r}, status=302)
uid = client.post("/tokens/add_token", {{"usage_count": "1"}}).json["token_uid"]
assert client.get(f"/tokens/{{uid}}/consume_token", status=405).headers["Allow"] == "POST"
"""
    outcome = start(site_with({FLAG: "false"}), code=code)
    assert (outcome.status, outcome.err) == (0, "")


def test_a_start_when_the_session_filter_is_missing_then_requests_tell_it(start, site_with):
    code = f"""
import logging
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger("cone.tokens").addHandler(handler)
client.post("/login", {login_form("admin")!r}, status=302)
answer = client.get("/tokens/query_token?value=v", status=500)
assert answer.json["error"] == "internal_error", answer
assert client.get("/tokens", status=500)
print(len(lines), lines[0])
"""
    ini = site_with()
    site_with({"pipeline": "tokens"}, section="pipeline:main")
    outcome = start(ini, code=code)
    assert (outcome.status, len(outcome.err.splitlines())) == (0, 1)
    assert outcome.err.startswith("the pipeline has no session filter, and requests will fail")
    assert "egg:cone.tokens#session" in outcome.err
    assert outcome.out.startswith("2 ")
    assert "egg:cone.tokens#session" in outcome.out
    assert "\n" not in outcome.out.strip()


def test_writes_of_the_host_when_there_is_no_veto_and_a_request_fails_then_they_are_undone(
    start,
    site_with,
):
    code = f"""
import datetime
import uuid
import cone.sql
from pyramid.threadlocal import get_current_request
from sqlalchemy import func, select
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.service import TicketService

def write_and_fail(*_args):
    session = cone.sql.get_session(get_current_request())
    now = datetime.datetime.now(datetime.timezone.utc)
    fields = dict(uid=uuid.uuid4(), token_uid=uuid.uuid4(), token_value="", timestamp=now)
    session.add(TokenUsageRecord(**fields, version=1))
    session.flush()
    assert session.scalar(select(func.count()).select_from(TokenUsageRecord)) == 1
    raise RuntimeError

TicketService.find_by_value = write_and_fail
client.post("/login", {login_form("admin")!r}, status=302)
client.get("/tokens/query_token?value=v", status=500)
with cone.sql.session_factory.engine.connect() as connection:
    print(connection.scalar(select(func.count()).select_from(TokenUsageRecord)))
"""
    outcome = start(site_with({"tm.commit_veto": None}), code=code)
    assert (outcome.status, outcome.out) == (0, "0\n"), outcome.err


# Sites that derive

OWN_SITE = """
from cone.app import main_hook
from cone.app import register_entry
from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from cone.tokens.settings import TokenSettings


class OwnNode(TokenNode):
    pass


class OwnContainer(TokenContainer):
    def __getitem__(self, name):
        node = super().__getitem__(name)
        return OwnNode(name=node.name, parent=self, uid=node.uid)


class OwnSettings(TokenSettings):
    pass


@main_hook
def initialize(config, global_config, settings):
    register_entry("elsewhere", OwnSettings)
"""


def test_a_start_when_the_container_is_derived_then_the_api_and_permissions_are_ours(
    start,
    site_with,
    tmp_path,
):
    code = (
        WORKS
        + f"""
import cone.app
from cone.app.ugm import ugm_backend
assert type(cone.app.get_root()["tokens"]).__name__ == "OwnContainer"
assert type(cone.app.get_root()["tokens"][uid]).__name__ == "OwnNode"
ugm_backend.ugm.users.create("nobody")
ugm_backend.ugm.users.passwd("nobody", None, {PASSWORD!r})
client.get("/logout")
client.get("/tokens/query_token?value=v", status=401)
client.post("/login", {login_form("nobody")!r}, status=302)
client.get("/tokens/query_token?value=v", status=403)
client.get(f"/tokens/{{uid}}/usages", status=403)
client.post(f"/tokens/{{uid}}/consume_token", status=403)
client.get("/tokens/no-uid/usages", status=403)
"""
    )
    (tmp_path / "own_site.py").write_text(OWN_SITE)
    outcome = start(site_with({FACTORY: "own_site.OwnContainer"}), code=code)
    assert (outcome.status, outcome.err) == (0, "")


def test_a_start_when_the_settings_are_mounted_elsewhere_then_they_are_found(
    start,
    site_with,
    tmp_path,
):
    (tmp_path / "own_site.py").write_text(OWN_SITE)
    code = """
import cone.app
from cone.tokens.settings import get_settings_node
assert get_settings_node() is cone.app.get_root()["elsewhere"]
assert get_settings_node().attrs["default_usage_count"] == 1
"""
    plugins = "\ncone.sql\nown_site\ncone.tokens"
    outcome = start(site_with({NODE_PATH: "elsewhere", "cone.plugins": plugins}), code=code)
    assert (outcome.status, outcome.err) == (0, "")


# Databases

TABLES_OF_2_0 = """
CREATE TABLE tokens (uid CHAR(32) PRIMARY KEY NOT NULL, value VARCHAR, last_used DATETIME,
    valid_from DATETIME, valid_to DATETIME, usage_count INTEGER, lock_time INTEGER,
    creator VARCHAR, created DATETIME, modified DATETIME);
CREATE TABLE token_usage (uid CHAR(32) PRIMARY KEY NOT NULL, token_uid CHAR(32),
    token_value VARCHAR, timestamp DATETIME, error_code INTEGER, user VARCHAR);
"""
ROWS_OF_2_0 = """
INSERT INTO tokens (uid, value, usage_count, lock_time, created) VALUES
    ('6f2c1d1e58a34a0c9a870d3c64f6a001', 'double', -5, 0, '2020-03-29 02:30:00.000000'),
    ('6f2c1d1e58a34a0c9a870d3c64f6a002', 'double', 3, -1, NULL),
    ('6f2c1d1e58a34a0c9a870d3c64f6a003', NULL, NULL, NULL, NULL);
INSERT INTO token_usage VALUES
    ('6f2c1d1e58a34a0c9a870d3c64f6b001', '6f2c1d1e58a34a0c9a870d3c64f6a001', 'double',
     '2020-03-29 02:30:00.000000', NULL, 'max');
"""
OLD_DATABASES = {
    "filled": TABLES_OF_2_0 + ROWS_OF_2_0,
    "empty tables": TABLES_OF_2_0,
    "one of the tables": TABLES_OF_2_0.split(";", maxsplit=1)[0],
    "the other table": TABLES_OF_2_0.split(";")[1],
    "in WAL mode": "PRAGMA journal_mode = WAL;" + TABLES_OF_2_0 + ROWS_OF_2_0,
}


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "tokens.db").read_bytes()).hexdigest()


@pytest.mark.parametrize("statements", OLD_DATABASES.values(), ids=OLD_DATABASES)
def test_a_start_when_the_database_is_of_2_0_then_it_is_refused_and_left_alone(
    start,
    site_with,
    tmp_path,
    statements,
):
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        connection.executescript(statements)
    before = digest(tmp_path)
    outcome = start(site_with())
    assert_refused(outcome, "sql.db.url", "2.0")
    assert digest(tmp_path) == before


MADE_OLDER = "DROP INDEX ix_token_usage_error_code_timestamp; DROP TABLE token_schema"


def test_a_start_when_the_database_is_of_an_older_version_then_it_names_the_command(
    start,
    site_with,
    tmp_path,
):
    ini = site_with()
    assert start(ini, code=WORKS).status == 0
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        connection.executescript(MADE_OLDER)
    before = digest(tmp_path)
    assert_refused(start(ini), "sql.db.url", "run: cone-tokens upgrade CONFIG.ini")
    assert digest(tmp_path) == before


def test_a_start_when_it_may_upgrade_the_database_then_it_does(start, site_with, tmp_path):
    assert start(site_with(), code=WORKS).status == 0
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        connection.executescript(MADE_OLDER)
    outcome = start(site_with({"cone.tokens.auto_upgrade": "true"}))
    assert (outcome.status, outcome.err) == (0, "")
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        versions = connection.execute("SELECT version_num FROM token_schema").fetchall()
    assert versions == [(REVISIONS[-1],)]


def test_a_start_when_the_database_is_ours_then_it_keeps_everything(start, site_with, tmp_path):
    ini = site_with()
    assert start(ini, code=WORKS).status == 0
    before = digest(tmp_path)
    assert start(ini).status == 0
    assert digest(tmp_path) == before


@pytest.mark.parametrize("attempt", range(2))
def test_many_starts_when_they_come_at_once_on_an_empty_database_then_all_come_up(
    start,
    site_with,
    tmp_path,
    attempt,
):
    ini = site_with()
    copies = [ini]
    for number in range(3):
        copies.append(ini.with_name(f"copy-{number}.ini"))
        copies[-1].write_text(ini.read_text())
    for outcome in start(*copies, code=WORKS):
        assert (outcome.status, outcome.err) == (0, "")
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        assert connection.execute("SELECT count(*) FROM tokens").fetchone() == (4,)
    assert json.loads((tmp_path / "tokens.json").read_text())["default_usage_count"] == 1


# An ini file of 2.0, as it is

INI_OF_2_0 = """
[app:demo]
use = egg:cone.app#main
pyramid.includes =
    pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
pyramid.reload_templates = false
pyramid.default_locale_name = en
cone.available_languages = en, de
cone.admin_user = admin
cone.admin_password = {password}
cone.auth_secret = 12345
cone.auth_reissue_time = 300
cone.auth_max_age = 600
cone.plugins =
    cone.sql
    cone.tokens
ugm.backend = file
ugm.users_file = %(here)s/ugm/users
ugm.groups_file = %(here)s/ugm/groups
ugm.roles_file = %(here)s/ugm/roles
ugm.datadir = %(here)s/ugm/data
sql.db.url = sqlite:///%(here)s/tokens.db
cone.tokens.config_file = %(here)s/tokens.json
cone.tokens.settings_node_path = settings/token_settings
cone.tokens.entryfactory = cone.tokens.model.TokenContainer

[filter:session]
use = egg:cone.sql#session

[pipeline:main]
pipeline =
    session
    demo

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
"""


def test_an_ini_file_of_2_0_when_the_database_is_empty_then_the_site_works(serve, tmp_path):
    ini = write_site(tmp_path)
    logging = ini.read_text().partition("[loggers]")[2]
    ini.write_text(INI_OF_2_0.format(password=PASSWORD) + "\n[loggers]" + logging)
    client = serve(ini).sign_in()
    added = client.post("/tokens/add_token", {"value": "v", "usage_count": "1"}).json
    path = f"/tokens/{added['token_uid']}"
    answers = [client.get(f"{path}/consume_token").json for _ in range(2)]
    assert [answer["consumed"] for answer in answers] == [True, False]
    assert client.get("/tokens/query_token", {"value": "v"}).json["token"]["usage_count"] == 0
    assert client.post(f"{path}/update_token", {"usage_count": "2"}).json == {"success": True}
    assert client.post(f"{path}/delete_token").json == {"success": True}
    assert client.get("/settings/token_settings").status == 200
    assert (tmp_path / "tokens.json").exists()
