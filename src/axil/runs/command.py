"""One stage's command while it runs: a session of its own, a thread that pumps its output to log and queue."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from axil.base import processes
from axil.base.light import NamedTuple
from axil.base.processes import Identity
from axil.runs.console import Console, Line

SHELL = "/bin/sh"
_LINGER_MS = 100
"""How long after the command's end output of processes it left behind is still waited for."""
_LEFTOVER_GRACE = 2.0
_POLL = 0.02
_PIECE = 64 << 10
MAX_BACKLOG = 2000
"""Pieces of output waiting to be shown; beyond that a face misses lines (the log never does)."""


class Output(NamedTuple):
    """Lines a stage's command printed."""

    stage: str
    lines: list[Line]


class Exited(NamedTuple):
    """A stage's command is over, its output complete in the log. Negative `code`: ended by that signal."""

    stage: str
    code: int
    trouble: str = ""
    """Why the log is not whole, if it is not."""


Inbox = SimpleQueue[object]


class Command:
    """A command under way; `Output` and at the end one `Exited` appear in `inbox`."""

    def __init__(
        self,
        stage: str,
        cmd: str,
        cwd: str,
        env: Mapping[str, str],
        log: str,
        inbox: Inbox,
        protect: Sequence[str] = (),
    ) -> None:
        """Start it; it cannot change the folders `protect`. What is in the log stays, output follows it.

        Raises `OSError` if it cannot be started.
        """
        self.stage = stage
        self._env = env
        self._inbox = inbox
        self._log = os.open(log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._pipe, end = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
            try:
                self._process = processes.start([SHELL, "-c", cmd], cwd, env, end, protect)
            except BaseException:
                os.close(self._pipe)
                raise
            finally:
                os.close(end)
        except BaseException:
            os.close(self._log)
            raise
        pid = self._process.pid
        self.identity = processes.identity(pid) or Identity(pid, 0)
        self._told = 0
        self._over = False
        self._thread = Thread(target=self._pump, name=f"axil-{stage}", daemon=True)
        self._thread.start()

    def signal(self, number: int) -> None:
        """Send a signal to everything the command started that is still in its process group.

        From then on the command is over only when the whole group is: a shell dies of a signal at once, while the
        program it started may be saving its state.
        """
        self._told = number
        if not self._over:
            processes.signal_group(self.identity.pid, number)

    def join(self) -> None:
        """Wait until the output is complete (soon after `Exited`)."""
        self._thread.join()

    def _pump(self) -> None:
        console = Console(self._log)
        trouble = ""
        try:
            trouble = self._copy(console)
            leftover = self._end_leftovers()
            self._over = True
            lines = console.finish()
            if leftover:
                note = f"axil: ended {leftover} background process{'es' * (leftover > 1)} the command left behind"
                lines += console.feed(note.encode() + b"\n")
            self._tell(lines)
        except OSError as error:
            trouble = f"its log could not be written: {error.strerror or error}"
        finally:
            self._over = True
            for fd in (self._pipe, self._log):
                with suppress(OSError):
                    os.close(fd)
            self._inbox.put(Exited(self.stage, self._process.wait(), trouble))

    def _copy(self, console: Console) -> str:
        """Move output to the log until the command is over; returns why that failed, if it did.

        The pipe is emptied even if the log cannot be written: a full disk must not block the command.
        """
        trouble = ""
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN)
        watch = _watch(self._process.pid)
        if watch >= 0:
            poller.register(watch, select.POLLIN)
        ended, open_ = 0.0, True
        try:
            while open_:
                ready = poller.poll(_LINGER_MS if ended or watch < 0 else None)
                if any(fd == self._pipe for fd, _ in ready):
                    data = os.read(self._pipe, _PIECE)
                    open_ = bool(data)
                    try:
                        if not trouble:
                            self._tell(console.feed(data))
                    except OSError as error:
                        trouble = f"its log could not be written: {error.strerror or error}"
                if ended and time.monotonic() > ended + _LINGER_MS / 1000 and not self._ending():
                    break  # what holds the pipe open is not the command
                if not ended and (
                    any(fd == watch for fd, _ in ready) if watch >= 0 else self._process.poll() is not None
                ):
                    ended = time.monotonic()
                    if watch >= 0:
                        poller.unregister(watch)
            self._process.wait()
        finally:
            if watch >= 0:
                os.close(watch)
        return trouble

    def _ending(self) -> bool:
        """Whether the group was told to end and is given time for it."""
        return self._told not in (0, signal.SIGKILL) and processes.alive(self.identity.pid)

    def _end_leftovers(self) -> int:
        """Wait for or end what is left of the group; how many were ended that nobody had told to."""
        while self._ending():
            time.sleep(_POLL)
        if not processes.signal_group(self.identity.pid, 0):
            return 0
        marks = {name: self._env[name] for name in ("AXIL_RUN", "AXIL_STAGE") if name in self._env}
        ended = processes.end_session(self.identity, marks, _LEFTOVER_GRACE)
        return 0 if self._told else len(ended)

    def _tell(self, lines: list[Line]) -> None:
        if lines and self._inbox.qsize() < MAX_BACKLOG:
            self._inbox.put(Output(self.stage, lines))


def _watch(pid: int) -> int:
    """A descriptor that becomes readable when `pid` ends; -1 where there is none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
