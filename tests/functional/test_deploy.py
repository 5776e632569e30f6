"""The site in production, and the examples of docs/deploy, read by what they are for."""

import http.client
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from cone.tokens.cli import main
from tests.functional.test_graceful_end import ask
from tests.functional.test_graceful_end import wait_until_refused
from tests.support.served import Served
from tests.support.served import serve_twice
from tests.support.site import login_form

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
PASSWORD = "correct horse battery staple"
ENVIRONMENT = {
    "TOKENS_AUTH_SECRET": secrets.token_hex(32),
    "TOKENS_ADMIN_PASSWORD": PASSWORD,
    "TOKENS_DATABASE_PASSWORD": "p/w@d:1",
}


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, not in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        told = pytest.fail if os.environ.get("CI") else pytest.skip
        told(f"{name} is not installed")
    return found


@pytest.fixture
def production(postgres_server, tmp_path, monkeypatch) -> Path:
    """The ini file of production, with the addresses of the tests."""
    for name, text in ENVIRONMENT.items():
        monkeypatch.setenv(name, text)
    url = postgres_server.create_database()
    name, host = re.fullmatch(r".*@/(\w+)\?host=([^&]+)&port=5432", url).groups()
    text = (ROOT / "config/production.ini").read_text()
    text = text.replace("//tokens:$", "//postgres:$").replace("@/tokens?", f"@/{name}?")
    # Both hosts are the one that there is.
    text = text.replace("host=10.0.0.11,10.0.0.12", f"host={host},{host}")
    text = text.replace("/var/lib/tokens", str(tmp_path))
    ini = tmp_path / "production.ini"
    ini.write_text(text)
    return ini


@pytest.fixture
def started(production) -> Path:
    """The same, with the tables of cone.sql, which no two processes should make at once."""
    with Served(production):
        return production


@pytest.fixture(scope="module", params=[(), ("--production",)], ids=["plain", "production"])
def new_site(request, tmp_path_factory):
    """Somebody who is not signed in, and an operator, at a site that "init" made."""
    folder = tmp_path_factory.mktemp("new") / "site"
    assert CliRunner().invoke(main, ["init", str(folder), *request.param]).exit_code == 0
    ini = folder / "site.ini"
    ini.write_text(ini.read_text().replace("port = 8081", "port = 0"))
    secrets = folder / "secrets.env"
    text = secrets.read_text() if secrets.exists() else ""
    variables = dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))
    with pytest.MonkeyPatch.context() as patch:
        for name, text in variables.items():
            patch.setenv(name, text)
        add = ["user", "add", str(ini), "door", "--role", "token_operator", "--password-file", "-"]
        assert CliRunner().invoke(main, add, input=f"{PASSWORD}\n").exit_code == 0
        with Served(ini) as served:
            operator = served.connect()
            form = {**login_form("door"), "loginform.password": PASSWORD}
            assert operator.post("/login", form).status == 302
            yield served.connect(), operator


