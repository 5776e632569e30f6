"""Files: written as a whole or not at all, locked, and compared with an earlier state."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Facts of a file that change whenever its content does."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Signature | None:
        """Return the signature of the file at ``path``, or None if it is missing."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def replacing(path: Path, *, new_mode: int = 0o640) -> Iterator[BinaryIO]:
    """Return a file that takes the place of ``path`` when the block ends without an error.

    It keeps the mode of the one that was there; a new one has ``new_mode``. Where root writes it,
    it belongs to whom that one belonged to, a new one to whom the folder does: a command of root
    leaves nothing that the site cannot read.

    Concurrency: readers see the old content or the new one.
    """
    # Beside the file, since a file is replaced at once within one file system only.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            mode = path.stat().st_mode & 0o777 if path.exists() else new_mode
            if os.geteuid() == 0:
                _give_away(file.fileno(), path if path.exists() else path.parent)
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder`` against other threads and processes that call this function."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_away(descriptor: int, model: Path) -> None:
    """Give a file the owner and group of ``model``."""
    status = model.stat()
    # A container may run as root and not be allowed to.
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)
