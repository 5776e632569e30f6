"""Create below ``var/`` what ``config/tokens.ini`` needs and does not find, and print the logins.

``python config/prepare.py [PORT]``. Nothing that is there already is changed, so it may run before
every start; it prints the same logins every time.
"""

import configparser
import os
import secrets
import socket
import sqlite3
import sys
from base64 import b32encode
from contextlib import closing
from pathlib import Path

from node.ext.ugm.file import Ugm

VAR = Path(__file__).resolve().parent.parent / "var"
SECRETS = VAR / "secrets.ini"
DATABASE = VAR / "tokens.db"
USERS = VAR / "ugm"
HOST = "127.0.0.1"
DEFAULT_PORT = "8081"
OPERATOR = "door"
OPERATOR_ROLE = "token_operator"

SECRETS_TEMPLATE = """\
# Made once by config/prepare.py; readable by its owner only. config/tokens.ini builds on it.
[app:tokens]
use = egg:cone.app#main
cone.auth_secret = {cookie_secret}
cone.admin_user = admin
cone.admin_password = {admin_password}

[operator]
user = {operator}
password = {operator_password}
"""


def main() -> None:
    """Prepare, then tell where the site will be and who may sign in."""
    port = parse_port(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_PORT)
    os.umask(0o077)
    try:
        VAR.mkdir(exist_ok=True)
        create_secrets()
        logins = read_logins()
        create_database()
        create_operator(*logins[1])
        require_free(port)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"\n  Address  http://{HOST}:{port}/")
    for name, password in logins:
        print(f"  Login    {name:<8} {password}")
    print(f"  Data     {VAR}\n", flush=True)


def parse_port(text: str) -> int:
    """Read a port number, or stop with a line that says what is wrong."""
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535:  # noqa: PLR2004
        return int(text)
    sys.exit(f"PORT: a number from 1 to 65535 is needed, not {text!r}")


def create_secrets() -> None:
    """Make cookie secret and passwords, unless their file is there."""
    if SECRETS.exists():
        return
    text = SECRETS_TEMPLATE.format(
        cookie_secret=secrets.token_hex(32),
        admin_password=readable_password(),
        operator=OPERATOR,
        operator_password=readable_password(),
    )
    with SECRETS.open("x") as file:
        file.write(text)


def readable_password() -> str:
    """Make a password of 80 random bits: four groups of four letters and digits."""
    text = b32encode(secrets.token_bytes(10)).decode()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def read_logins() -> list[tuple[str, str]]:
    """Read name and password of the administrator, then of the operator.

    :raises ValueError: the file lacks one.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(SECRETS)
        app, operator = parser["app:tokens"], parser["operator"]
        return [
            (app["cone.admin_user"], app["cone.admin_password"]),
            (operator["user"], operator["password"]),
        ]
    except (configparser.Error, KeyError) as error:
        message = f"{SECRETS}: a login is missing; remove it and {USERS} to get new ones"
        raise ValueError(message) from error


def create_database() -> None:
    """Switch the SQLite file to WAL, which it remembers; the plugin makes the tables.

    :raises ValueError: it is no database, or locked.
    """
    try:
        with closing(sqlite3.connect(DATABASE)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        message = f"{DATABASE}: {error}"
        raise ValueError(message) from error


def create_operator(name: str, password: str) -> None:
    """Make the user of the door page, unless there is one of that name."""
    USERS.mkdir(exist_ok=True)
    ugm = Ugm(
        name="ugm",
        users_file=str(USERS / "users"),
        groups_file=str(USERS / "groups"),
        roles_file=str(USERS / "roles"),
        data_directory=str(USERS / "data"),
    )
    if name in ugm.users:
        return
    user = ugm.users.create(name, fullname=name.capitalize())
    user.add_role(OPERATOR_ROLE)
    ugm.users.passwd(name, None, password)
    ugm()


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


if __name__ == "__main__":
    main()
