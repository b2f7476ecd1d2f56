"""Large blobs put together from the chunks that their recipes list (docs/formats/recipe.md)."""

from __future__ import annotations

from collections.abc import Iterator

from axil.base.hashing import Oid
from axil.base.progress import Progress
from axil.errors import Damaged
from axil.formats import recipe
from axil.formats.index import Place
from axil.formats.recipe import Part
from axil.store import Store
from axil.store.assembly import Assembly
from axil.transfer.ranges import Entry
from axil.transfer.source import Source

_GROUP = 256 << 20
"""Chunks are asked for in groups of about so many bytes of a blob."""


def assemble(
    store: Store, source: Source, recipes: dict[Oid, Place], sizes: dict[Oid, int], progress: Progress
) -> Iterator[tuple[int, int]]:
    """Makes the large blobs local, one after the other; (objects, bytes) of each. Misses are in `source.absent`."""
    for oid, entry in _recipes(source, recipes):
        made = recipe.decode(entry.data, oid)
        if sizes[oid] not in (-1, made.size):
            raise _wrong(oid, "it has not the size it must have")
        yield 1, entry.place.stored + _make(store, source, oid, made, progress)


def _recipes(source: Source, recipes: dict[Oid, Place]) -> Iterator[tuple[Oid, Entry]]:
    for entry in list(source.entries(recipes, known=recipes)):
        yield entry.oid, entry


def _make(store: Store, source: Source, oid: Oid, made: recipe.Recipe, progress: Progress) -> int:
    parts = made.parts if made.level == 0 else _segments(source, made.parts)
    if parts is None:
        return 0
    fetched = 0
    with store.batch() as batch:
        with Assembly(batch.new_path(), made.size) as target:
            for group in _groups(parts):
                wanted: dict[Oid, list[tuple[int, int]]] = {}
                for offset, part in group:
                    wanted.setdefault(part.oid, []).append((offset, part.size))
                absent = len(source.absent)
                for entry in source.entries(wanted):
                    fetched += entry.place.stored
                    for offset, size in wanted[entry.oid]:
                        if size != len(entry.data):
                            raise _wrong(oid, "a chunk has not the size that its recipe says")
                        target.write(entry.data, offset)
                        progress.advance(size)
                if len(source.absent) > absent:
                    return fetched
            if target.finish() != oid:
                raise _wrong(oid, "its recipe makes something else of its chunks")
            batch.put_made(oid, target.path)
        batch.commit()
    return fetched


def _wrong(oid: Oid, why: str) -> Damaged:
    return Damaged(f"object {oid.hex()[:12]} is damaged on the remote", why)


def _segments(source: Source, parts: tuple[Part, ...]) -> tuple[Part, ...] | None:
    """The chunks that segments list, in order; None if a segment is nowhere."""
    lists = {entry.oid: recipe.decode_segment(entry.data) for entry in source.entries({part.oid for part in parts})}
    chunks: list[Part] = []
    for part in parts:
        if part.oid not in lists:
            return None
        if lists[part.oid].size != part.size:
            raise Damaged("a recipe is damaged", "a segment has not the size that its recipe says")
        chunks += lists[part.oid].parts
    return tuple(chunks)


def _groups(parts: tuple[Part, ...]) -> Iterator[list[tuple[int, Part]]]:
    """Consecutive parts with their offsets, in groups of bounded size."""
    group: list[tuple[int, Part]] = []
    offset = start = 0
    for part in parts:
        group.append((offset, part))
        offset += part.size
        if offset - start >= _GROUP:
            yield group
            group, start = [], offset
    if group:
        yield group
