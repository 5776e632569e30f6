"""The subjects of a measurement, each served by waitress in a process of its own."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.floor import SECRET
from bench.floor import USER
from tests.support.site import open_users

ROLE = "admin"
OF_HOST = "use = egg:cone.sql#session"
OURS = "use = egg:cone.tokens#session"
NOT_ANNOTATED = "tm.annotate_user = false"
UNLIMITED = "cone.tokens.limits.granted = 1000000000/minute"
INI = """
[app:site]
use = egg:cone.app#main
pyramid.includes = pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
{transactions}
cone.admin_user = admin
cone.admin_password = {secret}
cone.auth_secret = {secret}
cone.auth_http_only = true
cone.auth_wild_domain =
cone.plugins =
    cone.sql
    {plugin}
ugm.backend = file
ugm.users_file = %(here)s/ugm/users
ugm.groups_file = %(here)s/ugm/groups
ugm.roles_file = %(here)s/ugm/roles
ugm.datadir = %(here)s/ugm/data
sql.db.url = {url}
cone.tokens.config_file = %(here)s/tokens.json
cone.tokens.timezone = UTC
cone.tokens.limits.refused = 1000000000/minute
cone.tokens.limits.queries = 1000000000/minute
{limits}

[filter:session]
{session}

[pipeline:main]
pipeline = session site
"""
#: The floor, the host without our plugin, and our plugin in a new site, by name: what the ini
#: file has. The last one is our plugin in a site whose ini file was written for 2.0.
SUBJECTS: dict[str, dict[str, str]] = {
    "bare": {},
    "host": {"plugin": "bench.host", "session": OF_HOST, "transactions": "", "limits": ""},
    "ours": {
        "plugin": "cone.tokens",
        "session": OURS,
        "transactions": NOT_ANNOTATED,
        "limits": UNLIMITED,
    },
    "ours, 2.0 ini": {
        "plugin": "cone.tokens",
        "session": OF_HOST,
        "transactions": "",
        "limits": UNLIMITED,
    },
}


def memory_mib(pid: int | str, figure: str) -> float:
    """Return how much memory a process has.

    :param figure: of Linux: ``VmRSS`` what it holds, ``VmHWM`` the most that it has held.
    """
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith(figure)
    )
    return int(line.split()[1]) / 1024


def write_site(folder: Path, subject: str, url: str) -> Path:
    """Write what ``subject`` is started from to ``folder``, and return the file."""
    folder.mkdir(parents=True)
    if subject == "bare":
        path = folder / "bare.json"
        path.write_text(json.dumps({"url": url}))
        return path
    users = folder / "ugm"
    (users / "data").mkdir(parents=True)
    ugm = open_users(users)
    ugm.users.create(USER)
    ugm.users[USER].add_role(ROLE)
    ugm()
    path = folder / "site.ini"
    path.write_text(INI.format(url=url, secret=SECRET, **SUBJECTS[subject]))
    return path


class Server:
    """A process that serves one subject.

    :ivar port: that it listens on.
    :ivar start_s: seconds from the start of the process to the first accepted connection.
    """

    def __init__(self, path: Path, *, counting: bool = False) -> None:
        command = [sys.executable, "-m", "bench.serve", str(path)]
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, "--count"] if counting else command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self._process.stdout.readline()
        self.start_s = time.perf_counter() - start
        self.port = int(line)

    def cpu_s(self) -> float:
        """Return the seconds of processor time that the process has used."""
        return cpu_s(self._process.pid)

    def memory_mib(self) -> float:
        """Return what the process holds in memory."""
        return memory_mib(self._process.pid, "VmRSS")

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def stop(self) -> None:
        """End the process and wait until it is gone."""
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextlib.contextmanager
def served(path: Path, **how: Any) -> Iterator[Server]:
    """Serve a subject as long as the block runs."""
    server = Server(path, **how)
    try:
        yield server
    finally:
        server.stop()
