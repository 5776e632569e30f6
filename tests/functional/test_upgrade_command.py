"""The command ``cone-tokens upgrade`` on databases of cone.tokens 2.0, as people run it."""

import csv
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine
from sqlalchemy import inspect
from sqlalchemy import text

from cone.tokens.core.values import TokenFilter
from cone.tokens.migrations import schema
from cone.tokens.tickets.service import on_engine
from tests.support.factories import new_token
from tests.support.old_database import add_token
from tests.support.old_database import add_usage
from tests.support.old_database import make_tables
from tests.support.searches import drop_trigrams
from tests.support.site import write_site

COMMAND = (sys.executable, "-W", "ignore", "-c")
RUN = "from cone.tokens.cli import main; main()"
#: Stops in the middle, with all tokens copied, and tells so.
STOPPED = """
import sys, time
from cone.tokens.migrations.of_2_0 import OldDatabase
def stop(*_arguments):
    print("stopped", flush=True)
    time.sleep(600)
OldDatabase._copy_usages = stop
"""
ZONE = ("--timezone", "Europe/Vienna")
WILLING = (*ZONE, "--duplicates=keep-oldest", "--long-values=uid")
#: Names and roles in a directory of files.
USERS = {"nobody": "", "viewer": "viewer", "operator": "token_operator", "chief": "manager"}


class Ended(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out.splitlines()[-1])


class OldSite(NamedTuple):
    """A site whose database is of 2.0."""

    ini: Path
    url: str

    def command(self, *arguments: str, program: str = RUN) -> list[str]:
        return [*COMMAND, program, "upgrade", str(self.ini), *arguments]

    def run(self, *arguments: str) -> Ended:
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def everything(self) -> dict[str, list[str]]:
        engine = create_engine(self.url)
        with engine.connect() as connection:
            found = {
                name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")).all()))
                for name in inspect(engine).get_table_names()
            }
        engine.dispose()
        return found

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.ini.parent.glob(pattern))


@pytest.fixture(params=["sqlite", "postgresql"])
def old_site(request, tmp_path) -> OldSite:
    """A site with double values, times across a change of the clocks and counts below -1."""
    url = f"sqlite:///{tmp_path}/tokens.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    ini = write_site(tmp_path, database_url=url)
    (tmp_path / "ugm/users").write_text("".join(f"{name}:x\n" for name in USERS))
    roles = "".join(f"{name}::{role}\n" for name, role in USERS.items() if role)
    (tmp_path / "ugm/roles").write_text(roles)
    engine = create_engine(url)
    with engine.begin() as connection:
        make_tables(connection)
        add_token(connection, 1, value="double", usage_count=-5)
        add_token(connection, 2, value="double", created="2024-03-31 02:30:00.000000")
        add_token(connection, 3, value=None, lock_time=-1, last_used="2024-10-27 02:30:00.000000")
        add_usage(connection, 4, 3, timestamp="2024-10-27 02:30:00.000000")
    engine.dispose()
    return OldSite(ini, url)


def test_upgrade_when_it_is_done_step_by_step_then_each_says_what_is_so(old_site):
    before = old_site.everything()
    checked = old_site.run("--check", *ZONE)
    assert checked.status == 1
    for line in [
        "3 rows in tokens",
        "1 row in token_usage",
        "values that another token has too: 1",
        "counts below -1: 1; become 0",
        "times in tokens.created that the clocks of Europe/Vienna skip: 1",
        "times in token_usage.timestamp that the clocks of Europe/Vienna show twice: 1",
        "tokens with the value of another one: 1; say which keeps it with --duplicates",
    ]:
        assert line in checked.err
    refused = old_site.run(*ZONE)
    assert (refused.status, "refused; nothing was changed" in refused.err) == (1, True)
    assert old_site.everything() == before
    assert old_site.files("*.csv") == old_site.files("*backup*") == []
    done = old_site.run(*WILLING)
    assert done.status == 0, done.err
    assert "The database is upgraded. Changes of single rows: 7" in done.out
    (report,) = old_site.files("upgrade-*.csv")
    assert report.stat().st_mode & 0o777 == 0o600
    with report.open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["table", "uid", "column", "old", "new", "reason"]
    assert len([line for line in lines[1:] if line[1]]) == 7
    after = old_site.everything()
    second = old_site.run(*WILLING)
    assert (second.status, second.out.splitlines()[-1]) == (0, "Nothing to do.")
    assert (old_site.everything(), len(old_site.files("*.csv"))) == (after, 1)
    assert len(old_site.files("*backup*")) == old_site.url.startswith("sqlite")


