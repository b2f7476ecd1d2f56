"""Counts requests and bytes by verb, for progress and for tests of how few are needed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from axil.base.light import TypeVar
from axil.remotes.base import Remote, Stat
from axil.remotes.wrap.wrapper import Wrapper

T = TypeVar("T")


class Count(Wrapper):
    """`requests[verb]` counts what was asked for; `sent`, `received` and `listed` what came through.

    `moved` hears of the bytes of each finished request: (verb, number of bytes).
    """

    def __init__(self, inner: Remote, moved: Callable[[str, int], None] | None = None) -> None:
        super().__init__(inner)
        self.requests: Counter[str] = Counter()
        self.sent = 0
        self.received = 0
        self.listed = 0
        self._moved = moved
        self._lock = threading.Lock()

    def around(self, verb: str, key: str, size: int, act: Callable[[], T]) -> T:
        """Do `act` and count it."""
        with self._lock:
            self.requests[verb] += 1
        answer = act()
        if verb in ("put", "create", "get"):
            received = len(answer) if verb == "get" else 0  # type: ignore[arg-type]
            with self._lock:
                self.received += received
                self.sent += 0 if verb == "get" else size
            if self._moved is not None:
                self._moved(verb, received or max(size, 0))
        return answer

    def listing(self, prefix: str) -> Iterator[Stat]:
        """One request, however many pages it takes."""
        with self._lock:
            self.requests["list"] += 1
        for found in self.inner.list(prefix):
            with self._lock:
                self.listed += 1
            yield found
