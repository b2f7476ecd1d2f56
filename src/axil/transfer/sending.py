"""Objects of the store turned into packs: whole local packs as they are, single entries as they are stored, large
blobs in chunks; directories and recipes apart from the bytes of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import partial

from axil.base.hashing import Oid, hash_bytes
from axil.formats import pack as fmt
from axil.formats import recipe
from axil.formats.recipe import Part
from axil.formats.sharing import Chunking
from axil.store import Store, faults
from axil.store.packs import Pack, decompress
from axil.transfer.catalog import Catalog
from axil.transfer.chunks import open_blob, stream
from axil.transfer.closure import cut_from
from axil.transfer.division import Division
from axil.transfer.packer import Builder, Finished, Limits, Made, Press, Presses, renewed
from axil.transfer.shipping import Shipper

VERBATIM = 1 << 20
"""Smaller local packs are not sent as they are: together they make fewer requests."""
_WHOLE_READ = 2
# Bytes of chunks that are being compressed at a time.
_WAITING = 8 << 20


class Sender:
    """Sends wanted objects through a `Shipper`; what a pack that is already there holds is not sent again."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        shipper: Shipper,
        chunking: Chunking,
        *,
        avoid: frozenset[Oid],
        trees: AbstractSet[Oid] = frozenset(),
        again: AbstractSet[Oid] = frozenset(),
        limits: Limits = Limits(),  # noqa: B008
    ) -> None:
        self.parts: dict[Oid, bytes] = {}
        """Chunks and segments of large blobs, joined."""
        self.relied: set[Oid] = set()
        """Packs with chunks and segments that are there and were not sent again."""
        # Directories must be there as such, even if they are here as files with the same bytes; `again` are chunks
        # and segments that are not as they should be where they are found.
        self._trees, self._again = trees, again
        self._store, self._catalog, self._shipper = store, catalog, shipper
        self._chunking, self._avoid = chunking, avoid
        self._limits = limits
        self._press = Press()
        self._had: set[Oid] = set()
        self._presses = Presses()
        self._data, self._meta = self._builder(), self._builder()
        self._pieces = self._builder(large=True)

    def rely_on(self, packs: Iterable[Finished]) -> AbstractSet[Oid]:
        """Packs that an earlier push put: what is in them, which is returned, need not be sent.

        Recipes are made again: which of the chunks came through is found out that way.
        """
        for done in packs:
            table = done.table()
            rows = zip(table.oids(), table.locations(), strict=True)
            self._had.update(
                oid
                for oid, place in rows
                if place.type != fmt.RECIPE and (place.type == fmt.TREE or oid not in self._trees)
            )
        return self._had

    def send(self, division: Division) -> None:
        """Ship all this. Raises `NotFound` or `Damaged` for what the store cannot give."""
        if division.nowhere:
            raise self._store.absent(min(division.nowhere))
        # The smallest first: the disk or line begins while the next is made.
        for pack in reversed(division.whole):
            self._shipper.ship(partial(self._renewed, pack), pack.size, pack.table.length())
        for pack, oids in division.parts:
            everything = zip(pack.table.locations(), pack.table.oids(), strict=True)
            self._copy(pack, sorted((place, oid) for place, oid in everything if oid in oids))
        with self._presses:
            for oid in division.files:
                self._file(oid)
            self._pressed()
        self._data = self._flushed(self._data)
        self._pieces = self._flushed(self._pieces)
        self._meta = self._flushed(self._meta)

    def _renewed(self, pack: Pack) -> Made:
        """A local pack with another name, read and checked on the thread that uploads it."""
        return renewed(pack, self._shipper.buffer(pack.size))

    def _copy(self, pack: Pack, rows: list[tuple[fmt.Location, Oid]]) -> None:
        for (_, _, raw, kind, codec), oid, stored in _read(pack, rows):
            data = stored if codec == fmt.RAW else decompress(bytes(stored), raw, pack.path)
            if hash_bytes(data) != oid:
                raise faults.damaged(oid, pack.path, "its bytes do not match its name")
            if oid in self._trees:
                kind = fmt.TREE
            if codec == fmt.RAW and kind != fmt.TREE and (less := self._press.squeeze(stored)) is not None:
                stored, codec = memoryview(less), fmt.ZSTD
            self._add(kind, oid, stored, raw, codec)

    def _file(self, oid: Oid) -> None:
        stat = self._store.files.stat(oid)
        if stat is None:
            raise self._store.absent(oid)
        path = self._store.files.path(oid)
        fd = open_blob(path)
        try:
            if stat.st_size >= cut_from(self._chunking.whole):
                self._cut(fd, oid, path)
                return
            with open(fd, "rb", closefd=False) as file:
                data = file.read()
        finally:
            os.close(fd)
        if hash_bytes(data) != oid:
            raise faults.damaged(oid, path, "its bytes do not match its name")
        self._squeezed(fmt.BLOB, oid, data)

    def _cut(self, fd: int, blob: Oid, path: str) -> None:
        """Sends the chunks of a large blob that are not there, and the recipe."""
        parts: list[Part] = []
        for oid, data in stream(fd, blob, path, self._chunking):
            parts.append(Part(oid, len(data)))
            if not self._new(oid):
                continue
            if self._press.promising(data):
                self._presses.put(oid, bytes(data))
                self._pressed(_WAITING)
            else:
                self._pressed()
                self._piece(oid, data, len(data), fmt.RAW)
        if len(parts) == 1:
            return  # One chunk is the blob itself.
        made, segments = recipe.split(parts)
        for oid, body in segments:
            if self._new(oid):
                self._add(fmt.SEGMENT, oid, memoryview(body), len(body), fmt.RAW)
        body = recipe.encode(made, blob)
        self._add(fmt.RECIPE, blob, memoryview(body), len(body), fmt.RAW)
        self.parts[blob] = b"".join({part.oid: None for part in parts} | {oid: None for oid, _ in segments})

    def _new(self, oid: Oid) -> bool:
        """Whether a chunk or segment must be sent; from then on it need not."""
        if oid in self._had:
            return False
        self._had.add(oid)
        place = None if oid in self._again else self._catalog.find(oid, self._avoid)
        if place is None or place.type == fmt.RECIPE:
            return True
        self.relied.add(place.pack)
        return False

    def _squeezed(self, kind: int, oid: Oid, data: bytes) -> None:
        less = self._press.squeeze(data)
        stored = data if less is None else less
        self._add(kind, oid, memoryview(stored), len(data), fmt.RAW if less is None else fmt.ZSTD)

    def _pressed(self, most: int = 0) -> None:
        """Adds the chunks that are being compressed, but for the last `most` bytes."""
        for oid, data, less in self._presses.take(most):
            self._piece(oid, data if less is None else less, len(data), fmt.RAW if less is None else fmt.ZSTD)

    def _piece(self, oid: Oid, stored: bytes | memoryview, raw: int, codec: int) -> None:
        """Adds a chunk: those of one blob stay in order, not mixed with small blobs."""
        if self._pieces.full:
            self._pieces = self._flushed(self._pieces)
        self._pieces.add(oid, stored, raw, fmt.BLOB, codec)

    def _add(self, kind: int, oid: Oid, stored: memoryview, raw: int, codec: int) -> None:
        if kind == fmt.BLOB:
            if self._data.full:
                self._data = self._flushed(self._data)
            self._data.add(oid, stored, raw, kind, codec)
        else:
            if self._meta.full:
                self._meta = self._flushed(self._meta)
            self._meta.add(oid, stored, raw, kind, codec)

    def _flushed(self, builder: Builder) -> Builder:
        """Sends a pack; the next one, of the same sort."""
        if not builder.rows:
            return builder
        self._shipper.ship(builder.finish, len(builder.data), builder.raw)
        return self._builder(large=builder.large)

    def _builder(self, *, large: bool = False) -> Builder:
        return Builder(self._limits, self._shipper.buffer, large=large)


def _read(pack: Pack, rows: list[tuple[fmt.Location, Oid]]) -> Iterator[tuple[fmt.Location, Oid, memoryview]]:
    """The stored bytes of entries given in the order they lie; read at one go if they are a good part of the pack."""
    if sum(place.stored for place, _ in rows) * _WHOLE_READ < pack.size or not rows:
        for place, oid in rows:
            yield place, oid, memoryview(pack.stored(place))
        return
    start, end = rows[0][0].offset, max(place.offset + place.stored for place, _ in rows)
    data = memoryview(pack.stored(fmt.Location(start, end - start, 0, fmt.BLOB, fmt.RAW)))
    for place, oid in rows:
        yield place, oid, data[place.offset - start : place.offset - start + place.stored]
