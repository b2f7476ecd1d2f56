"""Large blobs: one read-only file each, written in one pass, cloned where the file system can."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from axil.base.atomic import sync_folder, write_all
from axil.base.clock import Clock
from axil.base.hashing import Oid
from axil.store.copying import copy_hashed
from axil.store.faults import refusal
from axil.store.hashing import hash_fd, same_content

FIXED_MTIME_NS = 1_000_000_000 * 1_000_000_000
"""The modification time of every stored file (2001-09-09): an edit through a hard link changes it, and is noticed."""

_FICLONE = 0x40049409
_FRESH = 600.0


class LargeFiles:
    """The folder `files/<2 hex>/<64 hex>` of a store."""

    __slots__ = ("_clock", "_folder")

    def __init__(self, folder: str, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def path(self, oid: Oid) -> str:
        """Where `oid` is or would be."""
        name = oid.hex()
        return os.path.join(self._folder, name[:2], name)

    def stat(self, oid: Oid) -> os.stat_result | None:
        """The stat of `oid`'s file, or None."""
        try:
            return os.stat(self.path(oid), follow_symlinks=False)
        except FileNotFoundError:
            return None

    def relied_on(self, oid: Oid) -> bool:
        """Whether `oid` is here, as axil left it; if so it is made to look young, so that no collection takes it."""
        stat = self.stat(oid)
        if stat is None or not untouched(stat):
            return False
        # A new ctime costs a re-hash of every work tree file linked to it, so only where it is needed.
        if self._clock() - stat.st_ctime > _FRESH:
            with contextlib.suppress(OSError):
                os.utime(self.path(oid), ns=(FIXED_MTIME_NS, FIXED_MTIME_NS))
        return True

    def take(self, fd: int, before: os.stat_result, source: str, temporary: str) -> tuple[Oid, os.stat_result] | None:
        """Makes the file `source`, open as `fd`, itself the stored object, by a hard link: it becomes read-only.

        Returns its oid and the stat at which it has this content; None if it has to be copied after all.
        It is in the store, durably, at once.
        """
        if before.st_mode & 0o111:
            return None
        oid, _ = hash_fd(fd)
        if self.relied_on(oid) or not same_content(before, os.fstat(fd)):
            return oid, before
        try:
            os.link(source, temporary, follow_symlinks=False)
        except OSError:
            return None
        try:
            os.fchmod(fd, 0o444)
            now = os.fstat(fd)
            if not os.path.samestat(now, os.lstat(temporary)) or now.st_mtime_ns != before.st_mtime_ns:
                return oid, before
            seal(fd)
            os.fsync(fd)
            path = self.path(oid)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)
            sync_folder(os.path.dirname(path))
            return oid, os.fstat(fd)
        except OSError as error:
            raise refusal(error, temporary) from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def all(self) -> Iterator[os.DirEntry[str]]:
        """Every file whose name is an oid, in order."""
        for folder in self.folders():
            with os.scandir(folder) as entries:
                rows = sorted((entry for entry in entries if len(entry.name) == 64), key=lambda entry: entry.name)
            yield from rows

    def folders(self) -> list[str]:
        """The two-digit folders that exist."""
        try:
            return [os.path.join(self._folder, name) for name in sorted(os.listdir(self._folder)) if len(name) == 2]
        except FileNotFoundError:
            return []


def untouched(stat: os.stat_result) -> bool:
    """Whether a stored file looks as axil left it: nobody wrote to it since."""
    return stat.st_mtime_ns == FIXED_MTIME_NS


def clone(source: int, target: int) -> bool:
    """Makes the open file `target` share the blocks of `source` (FICLONE); False where that is not possible."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def seal(fd: int) -> None:
    """Gives a stored file its fixed mode and time."""
    os.fchmod(fd, 0o444)
    os.utime(fd, ns=(FIXED_MTIME_NS, FIXED_MTIME_NS))


def copy_in(source: int, path: str, *, reflink: bool) -> tuple[Oid, int]:
    """Stores what is left in `source` as the new file `path`, sealed but not synced; its oid and length.

    With `reflink` the blocks are shared first and the clone is hashed, so later writes to the source do not matter.
    """
    with _made(path) as target:
        if reflink and clone(source, target):
            os.lseek(target, 0, os.SEEK_SET)
            oid, size = hash_fd(target)
        else:
            oid, size = copy_hashed(source, target, path)
        seal(target)
    return oid, size


def write_in(data: bytes, path: str) -> None:
    """Stores `data` as the new file `path`, sealed but not synced."""
    with _made(path) as target:
        write_all(target, data)
        seal(target)


@contextlib.contextmanager
def _made(path: str) -> Iterator[int]:
    """A new file open for reading and writing; removed again on any error."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refusal(error, path) from None
    try:
        yield fd
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        if isinstance(error, OSError) and error.filename is None:
            raise refusal(error, path) from None
        raise
    finally:
        os.close(fd)
