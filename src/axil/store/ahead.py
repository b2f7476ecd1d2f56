"""Files that go to the disk while they are written, so that the sync at their end has little left to do."""

from __future__ import annotations

_STEP = 32 << 20
"""Bytes; of shorter ranges the system makes more work."""
_WRITE = 2
"""`SYNC_FILE_RANGE_WRITE`: begin to write what is new."""


class WriteAhead:
    """Has the system begin to write out the file open as `fd`, some at a time, where it can (Linux); waits for nothing.

    An error of the disk shows when the file is synced.
    """

    __slots__ = ("_begun", "_end", "_fd")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun = self._end = 0

    def wrote(self, count: int) -> None:
        """So many bytes more were written at the end."""
        self._end += count
        if self._end - self._begun >= _STEP:
            begin(self._fd, self._begun, self._end - self._begun)
            self._begun = self._end


def begin(fd: int, start: int, length: int) -> None:
    """Have the system begin to write out what is new in a range of a file, where it can; waits for nothing."""
    import ctypes

    if (call := getattr(ctypes.CDLL(None), "sync_file_range", None)) is not None:
        call(fd, ctypes.c_longlong(start), ctypes.c_longlong(length), _WRITE)
