"""``cone-tokens user``: users in files and in a database, while a site runs, many at once."""

import json
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from cone.tokens.cli import main
from cone.tokens.cli.site import open_site
from cone.tokens.host.user_errors import UserRefused
from cone.tokens.host.users import User
from cone.tokens.host.users import changing_users
from tests.functional.test_command_line import PROGRAM
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import write_site

GOOD = "a-good-password"
DONE, NO, USAGE = 0, 1, 2
IN_FILES = pytest.mark.parametrize("ini", ["files"], indirect=True)


def write_site_with(request, folder: Path, kind: str) -> Path:
    """Write a site with its users in files, or in a database of a kind."""
    url = None
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    ini = write_site(folder, database_url=url)
    if kind != "files":
        ini.write_text(ini.read_text().replace("ugm.backend = file", "ugm.backend = sql"))
    return ini


@pytest.fixture(params=["files", "sqlite", "postgresql"])
def ini(request, tmp_path, monkeypatch) -> Path:
    # As in a program that has not started a site.
    monkeypatch.delenv("CONE_SQL_USE_TM", raising=False)
    return write_site_with(request, tmp_path, request.param)


@pytest.fixture
def run(ini):
    """Return a function that runs a command and returns what its JSON says."""

    def run_it(command: str, *arguments: str, status: int = DONE, **more) -> dict:
        done = CliRunner().invoke(main, ["user", command, str(ini), *arguments, "--json"], **more)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    return run_it


def users_of(ini: Path) -> list[User]:
    with changing_users(open_site(ini).settings) as users:
        return users.all()


def test_user_when_it_is_added_then_it_is_listed_with_its_roles(run, ini):
    made = run("add", "door", "--role", "token_operator", "--role", "viewer")
    assert made["roles"] == ["token_operator", "viewer"]
    assert len(made["password"]) == 19
    run("add", "Äffchen 2@example.org")
    assert run("list")["users"] == [
        {"name": "door", "roles": ["token_operator", "viewer"], "groups": [], "group_roles": []},
        {"name": "Äffchen 2@example.org", "roles": [], "groups": [], "group_roles": []},
    ]
    text = CliRunner().invoke(main, ["user", "list", str(ini)]).stdout
    assert text.splitlines()[0].split() == ["door", "token_operator,", "viewer"]


@IN_FILES
def test_users_when_there_are_none_then_the_list_says_so(run, ini):
    assert run("list")["users"] == []
    assert CliRunner().invoke(main, ["user", "list", str(ini)]).stdout == "There are no users.\n"


def test_user_when_the_name_is_taken_then_it_stays_as_it_was(run, ini):
    run("add", "door", "--role", "viewer")
    before = users_of(ini)
    answer = run("add", "door", "--role", "editor", status=NO)
    assert (answer["error"], users_of(ini)) == ("user_exists", before)
    assert run("add", "admin", status=NO)["message"].startswith("admin is the cone.admin_user")


@IN_FILES
@pytest.mark.parametrize(
    "name", ["", " x", "a:b", "a,b", "a/b", "..", "group:x", "a\nb", "a\0", "\u202ex", "x" * 101]
)
def test_user_when_the_name_is_none_then_it_is_refused(run, ini, name):
    answer = run("add", name, status=USAGE)
    assert answer["message"].startswith("name: must ")
    assert users_of(ini) == []


@IN_FILES
@pytest.mark.parametrize(
    ("role", "hint"),
    [("token_operater", "did you mean token_operator?"), ("x", "must be one of viewer, editor, ")],
)
def test_user_when_a_role_is_unknown_then_the_nearest_one_is_named(run, ini, role, hint):
    answer = run("add", "door", "--role", "viewer", "--role", role, status=USAGE)
    assert hint in answer["message"]
    assert users_of(ini) == []


def test_roles_when_they_change_then_the_others_stay(run, ini):
    run("add", "door", "--role", "viewer")
    added = run("roles", "door", "--add", "editor", "--add", "viewer", "--remove", "admin")
    assert added["roles"] == ["editor", "viewer"]
    assert run("roles", "door", "--remove", "viewer")["roles"] == ["editor"]
    assert run("roles", "door")["roles"] == ["editor"]
    answer = run("roles", "door", "--add", "viewer", "--remove", "viewer", status=USAGE)
    assert answer["message"] == "role: viewer cannot be given and taken away at once"
    assert users_of(ini)[0].roles == ("editor",)


