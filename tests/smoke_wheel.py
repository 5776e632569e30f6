"""Check what was built: its files, and that it starts a site from an empty environment.

A script, not a test: ``python tests/smoke_wheel.py dist`` with wheel and sdist in ``dist``.
"""

import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
PATIENCE_S = 60
#: One of each has to be there, and whatever else the source tree has beside them.
KINDS = (".css", ".mo", ".po", ".pot", ".pt", ".py", "py.typed")
BESIDE = ("README.rst", "CHANGES.rst", "LICENSE.rst", "Makefile", "pyproject.toml")
CONFIG = ("config/prepare.py", "config/production.ini", "tests/smoke_wheel.py")
SITE = """
[app:tokens]
use = egg:cone.app#main
pyramid.includes = pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
cone.auth_secret = 9c1f0b6d4e8a7352c6d1e0f94b7a8235
cone.admin_user = admin
cone.admin_password = of-a-throw-away-site
cone.plugins =
    cone.sql
    cone.tokens
sql.db.url = sqlite:///%(here)s/site.db
cone.tokens.config_file = %(here)s/tokens.json

[filter:session]
use = egg:cone.sql#session

[pipeline:main]
pipeline = session tokens

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
"""


def main() -> None:
    """Check wheel and sdist of the folder named on the command line."""
    dist = Path(sys.argv[1])
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    check_files(wheel, sdist)
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        bin_folder = install(wheel, Path(folder))
        subprocess.run([bin_folder / "cone-tokens", "--version"], check=True)
        with site(bin_folder, Path(folder)) as port:
            check_answers(port)
    print(f"{wheel.name} and {sdist.name} are complete; the wheel starts")


def check_scripts(wheel: Path) -> None:
    """Look for comments in what browsers load."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith((".js", ".css")) and "/vendor/" not in name:
                lines = archive.read(name).decode().splitlines()
                with_comment = [line for line in lines if line.lstrip().startswith(("//", "/*"))]
                require(not with_comment, f"comments in {name}: {with_comment}")
                require(bool(lines), f"{name} is empty")


def check_files(wheel: Path, sdist: Path) -> None:
    """Compare both archives with the source tree."""
    package = [str(path.relative_to(SOURCE)) for path in SOURCE.glob("cone/**/*") if ships(path)]
    absent = [kind for kind in KINDS if not any(name.endswith(kind) for name in package)]
    require(not absent, f"no such file in the source tree: {absent}")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    require(not set(package) - in_wheel, f"not in the wheel: {set(package) - in_wheel}")
    ours = ("cone/tokens/", "cone/tokens_command.py", "cone_tokens-")
    check_scripts(wheel)
    stray = [name for name in in_wheel if not name.startswith(ours)]
    require(not stray, f"not ours, in the wheel: {stray}")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*BESIDE, *CONFIG, *(f"src/{name}" for name in package)}
    require(not wanted - in_sdist, f"not in the sdist: {wanted - in_sdist}")


def ships(path: Path) -> bool:
    """Tell whether a file of the source tree belongs into the wheel."""
    is_made = path.suffix == ".pyc" or "/." in str(path.relative_to(ROOT))
    return path.is_file() and not is_made and path.name != "ruff.toml"


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel into an environment that has nothing else, and give its bin folder."""
    venv.create(folder / "venv", with_pip=True)
    bin_folder = folder / "venv/bin"
    subprocess.run([bin_folder / "pip", "install", "--quiet", wheel], check=True)
    return bin_folder


@contextmanager
def site(bin_folder: Path, folder: Path) -> Iterator[int]:
    """Serve a fresh site and give its port."""
    (folder / "site.ini").write_text(SITE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    command = [str(bin_folder / "pserve"), "site.ini", f"http_port={port}"]
    with subprocess.Popen(command, cwd=folder, env=environ) as server:
        try:
            wait_for(server, port)
            yield port
        finally:
            server.terminate()


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        require(server.poll() is None, "the server ended at its start")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    require(False, f"the server did not listen within {PATIENCE_S} s")


def check_answers(port: int) -> None:
    """Ask for a page of the host and for the API's description, without signing in."""
    status, _, _ = get(port, "/login")
    require(status == 200, f"/login answered {status}")
    status, kind, body = get(port, "/tokens/openapi.json")
    require(status in {200, 401}, f"/tokens/openapi.json answered {status}")
    require(kind.startswith("application/json"), f"/tokens/openapi.json is {kind}")
    require(isinstance(json.loads(body), dict), "/tokens/openapi.json is no JSON object")


def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Fetch a path and give status, content type and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    finally:
        connection.close()


def require(is_so: bool, otherwise: str) -> None:
    """End the script with a line, unless all is well."""
    if not is_so:
        sys.exit(f"smoke_wheel: {otherwise}")


if __name__ == "__main__":
    main()
