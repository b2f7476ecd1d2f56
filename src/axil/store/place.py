"""Objects written into work tree files: verified on the way, each file replaced as a whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby

from blake3 import blake3

from axil.base.atomic import write_all
from axil.base.hashing import Oid
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import Progress
from axil.errors import AxilError
from axil.store import TEMPORARY_PREFIX, faults, parallel
from axil.store.copying import copy_hashed
from axil.store.files import clone, untouched
from axil.store.hashing import hash_fd

if TYPE_CHECKING:
    from axil.store.store import Store

Item = tuple[Oid, int, str, bool]
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_FORK_FROM_SMALL, _FORK_FROM_LARGE = 512, 64
_MUCH = 64 << 20
# So many temporary files are open at once.
_TOGETHER = 64


class Placed(NamedTuple):
    """The stat of a placed file. Times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


_placed = partial(tuple.__new__, Placed)
"""A stat straight from a row of four, without the constructor: there may be a hundred thousand."""


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
    many = _FORK_FROM_LARGE if sum(size for _, size, _, _ in items) > _MUCH else _FORK_FROM_SMALL
    answers = parallel.run(items, placer.place, progress, many=many)
    return [_placed(row) for rows in answers for row in rows]


class _Beside:
    """Temporary files of one folder, reached through its descriptor; leaving removes those that were not renamed."""

    __slots__ = ("_fd", "_folder", "written")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fd = -1
        self.written: dict[int, tuple[str, int]] = {}
        """Number -> temporary name and descriptor."""

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *_: object) -> None:
        for temporary, fd in self.written.values():
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._fd)
        if self._fd >= 0:
            os.close(self._fd)

    def write(self, number: int, temporary: str, data: bytes, executable: bool) -> None:
        if self._fd < 0:
            self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fd = os.open(temporary, _CREATE, 0o777 if executable else 0o666, dir_fd=self._fd)
        self.written[number] = temporary, fd
        write_all(fd, data)

    def rename(self, number: int, name: str) -> tuple[int, int, int, int]:
        """The stat of the file that is now called `name`."""
        temporary, fd = self.written[number]
        os.rename(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        del self.written[number]
        try:
            # After the rename, which is a change of ctime.
            stat = os.fstat(fd)
        finally:
            os.close(fd)
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


class _Placer:
    __slots__ = ("_count", "_entered", "_folder", "_instead", "_store")

    def __init__(self, store: Store, instead: Mapping[str, str]) -> None:
        self._store = store
        self._instead = instead
        self._count = 0
        self._entered = ""
        self._folder = -1

    def place(self, items: Sequence[Item]) -> list[tuple[int, int, int, int]]:
        placed: list[tuple[int, int, int, int]] = []
        try:
            for start in range(0, len(items), _TOGETHER):
                for folder, group in groupby(items[start : start + _TOGETHER], _folder_of):
                    mine = list(group)
                    private = self._instead.get(folder)
                    placed += self._place_new(private, mine) if private else self._place_in(folder, mine)
        finally:
            self._leave()
        return placed

    def _place_in(self, folder: str, items: Sequence[Item]) -> list[tuple[int, int, int, int]]:
        """Small files are all written before the first is renamed: that takes less time than both in turns."""
        placed: dict[int, tuple[int, int, int, int]] = {}
        at = 0
        try:
            with _Beside(folder) as beside:
                for at, (oid, size, path, executable) in enumerate(items):
                    if (data := self._small(oid, size)) is None:
                        temporary = f"{folder}/{self._temporary()}"
                        placed[at] = self._place_large(oid, size, temporary, path, executable)
                    else:
                        beside.write(at, self._temporary(), data, executable)
                for at in list(beside.written):
                    placed[at] = beside.rename(at, _name_of(items[at]))
        except OSError as error:
            _, size, path, _ = items[at]
            raise faults.refusal(OSError(error.errno, error.strerror, path), path, size) from None
        return [placed[at] for at in range(len(items))]

    def _place_new(self, private: str, items: Sequence[Item]) -> list[tuple[int, int, int, int]]:
        """Small files into a folder that nobody sees yet."""
        placed: list[tuple[int, int, int, int]] = []
        for item in items:
            oid, size, path, executable = item
            try:
                if (data := self._small(oid, size)) is None:
                    raise self._store.absent(oid)
                placed.append(self._write_new(private, _name_of(item), executable, data))
            except FileExistsError:
                # A file system may hold two names of a directory to be the same: then the later one stays.
                placed += self._place_in(private, [(oid, size, f"{private}/{_name_of(item)}", executable)])
            except OSError as error:
                raise faults.refusal(error, path, size) from None
        return placed

    def _small(self, oid: Oid, size: int) -> bytes | None:
        """The bytes of a blob that lies in a pack."""
        if not (found := self._store.packs.find(oid)):
            return None
        data = found[0].read(found[1])[1]
        if len(data) != size or blake3(data).digest() != oid:
            raise faults.damaged(oid, found[0].path, _mismatch(len(data), size))
        return data

    def _temporary(self) -> str:
        self._count += 1
        return f"{TEMPORARY_PREFIX}{os.getpid()}-{self._count}"

    def _write_new(self, folder: str, name: str, executable: bool, data: bytes) -> tuple[int, int, int, int]:
        """The file `name` in the private `folder`, which is kept open for the next one."""
        if folder != self._entered:
            self._leave()
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._entered = folder
        fd = os.open(name, _CREATE, 0o777 if executable else 0o666, dir_fd=self._folder)
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
        fd = os.open(temporary, _CREATE, 0o777 if executable else 0o666)
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
            found, _ = copy_hashed(source, target, path)
        if found != oid:
            raise faults.damaged(oid, self._store.files.path(oid), "its bytes do not match its name")


def _folder_of(item: Item) -> str:
    return item[2].rpartition("/")[0]


def _name_of(item: Item) -> str:
    return item[2].rpartition("/")[2]


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
