"""Time as a value: callers pass a clock, so that tests can stop it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since the epoch (UTC)."""

system_clock: Clock = time.time


def iso(seconds: float) -> str:
    """The moment as `2026-11-23T19:27:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