@contextmanager
def serve_by_nginx(folder: Path, ports: list[int], *, forgets_failures: bool = False):
    """Put nginx with the settings of the example in front of processes, and give its port.

    :param forgets_failures: a process that has failed is asked again at once.
    """
    nginx, openssl = program("nginx"), program("openssl")
    key, certificate = folder / "privkey.pem", folder / "fullchain.pem"
    make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    run(openssl, *make, "-keyout", str(key), "-out", str(certificate)).check_returncode()
    port = free_port()
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/ssl/tokens", str(folder))
    site = site.replace("/var/log/nginx", str(folder))
    site = site.replace("listen 80", f"listen 127.0.0.1:{free_port()}")
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}")
    if forgets_failures:
        site = site.replace("max_fails=1", "max_fails=0")
    for example, own in zip(("8081", "8082"), ports, strict=True):
        site = site.replace(f"127.0.0.1:{example}", f"127.0.0.1:{own}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary}\n{site}\n}}",
    )
    command = [nginx, "-c", str(conf), "-p", str(folder), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Browser:
    """A client over https that does not ask who the server is."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookies: list[str] = []

    def get(self, path: str) -> http.client.HTTPResponse:
        return self._ask("GET", path, "")

    def post(self, path: str, form: dict[str, str]) -> http.client.HTTPResponse:
        return self._ask("POST", path, urllib.parse.urlencode(form))

    def _ask(self, method: str, path: str, body: str) -> http.client.HTTPResponse:
        context = ssl._create_unverified_context()  # noqa: S323 - the certificate is our own
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Host": "tokens.example.org",
        }
        if self.cookies:
            headers["Cookie"] = self.cookies[0].partition(";")[0]
        for _ in range(100):
            connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=context)
            try:
                connection.request(method, path, body, headers)
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                response = connection.getresponse()
                self.cookies += response.headers.get_all("Set-Cookie", [])
                response.text = response.read().decode()
                connection.close()
                return response
        raise ConnectionRefusedError


def test_production_when_two_processes_serve_it_behind_nginx_then_one_may_die(
    started,
    tmp_path,
):
    with (
        serve_twice(started) as both,
        serve_by_nginx(tmp_path, [served.port for served in both]) as port,
    ):
        browser = Browser(port)
        form = {**login_form("admin"), "loginform.password": PASSWORD}
        assert browser.post("/login", form).status == 302
        assert all("secure" in cookie.lower() for cookie in browser.cookies)
        assert all("httponly" in cookie.lower() for cookie in browser.cookies)
        added = browser.post("/tokens/add_token", {"value": "v", "usage_count": "9"})
        assert added.status == 200, added.text
        uid = json.loads(added.text)["token_uid"]
        assert '"consumed": true' in browser.get(f"/tokens/{uid}/consume_token").text
        both[0].kill()
        for _ in range(4):
            answer = browser.post("/tokens/consume_token", {"value": "v"})
            assert '"consumed": true' in answer.text, answer.text


def run(
    *command: str,
    stdin: str = "",
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environ,
    )


def test_production_when_a_secret_is_missing_or_short_then_one_line_tells_it(production):
    start = [sys.executable, "-m", "pyramid.scripts.pserve", str(production), "http_port=0"]
    for variable, said in {
        "TOKENS_AUTH_SECRET": "cone.auth_secret: the environment has no variable",
        "TOKENS_DATABASE_PASSWORD": "sql.db.url: the environment has no variable",
    }.items():
        done = run(*start, **{variable: ""})
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == f"{said} {variable}"
    done = run(*start, TOKENS_ADMIN_PASSWORD="admin")
    assert done.stderr.splitlines()[-1].startswith("cone.admin_password: is no secret of 15")


def test_production_when_a_command_opens_the_site_then_it_has_the_same_settings(started):
    command = str(Path(sys.executable).with_name("cone-tokens"))
    done = run(command, "query", str(started), "v", "--json")
    assert (done.returncode, json.loads(done.stdout)["token"]) == (1, None), done.stderr
    done = run(command, "query", str(started), "v", "--json", TOKENS_DATABASE_PASSWORD="")
    assert (done.returncode, "TOKENS_DATABASE_PASSWORD" in done.stdout) == (2, True)


def test_user_when_production_gets_one_then_it_may_do_what_its_role_says(production):
    command = [sys.executable, "-W", "ignore", "-m", "cone.tokens.make_user", str(production)]
    for password in ("first try, not kept", PASSWORD):
        done = run(*command, "door", "token_operator", stdin=f"{password}\n")
        assert done.returncode == 0, done.stderr
    with serve_twice(production) as both:
        # The cookie is for https; over http nobody would send it back by itself.
        client = both[0].connect()
        form = {**login_form("door"), "loginform.password": PASSWORD}
        assert client.post("/login", form).status == 302
        answer = client.post("/tokens/consume_token", {"value": "v"})
        assert (answer.status, answer.json["error"]) == (404, "token_not_exists")


@pytest.mark.parametrize("path", ["/nothing", "/nothing/below", "/settings/nothing", "/tokens/x"])
def test_path_when_there_is_nothing_in_a_new_site_then_404(new_site, path):
    for client in new_site:
        answer = client.get(path)
        assert answer.status == 404
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/add", "/listing", "/settings/token_settings"])
def test_path_when_it_is_not_allowed_in_a_new_site_then_403_or_401(new_site, path):
    anonymous, operator = new_site
    assert [client.get(path).status for client in (anonymous, operator)] == [401, 403]
    assert b"loginform.user" in anonymous.get(path).body


def test_page_of_the_host_when_it_is_there_in_a_new_site_then_200(new_site):
    anonymous, _operator = new_site
    assert anonymous.get("/login").status == 200


def test_unit_when_systemd_reads_it_then_it_has_nothing_to_say(tmp_path):
    unit = tmp_path / "tokens@8081.service"
    # What it starts is not there.
    text = (DEPLOY / "tokens@.service").read_text()
    unit.write_text(text.replace("/srv/tokens/.venv/bin/pserve", sys.executable))
    done = run(program("systemd-analyze"), "verify", "--man=no", str(unit))
    assert (done.returncode, "tokens@" in done.stderr) == (0, False), done.stderr


class ServedByUnit(Served):
    """The process that the unit starts."""

    def command(self) -> list[str]:
        unit = (DEPLOY / "tokens@.service").read_text()
        line = re.search("^ExecStart=(.*)$", unit, re.MULTILINE)[1].replace("%i", "0")
        program, ini, *more = line.split()
        assert (Path(program).name, Path(ini).name) == ("pserve", self.ini.name)
        return [sys.executable, "-m", "pyramid.scripts.pserve", str(self.ini), *more]


def seconds_of(path: Path, name: str) -> float:
    """Return a time that a file sets."""
    return float(re.search(rf"^{name} ?= ?([0-9.]+)$", path.read_text(), re.MULTILINE)[1])


def test_unit_when_it_is_stopped_then_requests_under_way_are_answered_in_time(
    started,
    postgres_server,
):
    deadline = seconds_of(started, "cone.tokens.deadline")
    graceful = seconds_of(started, "graceful_timeout")
    killed_after = seconds_of(DEPLOY / "tokens@.service", "TimeoutStopSec")
    assert deadline < graceful < killed_after
    name = re.search(r"@/(\w+)\?", started.read_text())[1]
    with ServedByUnit(started) as served:
        client = served.connect()
        client.post("/login", {**login_form("admin"), "loginform.password": PASSWORD})
        uid = client.post("/tokens/add_token", {"usage_count": "8"}).json["token_uid"]
        clients = [served.connect() for _ in range(8)]
        with psycopg.connect(postgres_server.url(name).replace("+psycopg", "")) as connection:
            connection.execute("SELECT FROM tokens FOR UPDATE")
            for one in clients:
                one.headers.update(client.headers)
                ask(one, uid)
            # As systemd does it.
            served.process.terminate()
            wait_until_refused(served)
        answers = [one.connection.getresponse() for one in clients]
        assert all(b'"consumed": true' in answer.read() for answer in answers)
        assert served.process.wait(killed_after) == 0


def test_patroni_when_it_reads_its_example_then_only_addresses_are_not_there():
    done = run(program("patroni"), "--validate-config", str(DEPLOY / "patroni.yml"))
    told = (done.stdout + done.stderr).splitlines()
    assert [line for line in told if not re.search("10.0.0.1[123]|data_dir|bin_dir", line)] == []
