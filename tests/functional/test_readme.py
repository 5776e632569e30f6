"""The commands of the README, run as they stand there, against a served site."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.functional.conftest import PASSWORD

README = Path(__file__).parents[2] / "README.rst"


def shell_block() -> str:
    """Return the one block of shell commands."""
    text = README.read_text()
    (block,) = re.findall(r"\.\. code-block:: sh\n\n((?:    .*\n|\n)+)", text)
    return block


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_readme_when_its_commands_are_run_then_each_succeeds(serve, tmp_path):
    site = f"http://127.0.0.1:{serve().port}"
    done = subprocess.run(
        ["sh", "-e", "-c", shell_block()],
        cwd=tmp_path,
        env={**os.environ, "SITE": site, "PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert all('"success": true' in answer for answer in answers), done.stdout
    assert (tmp_path / "ticket.png").read_bytes().startswith(b"\x89PNG")
    # A use by uid, one by value, the last one with a key, and its repeat.
    consumed = [answer for answer in answers if '"consumed": true' in answer]
    assert [answer.split('"usage_count": ')[1][0] for answer in consumed] == ["2", "1", "0", "0"]