def test_role_of_a_group_when_users_are_listed_then_it_is_told_apart(run, ini):
    run("add", "door", "--role", "viewer")
    with changing_users(open_site(ini).settings) as users:
        groups = users._directory.groups
        groups.create("doors")
        groups["doors"].add("door")
        groups["doors"].add_role("token_operator")
    assert run("list")["users"] == [
        {
            "name": "door",
            "roles": ["viewer"],
            "groups": ["doors"],
            "group_roles": ["token_operator"],
        }
    ]
    text = CliRunner().invoke(main, ["user", "list", str(ini)]).stdout
    assert text == "door  viewer (token_operator)  in doors\n"


@pytest.mark.parametrize("command", ["set-password", "roles", "remove"])
def test_user_when_there_is_none_then_the_nearest_one_is_named(run, command):
    run("add", "door")
    answer = run(command, "dor", status=NO)
    assert answer["message"] == "There is no user dor; did you mean door?"
    assert "cone.admin_user" in run(command, "admin", status=NO)["message"]


# Removing


def without_superuser(ini: Path) -> None:
    """Let the ini file name nobody who may do everything."""
    lines = ini.read_text().splitlines()
    ini.write_text("\n".join(line for line in lines if not line.startswith("cone.admin_")))


def test_user_when_it_is_removed_then_nothing_of_it_is_left(run, ini):
    run("add", "door", "--role", "viewer")
    run("add", "desk", "--role", "editor")
    with changing_users(open_site(ini).settings) as users:
        groups = users._directory.groups
        groups.create("doors")
        for name in ("door", "desk"):
            groups["doors"].add(name)
    removed = run("remove", "door")
    assert (removed["name"], removed["roles"], removed["groups"]) == ("door", ["viewer"], ["doors"])
    assert [user["name"] for user in run("list")["users"]] == ["desk"]
    again = run("add", "door")
    assert (again["roles"], again["groups"]) == ([], [])
    text = CliRunner().invoke(main, ["user", "remove", str(ini), "door"]).stdout
    assert text == "Removed door\n"


@IN_FILES
def test_user_when_it_is_removed_then_its_details_are_no_next_ones(run, ini):
    run("add", "door")
    details = ini.parent / "ugm/data/users/door"
    details.parent.mkdir(parents=True, exist_ok=True)
    details.write_text("email:door@example.org\n")
    run("remove", "door")
    assert not details.exists()


@pytest.mark.parametrize("way", [["remove"], ["roles", "--remove", "manager"]])
def test_manager_when_it_is_the_last_one_then_that_has_to_be_said(run, ini, way):
    command, *more = way
    without_superuser(ini)
    run("add", "boss", "--role", "manager")
    run("add", "door", "--role", "viewer")
    before = users_of(ini)
    answer = run(command, "boss", *more, status=NO)
    assert answer["error"] == "last_manager"
    assert answer["message"].startswith("boss is the last user with the role manager; nothing was")
    assert users_of(ini) == before
    run("remove", "door")
    run("add", "other", "--role", "manager")
    run(command, "boss", *more)
    run(command, "other", *more, "--last-manager")
    assert [user for user in users_of(ini) if user.is_manager] == []


def test_manager_when_the_ini_file_has_another_then_it_is_removed(run, ini):
    run("add", "boss", "--role", "manager")
    run("remove", "boss")
    assert users_of(ini) == []


def test_manager_when_a_group_makes_another_one_then_it_is_removed(run, ini):
    without_superuser(ini)
    run("add", "boss", "--role", "manager")
    run("add", "desk")
    with changing_users(open_site(ini).settings) as users:
        groups = users._directory.groups
        groups.create("bosses")
        groups["bosses"].add("desk")
        groups["bosses"].add_role("manager")
    run("remove", "boss")
    assert run("remove", "desk", status=NO)["error"] == "last_manager"


