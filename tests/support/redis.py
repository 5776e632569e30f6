"""A Redis server for tests, where its program is installed."""

import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self


class RedisUnavailable(Exception):
    """There is no program to run."""

    def __init__(self) -> None:
        """Say which package has it."""
        super().__init__("no redis-server, Debian's package of that name has it")


class RedisServer:
    """A server on a port of its own, that keeps nothing."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self.port = port or _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        program = shutil.which("redis-server")
        if program is None:
            raise RedisUnavailable
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": self._folder}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                break
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._reader.join(30)
        self._process.stdout.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
