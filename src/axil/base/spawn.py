"""A short-lived program whose output is collected, without `subprocess`: importing that takes longer than most answers.

For programs that need much input, a terminal or a session of their own there is `subprocess`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from functools import cache

MAX_INPUT = 4096
"""More bytes than this do not fit into every pipe at once."""

_PIECE = 1 << 16
_IGNORED_BY_PYTHON = (13, 25)
"""SIGPIPE and SIGXFSZ, reset in the child; by their numbers, for `signal` loads `enum`."""


class Child:
    """A program that was started, its input given; `finish` waits for it."""

    __slots__ = ("_pid", "_pipes")

    def __init__(self, command: tuple[str, ...], env: Mapping[str, str], input: bytes = b"") -> None:
        """Start `command`, found on the search path of `env`, with `input` of at most `MAX_INPUT` bytes.

        Raises `OSError`, and `ValueError` for a NUL in a word.
        """
        self._pipes: list[int] = []
        self._pid = 0
        program = _program(command[0], env.get("PATH", os.defpath))
        ends = []
        try:
            for _ in range(2):
                read, write = (_above_standard(end) for end in os.pipe())
                self._pipes.append(read)
                ends.append(write)
            stdin, write = (_above_standard(end) for end in os.pipe())
            ends.append(stdin)
            os.write(write, input)
            os.close(write)
            actions = [(os.POSIX_SPAWN_DUP2, end, place) for end, place in zip(ends, (1, 2, 0), strict=True)]
            self._pid = os.posix_spawn(program, command, env, file_actions=actions, setsigdef=_IGNORED_BY_PYTHON)
        finally:
            for end in ends:
                os.close(end)

    def finish(self) -> tuple[int, bytes, bytes]:
        """Exit code (less than 0: the signal that killed it), stdout and stderr, both read to their ends."""
        import select

        parts: dict[int, list[bytes]] = {pipe: [] for pipe in self._pipes}
        poll = select.poll()
        for pipe in parts:
            poll.register(pipe, select.POLLIN)
        running = len(parts)
        while running:
            for pipe, _ in poll.poll():
                data = os.read(pipe, _PIECE)
                if data:
                    parts[pipe].append(data)
                else:
                    poll.unregister(pipe)
                    running -= 1
        out, err = (b"".join(pieces) for pieces in parts.values())
        return self._wait(), out, err

    def _wait(self, options: int = 0) -> int:
        """Let go of the pipes and of the ended program, whose exit code is returned."""
        while self._pipes:
            os.close(self._pipes.pop())
        pid, self._pid = self._pid, 0
        try:
            return os.waitstatus_to_exitcode(os.waitpid(pid, options)[1])
        except ChildProcessError:  # SIGCHLD is ignored: the system has forgotten the code
            return 0

    def __del__(self) -> None:
        """A program nobody waits for finds its pipes closed; it ends by itself."""
        if self._pid or self._pipes:
            with contextlib.suppress(OSError):
                self._wait(os.WNOHANG)


@cache
def _program(name: str, search_path: str) -> str:
    for folder in search_path.split(os.pathsep):
        path = os.path.join(folder or os.curdir, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(name)


def _above_standard(fd: int) -> int:
    """`fd`, moved away if it took the place of a standard stream that is closed in this process."""
    if fd > 2:
        return fd
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)
