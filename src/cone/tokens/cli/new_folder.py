"""A folder that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class FolderTaken(Exception):
    """There is something at the place of the folder already; nothing was changed."""


class NewFolder:
    """A folder in the making.

    :ivar stage: where its files are written, beside the place that it takes in the end; where an
        empty folder is there, in it.
    """

    def __init__(self, place: Path) -> None:
        """Choose the stage for a folder at ``place``.

        :raises FolderTaken: there is something in it.
        """
        self._place = place
        self._moved: list[Path] = []
        is_there = place.is_dir()
        if place.exists() and (not is_there or any(place.iterdir())):
            raise FolderTaken
        folder = place if is_there else place.parent
        self.stage = folder / f".{place.name}.{secrets.token_hex(8)}"

    def publish(self) -> None:
        """Put the folder in its place.

        :raises FolderTaken: somebody else has taken it meanwhile.
        :raises OSError: that is not possible.

        Concurrency: of many at the same place one succeeds.
        """
        try:
            if self.stage.parent == self._place:
                # Files last: who sees one sees the rest.
                for path in sorted(self.stage.iterdir(), key=Path.is_file):
                    self._move(path)
                self.stage.rmdir()
            else:
                self.stage.rename(self._place)
                self._moved.append(self._place)
        except OSError as error:
            if error.errno in _TAKEN:
                raise FolderTaken from None
            raise

    def _move(self, path: Path) -> None:
        target = self._place / path.name
        if path.is_dir():
            # Whoever makes it first has the place.
            target.mkdir()
            self._moved.append(target)
            path.replace(target)
        else:
            target.hardlink_to(path)
            self._moved.append(target)
            path.unlink()

    def remove(self) -> None:
        """Remove all that was made."""
        for path in (self.stage, *self._moved):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(place: Path) -> Iterator[NewFolder]:
    """Make a folder that its owner alone can read; an error in the block leaves nothing of it.

    The block has to publish it.

    :raises FolderTaken: there is something in it already.
    """
    before = os.umask(0o077)
    try:
        made = NewFolder(place)
        try:
            # In here: a signal may come as soon as it is there.
            made.stage.mkdir(mode=0o700)
            yield made
        except BaseException:
            made.remove()
            raise
    finally:
        os.umask(before)
