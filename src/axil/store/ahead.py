"""Small files written ahead, on a thread, while the caller waits for the disk or for git: read first, and as soon as
`write` allows it put beside their places as temporary files, which `land` renames.

What cannot be written ahead is left to `place.place_files`, which tells what is wrong; so there are no errors here.
"""

from __future__ import annotations

import contextlib
import os
from _thread import allocate_lock  # as functools does: the threading module is loaded with the first thread
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from blake3 import blake3

from axil.base.atomic import write_all
from axil.base.light import TYPE_CHECKING
from axil.errors import AxilError
from axil.store import TEMPORARY_PREFIX
from axil.store.hashing import LARGE
from axil.store.parallel import Task
from axil.store.place import CREATE, Item, Placed

if TYPE_CHECKING:
    from axil.store.store import Store

_FEW = 16
_MOST = 4096
_MUCH = 32 << 20
_ROOM = 1 << 30


def suitable(items: Sequence[Item]) -> Sequence[Item]:
    """Those of `items` that are worth writing ahead: none if they are few, or if 1 GiB of disk is not free."""
    chosen: list[Item] = []
    total = 0
    for item in items:
        total += item[1] if item[1] < LARGE else 0
        if total > _MUCH or len(chosen) == _MOST:
            break
        if item[1] < LARGE:
            chosen.append(item)
    return chosen if len(chosen) >= _FEW and _room(chosen[0][2]) >= _ROOM else []


class Ahead:
    """The files being written; leaving the context removes those that were not landed."""

    def __init__(self, store: Store, items: Sequence[Item]) -> None:
        """Begins to read at once."""
        self._store = store
        self._allowed = allocate_lock()
        self._allowed.acquire()
        self._written: dict[str, tuple[str, int]] = {}
        """Path -> name of the temporary file beside it, and its inode."""
        self._stopped = False
        self._task = Task(self._work, items)

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self.write()
        self._task.wait()
        for path, (temporary, _inode) in self._written.items():
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(os.path.dirname(path), temporary))
        self._written = {}

    def write(self) -> None:
        """Lets the temporary files be written: from now on a kill may leave some."""
        with contextlib.suppress(RuntimeError):  # Allowed already.
            self._allowed.release()

    def land(self, paths: Collection[str]) -> dict[str, Placed]:
        """Renames what was written of `paths` to its places; the stat of each that is there now.

        A temporary file that somebody removed, or that cannot be renamed, is passed over.
        """
        self.write()
        self._task.wait()
        mine = [path for path in paths if path in self._written]
        landed: dict[str, Placed] = {}
        for folder, group in groupby(mine, os.path.dirname):
            with contextlib.suppress(OSError), _entered(folder) as fd:
                for path in group:
                    with contextlib.suppress(OSError):
                        self._land(path, fd, landed)
        return landed

    def _land(self, path: str, fd: int, landed: dict[str, Placed]) -> None:
        temporary, inode = self._written[path]
        name = os.path.basename(path)
        os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        del self._written[path]
        # After the rename, which is a change of ctime.
        stat = os.stat(name, dir_fd=fd, follow_symlinks=False)
        # Another file that somebody has put there meanwhile is theirs: inode 0 compares equal to none.
        landed[path] = Placed(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, inode if stat.st_ino == inode else 0)

    def _work(self, items: Sequence[Item]) -> None:
        with contextlib.suppress(OSError, AxilError):
            found = [(item, data) for item in items if not self._stopped and (data := self._read(item)) is not None]
            self._allowed.acquire()
            count = 0
            for folder, group in groupby(found, lambda one: os.path.dirname(one[0][2])):
                with _entered(folder) as fd:
                    for (_, _, path, executable), data in group:
                        if self._stopped:
                            return
                        count += 1
                        temporary = f"{TEMPORARY_PREFIX}{os.getpid()}-ahead-{count}"
                        self._write_one(fd, temporary, path, data, executable)

    def _read(self, item: Item) -> bytes | None:
        """The bytes of a small file, None if they are not as they should be."""
        oid, size, _, _ = item
        found = self._store.packs.find(oid)
        data = found[0].read(found[1])[1] if found else b""
        return data if len(data) == size and blake3(data).digest() == oid else None

    def _write_one(self, folder: int, temporary: str, path: str, data: bytes, executable: bool) -> None:
        fd = os.open(temporary, CREATE, 0o777 if executable else 0o666, dir_fd=folder)
        try:
            self._written[path] = temporary, os.fstat(fd).st_ino
            write_all(fd, data)
        except OSError:
            del self._written[path]
            os.unlink(temporary, dir_fd=folder)
            raise
        finally:
            os.close(fd)


@contextlib.contextmanager
def _entered(folder: str) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def _room(path: str) -> int:
    try:
        stat = os.statvfs(os.path.dirname(path))
    except OSError:
        return 0
    return stat.f_bavail * stat.f_frsize
