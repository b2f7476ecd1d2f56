"""What a command prints, as its log keeps it: the way it looks on a terminal in the end.

A line rewritten with carriage returns (a progress bar) is one line in its last state.
"""

from __future__ import annotations

import os

from axil.base.light import NamedTuple

MAX_LINE = 64 << 10
"""A longer line is given out in pieces, so that output without line ends cannot fill the memory."""


class Line(NamedTuple):
    """Text without its line end; not `done` while it may still grow or be rewritten."""

    text: str
    done: bool


class Console:
    """Writes the output of one command to the descriptor `fd`, after what is there, and tells the lines it sees."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._kept = self._written = os.fstat(fd).st_size
        """Bytes of the file that no longer change."""
        self._current = b""
        self._returned = False
        self._midline = False
        """What was kept last is the beginning of an endless line."""

    def feed(self, data: bytes) -> list[Line]:
        """Take more output. The file is up to date when this returns."""
        if b"\r" not in data and not self._returned:
            whole = data.split(b"\n")
            finished, partial = [self._current + whole[0], *whole[1:-1]], whole[-1]
            if len(whole) == 1:
                finished, partial = [], self._current + data
        else:
            finished, partial = self._rewrite(data)
        ended = b"".join(line + b"\n" for line in finished)
        lines = [Line(_text(line), True) for line in finished]
        self._current = partial
        self._midline = self._midline and not finished
        if len(partial) > MAX_LINE:
            ended += partial
            lines.append(Line(_text(partial), True))
            self._current = b""
            self._midline = True
        elif partial:
            lines.append(Line(_text(partial), False))
        self._write(ended)
        return lines

    def finish(self) -> list[Line]:
        """The output is over: a last line without an end is a line too."""
        line, self._current = self._current, b""
        if line or self._midline:
            self._write(line + b"\n")
        return [Line(_text(line), True)] if line else []

    def _rewrite(self, data: bytes) -> tuple[list[bytes], bytes]:
        finished: list[bytes] = []
        current, returned = self._current, self._returned
        for piece in data.splitlines(keepends=True):
            body = piece.rstrip(b"\r\n")
            if body:
                current = body if returned else current + body
                returned = False
            if piece.endswith(b"\n"):
                finished.append(current)
                current, returned = b"", False
            elif piece.endswith(b"\r"):
                # Only text after it rewrites the line: "\r\n" is a plain line end, perhaps cut by this read.
                returned = True
        self._returned = returned
        return finished, current

    def _write(self, ended: bytes) -> None:
        data = ended + self._current
        view, at = memoryview(data), self._kept
        while view:
            count = os.pwrite(self._fd, view, at)
            view, at = view[count:], at + count
        if at < self._written:
            os.ftruncate(self._fd, at)
        self._written = at
        self._kept += len(ended)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
