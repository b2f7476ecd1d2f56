"""Ctrl-C and its kin during a run: caught while commands run, the caller's handling put back afterwards."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from axil.base.light import Any

SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def caught(tell: Callable[[int], None]) -> Iterator[None]:
    """Inside, the signals that ask to stop call `tell(number)` instead of ending this process.

    Only Python's main thread may set handlers: in another thread this does nothing. A signal that was ignored
    before (as under nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {}

    def handle(number: int, frame: object) -> None:
        tell(number)

    try:
        for number in SIGNALS:
            old = signal.getsignal(number)
            if old is not signal.SIG_IGN and old is not None:
                before[number] = old
                signal.signal(number, handle)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
