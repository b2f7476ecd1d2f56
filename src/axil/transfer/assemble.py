"""Large blobs put together from the chunks that their recipes list (docs/formats/recipe.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import Progress
from axil.errors import Damaged
from axil.formats import recipe
from axil.formats.index import Place
from axil.formats.recipe import Part, Recipe
from axil.remotes.base import Remote
from axil.store import Batch, Store
from axil.store.assembly import Assembly
from axil.store.hashing import LARGE
from axil.transfer.ranges import Answer, Span, read
from axil.transfer.reuse import Neighbours
from axil.transfer.source import Source

_GROUP = 64 << 20
"""So many bytes of a blob are held in memory when it is read only."""

_LOAD, _FILES = 512 << 20, 128
"""So many bytes or blobs are fetched at a time, and then made durable."""


class _Blob(NamedTuple):
    """A large blob to be made: its chunks in order, and the bytes of its recipe on the remote."""

    oid: Oid
    size: int
    parts: tuple[Part, ...]
    recipe: int


_Targets = dict[Oid, list[tuple[Assembly, int, int]]]
"""Where chunks go: file, offset, and the size that the recipe says."""


def assemble(
    store: Store,
    source: Source,
    recipes: dict[Oid, Place],
    sizes: Mapping[Oid, int],
    near: Neighbours,
    progress: Progress,
) -> Iterator[tuple[int, int]]:
    """Makes large blobs local, several at a time; yields how many, and the bytes that came for them.

    Chunks that blobs `near` hold do not come.

    What cannot be had is in the `source` afterwards. Raises `Damaged` for recipes that lie.
    """
    for load in _loads(_blobs(source, recipes, sizes)):
        with store.batch() as batch, ExitStack() as stack:
            files = {blob.oid: stack.enter_context(Assembly(batch.new_path(), blob.size)) for blob in load}
            targets = _targets(load, files)
            for size in _reuse(near, load, targets):
                progress.advance(size)
            came = 0
            for entry in source.entries(targets, partial(_write, targets)):
                came += entry.place.stored
                progress.advance(sum(size for _, _, size in targets.pop(entry.oid)))
            whole = [blob for blob in load if not any(part.oid in targets for part in blob.parts)]
            for blob in whole:
                _keep(batch, blob, files[blob.oid])
            batch.commit()
        for blob in whole:
            near.add(blob.oid, blob.size, recipes[blob.oid])
        yield len(whole), came + sum(blob.recipe for blob in load)


def _targets(load: Iterable[_Blob], files: Mapping[Oid, Assembly]) -> _Targets:
    targets: _Targets = {}
    for blob in load:
        offset = 0
        for part in blob.parts:
            targets.setdefault(part.oid, []).append((files[blob.oid], offset, part.size))
            offset += part.size
    return targets


def _reuse(near: Neighbours, load: Iterable[_Blob], targets: _Targets) -> Iterator[int]:
    """Fills in the chunks that are here, and takes them out of `targets`; yields their sizes."""
    wanted = {oid: places[0][2] for oid, places in targets.items()}
    for oid, data in near.chunks({blob.oid: blob.size for blob in load}, wanted):
        if wanted.pop(oid, 0):  # A blob may hold a chunk twice.
            _put(oid, data, targets[oid])
            yield sum(size for _, _, size in targets.pop(oid))


def _keep(batch: Batch, blob: _Blob, file: Assembly) -> None:
    """Stores a blob that is whole. Raises `Damaged` if it is another than it should be."""
    if file.finish() != blob.oid:
        raise _wrong(blob.oid, "its recipe makes something else of its chunks")
    if blob.size < LARGE:
        batch.put_bytes(file.read())
    else:
        batch.put_made(blob.oid, file.path)


def _blobs(source: Source, recipes: dict[Oid, Place], sizes: Mapping[Oid, int]) -> Iterator[_Blob]:
    """The blobs of which recipe and segments can be had."""
    for entry in source.entries(recipes, known=recipes):
        made = recipe.decode(entry.data, entry.oid)
        if sizes[entry.oid] not in (-1, made.size):
            raise _wrong(entry.oid, "it has not the size it must have")
        parts = chunks_of(source, entry.oid, made)
        if sum(part.size for part in parts) == made.size:
            yield _Blob(entry.oid, made.size, parts, entry.place.stored)


def _loads(blobs: Iterable[_Blob], size: int = _LOAD, most: int = _FILES) -> Iterator[list[_Blob]]:
    """The blobs in groups of about `size` bytes."""
    load: list[_Blob] = []
    total = 0
    for blob in blobs:
        load.append(blob)
        total += blob.size
        if total >= size or len(load) >= most:
            yield load
            load, total = [], 0
    if load:
        yield load


def _write(targets: _Targets, remote: Remote, span: Span) -> Answer:
    """Reads the chunks of a request and puts them into their files; runs on several threads at once."""
    answer = read(remote, span)
    done = []
    for entry in answer.entries:
        _put(entry.oid, entry.data, targets[entry.oid])
        done.append(entry._replace(stored=b"", data=b""))
    return Answer(done, answer.failures)


def _put(oid: Oid, data: bytes, places: Iterable[tuple[Assembly, int, int]]) -> None:
    for file, offset, size in places:
        if size != len(data):
            raise _wrong(oid, "a recipe says another size of this chunk")
        file.write(data, offset)


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