def test_managers_when_all_are_removed_at_once_then_one_is_left(ini):
    without_superuser(ini)
    settings = open_site(ini).settings
    names = [f"boss-{number}" for number in range(6)]
    with changing_users(settings) as users:
        for name in names:
            users.add(name, GOOD, ["manager"])

    def remove(name: str) -> str:
        try:
            with changing_users(settings) as users:
                users.remove(name)
        except UserRefused as error:
            return error.slug
        return "removed"

    with ThreadPoolExecutor(6) as threads:
        outcomes = sorted(threads.map(remove, names))
    assert outcomes == ["last_manager", *["removed"] * 5]
    assert len(users_of(ini)) == 1


def test_user_when_it_is_removed_and_changed_at_once_then_it_is_gone(ini):
    settings = open_site(ini).settings
    with changing_users(settings) as users:
        users.add("door", GOOD, [])

    def change(number: int) -> str:
        try:
            with changing_users(settings) as users:
                if number == 2:
                    users.remove("door")
                else:
                    users.change_roles("door", ["viewer"], [])
        except UserRefused as error:
            return error.slug
        return "done"

    with ThreadPoolExecutor(6) as threads:
        outcomes = list(threads.map(change, range(6)))
    assert outcomes[2] == "done"
    assert set(outcomes) <= {"done", "user_not_exists"}
    assert users_of(ini) == []


# Passwords


def test_password_when_it_comes_from_a_file_or_stdin_then_it_is_not_shown(run, tmp_path, ini):
    file = tmp_path / "password"
    file.write_text(f"{GOOD}\n")
    assert "password" not in run("add", "one", "--password-file", str(file))
    assert "password" not in run("add", "two", "--password-file", "-", input=f"{GOOD}\n")
    with changing_users(open_site(ini).settings) as users:
        known = users._directory.users
        assert [known.authenticate(name, GOOD) for name in ("one", "two")] == [True, True]


@IN_FILES
def test_password_when_it_is_asked_for_then_twice_and_not_echoed(run, ini):
    done = CliRunner().invoke(
        main, ["user", "add", str(ini), "door", "--ask"], input=f"{GOOD}\n{GOOD}\n"
    )
    assert done.exit_code == DONE, done.output
    assert GOOD not in done.output
    with changing_users(open_site(ini).settings) as users:
        assert users._directory.users.authenticate("door", GOOD)


@IN_FILES
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "8 characters or more"),
        (b"short\n", "8 characters or more"),
        (b"two lines\nof them\n", "line breaks"),
        (b"\xff not UTF-8", "UTF-8"),
    ],
)
@pytest.mark.parametrize("is_file", [True, False], ids=["file", "stdin"])
def test_password_when_it_is_none_then_nothing_is_changed(ini, tmp_path, content, said, is_file):
    file = tmp_path / "password"
    file.write_bytes(content)
    source = str(file) if is_file else "-"
    arguments = ["user", "add", str(ini), "door", "--password-file", source]
    done = CliRunner().invoke(main, arguments, input=content)
    assert done.exit_code == USAGE
    assert said in done.stderr
    assert users_of(ini) == []


@IN_FILES
def test_password_when_it_is_made_then_neither_log_nor_process_list_has_it(run, caplog):
    caplog.set_level("DEBUG")
    password = run("add", "door")["password"]
    assert password not in caplog.text


# Many at once


def test_users_when_many_are_added_at_once_then_all_are_there(ini):
    settings = open_site(ini).settings
    users_of(ini)

    def add(number: int) -> None:
        with changing_users(settings) as users:
            users.add(f"user-{number}", GOOD, ["viewer"])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(12)))
    found = users_of(ini)
    assert len(found) == 12
    assert {user.roles for user in found} == {("viewer",)}


def test_user_when_the_name_is_added_at_once_then_one_gets_it(ini):
    settings = open_site(ini).settings
    users_of(ini)

    def add(_number: int) -> str:
        try:
            with changing_users(settings) as users:
                users.add("door", GOOD, ["viewer"])
        except UserRefused as error:
            return error.slug
        return "made"

    with ThreadPoolExecutor(4) as threads:
        outcomes = sorted(threads.map(add, range(4)))
    assert outcomes == ["made", *["user_exists"] * 3]


