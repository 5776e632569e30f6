"""The cookie-signing secret: whoever knows it can impersonate any user.

cone.app's own default is the word ``secret``. A site may keep a weak one only while nobody but its
own machine can ask it.
"""

from __future__ import annotations

import configparser
import ipaddress
import logging
import re
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from paste.deploy import loadwsgi
from pyramid.interfaces import IAuthenticationPolicy

from cone.tokens.host.config import StartupError
from cone.tokens.host.secret_strength import COMMAND
from cone.tokens.host.secret_strength import LEAST_COOKIE_SECRET
from cone.tokens.host.secret_strength import is_strong

if TYPE_CHECKING:
    from pyramid.config import Configurator

logger = logging.getLogger("cone.tokens.cookie_secret")

KEY: Final = "cone.auth_secret"
#: What the names of sections with servers begin with, and the server that is started by default.
SERVER: Final = "server:"
MAIN: Final = "main"
#: Settings of waitress and gunicorn with addresses to listen at.
_ADDRESSES: Final = ("host", "listen", "bind", "unix_socket")
#: Settings that say: others ask through a proxy.
_PROXIES: Final = ("trusted_proxy", "forwarded_allow_ips")
_VARIABLE: Final = re.compile(r"%\((\w+)\)s")


def require_cookie_secret(config: Configurator, global_config: Mapping[str, str]) -> None:
    """Refuse a weak secret, unless the server listens on this machine alone; then warn.

    :raises StartupError: others could sign in as anybody.
    """
    policy = config.registry.queryUtility(IAuthenticationPolicy)
    # cone.app has taken it out of the settings. A site may have a policy of another kind.
    secret = getattr(getattr(policy, "cookie", None), "secret", None)
    if secret is None or is_strong(secret, LEAST_COOKIE_SECRET):
        return
    problem = (
        f"is missing, known or too weak (32 characters at least): anybody can sign in as"
        f" anybody. Make one: {COMMAND}"
    )
    if not listens_on_loopback(global_config):
        raise StartupError(KEY, problem)
    logger.warning("%s: %s", KEY, problem)


def listens_on_loopback(global_config: Mapping[str, str]) -> bool:
    """Return whether the ini file says that nobody but this machine can ask the site.

    All of its servers count: which of them is started, the application is not told.

    :param global_config: as PasteDeploy gives it: ``__file__`` and the variables of the ini file.
    """
    try:
        servers = _servers(global_config.get("__file__", ""), global_config)
    except Exception:  # noqa: BLE001 - a file that cannot be read says nothing
        return False
    return bool(servers) and all(map(_is_for_this_machine, servers))


def _servers(ini: str, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the settings that PasteDeploy hands to each server of a file; none without a main one.

    Not all that stands in a section: a key that is a variable of the file, too, is left out.
    """
    text = Path(ini).read_text(encoding="utf-8")
    # The port may be missing where no server is started.
    missing = {name: "0" for name in _VARIABLE.findall(text) if name not in variables}
    given = {**missing, **variables}
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    names = [name.partition(":")[2] for name in parser.sections() if name.startswith(SERVER)]
    if MAIN not in names:
        return []
    uri = f"config:{Path(ini).resolve()}"
    return [
        loadwsgi.loadcontext(loadwsgi.SERVER, uri, name=name, global_conf=given).local_conf
        for name in names
    ]


def _is_for_this_machine(settings: Mapping[str, str]) -> bool:
    addresses = list(_addresses(settings))
    is_behind_proxy = any(settings.get(key, "").strip() for key in _PROXIES)
    return bool(addresses) and all(map(_is_loopback, addresses)) and not is_behind_proxy


def _addresses(section: Mapping[str, str]) -> Iterator[str]:
    for key in _ADDRESSES:
        texts = section.get(key, "").replace(",", " ").split()
        yield from (f"unix:{text}" for text in texts) if key == "unix_socket" else texts


def _is_loopback(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    in_brackets = re.fullmatch(r"\[(.*)\](:.*)?", address)
    has_port = address.count(":") == 1
    host = in_brackets[1] if in_brackets else address.partition(":")[0] if has_port else address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
