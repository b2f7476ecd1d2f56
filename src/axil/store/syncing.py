"""Files synced in the background while they are written, so that little is left to wait for at the end."""

from __future__ import annotations

import os

from axil.store.parallel import Task


class SyncAhead:
    """Syncs the file open as `fd` whenever `step` more bytes were written and the last sync is over.

    `syncs` are to be waited for: an error of the disk may show there and nowhere else.
    """

    __slots__ = ("_fd", "_new", "_step", "syncs")

    def __init__(self, fd: int, step: int) -> None:
        self.syncs: list[Task] = []
        self._fd, self._step = fd, step
        self._new = 0

    def wrote(self, count: int) -> None:
        """So many bytes more were written."""
        self._new += count
        if self._new >= self._step and (not self.syncs or self.syncs[-1].over):
            self._new = 0
            self.syncs.append(Task(_sync_and_close, os.dup(self._fd)))


def _sync_and_close(fd: int) -> None:
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
