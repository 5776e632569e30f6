"""Sites whose users are in a database or in files: roles, groups, changes while the site runs."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cone.app.ugm import ugm_backend

from cone.tokens.host.config import StartupError
from cone.tokens.host.user_files import UserFiles
from tests.support.served import Served
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import open_users
from tests.support.site import write_site

#: Makes users the way that a program of the site would.
MAKE_USERS = f"""
import sys
import cone.sql
import pyramid.paster
from cone.app.ugm import ugm_backend
from pyramid.request import Request
from pyramid.threadlocal import manager

app = pyramid.paster.get_app(sys.argv[1], "main")
request = Request.blank("/")
session = request.environ[cone.sql.session_key] = cone.sql.session_factory()
manager.push({{"request": request, "registry": app.next_app.registry}})
ugm = ugm_backend.ugm
for name in ("by_role", "by_group", "nobody"):
    ugm.users.create(name)
    ugm.users.passwd(name, None, {PASSWORD!r})
ugm.users["by_role"].add_role("token_operator")
ugm.groups.create("doors")
ugm.groups["doors"].add("by_group")
ugm.groups["doors"].add_role("token_operator")
ugm()
session.commit()
"""


@pytest.fixture
def serve_users(serve, tmp_path) -> Callable[[str], Served]:
    """Return a function that serves a site with its users in the database at an address."""

    def start(url: str) -> Served:
        ini = write_site(tmp_path, database_url=url)
        ini.write_text(ini.read_text().replace("ugm.backend = file", "ugm.backend = sql"))
        subprocess.run([sys.executable, "-W", "ignore", "-c", MAKE_USERS, str(ini)], check=True)
        return serve(ini)

    return start


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request, serve_users, tmp_path) -> Served:
    """A served site on each kind of database."""
    if request.param == "sqlite":
        return serve_users(f"sqlite:///{tmp_path}/tokens.db?timeout=30")
    return serve_users(request.getfixturevalue("postgres_server").create_database())


def add_token(served: Served) -> str:
    """Add a token with two uses and return its uid."""
    answer = served.sign_in().post("/tokens/add_token", {"usage_count": "2"})
    return answer.json["token_uid"]


@pytest.mark.parametrize("login", ["by_role", "by_group"])
def test_user_when_the_role_comes_from_user_or_group_then_it_grants(served, login):
    answer = served.sign_in(login).post(f"/tokens/{add_token(served)}/consume_token")
    assert (answer.status, answer.json["consumed"]) == (200, True)


def test_user_when_there_is_no_role_then_nothing_is_granted(served):
    answer = served.sign_in("nobody").post(f"/tokens/{add_token(served)}/consume_token")
    assert (answer.status, answer.json["error"]) == (403, "forbidden")


def test_user_when_the_directory_is_away_then_503_and_it_works_again_by_itself(
    serve_users,
    postgres_server,
):
    served = serve_users(postgres_server.create_database())
    uid = add_token(served)
    operator = served.sign_in("by_role")
    postgres_server.stop()
    try:
        away = operator.post(f"/tokens/{uid}/consume_token")
    finally:
        postgres_server.start()
    back = [operator.post(f"/tokens/{uid}/consume_token").status for _ in range(8)][-1]
    assert (away.status, away.json["error"], back) == (503, "unavailable", 200)


# Users in files


def set_password(folder: Path, login: str, password: str, role: str = "viewer") -> None:
    ugm = open_users(folder)
    if login not in ugm.users:
        ugm.users.create(login)
        ugm.users[login].add_role(role)
    ugm.users.passwd(login, None, password)


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of the files of a site."""
    return tmp_path / "ugm"


def test_user_in_files_when_it_is_made_while_the_site_runs_then_it_may_do_what_its_role_says(
    serve, folder
):
    served = serve()
    set_password(folder, "new", PASSWORD)
    client = served.sign_in("new")
    assert [client.get(path).status for path in ("/tokens", "/tokens/scan")] == [200, 403]


