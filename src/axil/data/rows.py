"""The rows of the work-tree index as values: one folder's names, kinds, stats and oids in packed columns.

Columns compare as bytes, so a folder in which nothing happened is recognised without looking at its entries.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, pairwise
from struct import Struct, unpack

from axil.base.hashing import OID_SIZE, Oid
from axil.base.light import NamedTuple

STAT_SIZE = 32
SEGMENT_MAX = 4096
SEGMENT_MIN = 512
ZERO_STAT = bytes(STAT_SIZE)
ZERO_OID = bytes(OID_SIZE)
_STAT = Struct("<qqqq")
_ONE_BY_ONE = 16
"""So many entries are added or removed one at a time, which moves all behind them; more of them all at once."""
_SETTLE = 8192 * STAT_SIZE


class Segment(NamedTuple):
    """A run of neighbouring names of one folder: names joined by NUL, then one kind byte, stat and oid for each.

    A sub-folder has a zero stat and the tree oid it had when the row was written: the row's summary holds only while
    the sub-folder still has that oid.
    """

    names: bytes
    kinds: bytes
    stats: bytes
    oids: bytes

    @property
    def first(self) -> bytes:
        """The smallest name, which is the segment's key."""
        return self.names.partition(b"\0")[0]


class Summary(NamedTuple):
    """A whole folder: its tree oid, bytes and files below, and whether all of it was put into the store."""

    oid: Oid
    size: int
    files: int
    stored: bool


class Folder(NamedTuple):
    """A folder's row. Without a summary the row is only a set of known entries, perhaps not all of them.

    `version` changes with every write of the row.
    """

    summary: Summary | None
    segments: list[Segment]
    version: bytes = b""


class Known(NamedTuple):
    """One entry of a row."""

    kind: int
    stat: bytes
    oid: Oid

    @property
    def size(self) -> int:
        """Bytes of the file when it was read."""
        return int.from_bytes(self.stat[:8], "little", signed=True)


