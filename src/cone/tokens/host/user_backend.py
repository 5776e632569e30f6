"""The user directory that an ini file names: there has to be one that somebody can sign in with."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cone.app.ugm import ugm_backend

from cone.tokens.host.config import StartupError

logger = logging.getLogger("cone.tokens.user_backend")

KEY: Final = "ugm.backend"
#: The backends with users in files, and the prefix of their settings.
IN_FILES: Final[Mapping[str, str]] = {"file": "ugm.", "node.ext.ugm": "node.ext.ugm."}
IN_DATABASE: Final = "sql"

_FILES: Final = ("users_file", "groups_file", "roles_file")
#: Others than a directory who know users.
_OTHERS: Final = ("cone.admin_user", "cone.authenticator")


def backend_of(settings: Mapping[str, str]) -> str:
    """Return the name of the backend.

    :raises StartupError: there is none.
    """
    backend = settings.get(KEY) or settings.get("cone.auth_impl")
    if not backend:
        problem = "is missing: the site has no users; say file or sql, the README tells more"
        raise StartupError(KEY, problem)
    return backend


def require_user_backend(settings: Mapping[str, str]) -> None:
    """See that somebody can sign in, and warn where no user can be made.

    :raises StartupError: nobody can.
    """
    if any(settings.get(key) for key in _OTHERS) and not (
        settings.get(KEY) or settings.get("cone.auth_impl")
    ):
        return
    backend = backend_of(settings)
    if backend not in ugm_backend.registry:
        near = difflib.get_close_matches(backend, ugm_backend.registry, n=1)
        known = ", ".join(sorted(ugm_backend.registry))
        hint = f"did you mean {near[0]}?" if near else f"there are {known}"
        raise StartupError(KEY, f"there is no user directory {backend!r}; {hint}")
    for key, folder in missing_folders(settings, backend):
        logger.warning("%s: there is no folder %s; make it with mkdir -p", key, folder)


def missing_folders(settings: Mapping[str, str], backend: str) -> list[tuple[str, Path]]:
    """Return the settings of files of users whose folder is missing, and that folder."""
    if backend not in IN_FILES:
        return []
    keys = [f"{IN_FILES[backend]}{name}" for name in _FILES]
    folders = [(key, Path(settings[key]).resolve().parent) for key in keys if settings.get(key)]
    return [(key, folder) for key, folder in folders if not folder.is_dir()]
