"""One file that holds values over steps and grows: what is new in it since the last look.

Some libraries write such a file anew when a column joins, some at every step. So each name's values are remembered by
a hash, and a file that was read before is read again from its beginning: a value that stands where it stood is old.
"""

from __future__ import annotations

import os
import stat as modes
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from axil.formats import steps, tfevents

PIECE = 1 << 20
MAX_DOCUMENT = 16 << 20
"""Bytes of a JSON file that is read as a whole."""
_MARK = 512
KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")

Parser = steps.Table | steps.Objects | tfevents.Reader


class Found(NamedTuple):
    """A value that was not there before; `time` is 0 if the file does not say."""

    name: str
    step: float
    time: float
    value: float


def readable(path: str) -> bool:
    """Whether a file of this name is one that holds values over steps."""
    return path.endswith(KINDS) or tfevents.PREFIX in os.path.basename(path)


class GrowingFile:
    """The file at `path`, which need not be there yet; `prefix` stands before its names."""

    def __init__(self, path: str, prefix: str, name: str = "") -> None:
        self.path = path
        self._prefix = prefix
        self._name = name
        """Stands for the names in the file, which has one column of values."""
        self._bad = 0
        """Of readings before the file was written anew."""
        self._seen: dict[str, array[int]] = {}
        self._at: dict[str, int] = {}
        self._stat = (0, 0, 0)
        self._offset = 0
        self._head = self._tail = b""
        self._parser: Parser | None = None
        self._begin()

    @property
    def bad(self) -> int:
        """How many lines or records could not be read."""
        return self._bad + (self._parser.bad if self._parser else 0)

    def read(self, final: bool = False) -> Iterator[Found]:
        """What is new, at most one piece of the file; with `final` also a last line without an end.

        Raises `OSError` if it is there but cannot be read.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        with open(fd, "rb", buffering=0) as file:
            status = os.fstat(fd)
            here = (status.st_size, status.st_mtime_ns, status.st_ino)
            if not modes.S_ISREG(status.st_mode) or (here == self._stat and self.done and not final):
                return
            if self._parser is None:
                yield from self._whole(file.read(MAX_DOCUMENT + 1), final)
                self._offset = status.st_size
            else:
                if self._rewritten(fd, here):
                    self._begin()
                data = os.pread(fd, PIECE, self._offset)
                self._remember(data)
                yield from self._fresh(self._parsed(self._parser, data, final))
            self._stat = here

    @property
    def done(self) -> bool:
        """Whether the last look reached the end of the file."""
        return self._offset >= self._stat[0]

    def _begin(self) -> None:
        self._bad = self.bad
        self._at.clear()
        self._offset = 0
        self._head = self._tail = b""
        self._parser = _parser(self.path)

    def _rewritten(self, fd: int, here: tuple[int, int, int]) -> bool:
        """Whether what was read before is not what stands there now."""
        size, _, inode = here
        if self._offset == 0:
            return False
        if size < self._offset or inode != self._stat[2]:
            return True
        tail = os.pread(fd, len(self._tail), self._offset - len(self._tail))
        return tail != self._tail or os.pread(fd, len(self._head), 0) != self._head

    def _remember(self, data: bytes) -> None:
        if len(self._head) < _MARK:
            self._head += data[: _MARK - len(self._head)]
        self._tail = (self._tail + data)[-_MARK:]
        self._offset += len(data)

    def _parsed(self, parser: Parser, data: bytes, final: bool) -> Iterator[Found]:
        if isinstance(parser, tfevents.Reader):
            for scalar in parser.feed(data):
                yield Found(scalar.tag, scalar.step, scalar.time, scalar.value)
            return
        for value in parser.feed(data):
            yield Found(value.name, value.step, 0.0, value.value)
        if final and len(data) < PIECE:
            for value in parser.finish():
                yield Found(value.name, value.step, 0.0, value.value)

    def _whole(self, data: bytes, final: bool) -> Iterator[Found]:
        """A document is read as a whole, and perhaps while it is being written: then later."""
        try:
            if len(data) > MAX_DOCUMENT:
                raise ValueError("it is too long")
            values = steps.document(data)
        except ValueError:
            self._bad += final
            return
        self._at.clear()
        yield from self._fresh(Found(name, step, 0.0, value) for name, step, value in values)

    def _fresh(self, values: Iterable[Found]) -> Iterator[Found]:
        for found in values:
            name = found.name
            at = self._at.get(name, 0)
            self._at[name] = at + 1
            seen = self._seen.setdefault(name, array("Q"))
            mark = hash((found.step, found.value if found.value == found.value else "nan")) & 0xFFFF_FFFF_FFFF_FFFF
            if at < len(seen):
                if seen[at] == mark:
                    continue
                del seen[at:]
            seen.append(mark)
            yield found._replace(name=self._prefix + (self._name or name))


def _parser(path: str) -> Parser | None:
    """What reads the file piece by piece; None if it must be read as a whole."""
    if tfevents.PREFIX in os.path.basename(path):
        return tfevents.Reader()
    if path.endswith((".csv", ".tsv")):
        return steps.Table("\t" if path.endswith(".tsv") else ",")
    return None if path.endswith(".json") else steps.Objects()
