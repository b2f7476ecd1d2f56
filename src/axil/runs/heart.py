"""The heartbeat of a run: its lock file is touched every few seconds, for whoever cannot see the lock itself.

On one machine the lock tells whether a run is alive. Over a network file system without locks the heartbeat does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from threading import Event, Thread

BEAT = 5.0
"""Seconds between two beats."""
SILENCE = 60.0
"""A run of another machine that was not heard of for so long is dead."""


@contextlib.contextmanager
def beating(path: str) -> Iterator[None]:
    """Touch the file `path` now and then until the context is left."""
    over = Event()

    def beat() -> None:
        while not over.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = Thread(target=beat, name="axil-heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def heard(path: str, now: float) -> bool:
    """Whether the file `path` was touched lately; `now` in seconds since the epoch."""
    try:
        return now - os.stat(path).st_mtime < SILENCE
    except OSError:
        return False
