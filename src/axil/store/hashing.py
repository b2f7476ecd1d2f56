"""Files read and hashed so that content and stat belong together, even if somebody writes at the same time."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable, Sequence

from blake3 import blake3

from axil.base.hashing import OID_SIZE, Oid, threads
from axil.base.light import Any, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.formats.tree import EXEC, FILE
from axil.store import parallel

LARGE = 128 << 10
"""Blobs of at least this many bytes are files of their own; smaller ones go into packs."""

PORTION = 64
"""So many files are read by a worker in one go."""

FORK_FROM = 512
"""Fewer files than this are handled in this process: forking would cost more than it saves."""

_BLOCK = 4 << 20
_THREADS_FROM = 1 << 20
# Without threads to start, what was just read is hashed and written while it is in the processor's cache.
_BLOCK_ALONE = 256 << 10
# From here on a process of its own, which may map the file, is worth its start.
_MAPPED_FROM = 128 << 20
_WINDOW = 64 << 20
_TRIES = 5
_GATHER = 1 << 20
_STAT = struct.Struct("<4q")
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Saved(NamedTuple):
    """The content of a file and a stat at which it had this content. Times in nanoseconds."""

    oid: Oid
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    executable: bool


class Names(NamedTuple):
    """Regular files of the folder `folder` to be read; without a folder the names are whole paths."""

    folder: bytes
    names: Sequence[bytes]


class Read(NamedTuple):
    """The content of some files, in columns, so that a hundred thousand take no hundred thousand objects.

    Each file has a kind byte (as in directory objects), 32 bytes of stat (size, mtime, ctime, inode: signed 64-bit
    little-endian, times in nanoseconds) and its oid. `failed` are the positions of those that could not be read.
    """

    kinds: bytes
    stats: bytes
    oids: bytes
    failed: dict[int, OSError]


Small = Callable[[Sequence[bytes]], list[Oid]]
"""Consumes the contents of some small files; returns their oids."""

Consumer = Callable[[int, os.stat_result, str], tuple[Oid, os.stat_result]]
"""Given an open large file, its stat and path, consumes it; returns its oid and the stat that it must still have."""


def read_stable(name: bytes, folder: int | None, within: bytes, large: Consumer) -> tuple[bytes, Oid, os.stat_result]:
    """The bytes of the small regular file `name`, or the oid of a large one that went to `large`.

    `folder` is the folder `within`, opened: finding names there is quicker than following whole paths.

    The stat is one at which it had this content: a file that changes while it is read is read again. Raises `OSError`
    if it is no regular file, cannot be read, or never keeps still.
    """
    fd = os.open(name, _OPEN, dir_fd=folder)
    try:
        before = os.fstat(fd)
        for _ in range(_TRIES):
            size = before.st_size
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if size < LARGE:
                data, oid, expected = os.read(fd, size + 1), b"", before
                whole = len(data) == size
            else:
                data, whole = b"", True
                oid, expected = large(fd, before, os.fsdecode(os.path.join(within, name)))
            after = os.fstat(fd)
            if whole and same_content(expected, after):
                return data, oid, after
            os.lseek(fd, 0, os.SEEK_SET)
            before = os.fstat(fd)
        raise OSError(errno.EBUSY, "the file keeps changing while it is read")
    finally:
        os.close(fd)


def same_content(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether nothing was written to a file between two of its stats."""
    return (
        before.st_ctime_ns == after.st_ctime_ns
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_size == after.st_size
    )


def hash_fd(fd: int) -> tuple[Oid, int]:
    """Oid and length of what is left in `fd`, in one pass.

    Hashing runs on its own threads beside reading; in forked workers, where each has one core, on none.
    """
    if (found := hash_mapped(fd)) is not None:
        return found
    hasher = blake3(max_threads=threads())
    size = 0
    block = _BLOCK_ALONE if parallel.in_worker else _BLOCK
    spare, ready = bytearray(block), bytearray(block)
    pending: parallel.Task | None = None
    try:
        while count := os.readv(fd, [ready]):
            view = memoryview(ready)[:count]
            size += count
            if pending:
                pending.wait()
            if parallel.in_worker or count < _THREADS_FROM:
                hasher.update(view)
                pending = None
            else:
                pending = parallel.Task(hasher.update, view)
            ready, spare = spare, ready
    finally:
        if pending:
            pending.wait()
    return hasher.digest(), size


def hash_mapped(fd: int, least: int = _MAPPED_FROM) -> tuple[Oid, int] | None:
    """`hash_fd` of a file of at least `least` bytes without copying it, on all cores; None if that cannot be done.

    A file that shrinks while it is mapped ends the process that looks at it: so another one does.
    """
    size = os.fstat(fd).st_size
    if size < least or parallel.in_worker or parallel.cores() < 2 or os.lseek(fd, 0, os.SEEK_CUR):
        return None
    answer, send = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(send, _mapped_digest(fd, size))
        finally:
            os._exit(0)
    os.close(send)
    try:
        digest = os.read(answer, OID_SIZE)
    except BaseException:
        import signal

        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.waitpid(pid, 0)
        os.close(answer)
    if len(digest) != OID_SIZE:
        return None
    os.lseek(fd, size, os.SEEK_SET)
    return digest, size