class Columns:
    """A folder's entries, sorted by name, unpacked far enough to be looked up and changed."""

    __slots__ = ("kinds", "names", "oids", "stats")

    def __init__(self, names: list[bytes], kinds: bytearray, stats: bytearray, oids: bytearray) -> None:
        self.names = names
        self.kinds = kinds
        self.stats = stats
        self.oids = oids

    @classmethod
    def of(cls, folder: Folder | None) -> Columns:
        """The columns of a row, its segments joined."""
        segments = folder.segments if folder is not None else []
        names = [name for segment in segments for name in segment.names.split(b"\0")]
        return cls(
            names,
            bytearray().join(segment.kinds for segment in segments),
            bytearray().join(segment.stats for segment in segments),
            bytearray().join(segment.oids for segment in segments),
        )

    def position(self, name: bytes) -> int:
        """Where `name` is, or -1."""
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else -1

    def get(self, name: bytes) -> Known | None:
        """The entry `name`."""
        at = self.position(name)
        return None if at < 0 else self.at(at)

    def at(self, at: int) -> Known:
        """The entry at position `at`."""
        low, high = at * STAT_SIZE, (at + 1) * STAT_SIZE
        return Known(self.kinds[at], bytes(self.stats[low:high]), bytes(self.oids[low:high]))

    def put(self, name: bytes, known: Known) -> None:
        """Add the entry `name` or replace it."""
        at = bisect_left(self.names, name)
        low, high = at * STAT_SIZE, (at + 1) * STAT_SIZE
        if at < len(self.names) and self.names[at] == name:
            self.kinds[at] = known.kind
            self.stats[low:high] = known.stat
            self.oids[low:high] = known.oid
        else:
            self.names.insert(at, name)
            self.kinds.insert(at, known.kind)
            self.stats[low:low] = known.stat
            self.oids[low:low] = known.oid

    def drop(self, name: bytes) -> None:
        """Remove the entry `name` if it is there."""
        at = self.position(name)
        if at >= 0:
            low, high = at * STAT_SIZE, (at + 1) * STAT_SIZE
            del self.names[at], self.kinds[at], self.stats[low:high], self.oids[low:high]

    def drop_all(self, names: Collection[bytes]) -> None:
        """Remove the entries `names`, those that are there; takes as long for many as for a few."""
        if len(names) <= _ONE_BY_ONE:
            for name in names:
                self.drop(name)
            return
        gone = frozenset(names)
        self._take([self._slice(low, high) for low, high in _runs([name not in gone for name in self.names])])

    def merge(self, other: Columns) -> None:
        """Add the entries of `other`, or replace those that have the same names; as `drop_all`."""
        if not self.names:
            self.names, self.kinds, self.stats, self.oids = other.names, other.kinds, other.stats, other.oids
            return
        if other.names and self.names[-1] < other.names[0]:
            self.names += other.names
            self.kinds += other.kinds
            self.stats += other.stats
            self.oids += other.oids
            return
        fresh = []
        for at, name in enumerate(other.names):
            if self.position(name) < 0:
                fresh.append(at)
            else:
                self.put(name, other.at(at))
        if len(fresh) <= _ONE_BY_ONE:
            for at in fresh:
                self.put(other.names[at], other.at(at))
            return
        parts: list[Segment] = []
        low = 0
        for at in fresh:
            high = bisect_left(self.names, other.names[at], low)
            parts += (self._slice(low, high), other._slice(at, at + 1))
            low = high
        self._take([*parts, self._slice(low, len(self.names))])

    def _take(self, parts: list[Segment]) -> None:
        whole = Columns.of(Folder(None, [part for part in parts if part.kinds]))
        self.names, self.kinds, self.stats, self.oids = whole.names, whole.kinds, whole.stats, whole.oids

    def cut(self, old: Folder | None) -> list[Segment]:
        """The columns in segments whose borders follow those of `old`, so that a small change rewrites few of them."""
        borders = self._borders([segment.first for segment in old.segments] if old is not None else [])
        return [self._slice(low, high) for low, high in pairwise(borders)]

    def _borders(self, firsts: list[bytes]) -> list[int]:
        total = len(self.names)
        if not total:
            return []
        borders = [0]
        for first in firsts[1:]:
            at = bisect_left(self.names, first)
            if at - borders[-1] >= SEGMENT_MIN:
                borders.append(at)
        if len(borders) > 1 and total - borders[-1] < SEGMENT_MIN:
            borders.pop()
        borders.append(total)
        cut: list[int] = []
        for low, high in pairwise(borders):
            pieces = -(-(high - low) // SEGMENT_MAX)
            cut.extend(low + (high - low) * piece // pieces for piece in range(pieces))
        return [*cut, total]

    def _slice(self, low: int, high: int) -> Segment:
        return Segment(
            b"\0".join(self.names[low:high]),
            bytes(self.kinds[low:high]),
            bytes(self.stats[low * STAT_SIZE : high * STAT_SIZE]),
            bytes(self.oids[low * OID_SIZE : high * OID_SIZE]),
        )


def stat_of(found: os.stat_result) -> bytes:
    """The stat column of a file as it is now, to compare with that of a row."""
    return _STAT.pack(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _runs(wanted: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where neighbours that are wanted begin and end."""
    at = 0
    for want, group in groupby(wanted):
        low, at = at, at + len(list(group))
        if want:
            yield low, at


def pack_stat(size: int, mtime_ns: int, ctime_ns: int, inode: int, stamp: int) -> bytes:
    """The stat column of a file; `stamp` is the file system's time (ns) before its content was read.

    A change in the same tick as `ctime_ns` would leave the stat as it is, so an entry that is not older than the
    stamp is "racy": it is stored with inode 0, which never compares equal, and is read again next time (git's rule).
    The change time decides, because unlike the modification time nobody can set it back.
    """
    return _STAT.pack(size, mtime_ns, ctime_ns, inode if ctime_ns < stamp else 0)


def settle_stats(stats: bytes | bytearray, stamp: int) -> bytes:
    """A stat column as read, with the rule of `pack_stat` applied."""
    if len(stats) > _SETTLE:
        parts = (stats[at : at + _SETTLE] for at in range(0, len(stats), _SETTLE))
        return b"".join(settle_stats(part, stamp) for part in parts)
    flat = unpack(f"<{len(stats) // 8}q", stats)
    if max(flat[2::4], default=0) < stamp:
        return bytes(stats)
    return b"".join(
        pack_stat(size, mtime, ctime, inode, stamp) for size, mtime, ctime, inode in _STAT.iter_unpack(stats)
    )
