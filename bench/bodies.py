"""Bodies made to cost a lot, sent to a served site by nobody: ``python -m bench.bodies``.

``--beside FOLDER`` measures the code of another working tree in the same run. Prints a table in
reStructuredText: seconds until the answer, its status, and what the process takes up afterwards.
With ``cgi.FieldStorage`` the time of a head grows with the square: 500 kB take minutes.
"""

import argparse
import contextlib
import dataclasses
import http.client
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import report
from tests.support.served import Served
from tests.support.site import write_site

MIB = 1_048_576
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
#: Seconds to wait for an answer.
TIMEOUT_S = 900


@dataclasses.dataclass(frozen=True)
class Attack:
    """A body, and where it is sent."""

    name: str
    path: str
    body: bytes
    content_type: str = MULTIPART


def part(head: bytes, content: bytes = b"1") -> bytes:
    """Return a part of a multipart form."""
    disposition = b'Content-Disposition: form-data; name="a"' + head
    return b"--b\r\n" + disposition + b"\r\n\r\n" + content + b"\r\n"


def attacks(kilobytes: int, mebibytes: float) -> list[Attack]:
    """Return the attacks, with a head and with bodies of a size."""
    head = part(b'; x="' + b"a;" * (kilobytes * 500) + b'"') + b"--b--\r\n"
    tiny = part(b"") * int(mebibytes * MIB / len(part(b""))) + b"--b--\r\n"
    fields = b"a=1&" * int(mebibytes * MIB / 4)
    paths = ("/tokens", "/", "/settings/token_settings", "/login", "/nowhere")
    named = [Attack("large head", path, head) for path in paths]
    named += [Attack("tiny parts", path, tiny) for path in ("/login", "/nowhere")]
    return named + [Attack("many fields", path, fields, FORM) for path in ("/login", "/nowhere")]


def resident_mib(pid: int) -> float:
    """Return what a process takes up in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1_024


@contextlib.contextmanager
def served(tree: Path) -> Iterator[Served]:
    """Serve a site with the code of a working tree."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPATH"] = str(tree / "src")
        with Served(write_site(Path(folder))) as site:
            site.connect().get("/login")
            yield site


def measure(tree: Path, attack: Attack) -> list[str]:
    """Return seconds, status and MiB left behind of an attack on a fresh process."""
    with served(tree) as site:
        before, begin = resident_mib(site.process.pid), time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=TIMEOUT_S)
        headers = {"Content-Type": attack.content_type}
        connection.request("POST", attack.path, attack.body, headers)
        status = connection.getresponse().status
        connection.close()
        seconds = time.perf_counter() - begin
        left = resident_mib(site.process.pid) - before
    return [f"{seconds:.2f}", f"{status}", f"{left:.0f}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.bodies", description=__doc__)
    parser.add_argument("--kilobytes", type=int, default=500, help="of a large head")
    parser.add_argument("--mebibytes", type=float, default=8.9, help="of the other bodies")
    parser.add_argument("--beside", type=Path, help="another working tree of the project")
    arguments = parser.parse_args()
    trees = {"here": Path(__file__).parents[1]}
    if arguments.beside:
        trees = {"beside": arguments.beside.absolute(), **trees}
    rows = []
    for attack in attacks(arguments.kilobytes, arguments.mebibytes):
        for name, tree in trees.items():
            rows.append([attack.name, attack.path, name, *measure(tree, attack)])
            print(*rows[-1], file=sys.stderr)
    print(report.machine())
    columns = ["body", "path", "code", "seconds", "status", "MiB left"]
    print(report.table(columns, rows))


if __name__ == "__main__":
    main()
