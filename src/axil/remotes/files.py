"""Objects as files below a folder: shared by the folder remote and the program that the ssh remote runs over there.

Standard library only, for Python 3.6 and later: this very text is sent to the other machine. Raises `OSError`.
Every folder on the way is opened without following links, so nothing outside the root can be named.
"""

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator, Sequence

TEMPORARY = ".axil-part-"
"""How the names of half-written files start; no part of a key starts with a dot, so they are never listed."""

LEFT = 86400.0
"""Seconds after its last byte from which a half-written file counts as left by a writer that was killed."""

MODE = 0o666
_BLOCK = 4096
_DIRECT_FROM = (4 << 20) if hasattr(os, "O_DIRECT") else sys.maxsize
_CACHED = 512 << 20
"""So many bytes go through the page cache, which is quickest; more would take too much processor and others' memory."""
_STEP = 8 << 20
_BEGIN = 2
"""`SYNC_FILE_RANGE_WRITE`."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Files:
    """The files below `root`. The root may itself be a link; it is made by the first write if its parent is there."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._tidy = set()  # type: set[str]
        self._cached = 0

    def put(self, key: str, data: "bytes | bytearray | memoryview") -> None:
        """Write a temporary file, sync it, rename it to its name, sync the folder.

        The first one that is put into a folder also removes what writers that were killed long ago left there.
        """
        direct = len(data) >= _DIRECT_FROM and self._cached >= _CACHED
        self._cached += 0 if direct else len(data)
        with self._folder_of(key, True) as (folder, name), _temporary(folder, data, direct) as temporary:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
            above = key.rpartition("/")[0]
            if above not in self._tidy:
                self._tidy.add(above)
                _remove_leftovers(folder, name)

    def create(self, key: str, data: "bytes | bytearray | memoryview") -> bool:
        """Like `put`, by a hard link, which fails if the name is taken: then False."""
        with self._folder_of(key, True) as (folder, name):
            if _exists(folder, name):
                return False
            with _temporary(folder, data) as temporary:
                try:
                    os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                    made = True
                except FileExistsError:
                    made = False
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    made = _rename_new(folder, temporary, name)
            os.fsync(folder)
            return made

    def get(self, key: str, start: int, length: int) -> bytes:
        """The bytes of a range; `length` -1 means to the end. Raises `FileNotFoundError`."""
        with self._folder_of(key, False) as (folder, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                raise FileNotFoundError(errno.ENOENT, "it is not a file", key)
            left = max(0, info.st_size - start)
            return _read(fd, start, left if length < 0 else min(length, left))
        finally:
            os.close(fd)

    def stat(self, key: str) -> "tuple[int, float] | None":
        """Size and modification time; None if there is no such file."""
        try:
            with self._folder_of(key, False) as (folder, name):
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return (info.st_size, info.st_mtime) if stat.S_ISREG(info.st_mode) else None

    def list(self, prefix: str) -> "Iterator[tuple[str, int, float]]":
        """(key, size, modification time) of every file below `prefix`, folder by folder, but those named with a dot."""
        waiting = [prefix]
        while waiting:
            here = waiting.pop()
            try:
                fd = self._open(here.split("/")[:-1], False)
            except FileNotFoundError:
                continue
            try:
                names = os.listdir(fd)
                found = [(name, _look(fd, name)) for name in names if not name.startswith(".")]
            finally:
                os.close(fd)
            for name, info in found:
                if info is not None and stat.S_ISDIR(info.st_mode):
                    waiting.append(here + name + "/")
                elif info is not None and stat.S_ISREG(info.st_mode):
                    yield here + name, info.st_size, info.st_mtime

    def delete(self, key: str) -> None:
        """Unlink the file if it is there; empty folders stay, for another writer may be about to use them."""
        with contextlib.suppress(FileNotFoundError), self._folder_of(key, False) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def check(self) -> None:
        """Raise what the first write would raise, as far as can be seen without writing."""
        if os.path.isdir(self.root):
            if not os.access(self.root, os.R_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.root)
        elif os.path.lexists(self.root):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.root)
        else:
            self._parent()

    @contextlib.contextmanager
    def _folder_of(self, key: str, make: bool) -> "Iterator[tuple[int, str]]":
        parts = key.split("/")
        folder = self._open(parts[:-1], make)
        try:
            yield folder, parts[-1]
        finally:
            os.close(folder)

    def _open(self, parts: "Sequence[str]", make: bool) -> int:
        """A descriptor of the folder `parts` below the root, made on the way if `make`."""
        fd = self._open_root(make)
        try:
            for part in parts:
                new = _step(fd, part, make)
                os.close(fd)
                fd = new
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _open_root(self, make: bool) -> int:
        try:
            return os.open(self.root, _FOLDER)
        except FileNotFoundError:
            parent = self._parent()
            if not make:
                raise
        # Only the last folder is made: if more is missing, a disk is not mounted or a path is mistyped.
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.root)
        _sync(parent)
        return os.open(self.root, _FOLDER)

    def _parent(self) -> str:
        parent = os.path.dirname(self.root.rstrip("/")) or "."
        if not os.path.isdir(parent):
            raise NotADirectoryError(errno.ENOTDIR, "there is no such folder", parent)
        return parent


