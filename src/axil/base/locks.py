"""Locks of the operating system (`flock`): they die with their process, so nobody ever removes a lock file."""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType

from axil.errors import Busy


class FileLock:
    """A lock on the file `path`, made if it is missing; held by at most one process (or many, if `shared`).

    Use as a context manager, or `acquire`/`release`. Not reentrant. Children inherit it only if they are given `fd`.
    """

    def __init__(self, path: str, *, shared: bool = False, timeout: float = 60.0, what: str = "") -> None:
        self.path = path
        self.timeout = timeout
        self.what = what or path
        self._mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._fd = -1

    @classmethod
    def inherited(cls, path: str, fd: int) -> FileLock:
        """The lock that another process held on `path` and passed on with the open descriptor `fd`."""
        lock = cls(path)
        lock._fd = fd
        os.set_inheritable(fd, False)
        return lock

    @property
    def fd(self) -> int:
        """The descriptor that holds the lock, for a process that goes on with it; -1 if it is not held."""
        return self._fd

    def try_acquire(self) -> bool:
        """Take the lock if it is free now; says whether it was."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, self._mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def acquire(self) -> None:
        """Take the lock, waiting up to `timeout` seconds; raises `Busy` after that."""
        deadline = time.monotonic() + self.timeout
        pause = 0.001
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise Busy(
                    f"{self.what} is in use",
                    f"another axil process has held {self.path} for over {self.timeout:.0f} s",
                    "wait for it to finish, or stop it, and try again",
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def release(self) -> None:
        """Let go; does nothing if the lock is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
