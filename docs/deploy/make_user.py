"""Make a user of a site whose users are in the database, or give one a new password and a role.

``python make_user.py production.ini NAME ROLE``, with the environment of the site; the password
is asked for, or read from the standard input where that is no terminal.
"""

import getpass
import sys

import cone.sql
import pyramid.paster
from cone.app.ugm import ugm_backend
from pyramid.request import Request
from pyramid.threadlocal import manager


def main() -> None:
    """Do it."""
    ini, name, role = sys.argv[1:]
    is_asked = sys.stdin.isatty()
    password = getpass.getpass() if is_asked else sys.stdin.readline().rstrip("\n")
    app = pyramid.paster.get_app(ini, "main")
    request = Request.blank("/")
    session = request.environ[cone.sql.session_key] = cone.sql.session_factory()
    manager.push({"request": request, "registry": app.next_app.registry})
    users = ugm_backend.ugm.users
    if name not in users:
        users.create(name)
    users.passwd(name, None, password)
    if role not in users[name].roles:
        users[name].add_role(role)
    ugm_backend.ugm()
    session.commit()


if __name__ == "__main__":
    main()
