"""Sites whose users are in a database: roles of users and of groups, on SQLite and PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.functional.conftest import PASSWORD
from tests.functional.conftest import Served
from tests.functional.conftest import write_site

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
