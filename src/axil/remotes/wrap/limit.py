"""At most so many requests at once, and so many bytes a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

from axil.base.clock import Clock
from axil.base.light import TypeVar
from axil.remotes.base import Remote, Stat
from axil.remotes.wrap.wrapper import Wrapper

T = TypeVar("T")

_PAGE = 1000


class Pace:
    """So many bytes a second: who comes too early waits. One pace may serve several remotes."""

    def __init__(self, rate: float, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free = clock()

    def take(self, size: int) -> None:
        """Wait until `size` bytes more are allowed; they are accounted for at once."""
        with self._lock:
            now = self._clock()
            start = max(self._free, now)
            self._free = start + size / self._rate
        if start > now:
            self._sleep(start - now)


class Limit(Wrapper):
    """At most `requests` at once (default: the inner remote's `jobs`), both ways at the pace `pace`."""

    def __init__(self, inner: Remote, requests: int = 0, pace: Pace | None = None) -> None:
        super().__init__(inner)
        self._slots = threading.BoundedSemaphore(requests or inner.jobs)
        self._pace = pace

    def around(self, verb: str, key: str, size: int, act: Callable[[], T]) -> T:
        """Do `act` in a slot of its own. What is read without a stated length is paid for afterwards."""
        with self._slots:
            if self._pace is not None and size > 0:
                self._pace.take(size)
            answer = act()
            if self._pace is not None and size < 0:
                self._pace.take(len(answer))  # type: ignore[arg-type]
            return answer

    def listing(self, prefix: str) -> Iterator[Stat]:
        """A slot is held while a page of the listing is fetched, not while the caller works on it."""
        rest = self.inner.list(prefix)
        while True:
            with self._slots:
                page = list(islice(rest, _PAGE))
            yield from page
            if len(page) < _PAGE:
                return
