"""Recipes: of which chunks a large blob consists, so that a small edit of a large file sends a few chunks.

A long recipe is split into segments, which are objects like any other. `docs/formats/recipe.md` gives the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from axil.base.hashing import OID_SIZE, Oid, hash_bytes
from axil.base.light import NamedTuple
from axil.errors import Damaged

MAGIC = b"AXR1"
MAX_PARTS = 1 << 20
"""More parts than any recipe that is written has; a higher count is refused before anything is allocated."""

SPLIT_FROM = 1024
"""Up to this many chunks are listed in the recipe itself."""
MIN_SEGMENT, MAX_SEGMENT = 256, 4096
_CUT = 1 << 22  # A segment ends after a chunk whose id begins with a number below this: one in 1024.

_HEADER = struct.Struct("<4sBxxxQI")
_MAX_SIZE = (1 << 63) - 1


class Part(NamedTuple):
    """A piece of a blob, in order: a chunk, or a segment that lists chunks. `size` in bytes of the blob."""

    oid: Oid
    size: int


class Recipe(NamedTuple):
    """The pieces of a blob of `size` bytes: chunks at level 0, segments at level 1."""

    level: int
    size: int
    parts: tuple[Part, ...]


def encode(recipe: Recipe, blob: Oid) -> bytes:
    """The recipe of the blob `blob` as bytes; the hash at their end binds them to it."""
    body = _body(recipe)
    return body + hash_bytes(body + blob)


def decode(data: bytes, blob: Oid) -> Recipe:
    """What `encode` made for `blob`. Raises `Damaged` for anything else."""
    body, check = data[:-OID_SIZE], data[-OID_SIZE:]
    if hash_bytes(body + blob) != check:
        raise Damaged("a recipe is damaged", f"its bytes do not belong to the blob {blob.hex()[:12]}")
    return _parse(body)


def encode_segment(parts: Sequence[Part]) -> tuple[Oid, bytes]:
    """A segment and its id, which is the hash of its bytes."""
    body = _body(Recipe(0, sum(part.size for part in parts), tuple(parts)))
    return hash_bytes(body), body


def decode_segment(data: bytes) -> Recipe:
    """The chunks that a segment lists; the caller has checked its hash. Raises `Damaged`."""
    segment = _parse(data)
    if segment.level:
        raise Damaged("a segment of a recipe is damaged", "it lists segments")
    return segment


def split(chunks: Sequence[Part]) -> tuple[Recipe, list[tuple[Oid, bytes]]]:
    """The recipe of a blob cut into `chunks`, and the segments it lists (none for up to SPLIT_FROM chunks).

    Segments end where a chunk's id says so, so that an edit changes only those around it.
    """
    size = sum(chunk.size for chunk in chunks)
    if len(chunks) <= SPLIT_FROM:
        return Recipe(0, size, tuple(chunks)), []
    segments: list[tuple[Oid, bytes]] = []
    parts: list[Part] = []
    start = 0
    for at, chunk in enumerate(chunks, 1):
        ends = int.from_bytes(chunk.oid[:4], "little") < _CUT
        if at == len(chunks) or at - start >= MAX_SEGMENT or (ends and at - start >= MIN_SEGMENT):
            oid, data = encode_segment(chunks[start:at])
            segments.append((oid, data))
            parts.append(Part(oid, sum(one.size for one in chunks[start:at])))
            start = at
    return Recipe(1, size, tuple(parts)), segments


def _body(recipe: Recipe) -> bytes:
    count = len(recipe.parts)
    sizes = struct.pack(f"<{count}Q", *(part.size for part in recipe.parts))
    return b"".join(
        (_HEADER.pack(MAGIC, recipe.level, recipe.size, count), sizes, *(part.oid for part in recipe.parts))
    )


def _parse(data: bytes) -> Recipe:
    if len(data) < _HEADER.size:
        raise Damaged("a recipe is damaged", "it is shorter than its header")
    magic, level, size, count = _HEADER.unpack_from(data)
    if magic != MAGIC or data[5:8] != b"\0\0\0" or level > 1 or size > _MAX_SIZE:
        raise Damaged("a recipe is damaged", "it does not start like one")
    oids_at = _HEADER.size + 8 * count
    if count > MAX_PARTS or len(data) != oids_at + OID_SIZE * count:
        raise Damaged("a recipe is damaged", f"{count} parts do not fit into {len(data)} bytes")
    sizes = struct.unpack_from(f"<{count}Q", data, _HEADER.size)
    if sum(sizes) != size or 0 in sizes:
        raise Damaged("a recipe is damaged", "the sizes of its parts do not add up")
    oids = (data[at : at + OID_SIZE] for at in range(oids_at, len(data), OID_SIZE))
    return Recipe(level, size, tuple(map(Part, oids, sizes)))
