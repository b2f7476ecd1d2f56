"""A remote in this process's memory: what tests and models run on, and the plainest statement of the contracts."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from axil.base.clock import Clock
from axil.remotes.base import Absent, Stat, check_key, check_prefix, check_range


class Memory:
    """Objects in a dictionary; `clock` gives the time of writing."""

    def __init__(self, clock: Clock, url: str = "memory:", jobs: int = 4) -> None:
        self.url = url
        self.jobs = jobs
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, tuple[bytes, float]] = {}

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`."""
        value = (bytes(data), self._clock())
        with self._lock:
            self._objects[check_key(key)] = value

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`; exact here."""
        value = (bytes(data), self._clock())
        with self._lock:
            return self._objects.setdefault(check_key(key), value) is value

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        check_range(start, length)
        found = self._objects.get(check_key(key))
        if found is None:
            raise Absent(f"{self.url} has no object {key}")
        return found[0][start:] if length is None else found[0][start : start + length]

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        found = self._objects.get(check_key(key))
        return None if found is None else Stat(key, len(found[0]), found[1])

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`: what was there at the first look."""
        check_prefix(prefix)
        with self._lock:
            found = [Stat(key, len(data), at) for key, (data, at) in self._objects.items() if key.startswith(prefix)]
        return iter(found)

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        with self._lock:
            self._objects.pop(check_key(key), None)

    def usable(self) -> None:
        """See `Remote.usable`: always."""

    def close(self) -> None:
        """Nothing to let go of."""
