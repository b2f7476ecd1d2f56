"""Compression only where it pays: images and archives are recognised by trying, and then left alone for a while."""

from __future__ import annotations

_LEVEL = 1
_SMALLEST = 96
_PATIENCE = 8
_LONGEST_PAUSE = 512


class Squeezer:
    """zstd for one stream of objects; remembers how the last ones went."""

    __slots__ = ("_compress", "_failures", "_pause", "_skip")

    def __init__(self) -> None:
        import zstandard

        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._failures = 0
        self._pause = 0
        self._skip = 0

    def pauses(self, count: int) -> bool:
        """Whether the next `count` objects are not even tried, which passes over them."""
        if self._skip < count:
            return False
        self._skip -= count
        return True

    def squeeze(self, data: bytes) -> bytes | None:
        """`data` compressed, or None if that saves less than a tenth (or is not tried).

        After 8 failures in a row the next 8 objects are not tried, then 16 … 512; one success starts afresh.
        """
        if self._skip:
            self._skip -= 1
            return None
        if len(data) < _SMALLEST:
            return None
        less = self._compress(data)
        if len(less) * 10 <= len(data) * 9:
            self._failures = self._pause = 0
            return less
        self._failures += 1
        if self._failures >= _PATIENCE:
            # One more try after each pause: failures stay at the limit until something compresses.
            self._pause = min(max(self._pause * 2, _PATIENCE), _LONGEST_PAUSE)
            self._skip = self._pause
        return None
