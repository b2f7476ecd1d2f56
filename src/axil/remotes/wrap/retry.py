"""Tries again what was unreachable: waits that double, with jitter, up to a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from axil.base.clock import Clock
from axil.base.light import NamedTuple, TypeVar
from axil.remotes.base import Remote, Stat, Unreachable, as_bytes
from axil.remotes.wrap.wrapper import Wrapper

T = TypeVar("T")


class Patience(NamedTuple):
    """How long to go on, in seconds."""

    first: float = 0.2
    """About how long the first wait takes."""
    longest: float = 15.0
    """… and no wait takes longer than this."""
    total: float = 120.0
    """No try begins later than this after the first one, or after the last sign of life."""
    usable: float = 3.0
    """The same for `usable`: somebody waits for the answer."""


class Retry(Wrapper):
    """Only `Unreachable` is tried again; other errors, and the last `Unreachable`, come through.

    `clock` only has to run evenly (a monotonic one); `random` gives numbers from 0 to 1; `tell` hears of every wait.
    """

    def __init__(
        self,
        inner: Remote,
        clock: Clock,
        sleep: Callable[[float], None],
        random: Callable[[], float],
        patience: Patience = Patience(),  # noqa: B008
        tell: Callable[[Unreachable, float], None] | None = None,
    ) -> None:
        super().__init__(inner)
        self.patience = patience
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._tell = tell

    def around(self, verb: str, key: str, size: int, act: Callable[[], T]) -> T:
        """Do `act` until it works or fails for good."""
        tries = _Tries(self, self.patience.usable if verb == "usable" else self.patience.total)
        while True:
            try:
                return act()
            except Unreachable as error:
                tries.wait(error)

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`. An object found on a second try may be the first try's own: its bytes tell."""
        tries = 0

        def act() -> bool:
            nonlocal tries
            tries += 1
            made = self.inner.create(key, data)
            return made or (tries > 1 and self.inner.get(key) == as_bytes(data))

        return self.around("create", key, len(data), act)

    def listing(self, prefix: str) -> Iterator[Stat]:
        """Begins again where it broke off, without what was given already."""
        given: set[str] = set()
        tries = _Tries(self, self.patience.total)
        while True:
            try:
                for found in self.inner.list(prefix):
                    if found.key not in given:
                        given.add(found.key)
                        tries.alive()
                        yield found
                return
            except Unreachable as error:
                tries.wait(error)

    def pause(self, error: Unreachable, wanted: float) -> None:
        """Wait `wanted` seconds because of `error`."""
        if self._tell is not None:
            self._tell(error, wanted)
        self._sleep(wanted)

    def now(self) -> float:
        """The time by the wrapper's clock."""
        return self._clock()

    def jitter(self, wait: float) -> float:
        """Something between half of `wait` and all of it, so that many clients do not come back at once."""
        return wait * (0.5 + 0.5 * self._random())


class _Tries:
    """The waits of one request."""

    def __init__(self, retry: Retry, total: float) -> None:
        self._retry = retry
        self._total = total
        self._end = retry.now() + total
        self._next = retry.patience.first

    def wait(self, error: Unreachable) -> None:
        """Wait before the next try, or raise `error` if there is to be none."""
        wanted = self._retry.jitter(self._next)
        if self._retry.now() + wanted > self._end:
            raise error
        self._retry.pause(error, wanted)
        self._next = min(self._next * 2, self._retry.patience.longest)

    def alive(self) -> None:
        """The remote answered: patience begins anew."""
        if self._next != self._retry.patience.first:
            self._end = self._retry.now() + self._total
            self._next = self._retry.patience.first