def _mapped_digest(fd: int, size: int) -> bytes:
    from mmap import ACCESS_READ, mmap

    hasher = blake3(max_threads=parallel.cores())  # a pool of its own: the common one does not survive a fork
    for start in range(0, size, _WINDOW):
        # All threads begin at once, each at another place: what the disk has to bring it is told in order.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, start + _WINDOW, _WINDOW, os.POSIX_FADV_WILLNEED)
        with mmap(fd, min(_WINDOW, size - start), access=ACCESS_READ, offset=start) as window:
            hasher.update(window)
    return hasher.digest()


def _hash_large(fd: int, before: os.stat_result, _: str) -> tuple[Oid, os.stat_result]:
    return hash_fd(fd)[0], before


def _hash_small(contents: Sequence[bytes]) -> list[Oid]:
    return [blake3(data).digest() for data in contents]


def hash_names(wanted: Sequence[Names], progress: Progress = SILENT) -> list[Read]:
    """The content of each regular file of `wanted`, stored nowhere."""
    return read_all(wanted, _hash_small, _hash_large, progress)


def hash_files(paths: Sequence[str], progress: Progress = SILENT) -> list[Saved | OSError]:
    """The content of each regular file of `paths`, stored nowhere; an `OSError` stands for one that cannot be read."""
    return one_by_one(hash_names(whole_paths(paths), progress))


def whole_paths(paths: Sequence[str]) -> list[Names]:
    """Files named by their whole paths."""
    names = [os.fsencode(path) for path in paths]
    return [Names(b"", names[at : at + PORTION]) for at in range(0, len(names), PORTION)]


def one_by_one(parts: Sequence[Read]) -> list[Saved | OSError]:
    """What was read as a value for each file."""
    found: list[Saved | OSError] = []
    for kinds, stats, oids, failed in parts:
        for at, (size, mtime, ctime, inode) in enumerate(_STAT.iter_unpack(stats)):
            if at in failed:
                found.append(failed[at])
            else:
                oid = oids[at * OID_SIZE : (at + 1) * OID_SIZE]
                found.append(Saved(oid, size, mtime, ctime, inode, kinds[at] == EXEC[0]))
    return found


def read_all(
    wanted: Sequence[Names],
    small: Small,
    large: Consumer,
    progress: Progress,
    finish: Callable[[], object] | None = None,
    received: Callable[[Any], None] | None = None,
) -> list[Read]:
    """Reads all files, in forked workers if there are many, and puts the answers in order.

    `finish` runs at the end of each worker; `received` gets what it returned, in this process.
    """

    def work(chunk: Sequence[Names]) -> list[tuple[Any, ...]]:
        return [_Reading(one, small, large).columns() for one in chunk]

    many = 1 if count(wanted) >= FORK_FROM else len(wanted) + 1
    answers = parallel.run(wanted, work, progress, many=many, chunk=1, count=count, finish=finish, received=received)
    return [
        Read(kinds, stats, oids, {at: OSError(*error) for at, error in failed.items()})
        for part in answers
        for kinds, stats, oids, failed in part
    ]


def count(wanted: Sequence[Names]) -> int:
    """How many files these are."""
    return sum(len(one.names) for one in wanted)


class _Reading:
    """Reads one portion; small files are consumed some at a time, which is quicker than one by one."""

    __slots__ = ("_contents", "_failed", "_kinds", "_large", "_oids", "_places", "_small", "_stats", "_wanted")

    def __init__(self, wanted: Names, small: Small, large: Consumer) -> None:
        self._wanted = wanted
        self._small = small
        self._large = large
        self._contents: list[bytes] = []
        self._places: list[int] = []
        self._oids = [bytes(OID_SIZE)] * len(wanted.names)
        self._kinds = bytearray(FILE * len(wanted.names))
        self._stats: list[int] = []
        self._failed: dict[int, tuple[int, str, str]] = {}

    def columns(self) -> tuple[bytes, bytes, bytes, dict[int, tuple[int, str, str]]]:
        """What `Read` holds, in types that cross process borders: an `OSError` as (errno, text, path)."""
        folder, names = self._wanted
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if folder else None
        except OSError as error:
            for at, name in enumerate(names):
                self._fail(at, name, error)
        else:
            try:
                self._read(fd, folder)
            finally:
                if fd is not None:
                    os.close(fd)
        stats = struct.pack(f"<{len(self._stats)}q", *self._stats)
        return bytes(self._kinds), stats, b"".join(self._oids), self._failed

    def _read(self, folder: int | None, within: bytes) -> None:
        weight = 0
        note = self._stats.extend
        for at, name in enumerate(self._wanted.names):
            try:
                data, oid, found = read_stable(name, folder, within, self._large)
            except OSError as error:
                self._fail(at, name, error)
                continue
            note((found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))
            if found.st_mode & 0o100:
                self._kinds[at] = EXEC[0]
            if oid:
                self._oids[at] = oid
                continue
            self._contents.append(data)
            self._places.append(at)
            weight += len(data)
            if weight >= _GATHER:
                self._consume()
                weight = 0
        self._consume()

    def _consume(self) -> None:
        for at, oid in zip(self._places, self._small(self._contents), strict=True):
            self._oids[at] = oid
        self._contents, self._places = [], []

    def _fail(self, at: int, name: bytes, error: OSError) -> None:
        path = os.fsdecode(os.path.join(self._wanted.folder, name))
        self._failed[at] = (error.errno or errno.EIO, error.strerror or str(error), path)
        self._stats.extend((0, 0, 0, 0))
