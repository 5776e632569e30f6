"""Make the site of ``make run``, unless it is there: ``var/site``, by ``cone-tokens init``.

``python config/prepare.py [PORT]``, before every start. The passwords are shown when the site is
made; ``cone-tokens user set-password var/site/site.ini admin`` makes another one.
"""

import logging
import re
import socket
import sys
from pathlib import Path

SITE = Path(__file__).resolve().parent.parent / "var/site"
INI = SITE / "site.ini"
DATABASE = SITE / "var/site.db"
HOST = "127.0.0.1"
DEFAULT_PORT = "8081"
OPERATOR = "door"
OPERATOR_ROLE = "token_operator"


def main() -> None:
    """Prepare, then tell where the site will be."""
    port = parse_port(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_PORT)
    try:
        require_free(port)
        if INI.exists():
            set_port(port)
        else:
            SITE.parent.mkdir(exist_ok=True)
            run("init", str(SITE), "--port", str(port))
            run("user", "add", str(INI), OPERATOR, "--role", OPERATOR_ROLE)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"\n  Address  http://{HOST}:{port}/\n  Data     {SITE}\n", flush=True)


def parse_port(text: str) -> int:
    """Read a port number, or stop with a line that says what is wrong."""
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535:  # noqa: PLR2004
        return int(text)
    sys.exit(f"PORT: a number from 1 to 65535 is needed, not {text!r}")


def require_free(port: int) -> None:
    """Try the port.

    :raises ValueError: the server could not listen on it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"Port {port} is not free ({error.strerror}); try: make run PORT={port + 1}"
            raise ValueError(message) from error


def set_port(port: int) -> None:
    """Write the port into the ini file that is there."""
    text = INI.read_text(encoding="utf-8")
    changed = re.sub(r"^port = [0-9]+$", f"port = {port}", text, flags=re.MULTILINE)
    if changed != text:
        INI.write_text(changed, encoding="utf-8")


def run(*arguments: str) -> None:
    """Run a command of ``cone-tokens``, and end where it fails."""
    # As in the program: what cone.app says of optional libraries is not shown.
    logging.getLogger().addHandler(logging.NullHandler())
    from cone.tokens.cli import main as cone_tokens

    status = cone_tokens(arguments, standalone_mode=False)
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
