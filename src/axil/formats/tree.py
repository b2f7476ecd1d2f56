"""Directory objects: a sorted list of entries as bytes, big directories split into sub-nodes.

The layout is columnar so that the standard library alone decodes it fast; `docs/formats/tree.md` gives the bytes.
The encoding is canonical: equal entries make equal bytes, so a directory's oid tells whether it changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from operator import lt

from axil.base.hashing import OID_SIZE, Oid, hash_bytes
from axil.base.light import NamedTuple
from axil.errors import BadInput, Damaged

FILE, EXEC, LINK, DIR, NODE = b"f", b"x", b"l", b"d", b"n"

MAGIC = b"AXT1"
MAX_LEVEL = 16
MAX_ENTRIES = 1 << 20
"""More entries than any node that `split` makes; a higher count is refused before anything is allocated."""

# A node ends after an entry whose name hash has its top 8 bits zero, but not before 128 and at the latest
# after 1024 entries: about 380 entries and 25 KB on average.
MIN_NODE = 128
MAX_NODE = 1024
_CUT_BELOW = 1 << 24

_HEADER = struct.Struct("<4sBxxxI")
_U64 = struct.Struct("<Q")
_MAX_U64 = (1 << 64) - 1
_BLOCK = 16


class Entry(NamedTuple):
    """One name in a directory.

    `kind` is the ord of FILE, EXEC, LINK, DIR or NODE. `size` is in bytes: of the file, of the link's target, or of
    all files below. `oid` names the blob (a LINK's blob holds its target) or the tree.
    """

    name: bytes
    kind: int
    size: int
    oid: Oid


_entry = partial(tuple.__new__, Entry)
"""An entry straight from a row of four, without the constructor: a directory may have a hundred thousand."""


def check_name(name: bytes) -> str:
    """Why `name` may not stand in a directory object, or "" if it may."""
    if not name:
        return "empty name"
    if b"/" in name or b"\0" in name:
        return "name with a slash or NUL"
    if name in (b".", b".."):
        return "name is a relative step"
    if name.lower() == b".git":
        return "name is .git"
    return ""


class Columns(NamedTuple):
    """The entries of a directory, sorted by name, column by column: names, kind bytes, sizes and oids joined.

    For directories of a hundred thousand files, which would be as many objects otherwise.
    """

    names: Sequence[bytes]
    kinds: bytes
    sizes: Sequence[int]
    oids: bytes

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Columns:
        """The columns of sorted entries."""
        names, kinds, sizes, oids = zip(*entries, strict=True) if entries else ((), (), (), ())
        return cls(names, bytes(kinds), sizes, b"".join(oids))

    def part(self, low: int, high: int) -> Columns:
        """The entries from `low` to below `high`."""
        oids = self.oids[low * OID_SIZE : high * OID_SIZE]
        return Columns(self.names[low:high], self.kinds[low:high], self.sizes[low:high], oids)


def encode(entries: Sequence[Entry], level: int = 0) -> bytes:
    """One node as bytes; `level` 0 holds files and folders, higher levels only NODE entries.

    `entries` are sorted by name. Raises `BadInput` for what `decode` would refuse.
    """
    return _encode(Columns.of(entries), level)


def _encode(columns: Columns, level: int) -> bytes:
    names, kinds, sizes, oids = columns
    count = len(names)
    blob = b"\0".join(names)
    if why := _fault(level, names, blob, kinds):
        raise BadInput("this folder cannot be stored", why, "rename the file and try again")
    try:
        packed = struct.pack(f"<{count}Q", *sizes)
    except struct.error as error:
        raise BadInput("this folder cannot be stored", f"a size is out of range: {error}") from None
    return b"".join((_HEADER.pack(MAGIC, level, count), kinds, packed, oids, blob))


def decode(data: bytes) -> tuple[int, list[Entry]]:
    """The level and entries of a node. Raises `Damaged` for anything but exactly what `encode` makes."""
    level, count, sizes_at, oids_at, names_at = _layout(data)
    kinds = data[_HEADER.size : sizes_at]
    blob = data[names_at:]
    names = blob.split(b"\0") if count else []
    why = "" if len(names) == count else f"{len(names)} names for {count} entries"
    if why := why or _fault(level, names, blob, kinds):
        raise Damaged("a directory object is damaged", why)
    sizes = struct.unpack_from(f"<{count}Q", data, sizes_at)
    oids = [data[at : at + OID_SIZE] for at in range(oids_at, names_at, OID_SIZE)]
    return level, list(map(_entry, zip(names, kinds, sizes, oids, strict=True)))


def outline(data: bytes) -> tuple[bytes, Sequence[int], bytes]:
    """Kinds, sizes and joined oids of a node's entries, for whoever needs no names, which are not checked.

    Raises `Damaged` for what is no node.
    """
    level, count, sizes_at, oids_at, names_at = _layout(data)
    kinds = data[_HEADER.size : sizes_at]
    if level > MAX_LEVEL or kinds.translate(None, NODE if level else FILE + EXEC + LINK + DIR):
        raise Damaged("a directory object is damaged", "it has entries of unknown kinds")
    if data.count(b"\0", names_at) != max(count - 1, 0):
        raise Damaged("a directory object is damaged", f"it has not {count} names")
    return kinds, struct.unpack_from(f"<{count}Q", data, sizes_at), data[oids_at:names_at]


def changed(a: bytes, b: bytes) -> tuple[int, list[Entry], list[Entry]] | None:
    """The entries in which two nodes with the same names differ, as (level, of `a`, of `b`); None if the names differ.

    Edited files leave all names as they were: then only the differing places are decoded. Raises `Damaged`.
    """
    level, count, sizes_at, oids_at, names_at = _layout(a)
    if b[: _HEADER.size] != a[: _HEADER.size] or b[names_at:] != a[names_at:]:
        return None
    _layout(b)
    blob = a[names_at:]
    names = blob.split(b"\0") if count else []
    if len(names) != count:
        raise Damaged("a directory object is damaged", f"{len(names)} names for {count} entries")
    places = _different(a, b, count, (_HEADER.size, 1), (sizes_at, 8), (oids_at, OID_SIZE))

    def entry(data: bytes, place: int) -> Entry:
        (size,) = _U64.unpack_from(data, sizes_at + 8 * place)
        oid_at = oids_at + OID_SIZE * place
        return Entry(names[place], data[_HEADER.size + place], size, data[oid_at : oid_at + OID_SIZE])

    gone, come = [entry(a, place) for place in places], [entry(b, place) for place in places]
    # Only what is handed out need be sound: the rest is the same on both sides and nobody uses it.
    shown = [one.name for one in gone]
    kinds = bytes(one.kind for one in gone + come)
    if why := _fault(level, shown, b"\0".join(shown), kinds) if shown else "":
        raise Damaged("a directory object is damaged", why)
    return level, gone, come


def _different(a: bytes, b: bytes, count: int, *columns: tuple[int, int]) -> list[int]:
    """The places of entries that differ in any of the columns (start, width) of two nodes."""
    start, width = columns[-1]
    places = set(_unequal(a, b, start, width, count))
    # What changed has another oid. Only if there is more in the other columns, these are searched too.
    for start, width in columns[:-1]:
        same = bytearray(a[start : start + width * count])
        for place in places:
            at = start + width * place
            same[at - start : at - start + width] = b[at : at + width]
        if same != b[start : start + width * count]:
            places.update(_unequal(a, b, start, width, count))
    return sorted(places)


def _unequal(a: bytes, b: bytes, start: int, width: int, count: int) -> Iterator[int]:
    """Where items of `width` bytes differ in two columns; equal stretches cost one comparison each."""
    end = start + width * count
    for low in range(start, end, width * _BLOCK):
        high = min(low + width * _BLOCK, end)
        if a[low:high] != b[low:high]:
            for at in range(low, high, width):
                if a[at : at + width] != b[at : at + width]:
                    yield (at - start) // width


def _layout(data: bytes) -> tuple[int, int, int, int, int]:
    """Level, count, and where the columns of sizes, oids and names begin."""
    if len(data) < _HEADER.size:
        raise Damaged("a directory object is damaged", "it is shorter than its header")
    magic, level, count = _HEADER.unpack_from(data)
    if magic != MAGIC or data[5:8] != b"\0\0\0":
        raise Damaged("a directory object is damaged", "it does not start like one")
    sizes_at = _HEADER.size + count
    oids_at = sizes_at + 8 * count
    names_at = oids_at + OID_SIZE * count
    if (
        count > MAX_ENTRIES
        or (count and names_at + 2 * count - 1 > len(data))
        or (not count and len(data) != _HEADER.size)
    ):
        raise Damaged("a directory object is damaged", f"{count} entries do not fit into {len(data)} bytes")
    return level, count, sizes_at, oids_at, names_at


def _fault(level: int, names: Sequence[bytes], blob: bytes, kinds: bytes) -> str:
    """What breaks the rules of a node, or ""; whole columns are checked at once, for speed."""
    allowed = NODE if level else FILE + EXEC + LINK + DIR
    if not 0 <= level <= MAX_LEVEL:
        return f"level {level} is out of range"
    if level and not names:
        return "an inner node without entries"
    if kinds.translate(None, allowed):
        return f"unknown kind of entry {kinds.translate(None, allowed)[:1]!r}"
    if blob.count(b"\0") != max(len(names) - 1, 0):
        return "name with a slash or NUL"
    if not all(map(lt, names, names[1:])):
        return "names are not sorted or not unique"
    # The first test is a quick filter over all names; only suspects are looked at one by one.
    if b"/" in blob or b"" in names or b"." in names or b".." in names or b".git" in blob.lower():
        return next((f"{why}: {name!r}" for name in names if (why := check_name(name))), "")
    return ""


def split(entries: Iterable[Entry]) -> list[tuple[Oid, bytes]]:
    """The node objects of one directory, children before parents, the root last.

    Up to a few hundred entries make one node. More are cut where a name's hash says so, whatever stands around it:
    a changed, added or removed file rewrites its own node and the few above it. Raises `BadInput` like `encode`.
    """
    return split_columns(Columns.of(sorted(entries)))


def split_columns(columns: Columns) -> list[tuple[Oid, bytes]]:
    """`split` of entries in columns."""
    nodes: list[tuple[Oid, bytes]] = []
    level = 0
    while True:
        parts = [columns.part(low, high) for low, high in _cut(columns.names, level)]
        first = len(nodes)
        for part in parts:
            data = _encode(part, level)
            nodes.append((hash_bytes(data), data))
        if len(parts) == 1:
            return nodes
        # Cutting may leave the same name at an end and a start only if it was there twice.
        if any(left.names[-1] >= right.names[0] for left, right in pairwise(parts)):
            raise BadInput("this folder cannot be stored", "names are not unique")
        columns = Columns(
            [part.names[0] for part in parts],
            NODE * len(parts),
            [sum(part.sizes) for part in parts],
            b"".join(oid for oid, _ in nodes[first:]),
        )
        level += 1


def _cut(names: Sequence[bytes], level: int) -> list[tuple[int, int]]:
    """Where the nodes of `names` begin and end: MIN_NODE to MAX_NODE entries each (the last may be shorter)."""
    from bisect import bisect_left
    from zlib import crc32

    count = len(names)
    if count <= MIN_NODE:
        return [(0, count)]
    # The product spreads what crc32, being linear, leaves alike in names that count upwards.
    ends = [at + 1 for at, name in enumerate(names) if crc32(name, level) * 0x9E3779B1 & 0xFFFFFFFF < _CUT_BELOW]
    parts: list[tuple[int, int]] = []
    start = 0
    while count - start > MIN_NODE:
        stop = min(start + MAX_NODE, count)
        if (at := bisect_left(ends, start + MIN_NODE)) < len(ends):
            stop = min(stop, ends[at])
        parts.append((start, stop))
        start = stop
    if start < count:
        parts.append((start, count))
    return parts
