"""A user directory in files (``ugm.backend = file``), read again when the files have changed.

The host reads them once, when first needed, and without a lock: what one thread has not read yet
another one takes for missing. Programs that make users write them in place, while the site runs.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any
from typing import Final

from cone.app.ugm import ugm_backend
from node.ext.ugm.file import Ugm

from cone.tokens.host.config import StartupError
from cone.tokens.host.files import Signature

logger = logging.getLogger("cone.tokens.user_files")

#: Seconds for who writes the files to be done with them; longer than a tick of their times, so
#: that what is written after a look differs from what was seen.
REST_S: Final = 0.02

#: So often they are read while somebody writes them; the next request goes on.
MOST_READINGS: Final = 5


def is_in_files() -> bool:
    """Return whether the site's user directory is in files."""
    return isinstance(ugm_backend.ugm, Ugm)


class UserFiles:
    """The files of users, groups and roles.

    Concurrency: safe to share among threads. A directory is read as a whole, then takes the place
    of the one before; who works with that one goes on with it.
    """

    def __init__(self) -> None:
        """Read them.

        :raises StartupError: they cannot be read.
        """
        directory = ugm_backend.ugm
        names = (directory.users_file, directory.groups_file, directory.roles_file)
        self._paths = [Path(name) for name in names if name]
        self._lock = threading.Lock()
        self._seen: list[Signature | None] | None = None
        try:
            self._read_at_rest()
        except (OSError, ValueError) as error:
            raise StartupError("ugm.backend", f"the users cannot be read: {error}") from None

    def refresh(self) -> None:
        """Read them again where they have changed.

        Where they cannot be read the directory stays as it was, and one line in the log tells why.
        """
        if self._look() == self._seen:
            return
        with self._lock:
            try:
                self._read_at_rest()
            except (OSError, ValueError) as error:
                logger.warning("the users stay as they were: %s", error)

    def _read_at_rest(self) -> None:
        """Read them, unless another thread has done so.

        :raises OSError: they cannot be read; that is not tried again until they change.
        :raises ValueError: their content means nothing; likewise.
        """
        for _ in range(MOST_READINGS):
            look = self._look()
            if look == self._seen:
                return
            time.sleep(REST_S)
            try:
                directory = _read_directory()
            except (OSError, ValueError):
                if look == self._look():
                    self._seen = look
                    raise
                continue
            if look == self._look():
                ugm_backend.ugm, self._seen = directory, look
                return

    def _look(self) -> list[Signature | None]:
        return [Signature.of(path) for path in self._paths]


def _read_directory() -> Any:
    """Return the directory, read as a whole."""
    directory = ugm_backend.factory()
    for part in (directory.users, directory.groups, directory.attrs):
        len(part.storage)
    return directory
