"""Files read and hashed so that content and stat belong together, even if somebody writes at the same time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence

from blake3 import blake3

from axil.base.hashing import Oid, threads
from axil.base.light import Any, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.store import parallel
from axil.store.faults import refusal

LARGE = 128 << 10
"""Blobs of at least this many bytes are files of their own; smaller ones go into packs."""

FORK_FROM = 512
"""Fewer files than this are handled in this process: forking would cost more than it saves."""

_BLOCK = 4 << 20
_THREADS_FROM = 1 << 20
_TRIES = 5
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Saved(NamedTuple):
    """The content of a file and a stat at which it had this content. Times in nanoseconds."""

    oid: Oid
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    executable: bool


Consumer = Callable[[int, os.stat_result, str], tuple[Oid, os.stat_result]]
"""Given an open large file, its stat and path, consumes it; returns its oid and the stat that it must still have."""


def read_stable(path: str, small: Callable[[bytes], Oid], large: Consumer) -> tuple[Oid, int, int, int, int, bool]:
    """The fields of `Saved` for the regular file `path`, whose content went to `small` (all bytes) or `large`.

    A file that changes while it is read is read again. Raises `OSError` naming `path` if it is no regular file,
    cannot be read, or never keeps still.
    """
    fd = os.open(path, _OPEN)
    try:
        before = os.fstat(fd)
        for _ in range(_TRIES):
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            size = before.st_size
            if size < LARGE:
                data = os.read(fd, size + 1)
                whole = len(data) == size
                after = os.fstat(fd)
                if whole and after.st_mtime_ns == before.st_mtime_ns and after.st_ctime_ns == before.st_ctime_ns:
                    oid = small(data)
                    return oid, size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, bool(after.st_mode & 0o100)
            else:
                oid, expected = large(fd, before, path)
                after = os.fstat(fd)
                if same_content(expected, after):
                    return oid, size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, bool(after.st_mode & 0o100)
            os.lseek(fd, 0, os.SEEK_SET)
            before = os.fstat(fd)
        raise OSError(errno.EBUSY, "the file keeps changing while it is read", path)
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, path) from None
        raise
    finally:
        os.close(fd)


def same_content(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether nothing was written to a file between two of its stats."""
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def hash_fd(fd: int, *, write: int = -1, path: str = "") -> tuple[Oid, int]:
    """Oid and length of what is left in `fd`, in one pass; also written to the descriptor `write` if given.

    Hashing runs on its own threads beside reading and writing, except in forked workers, where each has one core.
    `path` names the written file in the error if the disk is full.
    """
    hasher = blake3(max_threads=1 if parallel.in_worker else threads())
    size = 0
    spare, ready = bytearray(_BLOCK), bytearray(_BLOCK)
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
            if write >= 0:
                _write_all(write, view, path)
            ready, spare = spare, ready
    finally:
        if pending:
            pending.wait()
    return hasher.digest(), size


def _write_all(fd: int, view: memoryview, path: str) -> None:
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        raise refusal(error, path) from None


def _hash_large(fd: int, before: os.stat_result, _: str) -> tuple[Oid, os.stat_result]:
    return hash_fd(fd)[0], before


def _hash_small(data: bytes) -> Oid:
    return blake3(data).digest()


def hash_files(paths: Sequence[str], progress: Progress = SILENT) -> list[Saved | OSError]:
    """The content of each regular file of `paths`, stored nowhere; an `OSError` stands for one that cannot be read."""

    def work(chunk: Sequence[str]) -> list[tuple[object, ...]]:
        return [attempt(path, _hash_small, _hash_large) for path in chunk]

    return collect_saved(paths, work, progress)


def attempt(path: str, small: Callable[[bytes], Oid], large: Consumer) -> tuple[object, ...]:
    """`read_stable`, with an `OSError` as the tuple (errno, text, path) that crosses process borders."""
    try:
        return read_stable(path, small, large)
    except OSError as error:
        return error.errno or errno.EIO, error.strerror or str(error), path


def collect_saved(
    paths: Sequence[str],
    work: Callable[[Sequence[str]], list[tuple[object, ...]]],
    progress: Progress,
    finish: Callable[[], object] | None = None,
    received: Callable[[Any], None] | None = None,
) -> list[Saved | OSError]:
    """Runs `work` over `paths`, in forked workers if there are many, and puts the answers in order.

    `finish` runs at the end of each worker; `received` gets what it returned, in this process.
    """
    results: list[Saved | OSError] = []
    for answers in parallel.run(paths, work, progress, many=FORK_FROM, finish=finish, received=received):
        for answer in answers:
            if len(answer) == 3:
                results.append(OSError(*answer))
            else:
                results.append(Saved._make(answer))
    return results
