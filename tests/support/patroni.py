"""A pair of PostgreSQL servers that Patroni and etcd look after, for the tests.

All three come from packages of the system: ``patroni``, ``etcd-server`` and ``postgresql``. Their
settings are those of ``docs/deploy/patroni.yml``. They listen on 127.0.0.1 only.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.support.postgres import SUPERUSER
from tests.support.postgres import PostgresServer
from tests.support.postgres import PostgresUnavailable
from tests.support.postgres import installed_servers
from tests.support.postgres import kill_server

EXAMPLE = Path(__file__).parents[2] / "docs/deploy/patroni.yml"
PROGRAMS = ("patroni", "etcd")
NAMES = ("a", "b")
#: Seconds that the pair has to come up.
PATIENCE = 60
#: Starts all when it is told to, and ends all when its standard input ends.
GUARD = """
read -r _ && {
    cd "$2"
    sh ./etcd.sh >etcd.log 2>&1 & etcd=$!
    for name in a b; do
        patroni "$name.yml" >"$name.log" 2>&1 & echo $! >"$name.pid"
    done
    read -r _
    for name in a b; do kill -9 "$(cat "$name.pid")"; done
    for name in a b; do "$1/pg_ctl" -D "$2/$name" -m immediate -w stop; done
    kill -9 $etcd
}
rm -rf "$2"
"""


class PatroniPair(PostgresServer):
    """Two servers of which one follows the other, and takes over when that one is gone."""

    guard = GUARD

    def __init__(self) -> None:
        super().__init__(installed_servers()[:1])
        self._ports: dict[str, int] = {}

    def start(self) -> None:
        """Start all and wait until one server follows the other.

        :raises PostgresUnavailable: with the ends of the logs.
        """
        missing = ", ".join(name for name in PROGRAMS if not shutil.which(name))
        if missing:
            message = f"not installed: {missing}"
            raise PostgresUnavailable(message)
        self._guard.stdin.write(b"\n")
        self._guard.stdin.flush()
        end = time.monotonic() + PATIENCE
        while self.member("sync_standby") is None:
            if time.monotonic() > end:
                logs = [path.read_text()[-2_000:] for path in self._folder.glob("*.log")]
                raise PostgresUnavailable("\n".join(logs))
            time.sleep(0.2)

    def member(self, role: str) -> str | None:
        """Return the name of the server that has this role now."""
        for name in NAMES:
            members = _ask(self._ports[f"{name} rest"])
            for member in members:
                if (member["role"], member["state"]) in ((role, "running"), (role, "streaming")):
                    return member["name"]
        return None

    def kill_leader(self) -> None:
        """End the server that writes, and what looks after it, as a power cut would."""
        leader = self.member("leader")
        os.kill(int((self._folder / f"{leader}.pid").read_text()), signal.SIGKILL)
        kill_server(self._folder / leader)

    def url(self, dbname: str = "postgres") -> str:
        """Give the address of whichever of the two writes."""
        ports = ",".join(str(self._ports[name]) for name in NAMES)
        which = "target_session_attrs=read-write&connect_timeout=2"
        return (
            f"postgresql+psycopg://{SUPERUSER}@/{dbname}"
            f"?host=127.0.0.1,127.0.0.1&port={ports}&{which}"
        )

    def _make_cluster(self) -> None:
        """Write the settings of all."""
        names = [*NAMES, *(f"{name} rest" for name in NAMES), "etcd", "etcd peers"]
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        for name in NAMES:
            path = self._folder / f"{name}.yml"
            path.write_text(yaml.safe_dump(self._settings_of(name)))
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "etcd peers"))
        command = (
            f"exec etcd --name e --data-dir etcd --listen-client-urls {client} "
            f"--advertise-client-urls {client} --listen-peer-urls {peer} "
            f"--initial-advertise-peer-urls {peer} --initial-cluster e={peer} "
            "--unsafe-no-fsync\n"
        )
        (self._folder / "etcd.sh").write_text(command)

    def _settings_of(self, name: str) -> dict[str, Any]:
        """Return the settings of the example, on this machine."""
        settings = yaml.safe_load(EXAMPLE.read_text())
        rest = f"127.0.0.1:{self._ports[f'{name} rest']}"
        address = f"127.0.0.1:{self._ports[name]}"
        settings["name"] = name
        settings["restapi"] = {"listen": rest, "connect_address": rest}
        settings["etcd3"] = {"host": f"127.0.0.1:{self._ports['etcd']}"}
        postgresql = settings["postgresql"]
        postgresql |= {
            "listen": address,
            "connect_address": address,
            "data_dir": str(self._folder / name),
            "bin_dir": str(self._binaries),
            "pgpass": str(self._folder / f"{name}.pgpass"),
            "pg_hba": ["local all all trust", *_trusted()],
            "authentication": {
                "superuser": {"username": SUPERUSER},
                "replication": {"username": SUPERUSER},
                "rewind": {"username": SUPERUSER},
            },
        }
        postgresql["parameters"] = {
            **postgresql.get("parameters", {}),
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "full_page_writes": "off",
        }
        return settings


def _trusted() -> list[str]:
    return [f"host {database} all 127.0.0.1/32 trust" for database in ("all", "replication")]


def _ask(port: int) -> list[dict[str, Any]]:
    """Return what one of the two knows of both; nothing where it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/cluster")
        return json.loads(connection.getresponse().read()).get("members", [])
    except (OSError, http.client.HTTPException, ValueError):
        return []
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
