"""Objects written into work tree files: verified on the way, each file replaced as a whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence

from blake3 import blake3

from axil.base.atomic import write_all
from axil.base.hashing import Oid
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import Progress
from axil.errors import AxilError
from axil.store import TEMPORARY_PREFIX, faults, parallel
from axil.store.files import clone, untouched
from axil.store.hashing import hash_fd

if TYPE_CHECKING:
    from axil.store.store import Store

Item = tuple[Oid, int, str, bool]
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FORK_FROM_SMALL, _FORK_FROM_LARGE = 4096, 64
_MUCH = 64 << 20


class Placed(NamedTuple):
    """The stat of a placed file. Times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def place_files(
    store: Store, items: Sequence[Item], progress: Progress, instead: Mapping[str, str] | None = None
) -> list[Placed]:
    """Writes each blob to a temporary file beside its path, verified, and renames that over it; parents must exist.

    For a folder that is not there yet `instead` may name another, which nobody else uses and the caller is going to
    rename: small files of that folder go into it under their own names, which saves the renames.
    Many files are shared out to forked workers. Raises `NotFound`, `Damaged` or `AxilError` (disk full, no permission)
    at the first failure: files placed until then stay placed, no file is half written.
    """
    store.packs.refresh()
    placer = _Placer(store, instead or {})
    # The kernel serialises much of making small files, so sharing them out pays only when they are very many.
    many = _FORK_FROM_LARGE if sum(size for _, size, _, _ in items) > _MUCH else _FORK_FROM_SMALL
    answers = parallel.run(items, placer.place, progress, many=many)
    return [Placed._make(row) for rows in answers for row in rows]


class _Placer:
    __slots__ = ("_count", "_entered", "_folder", "_instead", "_store")

    def __init__(self, store: Store, instead: Mapping[str, str]) -> None:
        self._store = store
        self._instead = instead
        self._count = 0
        self._entered = ""
        self._folder = -1

    def place(self, items: Sequence[Item]) -> list[tuple[int, int, int, int]]:
        try:
            return [self._place(*item) for item in items]
        finally:
            self._leave()

    def _place(self, oid: Oid, size: int, path: str, executable: bool) -> tuple[int, int, int, int]:
        folder, _, name = path.rpartition("/")
        found = self._store.packs.find(oid)
        try:
            if not found:
                return self._place_large(oid, size, self._temporary(folder), path, executable)
            data = found[0].read(found[1])[1]
            if len(data) != size or blake3(data).digest() != oid:
                raise faults.damaged(oid, found[0].path, _mismatch(len(data), size))
            if private := self._instead.get(folder):
                try:
                    return self._write_new(private, name, executable, data)
                except FileExistsError:
                    # A file system may hold two names of a directory to be the same: then the later one stays.
                    folder, path = private, f"{private}/{name}"
            return self._write(self._temporary(folder), path, executable, lambda fd: write_all(fd, data))
        except OSError as error:
            raise faults.refusal(error, path, size) from None

    def _temporary(self, folder: str) -> str:
        self._count += 1
        return f"{folder}/{TEMPORARY_PREFIX}{os.getpid()}-{self._count}"

    def _write_new(self, folder: str, name: str, executable: bool, data: bytes) -> tuple[int, int, int, int]:
        """The file `name` in the private `folder`, which is kept open for the next one."""
        if folder != self._entered:
            self._leave()
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._entered = folder
        fd = os.open(name, CREATE, 0o777 if executable else 0o666, dir_fd=self._folder)
        try:
            write_all(fd, data)
            stat = os.fstat(fd)
        finally:
            os.close(fd)
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino

    def _leave(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
        self._entered, self._folder = "", -1

    def _write(
        self, temporary: str, path: str, executable: bool, fill: Callable[[int], object]
    ) -> tuple[int, int, int, int]:
        fd = os.open(temporary, CREATE, 0o777 if executable else 0o666)
        try:
            fill(fd)
            os.rename(temporary, path)
            # After the rename, which is a change of ctime.
            stat = os.fstat(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino

    def _place_large(
        self, oid: Oid, size: int, temporary: str, path: str, executable: bool
    ) -> tuple[int, int, int, int]:
        stored = self._store.files.path(oid)
        try:
            source = os.open(stored, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise self._store.absent(oid) from None
        try:
            stat = os.fstat(source)
            if stat.st_size != size:
                raise faults.damaged(oid, stored, _mismatch(stat.st_size, size))
            if self._store.link == "hardlink" and not executable and untouched(stat):
                placed = _link(stored, temporary, path)
                if placed:
                    return placed
            return self._write(temporary, path, executable, lambda fd: self._copy(oid, source, stat, fd, path))
        finally:
            os.close(source)

    def _copy(self, oid: Oid, source: int, stat: os.stat_result, target: int, path: str) -> None:
        if self._store.link in ("auto", "reflink") and clone(source, target):
            # Nobody wrote to the stored file since it was hashed: the clone need not be read again.
            if untouched(stat):
                return
            found, _ = hash_fd(target)
        elif self._store.link == "reflink":
            raise AxilError(
                f"{path} cannot share blocks with the store",
                "this file system has no reflinks, or the store is on another one",
                'set store.link to "auto" or "copy"',
            )
        else:
            found, _ = hash_fd(source, write=target, path=path)
        if found != oid:
            raise faults.damaged(oid, self._store.files.path(oid), "its bytes do not match its name")


def _link(stored: str, temporary: str, path: str) -> tuple[int, int, int, int] | None:
    try:
        os.link(stored, temporary)
    except OSError:
        return None
    try:
        os.rename(temporary, path)
    finally:
        # Renaming onto another link of the same file does nothing, and leaves both.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    stat = os.stat(path, follow_symlinks=False)
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _mismatch(size: int, expected: int) -> str:
    return "its bytes do not match its name" if size == expected else f"it has {size} bytes, not {expected}"