def test_roles_when_they_are_given_at_once_then_none_is_lost(ini):
    settings = open_site(ini).settings
    with changing_users(settings) as users:
        users.add("door", GOOD, [])
    given = ["viewer", "editor", "admin", "manager", "token_operator"]

    def give(role: str) -> None:
        with changing_users(settings) as users:
            users.change_roles("door", [role], [])

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(give, given))
    assert users_of(ini)[0].roles == tuple(sorted(given))


def test_change_when_it_fails_at_its_end_then_nothing_of_it_stays(ini):
    settings = open_site(ini).settings

    def change() -> None:
        with changing_users(settings) as users:
            users.add("door", GOOD, ["viewer"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert users_of(ini) == []


# Sites


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ugm.backend = file", "", "ugm.backend: is missing"),
        ("ugm.backend = file", "ugm.backend = ldap", "ugm.backend: users of 'ldap'"),
        ("ugm.users_file = %(here)s/ugm/users", "", "ugm.users_file: is missing"),
        ("ugm/roles", "nowhere/roles", "ugm.roles_file: there is no folder"),
        ("ugm/groups", "ugm/data", "ugm.backend: the users cannot be changed: "),
    ],
)
def test_command_when_the_site_keeps_no_users_then_one_line_says_why(tmp_path, before, after, said):
    ini = write_site(tmp_path)
    ini.write_text(ini.read_text().replace(before, after))
    done = CliRunner().invoke(main, ["user", "list", str(ini)])
    assert done.exit_code == USAGE, done.output
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_command_when_a_file_is_not_encoded_in_utf_8_then_one_line_says_so(tmp_path):
    ini = write_site(tmp_path)
    (tmp_path / "ugm/users").write_bytes(b"\xff:x\n")
    done = CliRunner().invoke(main, ["user", "add", str(ini), "door"])
    assert (done.exit_code, len(done.stderr.splitlines())) == (USAGE, 1)
    assert (tmp_path / "ugm/users").read_bytes() == b"\xff:x\n"


def test_files_when_they_are_replaced_then_they_keep_their_modes(tmp_path):
    ini = write_site(tmp_path)
    (tmp_path / "ugm/users").chmod(0o600)
    (tmp_path / "ugm/roles").unlink()
    assert (
        CliRunner().invoke(main, ["user", "add", str(ini), "x", "--role", "viewer"]).exit_code == 0
    )
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ugm").iterdir()}
    assert (modes["users"], modes["roles"]) == (0o600, 0o640)
    assert sorted(path.name for path in (tmp_path / "ugm").iterdir()) == [
        "data",
        "groups",
        "roles",
        "users",
    ]


@pytest.mark.parametrize("kind", ["files", "postgresql"])
def test_site_when_it_runs_then_a_new_user_and_a_new_password_count_at_once(
    request, serve, tmp_path, kind
):
    ini = write_site_with(request, tmp_path, kind)
    served = serve(ini)

    def program(*arguments: str) -> None:
        done = subprocess.run(
            [PROGRAM, "user", arguments[0], ini, *arguments[1:], "--password-file", "-"],
            input=f"{PASSWORD}-{arguments[0]}\n",
            text=True,
            check=False,
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def status(password: str) -> int:
        form = {**login_form("door"), "loginform.password": password}
        return served.connect().post("/login", form).status

    program("add", "door", "--role", "token_operator")
    assert status(f"{PASSWORD}-add") == 302
    program("set-password", "door")
    assert [status(f"{PASSWORD}-{word}") for word in ("add", "set-password")] == [200, 302]
    client = served.connect()
    form = {**login_form("door"), "loginform.password": f"{PASSWORD}-set-password"}
    assert client.post("/login", form).status == 302
    assert client.get("/tokens/scan").status == 200
    subprocess.run([PROGRAM, "user", "remove", ini, "door"], check=True, capture_output=True)
    assert client.get("/tokens/scan").status in (401, 403)
    assert status(f"{PASSWORD}-set-password") == 200
