"""Indexes of a remote: which object lies where in which pack, sorted, so that a memory map of the file answers.

Pure bytes and values; `docs/formats/remote.md` gives the bytes. An index is named by the hash of its bytes and never
changed; a later one may supersede it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from axil.base.hashing import OID_SIZE, Oid
from axil.base.light import NamedTuple
from axil.errors import Damaged
from axil.formats.pack import CODEC, HEADER_SIZE, KIND, KINDS, MAX_RAW, RAW, ROWS_AT_ONCE, ZSTD, Buffer, possible

MAGIC = b"AXILINDX"
VERSION = 1
NONCE_SIZE = 16
MAX_ENTRIES = 1 << 20
"""Writers start another index after this many entries (51 MB)."""

_HEADER = struct.Struct("<8sHHIII16s")
_FANOUT = struct.Struct("<256I")
_ROW = struct.Struct("<IIIIB")
_SIZE = struct.Struct("<Q")
ROW_SIZE = _ROW.size
HEADER_SIZE_INDEX = _HEADER.size


class Place(NamedTuple):
    """Where an object lies: `stored` bytes at `offset` of the pack with the id `pack`, `raw` bytes once decoded."""

    pack: Oid
    offset: int
    stored: int
    raw: int
    type: int
    codec: int


_place = partial(tuple.__new__, Place)
"""A place straight from its fields, without the constructor: a hundred thousand may be looked up."""


class PackInfo(NamedTuple):
    """A pack by its id (the hash of its bytes), and its length in bytes."""

    id: Oid
    size: int


def encode(entries: Mapping[Oid, Place], packs: Sequence[PackInfo], supersedes: Sequence[Oid], nonce: bytes) -> bytes:
    """An index of `entries`, which lie in `packs`; `supersedes` are ids of indexes that it takes the place of."""
    numbers = {pack.id: number for number, pack in enumerate(packs)}
    oids = sorted(entries)
    fanout = _FANOUT.pack(*(bisect_right(oids, bytes((first,)) + b"\xff" * OID_SIZE) for first in range(256)))
    pack_row = _ROW.pack
    rows = [
        pack_row(numbers[pack], offset, stored, raw, kind | codec << 4)
        for pack, offset, stored, raw, kind, codec in map(entries.__getitem__, oids)
    ]
    return b"".join(
        (
            _HEADER.pack(MAGIC, VERSION, 0, len(packs), len(supersedes), len(oids), nonce),
            *(pack.id for pack in packs),
            *(_SIZE.pack(pack.size) for pack in packs),
            *supersedes,
            fanout,
            *oids,
            *rows,
        )
    )


def record(oid: Oid, number: int, row: bytes) -> bytes:
    """An entry as `encode_records` takes it: `row` is the 13 bytes of a pack's table, `number` that of the pack."""
    return oid + number.to_bytes(4, "little") + row


def encode_records(
    records: Sequence[bytes], packs: Sequence[PackInfo], supersedes: Sequence[Oid], nonce: bytes
) -> bytes:
    """Like `encode`, of `record`s that are sorted and unique by oid: in far less memory, for a million of them."""
    oids, rows = _columns(records)
    end = b"\xff" * (OID_SIZE + ROW_SIZE)
    fanout = _FANOUT.pack(*(bisect_right(records, bytes((first,)) + end) for first in range(256)))
    return b"".join(
        (
            _HEADER.pack(MAGIC, VERSION, 0, len(packs), len(supersedes), len(records), nonce),
            *(pack.id for pack in packs),
            *(_SIZE.pack(pack.size) for pack in packs),
            *supersedes,
            fanout,
            oids,
            rows,
        )
    )


def _columns(records: Sequence[bytes]) -> tuple[bytearray, bytearray]:
    """The oids of all records, joined, and what else they say; byte by byte of all at once."""
    count, width = len(records), OID_SIZE + ROW_SIZE
    joined = b"".join(records)
    oids, rows = bytearray(count * OID_SIZE), bytearray(count * ROW_SIZE)
    for lane in range(OID_SIZE):
        oids[lane::OID_SIZE] = joined[lane::width]
    for lane in range(ROW_SIZE):
        rows[lane::ROW_SIZE] = joined[OID_SIZE + lane :: width]
    return oids, rows


