"""Make a user of a site, or give one a new password and a role.

``python -m cone.tokens.make_user site.ini NAME ROLE``: what ``cone-tokens user`` does in two
commands. The password is asked for, or read from the standard input where that is no terminal.
"""

from __future__ import annotations

import getpass
import logging
import sys
from pathlib import Path

_USAGE = "usage: python -m cone.tokens.make_user CONFIG.ini NAME ROLE"


def main() -> None:
    """Make the user, or change password and role."""
    try:
        ini, name, role = sys.argv[1:]
    except ValueError:
        sys.exit(_USAGE)
    # As in cone-tokens: what cone.app says of optional libraries is not for people.
    logging.getLogger().addHandler(logging.NullHandler())
    _make(Path(ini), name, role)


def _make(ini: Path, name: str, role: str) -> None:
    from cone.tokens.cli.site import open_site
    from cone.tokens.core.errors import TokenError
    from cone.tokens.host.user_errors import UserRefused
    from cone.tokens.host.users import changing_users
    from cone.tokens.host.users import require_role
    from cone.tokens.tickets.security import register_operator_role

    try:
        settings = open_site(ini).settings
        register_operator_role()
        require_role(role)
        password = _password()
        with changing_users(settings) as users:
            if name in (one.name for one in users.all()):
                users.set_password(name, password)
                users.change_roles(name, [role], [])
            else:
                users.add(name, password, [role])
    except (TokenError, UserRefused) as error:
        sys.exit(str(error))


def _password() -> str:
    is_asked = sys.stdin.isatty()
    return getpass.getpass() if is_asked else sys.stdin.readline().rstrip("\n")


if __name__ == "__main__":
    main()
