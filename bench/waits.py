"""Measure how long others wait for long work: ``python -m bench.waits [--beside SRC]``.

A door beside an editor that adds 10,000 tokens in a loop, scans of a locked SQLite file, and a
label sheet of 1,000 by 1,000 labels. ``--beside`` names the folder ``src`` of another checkout:
the same is measured there, in turns.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import report
from bench.filling import databases
from bench.load import Connection
from bench.load import request
from bench.sites import UNLIMITED
from bench.sites import Server
from bench.sites import memory_mib
from bench.sites import write_site
from bench.use_cases import Tokens

TOKENS = 10_000
#: Seconds that the editor works, and between two uses at the door.
EDITING_S = 15.0
DOOR_PAUSE_S = 0.05
#: Seconds that the file is locked.
LOCKED_S = 12.0
SCANS = 5
SHEET = (
    "make=1&sheet=own&start=1&page=A4&columns=1000&rows=1000&width=0.2&height=0.2&left=0&top=0"
    "&gap_x=0&gap_y=0&caption=1&cut_marks=1"
)
LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.waits", description=__doc__)
    parser.add_argument("--beside", type=Path, help="the folder src of another checkout")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=MEASUREMENTS)
    arguments = parser.parse_args()
    print(report.machine())
    trees = {"beside": arguments.beside, "here": None} if arguments.beside else {"here": None}
    for _round, name in itertools.product(range(arguments.rounds), arguments.only):
        for tree, source in trees.items():
            with tempfile.TemporaryDirectory() as folder, _served(Path(folder), source) as place:
                print(f"{name}, {tree}: {MEASUREMENTS[name](*place)}", flush=True)


@contextlib.contextmanager
def _served(folder: Path, source: Path | None) -> Iterator[tuple[Server, Tokens, Path]]:
    """Serve a site on a SQLite file in WAL mode."""
    with databases(folder / "sqlite", [TOKENS]) as (tokens,):
        ini = write_site(folder / "site", "ours", tokens.url)
        # The other checkout may not know it.
        ini.write_text(ini.read_text().replace(UNLIMITED, ""))
    before = os.environ.get("PYTHONPATH")
    if source:
        os.environ["PYTHONPATH"] = str(source.absolute())
    try:
        server = Server(ini)
    finally:
        os.environ.pop("PYTHONPATH", None)
        if before is not None:
            os.environ["PYTHONPATH"] = before
    try:
        yield server, tokens, folder / "sqlite" / f"{TOKENS}.db"
    finally:
        server.stop()


def sheet(server: Server, tokens: Tokens, _file: Path) -> str:
    """Make the document with a million labels on a page, for one token."""
    body = SHEET.encode()
    head = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    sent = request("POST", f"/tokens/{tokens.uids[0]}/labels", head).replace(
        b"Content-Length: 0\r\n", b""
    )
    with Connection(server.port, timeout_s=900) as connection:
        start = time.perf_counter()
        answer = connection.send(sent + body)
    seconds = time.perf_counter() - start
    peak = memory_mib(server.pid, "VmHWM")
    return f"status {answer.status} after {seconds:.2f} s, at most {peak:.0f} MiB in memory"


def door(server: Server, tokens: Tokens, _file: Path) -> str:
    """Use tokens one after the other while somebody adds."""
    is_over = threading.Event()
    with ThreadPoolExecutor() as pool:
        editor = pool.submit(_edit, server.port, is_over)
        end = time.perf_counter() + EDITING_S
        waits, statuses = [], []
        with Connection(server.port) as connection:
            for uid in itertools.cycle(tokens.uids):
                seconds, status = _timed(
                    connection, request("POST", f"/tokens/{uid}/consume_token")
                )
                waits.append(seconds)
                statuses.append(status)
                if time.perf_counter() > end:
                    break
                time.sleep(DOOR_PAUSE_S)
        is_over.set()
        adds = editor.result()
    waits.sort()
    figures = f"p50 {_ms(statistics.median(waits))}, p99 {_ms(waits[len(waits) * 99 // 100])}"
    return f"{len(waits)} uses: {figures}, max {_ms(waits[-1])}; {adds}; {set(statuses)}"


def _edit(port: int, is_over: threading.Event) -> str:
    times = []
    with Connection(port) as connection:
        while not is_over.is_set():
            sent = request("POST", "/tokens/add_tokens?count=10000&random=1&usage_count=1")
            times.append(_timed(connection, sent)[0])
    return f"{len(times)} times 10,000 added, {statistics.median(times):.2f} s each"


def locked(server: Server, tokens: Tokens, file: Path) -> str:
    """Scan while another program holds SQLite's lock."""
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.stdout.readline()
    start = time.perf_counter()

    def ask(sent: bytes) -> str:
        with Connection(server.port) as connection:
            seconds, status = _timed(connection, sent)
        return f"{status} after {seconds:.2f} s"

    with ThreadPoolExecutor(SCANS + 2) as pool:
        path = f"/tokens/{tokens.uids[0]}"
        scans = [pool.submit(ask, request("POST", f"{path}/consume_token")) for _ in range(SCANS)]
        time.sleep(0.1)
        others = {
            "health": pool.submit(ask, request("GET", "/tokens/health")),
            "query": pool.submit(
                ask, request("GET", f"/tokens/query_token?value={tokens.uids[0]}")
            ),
        }
        time.sleep(LOCKED_S)
        holder.communicate()
        held = time.perf_counter() - start
        told = [f"scan {scan.result()}" for scan in scans]
        told += [f"{name} {other.result()}" for name, other in others.items()]
    told.append(
        f"released after {held:.1f} s, then a scan: {ask(request('POST', f'{path}/consume_token'))}"
    )
    return "; ".join(told)


def _timed(connection: Connection, sent: bytes) -> tuple[float, int]:
    start = time.perf_counter()
    answer = connection.send(sent)
    return time.perf_counter() - start, answer.status


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:.0f} ms"


#: By name.
MEASUREMENTS: dict[str, Callable[[Server, Tokens, Path], str]] = {
    "sheet": sheet,
    "door": door,
    "locked": locked,
}

if __name__ == "__main__":
    main()
