"""The commands of the README, run as they stand there, against a served site."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.conftest import PASSWORD
from tests.functional.conftest import write_site

README = Path(__file__).parents[2] / "README.rst"


def shell_block(section: str) -> str:
    """Return the one block of shell commands of a section."""
    text = README.read_text().split(f"\n{section}\n{'=' * len(section)}\n")[1]
    text = re.split(r"\n.+\n=====+\n\n", text)[0]
    (block,) = re.findall(r"\.\. code-block:: sh\n\n((?:    .*\n|\n)+)", text)
    return block


def run(section: str, folder: Path, **environment: str) -> list[str]:
    """Run the commands of a section and return the lines that they print."""
    done = subprocess.run(
        ["sh", "-e", "-c", shell_block(section)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_readme_when_its_commands_are_run_then_each_succeeds(serve, tmp_path):
    site = f"http://127.0.0.1:{serve().port}"
    lines = run("JSON API", tmp_path, SITE=site, PASSWORD=PASSWORD)
    answers = [line for line in lines if line.startswith("{")]
    assert all('"success": true' in answer for answer in answers), answers
    assert (tmp_path / "ticket.png").read_bytes().startswith(b"\x89PNG")
    # A use by uid, one by value, the last one with a key, and its repeat.
    consumed = [answer for answer in answers if '"consumed": true' in answer]
    assert [answer.split('"usage_count": ')[1][0] for answer in consumed] == ["2", "1", "0", "0"]


def test_readme_when_its_command_line_is_run_then_each_command_succeeds(serve, tmp_path):
    ini = write_site(tmp_path)
    serve(ini)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = run("Command line", tmp_path, CONFIG=str(ini), PATH=path)
    assert [line for line in lines if line.startswith(("Valid", "Refused"))] == [
        "Valid. Uses left: 1",
        "Valid. Uses left: 1",
        lines[-6],
    ]
    assert "usage count exceeded" in lines[-6]
    assert '"unchanged": 100' in lines[-1]
    assert len((tmp_path / "uids.txt").read_text().splitlines()) == 100