class Index:
    """An index over any buffer that can be sliced (bytes or a memory map); `path` names it in errors.

    Raises `Damaged` for bytes that are no index this version can read; the caller has checked their hash.
    """

    __slots__ = ("_buffer", "_fanout", "_oids_at", "_path", "_rows_at", "count", "packs", "supersedes")

    def __init__(self, buffer: Buffer, size: int, path: str) -> None:
        self._buffer, self._path = buffer, path
        if size < _HEADER.size or buffer[:8] != MAGIC:
            raise self._damaged("it does not start like an index")
        _, version, features, packs, supersedes, self.count, _ = _HEADER.unpack_from(buffer)
        if version != VERSION or features:
            raise Damaged(
                "an index cannot be read",
                f"{path} has version {version} and features {features:#x}; this axil reads version {VERSION}",
                "update axil and try again",
            )
        at = _HEADER.size
        sizes_at = at + OID_SIZE * packs
        supersedes_at = sizes_at + _SIZE.size * packs
        fanout_at = supersedes_at + OID_SIZE * supersedes
        self._oids_at = fanout_at + _FANOUT.size
        self._rows_at = self._oids_at + OID_SIZE * self.count
        if size != self._rows_at + ROW_SIZE * self.count:
            raise self._damaged("its counts do not fit its size")
        sizes = (length for (length,) in _SIZE.iter_unpack(buffer[sizes_at:supersedes_at]))
        self.packs = tuple(map(PackInfo, _cut(buffer[at:sizes_at]), sizes))
        self.supersedes = tuple(_cut(buffer[supersedes_at:fanout_at]))
        self._fanout = (0, *_FANOUT.unpack_from(buffer, fanout_at))
        if self._fanout[-1] != self.count or list(self._fanout) != sorted(self._fanout):
            raise self._damaged("it has a broken table")

    def bucket(self, first: int) -> bytes:
        """All oids that start with the byte `first`, joined."""
        low, high = self._fanout[first], self._fanout[first + 1]
        return self._buffer[self._oids_at + low * OID_SIZE : self._oids_at + high * OID_SIZE]

    def size(self, first: int) -> int:
        """How many oids start with the byte `first`."""
        low, high = self._fanout[first : first + 2]
        return int(high - low)

    def entries_of(self, first: int) -> Iterator[tuple[Oid, Place]]:
        """Every object whose oid starts with the byte `first`, and its place. Raises `Damaged` like `find`."""
        at, end = (self._rows_at + self._fanout[number] * ROW_SIZE for number in (first, first + 1))
        return self._with_places(self.bucket(first), self._buffer[at:end])

    def find(self, oid: Oid) -> Place | None:
        """Where `oid` lies, or None. Raises `Damaged` for a place that cannot be."""
        oids = self.bucket(oid[0])
        at = oids.find(oid)
        # A match across two neighbours is not an entry.
        while at > 0 and at % OID_SIZE:
            at = oids.find(oid, at + 1)
        return None if at < 0 else self.place(self._fanout[oid[0]] + at // OID_SIZE)

    def place(self, number: int) -> Place:
        """The place of entry `number`. Raises `Damaged` like `find`."""
        return self._checked(*_ROW.unpack_from(self._buffer, self._rows_at + number * ROW_SIZE))

    def entries(self) -> Iterator[tuple[Oid, Place]]:
        """Every object and its place, in the order of oids."""
        rows = self._buffer[self._rows_at : self._rows_at + self.count * ROW_SIZE]
        return self._with_places(self._buffer[self._oids_at : self._rows_at], rows)

    def _with_places(self, oids: bytes, rows: bytes) -> Iterator[tuple[Oid, Place]]:
        for at in range(0, len(oids) // OID_SIZE, ROWS_AT_ONCE):
            end = at + ROWS_AT_ONCE
            places = self._places(rows[at * ROW_SIZE : end * ROW_SIZE])
            yield from zip(_cut(oids[at * OID_SIZE : end * OID_SIZE]), places, strict=True)

    def _places(self, joined: bytes) -> Iterable[Place]:
        """What rows say, looked at column by column. Raises `Damaged` like `find`."""
        rows = list(_ROW.iter_unpack(joined))
        numbers, offsets, stored, raws, flags = zip(*rows, strict=True)
        sizes = [pack.size for pack in self.packs]
        if max(numbers) >= len(sizes) or not possible(offsets, stored, raws, flags, map(sizes.__getitem__, numbers)):
            return [self._checked(*row) for row in rows]  # One of them raises.
        ids = [pack.id for pack in self.packs]
        # One number where both are the same: a million places may be in memory.
        decoded = [raw if raw != size else size for size, raw in zip(stored, raws, strict=True)]
        packs, kinds, codecs = (map(of.__getitem__, by) for of, by in ((ids, numbers), (KIND, flags), (CODEC, flags)))
        return map(_place, zip(packs, offsets, stored, decoded, kinds, codecs, strict=True))

    def _checked(self, pack: int, offset: int, stored: int, raw: int, flags: int) -> Place:
        kind, codec = flags & 15, flags >> 4
        if pack >= len(self.packs) or offset < HEADER_SIZE or offset + stored > self.packs[pack].size or raw > MAX_RAW:
            raise self._damaged("it names a place outside its packs")
        if kind not in KINDS or codec not in (RAW, ZSTD) or (codec == RAW and raw != stored):
            raise self._damaged(f"it has an entry of unknown kind {flags:#x}")
        return _place((self.packs[pack].id, offset, stored, raw, kind, codec))

    def _damaged(self, why: str) -> Damaged:
        return Damaged("an index is damaged", f"{self._path}: {why}")


def _cut(joined: bytes) -> Iterator[Oid]:
    return (joined[at : at + OID_SIZE] for at in range(0, len(joined), OID_SIZE))
