"""The commands of the README, run as they stand there, against a served site."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.functional.test_deploy import Browser
from tests.functional.test_deploy import free_port
from tests.support.served import Served
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import write_site

README = Path(__file__).parents[2] / "README.rst"


def shell_block(section: str) -> str:
    """Return the one block of shell commands of a section."""
    text = README.read_text().split(f"\n{section}\n{'=' * len(section)}\n")[1]
    text = re.split(r"\n.+\n=====+\n\n", text)[0]
    (block,) = re.findall(r"\.\. code-block:: sh\n\n((?:    .*\n|\n)+)", text)
    return textwrap.dedent(block)


def run(section: str, folder: Path, **environment: str) -> list[str]:
    """Run the commands of a section and return the lines that they print."""
    done = subprocess.run(
        ["sh", "-e", "-c", shell_block(section)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_readme_when_its_commands_are_run_then_each_succeeds(serve, tmp_path):
    site = f"http://127.0.0.1:{serve().port}"
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    lines = run("JSON API", here, SITE=site, PASSWORD=PASSWORD, TMPDIR=str(temporary))
    answers = [line for line in lines if line.startswith("{")]
    assert all('"success": true' in answer for answer in answers), answers
    (picture,) = temporary.glob("*/ticket.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not list(here.iterdir())
    # An override; a use by uid, one by value, the last one with a key, and its repeat.
    consumed = [answer for answer in answers if '"consumed": true' in answer]
    left = [answer.split('"usage_count": ')[1][0] for answer in consumed]
    assert left == ["4", "2", "1", "0", "0"]
    assert '{"success": true, "uses": 2, "usage_count": 5}' in answers


def test_readme_when_its_command_line_is_run_then_each_command_succeeds(serve, tmp_path):
    ini = write_site(tmp_path)
    serve(ini)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    lines = run("Command line", here, CONFIG=str(ini), PATH=path, TMPDIR=str(temporary))
    *granted, refused = [line for line in lines if line.startswith(("Valid", "Refused"))]
    assert granted == ["Valid. Uses left: 1"] * 2
    assert "usage count exceeded" in refused
    assert '"unchanged": 100' in lines[-5]
    assert lines[-4].split() == ["1", "new"]
    (uids,) = temporary.glob("*/uids.txt")
    assert len(uids.read_text().splitlines()) == 100
    assert not list(here.iterdir())


def test_readme_when_its_lines_for_doors_are_run_then_each_does_what_it_says(serve, tmp_path):
    ini = write_site(tmp_path)
    serve(ini)
    chapter = "Groups, undo, cloakroom, out and in again"
    (settings,) = re.findall(
        r"\.\. code-block:: json\n\n((?:    .*\n)+)", README.read_text().split(f"\n{chapter}\n")[1]
    )
    (tmp_path / "tokens.json").write_text(settings)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = run(chapter, tmp_path, CONFIG=str(ini), PATH=path)
    told = [line for line in lines if line.startswith(("Valid", "Refused", "Taken", "Reset"))]
    assert [re.sub(r"Token \S+ ", "", line) for line in told] == [
        "Valid. Taken: 2. Uses left: 3",
        "Refused: has fewer uses left",
        "Taken back: 3 uses. Uses left: 3",
        "Valid. Uses left: 0",
        "Refused: is not for this checkpoint",
        "Valid. Uses left: 0",
        "Valid. Taken: 0. Uses left: 0",
        "Valid. Taken: 0. Uses left: 0",
        "Refused: is inside already",
        "Valid. Taken: 0. Uses left: 0",
        "Reset: 1 token",
    ]
    assert len([line for line in lines if ",overridden," in line]) == 1


# Put it into a site

SITE = "Put it into a site"
#: What the checkout's environment has, for the one that the README makes.
PROGRAMS = ("cone-tokens", "pserve", "python")
#: "python3 -m venv .venv" makes a folder with the programs of the checkout and a pip that installs
#: nothing: this version may not be in the package index.
PYTHON3 = """#!/bin/sh
test "$1 $2" = "-m venv" || exec {python} "$@"
mkdir -p "$3/bin"
for name in {programs}; do ln -s {folder}/$name "$3/bin/$name"; done
printf '#!/bin/sh\\necho "$@" > pip.txt\\n' > "$3/bin/pip"
chmod +x "$3/bin/pip"
"""


class ServedByReadme(Served):
    """The site, started as the README says."""

    def command(self) -> list[str]:
        (line,) = re.findall(r"``(\S+pserve site/site.ini)`` starts the site", README.read_text())
        program, ini = line.split()
        folder = self.ini.parent.parent
        assert folder / ini == self.ini
        # The path of the interpreter decides which packages there are.
        return [sys.executable, str(folder / program), str(self.ini)]


@pytest.fixture
def new_site(tmp_path):
    """The ini file that the commands for a new site made, and the password that they showed."""
    shims, folder = tmp_path / "shims", tmp_path / "site"
    shims.mkdir()
    folder.mkdir()
    here = {"python": sys.executable, "folder": Path(sys.executable).parent}
    (shims / "python3").write_text(PYTHON3.format(programs=" ".join(PROGRAMS), **here))
    (shims / "python3").chmod(0o755)
    said = "\n".join(run(SITE, folder, PATH=f"{shims}:{os.environ['PATH']}"))
    assert (folder / "pip.txt").read_text() == "install cone.tokens[labels,xlsx]>=3.0.0.dev0\n"
    (password,) = re.findall(r"Password  (\S+)", said)
    ini = folder / "site/site.ini"
    ini.write_text(ini.read_text().replace("port = 8081", "port = 0"))
    return ini, password


def use_a_token(client, **login: str) -> None:
    """Sign in, add a token and redeem it, in the way of people at their pages and of clients."""
    assert client.post("/login", {**login_form("admin"), **login}).status == 302
    assert client.get("/tokens").status == 200
    added = client.post("/tokens/add_token", {"value": "TICKET-1", "usage_count": "1"}).json
    path = f"/tokens/{added['token_uid']}"
    assert client.get(path).status == 200
    answers = [client.post(f"{path}/consume_token").json["consumed"] for _ in range(2)]
    assert answers == [True, False]


def test_new_site_when_it_is_made_as_the_readme_says_then_a_token_is_used(new_site):
    ini, password = new_site
    with ServedByReadme(ini) as served:
        client = served.connect()
        use_a_token(client, **{"loginform.password": password})
        assert b"<title>Tokens" in client.get("/tokens").body
        log = served.whole_log()
    assert served.process.returncode == 0
    assert not re.search("WARNING cone.tokens|Traceback|cone.tokens.access", log), log


def test_new_site_when_the_script_of_the_readme_is_run_in_it_then_it_adds_a_token(new_site):
    block = re.search(
        r"A script has to start the site first.*\n\n\.\. code-block:: python\n\n((?:    .*\n|\n)+)",
        README.read_text(),
    )[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(block)],
        capture_output=True,
        text=True,
        check=False,
        cwd=new_site[0].parent,
    )
    assert (done.returncode, done.stdout) == (0, "['TICKET-2']\n"), done.stderr


def test_new_site_when_a_user_is_made_as_the_readme_says_then_he_may_scan_at_once(new_site):
    ini, _password = new_site
    made_by = r"^    \.venv/bin/cone-tokens (user add .*)$"
    (line,) = re.findall(made_by, README.read_text(), re.MULTILINE)
    program = Path(sys.executable).with_name("cone-tokens")
    with ServedByReadme(ini) as served:
        done = subprocess.run(
            [program, *line.split(), "--json"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ini.parent.parent,
        )
        assert (done.returncode, done.stderr) == (0, "")
        client = served.connect()
        login = {"loginform.password": json.loads(done.stdout)["password"]}
        assert client.post("/login", {**login_form("door"), **login}).status == 302
        assert client.get("/tokens/scan").status == 200
        assert client.post("/tokens/add_token").status == 403


BARE = """
[app:site]
use = egg:cone.app#main
cone.admin_user = admin
cone.admin_password = {password}
cone.auth_secret = 9c1f0b6d4e8a7352c6d1e0f94b7a8235

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
"""


def test_site_that_is_there_when_the_lines_of_the_readme_are_added_then_a_token_is_used(tmp_path):
    block = re.search(
        r"put the filter in front of\n.*\n\n\.\. code-block:: ini\n\n((?:    .*\n|\n)+)",
        README.read_text(),
    )[1]
    logging = write_site(tmp_path).read_text().partition("[loggers]")[2]
    parser = configparser.RawConfigParser()
    parser.read_string(BARE.format(password=PASSWORD) + "\n[loggers]" + logging)
    parser.read_string(textwrap.dedent(block))
    ini = tmp_path / "own.ini"
    with ini.open("w") as file:
        parser.write(file)
    with Served(ini) as served:
        use_a_token(served.connect())


# One laptop, three phones

PHONES = "One laptop, three phones"


@pytest.fixture
def door(tmp_path):
    """The port of a site that the README's commands make and serve by https, and what they said."""
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in (*PROGRAMS, "gunicorn"):
        (programs / name).symlink_to(Path(sys.executable).parent / name)
    (programs / "pip").write_text('#!/bin/sh\necho "$@" > pip.txt\n')
    (programs / "pip").chmod(0o755)
    said = run(PHONES, tmp_path)
    text = README.read_text().split(f"\n{PHONES}\n")[1]
    [block] = re.findall(r"::\n\n((?:    set -a.*\n)(?:    .*\n)+)", text.split("\n====")[0])
    port = free_port()
    assert "0.0.0.0:8443" in block
    command = textwrap.dedent(block).replace("0.0.0.0:8443", f"0.0.0.0:{port}")
    command = command.replace(".venv/bin/gunicorn", "exec .venv/bin/gunicorn")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(["sh", "-e", "-c", command], cwd=tmp_path, stderr=log)
    try:
        yield port, said
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_door_when_it_is_made_as_the_readme_says_then_phones_redeem_by_https(door, tmp_path):
    port, said = door
    assert (tmp_path / "pip.txt").read_text() == "install gunicorn>=27.0.1\n"
    assert (tmp_path / "site/key.pem").stat().st_mode & 0o077 == 0
    passwords = re.findall(r"Password  (\S+)", "\n".join(said))
    names = ["admin", "north", "south", "east"]
    browsers = {}
    for name, password in zip(names, passwords, strict=True):
        browsers[name] = browser = Browser(port)
        form = {**login_form(name), "loginform.password": password}
        assert browser.post("/login", form).status == 302
        assert all("secure" in cookie.lower() for cookie in browser.cookies)
    form = {"value": "TICKET-1", "usage_count": "3"}
    assert browsers["admin"].post("/tokens/add_token", form).status == 200
    for name in names[1:]:
        assert browsers[name].get("/tokens/scan").status == 200
        answer = browsers[name].post("/tokens/consume_token", {"value": "TICKET-1"})
        assert json.loads(answer.text)["consumed"] is True
