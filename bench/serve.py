"""Serve one subject on a free port; the port is the first line of the output.

``python -m bench.serve FILE [--count]``. With ``--count`` the header ``X-Statements`` of each
answer tells how many statements the request executed.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pyramid.paster
import waitress
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import event

from bench.floor import make_app

THREADS = 4


def main() -> None:
    """Build the application and serve it."""
    path = Path(sys.argv[1])
    app, engine = build(path)
    if "--count" in sys.argv:
        app = count_statements(app, engine)
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=THREADS)
    print(server.effective_port, flush=True)
    server.run()


def build(path: Path) -> tuple[Any, Engine]:
    """Return the application that ``path`` describes, and its engine."""
    if path.suffix == ".json":
        engine = create_engine(json.loads(path.read_text())["url"])
        return make_app(engine), engine
    app = pyramid.paster.get_app(str(path), "main")
    return app, importlib.import_module("cone.sql").session_factory.engine


def count_statements(app: Any, engine: Engine) -> Any:
    """Return ``app`` with a header that tells the number of statements; for one client."""
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", record)

    def counted(environ: dict[str, Any], start_response: Any) -> Any:
        statements.clear()

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            headers.append(("X-Statements", str(len(statements))))
            return start_response(status, headers, *more)

        return app(environ, start)

    return counted


if __name__ == "__main__":
    main()
