"""Commands that may take only so long: when their time is over they get TERM, and KILL if they go on after that.

Time in which the machine sleeps does not count.
"""

from __future__ import annotations

import signal
import time

EXIT_CODE = 124
"""Of a stage that ran out of time, as `timeout` of the shell has it."""


class Limits:
    """The commands that have a limit. `exceeded` are those whose time was over."""

    def __init__(self, grace: float) -> None:
        self.exceeded: set[str] = set()
        self._grace = grace
        self._due: dict[str, tuple[float, int]] = {}
        """Stage -> the moment and the signal it gets then."""

    def begin(self, stage: str, seconds: float) -> None:
        """The stage's command starts now and has so many seconds, any number of them if 0."""
        self.end(stage)
        if seconds:
            self._due[stage] = time.monotonic() + seconds, signal.SIGTERM

    def end(self, stage: str) -> bool:
        """The stage's command is over; whether its time had been over before."""
        self._due.pop(stage, None)
        late = stage in self.exceeded
        self.exceeded.discard(stage)
        return late

    def next(self) -> float | None:
        """The next moment at which somebody gets a signal (`time.monotonic`)."""
        return min((moment for moment, _ in self._due.values()), default=None)

    def take(self) -> list[tuple[str, int]]:
        """The stages whose time is over, and the signal each gets now."""
        now = time.monotonic()
        found = [(stage, number) for stage, (moment, number) in self._due.items() if moment <= now]
        for stage, number in found:
            self.exceeded.add(stage)
            del self._due[stage]
            if number != signal.SIGKILL:
                self._due[stage] = now + self._grace, signal.SIGKILL
        return found