def test_upgrade_when_told_what_to_do_then_the_check_says_that_it_can_be_done(old_site):
    before = old_site.everything()
    ended = old_site.run("--check", "--json", *WILLING)
    assert ended.status == 0
    facts = ended.json
    assert (facts["success"], facts["upgraded"]) == (True, False)
    assert facts["rows"] == {"tokens": 3, "token_usage": 1}
    assert facts["found"]["tokens.value"] == {"double": 1, "missing": 1}
    assert facts["users"] == {"lose_view": ["nobody"], "lose_consume": ["viewer"]}
    assert old_site.everything() == before


def test_upgrade_when_done_then_the_site_starts_and_knows_the_token(old_site, serve):
    assert old_site.run(*WILLING).status == 0
    served = serve(old_site.ini)
    client = served.sign_in()
    found = client.get("/tokens/query_token", {"value": "double"}).json["token"]
    uid = found["uid"]
    # It was below -1.
    assert client.post(f"/tokens/{uid}/consume_token").json["error"] == "usage_count_exceeded"
    assert client.get(f"/tokens/{uid}").status == 200
    assert client.get("/tokens/statistics").status == 200
    used = "03000000-0000-0000-0000-000000000003"
    (usage,) = client.get(f"/tokens/{used}/usages").json["usages"]
    assert (usage["error"], usage["usage_count"]) == (None, None)
    assert client.get(f"/tokens/{used}").status == 200


def test_upgrade_when_killed_in_the_middle_then_all_is_as_before(old_site):
    before = old_site.everything()
    child = subprocess.Popen(
        old_site.command(*WILLING, program=STOPPED + RUN),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child:
        assert any("stopped" in line for line in child.stdout)
        child.kill()
    assert old_site.everything() == before
    assert old_site.files("upgrade-*.csv") == []
    assert old_site.run("--check", *WILLING).status == 0
    assert old_site.run(*WILLING).status == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "--timezone ZONE"),
        (("--check",), "--timezone ZONE"),
        (("--timezone", "Mars/Olympus"), "there is no time zone 'Mars/Olympus'"),
        ((*ZONE, "--duplicates=all"), "--duplicates"),
        ((*WILLING, "--report", "{ini}"), "there is a file"),
        ((*WILLING, "--report", "{ini}-no-folder/x.csv"), "No such file or directory"),
    ],
)
def test_upgrade_when_it_is_called_wrongly_then_it_says_how_and_changes_nothing(
    old_site,
    arguments,
    text,
):
    before = old_site.everything()
    ended = old_site.run(*(part.format(ini=old_site.ini) for part in arguments))
    assert (ended.status, text in ended.err) == (2, True), ended.err
    assert old_site.everything() == before


def test_check_when_the_user_directory_cannot_be_read_then_it_says_so(old_site):
    ini = old_site.ini.read_text().replace("ugm.backend = file", "ugm.backend = elsewhere")
    old_site.ini.write_text(ini)
    ended = old_site.run("--check", *WILLING)
    assert ended.status == 0
    assert "The user directory could not be read: ValueError: Unknown UGM backend" in ended.err