def test_user_in_files_when_the_password_changes_then_the_new_one_alone_is_good(serve, folder):
    served = serve()
    set_password(folder, "door", "the one before")
    old = {**login_form("door"), "loginform.password": "the one before"}
    assert served.connect().post("/login", old).status == 302
    set_password(folder, "door", PASSWORD)
    assert served.connect().post("/login", old).status == 200
    assert served.connect().post("/login", login_form("door")).status == 302


def test_user_in_files_when_it_is_removed_or_loses_its_role_then_the_cookie_grants_nothing(
    serve, folder
):
    served = serve()
    for login in ("gone", "stays"):
        set_password(folder, login, PASSWORD)
    clients = [served.sign_in(login) for login in ("gone", "stays")]
    assert [client.get("/tokens").status for client in clients] == [200, 200]
    ugm = open_users(folder)
    del ugm.users["gone"]
    ugm.users["stays"].remove_role("viewer")
    ugm()
    assert [client.get("/tokens").status for client in clients] == [403, 403]


def test_users_in_files_when_they_become_unreadable_then_they_stay_and_the_log_tells_once(
    serve, folder
):
    served = serve()
    set_password(folder, "door", PASSWORD)
    client = served.sign_in("door")
    content = (folder / "users").read_bytes()
    (folder / "users").write_bytes(content + b"x:\xff\n")
    assert [client.get("/tokens").status for _ in range(3)] == [200] * 3
    (folder / "users").write_bytes(content)
    set_password(folder, "other", PASSWORD)
    assert served.sign_in("other").get("/tokens").status == 200
    assert served.whole_log().count("the users stay as they were") == 1


@pytest.fixture
def own_directory(folder, wsgi_app, monkeypatch) -> Path:
    """Make files with a user the directory of this process."""
    (folder / "data").mkdir(parents=True)
    set_password(folder, "door", PASSWORD)
    monkeypatch.setattr(ugm_backend, "factory", lambda: open_users(folder))
    monkeypatch.setattr(ugm_backend, "ugm", open_users(folder))
    return folder


def test_users_in_files_when_others_write_them_meanwhile_then_nobody_is_missing(own_directory):
    files, is_done = UserFiles(), threading.Event()

    def look() -> list[list[str]]:
        seen = []
        while not is_done.is_set():
            files.refresh()
            user = ugm_backend.ugm.users.get("door")
            seen.append(user.roles if user else [])
        return seen

    with ThreadPoolExecutor(3) as threads:
        looks = [threads.submit(look) for _ in range(3)]
        for number in range(100):
            set_password(own_directory, f"user-{number}", PASSWORD)
        is_done.set()
    assert all(roles == ["viewer"] for look in looks for roles in look.result())
    files.refresh()
    assert len(ugm_backend.ugm.users.keys()) == 101


def test_users_in_files_when_the_first_look_cannot_read_them_then_one_line_tells_it(own_directory):
    (own_directory / "roles").write_bytes(b"\xff::viewer\n")
    with pytest.raises(StartupError, match=r"^ugm.backend: the users cannot be read: .*0xff"):
        UserFiles()


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        ((), "", "usage: "),
        (("door", "token_operater"), "x", "role: 'token_operater' is unknown; did you mean"),
        (("door", "viewer"), "", "password: must have 8 characters or more"),
        (("admin", "viewer"), "a good one", "admin is the cone.admin_user of the ini file"),
    ],
)
def test_make_user_when_something_is_wrong_then_one_line_says_so(
    tmp_path, arguments, password, said
):
    program = [sys.executable, "-W", "ignore", "-m", "cone.tokens.make_user"]
    done = subprocess.run(
        [*program, str(write_site(tmp_path)), *arguments],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [line.startswith(said) for line in done.stderr.splitlines()] == [True]
    assert (tmp_path / "ugm/users").read_text() == ""
