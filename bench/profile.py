"""Show where the time of a request goes: ``python -m bench.profile [SUBJECT [USE_CASE]]``.

1,000 tokens, the application without a server, functions by their own time.
"""

import argparse
import contextlib
import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

from webob import Request

from bench.filling import databases
from bench.serve import build
from bench.sites import SUBJECTS
from bench.sites import write_site
from bench.use_cases import USE_CASES
from bench.use_cases import requests
from tests.support.postgres import PostgresServer

CALLS = 1_000
WARM_UP = 200
LINES = 40


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("subject", nargs="?", default="ours", choices=list(SUBJECTS))
    parser.add_argument("use_case", nargs="?", default="consume, spread", choices=list(USE_CASES))
    parser.add_argument("--database", default="sqlite", choices=["sqlite", "postgresql"])
    parser.add_argument("--sort", default="tottime")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        is_sqlite = arguments.database == "sqlite"
        server = None if is_sqlite else stack.enter_context(PostgresServer())
        filled = stack.enter_context(databases(Path(folder), (CALLS,), server))
        site = write_site(Path(folder) / "site", arguments.subject, filled[0].url)
        app, _engine = build(site)
        sent = requests(arguments.use_case, filled[0], CALLS)
        call(app, sent[:WARM_UP])
        start = time.process_time()
        call(app, sent)
        print(f"{(time.process_time() - start) / CALLS * 1_000:.2f} ms a request, unobserved")
        profile = cProfile.Profile()
        profile.runcall(call, app, sent)
        pstats.Stats(profile).sort_stats(arguments.sort).print_stats(LINES)


def call(app: Any, sent: list[bytes]) -> None:
    """Have ``app`` answer requests."""
    for content in sent:
        request = Request.from_bytes(content)
        request.environ["REMOTE_ADDR"] = "127.0.0.1"
        status, _headers, body = request.call_application(app)
        if not status.startswith("200"):
            raise RuntimeError(status, b"".join(body))


if __name__ == "__main__":
    main()
