"""Packs: many small objects in one immutable file, found through a sorted table at its end.

Pure bytes and values; `store/packs.py` reads and writes the files. `docs/formats/pack.md` gives the bytes.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, repeat
from operator import add, itemgetter, le, ne

from axil.base.hashing import OID_SIZE, Oid, hash_bytes
from axil.base.light import NamedTuple, Protocol
from axil.errors import Damaged

MAGIC = b"AXILPACK"
TAIL_MAGIC = b"AXILTAIL"
VERSION = 2
NONCE_SIZE = 16

BLOB, TREE, RECIPE, SEGMENT = 1, 2, 3, 4
KINDS = (BLOB, TREE, RECIPE, SEGMENT)
"""What an entry may be. Recipes and their segments are met on remotes only."""
RAW, ZSTD = 0, 1

TARGET_SIZE = 64 << 20
"""Writers start a new pack at this size or MAX_ENTRIES, whatever comes first."""
MAX_ENTRIES = 1 << 16
MAX_SIZE = 2 * TARGET_SIZE + (8 << 20)
"""More bytes than any pack has that a writer makes: a full one, one more entry, and the table."""
MAX_RAW = 64 << 20
"""The most bytes one entry may have once decompressed: a bound on what a hostile pack can make a reader allocate."""

_HEADER = struct.Struct("<8sHHI")
_ROW = struct.Struct("<IIIB")
_FOOTER = struct.Struct("<32s16sII8s")
_FANOUT = struct.Struct("<256I")
HEADER = _HEADER.pack(MAGIC, VERSION, 0, 0)
"""The first bytes of a pack."""
UNTOLD = bytes(OID_SIZE)
"""In place of the hash of all entries: only their own are there."""
HEADER_SIZE = _HEADER.size
FOOTER_SIZE = _FOOTER.size
ROW_SIZE = _ROW.size


class Location(NamedTuple):
    """Where an entry lies in its pack: `stored` bytes at `offset`, `raw` bytes once decoded."""

    offset: int
    stored: int
    raw: int
    type: int
    codec: int


_location = partial(tuple.__new__, Location)
"""A location straight from its fields, without the constructor: a hundred thousand may be read."""

ROWS_AT_ONCE = 4096
"""So many rows of a table are taken apart together: a million of them at a time would need much memory."""

KIND = bytes(flags & 15 for flags in range(256))
CODEC = bytes(flags >> 4 for flags in range(256))
"""What a row's byte of flags says, for `map`."""
_POSSIBLE = frozenset(kind | codec << 4 for kind in KINDS for codec in (RAW, ZSTD))
_RAW_OF = itemgetter(2)
_COMPRESSED = frozenset(flags for flags in _POSSIBLE if CODEC[flags] == ZSTD)


def check_header(data: bytes, path: str) -> None:
    """Raises `Damaged` unless `data` starts a pack that this version can read."""
    if len(data) < HEADER_SIZE or data[:8] != MAGIC:
        raise Damaged("a pack is damaged", f"{path} does not start like a pack")
    _, version, features, zero = _HEADER.unpack_from(data)
    if version != VERSION or features:
        raise Damaged(
            "a pack cannot be read",
            f"{path} has version {version} and features {features:#x}; this axil reads version {VERSION}",
            "update axil and try again",
        )
    if zero:
        raise Damaged("a pack is damaged", f"{path} has a header that no writer makes")


row: Callable[[int, int, int, int], bytes] = _ROW.pack
"""The 13 bytes of an entry in a table, from its offset, stored length, raw length and `flags`. A bare function of
`struct`, for they are made by the hundred thousand."""


def flags(kind: int, codec: int) -> int:
    """Type and coding of an entry as one byte."""
    return kind | codec << 4


def possible(
    offsets: Sequence[int], stored: Sequence[int], raws: Sequence[int], flags: Sequence[int], ends: Iterable[int]
) -> bool:
    """Whether all rows of a table, given column by column, may be; `ends` are where the data of their packs end.

    Columns are gone through by `map` alone, which takes a tenth of the time that a look at each row takes.
    """
    return (
        min(offsets, default=HEADER_SIZE) >= HEADER_SIZE
        and max(raws, default=0) <= MAX_RAW
        and all(map(le, map(add, offsets, stored), ends))
        and _POSSIBLE.issuperset(flags)
        and _COMPRESSED.issuperset(compress(flags, map(ne, raws, stored)))
    )


def tail(rows: Mapping[Oid, bytes], content: bytes, nonce: bytes) -> bytes:
    """Table and footer for entries given as oid → `row(...)`.

    `content` is the hash of header and entries, or `UNTOLD`; the random nonce makes every pack's id unique.
    """
    oids = sorted(rows)
    # 256 cumulative counts: those whose first byte is at most the index.
    fanout = _FANOUT.pack(*(bisect_right(oids, bytes((first,)) + b"\xff" * OID_SIZE) for first in range(256)))
    table = b"".join((fanout, *oids, *map(rows.__getitem__, oids)))
    return table + _FOOTER.pack(content, nonce, len(oids), len(table), TAIL_MAGIC)


def another(tail: bytes, nonce: bytes) -> bytes:
    """Table and footer of a pack with the same entries and another id."""
    content, _, *rest = _FOOTER.unpack_from(tail, len(tail) - FOOTER_SIZE)
    return tail[:-FOOTER_SIZE] + _FOOTER.pack(content, nonce, *rest)


def id_of(tail: bytes) -> Oid:
    """The id of the pack with this table and footer."""
    return hash_bytes(tail)


def content_of(tail: bytes) -> bytes:
    """What table and footer say is the hash of header and entries; `UNTOLD` if nothing."""
    content: bytes = _FOOTER.unpack_from(tail, len(tail) - FOOTER_SIZE)[0]
    return content


