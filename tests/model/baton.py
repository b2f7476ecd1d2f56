"""Runs real code step by step: every request to a remote waits until the test says whose turn it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from axil.remotes.base import Remote, Stat
from axil.remotes.wrap.wrapper import Wrapper

T = TypeVar("T")


class Killed(BaseException):
    """Stands for a process that ended in the middle."""


class Actor:
    """One program on a thread of its own; `work` is given the remote to use."""

    def __init__(self, remote: Remote, work: Callable[[Remote], object]) -> None:
        self.done = False
        self.error: BaseException | None = None
        self._killed = False
        self._go = threading.Semaphore(0)
        self._waits = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work, Gate(remote, self)), daemon=True)
        self._begun = False

    @property
    def succeeded(self) -> bool:
        return self.done and self.error is None

    def step(self) -> bool:
        """Let it go on until its next request, or its end; whether it was not at its end already."""
        if self.done:
            return False
        if not self._begun:
            self._begun = True
            self._thread.start()
            self._waits.acquire()
            if self.done:
                return True
        self._go.release()
        self._waits.acquire()
        return True

    def kill(self) -> None:
        """Every request fails from now on."""
        self._killed = True
        while self.step():
            pass

    def arrive(self) -> None:
        """Called by a request: wait for one's turn."""
        self._waits.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _run(self, work: Callable[[Remote], object], gate: Remote) -> None:
        try:
            work(gate)
        except BaseException as error:
            self.error = error
        self.done = True
        self._waits.release()


class Gate(Wrapper):
    """The remote as one actor sees it."""

    def __init__(self, inner: Remote, actor: Actor) -> None:
        super().__init__(inner)
        self._actor = actor

    @property
    def jobs(self) -> int:
        """One request at a time."""
        return 1

    def around(self, verb: str, key: str, size: int, act: Callable[[], T]) -> T:
        """Wait, then do."""
        self._actor.arrive()
        return act()

    def listing(self, prefix: str) -> Iterator[Stat]:
        """A listing is one step."""
        self._actor.arrive()
        return iter(list(self.inner.list(prefix)))
