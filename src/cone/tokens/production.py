"""The application of a new site: secrets from the environment, no weak settings.

``use = egg:cone.tokens#site`` in an ini file, instead of ``egg:cone.app#main``. A setting may
hold ``${NAME}``: that is replaced by the variable NAME of the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import Final
from urllib.parse import quote

from pyramid.settings import aslist
from pyramid.settings import truthy

from cone.tokens.host.config import STATUSES_WANTED
from cone.tokens.host.config import StartupError
from cone.tokens.host.cookie_secret import listens_on_loopback
from cone.tokens.host.metrics import SECRET as METRICS_SECRET
from cone.tokens.host.metrics import SHORTEST_SECRET
from cone.tokens.host.secret_strength import LEAST_COOKIE_SECRET
from cone.tokens.host.secret_strength import is_strong

LEAST_LENGTHS: Final[Mapping[str, int]] = {
    "cone.auth_secret": LEAST_COOKIE_SECRET,
    "cone.admin_password": 15,
    METRICS_SECRET: SHORTEST_SECRET,
}
#: Secrets that a site has only together with another setting.
_NEEDED_WITH: Final[Mapping[str, str]] = {
    "cone.admin_password": "cone.admin_user",
    METRICS_SECRET: METRICS_SECRET,
}
#: No script reads cookies.
REQUIRED: Final = ("cone.auth_http_only",)
#: They go over https alone.
SECURE: Final = "cone.auth_secure"
DEBUGGING: Final = (
    "debug",
    "pyramid.debug_all",
    "pyramid.debug_authorization",
    "pyramid.debug_notfound",
    "pyramid.debug_routematch",
    "pyramid.debug_templates",
    "pyramid.reload_all",
    "pyramid.reload_templates",
)
TOOLBAR: Final = "pyramid_debugtoolbar"
_FOR_DEVELOPERS: Final = "is nothing for production; to develop take use = egg:cone.app#main"

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def main(global_config: Mapping[str, str], **settings: str) -> Any:
    """Return the application.

    :raises StartupError: a setting is weak, or a variable of the environment is missing.
    """
    import cone.app

    filled = fill(settings, os.environ)
    check(filled, is_local=listens_on_loopback(global_config))
    return cone.app.main({**global_config, STATUSES_WANTED: "true"}, **filled)


def settings_of(
    factory: object,
    settings: Mapping[str, str],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the ini settings of an application as it gets them.

    :param factory: what makes the application.
    :raises StartupError: a variable of the environment is missing.
    """
    return fill(settings, environ) if factory is main else dict(settings)


def fill(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``settings`` with the variables in them replaced; in a part of a URL they are quoted.

    :raises StartupError: one is missing or empty.
    """
    return {key: _filled(key, text, environ) for key, text in settings.items()}


def _filled(key: str, text: str, environ: Mapping[str, str]) -> str:
    if "${" in _VARIABLE.sub("", text):
        raise StartupError(key, "has a ${ without the name of a variable and a }")
    is_part_of_url = "://" in text
    change: Callable[[str], str] = _quoted if is_part_of_url else str

    def value(found: re.Match[str]) -> str:
        if not environ.get(found[1]):
            raise StartupError(key, f"the environment has no variable {found[1]}")
        return change(environ[found[1]])

    return _VARIABLE.sub(value, text)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def check(settings: Mapping[str, str], *, is_local: bool = False) -> None:
    """Refuse what is not safe enough.

    :param is_local: nobody but this machine can ask the site, so that its cookies may go over http.
    :raises StartupError: with the first setting that is not.
    """
    for key, length in LEAST_LENGTHS.items():
        if key not in _NEEDED_WITH or settings.get(_NEEDED_WITH[key]):
            _check_secret(key, settings.get(key, ""), length)
    for key in REQUIRED:
        if not _is_true(settings, key):
            raise StartupError(key, "is not true, as production needs it")
    if not (is_local or _is_true(settings, SECURE)):
        problem = (
            "is not true: where others than this machine can ask the site, cookies go over https "
            "alone. Without https take use = egg:cone.app#main"
        )
        raise StartupError(SECURE, problem)
    for key in DEBUGGING:
        if _is_true(settings, key):
            raise StartupError(key, _FOR_DEVELOPERS)
    if TOOLBAR in aslist(settings.get("pyramid.includes", "")):
        raise StartupError("pyramid.includes", f"{TOOLBAR} {_FOR_DEVELOPERS}")


def _check_secret(key: str, secret: str, length: int) -> None:
    if not is_strong(secret, length):
        problem = f"is no secret of {length} characters or more that are hard to guess"
        raise StartupError(key, problem)


def _is_true(settings: Mapping[str, str], key: str) -> bool:
    return settings.get(key, "").strip().lower() in truthy
