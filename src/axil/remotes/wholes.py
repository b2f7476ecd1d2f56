"""Parts of objects at a service that knows no ranges and only sends whole ones: each object is asked for once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from axil.base.light import Any

_MOST = 2
"""So many objects are in memory, besides those that are being read from."""


class Wholes:
    """Hands out parts of objects that `fetch` gives whole, as bytes or what has a buffer of them.

    Safe for threads: one fetches, the others wait. An object is forgotten when as much of it was given as it has, and
    its parts are given once: who asks for the same part again doubts it, and gets it from the service.
    """

    def __init__(self, fetch: Callable[[str], Any]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: dict[str, _Whole] = {}

    def part(self, key: str, start: int, length: int | None) -> bytes:
        """As `Remote.get`. Raises what `fetch` raises."""
        with self._lock:
            whole = self._known.get(key)
            if whole is None or (start, length) in whole.given:
                self._known.pop(key, None)
                if len(self._known) == _MOST:
                    del self._known[next(iter(self._known))]
                whole = self._known[key] = _Whole()
            whole.given.add((start, length))
        with whole.lock:
            if whole.data is None:
                whole.data = memoryview(self._fetch(key))
            data = whole.data
        part = bytes(data[start:] if length is None else data[start : start + length])
        with self._lock:
            whole.handed += len(part)
            if whole.handed >= len(data) and self._known.get(key) is whole:
                del self._known[key]
        return part


class _Whole:
    """An object that is here or on its way."""

    __slots__ = ("data", "given", "handed", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.data: memoryview | None = None
        self.given: set[tuple[int, int | None]] = set()
        self.handed = 0