def _step(fd: int, part: str, make: bool) -> int:
    """The folder `part` of the folder `fd`. Raises `PermissionError` for a link: it may lead anywhere."""
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as error:
        info = _look(fd, part)
        if info is not None and stat.S_ISLNK(info.st_mode):
            raise PermissionError(errno.ELOOP, "a link is not followed", part) from None
        if error.errno == errno.ENOTDIR and not make:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), part) from None
        raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, dir_fd=fd)
    os.fsync(fd)
    return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)


@contextlib.contextmanager
def _temporary(folder: int, data: "bytes | bytearray | memoryview", direct: bool = False) -> "Iterator[str]":
    """The name of a synced file in `folder` with `data`; gone afterwards unless it was renamed.

    `direct` says to write past the page cache.
    """
    name = TEMPORARY + str(os.getpid()) + "-" + os.urandom(8).hex()
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE, dir_fd=folder)
    try:
        try:
            view = memoryview(data)
            at = _write_direct(fd, view) if direct else 0
            while at < len(view):
                count = os.write(fd, view[at : at + _STEP])
                if count == _STEP:
                    _begin_to_sync(fd, at, count)
                at += count
            os.fsync(fd)
        finally:
            os.close(fd)
        yield name
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)


def _write_direct(fd: int, view: memoryview) -> int:
    """Write whole blocks past the page cache, which takes a tenth of the processor; how many bytes that were.

    That may be fewer, or none: where the file system or the address of the memory does not allow it.
    """
    usual = fcntl.fcntl(fd, fcntl.F_GETFL)
    done, end = 0, len(view) // _BLOCK * _BLOCK
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, usual | os.O_DIRECT)
        while done < end:
            done += os.write(fd, view[done:end])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        fcntl.fcntl(fd, fcntl.F_SETFL, usual)
    return done


def _begin_to_sync(fd: int, start: int, length: int) -> None:
    """Have the system begin to write out a range, where it can (Linux): then the sync has little left to do."""
    import ctypes

    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call(fd, ctypes.c_longlong(start), ctypes.c_longlong(length), _BEGIN)


def _remove_leftovers(folder: int, new: str) -> None:
    """Unlink half-written files of `folder` that are a day older than its file `new`: both times are of one clock."""
    with contextlib.suppress(OSError):
        now = os.stat(new, dir_fd=folder, follow_symlinks=False).st_mtime
        for name in os.listdir(folder):
            info = _look(folder, name) if name.startswith(TEMPORARY) else None
            if info is not None and stat.S_ISREG(info.st_mode) and now - info.st_mtime > LEFT:
                os.unlink(name, dir_fd=folder)


def _rename_new(folder: int, temporary: str, name: str) -> bool:
    """Where there are no hard links: look, then rename, alone among the writers of this machine."""
    fcntl.flock(folder, fcntl.LOCK_EX)
    if _exists(folder, name):
        return False
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _read(fd: int, start: int, length: int) -> bytes:
    first = os.pread(fd, length, start)
    if len(first) == length or not first:
        return first
    parts = [first]
    done = len(first)
    while done < length:
        part = os.pread(fd, length - done, start + done)
        if not part:
            break
        parts.append(part)
        done += len(part)
    return b"".join(parts)


def _look(folder: int, name: str) -> "os.stat_result | None":
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _exists(folder: int, name: str) -> bool:
    return _look(folder, name) is not None


def _sync(path: str) -> None:
    fd = os.open(path, _FOLDER)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