#: Makes users the way that a program of the site would, without starting the site.
MAKE_USERS = """
import sys
import cone.sql
import cone.sql.ugm
from cone.app.ugm import ugm_backend
from pyramid.request import Request
from pyramid.threadlocal import manager

settings = {"sql.db.url": sys.argv[1], "cone.plugins": "cone.sql"}
cone.sql.session_factory = cone.sql.SQLSessionFactory(settings, "sql.db.")
cone.sql.initialize_sql(cone.sql.session_factory.engine)
request = Request.blank("/")
session = request.environ[cone.sql.session_key] = cone.sql.session_factory()
manager.push({"request": request, "registry": None})
ugm_backend.load("sql", settings)
ugm_backend.initialize()
ugm = ugm_backend.ugm
for name in ("nobody", "viewer", "chief"):
    ugm.users.create(name)
ugm.users["viewer"].add_role("viewer")
ugm.groups.create("doors")
ugm.groups["doors"].add("chief")
ugm.groups["doors"].add_role("manager")
ugm()
session.commit()
"""


def test_check_when_users_are_in_the_database_then_they_are_found(old_site):
    ini = old_site.ini.read_text().replace("ugm.backend = file", "ugm.backend = sql")
    old_site.ini.write_text(ini)
    subprocess.run([*COMMAND, MAKE_USERS, old_site.url], check=True)
    ended = old_site.run("--check", "--json", *WILLING)
    assert ended.status == 0
    assert ended.json["users"] == {"lose_view": ["nobody"], "lose_consume": ["viewer"]}


# Databases of ours


@pytest.fixture
def our_site(tmp_path) -> OldSite:
    """A site whose database is empty."""
    url = f"sqlite:///{tmp_path}/tokens.db"
    return OldSite(write_site(tmp_path, database_url=url), url)


def test_upgrade_when_there_is_no_database_then_it_says_so_and_makes_none(our_site):
    ended = our_site.run()
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1].startswith("sql.db.url: there is no file ")
    assert our_site.files("tokens.db*") == []


def test_upgrade_when_the_database_is_empty_then_there_is_nothing_to_do(our_site):
    sqlite3.connect(our_site.ini.parent / "tokens.db").execute("CREATE TABLE another (x)").close()
    ended = our_site.run()
    assert (ended.status, ended.out.splitlines()[-1]) == (0, "Nothing to do.")


def test_upgrade_when_the_database_allows_trigrams_now_then_parts_are_found(our_site):
    engine = create_engine(our_site.url)
    schema.prepare(engine)
    drop_trigrams(engine)
    on_engine(engine).add(new_token(label="Zoë Müller"), by=None)
    sought = TokenFilter(search="muller")
    assert on_engine(engine).count(sought) == 0
    assert our_site.run("--check").out.splitlines()[-1] == "Nothing to do."
    said = our_site.run().out.splitlines()[-1]
    assert said == "Searches find parts of codes and labels now."
    assert on_engine(engine).count(sought) == 1
    engine.dispose()
    assert our_site.run().out.splitlines()[-1] == "Nothing to do."


def test_upgrade_when_the_version_is_older_then_it_is_upgraded_with_a_backup(our_site):
    engine = create_engine(our_site.url)
    schema.prepare(engine)
    engine.dispose()
    with closing(sqlite3.connect(our_site.ini.parent / "tokens.db")) as connection:
        connection.executescript(
            "DROP INDEX ix_token_usage_error_code_timestamp; DROP TABLE token_schema",
        )
    before = our_site.everything()
    checked = our_site.run("--check")
    assert (checked.status, "can be upgraded" in checked.out) == (0, True)
    assert our_site.everything() == before
    done = our_site.run("--json")
    assert (done.status, done.json) == (0, {"success": True, "upgraded": True})
    (backup,) = our_site.files("tokens.db.backup-*")
    assert "token_schema" not in OldSite(our_site.ini, f"sqlite:///{backup}").everything()
    assert our_site.run("--json").json == {"success": True, "upgraded": False}


def test_upgrade_when_the_version_is_newer_then_it_is_refused(our_site):
    engine = create_engine(our_site.url)
    schema.prepare(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE token_schema SET version_num = '9999'"))
    engine.dispose()
    ended = our_site.run()
    assert (ended.status, "newer version" in ended.err) == (2, True)
