"""Sites that are served in processes of their own, and connections to them."""

import contextlib
import dataclasses
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Self
from urllib.parse import urlencode

from tests.support.site import login_form


class Served:
    """A site that pserve serves in a process of its own, on a free port."""

    def __init__(self, ini: Path) -> None:
        self.ini = ini
        self.lines: list[str] = []
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        self.launch()
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.whole_log()

    def whole_log(self) -> str:
        """End the process; return all that it said."""
        self.process.terminate()
        self._join()
        return self.log

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process and return at once."""
        self.port = 0
        self._is_decided = threading.Event()
        self.process = subprocess.Popen(
            self.command(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def command(self) -> list[str]:
        """Return what is run; it logs its port."""
        return [sys.executable, "-m", "pyramid.scripts.pserve", str(self.ini), "http_port=0"]

    def wait(self) -> None:
        """Wait until the process serves."""
        assert self._is_decided.wait(60)
        assert self.port, self.log

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self._join()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def says(self, text: str) -> bool:
        """Return whether the log has ``text``, once what was written before is read."""
        deadline = time.monotonic() + 10
        while text not in self.log and time.monotonic() < deadline:
            time.sleep(0.01)
        return text in self.log

    def connect(self) -> "Client":
        client = Client(self.port)
        self._clients.append(client)
        return client

    def sign_in(self, login: str = "admin") -> "Client":
        """Return a client that is signed in."""
        client = self.connect()
        form = login_form(login)
        assert client.post("/login", form).status == http.HTTPStatus.FOUND
        return client

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            found = re.search(r"(?:Serving on|Listening at:) http://127.0.0.1:([0-9]+)", line)
            if found:
                self.port = int(found[1])
                self._is_decided.set()
        self._is_decided.set()

    def hang_up(self) -> None:
        """Close all connections: the server takes a hundred."""
        while self._clients:
            self._clients.pop().connection.close()

    def _join(self) -> None:
        self.hang_up()
        self.process.wait(30)
        self._reader.join(30)
        self.process.stderr.close()


@contextlib.contextmanager
def serve_twice(ini: Path) -> Iterator[list[Served]]:
    """Serve a site in two processes."""
    with contextlib.ExitStack() as stack:
        both = [Served(ini), Served(ini)]
        for served in both:
            served.launch()
            stack.push(served)
        for served in both:
            served.wait()
        yield both


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection that is kept alive, with the cookie of who signed in over it."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers: dict[str, str] = {}

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        return self._send("GET", f"{path}?{urlencode(parameters or {})}", None, {})

    def post(self, path: str, form: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """Send a form; ``headers`` are named as Python names are."""
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        more["Content-Type"] = "application/x-www-form-urlencoded"
        return self._send("POST", path, urlencode(form or {}), more)

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        self.connection.request(method, path, body, {**self.headers, **headers})
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.headers["Cookie"] = cookie.partition(";")[0]
        return answer
