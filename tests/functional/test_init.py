"""``cone-tokens init``: a whole site that starts, or nothing."""

import configparser
import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import tzlocal
from click.testing import CliRunner

from cone.tokens.cli import main
from cone.tokens.cli.new_folder import FolderTaken
from cone.tokens.cli.new_folder import new_folder
from cone.tokens.cli.site import open_site
from cone.tokens.cli.site_files import environment_of
from cone.tokens.host.users import Users
from cone.tokens.host.users import changing_users
from tests.functional.test_command_line import PROGRAM
from tests.support.served import Served
from tests.support.site import login_form

ROOT = Path(__file__).parents[2]
GOOD = "a-good-password"
DONE, NO, USAGE = 0, 1, 2


@pytest.fixture(autouse=True)
def _as_in_a_program(monkeypatch):
    """No site was started in the process."""
    monkeypatch.delenv("CONE_SQL_USE_TM", raising=False)


def init(folder: Path, *arguments: str, status: int = DONE, **more) -> dict:
    """Run the command and return what its JSON says."""
    done = CliRunner().invoke(main, ["init", str(folder), *arguments, "--json"], **more)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def option(ini: Path, key: str, section: str = "app:site") -> str:
    parser = configparser.RawConfigParser()
    parser.read(ini)
    return parser.get(section, key)


