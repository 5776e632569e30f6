"""What the files of a new site say: its ini file, and the secrets of a site in production."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from string import Template
from typing import Final

#: Variables of the environment that the ini file of a site in production takes.
AUTH_SECRET: Final = "TOKENS_AUTH_SECRET"  # noqa: S105 - the name of a variable
DATABASE_PASSWORD: Final = "TOKENS_DATABASE_PASSWORD"  # noqa: S105 - likewise


@dataclasses.dataclass(frozen=True, slots=True)
class Choices:
    """What somebody chose for a new site.

    :ivar database_url: of PostgreSQL, for tokens and users; a password in it is quoted or a
        variable. None: SQLite, and users in files.
    :ivar secret: signs cookies; of a site in production it is a variable.
    """

    database_url: str | None
    secret: str = dataclasses.field(repr=False)
    zone: str
    port: int
    is_in_production: bool


class _Text(Template):
    """``@name`` is replaced; ``%`` and ``$`` stand for themselves."""

    delimiter = "@"


def ini_of(choices: Choices) -> str:
    """Return the content of the ini file."""
    is_in_production, url = choices.is_in_production, choices.database_url
    # PasteDeploy takes a single % for the beginning of a variable.
    database = _Text(_POSTGRESQL).substitute(url=url.replace("%", "%%")) if url else _SQLITE
    return _Text(_INI).substitute(
        head=_PRODUCTION_HEAD if is_in_production else _HEAD,
        secure=_SECURE if is_in_production else _INSECURE,
        secret=choices.secret,
        database=database,
        zone=choices.zone,
        users=_USERS_IN_DATABASE if url else _USERS_IN_FILES,
        port=choices.port,
        proxy=_PROXY if is_in_production else "",
        formatter=_JSON if is_in_production else _PLAIN,
    )


def environment_of(secrets: Mapping[str, str]) -> str:
    """Return the content of a file of variables, as shells and systemd read it."""
    lines = [f'{name}="{_in_quotes(text)}"\n' for name, text in secrets.items()]
    return _ENVIRONMENT_HEAD + "".join(lines)


def _in_quotes(text: str) -> str:
    return "".join(f"\\{sign}" if sign in '"\\`$' else sign for sign in text)


_ENVIRONMENT_HEAD: Final = """\
# Secrets of the site: of its owner alone, the same on all hosts. systemd reads them with
# EnvironmentFile=, a shell with: set -a; . ./secrets.env; set +a
"""

_HEAD: Final = """\
# A site with cone.tokens, made by "cone-tokens init". The README has every cone.tokens key.
# ${NAME} is a variable of the environment.

[app:site]
# cone.app's application, with statuses of its own for what is missing (404) and not allowed (403).
# It does not start with a missing variable, a short secret, debugging, or cookies that go over http
# to others than this machine.
use = egg:cone.tokens#site
"""
_PRODUCTION_HEAD: Final = """\
# A site with cone.tokens, made by "cone-tokens init --production". The README has every cone.tokens
# key. ${NAME} is a variable of the environment; secrets.env has them.

