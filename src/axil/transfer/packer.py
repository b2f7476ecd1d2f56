"""Packs for a remote, built in memory: entries back to back, a table at the end, a name that is its hash."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from mmap import mmap

from axil.base.hashing import OID_SIZE, Oid, hash_bytes
from axil.base.light import NamedTuple
from axil.errors import Damaged
from axil.formats import index as index_fmt
from axil.formats import pack as fmt
from axil.store.packs import SUFFIX, Pack
from axil.store.parallel import cores
from axil.store.squeeze import Squeezer

TARGET = 32 << 20
"""Writers start a new pack at this size."""

_SLACK = 2 << 20
"""Bytes by which the last entry and the table of a full pack may exceed that, mostly."""

_SAMPLE = 8 << 10
_SAMPLE_FROM = 4 * _SAMPLE
_LEVEL = 1


class Limits(NamedTuple):
    """When a pack is full; tests make it small."""

    size: int = TARGET
    entries: int = fmt.MAX_ENTRIES


class Finished(NamedTuple):
    """A pack that is on the remote: its id, its length, its table and footer (as `fmt.tail` makes them)."""

    id: Oid
    size: int
    tail: bytes

    def table(self) -> fmt.Table:
        """What lies where in it. Raises `Damaged` if the table is not one of a pack of that size."""
        start, count = fmt.table_span(self.tail[-fmt.FOOTER_SIZE :], self.size, self.id.hex())
        if len(self.tail) != self.size - start:
            raise Damaged("a pack is damaged", f"{self.id.hex()} has a table of another length")
        return fmt.Table(self.tail, 0, count, start, self.id.hex())


Made = tuple[bytes | memoryview, Finished]
"""A complete pack, and what there is to know of it."""


class Builder:
    """One pack being built in memory, which `memory` gives: used memory is best, new one costs as much as a copy.

    With `large` it leaves out the hash of all entries, which is there for checking many small ones at one go.
    """

    __slots__ = ("_buffer", "_limits", "_memory", "_used", "large", "raw", "rows")

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008
        memory: Callable[[int], bytearray | mmap] = bytearray,
        *,
        large: bool = False,
    ) -> None:
        self.rows: dict[Oid, bytes] = {}
        self.raw = 0
        self.large = large
        self._limits, self._memory = limits, memory
        self._buffer = memoryview(b"")
        self._used = 0

    @property
    def data(self) -> memoryview:
        """The pack as far as it was built."""
        return self._buffer[: self._used]

    @property
    def full(self) -> bool:
        """Whether it is time for the next pack."""
        return self._used >= self._limits.size or len(self.rows) >= self._limits.entries

    def add(self, oid: Oid, stored: bytes | memoryview, raw: int, kind: int, codec: int) -> None:
        """Append an entry, unless it is in it already."""
        if not self.rows:
            self._append(fmt.HEADER)
        if oid not in self.rows:
            self.rows[oid] = fmt.row(self._used, len(stored), raw, fmt.flags(kind, codec))
            self._append(stored)
            self.raw += raw

    def finish(self) -> Made:
        """The complete pack; takes time and lets other threads run."""
        content = fmt.UNTOLD if self.large else hash_bytes(self.data)
        tail = fmt.tail(self.rows, content, os.urandom(fmt.NONCE_SIZE))
        self._append(tail)
        return self.data, Finished(fmt.id_of(tail), self._used, tail)

    def _append(self, data: bytes | memoryview) -> None:
        end = self._used + len(data)
        if end > len(self._buffer):
            larger = memoryview(self._memory(max(end, self._limits.size) + _SLACK))
            larger[: self._used] = self.data
            self._buffer = larger
        self._buffer[self._used : end] = data
        self._used = end


def renewed(pack: Pack, buffer: mmap) -> Made:
    """A whole local pack with another nonce, and so another name; its bytes lie at the start of `buffer`.

    Raises `Damaged` if the bytes are not those of its name: then no entry can be trusted.
    """
    view = memoryview(buffer)[: pack.size]
    if not pack.matches(pack.name.removesuffix(SUFFIX), view):
        raise Damaged("a pack is damaged", f"{pack.path}: its bytes do not match its name", "run `axil verify`")
    tail = fmt.another(pack.tail(), os.urandom(fmt.NONCE_SIZE))
    view[pack.table_at :] = tail
    return view, Finished(fmt.id_of(tail), pack.size, tail)


class Press:
    """Compresses entries where it pays. Small ones are tried as in the store; of chunks a sample is tried first.

    Used by one thread.
    """

    __slots__ = ("_compress", "_squeezer")

    def __init__(self) -> None:
        import zstandard

        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self._squeezer = Squeezer()

    def squeeze(self, data: bytes | memoryview) -> bytes | None:
        """`data` compressed, or None if that saves less than a tenth."""
        if len(data) < _SAMPLE_FROM:
            return self._squeezer.squeeze(bytes(data))
        return self.compress(data) if self.promising(data) else None

    def promising(self, data: bytes | memoryview) -> bool:
        """Whether a sample of `data` can be compressed; of little there is none."""
        middle = len(data) // 2
        return len(data) < _SAMPLE_FROM or len(self._compress(data[middle : middle + _SAMPLE])) * 10 <= _SAMPLE * 9

    def compress(self, data: bytes | memoryview) -> bytes | None:
        """`data` compressed without a sample, or None if that saves less than a tenth."""
        less = self._compress(data)
        return less if len(less) * 10 <= len(data) * 9 else None


class Presses:
    """Compresses on as many threads as there are cores; what comes out is in the order of what went in.

    Leaving the context waits for what runs and drops the rest.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(cores())
        self._waiting: deque[tuple[Oid, bytes, Future[bytes | None]]] = deque()
        self._bytes = 0

    def __enter__(self) -> Presses:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, oid: Oid, data: bytes) -> None:
        """Begin to compress `data`."""
        self._waiting.append((oid, data, self._pool.submit(self._compress, data)))
        self._bytes += len(data)

    def take(self, most: int = 0) -> Iterator[tuple[Oid, bytes, bytes | None]]:
        """The oldest, until what is left is not longer than `most`: oid, data, and what `Press.compress` says."""
        while self._bytes > most:
            oid, data, future = self._waiting.popleft()
            self._bytes -= len(data)
            yield oid, data, future.result()

    def _compress(self, data: bytes) -> bytes | None:
        if not hasattr(self._own, "press"):
            self._own.press = Press()
        press: Press = self._own.press
        return press.compress(data)


def records_of(done: Finished, number: int) -> list[bytes]:
    """What an index says of each entry of a pack, which is its pack `number`. Raises `Damaged` like `Finished.table`.

    Laid side by side byte by byte of all entries at once: nothing is done for each but to cut it off.
    """
    count = done.table().count
    rows_at = len(done.tail) - fmt.FOOTER_SIZE - count * fmt.ROW_SIZE
    oids = done.tail[rows_at - count * OID_SIZE : rows_at]
    rows = done.tail[rows_at : -fmt.FOOTER_SIZE]
    width = OID_SIZE + index_fmt.ROW_SIZE
    out = bytearray(width * count)
    for lane in range(OID_SIZE):
        out[lane::width] = oids[lane::OID_SIZE]
    for lane, byte in enumerate(number.to_bytes(4, "little"), OID_SIZE):
        out[lane::width] = bytes((byte,)) * count
    for lane in range(fmt.ROW_SIZE):
        out[OID_SIZE + 4 + lane :: width] = rows[lane :: fmt.ROW_SIZE]
    joined = bytes(out)
    return [joined[at : at + width] for at in range(0, len(joined), width)]
