"""The command line, as in a shell."""

import json
import subprocess
import sys


def shell(*arguments: object) -> dict:
    """Run ``cone-tokens`` as in a shell; return what its JSON says."""
    command = [
        sys.executable,
        "-c",
        "from cone.tokens_command import main; main()",
        *map(str, arguments),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return json.loads(done.stdout)
