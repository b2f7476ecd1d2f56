"""Large files copied by the system and hashed where they arrive, so the oid is that of the copy whatever is written
to the source meanwhile."""

from __future__ import annotations

import os
import sys

from blake3 import blake3

from axil.base.atomic import write_all
from axil.base.hashing import Oid
from axil.store import parallel
from axil.store.ahead import WriteAhead
from axil.store.faults import refusal
from axil.store.parallel import Task

_WINDOW = 32 << 20
_PIECE = 1 << 20


def copy_hashed(source: int, target: int, path: str) -> tuple[Oid, int]:
    """Copies what is left in `source` into the new file `path`, open as `target`, not synced; its oid and length.

    Raises `OSError` if the source cannot be read, `AxilError` if the copy cannot be written.
    """
    hasher, size, ahead = blake3(), 0, WriteAhead(target)

    def look(at: int, end: int) -> None:
        buffer = memoryview(bytearray(min(_PIECE, end - at)))
        while at < end and (count := os.preadv(target, [buffer[: end - at]], at)):
            hasher.update(buffer[:count])
            at += count

    task: Task | None = None
    try:
        while count := _copy(source, target, path):
            ahead.wrote(count)
            if task:
                task.wait()
                task = None
            # Beside the copying of what follows, if anything does and there is a core for it.
            if count < _WINDOW or parallel.in_worker:
                look(size, size + count)
            else:
                task = Task(look, size, size + count)
            size += count
    finally:
        if task:
            task.wait()
    return hasher.digest(), size


def _copy(source: int, target: int, path: str) -> int:
    """Copies a window; how many bytes that were."""
    done = 0
    while done < _WINDOW and (count := _send(source, target, path, _WINDOW - done)):
        done += count
    return done


def _send(source: int, target: int, path: str, most: int) -> int:
    if sys.platform == "linux":
        try:
            return os.sendfile(target, source, None, most)
        except OSError:
            pass  # Not between these file systems, or one of them is broken: which one, reading and writing tell.
    data = os.read(source, min(most, _PIECE))
    try:
        write_all(target, data)
    except OSError as error:
        raise refusal(error, path) from None
    return len(data)
