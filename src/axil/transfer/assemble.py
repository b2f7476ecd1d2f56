"""Large blobs put together from the chunks that their recipes list (docs/formats/recipe.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from axil.base.hashing import Oid
from axil.base.progress import Progress
from axil.errors import Damaged
from axil.formats import recipe
from axil.formats.index import Place
from axil.formats.recipe import Part, Recipe
from axil.store import Store
from axil.store.assembly import Assembly
from axil.transfer.source import Source

_GROUP = 64 << 20
"""Chunks are asked for in groups of about so many bytes of a blob."""


def assemble(
    store: Store, source: Source, recipes: dict[Oid, Place], sizes: Mapping[Oid, int], progress: Progress
) -> Iterator[tuple[int, int]]:
    """Makes the large blobs local, one after the other; (objects, bytes) of each.

    What cannot be had is in the `source` afterwards. Raises `Damaged` for recipes that lie.
    """
    for entry in list(source.entries(recipes, known=recipes)):
        made = recipe.decode(entry.data, entry.oid)
        if sizes[entry.oid] not in (-1, made.size):
            raise _wrong(entry.oid, "it has not the size it must have")
        yield _make(store, source, entry.oid, made, entry.place.stored, progress)


def stream(source: Source, oid: Oid, made: Recipe) -> Iterator[bytes]:
    """The content of the blob `oid`, piece by piece in order; ends early if a chunk cannot be had. Raises `Damaged`."""
    for group in _groups(chunks_of(source, oid, made)):
        wanted = {part.oid: part.size for _, part in group}
        had = {entry.oid: entry.data for entry in source.entries(wanted)}
        for _, part in group:
            if part.oid not in had:
                return
            if len(had[part.oid]) != part.size:
                raise _wrong(oid, "a chunk has not the size that its recipe says")
            yield had[part.oid]


def chunks_of(source: Source, oid: Oid, made: Recipe) -> tuple[Part, ...]:
    """The chunks of the blob `oid`, in order; fewer if a segment cannot be had. Raises `Damaged`."""
    if made.level == 0:
        return made.parts
    wanted = {part.oid for part in made.parts}
    lists = {entry.oid: recipe.decode_segment(entry.data) for entry in source.entries(wanted)}
    chunks: list[Part] = []
    for part in made.parts:
        if part.oid not in lists:
            return tuple(chunks)
        if lists[part.oid].size != part.size:
            raise _wrong(oid, "a segment has not the size that its recipe says")
        chunks += lists[part.oid].parts
    return tuple(chunks)


def _make(store: Store, source: Source, oid: Oid, made: Recipe, fetched: int, progress: Progress) -> tuple[int, int]:
    """Makes the blob `oid` local; (1, bytes that came), or 0 objects if that cannot be."""
    parts = chunks_of(source, oid, made)
    if sum(part.size for part in parts) != made.size:
        return 0, fetched
    with store.batch() as batch:
        with Assembly(batch.new_path(), made.size) as target:
            for group in _groups(parts):
                came = _write(source, oid, group, target, progress)
                if came < 0:
                    return 0, fetched
                fetched += came
            if target.finish() != oid:
                raise _wrong(oid, "its recipe makes something else of its chunks")
            batch.put_made(oid, target.path)
        batch.commit()
    return 1, fetched


def _write(source: Source, oid: Oid, group: list[tuple[int, Part]], target: Assembly, progress: Progress) -> int:
    """Fetches the chunks of `group` to their places; the bytes that came, or -1 if one cannot be had."""
    wanted: dict[Oid, list[tuple[int, int]]] = {}
    for offset, part in group:
        wanted.setdefault(part.oid, []).append((offset, part.size))
    bytes_ = came = 0
    for entry in source.entries(wanted):
        came += 1
        bytes_ += entry.place.stored
        for offset, size in wanted[entry.oid]:
            if size != len(entry.data):
                raise _wrong(oid, "a chunk has not the size that its recipe says")
            target.write(entry.data, offset)
            progress.advance(size)
    return bytes_ if came == len(wanted) else -1


def _groups(parts: tuple[Part, ...], size: int = _GROUP) -> Iterator[list[tuple[int, Part]]]:
    """Consecutive parts with their offsets, in groups of about `size` bytes."""
    group: list[tuple[int, Part]] = []
    offset = start = 0
    for part in parts:
        group.append((offset, part))
        offset += part.size
        if offset - start >= size:
            yield group
            group, start = [], offset
    if group:
        yield group


def _wrong(oid: Oid, why: str) -> Damaged:
    return Damaged(f"object {oid.hex()[:12]} is damaged on the remote", why)
