"""The site of the tests: its ini file and its user directory."""

from pathlib import Path

from node.ext.ugm.file import Ugm

PASSWORD = "secret"
ZONE = "Europe/Vienna"
METRICS_SECRET = "a-secret-of-the-metrics"
#: Requests that a process works on at once.
THREADS = 4
INI = """
[app:tokens]
use = egg:cone.app#main
pyramid.includes = pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
pyramid.default_locale_name = en
cone.available_languages = en,de
cone.admin_user = admin
cone.admin_password = {password}
cone.auth_secret = 9c1f0b6d4e8a7352c6d1e0f94b7a8235
cone.auth_http_only = true
cone.auth_wild_domain =
cone.plugins =
    cone.sql
    cone.tokens
ugm.backend = file
ugm.users_file = %(here)s/ugm/users
ugm.groups_file = %(here)s/ugm/groups
ugm.roles_file = %(here)s/ugm/roles
ugm.datadir = %(here)s/ugm/data
sql.db.url = {database_url}
cone.tokens.config_file = %(here)s/tokens.json
cone.tokens.timezone = {zone}
{limits}
{more}

[filter:session]
use = egg:cone.tokens#session

[pipeline:main]
pipeline = session tokens

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
threads = {threads}

[loggers]
keys = root, waitress_queue

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = INFO
handlers = console

[logger_waitress_queue]
qualname = waitress.queue
level = ERROR
handlers =

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)s %(name)s: %(message)s
"""

#: Tests ask more often than people do.
UNLIMITED = """
cone.tokens.limits.sign_in_name = off
cone.tokens.limits.sign_in_address = off
cone.tokens.limits.refused = off
cone.tokens.limits.granted = off
cone.tokens.limits.queries = off
"""


def write_site(
    folder: Path,
    *,
    database_url: str | None = None,
    limits: str = UNLIMITED,
    more: str = "",
) -> Path:
    """Write the ini file of a site with an empty user directory to ``folder``."""
    (folder / "ugm" / "data").mkdir(parents=True)
    for name in ("users", "groups", "roles"):
        (folder / "ugm" / name).touch()
    ini = folder / "site.ini"
    url = database_url or f"sqlite:///{folder}/tokens.db?timeout=30"
    values = {"database_url": url, "limits": limits, "more": more, "threads": THREADS}
    ini.write_text(INI.format(password=PASSWORD, zone=ZONE, **values))
    return ini


def login_form(login: str) -> dict[str, str]:
    return {
        "loginform.user": login,
        "loginform.password": PASSWORD,
        "action.loginform.login": "1",
    }


def open_users(folder: Path) -> Ugm:
    """Open the users in the files of a site, as another program does.

    :param folder: ``ugm`` beside the ini file.
    """
    files = {f"{kind}_file": str(folder / kind) for kind in ("users", "groups", "roles")}
    return Ugm(name="ugm", data_directory=str(folder / "data"), **files)


def add_user(folder: Path, login: str, *roles: str) -> None:
    """Add a user to the files of a site, with :data:`PASSWORD`."""
    users = open_users(folder)
    user = users.users.create(login)
    for role in roles:
        user.add_role(role)
    users.users.passwd(login, None, PASSWORD)
    users()
