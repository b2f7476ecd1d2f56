"""A progress line on the terminal's error stream, shown only once the work has taken a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from axil.base.light import TextIO
from axil.cli.format import size

DELAY = 0.3
PERIOD = 0.1
_BAR = 24


class TerminalProgress:
    """Draws `label ━━━━──── 45 %  1,234/2,700 files` in place; wiped when the work ends.

    Drawn from `advance`, without a thread: the work may fork, and a thread's locks do not survive a fork.
    """

    def __init__(self, stream: TextIO, *, unicode: bool = True, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._unicode = unicode
        self._now = now
        self._stack: list[tuple[str, int | None, str, int, float]] = []
        self._due = 0.0
        self._shown = False
        self._owner = os.getpid()

    def begin(self, label: str, total: int | None = None, unit: str = "") -> None:
        """A new piece of work starts; `total` in `unit` ("files", "B") if known."""
        started = self._now()
        if not self._stack:
            self._due = started + DELAY
        self._stack.append((label, total, unit, 0, started))

    def advance(self, count: int = 1) -> None:
        """`count` more units are done."""
        if not self._stack:
            return
        label, total, unit, done, started = self._stack[-1]
        self._stack[-1] = (label, total, unit, done + count, started)
        now = self._now()
        # A forked worker inherits this object; only the process that made it draws.
        if now >= self._due and os.getpid() == self._owner:
            self._due = now + PERIOD
            self._draw()

    def end(self) -> None:
        """The piece of work begun last is over."""
        if self._stack:
            self._stack.pop()
        if not self._stack:
            self.wipe()

    def wipe(self) -> None:
        """Take the line off the terminal (before something else is written there)."""
        if self._shown and os.getpid() == self._owner:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False

    def _draw(self) -> None:
        label, total, unit, done, _ = self._stack[-1]
        amount = _amount(done, unit)
        if total:
            share = min(done / total, 1.0)
            full = round(share * _BAR)
            on, off = ("━", "─") if self._unicode else ("#", "-")
            text = f"{label}  {on * full}{off * (_BAR - full)} {share:4.0%}  {amount} of {_amount(total, unit)}"
        else:
            text = f"{label}  {amount}"
        if unit and unit != "B":
            text += f" {unit}"
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 80
        self._stream.write("\r" + text[: columns - 1] + "\x1b[K")
        self._stream.flush()
        self._shown = True


def _amount(count: int, unit: str) -> str:
    return size(count) if unit == "B" else f"{count:,}"
