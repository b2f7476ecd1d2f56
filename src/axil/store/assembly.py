"""A large blob written piece by piece, in any order, and hashed when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
from types import TracebackType

from axil.base.hashing import Oid
from axil.store.ahead import begin
from axil.store.faults import refusal
from axil.store.files import seal
from axil.store.hashing import hash_fd

_AHEAD = 4 << 20
"""What is written in pieces of at least so many bytes goes to the disk at once, while the rest is fetched."""


class Assembly:
    """The new file `path` of `size` bytes; leaving the context without `finish` removes it."""

    def __init__(self, path: str, size: int) -> None:
        """Raises `AxilError` if the disk has no room for it."""
        self.path = path
        self._finished = False
        try:
            room = os.statvfs(os.path.dirname(path))
            if size > room.f_bavail * room.f_frsize:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refusal(error, path, size) from None

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Put `data` at `offset`. May be called on several threads. Raises `AxilError` if the disk refuses."""
        view = memoryview(data)
        try:
            while view:
                count = os.pwrite(self._fd, view, offset)
                if count >= _AHEAD:
                    begin(self._fd, offset, count)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise refusal(error, self.path, len(view)) from None

    def read(self) -> bytes:
        """All of it; for small ones."""
        return os.pread(self._fd, os.fstat(self._fd).st_size, 0)

    def finish(self) -> Oid:
        """Seal the file; the hash of what is in it."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        oid, _ = hash_fd(self._fd)
        seal(self._fd)
        self._finished = True
        return oid

    def keep(self) -> str:
        """Leave the file in its place, durable, as it is; its path."""
        try:
            os.fchmod(self._fd, 0o444)
            os.fsync(self._fd)
        except OSError as error:
            raise refusal(error, self.path) from None
        self._finished = True
        return self.path

    def __enter__(self) -> Assembly:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if not self._finished:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
