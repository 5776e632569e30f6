"""Programs of cone.tokens 2.0 go on to work (contract 10, "Python API of 2.0")."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.site import write_site

CHECKOUT = Path(__file__).parents[2]
PROGRAM = "tests.support.program_of_2_0"
CONE_TOKENS = str(Path(sys.executable).with_name("cone-tokens"))


@pytest.fixture(params=["sqlite", "postgresql"])
def ini(request, tmp_path) -> Path:
    """The ini file of a site on an empty database, with the container of the program."""
    is_sqlite = request.param == "sqlite"
    server = None if is_sqlite else request.getfixturevalue("postgres_server")
    return write_site(
        tmp_path,
        database_url=server.create_database() if server else None,
        more=f"cone.tokens.entryfactory = {PROGRAM}.Tickets",
    )


def run(*arguments: str) -> str:
    done = subprocess.run(
        arguments,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_a_program_of_2_0_when_it_runs_then_it_gets_all_that_it_expects(ini):
    done = json.loads(run(sys.executable, "-m", PROGRAM, str(ini)).splitlines()[-1])
    assert {name: told for name, told in done.items() if told != "ok"} == {}
    assert len(done) == 50
    # Whatever it did, a uid that came back included: the logs tell the same.
    found = json.loads(run(CONE_TOKENS, "verify", str(ini), "--json"))
    assert found["problems"] == {}
