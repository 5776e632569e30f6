"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Return a file that takes the place of ``path`` when the block ends without an error.

    It keeps the mode of the one that was there; a new one can be read by owner and group.

    Concurrency: readers see the old content or the new one.
    """
    # Beside the file, since a file is replaced at once within one file system only.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o640
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
