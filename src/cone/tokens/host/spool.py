"""Temporary files of answers, with a limit of the disk space they take together.

A server that sends an answer as slowly as its client reads needs a thread for each, or room: the
answers of some hundred clients that read nothing would fill a disk.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Final

from cone.tokens.core.errors import Busy

#: Bytes of all files of a process, 1 GiB, and what one caller may have of it.
MOST: Final = 1_073_741_824
MOST_OF_ONE: Final = MOST // 2


#: Bytes that are read at once.
BLOCK: Final = 65_536


class Spool:
    """Hands out files, and counts what is in them until they are closed.

    A file that is the only one may be of any size.

    Concurrency: safe to share among threads.
    """

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        """Take the most bytes in all files, and in those of one caller."""
        self._most = most
        self._most_of_one = most_of_one
        self._lock = threading.Lock()
        self._sizes: Counter[str] = Counter()

    def open(self, caller: str) -> File:
        """Return an empty file of a caller.

        :raises Busy: the others are too large already.
        """
        self._take(caller, 0, 0)
        return File(self, caller)

    @property
    def size(self) -> int:
        """The bytes that wait."""
        return self._sizes.total()

    def _take(self, caller: str, own: int, more: int) -> None:
        """Count ``more`` bytes of a file that has ``own`` so far."""
        with self._lock:
            for others, most in (
                (self._sizes.total() - own, self._most),
                (self._sizes[caller] - own, self._most_of_one),
            ):
                if others and others + own + more >= most:
                    raise Busy
            self._sizes[caller] += more

    def _give_back(self, caller: str, size: int) -> None:
        with self._lock:
            self._sizes[caller] -= size
            if not self._sizes[caller]:
                del self._sizes[caller]


class File:
    """A file without a name, gone when it is closed.

    It has what servers ask of a file that they send (PEP 3333), waitress and gunicorn.
    """

    def __init__(self, spool: Spool, caller: str) -> None:
        self._spool = spool
        self._caller = caller
        self._size = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it

    def write(self, piece: bytes) -> None:
        """Append a piece.

        :raises Busy: that is too much.
        """
        self._spool._take(self._caller, self._size, len(piece))  # noqa: SLF001 - its other half
        self._size += len(piece)
        self._file.write(piece)

    def __iter__(self) -> Iterator[bytes]:
        """Return the rest of the file, for a server that cannot send files itself."""
        while block := self.read(BLOCK):
            yield block

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True; waitress checks this."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor; gunicorn passes it to ``sendfile``."""
        self._file.flush()
        return self._file.fileno()

    def close(self) -> None:
        """Remove the file; a second call does nothing."""
        if not self._file.closed:
            self._file.close()
            self._spool._give_back(self._caller, self._size)  # noqa: SLF001 - its other half

    def __del__(self) -> None:
        """Remove the file of an answer that was never sent."""
        self.close()
