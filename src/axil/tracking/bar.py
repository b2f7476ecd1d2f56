"""How far a loop is, on stderr: a bar on a terminal, else a line every half minute. Never raises."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

DRAW_SECONDS = 0.1
LINE_SECONDS = 30.0
_WIDTH = 24


class Bar:
    """One loop of `total` items (None: nobody knows). Draws nothing before the first `DRAW_SECONDS` are over."""

    def __init__(
        self,
        name: str,
        total: int | None,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = "".join(char if char.isprintable() else "?" for char in name) or "step"
        self._total = total
        self._out = out if out is not None else sys.stderr
        self._clock = clock
        self._terminal = _is_terminal(self._out)
        self._pause = DRAW_SECONDS if self._terminal else LINE_SECONDS
        self._started = clock()
        self._next = self._started + self._pause
        self._count = 0
        self._shown = 0

    def step(self) -> None:
        """One item more is done."""
        self._count += 1
        now = self._clock()
        if now >= self._next:
            self._next = now + self._pause
            self._show(now, last=False)

    def close(self) -> None:
        """The loop is over: what was begun to be shown is shown to its end."""
        if self._shown:
            self._show(self._clock(), last=True)

    def _show(self, now: float, last: bool) -> None:
        self._shown += 1
        text, end = self.text(now - self._started), "\n" if last else ""
        try:
            self._out.write(f"\r{text}\x1b[K{end}" if self._terminal else f"{text}\n")
            self._out.flush()
        except Exception:
            self._next = float("inf")  # there is nobody to show it to

    def text(self, seconds: float) -> str:
        """`epoch  12/30 [#########               ] 2.1/s, 9 s left`."""
        rate = self._count / seconds if seconds > 0 else 0.0
        speed = f"{rate:.3g}/s" if rate >= 1 or not rate else f"{1 / rate:.3g} s each"
        if not self._total:
            return f"{self._name} {self._count}, {speed}"
        done = min(1.0, self._count / self._total)
        left = f", {_duration((self._total - self._count) / rate)} left" if rate and done < 1 else ""
        whole = f"{self._name} {self._count:>{len(str(self._total))}}/{self._total}"
        if not self._terminal:
            return f"{whole} ({done:.0%}), {speed}{left}"
        full = int(done * _WIDTH)
        return f"{whole} [{'#' * full}{' ' * (_WIDTH - full)}] {speed}{left}"


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole // 60 % 60:02d} h"


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"  # type: ignore[attr-defined]
    except Exception:
        return False
