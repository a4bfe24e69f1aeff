"""Room on the disk beside a SQLite database: how much there is, and some that is kept for the last.

A file is allocated ahead. When the disk is nearly full, or refuses a commit, it is deleted: that
is room for what must still be written, which is limits. It is made again when there is room enough
beside it. On a file system that compresses or copies on write it may free less than its size.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import URL

from csms.storage import dialect

log = structlog.get_logger(__name__)

SUFFIX = "-reserve"
LEAST_SHARE = 0.01
"""With less of the disk free, nothing is written that can wait (safety.md §3.3)."""
ROOM_SHARE = 0.10
"""The reserve is never made where it would leave less of the disk free."""
_BLOCK_BYTES = 512


class Usage(Protocol):
    """The size of a disk, and how much of it is free, in bytes."""

    @property
    def total(self) -> int:
        """All of it."""
        ...

    @property
    def free(self) -> int:
        """What this process may still take."""
        ...


Measure = Callable[[Path], Usage]
"""How full the disk of a folder is; raises OSError."""


class Reserve:
    """The room there is for the database of this URL, and a reserve of `size_bytes`; 0 for none.

    Not SQLite: there is room, as far as can be told, and no reserve. `tend` and `give_up` are for
    one thread, the others for any.
    """

    def __init__(
        self, url: URL | None = None, size_bytes: int = 0, measure: Measure = shutil.disk_usage
    ) -> None:
        found = None if url is None or not dialect.is_sqlite(url) else dialect.file_of(url)
        self._path = None if found is None else found.with_name(found.name + SUFFIX)
        self._size_bytes = size_bytes
        self._measure = measure
        self._complained = False
        self._allocated = False

    def free_share(self) -> float | None:
        """How much of the disk is free, 0 to 1; None where that cannot be told."""
        usage = self._usage()
        return None if usage is None else usage.free / usage.total

    def short(self) -> bool:
        """Whether there is no room but for what cannot wait."""
        share = self.free_share()
        return share is not None and share < LEAST_SHARE

    def tend(self) -> None:
        """Give the reserve up when the disk is nearly full; make it where there is room for it."""
        if self._path is None:
            return
        if self.short():
            self.give_up()
        elif not self._is_made(self._path):
            self._make(self._path)

    def give_up(self) -> bool:
        """Delete the reserve; whether there was one."""
        if self._path is None or not self._path.exists():
            return False
        try:
            self._path.unlink()
        except OSError as error:
            self._complain("reserve_not_given_up", error)
            return False
        share = self.free_share()
        free_pct = None if share is None else round(100 * share, 1)
        log.warning("reserve_given_up", path=str(self._path), free_pct=free_pct)
        return True

    def _usage(self) -> Usage | None:
        if self._path is None:
            return None
        try:
            usage = self._measure(self._path.parent)
        except OSError:
            return None
        return usage if usage.total else None

    def _is_made(self, path: Path) -> bool:
        try:
            found = path.stat()
        except OSError:
            return self._size_bytes == 0
        # Some file systems do not show the blocks of what they have set aside.
        allocated = self._allocated or found.st_blocks * _BLOCK_BYTES >= found.st_size
        return self._size_bytes > 0 and found.st_size == self._size_bytes and allocated

    def _make(self, path: Path) -> None:
        """Allocate the file, if that leaves room; one of another size, or half made, goes first."""
        try:
            path.unlink(missing_ok=True)
            usage = self._usage()
            if not self._size_bytes or usage is None:
                return
            if usage.free - self._size_bytes < ROOM_SHARE * usage.total:
                return
            _allocate(path, self._size_bytes)
        except OSError as error:
            self._complain("reserve_not_made", error)
            return
        self._complained = False
        self._allocated = True
        log.info("reserve_made", path=str(path), size_bytes=self._size_bytes)

    def _complain(self, what: str, error: OSError) -> None:
        """Say it once: it is tried again every second."""
        if not self._complained:
            self._complained = True
            log.warning(what, path=str(self._path), error=str(error))


def _allocate(path: Path, size_bytes: int) -> None:
    """A new file that has all its blocks. Raises OSError, and leaves none."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        os.posix_fallocate(file, 0, size_bytes)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)