def there(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


class ServedByCommand(Served):
    """A site that is started as ``init`` says, on a free port."""

    def __init__(self, answer: dict, before: str = "") -> None:
        super().__init__(Path(answer["ini"]))
        program, ini = shlex.split(answer["command"])
        assert (Path(program).name, ini) == ("pserve", answer["ini"])
        self._shell = f"{before} exec {sys.executable} -m pyramid.scripts.pserve {shlex.quote(ini)}"
        text = self.ini.read_text()
        self.ini.write_text(re.sub(r"(?m)^port = \d+$", "port = 0", text))

    def command(self) -> list[str]:
        return ["sh", "-e", "-c", self._shell]


def use_a_token(client, password: str) -> None:
    """Sign in, add a token and redeem it."""
    form = {**login_form("admin"), "loginform.password": password}
    assert client.post("/login", form).status == 302
    added = client.post("/tokens/add_token", {"usage_count": "1"}).json
    path = f"/tokens/{added['token_uid']}/consume_token"
    assert [client.post(path).json["consumed"] for _ in range(2)] == [True, False]
    assert client.get("/settings/token_settings").status == 200


def test_site_when_it_is_made_then_it_starts_and_says_nothing_that_nobody_needs(tmp_path):
    answer = init(tmp_path / "a site with ümlauts")
    with ServedByCommand(answer) as served:
        use_a_token(served.connect(), answer["password"])
        log = served.whole_log()
    assert [line for line in log.splitlines() if "lxml" in line or "zcml" in line] == []
    lines = [line for line in log.splitlines() if re.match(r"\d{4}-", line)]
    firsts = [line.split("]: ")[1].split()[0] for line in lines]
    assert firsts == ["Serving", "sign-in", "consumption", "the"]
    with closing(sqlite3.connect(tmp_path / "a site with ümlauts/var/site.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("before", "after"),
    [("host = 127.0.0.1", "host = 0.0.0.0"), ("threads = 4", "threads = 4\ntrusted_proxy = *")],
)
def test_site_when_others_can_ask_it_over_http_then_one_line_says_what_to_do(
    tmp_path, before, after
):
    ini = Path(init(tmp_path / "site")["ini"])
    text = re.sub(r"(?m)^port = \d+$", "port = 0", ini.read_text())
    assert before in text
    ini.write_text(text.replace(before, after))
    start = [sys.executable, "-m", "pyramid.scripts.pserve", ini]
    done = subprocess.run(start, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("cone.auth_secure: is not true: where others")


def test_site_when_it_is_made_then_its_owner_alone_can_read_it(tmp_path):
    init(tmp_path / "site", "--production")
    modes = {path: path.stat().st_mode & 0o777 for path in there(tmp_path)}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    names = [str(path.relative_to(tmp_path / "site")) for path in modes if path.is_file()]
    users = [f"var/ugm/{name}" for name in ("groups", "roles", "users")]
    assert names == ["secrets.env", "site.ini", "var/site.db", *users]


def test_site_when_it_is_made_then_the_shell_is_told_what_comes_next(tmp_path):
    done = CliRunner().invoke(main, ["init", str(tmp_path / "site"), "--port", "8765"])
    assert done.exit_code == DONE
    said = done.stdout
    (password,) = re.findall(r"Password  (\S{19}) ", said)
    assert f"pserve {tmp_path}/site/site.ini" in said
    assert "http://127.0.0.1:8765/" in said
    assert option(tmp_path / "site/site.ini", "port", "server:main") == "8765"
    for path in there(tmp_path / "site"):
        assert path.is_dir() or password.encode() not in path.read_bytes()


def test_sites_when_they_are_made_then_each_has_a_secret_of_its_own(tmp_path):
    for name in "ab":
        init(tmp_path / name)
    secrets = {option(tmp_path / name / "site.ini", "cone.auth_secret") for name in "ab"}
    assert sorted(map(len, secrets)) == [64, 64]


def test_administrator_when_name_and_password_are_chosen_then_they_count(tmp_path):
    answer = init(tmp_path / "site", "--admin", "Zoë", "--password-file", "-", input=f"{GOOD}\n")
    assert (answer["user"], "password" in answer) == ("Zoë", False)
    with changing_users(open_site(tmp_path / "site/site.ini").settings) as users:
        (made,) = users.all()
        assert users._directory.users.authenticate("Zoë", GOOD)
    assert (made.name, made.roles) == ("Zoë", ("manager",))


def test_zone_when_it_is_chosen_then_the_ini_file_has_it(tmp_path):
    init(tmp_path / "site", "--timezone", "America/Lima")
    assert option(tmp_path / "site/site.ini", "cone.tokens.timezone") == "America/Lima"


def test_zone_when_the_site_is_made_then_it_and_the_setting_for_another_are_told(tmp_path):
    folder = tmp_path / "site"
    done = CliRunner().invoke(main, ["init", str(folder), "--timezone", "America/Lima"])
    told = f"in America/Lima; for another zone: cone.tokens.timezone in {folder}/site.ini"
    assert f"  Times     {told}" in done.stdout.splitlines()
    assert init(tmp_path / "other", "--timezone", "America/Lima")["timezone"] == "America/Lima"


def test_zone_when_the_host_tells_none_then_it_is_utc(tmp_path, monkeypatch):
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: None)
    init(tmp_path / "site")
    assert option(tmp_path / "site/site.ini", "cone.tokens.timezone") == "UTC"


# Nothing is overwritten, nothing is left behind


@pytest.mark.parametrize("content", ["site.ini", "else.txt", "var/site.db", ".hidden"])
def test_folder_when_there_is_something_in_it_then_it_stays_as_it_is(tmp_path, content):
    (tmp_path / content).parent.mkdir(exist_ok=True)
    (tmp_path / content).write_text("mine")
    before = there(tmp_path)
    assert init(tmp_path, status=NO)["error"] == "folder_taken"
    assert (there(tmp_path), (tmp_path / content).read_text()) == (before, "mine")


def test_folder_when_it_is_empty_then_the_site_is_in_it(tmp_path):
    answer = init(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site.ini", "var"]
    assert open_site(Path(answer["ini"])).config.zone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--admin", "a:b"], "name: must not have"),
        (["--timezone", "Mars/Olympus"], "--timezone: there is no time zone 'Mars/Olympus'"),
        (["--postgres", ""], "--postgres: must be a URL of PostgreSQL"),
        (["--postgres", "mysql://u@h/d"], "--postgres: must be a URL of PostgreSQL"),
        (["--postgres", "postgresql://u:pw@h/d"], "--postgres: has a password, which others see"),
        (["--postgres", "postgresql://u@h/d?password=x"], "--postgres: must have the password beh"),
        (["--postgres", "postgresql://u@127.0.0.1:9/d"], "sql.db.url: the database cannot be open"),
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_option_when_it_is_wrong_then_one_line_says_so_and_nothing_is_left(
    tmp_path, arguments, said, is_there
):
    folder = tmp_path / "site"
    if is_there:
        folder.mkdir()
    before = there(tmp_path)
    answer = init(folder, *arguments, status=USAGE)
    assert answer["message"].startswith(said)
    assert "\n" not in answer["message"]
    assert there(tmp_path) == before


def test_options_when_both_are_to_come_from_stdin_then_that_is_wrong_use(tmp_path):
    arguments = ["init", str(tmp_path / "site"), "--postgres", "-", "--password-file", "-"]
    done = CliRunner().invoke(main, arguments, input=f"{GOOD}\n")
    assert done.exit_code == USAGE
    assert "stdin has one of --postgres and --password-file" in done.stderr
    assert there(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["a?b", "a#b", "a%b", "a${HOME}b", "nowhere/site", "file/site", "file"]
)
def test_folder_when_it_cannot_be_made_then_one_line_says_so_and_nothing_is_left(tmp_path, name):
    (tmp_path / "file").touch()
    before = there(tmp_path)
    done = CliRunner().invoke(main, ["init", str(tmp_path / name)])
    assert done.exit_code in (NO, USAGE)
    assert len(done.stderr.splitlines()) == 1
    assert there(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("is_there", [True, False])
def test_site_when_it_is_interrupted_then_nothing_is_left(tmp_path, monkeypatch, error, is_there):
    def fail(*_arguments) -> None:
        raise error

    folder = tmp_path / "site"
    if is_there:
        folder.mkdir()
    before = there(tmp_path)
    monkeypatch.setattr(Users, "add", fail)
    assert CliRunner().invoke(main, ["init", str(folder)]).exit_code not in (DONE, NO, USAGE)
    assert there(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_site_when_its_program_is_ended_then_it_is_whole_or_not_there(tmp_path, number):
    place = tmp_path / "site"
    process = subprocess.Popen([PROGRAM, "init", place], stdout=subprocess.DEVNULL)
    while not list(tmp_path.iterdir()):
        assert process.poll() is None
    process.send_signal(number)
    process.wait()
    assert place.exists() is (process.returncode == DONE)
    if number == signal.SIGTERM:
        assert [path for path in tmp_path.iterdir() if path != place] == []
    elif not place.exists():
        assert init(place)["success"]


@pytest.mark.parametrize("is_there", [True, False])
def test_folder_when_it_is_made_at_once_then_one_has_it_and_it_is_whole(tmp_path, is_there):
    place = tmp_path / "site"
    if is_there:
        place.mkdir()

    def make(number: int) -> int | None:
        try:
            with new_folder(place) as new:
                (new.stage / "var").mkdir()
                for path in ("var/x", "site.ini"):
                    (new.stage / path).write_text(str(number))
                new.publish()
        except FolderTaken:
            return None
        return number

    with ThreadPoolExecutor(8) as threads:
        made = [number for number in threads.map(make, range(8)) if number is not None]
    assert {path.read_text() for path in there(place) if path.is_file()} == set(map(str, made))
    assert len(made) == 1
    assert not [path for path in there(tmp_path) if path.name.startswith(".")]


# PostgreSQL and production


def test_site_when_it_is_on_postgresql_then_its_users_are_there_too(tmp_path, postgres_server):
    url = postgres_server.create_database()
    answer = init(tmp_path / "site", "--postgres", url.replace("+psycopg", ""))
    assert option(Path(answer["ini"]), "ugm.backend") == "sql"
    with ServedByCommand(answer) as served:
        use_a_token(served.connect(), answer["password"])


def test_site_when_the_database_has_such_a_user_then_nothing_is_left(tmp_path, postgres_server):
    url = postgres_server.create_database()
    init(tmp_path / "one", "--postgres", url)
    before = there(tmp_path)
    assert init(tmp_path / "two", "--postgres", url, status=NO)["error"] == "user_exists"
    assert there(tmp_path) == before


def test_site_when_its_folder_is_taken_in_the_end_then_the_database_has_no_user(
    tmp_path, postgres_server, monkeypatch
):
    url = postgres_server.create_database()
    add = Users.add

    def take_the_place(*arguments):
        (tmp_path / "site").mkdir()
        (tmp_path / "site/mine").touch()
        return add(*arguments)

    monkeypatch.setattr(Users, "add", take_the_place)
    assert init(tmp_path / "site", "--postgres", url, status=NO)["error"] == "folder_taken"
    assert [path.name for path in there(tmp_path)] == ["site", "mine"]
    monkeypatch.undo()
    assert init(tmp_path / "other", "--postgres", url)["success"]


PASSWORD_OF_DATABASE = """p@ss:/%"'$`\\ word"""


@pytest.mark.parametrize("more", [(), ("--production",)], ids=["plain", "production"])
def test_password_of_the_database_when_it_comes_from_stdin_then_the_site_starts_with_it(
    tmp_path, postgres_server, more
):
    url = postgres_server.create_database()
    quoted = quote(PASSWORD_OF_DATABASE, safe="")
    url = url.replace("//postgres@", f"//postgres:{quoted}@")
    answer = init(tmp_path / "site", "--postgres", "-", *more, input=f"{url}\n")
    ini = Path(answer["ini"])
    shell = ""
    if more:
        assert quoted not in ini.read_text()
        shell = f"set -a; . {ini.parent}/secrets.env; set +a;"
    with ServedByCommand(answer, shell) as served:
        assert served.connect().get("/tokens/health").status == 200


def test_environment_when_a_shell_reads_it_then_it_has_what_was_written(tmp_path):
    file = tmp_path / "secrets.env"
    file.write_text(environment_of({"ODD": PASSWORD_OF_DATABASE, "PLAIN": "x"}))
    command = f'. {file}; printf "%s|%s" "$ODD" "$PLAIN"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"{PASSWORD_OF_DATABASE}|x"


def settings_of(ini: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(ini)
    names = [name for name in parser.sections() if name.startswith(("app:", "server:"))]
    return {key: text for name in names for key, text in parser.items(name)}


def test_site_in_production_when_it_is_made_then_it_is_like_our_example(tmp_path, postgres_server):
    url = postgres_server.create_database()
    answer = init(tmp_path / "site", "--production", "--postgres", url)
    made, example = settings_of(Path(answer["ini"])), settings_of(ROOT / "config/production.ini")
    # The example has its super user in the ini file, and gives its times for a pair of databases.
    other = {"cone.admin_user", "cone.admin_password", "listen", "cone.tokens.deadline"}
    assert set(example) - other == set(made) - {"host", "port"}
    places = {"sql.db.url", "cone.tokens.config_file", "cone.tokens.timezone", "threads"}
    same = set(example) - other - places
    assert {key: made[key] for key in same} == {key: example[key] for key in same}