def table_span(footer: bytes, size: int, path: str) -> tuple[int, int]:
    """Offset and entry count of the table in a pack of `size` bytes, from its last FOOTER_SIZE bytes.

    Raises `Damaged` if they contradict each other.
    """
    if size < HEADER_SIZE + FOOTER_SIZE or len(footer) != FOOTER_SIZE:
        raise Damaged("a pack is damaged", f"{path} is cut short: {size} bytes")
    _, _, count, length, magic = _FOOTER.unpack(footer)
    if magic != TAIL_MAGIC:
        raise Damaged("a pack is damaged", f"{path} is cut short or overwritten: its last bytes are not a footer")
    start = size - FOOTER_SIZE - length
    if length != _FANOUT.size + count * (OID_SIZE + ROW_SIZE) or start < HEADER_SIZE:
        raise Damaged("a pack is damaged", f"{path} has a footer that does not fit its size")
    return start, count


class Buffer(Protocol):
    """Bytes or a memory map: what can be sliced into bytes and unpacked from."""

    def __getitem__(self, key: slice, /) -> bytes: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...


class Table:
    """The table of one pack, over any buffer that can be sliced (bytes or a memory map) from `base` on."""

    __slots__ = ("_buffer", "_end", "_fanout", "_oids_at", "_path", "_rows_at", "count")

    def __init__(self, buffer: Buffer, base: int, count: int, data_end: int, path: str) -> None:
        """`data_end` is the offset in the pack where the table starts. Raises `Damaged` for a broken fan-out."""
        self._buffer = buffer
        self._path = path
        self._end = data_end
        self.count = count
        self._fanout = (0, *_FANOUT.unpack_from(buffer, base))
        self._oids_at = base + _FANOUT.size
        self._rows_at = self._oids_at + count * OID_SIZE
        if self._fanout[-1] != count or list(self._fanout) != sorted(self._fanout):
            raise Damaged("a pack is damaged", f"{path} has a broken table")

    def bucket(self, first: int) -> tuple[int, bytes]:
        """The index of the first entry whose oid starts with byte `first`, and all such oids joined."""
        low, high = self._fanout[first], self._fanout[first + 1]
        return low, self._buffer[self._oids_at + low * OID_SIZE : self._oids_at + high * OID_SIZE]

    def find(self, oid: Oid) -> int:
        """The index of `oid`, or -1."""
        low, oids = self.bucket(oid[0])
        at = oids.find(oid)
        # A match across two neighbours is not an entry.
        while at > 0 and at % OID_SIZE:
            at = oids.find(oid, at + 1)
        return low + at // OID_SIZE if at >= 0 else -1

    def oids(self, start: int = 0, stop: int | None = None) -> list[Oid]:
        """All oids, in order; or those of the entries from `start` up to `stop`."""
        end = self.count if stop is None else min(stop, self.count)
        column = self._buffer[self._oids_at + start * OID_SIZE : self._oids_at + end * OID_SIZE]
        return [column[at : at + OID_SIZE] for at in range(0, len(column), OID_SIZE)]

    def location(self, index: int) -> Location:
        """Where entry `index` lies. Raises `Damaged` if that is not inside the pack's data."""
        offset, stored, raw, flags = _ROW.unpack_from(self._buffer, self._rows_at + index * ROW_SIZE)
        return self._checked(offset, stored, raw, flags)

    def locations(self) -> list[Location]:
        """The location of every entry, in the order of `oids`. Raises `Damaged` like `location`."""
        found: list[Location] = []
        end = self._rows_at + self.count * ROW_SIZE
        for at in range(self._rows_at, end, ROWS_AT_ONCE * ROW_SIZE):
            rows = list(_ROW.iter_unpack(self._buffer[at : min(at + ROWS_AT_ONCE * ROW_SIZE, end)]))
            offsets, stored, raws, flags = zip(*rows, strict=True)
            if possible(offsets, stored, raws, flags, repeat(self._end)):
                kinds, codecs = map(KIND.__getitem__, flags), map(CODEC.__getitem__, flags)
                found += map(_location, zip(offsets, stored, raws, kinds, codecs, strict=True))
            else:
                found += [self._checked(*fields) for fields in rows]
        return found

    def kinds(self) -> set[int]:
        """What sorts of entries there are, from the flags alone."""
        rows = self._buffer[self._rows_at : self._rows_at + self.count * ROW_SIZE]
        return {flags & 15 for flags in set(rows[ROW_SIZE - 1 :: ROW_SIZE])}

    def sizes(self) -> Iterator[tuple[Oid, int]]:
        """Each oid with its raw length, as the table says it."""
        rows = self._buffer[self._rows_at : self._rows_at + self.count * ROW_SIZE]
        return zip(self.oids(), map(_RAW_OF, _ROW.iter_unpack(rows)), strict=True)

    def length(self) -> int:
        """The length of all entries together, once decoded, as the table says it."""
        rows = self._buffer[self._rows_at : self._rows_at + self.count * ROW_SIZE]
        return sum(sum(rows[8 + lane :: ROW_SIZE]) << 8 * lane for lane in range(4))

    def _checked(self, offset: int, stored: int, raw: int, flags: int) -> Location:
        kind, codec = flags & 15, flags >> 4
        if offset < HEADER_SIZE or offset + stored > self._end or raw > MAX_RAW:
            raise Damaged("a pack is damaged", f"{self._path} has an entry outside its data")
        if kind not in KINDS or codec not in (RAW, ZSTD) or (codec == RAW and raw != stored):
            raise Damaged("a pack is damaged", f"{self._path} has an entry of unknown kind {flags:#x}")
        return _location((offset, stored, raw, kind, codec))