[app:site]
# cone.app's application, which does not start with a missing variable, a short secret, cookies
# that go over http, or debugging.
use = egg:cone.tokens#site
"""

_INSECURE: Final = """\
# Behind https add "cone.auth_secure = true", which the start demands where others than this machine
# can ask the site. Off is to leave it out: "false" would count as on.
"""
_SECURE: Final = """\
cone.auth_secure = true
"""

_SQLITE: Final = """\
# The database. The file is in WAL mode; commits reach the disk (synchronous=FULL). A request waits
# 5 seconds for another program that writes, then it gets 503.
sql.db.url = sqlite:///%(here)s/var/site.db
"""
_POSTGRESQL: Final = """\
# The database. As many connections as threads, and some for peaks: processes * (pool_size +
# max_overflow) stay below max_connections of the server. Who finds none free in time gets 503.
sql.db.url = @url
sql.db.pool_size = 8
sql.db.max_overflow = 4
sql.db.pool_timeout = 5
sql.db.pool_recycle = 3600
"""

_USERS_IN_FILES: Final = """\
# Users, in files; "cone-tokens user" looks after them.
ugm.backend = file
ugm.users_file = %(here)s/var/ugm/users
ugm.groups_file = %(here)s/var/ugm/groups
ugm.roles_file = %(here)s/var/ugm/roles
ugm.datadir = %(here)s/var/ugm/data
"""
_USERS_IN_DATABASE: Final = """\
# Users, in the database, so that all processes have the same; "cone-tokens user" looks after them.
ugm.backend = sql
"""

_PROXY: Final = """\
# The proxy on this host, which ends https, is the one that may say who asks, and how.
trusted_proxy = 127.0.0.1
trusted_proxy_headers = x-forwarded-for x-forwarded-host x-forwarded-proto
clear_untrusted_proxy_headers = true
"""

_PLAIN: Final = """\
# For one JSON object a line: class = cone.tokens.logs.JsonFormatter, and no format.
[formatter_lines]
class = cone.tokens.logs.LineFormatter
format = %(asctime)s %(levelname)s %(name)s [%(reference)s]: %(message)s
"""
_JSON: Final = """\
# One JSON object a line; cone.tokens.logs.LineFormatter writes for people.
[formatter_lines]
class = cone.tokens.logs.JsonFormatter
"""

_INI: Final = """\
@head
# The cookie: of this host alone (the empty value says so) and out of reach of scripts. Who asks
# nothing for twelve hours has to sign in again; who does gets a fresh cookie every hour (seconds).
@{secure}cone.auth_secret = @secret
cone.auth_http_only = true
cone.auth_wild_domain =
cone.auth_timeout = 43200
cone.auth_reissue_time = 3600
cone.auth_max_age = 43200

# Pyramid. cone.sql needs the transaction manager, and needs it in this very key. It need not ask
# for the user's name: that would cost each request a look at the cookie.
pyramid.includes = pyramid_tm
tm.commit_veto = pyramid_tm.default_commit_veto
tm.annotate_user = false
pyramid.default_locale_name = en

# The application. All pages are in the frame of cone.tokens, those of the host too.
cone.plugins =
    cone.sql
    cone.tokens
cone.available_languages = en,de
cone.root.title = Tokens
cone.root.default_child = tokens
cone.main_template = cone.tokens.browser:templates/main.pt

@database
# The plugin. The settings file is edited at /settings/token_settings.
cone.tokens.config_file = %(here)s/var/tokens.json
cone.tokens.timezone = @zone

@users
# Around the application: a database session for each request.
[filter:session]
use = egg:cone.tokens#session

[pipeline:main]
pipeline = session site

# The server is waitress, with a graceful end: at SIGTERM or Ctrl-C requests under way get their
# answers, for so many seconds at most. A second signal ends it at once. No more threads than the
# database pool has connections.
[server:main]
use = egg:cone.tokens#server
graceful_timeout = 20
host = 127.0.0.1
port = @port
threads = 4
@proxy
# What a request may be, in bytes: a head of 16 KiB, and a body a little larger than the largest
# file to import; the application refuses most bodies above 1 MiB itself.
max_request_header_size = 16384
max_request_body_size = 9437184

# A connection costs no thread until its request is there as a whole, and none any more once its
# answer is: what a client does not fetch waits in a file, 1 GiB of the disk at most, all together.
# So slow clients hold nothing but connections. 60 seconds of silence close one.
connection_limit = 800
asyncore_use_poll = true
outbuf_high_watermark = 1073741824
channel_timeout = 60
cleanup_interval = 10
ident =

# Logging, to the console. waitress.queue would warn at each request that waits for a thread. At
# level INFO cone.tokens.access has a line for each request to /tokens. The handler leaves out what
# libraries say at each start and means nothing.
[loggers]
keys = root, waitress_queue, access

[handlers]
keys = console

[formatters]
keys = lines

[logger_root]
level = INFO
handlers = console

[logger_waitress_queue]
qualname = waitress.queue
level = ERROR
handlers =

[logger_access]
qualname = cone.tokens.access
level = WARNING
handlers =

[handler_console]
class = cone.tokens.logs.Console
args = (sys.stderr,)
formatter = lines

@formatter"""
